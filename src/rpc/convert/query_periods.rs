//! The periods that a request is about, and those that they are compared with.

use std::collections::HashMap;

use crate::model::observations::Hashing;
use crate::model::period::Period;
use crate::model::violation::{Quoted, Violations};
use crate::picture::change::Comparison;
use crate::picture::question::QUERY_CELLS_MAX;
use crate::rpc::{convert, proto};

/// What a picture is compared with, unless its request says otherwise.
pub(crate) const PICTURE_COMPARISON: Option<Comparison> = Some(Comparison::PreviousPeriod);

/// What to compare the periods with: a rule, or one earlier period of their length.
pub(crate) fn comparison(
    code: i32,
    with: &str,
    default: Option<Comparison>,
    periods: &[Period],
    violations: &mut Violations,
) -> Option<Comparison> {
    if !with.is_empty() {
        if code != 0 {
            violations.add("compare_with", "found both comparison and compare_with; allowed: one of the two");
        }
        let earlier = convert::period("compare_with", with, violations)?;
        if let Some(wrong) = periods.iter().find(|period| {
            // By their first days: a quarter has two names, and comes before itself under neither.
            earlier.start() >= period.start() || earlier.frequency() != period.frequency()
        }) {
            let length = wrong.frequency().with_article();
            violations.add("compare_with", format_args!("found `{earlier}`; allowed: {length} before `{wrong}`"));
        }
        return Some(Comparison::With(earlier));
    }
    match proto::Comparison::try_from(code) {
        Ok(proto::Comparison::Unspecified) => default,
        Ok(proto::Comparison::PreviousPeriod) => Some(Comparison::PreviousPeriod),
        Ok(proto::Comparison::YearBefore) => Some(Comparison::YearBefore),
        Ok(proto::Comparison::None) => None,
        Err(_) => {
            violations.add("comparison", format_args!("found {code}; allowed: previous period, year before, none"));
            None
        }
    }
}

/// The periods asked for, ascending, each once: a list or a run.
pub(crate) fn periods(
    listed: &[String],
    range: Option<&proto::PeriodRange>,
    violations: &mut Violations,
) -> Option<Vec<Period>> {
    match (range, listed.is_empty()) {
        (None, true) => {
            violations.add("periods", "found none; allowed: at least one, or a period_range");
            None
        }
        (Some(_), false) => {
            violations.add("period_range", "found both periods and a period_range; allowed: one of the two");
            None
        }
        (None, false) => listed_periods(listed, violations),
        (Some(range), true) => {
            let first = convert::period("period_range.first", &range.first, violations);
            let last = convert::period("period_range.last", &range.last, violations);
            period_range(first?, last?, violations)
        }
    }
}

/// A list of periods, each once: also those that have two names, or are written in two notations. That one text is
/// there twice is found where all lists are looked at.
fn listed_periods(listed: &[String], violations: &mut Violations) -> Option<Vec<Period>> {
    let mut first: HashMap<Period, usize, Hashing> = HashMap::default();
    let mut parsed = Vec::with_capacity(listed.len());
    for (index, text) in listed.iter().enumerate() {
        let period = convert::period(format_args!("periods[{index}]"), text, violations);
        let Some(period) = period else { continue };
        parsed.push(period);
        let first = *first.entry(period.storage_key()).or_insert(index);
        if listed[first] != *text {
            let (found, same) = (Quoted(text), Quoted(&listed[first]));
            violations.add(
                format_args!("periods[{index}]"),
                format_args!("found {found}, the same period as `periods[{first}]`, {same}; allowed: each once"),
            );
        }
    }
    let is_whole = parsed.len() == listed.len();
    parsed.sort();
    parsed.dedup();
    is_whole.then_some(parsed)
}

/// How many periods a run has, about, without making any of them; none where it isn't one.
pub(crate) fn periods_within(range: &proto::PeriodRange) -> usize {
    let (Ok(first), Ok(last)) = (range.first.parse::<Period>(), range.last.parse::<Period>()) else { return 0 };
    let days = |period: Period| period.end().days() - period.start().days() + 1;
    usize::try_from((last.end().days() - first.start().days()) / days(first).max(1)).unwrap_or(0)
}

fn period_range(first: Period, last: Period, violations: &mut Violations) -> Option<Vec<Period>> {
    if first.frequency() != last.frequency() {
        violations.add(
            "period_range.last",
            format_args!(
                "found `{last}`, {}; allowed: {}, the length of the first",
                last.frequency().with_article(),
                first.frequency().with_article()
            ),
        );
        return None;
    }
    if last < first {
        violations.add(
            "period_range.last",
            format_args!("found `{last}`, before the first, `{first}`; allowed: the first or a later one"),
        );
        return None;
    }
    let following = std::iter::successors(Some(first), |period| period.next());
    let range: Vec<Period> = following.take_while(|period| *period <= last).take(QUERY_CELLS_MAX + 1).collect();
    Some(range)
}
