//! Files of figures, opened to be read.

use std::fs::File;
use std::path::Path;

use super::failure::Failure;
use crate::figures::input::Input;

/// Opens a file of figures.
pub(super) fn open(path: &Path) -> Result<Input, Failure> {
    let opened = File::open(path).and_then(Input::of_file);
    opened.map_err(|error| Failure::failed(format!("can't read {}: {error}", path.display())))
}
