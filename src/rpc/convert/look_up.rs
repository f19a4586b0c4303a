//! Things of the catalogue by the texts of their ids, with a violation for each that isn't there.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use crate::catalogue::suggest::SUGGESTIONS_MAX;
use crate::catalogue::{AgencyIx, AreaIx, Catalogue, IndicatorIx};
use crate::model::id::{AgencyId, AreaCode, IndicatorId};
use crate::model::violation::{NO_SUCH, Violations};

/// Finds a thing of the catalogue by the text of its id. `like` suggests what is meant by one that isn't there.
pub(super) fn find<I: FromStr<Err: Display> + Display, T>(
    field: impl Display + Copy,
    what: &str,
    text: &str,
    violations: &mut Violations,
    look: impl FnOnce(&I) -> Option<T>,
    like: impl FnOnce(&str) -> String,
) -> Option<T> {
    let id: I = violations.check(field, text.parse())?;
    let found = look(&id);
    if found.is_none() {
        let meant = if violations.len() < SUGGESTIONS_MAX { like(text) } else { String::new() };
        violations.add(field, format_args!("found `{id}`; {NO_SUCH} {what} in the catalogue{meant}"));
    }
    found
}

/// Finds an area by the text of its code.
pub(super) fn find_area(
    catalogue: &Catalogue,
    field: impl Display + Copy,
    text: &str,
    violations: &mut Violations,
) -> Option<AreaIx> {
    let look = |code: &AreaCode| catalogue.area(code).map(|(ix, _)| ix);
    find(field, "area", text, violations, look, |text| catalogue.like_area(text))
}

/// Finds an indicator by the text of its id.
pub(super) fn find_indicator(
    catalogue: &Catalogue,
    field: impl Display + Copy,
    text: &str,
    violations: &mut Violations,
) -> Option<IndicatorIx> {
    let look = |id: &IndicatorId| catalogue.indicator(id).map(|(ix, _)| ix);
    find(field, "indicator", text, violations, look, |text| catalogue.like_indicator(text))
}

/// Finds an agency by the text of its id.
pub(super) fn find_agency(
    catalogue: &Catalogue,
    field: impl Display + Copy,
    text: &str,
    violations: &mut Violations,
) -> Option<AgencyIx> {
    let look = |id: &AgencyId| catalogue.agency(id).map(|(ix, _)| ix);
    find(field, "agency", text, violations, look, |text| catalogue.like_agency(text))
}

/// The indicators of some ids, by id, each once.
pub(super) fn find_indicators(
    catalogue: &Catalogue,
    ids: &[String],
    violations: &mut Violations,
) -> Option<Vec<IndicatorIx>> {
    let find =
        |(index, id): (usize, &String)| find_indicator(catalogue, format_args!("indicators[{index}]"), id, violations);
    let found: Vec<_> = ids.iter().enumerate().map(find).collect();
    let mut found = found.into_iter().collect::<Option<Vec<_>>>()?;
    found.sort_by(|a, b| catalogue.indicator_at(*a).newest().id.cmp(&catalogue.indicator_at(*b).newest().id));
    found.dedup();
    Some(found)
}

/// The agencies asked for; `Some(None)` for all.
pub(super) fn agencies(
    catalogue: &Catalogue,
    ids: &[String],
    violations: &mut Violations,
) -> Option<Option<Vec<AgencyIx>>> {
    if ids.is_empty() {
        return Some(None);
    }
    let find =
        |(index, id): (usize, &String)| find_agency(catalogue, format_args!("agencies[{index}]"), id, violations);
    let found: Vec<_> = ids.iter().enumerate().map(find).collect();
    let found: BTreeSet<_> = found.into_iter().collect::<Option<_>>()?;
    Some(Some(found.into_iter().collect()))
}
