//! Who may call, who has called, and what answers, as tables: of keys, of the audit log, and of the service.

use super::{Cell, ListTable, code};
use crate::access::Role;
use crate::catalogue::items::Sector;
use crate::model::hex::Hex;
use crate::rpc::proto::{AuditEvent, AuditLine, GetCallerResponse, Identity, Key};

const KEYS: [&str; 14] = [
    "identity",
    "role",
    "agency",
    "sectors",
    "areas",
    "created_at",
    "revoked_at",
    "credential",
    "credential_id",
    "issued_at",
    "expires_at",
    "credential_revoked_at",
    "last_used_at",
    "revision",
];

/// The table of identities: a row for each of the credentials of one.
pub(crate) fn keys(revision: i64) -> ListTable<Identity> {
    ListTable::new("Who may call, and their keys", KEYS, move |identity: &Identity| {
        let sectors = identity.sectors.iter().filter_map(|code| Sector::from_code(*code));
        let of = [
            Cell::text(&identity.id),
            code(Role::from_code(identity.role)),
            Cell::text(&identity.agency),
            Cell::Text(sectors.map(|sector| sector.to_string()).collect::<Vec<_>>().join(" ")),
            Cell::Text(identity.areas.join(" ")),
            Cell::instant(identity.created_at.as_ref()),
            Cell::instant(identity.revoked_at.as_ref()),
        ];
        let keys = identity.keys.iter().map(|key| ("key", key.clone()));
        // Of what is no key the service knows the name alone.
        let other = |id: String| Key { id, ..Key::default() };
        let certificates = identity.certificates.iter().map(|uri| ("certificate", other(uri.clone())));
        let sign_in = |it: &crate::rpc::proto::SignIn| ("sign-in", other(format!("{} at {}", it.subject, it.issuer)));
        let mut credentials: Vec<(&str, Key)> =
            keys.chain(certificates).chain(identity.sign_ins.iter().map(sign_in)).collect();
        if credentials.is_empty() {
            credentials.push(("", Key::default()));
        }
        let row = |(kind, key): (&str, Key)| {
            let own = [
                Cell::text(kind),
                Cell::text(&key.id),
                Cell::instant(key.issued_at.as_ref()),
                Cell::instant(key.expires_at.as_ref()),
                Cell::instant(key.revoked_at.as_ref()),
                Cell::instant(key.last_used_at.as_ref()),
                Cell::count(revision),
            ];
            of.iter().cloned().chain(own).collect()
        };
        credentials.into_iter().map(row).collect()
    })
}

const AUDIT: [&str; 12] = [
    "line",
    "at",
    "event",
    "identity",
    "credential",
    "address",
    "method",
    "scope",
    "question_hash",
    "purpose",
    "revision",
    "outcome",
];

/// The table of lines of the audit log.
pub(crate) fn audit() -> ListTable<AuditLine> {
    ListTable::new("The audit log", AUDIT, |line: &AuditLine| {
        let event = line.event();
        vec![vec![
            Cell::count(line.number),
            Cell::instant(line.at.as_ref()),
            Cell::text(if event == AuditEvent::Unspecified { "" } else { event.as_str_name() }),
            Cell::text(&line.identity),
            Cell::text(&line.credential),
            Cell::text(&line.address),
            Cell::text(&line.method),
            Cell::text(&line.scope),
            Cell::text(&line.question_hash),
            Cell::text(&line.purpose),
            Cell::unless_0(line.revision),
            Cell::text(&line.outcome),
        ]]
    })
}

const ABOUT: [&str; 6] = ["version", "newest_revision", "chain_hash", "server_time", "identity", "role"];

/// The table of the service, and of who asks: a row.
pub(crate) fn about() -> ListTable<GetCallerResponse> {
    ListTable::new("About the service", ABOUT, |answer: &GetCallerResponse| {
        let caller = answer.identity.clone().unwrap_or_default();
        vec![vec![
            Cell::text(&answer.server_version),
            Cell::count(answer.newest_revision),
            Cell::Text(Hex(&answer.chain_hash).to_string()),
            Cell::instant(answer.server_time.as_ref()),
            Cell::text(&caller.id),
            code(Role::from_code(caller.role)),
        ]]
    })
}
