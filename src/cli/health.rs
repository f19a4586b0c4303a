//! `conspectus health`: whether a server is serving, for container health checks and scripts.

use clap::Parser;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::connect::{Server, refusal};
use super::failure::Failure;
use super::output;

/// Check whether a server is serving; the exit status is 0 when it is.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  conspectus health\n  conspectus health --service conspectus.clock")]
pub(super) struct Args {
    #[command(flatten)]
    server: Server,
    /// Only this service, such as conspectus.v1.SubmissionService; by default the whole server.
    #[arg(long, default_value = "")]
    service: String,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    check(&args.server, args.service).await?;
    output::print_line("SERVING")
}

/// Whether a service, or the whole server when empty, is serving.
pub(super) async fn check(server: &Server, service: String) -> Result<(), Failure> {
    let mut client = HealthClient::new(server.channel().await?);
    let request = HealthCheckRequest { service };
    let answer = client.check(request).await.map_err(|status| refusal(&status, str::to_owned))?.into_inner();
    match answer.status() {
        ServingStatus::Serving => Ok(()),
        other @ (ServingStatus::Unknown | ServingStatus::NotServing | ServingStatus::ServiceUnknown) => {
            Err(Failure::unreachable(other.as_str_name().to_owned()))
        }
    }
}
