//! Which way a figure is taken, by the rules of [`super::resolve`].

use std::cmp::Ordering;

use super::accumulator::{Accumulator, ByAgency};
use super::combine::OverTime;
use crate::catalogue::AgencyIx;
use crate::model::period::Period;

/// The way that an agency's figure for an area and a period is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// It was submitted for the area and the period themselves.
    Submitted,
    /// It is built from the figures of the period's subperiods.
    OverTime,
    /// It is built from the figures of the areas directly below.
    OverAreas,
    /// A marker was submitted in its place.
    Marked,
    /// Nothing is known that it could be taken from.
    Nothing,
}

/// What the agencies' figures for an area and a period are by each way.
pub(super) struct Ways {
    pub(super) rule: OverTime,
    /// Figures, or else markers, submitted for the area and the period themselves.
    pub(super) submitted: ByAgency,
    pub(super) over_time: ByAgency,
    pub(super) over_areas: ByAgency,
}

impl Ways {
    /// The agencies that anything is known of, some of them more than once.
    pub(super) fn agencies(&self) -> impl Iterator<Item = AgencyIx> {
        self.submitted.agencies().chain(self.over_time.agencies()).chain(self.over_areas.agencies())
    }

    /// The way that an agency's figure is taken.
    pub(super) fn of(&self, agency: AgencyIx) -> Way {
        let submitted = self.submitted.get(agency);
        let built = match (self.over_time.get(agency), self.over_areas.get(agency)) {
            (Some(over_time), Some(over_areas)) if is_better(over_areas, over_time, self.rule) => {
                Some((Way::OverAreas, over_areas))
            }
            (Some(over_time), _) => Some((Way::OverTime, over_time)),
            (None, over_areas) => over_areas.map(|over_areas| (Way::OverAreas, over_areas)),
        };
        match (submitted, built) {
            (Some(submitted), _) if submitted.has_figure() => Way::Submitted,
            // What is built of nothing but markers is no figure: a marker of the area's and the period's own
            // says more.
            (marked, Some((way, built))) if built.has_figure() || marked.is_none() => way,
            (Some(_), _) => Way::Marked,
            (None, _) => Way::Nothing,
        }
    }

    /// Takes an agency's figure out, by its way.
    pub(super) fn take(&mut self, agency: AgencyIx) -> Accumulator {
        match self.of(agency) {
            Way::Submitted | Way::Marked => std::mem::take(self.submitted.entry(agency)),
            Way::OverTime => std::mem::take(self.over_time.entry(agency)),
            Way::OverAreas => std::mem::take(self.over_areas.entry(agency)),
            Way::Nothing => Accumulator::default(),
        }
    }
}

/// Whether a figure built over areas is taken rather than the one built over time: it is a figure and
/// the other isn't; or else it misses a smaller share of its reports; or else, for a kind that adds, it
/// rests on fewer submitted figures.
fn is_better(over_areas: &Accumulator, over_time: &Accumulator, rule: OverTime) -> bool {
    match (over_areas.has_figure(), over_time.has_figure()) {
        (true, true) | (false, false) => match over_areas.slots.compare_share(over_time.slots) {
            Ordering::Equal => rule == OverTime::Last || over_areas.submitted < over_time.submitted,
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
