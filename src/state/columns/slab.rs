//! The figures of one indicator and one period, a column for each field.

use std::ops::Range;

use imbl::{OrdMap, OrdSet};

use super::cells::Cells;
use super::row::{Revision32, Row, RowKey, narrow, widen};
use super::{BreakdownIx, NewRow, Outcome, Withdrawn};
use crate::catalogue::AreaIx;
use crate::model::revision::Revision;

/// The figures of one indicator and one period.
///
/// The newest row of each figure lies in columns, by key; what isn't the newest is kept aside, so
/// that it costs the newest nothing. 24 bytes a figure, 32 with a denominator.
#[derive(Debug, Clone, Default)]
pub struct Slab {
    newest: Cells,
    past: Past,
    /// The newest revision that changed a figure of it.
    changed: Revision32,
    /// Whether a figure of it has or had the marker of a break.
    has_break: bool,
}

/// What isn't the newest.
#[derive(Debug, Clone, Default)]
struct Past {
    /// What newer rows replaced.
    replaced: PastRows,
    /// Rows that said what was already so: they decide nothing until the submission that said it
    /// first is withdrawn.
    confirmed: PastRows,
    /// For each row that a withdrawal brought back, the revision of the submission that it is of.
    restored: OrdMap<(RowKey, Revision32), Revision32>,
}

/// Rows that aren't the newest.
#[derive(Debug, Clone, Default)]
struct PastRows(OrdSet<Row>);

impl PastRows {
    fn add(&mut self, row: Row) {
        self.0.insert(row);
    }

    fn extend(&mut self, row: Option<Row>) {
        self.0.extend(row);
    }

    /// The row of a figure as of a revision.
    fn row(&self, key: RowKey, as_of: Revision32) -> Option<&Row> {
        self.0.get_prev(&Row::last_of(key, as_of)).filter(|row| row.key == key)
    }

    /// The rows of a figure, the oldest first.
    fn rows(&self, key: RowKey) -> impl Iterator<Item = Row> {
        self.0.range(Row::last_of(key, 0)..=Row::last_of(key, Revision32::MAX)).copied()
    }
}

impl Slab {
    /// How many figures there are, withdrawn ones too.
    pub(crate) fn len(&self) -> usize {
        self.newest.keys.len()
    }

    /// The newest row of a figure.
    fn newest(&self, key: RowKey) -> Option<Row> {
        self.newest.keys.binary_search(&key).ok().map(|at| self.newest.row(at))
    }

    /// The row of one figure as of a revision. Its value is none where it was withdrawn.
    pub(crate) fn row(&self, key: RowKey, as_of: Revision) -> Option<Row> {
        let at = self.newest.keys.binary_search(&key).ok()?;
        self.as_of(self.newest.row(at), as_of)
    }

    fn as_of(&self, newest: Row, as_of: Revision) -> Option<Row> {
        if newest.revision() <= as_of {
            return Some(newest);
        }
        self.past.replaced.row(newest.key, narrow(as_of)).copied()
    }

    /// The rows in some places as of a revision, withdrawn ones left out.
    #[inline]
    pub(crate) fn standing(&self, range: Range<usize>, as_of: Revision) -> impl Iterator<Item = Row> {
        let is_newest = self.is_newest(as_of);
        range
            .filter_map(move |at| {
                let row = self.newest.row(at);
                if is_newest { Some(row) } else { self.as_of(row, as_of) }
            })
            .filter(|row| !row.flags.is_withdrawn())
    }

    fn range(&self, from: RowKey, to: RowKey) -> Range<usize> {
        let start = self.newest.keys.partition_point(|key| *key < from);
        let end = start + self.newest.keys[start..].partition_point(|key| *key < to);
        start..end
    }

    /// Where the rows of an area and a breakdown are, by agency.
    pub(crate) fn area_range(&self, area: AreaIx, breakdown: BreakdownIx) -> Range<usize> {
        self.range(RowKey::first_of(area, breakdown), RowKey::after(area, breakdown))
    }

    /// Each area that there are rows of under a breakdown as of a revision, and where they are, by area. Of the newest
    /// these may be withdrawn ones.
    pub(crate) fn area_ranges(
        &self,
        breakdown: BreakdownIx,
        as_of: Revision,
    ) -> impl Iterator<Item = (AreaIx, Range<usize>)> {
        let all = self.range(RowKey::start_of(breakdown), RowKey::end_of(breakdown));
        let (keys, mut at, is_newest) = (&self.newest.keys[..all.end], all.start, self.is_newest(as_of));
        std::iter::from_fn(move || {
            let (area, from) = (keys.get(at)?.area(), at);
            while keys.get(at).is_some_and(|key| key.area() == area) {
                at += 1;
            }
            Some((area, from..at))
        })
        // An area of which there is nothing yet isn't in the catalogue of that revision, maybe.
        .filter(move |(_, range)| is_newest || self.may_stand(range, as_of))
    }

    /// Whether nothing has changed since a revision.
    fn is_newest(&self, as_of: Revision) -> bool {
        u64::from(self.changed) <= as_of.0
    }

    /// Whether rows in a place stand as of a revision. Of the newest they may be withdrawn.
    pub(crate) fn may_stand(&self, range: &Range<usize>, as_of: Revision) -> bool {
        if self.is_newest(as_of) { !range.is_empty() } else { self.standing(range.clone(), as_of).next().is_some() }
    }

    /// The rows of an area and a breakdown as of a revision, by agency, withdrawn ones left out.
    pub(crate) fn area_rows(&self, area: AreaIx, breakdown: BreakdownIx, as_of: Revision) -> impl Iterator<Item = Row> {
        self.standing(self.area_range(area, breakdown), as_of)
    }

    /// The rows of an area and a breakdown that are withdrawn as of a revision, by agency.
    pub(crate) fn area_withdrawn(
        &self,
        area: AreaIx,
        breakdown: BreakdownIx,
        as_of: Revision,
    ) -> impl Iterator<Item = Row> {
        let rows = self.area_range(area, breakdown).filter_map(move |at| self.as_of(self.newest.row(at), as_of));
        rows.filter(|row| row.flags.is_withdrawn())
    }

    /// The rows of a breakdown as of a revision, by area and agency, withdrawn ones left out.
    pub(crate) fn breakdown_rows(&self, breakdown: BreakdownIx, as_of: Revision) -> impl Iterator<Item = Row> {
        self.standing(self.range(RowKey::start_of(breakdown), RowKey::end_of(breakdown)), as_of)
    }

    /// How many rows of a breakdown there are, withdrawn ones too.
    pub(crate) fn breakdown_len(&self, breakdown: BreakdownIx) -> usize {
        self.range(RowKey::start_of(breakdown), RowKey::end_of(breakdown)).len()
    }

    /// Every breakdown that there is a row of, but for the total.
    pub(crate) fn breakdowns(&self) -> impl Iterator<Item = BreakdownIx> {
        let keys = &self.newest.keys;
        let mut at = keys.partition_point(|key| *key < RowKey::end_of(BreakdownIx::TOTAL));
        std::iter::from_fn(move || {
            let breakdown = keys.get(at)?.breakdown();
            at += keys[at..].partition_point(|key| *key < RowKey::end_of(breakdown));
            Some(breakdown)
        })
    }

    /// All rows as of a revision, by key, withdrawn ones left out.
    pub fn rows(&self, as_of: Revision) -> impl Iterator<Item = Row> {
        self.standing(0..self.len(), as_of)
    }

    /// Every row that a figure has had, the oldest first, withdrawn ones too.
    pub(crate) fn history(&self, key: RowKey) -> impl Iterator<Item = Row> {
        self.past.replaced.rows(key).chain(self.newest(key))
    }

    /// Whether a figure has changed after a revision.
    pub(crate) fn has_changed_since(&self, revision: Revision) -> bool {
        !self.is_newest(revision)
    }

    /// Every row with which a figure became what it wasn't, after one revision and by another, withdrawn ones too.
    pub(crate) fn changes(&self, after: Revision, by: Revision) -> impl Iterator<Item = Row> {
        let newest = if self.is_newest(after) { 0 } else { self.len() };
        let replaced = (newest > 0).then(|| self.past.replaced.0.iter().copied()).into_iter().flatten();
        let rows = (0..newest).map(|at| self.newest.row(at)).chain(replaced);
        rows.filter(move |row| after < row.revision() && row.revision() <= by && self.is_change(row))
    }

    /// The revision of the submission that a row is of: its own, unless a withdrawal restored it.
    pub(crate) fn source(&self, row: &Row) -> Revision {
        widen(self.past.restored.get(&(row.key, row.since)).copied().unwrap_or(row.since))
    }

    /// Whether the submission that a row is of was accepted by a revision.
    #[inline]
    pub(crate) fn is_of_submission_by(&self, row: &Row, revision: Revision) -> bool {
        row.revision() <= revision || (!self.past.restored.is_empty() && self.source(row) <= revision)
    }

    /// Whether a figure became what a row says with that row.
    pub(crate) fn is_change(&self, row: &Row) -> bool {
        self.past.unchanged_from(row).is_none()
    }

    /// What a row would do to the figures as of a revision.
    pub(crate) fn outcome(&self, row: &Row, as_of: Revision) -> Outcome {
        self.past.outcome(self.row(row.key, as_of).as_ref(), row)
    }

    /// Whether a figure carries, or once carried, the marker of a break.
    pub(crate) fn may_have_break(&self) -> bool {
        self.has_break
    }

    /// Sets figures, or notes that they are already so, and says what each did. The rows come by key, those of one
    /// key by revision; none is older than what is there.
    pub(super) fn put(&mut self, rows: &[NewRow], did: &mut impl FnMut(u32, Outcome)) {
        self.merge(rows, |past, known, rows| past.follow(known, rows, did));
    }

    /// Merges rows into the columns, in place and from the end, so that each cell is moved once. `follow` gives the row
    /// that a figure has after its new ones.
    fn merge(&mut self, rows: &[NewRow], mut follow: impl FnMut(&mut Past, Option<Row>, &[NewRow]) -> Row) {
        let has_seconds = rows.iter().any(|new| new.row.second != 0);
        let mut unmoved = self.len();
        self.newest.lengthen(self.count_new(rows), has_seconds);
        let mut moved = self.len();
        for rows in rows.chunk_by(|one, other| one.row.key == other.row.key).rev() {
            let key = rows[0].row.key;
            let at = self.newest.keys[..unmoved].partition_point(|known| *known < key);
            let known = self.newest.keys[..unmoved].get(at).is_some_and(|known| *known == key);
            let known = known.then(|| self.newest.row(at));
            let after = at + usize::from(known.is_some());
            moved -= unmoved - after;
            self.newest.copy_within(after..unmoved, moved);
            moved -= 1;
            self.newest.set(moved, follow(&mut self.past, known, rows));
            unmoved = at;
        }
        for NewRow { row, .. } in rows {
            self.changed = self.changed.max(row.since);
            self.has_break |= row.flags.has_break();
        }
    }

    /// How many figures among the rows aren't there yet.
    fn count_new(&self, rows: &[NewRow]) -> usize {
        let figures = rows.chunk_by(|one, other| one.row.key == other.row.key);
        figures.filter(|rows| self.newest.keys.binary_search(&rows[0].row.key).is_err()).count()
    }

    /// The figures that a submission set and that are still so.
    fn of_submission(&self, submission: Revision) -> impl Iterator<Item = Row> {
        // Where nothing has changed since before it came, there is none.
        let len = if u64::from(self.changed) < submission.0 { 0 } else { self.len() };
        (0..len)
            .map(|at| self.newest.row(at))
            .filter(move |row| row.flags.is_of_submission() && self.source(row) == submission)
    }

    /// What taking back, at a revision, what a submission set and is still so comes to. A figure goes back to what
    /// the newest submission that stands said of it, and is of the first that said so without a change since.
    pub(super) fn withdrawal(
        &self,
        submission: Revision,
        at: Revision,
        stands: &dyn Fn(Revision) -> bool,
    ) -> Withdrawal {
        let mut withdrawal = Withdrawal::default();
        for now in self.of_submission(submission) {
            let key = now.key;
            // Also what only confirmed the figure: once the submission that set it is gone, that decides.
            let mut left: Vec<(Revision, Row)> = self
                .history(key)
                .chain(self.past.confirmed.rows(key))
                .filter(|row| row.flags.is_of_submission())
                .map(|row| (self.source(&row), row))
                .filter(|(source, _)| stands(*source))
                .collect();
            left.sort_unstable_by_key(|(source, row)| (*source, row.since));
            // The first that said it decides since when it is so, as if the others had never come.
            let back = left.chunk_by(|(_, one), (_, other)| one.is_same_figure(other)).next_back();
            match back.and_then(|same| same.first().copied()) {
                // It withdrew a figure whose own submission is gone: there is nothing, as before.
                None if now.flags.is_withdrawn() => {}
                None => {
                    withdrawal.rows.push(Row::withdrawn(key, at).into());
                    withdrawal.counts.removed += 1;
                }
                Some((source, row)) => {
                    // Another submission may have said the same: the figure then stays what it was.
                    let is_same = row.is_same_figure(&now);
                    withdrawal.rows.push(Row { since: narrow(at), ..if is_same { now } else { row } }.into());
                    withdrawal.sources.push((key, narrow(source)));
                    withdrawal.counts.removed += usize::from(!is_same && row.flags.is_withdrawn());
                    withdrawal.counts.restored += usize::from(!is_same && !row.flags.is_withdrawn());
                }
            }
        }
        withdrawal
    }

    /// Takes back what a withdrawal comes to.
    pub(super) fn withdraw(&mut self, withdrawal: &Withdrawal, at: Revision) {
        let restored = withdrawal.sources.iter().map(|(key, source)| ((*key, narrow(at)), *source));
        self.past.restored.extend(restored);
        self.merge(&withdrawal.rows, |past, known, rows| {
            past.replaced.extend(known);
            rows[0].row
        });
    }
}

/// What a withdrawal does to a slab.
#[derive(Default)]
pub(super) struct Withdrawal {
    /// What the figures become, by key.
    rows: Vec<NewRow>,
    /// For those that go back to what a submission said, its revision.
    sources: Vec<(RowKey, Revision32)>,
    pub(super) counts: Withdrawn,
}

impl Withdrawal {
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

impl Past {
    /// The row that a figure has after others came, the oldest first; what it had, or what only
    /// confirms, is put aside.
    fn follow(&mut self, known: Option<Row>, rows: &[NewRow], did: &mut impl FnMut(u32, Outcome)) -> Row {
        let mut now = known;
        for NewRow { row, line } in rows {
            let outcome = self.outcome(now.as_ref(), row);
            let only_confirms = matches!(outcome, Outcome::Unchanged { .. });
            did(*line, outcome);
            if only_confirms {
                self.confirmed.add(*row);
            } else {
                self.replaced.extend(now.replace(*row));
            }
        }
        now.unwrap_or(rows[0].row)
    }

    /// What a row does to the one that its figure has.
    fn outcome(&self, now: Option<&Row>, row: &Row) -> Outcome {
        let withdraws = row.flags.is_withdrawn();
        let Some(now) = now else { return Outcome::where_nothing_was(withdraws) };
        let since = self.since(now);
        match now.value() {
            None if withdraws => Outcome::Unchanged { since },
            None => Outcome::New { withdrawn: Some(since) },
            Some(from) if withdraws => Outcome::Withdrawn { from, since },
            Some(_) if now.is_same_figure(row) => Outcome::Unchanged { since },
            Some(from) => Outcome::Revised { from, since },
        }
    }

    /// The row that a figure had before, where a withdrawal left it as it was.
    fn unchanged_from(&self, row: &Row) -> Option<&Row> {
        self.restored.get(&(row.key, row.since))?;
        self.replaced.row(row.key, row.since - 1).filter(|before| before.is_same_figure(row))
    }

    /// The revision since which a figure has been what a row says: an earlier one than the row's own when
    /// a withdrawal left it as it was.
    fn since(&self, row: &Row) -> Revision {
        let mut first = row;
        while let Some(before) = self.unchanged_from(first) {
            first = before;
        }
        first.revision()
    }
}
