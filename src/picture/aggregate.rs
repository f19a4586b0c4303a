//! The figures of some areas and some periods together, by agency and combined: what
//! pictures, aggregates, explanations and reconciliations are answered from.

use std::cell::OnceCell;
use std::rc::Rc;

use super::accumulator::{Accumulator, ByAgency};
use super::change::{Breaks, BreaksWithin, Change};
use super::combine::Gap;
use super::discrepancy::{Discrepancies, Discrepancy};
use super::expected::ExpectedPeriod;
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

/// What all figures of consecutive periods together have in common.
struct Run<'a> {
    periods: Vec<Period>,
    last: Period,
    expected: Vec<Rc<[ExpectedPeriod<'a>]>>,
    /// Whether the definition breaks with the period before.
    breaks: bool,
    /// Whether the last of them fits the indicator; looked up where it decides.
    fits: OnceCell<bool>,
    /// The combined figure where nobody has reported, nor is expected to: the same for all areas.
    nothing: OnceCell<Rc<Figure>>,
}

impl<'a> Run<'a> {
    /// Of at least one period.
    fn of(series: &Series<'a>, periods: &[Period]) -> Rc<Self> {
        let (first, last) = (periods[0], periods[periods.len() - 1]);
        // A definition of one version never breaks, and most have one.
        let may_break = series.indicator.versions().len() > 1;
        let previous = if may_break { first.previous() } else { None };
        let breaks = previous.is_some_and(|previous| series.indicator.breaks_between(previous, last));
        let expected = series.expected_within(periods);
        Rc::new(Self {
            periods: periods.to_vec(),
            last,
            expected,
            breaks,
            fits: OnceCell::new(),
            nothing: OnceCell::new(),
        })
    }

    /// What was found of some areas, and who hasn't reported for them.
    fn aggregate<'q>(
        self: &Rc<Self>,
        series: &Series<'a>,
        areas: &'q [AreaIx],
        found: Rc<ByAgency>,
    ) -> Aggregate<'q, 'a> {
        let mut non_reporters = ByAgency::default();
        // Where nobody is expected, that is so for all areas.
        for area in areas.iter().filter(|_| !self.expected.is_empty()) {
            for (agency, unfilled) in series.non_reporters(*area, &self.expected, &found) {
                non_reporters.entry(agency).add_slots(&unfilled);
            }
        }
        Aggregate { run: Rc::clone(self), areas, found, non_reporters, discrepancies: Vec::new() }
    }

    fn fits(&self, series: &Series<'a>) -> bool {
        *self.fits.get_or_init(|| series.expected().fits(self.last))
    }
}

/// The figures of some areas and some periods together.
pub(super) struct Aggregate<'q, 'a> {
    run: Rc<Run<'a>>,
    areas: &'q [AreaIx],
    /// Of the agencies that have reported.
    found: Rc<ByAgency>,
    /// The slots of those that are expected to, and haven't.
    non_reporters: ByAgency,
    discrepancies: Vec<Discrepancy>,
}

impl<'q, 'a> Aggregate<'q, 'a> {
    /// Joins the areas' figures for consecutive periods, at least one.
    pub(super) fn of(series: &mut Series<'a>, areas: &'q [AreaIx], periods: &[Period]) -> Self {
        let by_area: Vec<_> = areas.iter().copied().zip(series.joined(areas, periods)).collect();
        let found = match by_area.as_slice() {
            [(_, figures)] => Rc::clone(figures),
            several => Rc::new(series.over_these(several, periods)),
        };
        Run::of(series, periods).aggregate(series, areas, found)
    }

    /// The figures of each area for itself.
    fn each(series: &mut Series<'a>, areas: &'q [AreaIx], periods: &[Period]) -> Vec<Self> {
        let found = series.joined(areas, periods);
        let run = Run::of(series, periods);
        areas.chunks(1).zip(found).map(|(area, found)| run.aggregate(series, area, found)).collect()
    }

    /// The figures of each area for itself, or of all of them together.
    fn groups(series: &mut Series<'a>, areas: &'q [AreaIx], by_area: bool, periods: &[Period]) -> Vec<Self> {
        if by_area { Self::each(series, areas, periods) } else { vec![Self::of(series, areas, periods)] }
    }

    /// Finds what else was submitted and should agree with these figures, which are of one area and one
    /// period.
    pub(super) fn find_discrepancies(&mut self, series: &mut Series<'a>, among: &Discrepancies<'_>) {
        // What isn't submitted as it is has nothing to differ from.
        if let ([area], true) = (self.areas, self.found.accumulators().any(|figure| figure.is_own)) {
            self.discrepancies = among.of(series, *area);
        }
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
                let version = series.version(self.run.last);
                self.agencies().filter(|agency| series.goes_into_combined(version, *agency)).collect()
            }
        }
    }

    /// Whether nobody has reported, nor is expected to.
    pub(super) fn is_nothing(&self) -> bool {
        self.found.is_empty() && self.non_reporters.is_empty()
    }

    /// The areas.
    pub(super) fn areas(&self) -> &'q [AreaIx] {
        self.areas
    }

    /// The figures of the agencies that have reported.
    pub(super) fn found(&self) -> &ByAgency {
        &self.found
    }

    /// The figure of an agency, or of all.
    pub(super) fn figure(&self, series: &Series<'a>, who: Who) -> Rc<Figure> {
        let version = series.version(self.run.last);
        let make = || Rc::new(self.make_figure(series, version, who));
        // A lead's figure may lie within a larger one of it, and its areas differ in that.
        if self.is_nothing() && who == Who::Combined && version.across_agencies != AcrossAgencies::Lead {
            return Rc::clone(self.run.nothing.get_or_init(make));
        }
        make()
    }

    fn make_figure(&self, series: &Series<'a>, version: &IndicatorVersion, who: Who) -> Figure {
        let concerns = |found: &&Discrepancy| who.rests_on(series, version, found.agency);
        let discrepancies = self.discrepancies.iter().filter(concerns).cloned().collect();
        let mut made = Accumulator::default();
        let (sum, nothing) = self.sum(series, version, who, &mut made);
        let gap = if sum.has_figure() { nothing } else { sum.gap(self.run.fits(series), nothing) };
        Figure::of(sum, version, gap, self.run.breaks, discrepancies)
    }

    /// Why the figure of an agency, or of all, would have no value if the agencies' figures weren't kept side by
    /// side.
    pub(super) fn gap(&self, series: &Series<'a>, who: Who) -> Gap {
        let mut made = Accumulator::default();
        let (sum, nothing) = self.sum(series, series.version(self.run.last), who, &mut made);
        let nothing = if nothing == Gap::SideBySide { Gap::NotReported } else { nothing };
        sum.gap(self.run.fits(series), nothing)
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
                *made = series.contained(agency, self.areas, &self.run.periods);
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
pub(super) struct Compared<'q, 'a> {
    /// The figures.
    pub(super) now: Aggregate<'q, 'a>,
    /// What they are compared with: none when nothing is asked for.
    before: Option<Before<'q, 'a>>,
}

/// The earlier period, its figures, and where the series is broken since; none when there is no such
/// period.
type Before<'q, 'a> = Option<Box<(Period, Aggregate<'q, 'a>, BreaksWithin)>>;

/// What figures are compared with.
pub(super) struct Earlier<'q> {
    /// The earlier period.
    pub(super) period: Period,
    /// The areas of its figures: the same where each is for itself.
    pub(super) areas: &'q [AreaIx],
    /// The periods that it stands for.
    pub(super) run: Vec<Period>,
    /// The period since which the series must not be broken; none to compare across a break.
    pub(super) unbroken_since: Option<Period>,
}

impl<'q, 'a> Compared<'q, 'a> {
    /// The figures of a run of periods, of each area for itself or of all of them together, and those that they are
    /// compared with: none when nothing is asked for, and none of those when there is no earlier period.
    pub(super) fn groups(
        series: &mut Series<'a>,
        areas: &'q [AreaIx],
        by_area: bool,
        run: &[Period],
        earlier: Option<Option<Earlier<'q>>>,
    ) -> Vec<Self> {
        let groups = Aggregate::groups(series, areas, by_area, run).into_iter();
        let Some(earlier) = earlier else { return groups.map(|now| Self { now, before: None }).collect() };
        let Some(earlier) = earlier else { return groups.map(|now| Self { now, before: Some(None) }).collect() };
        let before = Aggregate::groups(series, earlier.areas, by_area, &earlier.run);
        let breaks = earlier.unbroken_since.zip(run.last());
        let breaks = breaks.map_or_else(Breaks::default, |(first, last)| Breaks::between(series, first, *last));
        let compared = groups.zip(before).map(|(now, before)| {
            let breaks = breaks.within(series, now.areas.iter().chain(before.areas));
            Self { now, before: Some(Some(Box::new((earlier.period, before, breaks)))) }
        });
        compared.collect()
    }

    /// The figure of an agency, or of all, and its change.
    pub(super) fn figure(&self, series: &Series<'a>, who: Who) -> (Rc<Figure>, Option<Box<Change>>) {
        let figure = self.now.figure(series, who);
        let version = series.version(self.now.run.last);
        let change = self.before.as_ref().map(|before| match before.as_deref() {
            None => Change::without_earlier(version.kind),
            Some((period, earlier, breaks)) => {
                let is_broken = breaks.concern(|agency| who.rests_on(series, version, agency));
                Change::between(*period, earlier.figure(series, who), &figure, version, is_broken)
            }
        });
        (figure, change.map(Box::new))
    }
}
