//! An explanation as CSV: a row of the figure, one of each missing slot, and one of each submitted figure that
//! went into it.

use super::super::format::{explanations, markers, time};
use crate::rpc::proto::{Contribution, ExplainFigureRequest, ExplainFigureResponse, Figure, Missing, MissingReason};
use crate::tables::{answer_cells, answer_headings, texts};

/// What a row is, and of what.
const KEYS: [&str; 6] = ["row", "indicator", "breakdown", "agency", "area", "period"];
const MISSING: [&str; 3] = ["missing_reason", "contained_in_area", "contained_in_period"];
const SUBMITTED: [&str; 6] = ["revision", "accepted_at", "request_id", "source", "explanation", "reason"];
const FIGURE: [&str; 3] = ["contributions", "rule", "formula"];

/// The columns.
pub(super) fn headings() -> Vec<String> {
    let own = |headings: &[&str]| headings.iter().map(|heading| (*heading).to_owned()).collect::<Vec<_>>();
    [own(&KEYS), answer_headings(), own(&MISSING), own(&SUBMITTED), own(&FIGURE)].concat()
}

/// The rows.
pub(super) fn rows(request: &ExplainFigureRequest, answer: &ExplainFigureResponse) -> Vec<Vec<String>> {
    let figure = answer.figure.clone().unwrap_or_default();
    let missing = figure.coverage.iter().flat_map(|coverage| &coverage.missing).map(|it| missing_row(request, it));
    let contributions = answer.contributions.iter().map(|it| contribution_row(request, it));
    std::iter::once(figure_row(request, answer, &figure)).chain(missing).chain(contributions).collect()
}

fn keys(request: &ExplainFigureRequest, row: &str, of: [&String; 3]) -> Vec<String> {
    let categories = request.breakdown.iter().map(|it| format!("{}={}", it.dimension, it.category));
    let breakdown = categories.collect::<Vec<_>>().join(";");
    let [agency, area, period] = of.map(String::clone);
    vec![row.to_owned(), request.indicator.clone(), breakdown, agency, area, period]
}

fn empty(count: usize) -> Vec<String> {
    vec![String::new(); count]
}

fn figure_row(request: &ExplainFigureRequest, answer: &ExplainFigureResponse, figure: &Figure) -> Vec<String> {
    let mut submitted = empty(SUBMITTED.len());
    submitted[0] = answer.revision.to_string();
    [
        keys(request, "figure", [&request.agency, &request.area, &request.period]),
        texts(answer_cells(Some(figure))),
        empty(MISSING.len()),
        submitted,
        vec![answer.contribution_count.to_string(), answer.rule.clone(), answer.formula.clone()],
    ]
    .concat()
}

fn missing_row(request: &ExplainFigureRequest, missing: &Missing) -> Vec<String> {
    let reason = missing.reason();
    let reason = if reason == MissingReason::Unspecified { "" } else { reason.as_str_name() };
    [
        keys(request, "missing", [&missing.agency, &missing.area, &missing.period]),
        texts(answer_cells(None)),
        vec![reason.to_owned(), missing.contained_in_area.clone(), missing.contained_in_period.clone()],
        empty(SUBMITTED.len() + FIGURE.len()),
    ]
    .concat()
}

fn contribution_row(request: &ExplainFigureRequest, contribution: &Contribution) -> Vec<String> {
    let Contribution { agency, area, period, .. } = contribution;
    let value = answer_headings().into_iter().map(|heading| match heading.as_str() {
        "value" => contribution.value.clone(),
        "markers" => markers(&contribution.markers),
        "sample" => contribution.sample.to_string(),
        // A submitted figure has no more than these.
        _ => String::new(),
    });
    [
        keys(request, "contribution", [agency, area, period]),
        value.collect(),
        empty(MISSING.len()),
        vec![
            contribution.revision.to_string(),
            time(contribution.accepted_at.as_ref()),
            contribution.request_id.clone(),
            contribution.source.clone(),
            explanations(&contribution.explanations),
            contribution.reason.clone(),
        ],
        empty(FIGURE.len()),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto::{Coverage, Gap, Marker};

    #[test]
    fn the_figure_and_what_is_missing_stand_before_what_went_in() {
        let missing = Missing {
            agency: "care".to_owned(),
            area: "U1".to_owned(),
            period: "2021-05".to_owned(),
            reason: MissingReason::Late.into(),
            ..Missing::default()
        };
        let figure = Figure {
            gap: Gap::NotCombinable.into(),
            markers: vec![Marker::Estimated.into()],
            coverage: Some(Coverage {
                expected: 2,
                reported: 1,
                late: 1,
                missing: vec![missing],
                ..Coverage::default()
            }),
            ..Figure::default()
        };
        let contribution = Contribution {
            agency: "care".to_owned(),
            area: "U1".to_owned(),
            period: "2021-04".to_owned(),
            value: "5".to_owned(),
            markers: vec![Marker::Estimated.into()],
            revision: 2,
            request_id: "r1".to_owned(),
            ..Contribution::default()
        };
        let request = ExplainFigureRequest {
            indicator: "ev".to_owned(),
            area: "U1".to_owned(),
            period: "FY2021-22-Q1".to_owned(),
            ..ExplainFigureRequest::default()
        };
        let answer = ExplainFigureResponse {
            revision: 3,
            figure: Some(figure),
            rule: "A rule.".to_owned(),
            contributions: vec![contribution],
            contribution_count: 1,
            ..ExplainFigureResponse::default()
        };
        let rows = rows(&request, &answer);
        let field = |row: &Vec<String>, heading: &str| {
            assert_eq!(row.len(), headings().len());
            row[headings().iter().position(|known| known == heading).unwrap()].clone()
        };
        let shown = ["row", "period", "value", "gap", "markers", "late", "missing_reason", "revision", "rule"];
        let texts: Vec<String> = rows.iter().map(|row| shown.map(|it| field(row, it)).join(",")).collect();
        assert_eq!(
            texts,
            [
                "figure,FY2021-22-Q1,,GAP_NOT_COMBINABLE,e,1,,3,A rule.",
                "missing,2021-05,,,,,MISSING_REASON_LATE,,",
                "contribution,2021-04,5,,e,,,2,",
            ]
        );
    }
}
