//! Figures on their way into the columns, many submissions' at a time: each slab is then merged once.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Columns, Row, Slab, SlabRow};
use crate::catalogue::{Catalogue, IndicatorIx};
use crate::model::observations::Hashing;
use crate::model::period::Period;

/// Rows that aren't in the columns yet, by slab, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    slabs: HashMap<(IndicatorIx, Period), Vec<Row>, Hashing>,
    rows: usize,
}

/// A slab, and what goes into it.
struct Merge {
    indicator: IndicatorIx,
    period: Period,
    slab: Arc<Slab>,
    rows: Vec<Row>,
}

impl Pending {
    /// Adds figures. None is older than what was added before.
    pub(crate) fn add(&mut self, figures: &[SlabRow]) {
        for figures in figures.chunk_by(|one, other| (one.indicator, one.period) == (other.indicator, other.period)) {
            let slab = self.slabs.entry((figures[0].indicator, figures[0].period)).or_default();
            slab.extend(figures.iter().map(|figure| figure.row));
        }
        self.rows += figures.len();
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
    /// Sets all figures that are pending, on all of the machine's cores.
    pub(crate) fn put_pending(&mut self, pending: Pending, catalogue: &Catalogue) {
        let mut slabs: Vec<_> = pending.slabs.into_iter().collect();
        slabs.sort_unstable_by_key(|(slab, _)| *slab);
        let merge = |((indicator, period), rows)| {
            let slab = self.slabs(indicator).and_then(|slabs| slabs.get(&period).cloned()).unwrap_or_default();
            Merge { indicator, period, slab, rows }
        };
        let mut merges: Vec<Merge> = slabs.into_iter().map(merge).collect();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = merges.len().div_ceil(threads).max(1);
        std::thread::scope(|scope| {
            for merges in merges.chunks_mut(share) {
                scope.spawn(|| merges.iter_mut().for_each(Merge::run));
            }
        });
        for Merge { indicator, period, slab, rows } in merges {
            let indicator = self.indicator_mut(indicator);
            indicator.slabs.insert(period, slab);
            indicator.cover(&rows, catalogue);
        }
    }
}

impl Merge {
    fn run(&mut self) {
        self.rows.sort_unstable_by_key(|row| (row.key, row.since));
        Arc::make_mut(&mut self.slab).put(&self.rows);
    }
}
