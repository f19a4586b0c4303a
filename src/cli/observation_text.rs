//! Submitted figures as text: for people, and in the columns of the files that are submitted.

use super::table::Align;
use crate::rpc::proto::Observation;
pub(super) use crate::submitting::figure_file::measure_cells;
pub(super) use crate::submitting::value::breakdown;
use crate::submitting::value::value;

/// The columns of a file that hold a figure's numbers, as [`measure_cells`] has them.
pub(super) const MEASURE_HEADINGS: [&str; 5] = ["value", "base", "numerator", "denominator", "count"];

/// The columns of a table of submitted figures.
pub(super) const FIGURE_COLUMNS: [(&str, Align); 5] = [
    ("indicator", Align::Left),
    ("area", Align::Left),
    ("period", Align::Left),
    ("breakdown", Align::Left),
    ("value", Align::Right),
];

/// The cells in [`FIGURE_COLUMNS`].
pub(super) fn figure_cells(figure: &Observation) -> [String; 5] {
    let Observation { indicator, area, period, .. } = figure.clone();
    [indicator, area, period, breakdown(&figure.breakdown), value(figure)]
}
