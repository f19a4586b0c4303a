//! A submission: some figures of one agency, under the sender's own id.

use super::id::{AgencyId, RequestId, ReturnId};
use super::observations::Observations;

/// The most observations that one submission may have.
pub(crate) const OBSERVATIONS_MAX: usize = 10_000;

/// Some figures of one agency, accepted whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// Whose figures they are.
    pub agency: AgencyId,
    /// The sender's own id for the request.
    pub request_id: RequestId,
    /// Where the figures come from; may be empty.
    pub source: String,
    /// Whether they are made up.
    pub sample: bool,
    /// Why figures that were submitted before are revised or withdrawn; may be empty.
    pub reason: String,
    /// The return that they are a part of.
    pub return_id: Option<ReturnId>,
    /// The figures, in the sender's order.
    pub observations: Observations,
}

impl Submission {
    /// About how many bytes it takes where it is written: a buffer for as many grows seldom.
    pub(crate) fn bytes_expected(&self) -> usize {
        256 + 10 * self.observations.len()
    }
}
