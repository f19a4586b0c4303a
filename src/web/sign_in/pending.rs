//! Sign-ins that were begun at the provider, until the browser is back.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::model::hex::Hex;
use crate::web::LocalPath;
use crate::web::cookie::{CookieHash, CookieSecret};

/// How long somebody may take at the provider.
pub(super) const AGE_MAX: Duration = Duration::from_secs(10 * 60);
/// How many there may be: at the rate of attempts that an address has, it doesn't fill them within that time.
const PENDING_MAX: usize = 4_096;

/// The secrets of one sign-in: each 256 random bits, in hexadecimal digits.
#[derive(Clone)]
pub(super) struct Secrets {
    /// Ties what the provider sends back to what was begun here.
    pub(super) state: String,
    /// Ties the ID token to it.
    pub(super) nonce: String,
    /// Shows the provider that whoever redeems the code is who asked for it (PKCE).
    pub(super) verifier: String,
}

impl Secrets {
    /// Those that random bytes make.
    pub(super) fn from_random(bytes: [[u8; 32]; 3]) -> Self {
        let [state, nonce, verifier] = bytes.map(|bytes| Hex(&bytes).to_string());
        Self { state, nonce, verifier }
    }
}

/// A sign-in that was begun.
pub(super) struct Pending {
    /// Its secrets.
    pub(super) secrets: Secrets,
    /// Where to go on afterwards.
    pub(super) next: LocalPath,
    browser: CookieHash,
    began: Instant,
}

/// All of them, by their states.
#[derive(Default)]
pub(super) struct PendingSignIns(Mutex<BTreeMap<String, Pending>>);

impl PendingSignIns {
    /// Begins one, in a browser. Where there are too many, the oldest can't be finished.
    pub(super) fn begin(&self, secrets: &Secrets, next: LocalPath, browser: &CookieSecret, now: Instant) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, pending| now.duration_since(pending.began) < AGE_MAX);
        if all.len() >= PENDING_MAX {
            let oldest = all.iter().min_by_key(|(_, pending)| pending.began).map(|(state, _)| state.clone());
            oldest.map(|state| all.remove(&state));
        }
        let pending = Pending { secrets: secrets.clone(), next, browser: browser.hash(), began: now };
        all.insert(secrets.state.clone(), pending);
    }

    /// The one of a state, once, if it was begun in this browser and isn't too old.
    pub(super) fn finish(&self, state: &str, browser: &CookieSecret, now: Instant) -> Option<Pending> {
        let pending = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(state)?;
        let is_same = pending.browser == browser.hash() && now.duration_since(pending.began) < AGE_MAX;
        is_same.then_some(pending)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(n: usize) -> Secrets {
        Secrets { state: n.to_string(), nonce: format!("nonce {n}"), verifier: String::new() }
    }

    fn browser(n: u8) -> CookieSecret {
        CookieSecret::from_random([n; 32])
    }

    fn begin(all: &PendingSignIns, n: usize, now: Instant) {
        all.begin(&secrets(n), LocalPath::or_first("/due"), &browser(1), now);
    }

    #[test]
    fn a_sign_in_is_finished_once_in_the_browser_that_began_it_and_in_time() {
        let (all, now) = (PendingSignIns::default(), Instant::now());
        (0..4).for_each(|n| begin(&all, n, now));
        let finished = all.finish("0", &browser(1), now + AGE_MAX / 2).unwrap();
        assert_eq!((finished.secrets.nonce.as_str(), finished.next.to_string().as_str()), ("nonce 0", "/due"));
        assert!(all.finish("0", &browser(1), now).is_none(), "only once");
        assert!(all.finish("1", &browser(2), now).is_none(), "not in another browser");
        assert!(all.finish("1", &browser(1), now).is_none(), "and then not at all");
        assert!(all.finish("2", &browser(1), now + AGE_MAX).is_none(), "not too late");
        assert!(all.finish("9", &browser(1), now).is_none());
        assert!(all.finish("3", &browser(1), now).is_some());
    }

    #[test]
    fn what_is_never_finished_is_forgotten_and_bounded() {
        let (all, start) = (PendingSignIns::default(), Instant::now());
        for n in 0..=PENDING_MAX {
            begin(&all, n, start + Duration::from_millis(u64::try_from(n).unwrap()));
        }
        assert_eq!(all.0.lock().unwrap().len(), PENDING_MAX);
        assert!(all.finish("0", &browser(1), start).is_none(), "the oldest made room");
        begin(&all, 0, start + 2 * AGE_MAX);
        assert_eq!(all.0.lock().unwrap().len(), 1);
    }

    #[test]
    fn the_secrets_of_a_sign_in_are_its_own() {
        let secrets = Secrets::from_random([[1; 32], [2; 32], [3; 32]]);
        assert_eq!([&secrets.state[..2], &secrets.nonce[..2], &secrets.verifier[..2]], ["01", "02", "03"]);
        assert_eq!(secrets.verifier.len(), 64, "43 to 128 characters, as PKCE has it");
    }
}
