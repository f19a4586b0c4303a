//! The times that a log is searched or pruned by.

use crate::model::timestamp::Timestamp;
use crate::rpc;
use crate::wording::instant::parse_bound;

/// A date, from midnight UTC on, or an instant.
pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    parse_bound(text).map(|at| rpc::instant(&at))
}
