//! The way in: commands are admitted against the state, made durable, then applied.

pub mod admit;
pub mod review;
pub mod writer;
