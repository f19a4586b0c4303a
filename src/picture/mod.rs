//! The picture: what everyone's figures say together, computed from columns in memory.

pub mod answer;
pub mod columns;
pub mod combine;
pub mod completeness;
pub mod derived;
pub mod discrepancy;
pub mod explain;
mod owed;
pub mod query;
pub mod reconcile;
pub mod resolve;
mod scan;
pub mod tally;
pub mod together;
pub mod view;
