//! What a submission would change, value by value, and what is asked for before it is sent.

use super::super::names::Names;
use super::draft::Draft;
use super::form::FieldProblem;
use super::verdict::Asked;
use crate::figures::Figure;
use crate::rpc::proto::{ObservationOutcome, Outcome, SubmitObservationsResponse};
use crate::submitting::change::percent;
use crate::submitting::value::{shown, value};
use crate::submitting::{Counts, standing};
use crate::tables::breakdown;
use crate::wording::count::grouped;

/// The most figures that are listed; the others are counted.
const CHANGES_SHOWN_MAX: usize = 1_000;

/// The most findings that are listed; the others are counted.
const NOTED_SHOWN_MAX: usize = 1_000;

/// What a submission would change.
#[derive(Debug, Default)]
pub(super) struct Preview {
    /// How many figures would do what: `1 new, 2 revised, 0 unchanged`.
    pub(super) counts: String,
    /// Since when every figure stands already, where nothing would change.
    pub(super) standing: Option<String>,
    pub(super) changes: Vec<Change>,
    /// Of those that are left out, how many they are; empty for none.
    pub(super) omitted: String,
    /// What checks found and is noted.
    pub(super) noted: Vec<String>,
    /// How many more that is.
    pub(super) unlisted: usize,
    pub(super) questions: Vec<Question>,
    /// Why a reason is asked for.
    pub(super) reason_asked: Option<String>,
    /// Whether a reason may be given: something that was submitted before would change.
    pub(super) corrects: bool,
}

/// A figure that would be new or another one.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) row: u64,
    pub(super) indicator: String,
    pub(super) area: String,
    pub(super) period: String,
    pub(super) breakdown: String,
    pub(super) stands: String,
    pub(super) becomes: String,
    pub(super) percent: String,
}

/// A figure that a check finds questionable, and that is to be explained.
#[derive(Debug)]
pub(super) struct Question {
    /// The name of the field that answers it.
    pub(super) name: String,
    pub(super) row: u64,
    pub(super) figure: String,
    pub(super) value: String,
    /// What the check found, and what it expects.
    pub(super) found: String,
    pub(super) answer: String,
}

/// The name of the field that explains a figure.
pub(super) fn explanation_field(index: usize) -> String {
    format!("explanation-{index}")
}

impl Preview {
    /// What the service says of a draft, in words.
    pub(super) fn of(draft: &Draft, answer: &SubmitObservationsResponse, asked: &Asked, names: &Names) -> Self {
        let receipt = answer.receipt.clone().unwrap_or_default();
        let figures = &draft.sheet.reading.figures;
        let counts = Counts::of(&receipt);
        let is_change = |outcome: &ObservationOutcome| outcome.outcome() != Outcome::Unchanged;
        let changed: Vec<_> = figures.iter().zip(&receipt.outcomes).filter(|(_, outcome)| is_change(outcome)).collect();
        let shown: Vec<Change> = changed
            .iter()
            .take(CHANGES_SHOWN_MAX)
            .map(|(figure, outcome)| change(figure, outcome, draft.request.sample, names))
            .collect();
        let left_out = changed.len() - shown.len();
        let corrects = receipt.revised_count + receipt.withdrawn_count > 0;
        let noted = receipt.findings.iter().filter(|finding| {
            let index = usize::try_from(finding.observation).unwrap_or(usize::MAX);
            !asked.explanations.contains_key(&index)
        });
        let noted: Vec<String> = noted
            .filter_map(|finding| {
                let row = figures.get(usize::try_from(finding.observation).ok()?)?.row;
                let explained = match finding.explanation.as_str() {
                    "" => String::new(),
                    explanation => format!("; explained: {explanation}"),
                };
                let (found, expected) = (&finding.found, &finding.expected);
                Some(format!("Row {row}: found {found}; check {} expects {expected}{explained}", finding.check))
            })
            .collect();
        let question = |(index, found): (&usize, &String)| {
            let (figure, sent) = (figures.get(*index)?, draft.request.observations.get(*index)?);
            Some(Question {
                name: explanation_field(*index),
                row: figure.row,
                figure: names.figure(&figure.observation),
                value: shown_value(figure),
                found: found.clone(),
                answer: sent.explanation.clone(),
            })
        };
        Self {
            counts: counts.to_string(),
            standing: (counts.changed() == 0).then(|| standing(answer, &draft.request.observations)),
            changes: shown,
            omitted: if left_out == 0 { String::new() } else { grouped(left_out, "further change", "further changes") },
            unlisted: noted.len().saturating_sub(NOTED_SHOWN_MAX),
            noted: noted.into_iter().take(NOTED_SHOWN_MAX).collect(),
            questions: asked.explanations.iter().filter_map(question).collect(),
            reason_asked: asked.reason.clone(),
            corrects: corrects || asked.reason.is_some(),
        }
    }

    /// What is still to be answered, by its field.
    pub(super) fn unanswered(&self) -> Vec<FieldProblem> {
        let label = |question: &Question| format!("Row {}", question.row);
        let questions = self.questions.iter().map(|it| FieldProblem::new(&it.name, &label(it), &it.found));
        let reason = self.reason_asked.iter().map(|what| FieldProblem::new("reason", "Reason", what));
        reason.chain(questions).collect()
    }
}

fn shown_value(figure: &Figure) -> String {
    shown(&value(&figure.observation))
}

fn change(figure: &Figure, outcome: &ObservationOutcome, is_sample: bool, names: &Names) -> Change {
    let observation = &figure.observation;
    let becomes = value(observation);
    let (stands, percent) = match outcome.outcome() {
        Outcome::Revised => (shown(&outcome.revised_from), percent(&outcome.revised_from, &becomes)),
        Outcome::Withdrawn => (shown(&outcome.revised_from), None),
        Outcome::New | Outcome::Unchanged | Outcome::Unspecified => ("nothing".to_owned(), None),
    };
    Change {
        row: figure.row,
        indicator: names.indicator(&observation.indicator),
        area: names.area(&observation.area),
        period: observation.period.clone(),
        breakdown: breakdown(&observation.breakdown),
        stands,
        // In each row: made-up figures may come to stand where real ones do.
        becomes: if is_sample { format!("{} (made up)", shown(&becomes)) } else { shown(&becomes) },
        percent: percent.unwrap_or_default(),
    }
}
