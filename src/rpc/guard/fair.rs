//! Turns that are shared fairly: of those who wait, whoever has used least of late goes first. So who asks for little
//! waits for the turn that is taken now, and not for everybody who asks for much.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

/// After how long half of what was used is forgotten.
const HALF_LIFE: Duration = Duration::from_secs(1);

/// What somebody has used of late, in steps of work. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Used(Arc<Mutex<Option<Late>>>);

#[derive(Debug, Clone, Copy)]
struct Late {
    steps: u64,
    /// Up to when it is forgotten in part.
    since: Instant,
}

impl Used {
    /// What was used of late.
    pub(super) fn steps(&self, now: Instant) -> u64 {
        self.late().map_or(0, |late| late.at(now).steps)
    }

    /// Adds to it.
    pub(super) fn add(&self, steps: u64, now: Instant) {
        let mut late = self.late();
        let before = late.map_or(Late { steps: 0, since: now }, |late| late.at(now));
        *late = Some(Late { steps: before.steps.saturating_add(steps), ..before });
    }

    fn late(&self) -> MutexGuard<'_, Option<Late>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Late {
    fn at(self, now: Instant) -> Self {
        let halvings = now.saturating_duration_since(self.since).as_millis() / HALF_LIFE.as_millis();
        let halvings = u32::try_from(halvings).unwrap_or(u32::MAX);
        let since = HALF_LIFE.checked_mul(halvings).map_or(now, |forgotten| self.since + forgotten);
        Self { steps: self.steps.checked_shr(halvings).unwrap_or(0), since }
    }
}

/// Turns, of which so many are had at once. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Turns(Arc<Mutex<Line>>);

#[derive(Debug)]
struct Line {
    free: usize,
    /// By what each has used, and then as they came.
    waiting: BTreeMap<Key, oneshot::Sender<Turn>>,
    came: u64,
}

type Key = (u64, u64);

/// A turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn(Turns);

impl Turns {
    pub(super) fn new(count: usize) -> Self {
        Self(Arc::new(Mutex::new(Line { free: count, waiting: BTreeMap::new(), came: 0 })))
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A turn for somebody who has used so much of late.
    pub(super) async fn take(&self, used: u64) -> Turn {
        let (given, _place) = {
            let mut line = self.line();
            // Nobody waits while one is free.
            if line.free > 0 {
                line.free -= 1;
                return Turn(self.clone());
            }
            let key = (used, line.came);
            line.came += 1;
            let (gives, given) = oneshot::channel();
            line.waiting.insert(key, gives);
            (given, Place { turns: self, key })
        };
        given.await.expect("whoever takes the other half out gives a turn")
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let next = {
            let mut line = self.0.line();
            let next = line.waiting.pop_first();
            line.free += usize::from(next.is_none());
            next
        };
        // One that isn't waited for any more comes back here, and goes to the next.
        if let Some((_, next)) = next {
            drop(next.send(Self(self.0.clone())));
        }
    }
}

/// A place among those who wait, given up when nobody waits in it.
struct Place<'t> {
    turns: &'t Turns,
    key: Key,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        // What is taken out is dropped once the line can be looked at again.
        let _gone = self.turns.line().waiting.remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Waits for a turn, and says so when it has it.
    async fn wait(turns: &Turns, used: u64, says: &mpsc::Sender<u64>) -> tokio::task::JoinHandle<()> {
        let (turns, says) = (turns.clone(), says.clone());
        let waits = tokio::spawn(async move {
            let _turn = turns.take(used).await;
            says.send(used).unwrap();
        });
        tokio::task::yield_now().await;
        waits
    }

    #[tokio::test]
    async fn who_has_used_least_goes_first_and_of_equals_who_came_first() {
        let (turns, (says, said)) = (Turns::new(1), mpsc::channel());
        let first = turns.take(900).await;
        let mut others = Vec::new();
        for used in [700, 30, 800, 20, 30] {
            others.push(wait(&turns, used, &says).await);
        }
        assert!(said.try_recv().is_err());
        drop(first);
        for other in others {
            other.await.unwrap();
        }
        assert_eq!(said.try_iter().collect::<Vec<_>>(), [20, 30, 30, 700, 800]);
        let line = turns.line();
        assert_eq!((line.free, line.waiting.len()), (1, 0));
    }

    #[tokio::test]
    async fn a_turn_that_nobody_waits_for_any_more_goes_to_the_next() {
        let (turns, (says, said)) = (Turns::new(1), mpsc::channel());
        let first = turns.take(0).await;
        let (gone, next) = (wait(&turns, 1, &says).await, wait(&turns, 2, &says).await);
        gone.abort();
        assert!(gone.await.unwrap_err().is_cancelled());
        assert_eq!(turns.line().waiting.len(), 1);
        drop(first);
        next.await.unwrap();
        assert_eq!(said.try_iter().collect::<Vec<_>>(), [2]);

        // It is given, and whoever waited is gone before it is taken.
        let (first, mut waits) = (turns.take(0).await, Box::pin(turns.take(0)));
        assert!(poll_once(&mut waits).await.is_none());
        drop(first);
        assert_eq!(turns.line().free, 0);
        drop(waits);
        assert_eq!(turns.line().free, 1);
    }

    /// What a future has now.
    async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        std::future::poll_fn(|cx| match std::pin::Pin::new(&mut *future).poll(cx) {
            std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
            std::task::Poll::Pending => std::task::Poll::Ready(None),
        })
        .await
    }

    #[test]
    fn half_of_what_was_used_is_forgotten_each_second() {
        let (used, now) = (Used::default(), Instant::now());
        let after = |millis| now + Duration::from_millis(millis);
        used.add(1_000, now);
        used.add(24, after(900));
        assert_eq!((used.steps(after(999)), used.steps(after(1_000)), used.steps(after(3_500))), (1_024, 512, 128));
        used.add(1, after(3_500));
        assert_eq!((used.steps(after(3_999)), used.steps(after(4_000))), (129, 64));
        assert_eq!(used.steps(after(3_600_000)), 0);
    }
}
