//! The multi-agency picture: every agency's figures, combined, from columns in memory.

pub mod accumulator;
pub mod aggregate;
mod among;
pub mod answer;
pub mod areas;
mod build;
mod cell;
pub mod change;
pub(crate) mod changes;
pub mod combine;
pub(crate) mod completeness;
mod contained;
pub mod derivation;
pub mod derived;
pub(crate) mod digest;
pub mod discrepancy;
mod expected;
pub mod explain;
pub mod figure;
pub(crate) mod history;
mod over_areas;
mod overlap;
mod pass;
pub mod question;
pub mod rate;
pub(crate) mod reconcile;
mod reporters;
mod resolve;
pub mod review;
pub mod rows;
mod submitted;
mod sums;
#[cfg(test)]
mod tests;
pub mod value;
mod work;
#[cfg(test)]
mod work_tests;
