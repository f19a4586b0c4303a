//! The questions that can be asked, and their answers.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use super::answer::{Change, Comparison, Figure, combined, is_broken};
use super::columns::BreakdownIx;
use super::combine::{Gap, OverTime, over_time};
use super::resolve::{ByAgency, Series, Tally, View};
use crate::catalogue::items::{AcrossAgencies, IndicatorVersion};
use crate::catalogue::{AgencyIx, AreaIx, IndicatorIx};
use crate::model::date::Date;
use crate::model::marker::Marker;
use crate::model::period::Period;
use crate::model::violation::Violations;

/// The most figures that one query may rest on: indicators × areas × periods.
pub const QUERY_CELLS_MAX: usize = 200_000;

/// Asks for the picture of an area and a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureQuery {
    /// The area.
    pub area: AreaIx,
    /// The period.
    pub period: Period,
    /// Only these indicators; all that anything is expected or known of when none.
    pub indicators: Option<Vec<IndicatorIx>>,
    /// What to compare with.
    pub comparison: Option<Comparison>,
}

/// One indicator in a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureRow {
    /// The indicator's definition for the period.
    pub version: IndicatorVersion,
    /// Each agency that has reported or is expected to, by id.
    pub cells: Vec<PictureCell>,
    /// All of them together.
    pub combined: Figure,
    /// The change of the combined figure.
    pub change: Option<Change>,
}

/// One agency's figure in a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureCell {
    /// The agency.
    pub agency: AgencyIx,
    /// Its figure.
    pub figure: Figure,
    /// The figure's change.
    pub change: Option<Change>,
}

/// The picture: a row for each indicator, by id.
pub fn picture(view: View<'_>, query: &PictureQuery) -> Vec<PictureRow> {
    let catalogue = view.catalogue;
    let asked = |ix: &IndicatorIx| query.indicators.as_ref().is_none_or(|only| only.contains(ix));
    let indicators =
        catalogue.indicators_after(None).filter_map(|indicator| catalogue.indicator(&indicator.newest().id));
    indicators
        .map(|(ix, _)| ix)
        .filter(asked)
        .map(|ix| picture_row(view, query, ix))
        .filter(|row| !row.cells.is_empty() || query.indicators.is_some())
        .collect()
}

fn picture_row(view: View<'_>, query: &PictureQuery, ix: IndicatorIx) -> PictureRow {
    let mut series = Series::new(view, ix, Some(BreakdownIx::TOTAL), None);
    let area = [query.area];
    let now = Together::of(&mut series, &area, &[query.period]);
    let earlier = query.comparison.and_then(|comparison| comparison.earlier(query.period));
    let before = earlier.map(|period| {
        let broken = is_broken(&mut series, &area, period, query.period);
        (period, Together::of(&mut series, &area, &[period]), broken)
    });
    let version = series.version(query.period);
    let change = |figure: &Figure, pick: &dyn Fn(&Together) -> Figure| {
        query.comparison?;
        Some(match &before {
            None => Change::without_earlier(version.kind),
            Some((period, together, broken)) => Change::between(*period, pick(together), figure, version, *broken),
        })
    };
    let mut cells: Vec<PictureCell> = now
        .agencies()
        .map(|agency| {
            let figure = now.of_agency(&series, agency);
            let change = change(&figure, &|together| together.of_agency(&series, agency));
            PictureCell { agency, figure, change }
        })
        .collect();
    cells.sort_by(|a, b| view.catalogue.agency_at(a.agency).id.cmp(&view.catalogue.agency_at(b.agency).id));
    let combined = now.combined(&series);
    let change = change(&combined, &|together| together.combined(&series));
    PictureRow { version: version.clone(), cells, combined, change }
}

/// The figures of some areas and some periods together, by agency.
struct Together {
    last: Period,
    found: ByAgency,
    silent: ByAgency,
    /// Those with figures of parts, of a kind that doesn't combine.
    not_combined: BTreeSet<AgencyIx>,
    /// Whether the definition breaks with the period before.
    breaks: bool,
}

impl Together {
    /// `periods` are consecutive, at least one.
    fn of(series: &mut Series<'_>, areas: &[AreaIx], periods: &[Period]) -> Self {
        let mut found = ByAgency::new();
        let mut silent = ByAgency::new();
        for area in areas {
            let figures = series.joined(*area, periods);
            for (agency, owed) in series.silent(*area, periods, &figures) {
                silent.entry(agency).or_default().add_slots(&owed);
            }
            for (agency, figure) in &figures {
                found.entry(*agency).or_default().add(figure);
            }
        }
        // One that reports for some of the areas is expected for the others too.
        for (agency, owed) in std::mem::take(&mut silent) {
            match found.get_mut(&agency) {
                Some(figure) => figure.add_slots(&owed),
                None => {
                    silent.insert(agency, owed);
                }
            }
        }
        let (first, last) = (periods[0], periods[periods.len() - 1]);
        let breaks = first.previous().is_some_and(|previous| series.indicator.breaks_between(previous, last));
        let not_combined = areas.iter().flat_map(|area| series.not_combined(*area, last)).collect();
        Self { last, found, silent, not_combined, breaks }
    }

    fn agencies(&self) -> impl Iterator<Item = AgencyIx> {
        self.found.keys().chain(self.silent.keys()).copied()
    }

    fn of_agency(&self, series: &Series<'_>, agency: AgencyIx) -> Figure {
        let nothing = Tally::default();
        let tally = self.found.get(&agency).or_else(|| self.silent.get(&agency)).unwrap_or(&nothing);
        let gap = if self.not_combined.contains(&agency) { Gap::NotCombinable } else { Gap::NotReported };
        self.marked(Figure::of(tally, series.version(self.last), gap))
    }

    fn combined(&self, series: &Series<'_>) -> Figure {
        self.marked(combined(series, series.version(self.last), &self.found, &self.silent, &self.not_combined))
    }

    fn marked(&self, mut figure: Figure) -> Figure {
        if self.breaks && figure.value.is_ok() {
            figure.markers = figure.markers.with(Marker::Break);
        }
        figure
    }
}

/// Asks for figures of some indicators, areas, agencies and periods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AggregateQuery {
    /// The indicators, each once.
    pub indicators: Vec<IndicatorIx>,
    /// The areas, each once, by code.
    pub areas: Vec<AreaIx>,
    /// Only these agencies; all when none.
    pub agencies: Option<Vec<AgencyIx>>,
    /// The periods, each once, ascending.
    pub periods: Vec<Period>,
    /// The breakdown; none for one that nothing was ever submitted under.
    pub breakdown: Option<BreakdownIx>,
    /// Keep indicators apart.
    pub by_indicator: bool,
    /// Keep areas apart.
    pub by_area: bool,
    /// Keep agencies apart.
    pub by_agency: bool,
    /// Keep periods apart.
    pub by_period: bool,
    /// What to compare with.
    pub comparison: Option<Comparison>,
    /// Whether to compare across a break.
    pub across_breaks: bool,
}

/// One answered figure, and what it is of. A key that is combined is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AggregateRow {
    /// The indicator.
    pub indicator: IndicatorIx,
    /// The area.
    pub area: Option<AreaIx>,
    /// The agency.
    pub agency: Option<AgencyIx>,
    /// The period.
    pub period: Option<Period>,
    /// The figure.
    pub figure: Figure,
    /// Its change.
    pub change: Option<Change>,
}

/// Every reason why a query has no right answer.
pub fn review(view: View<'_>, query: &AggregateQuery) -> Violations {
    let mut violations = Violations::default();
    let cells = query.indicators.len() * query.areas.len() * query.periods.len();
    if cells > QUERY_CELLS_MAX {
        violations.add(
            "indicators",
            format!(
                "{} indicators × {} areas × {} periods are {cells} figures; allowed: {QUERY_CELLS_MAX}. Ask for fewer of one of them",
                query.indicators.len(),
                query.areas.len(),
                query.periods.len()
            ),
        );
        return violations;
    }
    if query.indicators.len() > 1 && !query.by_indicator {
        violations.add("group_by", "several indicators never combine; group by indicator, or ask for one");
    }
    if query.comparison.is_some() && query.periods.len() > 1 && !query.by_period {
        violations
            .add("comparison", "several periods together have no earlier period; group by period, or ask for one");
    }
    if !query.by_period {
        review_periods(view, query, &mut violations);
    }
    if !query.by_area {
        review_areas(view, query, &mut violations);
    }
    if !query.by_agency && query.agencies.as_ref().is_none_or(|agencies| agencies.len() > 1) {
        review_agencies(view, query, &mut violations);
    }
    violations
}

fn review_periods(view: View<'_>, query: &AggregateQuery, violations: &mut Violations) {
    for pair in query.periods.windows(2) {
        if pair[0].frequency() != pair[1].frequency() || pair[0].next().map(Period::slot) != Some(pair[1].slot()) {
            violations.add(
                "periods",
                format!(
                    "{} and {} are combined; allowed: consecutive periods of one length. Or group by period",
                    pair[0], pair[1]
                ),
            );
        }
    }
    for ix in &query.indicators {
        let indicator = view.catalogue.indicator_at(*ix);
        if query.periods.len() > 1 && over_time(indicator.kind()) == OverTime::Never {
            violations.add(
                "group_by",
                format!(
                    "`{}` counts distinct people, who would be counted once for each period; group by period, or ask for a period that was submitted",
                    indicator.newest().id
                ),
            );
        }
    }
}

fn review_areas(view: View<'_>, query: &AggregateQuery, violations: &mut Violations) {
    let days: BTreeSet<Date> = query.periods.iter().flat_map(|period| hierarchy_days(*period)).collect();
    for (place, inner) in query.areas.iter().enumerate() {
        for outer in query.areas.iter().filter(|outer| *outer != inner) {
            if days.iter().any(|day| view.catalogue.is_within(*inner, *outer, *day)) {
                violations.add(
                    format!("areas[{place}]"),
                    format!(
                        "{} lies within {}, and would be counted twice; group by area, or leave one out",
                        view.catalogue.area_at(*inner).code,
                        view.catalogue.area_at(*outer).code
                    ),
                );
            }
        }
    }
}

/// The days whose hierarchy decides what a period's figures are built from: its own last day and
/// those of its parts.
fn hierarchy_days(period: Period) -> Vec<Date> {
    period.parts().into_iter().flat_map(hierarchy_days).chain([period.end()]).collect()
}

fn review_agencies(view: View<'_>, query: &AggregateQuery, violations: &mut Violations) {
    let Some(last) = query.periods.last() else { return };
    for ix in &query.indicators {
        let version = view.catalogue.indicator_at(*ix).version_for(*last);
        if version.across_agencies == AcrossAgencies::SideBySide {
            violations.add(
                "group_by",
                format!("the agencies' figures of `{}` are views of one thing and stay side by side; group by agency, or ask for one agency", version.id),
            );
        }
    }
}

/// The answer to a query that passed [`review`], by indicator, area, agency and period.
pub fn aggregate(view: View<'_>, query: &AggregateQuery) -> Vec<AggregateRow> {
    let mut rows = Vec::new();
    for ix in &query.indicators {
        let agencies = query.agencies.as_ref().map(|agencies| agencies.iter().copied().collect::<HashSet<_>>());
        let mut series = Series::new(view, *ix, query.breakdown, agencies);
        for areas in groups(&query.areas, query.by_area) {
            let mut answers = BTreeMap::new();
            for periods in groups(&query.periods, query.by_period) {
                for (agency, figure, change) in answer(&mut series, query, areas, periods) {
                    let id = agency.map(|agency| &view.catalogue.agency_at(agency).id);
                    answers.insert((id, periods[0]), (agency, figure, change));
                }
            }
            for ((_, period), (agency, figure, change)) in answers {
                let area = query.by_area.then_some(areas[0]);
                let period = query.by_period.then_some(period);
                rows.push(AggregateRow { indicator: *ix, area, agency, period, figure, change });
            }
        }
    }
    rows
}

/// Each item for itself, or all of them together.
fn groups<T>(items: &[T], apart: bool) -> impl Iterator<Item = &[T]> {
    items.chunks(if apart { 1 } else { items.len().max(1) })
}

type Answer = (Option<AgencyIx>, Figure, Option<Change>);

fn answer(series: &mut Series<'_>, query: &AggregateQuery, areas: &[AreaIx], periods: &[Period]) -> Vec<Answer> {
    let now = Together::of(series, areas, periods);
    let earlier = query.comparison.and_then(|comparison| comparison.earlier(periods[0]));
    let before = earlier.map(|period| {
        let broken = !query.across_breaks && is_broken(series, areas, period, periods[0]);
        (period, Together::of(series, areas, &[period]), broken)
    });
    let series = &*series;
    let version = series.version(now.last);
    let change = |figure: &Figure, pick: &dyn Fn(&Together) -> Figure| {
        query.comparison?;
        Some(match &before {
            None => Change::without_earlier(version.kind),
            Some((period, together, broken)) => Change::between(*period, pick(together), figure, version, *broken),
        })
    };
    if !query.by_agency {
        let one = query
            .agencies
            .as_ref()
            .and_then(|agencies| if let [one] = agencies.as_slice() { Some(*one) } else { None });
        let pick = |together: &Together| match one {
            Some(agency) => together.of_agency(series, agency),
            None => together.combined(series),
        };
        let figure = pick(&now);
        let change = change(&figure, &pick);
        return vec![(None, figure, change)];
    }
    let asked = query.agencies.iter().flatten().copied();
    let agencies: BTreeSet<AgencyIx> = now.agencies().chain(asked).collect();
    agencies
        .into_iter()
        .map(|agency| {
            let figure = now.of_agency(series, agency);
            let change = change(&figure, &|together| together.of_agency(series, agency));
            (Some(agency), figure, change)
        })
        .collect()
}
