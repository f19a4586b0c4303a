//! Which versions of TLS are accepted.

use std::fmt;
use std::str::FromStr;

use tokio_rustls::rustls::{SupportedProtocolVersion, version};

use crate::model::violation::Quoted;

/// A version of TLS that a server may be asked to accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Version {
    /// TLS 1.2, which old desktops have: only with ECDHE and an AEAD cipher, as rustls has no other.
    V1_2,
    /// TLS 1.3.
    #[default]
    V1_3,
}

impl Version {
    /// What is accepted when this is the oldest.
    pub(super) fn and_newer(self) -> &'static [&'static SupportedProtocolVersion] {
        static FROM_1_2: [&SupportedProtocolVersion; 2] = [&version::TLS13, &version::TLS12];
        static FROM_1_3: [&SupportedProtocolVersion; 1] = [&version::TLS13];
        match self {
            Self::V1_2 => &FROM_1_2,
            Self::V1_3 => &FROM_1_3,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1_2 => "1.2",
            Self::V1_3 => "1.3",
        })
    }
}

/// The text isn't a [`Version`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("found {}; allowed: 1.2 or 1.3", Quoted(.0))]
pub struct NotAVersion(String);

impl FromStr for Version {
    type Err = NotAVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "1.2" => Ok(Self::V1_2),
            "1.3" => Ok(Self::V1_3),
            other => Err(NotAVersion(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio_rustls::rustls::crypto::ring;

    use super::*;

    #[test]
    fn a_version_is_read_as_it_is_written() {
        for version in [Version::V1_2, Version::V1_3] {
            assert_eq!(version.to_string().parse(), Ok(version));
        }
        let error = "TLSv1.2".parse::<Version>().unwrap_err();
        assert_eq!(error.to_string(), "found `TLSv1.2`; allowed: 1.2 or 1.3");
    }

    #[test]
    fn tls_1_2_is_offered_with_ephemeral_keys_and_authenticated_encryption_alone() {
        let suites = ring::default_provider().cipher_suites;
        let of_1_2 = suites.iter().filter(|suite| *suite.version() == version::TLS12);
        let names: Vec<String> = of_1_2.map(|suite| format!("{:?}", suite.suite())).collect();
        assert_eq!(
            names,
            [
                "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
                "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
                "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
                "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
                "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
                "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
            ]
        );
    }
}
