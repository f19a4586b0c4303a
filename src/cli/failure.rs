//! Why a verb ends without having done all that was asked.

/// Why a verb ends early.
#[derive(Debug)]
pub(super) enum Failure {
    /// What went wrong: one plain sentence, or several lines of them.
    Message(String),
    /// Whoever read standard output has gone, as after `| head`: nothing is wrong.
    OutputClosed,
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Message(error.to_string())
    }
}
