//! Figures on their way into the columns, many submissions' at a time: each slab is then merged once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::{Columns, NewRow, Outcome, Row, lock};
use crate::catalogue::{Catalogue, IndicatorIx};
use crate::model::observations::Hashing;
use crate::model::period::Period;

/// Rows that aren't in the columns yet, by slab, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    slabs: HashMap<(IndicatorIx, Period), Vec<NewRow>, Hashing>,
    rows: u32,
}

/// What goes into a slab.
type Merge = ((IndicatorIx, Period), Vec<NewRow>);

impl Pending {
    /// Adds figures, each to the slab of an indicator and a [storage key](Period::storage_key). None is older than what
    /// was added before.
    pub(crate) fn add(&mut self, figures: impl IntoIterator<Item = ((IndicatorIx, Period), Row)>) {
        let mut figures = figures.into_iter().peekable();
        while let Some((slab, row)) = figures.next() {
            // Senders mostly have the figures of a slab one after the other: it is looked up once for those.
            let rows = self.slabs.entry(slab).or_default();
            let mut next = Some((slab, row));
            while let Some((_, row)) = next {
                rows.push(NewRow { row, line: self.rows });
                self.rows += 1;
                next = figures.next_if(|(next, _)| *next == slab);
            }
        }
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.rows as usize
    }
}

impl Columns {
    /// Sets all figures that are pending, and says what each did, in the order in which they were added.
    pub(crate) fn put_pending(&mut self, pending: Pending, catalogue: &Catalogue) -> Vec<Outcome> {
        let mut outcomes = vec![Outcome::New { withdrawn: None }; pending.len()];
        let mut merges = self.merges(pending);
        for merges in merges.chunk_by_mut(is_of_same_indicator) {
            self.merge(merges, catalogue, &mut |line, outcome| outcomes[line as usize] = outcome);
        }
        outcomes
    }

    /// Sets all figures that are pending, on all of the machine's cores.
    pub(crate) fn put_many_pending(&mut self, pending: Pending, catalogue: &Catalogue) {
        let mut merges = self.merges(pending);
        let of_indicators = Mutex::new(merges.chunk_by_mut(is_of_same_indicator));
        let next = || of_indicators.lock().unwrap_or_else(PoisonError::into_inner).next();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(merges) = next() {
                        self.merge(merges, catalogue, &mut |_, _| ());
                    }
                });
            }
        });
    }

    /// What goes into each slab, by indicator and period.
    fn merges(&self, pending: Pending) -> Vec<Merge> {
        let mut merges: Vec<Merge> = pending.slabs.into_iter().collect();
        merges.sort_unstable_by_key(|(slab, _)| *slab);
        if let Some(((last, _), _)) = merges.last() {
            self.shared.reach(*last);
        }
        merges
    }

    /// Merges what goes into one indicator's slabs.
    fn merge(&self, merges: &mut [Merge], catalogue: &Catalogue, did: &mut impl FnMut(u32, Outcome)) {
        let indicators = self.shared.indicators();
        let ((IndicatorIx(ix), _), _) = merges[0];
        let mut indicator = lock(&indicators[ix as usize]);
        for ((_, period), rows) in merges {
            // Stable: those of one key are by revision already.
            rows.sort_by_key(|new| new.row.key);
            indicator.put(*period, rows, catalogue, did);
        }
    }
}

fn is_of_same_indicator(((one, _), _): &Merge, ((other, _), _): &Merge) -> bool {
    one == other
}
