//! `conspectus doctor`: how far the way to a server goes, step by step, and what would help.

mod checks;
mod clock;
mod report;

use std::time::SystemTime;

use clap::Parser;

use super::connect::Server;
use super::failure::Failure;
use super::output;

/// Check the way to a server step by step: the address, the proxy, the connection, TLS, the clock, the key and what it
/// opens. Each check is a line, with what would help where it failed.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  conspectus doctor --server https://figures.partner.example:50051")]
pub(super) struct Args {
    #[command(flatten)]
    server: Server,
    /// Print the checks as a JSON array.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let report = checks::all(&args.server, SystemTime::now).await;
    if args.json {
        output::print_line(report.json()?)?;
    } else {
        output::show(&report.printout())?;
    }
    report.result()
}
