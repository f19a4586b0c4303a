//! The tower layer: lets a call in or refuses it, and holds it to its deadline.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task;
use std::time::{Duration, Instant};

use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http;
use tonic::metadata::MetadataValue;
use tower::{Layer, Service};

use super::auditor::Auditor;
use super::compute::Compute;
use super::held::hold;
use super::limits::{Calls, Limits, Untaken};
use super::messages::Bounded;
use super::methods::{METHODS, OPEN_SERVICES, STREAM};
use super::origin::Origin;
use super::receiving::Receiving;
use super::session::{Remote, Session};
use crate::access::{Action, Credential, KeyId, Resource};
use crate::audit;
use crate::last_used::LastUsed;
use crate::model::timestamp::Timestamp;
use crate::rpc::status::{self, Reason};
use crate::rpc::{Gate, READ_BYTES_MAX, REQUEST_BYTES_MAX};

/// Guards the services behind it.
#[derive(Debug, Clone)]
pub struct Guard(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: Limits,
    calls: Calls,
    receiving: Receiving,
    compute: Compute,
    auditor: Auditor,
    used: LastUsed,
}

impl Guard {
    /// A guard of the services behind a gate.
    pub fn new(gate: Gate, limits: Limits) -> Self {
        Self(Arc::new(Shared {
            limits,
            calls: Calls::default(),
            receiving: Receiving::default(),
            compute: Compute::new(limits.computing_max),
            auditor: Auditor::new(gate),
            used: LastUsed::default(),
        }))
    }

    /// Has reads and refusals written to a log, from before the gate opens.
    pub(crate) fn audit(&self, log: audit::Log) {
        self.0.auditor.open(log);
    }

    /// The bounds of the calls.
    pub(crate) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// Stops whatever is computed for callers: nobody waits for it any more.
    pub(crate) fn stop_computing(&self) {
        self.0.compute.stop();
    }

    /// When a key was last used, as far as this guard knows.
    pub(crate) fn last_used(&self, key: KeyId) -> Option<Timestamp> {
        self.0.used.get(key)
    }

    /// When each key was last used.
    pub(crate) fn used(&self) -> &LastUsed {
        &self.0.used
    }

    /// Lets a call in: who is calling, and that it may do this to something.
    fn admit<B>(&self, request: &http::Request<B>) -> Result<(Session, Untaken), Status> {
        let Shared { limits, calls, receiving, compute, auditor, used } = &*self.0;
        let context = auditor.context()?;
        let method = METHODS.iter().find(|(path, _)| *path == request.uri().path());
        let origin = Origin::of(request);
        let caller = origin.caller(context).inspect_err(|status| {
            let method = method.map_or("", |(path, _)| path);
            auditor.refused(origin.line(audit::Event::Refused, None, method), status);
        })?;
        if let Some(Credential::Key(key)) = caller.known().map(|known| &known.credential) {
            used.note(*key, (context.clock)());
        }
        let (method, action) =
            *method.ok_or_else(|| status::error(Reason::Unimplemented, "there is no such method"))?;
        let origin = Arc::new(origin);
        let remote = Some(Remote { origin: Arc::clone(&origin), auditor: auditor.clone(), last_read: Arc::default() });
        let session = Session {
            caller,
            method,
            action,
            remote,
            compute: compute.of(None),
            receiving: None,
            untaken: None,
            coming: None,
        };
        session.permit(Resource::Any)?;
        uncompressed(request.headers())?;
        let identity = session.caller.known().map(|known| &known.identity.id);
        origin.claim(identity)?;
        let permit = calls.permit(identity, limits, Instant::now())?;
        let receiving = receiving.of_call(identity);
        let compute = compute.of(permit.lanes());
        let untaken = Untaken { permit: Arc::new(permit), limits: *limits };
        let is_one = action == Action::Submit && method != STREAM;
        let coming = is_one.then(|| context.writer.announce());
        let (receiving, counted) = (Some(receiving), Some(untaken.clone()));
        Ok((Session { compute, receiving, untaken: counted, coming, ..session }, untaken))
    }
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

/// Messages are taken as they are. The library refuses others too, without details.
fn uncompressed(headers: &http::HeaderMap) -> Result<(), Status> {
    match headers.get("grpc-encoding") {
        Some(encoding) if encoding.as_bytes() != b"identity" => {
            let mut refusal =
                status::error(Reason::Unimplemented, "the messages are compressed; send them as they are");
            refusal.metadata_mut().insert("grpc-accept-encoding", MetadataValue::from_static("identity"));
            Err(refusal)
        }
        Some(_) | None => Ok(()),
    }
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
            Ok((session, untaken)) => {
                // Begun before the transport's own timer, which would answer with CANCELLED.
                let allowed = allowed(request.headers(), self.guard.0.limits.call_timeout);
                let deadline = tokio::time::sleep(allowed);
                let (receiving, remote) = (session.receiving.clone(), session.remote.clone());
                let action = session.action;
                let is_one = session.method != STREAM;
                let bytes_max = if action.stores() { REQUEST_BYTES_MAX } else { READ_BYTES_MAX };
                request.extensions_mut().insert(session);
                let bounded = |body| match receiving {
                    Some(receiving) => Body::new(Bounded::new(body, (is_one, bytes_max), receiving)),
                    None => body,
                };
                let answer = self.inner.call(request.map(bounded));
                Box::pin(async move {
                    let answer = tokio::select! {
                        // An answer that is ready at the deadline is sent.
                        biased;
                        answer = answer => hold(answer?, untaken, action),
                        () = deadline => {
                            let what = format!("not answered within {} seconds", allowed.as_secs_f64());
                            status::error(Reason::DeadlineExceeded, what).into_http()
                        }
                    };
                    // Only a refusal has its status at the head.
                    if let (Some(remote), Some(refusal)) = (remote, Status::from_header_map(answer.headers())) {
                        remote.unsent(&refusal);
                    }
                    Ok(answer)
                })
            }
        }
    }
}
