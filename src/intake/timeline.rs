//! The instants that entries and answers are of, kept so that an answer as of an instant never changes.
//!
//! An entry has its instant before it is durable, and no answer has it before that. So an answer is of an
//! instant before that of every entry that is under way, and an entry's instant is after that of every
//! answer that doesn't have it, and of every entry before it, whatever the clock says.

use std::sync::Arc;

use tokio::sync::watch;

use crate::model::timestamp::Timestamp;
use crate::state::State;

/// The instants of entries and answers. Cheap to clone; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Timeline(Arc<watch::Sender<Marks>>);

#[derive(Debug, Default)]
struct Marks {
    /// The newest instant that an answer was of.
    answered: Option<Timestamp>,
    /// The first instant of a command that is admitted and not yet published.
    under_way: Option<Timestamp>,
}

/// The newest state, and what it can be answered as of.
pub struct Newest {
    /// The newest state.
    pub state: Arc<State>,
    /// The newest instant by which it has everything that was accepted.
    pub at: Timestamp,
    /// The newest instant that an answer was of: later than `at` where the clock has been set back.
    pub answered: Timestamp,
    /// Now, which is later while an entry is under way.
    now: Timestamp,
}

impl Timeline {
    /// The instant of an entry that is admitted now, after the newest one of the writer's state. It is under
    /// way until [`Self::settle`].
    pub(super) fn admit(&self, now: Timestamp, newest: Option<Timestamp>) -> Timestamp {
        let mut at = now;
        self.0.send_if_modified(|marks| {
            at = newest.max(marks.answered).map_or(now, |before| now.max(before.next()));
            // A command before it that became no entry may have an instant after its, where the clock was set back.
            marks.under_way = Some(marks.under_way.map_or(at, |first| first.min(at)));
            false
        });
        at
    }

    /// What was under way is published, or has failed.
    pub(super) fn settle(&self) {
        self.0.send_if_modified(|marks| marks.under_way.take().is_some());
    }

    /// The newest state, and the newest instant that it can be answered as of: now, or a little before while an
    /// entry is under way.
    pub fn newest(
        &self,
        clock: &(dyn Fn() -> Timestamp + Send + Sync),
        states: &watch::Receiver<Arc<State>>,
    ) -> Newest {
        self.newest_at(clock(), states)
    }

    /// Waits until everything that was accepted by an instant is in the newest state. The future isn't waited for.
    pub async fn settled(
        &self,
        clock: &(dyn Fn() -> Timestamp + Send + Sync),
        wanted: Timestamp,
        states: &watch::Receiver<Arc<State>>,
    ) {
        let mut marks = self.0.subscribe();
        loop {
            let Newest { answered, now, .. } = self.newest(clock, states);
            if wanted <= answered || wanted > now {
                return;
            }
            // The sender is this timeline's own: it isn't gone.
            drop(marks.changed().await);
        }
    }

    fn newest_at(&self, now: Timestamp, states: &watch::Receiver<Arc<State>>) -> Newest {
        let mut found = None;
        self.0.send_if_modified(|marks| {
            // Looked at while nothing can be settled: what is settled is in it.
            let state = Arc::clone(&states.borrow());
            let now = state.not_before_newest(now);
            let at = marks.under_way.map_or(now, |under_way| state.not_before_newest(now.min(under_way.previous())));
            let answered = marks.answered.map_or(at, |answered| answered.max(at));
            marks.answered = Some(answered);
            found = Some(Newest { state, at, answered, now });
            false
        });
        found.expect("the marks were looked at")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::access::Actor;
    use crate::entry::{Body, Entry};
    use crate::state::Fold;

    /// States whose newest has an entry of each of these instants.
    fn states(instants: &[i64]) -> watch::Receiver<Arc<State>> {
        let mut fold = Fold::default();
        for at in instants {
            fold.apply(&Entry { at: Timestamp(*at), actor: Actor::Local, body: Body::Access(Vec::new()) });
        }
        watch::channel(Arc::new(fold.state())).1
    }

    /// The instant of an answer, and whether it is known what was accepted by a wanted one.
    async fn instant(
        timeline: &Timeline,
        now: i64,
        wanted: Option<i64>,
        states: &watch::Receiver<Arc<State>>,
    ) -> Option<i64> {
        if let Some(wanted) = wanted {
            let clock = move || Timestamp(now);
            let settled = timeline.settled(&clock, Timestamp(wanted), states);
            tokio::time::timeout(Duration::from_millis(20), settled).await.ok()?;
        }
        Some(timeline.newest_at(Timestamp(now), states).at.0)
    }

    #[tokio::test]
    async fn an_answer_is_of_an_instant_before_that_of_an_entry_that_it_does_not_have() {
        let (timeline, before) = (Timeline::default(), states(&[5]));
        assert_eq!(timeline.admit(Timestamp(10), Some(Timestamp(5))), Timestamp(10));
        assert_eq!(timeline.admit(Timestamp(12), Some(Timestamp(10))), Timestamp(12));
        assert_eq!(instant(&timeline, 20, None, &before).await, Some(9));
        // By 15 the entry at 10 may be there: whoever wants that waits. What is in the future isn't waited for.
        assert_eq!(instant(&timeline, 20, Some(9), &before).await, Some(9));
        assert_eq!(instant(&timeline, 20, Some(15), &before).await, None);
        assert_eq!(instant(&timeline, 20, Some(21), &before).await, Some(9));
        // The first two are published, and a third is admitted.
        timeline.settle();
        assert_eq!(timeline.admit(Timestamp(14), Some(Timestamp(12))), Timestamp(14));
        assert_eq!(instant(&timeline, 20, Some(15), &states(&[5, 10, 12])).await, None);
        assert_eq!(instant(&timeline, 20, None, &states(&[5, 10, 12])).await, Some(13));
        timeline.settle();
        assert_eq!(instant(&timeline, 20, Some(15), &states(&[5, 10, 12, 14])).await, Some(20));
    }

    #[tokio::test]
    async fn an_entry_is_after_every_entry_and_answer_before_it_though_the_clock_is_set_back() {
        let timeline = Timeline::default();
        assert_eq!(timeline.admit(Timestamp(3), Some(Timestamp(5))), Timestamp(6));
        timeline.settle();
        assert_eq!(instant(&timeline, 3, None, &states(&[6])).await, Some(6));
        assert_eq!(instant(&timeline, 9, None, &states(&[6])).await, Some(9));
        // What was answered as of 9 can be asked for as of 9 still.
        let newest = timeline.newest_at(Timestamp(4), &states(&[6]));
        assert_eq!((newest.at, newest.answered), (Timestamp(6), Timestamp(9)));
        assert_eq!(timeline.admit(Timestamp(4), Some(Timestamp(6))), Timestamp(10));
    }

    #[tokio::test]
    async fn an_entry_is_after_the_answers_before_it_though_a_refused_command_had_a_later_instant() {
        let (timeline, before) = (Timeline::default(), states(&[5]));
        // The first becomes no entry, so that the newest is the same for the second.
        assert_eq!(timeline.admit(Timestamp(20), Some(Timestamp(5))), Timestamp(20));
        assert_eq!(timeline.admit(Timestamp(15), Some(Timestamp(5))), Timestamp(15));
        assert_eq!(instant(&timeline, 17, None, &before).await, Some(14));
    }

    #[tokio::test]
    async fn who_wants_an_instant_by_which_an_entry_may_be_there_waits_until_that_is_settled() {
        let (timeline, before) = (Timeline::default(), states(&[5]));
        timeline.admit(Timestamp(10), Some(Timestamp(5)));
        let waiting = timeline.clone();
        let answer = tokio::spawn(async move { waiting.settled(&|| Timestamp(20), Timestamp(15), &before).await });
        tokio::task::yield_now().await;
        assert!(!answer.is_finished());
        timeline.settle();
        answer.await.unwrap();
    }
}
