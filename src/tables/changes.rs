//! Changed figures as a table: a row for each change, with the figure as it was submitted.

use super::picture::period;
use super::{Cell, Labels, Table, breakdown, event, headings};
use crate::model::period::Period;
use crate::rpc::proto::FigureChange;
use crate::rpc::proto::observation::Measure;

/// Before the numbers, and after them.
const BEFORE: [&str; 14] = [
    "revision",
    "accepted_at",
    "event",
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
    "breakdown",
];
/// The columns of a file that hold a submitted figure's numbers.
pub(super) const MEASURE_HEADINGS: [&str; 5] = ["value", "base", "numerator", "denominator", "count"];
const AFTER: [&str; 4] = ["markers", "sample", "request_id", "reason"];

/// The table of changes.
#[derive(Debug, Clone)]
pub(crate) struct ChangesTable {
    labels: Labels,
}

impl ChangesTable {
    pub(crate) fn new(labels: Labels) -> Self {
        Self { labels }
    }

    pub(crate) fn headings(&self) -> Vec<String> {
        [headings(BEFORE), headings(MEASURE_HEADINGS), headings(AFTER)].concat()
    }

    /// A change under these headings.
    pub(crate) fn cells(&self, change: &FigureChange) -> Vec<Cell> {
        let figure = change.observation.clone().unwrap_or_default();
        let last_day = figure.period.parse::<Period>().ok().map(Period::end);
        let label = self.labels.indicator(&figure.indicator, last_day);
        let mut cells = vec![
            Cell::count(change.revision),
            Cell::instant(change.accepted_at.as_ref()),
            Cell::text(event(change.event())),
            Cell::text(&change.agency),
            Cell::Text(self.labels.agency(&change.agency)),
            Cell::text(&figure.indicator),
            Cell::Text(label.title),
            Cell::Text(label.unit),
            Cell::text(&figure.area),
            Cell::Text(self.labels.area(&figure.area)),
        ];
        cells.extend(period(&figure.period));
        cells.push(Cell::Text(breakdown(&figure.breakdown)));
        cells.extend(measure(figure.measure.as_ref()).map(Cell::Number));
        cells.extend([
            Cell::markers(&figure.markers),
            Cell::flag(change.sample),
            Cell::text(&change.request_id),
            Cell::text(&change.reason),
        ]);
        cells
    }
}

impl Table for ChangesTable {
    type Item = FigureChange;

    fn title(&self) -> String {
        "Changes of submitted figures".to_owned()
    }

    fn headings(&self) -> Vec<String> {
        self.headings()
    }

    fn rows(&self, change: &FigureChange) -> Vec<Vec<Cell>> {
        vec![self.cells(change)]
    }
}

/// The numbers of a submitted figure, as its file has them: value, base, numerator, denominator and count.
pub(crate) fn measure(measure: Option<&Measure>) -> [Option<String>; MEASURE_HEADINGS.len()] {
    match measure.cloned() {
        None => [None, None, None, None, None],
        Some(Measure::Number(number)) => [Some(number), None, None, None, None],
        Some(Measure::Percentage(it)) => [Some(it.percent), Some(it.base), None, None, None],
        Some(Measure::Ratio(it)) => [None, None, Some(it.numerator), Some(it.denominator), None],
        Some(Measure::Mean(it)) => [Some(it.mean), None, None, None, Some(it.count)],
    }
}
