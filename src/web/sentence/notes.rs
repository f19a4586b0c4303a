//! What has to be known of a figure beside its value: who reported, its markers, whether it is made up.

use crate::model::marker::{Marker, Markers};
use crate::rpc::proto::{Figure, Gap};
use crate::wording::figure::{coverage_words, is_partial, marker_words};

/// What has to be known of a figure that stands alone.
pub(super) fn notes(figure: &Figure) -> Vec<String> {
    let mut notes = vec![coverage_words(figure.coverage.as_ref())];
    if lacks_what_no_slot_counts(figure) {
        notes.push("not everything that belongs in it is there".to_owned());
    }
    notes.push(qualified(qualifiers(figure)));
    notes.extend(absent_parts("it", figure));
    if figure.sample {
        notes.push("rests on made-up sample figures".to_owned());
    }
    notes.retain(|note| !note.is_empty());
    notes
}

/// What has to be known of two complete figures, the earlier first, each with its period.
pub(super) fn notes_of_both(
    (earlier, before): (&Figure, &String),
    (later, after): (&Figure, &String),
) -> impl Iterator<Item = String> + use<> {
    let only = |some: Markers, others: Markers| some.iter().filter(|it| !others.contains(*it)).collect::<Markers>();
    let without_break = |markers: Markers| markers.iter().filter(|it| *it != Marker::Break).collect::<Markers>();
    // A break before the earlier figure says nothing of a change after it.
    let (first, second) = (without_break(qualifiers(earlier)), without_break(qualifiers(later)));
    let both: Markers = first.iter().filter(|marker| second.contains(*marker)).collect();
    let across = qualifiers(later).contains(Marker::Break).then(|| format!("across {}", Marker::Break.meaning()));
    let made_up = match (earlier.sample, later.sample) {
        (true, true) => "both rest on made-up sample figures".to_owned(),
        (true, false) => format!("the figure {before} rests on made-up sample figures"),
        (false, true) => format!("the figure {after} rests on made-up sample figures"),
        (false, false) => String::new(),
    };
    let notes = [
        across.unwrap_or_default(),
        of("both", qualified(both)),
        of(&format!("the figure {before}"), qualified(only(first, second))),
        of(&format!("the figure {after}"), qualified(only(second, first))),
    ];
    let absent = [(before, earlier), (after, later)];
    let absent = absent.into_iter().flat_map(|(when, of)| absent_parts(&format!("the figure {when}"), of));
    let notes: Vec<String> = notes.into_iter().chain(absent).chain([made_up]).collect();
    notes.into_iter().filter(|note| !note.is_empty())
}

/// Whether a figure is partial though each of its slots is filled, or though it has none.
fn lacks_what_no_slot_counts(figure: &Figure) -> bool {
    let is_filled = figure.coverage.as_ref().is_some_and(|coverage| coverage.reported == coverage.expected);
    is_partial(figure) && is_filled && figure.as_at.is_none() && figure.to_date.is_none()
}

/// The markers of a figure.
pub(super) fn markers(figure: &Figure) -> Markers {
    figure.markers.iter().filter_map(|code| Marker::from_code(*code)).collect()
}

/// The markers that qualify a value.
fn qualifiers(figure: &Figure) -> Markers {
    markers(figure).iter().filter(|marker| !marker.is_absence()).collect()
}

/// `marked estimated and provisional`; nothing without a marker.
pub(super) fn qualified(markers: Markers) -> String {
    let word = |marker: Marker| match marker {
        Marker::Unreliable | Marker::Break => format!("as {}", marker_words(marker)),
        Marker::Confidential
        | Marker::NotAvailable
        | Marker::NotApplicable
        | Marker::Low
        | Marker::Estimated
        | Marker::Provisional
        | Marker::Revised => marker_words(marker).to_owned(),
    };
    let words: Vec<String> = markers.iter().map(word).collect();
    if words.is_empty() { String::new() } else { format!("marked {}", listed(&words)) }
}

/// What parts are marked as, instead of a value, of a figure that is there or has no value for another reason. What isn't
/// available is counted in its coverage.
fn absent_parts(whole: &str, figure: &Figure) -> Vec<String> {
    if figure.value.is_none() && figure.gap() == Gap::Marked {
        return Vec::new();
    }
    let is_counted = figure.coverage.as_ref().is_some_and(|coverage| coverage.not_available > 0);
    let part = |marker: Marker| match marker {
        Marker::NotAvailable if is_counted => None,
        Marker::Low => Some(format!("part of {whole} {}", marker_words(marker))),
        Marker::Confidential
        | Marker::NotAvailable
        | Marker::NotApplicable
        | Marker::Unreliable
        | Marker::Estimated
        | Marker::Provisional
        | Marker::Revised
        | Marker::Break => Some(format!("part of {whole} is {}", marker_words(marker))),
    };
    markers(figure).absences().filter_map(part).collect()
}

/// Of whom something has to be known, and what; nothing where there is nothing.
fn of(who: &str, what: String) -> String {
    if what.is_empty() { what } else { format!("{who} {what}") }
}

/// `one, another and a third`.
pub(super) fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [before @ .., last] => format!("{} and {last}", before.join(", ")),
    }
}
