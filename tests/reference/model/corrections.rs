//! Section 21: what a submission or a withdrawal may change.

use conspectus::catalogue::items::{IndicatorVersion, Kind};
use conspectus::intake::corrections::Locks;
use conspectus::model::period::Period;
use conspectus::model::submission::Submission;

use super::periods::cut;
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
    /// 21.6: "locked from the day after so many days after its figure is due", and "a longer period as soon as the first
    /// that it is made of".
    pub(crate) fn is_locked(&self, version: &IndicatorVersion, period: Period) -> bool {
        let parts = if version.kind == Kind::Stock { vec![] } else { cut(period, version.frequency) };
        let first = parts.first().copied().unwrap_or(period);
        version.lock_days.is_some_and(|days| self.today > self.due(version, first).plus_days(days.into()))
    }

    /// The first day of the lock, as completeness says it.
    pub(crate) fn locked_from(&self, version: &IndicatorVersion, period: Period) -> String {
        let days = version.lock_days.map(i32::from);
        days.map(|days| self.due(version, period).plus_days(days + 1).to_string()).unwrap_or_default()
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
            let is_locked = self.is_locked(version, it.period);
            if (corrects || is_new) && is_locked && locks == Locks::Kept {
                refused.push(Refused::Locked(line));
            } else {
                let is_lifted = (corrects || is_new) && is_locked;
                needs_reason |= is_lifted || (corrects && version.correction_reason_required);
            }
        }
        if needs_reason && submission.reason.is_empty() {
            refused.push(Refused::Unreasoned);
        }
        refused.sort();
        refused
    }
}
