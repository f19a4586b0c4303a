//! Why a server isn't reached.

use super::super::failure::Failure;
use super::super::next_step::NextStep;

/// Why a server isn't reached, and what helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Unreachable {
    pub(crate) message: String,
    pub(crate) step: Option<NextStep>,
}

impl Unreachable {
    pub(super) fn failure(&self) -> Failure {
        Failure::unreachable(self.message.clone()).and_try(self.step)
    }
}
