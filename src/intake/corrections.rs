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
    let mut violations = Violations::default();
    if !depend_on_figures(grounds.catalogue, submission, ids) {
        return violations;
    }
    let outcomes = grounds.state.outcomes_resolved(ids, submission, grounds.as_of);
    let lines = submission.observations.lines().iter().zip(&outcomes);
    let (mut rules, mut unreasoned) = (Rules::default(), None);
    for (index, (line, outcome)) in lines.enumerate() {
        if line.value.is_withdrawal() && *outcome == (Outcome::Unchanged { since: Revision::ZERO }) {
            let what = "there never was such a figure; allowed: to withdraw one that was submitted";
            violations.add(format_args!("observations[{index}].withdraw"), what);
        }
        let rule = rules.of(grounds, submission, ids, line);
        match rule.needs(outcome) {
            Needs::Nothing => {}
            Needs::LiftedLock(locked) if locks == Locks::Kept => {
                violations.add(format_args!("observations[{index}].period"), locked);
            }
            Needs::LiftedLock(_) => drop(unreasoned.get_or_insert((index, "is locked", rule))),
            Needs::Reason => drop(unreasoned.get_or_insert((index, "asks for a reason", rule))),
        }
    }
    if let Some((index, why, Rule { version, period, .. })) = unreasoned.filter(|_| submission.reason.is_empty()) {
        let what = format_args!(
            "found nothing; allowed: a reason, since observations[{index}] changes a figure of `{}` for {period}, which {why}",
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
    let rules = changed.iter().map(|(indicator, period)| Rule::of(catalogue, *indicator, *period, today));
    let mut locked = rules.filter_map(Rule::locked);
    locked.by_ref().take(PERIODS_NAMED_MAX).for_each(|locked| violations.add("request_id", locked));
    let others = locked.count();
    if others > 0 {
        violations.add("request_id", format_args!("and {others} more locked periods"));
    }
    violations
}

/// What holds for the figures of an indicator's version and a period.
#[derive(Clone, Copy)]
struct Rule<'a> {
    version: &'a IndicatorVersion,
    period: Period,
    /// Since when they are locked, where they are.
    locked_since: Option<Date>,
}

/// The rules of a submission's figures. The next figure is often of the same indicator and period.
#[derive(Default)]
struct Rules<'a>(Option<([u32; 2], Rule<'a>)>);

/// What it takes to do something to a figure.
enum Needs<'a> {
    Nothing,
    /// A reason.
    Reason,
    /// That the lock of its period doesn't hold for the sender; and a reason.
    LiftedLock(Locked<'a>),
}

impl<'a> Rules<'a> {
    fn of(&mut self, grounds: Grounds<'a>, submission: &Submission, ids: &ResolvedIds, line: &Line) -> Rule<'a> {
        let of = [line.indicator, line.period];
        if let Some((_, known)) = self.0.filter(|(last, _)| *last == of) {
            return known;
        }
        let period = submission.observations.dictionaries().periods[line.period as usize];
        let rule = Rule::of(grounds.catalogue, ids.indicators[line.indicator as usize], period, grounds.today);
        self.0 = Some((of, rule));
        rule
    }
}

impl<'a> Rule<'a> {
    fn of(catalogue: &'a Catalogue, indicator: IndicatorIx, period: Period, today: Date) -> Self {
        let version = catalogue.indicator_at(indicator).version_for(period);
        let locked_since = catalogue.locked_from(version, period).filter(|first| *first <= today);
        Self { version, period, locked_since }
    }

    fn locked(self) -> Option<Locked<'a>> {
        let Self { version, period, locked_since } = self;
        locked_since.map(|since| Locked { version, period, since })
    }

    fn needs(self, outcome: &Outcome) -> Needs<'a> {
        let changes = match outcome {
            Outcome::Unchanged { .. } => return Needs::Nothing,
            Outcome::New { .. } => Needs::Nothing,
            Outcome::Revised { .. } | Outcome::Withdrawn { .. } if self.version.correction_reason_required => {
                Needs::Reason
            }
            Outcome::Revised { .. } | Outcome::Withdrawn { .. } => Needs::Nothing,
        };
        self.locked().map_or(changes, Needs::LiftedLock)
    }
}

/// A period whose figures are to stay as they are.
struct Locked<'a> {
    version: &'a IndicatorVersion,
    period: Period,
    since: Date,
}

impl Display for Locked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { version, period, since } = self;
        write!(f, "found `{period}`, which is locked for `{}` since {since}", version.id)?;
        f.write_str("; allowed: what leaves its figures as they are, or a correction by a caller of the role corrector")
    }
}
