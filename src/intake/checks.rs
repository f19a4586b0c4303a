//! The checks of a catalogue, applied to the figures of a submission: pure, what is known and the submission in, what
//! was found out. The rules are in `docs/statistics.md`, section 20.
//!
//! A submission whose indicators have no checks is done with at once: for each of its indicators that is looked up.

mod caught;
mod figures;
mod found;
mod history;
mod rules;

use crate::catalogue::checks::{Check, Severity};
use crate::catalogue::{Catalogue, IndicatorIx};
use crate::model::id::{CheckId, IndicatorId};
use crate::model::observation::{Explanation, Measure};
use crate::model::observations::Observations;
use crate::model::packed::MeasureForm;
use crate::model::period::Period;
use crate::model::revision::Revision;
use crate::model::submission::Submission;
use crate::model::violation::Violations;
use crate::state::ResolvedIds;
pub(crate) use caught::{Caught, CaughtBy, Worst};
use figures::Figures;
pub(crate) use figures::Grounds;
pub(crate) use found::What;
use history::Past;

/// How many findings of a submission are kept and shown; the others are counted.
const FINDINGS_MAX: usize = 100;

/// What a check found of one figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Trip<'a> {
    /// The figure's line in the submission.
    pub(crate) line: u32,
    /// Whose check it is: the figure's own indicator, or one that isn't to be above it.
    pub(crate) of: IndicatorIx,
    pub(crate) check: &'a Check,
    pub(crate) what: What<'a>,
}

/// What was found and is taken all the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The figure's line in the submission.
    pub line: u32,
    /// The indicator that has the check.
    pub indicator: IndicatorId,
    /// The check.
    pub check: CheckId,
    /// Its severity: a query or a note.
    pub severity: Severity,
    /// What was found, in words.
    pub found: String,
    /// What is expected, in words.
    pub expected: String,
    /// What answers it.
    pub explanation: Option<Explanation>,
}

/// What was found of a submission and is taken all the same.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Findings {
    /// By line, and then as the indicator has its checks.
    pub kept: Vec<Finding>,
    /// How many more there are.
    pub omitted: usize,
}

/// The checks of a figure of an indicator and a period: its own, and those that hold another indicator against it.
pub(crate) fn checks_of(
    catalogue: &Catalogue,
    indicator: IndicatorIx,
    period: Period,
) -> impl Iterator<Item = (IndicatorIx, &Check)> {
    let in_force = move |ix| catalogue.indicator_at(ix).version_for(period).checks.iter().map(move |check| (ix, check));
    let limits_it = move |(ix, check): &(IndicatorIx, &Check)| {
        let limit = check.rule.limit().and_then(|limit| catalogue.indicator(limit));
        *ix != indicator && limit.is_some_and(|(limit, _)| limit == indicator)
    };
    let others = catalogue.limited_by(indicator).iter();
    in_force(indicator).chain(others.flat_map(move |ix| in_force(*ix)).filter(limits_it))
}

/// How far the checks of some indicators look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reach {
    /// There are none.
    Nothing,
    /// At the figure itself.
    Itself,
    /// At other figures of its agency.
    Others,
}

/// How far the checks of a submission's indicators look.
pub(crate) fn reach(catalogue: &Catalogue, ids: &ResolvedIds) -> Reach {
    if !catalogue.has_checks() {
        return Reach::Nothing;
    }
    ids.indicators.iter().map(|ix| reach_of(catalogue, *ix)).max().unwrap_or(Reach::Nothing)
}

fn reach_of(catalogue: &Catalogue, ix: IndicatorIx) -> Reach {
    if !catalogue.limited_by(ix).is_empty() {
        return Reach::Others;
    }
    let checks = catalogue.indicator_at(ix).versions().iter().flat_map(|version| &version.checks);
    let reach = |check: &Check| if check.rule.kind().looks_at_others() { Reach::Others } else { Reach::Itself };
    checks.map(reach).max().unwrap_or(Reach::Nothing)
}

/// Everything that the checks find of a submission whose ids are known: what refuses it, or else what is taken all the
/// same.
///
/// # Errors
/// A violation for each error, and for each query that no explanation answers.
pub(crate) fn judge(grounds: Grounds<'_>, submission: &Submission, ids: &ResolvedIds) -> Result<Findings, Violations> {
    let (mut violations, mut findings) = (Violations::default(), Findings::default());
    let table = &submission.observations;
    for_each(grounds, table, ids, |trip| {
        let explanation = explanation(table, &trip);
        match (trip.check.severity, &explanation) {
            (Severity::Error, _) => violations.add(
                format_args!("observations[{}]{}", trip.line, field(table, trip.line)),
                Refusing(grounds.catalogue, table, trip),
            ),
            (Severity::Query, None) => violations
                .add(format_args!("observations[{}].explanation", trip.line), Refusing(grounds.catalogue, table, trip)),
            (Severity::Query, Some(_)) | (Severity::Note, _) => {
                findings.add(grounds.catalogue, table, trip, explanation);
            }
        }
    });
    violations.into_result(findings)
}

/// Adds to what was caught what the checks find of a submission that was accepted.
pub(crate) fn catch(grounds: Grounds<'_>, submission: &Submission, revision: Revision, caught: &mut Caught) {
    let Some(ids) = ResolvedIds::of(submission, grounds.catalogue) else { return };
    caught.count(&submission.observations);
    for_each(grounds, &submission.observations, &ids, |Trip { line, of, check, what }| {
        let indicator = &grounds.catalogue.indicator_at(of).newest().id;
        caught.add((submission, revision), line, (indicator, &check.id), what);
    });
}

/// Passes on everything that the checks find of a table, by line, and then as the indicators have their checks.
pub(crate) fn for_each<'a>(
    grounds: Grounds<'a>,
    table: &'a Observations,
    ids: &'a ResolvedIds,
    mut found: impl FnMut(Trip<'a>),
) {
    let reaches: Vec<Reach> = ids.indicators.iter().map(|ix| reach_of(grounds.catalogue, *ix)).collect();
    if reaches.iter().all(|reach| *reach == Reach::Nothing) {
        return;
    }
    let (figures, past) = (Figures::new(grounds, table, ids), Past::default());
    for (line, at) in table.lines().iter().zip(0..) {
        // Of a figure that is withdrawn nothing is expected.
        if reaches[line.indicator as usize] == Reach::Nothing || line.value.is_withdrawal() {
            continue;
        }
        let place = figures.place(at);
        for (of, check) in checks_of(grounds.catalogue, place.indicator, place.period) {
            if let Some(what) = rules::judge(&figures, &past, at, of, check) {
                found(Trip { line: at, of, check, what });
            }
        }
    }
}

/// What answers a check: the explanation for it, or that for all checks of the figure.
fn explanation(table: &Observations, trip: &Trip<'_>) -> Option<Explanation> {
    let all = table.explanations_of(trip.line);
    let of = |check: Option<&CheckId>| all.iter().find(|(_, it)| it.check.as_ref() == check);
    of(Some(&trip.check.id)).or_else(|| of(None)).map(|(_, explanation)| explanation.clone())
}

/// The field that a figure's number stands in.
fn field(table: &Observations, line: u32) -> &'static str {
    match table.lines()[line as usize].value.measure.map(Measure::form) {
        None => "",
        Some(MeasureForm::Number) => ".number",
        Some(MeasureForm::Ratio) => ".ratio.numerator",
        Some(MeasureForm::Percentage) => ".percentage.percent",
        Some(MeasureForm::Mean) => ".mean.mean",
    }
}

/// What was found and refuses a submission, as a violation says it.
struct Refusing<'a>(&'a Catalogue, &'a Observations, Trip<'a>);

impl std::fmt::Display for Refusing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(catalogue, table, Trip { line, of, check, what }) = self;
        write!(f, "found {}; allowed by check `{}`", what.found(), check.id)?;
        let indicator = &catalogue.indicator_at(*of).newest().id;
        if *indicator != table.dictionaries().indicators[table.lines()[*line as usize].indicator as usize] {
            write!(f, " of `{indicator}`")?;
        }
        write!(f, ": {}", what.expected())?;
        match check.severity {
            Severity::Query => f.write_str(", or an explanation of the figure"),
            Severity::Error | Severity::Note => Ok(()),
        }
    }
}

impl Findings {
    /// Whether anything was found.
    pub(crate) fn are_some(&self) -> bool {
        !self.kept.is_empty()
    }

    fn add(&mut self, catalogue: &Catalogue, table: &Observations, trip: Trip<'_>, explanation: Option<Explanation>) {
        if self.kept.len() == FINDINGS_MAX {
            self.omitted += 1;
            return;
        }
        debug_assert!((trip.line as usize) < table.len());
        self.kept.push(Finding {
            line: trip.line,
            indicator: catalogue.indicator_at(trip.of).newest().id.clone(),
            check: trip.check.id.clone(),
            severity: trip.check.severity,
            found: trip.what.found().to_string(),
            expected: trip.what.expected().to_string(),
            explanation,
        });
    }
}

#[cfg(test)]
mod tests;
