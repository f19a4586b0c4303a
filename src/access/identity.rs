//! Who may call: an identity, its role, and what it may read.

use std::collections::BTreeSet;
use std::fmt;

use crate::catalogue::items::Sector;
use crate::model::code_list::code_list;
use crate::model::id::{AgencyId, AreaCode, CertificateUri, IdentityId, Issuer, Subject};

code_list! {
    /// What an identity is for. Each has one: who needs two has two identities, so that each key
    /// opens as little as it can.
    pub enum Role {
        /// Submits figures of exactly its own agency, and reads its own submissions back.
        Submitter = 1, "submitter";
        /// Reads published releases.
        Reader = 2, "reader";
        /// Reads the live picture, for a stated purpose.
        Analyst = 3, "analyst";
        /// Keeps the catalogue.
        Steward = 4, "steward";
        /// Keeps the keys. Sees no figures.
        Operator = 5, "operator";
        /// Does what a submitter does, and corrects figures of its agency whose period is locked.
        Corrector = 6, "corrector";
    }
}

impl Role {
    /// Whether it is of an agency, whose figures it submits.
    pub const fn is_of_agency(self) -> bool {
        match self {
            Self::Submitter | Self::Corrector => true,
            Self::Reader | Self::Analyst | Self::Steward | Self::Operator => false,
        }
    }
}

/// Somebody or something that calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its name, for good: it is never given to another.
    pub id: IdentityId,
    /// What it is for.
    pub role: Role,
    /// Of a submitter or corrector, whose figures it submits.
    pub agency: Option<AgencyId>,
    /// Of an analyst, what it may read.
    pub scope: Scope,
    /// The names in client certificates by which it is known.
    pub certificates: Vec<CertificateUri>,
    /// Whom OpenID Connect providers know it as.
    pub sign_ins: Vec<SignIn>,
}

/// Somebody whom an OpenID Connect provider knows. The subject means nothing without its issuer.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SignIn {
    /// The provider.
    pub issuer: Issuer,
    /// By what the provider knows them.
    pub subject: Subject,
}

impl fmt::Display for SignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at {}", self.subject, self.issuer)
    }
}

/// What an analyst may read: everything, unless it is limited.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Only figures of agencies of these sectors; empty for all.
    pub sectors: BTreeSet<Sector>,
    /// Only figures of these areas and what is within them; empty for all.
    pub areas: BTreeSet<AreaCode>,
}

impl Scope {
    /// Whether nothing is left out.
    pub(crate) fn is_everything(&self) -> bool {
        self.sectors.is_empty() && self.areas.is_empty()
    }
}
