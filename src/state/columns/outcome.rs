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
    /// The same figure was already there; or none was, of one that is withdrawn.
    Unchanged {
        /// The revision of that figure, or of its withdrawal; 0 where there never was one.
        since: Revision,
    },
    /// It withdrew the figure that was there.
    Withdrawn {
        /// The figure that it withdrew.
        from: Value,
        /// The revision of that figure.
        since: Revision,
    },
}

impl Outcome {
    /// What an observation does where there never was a figure, which may be to withdraw it.
    pub(crate) fn where_nothing_was(withdraws: bool) -> Self {
        if withdraws { Self::Unchanged { since: Revision::ZERO } } else { Self::New { withdrawn: None } }
    }
}
