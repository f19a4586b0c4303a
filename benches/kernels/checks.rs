//! A world in which submissions of a thousand figures are held against checks: one indicator for each, ten years of
//! months behind it, and nothing found.

use conspectus::catalogue::CataloguePut;
use conspectus::model::period::{Frequency, Period};
use conspectus::rpc::proto::observation::Measure;
use conspectus::rpc::proto::{CategoryRef, Observation, Ratio, SubmitObservationsRequest};

const AGENCY: &str = "care";
const AREAS: usize = 1_000;
/// How many months there are before the first that is counted.
pub(super) const MONTHS: usize = 120;

/// What is counted, in a kernel's words, and its kind and checks.
pub(super) const INDICATORS: [(&str, &str, &str); 10] = [
    ("no check", "events", ""),
    ("a range", "events", r#"kind = "range", min = "0", max = "1000""#),
    ("a numerator", "ratio", r#"kind = "numerator""#),
    ("a change", "events", r#"kind = "change", tolerance = "100""#),
    ("zero where never before", "events", r#"kind = "zero", periods_min = 12"#),
    ("outliers of ten years", "events", r#"kind = "outlier", deviations = "50", periods_min = 12, tolerance = "100""#),
    ("parts of a total", "events", r#"kind = "parts", dimension = "sex""#),
    ("a breakdown", "events", r#"kind = "breakdown", dimension = "sex""#),
    ("not above another", "events", r#"kind = "not-above", indicator = "indicator-9""#),
    // What the one before isn't to be above.
    ("", "events", ""),
];

pub(super) fn catalogue() -> Result<CataloguePut, Box<dyn std::error::Error>> {
    let mut text = String::new();
    let mut codes = Vec::new();
    for area in 0..AREAS {
        text += &format!("[[areas]]\ncode = \"A{area}\"\nname = \"A\"\nlevel = \"district\"\n");
        codes.push(format!("\"A{area}\""));
    }
    let codes = codes.join(", ");
    text += &format!("[[agencies]]\nid = \"{AGENCY}\"\nname = \"Care\"\nsector = \"social-care\"\nareas = [{codes}]\n");
    text += "[[dimensions]]\nid = \"sex\"\ntitle = \"Sex\"\n";
    text += "categories = [{ id = \"f\", title = \"F\" }, { id = \"m\", title = \"M\" }]\n";
    for (at, (_, kind, check)) in INDICATORS.iter().enumerate() {
        text += &format!(
            "[[indicators]]\nid = \"indicator-{at}\"\ntitle = \"It\"\nunit = \"things\"\nkind = \"{kind}\"\n\
             frequency = \"month\"\nreporting_level = \"district\"\nacross_agencies = \"add\"\ndimensions = [\"sex\"]\n"
        );
        if !check.is_empty() {
            text += &format!("checks = [{{ id = \"it\", severity = \"query\", {check} }}]\n");
        }
    }
    Ok(toml::from_str(&text)?)
}

/// A month by its number from the first.
fn month(at: usize) -> Option<String> {
    let first: Period = "2005-01".parse().ok()?;
    let month = std::iter::successors(Some(first), |month| month.next()).nth(at)?;
    (month.frequency() == Frequency::Month).then(|| month.to_string())
}

/// A thousand figures of an indicator and a month.
pub(super) fn submission(indicator: usize, at: usize) -> Option<SubmitObservationsRequest> {
    let (name, kind, _) = INDICATORS[indicator];
    let period = month(at)?;
    let figure = |indicator: usize, area: usize, number: usize, category: &str| {
        let measure = match kind {
            "ratio" => Measure::Ratio(Ratio { numerator: number.to_string(), denominator: (number + 7).to_string() }),
            _ => Measure::Number(number.to_string()),
        };
        let sex = CategoryRef { dimension: "sex".to_owned(), category: category.to_owned() };
        Observation {
            indicator: format!("indicator-{indicator}"),
            area: format!("A{area}"),
            period: period.clone(),
            breakdown: if category.is_empty() { Vec::new() } else { vec![sex] },
            measure: Some(measure),
            ..Observation::default()
        }
    };
    let size = |area: usize| 20 + (area * 7 + at * 13) % 31;
    let observations = match name {
        "parts of a total" | "a breakdown" => (0..AREAS / 3)
            .flat_map(|area| {
                let number = size(area);
                [(number, ""), (number / 2, "f"), (number - number / 2, "m")]
                    .map(|(number, category)| figure(indicator, area, number, category))
            })
            .collect(),
        "not above another" => (0..AREAS / 2)
            .flat_map(|area| [figure(indicator, area, size(area), ""), figure(9, area, size(area), "")])
            .collect(),
        _ => (0..AREAS).map(|area| figure(indicator, area, size(area), "")).collect(),
    };
    Some(SubmitObservationsRequest {
        agency: AGENCY.to_owned(),
        request_id: format!("{indicator}-{at}"),
        observations,
        ..SubmitObservationsRequest::default()
    })
}
