//! A submitted figure's value in words.

use crate::model::decimal::Decimal;
use crate::model::marker::Marker;
use crate::rpc::proto::Observation;
use crate::rpc::proto::observation::Measure;
use crate::wording::number::thousands;

/// A figure's value with its markers, as receipts have it: `117188 [p]`, `87.90 % of 18496`, `[x]`.
pub(crate) fn value(figure: &Observation) -> String {
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
pub(crate) fn shown(value: &str) -> String {
    let (number, rest) =
        value.split_once(' ').map_or((value, String::new()), |(number, rest)| (number, format!(" {rest}")));
    if number.parse::<Decimal>().is_ok() { format!("{}{rest}", thousands(number)) } else { value.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thousands_of_a_values_number_are_grouped() {
        assert_eq!(["117188 [p]", "[x]", "1180 of 1230"].map(shown), ["117,188 [p]", "[x]", "1,180 of 1230"]);
    }
}
