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
    /// The instant of the first entry that is admitted and not yet published.
    under_way: Option<Timestamp>,
}

impl Timeline {
    /// The instant of an entry that is admitted now, after the newest one of the writer's state. It is under
    /// way until [`Self::settle`].
    pub(super) fn admit(&self, now: Timestamp, newest: Option<Timestamp>) -> Timestamp {
        let mut at = now;
        self.0.send_if_modified(|marks| {
            at = newest.max(marks.answered).map_or(now, |before| now.max(before.next()));
            marks.under_way.get_or_insert(at);
            false
        });
        at
    }

    /// Nothing is under way any more: it is published, or has failed.
    pub(super) fn settle(&self) {
        self.0.send_if_modified(|marks| marks.under_way.take().is_some());
    }

    /// The newest state, and the newest instant that it can be answered as of: now, or a little before
    /// while an entry is under way. Where an instant is wanted that isn't in the future, it is at least that,
    /// and the state has everything that was accepted by then.
    pub(crate) async fn answerable(
        &self,
        clock: &(dyn Fn() -> Timestamp + Send + Sync),
        wanted: Option<Timestamp>,
        states: &watch::Receiver<Arc<State>>,
    ) -> (Arc<State>, Timestamp) {
        if let Some(found) = self.answer(clock(), wanted, states) {
            return found;
        }
        let mut marks = self.0.subscribe();
        loop {
            if let Some(found) = self.answer(clock(), wanted, states) {
                return found;
            }
            // The sender is this timeline's own: it isn't gone.
            drop(marks.changed().await);
        }
    }

    /// None while an entry is under way that the wanted instant may have.
    fn answer(
        &self,
        now: Timestamp,
        wanted: Option<Timestamp>,
        states: &watch::Receiver<Arc<State>>,
    ) -> Option<(Arc<State>, Timestamp)> {
        let mut found = None;
        self.0.send_if_modified(|marks| {
            let state = Arc::clone(&states.borrow());
            let now = state.not_before_newest(now);
            let settled =
                marks.under_way.map_or(now, |under_way| state.not_before_newest(now.min(under_way.previous())));
            if wanted.is_none_or(|wanted| wanted <= settled || wanted > now) {
                marks.answered = marks.answered.max(Some(settled));
                found = Some((state, settled));
            }
            false
        });
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Actor;
    use crate::entry::{Body, Entry};

    /// States whose newest has an entry of each of these instants.
    fn states(instants: &[i64]) -> watch::Receiver<Arc<State>> {
        let mut state = State::default();
        for at in instants {
            state.apply(&Entry { at: Timestamp(*at), actor: Actor::Local, body: Body::Access(Vec::new()) });
        }
        watch::channel(Arc::new(state)).1
    }

    fn instant(
        timeline: &Timeline,
        now: i64,
        wanted: Option<i64>,
        states: &watch::Receiver<Arc<State>>,
    ) -> Option<i64> {
        timeline.answer(Timestamp(now), wanted.map(Timestamp), states).map(|(_, at)| at.0)
    }

    #[test]
    fn an_answer_is_of_an_instant_before_that_of_an_entry_that_it_does_not_have() {
        let (timeline, before) = (Timeline::default(), states(&[5]));
        assert_eq!(timeline.admit(Timestamp(10), Some(Timestamp(5))), Timestamp(10));
        assert_eq!(timeline.admit(Timestamp(12), Some(Timestamp(10))), Timestamp(12));
        assert_eq!(instant(&timeline, 20, None, &before), Some(9));
        // By 15 the entry at 10 may be there: whoever wants that waits. What is in the future isn't waited for.
        assert_eq!(instant(&timeline, 20, Some(9), &before), Some(9));
        assert_eq!(instant(&timeline, 20, Some(15), &before), None);
        assert_eq!(instant(&timeline, 20, Some(21), &before), Some(9));
        timeline.settle();
        assert_eq!(instant(&timeline, 20, Some(15), &states(&[5, 10, 12])), Some(20));
    }

    #[test]
    fn an_entry_is_after_every_entry_and_answer_before_it_though_the_clock_is_set_back() {
        let timeline = Timeline::default();
        assert_eq!(timeline.admit(Timestamp(3), Some(Timestamp(5))), Timestamp(6));
        timeline.settle();
        assert_eq!(instant(&timeline, 3, None, &states(&[6])), Some(6));
        assert_eq!(instant(&timeline, 9, None, &states(&[6])), Some(9));
        assert_eq!(timeline.admit(Timestamp(4), Some(Timestamp(6))), Timestamp(10));
    }

    #[tokio::test]
    async fn who_wants_an_instant_by_which_an_entry_may_be_there_waits_until_that_is_settled() {
        let (timeline, before) = (Timeline::default(), states(&[5]));
        timeline.admit(Timestamp(10), Some(Timestamp(5)));
        let waiting = timeline.clone();
        let answer =
            tokio::spawn(async move { waiting.answerable(&|| Timestamp(20), Some(Timestamp(15)), &before).await.1 });
        tokio::task::yield_now().await;
        assert!(!answer.is_finished());
        timeline.settle();
        assert_eq!(answer.await.unwrap(), Timestamp(20));
    }
}
