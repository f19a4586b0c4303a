//! What runs met, so that a schedule that is too tame shows.

use std::fmt;

macro_rules! things {
    ($($(#[$doc:meta])* $thing:ident,)*) => {
        /// What runs are to meet.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Thing { $($(#[$doc])* $thing,)* }

        const THINGS: &[Thing] = &[$(Thing::$thing,)*];
    };
}

things! {
    Accepted,
    Already,
    Rejected,
    QueueFull,
    NoRoom,
    Group,
    Failure,
    Death,
    /// A death or failure left a group on the disk, which nobody was told of.
    Kept,
    Stop,
    Interruption,
    /// What an observation did.
    New,
    /// The same where there had been a figure.
    NewAgain,
    Revised,
    Unchanged,
    Withdrawn,
    /// The figure was withdrawn already.
    WithdrawnAlready,
    /// A check found a figure, which was explained.
    Explained,
    /// A corrector changed a locked period.
    Unlocked,
    /// A submission looked at figures that another changed after it was queued.
    Overtaken,
    /// A withdrawal brought back what single withdrawals had taken away.
    BroughtBack,
    /// It brought back that a figure is withdrawn.
    GoneAgain,
    /// It was refused for a locked period.
    WithdrawalLocked,
    /// Figures had changed since a sender saw them, and some only after it was queued.
    FiguresChanged,
    LateFiguresChanged,
    /// Those that it sent hadn't, and others of its agency had.
    OthersChanged,
    /// A return was completed, or its manifest differed; a part that came later was refused; a withdrawal opened it again.
    Completed,
    CompleteAlready,
    NoSuchReturn,
    ManifestDiffers,
    ReturnComplete,
    OpenedAgain,
    /// A handler refused a submission for this.
    NoReason,
    ForeignArea,
    NoSuchCheck,
    Unexplained,
    Locked,
    NeverWas,
    /// A handler took it, and the writer refused it for this.
    LateNoReason,
    LateForeignArea,
    LateNoSuchCheck,
    LateUnexplained,
    LateLocked,
    /// All that came between the two was another day.
    LockedOvernight,
}

/// How often runs met what they are to meet.
#[derive(Clone)]
pub(crate) struct Met([usize; THINGS.len()]);

impl Default for Met {
    fn default() -> Self {
        Self([0; THINGS.len()])
    }
}

impl fmt::Debug for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(THINGS.iter().zip(self.0)).finish()
    }
}

impl Met {
    pub(crate) fn count(&mut self, thing: Thing) {
        self.0[thing as usize] += 1;
    }

    pub(crate) fn of(&self, thing: Thing) -> usize {
        self.0[thing as usize]
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, count) in self.0.iter_mut().zip(other.0) {
            *sum += count;
        }
    }

    /// What was met less often than once in 200 seeds.
    pub(crate) fn rare(&self, seeds: u64) -> Vec<Thing> {
        THINGS.iter().filter(|thing| (self.of(**thing) as u64) < seeds / 200).copied().collect()
    }
}
