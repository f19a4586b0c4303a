//! Rows in columns: a number of each in one place, by key.

use std::ops::Range;

use super::row::{Flags, Revision32, Row, RowKey};

/// The newest rows: each column as long as the others, by key.
#[derive(Debug, Clone, Default)]
pub(super) struct Cells {
    pub(super) keys: Vec<RowKey>,
    firsts: Vec<i64>,
    /// Empty while no row has a second number.
    seconds: Vec<i64>,
    flags: Vec<Flags>,
    since: Vec<Revision32>,
}

impl Cells {
    #[inline]
    pub(super) fn row(&self, at: usize) -> Row {
        Row {
            key: self.keys[at],
            first: self.firsts[at],
            second: self.seconds.get(at).copied().unwrap_or_default(),
            flags: self.flags[at],
            since: self.since[at],
        }
    }

    pub(super) fn set(&mut self, at: usize, row: Row) {
        self.keys[at] = row.key;
        self.firsts[at] = row.first;
        if let Some(second) = self.seconds.get_mut(at) {
            *second = row.second;
        }
        self.flags[at] = row.flags;
        self.since[at] = row.since;
    }

    /// Lengthens the columns by so many cells, whose content is of no meaning yet. `has_seconds` says whether some of them
    /// have a second number.
    pub(super) fn lengthen(&mut self, count: usize, has_seconds: bool) {
        let len = self.keys.len() + count;
        lengthen(&mut self.keys, len, RowKey::ZERO);
        lengthen(&mut self.firsts, len, 0);
        if has_seconds || !self.seconds.is_empty() {
            lengthen(&mut self.seconds, len, 0);
        }
        lengthen(&mut self.flags, len, Flags::WITHDRAWN);
        lengthen(&mut self.since, len, 0);
    }

    pub(super) fn copy_within(&mut self, from: Range<usize>, to: usize) {
        if from.start == to || from.is_empty() {
            return;
        }
        self.keys.copy_within(from.clone(), to);
        self.firsts.copy_within(from.clone(), to);
        if !self.seconds.is_empty() {
            self.seconds.copy_within(from.clone(), to);
        }
        self.flags.copy_within(from.clone(), to);
        self.since.copy_within(from, to);
    }
}

/// The cells that a column grows by at the least: moving it takes more than so many cells do.
const ROOM_MIN: usize = 8;

/// Lengthens a column. It grows by an eighth at least, so that a slab of one figure after the other is moved seldom
/// and has little room to spare.
fn lengthen<T: Copy>(column: &mut Vec<T>, len: usize, filler: T) {
    if len > column.capacity() {
        column.reserve_exact((len - column.len()).max(column.len() / 8).max(ROOM_MIN));
    }
    column.resize(len, filler);
}
