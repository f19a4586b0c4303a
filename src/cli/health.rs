//! `conspectus health`: whether a server is serving, for container health checks and scripts.

use clap::Parser;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::Failure;
use super::connect::{Server, refusal};

/// Ask whether a server is serving; exits with 0 when it is.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(flatten)]
    server: Server,
    /// Only this service, such as conspectus.v1.SubmissionService; the whole server when left out.
    #[arg(long, default_value = "")]
    service: String,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let mut client = HealthClient::new(args.server.channel().await?);
    let request = HealthCheckRequest { service: args.service };
    let answer = client.check(request).await.map_err(|status| refusal(&status, str::to_owned))?.into_inner();
    match answer.status() {
        ServingStatus::Serving => {
            println!("SERVING");
            Ok(())
        }
        other @ (ServingStatus::Unknown | ServingStatus::NotServing | ServingStatus::ServiceUnknown) => {
            Err(Failure(other.as_str_name().to_owned()))
        }
    }
}
