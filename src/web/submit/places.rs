//! How many uploads there are at once. Each is held in memory until it is answered.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;

use super::super::question::Address;
use super::super::refusal::Refusal;
use super::super::shares::{Held, Shares};
use crate::net::Share;

/// How many uploads are held: in all, of one agency, and kept for each agency whatever the others have.
const UPLOADS: Share = Share { max: 4, of_identity_max: 2, kept: 1 };
/// How many files are read at once. A workbook unpacks to much more than it has.
const READINGS_MAX: usize = 1;
/// How long a place is waited for: a form that was sent just before is most likely answered by then.
const PLACE_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a turn to read a file is waited for.
const TURN_TIMEOUT: Duration = Duration::from_secs(60);

/// The places that there are. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    uploads: Shares,
    readings: Arc<Semaphore>,
}

impl Default for Places {
    fn default() -> Self {
        Self { uploads: Shares::of(UPLOADS), readings: Arc::new(Semaphore::new(READINGS_MAX)) }
    }
}

impl Places {
    /// A place for an upload of an agency's. It is waited for before any of the upload is received: so a form that is sent
    /// twice is answered by the receipt of the first.
    ///
    /// # Errors
    /// When none is given back in time.
    pub(super) async fn take(&self, agency: &str) -> Result<Arc<Held>, Refusal> {
        self.uploads.take_within(PLACE_TIMEOUT, agency, 1).await.map(Arc::new).ok_or_else(|| busy(agency))
    }

    /// Does what takes a whole file, when it is its turn, beside what serves others. It goes on when the browser has gone
    /// away: so the place and the turn end with the work, and not with the request.
    ///
    /// # Errors
    /// When the turn doesn't come.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        place: &Arc<Held>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Refusal> {
        let place = Arc::clone(place);
        let turn = tokio::time::timeout(TURN_TIMEOUT, Arc::clone(&self.readings).acquire_owned()).await;
        let turn: OwnedSemaphorePermit = turn.ok().and_then(Result::ok).ok_or_else(|| busy(place.who()))?;
        let work = move || {
            let _held = (place, turn);
            work()
        };
        Ok(tokio::task::spawn_blocking(work).await.map_err(|_| Status::internal("the file can't be read"))?)
    }
}

fn busy(agency: &str) -> Refusal {
    let message = "Other files are being read just now, and yours was not read. If you pressed the button more than once, \
                   what you sent first may have been stored: look at what was submitted. Otherwise send it again in a minute.";
    Refusal::of_page(StatusCode::TOO_MANY_REQUESTS, "The service is busy", message.to_owned())
        .with_link("What was submitted", Address::of("/submissions").with("agency", agency).href())
}
