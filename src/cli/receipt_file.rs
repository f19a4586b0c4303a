//! Files of receipts: written so that no receipt replaces another, and read.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::Path;

use super::failure::Failure;
use crate::rpc::proto::Receipt;
use crate::submitting::ReceiptFile;

/// A file of receipts has fewer bytes: of one at most 64 KiB, and those of 10,000,000 figures are 1,000.
const BYTES_MAX: u64 = 64 << 20;

/// The receipt of a submission of a file.
pub(super) fn receipt_of(receipt: &Receipt, submitted: &Path) -> ReceiptFile {
    ReceiptFile::of(receipt, &submitted.file_name().unwrap_or_default().to_string_lossy())
}

/// Writes receipts, durably, to a file that isn't there yet: no receipt replaces another.
pub(super) fn write(receipts: &[ReceiptFile], path: &Path) -> Result<(), Failure> {
    let text = ReceiptFile::text(receipts)?;
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
pub(super) fn read(path: &Path) -> Result<Vec<ReceiptFile>, Failure> {
    let mut text = String::new();
    let opened = File::open(path).and_then(|file| file.take(BYTES_MAX).read_to_string(&mut text));
    opened.map_err(|error| Failure::failed(format!("can't read {}: {error}", path.display())))?;
    ReceiptFile::parse(&text).map_err(|error| Failure::refused(format!("{} is no receipt: {error}", path.display())))
}
