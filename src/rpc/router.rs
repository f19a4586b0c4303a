//! The services behind the guard.

use std::convert::Infallible;
use std::fmt;
use std::future::ready;
use std::sync::Arc;

use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::server::NamedService;
use tonic_health::pb::health_server::{Health, HealthServer};

use super::format::Format;
use super::guard::Answer;
use super::proto::audit_service_server::AuditServiceServer;
use super::proto::catalogue_service_server::CatalogueServiceServer;
use super::proto::key_service_server::KeyServiceServer;
use super::proto::picture_service_server::PictureServiceServer;
use super::proto::submission_service_server::SubmissionServiceServer;
use super::transcode;
use super::{
    Audit, Catalogue, FILE_DESCRIPTOR_SET, Gate, Guard, Keys, Picture, RECEIVED_BYTES_MAX, Submissions, convert,
};
use crate::model::revision::Revision;
use crate::net::Peer;

type Answers = Arc<dyn Fn(http::Request<Body>) -> Answer + Send + Sync>;

/// Has calls answered by the services that they name, behind the guard.
#[derive(Clone)]
pub(crate) struct Router(Arc<Inner>);

struct Inner {
    guard: Guard,
    services: Vec<(&'static str, Answers)>,
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router").finish_non_exhaustive()
    }
}

impl Router {
    /// All services; those of reflection only where it `is_reflected`.
    ///
    /// # Errors
    /// When the protos aren't what reflection can serve.
    pub(crate) fn new(
        gate: &Gate,
        guard: &Guard,
        health: HealthServer<impl Health>,
        is_reflected: bool,
    ) -> Result<Self, tonic_reflection::server::Error> {
        let catalogue = CatalogueServiceServer::new(Catalogue(gate.clone()));
        let keys = KeyServiceServer::new(Keys::new(gate.clone(), guard.clone()));
        let audit = AuditServiceServer::new(Audit::new(gate.clone(), guard.clone()));
        let pictures = PictureServiceServer::new(Picture::behind(gate.clone(), guard));
        let submissions = SubmissionServiceServer::new(Submissions::with_limits(gate.clone(), guard.limits()));
        let mut services = vec![
            named(submissions.max_decoding_message_size(RECEIVED_BYTES_MAX)),
            named(pictures.max_decoding_message_size(RECEIVED_BYTES_MAX)),
            named(catalogue.max_decoding_message_size(RECEIVED_BYTES_MAX)),
            named(keys.max_decoding_message_size(RECEIVED_BYTES_MAX)),
            named(audit.max_decoding_message_size(RECEIVED_BYTES_MAX)),
            named(health),
        ];
        if is_reflected {
            let reflection = || {
                tonic_reflection::server::Builder::configure()
                    .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
                    .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
                    .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
            };
            services.extend([named(reflection().build_v1()?), named(reflection().build_v1alpha()?)]);
        }
        Ok(Self(Arc::new(Inner { guard: guard.clone(), services })))
    }

    /// The newest instant that an answer can be of.
    ///
    /// # Errors
    /// While the journal is replayed.
    pub(crate) fn now(&self) -> Result<prost_types::Timestamp, Status> {
        Ok(convert::timestamp(self.0.guard.context()?.now().at))
    }

    /// The first instant as of which an answer at a revision is what it is as of a later one, `at`.
    ///
    /// # Errors
    /// While the journal is replayed.
    pub(crate) fn unchanged_since(
        &self,
        revision: i64,
        at: &prost_types::Timestamp,
    ) -> Result<prost_types::Timestamp, Status> {
        let revision = Revision(u64::try_from(revision).unwrap_or_default());
        Ok(convert::timestamp(self.0.guard.context()?.unchanged_since(revision, convert::instant(at))))
    }

    /// Answers a call from a peer.
    pub(crate) fn answer(
        &self,
        peer: Peer,
        request: http::Request<Body>,
    ) -> impl Future<Output = Result<http::Response<Body>, Infallible>> + use<> {
        let Inner { guard, services } = &*self.0;
        guard.answer(peer, request, &|request| {
            let path = request.uri().path();
            let name = path.strip_prefix('/').and_then(|path| path.split_once('/')).map_or("", |(name, _)| name);
            let Some((_, answers)) = services.iter().find(|(of_service, _)| *of_service == name) else {
                return Box::pin(ready(Ok(Status::unimplemented("").into_http())));
            };
            match request.extensions().get::<Format>().copied() {
                None => answers(request),
                Some(format) => {
                    let answers = Arc::clone(answers);
                    Box::pin(async move { Ok(transcode::answer(format, request, |request| answers(request)).await) })
                }
            }
        })
    }
}

/// A service by its name.
fn named<S>(service: S) -> (&'static str, Answers)
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible, Future = Answer>
        + NamedService
        + Clone
        + Send
        + Sync
        + 'static,
{
    // They are always ready.
    (S::NAME, Arc::new(move |request| service.clone().call(request)))
}
