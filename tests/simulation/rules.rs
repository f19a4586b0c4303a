//! What the entries before allow, and what then becomes of each figure: sections 20 and 21 of `docs/statistics.md` for
//! the indicator and the figures that there are here, worked out slowly.

use std::collections::BTreeSet;
use std::fmt;

use conspectus::catalogue::checks::{Check, CheckRule};
use conspectus::catalogue::items::IndicatorVersion;
use conspectus::entry::Withdrawal;
use conspectus::intake::corrections::Locks;
use conspectus::model::date::Date;
use conspectus::model::id::CheckId;
use conspectus::model::observation::{Explanation, Observation, Value};
use conspectus::model::period::Period;
use conspectus::model::revision::Revision;
use conspectus::model::submission::Submission;
use conspectus::state::Outcome;

use crate::log::{Cell, Log, lines, number, set};
use crate::met::Thing;

/// What is wrong with a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Problem {
    /// Its figures are corrected without a reason that there should be.
    NoReason,
    /// The agency doesn't report for the area of an observation.
    ForeignArea(usize),
    /// An explanation is for a check that there isn't.
    NoSuchCheck(usize),
    /// A check finds a figure that isn't explained.
    Unexplained(usize),
    /// A figure of a locked period is changed.
    Locked(usize),
    /// A figure is withdrawn that never was.
    NeverWas(usize),
}

/// Why the writer refuses a submission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Its request id was received at a revision with other content.
    Reused(Revision),
    /// Its return was completed at a revision.
    ReturnComplete(Revision),
    /// So many of its figures have changed since its sender saw them.
    Changed(usize),
    /// Something is wrong with it.
    Problems(Vec<Problem>),
}

/// The field that it is a problem of.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoReason => f.write_str("reason"),
            Self::ForeignArea(line) => write!(f, "observations[{line}].area"),
            Self::NoSuchCheck(line) | Self::Unexplained(line) => write!(f, "observations[{line}].explanation"),
            Self::Locked(line) => write!(f, "observations[{line}].period"),
            Self::NeverWas(line) => write!(f, "observations[{line}].withdraw"),
        }
    }
}

impl Problem {
    /// What is met when a handler finds it.
    pub(crate) fn met_early(&self) -> Thing {
        match self {
            Self::NoReason => Thing::NoReason,
            Self::ForeignArea(_) => Thing::ForeignArea,
            Self::NoSuchCheck(_) => Thing::NoSuchCheck,
            Self::Unexplained(_) => Thing::Unexplained,
            Self::Locked(_) => Thing::Locked,
            Self::NeverWas(_) => Thing::NeverWas,
        }
    }

    /// What is met when the writer finds it, and a handler has not. What never was is found by a handler.
    pub(crate) fn met_late(&self) -> Thing {
        match self {
            Self::NoReason => Thing::LateNoReason,
            Self::ForeignArea(_) => Thing::LateForeignArea,
            Self::NoSuchCheck(_) => Thing::LateNoSuchCheck,
            Self::Unexplained(_) => Thing::LateUnexplained,
            Self::Locked(_) => Thing::LateLocked,
            Self::NeverWas(_) => panic!("a handler takes what never was"),
        }
    }
}

/// What a check finds of an observation and is taken all the same.
pub(crate) type Found = (usize, CheckId, Option<Explanation>);

impl Log {
    /// Why a submission is refused whose sender has seen a revision, maybe, when it is decided on by the entries up to
    /// another and on a day. None when it is accepted, or was received before.
    pub(crate) fn refusal(
        &self,
        by: Revision,
        on: Date,
        submission: &Submission,
        seen: Option<Revision>,
        locks: Locks,
    ) -> Option<Refusal> {
        let known = self
            .submissions(by)
            .find(|(_, it)| (&it.agency, &it.request_id) == (&submission.agency, &submission.request_id));
        if let Some((revision, known)) = known {
            return (known != submission).then_some(Refusal::Reused(revision));
        }
        if let Some((revision, _)) = self.return_of(by, submission).and_then(|it| it.completed) {
            return Some(Refusal::ReturnComplete(revision));
        }
        let changed = seen.map_or(0, |seen| self.changed(seen, by, submission));
        if changed > 0 && self.problems_by_itself(by, submission).is_empty() {
            return Some(Refusal::Changed(changed));
        }
        Some(self.problems(by, on, submission, locks)).filter(|it| !it.is_empty()).map(Refusal::Problems)
    }

    /// What is wrong with a submission when it is decided on by the entries up to a revision and on a day. Of one that was
    /// received before that isn't asked.
    pub(crate) fn problems(&self, by: Revision, on: Date, submission: &Submission, locks: Locks) -> Vec<Problem> {
        if self.submission(by, &submission.agency, &submission.request_id).is_some() {
            return Vec::new();
        }
        let itself = self.problems_by_itself(by, submission);
        if !itself.is_empty() {
            return itself;
        }
        let found = self.found(by, submission).into_iter();
        let unexplained = found.filter(|(_, _, explanation)| explanation.is_none());
        let mut problems: Vec<Problem> = unexplained.map(|(line, _, _)| Problem::Unexplained(line)).collect();
        let Some(indicator) = self.indicator(by) else { return problems };
        let mut needs_reason = false;
        let each = lines(submission).zip(self.outcomes(by, submission)).enumerate();
        for (line, (((_, _, period), Observation { value, .. }), outcome)) in each {
            if value.is_withdrawal() && outcome == (Outcome::Unchanged { since: Revision::ZERO }) {
                problems.push(Problem::NeverWas(line));
            }
            let is_locked = is_changed(&outcome) && is_locked(indicator, period, on);
            // 21.8: what a lock refuses, no reason helps.
            if is_locked && locks == Locks::Kept {
                problems.push(Problem::Locked(line));
            } else {
                needs_reason |= is_locked || (is_corrected(&outcome) && indicator.correction_reason_required);
            }
        }
        if needs_reason && submission.reason.is_empty() {
            problems.push(Problem::NoReason);
        }
        problems
    }

    /// What is wrong with a submission whatever the figures are; only where that is nothing they are looked at.
    fn problems_by_itself(&self, by: Revision, submission: &Submission) -> Vec<Problem> {
        let areas = self.agency(by, &submission.agency).map(|agency| agency.areas).unwrap_or_default();
        let checks: Vec<&CheckId> = self.checks(by).iter().map(|check| &check.id).collect();
        let mut problems = Vec::new();
        for (line, (_, Observation { area, explanations, .. })) in lines(submission).enumerate() {
            if !areas.contains(&area) {
                problems.push(Problem::ForeignArea(line));
            }
            let wrong = explanations.iter().filter_map(|it| it.check.as_ref()).filter(|check| !checks.contains(check));
            problems.extend(wrong.map(|_| Problem::NoSuchCheck(line)));
        }
        problems
    }

    fn checks(&self, by: Revision) -> &[Check] {
        self.indicator(by).map(|indicator| indicator.checks.as_slice()).unwrap_or_default()
    }

    /// What the checks find of a submission, and how it is explained.
    pub(crate) fn found(&self, by: Revision, submission: &Submission) -> Vec<Found> {
        // As they would be with it.
        let mut figures = self.figures(by);
        lines(submission).for_each(|(cell, Observation { value, .. })| set(&mut figures, cell, value));
        let mut found = Vec::new();
        for (line, ((agency, area, period), Observation { value, explanations, .. })) in lines(submission).enumerate() {
            let before = figures.get(&(agency, area, period.previous().unwrap()));
            for check in self.checks(by).iter().filter(|check| is_caught(check, &value, before)) {
                let of = |id: Option<&CheckId>| explanations.iter().find(|it| it.check.as_ref() == id).cloned();
                found.push((line, check.id.clone(), of(Some(&check.id)).or_else(|| of(None))));
            }
        }
        found
    }

    /// What each observation of a submission does to the figures as of a revision.
    pub(crate) fn outcomes(&self, before: Revision, submission: &Submission) -> Vec<Outcome> {
        let (figures, since) = (self.figures(before), self.since(before));
        let outcome = |(cell, Observation { value, .. }): (Cell, Observation)| {
            let since = since.get(&cell).copied().unwrap_or_default();
            match figures.get(&cell) {
                None if value.is_withdrawal() => Outcome::Unchanged { since },
                None => Outcome::New { withdrawn: (since > Revision::ZERO).then_some(since) },
                Some(from) if value.is_withdrawal() => Outcome::Withdrawn { from: *from, since },
                Some(from) if *from == value => Outcome::Unchanged { since },
                Some(from) => Outcome::Revised { from: *from, since },
            }
        };
        lines(submission).map(outcome).collect()
    }

    /// How many locked periods a withdrawal would change, decided on by the entries up to a revision and on a day.
    pub(crate) fn locked_periods(&self, by: Revision, on: Date, withdrawal: &Withdrawal, locks: Locks) -> usize {
        let Some(indicator) = self.indicator(by).filter(|_| locks == Locks::Kept) else { return 0 };
        let changed = self.changed_by(by, withdrawal);
        let periods: BTreeSet<Period> = changed.into_keys().map(|(_, _, period)| period).collect();
        periods.into_iter().filter(|period| is_locked(indicator, *period, on)).count()
    }
}

/// Whether a check finds a figure, with that of the period before.
fn is_caught(check: &Check, value: &Value, before: Option<&Value>) -> bool {
    let Some(before) = before.filter(|_| !value.is_withdrawal()).map(number) else { return false };
    match check.rule {
        CheckRule::Change {} => (number(value) - before).abs() > check.tolerance.to_string().parse().unwrap(),
        CheckRule::Zero { periods_min: 1 } => number(value) == 0 && before != 0,
        CheckRule::Range { .. }
        | CheckRule::Numerator {}
        | CheckRule::Parts { .. }
        | CheckRule::NotAbove { .. }
        | CheckRule::Outlier { .. }
        | CheckRule::Zero { .. }
        | CheckRule::Breakdown { .. } => panic!("the indicator has no such check"),
    }
}

fn is_changed(outcome: &Outcome) -> bool {
    !matches!(outcome, Outcome::Unchanged { .. })
}

fn is_corrected(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Revised { .. } | Outcome::Withdrawn { .. })
}

/// Whether a period is locked on a day. The indicator has no calendar.
fn is_locked(indicator: &IndicatorVersion, period: Period, on: Date) -> bool {
    let days = |days: u16| i32::from(indicator.due_days + days);
    indicator.lock_days.is_some_and(|lock| on > period.end().plus_days(days(lock)))
}
