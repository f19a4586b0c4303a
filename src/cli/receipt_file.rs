//! Receipts as a file: for a person to keep, and for `conspectus receipt verify` to read. That of a file that was
//! submitted in parts has one for each.

use std::borrow::Cow;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::format::time;
use crate::model::hex::Hex;
use crate::model::text::visible;
use crate::rpc::proto::Receipt;

/// What a reader of the file should know.
const HEAD: &str = "\
# The receipt of a submission: it was stored, and is on disk. Keep it, and check at any time that the journal still
# has it, with everything before it as it was:
#
#   conspectus receipt verify THIS-FILE
";

/// A file of receipts has fewer bytes: of one at most 64 KiB, and those of 10,000,000 figures are 1,000.
const BYTES_MAX: u64 = 64 << 20;

/// The receipt of a submission, without what each figure did.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ReceiptFile {
    /// The file that was submitted.
    file: String,
    pub(super) agency: String,
    pub(super) request_id: String,
    accepted_at: String,
    /// How many figures were new, replaced another, were there already, or were withdrawn.
    new: i32,
    revised: i32,
    unchanged: i32,
    #[serde(default)]
    withdrawn: i32,
    pub(super) revision: u64,
    /// The chain hash: 64 hexadecimal digits.
    pub(super) receipt: String,
}

impl ReceiptFile {
    /// The receipt of a submission of a file.
    pub(super) fn of(receipt: &Receipt, submitted: &Path) -> Self {
        let file = submitted.file_name().unwrap_or_default().to_string_lossy();
        Self {
            file: visible(&file).into_owned(),
            agency: receipt.agency.clone(),
            request_id: receipt.request_id.clone(),
            accepted_at: time(receipt.accepted_at.as_ref()),
            new: receipt.new_count,
            revised: receipt.revised_count,
            unchanged: receipt.unchanged_count,
            withdrawn: receipt.withdrawn_count,
            revision: u64::try_from(receipt.revision).unwrap_or_default(),
            receipt: Hex(&receipt.chain_hash).to_string(),
        }
    }

    /// Writes receipts, durably, to a file that isn't there yet: no receipt replaces another.
    pub(super) fn write(receipts: &[Self], path: &Path) -> Result<(), Failure> {
        let text = match receipts {
            [one] => toml::to_string(one)?,
            several => toml::to_string(&Several { receipts: several.into() })?,
        };
        let text = format!("{HEAD}\n{text}");
        let write = || {
            let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()
        };
        write().map_err(|error| {
            Failure::failed(format!(
                "the submission is stored, and its receipt is above; can't write it to {}: {error}",
                path.display()
            ))
        })
    }

    /// Reads those of a file.
    pub(super) fn read(path: &Path) -> Result<Vec<Self>, Failure> {
        let mut text = String::new();
        let opened = File::open(path).and_then(|file| file.take(BYTES_MAX).read_to_string(&mut text));
        opened.map_err(|error| Failure::failed(format!("can't read {}: {error}", path.display())))?;
        let read = if text.contains("\n[[part]]") {
            toml::from_str::<Several<'_>>(&text).map(|several| several.receipts.into_owned())
        } else {
            toml::from_str(&text).map(|one| vec![one])
        };
        read.map_err(|error| Failure::refused(format!("{} is no receipt: {error}", path.display())))
    }
}

/// The receipts of a file that was submitted in parts.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Several<'a> {
    #[serde(rename = "part")]
    receipts: Cow<'a, [ReceiptFile]>,
}
