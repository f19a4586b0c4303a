//! An entry of the journal: one accepted write, decided by `admit` and then applied to the state.

pub mod codec;
mod fingerprint;

use std::sync::Arc;

use crate::access::{AccessChange, Actor};
use crate::catalogue::CataloguePut;
use crate::model::id::{AgencyId, RequestId};
use crate::model::submission::Submission;
use crate::model::timestamp::Timestamp;

pub use fingerprint::Fingerprint;

/// One accepted write. Its revision is its number in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it was accepted; never before the entry before it.
    pub at: Timestamp,
    /// Who caused it.
    pub actor: Actor,
    /// What was accepted.
    pub body: Body,
}

/// What an entry does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    /// Puts items of the catalogue.
    CataloguePut(CataloguePut),
    /// Takes an agency's figures.
    Submission {
        /// The figures.
        submission: Arc<Submission>,
        /// Separates a retry from other content under the same request id.
        fingerprint: Fingerprint,
    },
    /// Takes a submission back.
    Withdrawal(Withdrawal),
    /// Changes identities and their keys, all together.
    Access(Vec<AccessChange>),
}

/// A submission to take back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawal {
    /// Whose submission.
    pub agency: AgencyId,
    /// The id that it was submitted under.
    pub request_id: RequestId,
    /// Why.
    pub reason: String,
}
