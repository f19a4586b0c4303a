//! What the signs in a table mean.

use std::collections::BTreeSet;

use super::table::Cell;
use crate::model::marker::Marker;
use crate::model::text::visible;
use crate::rpc::proto::{Change, ChangeGap, ChangeUnit, Figure, Gap, Kind};
use crate::wording::figure::{Containing, contained_in, discrepancy, gap_text, is_partial};
use crate::wording::number::{number, signed};

/// What the signs in a table mean: collected while its figures are shown, printed below it.
#[derive(Debug, Default)]
pub(super) struct Legend {
    /// The area of the figures that are being shown.
    area: String,
    markers: BTreeSet<i32>,
    partial: bool,
    partial_change: bool,
    partial_basis: bool,
    sample: bool,
    as_at: bool,
    to_date: bool,
    contained: bool,
    not_split: bool,
    discrepancies: Vec<String>,
}

impl Legend {
    /// The figures that follow are of this area; empty for those of several.
    pub(super) fn of_area(&mut self, area: &str) {
        area.clone_into(&mut self.area);
    }

    /// The value of a figure, grouped by thousands, or why there is none.
    pub(super) fn value(&mut self, figure: &Figure, kind: Kind) -> String {
        match (&figure.value, figure.gap()) {
            (Some(value), _) => number(value, kind),
            (None, gap @ Gap::Contained) => {
                let within = contained_in(figure, &self.area);
                self.contained |= within.is_some();
                self.not_split |= within.is_none();
                match within {
                    Some(Containing { area: Some(area), period }) => format!("in {area}, {period}"),
                    Some(Containing { area: None, period }) => format!("in {period}"),
                    None => gap_text(gap).to_owned(),
                }
            }
            (None, gap) => gap_text(gap).to_owned(),
        }
    }

    /// What rests on a partial figure or population is in brackets.
    pub(super) fn resting(&mut self, text: String, partial: bool) -> String {
        self.partial_basis |= partial && !text.is_empty();
        if partial && !text.is_empty() { format!("({text})") } else { text }
    }

    /// What stands beside the value: markers, how old it is, whether it is partial or made up.
    pub(super) fn flags(&mut self, figure: &Figure) -> String {
        self.markers.extend(&figure.markers);
        let mut flags = bracketed(&figure.markers);
        if let Some(as_at) = &figure.as_at {
            flags.push(format!("as at {as_at}"));
            self.as_at = true;
        } else if is_partial(figure) {
            flags.push("partial".to_owned());
            self.partial = true;
        }
        if let Some(day) = &figure.to_date {
            flags.push(format!("to {day}"));
            self.to_date = true;
        }
        if figure.sample {
            flags.push("*".to_owned());
            self.sample = true;
        }
        if !figure.discrepancies.is_empty() {
            flags.push("≠".to_owned());
        }
        flags.join(" ")
    }

    /// The same as a cell of a table, where a partial figure stands out.
    pub(super) fn flags_cell(&mut self, figure: &Figure) -> Cell {
        let flags = self.flags(figure);
        if figure.as_at.is_none() && is_partial(figure) { Cell::needing_care(flags) } else { flags.into() }
    }

    /// A text that also rests on other figures than its row's, and what of theirs the row doesn't show of its
    /// own.
    pub(super) fn marked(&mut self, text: String, own: &Marks, others: &Marks) -> String {
        if text.is_empty() {
            return text;
        }
        let markers: Vec<i32> = others.markers.difference(&own.markers).copied().collect();
        let sample = others.sample && !own.sample;
        self.markers.extend(&markers);
        self.sample |= sample;
        let mut parts = vec![text];
        parts.extend(bracketed(&markers));
        parts.extend(sample.then(|| "*".to_owned()));
        parts.join(" ")
    }

    /// What stands beside the text of a submitted figure, which includes its markers.
    pub(super) fn submitted_flags(&mut self, markers: &[i32], sample: bool) -> &'static str {
        self.markers.extend(markers);
        self.sample |= sample;
        if sample { "*" } else { "" }
    }

    /// Adds a line below the table for each of the figure's discrepancies.
    pub(super) fn discrepancies(&mut self, what: &str, kind: Kind, figure: &Figure) {
        for found in &figure.discrepancies {
            let line = format!("≠ {what}, {}: {}", found.agency, discrepancy(kind, found));
            let line = visible(&line).into_owned();
            if !self.discrepancies.contains(&line) {
                self.discrepancies.push(line);
            }
        }
    }

    /// The difference and the percentage of a change, with their signs and units; in brackets when
    /// one of the figures is partial.
    pub(super) fn change(&mut self, change: Option<&Change>) -> (String, String) {
        let Some(change) = change else { return Default::default() };
        let difference = change.difference.as_deref().map(|text| match change.unit() {
            ChangeUnit::PercentagePoints => format!("{} pp", signed(text)),
            ChangeUnit::Number | ChangeUnit::Unspecified => signed(text),
        });
        let percent = change.percent.as_deref().map(|text| format!("{}%", signed(text)));
        let gap = match change.gap() {
            ChangeGap::FromZero => "from zero",
            ChangeGap::FromBelowZero => "from below zero",
            ChangeGap::Break => "break",
            ChangeGap::TooLarge => "too large",
            ChangeGap::Unspecified
            | ChangeGap::NoLaterValue
            | ChangeGap::NoEarlierValue
            | ChangeGap::NoEarlierPeriod => "",
        };
        self.partial_change |= change.partial && difference.is_some();
        let bracketed = |text: String| if change.partial { format!("({text})") } else { text };
        (difference.map(bracketed).unwrap_or_default(), percent.map_or_else(|| gap.to_owned(), bracketed))
    }

    /// What the table's signs mean, a line each.
    pub(super) fn lines(&self) -> String {
        let mut lines = Vec::new();
        if self.sample {
            lines.push("* rests on made-up sample figures".to_owned());
        }
        if self.partial {
            lines.push("partial: something expected is not in it; see how many reported".to_owned());
        }
        if self.partial_change {
            lines.push("(…): a change from or to a partial figure".to_owned());
        }
        if self.partial_basis {
            lines.push("(…): a rate, share or benchmark that rests on a partial figure or population".to_owned());
        }
        if self.contained {
            lines.push("in …: it lies within a figure of that period or area, which can't be split".to_owned());
        }
        if self.not_split {
            lines.push(
                "not split: some of it lies within figures of longer periods or wider areas, which can't be split"
                    .to_owned(),
            );
        }
        if self.to_date {
            lines.push("to …: submitted before the period was over, with what there was to that day".to_owned());
        }
        if self.as_at {
            lines.push("as at: the stock at the period's close is missing; this is the last one before".to_owned());
        }
        lines.extend(
            self.markers
                .iter()
                .filter_map(|code| Marker::from_code(*code))
                .map(|marker| format!("[{marker}] {}", marker.meaning())),
        );
        lines.extend(self.discrepancies.iter().cloned());
        lines.join("\n")
    }

    /// The same to print below a table: an empty line, then the lines; nothing if there are none.
    pub(super) fn below(&self) -> String {
        let lines = self.lines();
        if lines.is_empty() { lines } else { format!("\n{lines}\n") }
    }
}

/// The markers of some figures, and whether any is made up.
#[derive(Debug, Default)]
pub(super) struct Marks {
    markers: BTreeSet<i32>,
    sample: bool,
}

impl Marks {
    pub(super) fn of<'a>(figures: impl IntoIterator<Item = Option<&'a Figure>>) -> Self {
        let mut marks = Self::default();
        for figure in figures.into_iter().flatten() {
            marks.markers.extend(&figure.markers);
            marks.sample |= figure.sample;
        }
        marks
    }

    pub(super) fn new(markers: &[i32], sample: bool) -> Self {
        Self { markers: markers.iter().copied().collect(), sample }
    }
}

fn bracketed(markers: &[i32]) -> Vec<String> {
    markers.iter().filter_map(|code| Marker::from_code(*code)).map(|marker| format!("[{marker}]")).collect()
}
