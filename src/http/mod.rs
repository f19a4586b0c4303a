//! The doors besides gRPC, on the same listener: every unary method as JSON by the Connect protocol, and figures in files at
//! an address.
//!
//! Each door turns a request into the call that gRPC would make, and passes it to the guard. So no permission, bound,
//! deadline or line of the audit log differs.

mod calls;
mod connect;
mod doors;
mod error;
pub(crate) mod files;
mod hello;
mod openapi;
mod protos;

pub(crate) use calls::Calls;
pub(crate) use connect::has_no_side_effects;
pub(crate) use doors::Doors;
pub use doors::{NotAnOrigin, PageOrigin};
pub(crate) use error::{response as error_response, status_code};
pub(crate) use openapi::{answer as openapi_answer, document as openapi};
pub(crate) use protos::{PACKAGE as API_PACKAGE, comment};
