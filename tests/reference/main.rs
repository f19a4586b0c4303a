//! Holds the service's statistics against a reference model, and against laws that they must obey.
//!
//! - `world`: random small worlds and questions about them, each from a seed.
//! - `model`: docs/statistics.md in code, worked out slowly from the list of entries; `returns`: the same for returns.
//! - `service`, `answer`: the service, asked as a client asks it; an answer as the service and the model both have it.
//! - `agree`: the service and the model give the same answer to every question.
//! - `worked`: the model against numbers worked out by hand.
//! - `laws`: properties of the service alone.
//! - `golden`, `conventions`: tables worked out by hand, with the source of each convention, on a `fixture`.
//!
//! `CONSPECTUS_CASES=100000` sets how many worlds each property is tried on, `CONSPECTUS_SEED=1`
//! where the seeds start. A failure prints its seed and the smallest history that still fails.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic as the test itself may")]

mod agree;
mod answer;
mod canonical;
mod command;
mod conventions;
mod fixture;
mod golden;
mod laws;
mod model;
mod question;
#[path = "../random/mod.rs"]
mod random;
#[path = "../returns/mod.rs"]
mod returns;
mod service;
mod worked;
mod world;
