//! The way in: submissions are prepared; commands are admitted against the state, made durable,
//! then applied.

pub mod admit;
pub mod prepare;
pub(crate) mod review;
pub mod writer;
