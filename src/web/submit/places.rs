//! How many uploads there are at once. Each is held in memory until it is answered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
use tonic::Status;

use crate::net::Share;

/// How many uploads are held: in all, of one agency, and kept for each agency whatever the others have.
const UPLOADS: Share = Share { max: 4, of_identity_max: 2, kept: 1 };
/// How many files are read at once. A workbook may unpack to much more than it has.
const READINGS_MAX: usize = 1;

/// The places that there are. Clones share them.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    taken: Arc<Mutex<BTreeMap<String, usize>>>,
    readings: Arc<Semaphore>,
}

impl Default for Places {
    fn default() -> Self {
        Self { taken: Arc::default(), readings: Arc::new(Semaphore::new(READINGS_MAX)) }
    }
}

impl Places {
    /// A place for an upload of an agency's.
    ///
    /// # Errors
    /// When all are taken.
    pub(super) fn take(&self, agency: &str) -> Result<Place, Status> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let own = taken.get(agency).copied().unwrap_or_default();
        UPLOADS.admit(taken.values().sum(), Some(own), 1).map_err(|_| {
            Status::resource_exhausted("Other files are being read just now. Send yours again in a minute")
        })?;
        taken.insert(agency.to_owned(), own + 1);
        Ok(Place { places: self.clone(), agency: agency.to_owned() })
    }

    /// A turn to read a file, which is waited for.
    pub(super) async fn reading(&self) -> Result<OwnedSemaphorePermit, AcquireError> {
        self.readings.clone().acquire_owned().await
    }
}

/// A place of an upload, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    agency: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let left = taken.remove(&self.agency).unwrap_or_default().saturating_sub(1);
        if left > 0 {
            taken.insert(std::mem::take(&mut self.agency), left);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agency_has_two_places_and_each_has_a_first_whatever_the_others_have() {
        let places = Places::default();
        let mut held = Vec::new();
        for agency in ["a", "b", "c", "d", "e", "f"] {
            while let Ok(place) = places.take(agency) {
                held.push(place);
            }
        }
        let of = |agency: &str| held.iter().filter(|place| place.agency == agency).count();
        assert_eq!(["a", "b", "c", "f"].map(of), [2, 2, 1, 1]);
        held.clear();
        assert!(places.take("a").is_ok(), "a place is given back");
        assert!(places.taken.lock().unwrap().is_empty());
    }
}
