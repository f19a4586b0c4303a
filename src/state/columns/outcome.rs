//! What a row does to the figure that is there.

use crate::model::observation::Value;
use crate::model::revision::Revision;

/// What one observation of a submission did, or would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// There was no figure before.
    New {
        /// The revision that withdrew the one that there had been.
        withdrawn: Option<Revision>,
    },
    /// It replaced a different figure.
    Revised {
        /// The figure that it replaced.
        from: Value,
        /// The revision of that figure.
        since: Revision,
    },
    /// The same figure was already there.
    Unchanged {
        /// The revision of that figure.
        since: Revision,
    },
}
