//! Submitted figures as the file that they came with: to correct some, change their cells and submit it again.

use crate::figures::{cell, unambiguous};
use crate::model::marker::Marker;
use crate::rpc::proto::Observation;
use crate::tables::{breakdown, measure};

const HEADINGS: [&str; 13] = [
    "indicator",
    "area",
    "period",
    "breakdown",
    "value",
    "base",
    "numerator",
    "denominator",
    "count",
    "markers",
    "note",
    "explanation",
    "action",
];

/// The figures as CSV.
///
/// # Errors
/// When a row can't be written.
pub(crate) fn csv(figures: &[Observation]) -> Result<String, csv::Error> {
    // Few withdraw figures: their column is only where it is needed.
    let has_action = figures.iter().any(|figure| figure.withdraw);
    let columns = HEADINGS.len() - usize::from(!has_action);
    let rows = figures.iter().map(|figure| row(figure).into_iter().take(columns).collect::<Vec<_>>());
    cell::csv(HEADINGS.into_iter().take(columns), rows)
}

fn row(figure: &Observation) -> [String; 13] {
    let [value, base, numerator, denominator, count] = measure(figure.measure.as_ref()).map(Option::unwrap_or_default);
    [
        figure.indicator.clone(),
        figure.area.clone(),
        unambiguous(&figure.period),
        breakdown(&figure.breakdown),
        value,
        base,
        numerator,
        denominator,
        count,
        markers(&figure.markers),
        figure.note.clone(),
        figure.explanation.clone(),
        if figure.withdraw { "withdraw".to_owned() } else { String::new() },
    ]
}

/// Markers as they are written in a spreadsheet: `e p`.
fn markers(codes: &[i32]) -> String {
    let texts: Vec<&str> = codes.iter().filter_map(|code| Marker::from_code(*code)).map(Marker::text).collect();
    texts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::read;

    #[test]
    fn what_was_submitted_is_read_back_as_it_was() {
        let file = "indicator,area,period,breakdown,value,base,numerator,denominator,count,markers,note,explanation,action\n\
                    a,E1,Oct 2009,,1.50,,,,,p,=1+1,why,\n\
                    b,E1,FY2021-22,sex=female,,,3,4,,,,,\n\
                    c,E1,2021-04,,87.9,12,,,,,,,\n\
                    d,E1,2021-04,,40.1,,,,7,e p,,,\n\
                    e,E1,2021-04,,,,,,,x,,,\n\
                    f,E1,2021-04,,,,,,,,,,withdraw\n";
        let observations = |text: &str| -> Vec<Observation> {
            read(text.as_bytes()).unwrap().into_iter().map(|figure| figure.observation).collect()
        };
        let submitted = observations(file);
        assert_eq!(observations(&csv(&submitted).unwrap()), submitted);
        assert!(!csv(&submitted[..5]).unwrap().contains("action"));
    }
}
