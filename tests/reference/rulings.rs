//! Cases in which the service was once wrong, each with the rule that decides it.

use conspectus::catalogue::CataloguePut;
use conspectus::catalogue::items::{AreaLevel, Kind};
use conspectus::model::period::Frequency;

use crate::desk::{Desk, agency, area, version};

/// "Any query can be asked as of an earlier revision": the areas that came later are no reason to panic.
#[test]
fn a_revision_before_an_area_can_still_be_asked_about() {
    let mut desk = Desk::of(version(Kind::Events, Frequency::Quarter));
    desk.send("care", &["U1 FY2021-22-Q1 10"]);
    let before = desk.revision();
    let areas = vec![area("U3", AreaLevel::UpperTier, "P")];
    desk.put(CataloguePut { areas, agencies: vec![agency("care", &["P", "U1", "U3"])], ..CataloguePut::default() });
    desk.send("care", &["U3 FY2021-22-Q1 5"]);
    assert!(desk.all("P", "FY2021-22-Q1").starts_with("15 "));
    desk.as_of = Some(before);
    assert!(desk.all("P", "FY2021-22-Q1").starts_with("10 "));
}
