//! Receipts as a file: for a person to keep, and for `conspectus receipt verify` to read. That of a file that was
//! submitted in parts has one for each.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::model::hex::Hex;
use crate::model::text::visible;
use crate::rpc::proto::Receipt;
use crate::wording::instant::to_the_second;

/// What a reader of the file should know.
const HEAD: &str = "\
# The receipt of a submission: it was stored, and is on disk. Keep it, and check at any time that the journal still
# has it, with everything before it as it was:
#
#   conspectus receipt verify THIS-FILE
";

/// The receipt of a submission, without what each figure did.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReceiptFile {
    /// The file that was submitted.
    file: String,
    pub(crate) agency: String,
    pub(crate) request_id: String,
    accepted_at: String,
    /// How many figures were new, replaced another, were there already, or were withdrawn.
    new: i32,
    revised: i32,
    unchanged: i32,
    #[serde(default)]
    withdrawn: i32,
    pub(crate) revision: u64,
    /// The chain hash: 64 hexadecimal digits.
    pub(crate) receipt: String,
}

impl ReceiptFile {
    /// The receipt of a submission of a file, by its name.
    pub(crate) fn of(receipt: &Receipt, file: &str) -> Self {
        Self {
            file: visible(file).into_owned(),
            agency: receipt.agency.clone(),
            request_id: receipt.request_id.clone(),
            accepted_at: to_the_second(receipt.accepted_at.as_ref()),
            new: receipt.new_count,
            revised: receipt.revised_count,
            unchanged: receipt.unchanged_count,
            withdrawn: receipt.withdrawn_count,
            revision: u64::try_from(receipt.revision).unwrap_or_default(),
            receipt: Hex(&receipt.chain_hash).to_string(),
        }
    }

    /// The text of a file of receipts.
    ///
    /// # Errors
    /// When one can't be written as TOML.
    pub(crate) fn text(receipts: &[Self]) -> Result<String, toml::ser::Error> {
        let text = match receipts {
            [one] => toml::to_string(one)?,
            several => toml::to_string(&Several { receipts: several.into() })?,
        };
        Ok(format!("{HEAD}\n{text}"))
    }

    /// Those of a file's text.
    ///
    /// # Errors
    /// When it is no text of receipts.
    pub(crate) fn parse(text: &str) -> Result<Vec<Self>, toml::de::Error> {
        if text.contains("\n[[part]]") {
            toml::from_str::<Several<'_>>(text).map(|several| several.receipts.into_owned())
        } else {
            toml::from_str(text).map(|one| vec![one])
        }
    }
}

/// The receipts of a file that was submitted in parts.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Several<'a> {
    #[serde(rename = "part")]
    receipts: Cow<'a, [ReceiptFile]>,
}
