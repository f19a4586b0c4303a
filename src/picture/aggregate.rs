//! The figures of some areas and some periods together, by agency and combined: what
//! pictures, aggregates, explanations and reconciliations are answered from.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::accumulator::{Accumulator, ByAgency};
use super::change::{Breaks, Change};
use super::combine::Gap;
use super::discrepancy::{self, Discrepancy};
use super::figure::Figure;
use super::resolve::Series;
use crate::catalogue::items::{AcrossAgencies, IndicatorVersion};
use crate::catalogue::{AgencyIx, AreaIx};
use crate::model::period::Period;

/// Whose figure is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Who {
    /// One agency's.
    Agency(AgencyIx),
    /// All agencies' together, by the indicator's rule.
    Combined,
}

impl Who {
    /// Whether this figure is an agency's, or that agency's goes into it.
    fn rests_on(self, series: &Series<'_>, version: &IndicatorVersion, agency: AgencyIx) -> bool {
        match self {
            Self::Agency(one) => one == agency,
            Self::Combined => series.goes_into_combined(version, agency),
        }
    }
}

/// The figures of some areas and some periods together.
pub(super) struct Aggregate {
    areas: Vec<AreaIx>,
    periods: Vec<Period>,
    last: Period,
    /// Of the agencies that have reported.
    found: Rc<ByAgency>,
    /// The slots of those that are expected to, and haven't.
    non_reporters: ByAgency,
    /// Whether the definition breaks with the period before.
    breaks: bool,
    discrepancies: Vec<Discrepancy>,
}

impl Aggregate {
    /// Joins the areas' figures for consecutive periods, at least one.
    pub(super) fn of(series: &mut Series<'_>, areas: &[AreaIx], periods: &[Period]) -> Self {
        let by_area: Vec<_> = areas.iter().map(|area| (*area, series.joined(*area, periods))).collect();
        let found = match by_area.as_slice() {
            [(_, figures)] => Rc::clone(figures),
            several => Rc::new(series.over_these(several, periods)),
        };
        let mut non_reporters = ByAgency::default();
        for area in areas {
            for (agency, unfilled) in series.non_reporters(*area, periods, &found) {
                non_reporters.entry(agency).add_slots(&unfilled);
            }
        }
        let (first, last) = (periods[0], periods[periods.len() - 1]);
        let breaks = first.previous().is_some_and(|previous| series.indicator.breaks_between(previous, last));
        let (areas, periods) = (areas.to_vec(), periods.to_vec());
        Self { areas, periods, last, found, non_reporters, breaks, discrepancies: Vec::new() }
    }

    /// Finds what else was submitted and should agree with these figures, which are of one area and one
    /// period.
    pub(super) fn find_discrepancies(&mut self, series: &mut Series<'_>, area: AreaIx, period: Period) {
        self.discrepancies = discrepancy::find(series, area, period);
    }

    /// The agencies that have reported or are expected to, by index.
    pub(super) fn agencies(&self) -> impl Iterator<Item = AgencyIx> {
        self.found.agencies().chain(self.non_reporters.agencies())
    }

    /// The agencies whose figures a figure rests on: one, or those of the combined figure that have reported
    /// or are expected to.
    pub(super) fn behind(&self, series: &Series<'_>, who: Who) -> Vec<AgencyIx> {
        match who {
            Who::Agency(agency) => vec![agency],
            Who::Combined => {
                let version = series.version(self.last);
                self.agencies().filter(|agency| series.goes_into_combined(version, *agency)).collect()
            }
        }
    }

    /// The areas.
    pub(super) fn areas(&self) -> &[AreaIx] {
        &self.areas
    }

    /// The figures of the agencies that have reported.
    pub(super) fn found(&self) -> &ByAgency {
        &self.found
    }

    /// The figure of an agency, or of all.
    pub(super) fn figure(&self, series: &Series<'_>, who: Who) -> Figure {
        let version = series.version(self.last);
        let concerns = |found: &&Discrepancy| who.rests_on(series, version, found.agency);
        let discrepancies = self.discrepancies.iter().filter(concerns).cloned().collect();
        let mut made = Accumulator::default();
        let (sum, nothing) = self.sum(series, version, who, &mut made);
        // Whether the period fits is only looked up where it decides.
        let gap = if sum.has_figure() { nothing } else { sum.gap(series.expected().fits(self.last), nothing) };
        Figure::of(sum, version, gap, self.breaks, discrepancies)
    }

    /// Why the figure of an agency, or of all, would have no value if the agencies' figures weren't kept side by
    /// side.
    pub(super) fn gap(&self, series: &Series<'_>, who: Who) -> Gap {
        let mut made = Accumulator::default();
        let (sum, nothing) = self.sum(series, series.version(self.last), who, &mut made);
        let nothing = if nothing == Gap::SideBySide { Gap::NotReported } else { nothing };
        sum.gap(series.expected().fits(self.last), nothing)
    }

    /// The figure of an agency, or of all by the indicator's rule, and why there is no value if nothing was
    /// submitted. It is put into `made` where it isn't here already: an accumulator is too large to be moved
    /// for each figure.
    fn sum<'s>(
        &'s self,
        series: &Series<'_>,
        version: &IndicatorVersion,
        who: Who,
        made: &'s mut Accumulator,
    ) -> (&'s Accumulator, Gap) {
        match who {
            Who::Agency(agency) => (self.known(series, agency, made), Gap::NotReported),
            Who::Combined => {
                let nothing = self.combine(series, version, made);
                (made, nothing)
            }
        }
    }

    /// What is known of an agency that is asked for by name: its figure, or its unfilled slots; put into `made`
    /// where it isn't here already.
    fn known<'s>(&'s self, series: &Series<'_>, agency: AgencyIx, made: &'s mut Accumulator) -> &'s Accumulator {
        match self.found.get(agency).or_else(|| self.non_reporters.get(agency)) {
            Some(known) => known,
            None => {
                *made = series.contained(agency, &self.areas, &self.periods);
                made
            }
        }
    }

    /// Adds the agencies' figures, by the indicator's rule; returns why there is no value if there is none.
    fn combine(&self, series: &Series<'_>, version: &IndicatorVersion, sum: &mut Accumulator) -> Gap {
        let all = || self.found.accumulators().chain(self.non_reporters.accumulators());
        match version.across_agencies {
            AcrossAgencies::Add => {
                all().for_each(|figure| sum.add(figure));
                Gap::NotReported
            }
            AcrossAgencies::SideBySide => {
                all().for_each(|figure| {
                    sum.add_slots(figure);
                    sum.sample |= figure.sample;
                });
                Gap::SideBySide
            }
            AcrossAgencies::Lead => match series.lead(version) {
                Some(lead) if !series.submitted.asks_for(lead) => Gap::LeadNotAsked,
                lead => {
                    let mut made = Accumulator::default();
                    lead.into_iter().for_each(|lead| sum.add(self.known(series, lead, &mut made)));
                    Gap::LeadNotReported
                }
            },
        }
    }
}

/// Figures, and those that they are compared with.
pub(super) struct Compared {
    /// The figures.
    pub(super) now: Aggregate,
    /// What they are compared with: none when nothing is asked for.
    before: Option<Before>,
}

/// The earlier period, its figures, and where the series is broken since; none when there is no such
/// period.
type Before = Option<(Period, Aggregate, Breaks)>;

/// What figures are compared with.
pub(super) struct Earlier<'a> {
    /// The earlier period.
    pub(super) period: Period,
    /// The areas of its figures.
    pub(super) areas: &'a [AreaIx],
    /// The periods that it stands for.
    pub(super) run: Vec<Period>,
    /// The period since which the series must not be broken; none to compare across a break.
    pub(super) unbroken_since: Option<Period>,
}

impl Compared {
    /// The figures of some areas and a run of periods, and those that they are compared with: none when
    /// nothing is asked for, and none of those when there is no earlier period.
    pub(super) fn of(
        series: &mut Series<'_>,
        areas: &[AreaIx],
        run: &[Period],
        earlier: Option<Option<Earlier<'_>>>,
    ) -> Self {
        let now = Aggregate::of(series, areas, run);
        let before = earlier.map(|earlier| {
            let earlier = earlier?;
            let breaks = earlier.unbroken_since.map_or_else(Breaks::default, |first| {
                let either: BTreeSet<AreaIx> = areas.iter().chain(earlier.areas).copied().collect();
                Breaks::between(series, &Vec::from_iter(either), first, now.last)
            });
            Some((earlier.period, Aggregate::of(series, earlier.areas, &earlier.run), breaks))
        });
        Self { now, before }
    }

    /// The figure of an agency, or of all, and its change.
    pub(super) fn figure(&self, series: &Series<'_>, who: Who) -> (Figure, Option<Change>) {
        let figure = self.now.figure(series, who);
        let version = series.version(self.now.last);
        let change = self.before.as_ref().map(|before| match before {
            None => Change::without_earlier(version.kind),
            Some((period, earlier, breaks)) => {
                let is_broken = breaks.concern(|agency| who.rests_on(series, version, agency));
                Change::between(*period, earlier.figure(series, who), &figure, version, is_broken)
            }
        });
        (figure, change)
    }
}
