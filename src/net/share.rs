//! The one rule by which identities share what is bounded: connections, calls, streams, watches, and the memory
//! of what is being received.

/// How much of something there may be, and how much of it one identity may have.
///
/// What is kept for each identity is given whatever the others have. So however many of them take all that they
/// may, one who has nothing gets a first. There may be so much more in all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    /// In all, but for what is kept.
    pub(crate) max: usize,
    /// Of one identity.
    pub(crate) of_identity_max: usize,
    /// Kept for each identity.
    pub(crate) kept: usize,
}

/// What is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// The identity has all that it may have.
    OfIdentity,
    /// All together have all that there may be.
    InAll,
}

impl Share {
    /// Whether there may be `more`, where there is so much in all, and so much of it the identity's; none where
    /// nobody in particular takes it.
    ///
    /// # Errors
    /// What is used up.
    pub(crate) fn admit(&self, in_all: usize, of_identity: Option<usize>, more: usize) -> Result<(), Full> {
        if let Some(of_identity) = of_identity {
            if of_identity + more <= self.kept {
                return Ok(());
            }
            if of_identity + more > self.of_identity_max {
                return Err(Full::OfIdentity);
            }
        }
        if in_all + more > self.max { Err(Full::InAll) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_nothing_gets_a_first_whatever_the_others_have() {
        let share = Share { max: 10, of_identity_max: 4, kept: 1 };
        let mut held = [0; 20];
        for identity in 0..held.len() {
            while share.admit(held.iter().sum(), Some(held[identity]), 1).is_ok() {
                held[identity] += 1;
            }
        }
        assert_eq!(held[..4], [4, 4, 2, 1]);
        assert!(held.iter().all(|held| *held >= 1));
        assert_eq!(share.admit(0, Some(4), 1), Err(Full::OfIdentity));
        assert_eq!(share.admit(10, Some(1), 1), Err(Full::InAll));
        assert_eq!(share.admit(10, None, 1), Err(Full::InAll));
    }
}
