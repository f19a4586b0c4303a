//! Whether a file is still the one that a caller has.
//!
//! The same tag means the same bytes, so it is a strong one. A file's bytes depend on its question, its form, the revision
//! of the answer and the instant that it is of. Of the instant only the day matters, on which figures become late: so what
//! a file names in its column `as_of` isn't the moment at which it was asked for, but the first one as of which it has been
//! the same, which is that of its revision or the beginning of the day. The tag changes with it: with each revision, and
//! with each day. Who asks is no part of it: an answer is the same for all who may have it, and nobody else gets one.
//!
//! That nothing has changed is said only once the question has been answered anew: so permission is asked for, a line of
//! the audit log is written, and the revision is known. What is saved is the sending, and the pages after the first.

use prost_types::Timestamp;
use tonic::codegen::http::{HeaderMap, HeaderValue, header};

use super::form::Form;
use super::question::{Head, Question};
use crate::model::hex::Hex;

const HASH_BYTES: usize = 16;

/// The tag of a file, in its quotation marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ETag(String);

impl ETag {
    /// The tag of a file with these headings, which has been the same since an instant.
    pub(super) fn of(question: &Question, form: Form, headings: &[String], head: &Head, since: &Timestamp) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("conspectus file tag v1");
        // How cells are written may differ between versions.
        hasher.update(env!("CARGO_PKG_VERSION").as_bytes());
        hasher.update(format!("{form:?} {headings:?} {} {since} ", head.revision).as_bytes());
        hasher.update(question.name().as_bytes());
        hasher.update(question.request());
        Self(format!("\"{}\"", Hex(&hasher.finalize().as_bytes()[..HASH_BYTES])))
    }

    /// Whether a request is answered by what its caller has already.
    pub(super) fn is_known(&self, request: &HeaderMap) -> bool {
        let lists = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|list| list.to_str().ok());
        let mut tags = lists.flat_map(|list| list.split(',')).map(str::trim);
        // A cache on the way may have made it a weak one, which is as good here.
        tags.any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.0)
    }

    pub(super) fn header(&self) -> HeaderValue {
        // Quotation marks and hexadecimal digits.
        HeaderValue::try_from(&self.0).unwrap_or(HeaderValue::from_static("\"\""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto::QueryAggregateRequest;

    fn tag(area: &str, form: Form, revision: i64, since: i64) -> ETag {
        let question = QueryAggregateRequest { areas: vec![area.to_owned()], ..QueryAggregateRequest::default() };
        let (head, since) = (Head { revision, ..Head::default() }, Timestamp { seconds: since, nanos: 0 });
        ETag::of(&Question::figures(question), form, &["indicator".to_owned()], &head, &since)
    }

    #[test]
    fn a_tag_changes_with_all_that_a_file_depends_on() {
        let csv = Form::Csv { has_bom: false };
        let one = tag("E1", csv, 14, 0);
        assert_eq!(tag("E1", csv, 14, 0), one);
        let others = [
            tag("E2", csv, 14, 0),
            tag("E1", Form::Csv { has_bom: true }, 14, 0),
            tag("E1", Form::Workbook, 14, 0),
            tag("E1", csv, 15, 0),
            tag("E1", csv, 14, 1),
        ];
        assert!(!others.contains(&one), "{others:?}");
    }

    #[test]
    fn a_known_tag_is_found_in_any_list() {
        let ours = tag("E1", Form::Workbook, 14, 0);
        let is_known = |list: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, list.parse().unwrap());
            ours.is_known(&headers)
        };
        let ETag(text) = &ours;
        for list in [text.clone(), format!("\"other\", {text}"), format!("W/{text}"), "*".to_owned()] {
            assert!(is_known(&list), "{list}");
        }
        for list in ["\"other\"", text.trim_matches('"'), ""] {
            assert!(!is_known(list), "{list}");
        }
        assert!(!ours.is_known(&HeaderMap::new()));
    }
}
