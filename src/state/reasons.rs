//! Why figures were corrected or withdrawn: few say so, so it is kept by revision.

use std::sync::Arc;

use imbl::OrdMap;

use crate::model::revision::Revision;

/// The reasons of submissions and withdrawals that have one, by their revisions.
#[derive(Debug, Clone, Default)]
pub(super) struct Reasons(OrdMap<Revision, Arc<str>>);

impl Reasons {
    /// Takes note of one; nothing where it is empty.
    pub(super) fn add(&mut self, revision: Revision, reason: &str) {
        if !reason.is_empty() {
            self.0.insert(revision, reason.into());
        }
    }

    /// That of a revision; empty where it has none.
    pub(super) fn of(&self, revision: Revision) -> &str {
        self.0.get(&revision).map(AsRef::as_ref).unwrap_or_default()
    }
}
