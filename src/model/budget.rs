//! How much work an answer may take, and whether anybody still waits for it.
//!
//! Whoever computes an answer spends its budget as the work is done. Once that is used up, or nobody waits any
//! more, every loop ends early, and what it has is no answer: whoever gave the budget asks [`Budget::outcome`]
//! before using anything that was computed under it.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Set once nobody waits for an answer any more. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct StopFlag(Arc<AtomicBool>);

impl StopFlag {
    /// Asks whoever looks at it to stop.
    pub fn set(&self) {
        // Nothing else is read by whoever sees it.
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether to stop.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why an answer wasn't computed to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// Nobody waits for it any more.
    Left,
    /// It takes more work than it may.
    TooMuch,
}

/// The work that an answer may take, in steps: about as many as figures are looked at for it.
#[derive(Debug)]
pub struct Budget {
    flags: [StopFlag; 2],
    left: Cell<u64>,
    stopped: Cell<Option<Stopped>>,
}

impl Budget {
    /// So many steps, unless one of the flags is set before.
    pub fn new(steps: u64, flags: [StopFlag; 2]) -> Self {
        Self { flags, left: Cell::new(steps), stopped: Cell::new(None) }
    }

    /// Takes steps. Once there is an error, it stays.
    ///
    /// # Errors
    /// When there aren't as many left, or nobody waits any more.
    pub fn spend(&self, steps: usize) -> Result<(), Stopped> {
        let steps = u64::try_from(steps).unwrap_or(u64::MAX);
        match self.foresee(steps) {
            Ok(()) => {
                self.left.set(self.left.get() - steps);
                Ok(())
            }
            stopped => stopped,
        }
    }

    /// Stops at once when an answer will take more steps than are left.
    ///
    /// # Errors
    /// When it will, or nobody waits any more.
    pub fn foresee(&self, steps: u64) -> Result<(), Stopped> {
        if self.stopped.get().is_none() {
            if self.flags.iter().any(StopFlag::is_set) {
                self.stopped.set(Some(Stopped::Left));
            } else if steps > self.left.get() {
                self.stopped.set(Some(Stopped::TooMuch));
            }
        }
        self.outcome()
    }

    /// How many steps are left.
    pub(crate) fn left(&self) -> u64 {
        self.left.get()
    }

    /// Whether all was computed to its end.
    ///
    /// # Errors
    /// Why not.
    pub fn outcome(&self) -> Result<(), Stopped> {
        self.stopped.get().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_stopped_stays_stopped() {
        let flags = [StopFlag::default(), StopFlag::default()];
        let budget = Budget::new(3, flags.clone());
        assert_eq!((budget.spend(2), budget.foresee(1), budget.spend(1)), (Ok(()), Ok(()), Ok(())));
        assert_eq!(budget.spend(1), Err(Stopped::TooMuch));
        assert_eq!((budget.spend(0), budget.outcome()), (Err(Stopped::TooMuch), Err(Stopped::TooMuch)));
        let budget = Budget::new(3, flags.clone());
        assert_eq!(budget.foresee(4), Err(Stopped::TooMuch), "nothing needs to be tried");
        let budget = Budget::new(3, flags.clone());
        flags[1].set();
        assert_eq!((budget.outcome(), budget.spend(1)), (Ok(()), Err(Stopped::Left)));
    }
}
