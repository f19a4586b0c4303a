//! Holds the service's statistics against a reference model, and against laws that they must obey.
//!
//! - `question`, `canonical`: what can be asked, and an answer as the service and the model both show it.
//! - `model`, `oracle`: the rules in words, worked out slowly from the list of entries.
//! - `generate`: random small worlds and questions, each from a seed.
//! - `agree`: the service and the model give the same answer to every question.
//! - `laws`: properties of the service alone.
//! - `golden`, `conventions`: tables worked out by hand, with the source of each convention, on a `fixture`.
//!
//! `CONSPECTUS_CASES=100000` sets how many worlds each property is tried on, `CONSPECTUS_SEED=1`
//! where the seeds start. A failure prints its seed and the smallest history that still fails.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic as the test itself may")]

mod agree;
mod canonical;
mod command;
mod conventions;
mod fixture;
mod generate;
mod golden;
mod laws;
mod model;
mod oracle;
mod question;
