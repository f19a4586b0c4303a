//! Which figure a row is of: the columns that tables of figures begin with, each id beside what it stands for.

use super::labels::IndicatorLabel;
use super::{Cell, Labels, named};
use crate::model::period::Period;
use crate::rpc::proto::Observation;

/// Of a figure that was answered.
pub(super) const ANSWERED: [&str; 10] = [
    "indicator",
    "indicator_title",
    "unit",
    "area",
    "area_name",
    "agency",
    "agency_name",
    "period",
    "period_start",
    "period_end",
];

/// The same, by its parts.
pub(super) fn answered(indicator: [Cell; 3], area: [Cell; 2], agency: [Cell; 2], period: [Cell; 3]) -> Vec<Cell> {
    indicator.into_iter().chain(area).chain(agency).chain(period).collect()
}

/// An id with what it stands for; without an id, of all.
pub(super) fn named_or_all(id: Option<&str>, label: impl FnOnce(&str) -> String) -> [Cell; 2] {
    id.map_or([Cell::All, Cell::All], |id| named(id, label))
}

/// Of a figure that an agency submitted, or is expected to.
pub(super) const SUBMITTED: [&str; 10] = [
    "agency",
    "agency_name",
    "indicator",
    "indicator_title",
    "unit",
    "area",
    "area_name",
    "period",
    "period_start",
    "period_end",
];

/// A figure of an agency.
#[derive(Debug, Clone, Copy)]
pub(super) struct Submitted<'a> {
    pub(super) agency: &'a str,
    pub(super) indicator: &'a str,
    pub(super) area: &'a str,
    pub(super) period: &'a str,
}

impl<'a> Submitted<'a> {
    /// An observation of an agency.
    pub(super) fn of(agency: &'a str, Observation { indicator, area, period, .. }: &'a Observation) -> Self {
        Self { agency, indicator, area, period }
    }

    /// What its indicator is called, in the version in force in the period.
    pub(super) fn label(self, labels: &Labels) -> IndicatorLabel {
        labels.indicator(self.indicator, self.period.parse().ok().map(Period::end))
    }

    /// Its cells.
    pub(super) fn cells(self, labels: &Labels) -> Vec<Cell> {
        let label = self.label(labels);
        let agency = named(self.agency, |id| labels.agency(id));
        let indicator = [Cell::text(self.indicator), Cell::Text(label.title), Cell::Text(label.unit)];
        let area = named(self.area, |code| labels.area(code));
        agency.into_iter().chain(indicator).chain(area).chain(span(self.period)).collect()
    }
}

/// A period in canonical text, and its first and last day; as it is, if it isn't one.
pub(super) fn span(text: &str) -> [Cell; 3] {
    match text.parse::<Period>() {
        Ok(period) => [period.to_string(), period.start().to_string(), period.end().to_string()].map(Cell::Text),
        Err(_) => [text, "", ""].map(Cell::text),
    }
}
