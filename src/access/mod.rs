//! Who is calling, and what they may do. Pure: no clock, no network, no randomness of its own.
//!
//! An [`Identity`] is somebody or something that calls, with one [`Role`]. It authenticates with
//! an API key, of which it may have two at once, with a client certificate, or by a sign-in at an OpenID
//! Connect provider. [`Register`] is the fold
//! of the journal's entries about them; [`authenticate`] finds the [`Caller`] of a call's
//! [`Credentials`]; `permit` decides whether it may do something.

mod authenticate;
mod caller;
mod identity;
mod key;
mod permit;
mod register;

pub(crate) use authenticate::holder;
pub use authenticate::{Credentials, Unauthenticated, authenticate};
pub(crate) use caller::PURPOSE_ALLOWED;
pub use caller::{Actor, Caller, Credential, Known, NotAPurpose, Purpose};
pub use identity::{Identity, Role, Scope, SignIn};
pub use key::{Key, KeyHash, KeyId, NewKey, Secret};
pub use permit::Action;
pub(crate) use permit::{Agencies, Denied, RequestedFigures, Resource, permit};
pub use register::{AccessChange, IdentityRecord, Register};
