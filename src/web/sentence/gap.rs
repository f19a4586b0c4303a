//! Why there is no value, as a part of a sentence.

use super::notes::{listed, markers};
use crate::model::marker::Marker;
use crate::model::period::Frequency;
use crate::rpc::proto::{Figure, Gap, Kind};
use crate::web::subject::Subject;
use crate::wording::figure::{Containing, contained_in, marker_words};
use crate::wording::period::Span;

/// That there is no value of a figure, and why: `no figure in 2021-22, because nothing was reported`.
pub(super) fn no_value(subject: &Subject<'_>, figure: &Figure, when: &str) -> String {
    let what = match figure.gap() {
        Gap::SideBySide => "total",
        Gap::Unspecified
        | Gap::NotReported
        | Gap::Marked
        | Gap::NotCombinable
        | Gap::ZeroBase
        | Gap::LeadNotReported
        | Gap::LeadNotAsked
        | Gap::TooLarge
        | Gap::Contained
        | Gap::PeriodMismatch
        | Gap::NoPopulation
        | Gap::PopulationNotBrokenDown
        | Gap::NegativePart
        | Gap::Partial => "figure",
    };
    let why = gap_words(subject, figure);
    if why.is_empty() { format!("no {what} {when}") } else { format!("no {what} {when}, because {why}") }
}

/// Why a figure has no value, as the rest of "because …"; empty if it doesn't say.
pub(crate) fn gap_words(subject: &Subject<'_>, figure: &Figure) -> String {
    match figure.gap() {
        Gap::Marked => marked(figure),
        Gap::Contained => contained(subject, figure),
        Gap::LeadNotReported => format!("{}, whose figure it would be, hasn't reported", lead(subject)),
        Gap::LeadNotAsked => format!("{}, whose figure it would be, isn't among the agencies asked for", lead(subject)),
        Gap::NotCombinable => match subject.kind() {
            Kind::Distinct => "its parts may count the same people, and are never added up".to_owned(),
            Kind::Events | Kind::Stock | Kind::Ratio | Kind::Mean | Kind::Amount | Kind::Unspecified => {
                "some of its areas lay within others when they were counted, and aren't added up".to_owned()
            }
        },
        Gap::PeriodMismatch => {
            let frequency = Frequency::from_code(subject.indicator.frequency);
            let frequency = frequency.map(|it| format!(" ({})", it.text().replace('-', " "))).unwrap_or_default();
            match subject.kind() {
                Kind::Stock => format!("no period of its frequency{frequency} ends on that day"),
                Kind::Events | Kind::Distinct | Kind::Ratio | Kind::Mean | Kind::Amount | Kind::Unspecified => {
                    format!("this isn't made of whole periods of its frequency{frequency}")
                }
            }
        }
        Gap::ZeroBase => match subject.kind() {
            Kind::Mean => "there is nothing that it would be the mean of".to_owned(),
            Kind::Ratio | Kind::Events | Kind::Stock | Kind::Distinct | Kind::Amount | Kind::Unspecified => {
                "the number that it would be a percentage of is zero".to_owned()
            }
        },
        gap @ (Gap::Unspecified
        | Gap::NotReported
        | Gap::SideBySide
        | Gap::TooLarge
        | Gap::NoPopulation
        | Gap::PopulationNotBrokenDown
        | Gap::NegativePart
        | Gap::Partial) => reason(gap).to_owned(),
    }
}

/// Why something that rests on figures has no value, as far as the gap alone says; empty if it doesn't say.
pub(super) fn reason(gap: Gap) -> &'static str {
    match gap {
        Gap::Unspecified => "",
        Gap::NotReported => "nothing was reported",
        Gap::Marked => "it is marked as having no value",
        Gap::SideBySide => "the agencies' figures are views of the same thing, side by side and never added",
        Gap::NotCombinable => "its parts can't be added up",
        Gap::ZeroBase => "it would be of nothing",
        Gap::LeadNotReported => "the lead agency hasn't reported",
        Gap::LeadNotAsked => "the lead agency isn't among the agencies asked for",
        Gap::TooLarge => "the exact result has more digits than can be computed with",
        Gap::Contained => "parts of it lie within figures of longer periods or wider areas, which can't be split",
        Gap::PeriodMismatch => "there are no figures of such periods",
        Gap::NoPopulation => "no population covers the area",
        Gap::PopulationNotBrokenDown => "the population isn't broken down in the same way",
        Gap::NegativePart => "the figure of one of the areas is below zero",
        Gap::Partial => "it is partial",
    }
}

/// What markers say that stand in the place of a value.
fn marked(figure: &Figure) -> String {
    let markers = markers(figure);
    let words = |marker: &Marker| marker_words(*marker).to_owned();
    let marked: Vec<String> = markers.absences().filter(|it| *it != Marker::Low).map(|it| words(&it)).collect();
    let marked = (!marked.is_empty()).then(|| format!("is marked {}", listed(&marked)));
    let low = markers.contains(Marker::Low).then(|| words(&Marker::Low));
    let said: Vec<String> = marked.into_iter().chain(low).collect();
    if said.is_empty() { reason(Gap::Marked).to_owned() } else { format!("it {}", listed(&said)) }
}

fn contained(subject: &Subject<'_>, figure: &Figure) -> String {
    let Some(Containing { area, period }) = contained_in(figure, &subject.area.code) else {
        return reason(Gap::Contained).to_owned();
    };
    let area = area.map(|area| format!(" of {area}")).unwrap_or_default();
    format!("it lies within the figure{area} for {}, which can't be split", Span::Period(&period).name(subject.kind()))
}

/// The lead agency: by its name, where that is known.
fn lead(subject: &Subject<'_>) -> String {
    if subject.lead.is_empty() { "the lead agency".to_owned() } else { format!("{}, the lead agency", subject.lead) }
}
