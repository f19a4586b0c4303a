//! The questions that have addresses of their own, as the messages by which gRPC would ask them. All of a message's fields
//! have a parameter, but for those of its pages.

use prost::Message as _;

use super::labels::Names;
use super::parameters::Parameters;
use super::question::Question;
use crate::catalogue::items::AreaLevel;
use crate::model::observation::Breakdown;
use crate::picture::question::QUERY_CELLS_MAX;
use crate::rpc::proto::{
    AreasAsOf, CategoryRef, Comparison, GetPictureRequest, GetPictureResponse, GroupBy, ListChangesRequest,
    ListChangesResponse, PeriodRange, QueryAggregateRequest, QueryAggregateResponse,
};
use crate::tables::{self, AggregateTable, PictureTable};

/// Of which kind a question is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Figures,
    Picture,
    Changes,
}

impl Kind {
    /// The parameters without which there is no question; of figures a period or a range of them too.
    pub(super) fn required(self) -> &'static [&'static str] {
        match self {
            Self::Figures => &["indicator", "area"],
            Self::Picture => &["area", "period"],
            Self::Changes => &["area"],
        }
    }

    /// What it asks for, in a sentence.
    pub(super) fn summary(self) -> &'static str {
        match self {
            Self::Figures => "Figures of some indicators, areas, agencies and periods, kept apart or combined",
            Self::Picture => "The picture of an area and a period",
            Self::Changes => "Every submitted figure that changed after a revision",
        }
    }

    /// What else there is to say.
    pub(super) fn bounds(self) -> String {
        match self {
            Self::Figures => format!(
                "Either `period` or both `from` and `to` must be given. At most {QUERY_CELLS_MAX} figures are computed."
            ),
            Self::Picture => String::new(),
            Self::Changes => "There may be any number of changes.".to_owned(),
        }
    }

    /// The question that the parameters ask.
    pub(super) fn take(self, parameters: &mut Parameters) -> Question {
        match self {
            Self::Figures => Question::figures(figures(parameters)),
            Self::Picture => Question::picture(&picture(parameters)),
            Self::Changes => Question::changes(&changes(parameters)),
        }
    }
}

/// The most rows of a page of figures and of changes; other methods give fewer.
const PAGE_ROWS: i32 = 10_000;

impl Question {
    /// Figures of some indicators, areas, agencies and periods.
    pub(crate) fn figures(request: QueryAggregateRequest) -> Self {
        let names = Names::Indicators { ids: request.indicators.clone(), dimension: request.by_dimension.clone() };
        let (method, message) = ("/conspectus.v1.PictureService/QueryAggregate", request.encode_to_vec());
        Self::new("figures", (method, "rows"), message, move |_: QueryAggregateResponse, labels, as_of| {
            AggregateTable::new(request.clone(), labels, as_of)
        })
        .with_names(names)
        .in_pages_of(PAGE_ROWS)
    }

    /// The picture of an area and a period.
    pub(crate) fn picture(request: &GetPictureRequest) -> Self {
        let method = "/conspectus.v1.PictureService/GetPicture";
        let comparison = request.comparison();
        // It has all names itself.
        Self::new("picture", (method, "rows"), request.encode_to_vec(), move |answer: GetPictureResponse, _, as_of| {
            PictureTable::new(comparison, answer.area.unwrap_or_default(), answer.period, as_of)
        })
    }

    /// What changed after a revision.
    pub(crate) fn changes(request: &ListChangesRequest) -> Self {
        let (method, message) = ("/conspectus.v1.PictureService/ListChanges", request.encode_to_vec());
        Self::new("changes", (method, "changes"), message, |_: ListChangesResponse, labels, _| tables::changes(labels))
            .with_names(Names::All)
            .in_pages_of(PAGE_ROWS)
    }
}

fn figures(parameters: &mut Parameters) -> QueryAggregateRequest {
    let groups = [
        ("indicator", GroupBy::Indicator),
        ("area", GroupBy::Area),
        ("agency", GroupBy::Agency),
        ("period", GroupBy::Period),
    ];
    let levels: Vec<(&str, AreaLevel)> = AreaLevel::ALL.iter().map(|level| (level.text(), *level)).collect();
    QueryAggregateRequest {
        indicators: parameters.list("indicator"),
        areas: parameters.list("area"),
        area_level: parameters.choice("area_level", &levels).map_or(0, AreaLevel::code),
        agencies: parameters.list("agency"),
        periods: parameters.list("period"),
        period_range: period_range(parameters),
        group_by: parameters.choices("by", &groups).into_iter().map(i32::from).collect(),
        breakdown: breakdown(parameters),
        by_dimension: parameters.one("by_dimension").unwrap_or_default(),
        comparison: comparison(parameters),
        compare_with: parameters.one("compare_with").unwrap_or_default(),
        compare_across_breaks: parameters.flag("across_breaks"),
        year_to_date: parameters.flag("year_to_date"),
        rate: parameters.flag("rate"),
        share: parameters.flag("share"),
        rank: parameters.flag("rank"),
        benchmark_areas: parameters.list("benchmark"),
        areas_as_of: areas_as_of(parameters),
        as_of_revision: parameters.number("as_of_revision"),
        as_of_time: parameters.instant("as_of"),
        min_revision: parameters.number("min_revision"),
        page_size: 0,
        page_token: String::new(),
    }
}

fn picture(parameters: &mut Parameters) -> GetPictureRequest {
    GetPictureRequest {
        area: parameters.one("area").unwrap_or_default(),
        period: parameters.one("period").unwrap_or_default(),
        indicators: parameters.list("indicator"),
        comparison: comparison(parameters),
        compare_with: parameters.one("compare_with").unwrap_or_default(),
        areas_as_of: areas_as_of(parameters),
        as_of_revision: parameters.number("as_of_revision"),
        as_of_time: parameters.instant("as_of"),
        min_revision: parameters.number("min_revision"),
    }
}

fn changes(parameters: &mut Parameters) -> ListChangesRequest {
    ListChangesRequest {
        after_revision: parameters.number("after"),
        areas: parameters.list("area"),
        indicators: parameters.list("indicator"),
        agencies: parameters.list("agency"),
        min_revision: parameters.number("min_revision"),
        page_size: 0,
        page_token: String::new(),
    }
}

fn comparison(parameters: &mut Parameters) -> i32 {
    let comparisons =
        [("previous", Comparison::PreviousPeriod), ("year-before", Comparison::YearBefore), ("none", Comparison::None)];
    parameters.choice("compare", &comparisons).unwrap_or_default().into()
}

fn areas_as_of(parameters: &mut Parameters) -> i32 {
    parameters.choice("areas_as_of", &[("then", AreasAsOf::Then), ("now", AreasAsOf::Now)]).unwrap_or_default().into()
}

fn period_range(parameters: &mut Parameters) -> Option<PeriodRange> {
    match (parameters.one("from"), parameters.one("to")) {
        (Some(first), Some(last)) => Some(PeriodRange { first, last }),
        (Some(_), None) => {
            parameters.problem("to", "found nothing beside `from`; allowed: the last period of a range");
            None
        }
        (None, Some(_)) => {
            parameters.problem("from", "found nothing beside `to`; allowed: the first period of a range");
            None
        }
        (None, None) => None,
    }
}

/// `sex:female`, as addresses have it, or `sex=female`, as files do.
fn breakdown(parameters: &mut Parameters) -> Vec<CategoryRef> {
    let text = parameters.list("breakdown").join(";").replace(':', "=");
    let breakdown = text.parse::<Breakdown>().map_err(|error| parameters.problem("breakdown", error));
    let category = |(dimension, category): &(_, _)| CategoryRef {
        dimension: ToString::to_string(dimension),
        category: ToString::to_string(category),
    };
    breakdown.iter().flat_map(Breakdown::iter).map(category).collect()
}

#[cfg(test)]
mod tests {
    use prost_reflect::ReflectMessage as _;

    use super::*;

    /// The fields of a message that an address doesn't set.
    fn fields(kind: Kind, query: &str) -> Vec<String> {
        let mut parameters = Parameters::of(query);
        let message = kind.take(&mut parameters).message([]).unwrap();
        assert!(parameters.problems().is_empty());
        let descriptor = message.descriptor();
        let unset = descriptor.fields().filter(|field| !message.has_field(field));
        unset.map(|field| field.name().to_owned()).collect()
    }

    #[test]
    fn every_field_but_those_of_pages_has_a_parameter() {
        let figures = "indicator=a&area=E1&area_level=district&agency=b&period=2021-22&from=2021-04&to=2022-03\
            &by=area,period&breakdown=sex:female&by_dimension=age&compare=year-before&compare_with=2020-21\
            &across_breaks=1&year_to_date=1&rate=1&share=1&rank=1&benchmark=E2&areas_as_of=now&as_of_revision=3\
            &as_of=2022-09-30T18:00:00%2B01:00&min_revision=2";
        assert_eq!(fields(Kind::Figures, figures), ["page_size", "page_token"]);
        let picture = "area=E1&period=2021-22&indicator=a&compare=none&compare_with=2020-21&areas_as_of=then\
            &as_of_revision=3&as_of=2022-09-30T17:00:00Z&min_revision=2";
        assert_eq!(fields(Kind::Picture, picture), Vec::<String>::new());
        let changes = "after=7&area=E1&indicator=a&agency=b&min_revision=2";
        assert_eq!(fields(Kind::Changes, changes), ["page_size", "page_token"]);
    }

    #[test]
    fn a_breakdown_is_written_as_addresses_or_as_files_have_it() {
        for query in [
            "breakdown=sex:female,age:0-to-4",
            "breakdown=sex=female;age=0-to-4",
            "breakdown=sex:female&breakdown=age:0-to-4",
        ] {
            let mut parameters = Parameters::of(query);
            let found: Vec<String> =
                breakdown(&mut parameters).into_iter().map(|it| it.dimension + " " + &it.category).collect();
            assert_eq!(found, ["age 0-to-4", "sex female"], "{query}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said_with_what_can() {
        let query = "from=2021-04&breakdown=sex&as_of=2022-09-30&area_level=borough";
        let mut parameters = Parameters::of(query);
        Kind::Figures.take(&mut parameters);
        let problems: String = parameters.problems().iter().map(|problem| format!("{problem}\n")).collect();
        insta::assert_snapshot!(problems);
    }
}
