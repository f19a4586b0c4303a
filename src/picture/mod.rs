//! The picture: what everyone's figures say together, computed from columns in memory.

pub mod answer;
pub mod columns;
pub mod combine;
pub mod completeness;
pub mod derived;
pub mod discrepancy;
pub mod explain;
pub mod query;
pub mod reconcile;
pub mod resolve;
pub mod together;
