//! `conspectus api`: the API's own description, for whoever makes a client.

use std::path::{Path, PathBuf};

use clap::Parser;

use super::failure::Failure;
use super::output;
use crate::http;
use crate::rpc::PROTO_FILES;

/// Print the API's description as OpenAPI, or write its protos to a folder. Needs no server.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  conspectus api --openapi\n  conspectus api --proto protos")]
pub(super) struct Args {
    #[command(flatten)]
    what: What,
}

#[derive(Debug, Parser)]
#[group(required = true, multiple = false)]
struct What {
    /// Print the JSON lane as OpenAPI 3.1.
    #[arg(long)]
    openapi: bool,
    /// Write the protos to this folder, by the paths that they import each other by.
    #[arg(long, value_name = "DIR")]
    proto: Option<PathBuf>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let Some(folder) = &args.what.proto else {
        return output::print_line(format_args!("{:#}", http::openapi()));
    };
    for (path, text) in PROTO_FILES {
        let path = folder.join(path);
        write(&path, text).map_err(|error| Failure::failed(format!("can't write {}: {error}", path.display())))?;
        output::print_line(path.display())?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text)
}
