//! What the page of an indicator is asked: of which area, over which periods, by whom, beside whom.

use crate::model::period::Period;
use crate::rpc::proto::{
    AggregateRow, AreaLevel, CategoryRef, Comparison, GroupBy, Indicator, Kind, PeriodRange, QueryAggregateRequest,
};
use crate::web::question::{Address, AsOf, Parameters};
use crate::web::submitted::breakdown_text;
use crate::wording::period::Span;

/// How many periods are shown, unless an address says from when on.
const PERIODS_DEFAULT: usize = 12;
/// How many rows are shown.
const ROWS_MAX: i32 = 1_000;

const PARAMETERS: [&str; 14] = [
    "indicator",
    "area",
    "from",
    "to",
    "by",
    "agency",
    "breakdown",
    "by_dimension",
    "compare",
    "year_to_date",
    "rate",
    "rank",
    "as_of_revision",
    "as_of",
];

/// What is asked.
#[derive(Debug, Clone, Default)]
pub(super) struct Question {
    pub(super) indicator: String,
    /// The area; without one there is only the definition.
    pub(super) area: String,
    /// The first period; empty for some before the last.
    pub(super) from: String,
    pub(super) to: String,
    pub(super) by_agency: bool,
    pub(super) agency: String,
    pub(super) breakdown: Vec<CategoryRef>,
    /// The dimension of whose categories there are series besides; empty for none.
    pub(super) by_dimension: String,
    comparison: Comparison,
    /// Whether each period stands for what its financial year has up to its end.
    pub(super) year_to_date: bool,
    pub(super) rate: bool,
    /// Whether the area's rank among others of its level is asked for.
    pub(super) rank: bool,
    pub(super) as_of: AsOf,
}

impl Question {
    pub(super) fn read(query: Option<&str>) -> (Parameters, Self) {
        let mut parameters = Parameters::read(query, &PARAMETERS);
        let comparison = [("previous-period", Comparison::PreviousPeriod), ("year-before", Comparison::YearBefore)];
        let comparison = [&comparison[..], &[("none", Comparison::None)]].concat();
        let question = Self {
            indicator: parameters.text("indicator"),
            area: parameters.text("area"),
            from: parameters.text("from"),
            to: parameters.text("to"),
            by_agency: parameters.choice("by", &[("agency", true)]),
            agency: parameters.text("agency"),
            breakdown: parameters.breakdown(),
            by_dimension: parameters.text("by_dimension"),
            year_to_date: parameters.is_set("year_to_date"),
            comparison: parameters.choice("compare", &comparison),
            rate: parameters.is_set("rate"),
            rank: parameters.is_set("rank"),
            as_of: parameters.as_of(),
        };
        if !(question.has_series() || question.area.is_empty() && question.from.is_empty() && question.to.is_empty()) {
            for (name, given, what) in [
                ("area", &question.area, "choose the area whose figures are to be shown"),
                ("to", &question.to, "say the last period to be shown, such as 2021-22"),
            ] {
                if given.is_empty() {
                    parameters.add(name, what);
                }
            }
        } else if !question.has_series() && question.as_of.time.is_some() {
            parameters.add(AsOf::INSTANT, "only figures are of an instant; allowed without an area: as_of_revision");
        }
        (parameters, question)
    }

    /// Whether figures are asked for.
    pub(super) fn has_series(&self) -> bool {
        !self.area.is_empty() && !self.to.is_empty()
    }

    /// The figures, period by period.
    pub(super) fn series(&self) -> QueryAggregateRequest {
        let agency = self.by_agency.then_some(GroupBy::Agency);
        let groups = agency.into_iter().chain([GroupBy::Period]);
        let comparison = match self.comparison {
            // A year to date only grows from one period to the next, and begins anew in April.
            Comparison::Unspecified if self.year_to_date => Comparison::YearBefore,
            Comparison::Unspecified => Comparison::PreviousPeriod,
            given @ (Comparison::PreviousPeriod | Comparison::YearBefore | Comparison::None) => given,
        };
        let first = if self.from.is_empty() { first_of(&self.to) } else { self.from.clone() };
        QueryAggregateRequest {
            areas: vec![self.area.clone()],
            period_range: Some(PeriodRange { first, last: self.to.clone() }),
            group_by: groups.map(i32::from).collect(),
            comparison: comparison.into(),
            by_dimension: self.by_dimension.clone(),
            page_size: ROWS_MAX,
            ..self.common()
        }
    }

    /// The last period's figures of all areas of a level within another, each with its rank and what the other's is.
    pub(super) fn peers(&self, indicator: &Indicator, within: &str, level: AreaLevel) -> QueryAggregateRequest {
        let rate = self.rate && indicator.rate.is_some();
        let has_benchmark = rate || matches!(indicator.kind(), Kind::Ratio | Kind::Mean);
        QueryAggregateRequest {
            areas: vec![within.to_owned()],
            area_level: level.into(),
            periods: vec![self.to.clone()],
            group_by: vec![GroupBy::Area.into()],
            rank: true,
            benchmark_areas: if has_benchmark { vec![within.to_owned()] } else { Vec::new() },
            page_size: ROWS_MAX,
            ..self.common()
        }
    }

    fn common(&self) -> QueryAggregateRequest {
        QueryAggregateRequest {
            indicators: vec![self.indicator.clone()],
            agencies: Some(self.agency.clone()).into_iter().filter(|agency| !agency.is_empty()).collect(),
            breakdown: self.breakdown.clone(),
            rate: self.rate,
            year_to_date: self.year_to_date,
            as_of_revision: self.as_of.revision,
            as_of_time: self.as_of.time,
            ..QueryAggregateRequest::default()
        }
    }

    /// Its address, but for the as-of.
    pub(super) fn address(&self) -> Address {
        let compare = match self.comparison {
            Comparison::PreviousPeriod if self.year_to_date => "previous-period",
            Comparison::Unspecified | Comparison::PreviousPeriod => "",
            Comparison::YearBefore => "year-before",
            Comparison::None => "none",
        };
        let set = |is_set: bool| if is_set { "1" } else { "" };
        Address::of("/indicator")
            .with("indicator", &self.indicator)
            .with("area", &self.area)
            .with("from", &self.from)
            .with("to", &self.to)
            .with("by", if self.by_agency { "agency" } else { "" })
            .with("agency", &self.agency)
            .with("breakdown", breakdown_text(&self.breakdown))
            .with("by_dimension", &self.by_dimension)
            .with("compare", compare)
            .with("year_to_date", set(self.year_to_date))
            .with("rate", set(self.rate))
            .with("rank", set(self.rank))
    }

    /// The same over the periods of a length that make up the last one; none if it isn't made of such.
    pub(super) fn finer(&self, indicator: &Indicator) -> Option<Self> {
        let frequency = crate::model::period::Frequency::from_code(indicator.frequency)?;
        let parts = self.to.parse::<Period>().ok()?.divide(frequency).filter(|parts| parts.len() > 1)?;
        let (first, last) = (parts.first()?, parts.last()?);
        Some(Self { from: first.to_string(), to: last.to_string(), ..self.clone() })
    }

    /// What a period stands for.
    pub(super) fn span<'p>(&self, period: &'p str) -> Span<'p> {
        if self.year_to_date { Span::YearTo(period) } else { Span::Period(period) }
    }

    /// How the figure of a row came about; empty of a year to date, which is no figure of its period.
    pub(super) fn explain(&self, row: &AggregateRow) -> String {
        if self.year_to_date {
            return String::new();
        }
        let category = CategoryRef { dimension: self.by_dimension.clone(), category: row.category.clone() };
        let category = (!row.category.is_empty()).then_some(category);
        let breakdown: Vec<CategoryRef> = self.breakdown.iter().cloned().chain(category).collect();
        let agency = if row.agency.is_empty() { &self.agency } else { &row.agency };
        let (area, period) = (or(&row.area, &self.area), or(&row.period, &self.to));
        Address::of("/explain")
            .with("indicator", &self.indicator)
            .with("area", area)
            .with("period", period)
            .with("agency", agency)
            .with("breakdown", breakdown_text(&breakdown))
            .with_as_of(&self.as_of)
            .href()
    }
}

fn or<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    if text.is_empty() { otherwise } else { text }
}

/// The first of the periods that are shown up to a last one; empty if that isn't a period.
fn first_of(last: &str) -> String {
    let Ok(last) = last.parse::<Period>() else { return String::new() };
    let periods = std::iter::successors(Some(last), |period| period.previous());
    periods.take(PERIODS_DEFAULT).last().unwrap_or(last).to_string()
}
