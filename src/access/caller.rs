//! Who is calling, by what credential, and what for.

use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::identity::{Identity, SignIn};
use super::key::KeyId;
use crate::model::id::{CertificateUri, IdentityId};
use crate::model::text::{self, Layout};
use crate::model::violation::Quoted;

/// The one of its credentials by which a caller is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// An API key.
    Key(KeyId),
    /// A client certificate with this name in it.
    Certificate(CertificateUri),
    /// A sign-in at an OpenID Connect provider.
    SignIn(SignIn),
}

impl fmt::Display for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "key {key}"),
            Self::Certificate(uri) => write!(f, "certificate {uri}"),
            Self::SignIn(sign_in) => write!(f, "sign-in {sign_in}"),
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
    /// By what.
    pub credential: Credential,
    /// What it says it is reading for.
    pub purpose: Option<Purpose>,
}

impl Caller {
    /// As the journal and the audit log name it.
    pub(crate) fn actor(&self) -> Actor {
        match self {
            Self::Open => Actor::Open,
            Self::Local => Actor::Local,
            Self::Known(known) => {
                Actor::Identity { id: known.identity.id.clone(), credential: known.credential.clone() }
            }
        }
    }

    /// The identity that is calling, when it is one.
    pub(crate) fn known(&self) -> Option<&Known> {
        match self {
            Self::Open | Self::Local => None,
            Self::Known(known) => Some(known),
        }
    }
}

/// Who caused an entry of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Actor {
    /// The entry is older than this record of who caused it.
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
        /// By what.
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
#[error("found {}; allowed: {}", Quoted(.0), PURPOSE_ALLOWED)]
pub struct NotAPurpose(String);

/// What a purpose may be, in words. The numbers are those of [`Purpose::CHARACTERS`].
pub(crate) const PURPOSE_ALLOWED: &str = "3 to 200 characters on one line, each of which can be seen";

impl Purpose {
    /// How many characters it has.
    pub(crate) const CHARACTERS: RangeInclusive<usize> = 3..=200;

    /// Parses a purpose: 3 to 200 characters on one line, none of them hidden.
    ///
    /// # Errors
    /// When the text isn't one.
    pub fn parse(words: &str) -> Result<Self, NotAPurpose> {
        let trimmed = words.trim();
        if Self::CHARACTERS.contains(&trimmed.chars().count()) && text::check(trimmed, Layout::Line).is_ok() {
            Ok(Self(Arc::from(trimmed)))
        } else {
            Err(NotAPurpose(words.to_owned()))
        }
    }

    /// The words.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purpose_is_a_line_of_characters_that_can_be_seen() {
        let (least, most) = (*Purpose::CHARACTERS.start(), *Purpose::CHARACTERS.end());
        assert!(PURPOSE_ALLOWED.starts_with(&format!("{least} to {most} characters ")));
        for good in ["s47", "the board’s report – 2026", &"é".repeat(most), "  spaces around  "] {
            assert_eq!(Purpose::parse(good).unwrap().as_str(), good.trim());
        }
        for bad in
            ["", "ab", "é–", "   ab   ", &"é".repeat(most + 1), "two\nlines", "a\ttab", "a\u{202e}b", "a\u{200b}b"]
        {
            assert_eq!(Purpose::parse(bad), Err(NotAPurpose(bad.to_owned())), "{bad:?}");
        }
    }
}
