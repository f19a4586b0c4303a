//! What every call goes through before a handler: who is calling, whether it may do this at all,
//! how much at once, and for how long. A call that isn't allowed is refused before its message is
//! read.
//!
//! [`METHODS`] says what each method does. A method that isn't there is refused to everybody, so a
//! new one is closed until it is given a row.
//!
//! Health and reflection are open: they tell whether the server serves, and what the protos tell.

pub(crate) mod audit_scope;
mod limits;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::task;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::body::Body;
use tonic::codegen::http;
use tonic::{Request, Status};
use tonic_types::StatusExt;
use tower::{Layer, Service};

use super::status::{self, Reason};
use super::{Context, Gate};
use crate::access::{
    self, Action, Actor, Asked, Caller, Credential, Credentials, KeyId, Purpose, Resource, Unauthenticated,
};
use crate::audit;
use crate::last_used::LastUsed;
use crate::model::id::IdentityId;
use crate::model::revision::Revision;
use crate::model::timestamp::Timestamp;
use crate::net::{NoLongerGood, Peer};
use audit_scope::AuditScope;
pub use limits::Limits;
use limits::{CallPermit, Calls};

/// The request header in which an analyst says what figures are read for.
pub const PURPOSE_HEADER: &str = "conspectus-purpose";

/// How often a stream asks whether its caller would still be let in, when nothing else happens. Whoever
/// would not is cut off within a minute.
pub(crate) const CHECK_EVERY: Duration = Duration::from_secs(15);
/// When one with too many connections may try again.
const CONNECTIONS_RETRY: Duration = Duration::from_secs(1);

/// What each method does, by its path.
pub const METHODS: [(&str, Action); 28] = [
    ("/conspectus.v1.CatalogueService/GetAgency", Action::ReadCatalogue),
    ("/conspectus.v1.CatalogueService/GetArea", Action::ReadCatalogue),
    ("/conspectus.v1.CatalogueService/GetDimension", Action::ReadCatalogue),
    ("/conspectus.v1.CatalogueService/GetIndicator", Action::ReadCatalogue),
    ("/conspectus.v1.CatalogueService/GetReconciliationRule", Action::ReadCatalogue),
    ("/conspectus.v1.CatalogueService/ListAgencies", Action::ReadCatalogue),
    ("/conspectus.v1.CatalogueService/ListAreas", Action::ReadCatalogue),
    ("/conspectus.v1.CatalogueService/ListDimensions", Action::ReadCatalogue),
    ("/conspectus.v1.CatalogueService/ListIndicators", Action::ReadCatalogue),
    ("/conspectus.v1.CatalogueService/ListReconciliationRules", Action::ReadCatalogue),
    ("/conspectus.v1.CatalogueService/PutCatalogue", Action::ChangeCatalogue),
    ("/conspectus.v1.KeyService/CreateKey", Action::ChangeKeys),
    ("/conspectus.v1.KeyService/ListKeys", Action::ReadKeys),
    ("/conspectus.v1.KeyService/RevokeKey", Action::ChangeKeys),
    ("/conspectus.v1.KeyService/RotateKey", Action::ChangeKeys),
    ("/conspectus.v1.PictureService/ExplainFigure", Action::ReadFigures),
    ("/conspectus.v1.PictureService/GetCompleteness", Action::ReadCompleteness),
    ("/conspectus.v1.PictureService/GetHistory", Action::ReadFigures),
    ("/conspectus.v1.PictureService/GetPicture", Action::ReadFigures),
    ("/conspectus.v1.PictureService/QueryAggregate", Action::ReadFigures),
    ("/conspectus.v1.PictureService/Reconcile", Action::ReadFigures),
    ("/conspectus.v1.PictureService/WatchAggregate", Action::ReadFigures),
    ("/conspectus.v1.PictureService/WatchPicture", Action::ReadFigures),
    ("/conspectus.v1.SubmissionService/GetSubmission", Action::ReadSubmissions),
    ("/conspectus.v1.SubmissionService/ListSubmissions", Action::ReadSubmissions),
    ("/conspectus.v1.SubmissionService/StreamSubmissions", Action::Submit),
    ("/conspectus.v1.SubmissionService/SubmitObservations", Action::Submit),
    ("/conspectus.v1.SubmissionService/WithdrawSubmission", Action::Submit),
];

/// The services that anyone may ask.
const OPEN_SERVICES: [&str; 3] =
    ["/grpc.health.v1.Health/", "/grpc.reflection.v1.ServerReflection/", "/grpc.reflection.v1alpha.ServerReflection/"];

/// Guards the services behind it.
#[derive(Debug, Clone, Default)]
pub struct Guard(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    gate: Gate,
    limits: Limits,
    calls: Calls,
    audit: OnceLock<audit::Log>,
    used: LastUsed,
}

impl Guard {
    /// A guard of the services behind a gate.
    pub fn new(gate: Gate, limits: Limits) -> Self {
        Self(Arc::new(Shared { gate, limits, ..Shared::default() }))
    }

    /// Has reads and refusals written to a log, from before the gate opens.
    pub fn audit(&self, log: audit::Log) {
        // Given twice, it stays as it was.
        drop(self.0.audit.set(log));
    }

    /// When a key last opened, as far as this guard knows.
    pub(crate) fn last_used(&self, key: KeyId) -> Option<Timestamp> {
        self.0.used.get(key)
    }

    /// When each key last opened.
    pub fn used(&self) -> &LastUsed {
        &self.0.used
    }

    /// Lets a call in: who is calling, and that it may do this to something.
    fn admit<B>(&self, request: &http::Request<B>) -> Result<(Session, CallPermit), Status> {
        let context = self.0.gate.context()?;
        let method = METHODS.iter().find(|(path, _)| *path == request.uri().path());
        let origin = Origin::of(request);
        let caller = origin.caller(context).inspect_err(|status| {
            let method = method.map_or("", |(path, _)| path);
            self.refused(audit::Line { method: method.to_owned(), ..origin.line(audit::Event::Refused, None) }, status);
        })?;
        if let Some(Credential::Key(key)) = caller.known().map(|known| &known.credential) {
            self.0.used.note(*key, (context.clock)());
        }
        let (method, action) =
            *method.ok_or_else(|| status::error(Reason::Unimplemented, "there is no such method"))?;
        let origin = Some(Arc::new(origin));
        let session =
            Session { caller, method, action, origin, turns: None, turn: Arc::default(), guard: self.clone() };
        session.permit(Resource::Any)?;
        let identity = session.caller.known().map(|known| &known.identity.id);
        session.claim(identity)?;
        let place = self.0.calls.place(identity, &self.0.limits, Instant::now())?;
        let session = Session { turns: place.turns(), ..session };
        Ok((session, place))
    }

    /// Puts down that a call was refused, and why.
    fn refused(&self, line: audit::Line, status: &Status) {
        if let (Some(log), Ok(context)) = (self.0.audit.get(), self.0.gate.context()) {
            let reason = status.get_details_error_info().map(|info| info.reason);
            log.note((context.clock)(), audit::Line { outcome: reason.unwrap_or_default(), ..line });
        }
    }
}

/// What a call presents, kept for as long as it is open.
#[derive(Debug, Clone)]
struct Origin {
    authorization: Option<String>,
    purpose: Option<Purpose>,
    peer: Option<Peer>,
}

impl Origin {
    fn of<B>(request: &http::Request<B>) -> Self {
        let one = |name: &str| {
            let mut values = request.headers().get_all(name).iter();
            let first = values.next()?;
            // Twice is neither.
            Some(if values.next().is_none() { first.to_str().unwrap_or_default().to_owned() } else { String::new() })
        };
        let purpose = one(PURPOSE_HEADER).map(|text| Purpose::parse(&text)).transpose();
        Self {
            authorization: one("authorization"),
            // One that can't be read is none.
            purpose: purpose.unwrap_or_default(),
            peer: request.extensions().get::<Peer>().cloned(),
        }
    }

    /// A line of the audit log about a call of this.
    fn line(&self, event: audit::Event, caller: Option<&Caller>) -> audit::Line {
        let known = caller.and_then(Caller::known);
        audit::Line {
            event,
            identity: known.map(|known| known.identity.id.to_string()).unwrap_or_default(),
            credential: known.map(|known| known.credential.to_string()).unwrap_or_default(),
            address: self.peer.as_ref().map(|peer| peer.address().to_string()).unwrap_or_default(),
            method: String::new(),
            scope: String::new(),
            purpose: self.purpose.as_ref().map(|purpose| purpose.as_str().to_owned()).unwrap_or_default(),
            revision: 0,
            outcome: "OK".to_owned(),
        }
    }

    fn caller(&self, context: &Context) -> Result<Caller, Status> {
        let certificate = self.peer.as_ref().map(Peer::certificate).transpose();
        let certificate = certificate.map_err(|NoLongerGood| status::unauthenticated(Unauthenticated::Refused))?;
        let presented = Credentials {
            authorization: self.authorization.as_deref(),
            certificate: certificate.flatten(),
            purpose: self.purpose.clone(),
        };
        let state = context.newest();
        access::authenticate(state.access(), &presented, (context.clock)()).map_err(status::unauthenticated)
    }
}

/// A call that was let in: who is calling, and what it does. A handler asks it whether the caller
/// may do that to the very thing; a stream asks again, for as long as it is open.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    caller: Caller,
    method: &'static str,
    action: Action,
    origin: Option<Arc<Origin>>,
    turns: Option<Arc<Semaphore>>,
    turn: Arc<Mutex<Option<OwnedSemaphorePermit>>>,
    guard: Guard,
}

impl Session {
    /// The session of a call that reads, once it may read what it asks for.
    ///
    /// # Errors
    /// When the call didn't come through the guard, or may not.
    pub(crate) fn reading<Q: AuditScope>(context: &Context, request: &Request<Q>) -> Result<Self, Status> {
        let session = Self::of(request)?;
        let (state, question) = (context.newest(), request.get_ref());
        let (areas, agencies) = (question.areas(), question.agencies());
        let day = (context.clock)().date();
        session.permit(Resource::Figures(&Asked { catalogue: state.catalogue(), day, areas, agencies }))?;
        Ok(session)
    }

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
        access::permit(&self.caller, self.action, resource).map_err(status::denied).inspect_err(|status| {
            if let Some(line) = self.line(audit::Event::Refused) {
                self.guard.refused(line, status);
            }
        })
    }

    /// Waits for the caller's turn to have an answer computed. It ends when the answer is there: when
    /// it is put down that it is read, or the session is gone.
    pub(crate) async fn turn(&self) {
        if let Some(turns) = &self.turns {
            // It is never closed.
            let turn = Arc::clone(turns).acquire_owned().await.ok();
            *self.turn.lock().unwrap_or_else(PoisonError::into_inner) = turn;
        }
    }

    /// Puts down, durably, that the caller reads unpublished figures: what it asks for, as of a
    /// revision. Nothing is kept of an open server's reads: nobody is known there.
    ///
    /// # Errors
    /// When it can't be put down; the figures must then not be told.
    pub(crate) async fn read(&self, question: &impl AuditScope, revision: Revision) -> Result<(), Status> {
        self.read_told(question.scope(), revision).await
    }

    /// As [`read`](Self::read), in words.
    pub(crate) async fn read_told(&self, scope: String, revision: Revision) -> Result<(), Status> {
        drop(self.turn.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.put_down(audit::Event::Read, scope, revision).await
    }

    /// Puts down, durably, that the caller changed keys.
    ///
    /// # Errors
    /// When it can't be put down.
    pub(crate) async fn changed_keys(&self, scope: String, revision: Revision) -> Result<(), Status> {
        self.put_down(audit::Event::Keys, scope, revision).await
    }

    async fn put_down(&self, event: audit::Event, scope: String, revision: Revision) -> Result<(), Status> {
        let (Some(log), Some(line)) = (self.guard.0.audit.get(), self.line(event)) else { return Ok(()) };
        let now = (self.guard.0.gate.context()?.clock)();
        let written = log.write(now, audit::Line { scope, revision: revision.0, ..line }).await;
        written.map_err(|why| status::unaudited(&why))
    }

    /// A line about this call; none when nobody is known to be calling.
    fn line(&self, event: audit::Event) -> Option<audit::Line> {
        let origin = self.origin.as_ref().filter(|_| self.caller.known().is_some())?;
        Some(audit::Line { method: self.method.to_owned(), ..origin.line(event, Some(&self.caller)) })
    }

    /// Notes that the caller uses its connection, which may then stay.
    fn claim(&self, identity: Option<&IdentityId>) -> Result<(), Status> {
        match (self.origin.as_ref().and_then(|origin| origin.peer.as_ref()), identity) {
            (Some(peer), Some(identity)) if !peer.claim(identity) => {
                let what = "this caller has too many connections open; use one for many calls";
                Err(status::retry(Reason::RateLimited, what, CONNECTIONS_RETRY))
            }
            (Some(peer), None) => {
                peer.trust();
                Ok(())
            }
            (Some(_), Some(_)) | (None, _) => Ok(()),
        }
    }

    /// Whether the caller would be let in now.
    ///
    /// # Errors
    /// When it would not.
    pub(crate) fn check(&self) -> Result<(), Status> {
        let Some(origin) = &self.origin else { return Ok(()) };
        origin.caller(self.guard.0.gate.context()?).map(drop).inspect_err(|status| {
            if let Some(line) = self.line(audit::Event::Refused) {
                self.guard.refused(line, status);
            }
        })
    }

    /// Who is calling, as the journal names it.
    pub(crate) fn by(&self) -> Actor {
        self.caller.by()
    }
}

/// A request of whoever runs the machine, to a service that is reached without the network.
pub fn local<T>(message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Session {
        caller: Caller::Local,
        method: "",
        action: Action::Submit,
        origin: None,
        turns: None,
        turn: Arc::default(),
        guard: Guard::default(),
    });
    request
}

impl<S> Layer<S> for Guard {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { guard: self.clone(), inner }
    }
}

/// The services behind a guard.
#[derive(Debug, Clone)]
pub struct Guarded<S> {
    guard: Guard,
    inner: S,
}

/// How long a call may take: what its caller allows, and no longer than the server does.
fn allowed(headers: &http::HeaderMap, most: Duration) -> Duration {
    let asked = headers.get("grpc-timeout").and_then(|value| {
        let text = value.to_str().ok()?;
        let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        if digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let count: u64 = digits.parse().ok()?;
        match unit {
            "H" => Some(Duration::from_secs(count * 3_600)),
            "M" => Some(Duration::from_secs(count * 60)),
            "S" => Some(Duration::from_secs(count)),
            "m" => Some(Duration::from_millis(count)),
            "u" => Some(Duration::from_micros(count)),
            "n" => Some(Duration::from_nanos(count)),
            _ => None,
        }
    });
    asked.map_or(most, |asked| asked.min(most))
}

/// An answer that keeps its call's place until it is taken: who asks and doesn't read uses up its own
/// share, and no more.
struct Held {
    body: Body,
    _place: CallPermit,
}

impl http_body::Body for Held {
    type Data = bytes::Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut task::Context<'_>,
    ) -> task::Poll<Option<Result<http_body::Frame<Self::Data>, Status>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

type Answer<S> = Result<http::Response<Body>, S>;

impl<S> Service<http::Request<Body>> for Guarded<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
    S::Future: Send + 'static,
    S::Error: 'static,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Answer<S::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut task::Context<'_>) -> task::Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        if OPEN_SERVICES.iter().any(|service| request.uri().path().starts_with(service)) {
            return Box::pin(self.inner.call(request));
        }
        match self.guard.admit(&request) {
            Err(refusal) => Box::pin(async move { Ok(refusal.into_http()) }),
            Ok((session, place)) => {
                // Begun before the transport's own timer, which would answer with CANCELLED.
                let allowed = allowed(request.headers(), self.guard.0.limits.call_timeout);
                let deadline = tokio::time::sleep(allowed);
                request.extensions_mut().insert(session);
                let answer = self.inner.call(request);
                Box::pin(async move {
                    tokio::select! {
                        // Answered at the very end is answered.
                        biased;
                        answer = answer => Ok(answer?.map(|body| Body::new(Held { body, _place: place }))),
                        () = deadline => {
                            let what = format!("not answered within {} seconds", allowed.as_secs_f64());
                            Ok(status::error(Reason::DeadlineExceeded, what).into_http())
                        }
                    }
                })
            }
        }
    }
}
