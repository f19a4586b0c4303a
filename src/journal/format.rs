//! The formats of a data folder, and of its backups: what versions have written there, of the journal, its entries, the
//! audit log and all else.
//!
//! A version reads every format up to its own, and writes its own. It doesn't know what later ones write; so what they
//! write says which format it is of, and the oldest version that reads that.

use std::fmt;

/// A format.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Format {
    /// Its number, from 1 without a gap.
    pub(crate) number: u32,
    /// The first version that wrote it, and so the oldest that reads it.
    pub(crate) since: &'static str,
}

/// All of them. One is added when an earlier version couldn't read what this one writes, or would read it as something
/// else; what has been released is never changed.
pub(crate) const FORMATS: [Format; 3] = [
    // The journal, in sled alone.
    Format { number: 1, since: "0.1.0" },
    // The write-ahead log.
    Format { number: 2, since: "0.1.0" },
    // Entries that record how far the audit log has come, completed returns, explanations, reasons, checks, calendars and
    // sign-ins; the audit log in several files.
    Format { number: 3, since: "0.3.0" },
];

impl Format {
    /// What this version writes.
    pub(crate) const CURRENT: &'static Self = &FORMATS[FORMATS.len() - 1];
    /// From before there was a write-ahead log.
    pub(crate) const BEFORE_WAL: &'static Self = &FORMATS[0];
    /// The last whose folders don't say which format they are of.
    pub(crate) const UNWRITTEN: &'static Self = &FORMATS[1];

    /// The first whose folders say so.
    pub(crate) const FIRST_WRITTEN: &'static Self = &FORMATS[2];

    /// The format of a number; none of one that is later than this version's.
    pub(crate) fn of(number: u32) -> Option<&'static Self> {
        FORMATS.iter().find(|format| format.number == number)
    }

    /// Whether this version writes it.
    pub(crate) fn is_current(&self) -> bool {
        self.number == Self::CURRENT.number
    }
}

/// Of something that a later version wrote: that this one can't read it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct LaterFormat {
    /// What it is, such as a folder.
    what: String,
    number: u32,
    since: String,
}

impl LaterFormat {
    /// That `what` is of a format which version `since` and later read.
    pub(crate) fn new(what: impl fmt::Display, number: u32, since: &str) -> Self {
        Self { what: what.to_string(), number, since: since.to_owned() }
    }
}

impl fmt::Display for LaterFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, number, since } = self;
        let (own, newest) = (env!("CARGO_PKG_VERSION"), Format::CURRENT.number);
        write!(
            f,
            "{what} has format {number}, which version {since} and later read, and this is version {own}, which reads formats up to {newest}: install version {since}, or go back to the copy or the backup from before the upgrade"
        )
    }
}

/// The longest name of a version that is believed.
const VERSION_BYTES_MAX: usize = 32;

/// Whether a text can be the name of a version that this one doesn't know, such as `0.9.0`: those that it knows have no
/// later format.
pub(crate) fn is_later_version(text: &str) -> bool {
    let is_name = text.len() <= VERSION_BYTES_MAX
        && text.starts_with(|c: char| c.is_ascii_digit())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-+".contains(c));
    is_name && FORMATS.iter().all(|format| format.since != text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_numbered_without_a_gap_and_the_last_is_this_versions() {
        assert!(FORMATS.iter().map(|format| format.number).eq(1..=Format::CURRENT.number));
        assert!(Format::CURRENT.is_current() && !Format::UNWRITTEN.is_current());
    }

    #[test]
    fn a_later_version_is_named_as_versions_are_and_isnt_known() {
        for (text, is_later) in
            [("0.9.0", true), ("1.0.0-dev", true), ("0.3.0", false), ("", false), ("now", false), ("0.9.0; rm", false)]
        {
            assert_eq!(is_later_version(text), is_later, "{text}");
        }
        assert!(!is_later_version(&"1".repeat(33)));
    }
}
