//! What runs met, so that a schedule that is too tame shows.

/// How often runs met what they are to meet.
#[derive(Debug, Default, Clone)]
pub(crate) struct Met {
    pub(crate) accepted: usize,
    pub(crate) already: usize,
    pub(crate) rejected: usize,
    pub(crate) queue_full: usize,
    pub(crate) no_room: usize,
    pub(crate) groups: usize,
    pub(crate) failures: usize,
    pub(crate) deaths: usize,
    /// Deaths and failures that left a group on the disk, which nobody was told of.
    pub(crate) kept: usize,
    pub(crate) stops: usize,
    pub(crate) interruptions: usize,
}

impl Met {
    fn counts(&mut self) -> [&mut usize; 11] {
        let Self { accepted, already, rejected, queue_full, no_room, .. } = self;
        let Self { groups, failures, deaths, kept, stops, interruptions, .. } = self;
        [accepted, already, rejected, queue_full, no_room, groups, failures, deaths, kept, stops, interruptions]
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, count) in self.counts().into_iter().zip(other.clone().counts()) {
            *sum += *count;
        }
    }

    pub(crate) fn has_everything(&self) -> bool {
        self.clone().counts().iter().all(|count| **count > 0)
    }
}
