//! What identities share, counted until it is given back: uploads, and the bytes of pages that aren't taken yet.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::net::Share;

/// How much there is of something, and who has how much of it. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Shares {
    share: Share,
    taken: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Shares {
    pub(super) fn of(share: Share) -> Self {
        Self { share, taken: Arc::default() }
    }

    /// So much for somebody; none where they, or all together, have all that there may be.
    pub(super) fn take(&self, who: &str, count: usize) -> Option<Held> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.get(who).copied().unwrap_or_default();
        self.share.admit(taken.values().sum(), Some(own), count).ok()?;
        taken.insert(who.to_owned(), own + count);
        Some(Held { of: self.clone(), who: who.to_owned(), count })
    }
}

/// What somebody holds, until it is dropped.
#[derive(Debug)]
pub(super) struct Held {
    of: Shares,
    who: String,
    count: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut taken = self.of.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let left = taken.remove(&self.who).unwrap_or_default().saturating_sub(self.count);
        if left > 0 {
            taken.insert(std::mem::take(&mut self.who), left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_has_a_first_whatever_the_others_have_and_gives_it_back() {
        let shares = Shares::of(Share { max: 4, of_identity_max: 2, kept: 1 });
        let mut held = Vec::new();
        for who in ["a", "b", "c", "d", "e", "f"] {
            while let Some(one) = shares.take(who, 1) {
                held.push(one);
            }
        }
        let of = |who: &str| held.iter().filter(|one| one.who == who).count();
        assert_eq!(["a", "b", "c", "f"].map(of), [2, 2, 1, 1]);
        held.clear();
        assert!(shares.take("a", 2).is_some(), "what is dropped is given back");
        assert!(shares.taken.lock().unwrap().is_empty());
    }
}
