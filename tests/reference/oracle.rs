//! The reference model's answers to questions.

use conspectus::catalogue::items::{AcrossAgencies, Kind};
use conspectus::model::date::Date;
use conspectus::model::decimal::Rounding;
use conspectus::model::id::{AgencyId, AreaCode, IndicatorId};
use conspectus::model::marker::Marker;
use conspectus::model::observation::Breakdown;
use conspectus::model::period::Period;
use conspectus::picture::change::Comparison;
use num_rational::BigRational as Number;

use crate::canonical::{CanonicalChange, CanonicalFigure, Row};
use crate::model::{Accumulator, Series, Sight, next_finer, whole};
use crate::question::{AggregateQuestion, PictureQuestion, What};

/// The model's answer; none when the question has no right answer.
pub(crate) fn answer(sight: &Sight, what: &What) -> Option<Vec<Row>> {
    match what {
        What::Picture(asked) => Some(picture(sight, asked)),
        What::Aggregate(asked) => (!is_refused(sight, asked)).then(|| aggregate(sight, asked)),
    }
}

/// "For an area and a period, every indicator by every agency, the combined figure, the same for the previous
/// comparable period, the change, and the coverage."
fn picture(sight: &Sight, asked: &PictureQuestion) -> Vec<Row> {
    let mut rows = Vec::new();
    let total = Breakdown::default();
    for indicator in sight.indicator_ids() {
        if asked.indicators.as_ref().is_some_and(|only| !only.contains(&indicator)) {
            continue;
        }
        let series = Series::new(sight, &indicator, &total, None);
        let group = Group {
            series: &series,
            areas: std::slice::from_ref(&asked.area),
            periods: &[asked.period],
            comparison: asked.comparison,
            across_breaks: false,
        };
        let agencies: Vec<&AgencyId> = series.agencies.iter().filter(|agency| group.has(agency)).collect();
        if agencies.is_empty() && asked.indicators.is_none() {
            continue;
        }
        rows.extend(agencies.iter().map(|agency| group.row(format!("{indicator} - {agency} -"), Some(agency))));
        rows.push(group.row(format!("{indicator} - - -"), None));
    }
    rows
}

/// "What `group_by` doesn't name is combined."
fn aggregate(sight: &Sight, asked: &AggregateQuestion) -> Vec<Row> {
    let mut rows = Vec::new();
    let groups = |count: usize, apart: bool| if apart { 1 } else { count };
    for indicator in &asked.indicators {
        let series = Series::new(sight, indicator, &asked.breakdown, asked.agencies.as_deref());
        for areas in asked.areas.chunks(groups(asked.areas.len(), asked.by_area)) {
            let area = if asked.by_area { areas[0].as_str() } else { "-" };
            let group = |periods| Group {
                series: &series,
                areas,
                periods,
                comparison: asked.comparison,
                across_breaks: asked.across_breaks,
            };
            let runs = || asked.periods.chunks(groups(asked.periods.len(), asked.by_period)).map(group);
            let period = |group: &Group<'_>| {
                if asked.by_period { group.periods[0].to_string() } else { "-".to_owned() }
            };
            if asked.by_agency {
                for agency in &series.agencies {
                    for group in runs().filter(|group| asked.agencies.is_some() || group.has(agency)) {
                        let key = format!("{indicator} {area} {agency} {}", period(&group));
                        rows.push(group.row(key, Some(agency)));
                    }
                }
            } else {
                let only = asked.agencies.as_deref().and_then(|agencies| <&[AgencyId; 1]>::try_from(agencies).ok());
                for group in runs() {
                    let key = format!("{indicator} {area} - {}", period(&group));
                    rows.push(group.row(key, only.map(|[agency]| agency)));
                }
            }
        }
    }
    rows
}

/// "A combination that would be a lie (several indicators together, distinct people over months, views of one
/// thing by several agencies, a county together with its own district) is refused."
fn is_refused(sight: &Sight, asked: &AggregateQuestion) -> bool {
    let kind = |indicator: &IndicatorId| sight.versions.iter().find(|it| it.id == *indicator).unwrap().kind;
    let (several_periods, last) = (asked.periods.len() > 1, asked.periods[asked.periods.len() - 1]);
    if asked.indicators.len() > 1 && !asked.by_indicator {
        return true;
    }
    if several_periods && !asked.by_period {
        let follows = |earlier: Period, later: Period| {
            earlier.frequency() == later.frequency() && earlier.end().plus_days(1) == later.start()
        };
        let in_a_row = asked.periods.windows(2).all(|pair| follows(pair[0], pair[1]));
        let has_distinct = asked.indicators.iter().any(|it| kind(it) == Kind::Distinct);
        if !in_a_row || has_distinct || asked.comparison.is_some() {
            return true;
        }
    }
    let nested = |day: Date| {
        let pairs = asked.areas.iter().flat_map(|inner| asked.areas.iter().map(move |outer| (inner, outer)));
        pairs.filter(|(inner, outer)| inner != outer).any(|(inner, outer)| sight.is_within(inner, outer, day))
    };
    if !asked.by_area && asked.periods.iter().flat_map(|period| ends(*period)).any(nested) {
        return true;
    }
    let one_agency = asked.agencies.as_ref().is_some_and(|agencies| agencies.len() == 1);
    let side_by_side = |indicator| sight.version(indicator, last).across_agencies == AcrossAgencies::SideBySide;
    !asked.by_agency && !one_agency && asked.indicators.iter().any(side_by_side)
}

/// The days on which the hierarchy matters to a period's figures: its own last and those of its parts.
pub(crate) fn ends(period: Period) -> Vec<Date> {
    next_finer(period).into_iter().flat_map(ends).chain([period.end()]).collect()
}

/// Why a sum without a value has none.
fn gap_of(sum: &Accumulator, none: &'static str) -> &'static str {
    if sum.has_absence() {
        "Marked"
    } else if sum.uncombined {
        "NotCombinable"
    } else {
        none
    }
}

/// Some areas and some consecutive periods together.
struct Group<'a> {
    series: &'a Series<'a>,
    areas: &'a [AreaCode],
    periods: &'a [Period],
    comparison: Option<Comparison>,
    across_breaks: bool,
}

impl Group<'_> {
    fn last(&self) -> Period {
        self.periods[self.periods.len() - 1]
    }

    /// An agency's figure, or its unfilled slots; and whether it has reported anything.
    fn of_agency(&self, agency: &AgencyId) -> (Accumulator, bool) {
        let mut all = Accumulator::default();
        let mut has_reported = false;
        for area in self.areas {
            if let Some(figure) = self.series.joined(agency, area, self.periods) {
                has_reported = true;
                all.add(&figure);
            } else {
                let unfilled = self.periods.iter().flat_map(|period| self.series.expected(agency, area, *period));
                all.slots.extend(unfilled);
            }
        }
        (all, has_reported)
    }

    /// Whether the agency has reported or is expected to.
    fn has(&self, agency: &AgencyId) -> bool {
        let (sum, has_reported) = self.of_agency(agency);
        has_reported || !sum.slots.is_empty()
    }

    /// The figure of one agency, or of all by the indicator's rule, with its exact value.
    fn figure(&self, agency: Option<&AgencyId>) -> (CanonicalFigure, Option<Number>) {
        let (across, lead) = self.series.across(self.last());
        let everyone = || self.series.agencies.iter().map(|it| self.of_agency(it).0);
        let mut sum = Accumulator::default();
        let gap;
        match (agency, across) {
            (Some(agency), _) => {
                sum = self.of_agency(agency).0;
                gap = gap_of(&sum, "NotReported");
            }
            (None, AcrossAgencies::Add) => {
                everyone().for_each(|it| sum.add(&it));
                gap = gap_of(&sum, "NotReported");
            }
            (None, AcrossAgencies::Lead) => {
                let lead = lead.unwrap();
                if self.series.agencies.contains(lead) {
                    sum = self.of_agency(lead).0;
                    gap = gap_of(&sum, "LeadNotReported");
                } else {
                    gap = "LeadNotAsked";
                }
            }
            (None, AcrossAgencies::SideBySide) => {
                for it in everyone() {
                    sum.sample |= it.sample;
                    sum.uncombined |= it.uncombined;
                    sum.slots.extend(it.slots);
                }
                gap = "SideBySide";
            }
        }
        self.canonical(&sum, gap)
    }

    fn canonical(&self, sum: &Accumulator, gap: &'static str) -> (CanonicalFigure, Option<Number>) {
        let version = self.series.version(self.last());
        let value = self.series.value(sum).unwrap_or(Err(gap));
        let mut canonical = sum.canonical(value.is_ok());
        if matches!(self.series.kind, Kind::Ratio | Kind::Mean) {
            canonical.fraction = sum.value.as_ref().map(|(number, weight)| (decimal(number), decimal(weight)));
            canonical.numerator_basis = sum.value.as_ref().map(|_| sum.numerator_basis().to_owned());
        }
        let Ok(exact) = value else {
            canonical.value = value.unwrap_err().to_owned();
            return (canonical.without_missing_above_cap(), None);
        };
        canonical.value = rounded(&exact, version.decimals, version.rounding);
        canonical.exact = Some(format!("{}/{}", exact.numer(), exact.denom()));
        // "A percentage shown as it was printed is not estimated; one combined from printed percentages is."
        if sum.numerator_basis() == "Estimated" {
            canonical.markers.insert(Marker::Estimated);
        }
        let before = self.periods[0].previous();
        if before.is_some_and(|before| self.series.sight.definition_breaks(self.series.indicator, before, self.last()))
        {
            canonical.markers.insert(Marker::Break);
        }
        (canonical.without_missing_above_cap(), Some(exact))
    }

    fn row(&self, key: String, agency: Option<&AgencyId>) -> Row {
        let (figure, value) = self.figure(agency);
        let change = self.comparison.map(|comparison| self.change(comparison, agency, &figure, value.as_ref()));
        Row { key, figure, change }
    }

    /// "A count changes by a number and a percentage; a percentage changes by percentage points."
    fn change(
        &self,
        comparison: Comparison,
        agency: Option<&AgencyId>,
        later: &CanonicalFigure,
        value: Option<&Number>,
    ) -> CanonicalChange {
        let version = self.series.version(self.last());
        let points = self.series.kind == Kind::Ratio;
        let unit = if points { "PercentagePoints" } else { "Number" }.to_owned();
        let mut change =
            CanonicalChange { from: None, unit, difference: None, percent: None, gap: None, partial: false };
        let earlier = match comparison {
            Comparison::PreviousPeriod => self.periods[0].previous(),
            Comparison::YearBefore => self.periods[0].year_before(),
            Comparison::With(earlier) => Some(earlier),
        };
        let Some(earlier) = earlier else {
            change.gap = Some("NoEarlierPeriod".to_owned());
            return change;
        };
        let before = Group { periods: &[earlier], ..*self };
        let (from, earlier_value) = before.figure(agency);
        change.partial = !later.complete || !from.complete;
        change.from = Some((earlier.to_string(), from));
        // A sender's marker breaks its own series, and the combined figure that its own goes into.
        let behind: Vec<&AgencyId> = match (agency, self.series.across(self.last())) {
            (Some(agency), _) => vec![agency],
            (None, (AcrossAgencies::Lead, lead)) => lead.into_iter().collect(),
            (None, (AcrossAgencies::Add | AcrossAgencies::SideBySide, _)) => self.series.agencies.iter().collect(),
        };
        let is_broken = || !self.across_breaks && self.series.is_broken(&behind, self.areas, earlier, self.periods[0]);
        let gap = match (value, &earlier_value) {
            (None, _) => Some("NoLaterValue"),
            (Some(_), None) => Some("NoEarlierValue"),
            (Some(_), Some(_)) if is_broken() => Some("Break"),
            (Some(value), Some(earlier)) => {
                let difference = value - earlier;
                change.difference = Some(rounded(&difference, version.decimals, version.rounding));
                if points {
                    None
                } else if *earlier == whole(0) {
                    Some("FromZero")
                } else if *earlier < whole(0) {
                    Some("FromBelowZero")
                } else {
                    let percent = difference * whole(100) / earlier;
                    change.percent = Some(rounded(&percent, 1, version.rounding));
                    None
                }
            }
        };
        change.gap = gap.map(str::to_owned);
        change
    }
}

/// To so many decimals; a half away from zero, or to the even neighbour.
fn rounded(number: &Number, decimals: u8, rounding: Rounding) -> String {
    let (zero, one, two) = (whole(0), whole(1), whole(2));
    let negative = *number < zero;
    let scaled = number * whole(10_i64.pow(decimals.into()));
    let size = if negative { -scaled } else { scaled };
    let down = size.trunc();
    let twice = (&size - &down) * &two;
    let is_odd = &down / &two != (&down / &two).trunc();
    let up = twice > one || (twice == one && (rounding == Rounding::HalfUp || is_odd));
    let digits = (if up { down + one } else { down }).to_integer();
    let sign = if negative && digits != zero.to_integer() { "-" } else { "" };
    let places = usize::from(decimals);
    let text = format!("{digits:0>width$}", digits = digits.to_string(), width = places + 1);
    let (whole, rest) = text.split_at(text.len() - places);
    if places == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{rest}") }
}

/// A fraction that has a decimal text, in as few digits as it takes.
fn decimal(number: &Number) -> String {
    let has = |places: &u8| (number * whole(10_i64.pow((*places).into()))).is_integer();
    let places = (0..=18).find(has).unwrap();
    rounded(number, places, Rounding::HalfUp)
}
