//! How a figure came about as a table: a row of the figure, one of each missing slot, and one of each submitted figure that
//! went into it.

use super::key::{self, named_or_all};
use super::{AsOf, Cell, Labels, Table, answer_cells, answer_headings, breakdown, explanations, headings, named};
use crate::rpc::proto::{Contribution, ExplainFigureRequest, ExplainFigureResponse, Missing, MissingReason};

const MISSING: [&str; 3] = ["missing_reason", "contained_in_area", "contained_in_period"];
const SUBMITTED: [&str; 6] = ["revision", "accepted_at", "request_id", "source", "explanation", "reason"];
const FIGURE: [&str; 4] = ["contributions", "rule", "formula", "as_of"];

/// The table of an explanation.
#[derive(Debug, Clone)]
pub(crate) struct ExplanationTable {
    asked: ExplainFigureRequest,
    labels: Labels,
    as_of: AsOf,
}

impl ExplanationTable {
    pub(crate) fn new(asked: ExplainFigureRequest, labels: Labels, as_of: AsOf) -> Self {
        Self { asked, labels, as_of }
    }

    /// What a row is of: its agency, its area and its period.
    fn keys(&self, row: &str, answer: &ExplainFigureResponse, [agency, area, of]: [&str; 3]) -> Vec<Cell> {
        let (title, unit) = answer.indicator.as_ref().map(|it| (&*it.title, &*it.unit)).unwrap_or_default();
        let indicator = [&self.asked.indicator, title, unit].map(Cell::text);
        let agency = named_or_all(Some(agency).filter(|id| !id.is_empty()), |id| self.labels.agency(id));
        let of = key::answered(indicator, named(area, |code| self.labels.area(code)), agency, key::span(of));
        [vec![Cell::text(row)], of, vec![Cell::Text(breakdown(&self.asked.breakdown))]].concat()
    }

    fn of_figure(&self, answer: &ExplainFigureResponse) -> Vec<Cell> {
        let ExplainFigureRequest { agency, area, period, .. } = &self.asked;
        let mut submitted = nothing(SUBMITTED.len());
        submitted[0] = Cell::count(answer.revision);
        [
            self.keys("figure", answer, [agency, area, period]),
            answer_cells(Some(&answer.figure.clone().unwrap_or_default())),
            nothing(MISSING.len()),
            submitted,
            vec![
                Cell::count(answer.contribution_count),
                Cell::text(&answer.rule),
                Cell::text(&answer.formula),
                Cell::instant(self.as_of.instant.as_ref()),
            ],
        ]
        .concat()
    }

    fn of_missing(&self, answer: &ExplainFigureResponse, missing: &Missing) -> Vec<Cell> {
        let reason = missing.reason();
        let reason = if reason == MissingReason::Unspecified { "" } else { reason.as_str_name() };
        [
            self.keys("missing", answer, [&missing.agency, &missing.area, &missing.period]),
            answer_cells(None),
            [reason, &missing.contained_in_area, &missing.contained_in_period].map(Cell::text).to_vec(),
            nothing(SUBMITTED.len() + FIGURE.len()),
        ]
        .concat()
    }

    fn of_contribution(&self, answer: &ExplainFigureResponse, found: &Contribution) -> Vec<Cell> {
        let value = answer_headings().into_iter().map(|heading| match heading.as_str() {
            "value" => Cell::submitted(&found.value),
            "markers" => Cell::markers(&found.markers),
            "sample" => Cell::flag(found.sample),
            // A submitted figure has no more than these.
            _ => Cell::text(""),
        });
        [
            self.keys("contribution", answer, [&found.agency, &found.area, &found.period]),
            value.collect(),
            nothing(MISSING.len()),
            vec![
                Cell::count(found.revision),
                Cell::instant(found.accepted_at.as_ref()),
                Cell::text(&found.request_id),
                Cell::text(&found.source),
                Cell::Text(explanations(&found.explanations)),
                Cell::text(&found.reason),
            ],
            nothing(FIGURE.len()),
        ]
        .concat()
    }
}

impl Table for ExplanationTable {
    type Item = ExplainFigureResponse;

    fn title(&self) -> String {
        "How a figure came about".to_owned()
    }

    fn headings(&self) -> Vec<String> {
        let keys = headings(["row"].into_iter().chain(key::ANSWERED).chain(["breakdown"]));
        [keys, answer_headings(), headings(MISSING), headings(SUBMITTED), headings(FIGURE)].concat()
    }

    fn rows(&self, answer: &ExplainFigureResponse) -> Vec<Vec<Cell>> {
        let coverage = answer.figure.iter().filter_map(|figure| figure.coverage.as_ref());
        let missing = coverage.flat_map(|coverage| &coverage.missing).map(|it| self.of_missing(answer, it));
        let contributions = answer.contributions.iter().map(|it| self.of_contribution(answer, it));
        std::iter::once(self.of_figure(answer)).chain(missing).chain(contributions).collect()
    }
}

fn nothing(count: usize) -> Vec<Cell> {
    vec![Cell::text(""); count]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto::{Coverage, Figure, Gap, Marker};

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
        let table = ExplanationTable::new(request, Labels::default(), AsOf::default());
        let (headings, rows) = (table.headings(), table.rows(&answer));
        let field = |row: &Vec<Cell>, heading: &str| {
            assert_eq!(row.len(), headings.len());
            row[headings.iter().position(|known| known == heading).unwrap()].clone().into_text()
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
