//! Where answers are computed. What takes little work is computed on the thread that serves the call, a millisecond or two
//! at a time. Everything else is computed on a thread of the pool, of which there are fewer than cores; so whatever is
//! asked, serving goes on.
//!
//! A caller has few turns of its own, in the order in which it asks. With one of those it waits for one of everybody's,
//! which are shared fairly ([`super::fair`]). So nobody's many questions, and no dear ones, are in front of another's
//! cheap one.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinError;

use super::fair::{self, Turns, Used};
use crate::model::budget::{Budget, StopFlag, Stopped};

/// The steps of an answer that is computed on a thread that serves: a millisecond or two of work, where a step takes
/// longest. The figures of some hundred areas in a month take some hundreds.
const QUICK_STEPS: u64 = 5_000;
/// The steps of any answer. Questions are bounded so that theirs take fewer; this one holds where that bound was
/// wrong about one.
const STEPS_MAX: u64 = 100_000_000;

/// What turns there are.
#[derive(Debug, Clone, Copy)]
enum Lane {
    /// On the threads that serve.
    Quick,
    /// On the pool, of what is in memory.
    Pool,
    /// On the pool, of what is read from the disk.
    Disk,
}

/// A caller's own turns in each lane, and what its answers have taken of late. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Lanes(Arc<Own>);

#[derive(Debug)]
struct Own {
    turns: [Arc<Semaphore>; 3],
    used: Used,
}

/// A turn, until it is dropped: none of an own one where nobody in particular calls.
type Turn = (Option<OwnedSemaphorePermit>, fair::Turn);

impl Lanes {
    /// So many turns at once, of each kind.
    pub(super) fn new(turns: usize) -> Self {
        let turns = std::array::from_fn(|_| Arc::new(Semaphore::new(turns)));
        Self(Arc::new(Own { turns, used: Used::default() }))
    }
}

/// What the answers of a call are computed by.
#[derive(Debug, Clone)]
pub(crate) struct Compute {
    /// The caller's own turns; none when nobody in particular calls.
    own: Option<Lanes>,
    all: Arc<All>,
}

/// What all answers share.
#[derive(Debug)]
struct All {
    turns: [Turns; 3],
    /// Set when the server doesn't wait for answers any longer.
    stop: StopFlag,
}

impl Compute {
    /// For answers of nobody in particular, so many at once of each kind that is computed on the pool. Of the quick ones it is
    /// one more, as many as there are threads that serve: none of them has to wait while a core is idle.
    pub(super) fn new(turns: usize) -> Self {
        let turns = [turns + 1, turns, turns].map(Turns::new);
        Self { own: None, all: Arc::new(All { turns, stop: StopFlag::default() }) }
    }

    /// The same, for a caller with turns of its own.
    pub(super) fn of(&self, own: Option<Lanes>) -> Self {
        Self { own, all: Arc::clone(&self.all) }
    }

    /// Stops whatever is computed.
    pub(super) fn stop(&self) {
        self.all.stop.set();
    }

    /// Computes an answer within a budget. It is begun a second time where it takes more work than it may on this
    /// thread. Once this future is dropped, because the caller has gone or its time is up, the work stops.
    ///
    /// # Errors
    /// When it takes too much work, or the server stops.
    pub(crate) async fn answer<T: Send + 'static>(
        &self,
        work: impl Fn(&Budget) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let caller = StopFlag::default();
        let flags = [caller.clone(), self.all.stop.clone()];
        {
            let _turn = self.turn(Lane::Quick).await;
            let budget = Budget::new(QUICK_STEPS, flags);
            let answer = work(&budget);
            if let Some(used) = self.used() {
                used.add(QUICK_STEPS - budget.left(), Instant::now());
            }
            match budget.outcome() {
                Err(Stopped::TooMuch) => {}
                outcome => return outcome.map(|()| answer),
            }
        }
        self.elsewhere(Lane::Pool, caller, work).await
    }

    /// Computes an answer from what is read from the disk, which may have to be waited for: on a thread of the pool, but
    /// in turns of its own, so that it doesn't wait for what is computed from memory.
    ///
    /// # Errors
    /// As there.
    pub(crate) async fn answer_from_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Budget) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        self.elsewhere(Lane::Disk, StopFlag::default(), work).await
    }

    async fn elsewhere<T: Send + 'static>(
        &self,
        lane: Lane,
        caller: StopFlag,
        work: impl FnOnce(&Budget) -> T + Send + 'static,
    ) -> Result<T, Stopped> {
        let turn = self.turn(lane).await;
        let flags = [caller.clone(), self.all.stop.clone()];
        let (_stops, used) = (StopOnDrop(caller), self.used().cloned());
        let computed = tokio::task::spawn_blocking(move || {
            let _turn = turn;
            let budget = Budget::new(STEPS_MAX, flags);
            let answer = work(&budget);
            if let Some(used) = used {
                used.add(STEPS_MAX - budget.left(), Instant::now());
            }
            budget.outcome().map(|()| answer)
        });
        computed.await.unwrap_or_else(|failed| Err(left(failed)))
    }

    async fn turn(&self, lane: Lane) -> Turn {
        let own = match &self.own {
            // They are never closed.
            Some(Lanes(own)) => Arc::clone(&own.turns[lane as usize]).acquire_owned().await.ok(),
            None => None,
        };
        let used = self.used().map_or(0, |used| used.steps(Instant::now()));
        (own, self.all.turns[lane as usize].take(used).await)
    }

    /// What the caller's answers have taken of late; none when nobody in particular calls.
    fn used(&self) -> Option<&Used> {
        self.own.as_ref().map(|Lanes(own)| &own.used)
    }
}

/// Of work that was never begun, because the program ends; a panic goes on where the answer is waited for.
fn left(failed: JoinError) -> Stopped {
    match failed.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Stopped::Left,
    }
}

/// Stops work that nobody waits for any more.
struct StopOnDrop(StopFlag);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.set();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use super::*;

    /// How long something works that isn't stopped: so a test of that fails, and doesn't hang.
    const ENDLESS: Duration = Duration::from_secs(20);

    /// Works until it is stopped, on a thread of the pool, and says when it begins and when it ends.
    fn endless(said: mpsc::Sender<&'static str>) -> impl Fn(&Budget) + Send + 'static {
        move |budget| {
            if budget.foresee(QUICK_STEPS + 1).is_ok() {
                let _ = said.send("begun");
                let begun = Instant::now();
                while budget.spend(0).is_ok() && begun.elapsed() < ENDLESS {}
                let _ = said.send("ended");
            }
        }
    }

    #[tokio::test]
    async fn what_takes_little_work_is_computed_where_it_is_asked_for_and_the_rest_elsewhere() {
        let here = std::thread::current().id();
        let compute = Compute::new(1);
        let thread = |steps: u64| {
            compute.answer(move |budget| {
                // What it has when it is stopped is never seen.
                budget.foresee(steps).map_or(here, |()| std::thread::current().id())
            })
        };
        assert_eq!(thread(QUICK_STEPS).await, Ok(here));
        assert_ne!(thread(QUICK_STEPS + 1).await, Ok(here));
        assert_eq!(thread(STEPS_MAX + 1).await, Err(Stopped::TooMuch));
    }

    #[tokio::test]
    async fn work_stops_when_nobody_waits_and_the_turn_is_the_next_ones() {
        let (compute, (says, said)) = (Compute::new(1), mpsc::channel());
        let first = tokio::spawn({
            let (compute, says) = (compute.clone(), says.clone());
            async move { compute.answer(endless(says)).await }
        });
        let said = tokio::task::spawn_blocking(move || {
            assert_eq!(said.recv(), Ok("begun"));
            said
        });
        let said = said.await.unwrap();
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        let next = compute.answer(|budget| budget.foresee(QUICK_STEPS + 1).is_ok());
        assert_eq!(tokio::time::timeout(ENDLESS / 2, next).await.unwrap(), Ok(true));
        assert_eq!(said.recv(), Ok("ended"));
        // The server's stop ends it too.
        let second = tokio::spawn({
            let compute = compute.clone();
            async move { compute.answer(endless(says)).await }
        });
        let begun = tokio::task::spawn_blocking(move || said.recv());
        assert_eq!(begun.await.unwrap(), Ok("begun"));
        compute.stop();
        assert_eq!(tokio::time::timeout(ENDLESS / 2, second).await.unwrap().unwrap(), Err(Stopped::Left));
    }

    /// How many of some answers, of so many steps each, are computed at once at the most.
    async fn most_at_once(compute: &Compute, steps: u64) -> usize {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let mut answers = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let (compute, now, most) = (compute.clone(), Arc::clone(&now), Arc::clone(&most));
            answers.spawn(async move {
                let work = move |budget: &Budget| {
                    if budget.foresee(steps).is_ok() {
                        most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                        // Long enough that others would begin, if they could.
                        std::thread::sleep(Duration::from_millis(5));
                        now.fetch_sub(1, Ordering::SeqCst);
                    }
                };
                compute.answer(work).await
            });
        }
        assert!(answers.join_all().await.iter().all(Result::is_ok));
        most.load(Ordering::SeqCst)
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn no_more_answers_are_computed_at_once_than_there_are_turns_of_all_and_of_their_caller() {
        for (steps, turns) in [(1, 2), (QUICK_STEPS + 1, 1)] {
            assert_eq!(most_at_once(&Compute::new(1), steps).await, turns, "{steps}");
            let of_one_caller = Compute::new(4).of(Some(Lanes::new(1)));
            assert_eq!(most_at_once(&of_one_caller, steps).await, 1, "{steps}");
        }
    }

    #[tokio::test]
    async fn of_one_callers_many_questions_one_is_in_front_of_anothers() {
        let (all, (says, said)) = (Compute::new(1), mpsc::channel());
        let ask = |of: &Compute, name: &'static str| {
            let (compute, says) = (of.clone(), says.clone());
            tokio::spawn(async move {
                let work = move |budget: &Budget| {
                    if budget.foresee(QUICK_STEPS + 1).is_ok() {
                        let _ = says.send(name);
                        let begun = Instant::now();
                        while name == "first" && budget.spend(0).is_ok() && begun.elapsed() < ENDLESS {}
                    }
                };
                compute.answer(work).await
            })
        };
        let (a, b) = (all.of(Some(Lanes::new(1))), all.of(Some(Lanes::new(1))));
        let first = ask(&a, "first");
        let said = tokio::task::spawn_blocking(move || {
            assert_eq!(said.recv(), Ok("first"));
            said
        });
        let said = said.await.unwrap();
        let mut others = Vec::new();
        for (of, name) in [(&a, "second"), (&a, "third"), (&b, "another's")] {
            others.push(ask(of, name));
            // It waits for its turn before the next asks.
            tokio::task::yield_now().await;
        }
        first.abort();
        for other in others {
            assert_eq!(other.await.unwrap(), Ok(()));
        }
        assert_eq!(said.try_iter().collect::<Vec<_>>(), ["another's", "second", "third"]);
    }
}
