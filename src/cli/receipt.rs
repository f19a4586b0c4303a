//! `conspectus receipt`: whether a journal has what a sender was told that it has.

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

use super::connect::{Server, response};
use super::failure::Failure;
use super::output;
use super::receipt_file::ReceiptFile;
use crate::journal::ChainHash;
use crate::model::revision::Revision;
use crate::rpc::proto::VerifyReceiptRequest;
use crate::server;

/// Check receipts.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Check that a journal has what a receipt says: the same entry at its revision, after the same entries.
    ///
    /// A submitter asks a running server about a submission of its own, by --agency and --request-id. Whoever runs the
    /// machine asks about any revision with --data, while no server runs on the folder: after a restore, the
    /// newest receipts that partners have show whether the backup was old.
    Verify {
        /// The file that `submit --receipt` wrote; or the revision that the receipt names.
        #[arg(value_name = "FILE or REVISION")]
        what: String,
        /// With a revision the receipt: 64 hexadecimal digits.
        receipt: Option<String>,
        /// With a revision the agency that sent it, by id.
        #[arg(short = 'a', long, requires = "request_id", requires = "receipt")]
        agency: Option<String>,
        /// With a revision the request id that it was sent with.
        #[arg(long, requires = "agency")]
        request_id: Option<String>,
        /// Look in this data folder.
        #[arg(long, conflicts_with = "agency", value_name = "FOLDER")]
        data: Option<PathBuf>,
    },
}

/// The receipt that is asked about.
struct Asked {
    revision: u64,
    receipt: String,
    /// The agency, and its request id.
    sender: Option<(String, String)>,
}

impl Asked {
    fn in_file(path: &Path) -> Result<Self, Failure> {
        let ReceiptFile { agency, request_id, revision, receipt, .. } = ReceiptFile::read(path)?;
        Ok(Self { revision, receipt, sender: Some((agency, request_id)) })
    }

    fn of(revision: &str, receipt: String, sender: Option<(String, String)>) -> Result<Self, Failure> {
        let parsed = revision.parse();
        let revision = parsed.map_err(|_| Failure::usage(format!("`{revision}` is no revision: it is a number")))?;
        Ok(Self { revision, receipt, sender })
    }
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let Verb::Verify { what, receipt, agency, request_id, data } = args.verb;
    let Asked { revision, receipt, sender } = match receipt {
        Some(receipt) => Asked::of(&what, receipt, agency.zip(request_id))?,
        None => Asked::in_file(Path::new(&what))?,
    };
    let Some(told) = ChainHash::parse(&receipt) else {
        return Err(Failure::usage(format!("`{receipt}` is no receipt: it has 64 hexadecimal digits")));
    };
    let found = match data {
        Some(folder) => server::entry_offline(&folder, Revision(revision))?.map(|hash| (revision, hash)),
        None => {
            let Some((agency, request_id)) = sender else {
                return Err(Failure::usage("give --agency and --request-id, or the receipt's file; or --data"));
            };
            let (number, chain_hash) = (i64::try_from(revision)?, told.0.to_vec());
            let request = VerifyReceiptRequest { agency, request_id, revision: number, chain_hash };
            let answer = response(args.server.submissions().await?.verify_receipt(request).await)?;
            let hash = <[u8; 32]>::try_from(answer.found_chain_hash.as_slice()).ok().map(ChainHash);
            u64::try_from(answer.found_revision).ok().zip(hash)
        }
    };
    match found {
        Some((at, hash)) if at == revision && hash == told => {
            output::print_line(format_args!("The journal has it: revision {revision}, receipt {told}."))
        }
        Some((at, hash)) => Err(Failure::refused(format!(
            "the journal doesn't have it: it has revision {at} with receipt {hash}. It was changed, or it is an older one that has gone on otherwise"
        ))),
        None => Err(Failure::refused(format!(
            "the journal doesn't have it: it has no revision {revision}. It is an older one"
        ))),
    }
}
