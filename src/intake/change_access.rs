//! Deciding whether identities and their keys change.

use std::convert::Infallible;

use super::admit::{Command, Decision, DecisionOf, Rejection};
use super::basis::Basis;
use crate::access::AccessChange;
use crate::entry::Body;
use crate::model::timestamp::Timestamp;

/// Changes to identities and their keys, all together.
#[derive(Debug, Clone)]
pub struct ChangeAccess {
    /// The changes, made together.
    pub changes: Vec<AccessChange>,
    /// The clock's time, which keys expire by. That of the entry may be later: it is after every entry before it,
    /// though the clock was ahead then.
    pub now: Timestamp,
}

/// The same, asked for by somebody who calls: it leaves an operator who can make keys. What is done on the machine
/// itself, such as to revoke again what an older journal lacks, needn't.
#[derive(Debug)]
pub struct AskedAccess(pub ChangeAccess);

impl Command for ChangeAccess {
    type Effect = ();
    /// A change is an entry each time.
    type Already = Infallible;

    fn admit(&self, Basis { state, .. }: &Basis<'_>) -> Result<DecisionOf<Self>, Rejection> {
        let Self { changes, now } = self;
        state.access().review(changes, state.catalogue(), *now).into_result(()).map_err(Rejection::Invalid)?;
        Ok(Decision::Accept(Body::Access(changes.clone()), ()))
    }
}

impl Command for AskedAccess {
    type Effect = ();
    type Already = Infallible;

    fn admit(&self, basis: &Basis<'_>) -> Result<DecisionOf<Self>, Rejection> {
        let Self(change) = self;
        let accepted = change.admit(basis)?;
        let violations = basis.state.access().review_operators(&change.changes, change.now);
        violations.into_result(accepted).map_err(Rejection::Invalid)
    }
}
