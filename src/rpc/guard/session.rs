//! A call that was let in.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use prost::Message;
use tonic::body::Body;
use tonic::{Request, Status};

use super::auditor::Auditor;
use super::compute::Compute;
use super::limits::{CallPermit, Limits};
use super::observed::AnsweredAt;
use super::origin::Origin;
use super::question::{self, Question, Whole};
use super::receiving::{CallReceiving, ReceivedRequest, Thread};
use super::trace::Trace;
use crate::access::{self, Action, Actor, Caller, Known, Resource, Unauthenticated};
use crate::audit;
use crate::intake::corrections::Locks;
use crate::intake::writer::{Coming, Handle};
use crate::model::id::IdentityId;
use crate::model::revision::Revision;
use crate::model::violation::Violations;
use crate::rpc::{Context, READ_BYTES_MAX, REQUEST_BYTES_MAX, status};

/// How often a stream asks whether its caller would still be let in, when nothing else happens. Whoever
/// would not is cut off within a minute.
pub(crate) const CHECK_EVERY: Duration = Duration::from_secs(15);

/// A call that was let in. [`crate::rpc::call::unary`] asks it whether the caller may do that to the resource that it
/// is about; a stream asks for each message. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Session(Arc<OpenCall>);

/// Who is calling, and what it does.
#[derive(Debug)]
pub(crate) struct OpenCall {
    pub(super) caller: Caller,
    pub(super) method: &'static str,
    pub(super) action: Action,
    /// None for a call from within the program.
    pub(super) remote: Option<Remote>,
    /// What its answers are computed by.
    pub(super) compute: Compute,
    /// What its requests are received by; none for a call from within the program.
    pub(super) receiving: Option<CallReceiving>,
    /// What its answers count against until they are taken; none for a call from within the program.
    pub(super) untaken: Option<Arc<CallPermit>>,
    /// By which the writer knows that its submission is on its way.
    pub(super) coming: Option<Arc<Coming>>,
    /// The revision that it is answered at, for operators.
    pub(super) answered_at: AnsweredAt,
    /// Its trace, where somebody takes traces.
    pub(super) trace: Option<Trace>,
}

/// What a call over the network has besides.
#[derive(Debug)]
pub(super) struct Remote {
    origin: Origin,
    auditor: Auditor,
    /// The line of what was read last, until it is known to be sent.
    last_read: Mutex<Option<audit::Line>>,
}

impl Remote {
    pub(super) fn new(origin: Origin, auditor: Auditor) -> Self {
        Self { origin, auditor, last_read: Mutex::default() }
    }

    fn last_read(&self) -> MutexGuard<'_, Option<audit::Line>> {
        self.last_read.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<OpenCall> for Session {
    fn from(call: OpenCall) -> Self {
        Self(Arc::new(call))
    }
}

impl Deref for Session {
    type Target = OpenCall;

    fn deref(&self) -> &OpenCall {
        &self.0
    }
}

impl Session {
    /// The session of a call.
    ///
    /// # Errors
    /// When the call didn't come through the guard.
    pub(crate) fn of<T>(request: &Request<T>) -> Result<Self, Status> {
        request.extensions().get::<Self>().cloned().ok_or_else(|| status::unauthenticated(Unauthenticated::Missing))
    }
}

impl OpenCall {
    /// Notes that the call uses its connection, which may then stay.
    ///
    /// # Errors
    /// When the identity has too many connections.
    pub(super) fn claim(&self, identity: Option<&IdentityId>) -> Result<(), Status> {
        self.remote.as_ref().map_or(Ok(()), |remote| remote.origin.claim(identity))
    }

    /// Notes that the call is refused. Where a line says already that it read something, another says that this wasn't
    /// sent.
    pub(super) fn unsent(&self, status: &Status) {
        let Some(remote) = &self.remote else { return };
        if let Some(line) = remote.last_read().take() {
            remote.auditor.refused(audit::Line { event: audit::Event::Refused, ..line }, status);
        }
    }

    /// The writer, for what this caller sends it.
    pub(crate) fn writer(&self, context: &Context) -> Handle {
        context.writer.as_actor(self.actor()).announced(self.coming.clone())
    }

    /// Whether the caller may do this to something.
    ///
    /// # Errors
    /// When it may not.
    pub(crate) fn permit(&self, resource: Resource<'_>) -> Result<(), Status> {
        let agency = match &resource {
            Resource::Agency(agency) => Some(*agency),
            Resource::Any | Resource::Figures(_) => None,
        };
        let scope = || agency.map_or_else(String::new, |agency| format!("agency={agency:?}"));
        self.permit_question(|| Question { scope: scope(), whole: None }, resource)
    }

    /// Whether the caller may do what a message asks for. A refusal's line says what a read asked for; of what would be
    /// written it says whose it is, since there are figures in it.
    ///
    /// # Errors
    /// When it may not.
    pub(crate) fn permit_message(&self, message: &impl Message, resource: Resource<'_>) -> Result<(), Status> {
        match self.action {
            Action::Submit | Action::CorrectLocked | Action::ChangeCatalogue | Action::ChangeKeys => {
                self.permit(resource)
            }
            Action::ReadSubmissions
            | Action::ReadCatalogue
            | Action::ReadFigures
            | Action::ReadCompleteness
            | Action::ReadKeys
            | Action::ReadAudit
            | Action::ReadCaller => self.permit_question(|| self.question(message), resource),
        }
    }

    /// Whether the caller may have a question answered.
    ///
    /// # Errors
    /// When it may not.
    pub(crate) fn permit_question(
        &self,
        question: impl FnOnce() -> Question,
        resource: Resource<'_>,
    ) -> Result<(), Status> {
        access::permit(&self.caller, self.action, resource)
            .map_err(status::denied)
            .inspect_err(|status| self.refused(&question(), status))
    }

    /// Whether the caller could have something, without asking for it.
    pub(crate) fn could_have(&self, resource: Resource<'_>) -> bool {
        access::permit(&self.caller, self.action, resource).is_ok()
    }

    /// Whether the locks of periods hold for what the caller sends of an agency.
    pub(crate) fn locks(&self, agency: &str) -> Locks {
        match access::permit(&self.caller, Action::CorrectLocked, Resource::Agency(agency)) {
            Ok(()) => Locks::Lifted,
            Err(_) => Locks::Kept,
        }
    }

    /// What a message of this call asks for, for the audit log.
    pub(crate) fn question(&self, message: &impl Message) -> Question {
        // Of whom nobody is known nothing is written.
        if self.caller.known().is_some() { Question::of(self.method, message) } else { Question::default() }
    }

    /// Everything that a list of this call's message has twice.
    pub(crate) fn repeats(&self, message: &impl Message) -> Violations {
        question::repeats(self.method, message)
    }

    /// Notes the revision that the call is answered at, or has written, for operators.
    pub(crate) fn answered_at(&self, revision: Revision) {
        self.answered_at.note(revision);
    }

    /// Does a part of the call that it waits for, which is a part of its trace.
    pub(crate) async fn traced<T>(&self, part: &'static str, work: impl Future<Output = T>) -> T {
        let _span = self.trace.as_ref().map(|trace| Box::new(trace.part(part)));
        work.await
    }

    /// Whether the caller would be let in now.
    ///
    /// # Errors
    /// When it would not.
    pub(crate) fn check(&self) -> Result<(), Status> {
        let Some(Remote { origin, auditor, .. }) = &self.remote else { return Ok(()) };
        origin.caller(auditor.context()?).map(drop).inspect_err(|status| self.refused(&Question::default(), status))
    }

    /// The request that was received last, as far as memory and threads go: it is to be held while the request
    /// is, and no longer.
    pub(crate) fn received(&self) -> ReceivedRequest {
        self.receiving.as_ref().map(CallReceiving::take).unwrap_or_default()
    }

    /// The largest message that it takes.
    pub(super) fn request_bytes_max(&self) -> usize {
        if self.action.stores() { REQUEST_BYTES_MAX } else { READ_BYTES_MAX }
    }

    /// The body of its request, whose whole is its one message.
    ///
    /// # Errors
    /// When it is too large, or doesn't come.
    pub(crate) async fn receive_whole(&self, body: Body) -> Result<Bytes, Status> {
        match &self.receiving {
            Some(receiving) => receiving.receive_whole(body, self.request_bytes_max()).await,
            None => Ok(body.collect().await?.to_bytes()),
        }
    }

    /// Where so many bytes are worked on: on a thread of their own, where there are many.
    ///
    /// # Errors
    /// When too much of the caller's waits already.
    pub(crate) async fn thread_for(&self, bytes: usize) -> Result<Thread, Status> {
        match &self.receiving {
            Some(receiving) => receiving.thread_for(bytes).await,
            None => Ok(Thread::default()),
        }
    }

    /// Who is known to be calling, and by what; none when nobody in particular calls.
    pub(crate) fn known(&self) -> Option<&Known> {
        self.caller.known()
    }

    /// Whose call it is; none when nobody in particular calls.
    pub(crate) fn identity(&self) -> Option<&IdentityId> {
        self.caller.known().map(|known| &known.identity.id)
    }

    /// What the caller's answers are computed by.
    pub(crate) fn compute(&self) -> &Compute {
        &self.compute
    }

    /// Counts a message's bytes as the caller's from now on, until they are taken.
    ///
    /// # Errors
    /// When too much isn't taken.
    pub(crate) fn hold(&self, message: Bytes) -> Result<Bytes, Status> {
        match &self.untaken {
            Some(permit) => permit.hold_message(message),
            None => Ok(message),
        }
    }

    /// Counts the bytes of the call's one answer as the caller's from now on, until they are taken.
    ///
    /// # Errors
    /// When too much isn't taken.
    pub(crate) fn admit(&self, answer_bytes: usize) -> Result<(), Status> {
        self.untaken.as_ref().map_or(Ok(()), |permit| permit.admit(answer_bytes))
    }

    /// Writes to the audit log, durably, what the caller reads, as of a revision. Of an open server's reads nothing is
    /// written: nobody is known there.
    ///
    /// # Errors
    /// When it can't be written; the answer must then not be sent.
    pub(crate) async fn audit_read(&self, question: Question, revision: Revision) -> Result<(), Status> {
        self.audit(audit::Event::Read, question, revision).await
    }

    /// Writes to the audit log, durably, that the caller changed keys.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) async fn audit_key_change(&self, scope: String, revision: Revision) -> Result<(), Status> {
        self.audit(audit::Event::Keys, Question { scope, whole: None }, revision).await
    }

    /// Who is calling, as the journal names it.
    pub(crate) fn actor(&self) -> Actor {
        self.caller.actor()
    }

    async fn audit(&self, event: audit::Event, question: Question, revision: Revision) -> Result<(), Status> {
        self.answered_at(revision);
        let Some((remote, line)) = self.line(event, &question) else { return Ok(()) };
        let line = audit::Line { revision: revision.0, ..line };
        let whole = match question.whole {
            None => None,
            Some(Whole { text: Some(text), .. }) => Some(text),
            Some(Whole { text: None, .. }) => return Err(status::unaudited(&audit::Unwritten::TooLong)),
        };
        // Before it is written: the call may be given up while it is.
        let last_read = (event == audit::Event::Read).then(|| line.clone());
        *remote.last_read() = last_read;
        let written = self.traced("write the audit log", remote.auditor.write(line, whole)).await;
        written.inspect_err(|_| *remote.last_read() = None)
    }

    fn refused(&self, question: &Question, status: &Status) {
        if let Some((remote, line)) = self.line(audit::Event::Refused, question) {
            remote.auditor.refused(line, status);
        }
    }

    /// A line about this call, and where it goes; none when nobody is known to be calling.
    fn line(&self, event: audit::Event, question: &Question) -> Option<(&Remote, audit::Line)> {
        let remote = self.remote.as_ref().filter(|_| self.caller.known().is_some())?;
        let hash = question.whole.as_ref().map(|whole| whole.hash.clone());
        let line = remote.origin.line(event, Some(&self.caller), self.method);
        Some((remote, audit::Line { scope: question.scope.clone(), question: hash.unwrap_or_default(), ..line }))
    }
}

/// A request of whoever runs the machine, to a service that is reached without the network.
pub fn local<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Session::from(OpenCall {
        caller: Caller::Local,
        method: "",
        action: Action::Submit,
        remote: None,
        compute: Compute::new(Limits::default().computing_max),
        receiving: None,
        untaken: None,
        coming: None,
        answered_at: AnsweredAt::default(),
        trace: None,
    }));
    request
}

#[cfg(test)]
mod tests {
    use tonic::codegen::http;

    use super::*;
    use crate::access::{Credential, Identity, KeyId, Role, Scope};
    use crate::rpc::Gate;

    #[tokio::test]
    async fn a_question_that_is_too_long_to_be_kept_is_not_answered() {
        let id = IdentityId::parse("analyst").unwrap();
        let scope = Scope::default();
        let (certificates, sign_ins) = (Vec::new(), Vec::new());
        let identity = Arc::new(Identity { id, role: Role::Analyst, agency: None, scope, certificates, sign_ins });
        let session = OpenCall {
            caller: Caller::Known(Known { identity, credential: Credential::Key(KeyId([0; 8])), purpose: None }),
            method: "",
            action: Action::ReadFigures,
            // Without a log, what may be written is.
            remote: Some(Remote::new(Origin::of(&http::Request::new(()), None), Auditor::new(Gate::default()))),
            compute: Compute::new(1),
            receiving: None,
            untaken: None,
            coming: None,
            answered_at: AnsweredAt::default(),
            trace: None,
        };
        let audit = async |text: Option<&str>| {
            let whole = Some(Whole { hash: String::new(), text: text.map(str::to_owned) });
            session.audit_read(Question { scope: String::new(), whole }, Revision(1)).await
        };
        assert!(audit(Some("all of it")).await.is_ok());
        assert!(audit(None).await.unwrap_err().message().contains("too long to be kept"));
    }
}
