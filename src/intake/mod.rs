//! The way in: submissions are prepared; commands are admitted, applied to the writer's own state, made
//! durable, then published.

pub mod admit;
pub mod basis;
pub mod change_access;
pub mod checks;
mod complete;
pub mod corrections;
mod group_commit;
pub mod prepare;
mod queue;
pub(crate) mod review;
pub mod timeline;
pub mod writer;
