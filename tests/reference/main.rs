//! Holds the service's statistics against tables worked out by hand.
//!
//! - `question`, `shown`: what can be asked, and an answer as the service shows it.
//! - `golden`, `rulings`: tables worked out by hand, with the source of each convention, on a `desk`.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic as the test itself may")]

mod desk;
mod golden;
mod question;
mod rulings;
mod shown;
