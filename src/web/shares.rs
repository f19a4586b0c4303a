//! What identities share, counted until it is given back: uploads, and the bytes of pages that aren't taken yet.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use crate::net::Share;

/// How much there is of something, and who has how much of it. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Shares {
    share: Share,
    taken: Arc<Mutex<BTreeMap<String, usize>>>,
    given_back: Arc<Notify>,
}

impl Shares {
    pub(super) fn of(share: Share) -> Self {
        Self { share, taken: Arc::default(), given_back: Arc::default() }
    }

    /// The same, once there is so much, if that is soon enough.
    pub(super) async fn take_within(&self, within: Duration, who: &str, count: usize) -> Option<Held> {
        let taken = async {
            loop {
                // From here on nothing that is given back is missed.
                let given_back = self.given_back.notified();
                match self.take(who, count) {
                    Some(held) => break held,
                    None => given_back.await,
                }
            }
        };
        tokio::time::timeout(within, taken).await.ok()
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

impl Held {
    /// Whose it is.
    pub(super) fn who(&self) -> &str {
        &self.who
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let mut taken = self.of.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let left = taken.remove(&self.who).unwrap_or_default().saturating_sub(self.count);
        if left > 0 {
            taken.insert(std::mem::take(&mut self.who), left);
        }
        drop(taken);
        self.of.given_back.notify_waiters();
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
    #[tokio::test]
    async fn what_is_taken_is_waited_for_until_it_is_given_back_and_no_longer_than_is_said() {
        let shares = Shares::of(Share { max: 1, of_identity_max: 1, kept: 0 });
        let held = shares.take("a", 1).unwrap();
        assert!(shares.take_within(Duration::from_millis(20), "b", 1).await.is_none());
        let waiting = {
            let shares = shares.clone();
            tokio::spawn(async move { shares.take_within(Duration::from_secs(60), "b", 1).await.is_some() })
        };
        tokio::task::yield_now().await;
        drop(held);
        assert!(waiting.await.unwrap());
    }
}
