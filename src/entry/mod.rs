//! An entry of the journal: one accepted write, decided by `admit` and then applied to the state.

pub mod codec;
mod fingerprint;
pub(crate) mod json;

use std::sync::Arc;

use crate::access::{AccessChange, Actor};
use crate::catalogue::CataloguePut;
use crate::model::chain::ChainHash;
use crate::model::id::{AgencyId, RequestId, ReturnId};
use crate::model::manifest::Manifest;
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

impl Entry {
    /// The submission that it accepts, if that is what it does.
    pub(crate) fn submission(&self) -> Option<&Submission> {
        match &self.body {
            Body::Submission { submission, .. } => Some(submission),
            Body::CataloguePut(_)
            | Body::Withdrawal(_)
            | Body::Access(_)
            | Body::AuditAnchor(_)
            | Body::ReturnCompletion(_) => None,
        }
    }
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
    /// Records how far the audit log has come. It changes nothing that is answered.
    AuditAnchor(AuditAnchor),
    /// Records that a return is complete. It changes no figure.
    ReturnCompletion(ReturnCompletion),
}

impl Body {
    /// How many figures it has.
    pub(crate) fn figures(&self) -> usize {
        match self {
            Self::Submission { submission, .. } => submission.observations.len(),
            Self::CataloguePut(_)
            | Self::Withdrawal(_)
            | Self::Access(_)
            | Self::AuditAnchor(_)
            | Self::ReturnCompletion(_) => 0,
        }
    }
}

/// How far the audit log had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuditAnchor {
    /// The number of its last line.
    pub lines: u64,
    /// That line's chain.
    pub chain: ChainHash,
    /// Whether it was accepted that lines before were lost.
    pub lost_lines: bool,
    /// How many revisions the log had seen that the journal lacked, as was accepted.
    pub lost_revisions: u64,
}

/// A return whose sender says what it has in all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnCompletion {
    /// Whose return.
    pub agency: AgencyId,
    /// The sender's own id for it.
    pub return_id: ReturnId,
    /// What it has.
    pub manifest: Manifest,
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
