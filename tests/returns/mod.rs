//! Returns, worked out slowly from the entries before: what the reference model and the simulation hold the service
//! against. The rules are those of `CompleteReturn` in `submission_service.proto`.

use std::collections::BTreeMap;

use conspectus::entry::{Body, ReturnCompletion};
use conspectus::intake::admit::{Command as _, Decision, Rejection};
use conspectus::intake::basis::Basis;
use conspectus::model::id::{AgencyId, IndicatorId, ReturnId};
use conspectus::model::manifest::{Manifest, Totals};
use conspectus::model::observation::{Measure, Value};
use conspectus::model::revision::Revision;
use conspectus::model::submission::Submission;
use conspectus::model::violation::Violations;

/// A return that there is.
pub(crate) struct Return {
    /// What its submissions that stand have.
    pub(crate) manifest: Manifest,
    /// Since when it is complete, and with which manifest.
    pub(crate) completed: Option<(Revision, Manifest)>,
}

/// What becomes of a completion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Completes,
    /// It is complete already, with the same manifest.
    Already(Revision),
    NoSuchReturn,
    /// What there is differs in these fields, each named as often as there is a difference.
    Differs(Vec<String>),
}

impl Return {
    /// A return after some entries, which are all that there are; none if none of them names it.
    pub(crate) fn after(bodies: &[&Body], agency: &AgencyId, return_id: &ReturnId) -> Option<Self> {
        let named: Vec<&Submission> = bodies.iter().filter_map(|body| part(body, agency, return_id)).collect();
        if named.is_empty() {
            return None;
        }
        let withdrawn_at = |part: &&Submission| bodies.iter().position(|body| withdraws(body, part));
        // "The withdrawal of a submission opens it again."
        let opened_again = named.iter().filter_map(withdrawn_at).max();
        let completed = bodies.iter().enumerate().rev().find_map(|(at, body)| {
            let Body::ReturnCompletion(it) = body else { return None };
            (it.agency == *agency && it.return_id == *return_id).then_some((at, it))
        });
        let completed = completed.filter(|(at, _)| opened_again.is_none_or(|opened| opened < *at));
        Some(Self {
            manifest: manifest(named.into_iter().filter(|part| withdrawn_at(part).is_none())),
            completed: completed.map(|(at, it)| (Revision(at as u64 + 1), it.manifest.clone())),
        })
    }
}

impl Verdict {
    /// What becomes of a completion after some entries.
    pub(crate) fn after(bodies: &[&Body], completion: &ReturnCompletion) -> Self {
        let said = &completion.manifest;
        match Return::after(bodies, &completion.agency, &completion.return_id) {
            None => Self::NoSuchReturn,
            Some(Return { completed: Some((revision, manifest)), .. }) if manifest == *said => Self::Already(revision),
            Some(Return { manifest: there, .. }) if there == *said && !there.parts.is_empty() => Self::Completes,
            Some(Return { manifest: there, .. }) => Self::Differs(differences(said, &there)),
        }
    }

    /// What the service makes of it.
    pub(crate) fn of(basis: &Basis<'_>, completion: &ReturnCompletion) -> Self {
        match completion.admit(basis) {
            Ok(Decision::Accept(..)) => Self::Completes,
            Ok(Decision::Already(revision)) => Self::Already(revision),
            Err(rejection) => Self::of_rejection(&rejection).unwrap_or_else(|| panic!("{rejection}")),
        }
    }

    /// A rejection that a completion may have.
    pub(crate) fn of_rejection(rejection: &Rejection) -> Option<Self> {
        match rejection {
            Rejection::Invalid(violations) => Some(Self::Differs(fields(violations))),
            Rejection::NoSuchReturn { .. } => Some(Self::NoSuchReturn),
            Rejection::RequestIdReused { .. }
            | Rejection::ReturnComplete { .. }
            | Rejection::FiguresChanged { .. }
            | Rejection::NoSuchSubmission { .. } => None,
        }
    }
}

fn part<'a>(body: &'a Body, agency: &AgencyId, return_id: &ReturnId) -> Option<&'a Submission> {
    let Body::Submission { submission, .. } = body else { return None };
    Some(&**submission).filter(|it| it.agency == *agency && it.return_id.as_ref() == Some(return_id))
}

fn withdraws(body: &Body, submission: &Submission) -> bool {
    matches!(body, Body::Withdrawal(it) if it.agency == submission.agency && it.request_id == submission.request_id)
}

/// What submissions have.
pub(crate) fn manifest<'a>(submissions: impl Iterator<Item = &'a Submission>) -> Manifest {
    let mut numbers: BTreeMap<IndicatorId, Vec<[i128; 2]>> = BTreeMap::new();
    let mut manifest = Manifest::default();
    for submission in submissions {
        manifest.parts.insert(submission.request_id.clone());
        for it in submission.observations.iter() {
            numbers.entry(it.indicator.clone()).or_default().push(millionths(&it.value));
        }
    }
    for (indicator, numbers) in numbers {
        let sum = |of: usize| in_decimals(numbers.iter().map(|it| it[of]).sum());
        let totals =
            Totals { figures: numbers.len() as u64, sum: sum(0).parse().unwrap(), base_sum: sum(1).parse().unwrap() };
        manifest.figures += totals.figures;
        manifest.totals.insert(indicator, totals);
    }
    manifest
}

/// A value's number, numerator, percentage or mean, and its denominator, base or count.
fn millionths(value: &Value) -> [i128; 2] {
    let texts = match value.measure {
        None => [String::new(), String::new()],
        Some(Measure::Number(number)) => [number.to_string(), String::new()],
        Some(Measure::Ratio { numerator, denominator }) => [numerator, denominator].map(|it| it.to_string()),
        Some(Measure::Percentage { percent, base }) => [percent, base].map(|it| it.to_string()),
        Some(Measure::Mean { mean, count }) => [mean, count].map(|it| it.to_string()),
    };
    texts.map(|text| {
        let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
        format!("0{}{decimals:0<6}", whole.trim_start_matches('-')).parse::<i128>().unwrap()
            * if text.starts_with('-') { -1 } else { 1 }
    })
}

fn in_decimals(millionths: i128) -> String {
    let digits = format!("{:07}", millionths.unsigned_abs());
    let (whole, decimals) = digits.split_at(digits.len() - 6);
    format!("{}{whole}.{decimals}", if millionths < 0 { "-" } else { "" })
}

fn differences(said: &Manifest, there: &Manifest) -> Vec<String> {
    if there.parts.is_empty() {
        return vec!["return_id".to_owned()];
    }
    let mut fields: Vec<String> =
        said.parts.symmetric_difference(&there.parts).map(|_| "manifest.parts".to_owned()).collect();
    if said.figures != there.figures {
        fields.push("manifest.figures".to_owned());
    }
    let mut indicators: Vec<&IndicatorId> = said.totals.keys().chain(there.totals.keys()).collect();
    indicators.sort();
    indicators.dedup();
    for indicator in indicators {
        let field = format!("manifest.totals[{indicator}]");
        match (said.totals.get(indicator), there.totals.get(indicator)) {
            (Some(said), Some(there)) => {
                let differ = [
                    ("figures", said.figures != there.figures),
                    ("sum", said.sum != there.sum),
                    ("base_sum", said.base_sum != there.base_sum),
                ];
                fields.extend(differ.iter().filter(|(_, differ)| *differ).map(|(name, _)| format!("{field}.{name}")));
            }
            _ => fields.push(field),
        }
    }
    fields.sort();
    fields
}

/// The fields that something is wrong with, in order, each as often as there is something.
pub(crate) fn fields(violations: &Violations) -> Vec<String> {
    let mut fields: Vec<String> = violations.iter().map(|it| it.field.clone()).collect();
    fields.sort();
    fields
}

/// In which ways a manifest may be wrong.
pub(crate) const MISTAKES: [fn(&mut Manifest); 8] = [
    |it| it.parts.extend(["never-sent".parse().unwrap()]),
    |it| it.parts = it.parts.iter().skip(1).cloned().collect(),
    |it| it.figures += 1,
    |it| it.totals.values_mut().for_each(|totals| totals.figures += 1),
    |it| it.totals.values_mut().for_each(|totals| totals.sum = "0.5".parse().unwrap()),
    |it| it.totals.values_mut().for_each(|totals| totals.base_sum = "0.5".parse().unwrap()),
    |it| it.totals.clear(),
    |it| it.totals.extend([("never-sent".parse().unwrap(), Totals::default())]),
];
