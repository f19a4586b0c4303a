//! How often somebody may try to sign in.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// One more may be made each so often, and this many at once: people behind one address share it.
const EVERY: Duration = Duration::from_secs(1);
const AT_ONCE_MAX: u32 = 60;
/// How many addresses are told apart.
const ADDRESSES_MAX: usize = 10_000;

/// The attempts of each address.
#[derive(Debug, Default)]
pub(super) struct Attempts {
    /// When an address will have all of its attempts again.
    full_at: Mutex<BTreeMap<IpAddr, Instant>>,
}

impl Attempts {
    /// Takes one of an address's attempts.
    ///
    /// # Errors
    /// After how long there is another, when there is none.
    pub(super) fn take(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let address = network(address);
        let mut full_at = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if full_at.len() >= ADDRESSES_MAX && !full_at.contains_key(&address) {
            full_at.retain(|_, at| *at > now);
            if full_at.len() >= ADDRESSES_MAX {
                return Err(EVERY);
            }
        }
        let at = full_at.entry(address).or_insert(now);
        let next = (*at).max(now) + EVERY;
        let latest = now + EVERY * AT_ONCE_MAX;
        if next > latest {
            return Err(next - latest);
        }
        *at = next;
        Ok(())
    }
}

/// Whoever has one IPv6 address has the 2⁶⁴ beside it.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_some_attempts_at_once_and_then_one_each_second() {
        let (attempts, start) = (Attempts::default(), Instant::now());
        let one = address("10.0.0.1");
        for _ in 0..AT_ONCE_MAX {
            assert_eq!(attempts.take(one, start), Ok(()));
        }
        assert_eq!(attempts.take(one, start), Err(EVERY));
        assert_eq!(attempts.take(one, start + EVERY / 2), Err(EVERY / 2));
        assert_eq!(attempts.take(address("10.0.0.2"), start), Ok(()), "another has its own");
        assert_eq!(attempts.take(one, start + EVERY), Ok(()));
        assert_eq!(attempts.take(one, start + EVERY), Err(EVERY));
        let later = start + EVERY * (2 * AT_ONCE_MAX);
        assert_eq!((0..=AT_ONCE_MAX).filter(|_| attempts.take(one, later).is_ok()).count(), 60);
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_are_one() {
        let (attempts, start) = (Attempts::default(), Instant::now());
        for n in 0..AT_ONCE_MAX {
            assert_eq!(attempts.take(address(&format!("2001:db8::{n:x}")), start), Ok(()));
        }
        assert!(attempts.take(address("2001:db8::ffff:1"), start).is_err());
        assert!(attempts.take(address("2001:db8:0:1::1"), start).is_ok());
    }

    #[test]
    fn addresses_that_have_all_their_attempts_are_forgotten() {
        let (attempts, start) = (Attempts::default(), Instant::now());
        for n in 0..u32::try_from(ADDRESSES_MAX).unwrap() {
            assert_eq!(attempts.take(IpAddr::V4(n.into()), start), Ok(()));
        }
        assert!(attempts.take(address("250.0.0.1"), start).is_err());
        assert!(attempts.take(address("250.0.0.1"), start + EVERY).is_ok());
        assert_eq!(attempts.full_at.lock().unwrap().len(), 1);
    }
}
