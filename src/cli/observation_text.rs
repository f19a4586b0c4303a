//! Submitted figures as text for people.

use super::table::Align;
use crate::rpc::proto::Observation;
use crate::submitting::value::value;
use crate::tables::breakdown;

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
