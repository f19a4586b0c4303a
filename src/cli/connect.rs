//! Reaching a server, and telling what it says is wrong.

use std::net::SocketAddr;

use clap::Parser;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response, Status};
use tonic_types::StatusExt;

use super::Failure;
use crate::rpc::ERROR_BYTES_HEADER;
use crate::rpc::client::catalogue_service_client::CatalogueServiceClient;
use crate::rpc::client::picture_service_client::PictureServiceClient;
use crate::rpc::client::submission_service_client::SubmissionServiceClient;

/// The most bytes that an answer may have: a full page of rows has far fewer.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// The most bytes of error details that this client takes.
const ERROR_BYTES_MAX: u32 = 1 << 20;

/// Which server to ask.
#[derive(Debug, Parser)]
pub(super) struct Server {
    /// The server's address.
    #[arg(long, env = "CONSPECTUS_SERVER", default_value = "http://127.0.0.1:50051")]
    server: String,
}

type Connection = InterceptedService<Channel, fn(Request<()>) -> Result<Request<()>, Status>>;

/// Asks the server for every violation that it can tell.
fn ask_for_all(mut request: Request<()>) -> Result<Request<()>, Status> {
    // Base64 makes four bytes of three, and the other headers need room too.
    request.metadata_mut().insert(ERROR_BYTES_HEADER, (ERROR_BYTES_MAX / 2).into());
    Ok(request)
}

impl Server {
    /// The server at an address of this machine.
    pub(super) fn at(address: SocketAddr) -> Self {
        Self { server: format!("http://{address}") }
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        let endpoint = Endpoint::from_shared(self.server.clone())
            .map_err(|_| Failure(format!("`{}` isn't an address; allowed: http://HOST:PORT", self.server)))?
            .http2_max_header_list_size(ERROR_BYTES_MAX);
        let channel = endpoint.connect().await.map_err(|_| {
            Failure(format!(
                "no server answers at {}; start one with `conspectus serve`, or name another with --server",
                self.server
            ))
        })?;
        Ok(InterceptedService::new(channel, ask_for_all as fn(Request<()>) -> Result<Request<()>, Status>))
    }

    pub(super) async fn catalogue(&self) -> Result<CatalogueServiceClient<Connection>, Failure> {
        Ok(CatalogueServiceClient::new(self.connect().await?).max_decoding_message_size(ANSWER_BYTES_MAX))
    }

    pub(super) async fn submissions(&self) -> Result<SubmissionServiceClient<Connection>, Failure> {
        Ok(SubmissionServiceClient::new(self.connect().await?).max_decoding_message_size(ANSWER_BYTES_MAX))
    }

    pub(super) async fn pictures(&self) -> Result<PictureServiceClient<Connection>, Failure> {
        Ok(PictureServiceClient::new(self.connect().await?).max_decoding_message_size(ANSWER_BYTES_MAX))
    }

    pub(super) async fn channel(&self) -> Result<Connection, Failure> {
        self.connect().await
    }
}

/// What a server answered, or what its refusal says, its fields as they are.
pub(super) fn answered<A>(result: Result<Response<A>, Status>) -> Result<A, Failure> {
    result.map(Response::into_inner).map_err(|status| refusal(&status, str::to_owned))
}

/// Asks for page after page. `ask` is given a page's token, empty for the first; `take` takes a page
/// and gives the next one's token, empty after the last.
pub(super) async fn pages<P>(
    mut ask: impl AsyncFnMut(String) -> Result<Response<P>, Status>,
    mut take: impl FnMut(P) -> String,
) -> Result<(), Failure> {
    let mut token = String::new();
    loop {
        token = take(answered(ask(token).await)?);
        if token.is_empty() {
            return Ok(());
        }
    }
}

/// What a server's refusal says: its violations, each on a line of its own when there are several.
/// `place` turns a field into where the user wrote it.
pub(super) fn refusal(status: &Status, place: impl Fn(&str) -> String) -> Failure {
    let violations = status.get_details_bad_request().map(|details| details.field_violations).unwrap_or_default();
    let tell = |field: &str, description: &str| {
        if field.is_empty() { description.to_owned() } else { format!("{}: {description}", place(field)) }
    };
    Failure(match violations.as_slice() {
        [] => status.message().to_owned(),
        [one] => tell(&one.field, &one.description),
        several => {
            let lines =
                several.iter().map(|violation| format!("\n  {}", tell(&violation.field, &violation.description)));
            format!("{} problems:{}", several.len(), lines.collect::<String>())
        }
    })
}
