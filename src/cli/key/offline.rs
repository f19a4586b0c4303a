//! The first operator's key, made in a data folder while no server runs on it.

use std::path::{Path, PathBuf};

use super::super::failure::Failure;
use crate::access::{AccessChange, Identity, NewKey, Role, Scope, Secret};
use crate::journal::DiskJournal;
use crate::model::id::IdentityId;
use crate::model::timestamp::Timestamp;
use crate::rpc::new_secret;
use crate::rpc::proto::CreateKeyRequest;
use crate::server;

/// Whether a key is made without a server, and where.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Create it in this data folder, while no server runs on it: for the first operator, or when
    /// every operator's key is lost.
    #[arg(long, value_name = "FOLDER")]
    pub(super) data: Option<PathBuf>,
    /// Make the data folder, for a server that has never run.
    #[arg(long, requires = "data")]
    new: bool,
    /// Go on though the clock is more than an hour behind what was written last, as `serve` does with it.
    #[arg(long, requires = "data")]
    accept_clock_behind_journal: bool,
}

impl Args {
    /// Creates an operator in a data folder: its key, and until when that is valid.
    ///
    /// # Errors
    /// When something else than an operator is to be created, or the folder isn't one.
    pub(super) async fn create(
        &self,
        folder: &Path,
        role: Role,
        request: &CreateKeyRequest,
    ) -> Result<(Secret, Timestamp), Failure> {
        check_is_plain(role, request)?;
        check_folder(folder, self.new)?;
        create_in(folder, request, self.accept_clock_behind_journal).await
    }
}

/// Only an operator is created without a server, with a key and nothing else.
fn check_is_plain(role: Role, request: &CreateKeyRequest) -> Result<(), Failure> {
    let is_plain = request.agency.is_empty()
        && request.sectors.is_empty()
        && request.areas.is_empty()
        && request.certificates.is_empty()
        && request.sign_ins.is_empty()
        && !request.without_key;
    if role != Role::Operator || !is_plain {
        return Err(Failure::usage(
            "--data creates only operators, with a key; an operator then creates the others on a running server"
                .to_owned(),
        ));
    }
    Ok(())
}

/// A mistyped name must not make a data folder, with a key that opens nothing. An empty folder, such as a new volume,
/// was made for something.
fn check_folder(folder: &Path, is_new: bool) -> Result<(), Failure> {
    let is_empty = || std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    if is_new || DiskJournal::is_in(folder)? || is_empty() {
        return Ok(());
    }
    Err(Failure::usage(format!(
        "{} is no data folder: give the server's, or, to make a new one there, add --new",
        folder.display()
    )))
}

/// Creates an operator without a server: whoever can write to the data folder may.
async fn create_in(
    folder: &Path,
    request: &CreateKeyRequest,
    accept_clock_behind_journal: bool,
) -> Result<(Secret, Timestamp), Failure> {
    let now = server::now();
    let secret = new_secret()?;
    let expires_at = now.plus_hours(i64::from(request.days) * 24);
    let identity = Identity {
        id: IdentityId::parse(&request.identity)?,
        role: Role::Operator,
        agency: None,
        scope: Scope::default(),
        certificates: Vec::new(),
        sign_ins: Vec::new(),
    };
    let key = NewKey { id: secret.id(), hash: secret.hash(), expires_at };
    let change = AccessChange::Create { identity, key: Some(key) };
    server::change_access_offline(folder, change, accept_clock_behind_journal).await?;
    Ok((secret, expires_at))
}
