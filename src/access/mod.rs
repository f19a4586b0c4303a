//! Who is calling, and what they may do. Pure: no clock, no network, no randomness of its own.
//!
//! An [`Identity`] is somebody or something that calls, with one [`Role`]. It shows who it is by an
//! API key, of which it may have two at once, or by a client certificate. [`Register`] is the fold
//! of the journal's entries about them; [`authenticate`] finds the [`Caller`] of what was presented;
//! [`permit`] says whether it may do something.

mod authenticate;
mod key;
mod permit;
mod register;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

pub use authenticate::{Credentials, Unauthenticated, authenticate};
pub use key::{Key, KeyHash, KeyId, NewKey, Secret};
pub use permit::{Action, Agencies, Asked, Denied, Grant, Resource, grant, permit};
pub use register::{Change, KEY_DAYS_MAX, KEYS_LIVE_MAX, OVERLAP_HOURS_MAX, Record, Register};

use crate::catalogue::items::Sector;
use crate::model::code_list::code_list;
use crate::model::id::{AgencyId, AreaCode, CertificateUri, Found, IdentityId};

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
    }
}

/// Somebody or something that calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its name, for good: it is never given to another.
    pub id: IdentityId,
    /// What it is for.
    pub role: Role,
    /// Of a submitter, whose figures it submits.
    pub agency: Option<AgencyId>,
    /// Of an analyst, what it may read.
    pub scope: Scope,
    /// The names in client certificates that show that it is calling.
    pub certificates: Vec<CertificateUri>,
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
    pub fn is_everything(&self) -> bool {
        self.sectors.is_empty() && self.areas.is_empty()
    }
}

/// What showed who is calling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// An API key.
    Key(KeyId),
    /// A client certificate with this name in it.
    Certificate(CertificateUri),
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "key {key}"),
            Self::Certificate(uri) => write!(f, "certificate {uri}"),
        }
    }
}

/// Who is calling.
#[derive(Debug, Clone)]
pub enum Caller {
    /// Anyone: there are no identities yet, and only this machine can reach the server.
    Open,
    /// Whoever runs the machine, from within the program: no call over the network is this.
    Local,
    /// An identity.
    Known(Known),
}

/// An identity that is calling.
#[derive(Debug, Clone)]
pub struct Known {
    /// Who.
    pub identity: Arc<Identity>,
    /// What showed it.
    pub credential: Credential,
    /// What it says it is reading for.
    pub purpose: Option<Purpose>,
}

impl Caller {
    /// As the journal and the audit log name it.
    pub fn actor(&self) -> Actor {
        match self {
            Self::Open => Actor::Open,
            Self::Local => Actor::Local,
            Self::Known(known) => {
                Actor::Identity { id: known.identity.id.clone(), credential: known.credential.clone() }
            }
        }
    }

    /// The identity that is calling, when it is one.
    pub fn known(&self) -> Option<&Known> {
        match self {
            Self::Open | Self::Local => None,
            Self::Known(known) => Some(known),
        }
    }
}

/// Who caused an entry of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Actor {
    /// It was written before entries told.
    #[default]
    Unknown,
    /// Anyone who could reach an open server.
    Open,
    /// Whoever runs the machine: the demo, and keys made while the server is stopped.
    Local,
    /// An identity, by a credential.
    Identity {
        /// Who.
        id: IdentityId,
        /// What showed it.
        credential: Credential,
    },
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown"),
            Self::Open => f.write_str("anyone"),
            Self::Local => f.write_str("this machine"),
            Self::Identity { id, credential } => write!(f, "{id} by {credential}"),
        }
    }
}

/// What figures are read for, in the caller's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purpose(Arc<str>);

/// The text isn't a purpose.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("found {}; allowed: 3 to 200 printable ASCII characters", Found(.0))]
pub struct NotAPurpose(String);

impl Purpose {
    /// Parses a purpose: 3 to 200 printable ASCII characters, which is what a header takes.
    ///
    /// # Errors
    /// When the text isn't one.
    pub fn parse(text: &str) -> Result<Self, NotAPurpose> {
        let trimmed = text.trim();
        let printable = trimmed.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
        if (3..=200).contains(&trimmed.len()) && printable {
            Ok(Self(Arc::from(trimmed)))
        } else {
            Err(NotAPurpose(text.to_owned()))
        }
    }

    /// The words.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
