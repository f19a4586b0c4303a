//! The edge that partners' systems and internal tools talk to: the only module that knows tonic and
//! the served messages.
//!
//! A handler converts the request, collecting every violation; has it written or computes the answer
//! on the newest durable state; and converts the answer. It holds no lock across an await, and no
//! call of it touches the disk but to fetch an old receipt.

mod call;
pub mod codec;
mod context;
mod convert;
mod guard;
mod page;
mod services;
mod status;

use crate::model::revision::Revision;
use crate::model::violation::Violations;
use crate::state::State;

pub use context::{Context, Gate};
pub use guard::{Guard, Limits, METHODS, PURPOSE_HEADER, local};
pub use services::{Catalogue, Keys, Picture, Submissions, new_secret, put_request};
pub use status::{DOMAIN, ERROR_BYTES_HEADER, Reason};

/// The served messages, services and clients, generated from `proto/conspectus/v1`.
#[allow(missing_docs, unreachable_pub, reason = "generated; the protos are the reference")]
#[allow(clippy::all, clippy::pedantic, clippy::restriction, reason = "generated")]
pub mod proto {
    tonic::include_proto!("conspectus.v1");
}

/// The clients, generated from the same protos.
#[allow(missing_docs, unreachable_pub, reason = "generated; the protos are the reference")]
#[allow(clippy::all, clippy::pedantic, clippy::restriction, reason = "generated")]
pub mod client {
    include!(concat!(env!("OUT_DIR"), "/client/conspectus.v1.rs"));
}

/// The descriptors of the served protos, for server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/conspectus.v1.bin"));

/// The largest request message that is taken.
pub const REQUEST_BYTES_MAX: usize = 4 << 20;

/// The largest request message that is received, so that one too large can be told so.
pub const RECEIVED_BYTES_MAX: usize = 4 * REQUEST_BYTES_MAX;

/// The revision that a query asks to be answered as of.
fn as_of(state: &State, as_of_revision: i64, violations: &mut Violations) -> Revision {
    let newest = state.revision();
    match u64::try_from(as_of_revision) {
        Ok(0) => newest,
        Ok(revision) if revision <= newest.0 => Revision(revision),
        Ok(_) | Err(_) => {
            let found = format!("found {as_of_revision}; allowed: 1 to {newest}, or 0 for the newest");
            violations.add("as_of_revision", found);
            newest
        }
    }
}

/// A revision as messages carry it.
fn number(revision: Revision) -> i64 {
    i64::try_from(revision.0).unwrap_or(i64::MAX)
}

/// A count as messages carry it.
fn count(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
