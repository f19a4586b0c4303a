//! The plain types of the domain: parsed once at the edge, exact, ordered, free of input and
//! output.

pub mod budget;
pub mod chain;
pub mod code_list;
pub mod date;
pub mod decimal;
pub(crate) mod hex;
pub mod id;
pub mod manifest;
pub mod marker;
pub(crate) mod nearest;
pub mod observation;
pub mod observations;
pub mod packed;
pub mod period;
pub(crate) mod protobuf;
pub mod revision;
pub mod submission;
pub(crate) mod text;
pub mod timestamp;
pub mod violation;
pub mod zone;
