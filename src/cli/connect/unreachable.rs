//! Why a server isn't reached.

use super::super::failure::Failure;
use super::super::next_step::NextStep;

/// Why a server isn't reached, and what helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Unreachable {
    pub(super) message: String,
    pub(super) step: Option<NextStep>,
}

impl Unreachable {
    /// The failure of a verb.
    pub(crate) fn failure(self) -> Failure {
        Failure::unreachable(self.message).and_try(self.step)
    }

    /// The failure of one of the doctor's checks, which doesn't lead to the doctor.
    pub(crate) fn failed_check(self) -> Failure {
        let step = self.step.map(|step| if step == NextStep::Doctor { NextStep::Address } else { step });
        Self { step, ..self }.failure()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_does_not_lead_to_the_doctor_whose_check_it_is() {
        let said = |step| match (Unreachable { message: "no".to_owned(), step }).failed_check() {
            Failure::Message(_, message) => message,
            other @ Failure::OutputClosed => panic!("{other:?}"),
        };
        assert_eq!(said(Some(NextStep::Doctor)), format!("no\n{}", NextStep::Address));
        assert_eq!(said(Some(NextStep::Proxy)), format!("no\n{}", NextStep::Proxy));
        assert_eq!(said(None), "no");
    }
}
