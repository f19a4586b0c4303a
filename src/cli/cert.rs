//! `conspectus cert`: an authority and certificates for development. In production they come from
//! the partnership's own authority.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason, RevokedCertParams, SanType,
    SerialNumber,
};
use time::{Duration, OffsetDateTime};

use super::failure::Failure;
use super::next_step::NextStep;
use super::{format, output};
use crate::model::hex::{self, Hex};
use crate::model::id::CertificateUri;

/// Make an authority and certificates for development and tests. They are not for production: the
/// authority's private key is in the folder, unencrypted.
#[derive(Debug, Parser)]
pub(super) struct Args {
    /// The folder that the files are kept in.
    #[arg(long, global = true, default_value = "conspectus-certs", value_name = "FOLDER")]
    folder: PathBuf,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make the authority: ca.pem, ca-key.pem, and an empty list of revoked certificates, ca-crl.pem.
    #[command(after_help = "Examples:\n  conspectus cert authority")]
    Authority {
        /// How many days it is valid.
        #[arg(long, default_value_t = 365)]
        days: u32,
    },
    /// Make a server's certificate: NAME.pem and NAME-key.pem.
    #[command(after_help = "Examples:\n  conspectus cert server --host figures.partner.example")]
    Server {
        /// The files' name.
        #[arg(long, default_value = "server")]
        name: String,
        /// The hosts that it is valid for: names or addresses.
        #[arg(long, value_delimiter = ',', default_value = "localhost,127.0.0.1,::1")]
        host: Vec<String>,
        /// How many days it is valid.
        #[arg(long, default_value_t = 90)]
        days: u32,
    },
    /// Make a client's certificate: NAME.pem and NAME-key.pem.
    #[command(after_help = "Examples:\n  conspectus cert client portsmouth-feed --uri urn:partner:portsmouth-feed")]
    Client {
        /// The files' name.
        name: String,
        /// The URI in it, which identifies its holder: `conspectus key create --certificate URI`.
        #[arg(long)]
        uri: CertificateUri,
        /// How many days it is valid.
        #[arg(long, default_value_t = 90)]
        days: u32,
    },
    /// Write the list of revoked certificates, ca-crl.pem: those of these names, and no others.
    #[command(after_help = "Examples:\n  conspectus cert revoke portsmouth-feed")]
    Revoke {
        /// The files' names.
        names: Vec<String>,
    },
}

/// How far another machine's clock may be behind.
const CLOCK_SKEW: Duration = Duration::minutes(5);

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let folder = args.folder;
    match args.verb {
        Verb::Authority { days } => authority(&folder, days),
        Verb::Server { name, host, days } => {
            let params = CertificateParams::new(host)?;
            issue(&folder, &name, params, ExtendedKeyUsagePurpose::ServerAuth, days)
        }
        Verb::Client { name, uri, days } => {
            let mut params = CertificateParams::default();
            params.subject_alt_names.push(SanType::URI(uri.as_str().try_into()?));
            issue(&folder, &name, params, ExtendedKeyUsagePurpose::ClientAuth, days)
        }
        Verb::Revoke { names } => revoke(&folder, &names),
    }
}

fn authority(folder: &Path, days: u32) -> Result<(), Failure> {
    for name in ["ca-key.pem", "ca.pem"] {
        let path = folder.join(name);
        if path.try_exists()? {
            return Err(Failure::failed(format!(
                "{} is there: another authority would make every certificate of this one useless. Give another --folder, or remove the file first",
                path.display()
            )));
        }
    }
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut params = CertificateParams::default();
    params.distinguished_name = distinguished_name("conspectus development authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, days);
    let key = KeyPair::generate()?;
    let pem = key.serialize_pem();
    let issuer = CertifiedIssuer::self_signed(params, key)?;
    write(folder, "ca-key.pem", &pem, true)?;
    write(folder, "ca.pem", &issuer.pem(), false)?;
    write(folder, "ca-crl.pem", &list(&issuer, Vec::new())?, false)?;
    output::print_line(folder.join("ca.pem").display())
}

fn issue(
    folder: &Path,
    name: &str,
    mut params: CertificateParams,
    usage: ExtendedKeyUsagePurpose,
    days: u32,
) -> Result<(), Failure> {
    let issuer = issuer(folder)?;
    params.distinguished_name = distinguished_name(name);
    params.extended_key_usages = vec![usage];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    let serial = serial()?;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    set_validity(&mut params, days);
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &issuer)?;
    write(folder, &format!("{name}-key.pem"), &key.serialize_pem(), true)?;
    write(folder, &format!("{name}.serial"), &Hex(&serial).to_string(), false)?;
    write(folder, &format!("{name}.pem"), &certificate.pem(), false)?;
    output::print_line(folder.join(format!("{name}.pem")).display())
}

fn revoke(folder: &Path, names: &[String]) -> Result<(), Failure> {
    let issuer = issuer(folder)?;
    let mut revoked = Vec::new();
    for name in names {
        let path = folder.join(format!("{name}.serial"));
        let text = std::fs::read_to_string(&path)
            .map_err(|error| Failure::failed(format!("can't read {}: {error}", path.display())))?;
        revoked.push(RevokedCertParams {
            serial_number: SerialNumber::from_slice(
                &hex::parse_all(text.trim())
                    .ok_or_else(|| Failure::failed(format!("{} contains no serial number", path.display())))?,
            ),
            revocation_time: OffsetDateTime::now_utc(),
            reason_code: Some(RevocationReason::CessationOfOperation),
            invalidity_date: None,
        });
    }
    write(folder, "ca-crl.pem", &list(&issuer, revoked)?, false)?;
    output::print_line(format::counted(names.len(), "certificate is revoked", "certificates are revoked"))
}

fn list(issuer: &rcgen::Issuer<'_, KeyPair>, revoked: Vec<RevokedCertParams>) -> Result<String, Failure> {
    let now = OffsetDateTime::now_utc();
    let number = u64::try_from(now.unix_timestamp_nanos()).unwrap_or(0);
    let list = CertificateRevocationListParams {
        this_update: now - CLOCK_SKEW,
        next_update: now + Duration::days(365),
        crl_number: SerialNumber::from(number),
        issuing_distribution_point: None,
        revoked_certs: revoked,
        key_identifier_method: KeyIdMethod::Sha256,
    };
    Ok(list.signed_by(issuer)?.pem()?)
}

fn issuer(folder: &Path) -> Result<rcgen::Issuer<'static, KeyPair>, Failure> {
    let read = |name: &str| {
        let path = folder.join(name);
        std::fs::read_to_string(&path).map_err(|error| {
            Failure::failed(format!("can't read {}: {error}", path.display())).and_try(Some(NextStep::MakeAuthority))
        })
    };
    let key = KeyPair::from_pem(&read("ca-key.pem")?)?;
    Ok(rcgen::Issuer::from_ca_cert_pem(&read("ca.pem")?, key)?)
}

fn distinguished_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

fn set_validity(params: &mut CertificateParams, days: u32) {
    let now = OffsetDateTime::now_utc();
    params.not_before = now - CLOCK_SKEW;
    params.not_after = now + Duration::days(i64::from(days));
}

fn serial() -> Result<[u8; 16], Failure> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    // A serial number is positive, and its first byte isn't 0.
    bytes[0] &= 0x7f;
    bytes[0] |= 0x40;
    Ok(bytes)
}

/// Writes a file whole or not at all; a private one for its owner only.
fn write(folder: &Path, name: &str, text: &str, private: bool) -> Result<(), Failure> {
    let (path, fresh) = (folder.join(name), folder.join(format!("{name}.new")));
    let mode = if private { 0o600 } else { 0o644 };
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&fresh)?;
        // It may have been there, with other rights.
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&fresh, &path)
    };
    write().map_err(|error| Failure::failed(format!("can't write {}: {error}", path.display())))
}
