//! Which agencies report for what lies within an area, where many areas are asked about. Of an agency that reports
//! for nothing there nothing needs to be looked up: mostly there are many agencies, and each area is few's.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use crate::catalogue::{AgencyIx, AreaIx, Hierarchy};
use crate::state::view::View;

/// Who reports where, by each hierarchy that was asked about often enough.
pub(super) struct Reporters<'a> {
    view: View<'a>,
    /// How many pairs of an area and an agency were asked about without.
    asked: Cell<usize>,
    /// How many pairs of an area and an agency that reports for it there are.
    reported: OnceCell<usize>,
    known: RefCell<Vec<(&'a Hierarchy, ByPosition)>>,
}

/// Where an area is in a hierarchy, and an agency that reports for it.
type Reported = (u32, AgencyIx);
/// All of them, by position.
type ByPosition = Rc<[Reported]>;

impl<'a> Reporters<'a> {
    pub(super) fn new(view: View<'a>) -> Self {
        Self { view, asked: Cell::new(0), reported: OnceCell::new(), known: RefCell::default() }
    }

    /// The agencies that report for an area or for one within it, ascending, where it is known and they are fewer
    /// than `all`.
    pub(super) fn within(&self, hierarchy: &'a Hierarchy, area: AreaIx, all: usize) -> Option<Vec<AgencyIx>> {
        if all == 0 {
            return None;
        }
        let reported = self.by_position(hierarchy, all)?;
        let span = hierarchy.span(area);
        let first = reported.partition_point(|(position, _)| *position < span.start);
        let inside =
            reported[first..].iter().take_while(|(position, _)| *position < span.end).map(|(_, agency)| *agency);
        let mut agencies: Vec<AgencyIx> = inside.take(all).collect();
        if agencies.len() == all {
            return None;
        }
        agencies.sort_unstable();
        agencies.dedup();
        Some(agencies)
    }

    /// Who reports where, by position. It is put together once as many pairs were asked about as it has, so that
    /// it never takes more than what it saves.
    fn by_position(&self, hierarchy: &'a Hierarchy, all: usize) -> Option<ByPosition> {
        if let Some((_, known)) = self.known.borrow().iter().find(|(of, _)| std::ptr::eq(*of, hierarchy)) {
            return Some(Rc::clone(known));
        }
        let catalogue = self.view.catalogue;
        let agencies = || (0..).map(AgencyIx).take(catalogue.agency_count());
        self.asked.set(self.asked.get() + all);
        let count = || agencies().map(|agency| catalogue.reports_for(agency).len()).sum();
        if self.asked.get() <= *self.reported.get_or_init(count) {
            return None;
        }
        self.asked.set(0);
        let of_agency =
            |agency| catalogue.reports_for(agency).iter().map(move |area| (hierarchy.position(*area), agency));
        let mut reported: Vec<Reported> = agencies().flat_map(of_agency).collect();
        reported.sort_unstable();
        let reported: ByPosition = reported.into();
        self.known.borrow_mut().push((hierarchy, Rc::clone(&reported)));
        Some(reported)
    }
}
