//! Figures on their way into the columns, many submissions' at a time: each slab is then merged once.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use super::{Columns, NewRow, Outcome, Row, lock};
use crate::catalogue::{Catalogue, IndicatorIx};
use crate::model::observations::Hashing;
use crate::model::period::Period;

/// Rows that aren't in the columns yet, in the order in which they came.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// Each with the slab that it goes into, by its index among these.
    rows: Vec<(Row, u32)>,
    /// By first use.
    slabs: Vec<PendingSlab>,
    index: HashMap<(IndicatorIx, Period), u32, Hashing>,
}

/// A slab that rows go into.
#[derive(Debug)]
struct PendingSlab {
    indicator: IndicatorIx,
    period: Period,
    rows: usize,
}

/// What goes into a slab.
struct Merge {
    indicator: IndicatorIx,
    period: Period,
    /// Where its lines are.
    lines: Range<usize>,
}

impl Pending {
    /// Adds figures, each to the slab of an indicator and a [storage key](Period::storage_key). None is older than what
    /// was added before.
    pub(crate) fn add(&mut self, figures: impl IntoIterator<Item = ((IndicatorIx, Period), Row)>) {
        let figures = figures.into_iter();
        self.rows.reserve(figures.size_hint().0);
        // Senders mostly have the figures of a slab one after the other: it is looked up once for those.
        let mut last = None;
        for (slab, row) in figures {
            let at = match last {
                Some((known, at)) if known == slab => at,
                Some(_) | None => self.slab(slab),
            };
            last = Some((slab, at));
            self.slabs[at as usize].rows += 1;
            self.rows.push((row, at));
        }
    }

    /// The index of a slab, given to it now when it has none.
    fn slab(&mut self, (indicator, period): (IndicatorIx, Period)) -> u32 {
        let next = u32::try_from(self.slabs.len()).expect("there are fewer slabs than rows, and those are bounded");
        let at = *self.index.entry((indicator, period)).or_insert(next);
        if at == next {
            self.slabs.push(PendingSlab { indicator, period, rows: 0 });
        }
        at
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The lines by slab, in order within each; and for each slab where they are.
    fn merges(&self) -> (Vec<u32>, Vec<Merge>) {
        let mut end = 0;
        let merges = self.slabs.iter().map(|&PendingSlab { indicator, period, rows }| {
            let start = end;
            end += rows;
            Merge { indicator, period, lines: start..end }
        });
        let merges: Vec<Merge> = merges.collect();
        let mut next: Vec<usize> = merges.iter().map(|merge| merge.lines.start).collect();
        let mut lines = vec![0; self.rows.len()];
        for ((_, slab), line) in self.rows.iter().zip(0..) {
            let next = &mut next[*slab as usize];
            lines[*next] = line;
            *next += 1;
        }
        (lines, merges)
    }
}

impl Columns {
    /// Sets all figures that are pending, and says what each did, in the order in which they were added.
    pub(crate) fn put_pending(&mut self, pending: &Pending, catalogue: &Catalogue) -> Vec<Outcome> {
        let mut outcomes = vec![Outcome::New { withdrawn: None }; pending.len()];
        let (lines, merges) = pending.merges();
        self.reach(&merges);
        for merges in merges.chunk_by(is_of_same_indicator) {
            self.merge(&pending.rows, &lines, merges, catalogue, &mut |line, outcome| {
                outcomes[line as usize] = outcome;
            });
        }
        outcomes
    }

    /// Sets all figures that are pending, on all of the machine's cores.
    pub(crate) fn put_many_pending(&mut self, pending: &Pending, catalogue: &Catalogue) {
        let (lines, mut merges) = pending.merges();
        self.reach(&merges);
        merges.sort_unstable_by_key(|merge| (merge.indicator, merge.period));
        let of_indicators = Mutex::new(merges.chunk_by(is_of_same_indicator));
        let next = || of_indicators.lock().unwrap_or_else(PoisonError::into_inner).next();
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some(merges) = next() {
                        self.merge(&pending.rows, &lines, merges, catalogue, &mut |_, _| ());
                    }
                });
            }
        });
    }

    /// Makes room for the indicators.
    fn reach(&self, merges: &[Merge]) {
        if let Some(last) = merges.iter().map(|merge| merge.indicator).max() {
            self.shared.reach(last);
        }
    }

    /// Merges what goes into one indicator's slabs.
    fn merge(
        &self,
        rows: &[(Row, u32)],
        lines: &[u32],
        merges: &[Merge],
        catalogue: &Catalogue,
        did: &mut impl FnMut(u32, Outcome),
    ) {
        let indicators = self.shared.indicators();
        let mut indicator = lock(&indicators[merges[0].indicator.0 as usize]);
        let mut of_slab = Vec::new();
        for merge in merges {
            let of_line = |line: &u32| NewRow { row: rows[*line as usize].0, line: *line };
            of_slab.clear();
            of_slab.extend(lines[merge.lines.clone()].iter().map(of_line));
            // Stable: those of one key are by revision already.
            of_slab.sort_by_key(|new| new.row.key);
            indicator.put(merge.period, &of_slab, catalogue, did);
        }
    }
}

fn is_of_same_indicator(one: &Merge, other: &Merge) -> bool {
    one.indicator == other.indicator
}
