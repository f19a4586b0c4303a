//! What a server's certificate says of itself.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use tokio_rustls::rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

use crate::model::text::visible;
use crate::model::timestamp::Timestamp;

/// What a server's certificate says of itself. Nobody has verified it yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Certificate {
    /// Whose it is, and who issued it: distinguished names.
    pub(crate) subject: String,
    pub(crate) issuer: String,
    /// The hosts that it is for.
    pub(crate) names: Vec<String>,
    /// From when and until when it is valid.
    pub(crate) from: Timestamp,
    pub(crate) until: Timestamp,
}

impl Certificate {
    /// That of these bytes; none if they aren't one.
    pub(super) fn read(der: &CertificateDer<'_>) -> Option<Self> {
        const MICROS_A_SECOND: i64 = 1_000_000;
        let (_, read) = X509Certificate::from_der(der).ok()?;
        let instant = |seconds: i64| Timestamp(seconds.saturating_mul(MICROS_A_SECOND));
        let names = read.subject_alternative_name().ok().flatten().map(|names| &names.value.general_names);
        Some(Self {
            subject: visible(&read.subject().to_string()).into_owned(),
            issuer: visible(&read.issuer().to_string()).into_owned(),
            names: names.into_iter().flatten().filter_map(host).collect(),
            from: instant(read.validity().not_before.timestamp()),
            until: instant(read.validity().not_after.timestamp()),
        })
    }
}

/// A host that a certificate is for: a name or an address.
fn host(name: &GeneralName<'_>) -> Option<String> {
    if let GeneralName::DNSName(name) = name {
        return Some(visible(name).into_owned());
    }
    let GeneralName::IPAddress(bytes) = name else { return None };
    let v4 = <[u8; 4]>::try_from(*bytes).map(|bytes| Ipv4Addr::from(bytes).to_string());
    v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(|bytes| Ipv6Addr::from(bytes).to_string())).ok()
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, issued by {}, valid until {}", self.subject, self.issuer, self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_says_whose_it_is_and_for_which_hosts() {
        let key = rcgen::KeyPair::generate().unwrap();
        let hosts = ["conspectus.example", "192.0.2.7", "2001:db8::7"].map(str::to_owned);
        let mut params = rcgen::CertificateParams::new(hosts).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "the\u{202e} server");
        (params.not_before, params.not_after) = (time::OffsetDateTime::UNIX_EPOCH, time::OffsetDateTime::UNIX_EPOCH);
        let read = Certificate::read(params.self_signed(&key).unwrap().der()).unwrap();
        assert_eq!(read.names, ["conspectus.example", "192.0.2.7", "2001:db8::7"]);
        let name = "CN=the\\u{202e} server";
        assert_eq!(read.to_string(), format!("{name}, issued by {name}, valid until 1970-01-01T00:00:00Z"));
    }

    #[test]
    fn what_is_not_a_certificate_says_nothing() {
        assert_eq!(Certificate::read(&CertificateDer::from(vec![1, 2, 3])), None);
    }
}
