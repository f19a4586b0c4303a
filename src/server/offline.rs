//! What is done to a data folder that no server runs on.

use std::path::Path;

use super::audited::{self, ON_THIS_MACHINE};
use super::{Error, check_clock, now, replay};
use crate::access::AccessChange;
use crate::audit;
use crate::intake::admit::ChangeAccess;
use crate::intake::writer::{self, Written};
use crate::journal::{ChainHash, DiskJournal, Journal};
use crate::model::revision::Revision;
use crate::model::zone::Zone;

/// Changes identities or keys.
///
/// # Errors
/// When the journal is in use or can't be opened, the clock is behind it, or the change is refused.
pub(crate) async fn change_access_offline(
    folder: &Path,
    change: AccessChange,
    accept_clock_behind_journal: bool,
) -> Result<(), Error> {
    let (journal, mut fold) = replay(folder)?;
    let state = fold.state();
    check_clock(folder, &state, now(), accept_clock_behind_journal)?;
    // A folder that a server would refuse is none to add a key to.
    let opened = audited::open(folder, &state, now(), audit::Accepted::default())?;
    let running = writer::start(Box::new(journal), fold, now, Zone::default());
    let line = audit::Line::without_call(audit::Event::Keys, format!("{ON_THIS_MACHINE}{change}"));
    let written = running.handle.write(ChangeAccess { changes: vec![change], now: now() }).await;
    if let Ok(Written::Accepted { revision, .. }) = &written {
        let line = audit::Line { revision: revision.0, ..line };
        opened.log.write(now(), line, None).await?;
    }
    // While the folder is locked, the file is nobody else's.
    drop(opened.log);
    drop(tokio::task::spawn_blocking(move || opened.thread.join()).await?);
    drop(running.handle);
    // The journal is closed once the thread has ended.
    drop(tokio::task::spawn_blocking(move || running.thread.join()).await?);
    written.map(drop).map_err(Error::Write)
}

/// The chain hash of a revision; none when the journal has no such revision.
///
/// # Errors
/// When there is no such folder, or the journal is in use or isn't what was written.
pub(crate) fn entry_offline(folder: &Path, revision: Revision) -> Result<Option<ChainHash>, Error> {
    // Opening would make a folder where there is none.
    std::fs::metadata(folder).map_err(|source| Error::Folder { path: folder.to_owned(), source })?;
    let journal = DiskJournal::open(folder)?;
    Ok(journal.reader().read(revision)?.map(|stored| stored.hash))
}
