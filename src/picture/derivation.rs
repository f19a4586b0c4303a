//! How a figure comes about, by the rules of `resolve`.

use std::cmp::Ordering;

use super::accumulator::{Accumulator, ByAgency};
use super::combine::OverTime;
use crate::catalogue::AgencyIx;
use crate::model::period::Period;

/// How an agency's figure for an area and a period comes about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Derivation {
    /// It was submitted for the area and the period themselves.
    Submitted,
    /// It is built from the figures of the period's subperiods.
    OverTime,
    /// It is built from the figures of the areas directly below.
    OverAreas,
    /// A marker was submitted in its place.
    Marked,
    /// Nothing was submitted that it could be taken from.
    Nothing,
}

/// The agencies' figures for an area and a period, by each way to derive them.
pub(super) struct Candidates {
    pub(super) rule: OverTime,
    /// Whether the hierarchy changes within the period, so that each part of it is to be rolled up as it was.
    pub(super) is_time_first: bool,
    /// Figures, or else markers, submitted for the area and the period themselves.
    pub(super) submitted: ByAgency,
    pub(super) over_time: ByAgency,
    pub(super) over_areas: ByAgency,
}

impl Candidates {
    /// The agencies that anything is known of, some of them more than once.
    pub(super) fn agencies(&self) -> impl Iterator<Item = AgencyIx> {
        self.submitted.agencies().chain(self.over_time.agencies()).chain(self.over_areas.agencies())
    }

    /// How an agency's figure comes about: which of the candidates it is.
    pub(super) fn derivation(&self, agency: AgencyIx) -> Derivation {
        let submitted = self.submitted.get(agency);
        let built = match (self.over_time.get(agency), self.over_areas.get(agency)) {
            (Some(over_time), Some(over_areas)) if self.prefers(over_areas, over_time) => {
                Some((Derivation::OverAreas, over_areas))
            }
            (Some(over_time), _) => Some((Derivation::OverTime, over_time)),
            (None, over_areas) => over_areas.map(|over_areas| (Derivation::OverAreas, over_areas)),
        };
        match (submitted, built) {
            (Some(submitted), _) if submitted.has_figure() => Derivation::Submitted,
            // What is built of nothing but markers is no figure: a marker of the area's and the period's own
            // says more.
            (marked, Some((derivation, built))) if built.has_figure() || marked.is_none() => derivation,
            (Some(_), _) => Derivation::Marked,
            (None, _) => Derivation::Nothing,
        }
    }

    /// Whether the figure built over areas is taken rather than the one built over time.
    fn prefers(&self, over_areas: &Accumulator, over_time: &Accumulator) -> bool {
        if self.is_time_first {
            return over_areas.has_figure() && !over_time.has_figure();
        }
        is_better(over_areas, over_time, self.rule)
    }

    /// Takes an agency's figure out.
    pub(super) fn take(&mut self, agency: AgencyIx) -> Accumulator {
        match self.derivation(agency) {
            Derivation::Submitted | Derivation::Marked => std::mem::take(self.submitted.entry(agency)),
            Derivation::OverTime => std::mem::take(self.over_time.entry(agency)),
            Derivation::OverAreas => std::mem::take(self.over_areas.entry(agency)),
            Derivation::Nothing => Accumulator::default(),
        }
    }
}

/// Whether a figure built over areas is taken rather than the one built over time: it is a figure and
/// the other isn't; or else it misses a smaller share of its reports; or else it is a stock, and none was
/// submitted for the very area; or, for a kind that adds, it rests on fewer submitted figures.
fn is_better(over_areas: &Accumulator, over_time: &Accumulator, rule: OverTime) -> bool {
    match (over_areas.has_figure(), over_time.has_figure()) {
        (true, true) | (false, false) => match over_areas.coverage.compare_share(over_time.coverage) {
            Ordering::Equal if rule == OverTime::Last => !over_time.is_own,
            Ordering::Equal => over_areas.submitted < over_time.submitted,
            unequal @ (Ordering::Less | Ordering::Greater) => unequal.is_gt(),
        },
        (has_figure, _) => has_figure,
    }
}

/// Of a stock's figures of consecutive periods, the one that is the stock of all of them: the last, a
/// marker only when there is none.
pub(super) fn last_known<'f, I>(figures: I) -> Option<(Period, &'f Accumulator)>
where
    I: DoubleEndedIterator<Item = (Period, &'f Accumulator)> + Clone,
{
    let mut latest = figures.rev();
    latest.clone().find(|(_, figure)| figure.has_figure()).or_else(|| latest.next())
}
