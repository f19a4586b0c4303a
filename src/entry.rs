//! An entry of the journal: one accepted write, decided and not yet, or already, applied.

use crate::access::{By, Change};
use crate::catalogue::CataloguePut;
use crate::model::id::{AgencyId, RequestId};
use crate::model::observation::{Measure, Submission};
use crate::model::timestamp::Timestamp;

/// One accepted write. Its revision is its place in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it was accepted; never before the entry before it.
    pub at: Timestamp,
    /// Who caused it.
    pub by: By,
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
        submission: Submission,
        /// Tells two contents under one request id apart.
        fingerprint: Fingerprint,
    },
    /// Takes a submission back.
    Withdrawal(Withdrawal),
    /// Changes identities and their keys, all together.
    Access(Vec<Change>),
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

/// 16 bytes of BLAKE3 over what a submission says. The same for the same content in the same
/// order, whatever notation its periods came in, and in every version of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 16]);

impl Fingerprint {
    /// The fingerprint of a submission. The request id is not part of it.
    pub fn of(submission: &Submission) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("conspectus submission fingerprint v1");
        let mut text = |text: &str| {
            hasher.update(&(text.len() as u64).to_be_bytes());
            hasher.update(text.as_bytes());
        };
        text(submission.agency.as_str());
        text(&submission.source);
        text(if submission.sample { "sample" } else { "" });
        for observation in &submission.observations {
            text(observation.indicator.as_str());
            text(observation.area.as_str());
            text(&observation.period.to_string());
            text(&observation.breakdown.to_string());
            text(&observation.value.to_string());
            text(match observation.value.measure {
                None => "none",
                Some(Measure::Number(_)) => "number",
                Some(Measure::Ratio { .. }) => "ratio",
                Some(Measure::Percentage { .. }) => "percentage",
                Some(Measure::Mean { .. }) => "mean",
            });
            text(observation.note.as_deref().unwrap_or_default());
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(bytes)
    }
}
