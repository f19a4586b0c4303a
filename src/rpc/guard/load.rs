//! What is open at a moment, and whose it is.

use std::collections::BTreeMap;

use crate::model::id::IdentityId;

/// What is open: in all, and of each identity that has anything open. The bounds of calls, watchers and connections
/// bound how many those are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Load {
    /// In all, also of nobody in particular.
    pub in_all: Open,
    /// By identity.
    pub of_identity: BTreeMap<IdentityId, Open>,
}

/// How much is open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Open {
    /// Calls, those whose answers aren't taken yet among them.
    pub calls: usize,
    /// Streams that watch: calls too.
    pub watchers: usize,
    /// Connections; of an identity those over which it calls.
    pub connections: usize,
}

impl Load {
    /// Adds what some counts have.
    pub(super) fn add(
        &mut self,
        in_all: usize,
        of_identity: BTreeMap<IdentityId, usize>,
        field: impl Fn(&mut Open) -> &mut usize,
    ) {
        *field(&mut self.in_all) += in_all;
        for (identity, count) in of_identity.into_iter().filter(|(_, count)| *count > 0) {
            *field(self.of_identity.entry(identity).or_default()) += count;
        }
    }
}
