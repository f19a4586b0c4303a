//! Hash chains: each link ties its content to everything before it. The journal's entries form one, the lines of the
//! audit log another, and the frames of a backup a third, by the same rule.

use std::fmt;
use std::sync::LazyLock;

use blake3::Hasher;

use super::hex::{self, Hex};

/// The BLAKE3 hash that ties a link to all links before it.
///
/// `next = BLAKE3(previous || content)`, with the chain's name as BLAKE3's key-derivation context. Two chains of one
/// name with the same hash have the same content up to it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChainHash(pub [u8; 32]);

impl ChainHash {
    /// The hash of the empty chain.
    pub const GENESIS: Self = Self([0; 32]);

    /// Reads 64 hexadecimal digits.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        hex::parse(text).map(Self)
    }
}

impl fmt::Display for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Hex(&self.0).fmt(f)
    }
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A chain's rule: what it is a chain of, so that no hash of one is a hash of another.
pub(crate) struct Chain(LazyLock<Hasher>);

/// The journal's. An entry's content is its revision as 8 bytes, big-endian, and its payload.
pub(crate) static JOURNAL_ENTRIES: Chain =
    Chain(LazyLock::new(|| Hasher::new_derive_key("conspectus journal entry v1")));

/// The audit log's. A line's content is its text up to its chain.
pub(crate) static AUDIT_LINES: Chain = Chain(LazyLock::new(|| Hasher::new_derive_key("conspectus audit line v1")));

/// A backup's. A frame's content is all of its bytes up to its hash.
#[cfg(feature = "server")]
pub(crate) static BACKUP_FRAMES: Chain = Chain(LazyLock::new(|| Hasher::new_derive_key("conspectus backup frame v1")));

impl Chain {
    /// The hash of the link that follows `previous`; its content is that of `parts`, one after the other.
    pub(crate) fn next(&self, previous: ChainHash, parts: &[&[u8]]) -> ChainHash {
        // Deriving the key takes a hash of its own, so the hasher that has it is kept and cloned.
        let mut hasher = self.0.clone();
        hasher.update(&previous.0);
        for part in parts {
            hasher.update(part);
        }
        ChainHash(hasher.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_the_hash_of_the_one_before_and_its_content_under_the_chains_name() {
        let previous = ChainHash([7; 32]);
        for (chain, name) in
            [(&JOURNAL_ENTRIES, "conspectus journal entry v1"), (&AUDIT_LINES, "conspectus audit line v1")]
        {
            let content = [[7; 32].as_slice(), b"one", b"two"].concat();
            assert_eq!(chain.next(previous, &[b"one", b"two"]).0, blake3::derive_key(name, &content));
        }
    }

    #[test]
    fn a_hash_reads_back_from_its_text() {
        let hash = JOURNAL_ENTRIES.next(ChainHash::GENESIS, &[]);
        assert_eq!(ChainHash::parse(&hash.to_string()), Some(hash));
        let text = hash.to_string();
        for wrong in ["", &text[1..], &format!("{text}0"), &text.replace(|digit: char| digit.is_ascii(), "g")] {
            assert_eq!(ChainHash::parse(wrong), None, "{wrong}");
        }
    }
}
