//! What the checks of a draft would have caught of submissions that were accepted before there were any.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::found::What;
use crate::catalogue::CataloguePut;
use crate::catalogue::checks::{CheckKind, Severity};
use crate::model::decimal::Quotient;
use crate::model::id::{AgencyId, AreaCode, CheckId, IndicatorId};
use crate::model::observation::Breakdown;
use crate::model::observations::Observations;
use crate::model::period::Period;
use crate::model::revision::Revision;
use crate::model::submission::Submission;

/// How many of the worst figures of a check are named.
const WORST_MAX: usize = 5;

/// What each check of a draft caught.
#[derive(Debug)]
pub(crate) struct Caught {
    /// In the draft's order.
    pub(crate) checks: Vec<CaughtBy>,
    pub(crate) submissions: usize,
    /// How many figures of the draft's indicators those have.
    pub(crate) figures: usize,
}

/// What one check caught.
#[derive(Debug)]
pub(crate) struct CaughtBy {
    pub(crate) indicator: IndicatorId,
    pub(crate) check: CheckId,
    pub(crate) kind: CheckKind,
    pub(crate) severity: Severity,
    pub(crate) figures: usize,
    pub(crate) by_agency: BTreeMap<AgencyId, usize>,
    pub(crate) by_area: BTreeMap<AreaCode, usize>,
    pub(crate) by_period: BTreeMap<Period, usize>,
    /// Those furthest from what is expected, the furthest first, and of as far the earlier one.
    pub(crate) worst: Vec<Worst>,
}

/// A figure that was caught.
#[derive(Debug)]
pub(crate) struct Worst {
    /// The submission's.
    pub(crate) revision: Revision,
    pub(crate) agency: AgencyId,
    pub(crate) area: AreaCode,
    pub(crate) period: Period,
    pub(crate) breakdown: Breakdown,
    /// What was found, and what is expected, in words.
    pub(crate) found: String,
    pub(crate) expected: String,
    /// None where it isn't a matter of distance.
    distance: Option<Quotient>,
}

impl Caught {
    /// Nothing yet, of the checks of a draft: those of several versions under one id are one.
    pub(crate) fn of(draft: &CataloguePut) -> Self {
        let mut seen = BTreeSet::new();
        let checks =
            draft.indicators.iter().flat_map(|version| version.checks.iter().map(move |check| (version, check)));
        let checks = checks.filter(|(version, check)| seen.insert((&version.id, &check.id)));
        let of_check = checks.map(|(version, check)| CaughtBy {
            indicator: version.id.clone(),
            check: check.id.clone(),
            kind: check.rule.kind(),
            severity: check.severity,
            figures: 0,
            by_agency: BTreeMap::new(),
            by_area: BTreeMap::new(),
            by_period: BTreeMap::new(),
            worst: Vec::new(),
        });
        Self { checks: of_check.collect(), submissions: 0, figures: 0 }
    }

    /// Counts a submission that was accepted, and its figures of the draft's indicators.
    pub(super) fn count(&mut self, table: &Observations) {
        let dictionaries = table.dictionaries();
        let is_checked = |id: &IndicatorId| self.checks.iter().any(|by| by.indicator == *id);
        let checked: Vec<bool> = dictionaries.indicators.iter().map(is_checked).collect();
        let figures = table.lines().iter().filter(|line| checked[line.indicator as usize]).count();
        self.submissions += usize::from(figures > 0);
        self.figures += figures;
    }

    /// Adds what a check of an indicator finds of a line of a submission, if it is a draft's.
    pub(super) fn add(
        &mut self,
        (submission, revision): (&Submission, Revision),
        line: u32,
        (indicator, check): (&IndicatorId, &CheckId),
        what: What<'_>,
    ) {
        let is_by = |by: &&mut CaughtBy| by.check == *check && by.indicator == *indicator;
        let Some(by) = self.checks.iter_mut().find(is_by) else { return };
        let dictionaries = submission.observations.dictionaries();
        let line = &submission.observations.lines()[line as usize];
        by.add(Worst {
            revision,
            agency: submission.agency.clone(),
            area: dictionaries.areas[line.area as usize].clone(),
            period: dictionaries.periods[line.period as usize],
            breakdown: dictionaries.breakdowns[line.breakdown as usize].clone(),
            found: what.found().to_string(),
            expected: what.expected().to_string(),
            distance: what.distance(),
        });
    }
}

impl CaughtBy {
    fn add(&mut self, one: Worst) {
        self.figures += 1;
        *self.by_agency.entry(one.agency.clone()).or_default() += 1;
        *self.by_area.entry(one.area.clone()).or_default() += 1;
        *self.by_period.entry(one.period).or_default() += 1;
        // Stable: of as far the one that came first.
        self.worst.push(one);
        self.worst.sort_by_key(|worst| Reverse(worst.distance));
        self.worst.truncate(WORST_MAX);
    }
}
