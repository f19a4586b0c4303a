//! Places for what stays open, such as streams and watches: shared by identities, taken or refused at once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::id::IdentityId;
use crate::net::{Full, Share};

/// The places that there are.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    share: Share,
    taken: Arc<Mutex<Taken>>,
}

/// How many are taken.
#[derive(Debug, Default)]
struct Taken {
    in_all: usize,
    of_identity: BTreeMap<IdentityId, usize>,
}

impl Places {
    pub(crate) fn new(share: Share) -> Self {
        Self { share, taken: Arc::default() }
    }

    fn taken(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much is taken.
    pub(super) fn in_all(&self) -> usize {
        self.taken().in_all
    }

    /// How much each identity has.
    pub(super) fn of_identities(&self) -> BTreeMap<IdentityId, usize> {
        self.taken().of_identity.clone()
    }

    /// A place for an identity, or for nobody in particular.
    ///
    /// # Errors
    /// What is used up.
    pub(crate) fn take(&self, identity: Option<&IdentityId>) -> Result<Place, Full> {
        let mut place = self.none(identity);
        place.grow_to(1)?;
        Ok(place)
    }

    /// What takes nothing yet.
    pub(crate) fn none(&self, identity: Option<&IdentityId>) -> Place {
        Place { places: self.clone(), identity: identity.cloned(), amount: 0 }
    }
}

/// A place, or as many as it takes, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    identity: Option<IdentityId>,
    amount: usize,
}

impl Place {
    /// Takes as many, if it hasn't already.
    ///
    /// # Errors
    /// What is used up.
    pub(crate) fn grow_to(&mut self, amount: usize) -> Result<(), Full> {
        let more = amount.saturating_sub(self.amount);
        if more == 0 {
            return Ok(());
        }
        let mut taken = self.places.taken();
        let held = self.identity.as_ref().map(|identity| taken.of_identity.get(identity).copied().unwrap_or(0));
        self.places.share.admit(taken.in_all, held, more)?;
        taken.in_all += more;
        if let Some(identity) = &self.identity {
            *taken.of_identity.entry(identity.clone()).or_default() += more;
        }
        self.amount = amount;
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        taken.in_all -= self.amount;
        let Some(identity) = &self.identity else { return };
        match taken.of_identity.get_mut(identity) {
            Some(held) if *held > self.amount => *held -= self.amount,
            Some(_) | None => drop(taken.of_identity.remove(identity)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_back_to_all_and_to_its_identity() {
        let places = Places::new(Share { max: 3, of_identity_max: 2, kept: 1 });
        let id = |name: &str| IdentityId::parse(name).unwrap();
        let take = |name: &str| places.take(Some(&id(name)));
        let a = [take("a").unwrap(), take("a").unwrap()];
        assert_eq!(take("a").unwrap_err(), Full::OfIdentity);
        let _nobody = places.take(None).unwrap();
        assert_eq!(places.take(None).unwrap_err(), Full::InAll);
        let b = take("b").unwrap();
        assert_eq!(take("b").unwrap_err(), Full::InAll);
        drop((a, b));
        assert!(places.taken().of_identity.is_empty());
        drop(places.none(Some(&id("a"))));
        let _b = [take("b").unwrap(), take("b").unwrap()];
    }

    #[test]
    fn what_grows_takes_more_and_gives_all_of_it_back() {
        let places = Places::new(Share { max: 10, of_identity_max: 8, kept: 4 });
        let (a, b) = (IdentityId::parse("a").unwrap(), IdentityId::parse("b").unwrap());
        let (mut one, mut other) = (places.none(Some(&a)), places.none(Some(&b)));
        assert_eq!(one.grow_to(8), Ok(()));
        assert_eq!(one.grow_to(5), Ok(()), "it has as many already");
        assert_eq!(one.grow_to(9), Err(Full::OfIdentity));
        assert_eq!(other.grow_to(4), Ok(()));
        assert_eq!(other.grow_to(5), Err(Full::InAll));
        drop(one);
        assert_eq!(other.grow_to(5), Ok(()));
        drop(other);
        assert_eq!(places.taken().in_all, 0);
        assert!(places.taken().of_identity.is_empty());
    }
}
