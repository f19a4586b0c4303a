//! What is passed over to add figures up: the periods, and the rows of each of their slots. See [`super::sums`].

use std::ops::Range;
use std::rc::Rc;

use super::expected::{Expected, ExpectedPeriod};
use super::submitted::Submitted;
use crate::catalogue::{AgencyIx, AreaIx};
use crate::model::period::Period;
use crate::model::revision::Revision;
use crate::state::columns::{Row, RowKey, Slab};
use crate::state::view::View;

/// What is asked about.
#[derive(Clone, Copy)]
pub(super) struct Asked<'s, 'a> {
    pub(super) view: View<'a>,
    pub(super) submitted: &'s Submitted<'a>,
    pub(super) expected: &'s Expected<'a>,
    pub(super) areas: &'s [AreaIx],
}

/// A period of those that are added.
pub(super) struct Step<'a> {
    pub(super) period: Period,
    /// The periods at the indicator's frequency that it is made of.
    pub(super) slots: Rc<[ExpectedPeriod<'a>]>,
    /// The areas, by their index, whose figures for it were found by the rules.
    pub(super) by_rules: Vec<u32>,
}

/// One slot's period, whose rows are passed over.
pub(super) struct Pass<'p, 'a> {
    /// The slots of its period, and which of them it is.
    pub(super) slots: &'p [ExpectedPeriod<'a>],
    pub(super) nth: usize,
    /// What they were submitted for: of a stock another name of the slot's last day may be.
    pub(super) name: Period,
    slab: &'p Slab,
    /// [`Submitted::unfinished`].
    pub(super) unfinished: Revision,
    /// [`Submitted::may_overlap`].
    pub(super) may_overlap: bool,
    /// Whether every agency that reports is a volunteer.
    pub(super) expects_nobody: bool,
}

impl<'p, 'a> Pass<'p, 'a> {
    /// None where there are no rows.
    pub(super) fn over(
        asked: Asked<'p, 'a>,
        slots: &'p [ExpectedPeriod<'a>],
        nth: usize,
        name: Period,
    ) -> Option<Self> {
        let slot = &slots[nth];
        let slab = asked.submitted.slab(name)?;
        let unfinished = asked.submitted.unfinished(name);
        let may_overlap = asked.submitted.may_overlap(slot.period);
        let expects_nobody = slot.agencies.is_empty() && asked.expected.names_nobody();
        Some(Self { slots, nth, name, slab, unfinished, may_overlap, expects_nobody })
    }

    pub(super) fn slot(&self) -> &'p ExpectedPeriod<'a> {
        &self.slots[self.nth]
    }

    /// The rows in a place, of the agencies that are asked for.
    #[inline]
    pub(super) fn rows(&self, asked: Asked<'p, 'a>, range: &Range<usize>) -> impl Iterator<Item = Row> {
        let rows = self.slab.standing(range.clone(), asked.view.as_of);
        rows.filter(move |row| asked.submitted.asks_for(row.key.agency()))
    }

    /// Whether an agency has a row of an area.
    pub(super) fn has(&self, asked: Asked<'_, '_>, agency: AgencyIx, area: AreaIx) -> bool {
        let row = |breakdown| self.slab.row(RowKey::new(area, breakdown, agency), asked.view.as_of);
        asked.submitted.breakdown().and_then(row).is_some_and(|row| row.value().is_some())
    }

    /// For a figure to date, the revision at which it was accepted. Its only slot is the period, which wasn't over.
    pub(super) fn to_date(&self, row: &Row) -> Option<Revision> {
        let is_to_date =
            self.unfinished > Revision(0) && row.fills_slot() && self.slab.is_of_submission_by(row, self.unfinished);
        is_to_date.then(|| self.slab.source(row))
    }
}
