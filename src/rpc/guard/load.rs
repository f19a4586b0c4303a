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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_is_summed_by_identity_and_who_has_nothing_open_is_left_out() {
        let id = |name: &str| IdentityId::parse(name).unwrap();
        let mut load = Load::default();
        load.add(3, BTreeMap::from([(id("a"), 2), (id("b"), 0)]), |open| &mut open.calls);
        load.add(1, BTreeMap::from([(id("a"), 1)]), |open| &mut open.connections);
        load.add(2, BTreeMap::from([(id("c"), 2)]), |open| &mut open.connections);
        assert_eq!(load.in_all, Open { calls: 3, watchers: 0, connections: 3 });
        let of = |calls, connections| Open { calls, watchers: 0, connections };
        assert_eq!(load.of_identity, BTreeMap::from([(id("a"), of(2, 1)), (id("c"), of(0, 2))]));
    }
}
