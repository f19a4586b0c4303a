//! Where browsers reach the page.

use std::fmt;
use std::str::FromStr;

use tonic::codegen::http::Uri;

use crate::model::id::is_this_machine;
use crate::model::violation::Quoted;

/// The page's public address, without a path: its origin, as browsers write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebUrl {
    origin: String,
    is_secure: bool,
}

/// The text isn't an address that the page can have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "found {}; allowed: https://HOST or https://HOST:PORT in lower case, as browsers show it; http for localhost alone",
    Quoted(.0)
)]
pub struct NotAWebUrl(String);

impl FromStr for WebUrl {
    type Err = NotAWebUrl;

    fn from_str(text: &str) -> Result<Self, NotAWebUrl> {
        let origin = text.strip_suffix('/').unwrap_or(text);
        let uri = Uri::try_from(origin).map_err(|_| NotAWebUrl(text.to_owned()))?;
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let is_secure = uri.scheme_str() == Some("https");
        let default_port = if is_secure { ":443" } else { ":80" };
        let is_origin = origin == format!("{}://{authority}", uri.scheme_str().unwrap_or_default())
            && origin == origin.to_lowercase()
            && !authority.contains('@')
            && !authority.ends_with(default_port);
        let is_private = is_secure || (uri.scheme_str() == Some("http") && is_this_machine(authority));
        if is_origin && is_private && uri.host().is_some_and(|host| !host.is_empty()) {
            Ok(Self { origin: origin.to_owned(), is_secure })
        } else {
            Err(NotAWebUrl(text.to_owned()))
        }
    }
}

impl fmt::Display for WebUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.origin)
    }
}

impl WebUrl {
    /// The origin, as the header `Origin` has it.
    pub(super) fn origin(&self) -> &str {
        &self.origin
    }

    /// Whether browsers reach it over TLS; otherwise it is this machine's own.
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_an_origin_as_browsers_write_it() {
        for (good, is_secure) in [
            ("https://figures.partner.example", true),
            ("https://figures.partner.example/", true),
            ("https://figures.partner.example:8443", true),
            ("http://localhost:8080", false),
            ("http://127.0.0.1:8080", false),
            ("http://[::1]:8080", false),
        ] {
            let url: WebUrl = good.parse().unwrap();
            assert_eq!((url.to_string().as_str(), url.is_secure()), (good.trim_end_matches('/'), is_secure));
        }
        for bad in [
            "",
            "figures.partner.example",
            "http://figures.partner.example",
            "https://figures.partner.example/page",
            "https://figures.partner.example?a",
            "https://figures.partner.example:443",
            "https://Figures.partner.example",
            "https://jo@figures.partner.example",
            "https://",
            "ftp://localhost",
        ] {
            assert!(bad.parse::<WebUrl>().is_err(), "{bad}");
        }
    }
}
