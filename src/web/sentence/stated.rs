//! A figure as it stands: its value and when it is of, or why there is none, and what has to be known of it.

use super::gap::no_value;
use super::notes::notes;
use crate::rpc::proto::{AcrossAgencies, Figure, Kind};
use crate::web::subject::Subject;
use crate::wording::figure::{how_combined, is_partial};
use crate::wording::period::Span;

/// A figure and when it is of, or why there is none, with what has to be known of it.
pub(super) fn stated(subject: &Subject<'_>, figure: &Figure) -> String {
    let when = subject.when();
    let what = match &figure.value {
        Some(value) => format!("{}{} {when}{}", bound(subject, figure), subject.quantity(value), age(figure)),
        None => no_value(subject, figure, &when),
    };
    std::iter::once(what).chain(notes(figure)).collect::<Vec<_>>().join("; ")
}

/// What a partial figure says of the whole: of what can't be below zero, that it is at least as much.
fn bound(subject: &Subject<'_>, figure: &Figure) -> &'static str {
    if figure.as_at.is_some() || !is_partial(figure) {
        return "";
    }
    match subject.kind() {
        Kind::Events | Kind::Stock | Kind::Distinct => "at least ",
        Kind::Ratio | Kind::Mean | Kind::Amount | Kind::Unspecified => "so far ",
    }
}

/// That a figure is of less or of an earlier day than it should be.
fn age(figure: &Figure) -> String {
    let day = |period: &str| Span::Period(period).name(Kind::Stock);
    let as_at = figure.as_at.as_deref().map(|period| format!(", with figures as old as {}", day(period)));
    let to = figure.to_date.as_deref().map(|to| format!(", with a figure that runs only to {}", day(to)));
    [as_at, to].into_iter().flatten().collect()
}

/// Whose figure stands for all.
pub(super) fn lead_note(subject: &Subject<'_>, figure: &Figure) -> Option<String> {
    let is_lead = subject.indicator.across_agencies() == AcrossAgencies::Lead;
    let stands_for_all = is_lead && subject.agency.is_empty() && !subject.lead.is_empty() && figure.value.is_some();
    stands_for_all.then(|| how_combined(subject.indicator, subject.lead))
}
