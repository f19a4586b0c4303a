//! Failpoints: around each call that changes the disk, a test can make it fail, or look at the disk.

use crate::journal::contract::Error;
use std::{io, sync::Arc};

type Hook = dyn Fn(&str) -> io::Result<()> + Send + Sync;

/// What every call that changes the disk goes through. Clones share their hook.
#[derive(Clone)]
pub(super) struct Failpoints(Arc<Hook>);

impl Failpoints {
    /// No test hook: a call fails only when the system fails it.
    pub(super) fn none() -> Self {
        Self(Arc::new(|_| Ok(())))
    }

    /// `hook` runs before and after each call. Its error becomes the call's: before, nothing was done; after, all was.
    #[cfg(test)]
    pub(super) fn at_each(hook: impl Fn(&str) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(hook))
    }

    /// Makes one call, between its two failpoints.
    pub(super) fn around<T>(&self, doing: &str, call: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        (self.0)(doing).map_err(Error::io(doing))?;
        let done = call()?;
        (self.0)(doing).map_err(Error::io(doing))?;
        Ok(done)
    }
}
