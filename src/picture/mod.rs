//! The picture: what everyone's figures say together, computed from columns in memory.

pub mod answer;
pub mod columns;
pub mod combine;
pub mod query;
pub mod resolve;
