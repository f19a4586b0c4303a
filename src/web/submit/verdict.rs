//! What the service says to a submission before it is stored: whether it would be, and what it asks for first.

use std::collections::BTreeMap;

use tonic::Status;

use super::super::visitor::Visitor;
use crate::rpc::Reason;
use crate::rpc::proto::{SubmitObservationsRequest, SubmitObservationsResponse};
use crate::submitting::{Found, others};

/// How often the service is asked: what a reason and explanations let pass may lead to one more question.
const ROUNDS_MAX: usize = 4;
/// The most figures that explanations are asked for on the page. Who has more gives them in the file.
pub(super) const EXPLANATIONS_MAX: usize = 100;
/// What stands in the place of an answer that is still to be given; it is never stored.
const TO_BE_GIVEN: &str = "to be given";

/// What the service says.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It would be stored as the answer says, once what is asked for is given.
    Acceptable { answer: Box<SubmitObservationsResponse>, asked: Asked },
    /// It wouldn't.
    Refused(Found),
}

/// What the service asks for, in its own words.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Why figures are right although a check finds them questionable, by the figure's index.
    pub(super) explanations: BTreeMap<usize, String>,
    /// Why figures that were submitted before are changed.
    pub(super) reason: Option<String>,
}

impl Asked {
    pub(super) fn is_nothing(&self) -> bool {
        self.explanations.is_empty() && self.reason.is_none()
    }

    /// Takes what was found, if all of it can be answered on the page: a reason, and explanations of figures that have
    /// none in the file.
    fn take(&mut self, found: &Found, can_be_explained: impl Fn(usize) -> bool) -> bool {
        for (field, what) in &found.listed {
            match explained(field).filter(|index| can_be_explained(*index)) {
                Some(index) => {
                    let text = self.explanations.entry(index).or_default();
                    if !text.contains(what) {
                        let separator = if text.is_empty() { "" } else { "; " };
                        text.push_str(&format!("{separator}{what}"));
                    }
                }
                None if field == "reason" => self.reason = Some(what.clone()),
                None => return false,
            }
        }
        found.omitted == 0 && self.explanations.len() <= EXPLANATIONS_MAX
    }

    /// Puts something in the places of the answers.
    fn fill(&self, request: &mut SubmitObservationsRequest) {
        for index in self.explanations.keys() {
            if let Some(observation) = request.observations.get_mut(*index) {
                TO_BE_GIVEN.clone_into(&mut observation.explanation);
            }
        }
        if self.reason.is_some() {
            TO_BE_GIVEN.clone_into(&mut request.reason);
        }
    }
}

/// The index of the figure whose explanation a field is.
fn explained(field: &str) -> Option<usize> {
    field.strip_prefix("observations[")?.strip_suffix("].explanation")?.parse().ok()
}

/// Has a submission checked. Nothing is stored.
///
/// # Errors
/// When the service can't check it, or whoever looks may not submit it.
pub(super) async fn verdict(
    visitor: &Visitor,
    request: &SubmitObservationsRequest,
    can_be_explained: impl Fn(usize) -> bool,
) -> Result<Verdict, Status> {
    let (mut client, mut asked) = (visitor.calls.submissions(), Asked::default());
    let mut trial = SubmitObservationsRequest { validate_only: true, ..request.clone() };
    let mut rounds = 0;
    loop {
        let status = match client.submit_observations(trial.clone()).await {
            Ok(answer) => return Ok(Verdict::Acceptable { answer: Box::new(answer.into_inner()), asked }),
            Err(status) => status,
        };
        rounds += 1;
        let found = Found::of(&status);
        if found.listed.is_empty() {
            return Err(status);
        }
        if rounds == ROUNDS_MAX || !asked.take(&found, &can_be_explained) {
            return Ok(Verdict::Refused(others::found_with(&mut client, &trial, found).await));
        }
        asked.fill(&mut trial);
    }
}

/// An answer; none where figures have changed since they were seen.
///
/// # Errors
/// Any other refusal.
pub(super) fn unless_changed<T>(answer: Result<T, Status>) -> Result<Option<T>, Status> {
    match answer {
        Err(status) if Reason::of(&status) == Some(Reason::FiguresChanged) => Ok(None),
        answer => answer.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(listed: &[(&str, &str)]) -> Found {
        let listed = listed.iter().map(|(field, what)| ((*field).to_owned(), (*what).to_owned())).collect();
        Found { listed, ..Found::default() }
    }

    #[test]
    fn what_can_be_answered_is_asked_for_and_anything_else_is_refused() {
        let mut asked = Asked::default();
        let answerable = found(&[
            ("observations[3].explanation", "found 5"),
            ("observations[3].explanation", "found 5 again"),
            ("reason", "found nothing"),
        ]);
        assert!(asked.take(&answerable, |_| true));
        assert_eq!(
            (asked.explanations[&3].as_str(), asked.reason.as_deref()),
            ("found 5; found 5 again", Some("found nothing"))
        );
        assert!(!Asked::default().take(&answerable, |_| false), "the file has an explanation that won't do");
        for field in ["observations[3].measure", "observations[3]", "observations[x].explanation", "agency", ""] {
            assert!(!Asked::default().take(&found(&[(field, "wrong")]), |_| true), "{field}");
        }
        let many: Vec<String> =
            (0..=EXPLANATIONS_MAX).map(|index| format!("observations[{index}].explanation")).collect();
        let many: Vec<(&str, &str)> = many.iter().map(|field| (field.as_str(), "found 5")).collect();
        assert!(!Asked::default().take(&found(&many), |_| true));
        assert!(Asked::default().take(&found(&many[1..]), |_| true));
        assert!(!Asked::default().take(&Found { omitted: 1, ..found(&[]) }, |_| true));
    }
}
