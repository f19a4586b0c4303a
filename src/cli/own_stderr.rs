//! Standard error, apart from the library's own handle of it.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

/// A handle of standard error for the log alone: while a write to it waits, the library's own, which has a lock, is free.
pub(super) fn open() -> io::Result<File> {
    Ok(File::from(io::stderr().as_fd().try_clone_to_owned()?))
}
