//! How a figure has changed: in one sentence where that can be said, or beside the earlier figure.

use std::cmp::Ordering;

use super::notes::notes_of_both;
use super::stated::{lead_note, stated};
use crate::model::decimal::{Decimal, Quotient};
use crate::rpc::proto::{Change, ChangeGap, Figure, Kind};
use crate::web::subject::Subject;
use crate::wording::figure::coverage_words;
use crate::wording::number::{is_zero, signed, thousands, unsigned};

/// That a figure has risen, fallen or stayed, where that can be said.
pub(super) fn moved(subject: &Subject<'_>, figure: &Figure, change: &Change) -> Option<String> {
    let earlier = change.from.as_ref().filter(|_| !change.partial)?;
    let (was, is) = (earlier.value.as_deref()?, figure.value.as_deref()?);
    let direction = direction(was, is, change)?;
    let (from, to) = (subject.quantity(was), subject.quantity(is));
    let (before, after) = (subject.of(&change.from_period).when(), subject.when());
    let verb = match direction {
        Ordering::Less => "fell",
        Ordering::Equal => "stayed the same",
        Ordering::Greater => "rose",
    };
    let text = match direction {
        Ordering::Equal => format!("{verb}: {to} {before} and {after}"),
        Ordering::Less | Ordering::Greater => {
            let rounded = if follows(was, is, change) { "" } else { " before rounding" };
            format!("{verb} from {from} {before} to {to} {after}, by {}{rounded}", amount(subject, change))
        }
    };
    let mut notes = vec![text, coverage_words(figure.coverage.as_ref())];
    notes.extend(lead_note(subject, figure));
    notes.extend(notes_of_both((earlier, &before), (figure, &after)));
    notes.retain(|note| !note.is_empty());
    let comma = if subject.agency.is_empty() { "" } else { "," };
    Some(format!("{}{comma} {}.", subject.name(), notes.join("; ")))
}

/// Which way a value went: by its difference and percentage or, where both round to zero, by the values.
fn direction(was: &str, is: &str, change: &Change) -> Option<Ordering> {
    let sign = |text: &str| match text {
        _ if is_zero(text) => Ordering::Equal,
        _ if text.starts_with('-') => Ordering::Less,
        _ => Ordering::Greater,
    };
    let by = sign(change.difference.as_deref()?).then(change.percent.as_deref().map_or(Ordering::Equal, sign));
    if by.is_ne() || was == is {
        return Some(by);
    }
    Some(is.parse::<Decimal>().ok()?.cmp(&was.parse().ok()?))
}

/// By how much a value changed, without its sign.
fn amount(subject: &Subject<'_>, change: &Change) -> String {
    match (percent(change), change.difference.as_deref().map(unsigned)) {
        (Some(percent), _) => format!("{}%", thousands(unsigned(percent))),
        (None, Some(difference)) if !is_zero(difference) => match subject.kind() {
            Kind::Ratio => format!("{difference} percentage points"),
            Kind::Events | Kind::Stock | Kind::Distinct | Kind::Mean | Kind::Amount | Kind::Unspecified => {
                subject.quantity(difference)
            }
        },
        (None, _) => "less than that".to_owned(),
    }
}

/// The percentage of a change, unless it rounds to nothing.
fn percent(change: &Change) -> Option<&str> {
    change.percent.as_deref().filter(|percent| !is_zero(percent))
}

/// Whether the change is what comes of the values as they are shown: it is computed before they are rounded. What has too
/// many digits for that is taken to be so.
fn follows(was: &str, is: &str, change: &Change) -> bool {
    let number = |text: &str| text.parse::<Decimal>().ok().map(Quotient::from);
    let off = || {
        let was = number(was)?;
        let difference = number(is)?.checked_sub(was)?;
        match percent(change) {
            Some(percent) => difference.checked_mul(100.into())?.checked_div(was)?.checked_sub(number(percent)?),
            None => difference.checked_sub(number(change.difference.as_deref()?)?),
        }
    };
    // Percentages have one decimal.
    let allowed = if percent(change).is_some() { Decimal::new(5, 2) } else { Decimal::new(0, 0) };
    let off = off().and_then(Quotient::checked_abs);
    off.zip(allowed).is_none_or(|(off, allowed)| off <= allowed.into())
}

/// The earlier figure in a sentence of its own, and why it can't be said how far it is from the later one. Where neither has
/// a value there is nothing to compare.
pub(super) fn compared(subject: &Subject<'_>, figure: &Figure, change: &Change) -> Vec<String> {
    let Some(earlier) = &change.from else {
        return vec!["There is no earlier period of the same length to compare with.".to_owned()];
    };
    if figure.value.is_none() && earlier.value.is_none() {
        return Vec::new();
    }
    let before = stated(&subject.of(&change.from_period), earlier);
    let mut sentences = match change.gap() {
        ChangeGap::Break => vec![format!("Before a break in the series, and so not comparable: {before}.")],
        ChangeGap::TooLarge if change.difference.is_none() => {
            vec![format!("Before: {before}."), "The change has more digits than can be computed with.".to_owned()]
        }
        ChangeGap::Unspecified
        | ChangeGap::NoLaterValue
        | ChangeGap::NoEarlierValue
        | ChangeGap::NoEarlierPeriod
        | ChangeGap::FromZero
        | ChangeGap::FromBelowZero
        | ChangeGap::TooLarge => vec![format!("Before: {before}.")],
    };
    if let Some(difference) = &change.difference {
        let difference = match subject.kind() {
            Kind::Ratio => format!("{} percentage points", signed(difference)),
            Kind::Mean | Kind::Amount => {
                let sign = if signed(difference).starts_with('+') { "+" } else { "" };
                format!("{sign}{}", subject.quantity(difference))
            }
            Kind::Events | Kind::Stock | Kind::Distinct | Kind::Unspecified => signed(difference),
        };
        let percent = change.percent.as_deref().map(|percent| format!(" or {}%", signed(percent))).unwrap_or_default();
        let values = earlier.value.as_deref().zip(figure.value.as_deref());
        let follows = values.is_none_or(|(was, is)| follows(was, is, change));
        let rounded = if follows { "" } else { " before rounding" };
        sentences.push(format!("The difference, {difference}{percent}{rounded}, may come only from what is missing."));
    }
    sentences
}
