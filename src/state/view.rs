//! A view: the state at one revision, on one day, with the hierarchy to add up areas by.

use imbl::Vector;

use super::State;
use super::columns::Columns;
use crate::catalogue::{AreaIx, Catalogue, Hierarchy};
use crate::model::budget::{Budget, Stopped};
use crate::model::date::Date;
use crate::model::period::Period;
use crate::model::revision::Revision;
use crate::model::timestamp::Timestamp;
use crate::model::zone::Zone;

/// What a query is answered from: figures and definitions as of one revision, on one day.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The catalogue as of the revision.
    pub catalogue: &'a Catalogue,
    /// The figures, of every revision.
    pub columns: &'a Columns,
    /// The revision.
    pub as_of: Revision,
    /// When each revision was accepted, by revision less one.
    times: &'a Vector<Timestamp>,
    /// The time zone of days.
    zone: &'a Zone,
    /// The day that lateness is judged on.
    pub today: Date,
    /// Which hierarchy areas are rolled up by.
    pub areas: AreasAsOf,
    /// The work that an answer may take; none for as much as it takes.
    budget: Option<&'a Budget>,
}

/// Which hierarchy areas are rolled up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AreasAsOf {
    /// That of each period's last day.
    #[default]
    Then,
    /// Today's, for every period.
    Now,
    /// That of this day, for every period.
    On(Date),
}

impl State {
    /// The view as of a revision, with the catalogue of that revision, on a day in a time zone.
    pub fn view<'a>(
        &'a self,
        catalogue: &'a Catalogue,
        as_of: Revision,
        zone: &'a Zone,
        today: Date,
        areas: AreasAsOf,
    ) -> View<'a> {
        View { catalogue, columns: &self.columns, as_of, times: &self.times, zone, today, areas, budget: None }
    }
}

impl<'a> View<'a> {
    /// The same, for an answer that may take so much work.
    pub(crate) fn within(self, budget: &'a Budget) -> Self {
        Self { budget: Some(budget), ..self }
    }

    /// Takes steps of the work that the answer may take. On an error the loop that asked ends: what it has by then
    /// is no answer, and isn't used as one.
    pub(crate) fn spend(&self, steps: usize) -> Result<(), Stopped> {
        self.budget.map_or(Ok(()), |budget| budget.spend(steps))
    }

    /// Stops at once when the answer will take more steps than it may.
    pub(crate) fn foresee(&self, steps: u64) -> Result<(), Stopped> {
        self.budget.map_or(Ok(()), |budget| budget.foresee(steps))
    }

    /// The day whose hierarchy a period is rolled up by.
    pub(crate) fn hierarchy_day(&self, period: Period) -> Date {
        match self.areas {
            AreasAsOf::Then => period.end(),
            AreasAsOf::Now => self.today,
            AreasAsOf::On(day) => day,
        }
    }

    /// The hierarchy that a period is rolled up by.
    pub(crate) fn hierarchy(&self, period: Period) -> &'a Hierarchy {
        self.catalogue.hierarchy(self.hierarchy_day(period))
    }

    /// The areas directly below an area that are of a period, or have one within them that is.
    pub(crate) fn parts(self, area: AreaIx, period: Period) -> impl Iterator<Item = AreaIx> + use<'a> {
        let (catalogue, hierarchy, day) = (self.catalogue, self.hierarchy(period), period.end());
        hierarchy.children(area).filter(move |child| catalogue.any_exists_on(hierarchy.within(*child), day))
    }

    /// Whether a period is rolled up by the hierarchy of its own last day.
    pub(crate) fn has_own_hierarchy(&self, period: Period) -> bool {
        self.areas == AreasAsOf::Then || std::ptr::eq(self.hierarchy(period), self.catalogue.hierarchy(period.end()))
    }

    /// Whether the hierarchy that periods are rolled up by changes after a period's first day and by its last.
    pub(crate) fn hierarchy_changes_within(&self, period: Period) -> bool {
        match self.areas {
            AreasAsOf::Then => {
                let on = |day| self.catalogue.hierarchy(day);
                !std::ptr::eq(on(period.start()), on(period.end()))
            }
            AreasAsOf::Now | AreasAsOf::On(_) => false,
        }
    }

    /// When a revision was accepted.
    pub(crate) fn accepted_at(&self, revision: Revision) -> Option<Timestamp> {
        super::accepted_at(self.times, revision)
    }

    /// The newest revision that was accepted by the end of a day; 0 when none was.
    pub(crate) fn revision_on(&self, day: Date) -> Revision {
        const MICROS_A_DAY: i64 = 86_400_000_000;
        // No zone is two days from universal time, so that it decides only about instants near the day.
        Revision(super::count_of_first(self.times, |at| match at.0.div_euclid(MICROS_A_DAY) - i64::from(day.days()) {
            ..-2 => true,
            3.. => false,
            -2..=2 => self.zone.date(at) <= day,
        }))
    }

    /// The day of an instant.
    pub(crate) fn date(&self, at: Timestamp) -> Date {
        self.zone.date(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Actor;
    use crate::catalogue::CataloguePut;
    use crate::entry::{Body, Entry};
    use crate::state::Fold;

    #[test]
    fn a_days_revision_is_the_newest_by_its_end_in_the_zone() {
        const HOUR_MICROS: i64 = 3_600_000_000;
        let mut fold = Fold::default();
        // 2026-06-30T22:30:00Z, and every two hours after that: half past eleven in London, then half past one.
        for count in 0..40 {
            let at = Timestamp(1_782_858_600_000_000 + count * 2 * HOUR_MICROS);
            let put = CataloguePut::default();
            fold.apply(&Entry { at, actor: Actor::default(), body: Body::CataloguePut(put) });
        }
        let (state, zone, today) = (fold.state(), Zone::default(), "2026-07-10".parse().unwrap());
        let view = state.view(state.catalogue(), state.revision(), &zone, today, AreasAsOf::Then);
        for (day, revision) in
            [("2026-06-29", 0), ("2026-06-30", 1), ("2026-07-01", 13), ("2026-07-02", 25), ("2026-07-09", 40)]
        {
            assert_eq!(view.revision_on(day.parse().unwrap()), Revision(revision), "{day}");
        }
    }
}
