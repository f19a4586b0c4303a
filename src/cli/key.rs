//! `conspectus key`: the identities that may call, and their keys.

#[cfg(feature = "server")]
mod offline;

use clap::{Parser, Subcommand};

use super::connect::{Server, pages, refusal_to, response};
use super::failure::Failure;
use super::format::{json, time};
use super::next_step::NextStep;
use super::output;
use super::printout::Printout;
use super::table::{Align, Table};
use crate::access::Role;
use crate::catalogue::items::Sector;
use crate::rpc::proto::{
    self, CreateKeyRequest, CreateKeyResponse, ListKeysRequest, RevokeKeyRequest, RotateKeyRequest,
};

const PAGE: i32 = 1_000;

/// Create, list, replace and revoke API keys.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(flatten)]
    server: Server,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Create an identity and its first key. The key is printed only this once.
    #[command(
        after_help = "Examples:\n  conspectus key create --new --data conspectus-data --role operator jo\n  conspectus key create portsmouth-feed --role submitter --agency portsmouth-childrens-services"
    )]
    Create {
        /// The identity's name, such as portsmouth-feed.
        identity: String,
        /// Its role: submitter, corrector, reader, analyst, steward or operator.
        #[arg(long)]
        role: Role,
        /// The agency, by id, of a submitter or a corrector.
        #[arg(short = 'a', long, default_value = "")]
        agency: String,
        /// Limit an analyst to figures of agencies in these sectors.
        #[arg(long, value_delimiter = ',')]
        sector: Vec<Sector>,
        /// Limit an analyst to figures of these areas and the areas within them.
        #[arg(long, value_delimiter = ',')]
        area: Vec<String>,
        /// A URI in a client certificate that identifies it, exactly as in the certificate.
        #[arg(long, value_name = "URI")]
        certificate: Vec<String>,
        /// Whom an OpenID Connect provider knows it as, to sign in at the page: the provider's issuer, and its subject
        /// there.
        #[arg(long, num_args = 2, value_names = ["ISSUER", "SUBJECT"])]
        sign_in: Vec<String>,
        /// How many days the key is valid.
        #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(i32).range(1..))]
        days: i32,
        /// Create no key: it is identified by certificates and sign-ins alone.
        #[arg(long)]
        without_key: bool,
        #[cfg(feature = "server")]
        #[command(flatten)]
        offline: offline::Args,
    },
    /// List the identities and their keys.
    #[command(after_help = "Examples:\n  conspectus key list")]
    List {
        /// Print the answer as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Create a further key for an identity. The key is printed only this once; the old one stays
    /// valid for a while.
    #[command(after_help = "Examples:\n  conspectus key rotate portsmouth-feed")]
    Rotate {
        /// The identity's name.
        identity: String,
        /// How many days the key is valid.
        #[arg(long, default_value_t = 365, value_parser = clap::value_parser!(i32).range(1..))]
        days: i32,
        /// How many hours the old key stays valid.
        #[arg(long, default_value_t = 168)]
        overlap_hours: i32,
    },
    /// Revoke one of an identity's keys, or the identity with all its keys, certificates and sign-ins: its name
    /// is never given again.
    #[command(after_help = "Examples:\n  conspectus key revoke portsmouth-feed --key-id 0123456789abcdef")]
    Revoke {
        /// The identity's name.
        identity: String,
        /// Only this key, by its id.
        #[arg(long, value_name = "KEY_ID", default_value = "")]
        key_id: String,
    },
}

pub(super) async fn run(args: Args) -> Result<(), Failure> {
    let server = args.server;
    match args.verb {
        Verb::Create {
            identity,
            role,
            agency,
            sector,
            area,
            certificate,
            sign_in,
            days,
            without_key,
            #[cfg(feature = "server")]
            offline,
        } => {
            let request = CreateKeyRequest {
                identity,
                role: role.code(),
                agency,
                sectors: sector.into_iter().map(Sector::code).collect(),
                areas: area,
                certificates: certificate,
                days,
                without_key,
                sign_ins: sign_in.chunks_exact(2).map(sign_in_message).collect(),
            };
            #[cfg(feature = "server")]
            if let Some(folder) = &offline.data {
                let (secret, expires_at) = offline.create(folder, role, &request).await?;
                let (key_id, expires_at) = (secret.id().to_string(), expires_at.to_string());
                return print_key(&request.identity, &key_id, &expires_at, &secret.reveal());
            }
            create(&server, request).await
        }
        Verb::List { json } => list(&server, json).await,
        Verb::Rotate { identity, days, overlap_hours } => rotate(&server, identity, days, overlap_hours).await,
        Verb::Revoke { identity, key_id } => revoke(&server, identity, key_id).await,
    }
}

async fn create(server: &Server, request: CreateKeyRequest) -> Result<(), Failure> {
    let identity = request.identity.clone();
    let is_operator = request.role == Role::Operator.code();
    let mut client = server.keys().await.map_err(|failure| {
        // The first operator's key is made before any server runs.
        let step = (is_operator && cfg!(feature = "server")).then_some(NextStep::KeyInFolder);
        failure.and_try(step)
    })?;
    let created = client.create_key(request).await;
    let created = created.map_err(|status| refusal_to(&status, str::to_owned, instead_of_listing))?;
    let CreateKeyResponse { key_id, secret, expires_at, .. } = created.into_inner();
    if secret.is_empty() {
        output::print_line(format_args!("`{identity}` is created; its certificates and sign-ins identify it"))
    } else {
        print_key(&identity, &key_id, &time(expires_at.as_ref()), &secret)
    }
}

/// Only the key goes to standard output, for scripts.
/// An operator may not list the agencies and areas that there are.
fn instead_of_listing(step: NextStep) -> NextStep {
    if matches!(step, NextStep::Agencies | NextStep::Areas) { NextStep::PutCatalogue } else { step }
}

fn print_key(identity: &str, key_id: &str, expires_at: &str, secret: &str) -> Result<(), Failure> {
    output::note(format_args!(
        "Key {key_id} of `{identity}` is valid until {expires_at}. It is printed only this once, and stored nowhere:"
    ));
    output::print_line(secret)
}

/// The issuer and the subject of a sign-in, as they stand after `--sign-in`.
fn sign_in_message(pair: &[String]) -> proto::SignIn {
    let [issuer, subject] = [0, 1].map(|at| pair.get(at).cloned().unwrap_or_default());
    proto::SignIn { issuer, subject }
}

async fn rotate(server: &Server, identity: String, days: i32, overlap_hours: i32) -> Result<(), Failure> {
    let request = RotateKeyRequest { identity: identity.clone(), days, overlap_hours: Some(overlap_hours) };
    let answer = response(server.keys().await?.rotate_key(request).await)?;
    let older_until = time(answer.older_until.as_ref());
    output::note(format_args!("The key before it stays valid until {older_until} at the latest."));
    print_key(&identity, &answer.key_id, &time(answer.expires_at.as_ref()), &answer.secret)
}

async fn revoke(server: &Server, identity: String, key_id: String) -> Result<(), Failure> {
    let what = if key_id.is_empty() { format!("`{identity}`") } else { format!("Key {key_id} of `{identity}`") };
    let answer = response(server.keys().await?.revoke_key(RevokeKeyRequest { identity, key_id }).await)?;
    output::print_line(format_args!("{what} is revoked, at revision {}", answer.revision))
}

async fn list(server: &Server, as_json: bool) -> Result<(), Failure> {
    let mut client = server.keys().await?;
    let mut answer = proto::ListKeysResponse::default();
    let list = async |page_token| client.list_keys(ListKeysRequest { page_size: PAGE, page_token }).await;
    pages(list, |page| {
        answer.revision = page.revision;
        answer.identities.extend(page.identities);
        page.next_page_token
    })
    .await?;
    if as_json {
        return output::print_line(json(&answer, "ListKeysResponse")?);
    }
    let headings = ["identity", "role", "for", "credential", "since", "until", "last used"];
    let mut table = Table::new(headings.map(|heading| (heading, Align::Left)));
    for identity in answer.identities {
        rows(&mut table, &identity);
    }
    output::show(&Printout::default().table(table))
}

/// A row for each key, certificate and sign-in of an identity.
fn rows(table: &mut Table, identity: &proto::Identity) {
    let role = Role::from_code(identity.role).map(|role| role.to_string()).unwrap_or_default();
    let sectors = identity.sectors.iter().filter_map(|code| Sector::from_code(*code)).map(|sector| sector.to_string());
    let scope: Vec<String> = std::iter::once(identity.agency.clone())
        .filter(|agency| !agency.is_empty())
        .chain(sectors)
        .chain(identity.areas.iter().cloned())
        .collect();
    let mut first = [identity.id.clone(), role, scope.join(" ")];
    let mut push = |credential: String, since: String, until: String, used: String| {
        let [id, role, scope] = std::mem::take(&mut first);
        table.push([id, role, scope, credential, since, until, used]);
    };
    let gone = identity.revoked_at.as_ref();
    for key in &identity.keys {
        let until = match key.revoked_at.as_ref().or(gone) {
            Some(revoked) => format!("revoked {}", time(Some(revoked))),
            None => time(key.expires_at.as_ref()),
        };
        push(format!("key {}", key.id), time(key.issued_at.as_ref()), until, time(key.last_used_at.as_ref()));
    }
    let sign_ins = identity.sign_ins.iter().map(|sign_in| format!("{} at {}", sign_in.subject, sign_in.issuer));
    for name in identity.certificates.iter().cloned().chain(sign_ins) {
        let until = gone.map(|at| format!("revoked {}", time(Some(at)))).unwrap_or_default();
        push(name, time(identity.created_at.as_ref()), until, String::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::terminal::Terminal;

    #[test]
    fn each_sign_in_is_an_issuer_and_a_subject() {
        let line = "key create al --role analyst --sign-in https://a 1 --without-key --sign-in https://b 2";
        let Verb::Create { sign_in, .. } = Args::parse_from(line.split(' ')).verb else { panic!() };
        let pairs: Vec<_> = sign_in.chunks_exact(2).map(sign_in_message).collect();
        let pair = |issuer: &str, subject: &str| proto::SignIn { issuer: issuer.into(), subject: subject.into() };
        assert_eq!(pairs, [pair("https://a", "1"), pair("https://b", "2")]);
        assert!(Args::try_parse_from("key create al --role analyst --sign-in https://a".split(' ')).is_err());
    }

    #[test]
    fn an_identity_has_a_row_for_each_of_its_credentials() {
        let mut table = Table::new(["", "", "", "", "", "", ""].map(|heading| (heading, Align::Left)));
        let identity = proto::Identity {
            id: "al".to_owned(),
            certificates: vec!["urn:al".to_owned()],
            keys: vec![proto::Key { id: "01".to_owned(), ..proto::Key::default() }],
            sign_ins: vec![sign_in_message(&["https://login.example".to_owned(), "7".to_owned()])],
            ..proto::Identity::default()
        };
        rows(&mut table, &identity);
        let text = table.laid_out(Terminal { columns: None, has_colour: false });
        for credential in ["key 01", "urn:al", "7 at https://login.example"] {
            assert!(text.contains(credential), "{text}");
        }
    }
}
