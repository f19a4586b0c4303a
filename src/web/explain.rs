//! How a figure came about: the rule, the sum, and every submitted figure that went into it.

use askama::Template;
use axum::extract::RawQuery;
use axum::response::{IntoResponse, Response};
use prost::Message as _;
use tonic::Status;

use super::as_of::AsOfView;
use super::figure::{Explained, FigureView, Notes};
use super::names::Names;
use super::page::Page;
use super::question::{Address, AsOf, FileLink, Parameters};
use super::refusal::Refusal;
use super::sentence;
use super::subject::Subject;
use super::submitted::{Columns, Submitted, breakdown_text};
use super::visitor::Visitor;
use crate::http::files;
use crate::model::period::Period;
use crate::model::text::{visible, visible_lines};
use crate::rpc::proto::{
    Area, Contribution, Derivation, ExplainFigureRequest, ExplainFigureResponse, Kind, Missing, MissingReason,
};
use crate::submitting::value::shown;
use crate::tables::ExplanationTable;
use crate::wording::instant;
use crate::wording::period::Span;

const PARAMETERS: [&str; 7] = ["indicator", "area", "period", "agency", "breakdown", "as_of_revision", "as_of"];

fn read(query: Option<&str>) -> (Parameters, ExplainFigureRequest) {
    let mut parameters = Parameters::read(query, &PARAMETERS);
    let as_of = parameters.as_of();
    let request = ExplainFigureRequest {
        indicator: parameters.text("indicator"),
        area: parameters.text("area"),
        period: parameters.text("period"),
        agency: parameters.text("agency"),
        breakdown: parameters.breakdown(),
        as_of_revision: as_of.revision,
        as_of_time: as_of.time,
        min_revision: 0,
    };
    (parameters, request)
}

pub(super) async fn show(visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let (parameters, request) = read(query.as_deref());
    let answer = visitor.calls.pictures().explain_figure(request.clone()).await;
    let answer = parameters.with_those_of(answer)?.into_inner();
    let names = Names::of_places(&visitor, answer.revision).await?;
    Ok(Page(ExplainPage::new(&request, &answer, &names)).into_response())
}

pub(super) async fn file(_: Visitor, query: Option<String>) -> Result<files::Question, Status> {
    let (parameters, request) = read(query.as_deref());
    parameters.check()?;
    let (method, message) = ("/conspectus.v1.PictureService/ExplainFigure", request.encode_to_vec());
    let table = move |_: ExplainFigureResponse, labels, as_of| ExplanationTable::new(request.clone(), labels, as_of);
    Ok(files::Question::new("explanation", (method, ""), message, table).with_names(files::Names::Places))
}

#[derive(Debug, Template)]
#[template(path = "explain.html")]
struct ExplainPage {
    title: String,
    /// Whose figure it is, of where, when and what.
    of: String,
    sentence: String,
    as_of: AsOfView,
    figure: FigureView,
    derivation: &'static str,
    rule: String,
    formula: String,
    contributions: Vec<ContributionView>,
    columns: Columns,
    /// How many contributions there are besides.
    more: usize,
    missing: Vec<String>,
    notes: Explained,
    picture: String,
    series: String,
    files: Vec<FileLink>,
}

#[derive(Debug)]
struct ContributionView {
    agency: String,
    area: String,
    period: String,
    submitted: Submitted,
    /// Every value that it has had.
    history: String,
}

impl ExplainPage {
    fn new(request: &ExplainFigureRequest, answer: &ExplainFigureResponse, names: &Names) -> Self {
        let indicator = answer.indicator.clone().unwrap_or_default();
        let figure = answer.figure.clone().unwrap_or_default();
        let as_of = AsOf { revision: request.as_of_revision, time: request.as_of_time };
        let area = Area { code: request.area.clone(), name: names.area(&request.area), ..Area::default() };
        let agency = if request.agency.is_empty() { String::new() } else { names.agency(&request.agency) };
        let period = canonical(&request.period);
        let subject = Subject {
            indicator: &indicator,
            area: &area,
            agency: &agency,
            lead: &names.agency(&indicator.lead_agency),
            category: &breakdown_text(&request.breakdown),
            periods: Span::Period(&period),
        };
        let mut notes = Notes::default();
        let view = notes.figure(&figure, &indicator, &request.area);
        let contributions: Vec<ContributionView> = answer
            .contributions
            .iter()
            .map(|it| contribution(&mut notes, request, it, (names, indicator.kind())))
            .collect();
        let missing = figure.coverage.iter().flat_map(|coverage| &coverage.missing);
        let all = usize::try_from(answer.contribution_count).unwrap_or(0);
        let whose = if agency.is_empty() { "all agencies".to_owned() } else { agency.clone() };
        let breakdown = breakdown_text(&request.breakdown);
        let of = [area.name.clone(), subject.periods.name(indicator.kind()), whose, breakdown];
        let of: Vec<String> = of.into_iter().filter(|part| !part.is_empty()).collect();
        let question = address("/explain", request);
        Self {
            title: visible(&indicator.title).into_owned(),
            of: visible(&of.join(", ")).into_owned(),
            sentence: sentence::figure(&subject, &figure, None),
            as_of: AsOfView::new(&question, &as_of, answer.revision, answer.as_of.as_ref()),
            figure: view,
            derivation: derivation(answer.derivation()),
            rule: visible_lines(&answer.rule).into_owned(),
            formula: visible_lines(&answer.formula).into_owned(),
            columns: Columns::of(contributions.iter().map(|row| &row.submitted)),
            more: all.saturating_sub(contributions.len()),
            contributions,
            missing: missing.map(|it| missing_text(it, names, indicator.kind())).collect(),
            notes: notes.explained(),
            picture: Address::of("/picture")
                .with("area", &request.area)
                .with("period", &period)
                .with_as_of(&as_of)
                .href(),
            series: Address::of("/indicator")
                .with("indicator", &request.indicator)
                .with("area", &request.area)
                .with("to", &period)
                .with("agency", &request.agency)
                .with("breakdown", breakdown_text(&request.breakdown))
                .with_as_of(&as_of)
                .href(),
            files: question.with_as_of(&as_of).files(),
        }
    }
}

/// A period in canonical text; as it is, if it isn't one.
fn canonical(period: &str) -> String {
    period.parse::<Period>().map_or_else(|_| period.to_owned(), |period| period.to_string())
}

fn address(path: &'static str, request: &ExplainFigureRequest) -> Address {
    Address::of(path)
        .with("indicator", &request.indicator)
        .with("area", &request.area)
        .with("period", &request.period)
        .with("agency", &request.agency)
        .with("breakdown", breakdown_text(&request.breakdown))
}

fn contribution(
    notes: &mut Notes,
    request: &ExplainFigureRequest,
    found: &Contribution,
    (names, kind): (&Names, Kind),
) -> ContributionView {
    let Contribution { agency, area, period, .. } = found.clone();
    let history = Address::of("/history")
        .with("indicator", &request.indicator)
        .with("agency", &agency)
        .with("area", &area)
        .with("period", &period)
        .with("breakdown", breakdown_text(&request.breakdown));
    ContributionView {
        submitted: Submitted {
            value: shown(&found.value),
            notes: notes.submitted(&found.markers, found.sample),
            revision: found.revision,
            accepted: found.accepted_at.as_ref().map(instant::text).unwrap_or_default(),
            ..Submitted::new(&found.request_id, &found.source, &found.reason, &found.explanations)
        },
        agency: visible(&names.agency(&agency)).into_owned(),
        area: visible(&names.area(&area)).into_owned(),
        period: Span::Period(&period).name(kind),
        history: history.href(),
    }
}

fn derivation(derivation: Derivation) -> &'static str {
    match derivation {
        Derivation::Unspecified => "",
        Derivation::Submitted => "submitted for this area and period",
        Derivation::OverTime => "combined from figures of shorter periods",
        Derivation::OverAreas => "combined from figures of the areas directly below",
        Derivation::OverAgencies => "combined from figures of several agencies",
        Derivation::Marked => "a marker was submitted in the place of a value",
        Derivation::Nothing => "nothing was submitted that it could be computed from",
    }
}

fn missing_text(missing: &Missing, names: &Names, kind: Kind) -> String {
    let name = |period: &str| Span::Period(period).name(kind);
    let why = match missing.reason() {
        MissingReason::Unspecified => String::new(),
        MissingReason::Late => ": late".to_owned(),
        MissingReason::NotDue => ": not due".to_owned(),
        MissingReason::NotAvailable => ": submitted as not available".to_owned(),
        MissingReason::Contained => {
            let area = names.area(&missing.contained_in_area);
            format!(": within the figure of {area} for {}, which can't be split", name(&missing.contained_in_period))
        }
    };
    let (agency, area) = (names.agency(&missing.agency), names.area(&missing.area));
    visible(&format!("{agency}, {area}, {}{why}", name(&missing.period))).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto::{CheckExplanation, Figure};
    use crate::web::tests::{figure, indicator, main_of};

    #[test]
    fn an_explanation_goes_down_to_what_was_submitted() {
        let missing = Missing {
            agency: "trust".to_owned(),
            area: "E1".to_owned(),
            period: "FY2021-22-Q3".to_owned(),
            reason: MissingReason::Late.into(),
            ..Missing::default()
        };
        let mut sum = Figure { sample: true, ..figure("189", 1, 2) };
        sum.coverage.iter_mut().for_each(|coverage| coverage.missing = vec![missing.clone()]);
        let explanation = CheckExplanation { check: "steady".to_owned(), explanation: "A ward closed.".to_owned() };
        let contribution = Contribution {
            agency: "trust".to_owned(),
            area: "E1".to_owned(),
            period: "FY2021-22-Q1".to_owned(),
            value: "189".to_owned(),
            sample: true,
            revision: 6,
            request_id: "first/<one>".to_owned(),
            accepted_at: "2021-07-15T09:30:00Z".parse().ok(),
            explanations: vec![explanation],
            ..Contribution::default()
        };
        let answer = ExplainFigureResponse {
            revision: 14,
            figure: Some(sum),
            derivation: Derivation::OverTime.into(),
            rule: "Events add over time.".to_owned(),
            formula: "189 = 189".to_owned(),
            contributions: vec![contribution],
            contribution_count: 3,
            indicator: Some(indicator("attendances", "Attendances", Kind::Events, "attendances")),
            as_of: "2022-09-30T17:00:00Z".parse().ok(),
        };
        let (_, request) = read(Some("indicator=attendances&area=E1&period=2021-22&breakdown=sex:female"));
        insta::assert_snapshot!(main_of(&ExplainPage::new(&request, &answer, &Names::default())));
    }
}
