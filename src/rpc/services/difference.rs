//! What an answer has beside the one before it: rows, each under a key, of which a reader is sent those that changed.

use std::collections::BTreeMap;
use std::ops::Range;

use blake3::Hash;
use bytes::Bytes;
use prost::Message;

use super::read::AnswerInput;
use crate::model::protobuf::Writer;
use crate::rpc::page::ANSWER_BYTES_MAX;

/// The rows of an answer, written as they are sent, by key.
#[derive(Debug, Default)]
pub(crate) struct KeyedRows {
    pub(super) written: Writer,
    by_key: BTreeMap<Box<str>, Range<usize>>,
}

impl KeyedRows {
    /// Writes rows: all of them, or as many as make too large an answer.
    pub(super) fn of<R>(
        rows: &[R],
        input: &AnswerInput<'_>,
        key: impl Fn(&R) -> String,
        write: impl Fn(&mut Writer, &R),
    ) -> Self {
        let mut keyed = Self::default();
        input.rows(&mut keyed.written, rows, |out, row| {
            let start = out.len();
            write(out, row);
            keyed.by_key.insert(key(row).into(), start..out.len());
        });
        keyed
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.by_key.len()
    }

    fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.by_key.iter().map(|(key, at)| (&**key, &self.written.bytes()[at.clone()]))
    }
}

/// What is known of the rows that a reader has: a hash of each, by key.
pub(super) type Known = BTreeMap<Box<str>, Hash>;

/// What keeping that takes of memory, in bytes: each row's hash, its place in the map and its key.
pub(super) fn bytes_of(known: &Known) -> usize {
    const ROW: usize = 2 * (size_of::<Hash>() + size_of::<Box<str>>());
    known.keys().map(|key| key.len() + ROW).sum()
}

/// What is known of an answer's rows, and the message of what differs from what was known before, which has fields
/// around its rows: by whether it has all rows, and by the keys of those that are gone. It has everything when nothing
/// was known, or when what changed with what is gone is more than a message may have.
pub(super) fn difference<M: Message>(
    rows: &KeyedRows,
    before: Option<&Known>,
    around: impl Fn(bool, Vec<String>) -> [M; 2],
) -> (Known, Option<Bytes>) {
    let known: Known = rows.iter().map(|(key, row)| (key.into(), blake3::hash(row))).collect();
    let message = |is_snapshot, is_sent: &dyn Fn(&str) -> bool, gone| {
        let [fields_before, fields_after] = around(is_snapshot, gone);
        let mut out = Writer::default();
        out.fields(&fields_before);
        rows.iter().filter(|(key, _)| is_sent(key)).for_each(|(_, row)| out.written(row));
        out.fields(&fields_after);
        out.into_bytes()
    };
    if let Some(before) = before {
        let is_new = |key: &str| before.get(key) != known.get(key);
        let gone: Vec<_> = before.keys().filter(|key| !known.contains_key(*key)).map(ToString::to_string).collect();
        if gone.is_empty() && !known.keys().any(|key| is_new(key)) {
            return (known, None);
        }
        let changes = message(false, &is_new, gone);
        if changes.len() <= ANSWER_BYTES_MAX {
            return (known, Some(changes));
        }
    }
    let all = message(true, &|_| true, Vec::new());
    (known, Some(all))
}

#[cfg(test)]
mod tests {
    use super::super::watch::Watch;
    use super::*;
    use crate::model::revision::Revision;
    use crate::model::timestamp::Timestamp;
    use crate::rpc::page::Position;
    use crate::rpc::proto::{AggregateRow, QueryAggregateRequest, WatchAggregateRequest, WatchAggregateResponse};

    fn rows(area: &str, count: usize, figure: &str) -> Vec<AggregateRow> {
        let row = |n| AggregateRow {
            indicator: "an-indicator".to_owned(),
            area: format!("{area}-{n}-{}", "a".repeat(500)),
            period: figure.to_owned(),
            ..AggregateRow::default()
        };
        (0..count).map(row).collect()
    }

    /// The rows by their areas.
    fn keyed(rows: &[AggregateRow]) -> KeyedRows {
        let mut keyed = KeyedRows::default();
        for row in rows {
            let start = keyed.written.len();
            keyed.written.message(3, |out| out.fields(row));
            let key = ["an-indicator", &row.area, "", "", ""].join("\0");
            keyed.by_key.insert(key.into(), start..keyed.written.len());
        }
        keyed
    }

    #[test]
    fn a_difference_that_is_too_large_for_a_message_is_sent_as_a_snapshot() {
        let of = Position { revision: Revision(7), at: Timestamp(9) };
        let read = QueryAggregateRequest::default();
        let around = |is_snapshot, gone| WatchAggregateRequest::around(&read, of, is_snapshot, gone);
        let difference = |before: Option<&[AggregateRow]>, rows: &[AggregateRow]| {
            let known = before.map(|rows| super::difference(&keyed(rows), None, around).0);
            let (_, message) = super::difference(&keyed(rows), known.as_ref(), around);
            message.map(|message| WatchAggregateResponse::decode(message).unwrap())
        };
        let (before, after) = (rows("before", 5_000, "a"), rows("after", 5_000, "a"));
        let all = difference(Some(&before), &after).unwrap();
        assert!(all.snapshot && all.rows.len() == 5_000 && all.removed_rows.is_empty());
        assert!(all.encoded_len() <= ANSWER_BYTES_MAX);
        let fewer = &before[..4_000];
        let few = difference(Some(&before), fewer).unwrap();
        assert!(!few.snapshot && few.rows.is_empty() && few.removed_rows.len() == 1_000);
        let gone = before[4_000..].iter().map(|row| &row.area).collect::<std::collections::BTreeSet<_>>();
        assert_eq!(few.removed_rows.iter().map(|row| &row.area).collect::<std::collections::BTreeSet<_>>(), gone);
        assert!(difference(Some(&before), &before).is_none());
        let mut changed = before.clone();
        changed[7].period = "b".to_owned();
        assert_eq!(difference(Some(&before), &changed).unwrap().rows, [changed[7].clone()]);
        assert!(difference(None, &before).unwrap().snapshot);
    }
}
