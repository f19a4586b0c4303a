//! Things of the catalogue by the texts of their ids, with a violation for each that isn't there.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;

use crate::catalogue::{AgencyIx, AreaIx, Catalogue, IndicatorIx};
use crate::model::id::{AgencyId, AreaCode, IndicatorId};
use crate::model::violation::Violations;

/// Finds a thing of the catalogue by the text of its id.
pub(super) fn find<I: FromStr<Err: Display> + Display, T>(
    field: impl Display + Copy,
    what: &str,
    text: &str,
    violations: &mut Violations,
    look: impl FnOnce(&I) -> Option<T>,
) -> Option<T> {
    let id: I = violations.check(field, text.parse())?;
    let found = look(&id);
    if found.is_none() {
        violations.add(field, format_args!("found `{id}`; there is no such {what} in the catalogue"));
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
    find(field, "area", text, violations, |code: &AreaCode| catalogue.area(code).map(|(ix, _)| ix))
}

/// Finds an indicator by the text of its id.
pub(super) fn find_indicator(
    catalogue: &Catalogue,
    field: impl Display + Copy,
    text: &str,
    violations: &mut Violations,
) -> Option<IndicatorIx> {
    find(field, "indicator", text, violations, |id: &IndicatorId| catalogue.indicator(id).map(|(ix, _)| ix))
}

/// Finds an agency by the text of its id.
pub(super) fn find_agency(
    catalogue: &Catalogue,
    field: impl Display + Copy,
    text: &str,
    violations: &mut Violations,
) -> Option<AgencyIx> {
    find(field, "agency", text, violations, |id: &AgencyId| catalogue.agency(id).map(|(ix, _)| ix))
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
