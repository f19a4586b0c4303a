//! Pages: sizes with bounds, and opaque tokens that are bound to their query and pinned to the
//! first page's revision and instant, so that pages agree with each other.
//!
//! A token is no secret, and outlives a restart. Whoever makes one for another revision asks what
//! `as_of_revision` asks, and needs the same permission: it goes by the [`position`] in the token.

use prost::Message;

use crate::model::hex::{self, Hex};
use crate::model::protobuf::Writer;
use crate::model::revision::Revision;
use crate::model::timestamp::Timestamp;
use crate::model::violation::Violations;

/// Where a page starts: of what, and after what.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Start {
    of: Position,
    after: String,
}

/// What the pages of an answer are all of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) revision: Revision,
    /// The instant; of no meaning for lists, which don't depend on it.
    pub(crate) at: Timestamp,
}

const QUERY_HASH_BYTES: usize = 8;
const REVISION_BYTES: usize = 8;
const INSTANT_BYTES: usize = 8;

/// What a token is bound to: the query with its paging fields cleared, and with those that say what it is as
/// of, where the token's own [`Position`] says that: the pages of an answer now and of the same answer as of
/// that instant are the same.
pub(crate) struct TokenBinding([u8; QUERY_HASH_BYTES]);

impl TokenBinding {
    pub(crate) fn of(method: &str, cleared: &impl Message) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("conspectus page token v1");
        hasher.update(method.as_bytes());
        hasher.update(&cleared.encode_to_vec());
        let mut hash = [0; QUERY_HASH_BYTES];
        hash.copy_from_slice(&hasher.finalize().as_bytes()[..QUERY_HASH_BYTES]);
        Self(hash)
    }

    /// The token of the page that starts there.
    fn token(&self, start: &Start) -> String {
        let Position { revision, at } = start.of;
        let (revision, at) = (revision.0.to_be_bytes(), at.0.to_be_bytes());
        Hex(&[self.0.as_slice(), &revision, &at, start.after.as_bytes()].concat()).to_string()
    }

    /// Where the token's page starts; none for the first page.
    fn start(&self, token: &str, violations: &mut Violations) -> Option<Start> {
        if token.is_empty() {
            return None;
        }
        let start = self.parse(token);
        if start.is_none() {
            not_of_this_query(violations);
        }
        start
    }

    fn parse(&self, token: &str) -> Option<Start> {
        let (binding, start) = parse(token)?;
        (binding == self.0).then_some(start)
    }
}

/// What the page of a token is of, whatever its query is; none without one.
pub(crate) fn position(token: &str) -> Option<Position> {
    parse(token).map(|(_, start)| start.of)
}

/// What a token is bound to, and where its page starts.
fn parse(token: &str) -> Option<([u8; QUERY_HASH_BYTES], Start)> {
    let bytes = hex::parse_all(token)?;
    let (binding, rest) = bytes.split_first_chunk::<QUERY_HASH_BYTES>()?;
    let (revision, rest) = rest.split_first_chunk::<REVISION_BYTES>()?;
    let (at, after) = rest.split_first_chunk::<INSTANT_BYTES>()?;
    let (revision, at) = (Revision(u64::from_be_bytes(*revision)), Timestamp(i64::from_be_bytes(*at)));
    Some((*binding, Start { of: Position { revision, at }, after: String::from_utf8(after.to_vec()).ok()? }))
}

/// Notes that a token is another query's.
pub(crate) fn not_of_this_query(violations: &mut Violations) {
    let what = "not a token of this query; allowed: the next_page_token of its page before, with nothing else changed";
    violations.add("page_token", what);
}

/// How many items a page has.
#[derive(Clone, Copy)]
pub(crate) struct Sizes {
    /// When its request doesn't say.
    default: usize,
    /// At the most.
    pub(crate) max: usize,
}

/// Of lists of what the catalogue, the register or the journal has.
pub(crate) const ITEMS: Sizes = Sizes { default: 100, max: 1_000 };
/// Of computed answers. Those without pages have no more rows than a page at the most.
pub(crate) const ROWS: Sizes = Sizes { default: 1_000, max: 10_000 };

/// The largest answer: what the common clients take by default, but for a little that a stream's message has besides.
pub(crate) const ANSWER_BYTES_MAX: usize = (4 << 20) - (1 << 10);
/// The most bytes of a page's rows: below what the common clients take by default, and some for the rest.
const ROWS_BYTES_MAX: usize = 3 << 20;
/// What an item's message takes in its answer besides itself: the field's tag, and its length.
const ITEM_FRAME_BYTES: usize = 6;

impl Sizes {
    /// The size that is asked for, within bounds.
    fn checked(self, size: i32, violations: &mut Violations) -> usize {
        let Self { default, max } = self;
        match usize::try_from(size) {
            Ok(0) => default,
            Ok(size) if size <= max => size,
            Ok(_) | Err(_) => {
                violations.add("page_size", format_args!("found {size}; allowed: 1 to {max}, or 0 for {default}"));
                default
            }
        }
    }
}

/// The page of an answer that a request asks for, in the request's own fields.
pub(crate) struct Paging<'a> {
    pub(crate) binding: TokenBinding,
    pub(crate) size: i32,
    pub(crate) token: &'a str,
}

impl Paging<'_> {
    /// The page that is asked for; everything, where none is. Everything may be too large for an answer.
    pub(crate) fn page_or_whole(self, sizes: Sizes, violations: &mut Violations) -> Page {
        if self.size == 0 && self.token.is_empty() { Page::whole() } else { self.page(sizes, violations) }
    }

    pub(crate) fn page(self, sizes: Sizes, violations: &mut Violations) -> Page {
        let size = sizes.checked(self.size, violations);
        Page { start: self.binding.start(self.token, violations), size, binding: Some(self.binding) }
    }
}

/// A page of an answer, or all of it.
pub(crate) struct Page {
    /// What the next page's token is bound to; none for all.
    binding: Option<TokenBinding>,
    start: Option<Start>,
    size: usize,
}

impl Page {
    /// The whole answer.
    pub(crate) fn whole() -> Self {
        Self { binding: None, start: None, size: usize::MAX }
    }

    /// What it is pinned to, which must be what its request asks for, if that says; none for the first page.
    pub(crate) fn position(
        &self,
        as_of_revision: i64,
        as_of_time: Option<Timestamp>,
        violations: &mut Violations,
    ) -> Option<Position> {
        let of = self.start.as_ref()?.of;
        let is_same_revision = as_of_revision == 0 || u64::try_from(as_of_revision) == Ok(of.revision.0);
        if !is_same_revision || as_of_time.is_some_and(|at| at != of.at) {
            not_of_this_query(violations);
        }
        Some(of)
    }

    /// The revision that it is pinned to; none for the first page.
    pub(crate) fn revision(&self) -> Option<Revision> {
        self.start.as_ref().map(|start| start.of.revision)
    }

    /// The key that it starts after; none for the first page.
    pub(crate) fn after(&self) -> Option<&str> {
        self.start.as_ref().map(|start| start.after.as_str())
    }

    /// Of the items after its start those of the page, as messages, and the next page's token, which starts after the
    /// last one's key; empty on the last page. A page ends early where its items are large.
    pub(crate) fn cut<T, M: Message>(
        &self,
        items: impl IntoIterator<Item = T>,
        revision: Revision,
        key: impl Fn(&T) -> String,
        message: impl Fn(&T) -> M,
    ) -> (Vec<M>, String) {
        let mut page = Vec::new();
        let taken = self.take(items, |item| {
            let message = message(item);
            let bytes = message.encoded_len() + ITEM_FRAME_BYTES;
            page.push(message);
            bytes
        });
        page.truncate(taken.count);
        let of = Position { revision, at: Timestamp::default() };
        (page, taken.last.map(|last| self.token(of, key(&last))).unwrap_or_default())
    }

    /// Writes of some rows those of the page, and gives the next page's token; empty on the last page. A page ends
    /// early where its rows are large.
    pub(crate) fn fill<R>(
        &self,
        rows: impl IntoIterator<Item = R>,
        of: Position,
        out: &mut Writer,
        mut write: impl FnMut(&mut Writer, &R),
    ) -> String {
        let from = self.after().and_then(|after| after.parse().ok()).unwrap_or(0);
        let rows = (from + 1..).zip(rows.into_iter().skip(from));
        self.fill_by(rows, of, out, |(number, _)| number.to_string(), |out, (_, row)| write(out, row))
    }

    /// The same of rows after the page's start: the next page starts after the last one's key.
    pub(crate) fn fill_by<R>(
        &self,
        rows: impl IntoIterator<Item = R>,
        of: Position,
        out: &mut Writer,
        key: impl Fn(&R) -> String,
        mut write: impl FnMut(&mut Writer, &R),
    ) -> String {
        let start = out.len();
        let taken = self.take(rows, |row| {
            let before = out.len();
            write(out, row);
            out.len() - before
        });
        out.truncate(start + taken.bytes);
        taken.last.map(|last| self.token(of, key(&last))).unwrap_or_default()
    }

    /// How many items it may have.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Puts a page's items where its answer has them, which gives the bytes that each takes. All that there are end
    /// where they are too large for any answer.
    fn take<T>(&self, items: impl IntoIterator<Item = T>, mut put: impl FnMut(&T) -> usize) -> Taken<T> {
        let mut taken = Taken { count: 0, bytes: 0, last: None };
        for item in items {
            if taken.count == self.size {
                return taken;
            }
            let bytes = taken.bytes + put(&item);
            match &self.binding {
                Some(_) if bytes > ROWS_BYTES_MAX && taken.count > 0 => return taken,
                Some(_) | None => taken = Taken { count: taken.count + 1, bytes, last: Some(item) },
            }
            if self.binding.is_none() && bytes > ANSWER_BYTES_MAX {
                break;
            }
        }
        Taken { last: None, ..taken }
    }

    /// The token of a page that starts after a key, where what was looked at for this one ends there.
    pub(crate) fn token_after(&self, revision: Revision, key: String) -> String {
        self.token(Position { revision, at: Timestamp::default() }, key)
    }

    fn token(&self, of: Position, after: String) -> String {
        self.binding.as_ref().map(|binding| binding.token(&Start { of, after })).unwrap_or_default()
    }
}

/// What a page has of its items.
struct Taken<T> {
    count: usize,
    bytes: usize,
    /// The last of them, where there are more after that.
    last: Option<T>,
}

/// That an answer of so many bytes is no larger than any may be.
///
/// # Errors
/// What is wrong with asking for one that is.
pub(crate) fn bounded(bytes: usize, wrong: impl FnOnce(&str) -> Violations) -> Result<(), Violations> {
    if bytes <= ANSWER_BYTES_MAX {
        return Ok(());
    }
    Err(wrong(&format!("the answer has {bytes} bytes or more; allowed: {ANSWER_BYTES_MAX}, as clients take")))
}

/// That a page is to be asked for, and not everything.
pub(crate) fn ask_for_pages(what: &str) -> Violations {
    let mut violations = Violations::default();
    violations.add("page_size", format_args!("{what}. Ask for pages of 1 to {} items", ITEMS.max));
    violations
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_own_query_only() {
        let query = TokenBinding::of("List", &String::from("a"));
        let start = Start { of: Position { revision: Revision(7), at: Timestamp(9) }, after: "é".to_owned() };
        let mut violations = Violations::default();
        assert_eq!(query.start(&query.token(&start), &mut violations), Some(start.clone()));
        assert!(violations.is_empty());
        for bad in ["zz", "é", "00", &TokenBinding::of("List", &String::from("b")).token(&start)] {
            assert_eq!(query.start(bad, &mut Violations::default()), None, "{bad}");
        }
    }
}
