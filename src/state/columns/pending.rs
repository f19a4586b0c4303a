//! Figures on their way into the columns, many submissions' at a time: each slab is then merged once.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::{Columns, Row, SlabRow, lock};
use crate::catalogue::{Catalogue, IndicatorIx};
use crate::model::observations::Hashing;
use crate::model::period::Period;

/// So many rows are worth the start of threads.
const ROWS_PARALLEL_MIN: usize = 50_000;

/// Rows that aren't in the columns yet, by slab, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    slabs: HashMap<(IndicatorIx, Period), Vec<Row>, Hashing>,
    rows: usize,
}

/// What goes into a slab.
type Merge = ((IndicatorIx, Period), Vec<Row>);

impl Pending {
    /// Adds figures. None is older than what was added before.
    pub(crate) fn add(&mut self, figures: impl IntoIterator<Item = SlabRow>) {
        let slab_of = |figure: &SlabRow| (figure.indicator, figure.period);
        let mut figures = figures.into_iter().peekable();
        while let Some(first) = figures.next() {
            // Senders mostly have the figures of a slab one after the other: it is looked up once for those.
            let slab = self.slabs.entry(slab_of(&first)).or_default();
            let before = slab.len();
            slab.push(first.row);
            while let Some(next) = figures.next_if(|next| slab_of(next) == slab_of(&first)) {
                slab.push(next.row);
            }
            self.rows += slab.len() - before;
        }
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    /// Whether there is no row.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows == 0
    }
}

impl Columns {
    /// Sets all figures that are pending; on all of the machine's cores, where there are many.
    pub(crate) fn put_pending(&mut self, pending: Pending, catalogue: &Catalogue) {
        let is_parallel = pending.rows >= ROWS_PARALLEL_MIN;
        let mut merges: Vec<Merge> = pending.slabs.into_iter().collect();
        merges.sort_unstable_by_key(|(slab, _)| *slab);
        if let Some(((last, _), _)) = merges.last() {
            self.shared.reach(*last);
        }
        let of_indicators = merges.chunk_by_mut(|((one, _), _), ((other, _), _)| one == other);
        if !is_parallel {
            of_indicators.for_each(|merges| self.merge(merges, catalogue));
            return;
        }
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let of_indicators = Mutex::new(of_indicators);
        let next = || of_indicators.lock().unwrap_or_else(PoisonError::into_inner).next();
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(merges) = next() {
                        self.merge(merges, catalogue);
                    }
                });
            }
        });
    }

    /// Merges what goes into one indicator's slabs.
    fn merge(&self, merges: &mut [Merge], catalogue: &Catalogue) {
        let indicators = self.shared.indicators();
        let mut indicator = lock(&indicators[merges[0].0.0.0 as usize]);
        for ((_, period), rows) in merges {
            rows.sort_unstable_by_key(|row| (row.key, row.since));
            indicator.put(*period, rows, catalogue);
        }
    }
}
