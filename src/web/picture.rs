//! The picture of an area and a period: every indicator by every agency.

use askama::Template;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use tonic::{Code, Status};

use super::as_of::AsOfView;
use super::figure::{ChangeView, Explained, FigureView, Notes};
use super::form::Form;
use super::home::{self, Home};
use super::page::Page;
use super::picture_form;
use super::question::{Address, AsOf, FileLink, Parameters};
use super::refusal::Refusal;
use super::sentence;
use super::visitor::Visitor;
use crate::http::files;
use crate::model::period::Period;
use crate::model::text::visible;
use crate::rpc::proto::{
    AcrossAgencies, AreasAsOf, Change, Comparison, Figure, Gap, GetPictureRequest, GetPictureResponse, Indicator,
    PictureCell, PictureRow,
};
use crate::wording::figure::how_combined;
use crate::wording::period::Span;

/// How many figures stand above the table.
const HEADLINES_MAX: usize = 12;

/// What is asked.
#[derive(Debug, Clone, Default)]
struct Question {
    request: GetPictureRequest,
    as_of: AsOf,
}

impl Question {
    fn read(parameters: &mut Parameters) -> Self {
        let comparison = [("year-before", Comparison::YearBefore), ("none", Comparison::None)];
        let as_of = parameters.as_of();
        let request = GetPictureRequest {
            area: parameters.text("area"),
            period: parameters.text("period"),
            indicators: parameters.list("indicator"),
            comparison: parameters.choice("compare", &comparison).into(),
            compare_with: parameters.text("compare_with"),
            areas_as_of: parameters.choice("areas_as_of", &[("now", AreasAsOf::Now)]).into(),
            as_of_revision: as_of.revision,
            as_of_time: as_of.time,
            min_revision: 0,
        };
        Self { request, as_of }
    }

    /// Its address, but for the as-of.
    fn address(&self) -> Address {
        let request = &self.request;
        let compare = match request.comparison() {
            Comparison::YearBefore => "year-before",
            Comparison::None => "none",
            Comparison::Unspecified | Comparison::PreviousPeriod => "",
        };
        let hierarchy = if request.areas_as_of() == AreasAsOf::Now { "now" } else { "" };
        Address::of("/picture")
            .with("area", &request.area)
            .with("period", &request.period)
            .with("indicator", request.indicators.join(","))
            .with("compare", compare)
            .with("compare_with", &request.compare_with)
            .with("areas_as_of", hierarchy)
    }
}

fn read(query: Option<&str>) -> (Parameters, Question) {
    let known: Vec<&str> = picture_form::PARAMETERS.into_iter().chain(["indicator"]).collect();
    let mut parameters = Parameters::read(query, &known);
    let question = Question::read(&mut parameters);
    (parameters, question)
}

pub(super) async fn show(visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let (parameters, question) = read(query.as_deref());
    let is_whole = !question.request.area.is_empty() && !question.request.period.is_empty();
    if !is_whole && parameters.check().is_ok() {
        return home::ask(&visitor, &parameters).await;
    }
    let answer = visitor.calls.pictures().get_picture(question.request.clone()).await;
    match parameters.with_those_of(answer) {
        Ok(answer) => {
            let answer = answer.into_inner();
            let form = picture_form::form(&visitor, &parameters, answer.revision).await?;
            Ok(Page(PicturePage::new(&question, &answer, form)).into_response())
        }
        Err(status) if status.code() == Code::InvalidArgument => {
            let form = picture_form::form(&visitor, &parameters, 0).await?.refused(&status);
            Ok((StatusCode::BAD_REQUEST, Page(Home::of(form))).into_response())
        }
        Err(status) => Err(status.into()),
    }
}

pub(super) async fn file(_: Visitor, query: Option<String>) -> Result<files::Question, Status> {
    let (parameters, question) = read(query.as_deref());
    parameters.check().map(|()| files::Question::picture(&question.request))
}

#[derive(Debug, Template)]
#[template(path = "picture.html")]
struct PicturePage {
    /// The area and the period.
    heading: String,
    period: String,
    /// The period that it is compared with.
    earlier: String,
    as_of: AsOfView,
    form: Form,
    headlines: Vec<Headline>,
    indicators: Vec<IndicatorView>,
    notes: Explained,
    sentences: Vec<String>,
    files: Vec<FileLink>,
}

/// An indicator's combined figure.
#[derive(Debug)]
struct Headline {
    title: String,
    figure: FigureView,
    change: ChangeView,
    /// Since when it has changed.
    since: String,
    href: String,
}

/// The rows of an indicator.
#[derive(Debug)]
struct IndicatorView {
    title: String,
    unit: String,
    how_combined: String,
    href: String,
    rows: Vec<RowView>,
}

#[derive(Debug)]
struct RowView {
    agency: String,
    figure: FigureView,
    change: ChangeView,
    href: String,
}

impl PicturePage {
    /// Whether there may be more figures than those at the top.
    fn has_more_headlines(&self) -> bool {
        (HEADLINES_MAX..self.indicators.len()).contains(&self.headlines.len())
    }

    fn new(question: &Question, answer: &GetPictureResponse, form: Form) -> Self {
        let area = answer.area.clone().unwrap_or_default();
        let name = |period: &str| match period.parse::<Period>() {
            Ok(_) => Span::Period(period).name(crate::rpc::proto::Kind::Unspecified),
            Err(_) => period.to_owned(),
        };
        let changes = || answer.rows.iter().filter_map(|row| row.change.as_ref());
        let earlier = changes().map(|change| name(&change.from_period)).next().filter(|name| !name.is_empty());
        let mut notes = Notes::default();
        let links = Links { question, area: &area.code, period: &answer.period };
        let headlines = answer.rows.iter().filter_map(|row| headline(&mut notes, &links, row)).take(HEADLINES_MAX);
        let headlines = headlines.collect();
        let indicators = answer.rows.iter().map(|row| indicator(&mut notes, &links, row)).collect();
        let address = question.address().with_as_of(&question.as_of);
        Self {
            heading: visible(&format!("{}, {}", area.name, name(&answer.period))).into_owned(),
            period: name(&answer.period),
            earlier: earlier.unwrap_or_else(|| "Before".to_owned()),
            as_of: AsOfView::new(&question.address(), &question.as_of, answer.revision, answer.as_of.as_ref()),
            form,
            headlines,
            indicators,
            notes: notes.explained(),
            sentences: answer.rows.iter().flat_map(|row| sentence::picture(answer, row)).collect(),
            files: address.files(),
        }
    }
}

/// Where the figures of a picture lead to.
struct Links<'a> {
    question: &'a Question,
    area: &'a str,
    period: &'a str,
}

impl Links<'_> {
    /// How a figure came about.
    fn explain(&self, indicator: &str, agency: &str) -> String {
        let address = Address::of("/explain").with("indicator", indicator).with("area", self.area);
        address.with("period", self.period).with("agency", agency).with_as_of(&self.question.as_of).href()
    }

    /// The figures of an indicator over time.
    fn series(&self, indicator: &Indicator) -> String {
        let by = if indicator.across_agencies() == AcrossAgencies::SideBySide { "agency" } else { "" };
        let address = Address::of("/indicator").with("indicator", &indicator.id).with("area", self.area);
        address.with("to", self.period).with("by", by).with_as_of(&self.question.as_of).href()
    }
}

fn headline(notes: &mut Notes, links: &Links<'_>, row: &PictureRow) -> Option<Headline> {
    let indicator = row.indicator.clone().unwrap_or_default();
    let combined = row.combined.as_ref().filter(|figure| figure.value.is_some())?;
    let since = row.change.as_ref().map(|change| Span::Period(&change.from_period).name(indicator.kind()));
    let figure = notes.figure(combined, &indicator, links.area);
    Some(Headline {
        change: notes.change(row.change.as_ref(), &indicator, links.area),
        figure,
        since: since.unwrap_or_default(),
        href: links.explain(&indicator.id, ""),
        title: visible(&indicator.title).into_owned(),
    })
}

/// An indicator by each agency and, unless one agency's figure is all that there is, combined.
fn indicator(notes: &mut Notes, links: &Links<'_>, row: &PictureRow) -> IndicatorView {
    let indicator = row.indicator.clone().unwrap_or_default();
    let combined = row.combined.clone().unwrap_or_default();
    let mut line = |agency: &str, id: &str, figure: &Figure, change: Option<&Change>| {
        let figure = notes.figure(figure, &indicator, links.area);
        RowView {
            agency: visible(agency).into_owned(),
            change: notes.change(change, &indicator, links.area),
            figure,
            href: links.explain(&indicator.id, id),
        }
    };
    let name = |cell: &PictureCell| cell.agency.clone().unwrap_or_default();
    let is_lead = |cell: &&PictureCell| name(cell).id == indicator.lead_agency;
    let lead = row.cells.iter().find(is_lead).map_or_else(|| indicator.lead_agency.clone(), |cell| name(cell).name);
    let is_alone = row.cells.len() == 1 && combined.gap() != Gap::LeadNotReported;
    let all = (!is_alone).then(|| line("All agencies", "", &combined, row.change.as_ref()));
    let of_agencies = row.cells.iter().map(|cell| {
        let (agency, figure) = (name(cell), cell.figure.clone().unwrap_or_default());
        line(&agency.name, &agency.id, &figure, cell.change.as_ref())
    });
    let of_agencies: Vec<RowView> = of_agencies.collect();
    IndicatorView {
        rows: all.into_iter().chain(of_agencies).collect(),
        title: visible(&indicator.title).into_owned(),
        unit: visible(&indicator.unit).into_owned(),
        how_combined: if is_alone { String::new() } else { visible(&how_combined(&indicator, &lead)).into_owned() },
        href: links.series(&indicator),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto::{Area, ChangeUnit, Kind, Marker};
    use crate::web::tests::{agency, change, figure, indicator, main_of};

    fn row(indicator: Indicator, cells: Vec<PictureCell>, combined: Figure, change: Option<Change>) -> PictureRow {
        PictureRow { indicator: Some(indicator), cells, combined: Some(combined), change }
    }

    fn cell(id: &str, name: &str, figure: Figure, change: Change) -> PictureCell {
        PictureCell { agency: agency(id, name), figure: Some(figure), change: Some(change) }
    }

    #[test]
    fn a_picture_shows_every_agency_what_is_missing_and_what_is_made_up() {
        let contacts = indicator("contacts", "Initial contacts", Kind::Events, "contacts");
        let rise = change(figure("126153", 1, 1), "26880", "21.3");
        let alone = cell("care", "Children's <Services>", figure("153033", 1, 1), rise.clone());
        let alone = row(contacts, vec![alone], figure("153033", 1, 1), Some(rise));
        let missing = Indicator {
            across_agencies: AcrossAgencies::SideBySide.into(),
            ..indicator("missing", "Missing episodes", Kind::Events, "episodes")
        };
        let partial = Figure { sample: true, markers: vec![Marker::Provisional.into()], ..figure("3335", 7, 12) };
        let fall = Change { partial: true, ..change(figure("3400", 12, 12), "-65", "-1.9") };
        let none = Figure { value: None, gap: Gap::NotReported.into(), ..figure("", 0, 12) };
        let nothing = Change { from: Some(none.clone()), difference: None, percent: None, ..Change::default() };
        let two = vec![cell("care", "Children's <Services>", partial, fall), cell("police", "Police", none, nothing)];
        let together = Figure { value: None, gap: Gap::SideBySide.into(), ..figure("", 7, 24) };
        let two = row(missing, two, together, None);
        let timely = indicator("timely", "Assessments in time", Kind::Ratio, "per cent");
        let points = Change { unit: ChangeUnit::PercentagePoints.into(), ..change(figure("95.3", 1, 1), "0.6", "") };
        let timely_cell = cell("care", "Children's <Services>", figure("95.9", 1, 1), points.clone());
        let timely = row(timely, vec![timely_cell], figure("95.9", 1, 1), Some(points));
        let answer = GetPictureResponse {
            revision: 14,
            area: Some(Area { code: "E1".to_owned(), name: "Hampshire".to_owned(), ..Area::default() }),
            period: "FY2021-22".to_owned(),
            rows: vec![alone, two, timely],
            as_of: "2022-09-30T17:00:00Z".parse().ok(),
        };
        let (_, question) = read(Some("area=E1&period=2021-22&as_of_revision=14&compare_with=2020-21"));
        let page = PicturePage::new(&question, &answer, Form::default());
        insta::assert_snapshot!(main_of(&page));
    }
}
