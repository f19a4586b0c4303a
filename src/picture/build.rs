//! The ways to a figure for an area and a period: submitted for them, or built over time, or over areas. The rules are
//! in docs/statistics.md, section 5.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::accumulator::{Accumulator, ByAgency, Missing, MissingReason};
use super::combine::{Components, OverTime};
use super::derivation::{Candidates, last_known};
use super::resolve::Series;
use crate::catalogue::{AgencyIx, AreaIx};
use crate::model::period::Period;
use crate::state::columns::Row;

impl Series<'_> {
    /// What an agency's figure can be for an area and a period, of each agency.
    pub(super) fn candidates(&mut self, area: AreaIx, period: Period) -> Candidates {
        let mut submitted = ByAgency::default();
        for (name, row) in self.submitted.best(area, period) {
            *submitted.entry(row.key.agency()) = self.whole(name, &row, area, period);
        }
        Candidates {
            rule: self.submitted.rule(),
            is_time_first: self.submitted.rule() == OverTime::Add && self.view().hierarchy_changes_within(period),
            submitted,
            over_time: self.over_time(area, period),
            over_areas: self.over_areas(area, period),
        }
    }

    /// The agencies that have figures for subperiods, of a kind that doesn't combine.
    pub(super) fn uncombined(&mut self, area: AreaIx, period: Period) -> BTreeSet<AgencyIx> {
        let mut agencies = BTreeSet::new();
        if self.submitted.covers(area) {
            for subperiod in period.subperiods() {
                if self.submitted.has_figures_within(subperiod) {
                    agencies.extend(self.figures(area, subperiod).agencies());
                }
            }
        }
        agencies
    }

    /// A submitted row as a figure that fills all slots of its area and period, but for those that weren't over
    /// when it was accepted.
    fn whole(&self, name: Period, row: &Row, area: AreaIx, period: Period) -> Accumulator {
        let agency = row.key.agency();
        let measure = row.measure();
        let components = measure.and_then(Components::of);
        let (fills, imputed) = (row.fills_slot(), usize::from(row.is_imputed()));
        let to_date = self.submitted.to_date(name, row);
        let mut figure = Accumulator {
            components,
            too_large: measure.is_some() && components.is_none(),
            markers: row.markers(),
            sample: row.is_sample(),
            is_own: true,
            submitted: 1,
            to_date,
            ..Accumulator::default()
        };
        if measure.is_some() && self.submitted.may_overlap(period) {
            figure.added.push((area, name));
        }
        self.expected().of_reporter(agency, area, period, |slot, area| {
            if !fills {
                let reason = MissingReason::NotAvailable;
                figure.add_missing(Missing { agency, area, period: slot.period, reason });
            } else if to_date.is_none_or(|last| slot.period.end() <= last) {
                figure.coverage.expected += 1;
                figure.coverage.reported += 1;
                figure.coverage.imputed += imputed;
            } else {
                self.expected().add_slot(&mut figure, slot, agency, area);
            }
        });
        figure
    }

    /// The figures built from the areas directly below, for the same period.
    pub(super) fn over_areas(&mut self, area: AreaIx, period: Period) -> ByAgency {
        let children: Vec<AreaIx> = self.view().parts(area, period).collect();
        let covered: Vec<AreaIx> = children.iter().copied().filter(|child| self.submitted.covers(*child)).collect();
        if covered.is_empty() {
            return ByAgency::default();
        }
        self.look_up(&covered, &[], period);
        let found: Vec<(AreaIx, Rc<ByAgency>)> = children
            .into_iter()
            .map(|child| {
                let figures = if self.submitted.covers(child) { self.figures(child, period) } else { Rc::default() };
                (child, figures)
            })
            .collect();
        self.over_these(&found, &[period])
    }

    /// The figures built from the period's subperiods, for the same area.
    pub(super) fn over_time(&mut self, area: AreaIx, period: Period) -> ByAgency {
        let rule = self.submitted.rule();
        if rule == OverTime::Never || !self.submitted.covers(area) {
            return ByAgency::default();
        }
        let subperiods = period.subperiods();
        if !subperiods.iter().any(|subperiod| self.submitted.has_figures_within(*subperiod)) {
            return ByAgency::default();
        }
        if rule == OverTime::Last {
            return self.several(area, &subperiods);
        }
        self.joined(&[area], &subperiods).pop().map_or_else(ByAgency::default, Rc::unwrap_or_clone)
    }

    /// The figures of an area for consecutive periods together, put together one after the other.
    pub(super) fn several(&mut self, area: AreaIx, periods: &[Period]) -> ByAgency {
        let found: Vec<(Period, Rc<ByAgency>)> = periods
            .iter()
            .map(|period| {
                let figures = if self.submitted.has_figures_within(*period) {
                    self.figures(area, *period)
                } else {
                    Rc::default()
                };
                (*period, figures)
            })
            .collect();
        let mut joined = ByAgency::of_all(found.iter().flat_map(|(_, figures)| figures.agencies()));
        if self.view().spend(found.len().saturating_mul(joined.len())).is_err() {
            return joined;
        }
        match self.submitted.rule() {
            OverTime::Add => {
                for (period, figures) in &found {
                    let mut figures = figures.iter().peekable();
                    for (agency, sum) in joined.iter_mut() {
                        match figures.next_if(|(known, _)| *known == agency) {
                            Some((_, figure)) => sum.add(figure),
                            None => self.expected().add_reporter(sum, agency, area, *period),
                        }
                    }
                }
            }
            OverTime::Last => joined.iter_mut().for_each(|(agency, last)| *last = self.last(agency, area, &found)),
            OverTime::Never => joined.iter_mut().for_each(|(_, figure)| figure.uncombined = true),
        }
        joined
    }

    /// The subperiod whose stock is an agency's for the period, as [`Self::last`] takes it.
    pub(super) fn last_subperiod(&mut self, agency: AgencyIx, area: AreaIx, period: Period) -> Option<Period> {
        let subperiods = period.subperiods().into_iter();
        let found: Vec<_> = subperiods.map(|subperiod| (subperiod, self.figures(area, subperiod))).collect();
        let known = found.iter().filter_map(|(subperiod, figures)| Some((*subperiod, figures.get(agency)?)));
        last_known(known).map(|(subperiod, _)| subperiod)
    }

    /// The stock at the end of the last of some periods that has one. When that isn't the last of them,
    /// the slots of the close are as they are: still unfilled, or said to be not available.
    fn last(&self, agency: AgencyIx, area: AreaIx, found: &[(Period, Rc<ByAgency>)]) -> Accumulator {
        let known = || found.iter().filter_map(|(period, figures)| Some((*period, figures.get(agency)?)));
        let (Some((close, closing)), Some((period, figure))) = (found.last(), last_known(known())) else {
            return Accumulator::default();
        };
        if period.end() == close.end() {
            return figure.clone();
        }
        let mut stale = Accumulator {
            components: figure.components,
            too_large: figure.too_large,
            overlaps: figure.overlaps,
            markers: figure.markers,
            sample: figure.sample,
            is_own: figure.is_own,
            submitted: figure.submitted,
            to_date: figure.to_date,
            added: figure.added.clone(),
            // A marker isn't a stock, whenever it is of.
            as_at: figure.has_figure().then(|| figure.as_at.unwrap_or(period)),
            ..Accumulator::default()
        };
        match closing.get(agency) {
            Some(marked) => stale.add_slots(marked),
            None => self.expected().add_reporter(&mut stale, agency, area, *close),
        }
        stale
    }
}
