//! What certificates are in PEM files, and until when they hold.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::model::timestamp::Timestamp;

/// How long before a certificate ends it is warned of.
const ENDING: Duration = Duration::from_secs(14 * 24 * 3_600);

/// The sections of one kind in a PEM file.
///
/// # Errors
/// In words, when one can't be read, or there is none: what the file was given for would silently not be done.
pub(super) fn sections<T: PemObject>(pem: &[u8], what: &str) -> Result<Vec<T>, String> {
    let found = T::pem_slice_iter(pem).collect::<Result<Vec<_>, pem::Error>>().map_err(|error| error.to_string())?;
    if found.is_empty() {
        return Err(format!("there is no {what} in it, as PEM"));
    }
    Ok(found)
}

/// A certificate of the server's, or an authority's, and when it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ends {
    path: PathBuf,
    subject: String,
    at: SystemTime,
}

impl Ends {
    /// Of each certificate of a file. One that can't be read, the use of it will show.
    pub(super) fn of(path: &Path, certificates: &[CertificateDer<'_>]) -> Vec<Self> {
        let one = |certificate: &CertificateDer<'_>| {
            let (_, read) = X509Certificate::from_der(certificate).ok()?;
            let seconds = u64::try_from(read.validity().not_after.timestamp()).unwrap_or(0);
            let at = UNIX_EPOCH + Duration::from_secs(seconds);
            Some(Self { path: path.to_owned(), subject: read.subject().to_string(), at })
        };
        certificates.iter().filter_map(one).collect()
    }

    /// How many seconds are left until it ends; negative once it has.
    pub(super) fn seconds_left(&self, now: SystemTime) -> i64 {
        let seconds = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
        self.at.duration_since(now).map_or_else(|ended| -seconds(ended.duration()), seconds)
    }

    /// What is to be said of it now: that it has ended, or soon will.
    pub(super) fn warning(&self, now: SystemTime) -> Option<String> {
        let left = self.at.duration_since(now).unwrap_or_default();
        if left > ENDING {
            return None;
        }
        Some(match left.as_secs() {
            0 => format!("{self} has expired"),
            seconds => format!("{self} ends soon: in {} days", seconds / (24 * 3_600)),
        })
    }
}

impl fmt::Display for Ends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.at.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let at = Timestamp(i64::try_from(at).unwrap_or(i64::MAX));
        write!(f, "the certificate of {} in {}, valid until {at},", self.subject, self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_warned_of_from_fourteen_days_before_it_ends() {
        const DAY: Duration = Duration::from_secs(24 * 3_600);
        let now = UNIX_EPOCH + 1_000 * DAY;
        let warning = |at| Ends { path: "server.pem".into(), subject: "CN=server".to_owned(), at }.warning(now);
        assert_eq!(warning(now + 15 * DAY), None);
        let left = |at| Ends { path: "server.pem".into(), subject: String::new(), at }.seconds_left(now);
        assert_eq!([left(now + DAY), left(now - DAY)], [86_400, -86_400]);
        let server = "the certificate of CN=server in server.pem, valid until";
        assert_eq!(warning(now + 13 * DAY), Some(format!("{server} 1972-10-10T00:00:00Z, ends soon: in 13 days")));
        assert_eq!(warning(now - DAY), Some(format!("{server} 1972-09-26T00:00:00Z, has expired")));
    }
}
