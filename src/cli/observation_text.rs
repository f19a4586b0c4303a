//! Submitted figures as text: for people, and in the columns of the files that are submitted.

use super::table::Align;
use crate::model::decimal::Decimal;
use crate::model::marker::Marker;
use crate::rpc::proto::observation::Measure;
use crate::rpc::proto::{CategoryRef, Observation};
use crate::wording::number::thousands;

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

/// A figure's value with its markers, as receipts have it: `117188 [p]`, `87.90 % of 18496`, `[x]`.
pub(super) fn value(figure: &Observation) -> String {
    if figure.withdraw {
        return "withdrawn".to_owned();
    }
    let measure = figure.measure.as_ref().map(|measure| match measure {
        Measure::Number(number) => number.clone(),
        Measure::Percentage(it) => format!("{} % of {}", it.percent, it.base),
        Measure::Ratio(it) => format!("{} of {}", it.numerator, it.denominator),
        Measure::Mean(it) => format!("{} over {}", it.mean, it.count),
    });
    let mut markers: Vec<Marker> = figure.markers.iter().filter_map(|code| Marker::from_code(*code)).collect();
    markers.sort_unstable();
    let markers = markers.into_iter().map(|marker| format!("[{marker}]"));
    measure.into_iter().chain(markers).collect::<Vec<_>>().join(" ")
}

/// A figure's value with the thousands of its first number grouped.
pub(super) fn shown(value: &str) -> String {
    let (number, rest) =
        value.split_once(' ').map_or((value, String::new()), |(number, rest)| (number, format!(" {rest}")));
    if number.parse::<Decimal>().is_ok() { format!("{}{rest}", thousands(number)) } else { value.to_owned() }
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

/// A breakdown as a file has it: `sex=female;age-band=0-to-4`; empty for the total.
pub(super) fn breakdown(categories: &[CategoryRef]) -> String {
    categories.iter().map(|it| format!("{}={}", it.dimension, it.category)).collect::<Vec<_>>().join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thousands_of_a_values_number_are_grouped() {
        assert_eq!(["117188 [p]", "[x]", "1180 of 1230"].map(shown), ["117,188 [p]", "[x]", "1,180 of 1230"]);
    }
}
