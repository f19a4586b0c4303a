//! Rows: the picture of an area and a period, and the answer to a query.

use conspectus::model::id::{AgencyId, AreaCode, IndicatorId};
use conspectus::model::observation::Breakdown;
use conspectus::model::period::{Frequency, Period};
use conspectus::rpc::proto::AggregateRow;

use super::compare::{Compared, benchmark, rank, share};
use super::group::Group;
use super::periods::{cut, year_to_date};
use super::question::{OfCategory, PictureQuestion, QueryQuestion};
use super::series::{Roll, Series};
use super::sight::Sight;

fn roll(sight: &Sight, areas_now: bool) -> Roll {
    if areas_now { Roll::On(sight.today) } else { Roll::Then }
}

impl Sight {
    /// Every indicator by every agency that is expected or has reported, and the combined figure last.
    pub(crate) fn picture(&self, asked: &PictureQuestion) -> Vec<AggregateRow> {
        let mut rows = Vec::new();
        for indicator in self.indicator_ids() {
            if !asked.indicators.is_empty() && !asked.indicators.contains(&indicator) {
                continue;
            }
            let series = Series::new(self, &indicator, &Breakdown::default(), None, roll(self, asked.areas_now));
            let group = |period| Group { series: &series, areas: vec![asked.area.clone()], periods: vec![period] };
            let own = group(asked.period);
            let agencies: Vec<&AgencyId> = series.agencies.iter().filter(|agency| own.has(agency)).collect();
            if agencies.is_empty() && asked.indicators.is_empty() {
                continue;
            }
            for agency in agencies.into_iter().map(Some).chain([None]) {
                let found = own.figure(agency);
                let change = asked.comparison.map(|comparison| {
                    let before = comparison.earlier(asked.period).map(|period| (period, group(period)));
                    own.change(agency, &found, before, None, false)
                });
                let mut figure = found.figure;
                figure.discrepancies = own.discrepancies(agency);
                rows.push(AggregateRow {
                    indicator: indicator.to_string(),
                    agency: agency.map(ToString::to_string).unwrap_or_default(),
                    figure: Some(figure),
                    change,
                    ..AggregateRow::default()
                });
            }
        }
        rows
    }

    /// 2.5: the areas of a period.
    pub(crate) fn listed(&self, asked: &QueryQuestion, period: Period) -> Vec<AreaCode> {
        self.listed_areas(&asked.areas, asked.area_level, period, asked.areas_now)
    }

    pub(crate) fn listed_areas(
        &self,
        areas: &[AreaCode],
        level: Option<conspectus::catalogue::items::AreaLevel>,
        period: Period,
        areas_now: bool,
    ) -> Vec<AreaCode> {
        let Some(level) = level else { return areas.to_vec() };
        let day = if areas_now { self.today } else { period.end() };
        let within = areas.iter().flat_map(|area| self.areas_of_level(area, level, day, period));
        let mut listed: Vec<AreaCode> = within.cloned().collect();
        listed.sort();
        listed.dedup();
        listed
    }

    /// "What `group_by` doesn't name is combined. […] The rows, sorted by indicator, area, agency, period and category:
    /// the total before its categories, and those in the catalogue's order."
    pub(crate) fn query(&self, asked: &QueryQuestion) -> Vec<AggregateRow> {
        let mut rows = Vec::new();
        for indicator in &asked.indicators {
            let mut of_indicator = Vec::new();
            for (order, (category, breakdown)) in self.breakdowns(asked).into_iter().enumerate() {
                let only = Some(asked.agencies.as_slice()).filter(|only| !only.is_empty());
                let series = Series::new(self, indicator, &breakdown, only, roll(self, asked.areas_now));
                let query = OfSeries { sight: self, asked, series: &series, category: &category };
                for (index, run) in query.runs().into_iter().enumerate() {
                    let of_run = query.rows(&run);
                    of_indicator.extend(of_run.into_iter().map(|row| (index, order, row)));
                }
            }
            of_indicator.sort_by(|(a_run, a_category, a), (b_run, b_category, b)| {
                (&a.area, &a.agency, a_run, a_category).cmp(&(&b.area, &b.agency, b_run, b_category))
            });
            rows.extend(of_indicator.into_iter().map(|(_, _, row)| row));
        }
        rows
    }

    /// The breakdown asked for; with a dimension, then it for each category.
    fn breakdowns(&self, asked: &QueryQuestion) -> Vec<(OfCategory, Breakdown)> {
        let mut all = vec![(None, asked.breakdown.clone())];
        let dimension = self.dimensions.iter().find(|it| Some(&it.id) == asked.by_dimension.as_ref());
        for category in dimension.into_iter().flat_map(|it| &it.categories) {
            let own = (dimension.unwrap().id.clone(), category.id.clone());
            let breakdown = Breakdown::new(asked.breakdown.iter().cloned().chain([own]).collect()).unwrap();
            all.push((Some(category.id.clone()), breakdown));
        }
        all
    }
}

/// What a query asks of one indicator under one breakdown.
struct OfSeries<'q, 'a> {
    sight: &'a Sight,
    asked: &'q QueryQuestion,
    series: &'q Series<'a>,
    category: &'q OfCategory,
}

impl<'q, 'a> OfSeries<'q, 'a> {
    /// The periods of each row.
    fn runs(&self) -> Vec<Vec<Period>> {
        let periods = &self.asked.periods;
        let size = if self.asked.by_period { 1 } else { periods.len() };
        periods.chunks(size).map(<[Period]>::to_vec).collect()
    }

    /// Some areas in a run, which may be the year up to it.
    fn group(&self, areas: Vec<AreaCode>, run: &[Period]) -> Group<'q, 'a> {
        let periods = if self.asked.year_to_date { year_to_date(run[run.len() - 1]) } else { run.to_vec() };
        Group { series: self.series, areas, periods }
    }

    fn rows(&self, run: &[Period]) -> Vec<AggregateRow> {
        let listed = self.sight.listed(self.asked, run[run.len() - 1]);
        let all = self.group(listed.clone(), run);
        let groups: Vec<Vec<AreaCode>> =
            if self.asked.by_area { listed.iter().map(|area| vec![area.clone()]).collect() } else { vec![listed] };
        let only = <&[AgencyId; 1]>::try_from(self.asked.agencies.as_slice()).ok().map(|[only]| only);
        let agencies: Vec<Option<&AgencyId>> =
            if self.asked.by_agency { self.series.agencies.iter().map(Some).collect() } else { vec![only] };
        let mut rows = Vec::new();
        for agency in agencies {
            let mut compared = Vec::new();
            let mut of_areas = Vec::new();
            for areas in groups.iter().filter(|areas| !areas.is_empty()) {
                let group = self.group(areas.clone(), run);
                let is_there = !self.asked.by_agency || !self.asked.agencies.is_empty();
                if !is_there && !group.has(agency.unwrap()) {
                    continue;
                }
                let found = group.figure(agency);
                let rate = self.asked.rate.then(|| group.rate(&found, agency));
                compared.push(Compared { area: areas[0].clone(), found, rate });
                of_areas.push(group);
            }
            for (one, group) in compared.iter().zip(&of_areas) {
                rows.push(self.row(one, group, agency, run, &compared, &all));
            }
        }
        rows
    }

    fn row(
        &self,
        one: &Compared<'_>,
        group: &Group<'q, 'a>,
        agency: Option<&AgencyId>,
        run: &[Period],
        compared: &[Compared<'_>],
        all: &Group<'q, 'a>,
    ) -> AggregateRow {
        let asked = self.asked;
        let version = self.series.version(group.last());
        let mut figure = one.found.figure.clone();
        figure.discrepancies = group.discrepancies(agency);
        let key = |is: bool, text: String| if is { text } else { String::new() };
        let of_benchmark = || self.group(asked.benchmark_areas.clone(), run);
        AggregateRow {
            indicator: self.series.indicator.to_string(),
            area: key(asked.by_area, one.area.to_string()),
            agency: key(asked.by_agency, agency.map(ToString::to_string).unwrap_or_default()),
            period: key(asked.by_period, run[0].to_string()),
            category: self.category.as_ref().map(ToString::to_string).unwrap_or_default(),
            figure: Some(figure),
            change: asked.comparison.map(|comparison| {
                let before = comparison.earlier(run[0]).map(|period| {
                    let areas = if asked.by_area { group.areas.clone() } else { self.sight.listed(asked, period) };
                    (period, self.group(areas, &[period]))
                });
                // 9.3: "Of a year to date "the earlier one" is the first period of the length asked for in its financial
                // year".
                let first = before.as_ref().filter(|_| asked.year_to_date).map(|(period, _)| {
                    let year = Period::of(Frequency::FinancialYear, period.end()).unwrap();
                    cut(year, period.frequency())[0]
                });
                group.change(agency, &one.found, before, first, asked.across_breaks)
            }),
            rate: one.rate.as_ref().map(|rate| rate.rate.clone()),
            share: asked.share.then(|| share(one, compared, &all.figure(agency), version)),
            rank: asked.rank.then(|| rank(one, compared, version)),
            benchmark: (!asked.benchmark_areas.is_empty())
                .then(|| benchmark(&one.found, one.rate.as_ref(), &of_benchmark(), agency)),
        }
    }
}

/// Whether an indicator is among those of a question.
pub(crate) fn is_asked(only: &[IndicatorId], id: &IndicatorId) -> bool {
    only.is_empty() || only.contains(id)
}
