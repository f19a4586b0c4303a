//! Why a server stops, or doesn't start.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::audited::Unrevoked;
use super::clock::ClockBehind;
use crate::intake::writer::WriteError;
use crate::net::tls;
use crate::{audit, demo, journal};

/// Why a server stopped, or didn't start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal can't be opened, or isn't what was written.
    #[error("{0}")]
    Journal(#[from] journal::Error),
    /// What an older journal lacks can't be revoked again.
    #[error("what was revoked since the older journal can't be revoked again: {0}")]
    Unrevoked(#[from] Unrevoked),
    /// There is no such data folder.
    #[error("the data folder {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The reflection service can't be built.
    #[error("the reflection service can't be built: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The system gives no random bytes.
    #[error("the system gives no random bytes, which the page needs: {0}")]
    Random(#[from] getrandom::Error),
    /// The demo's figures were refused.
    #[error("the demo can't be loaded: {0}")]
    Demo(#[from] demo::Error),
    /// The audit log can't be opened, or isn't what was written.
    #[error("{0}")]
    Audit(#[from] audit::Error),
    /// A change of keys isn't in the audit log.
    #[error("{0}")]
    Unaudited(#[from] audit::Unwritten),
    /// Files of the audit log aren't deleted, or not all.
    #[error("{0}")]
    NotPruned(#[from] audit::NotPruned),
    /// The network can reach the server, and nobody has credentials.
    #[error(
        "there are no credentials, so anyone who can reach {0} could read and write everything; listen on this machine only, or make a first key: `conspectus key create NAME --data FOLDER --role operator`"
    )]
    Open(SocketAddr),
    /// The clock is behind what was written, and nobody has said that it is right.
    #[error(
        "{0}. Set the clock; or, if it is right, go on with --accept-clock-behind-journal: until the clock has passed that time, entries are stamped as just after it, and keys expire by the clock"
    )]
    ClockBehind(#[from] ClockBehind),
    /// Without TLS, the network could listen.
    #[error(
        "{0} can be reached from the network, and nothing is secret without TLS: give --tls-cert and --tls-key, or, behind a TLS proxy, --allow-plaintext-network"
    )]
    Plaintext(SocketAddr),
    /// The network could ask for the metrics.
    #[error(
        "{0} can be reached from the network, and whoever asks there for metrics needs no key: listen on this machine, or say that it is meant with --allow-admin-network"
    )]
    AdminOnNetwork(SocketAddr),
    /// Nobody has said where browsers reach the page.
    #[error(
        "where do browsers reach the page at {0}? Give --web-url, such as --web-url https://figures.partner.example"
    )]
    NoWebUrl(SocketAddr),
    /// The certificates can't be used.
    #[error("{0}")]
    Tls(#[from] tls::Error),
    /// The listener is gone.
    #[error("the listener failed: {0}")]
    Listener(std::io::Error),
    /// A change was refused.
    #[error("{0}")]
    Write(WriteError),
    /// A task of the server panicked.
    #[error("a part of the server failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}
