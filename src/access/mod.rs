//! Who is calling, and what they may do. Pure: no clock, no network, no randomness of its own.
//!
//! An [`Identity`] is somebody or something that calls, with one [`Role`]. It shows who it is by an
//! API key, of which it may have two at once, or by a client certificate. [`Register`] is the fold
//! of the journal's entries about them; [`authenticate`] finds the [`Caller`] of a call's
//! [`Credentials`]; `permit` decides whether it may do something.

mod authenticate;
mod caller;
mod identity;
mod key;
mod permit;
mod register;

pub use authenticate::{Credentials, Unauthenticated, authenticate};
pub use caller::{Actor, Caller, Credential, Known, NotAPurpose, Purpose};
pub use identity::{Identity, Role, Scope};
pub use key::{Key, KeyHash, KeyId, NewKey, Secret};
pub use permit::Action;
pub(crate) use permit::{Agencies, Asked, Denied, Resource, permit};
pub(crate) use register::OVERLAP_HOURS_MAX;
pub use register::{Change, Record, Register};
