//! Lets a call in or refuses it, and holds it to its deadline.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, http};
use tonic::metadata::MetadataValue;
use tracing::Instrument as _;

use super::auditor::Auditor;
use super::compute::Compute;
use super::held::hold;
use super::limits::{CallPermit, Calls, Limits, WATCHERS};
use super::load::Load;
use super::messages::Bounded;
use super::methods::{METHODS, OPEN_SERVICES, STREAM};
use super::observed::{ObservedCall, Observer};
use super::origin::Origin;
use super::places::Places;
use super::receiving::{CallReceiving, Receiving};
use super::session::{OpenCall, Remote, Session};
use crate::access::{Action, Credential, KeyId, Resource};
use crate::audit;
use crate::last_used::LastUsed;
use crate::metrics::{self, Registry};
use crate::model::timestamp::Timestamp;
use crate::net::{Connections, Peer};
use crate::rpc::status::{self, Reason};
use crate::rpc::{Context, Format, Gate};

/// Guards the services behind it.
#[derive(Debug, Clone)]
pub struct Guard(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    calls: Calls,
    receiving: Receiving,
    compute: Compute,
    auditor: Auditor,
    used: LastUsed,
    watchers: Places,
    /// Those of each listener, by its name.
    connections: Vec<(&'static str, Arc<Connections>)>,
    observer: Arc<Observer>,
}

/// What a service answers with. It has a status for everything that goes wrong.
pub(crate) type Answer = BoxFuture<http::Response<Body>, Infallible>;

/// Whether a call is let in; nothing is asked of one to an open service.
type Admission = Result<Option<Admitted>, Status>;

/// A call that is let in: what it is to its handler, and what the guard has of it besides.
struct Admitted {
    session: Session,
    permit: Arc<CallPermit>,
    receiving: CallReceiving,
}

impl Guard {
    /// A guard of the services behind a gate, which are reached over connections of listeners with these names.
    pub(crate) fn new(
        gate: Gate,
        limits: Limits,
        connections: Vec<(&'static str, Arc<Connections>)>,
        observer: Observer,
    ) -> Self {
        Self(Arc::new(Shared {
            compute: Compute::new(limits.computing_max),
            calls: Calls::new(limits),
            receiving: Receiving::default(),
            auditor: Auditor::new(gate),
            used: LastUsed::default(),
            watchers: Places::new(WATCHERS),
            connections,
            observer: Arc::new(observer),
        }))
    }

    /// Adds the metrics of calls, and of what is open.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let Shared { calls, watchers, connections, observer, .. } = &*self.0;
        observer.metrics.register(registry);
        let calls = calls.clone();
        let open = move || Some(calls.in_all() as u64);
        metrics::gauge(
            registry,
            "conspectus_calls",
            "Calls that are open, without those to health and reflection",
            open,
        );
        let watchers = watchers.clone();
        let open = move || Some(watchers.in_all() as u64);
        metrics::gauge(registry, "conspectus_watchers", "Streams that watch an answer", open);
        let connections = connections.clone();
        let open = move || connections.iter().map(|(name, open)| (*name, open.in_all() as u64)).collect();
        metrics::gauges(registry, "conspectus_connections", "Connections that are open", "listener", open);
    }

    /// What is open, and whose it is.
    pub fn load(&self) -> Load {
        let Shared { calls, watchers, connections, .. } = &*self.0;
        let mut load = Load::default();
        load.add(calls.in_all(), calls.of_identities(), |open| &mut open.calls);
        load.add(watchers.in_all(), watchers.of_identities(), |open| &mut open.watchers);
        for (_, connections) in connections {
            load.add(connections.in_all(), connections.of_identities(), |open| &mut open.connections);
        }
        load
    }

    /// The places of streams that watch.
    pub(crate) fn watchers(&self) -> &Places {
        &self.0.watchers
    }

    /// Has reads and refusals written to a log, from before the gate opens.
    pub(crate) fn audit(&self, log: audit::Log) {
        self.0.auditor.open(log);
    }

    /// What reads and refusals are written to, where the server has it.
    pub(crate) fn audit_log(&self) -> Option<&audit::Log> {
        self.0.auditor.log()
    }

    /// What the services behind it work with.
    ///
    /// # Errors
    /// While the journal is replayed.
    pub(crate) fn context(&self) -> Result<&Context, Status> {
        self.0.auditor.context()
    }

    /// The bounds of the calls.
    pub(crate) fn limits(&self) -> &Limits {
        self.0.calls.limits()
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

    /// Whether a call from a peer is let in.
    fn admission<B>(&self, peer: Peer, request: &http::Request<B>, observed: &mut ObservedCall) -> Admission {
        let is_open = OPEN_SERVICES.iter().any(|service| request.uri().path().starts_with(service));
        if is_open { Ok(None) } else { self.admit(peer, request, observed).map(Some) }
    }

    /// Answers a call from a peer by what is behind the guard, if it is let in. That is decided at once, before its message
    /// is there: so the writer knows of all that a connection brings together.
    pub(crate) fn answer(
        &self,
        peer: Peer,
        mut request: http::Request<Body>,
        answer: &dyn Fn(http::Request<Body>) -> Answer,
    ) -> impl Future<Output = Result<http::Response<Body>, Infallible>> + use<> {
        let mut observed = ObservedCall::begin(&self.0.observer, request.uri().path(), request.headers());
        // All that the answer needs while it is waited for, so that a call that waits takes little memory.
        let admitted = self.admission(peer, &request, &mut observed);
        let span = observed.span();
        let begun = admitted.map(|admitted| {
            let within = span.enter();
            let Some(Admitted { session, permit, receiving }) = admitted else { return (answer(request), None) };
            let allowed = allowed(request.headers(), self.limits().call_timeout);
            let (is_one, bytes_max) = (session.method != STREAM, session.request_bytes_max());
            request.extensions_mut().insert(session.clone());
            let bounded = |body| Body::new(Bounded::new(body, (is_one, bytes_max), receiving));
            // A message that isn't framed is received whole.
            let is_framed = request.extensions().get::<Format>().is_none();
            let request = if is_framed { request.map(bounded) } else { request };
            let answer = answer(request);
            drop(within);
            (answer, Some((session, permit, allowed)))
        });
        let answered = async move {
            let (answer, guarded) = match begun {
                Ok(begun) => begun,
                Err(refusal) => return Ok(observed.answered(refusal.into_http())),
            };
            let Some((session, permit, allowed)) = guarded else { return Ok(observed.answered(answer.await?)) };
            let answer = tokio::select! {
                // An answer that is ready at the deadline is sent. One whose deadline is over before it begins isn't begun: to
                // wait for no time takes a millisecond.
                biased;
                answer = answer, if !allowed.is_zero() => hold(answer?, permit, session.action),
                () = tokio::time::sleep(allowed) => {
                    let what = format!("not answered within {} seconds", allowed.as_secs_f64());
                    status::error(Reason::DeadlineExceeded, what).into_http()
                }
            };
            // Only a refusal has its status at the head.
            if let Some(refusal) = Status::from_header_map(answer.headers()) {
                session.unsent(&refusal);
            }
            Ok(observed.answered(answer))
        };
        answered.instrument(span)
    }

    /// Lets a call in: who is calling, and that it may do this to something.
    fn admit<B>(
        &self,
        peer: Peer,
        request: &http::Request<B>,
        observed: &mut ObservedCall,
    ) -> Result<Admitted, Status> {
        let Shared { calls, receiving, compute, auditor, used, .. } = &*self.0;
        let context = auditor.context()?;
        let method = METHODS.iter().find(|(path, _)| *path == request.uri().path());
        let origin = Origin::of(request, Some(peer));
        let caller = origin.caller(context).inspect_err(|status| {
            let method = method.map_or("", |(path, _)| path);
            auditor.refused(origin.line_of_unknown(context, method), status);
        })?;
        observed.of(caller.known().map(|known| &known.identity.id));
        if let Some(Credential::Key(key)) = caller.known().map(|known| &known.credential) {
            used.note(*key, (context.clock)());
        }
        let (method, action) =
            *method.ok_or_else(|| status::error(Reason::Unimplemented, "there is no such method"))?;
        let remote = Some(Remote::new(origin, auditor.clone()));
        let compute = compute.clone();
        let mut call = OpenCall {
            caller,
            method,
            action,
            remote,
            compute,
            receiving: None,
            untaken: None,
            coming: None,
            answered_at: observed.revision(),
            trace: observed.trace(),
        };
        call.permit(Resource::Any)?;
        uncompressed(request.headers())?;
        let identity = call.caller.known().map(|known| &known.identity.id);
        call.claim(identity)?;
        let permit = Arc::new(calls.permit(identity, Instant::now())?);
        let receiving = receiving.of_call(identity);
        call.compute = call.compute.of(permit.lanes());
        call.receiving = Some(receiving.clone());
        call.untaken = Some(Arc::clone(&permit));
        let is_one = action == Action::Submit && method != STREAM;
        call.coming = is_one.then(|| context.writer.announce());
        Ok(Admitted { session: call.into(), permit, receiving })
    }
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
