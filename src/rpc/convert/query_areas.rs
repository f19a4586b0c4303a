//! The areas that a request is about, looked up in the catalogue.

use std::collections::BTreeSet;

use super::look_up::find_area;
use crate::catalogue::items::AreaLevel;
use crate::catalogue::{AreaIx, Catalogue};
use crate::model::period::Period;
use crate::model::violation::Violations;
use crate::picture::areas::{self, Areas};
use crate::picture::change::Comparison;
use crate::picture::question::QUERY_CELLS_MAX;
use crate::state::view::View;

/// The areas asked for, for each period expanded to a level where one is given: also for the earlier periods
/// that these are compared with.
pub(super) fn areas(
    view: View<'_>,
    codes: &[String],
    level: i32,
    (periods, comparison): (&[Period], Option<Comparison>),
    violations: &mut Violations,
) -> Option<Areas> {
    if codes.is_empty() {
        violations.add("areas", "found none; allowed: at least one");
    }
    let find =
        |(index, code): (usize, &String)| find_area(view.catalogue, format_args!("areas[{index}]"), code, violations);
    let found: Vec<_> = codes.iter().enumerate().map(find).collect();
    let found = areas::by_code(view, found.into_iter().collect::<Option<Vec<_>>>()?);
    if let [one] = found.as_slice() {
        refuse_ended(view, "areas[0]", Some(*one), periods, violations);
    }
    if level == 0 {
        return Some(Areas::listed(found));
    }
    let Some(known) = AreaLevel::from_code(level) else {
        violations.add("area_level", format_args!("found {level}; allowed: {}", AreaLevel::allowed()));
        return None;
    };
    let earlier = periods.iter().filter_map(|period| comparison?.earlier(*period));
    let all: BTreeSet<Period> = periods.iter().copied().chain(earlier).collect();
    let areas = Areas::of_level(view, &found, known, all, 2 * QUERY_CELLS_MAX);
    if let Some(last) = periods.last()
        && !codes.is_empty()
        && periods.iter().all(|period| areas.of(*period).is_empty())
    {
        let day = last.end();
        let what = format!("there is no {known} within the areas on {day}; allowed: a level that they have");
        violations.add("area_level", what);
    }
    Some(areas)
}

/// Refuses a question about one area that had ended by the last day of each of the periods.
pub(super) fn refuse_ended(
    view: View<'_>,
    field: &str,
    area: Option<AreaIx>,
    periods: &[Period],
    violations: &mut Violations,
) {
    let Some(area) = area.map(|area| view.catalogue.area_at(area)) else { return };
    let has_ended = |period: &Period| area.valid_to.is_some_and(|last| last < period.end());
    let Some(first) = periods.first().filter(|_| periods.iter().all(has_ended)) else { return };
    if let Some(absence) = area.absence(first.end()) {
        violations.add(field, format_args!("{absence}; allowed: periods that end by then"));
    }
}

/// The areas of a benchmark, each once.
pub(super) fn benchmark(catalogue: &Catalogue, codes: &[String], violations: &mut Violations) -> Option<Vec<AreaIx>> {
    let find = |(index, code): (usize, &String)| {
        find_area(catalogue, format_args!("benchmark_areas[{index}]"), code, violations)
    };
    let found: Vec<_> = codes.iter().enumerate().map(find).collect();
    let mut found = found.into_iter().collect::<Option<Vec<_>>>()?;
    found.sort();
    found.dedup();
    Some(found)
}
