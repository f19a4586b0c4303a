//! Writes what calls do to the audit log, once the server has one.

use std::sync::{Arc, OnceLock};

use tonic::Status;
use tonic_types::StatusExt;

use crate::audit;
use crate::rpc::status;
use crate::rpc::{Context, Gate};

/// The audit log, as calls write to it. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Auditor(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    gate: Gate,
    log: OnceLock<audit::Log>,
}

impl Auditor {
    pub(super) fn new(gate: Gate) -> Self {
        Self(Arc::new(Inner { gate, log: OnceLock::new() }))
    }

    /// Has everything from now on written to a log.
    pub(super) fn open(&self, log: audit::Log) {
        // Given twice, it stays as it was.
        drop(self.0.log.set(log));
    }

    pub(super) fn context(&self) -> Result<&Context, Status> {
        self.0.gate.context()
    }

    /// The log, where the server has one.
    pub(super) fn log(&self) -> Option<&audit::Log> {
        self.0.log.get()
    }

    /// Writes a line, durably, and before it the whole question of a line that names it by its hash.
    ///
    /// # Errors
    /// When it can't be; what it is about must then not happen.
    pub(super) async fn write(&self, line: audit::Line, question: Option<String>) -> Result<(), Status> {
        let Some(log) = self.0.log.get() else { return Ok(()) };
        let written = log.write((self.context()?.clock)(), line, question).await;
        written.map_err(|why| status::unaudited(&why))
    }

    /// Writes, in a while, that a call was refused, and why.
    pub(super) fn refused(&self, line: audit::Line, status: &Status) {
        if let (Some(log), Ok(context)) = (self.0.log.get(), self.context()) {
            let reason = status.get_details_error_info().map(|info| info.reason);
            log.refused((context.clock)(), audit::Line { outcome: reason.unwrap_or_default(), ..line });
        }
    }
}
