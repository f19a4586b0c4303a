//! A call that was let in.

use std::sync::Arc;
use std::time::Duration;

use tonic::{Request, Status};

use super::auditor::Auditor;
use super::compute::Compute;
use super::limits::Limits;
use super::origin::Origin;
use crate::access::{self, Action, Actor, Caller, Resource, Unauthenticated};
use crate::audit;
use crate::model::revision::Revision;
use crate::rpc::status;

/// How often a stream asks whether its caller would still be let in, when nothing else happens. Whoever
/// would not is cut off within a minute.
pub(crate) const CHECK_EVERY: Duration = Duration::from_secs(15);

/// A call that was let in: who is calling, and what it does. [`crate::rpc::call::unary`] asks it whether
/// the caller may do that to the resource that it is about; a stream asks for each message.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(super) caller: Caller,
    pub(super) method: &'static str,
    pub(super) action: Action,
    /// None for a call from within the program.
    pub(super) remote: Option<Remote>,
    /// What its answers are computed by.
    pub(super) compute: Compute,
}

/// What a call over the network has besides.
#[derive(Debug, Clone)]
pub(super) struct Remote {
    pub(super) origin: Arc<Origin>,
    pub(super) auditor: Auditor,
}

impl Session {
    /// The session of a call.
    ///
    /// # Errors
    /// When the call didn't come through the guard.
    pub(crate) fn of<T>(request: &Request<T>) -> Result<Self, Status> {
        request.extensions().get::<Self>().cloned().ok_or_else(|| status::unauthenticated(Unauthenticated::Missing))
    }

    /// Whether the caller may do this to something.
    ///
    /// # Errors
    /// When it may not.
    pub(crate) fn permit(&self, resource: Resource<'_>) -> Result<(), Status> {
        access::permit(&self.caller, self.action, resource)
            .map_err(status::denied)
            .inspect_err(|status| self.refused(status))
    }

    /// Whether the caller would be let in now.
    ///
    /// # Errors
    /// When it would not.
    pub(crate) fn check(&self) -> Result<(), Status> {
        let Some(Remote { origin, auditor }) = &self.remote else { return Ok(()) };
        origin.caller(auditor.context()?).map(drop).inspect_err(|status| self.refused(status))
    }

    /// What the caller's answers are computed by.
    pub(crate) fn compute(&self) -> &Compute {
        &self.compute
    }

    /// Writes to the audit log, durably, that the caller reads unpublished figures: what it asks for,
    /// as of a revision. Of an open server's reads nothing is written: nobody is known there.
    ///
    /// # Errors
    /// When it can't be written; the figures must then not be sent.
    pub(crate) async fn audit_read_of(&self, scope: String, revision: Revision) -> Result<(), Status> {
        self.audit(audit::Event::Read, scope, revision).await
    }

    /// Writes to the audit log, durably, that the caller changed keys.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) async fn audit_key_change(&self, scope: String, revision: Revision) -> Result<(), Status> {
        self.audit(audit::Event::Keys, scope, revision).await
    }

    /// Who is calling, as the journal names it.
    pub(crate) fn actor(&self) -> Actor {
        self.caller.actor()
    }

    async fn audit(&self, event: audit::Event, scope: String, revision: Revision) -> Result<(), Status> {
        match self.line(event) {
            Some((auditor, line)) => auditor.write(audit::Line { scope, revision: revision.0, ..line }).await,
            None => Ok(()),
        }
    }

    fn refused(&self, status: &Status) {
        if let Some((auditor, line)) = self.line(audit::Event::Refused) {
            auditor.refused(line, status);
        }
    }

    /// A line about this call, and where it goes; none when nobody is known to be calling.
    fn line(&self, event: audit::Event) -> Option<(&Auditor, audit::Line)> {
        let Remote { origin, auditor } = self.remote.as_ref().filter(|_| self.caller.known().is_some())?;
        Some((auditor, origin.line(event, Some(&self.caller), self.method)))
    }
}

/// A request of whoever runs the machine, to a service that is reached without the network.
pub fn local<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Session {
        caller: Caller::Local,
        method: "",
        action: Action::Submit,
        remote: None,
        compute: Compute::new(Limits::default().computing_max),
    });
    request
}
