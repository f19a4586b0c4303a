//! A command of any type: a history is a list of them.

use conspectus::access::Actor;
use conspectus::catalogue::CataloguePut;
use conspectus::entry::{Body, Entry};
use conspectus::intake::admit::{Command as _, Decision, Rejection, Withdraw};
use conspectus::intake::basis::Basis;
use conspectus::intake::prepare::Prepared;
use conspectus::model::timestamp::Timestamp;
use conspectus::model::zone::UTC;
use conspectus::state::State;

/// A command, of whichever type.
#[derive(Debug, Clone)]
pub(crate) enum Command {
    PutCatalogue(CataloguePut),
    Submit(Prepared),
    Withdraw(Withdraw),
}

impl Command {
    /// The entry that it becomes; none when there is nothing to write.
    pub(crate) fn admit(&self, state: &State, at: Timestamp) -> Result<Option<Entry>, Rejection> {
        fn body<E, A>(decision: Decision<E, A>) -> Option<Body> {
            match decision {
                Decision::Accept(body, _) => Some(body),
                Decision::Already(_) => None,
            }
        }
        let basis = &Basis::durable(state, at, &UTC);
        let body = match self {
            Self::PutCatalogue(put) => put.admit(basis).map(body),
            Self::Submit(prepared) => prepared.admit(basis).map(body),
            Self::Withdraw(withdrawal) => withdrawal.admit(basis).map(body),
        };
        Ok(body?.map(|body| Entry { at, actor: Actor::default(), body }))
    }
}
