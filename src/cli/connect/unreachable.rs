//! Why a server isn't reached.

use super::super::failure::Failure;
use super::super::next_step::NextStep;

/// Why a server isn't reached, and what helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Unreachable {
    pub(super) message: String,
    pub(super) step: Option<NextStep>,
}

impl Unreachable {
    /// The failure of a verb.
    pub(crate) fn failure(self) -> Failure {
        Failure::unreachable(self.message).and_try(self.step)
    }
}
