//! conspectus takes indicator submissions from partner agencies over gRPC, keeps them in an
//! append-only journal, and answers for the multi-agency picture.
//!
//! Imports run one way: a layer uses those below it in this table, never one above. The layers of one
//! row don't use each other. `tests/architecture.rs` reads the imports and holds them to it.
//!
//! | layer | what it is |
//! |---|---|
//! | [`cli`] | the command line: one file a verb |
//! | [`server`] | the wiring of all that is below |
//! | [`web`] | the page: what people with a browser see and do |
//! | [`http`] | the doors besides gRPC: JSON over HTTP |
//! | `demo` | the demo's catalogue, figures and keys |
//! | `submitting` | from the template to the receipt: what the command line and the page share |
//! | `tables` | answers as tables: columns and cells |
//! | [`figures`], `wording` | figures in spreadsheets; answers in words |
//! | [`rpc`] | the served messages and methods: guarded, converted, answered |
//! | `backup` | what a data folder holds, taken while it is served, and restored |
//! | [`net`], [`audit`], `last_used` | connections and their TLS; the log of who read what; when keys were last used |
//! | [`intake`], [`picture`] | the way in: review, admit, apply, append, publish; the way out: resolve, combine |
//! | [`state`] | the fold of the journal's entries: catalogue, columns, submissions |
//! | [`entry`] | an accepted write, and its bytes in the journal |
//! | [`access`] | who is calling, and what they may do |
//! | [`catalogue`] | who reports, for where, what is counted |
//! | [`journal`] | the append-only, hash-chained log: revisions and bytes |
//! | `metrics` | what the modules' metrics have in common |
//! | [`model`] | ids, periods, decimals, markers: plain types, parsed once |
//!
//! Without the feature `server`, which needs Unix, there is the command line that talks to a server: `cli`, `submitting`,
//! `tables`, `figures` and `wording`, what they need of `rpc`, and the plain types below.

#![cfg_attr(
    not(feature = "server"),
    allow(dead_code, unused_imports, reason = "a client uses a part of the plain types")
)]

pub mod access;
pub mod catalogue;
pub mod cli;
pub mod figures;
pub mod model;
pub mod rpc;
mod submitting;
mod tables;
mod wording;

#[cfg(feature = "server")]
pub mod audit;
#[cfg(feature = "server")]
mod backup;
#[cfg(feature = "server")]
mod demo;
#[cfg(feature = "server")]
pub mod entry;
#[cfg(feature = "server")]
pub mod http;
#[cfg(feature = "server")]
pub mod intake;
#[cfg(feature = "server")]
pub mod journal;
#[cfg(feature = "server")]
mod last_used;
#[cfg(feature = "server")]
mod metrics;
#[cfg(feature = "server")]
pub mod net;
#[cfg(feature = "server")]
pub mod picture;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod state;
#[cfg(feature = "server")]
pub mod web;

#[cfg(test)]
mod tests {
    //! What tests of several layers use.

    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What some work logs on this thread.
    pub(crate) fn logged(work: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
        tracing::subscriber::with_default(subscriber, work);
        let bytes = lines.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }
}
