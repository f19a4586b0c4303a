//! A command of any type: a history is a list of them.

use conspectus::catalogue::CataloguePut;
use conspectus::entry::{Entry, Withdrawal};
use conspectus::intake::admit::{self, Decision, Rejection};
use conspectus::intake::prepare::Prepared;
use conspectus::model::timestamp::Timestamp;
use conspectus::state::State;

/// A command, of whichever type.
#[derive(Debug, Clone)]
pub(crate) enum Command {
    PutCatalogue(CataloguePut),
    Submit(Prepared),
    Withdraw(Withdrawal),
}

impl Command {
    /// The entry that it becomes; none when there is nothing to write.
    pub(crate) fn admit(&self, state: &State, at: Timestamp) -> Result<Option<Entry>, Rejection> {
        fn entry<E, A>(decision: Decision<E, A>) -> Option<Entry> {
            match decision {
                Decision::Accept(entry, _) => Some(entry),
                Decision::Already(_) => None,
            }
        }
        match self {
            Self::PutCatalogue(put) => admit::admit(state, put, at).map(entry),
            Self::Submit(prepared) => admit::admit(state, prepared, at).map(entry),
            Self::Withdraw(withdrawal) => admit::admit(state, withdrawal, at).map(entry),
        }
    }
}
