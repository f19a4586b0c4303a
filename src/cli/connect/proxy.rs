//! Which proxy a server is reached through, if any.

use std::fmt;
use std::net::IpAddr;

use hyper_util::client::proxy::matcher::Matcher;
use tonic::codegen::http::{HeaderValue, Uri, uri};

use super::super::failure::Failure;

/// The variables of the desktop, the first that is set counting. Names in capitals come first, as with most programs.
const PROXY_VARIABLES: [&str; 2] = ["HTTPS_PROXY", "https_proxy"];
const NO_PROXY_VARIABLES: [&str; 2] = ["NO_PROXY", "no_proxy"];

/// A proxy that connects to a server by HTTP's CONNECT.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Proxy {
    pub(super) host: String,
    pub(super) port: u16,
    /// What goes into the header `proxy-authorization`.
    pub(super) authorization: Option<HeaderValue>,
    /// Where it is named.
    source: &'static str,
}

impl Proxy {
    /// The proxy of a server: the one that is given, or else, for a server with TLS that isn't this machine, that of
    /// the desktop. An empty text is none. `variable` reads a variable of the environment.
    ///
    /// # Errors
    /// When it isn't the address of a proxy that can be used. The text isn't shown: there may be a password in it.
    pub(super) fn choose(
        given: Option<&str>,
        server: &Uri,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, Failure> {
        let first = |names: [&'static str; 2]| names.into_iter().find_map(|name| Some((name, variable(name)?)));
        let of_the_desktop = || first(PROXY_VARIABLES).filter(|_| is_remote_https(server));
        let Some((source, text)) = given.map(|given| ("--proxy", given.to_owned())).or_else(of_the_desktop) else {
            return Ok(None);
        };
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        let Some(proxy) = Self::parse(text, source) else {
            return Err(Failure::usage(format!(
                "{source}: found something else; allowed: http://HOST:PORT, or http://NAME:PASSWORD@HOST:PORT with special characters as %40"
            )));
        };
        let exempt = first(NO_PROXY_VARIABLES).map(|(_, names)| names).unwrap_or_default();
        let is_exempt = Matcher::builder().all(text).no(exempt).build().intercept(server).is_none();
        Ok((!is_exempt).then_some(proxy))
    }

    pub(super) fn parse(text: &str, source: &'static str) -> Option<Self> {
        let any_server = Uri::from_static("https://server.example");
        let found = Matcher::builder().all(text).build().intercept(&any_server)?;
        let uri = found.uri();
        // An `@` in the password is left of one that isn't encoded.
        let is_whole = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
        (uri.scheme() == Some(&uri::Scheme::HTTP) && is_whole).then_some(())?;
        Some(Self {
            host: uri.host().filter(|host| !host.is_empty())?.to_owned(),
            port: uri.port_u16().unwrap_or(80),
            authorization: found.basic_auth().cloned(),
            source,
        })
    }

    /// Where it is named: an option or a variable.
    pub(crate) fn source(&self) -> &'static str {
        self.source
    }
}

/// Without a name and a password.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}:{}", self.host, self.port)
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

fn is_remote_https(server: &Uri) -> bool {
    server.scheme() == Some(&uri::Scheme::HTTPS) && !is_this_machine(server.host().unwrap_or_default())
}

/// Whether a host of a URI is this machine by its name or address.
pub(super) fn is_this_machine(host: &str) -> bool {
    let host = host.trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &str = "https://conspectus.example:50051";

    fn chosen(given: Option<&str>, server: &'static str, variables: &[(&str, &str)]) -> Option<String> {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let proxy = Proxy::choose(given, &Uri::from_static(server), variable).unwrap();
        proxy.map(|proxy| format!("{proxy} by {}", proxy.source()))
    }

    #[test]
    fn the_proxy_is_the_one_that_is_given_or_that_of_the_desktop() {
        let desktop = ("HTTPS_PROXY", "http://desktop.example:8080");
        let lower = ("https_proxy", "lower.example:3128");
        let given = Some("http://given.example");
        assert_eq!(chosen(None, SERVER, &[]), None);
        assert_eq!(chosen(None, SERVER, &[lower]).unwrap(), "http://lower.example:3128 by https_proxy");
        assert_eq!(chosen(None, SERVER, &[lower, desktop]).unwrap(), "http://desktop.example:8080 by HTTPS_PROXY");
        assert_eq!(chosen(given, SERVER, &[desktop]).unwrap(), "http://given.example:80 by --proxy");
        assert_eq!(chosen(Some(""), SERVER, &[desktop]), None);
        // The variable is for what is encrypted, and for other machines; the option is for whatever it is given with.
        for server in ["http://conspectus.example:50051", "https://localhost:50051", "https://[::1]:50051"] {
            assert_eq!(chosen(None, server, &[desktop]), None, "{server}");
            assert!(chosen(given, server, &[]).is_some(), "{server}");
        }
    }

    #[test]
    fn a_server_may_be_exempt() {
        for exempt in ["conspectus.example", ".example", "other, example", "*"] {
            for name in NO_PROXY_VARIABLES {
                let variables = [(name, exempt), ("HTTPS_PROXY", "http://desktop.example:8080")];
                assert_eq!(chosen(None, SERVER, &variables), None, "{exempt}");
                assert_eq!(chosen(Some("http://given.example"), SERVER, &variables), None, "{exempt}");
            }
        }
        let other = [("NO_PROXY", "other.example"), ("HTTPS_PROXY", "http://desktop.example:8080")];
        assert!(chosen(None, SERVER, &other).is_some());
    }

    #[test]
    fn a_name_and_a_password_are_decoded_and_never_shown() {
        let proxy = Proxy::parse("http://j%40ne:p%3Ass%20word@proxy.example:8080", "--proxy").unwrap();
        // j@ne:p:ss word
        assert_eq!(proxy.authorization.as_ref().unwrap(), "Basic akBuZTpwOnNzIHdvcmQ=");
        assert_eq!(format!("{proxy} {proxy:?}"), "http://proxy.example:8080 Proxy(http://proxy.example:8080)");
        assert!(!format!("{:?}", proxy.authorization).contains("akBuZ"));
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_being_shown() {
        for text in [
            "https://proxy.example",
            "socks5://jo:secret@proxy.example",
            "http://",
            "jo:se cret@proxy",
            "http://jo:p@ss@proxy",
        ] {
            let refused = Proxy::choose(Some(text), &Uri::from_static(SERVER), |_| None).unwrap_err();
            let Failure::Message(_, message) = refused else { panic!("{text}") };
            assert!(message.starts_with("--proxy: found something else; allowed: http://HOST:PORT"), "{message}");
        }
    }
}
