//! API keys: `cps_`, 16 hexadecimal digits that name the key, `_`, and 64 that are the secret.
//!
//! A secret is 256 random bits, so there is nothing to guess and nothing that a slow, salted hash
//! would add: those make *guessable* passwords costly to try. One BLAKE3 in key-derivation mode, with
//! a context that no other hash here has, costs a caller a microsecond and gives
//! nothing of the secret away. Only this hash is kept. [`KeyHash`] is compared in constant time.

use std::fmt;
use std::str::FromStr;

use crate::model::hex::{self, Hex};
use crate::model::timestamp::Timestamp;

const PREFIX: &str = "cps_";
const CONTEXT: &str = "conspectus api key v1";
const ID_BYTES: usize = 8;
const SECRET_BYTES: usize = 32;

/// The public name of a key: it may stand in lists and logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; ID_BYTES]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

/// The text isn't what it should be. It doesn't say what it is: it may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("found something else; allowed: {0} hexadecimal digits")]
pub struct NotHexadecimal(usize);

impl FromStr for KeyId {
    type Err = NotHexadecimal;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        hex::parse(text).map(Self).ok_or(NotHexadecimal(2 * ID_BYTES))
    }
}

/// What is kept of a key's secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHash(blake3::Hash);

impl KeyHash {
    /// No secret has this one.
    pub(super) const NONE: Self = Self(blake3::Hash::from_bytes([0; 32]));

    /// The hash of bytes that were kept.
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(blake3::Hash::from_bytes(bytes))
    }

    /// The bytes to keep.
    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(..)")
    }
}

/// A key as its holder has it. Never kept, and never shown but to the one that it is made for.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret {
    id: KeyId,
    secret: [u8; SECRET_BYTES],
}

/// The text isn't a key. It doesn't say what it is: it may be nearly one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a key; a key is cps_, 16 hexadecimal digits, _, and 64 more")]
pub(crate) struct NotAKey;

impl Secret {
    /// How many random bytes a key is made of.
    pub const RANDOM_BYTES: usize = ID_BYTES + SECRET_BYTES;

    /// The key that random bytes make.
    pub fn from_random(bytes: [u8; Self::RANDOM_BYTES]) -> Self {
        let (mut id, mut secret) = ([0; ID_BYTES], [0; SECRET_BYTES]);
        id.copy_from_slice(&bytes[..ID_BYTES]);
        secret.copy_from_slice(&bytes[ID_BYTES..]);
        Self { id: KeyId(id), secret }
    }

    /// Parses a key.
    ///
    /// # Errors
    /// When the text isn't one.
    pub(crate) fn parse(text: &str) -> Result<Self, NotAKey> {
        let (id, secret) = text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_')).ok_or(NotAKey)?;
        Ok(Self { id: KeyId(hex::parse(id).ok_or(NotAKey)?), secret: hex::parse(secret).ok_or(NotAKey)? })
    }

    /// The key's public name.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// What is kept of it.
    pub fn hash(&self) -> KeyHash {
        KeyHash(blake3::Hash::from_bytes(blake3::derive_key(CONTEXT, &self.secret)))
    }

    /// The key as its holder sends it.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}_{}", self.id, Hex(&self.secret))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret({}, ..)", self.id)
    }
}

/// A key to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewKey {
    /// Its public name.
    pub id: KeyId,
    /// What is kept of its secret.
    pub hash: KeyHash,
    /// The first instant at which it is no longer valid.
    pub expires_at: Timestamp,
}

/// A key that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its public name.
    pub id: KeyId,
    /// What is kept of its secret.
    pub hash: KeyHash,
    /// When it was made.
    pub issued_at: Timestamp,
    /// The first instant at which it is no longer valid.
    pub expires_at: Timestamp,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl Key {
    /// Whether it is valid at an instant.
    pub(crate) fn is_valid(&self, at: Timestamp) -> bool {
        self.revoked_at.is_none() && at < self.expires_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret() -> Secret {
        Secret::from_random(std::array::from_fn(|at| u8::try_from(at).unwrap()))
    }

    #[test]
    fn a_key_is_what_it_was_when_it_is_parsed_again() {
        let text = secret().reveal();
        assert_eq!(text.len(), 4 + 16 + 1 + 64);
        assert_eq!(Secret::parse(&text), Ok(secret()));
        assert_eq!(secret().id().to_string().parse(), Ok(secret().id()));
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        let good = secret().reveal();
        let id = &good[4..20];
        for bad in [
            "",
            "cps_",
            "cps__",
            &good[1..],
            &good[..good.len() - 1],
            &format!("{good}0"),
            &good.to_uppercase(),
            &good.replace("cps_", "cpt_"),
            &good.replace(id, "é0102030405060"),
            &good.replace(id, "+001020304050607"),
        ] {
            assert_eq!(Secret::parse(bad), Err(NotAKey), "{bad}");
        }
    }

    #[test]
    fn a_key_is_never_shown_by_accident() {
        let shown = format!("{:?} {:?}", secret(), secret().hash());
        assert_eq!(shown, "Secret(0001020304050607, ..) KeyHash(..)");
    }

    /// Keys that were made must go on opening.
    #[test]
    fn a_hash_is_what_it_always_was() {
        let hash = blake3::Hash::from_bytes(*secret().hash().as_bytes()).to_hex();
        insta::assert_snapshot!(hash.as_str());
    }
}
