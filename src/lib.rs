//! conspectus takes indicator figures from partner agencies over gRPC, keeps them in an
//! append-only journal, and answers for the multi-agency picture.
//!
//! Imports run one way, from the top of this table to the bottom:
//!
//! | layer | what it is |
//! |---|---|
//! | [`cli`], [`server`] | the command line; the wiring |
//! | [`demo`], [`figures`] | the demo's figures; figures in spreadsheets |
//! | [`rpc`] | the served messages, converted; the only one that knows tonic |
//! | [`intake`], [`picture`] | the way in: admit, append, apply; the way out: resolve, combine |
//! | [`state`] | the fold of the journal's entries |
//! | [`net`] | connections: accepted, counted, made secret |
//! | [`audit`], [`last_used`] | the log of who read unpublished figures; when keys last opened |
//! | [`access`] | who is calling, and what they may do |
//! | [`journal`] | the append-only, hash-chained log: revisions and bytes |
//! | [`catalogue`], [`entry`] | who reports, for where, what is counted; an accepted write |
//! | [`model`] | ids, periods, decimals, markers: plain types, parsed once |

pub mod access;
pub mod audit;
pub mod catalogue;
pub mod cli;
pub mod demo;
pub mod entry;
pub mod figures;
pub mod intake;
pub mod journal;
pub mod last_used;
pub mod model;
pub mod net;
pub mod picture;
pub mod rpc;
pub mod server;
pub mod state;
