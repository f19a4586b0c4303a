//! The two cookies of the page, each a secret of random bits and nothing else.

use std::time::Duration;

use tonic::codegen::http::header::{COOKIE, HeaderMap, HeaderValue};

use super::address::WebUrl;
use crate::model::hex::{self, Hex};

const SECRET_BYTES: usize = 32;
const HASH_CONTEXT: &str = "conspectus page cookie v1";
const CSRF_CONTEXT: &str = "conspectus page form v1";

/// What a browser has in a cookie: 256 random bits. It is never kept: a hash of it is.
#[derive(Clone, PartialEq, Eq)]
pub struct CookieSecret([u8; SECRET_BYTES]);

impl std::fmt::Debug for CookieSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CookieSecret(..)")
    }
}

impl CookieSecret {
    /// The secret that random bytes make.
    pub fn from_random(bytes: [u8; SECRET_BYTES]) -> Self {
        Self(bytes)
    }

    /// What is kept of it: whoever reads the server's memory from outside can't make the cookie of that.
    pub(super) fn hash(&self) -> CookieHash {
        CookieHash(blake3::derive_key(HASH_CONTEXT, &self.0))
    }

    /// What a form sends back, as proof that it was made for the browser that has this cookie: another hash.
    pub(super) fn csrf(&self) -> blake3::Hash {
        blake3::Hash::from_bytes(blake3::derive_key(CSRF_CONTEXT, &self.0))
    }
}

/// What is kept of a [`CookieSecret`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct CookieHash([u8; SECRET_BYTES]);

impl std::fmt::Debug for CookieHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CookieHash(..)")
    }
}

/// A cookie of the page.
#[derive(Debug, Clone, Copy)]
pub(super) enum Cookie {
    /// Of whoever has signed in.
    Session,
    /// Of a browser in which somebody is about to.
    SigningIn,
}

impl Cookie {
    /// With the prefix, browsers take it from this host alone, over TLS, for all of its paths. Where there is no TLS,
    /// which is this machine alone, not all of them take such a cookie.
    fn name(self, at: &WebUrl) -> &'static str {
        match (self, at.is_secure()) {
            (Self::Session, true) => "__Host-conspectus",
            (Self::Session, false) => "conspectus",
            (Self::SigningIn, true) => "__Host-conspectus-sign-in",
            (Self::SigningIn, false) => "conspectus-sign-in",
        }
    }

    /// The secret that a browser sends; none when it sends two, of which one may be somebody else's.
    pub(super) fn read(self, at: &WebUrl, headers: &HeaderMap) -> Option<CookieSecret> {
        let name = self.name(at);
        let all = headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
        let pairs = all.flat_map(|header| header.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut values = pairs.filter(|(of, _)| *of == name).map(|(_, value)| value);
        let value = values.next()?;
        if values.next().is_some() { None } else { hex::parse(value).map(CookieSecret) }
    }

    /// The header that gives a browser the cookie for a time, in whole seconds.
    pub(super) fn set(self, at: &WebUrl, secret: &CookieSecret, for_time: Duration) -> HeaderValue {
        self.header(at, &Hex(&secret.0).to_string(), for_time.as_secs())
    }

    /// The header that takes it away.
    pub(super) fn clear(self, at: &WebUrl) -> HeaderValue {
        self.header(at, "", 0)
    }

    fn header(self, at: &WebUrl, value: &str, max_age_seconds: u64) -> HeaderValue {
        let secure = if at.is_secure() { "; Secure" } else { "" };
        let text =
            format!("{}={value}; Path=/; Max-Age={max_age_seconds}; HttpOnly; SameSite=Lax{secure}", self.name(at));
        let mut header = HeaderValue::try_from(text).expect("names and hexadecimal digits are visible ASCII");
        header.set_sensitive(true);
        header
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> WebUrl {
        text.parse().unwrap()
    }

    fn sent(cookies: &[&str]) -> HeaderMap {
        cookies.iter().map(|cookie| (COOKIE, cookie.parse().unwrap())).collect()
    }

    #[test]
    fn a_cookie_is_the_hosts_own_and_out_of_reach_of_scripts_and_other_sites() {
        let secret = CookieSecret([0xab; 32]);
        let hour = Duration::from_secs(3_600);
        assert_eq!(
            Cookie::Session.set(&at("https://figures.example"), &secret, hour),
            format!("__Host-conspectus={}; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax; Secure", "ab".repeat(32))
        );
        assert_eq!(
            Cookie::SigningIn.clear(&at("http://localhost:8080")),
            "conspectus-sign-in=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax"
        );
    }

    #[test]
    fn a_cookie_is_read_among_others_and_not_when_there_are_two() {
        let at = at("https://figures.example");
        let secret = CookieSecret([1; 32]);
        let pair = format!("__Host-conspectus={}", "01".repeat(32));
        for good in [
            sent(&[&pair]),
            sent(&[&format!("a=b; {pair};c=d")]),
            sent(&["a=b", &pair]),
            sent(&[&format!("conspectus={}; {pair}", "02".repeat(32))]),
        ] {
            assert_eq!(Cookie::Session.read(&at, &good), Some(secret.clone()), "{good:?}");
        }
        for bad in [
            sent(&[]),
            sent(&[&format!("{pair}; {pair}")]),
            sent(&[&pair, &format!("__Host-conspectus={}", "02".repeat(32))]),
            sent(&[&pair[..pair.len() - 1]]),
            sent(&["__Host-conspectus"]),
            sent(&[&pair.to_lowercase()]),
        ] {
            assert_eq!(Cookie::Session.read(&at, &bad), None, "{bad:?}");
        }
        assert_eq!(Cookie::SigningIn.read(&at, &sent(&[&pair])), None);
    }

    #[test]
    fn nothing_that_is_kept_or_shown_gives_the_secret_away() {
        let secret = CookieSecret([7; 32]);
        assert_eq!(format!("{secret:?} {:?}", secret.hash()), "CookieSecret(..) CookieHash(..)");
        assert_ne!(secret.hash().0, *secret.csrf().as_bytes());
        assert_ne!(secret.hash().0, secret.0);
    }
}
