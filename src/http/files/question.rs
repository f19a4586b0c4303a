//! The question that an address asks, as the message by which gRPC would ask it. All of a message's fields have a
//! parameter, but for those of its pages.

use super::parameters::Parameters;
use crate::catalogue::items::AreaLevel;
use crate::model::observation::Breakdown;
use crate::model::violation::Quoted;
use crate::rpc::proto::{
    AreasAsOf, CategoryRef, Comparison, GetPictureRequest, GroupBy, ListChangesRequest, PeriodRange,
    QueryAggregateRequest,
};
use crate::wording::instant;

/// A question that a file answers.
#[derive(Debug, Clone)]
pub(crate) enum Question {
    /// Figures of some indicators, areas, agencies and periods.
    Figures(Box<QueryAggregateRequest>),
    /// The picture of an area and a period.
    Picture(GetPictureRequest),
    /// What changed after a revision.
    Changes(ListChangesRequest),
}

/// Of which kind it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Figures,
    Picture,
    Changes,
}

impl Question {
    /// The question that the parameters ask.
    pub(super) fn take(kind: Kind, parameters: &mut Parameters) -> Self {
        match kind {
            Kind::Figures => Self::Figures(Box::new(figures(parameters))),
            Kind::Picture => Self::Picture(picture(parameters)),
            Kind::Changes => Self::Changes(changes(parameters)),
        }
    }

    /// What a file of it is called.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Figures(_) => "figures",
            Self::Picture(_) => "picture",
            Self::Changes(_) => "changes",
        }
    }
}

fn figures(parameters: &mut Parameters) -> QueryAggregateRequest {
    let groups = [
        ("indicator", GroupBy::Indicator),
        ("area", GroupBy::Area),
        ("agency", GroupBy::Agency),
        ("period", GroupBy::Period),
    ];
    QueryAggregateRequest {
        indicators: parameters.list("indicator"),
        areas: parameters.list("area"),
        area_level: parameters.parsed("area_level").map_or(0, AreaLevel::code),
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
        as_of_time: instant(parameters),
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
        as_of_time: instant(parameters),
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

fn instant(parameters: &mut Parameters) -> Option<prost_types::Timestamp> {
    let text = parameters.one("as_of")?;
    let wrong = |allowed| format!("found {}; {allowed}; in an address, %2B for +", Quoted(&text));
    instant::parse(&text).map_err(|allowed| parameters.problem("as_of", wrong(allowed))).ok()
}

#[cfg(test)]
mod tests {
    use prost::Message as _;
    use prost_reflect::DynamicMessage;

    use super::*;
    use crate::rpc::DESCRIPTORS;

    /// The fields of a message that an address sets.
    fn fields(kind: Kind, query: &str) -> Vec<String> {
        let mut parameters = Parameters::of(query);
        let (name, bytes) = match Question::take(kind, &mut parameters) {
            Question::Figures(message) => ("QueryAggregateRequest", message.encode_to_vec()),
            Question::Picture(message) => ("GetPictureRequest", message.encode_to_vec()),
            Question::Changes(message) => ("ListChangesRequest", message.encode_to_vec()),
        };
        assert!(parameters.problems().is_empty());
        let descriptor = DESCRIPTORS.get_message_by_name(&format!("conspectus.v1.{name}")).unwrap();
        let message = DynamicMessage::decode(descriptor.clone(), &*bytes).unwrap();
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
        Question::take(Kind::Figures, &mut parameters);
        let problems: String = parameters.problems().iter().map(|problem| format!("{problem}\n")).collect();
        insta::assert_snapshot!(problems);
    }
}
