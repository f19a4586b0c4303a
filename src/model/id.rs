//! Identifiers: each its own type, parsed once, cheap to clone, ordered by text.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::text::LookAlike;
use super::violation::Quoted;

/// The text isn't an identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("found {}{}; allowed: {allowed}", Quoted(.found), LookAlike(.found))]
pub struct IdError {
    /// The text that was found.
    pub found: String,
    /// What is allowed.
    pub allowed: &'static str,
}

macro_rules! id_type {
    ($(#[$doc:meta])* $Name:ident, $valid:path, $allowed:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize, serde::Serialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $Name(Arc<str>);

        impl $Name {
            /// Parses an identifier.
            ///
            /// # Errors
            /// When the text isn't one; the error says what is allowed.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                if $valid(text) {
                    Ok(Self(Arc::from(text)))
                } else {
                    Err(IdError { found: text.to_owned(), allowed: $allowed })
                }
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $Name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $Name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(&text)
            }
        }

        impl From<$Name> for String {
            fn from(id: $Name) -> Self {
                id.0.as_ref().to_owned()
            }
        }

        impl fmt::Display for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $Name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $Name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

id_type!(
    /// The id of an agency: `hampshire-constabulary`.
    AgencyId, is_slug,
    "1 to 64 lower-case letters, digits and single hyphens, starting with a letter"
);
id_type!(
    /// The id of an indicator: `initial-contacts`.
    IndicatorId, is_slug,
    "1 to 64 lower-case letters, digits and single hyphens, starting with a letter"
);
id_type!(
    /// The id of a breakdown dimension: `age-band`.
    DimensionId, is_slug,
    "1 to 64 lower-case letters, digits and single hyphens, starting with a letter"
);
id_type!(
    /// The id of a category of a dimension: `0-to-4`.
    CategoryId, is_category,
    "1 to 64 lower-case letters, digits and single hyphens"
);
id_type!(
    /// The code of an area: an ONS code (`E10000014`) or a partnership's own (`HIPS`).
    AreaCode, is_area_code,
    "1 to 32 letters, digits and hyphens, an ONS code for a place that has one"
);
id_type!(
    /// The id of a reconciliation rule: `mash-referrals`.
    RuleId,
    is_slug,
    "1 to 64 lower-case letters, digits and single hyphens, starting with a letter"
);
id_type!(
    /// The id of a calendar: `england-and-wales`.
    CalendarId,
    is_slug,
    "1 to 64 lower-case letters, digits and single hyphens, starting with a letter"
);
id_type!(
    /// The id of a check of an indicator: `steady`.
    CheckId,
    is_slug,
    "1 to 64 lower-case letters, digits and single hyphens, starting with a letter"
);
id_type!(
    /// The name of an identity, somebody or something that calls: `hampshire-constabulary-feed`.
    IdentityId,
    is_slug,
    "1 to 64 lower-case letters, digits and single hyphens, starting with a letter"
);
id_type!(
    /// A URI that stands in a client certificate: `spiffe://partner.example/feed`.
    CertificateUri,
    is_certificate_uri,
    "a URI of 3 to 200 printable ASCII characters without spaces, as in spiffe://partner.example/feed or urn:…"
);
id_type!(
    /// The issuer of an OpenID Connect provider, exactly as the provider gives it: `https://login.partner.example/`.
    Issuer,
    is_issuer,
    "an https URL of 9 to 200 printable ASCII characters without spaces, user, query or fragment; http for localhost alone"
);
id_type!(
    /// By what an OpenID Connect provider knows somebody, for good: the `sub` of its tokens.
    Subject, is_subject,
    "1 to 255 printable ASCII characters, without spaces at the ends"
);
id_type!(
    /// A sender's own id for a request.
    RequestId, is_request_id,
    "1 to 64 printable ASCII characters without spaces"
);
id_type!(
    /// A sender's own id for a return of several submissions.
    ReturnId, is_request_id,
    "1 to 64 printable ASCII characters without spaces"
);

fn is_slug(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase()) && is_category(text)
}

fn is_category(text: &str) -> bool {
    let mut after_hyphen = true;
    let is_part = |b: u8| {
        let follows_hyphen = std::mem::replace(&mut after_hyphen, b == b'-');
        b.is_ascii_lowercase() || b.is_ascii_digit() || (b == b'-' && !follows_hyphen)
    };
    (1..=64).contains(&text.len()) && text.bytes().all(is_part) && !after_hyphen
}

fn is_area_code(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn is_certificate_uri(text: &str) -> bool {
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    (3..=200).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_graphic())
        && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
}

fn is_issuer(text: &str) -> bool {
    let is_plain = text.bytes().all(|b| b.is_ascii_graphic() && !b"?#@\\".contains(&b));
    let host_of = |rest: &str| rest.split('/').next().unwrap_or_default().to_owned();
    let has_host = match text.split_once("://") {
        Some(("https", rest)) => !host_of(rest).is_empty(),
        Some(("http", rest)) => is_this_machine(&host_of(rest)),
        Some(_) | None => false,
    };
    (9..=200).contains(&text.len()) && is_plain && has_host
}

/// Whether a URL's authority is this machine, with a port or without.
pub(crate) fn is_this_machine(authority: &str) -> bool {
    ["localhost", "127.0.0.1", "[::1]"].iter().any(|host| {
        let rest = authority.strip_prefix(host);
        rest.is_some_and(|port| port.is_empty() || port.strip_prefix(':').is_some_and(|it| it.parse::<u16>().is_ok()))
    })
}

fn is_subject(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic() || b == b' ') && text.trim() == text
}

fn is_request_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_slug_and_nothing_else() {
        for good in ["a", "hampshire-constabulary", "s47-to-conference"] {
            assert_eq!(IndicatorId::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "A", "4a", "-a", "a-", "a--b", "a b", "é", &"a".repeat(65)] {
            assert!(IndicatorId::parse(bad).is_err(), "{bad}");
        }
        assert!(CategoryId::parse("0-to-4").is_ok());
    }

    #[test]
    fn an_issuer_is_reached_over_tls_unless_it_is_this_machine() {
        for good in [
            "https://a",
            "https://login.example/tenant/v2.0",
            "https://login.example:8443/",
            "http://localhost",
            "http://localhost:3000/a",
            "http://127.0.0.1:3000",
            "http://[::1]:3000/",
        ] {
            assert_eq!(Issuer::parse(good).unwrap().as_str(), good);
        }
        let long = format!("https://{}", "a".repeat(200));
        for bad in [
            "",
            "https://",
            "https:///path",
            "HTTPS://login.example",
            "http://login.example",
            "http://localhost.example",
            "http://localhost:port",
            "http://localhost@login.example",
            "https://jo@login.example",
            "https://login.example?a",
            "https://login.example#a",
            "https://login.example\\a",
            "https://login.example/ a",
            "https://lögin.example",
            &long,
        ] {
            assert!(Issuer::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_subject_is_one_line_of_ascii() {
        for good in ["1", "auth0|5f7c8ec7c33c6c004bbafe82", "CN=Jo Bloggs,OU=Children", &"a".repeat(255)] {
            assert_eq!(Subject::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", " a", "a ", "a\nb", "jö", &"a".repeat(256)] {
            assert!(Subject::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_error_shows_what_was_found_and_what_is_allowed() {
        let long = "x".repeat(1000) + " ";
        assert_eq!(
            RequestId::parse("").unwrap_err().to_string(),
            "found nothing; allowed: 1 to 64 printable ASCII characters without spaces"
        );
        assert!(RequestId::parse(&long).unwrap_err().to_string().len() < 200);
    }
}
