//! Limits on calls: in all, and by caller. A call over a limit is refused with when to try again; other
//! callers aren't slowed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tonic::Status;

use super::compute::Lanes;
use crate::model::id::IdentityId;
use crate::net::{Full, Share};
use crate::rpc::status::{self, Reason};

/// How many calls something may make in a second. Clones share it: a change counts from the next call on.
#[derive(Debug, Clone)]
pub struct CallRate(Arc<AtomicU32>);

impl CallRate {
    /// One of so many; none is taken for one.
    pub fn new(calls_a_second: u32) -> Self {
        Self(Arc::new(AtomicU32::new(calls_a_second)))
    }

    /// Changes it.
    pub fn set(&self, calls_a_second: u32) {
        self.0.store(calls_a_second, Ordering::Relaxed);
    }

    fn get(&self) -> u32 {
        self.0.load(Ordering::Relaxed).max(1)
    }
}

/// Bounds of the calls.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How many may be open in all, streams and answers that are not yet taken among them. Health
    /// and reflection are not counted: they answer whatever the load.
    pub calls_max: usize,
    /// How many of one identity.
    pub calls_of_identity_max: usize,
    /// How many are kept for each identity, whatever others have open.
    pub calls_kept_of_identity: usize,
    /// How many an identity may begin in a second, over time.
    pub calls_a_second_of_identity_max: CallRate,
    /// How many answers that take more than a moment are computed at once in all: the others wait. Fewer than the cores, so
    /// that calls are served all the while. Of those that take a moment it is one more.
    pub computing_max: usize,
    /// For how many calls of one identity answers are computed at once; the others wait.
    pub computing_of_identity_max: usize,
    /// How many bytes of answers may be on their way in all, until their callers take them.
    pub untaken_bytes_max: usize,
    /// How many to one identity.
    pub untaken_bytes_of_identity_max: usize,
    /// How many are kept for each identity, whatever others haven't taken.
    pub untaken_bytes_kept_of_identity: usize,
    /// How long a call may take until its answer begins, whatever its caller allows.
    pub call_timeout: Duration,
    /// After how long a stream of submissions ends that brings none.
    pub stream_idle_timeout: Duration,
}

impl Limits {
    /// How identities share the calls.
    fn share(&self) -> Share {
        Share { max: self.calls_max, of_identity_max: self.calls_of_identity_max, kept: self.calls_kept_of_identity }
    }

    /// How identities share the bytes of answers that aren't taken.
    fn untaken(&self) -> Share {
        Share {
            max: self.untaken_bytes_max,
            of_identity_max: self.untaken_bytes_of_identity_max,
            kept: self.untaken_bytes_kept_of_identity,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls_max: 2_048,
            calls_of_identity_max: 512,
            calls_kept_of_identity: 16,
            calls_a_second_of_identity_max: CallRate::new(5_000),
            computing_max: (*CORES - 1).max(1),
            computing_of_identity_max: (*CORES / 2).max(1),
            untaken_bytes_max: 64 << 20,
            untaken_bytes_of_identity_max: 16 << 20,
            // One answer, of the largest.
            untaken_bytes_kept_of_identity: 4 << 20,
            call_timeout: Duration::from_secs(60),
            stream_idle_timeout: Duration::from_secs(300),
        }
    }
}

/// How many threads compute. The system takes tens of microseconds to say so, so it is asked once.
pub(super) static CORES: LazyLock<usize> =
    LazyLock::new(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));

/// How identities share the streams that watch: 256 at once.
pub(crate) const WATCHERS: Share = Share { max: 256, of_identity_max: 64, kept: 4 };

/// How far an identity may run ahead of its rate.
const BURST: Duration = Duration::from_secs(2);
/// When to try again, where that isn't known any better.
const RETRY_DELAY: Duration = Duration::from_millis(250);
/// Answers as small as this are never refused for what isn't taken: the calls are bounded too.
const SMALL_BYTES: usize = 16 << 10;
/// Identities that haven't called for so long are forgotten.
const FORGET_AFTER: Duration = Duration::from_secs(60);

/// The calls that are open. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Calls(Arc<Open>);

#[derive(Debug)]
struct Open {
    limits: Limits,
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    all: usize,
    /// Bytes of answers that aren't taken.
    untaken_bytes: usize,
    of_identity: BTreeMap<IdentityId, Load>,
    swept: Option<Instant>,
}

#[derive(Debug)]
struct Load {
    open: usize,
    /// The instant up to which its calls so far have used its rate up.
    used_up_to: Instant,
    /// Bytes of its answers that it hasn't taken.
    untaken_bytes: usize,
    lanes: Lanes,
}

/// A permit for an open call, given back when it is dropped.
#[derive(Debug)]
pub(super) struct CallPermit {
    calls: Calls,
    identity: Option<IdentityId>,
    lanes: Option<Lanes>,
    /// Bytes of its answer that count already, before it is sent.
    admitted: AtomicUsize,
}

impl CallPermit {
    /// The turns in which its caller's answers are computed; none when nobody in particular calls.
    pub(super) fn lanes(&self) -> Option<Lanes> {
        self.lanes.clone()
    }

    /// Counts bytes of the call's answer until they are taken: from now on, or since they were admitted.
    ///
    /// # Errors
    /// When there are too many that aren't taken; with the time to try again.
    pub(super) fn hold(self: &Arc<Self>, bytes: usize) -> Result<HeldBytes, Status> {
        let bytes = match self.admitted.swap(0, Ordering::Relaxed) {
            0 => self.try_count(bytes)?,
            admitted => admitted,
        };
        Ok(HeldBytes { permit: Arc::clone(self), bytes })
    }

    /// Counts the bytes of the call's one answer from before it is sent, or for as long as the call is open. As it is sent
    /// it is neither counted again nor refused.
    ///
    /// # Errors
    /// When there are too many that aren't taken; with the time to try again.
    pub(super) fn admit(&self, bytes: usize) -> Result<(), Status> {
        self.admitted.fetch_add(self.try_count(bytes)?, Ordering::Relaxed);
        Ok(())
    }

    fn try_count(&self, bytes: usize) -> Result<usize, Status> {
        let (limits, mut counts) = (self.calls.limits(), self.calls.counts());
        let in_all = counts.untaken_bytes;
        let of_identity = self.load(&mut counts).map(|load| load.untaken_bytes);
        if bytes > SMALL_BYTES {
            limits.untaken().admit(in_all, of_identity, bytes).map_err(|full| {
                let (untaken, most, whose, reason) = match full {
                    Full::OfIdentity => {
                        let untaken = of_identity.unwrap_or_default();
                        (untaken, limits.untaken_bytes_of_identity_max, "of yours", Reason::RateLimited)
                    }
                    Full::InAll => (in_all, limits.untaken_bytes_max, "in all", Reason::Overloaded),
                };
                let found = format!("{untaken} bytes of answers {whose} aren't taken yet, and this one has {bytes}");
                let what = format!("{found}; allowed: {most}. Take those first, or ask for smaller pages");
                status::retry(reason, what, RETRY_DELAY)
            })?;
        }
        self.count(&mut counts, |untaken| *untaken += bytes);
        Ok(bytes)
    }

    /// Counts bytes that can't be refused any more, or must not be.
    pub(super) fn hold_anyway(self: &Arc<Self>, bytes: usize) -> HeldBytes {
        self.count(&mut self.calls.counts(), |untaken| *untaken += bytes);
        HeldBytes { permit: Arc::clone(self), bytes }
    }

    fn count(&self, counts: &mut Counts, change: impl Fn(&mut usize)) {
        change(&mut counts.untaken_bytes);
        if let Some(load) = self.load(counts) {
            change(&mut load.untaken_bytes);
        }
    }

    fn load<'c>(&self, counts: &'c mut Counts) -> Option<&'c mut Load> {
        counts.of_identity.get_mut(self.identity.as_ref()?)
    }
}

/// Bytes of an answer that its caller hasn't taken. They count, and the call with them, until this is dropped.
#[derive(Debug)]
pub(super) struct HeldBytes {
    permit: Arc<CallPermit>,
    bytes: usize,
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        self.permit.count(&mut self.permit.calls.counts(), |untaken| *untaken -= self.bytes);
    }
}

impl Calls {
    pub(super) fn new(limits: Limits) -> Self {
        Self(Arc::new(Open { limits, counts: Mutex::default() }))
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.0.limits
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many are open.
    pub(super) fn in_all(&self) -> usize {
        self.counts().all
    }

    /// How many each identity has open.
    pub(super) fn of_identities(&self) -> BTreeMap<IdentityId, usize> {
        self.counts().of_identity.iter().map(|(identity, load)| (identity.clone(), load.open)).collect()
    }

    /// A permit for a call of an identity, or of nobody in particular.
    ///
    /// # Errors
    /// When there is none left; with the time to try again.
    pub(super) fn permit(&self, identity: Option<&IdentityId>, now: Instant) -> Result<CallPermit, Status> {
        let (limits, mut counts) = (self.limits(), self.counts());
        counts.sweep(now);
        let open = identity.map(|identity| counts.of_identity.get(identity).map_or(0, |load| load.open));
        limits.share().admit(counts.all, open, 1).map_err(|full| match full {
            Full::OfIdentity => {
                let what = format!("allowed: {} calls at once; end some of yours first", limits.calls_of_identity_max);
                status::retry(Reason::RateLimited, what, RETRY_DELAY)
            }
            Full::InAll => {
                let what = "the server has all the calls that it takes at once; try again in a moment";
                status::retry(Reason::Overloaded, what, RETRY_DELAY)
            }
        })?;
        let lanes = identity.map(|identity| counts.take(identity, limits, now)).transpose()?;
        counts.all += 1;
        Ok(CallPermit { calls: self.clone(), identity: identity.cloned(), lanes, admitted: AtomicUsize::new(0) })
    }
}

impl Counts {
    fn take(&mut self, identity: &IdentityId, limits: &Limits, now: Instant) -> Result<Lanes, Status> {
        let load = self.of_identity.entry(identity.clone()).or_insert_with(|| Load {
            open: 0,
            used_up_to: now,
            untaken_bytes: 0,
            lanes: Lanes::new(limits.computing_of_identity_max),
        });
        // The generic cell rate algorithm (GCRA): each call moves `used_up_to`, the theoretical arrival time, on
        // by the interval that the rate leaves between calls; it may be ahead of now by a burst.
        let rate = limits.calls_a_second_of_identity_max.get();
        let ahead = load.used_up_to.saturating_duration_since(now);
        if ahead > BURST {
            let what = format!("allowed: {rate} calls a second");
            return Err(status::retry(Reason::RateLimited, what, ahead - BURST));
        }
        load.used_up_to = load.used_up_to.max(now) + Duration::from_secs(1) / rate;
        load.open += 1;
        Ok(load.lanes.clone())
    }

    fn sweep(&mut self, now: Instant) {
        if self.swept.is_none_or(|swept| now.saturating_duration_since(swept) > FORGET_AFTER) {
            self.swept = Some(now);
            self.of_identity
                .retain(|_, load| load.open > 0 || now.saturating_duration_since(load.used_up_to) < FORGET_AFTER);
        }
    }
}

impl Drop for CallPermit {
    fn drop(&mut self) {
        let mut counts = self.calls.counts();
        // Of an answer that wasn't sent.
        let admitted = self.admitted.load(Ordering::Relaxed);
        self.count(&mut counts, |untaken| *untaken -= admitted);
        counts.all -= 1;
        if let Some(load) = self.load(&mut counts) {
            load.open -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt;

    use super::*;

    fn limits() -> Limits {
        Limits {
            calls_max: 3,
            calls_of_identity_max: 2,
            calls_kept_of_identity: 1,
            calls_a_second_of_identity_max: CallRate::new(10),
            computing_max: 1,
            computing_of_identity_max: 1,
            untaken_bytes_max: 3 * SMALL_BYTES,
            untaken_bytes_of_identity_max: 2 * SMALL_BYTES,
            untaken_bytes_kept_of_identity: SMALL_BYTES + 1,
            call_timeout: Duration::from_secs(1),
            stream_idle_timeout: Duration::from_secs(1),
        }
    }

    fn id(name: &str) -> IdentityId {
        IdentityId::parse(name).unwrap()
    }

    fn reason(refused: &Status) -> String {
        refused.get_details_error_info().unwrap().reason
    }

    #[test]
    fn each_has_its_share_and_all_together_theirs() {
        let (calls, now) = (Calls::new(limits()), Instant::now());
        let permit = |name: &str| calls.permit(Some(&id(name)), now);
        let (a, _b) = (permit("a").unwrap(), permit("a").unwrap());
        assert_eq!(reason(&permit("a").unwrap_err()), "RATE_LIMITED");
        let _c = permit("b").unwrap();
        assert_eq!(reason(&permit("b").unwrap_err()), "OVERLOADED");
        let first = permit("c").unwrap();
        drop((a, first));
        assert!(permit("a").is_ok());
    }

    #[test]
    fn who_calls_too_often_is_answered_when_to_try_again() {
        let (calls, now) = (Calls::new(limits()), Instant::now());
        let permit = |name: &str, after: Duration| calls.permit(Some(&id(name)), now + after).map(drop);
        let burst = (0..100).take_while(|_| permit("a", Duration::ZERO).is_ok()).count();
        assert_eq!(burst, 21, "two seconds of ten, and the one that it began with");
        let refused = permit("a", Duration::ZERO).unwrap_err();
        assert_eq!(reason(&refused), "RATE_LIMITED");
        let wait = refused.get_details_retry_info().unwrap().retry_delay.unwrap();
        assert_eq!(wait, Duration::from_millis(100));
        assert!(permit("a", wait).is_ok());
        assert!(permit("b", Duration::ZERO).is_ok(), "another's rate is its own");
        let pause = FORGET_AFTER / 2;
        let burst = (0..1_000).take_while(|_| permit("a", pause).is_ok()).count();
        assert_eq!(burst, 21, "a pause, however long, is good for no more than that");
    }

    #[test]
    fn answers_that_are_not_taken_are_bounded_by_identity_and_in_all() {
        let (calls, now) = (Calls::new(limits()), Instant::now());
        let permit = |name: &str| Arc::new(calls.permit(Some(&id(name)), now).unwrap());
        let (a, b) = (permit("a"), permit("b"));
        let large = SMALL_BYTES + 1;
        let held = a.hold(large).unwrap();
        assert_eq!(reason(&a.hold(large).unwrap_err()), "RATE_LIMITED");
        let others = b.hold(large).unwrap();
        let c = permit("c");
        let first = c.hold(large).expect("what is kept for it");
        assert_eq!(reason(&c.hold(large).unwrap_err()), "RATE_LIMITED");
        let larger = permit("d").hold(large + 1).unwrap_err();
        assert_eq!(reason(&larger), "OVERLOADED", "more than is kept, and there is no more in all");
        c.hold(SMALL_BYTES).unwrap();
        drop((a, b, c, held, others, first));
        let counts = calls.counts();
        assert_eq!((counts.all, counts.untaken_bytes), (0, 0));
        drop(counts);
        permit("a").hold(large).unwrap();
    }

    #[test]
    fn who_has_gone_is_forgotten() {
        let (calls, now) = (Calls::new(limits()), Instant::now());
        drop(calls.permit(Some(&id("a")), now));
        let _b = calls.permit(Some(&id("b")), now + 2 * FORGET_AFTER);
        assert_eq!(calls.counts().of_identity.keys().map(IdentityId::as_str).collect::<Vec<_>>(), ["b"]);
    }

    #[test]
    fn who_has_a_call_open_is_not_forgotten_however_long_ago_it_began() {
        let (calls, now) = (Calls::new(limits()), Instant::now());
        let _open = [calls.permit(Some(&id("a")), now), calls.permit(Some(&id("a")), now)];
        let refused = calls.permit(Some(&id("a")), now + 2 * FORGET_AFTER).unwrap_err();
        assert_eq!(reason(&refused), "RATE_LIMITED");
    }

    #[test]
    fn what_was_admitted_counts_once_until_it_is_taken_or_its_call_ends() {
        let calls = Calls::new(limits());
        let a = || Arc::new(calls.permit(Some(&id("a")), Instant::now()).unwrap());
        let large = 2 * SMALL_BYTES;
        let is_free = || a().hold(large).is_ok();
        let unsent = a();
        unsent.admit(large).unwrap();
        assert!(!is_free());
        drop(unsent);
        assert!(is_free(), "its call ended without an answer");
        let sent = a();
        sent.admit(large).unwrap();
        assert_eq!(reason(&a().admit(large).unwrap_err()), "RATE_LIMITED");
        let held = sent.hold(large).expect("it is admitted already");
        drop(sent);
        assert!(!is_free(), "it isn't taken yet");
        drop(held);
        assert!(is_free());
        assert_eq!(calls.counts().untaken_bytes, 0);
    }
}
