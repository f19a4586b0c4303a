//! Pages: sizes with bounds, and opaque tokens that are bound to their query and pinned to the
//! first page's revision, so that pages agree with each other.

use std::fmt::Write as _;
use std::ops::Range;

use prost::Message;

use crate::model::revision::Revision;
use crate::model::violation::Violations;

/// Where a page starts: at which revision, after what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Start {
    pub(crate) revision: Revision,
    pub(crate) after: String,
}

const QUERY_HASH_BYTES: usize = 8;
const REVISION_BYTES: usize = 8;

/// What a token is bound to: the query with its paging fields cleared.
pub(crate) struct Query([u8; QUERY_HASH_BYTES]);

impl Query {
    pub(crate) fn of(method: &str, cleared: &impl Message) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("conspectus page token v1");
        hasher.update(method.as_bytes());
        hasher.update(&cleared.encode_to_vec());
        let mut hash = [0; QUERY_HASH_BYTES];
        hash.copy_from_slice(&hasher.finalize().as_bytes()[..QUERY_HASH_BYTES]);
        Self(hash)
    }

    /// The token of the page that starts there.
    pub(crate) fn token(&self, start: &Start) -> String {
        let bytes = self.0.iter().copied().chain(start.revision.0.to_be_bytes()).chain(start.after.bytes());
        bytes.fold(String::new(), |mut token, byte| {
            let _ = write!(token, "{byte:02x}"); // Writing to a string can't fail.
            token
        })
    }

    /// Where the token's page starts; none for the first page.
    pub(crate) fn start(&self, token: &str, violations: &mut Violations) -> Option<Start> {
        if token.is_empty() {
            return None;
        }
        let start = self.parse(token);
        if start.is_none() {
            violations.add(
                "page_token",
                "not a token of this query; allowed: the next_page_token of its page before, with nothing else changed",
            );
        }
        start
    }

    fn parse(&self, token: &str) -> Option<Start> {
        let bytes = (0..token.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(token.get(at..at + 2)?, 16).ok())
            .collect::<Option<Vec<u8>>>()?;
        let rest = bytes.strip_prefix(self.0.as_slice())?;
        let (revision, after) = rest.split_first_chunk::<REVISION_BYTES>()?;
        let after = String::from_utf8(after.to_vec()).ok()?;
        Some(Start { revision: Revision(u64::from_be_bytes(*revision)), after })
    }
}

/// The page of an answer that a request asks for, in the request's own fields.
pub(crate) struct Paging<'a> {
    pub(crate) query: Query,
    pub(crate) size: i32,
    pub(crate) token: &'a str,
}

impl Paging<'_> {
    pub(crate) fn page(self, rows_default: usize, rows_max: usize, violations: &mut Violations) -> Page {
        let start = self.query.start(self.token, violations);
        let size = size(self.size, rows_default, rows_max, violations);
        Page { start, size, query: Some(self.query) }
    }
}

/// A page of an answer's rows, or all of them.
pub(crate) struct Page {
    /// What the next page's token is bound to; none for all rows.
    query: Option<Query>,
    start: Option<Start>,
    size: usize,
}

impl Page {
    /// All rows.
    pub(crate) fn whole() -> Self {
        Self { query: None, start: None, size: usize::MAX }
    }

    /// The revision that it is pinned to; none for the first page.
    pub(crate) fn revision(&self) -> Option<Revision> {
        self.start.as_ref().map(|start| start.revision)
    }

    /// Its rows, and the next page's token; empty on the last page.
    pub(crate) fn slice(&self, rows: usize, revision: Revision) -> (Range<usize>, String) {
        let from = self.start.as_ref().and_then(|start| start.after.parse().ok()).unwrap_or(0).min(rows);
        let to = rows.min(from.saturating_add(self.size));
        let query = self.query.as_ref().filter(|_| to < rows);
        let token = query.map(|query| query.token(&Start { revision, after: to.to_string() }));
        (from..to, token.unwrap_or_default())
    }
}

/// The size of a page: what was asked for, within bounds.
pub(crate) fn size(asked: i32, default: usize, max: usize, violations: &mut Violations) -> usize {
    match usize::try_from(asked) {
        Ok(0) => default,
        Ok(size) if size <= max => size,
        Ok(_) | Err(_) => {
            violations.add("page_size", format!("found {asked}; allowed: 1 to {max}, or 0 for {default}"));
            default
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_good_for_its_own_query_only() {
        let query = Query::of("List", &String::from("a"));
        let start = Start { revision: Revision(7), after: "é".to_owned() };
        let mut violations = Violations::default();
        assert_eq!(query.start(&query.token(&start), &mut violations), Some(start.clone()));
        assert!(violations.is_empty());
        for bad in ["zz", "é", "00", &Query::of("List", &String::from("b")).token(&start)] {
            assert_eq!(query.start(bad, &mut Violations::default()), None, "{bad}");
        }
    }
}
