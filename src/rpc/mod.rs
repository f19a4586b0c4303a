//! The edge that partners' systems and internal tools talk to, between the served messages and the
//! domain: nothing below it knows the messages. `figures`, `wording`, `tables`, `submitting`, `demo`, `web` and `cli` use
//! them as a client does, and `server` serves them. Of tonic, `net` knows nothing.
//!
//! A unary call goes the way of `call`, and a read the way of `services::read`. A handler converts the
//! request, collecting every violation; has it written, or computes the answer on the newest durable
//! state; and converts the answer. It holds no lock across an await, and never blocks a thread of the
//! runtime on the disk: the writer's thread makes writes durable, the audit log's thread makes its
//! lines durable, and an old entry is read back on a blocking thread.

mod catalogue_items;
mod contract;
mod put_catalogue;
mod reason;

// What serves. A client needs the messages and the rest of the above.
#[cfg(feature = "server")]
mod call;
#[cfg(feature = "server")]
pub(crate) mod codec;
#[cfg(feature = "server")]
mod context;
#[cfg(feature = "server")]
mod convert;
#[cfg(feature = "server")]
mod format;
#[cfg(feature = "server")]
mod guard;
#[cfg(feature = "server")]
mod page;
#[cfg(feature = "server")]
mod router;
#[cfg(feature = "server")]
mod services;
#[cfg(feature = "server")]
mod status;
#[cfg(feature = "server")]
mod transcode;

use crate::model::revision::Revision;

pub use catalogue_items::put_request;
pub use contract::ERROR_BYTES_HEADER;
pub(crate) use contract::{PURPOSE_HEADER, REQUEST_ID_HEADER, omitted_count, purpose_header};
pub(crate) use put_catalogue::indicator_versions;
pub(crate) use reason::Reason;
#[cfg(feature = "server")]
pub use {
    codec::{Encoded, Streamed, Submitted},
    context::{Context, Gate},
    guard::{CallRate, Guard, Limits, Load, METHODS, Open, Tracer, local},
    services::{Audit, Catalogue, Keys, Picture, Submissions, new_secret},
};
#[cfg(feature = "server")]
pub(crate) use {
    convert::{instant, snapshot::as_of},
    format::Format,
    guard::{Observer, SignedIn},
    router::Router,
    status::invalid,
    transcode::{DESCRIPTORS, method},
};

/// The served messages, services and clients, generated from `proto/conspectus/v1`.
#[allow(missing_docs, unreachable_pub, reason = "generated; the protos are the reference")]
#[allow(clippy::all, clippy::pedantic, clippy::restriction, reason = "generated")]
pub mod proto {
    tonic::include_proto!("conspectus.v1");
    #[cfg(feature = "server")]
    include!(concat!(env!("OUT_DIR"), "/server/conspectus.v1.rs"));
}

/// The clients, generated from the same protos.
#[allow(missing_docs, unreachable_pub, reason = "generated; the protos are the reference")]
#[allow(clippy::all, clippy::pedantic, clippy::restriction, reason = "generated")]
pub mod client {
    include!(concat!(env!("OUT_DIR"), "/client/conspectus.v1.rs"));
}

/// The descriptors of the served protos, for server reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/conspectus.v1.bin"));

macro_rules! proto_files {
    ($($name:literal),+) => {
        [$((
            concat!("conspectus/v1/", $name),
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/proto/conspectus/v1/", $name)),
        )),+]
    };
}

/// The served protos: the path by which they import each other, and the text.
pub(crate) const PROTO_FILES: [(&str, &str); 7] = proto_files![
    "audit_service.proto",
    "catalogue.proto",
    "catalogue_service.proto",
    "figures.proto",
    "key_service.proto",
    "picture_service.proto",
    "submission_service.proto"
];

/// The largest request message that is taken.
pub(crate) const REQUEST_BYTES_MAX: usize = 4 << 20;

/// The largest of a method that stores nothing: what it has is ids. All 34,000 of the smallest areas for which
/// England counts people are three quarters of it.
pub(crate) const READ_BYTES_MAX: usize = 512 << 10;

/// The largest request message that is received, so that one too large gets an answer that says so.
pub(crate) const RECEIVED_BYTES_MAX: usize = 4 * REQUEST_BYTES_MAX;

/// From how many bytes on a request is large: it is decoded and reviewed in a turn, and not on a thread that
/// serves others.
pub(crate) const LARGE_BYTES: usize = 256 << 10;

/// Does work that takes long, when it `is_long`, on a thread that nobody else waits for: the others on this
/// thread of the runtime are moved to another first. The turns of large requests bound how many there are.
pub(crate) fn beside_the_runtime<T>(is_long: bool, work: impl FnOnce() -> T) -> T {
    use tokio::runtime::{Handle, RuntimeFlavor};
    let runtime = Handle::try_current().ok().filter(|_| is_long).map(|runtime| runtime.runtime_flavor());
    match runtime {
        Some(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        // A runtime of one thread, as a test has it, has none to move them to.
        Some(_) | None => work(),
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
