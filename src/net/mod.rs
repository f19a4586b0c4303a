//! The network: connections are accepted, counted, encrypted by TLS, and handed on once they have
//! begun to speak HTTP. One that is slow or silent until then, or that presents no credentials for
//! a while after, is closed. When there are as many as may be, the one that has been there longest
//! without credentials is evicted, and those with credentials never take them all: so a caller with
//! credentials always gets in.

mod accept;
mod certificates;
mod connection;
mod cork;
mod linger;
mod peer;
mod permits;
mod share;
pub mod tls;
mod tls_version;

pub(crate) use accept::accept;
pub(crate) use connection::Connection;
pub(crate) use cork::{Cork, OpenCalls};
pub(crate) use linger::lingering;
pub(crate) use peer::{NoLongerGood, Peer};
pub use permits::Bounds;
pub(crate) use permits::Connections;
pub(crate) use share::{Full, Share};
