//! `conspectus receipt`: whether a journal has what a sender was told that it has.

use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

use super::connect::{Server, response};
use super::failure::Failure;
use super::output;
use super::receipt_file;
use crate::model::chain::ChainHash;
#[cfg(feature = "server")]
use crate::model::revision::Revision;
use crate::rpc::proto::VerifyReceiptRequest;
#[cfg(feature = "server")]
use crate::server;
use crate::submitting::ReceiptFile;

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
    #[command(after_help = "Examples:\n  conspectus receipt verify receipt.json")]
    Verify {
        /// The file that `submit --receipt` wrote, of which every receipt is checked; or the revision that the receipt
        /// names.
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
        #[cfg(feature = "server")]
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
    fn in_file(path: &Path) -> Result<Vec<Self>, Failure> {
        let asked = |ReceiptFile { agency, request_id, revision, receipt, .. }| Self {
            revision,
            receipt,
            sender: Some((agency, request_id)),
        };
        Ok(receipt_file::read(path)?.into_iter().map(asked).collect())
    }

    fn hash(&self) -> Result<ChainHash, Failure> {
        let receipt = &self.receipt;
        let hash = ChainHash::parse(receipt);
        hash.ok_or_else(|| Failure::usage(format!("`{receipt}` is no receipt: it has 64 hexadecimal digits")))
    }

    fn of(revision: &str, receipt: String, sender: Option<(String, String)>) -> Result<Self, Failure> {
        let parsed = revision.parse();
        let revision = parsed.map_err(|_| Failure::usage(format!("`{revision}` is no revision: it is a number")))?;
        Ok(Self { revision, receipt, sender })
    }
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let Verb::Verify {
        what,
        receipt,
        agency,
        request_id,
        #[cfg(feature = "server")]
        data,
    } = args.verb;
    let asked = match receipt {
        Some(receipt) => vec![Asked::of(&what, receipt, agency.zip(request_id))?],
        None => Asked::in_file(Path::new(&what))?,
    };
    let told: Vec<ChainHash> = asked.iter().map(Asked::hash).collect::<Result<_, _>>()?;
    #[cfg(feature = "server")]
    let found = match data {
        Some(folder) => in_folder(&folder, &asked)?,
        None => on_server(&args.server, &asked, &told).await?,
    };
    #[cfg(not(feature = "server"))]
    let found = on_server(&args.server, &asked, &told).await?;
    for ((Asked { revision, .. }, told), found) in asked.iter().zip(told).zip(found) {
        check(*revision, told, found)?;
    }
    match asked.as_slice() {
        [Asked { revision, receipt, .. }] => {
            output::print_line(format_args!("The journal has it: revision {revision}, receipt {receipt}."))
        }
        several => {
            let revisions = || several.iter().map(|asked| asked.revision);
            let (first, last) = (revisions().min().unwrap_or_default(), revisions().max().unwrap_or_default());
            let count = several.len();
            output::print_line(format_args!("The journal has all {count}: revisions {first} to {last}."))
        }
    }
}

/// What a data folder has at these revisions: each, and its chain hash.
#[cfg(feature = "server")]
fn in_folder(folder: &Path, asked: &[Asked]) -> Result<Vec<Option<(u64, ChainHash)>>, Failure> {
    let revisions: Vec<Revision> = asked.iter().map(|asked| Revision(asked.revision)).collect();
    let hashes = server::entries_offline(folder, &revisions)?;
    Ok(asked.iter().zip(hashes).map(|(asked, hash)| Some((asked.revision, hash?))).collect())
}

/// What a running server has under the senders' request ids: the revision of each, and its chain hash.
async fn on_server(
    server: &Server,
    asked: &[Asked],
    told: &[ChainHash],
) -> Result<Vec<Option<(u64, ChainHash)>>, Failure> {
    let senders: Option<Vec<_>> = asked.iter().map(|asked| asked.sender.clone()).collect();
    let senders =
        senders.ok_or_else(|| Failure::usage("give --agency and --request-id, or the receipt's file; or --data"))?;
    let mut client = server.submissions().await?;
    let mut found = Vec::new();
    for ((agency, request_id), (asked, told)) in senders.into_iter().zip(asked.iter().zip(told)) {
        let revision = i64::try_from(asked.revision)?;
        let request = VerifyReceiptRequest { agency, request_id, revision, chain_hash: told.0.to_vec() };
        let answer = response(client.verify_receipt(request).await)?;
        let hash = <[u8; 32]>::try_from(answer.found_chain_hash.as_slice()).ok().map(ChainHash);
        found.push(u64::try_from(answer.found_revision).ok().zip(hash));
    }
    Ok(found)
}

/// Checks that what a journal has is what a receipt says.
fn check(revision: u64, told: ChainHash, found: Option<(u64, ChainHash)>) -> Result<(), Failure> {
    match found {
        Some((at, hash)) if at == revision && hash == told => Ok(()),
        Some((at, hash)) => Err(Failure::refused(format!(
            "the journal doesn't have it: it has revision {at} with receipt {hash}, and not revision {revision} with receipt {told}. It was changed, or it is an older one that has gone on otherwise"
        ))),
        None => Err(Failure::refused(format!(
            "the journal doesn't have it: it has no revision {revision}. It is an older one"
        ))),
    }
}
