//! The decisions of a run, each one of so many ways to go on.

use crate::random::Random;

/// Where decisions come from, and those made so far.
pub(crate) struct Schedule {
    source: Source,
    pub(crate) made: Vec<u32>,
    /// Whether the run says what happens.
    pub(crate) is_traced: bool,
}

enum Source {
    Seed(Random),
    /// Decisions as they were made before. Where they end, the plainest way is gone.
    Made(std::vec::IntoIter<u32>),
}

impl Schedule {
    pub(crate) fn from_seed(seed: u64) -> Self {
        Self { source: Source::Seed(Random(seed)), made: Vec::new(), is_traced: false }
    }

    pub(crate) fn of(made: Vec<u32>) -> Self {
        Self { source: Source::Made(made.into_iter()), made: Vec::new(), is_traced: false }
    }

    pub(crate) fn traced(self) -> Self {
        Self { is_traced: true, ..self }
    }

    /// One of `count` ways to go on, of which 0 is the plainest.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        let decision = match &mut self.source {
            Source::Seed(random) => random.next() % count as u64,
            Source::Made(made) => u64::from(made.next().unwrap_or(0)) % count as u64,
        };
        self.made.push(u32::try_from(decision).unwrap());
        usize::try_from(decision).unwrap()
    }

    /// Whether something happens that does so once in so many times.
    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == times - 1
    }

    /// Whether there is nothing left to decide.
    pub(crate) fn is_over(&self) -> bool {
        match &self.source {
            Source::Seed(_) => false,
            Source::Made(made) => made.as_slice().is_empty(),
        }
    }
}
