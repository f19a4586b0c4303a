//! Who has signed in, on this server and for a time.
//!
//! A browser has a random secret in a cookie, and the server its hash. Sessions are in memory: a restart ends them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tonic::codegen::http::header::AUTHORIZATION;
use tonic::codegen::http::{HeaderValue, Request};

use super::cookie::{CookieHash, CookieSecret};
use super::csrf::{CsrfToken, TokenKey};
use crate::access::{Purpose, Role, Secret, SignIn};
use crate::model::id::IdentityId;
use crate::rpc::{PURPOSE_HEADER, SignedIn, purpose_header};

/// How long somebody stays signed in at the most: a working day.
pub(super) const AGE_MAX: Duration = Duration::from_secs(10 * 3_600);
/// How long somebody stays signed in who does nothing.
pub(super) const IDLE_MAX: Duration = Duration::from_secs(30 * 60);
/// How old the service's word may be that whoever has signed in still may.
const CONFIRMED_MAX: Duration = Duration::from_secs(15);
/// How many sessions there may be.
const SESSIONS_MAX: usize = 4_096;
/// How many of one identity, such as one that a team shares.
const SESSIONS_OF_IDENTITY_MAX: usize = 64;

/// By what somebody has signed in: what each call of theirs presents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Means {
    /// An API key.
    Key(Secret),
    /// An OpenID Connect provider that knows them.
    Provider(SignIn),
}

/// As the log names it.
impl fmt::Display for Means {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(secret) => write!(f, "key {}", secret.id()),
            Self::Provider(sign_in) => write!(f, "sign-in {sign_in}"),
        }
    }
}

impl Means {
    /// Makes a call to the service one of whoever has signed in.
    pub fn authorise<B>(&self, call: &mut Request<B>) {
        match self {
            Self::Key(secret) => {
                let text = format!("Bearer {}", secret.reveal());
                let mut header = HeaderValue::try_from(text).expect("a key is visible ASCII");
                header.set_sensitive(true);
                call.headers_mut().insert(AUTHORIZATION, header);
            }
            Self::Provider(sign_in) => drop(call.extensions_mut().insert(SignedIn(sign_in.clone()))),
        }
    }
}

/// Who the service says has signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedInIdentity {
    /// Who.
    pub id: IdentityId,
    /// What it is for.
    pub role: Role,
}

/// A session, as a handler has it for one request. It is an extension of requests that
/// [`require_session`](super::sign_in::require_session) lets through.
#[derive(Debug, Clone)]
pub struct Session {
    hash: CookieHash,
    csrf: CsrfToken,
    kept: Kept,
}

/// What is kept of one.
#[derive(Debug, Clone)]
struct Kept {
    means: Arc<Means>,
    identity: SignedInIdentity,
    purpose: Option<Purpose>,
    began: Instant,
    used: Instant,
    confirmed: Instant,
}

impl Session {
    /// Who has signed in.
    pub fn identity(&self) -> &SignedInIdentity {
        &self.kept.identity
    }

    /// What figures are read for, as an analyst has said.
    pub fn purpose(&self) -> Option<&Purpose> {
        self.kept.purpose.as_ref()
    }

    /// Whether it has to be said first what figures are read for.
    pub(super) fn lacks_purpose(&self) -> bool {
        self.kept.purpose.is_none() && self.kept.identity.role == Role::Analyst
    }

    /// What each form of the pages of whoever has signed in has as its first field, [`csrf::FIELD`](super::csrf::FIELD).
    pub fn csrf(&self) -> CsrfToken {
        self.csrf
    }

    /// Makes a call to the service one of whoever has signed in, for their purpose.
    pub fn authorise<B>(&self, call: &mut Request<B>) {
        self.kept.means.authorise(call);
        if let Some(purpose) = &self.kept.purpose {
            call.headers_mut().insert(PURPOSE_HEADER, purpose_header(purpose));
        }
    }

    /// By what they have.
    pub(super) fn means(&self) -> &Means {
        &self.kept.means
    }

    /// Whether it is to be asked again whether whoever has signed in still may.
    pub(super) fn is_to_be_confirmed(&self, now: Instant) -> bool {
        now.duration_since(self.kept.confirmed) >= CONFIRMED_MAX
    }
}

impl Kept {
    fn is_over(&self, now: Instant) -> bool {
        now.duration_since(self.began) >= AGE_MAX || now.duration_since(self.used) >= IDLE_MAX
    }
}

/// All sessions, shared by clones.
#[derive(Debug, Clone)]
pub struct Sessions {
    tokens: TokenKey,
    all: Arc<Mutex<BTreeMap<CookieHash, Kept>>>,
}

impl Sessions {
    /// None yet. The tokens of their forms are made with a key.
    pub(super) fn new(tokens: TokenKey) -> Self {
        Self { tokens, all: Arc::default() }
    }

    /// Begins the session of a new cookie. Where there are too many, the one that was used least recently ends: of the
    /// same identity, or of all.
    pub(super) fn begin(&self, secret: &CookieSecret, means: Means, identity: SignedInIdentity, now: Instant) {
        let mut all = self.lock();
        all.retain(|_, kept| !kept.is_over(now));
        let is_same = |kept: &Kept| kept.identity.id == identity.id;
        if all.values().filter(|kept| is_same(kept)).count() >= SESSIONS_OF_IDENTITY_MAX {
            end_oldest(&mut all, is_same);
        }
        if all.len() >= SESSIONS_MAX {
            end_oldest(&mut all, |_| true);
        }
        let means = Arc::new(means);
        let kept = Kept { means, identity, purpose: None, began: now, used: now, confirmed: now };
        all.insert(secret.hash(), kept);
    }

    /// The session of a cookie, which is thereby used.
    pub(super) fn of(&self, secret: &CookieSecret, now: Instant) -> Option<Session> {
        let hash = secret.hash();
        let mut all = self.lock();
        if all.get(&hash)?.is_over(now) {
            all.remove(&hash);
            return None;
        }
        let kept = all.get_mut(&hash)?;
        kept.used = now;
        Some(Session { hash, csrf: self.tokens.of(&kept.identity.id), kept: kept.clone() })
    }

    /// Notes what figures are read for in a session from now on.
    pub(super) fn set_purpose(&self, session: &Session, purpose: Purpose) {
        if let Some(kept) = self.lock().get_mut(&session.hash) {
            kept.purpose = Some(purpose);
        }
    }

    /// Notes that the service still knows whoever has signed in, and as whom; the session with that.
    pub(super) fn confirm(&self, mut session: Session, identity: SignedInIdentity, now: Instant) -> Session {
        session.kept.identity = identity;
        session.kept.confirmed = now;
        // One that has ended meanwhile stays so.
        if let Some(kept) = self.lock().get_mut(&session.hash) {
            kept.clone_from(&session.kept);
        }
        session
    }

    /// Ends a session.
    pub fn end(&self, session: &Session) {
        self.lock().remove(&session.hash);
    }

    /// Ends all sessions of an identity.
    pub fn end_all_of(&self, identity: &IdentityId) {
        self.lock().retain(|_, kept| kept.identity.id != *identity);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<CookieHash, Kept>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn end_oldest(all: &mut BTreeMap<CookieHash, Kept>, is_one: impl Fn(&Kept) -> bool) {
    let oldest = all.iter().filter(|(_, kept)| is_one(kept)).min_by_key(|(hash, kept)| (kept.used, **hash));
    if let Some(hash) = oldest.map(|(hash, _)| *hash) {
        all.remove(&hash);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn sessions() -> Sessions {
        Sessions::new(TokenKey::from_random([3; 32]))
    }

    fn secret(n: usize) -> CookieSecret {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&n.to_le_bytes());
        CookieSecret::from_random(bytes)
    }

    fn identity(name: &str, role: Role) -> SignedInIdentity {
        SignedInIdentity { id: IdentityId::parse(name).unwrap(), role }
    }

    fn key() -> Means {
        Means::Key(Secret::from_random([7; Secret::RANDOM_BYTES]))
    }

    fn begin(sessions: &Sessions, n: usize, name: &str, now: Instant) {
        sessions.begin(&secret(n), key(), identity(name, Role::Submitter), now);
    }

    #[test]
    fn a_session_ends_when_nothing_is_done_in_it_and_after_a_working_day_at_the_latest() {
        let (sessions, start) = (sessions(), Instant::now());
        begin(&sessions, 1, "al", start);
        assert!(sessions.of(&secret(2), start).is_none());
        assert!(sessions.of(&secret(1), start + IDLE_MAX - MINUTE).is_some(), "and it is used");
        assert!(sessions.of(&secret(1), start + 2 * IDLE_MAX - 2 * MINUTE).is_some());
        assert!(sessions.of(&secret(1), start + 4 * IDLE_MAX).is_none());
        begin(&sessions, 2, "al", start);
        let mut now = start;
        while now + IDLE_MAX / 2 < start + AGE_MAX {
            now += IDLE_MAX / 2;
            assert!(sessions.of(&secret(2), now).is_some());
        }
        assert!(sessions.of(&secret(2), start + AGE_MAX).is_none());
    }

    #[test]
    fn an_identitys_sessions_are_bounded_and_the_least_recently_used_makes_room() {
        let (sessions, start) = (sessions(), Instant::now());
        begin(&sessions, 1_000, "bo", start);
        for n in 0..SESSIONS_OF_IDENTITY_MAX {
            begin(&sessions, n, "al", start + MINUTE);
        }
        assert!(sessions.of(&secret(0), start + 2 * MINUTE).is_some());
        begin(&sessions, 2_000, "al", start + 3 * MINUTE);
        let open = (0..SESSIONS_OF_IDENTITY_MAX).filter(|n| sessions.of(&secret(*n), start + 3 * MINUTE).is_some());
        assert_eq!(open.count(), SESSIONS_OF_IDENTITY_MAX - 1);
        assert!(sessions.of(&secret(0), start + 3 * MINUTE).is_some(), "it was used since");
        assert!(sessions.of(&secret(1_000), start + 3 * MINUTE).is_some(), "it is another's");
    }

    #[test]
    fn all_sessions_together_are_bounded() {
        let (sessions, start) = (sessions(), Instant::now());
        for n in 0..SESSIONS_MAX {
            begin(&sessions, n, &format!("a-{}", n / SESSIONS_OF_IDENTITY_MAX), start + MINUTE);
        }
        begin(&sessions, SESSIONS_MAX, "bo", start + 2 * MINUTE);
        let open = (0..=SESSIONS_MAX).filter(|n| sessions.of(&secret(*n), start + 2 * MINUTE).is_some());
        assert_eq!(open.count(), SESSIONS_MAX);
    }

    #[test]
    fn one_session_ends_or_all_of_an_identity() {
        let (sessions, now) = (sessions(), Instant::now());
        for (n, name) in ["al", "al", "al", "bo"].into_iter().enumerate() {
            begin(&sessions, n, name, now);
        }
        let open = |n: usize| sessions.of(&secret(n), now);
        sessions.end(&open(0).unwrap());
        assert!(open(0).is_none() && open(1).is_some());
        sessions.end_all_of(&IdentityId::parse("al").unwrap());
        assert!(open(1).is_none() && open(2).is_none() && open(3).is_some());
    }

    #[test]
    fn an_analyst_says_what_for_and_a_call_says_it_on() {
        let (sessions, now) = (sessions(), Instant::now());
        let sign_in = SignIn { issuer: "https://login.example".parse().unwrap(), subject: "al".parse().unwrap() };
        sessions.begin(&secret(1), Means::Provider(sign_in.clone()), identity("al", Role::Analyst), now);
        let session = sessions.of(&secret(1), now).unwrap();
        assert!(session.lacks_purpose());
        sessions.set_purpose(&session, Purpose::parse("the annual report").unwrap());
        let session = sessions.of(&secret(1), now).unwrap();
        assert!(!session.lacks_purpose());
        let mut call = Request::new(());
        session.authorise(&mut call);
        assert_eq!(call.headers()[PURPOSE_HEADER], "the annual report");
        assert!(!call.headers().contains_key(AUTHORIZATION));
        assert_eq!(call.extensions().get::<SignedIn>().unwrap().0, sign_in);

        begin(&sessions, 2, "feed", now);
        let session = sessions.of(&secret(2), now).unwrap();
        assert!(!session.lacks_purpose());
        let mut call = Request::new(());
        session.authorise(&mut call);
        let header = &call.headers()[AUTHORIZATION];
        assert!(header.is_sensitive() && header.to_str().unwrap().starts_with("Bearer cps_"));
        assert!(!format!("{session:?} {call:?}").contains(&"07".repeat(32)), "a secret is never shown");
    }

    #[test]
    fn that_somebody_still_may_is_asked_again_after_a_while() {
        let (sessions, start) = (sessions(), Instant::now());
        begin(&sessions, 1, "al", start);
        let is_to_be_confirmed = |now| sessions.of(&secret(1), now).unwrap().is_to_be_confirmed(now);
        let later = start + CONFIRMED_MAX;
        assert!(!is_to_be_confirmed(start) && is_to_be_confirmed(later));
        let session = sessions.of(&secret(1), later).unwrap();
        let session = sessions.confirm(session, identity("al", Role::Steward), later);
        assert_eq!(session.identity().role, Role::Steward);
        assert!(!is_to_be_confirmed(later));
        assert_eq!(sessions.of(&secret(1), later).unwrap().identity().role, Role::Steward);
    }
}
