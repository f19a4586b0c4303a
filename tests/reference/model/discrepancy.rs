//! Section 14: where submitted figures that should agree don't.

use conspectus::catalogue::items::{AcrossAgencies, Kind};
use conspectus::model::id::{AgencyId, AreaCode};
use conspectus::model::observation::Breakdown;
use conspectus::model::period::Period;
use conspectus::rpc::proto::{Discrepancy, DiscrepancyKind};

use super::group::Group;
use super::number::{Number, number_and_weight, rounded};
use super::periods::is_same;
use super::series::Series;
use super::sum::Sum;

impl Group<'_, '_> {
    /// Of one area and one period.
    pub(crate) fn discrepancies(&self, agency: Option<&AgencyId>) -> Vec<Discrepancy> {
        let ([area], [period]) = (self.areas.as_slice(), self.periods.as_slice()) else { return vec![] };
        // Side by side there is no figure to disagree with.
        if agency.is_none() && self.series.version(*period).across_agencies == AcrossAgencies::SideBySide {
            return vec![];
        }
        let behind = self.behind(agency);
        let behind = behind.iter().filter(|agency| self.series.agencies.contains(agency));
        let mut all: Vec<_> = behind.flat_map(|agency| self.series.discrepancies(agency, area, *period)).collect();
        sort(&mut all);
        all
    }
}

/// In an order that doesn't matter.
pub(crate) fn sort(discrepancies: &mut [Discrepancy]) {
    discrepancies
        .sort_by(|a, b| (&a.agency, a.kind, &a.dimension, &a.parts).cmp(&(&b.agency, b.kind, &b.dimension, &b.parts)));
}

impl Series<'_> {
    fn discrepancies(&self, agency: &AgencyId, area: &AreaCode, period: Period) -> Vec<Discrepancy> {
        let submitted = self.submitted(agency, area, period);
        let Some(own) = submitted.first().filter(|it| it.value.measure.is_some()) else { return vec![] };
        let version = self.version(period);
        let value = |sum: &Sum<'_>| self.value(sum).flatten();
        let Some(figure) = self.figure(agency, area, period).and_then(|sum| value(&sum)) else { return vec![] };
        let mut found = Vec::new();
        let mut compare = |kind: DiscrepancyKind, dimension: &str, parts: Number| {
            let shown = |number: &Number| rounded(number, version.decimals, version.rounding);
            // 14: "Only values that differ as shown are reported."
            if shown(&parts) != shown(&figure) {
                found.push(Discrepancy {
                    kind: kind.into(),
                    agency: agency.to_string(),
                    dimension: dimension.to_owned(),
                    submitted: shown(&figure),
                    parts: shown(&parts),
                    difference: shown(&(&parts - &figure)),
                });
            }
        };
        // 14.1: "the figure built over time, if it is complete; for a stock instead every figure submitted for another
        // name of the same last day".
        if self.kind == Kind::Stock {
            for other in submitted.iter().filter(|it| !is_same(it.key.period, own.key.period)) {
                let measure = other.value.measure.map(number_and_weight);
                let sum = Sum { value: measure, ..Sum::default() };
                value(&sum).into_iter().for_each(|parts| compare(DiscrepancyKind::OverTime, "", parts));
            }
        } else if let Some(parts) = self.over_time(agency, area, period).filter(|it| it.is_complete(it.value.is_some()))
        {
            value(&parts).into_iter().for_each(|parts| compare(DiscrepancyKind::OverTime, "", parts));
        }
        // 14.2: "if it is complete and every area directly below that is of the period has a figure of the agency".
        let mut below =
            self.sight.children(area, self.day(period)).into_iter().filter(|it| self.sight.is_of(it, period));
        let has_figure = |it: &AreaCode| self.figure(agency, it, period).is_some_and(|it| it.value.is_some());
        if let Some(parts) = self.over_areas(agency, area, period)
            && parts.is_complete(parts.value.is_some())
            && below.all(has_figure)
        {
            value(&parts).into_iter().for_each(|parts| compare(DiscrepancyKind::OverAreas, "", parts));
        }
        self.over_categories(agency, area, period, &figure, &mut compare);
        found
    }

    /// 14.3: "for a total, the sum over each dimension's categories, if every category has a figure; or if the sum
    /// exceeds the total already, for kinds that can't be negative. Distinct people are not held to their categories".
    fn over_categories(
        &self,
        agency: &AgencyId,
        area: &AreaCode,
        period: Period,
        figure: &Number,
        compare: &mut impl FnMut(DiscrepancyKind, &str, Number),
    ) {
        if !self.breakdown.is_total() || self.kind == Kind::Distinct {
            return;
        }
        for dimension in &self.version(period).dimensions {
            let categories = &self.sight.dimensions.iter().find(|it| it.id == *dimension).unwrap().categories;
            // What was submitted for the very area and period, as the total was.
            let figures = categories.iter().filter_map(|category| {
                let own = Breakdown::new(vec![(dimension.clone(), category.id.clone())]).unwrap();
                let series = Series::new(self.sight, &self.indicator, &own, Some(&self.agencies), self.roll);
                let submitted = series.submitted(agency, area, period);
                let measure = submitted.first().and_then(|it| it.value.measure)?;
                Some(Sum { value: Some(number_and_weight(measure)), ..Sum::default() })
            });
            let figures: Vec<Sum<'_>> = figures.collect();
            let has_all = figures.len() == categories.len();
            let Some(sum) = self.value(&Sum::of(figures)).flatten() else { continue };
            let exceeds = matches!(self.kind, Kind::Events | Kind::Stock) && sum > *figure;
            if has_all || exceeds {
                compare(DiscrepancyKind::Breakdown, dimension.as_str(), sum);
            }
        }
    }
}
