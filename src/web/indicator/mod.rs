//! An indicator: what it is, its figures over time, and an area among others.

mod definition;
mod peers;
mod question;
mod series;

use askama::Template;
use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use prost::Message as _;
use tonic::{Code, Status};

use self::definition::DefinitionView;
use self::peers::PeersView;
use self::question::Question;
use self::series::{Of, SeriesView};
use super::as_of::AsOfView;
use super::figure::{Explained, Notes};
use super::form::{Choice, Field, Form, Group, Input};
use super::names::Names;
use super::page::Page;
use super::picture_form;
use super::question::{Address, AsOf, FileLink, Parameters};
use super::refusal::Refusal;
use super::visitor::Visitor;
use crate::http::files;
use crate::model::period::Frequency;
use crate::model::text::visible;
use crate::rpc::proto::{
    AcrossAgencies, Area, Category, Dimension, GetIndicatorRequest, GetIndicatorResponse, Indicator, Kind,
    QueryAggregateRequest, QueryAggregateResponse,
};
use crate::submitting::catalogue;
use crate::tables;

pub(super) async fn show(visitor: Visitor, RawQuery(query): RawQuery) -> Result<Response, Refusal> {
    let (parameters, question) = Question::read(query.as_deref());
    if question.indicator.is_empty() {
        parameters.check()?;
        return list(&visitor, &question).await;
    }
    let answer = match question.has_series() {
        true => {
            let answer = visitor.calls.pictures().query_aggregate(question.series()).await;
            parameters.with_those_of(answer.map(|answer| Some(answer.into_inner())))
        }
        false => parameters.check().map(|()| None),
    };
    let (answer, refusal) = match answer {
        Ok(answer) => (answer, None),
        Err(status) if status.code() == Code::InvalidArgument => (None, Some(status)),
        Err(status) => return Err(status.into()),
    };
    // What is refused may be the revision.
    let revision = match (&answer, &refusal) {
        (Some(answer), _) => answer.revision,
        (None, None) => question.as_of.revision,
        (None, Some(_)) => 0,
    };
    let found = Found::of(&visitor, &question.indicator, revision).await?;
    let mut notes = Notes::default();
    let peers = match &answer {
        Some(answer) if question.rank => Some(found.peers(&visitor, &question, answer, &mut notes).await?),
        Some(_) | None => None,
    };
    let code = if refusal.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let page = IndicatorPage::new(&parameters, &question, &found, answer.as_ref(), peers, notes);
    let form = refusal.iter().fold(page.form, Form::refused);
    Ok((code, Page(IndicatorPage { form, ..page })).into_response())
}

/// The series of a page; of one without the versions of the definition, or all indicators.
pub(super) async fn file(visitor: Visitor, query: Option<String>) -> Result<files::Question, Status> {
    let (parameters, question) = Question::read(query.as_deref());
    parameters.check()?;
    let as_of_revision = question.as_of.revision;
    if question.has_series() {
        return Ok(files::Question::figures(question.series()));
    }
    if question.indicator.is_empty() {
        let of_revision = Some(as_of_revision).filter(|revision| *revision > 0);
        return super::catalogue::indicators(visitor, of_revision.map(|it| format!("{}={it}", AsOf::REVISION))).await;
    }
    let request = GetIndicatorRequest { id: question.indicator, as_of_revision, ..GetIndicatorRequest::default() };
    let method = "/conspectus.v1.CatalogueService/GetIndicator";
    let table = |_: GetIndicatorResponse, labels, as_of: tables::AsOf| tables::indicators(labels, as_of.revision);
    let file = files::Question::new("indicator", (method, "versions"), request.encode_to_vec(), table);
    Ok(file.with_names(files::Names::Places))
}

/// The areas of a page that ranks one among them.
pub(super) async fn areas_file(visitor: Visitor, query: Option<String>) -> Result<files::Question, Status> {
    let (mut parameters, question) = Question::read(query.as_deref());
    question.needs_series(&mut parameters);
    parameters.check()?;
    let found = Found::of(&visitor, &question.indicator, question.as_of.revision).await?;
    found.peers_question(&question).map(files::Question::figures).map_err(Status::not_found)
}

/// The indicators that there are.
#[derive(Debug, Template)]
#[template(path = "indicators.html")]
struct ListPage {
    /// Of each its address, its title and its unit.
    indicators: Vec<(String, String, String)>,
    files: Vec<FileLink>,
}

async fn list(visitor: &Visitor, question: &Question) -> Result<Response, Refusal> {
    let indicators = catalogue::indicators(&mut visitor.calls.catalogue(), question.as_of.revision).await?;
    let line = |it: Indicator| {
        let address = Address::of("/indicator").with("indicator", it.id).with_as_of(&question.as_of);
        (address.href(), visible(&it.title).into_owned(), visible(&it.unit).into_owned())
    };
    let files = Address::of("/indicator").with_as_of(&question.as_of).files();
    let page = ListPage { indicators: indicators.into_iter().map(line).collect(), files };
    Ok(Page(page).into_response())
}

/// What the catalogue has of an indicator, as of a revision.
struct Found {
    versions: Vec<Indicator>,
    areas: Vec<Area>,
    names: Names,
    /// What the newest version may be broken down by.
    dimensions: Vec<Dimension>,
}

impl Found {
    async fn of(visitor: &Visitor, id: &str, as_of_revision: i64) -> Result<Self, Status> {
        let request = GetIndicatorRequest { id: id.to_owned(), as_of_revision, ..GetIndicatorRequest::default() };
        let versions = visitor.calls.catalogue().get_indicator(request).await?.into_inner().versions;
        let mut client = visitor.calls.catalogue();
        let areas = catalogue::areas(&mut client, as_of_revision).await?;
        let names = Names::in_lists(&[], &areas, &catalogue::agencies(&mut client, as_of_revision).await?);
        let mut dimensions = catalogue::dimensions(&mut client, as_of_revision).await?;
        let newest = versions.last();
        dimensions.retain(|dimension| newest.is_some_and(|newest| newest.dimensions.contains(&dimension.id)));
        Ok(Self { versions, areas, names, dimensions })
    }

    /// The categories of a dimension; none of one that it hasn't.
    fn categories(&self, dimension: &str) -> &[Category] {
        let found = self.dimensions.iter().find(|known| known.id == dimension);
        found.map(|found| &found.categories[..]).unwrap_or_default()
    }

    fn newest(&self) -> Indicator {
        self.versions.last().cloned().unwrap_or_default()
    }

    /// What asks for the area that is asked about among the others of its level.
    ///
    /// # Errors
    /// Why there is nothing to ask, in words.
    fn peers_question(&self, question: &Question) -> Result<QueryAggregateRequest, &'static str> {
        let indicator = self.newest();
        let area = self.areas.iter().find(|area| area.code == question.area).cloned().unwrap_or_default();
        let within = peers::parent(&area, &question.to)
            .ok_or("The area lies in no other, whose areas it could be compared with.")?;
        if question.agency.is_empty() && indicator.across_agencies() == AcrossAgencies::SideBySide {
            return Err("The agencies’ figures stand side by side: choose one, to compare its areas.");
        }
        Ok(question.peers(&indicator, &within, area.level()))
    }

    /// The area that is asked about among the others of its level.
    async fn peers(
        &self,
        visitor: &Visitor,
        question: &Question,
        answer: &QueryAggregateResponse,
        notes: &mut Notes,
    ) -> Result<PeersView, Status> {
        let mut request = match self.peers_question(question) {
            Ok(request) => request,
            Err(why) => return Ok(PeersView::none(why)),
        };
        let within = request.areas.concat();
        // Of the same state, whatever has come since.
        request.as_of_revision = 0;
        request.as_of_time = answer.as_of;
        match visitor.calls.pictures().query_aggregate(request).await {
            Ok(answer) => {
                let of = (question, &self.newest(), &self.names);
                Ok(PeersView::new(notes, of, &within, &answer.into_inner()))
            }
            Err(status) if status.code() == Code::PermissionDenied => {
                Ok(PeersView::none("You may not see the figures of the other areas."))
            }
            Err(status) => Err(status),
        }
    }
}

#[derive(Debug, Template)]
#[template(path = "indicator.html")]
struct IndicatorPage {
    definition: DefinitionView,
    /// The area whose figures are shown; empty without any.
    area: String,
    as_of: Option<AsOfView>,
    form: Form,
    series: Vec<SeriesView>,
    /// Whether there are more rows than are shown.
    is_cut: bool,
    /// Whether each period stands for what its financial year has up to its end.
    is_year_to_date: bool,
    peers: Option<PeersView>,
    notes: Explained,
    /// The same over shorter periods, the picture, and whatever else there is to go on to.
    links: Vec<(&'static str, String)>,
    files: Vec<FileLink>,
}

impl IndicatorPage {
    fn new(
        parameters: &Parameters,
        question: &Question,
        found: &Found,
        answer: Option<&QueryAggregateResponse>,
        peers: Option<PeersView>,
        mut notes: Notes,
    ) -> Self {
        let indicator = found.newest();
        let categories = found.categories(&question.by_dimension);
        let of = Of { question, indicator: &indicator, names: &found.names, categories };
        let address = question.address();
        let as_of = answer.map(|it| AsOfView::new(&address, &question.as_of, it.revision, it.as_of.as_ref()));
        let (series, is_cut) = answer.map(|answer| of.series(&mut notes, answer)).unwrap_or_default();
        Self {
            definition: DefinitionView::new(&found.versions, &found.names),
            area: answer.map(|_| visible(&found.names.area(&question.area)).into_owned()).unwrap_or_default(),
            as_of,
            form: form(parameters, question, found),
            series,
            is_cut: is_cut || answer.is_some_and(|answer| !answer.next_page_token.is_empty()),
            is_year_to_date: question.year_to_date,
            peers,
            notes: notes.explained(),
            links: if answer.is_some() { links(question, &indicator) } else { Vec::new() },
            files: address.with_as_of(&question.as_of).files(),
        }
    }
}

fn links(question: &Question, indicator: &Indicator) -> Vec<(&'static str, String)> {
    let href = |question: Question| question.address().with_as_of(&question.as_of).href();
    let finer = question.finer(indicator).map(|finer| ("The shorter periods of the last one", href(finer)));
    let picture = Address::of("/picture").with("area", &question.area).with("period", &question.to);
    let picture = ("The picture of this area and the last period", picture.with_as_of(&question.as_of).href());
    finer.into_iter().chain([picture]).collect()
}

fn form(parameters: &Parameters, question: &Question, found: &Found) -> Form {
    let text = |name| parameters.text(name);
    let indicator = found.newest();
    let choice = |value: &str, label: &str| Choice::new(value, label);
    let one_of = |choices: Vec<Choice>| Input::OneOf(vec![Group { choices, ..Group::default() }]);
    let expected = indicator.expected_agencies.iter().map(|it| choice(&it.agency, &found.names.agency(&it.agency)));
    let mut agencies: Vec<Choice> = [choice("", "All")].into_iter().chain(expected).collect();
    let agency = text("agency");
    if agencies.iter().all(|known| known.value != agency) {
        agencies.push(choice(&agency, &found.names.agency(&agency)));
    }
    let by = one_of(vec![choice("", "Combined, where that is right"), choice("agency", "Each for itself")]);
    let before = [("previous-period", "The one before"), ("year-before", "The same a year before")];
    // The one that is taken where none is chosen stands first.
    let [first, second] = if question.year_to_date { [before[1], before[0]] } else { before };
    let compare = one_of(vec![choice("", first.1), choice(second.0, second.1), choice("none", "Nothing")]);
    let tick = |name, label| Field { input: Input::Box, ..Field::text(name, label, "", text(name)) };
    let mut fields = vec![
        picture_form::area(&found.areas, text("area")),
        Field::text("from", "From period", "Empty for 12 periods", text("from")),
        Field::text("to", "To period", "Such as 2021-22, Apr-Jun 2021 or 2022-06", text("to")),
        Field { input: by, ..Field::text("by", "Figures of several agencies", "", text("by")) },
        Field { input: one_of(agencies), ..Field::text("agency", "Agency", "", agency) },
        Field { input: compare, ..Field::text("compare", "Compare each period with", "", text("compare")) },
    ];
    fields.extend(broken_down(parameters, &found.dimensions));
    fields.extend(indicator.rate.is_some().then(|| tick("rate", "With the rate")));
    let to_date = tick("year_to_date", "To date: each period with those before it in its financial year");
    let to_date =
        Field { hint: "Compared with the same a year before, unless another is chosen".to_owned(), ..to_date };
    fields.extend((adds_up_in_a_year(&indicator) || !to_date.value.is_empty()).then_some(to_date));
    fields.push(tick("rank", "With the area’s rank among others of its level"));
    fields.extend(Field::as_of(text("as_of_revision"), text("as_of")));
    let hidden = vec![("indicator", question.indicator.clone())];
    Form { action: "/indicator", fields, hidden, button: "Show the figures", ..Form::default() }
}

/// The fields that ask for categories: one alone, or all of a dimension. There are none of an indicator without dimensions,
/// unless the address has asked: what it asks for is seen beside what is wrong with it.
fn broken_down(parameters: &Parameters, dimensions: &[Dimension]) -> Vec<Field> {
    let of = |dimension: &Dimension| Group {
        label: visible(&dimension.title).into_owned(),
        choices: dimension
            .categories
            .iter()
            .map(|category| Choice::new(format!("{}:{}", dimension.id, category.id), visible(&category.title)))
            .collect(),
    };
    let each = |dimension: &Dimension| Choice::new(&dimension.id, visible(&dimension.title));
    let alone = |choice: Choice| Group { choices: vec![choice], ..Group::default() };
    let all = [alone(Choice::new("", "All together"))].into_iter().chain(dimensions.iter().map(of)).collect();
    let none = Group { choices: vec![Choice::new("", "None")], ..Group::default() };
    let dimension = Group { choices: dimensions.iter().map(each).collect(), ..Group::default() };
    let fields =
        [("breakdown", "Only one category", all), ("by_dimension", "With each category of", vec![none, dimension])];
    let field = |(name, label, mut groups): (&'static str, &'static str, Vec<Group>)| {
        let value = parameters.text(name);
        if groups.iter().flat_map(|group| &group.choices).all(|known| known.value != value) {
            groups.push(alone(Choice::new(&value, &value)));
        }
        Field { input: Input::OneOf(groups), ..Field::text(name, label, "", value) }
    };
    let fields = fields.into_iter().map(field);
    fields.filter(|field| !dimensions.is_empty() || !field.value.is_empty()).collect()
}

/// Whether a year to date is another figure than that of its last period: of what is reported more often than once a year,
/// and adds up or is weighted over time.
fn adds_up_in_a_year(indicator: &Indicator) -> bool {
    let often = [Frequency::Month, Frequency::Quarter, Frequency::HalfYear];
    let is_often = Frequency::from_code(indicator.frequency).is_some_and(|frequency| often.contains(&frequency));
    is_often && matches!(indicator.kind(), Kind::Events | Kind::Ratio | Kind::Mean | Kind::Amount)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto::{AggregateRow, Benchmark, ChangeGap, Rank};
    use crate::web::tests::{change, figure, indicator, main_of};

    #[test]
    fn an_indicator_has_its_series_the_others_of_its_level_and_its_versions() {
        let first = indicator("timely", "In time", Kind::Ratio, "per cent");
        let second = Indicator {
            effective_from: "2020-04-01".to_owned(),
            breaks_comparability: true,
            version_note: "Counted by working days.".to_owned(),
            definition: "How many in time.\n\nAll <of> them.".to_owned(),
            ..first.clone()
        };
        let row = |period: &str, value: &str, reported, difference: Option<&str>| AggregateRow {
            indicator: "timely".to_owned(),
            period: period.to_owned(),
            figure: Some(figure(value, reported, 4)),
            change: difference.map(|difference| change(figure("90.0", 4, 4), difference, "")),
            ..AggregateRow::default()
        };
        let mut broken = row("FY2020-21", "90.0", 4, None);
        broken.change = Some(crate::rpc::proto::Change {
            gap: ChangeGap::Break.into(),
            difference: None,
            from_period: "FY2019-20".to_owned(),
            ..change(figure("80.0", 4, 4), "", "")
        });
        let as_of = "2022-09-30T17:00:00Z".parse().ok();
        let rows = vec![row("FY2019-20", "80.0", 4, None), broken, row("FY2021-22", "95.9", 3, Some("5.9"))];
        let answer = QueryAggregateResponse { revision: 14, rows, as_of, ..QueryAggregateResponse::default() };
        let peer = |area: &str, value: &str, rank| AggregateRow {
            indicator: "timely".to_owned(),
            area: area.to_owned(),
            figure: Some(figure(value, 4, 4)),
            rank: Some(Rank { rank, of: 2, quartile: 2 * rank, ..Rank::default() }),
            benchmark: Some(Benchmark {
                value: Some("91.0".to_owned()),
                difference: Some("-1.0".to_owned()),
                figure: Some(figure("91.0", 8, 8)),
                ..Benchmark::default()
            }),
            ..AggregateRow::default()
        };
        let peers = QueryAggregateResponse {
            rows: vec![peer("E1", "90.0", 2), peer("E2", "92.0", 1)],
            ..QueryAggregateResponse::default()
        };
        let query = "indicator=timely&area=E1&from=2019-20&to=FY2021-22&rank=1&as_of=2022-09-30T17:00:00Z";
        let (parameters, question) = Question::read(Some(query));
        let found =
            Found { versions: vec![first, second], areas: Vec::new(), names: Names::default(), dimensions: Vec::new() };
        let mut notes = Notes::default();
        let peers = PeersView::new(&mut notes, (&question, &found.newest(), &found.names), "TOP", &peers);
        let page = IndicatorPage::new(&parameters, &question, &found, Some(&answer), Some(peers), notes);
        insta::assert_snapshot!(main_of(&page));
    }
}
