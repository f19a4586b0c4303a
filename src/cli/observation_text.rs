//! Submitted figures as text: for people, and in the columns of the files that are submitted.

use super::table::Align;
use crate::rpc::proto::Observation;
use crate::rpc::proto::observation::Measure;
pub(super) use crate::submitting::value::breakdown;
use crate::submitting::value::value;

/// The columns of a file that hold a figure's numbers.
pub(super) const MEASURE_HEADINGS: [&str; 5] = ["value", "base", "numerator", "denominator", "count"];

/// The cells under [`MEASURE_HEADINGS`].
pub(super) fn measure_cells(measure: Option<&Measure>) -> [String; 5] {
    let none = String::new;
    match measure.cloned() {
        None => [none(), none(), none(), none(), none()],
        Some(Measure::Number(number)) => [number, none(), none(), none(), none()],
        Some(Measure::Percentage(it)) => [it.percent, it.base, none(), none(), none()],
        Some(Measure::Ratio(it)) => [none(), none(), it.numerator, it.denominator, none()],
        Some(Measure::Mean(it)) => [it.mean, none(), none(), none(), it.count],
    }
}

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
