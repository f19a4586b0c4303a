//! Corrections: what a submission or a withdrawal may change of what was submitted before. Pure. The rules are in
//! `docs/statistics.md`, section 21.
//!
//! An indicator may ask for a reason, and may lock its periods some days after their figures are due. A submission of
//! indicators that do neither, and that withdraws nothing, is done with at once.

use std::fmt::{self, Display};

use super::checks::Grounds;
use crate::catalogue::items::IndicatorVersion;
use crate::catalogue::{Catalogue, IndicatorIx};
use crate::model::date::Date;
use crate::model::observations::Line;
use crate::model::period::Period;
use crate::model::revision::Revision;
use crate::model::submission::Submission;
use crate::model::violation::Violations;
use crate::state::{Outcome, ResolvedIds};

/// What a locked period means for whoever sends something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Locks {
    /// Its figures stay as they are.
    #[default]
    Kept,
    /// Its figures may change, with a reason: the sender is a corrector.
    Lifted,
}

/// The most locked periods of a withdrawal that are named; the others are counted.
const PERIODS_NAMED_MAX: usize = 10;

/// Whether what a submission may do depends on the figures that are there.
pub(super) fn depend_on_figures(catalogue: &Catalogue, submission: &Submission, ids: &ResolvedIds) -> bool {
    let asks =
        |ix: &IndicatorIx| catalogue.indicator_at(*ix).versions().iter().any(IndicatorVersion::limits_corrections);
    (catalogue.limits_corrections() && ids.indicators.iter().any(asks))
        || submission.observations.lines().iter().any(|line| line.value.is_withdrawal())
}

/// Everything that a submission may not change, and the reason that it lacks.
pub(super) fn review(grounds: Grounds<'_>, submission: &Submission, ids: &ResolvedIds, locks: Locks) -> Violations {
    let (mut violations, mut unreasoned) = (Violations::default(), None);
    let outcomes = grounds.state.outcomes_resolved(ids, submission, grounds.as_of);
    let lines = submission.observations.lines().iter().zip(&outcomes);
    for (index, (line, outcome)) in lines.enumerate() {
        let correction = Correction::of(grounds, submission, ids, line);
        if line.value.is_withdrawal() && *outcome == (Outcome::Unchanged { since: Revision::ZERO }) {
            let what = "there never was such a figure; allowed: to withdraw one that was submitted";
            violations.add(format_args!("observations[{index}].withdraw"), what);
        }
        match correction.needs(outcome, grounds.today) {
            Needs::Nothing => {}
            Needs::Reason(why) => {
                unreasoned.get_or_insert((index, why, correction));
            }
            Needs::LiftedLock(open_until) => {
                if locks == Locks::Kept {
                    let Correction { version, period, .. } = correction;
                    let locked = Locked { version, period, open_until };
                    violations.add(format_args!("observations[{index}].period"), locked);
                }
                unreasoned.get_or_insert((index, "is locked", correction));
            }
        }
    }
    if let Some((index, why, Correction { version, period, .. })) = unreasoned.filter(|_| submission.reason.is_empty())
    {
        let what = format_args!(
            "found nothing; allowed: 1 to 500 characters, since observations[{index}] changes a figure of `{}` for {period}, \
             which {why}",
            version.id
        );
        violations.add("reason", what);
    }
    violations
}

/// The locked periods whose figures a withdrawal would change; nothing where there are none.
pub(super) fn review_withdrawal(
    catalogue: &Catalogue,
    changed: &[(IndicatorIx, Period)],
    today: Date,
    locks: Locks,
) -> Violations {
    let mut violations = Violations::default();
    if locks == Locks::Lifted {
        return violations;
    }
    let mut locked = changed.iter().filter_map(|(indicator, period)| {
        let version = catalogue.indicator_at(*indicator).version_for(*period);
        let open_until = catalogue.open_until(version, *period).filter(|last| *last < today)?;
        Some(Locked { version, period: *period, open_until })
    });
    locked.by_ref().take(PERIODS_NAMED_MAX).for_each(|locked| violations.add("request_id", locked));
    let others = locked.count();
    if others > 0 {
        violations.add("request_id", format_args!("and {others} more locked periods"));
    }
    violations
}

/// What is changed: a figure of an indicator's version and a period.
#[derive(Clone, Copy)]
struct Correction<'a> {
    version: &'a IndicatorVersion,
    period: Period,
    /// The last day on which the period is open; none where it isn't locked ever.
    open_until: Option<Date>,
}

/// What it takes to do something to a figure.
enum Needs {
    Nothing,
    /// A reason, because its indicator does this.
    Reason(&'static str),
    /// That the lock of its period, which was open until a day, doesn't hold for the sender; and a reason.
    LiftedLock(Date),
}

impl<'a> Correction<'a> {
    fn of(grounds: Grounds<'a>, submission: &Submission, ids: &ResolvedIds, line: &Line) -> Self {
        let period = submission.observations.dictionaries().periods[line.period as usize];
        let version = grounds.catalogue.indicator_at(ids.indicators[line.indicator as usize]).version_for(period);
        Self { version, period, open_until: grounds.catalogue.open_until(version, period) }
    }

    fn needs(&self, outcome: &Outcome, today: Date) -> Needs {
        let locked = self.open_until.filter(|last| *last < today);
        match (outcome, locked) {
            (Outcome::Unchanged { .. }, _) => Needs::Nothing,
            (Outcome::New { .. } | Outcome::Revised { .. } | Outcome::Withdrawn { .. }, Some(open_until)) => {
                Needs::LiftedLock(open_until)
            }
            (Outcome::Revised { .. } | Outcome::Withdrawn { .. }, None) if self.version.correction_reason_required => {
                Needs::Reason("asks for a reason")
            }
            (Outcome::New { .. } | Outcome::Revised { .. } | Outcome::Withdrawn { .. }, None) => Needs::Nothing,
        }
    }
}

/// A period whose figures are to stay as they are.
struct Locked<'a> {
    version: &'a IndicatorVersion,
    period: Period,
    open_until: Date,
}

impl Display for Locked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, period, open_until } = self;
        write!(f, "found `{period}`, which is locked for `{}` since {}", version.id, open_until.plus_days(1))?;
        f.write_str("; allowed: what leaves its figures as they are, or a correction by a caller of the role corrector")
    }
}
