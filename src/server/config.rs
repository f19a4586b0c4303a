//! How a server runs.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, oneshot};

use super::{Error, Listen};
use crate::access::Secret;
use crate::audit::{Accepted, SegmentLimits};
use crate::http::PageOrigin;
use crate::metrics::Registry;
use crate::model::id::IdentityId;
use crate::model::timestamp::Timestamp;
use crate::model::zone::Zone;
use crate::net::{self, tls};
use crate::rpc::{Limits, Tracer};
use crate::web::WebUrl;
use crate::web::sign_in::ProviderSettings;

/// How long calls may take to end at a stop, by default.
const DRAIN_TIMEOUT_DEFAULT: Duration = Duration::from_secs(10);

/// How often everything is read again and verified, by default.
const SCRUB_EVERY_DEFAULT: Duration = Duration::from_secs(7 * 24 * 3_600);

/// Takes the demo's identities, each with its key.
pub type DemoKeys = oneshot::Sender<Vec<(IdentityId, Secret)>>;

/// Gives the time.
#[derive(Clone)]
pub struct Clock(pub Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").finish_non_exhaustive()
    }
}

/// How a server runs.
#[derive(Debug)]
pub struct Config {
    /// The data folder.
    pub data: PathBuf,
    /// Whether to load the published figures and the sample ones, once.
    pub demo: bool,
    /// How long calls may take to end at a stop: a day at the most.
    pub drain_timeout: Duration,
    /// How long calls are still let in at a stop, after health says that the server isn't serving.
    pub lame_duck: Duration,
    /// The time of day; the system's, unless another is given. Durations are measured by the monotonic clock
    /// all the same.
    pub clock: Clock,
    /// The time zone of days.
    pub zone: Zone,
    /// Who is let in from the network, and how much of it.
    pub network: Network,
    /// Start though the clock is more than an hour behind what was written last.
    pub accept_clock_behind_journal: bool,
    /// Has the certificates read again at once.
    pub reload: Arc<Notify>,
    /// Where the demo's keys go. With none, none are made, and the demo is open.
    pub demo_keys: Option<DemoKeys>,
    /// The page; none serves none.
    pub web: Option<Web>,
    /// Where operators' tools ask; none asks nowhere.
    pub admin: Option<Admin>,
    /// What makes the spans of calls, where somebody takes traces.
    pub tracer: Option<Tracer>,
    /// What an operator accepts that a start would otherwise refuse.
    pub accepted: Accepted,
    /// How often the journal and the audit log are read again and verified; none for never.
    pub scrub_every: Option<Duration>,
    /// When a file of the audit log is closed, and the next begun.
    pub audit_segments: SegmentLimits,
    /// How many days closed files of the audit log are kept; none for as long as they are there.
    pub audit_keep_days: Option<u16>,
}

/// The longest that calls may take to end at a stop.
pub(crate) const DRAIN_TIMEOUT_MAX: Duration = Duration::from_secs(24 * 3_600);

impl Config {
    /// A server on a data folder, with the defaults for everything else.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            demo: false,
            drain_timeout: DRAIN_TIMEOUT_DEFAULT,
            lame_duck: Duration::ZERO,
            clock: Clock(Arc::new(super::now)),
            zone: Zone::default(),
            network: Network::default(),
            accept_clock_behind_journal: false,
            reload: Arc::default(),
            demo_keys: None,
            web: None,
            admin: None,
            tracer: None,
            accepted: Accepted::default(),
            scrub_every: Some(SCRUB_EVERY_DEFAULT),
            audit_segments: SegmentLimits::default(),
            audit_keep_days: None,
        }
    }
}

/// Where operators' tools ask how the server is: its metrics, and whether it lives and is ready.
#[derive(Debug)]
pub struct Admin {
    /// Where the server listens for them.
    pub listen: Listen,
    /// Listen where the network can reach it all the same: there is neither TLS nor are there credentials.
    pub allow_network: bool,
    /// What the program itself measures.
    pub metrics: Registry,
}

impl Admin {
    /// Refuses to listen where the network could, unless that is meant.
    ///
    /// # Errors
    /// When the address isn't this machine's own, and that isn't allowed.
    pub(super) fn check(&self) -> Result<(), Error> {
        check_admin(self.listen.local_addr().map_err(Error::Listener)?, self.allow_network)
    }
}

/// Refuses an admin address that the network can reach, unless that is meant.
///
/// # Errors
/// When it isn't.
pub(crate) fn check_admin(address: SocketAddr, is_allowed: bool) -> Result<(), Error> {
    if address.ip().is_loopback() || is_allowed { Ok(()) } else { Err(Error::AdminOnNetwork(address)) }
}

/// Where the page is, and how people sign in to it.
#[derive(Debug)]
pub struct Web {
    /// Where the server listens for browsers.
    pub listen: Listen,
    /// Where browsers reach it; none is where the server listens.
    pub at: Option<WebUrl>,
    /// Where people sign in besides with a key.
    pub provider: Option<ProviderSettings>,
}

impl Web {
    /// Where browsers reach the page.
    ///
    /// # Errors
    /// When the server listens where no browser goes without being told: at an address of the network, without TLS.
    pub(crate) fn at(&self, is_tls: bool) -> Result<WebUrl, Error> {
        match &self.at {
            Some(at) => Ok(at.clone()),
            None => web_url(self.listen.local_addr().map_err(Error::Listener)?, is_tls),
        }
    }
}

/// Where browsers reach a page, by where the server listens for them.
///
/// # Errors
/// When no browser goes there without being told: to an address of the network, without TLS; to all of a machine's.
pub(crate) fn web_url(address: SocketAddr, is_tls: bool) -> Result<WebUrl, Error> {
    let scheme = if is_tls { "https" } else { "http" };
    // Every address of the machine is none that a browser has.
    if address.ip().is_unspecified() {
        return Err(Error::NoWebUrl(address));
    }
    format!("{scheme}://{address}").parse().map_err(|_| Error::NoWebUrl(address))
}

/// Who is let in from the network, and how much of it.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// The certificates and versions of TLS; without any, nothing is encrypted, and only this machine is served.
    pub tls: Option<tls::Settings>,
    /// Serve the network unencrypted all the same: something in front encrypts.
    pub allow_plaintext_network: bool,
    /// Serve the protos by reflection to the network too, as to this machine.
    pub reflection: bool,
    /// Pages elsewhere whose scripts may call.
    pub page_origins: Vec<PageOrigin>,
    /// Bounds of the connections.
    pub bounds: net::Bounds,
    /// Bounds of the calls.
    pub limits: Limits,
}

impl Network {
    /// Refuses to listen where the network could, unencrypted.
    ///
    /// # Errors
    /// When the address isn't this machine's own, there is no TLS, and that isn't allowed.
    pub(crate) fn check(&self, address: SocketAddr) -> Result<(), Error> {
        check_encrypted(address, self.tls.is_some() || self.allow_plaintext_network)
    }
}

/// Refuses an address that the network can reach, unless something encrypts.
///
/// # Errors
/// When nothing does.
pub(crate) fn check_encrypted(address: SocketAddr, is_encrypted: bool) -> Result<(), Error> {
    if address.ip().is_loopback() || is_encrypted { Ok(()) } else { Err(Error::Plaintext(address)) }
}
