//! Section 21: what a submission or a withdrawal may change.

use conspectus::catalogue::items::IndicatorVersion;
use conspectus::intake::corrections::Locks;
use conspectus::model::period::Period;
use conspectus::model::submission::Submission;

use super::sight::{Key, Sight};

/// Why a submission isn't accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Refused {
    /// 21.2: this line withdraws a figure that never was.
    NeverWas(usize),
    /// 21.8: this line changes a figure of a locked period.
    Locked(usize),
    /// 21.8 and 21.9: it has no reason.
    Unreasoned,
}

impl Sight {
    /// 21.6: "locked from the day after so many days after its figure is due".
    pub(crate) fn is_locked(&self, version: &IndicatorVersion, period: Period) -> bool {
        let days = version.lock_days;
        days.is_some_and(|days| self.today > self.due(version, period).plus_days(days.into()))
    }

    /// Everything that a submission may not do.
    pub(crate) fn refused_corrections(&self, submission: &Submission, locks: Locks) -> Vec<Refused> {
        let (mut refused, mut needs_reason) = (vec![], false);
        for (line, it) in submission.observations.iter().enumerate() {
            let key = Key::of(&submission.agency, &it);
            let known = self.figures.iter().find(|known| known.key.is(&key));
            let withdraws = it.value.is_withdrawal();
            if withdraws && !self.items.iter().any(|item| item.key.is(&key)) {
                refused.push(Refused::NeverWas(line));
            }
            let version = self.version(&it.indicator, it.period);
            let (corrects, is_new) = match known {
                Some(known) => (withdraws || !known.has_value(&it.value, submission.sample), false),
                None => (false, !withdraws),
            };
            if (corrects || is_new) && self.is_locked(version, it.period) {
                needs_reason = true;
                if locks == Locks::Kept {
                    refused.push(Refused::Locked(line));
                }
            }
            needs_reason |= corrects && version.correction_reason_required;
        }
        if needs_reason && submission.reason.is_empty() {
            refused.push(Refused::Unreasoned);
        }
        refused.sort();
        refused
    }
}
