//! A figure as pages show it: its value or why it has none, what stands beside it in words, and what those words mean.

use std::collections::BTreeSet;

use crate::model::marker::Marker;
use crate::model::text::visible;
use crate::rpc::proto::{Change, ChangeGap, ChangeUnit, Figure, Gap, Indicator, Kind};
use crate::wording::figure::{
    Containing, contained_in, coverage, coverage_words, discrepancy, gap_text, is_partial, marker_words,
};
use crate::wording::number::{quantity, signed};
use crate::wording::period::Span;

/// A figure in a table.
#[derive(Debug, Default, Clone)]
pub(super) struct FigureView {
    /// The value, grouped by thousands and with the unit that it needs; or why there is none.
    pub(super) text: String,
    /// What has to be known of it, a few words each.
    pub(super) notes: Vec<String>,
    /// How many reported of how many expected; empty where nobody is expected.
    pub(super) reported: String,
    /// The same where nothing above it says what is counted.
    pub(super) reported_words: String,
}

/// A change in a table.
#[derive(Debug, Default, Clone)]
pub(super) struct ChangeView {
    /// The earlier figure, or why there is none.
    pub(super) from: String,
    /// What has to be known of the earlier figure, also where it is what is known of the later one.
    pub(super) from_notes: Vec<String>,
    /// By how much, with its sign and its unit; or why it can't be said.
    pub(super) by: String,
    /// What has to be known of it; empty if nothing has.
    pub(super) note: &'static str,
}

/// What the notes mean that stand beside the figures of a page: collected while they are shown.
#[derive(Debug, Default)]
pub(super) struct Notes {
    markers: BTreeSet<i32>,
    partial: bool,
    partial_change: bool,
    sample: bool,
    as_at: bool,
    to_date: bool,
    discrepancies: Vec<String>,
}

const PARTIAL: &str = "partial";
const PARTIAL_CHANGE: &str = "partial change";
const MADE_UP: &str = "made up";

impl Notes {
    /// A figure of an indicator and, where it is of one alone, of the area with this code.
    pub(super) fn figure(&mut self, figure: &Figure, indicator: &Indicator, area: &str) -> FigureView {
        let kind = indicator.kind();
        let text = match &figure.value {
            Some(value) => quantity(value, kind, &indicator.unit),
            None => absence(figure, kind, area),
        };
        self.discrepancies(figure, indicator);
        FigureView {
            text: visible(&text).into_owned(),
            notes: self.notes(figure),
            reported: coverage(figure.coverage.as_ref()),
            reported_words: coverage_words(figure.coverage.as_ref()),
        }
    }

    fn notes(&mut self, figure: &Figure) -> Vec<String> {
        let day = |period: &str| Span::Period(period).name(Kind::Stock);
        let is_only_marked = figure.value.is_none() && figure.gap() == Gap::Marked;
        let mut notes = if is_only_marked { Vec::new() } else { self.markers(&figure.markers) };
        self.markers.extend(&figure.markers);
        if let Some(as_at) = &figure.as_at {
            notes.push(format!("as at {}", day(as_at)));
            self.as_at = true;
        }
        // One that is as at an earlier period may lack more than the time since.
        if is_partial(figure) {
            notes.push(PARTIAL.to_owned());
            self.partial = true;
        }
        if let Some(to) = &figure.to_date {
            notes.push(format!("to {}", day(to)));
            self.to_date = true;
        }
        if !figure.discrepancies.is_empty() {
            notes.push("differs from its parts".to_owned());
        }
        notes.extend(self.sample(figure.sample));
        notes
    }

    /// The markers of a value in words, each with its shorthand: one that stands for a value is of a part.
    fn markers(&mut self, codes: &[i32]) -> Vec<String> {
        self.markers.extend(codes);
        let markers = codes.iter().filter_map(|code| Marker::from_code(*code));
        let part = |marker: Marker| if marker.is_absence() { "part " } else { "" };
        markers.map(|marker| format!("{}{} [{marker}]", part(marker), marker_words(marker))).collect()
    }

    /// What there is to know of a submitted figure, whose text has its markers.
    pub(super) fn submitted(&mut self, markers: &[i32], is_made_up: bool) -> Vec<String> {
        self.markers.extend(markers);
        self.sample(is_made_up).into_iter().collect()
    }

    /// That something is made up.
    fn sample(&mut self, is_made_up: bool) -> Option<String> {
        self.sample |= is_made_up;
        is_made_up.then(|| MADE_UP.to_owned())
    }

    fn discrepancies(&mut self, figure: &Figure, indicator: &Indicator) {
        for found in &figure.discrepancies {
            let line = format!("{}, {}: {}", indicator.title, found.agency, discrepancy(indicator.kind(), found));
            let line = visible(&line).into_owned();
            if !self.discrepancies.contains(&line) {
                self.discrepancies.push(line);
            }
        }
    }

    /// A change of a figure of an indicator and an area.
    pub(super) fn change(&mut self, change: Option<&Change>, indicator: &Indicator, area: &str) -> ChangeView {
        let Some(change) = change else { return ChangeView::default() };
        let from_notes = change.from.as_ref().map(|from| self.notes(from)).unwrap_or_default();
        let from = change.from.as_ref().map(|from| match &from.value {
            Some(value) => quantity(value, indicator.kind(), &indicator.unit),
            None => absence(from, indicator.kind(), area),
        });
        let difference = change.difference.as_deref().map(|text| match (change.unit(), indicator.kind()) {
            (ChangeUnit::PercentagePoints, _) => format!("{} percentage points", signed(text)),
            (ChangeUnit::Number | ChangeUnit::Unspecified, kind) => {
                let plus = if signed(text).starts_with('+') { "+" } else { "" };
                format!("{plus}{}", quantity(text, kind, &indicator.unit))
            }
        });
        let percent = change.percent.as_deref().map(|text| format!("{}%", signed(text)));
        let percent = percent.or_else(|| why_no_percentage(change.gap()).map(str::to_owned));
        let by = match (difference, percent) {
            (Some(difference), Some(percent)) => format!("{difference} ({percent})"),
            (difference, percent) => difference.or(percent).unwrap_or_default(),
        };
        let is_partial = change.partial && change.difference.is_some();
        self.partial_change |= is_partial;
        ChangeView {
            from: visible(&from.unwrap_or_default()).into_owned(),
            from_notes,
            by: visible(&by).into_owned(),
            note: if is_partial { PARTIAL_CHANGE } else { "" },
        }
    }

    /// What they mean.
    pub(super) fn explained(self) -> Explained {
        let said = [
            (self.partial, PARTIAL, "something expected is not in it; see how many reported"),
            (self.partial_change, PARTIAL_CHANGE, "from or to a partial figure: it may come only from what is missing"),
            (self.as_at, "as at", "the figure of the period’s close is missing; this is the last one before"),
            (self.to_date, "to", "submitted before the period was over, with what there was to that day"),
            (self.sample, MADE_UP, "rests on made-up sample figures, which are here to show the service"),
        ];
        let said = said.into_iter().filter(|(is_used, ..)| *is_used);
        let markers = self.markers.iter().filter_map(|code| Marker::from_code(*code));
        let markers = markers.map(|marker| (format!("[{marker}]"), marker.meaning().to_owned()));
        let meanings = markers.chain(said.map(|(_, word, meaning)| (word.to_owned(), meaning.to_owned()))).collect();
        Explained { meanings, disagreements: self.discrepancies }
    }
}

/// What stands below figures.
#[derive(Debug, Default)]
pub(super) struct Explained {
    /// The words of notes, and what there is to know of them.
    pub(super) meanings: Vec<(String, String)>,
    /// Where a submitted figure and its parts don't agree, a sentence each.
    pub(super) disagreements: Vec<String>,
}

/// Why a figure has no value, in a few words.
fn absence(figure: &Figure, kind: Kind, area: &str) -> String {
    match figure.gap() {
        Gap::NotReported => "not reported".to_owned(),
        Gap::Marked | Gap::Unspecified => {
            let markers = figure.markers.iter().filter_map(|code| Marker::from_code(*code));
            let words: Vec<&str> = markers.filter(|marker| marker.is_absence()).map(marker_words).collect();
            if words.is_empty() { "no figure".to_owned() } else { words.join(", ") }
        }
        Gap::Contained => match contained_in(figure, area) {
            Some(Containing { area: Some(area), period }) => {
                format!("within {area}, {}", Span::Period(&period).name(kind))
            }
            Some(Containing { area: None, period }) => format!("within {}", Span::Period(&period).name(kind)),
            None => gap_text(Gap::Contained).to_owned(),
        },
        gap @ (Gap::SideBySide
        | Gap::NotCombinable
        | Gap::ZeroBase
        | Gap::LeadNotReported
        | Gap::TooLarge
        | Gap::LeadNotAsked
        | Gap::PeriodMismatch
        | Gap::NoPopulation
        | Gap::PopulationNotBrokenDown
        | Gap::NegativePart
        | Gap::Partial) => gap_text(gap).to_owned(),
    }
}

fn why_no_percentage(gap: ChangeGap) -> Option<&'static str> {
    match gap {
        ChangeGap::FromZero => Some("from zero"),
        ChangeGap::FromBelowZero => Some("from below zero"),
        ChangeGap::Break => Some("not comparable: a break in the series"),
        ChangeGap::TooLarge => Some("too large to compute"),
        ChangeGap::NoEarlierPeriod => Some("no earlier period of the same length"),
        ChangeGap::Unspecified | ChangeGap::NoLaterValue | ChangeGap::NoEarlierValue => None,
    }
}
