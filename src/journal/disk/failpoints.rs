//! Calls that change the disk: each of them can be made to fail by a test, before it is done and after.

use crate::journal::Error;
use std::{io, sync::Arc};

type Watcher = dyn Fn(&str) -> io::Result<()> + Send + Sync;

/// What all such calls go through. A clone shares its watcher.
#[derive(Clone)]
pub(super) struct Calls(Arc<Watcher>);

impl Calls {
    /// Calls that fail only when the system says so.
    pub(super) fn unwatched() -> Self {
        Self(Arc::new(|_| Ok(())))
    }

    /// Calls that `watcher` is told of twice, before and after. Its error becomes the call's: the first time
    /// nothing was done, the second time all was.
    #[cfg(test)]
    pub(super) fn watched(watcher: impl Fn(&str) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self(Arc::new(watcher))
    }

    /// Makes one call.
    pub(super) fn make<T>(&self, doing: &str, call: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        (self.0)(doing).map_err(Error::io(doing))?;
        let done = call()?;
        (self.0)(doing).map_err(Error::io(doing))?;
        Ok(done)
    }
}
