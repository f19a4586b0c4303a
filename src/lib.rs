//! conspectus takes indicator figures from partner agencies over gRPC, keeps them in an
//! append-only journal, and answers for the multi-agency picture.
//!
//! Imports run one way, top to bottom:
//!
//! | layer | what it is |
//! |---|---|
//! | [`model`] | ids, periods, decimals, markers: plain types, parsed once |
//! | [`journal`] | the append-only, hash-chained log: revisions and bytes |

pub mod journal;
pub mod model;
