//! The bytes of protobuf messages, read and written without a message in between.

mod read;
mod write;

pub(crate) use read::{Fields, Malformed, Value, Varints, signed};
pub(crate) use write::Writer;
