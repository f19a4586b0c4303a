//! Changes to a data folder that no server runs on.

use std::path::Path;

use super::{Error, check_clock, now, replay};
use crate::access::AccessChange;
use crate::audit;
use crate::intake::admit::ChangeAccess;
use crate::intake::writer;
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
    let (journal, state) = replay(folder)?;
    check_clock(folder, &state, now(), accept_clock_behind_journal)?;
    let running = writer::start(Box::new(journal), state, now, Zone::default());
    let line = audit::Line::without_call(audit::Event::Keys, format!("on this machine: {change}"));
    let written = running.handle.write(ChangeAccess { changes: vec![change], now: now() }).await;
    if written.is_ok() {
        audit::Log::open(folder, now())?.write(now(), line).await?;
    }
    drop(running.handle);
    // The journal is closed once the thread has ended.
    drop(tokio::task::spawn_blocking(move || running.thread.join()).await?);
    written.map(drop).map_err(Error::Write)
}
