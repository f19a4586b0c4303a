//! Turns: shares of something scarce that are waited for. Each identity's are granted in the order of asking, and
//! the identity that was granted one longest ago comes first: so one who asks for many waits for its own.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::model::id::IdentityId;
use crate::net::Share;

/// How many may wait: each has a window of its connection's memory for what its sender has sent already.
const WAITING: Share = Share { max: 256, of_identity_max: 64, kept: 8 };

/// Too many wait already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooManyWait;

/// Something scarce, such as bytes of memory, or threads.
#[derive(Debug, Clone)]
pub(super) struct Turns(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    share: Share,
    queue: Mutex<Queue>,
}

#[derive(Debug, Default)]
struct Queue {
    taken: usize,
    waiting: usize,
    /// Of each identity, and of nobody in particular.
    loads: BTreeMap<Option<IdentityId>, Load>,
    /// The number of the next turn; and how many were granted.
    next: u64,
    granted: u64,
}

#[derive(Debug, Default)]
struct Load {
    taken: usize,
    waiting: VecDeque<Waiting>,
    /// When it was last granted one, by the count of those that were.
    granted_at: u64,
}

#[derive(Debug)]
struct Waiting {
    number: u64,
    amount: usize,
    granted: oneshot::Sender<()>,
}

impl Turns {
    pub(super) fn new(share: Share) -> Self {
        Self(Arc::new(Inner { share, queue: Mutex::default() }))
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So much of it for an identity, or for nobody in particular, as soon as it is there. Whoever drops the
    /// future has left the queue.
    ///
    /// # Errors
    /// When too many wait already.
    pub(super) async fn take(&self, identity: Option<&IdentityId>, amount: usize) -> Result<Turn, TooManyWait> {
        let (turn, granted) = self.join(identity.cloned(), amount)?;
        // The sender is dropped when the turn is, and not before.
        drop(granted.await);
        Ok(turn)
    }

    /// A turn that is waited for until it is granted.
    fn join(&self, identity: Option<IdentityId>, amount: usize) -> Result<(Turn, oneshot::Receiver<()>), TooManyWait> {
        let (granted, receiver) = oneshot::channel();
        let mut queue = self.queue();
        let of_identity = queue.loads.get(&identity).map_or(0, |load| load.waiting.len());
        WAITING.admit(queue.waiting, identity.is_some().then_some(of_identity), 1).map_err(|_| TooManyWait)?;
        let number = queue.next;
        queue.next += 1;
        queue.waiting += 1;
        queue.loads.entry(identity.clone()).or_default().waiting.push_back(Waiting { number, amount, granted });
        queue.grant(&self.0.share);
        drop(queue);
        Ok((Turn { turns: self.clone(), number, identity, amount }, receiver))
    }
}

impl Queue {
    /// Grants what may be granted. What is kept for an identity may be more than what is left.
    fn grant(&mut self, share: &Share) {
        while self.waiting > 0 {
            let in_all = self.taken;
            let first_of_each = self.loads.iter_mut().filter_map(|(identity, load)| {
                let first = load.waiting.front()?;
                let taken = identity.is_some().then_some(load.taken);
                // One that is larger than all that there may be is granted alone.
                let is_granted = in_all == 0 || share.admit(in_all, taken, first.amount).is_ok();
                let order = (load.granted_at, first.number);
                is_granted.then_some((order, load))
            });
            let Some((_, load)) = first_of_each.min_by_key(|(order, _)| *order) else { return };
            let Some(Waiting { amount, granted, .. }) = load.waiting.pop_front() else { return };
            self.granted += 1;
            load.granted_at = self.granted;
            load.taken += amount;
            self.taken += amount;
            self.waiting -= 1;
            // Whoever has gone gives it back by dropping the turn.
            let _ = granted.send(());
        }
    }

    /// Takes back a turn that was granted, or its place in the queue.
    fn take_back(&mut self, turn: &Turn) {
        let Some(load) = self.loads.get_mut(&turn.identity) else { return };
        match load.waiting.iter().position(|waiting| waiting.number == turn.number) {
            Some(at) => {
                drop(load.waiting.remove(at));
                self.waiting -= 1;
            }
            None => {
                load.taken -= turn.amount;
                self.taken -= turn.amount;
            }
        }
        if load.taken == 0 && load.waiting.is_empty() {
            self.loads.remove(&turn.identity);
        }
    }
}

/// So much of something scarce, until it is dropped; or a place in the queue for it.
#[derive(Debug)]
pub(super) struct Turn {
    turns: Turns,
    number: u64,
    identity: Option<IdentityId>,
    amount: usize,
}

impl Turn {
    pub(super) fn amount(&self) -> usize {
        self.amount
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut queue = self.turns.queue();
        queue.take_back(self);
        queue.grant(&self.turns.0.share);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: Share = Share { max: 10, of_identity_max: 6, kept: 3 };

    /// Asks for so much for somebody.
    fn join(turns: &Turns, name: &str, amount: usize) -> (Turn, oneshot::Receiver<()>) {
        turns.join(Some(IdentityId::parse(name).unwrap()), amount).unwrap()
    }

    fn is_granted((_, granted): &mut (Turn, oneshot::Receiver<()>)) -> bool {
        granted.try_recv().is_ok()
    }

    #[test]
    fn turns_are_granted_in_order_and_to_each_identity_what_is_kept_for_it() {
        let turns = Turns::new(SHARE);
        let mut a: Vec<_> = (0..4).map(|_| join(&turns, "a", 3)).collect();
        assert_eq!(a.iter_mut().map(is_granted).collect::<Vec<_>>(), [true, true, false, false]);
        let mut b: Vec<_> = (0..2).map(|_| join(&turns, "b", 2)).collect();
        assert_eq!(b.iter_mut().map(is_granted).collect::<Vec<_>>(), [true, true]);
        let mut c = [join(&turns, "c", 3), join(&turns, "c", 3)];
        assert!(is_granted(&mut c[0]), "what is kept for it");
        assert!(!is_granted(&mut c[1]), "there is no more in all");
        // What is given back goes to the first who waits and may have it.
        drop(a.remove(0));
        assert!(!is_granted(&mut a[1]) && !is_granted(&mut c[1]), "ten are taken of ten");
        drop(b);
        assert!(is_granted(&mut a[1]) && !is_granted(&mut a[2]));
        drop(a);
        assert!(is_granted(&mut c[1]));
        drop(c);
        let queue = turns.queue();
        assert_eq!((queue.taken, queue.waiting), (0, 0));
        assert!(queue.loads.is_empty());
    }

    #[test]
    fn who_was_granted_one_longest_ago_comes_first_whoever_asked_first() {
        let turns = Turns::new(Share { max: 1, of_identity_max: 1, kept: 0 });
        let mut a: Vec<_> = (0..3).map(|_| join(&turns, "a", 1)).collect();
        let mut b: Vec<_> = (0..2).map(|_| join(&turns, "b", 1)).collect();
        assert!(is_granted(&mut a[0]));
        drop(a.remove(0));
        assert!(is_granted(&mut b[0]) && !is_granted(&mut a[0]));
        drop(b.remove(0));
        assert!(is_granted(&mut a[0]) && !is_granted(&mut b[0]));
        drop(a.remove(0));
        assert!(is_granted(&mut b[0]) && !is_granted(&mut a[0]));
    }

    #[test]
    fn a_small_one_does_not_pass_a_large_one_of_the_same_identity() {
        let turns = Turns::new(SHARE);
        let first = join(&turns, "a", 4);
        let mut large = join(&turns, "a", 6);
        let mut small = join(&turns, "a", 1);
        assert!(!is_granted(&mut large) && !is_granted(&mut small));
        drop(first);
        assert!(is_granted(&mut large) && !is_granted(&mut small));
    }

    #[test]
    fn whoever_stops_waiting_leaves_the_queue_and_takes_nothing() {
        let turns = Turns::new(Share { max: 1, of_identity_max: 1, kept: 0 });
        let mut first = join(&turns, "a", 1);
        let (second, mut third) = (join(&turns, "b", 1), join(&turns, "c", 1));
        assert!(is_granted(&mut first));
        drop(second);
        drop(first);
        assert!(is_granted(&mut third));
        // Granted and gone before it was noticed.
        drop(third);
        assert!(is_granted(&mut join(&turns, "d", 1)));
    }

    #[test]
    fn too_many_of_one_identity_are_not_kept_waiting() {
        let turns = Turns::new(Share { max: 1, of_identity_max: 1, kept: 0 });
        let id = |name: &str| Some(IdentityId::parse(name).unwrap());
        let waiting: Vec<_> = (0..=WAITING.of_identity_max).map(|_| join(&turns, "a", 1)).collect();
        assert_eq!(turns.join(id("a"), 1).map(drop), Err(TooManyWait));
        assert!(turns.join(id("b"), 1).is_ok());
        drop(waiting);
        assert!(turns.join(id("a"), 1).is_ok());
        // Of nobody in particular as many may wait as of all together.
        let (_taken, _waiting): (_, Vec<_>) =
            (turns.join(None, 1), (0..WAITING.max).map(|_| turns.join(None, 1).unwrap()).collect());
        assert_eq!(turns.join(None, 1).map(drop), Err(TooManyWait));
    }

    #[test]
    fn one_that_is_larger_than_all_is_granted_alone() {
        let turns = Turns::new(SHARE);
        let first = join(&turns, "a", 1);
        let mut larger = join(&turns, "b", SHARE.max + 1);
        assert!(!is_granted(&mut larger));
        drop(first);
        assert!(is_granted(&mut larger));
        assert!(!is_granted(&mut join(&turns, "a", SHARE.kept + 1)));
    }
}
