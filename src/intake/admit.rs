//! Deciding: whether a command becomes an entry. Pure: the state, the command and the time in,
//! the decision out.

use super::prepare::Prepared;
use crate::access::{Actor, Change};
use crate::catalogue::{CataloguePut, PutOutcomes};
use crate::entry::{Body, Entry, Withdrawal};
use crate::model::observation::Breakdown;
use crate::model::revision::Revision;
use crate::model::timestamp::Timestamp;
use crate::model::violation::Violations;
use crate::state::State;
use crate::state::columns::{BreakdownIx, Withdrawn};

/// Something that a caller wants written.
#[derive(Debug, Clone)]
pub enum Command {
    /// Put items of the catalogue.
    PutCatalogue(CataloguePut),
    /// Take figures.
    Submit(Prepared),
    /// Take a submission back.
    Withdraw(Withdrawal),
    /// Change identities and their keys, all together.
    ChangeAccess(Vec<Change>),
}

/// What becomes of a command that is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It becomes this entry, with this effect, once the writer has put down who caused it.
    Accept(Entry, Effect),
    /// It was done before, at this revision, and changes nothing.
    Already(Revision),
    /// It asks for what is already so, and changes nothing.
    NothingChanges(Effect),
}

/// What an entry does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// To the items of the catalogue.
    Catalogue(PutOutcomes),
    /// To the figures: [`State::outcomes`] tells, of the state before.
    Figures,
    /// To the figures of a submission that is withdrawn.
    Withdrawn(Withdrawn),
    /// To the identities and their keys.
    Access,
}

/// Why a command isn't allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The input is wrong.
    #[error("{0}")]
    Invalid(Violations),
    /// The request id was used for other content.
    #[error(
        "request id `{request_id}` was received at revision {revision} with other content; use a new id for new content"
    )]
    RequestIdReused {
        /// The request id.
        request_id: String,
        /// The revision of the submission that used it.
        revision: Revision,
    },
    /// There is no such submission.
    #[error("`{agency}` has no submission `{request_id}`")]
    NoSuchSubmission {
        /// The agency.
        agency: String,
        /// The request id.
        request_id: String,
    },
}

/// Decides on a command at an instant.
///
/// # Errors
/// When the command isn't allowed; nothing of it is then written.
pub fn admit(state: &State, command: &Command, at: Timestamp) -> Result<Decision, Rejection> {
    let at = state.not_before_newest(at);
    match command {
        Command::PutCatalogue(put) => admit_put(state, put, at),
        Command::Submit(prepared) => admit_submission(state, prepared, at),
        Command::Withdraw(withdrawal) => admit_withdrawal(state, withdrawal, at),
        Command::ChangeAccess(changes) => {
            state.access().review(changes, state.catalogue(), at).into_result(()).map_err(Rejection::Invalid)?;
            Ok(Decision::Accept(entry(at, Body::Access(changes.clone())), Effect::Access))
        }
    }
}

fn entry(at: Timestamp, body: Body) -> Entry {
    Entry { at, by: Actor::default(), body }
}

fn admit_put(state: &State, put: &CataloguePut, at: Timestamp) -> Result<Decision, Rejection> {
    state.catalogue().review(put).into_result(()).map_err(Rejection::Invalid)?;
    let outcomes = state.catalogue().outcomes(put);
    if outcomes.nothing_changes() {
        return Ok(Decision::NothingChanges(Effect::Catalogue(outcomes)));
    }
    Ok(Decision::Accept(entry(at, Body::CataloguePut(put.clone())), Effect::Catalogue(outcomes)))
}

fn admit_submission(state: &State, prepared: &Prepared, at: Timestamp) -> Result<Decision, Rejection> {
    let submission = prepared.submission();
    let agency = state.catalogue().agency(&submission.agency);
    if let Some(known) = agency.and_then(|(agency, _)| state.submission(agency, &submission.request_id)) {
        return if known.fingerprint == prepared.fingerprint() {
            Ok(Decision::Already(known.revision))
        } else {
            Err(Rejection::RequestIdReused { request_id: submission.request_id.to_string(), revision: known.revision })
        };
    }
    let mut violations = prepared.violations(state, at.date());
    bound_breakdowns(state, &submission.observations.dictionaries().breakdowns, &mut violations);
    violations.into_result(()).map_err(Rejection::Invalid)?;
    Ok(Decision::Accept(entry(at, prepared.body()), Effect::Figures))
}

/// The columns can tell so many breakdowns apart, and no more.
fn bound_breakdowns(state: &State, breakdowns: &[Breakdown], violations: &mut Violations) {
    let known = state.columns().breakdown_count();
    if known + breakdowns.len() <= BreakdownIx::MAX {
        return;
    }
    let new = breakdowns.iter().filter(|breakdown| state.columns().breakdown(breakdown).is_none()).count();
    if known + new > BreakdownIx::MAX {
        violations.add("observations", format!("too many different breakdowns; allowed: {} in all", BreakdownIx::MAX));
    }
}

fn admit_withdrawal(state: &State, withdrawal: &Withdrawal, at: Timestamp) -> Result<Decision, Rejection> {
    let submission = state
        .catalogue()
        .agency(&withdrawal.agency)
        .and_then(|(agency, _)| state.submission(agency, &withdrawal.request_id))
        .ok_or_else(|| Rejection::NoSuchSubmission {
            agency: withdrawal.agency.to_string(),
            request_id: withdrawal.request_id.to_string(),
        })?;
    if let Some(revision) = state.withdrawn_at(submission.revision) {
        return Ok(Decision::Already(revision));
    }
    let effect = Effect::Withdrawn(state.withdrawal_effect(withdrawal));
    Ok(Decision::Accept(entry(at, Body::Withdrawal(withdrawal.clone())), effect))
}
