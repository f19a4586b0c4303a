//! The services behind the guard, and the bounds of HTTP/2.

use std::time::Duration;

use tonic::transport::Server;
use tonic::transport::server::Router;
use tonic_health::pb::health_server::{Health, HealthServer};
use tower::layer::util::{Identity, Stack};

use crate::rpc::proto::catalogue_service_server::CatalogueServiceServer;
use crate::rpc::proto::key_service_server::KeyServiceServer;
use crate::rpc::proto::picture_service_server::PictureServiceServer;
use crate::rpc::proto::submission_service_server::SubmissionServiceServer;
use crate::rpc::{Catalogue, FILE_DESCRIPTOR_SET, Gate, Guard, Keys, Picture, RECEIVED_BYTES_MAX, Submissions};

/// How many calls one connection may have open at once. hyper's own guard, which tonic removes
/// by default.
const CONCURRENT_STREAMS_MAX: u32 = 256;
/// How many streams that the peer broke a connection may have reset (rapid reset, made you reset).
const LOCAL_RESETS_MAX: usize = 1_024;
/// How many streams the peer may reset before they are accepted.
const PENDING_RESETS_MAX: usize = 20;
/// Header lists are small: metadata of a call.
const HEADER_LIST_BYTES_MAX: u32 = 16 << 10;
/// The largest frame that a peer may send: HTTP/2's own default, and least.
const FRAME_BYTES_MAX: u32 = 16 << 10;
/// How much a peer may send of one stream, and of all of a connection, before it is read.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// A connection this old is asked to make another, and ended after a while more: so every caller comes
/// by today's certificates, and streams resume.
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(3_600);
const CONNECTION_AGE_GRACE: Duration = Duration::from_secs(300);
/// Notices a peer that is gone without closing its connection.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(60);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// What serves a connection's calls, from the frames of HTTP/2 to the services.
pub(super) fn router(
    gate: &Gate,
    guard: &Guard,
    health: HealthServer<impl Health>,
    is_reflected: bool,
) -> Result<Router<Stack<Guard, Identity>>, tonic_reflection::server::Error> {
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
    };
    let catalogue = CatalogueServiceServer::new(Catalogue(gate.clone()));
    let keys = KeyServiceServer::new(Keys::new(gate.clone(), guard.clone()));
    let pictures = PictureServiceServer::new(Picture::new(gate.clone()));
    let submissions = SubmissionServiceServer::new(Submissions::with_limits(gate.clone(), guard.limits()));
    Ok(Server::builder()
        .max_concurrent_streams(CONCURRENT_STREAMS_MAX)
        .http2_max_local_error_reset_streams(Some(LOCAL_RESETS_MAX))
        .http2_max_pending_accept_reset_streams(Some(PENDING_RESETS_MAX))
        .http2_max_header_list_size(HEADER_LIST_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_connection_age(CONNECTION_AGE_MAX)
        .max_connection_age_grace(CONNECTION_AGE_GRACE)
        .http2_keepalive_interval(Some(KEEPALIVE_INTERVAL))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .layer(guard.clone())
        .add_service(health)
        .add_optional_service(is_reflected.then(|| reflection().build_v1()).transpose()?)
        .add_optional_service(is_reflected.then(|| reflection().build_v1alpha()).transpose()?)
        .add_service(catalogue.max_decoding_message_size(RECEIVED_BYTES_MAX))
        .add_service(keys.max_decoding_message_size(RECEIVED_BYTES_MAX))
        .add_service(pictures.max_decoding_message_size(RECEIVED_BYTES_MAX))
        .add_service(submissions.max_decoding_message_size(RECEIVED_BYTES_MAX)))
}
