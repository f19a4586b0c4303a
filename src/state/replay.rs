//! Replay: a state from all entries of a journal, faster than one by one.

use super::State;
use super::columns::Pending;
use crate::entry::{Body, Entry};

/// A state that entries are replayed into. It goes the way of [`State::apply`], but that figures wait to
/// be put into the columns many submissions' at a time, so that each slab is merged less often.
#[derive(Debug, Default)]
pub struct Replay {
    state: State,
    pending: Pending,
}

/// Some 10 MB.
const PENDING_ROWS_MAX: usize = 250_000;

impl Replay {
    /// Applies the next entry.
    pub fn apply(&mut self, entry: &Entry) {
        let needs_figures = match &entry.body {
            Body::Submission { .. } => false,
            Body::CataloguePut(_) | Body::Withdrawal(_) | Body::Access(_) => true,
        };
        if needs_figures || self.pending.len() >= PENDING_ROWS_MAX {
            self.settle();
        }
        self.state.change(entry, None, Some(&mut self.pending));
    }

    fn settle(&mut self) {
        if !self.pending.is_empty() {
            self.state.settle(std::mem::take(&mut self.pending));
        }
    }

    /// The state after all entries.
    pub fn finish(mut self) -> State {
        self.settle();
        self.state
    }
}
