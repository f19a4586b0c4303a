//! SIGHUP: the certificates and the file of settings are read again. What can change while the server runs does.

use std::sync::Arc;

use clap::{CommandFactory, FromArgMatches};
use tokio::signal::unix::SignalKind;
use tokio::sync::Notify;

use super::super::failure::Failure;
use super::super::settings::{self, Change, Settings};

/// Handles SIGHUP, which would end the process otherwise; gives what is notified when certificates are to be read again.
/// `take_up` has the running server take up those settings that are [live](settings::LIVE).
///
/// # Errors
/// When the system doesn't let it.
pub(super) fn at_hangup<A: CommandFactory + FromArgMatches + Send + 'static>(
    is_tls: bool,
    mut running: Settings,
    take_up: impl Fn(&A) + Send + Sync + 'static,
) -> Result<Arc<Notify>, Failure> {
    let certificates = Arc::new(Notify::new());
    let mut hangup = tokio::signal::unix::signal(SignalKind::hangup())?;
    let asked = Arc::clone(&certificates);
    tokio::spawn(async move {
        while hangup.recv().await.is_some() {
            if is_tls {
                tracing::info!("SIGHUP: the certificates are read again");
            } else {
                tracing::info!("SIGHUP: there are no certificates to read again");
            }
            asked.notify_one();
            // Only the file can have changed: the flags and the variables are this process's.
            if running.file().is_some() {
                running = read_again(running, &take_up).await;
            }
        }
    });
    Ok(certificates)
}

/// The settings that the server runs with once the file is read again.
async fn read_again<A: CommandFactory + FromArgMatches + Send + 'static>(
    mut running: Settings,
    take_up: &(impl Fn(&A) + Sync),
) -> Settings {
    let before = running.clone();
    let reading = tokio::task::spawn_blocking(move || {
        let read = settings::read_again(&before, &A::command(), &|name| std::env::var_os(name));
        read.check(&[])?;
        Ok::<_, Failure>((settings::arguments::<A>(&read)?, read))
    });
    match reading.await.unwrap_or_else(|error| Err(error.into())) {
        Err(failure) => tracing::error!("SIGHUP: the settings stay as they are: {}", failure.in_a_line()),
        Ok((args, read)) => {
            let (changed, kept): (Vec<Change>, Vec<Change>) =
                running.changes(&read).into_iter().partition(|change| change.is_live);
            let texts = |changes: &[Change]| changes.iter().map(|it| it.text.as_str()).collect::<Vec<_>>().join(", ");
            running.take_up(&read);
            if !changed.is_empty() {
                tracing::info!("SIGHUP: changed: {}", texts(&changed));
            } else if kept.is_empty() {
                tracing::info!("SIGHUP: no setting has changed");
            }
            if !kept.is_empty() {
                tracing::warn!("SIGHUP: what changes only with a restart: {}", texts(&kept));
            }
            // The lines above pass the filter that was there before.
            take_up(&args);
        }
    }
    running
}
