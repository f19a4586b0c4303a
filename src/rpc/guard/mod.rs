//! What every call goes through before a handler: who is calling, whether it may do this at all,
//! how much at once, and for how long. A call that isn't allowed is refused before its message is
//! read.
//!
//! [`METHODS`] says what each method does, and [`Subject`] what each request is about. A method that
//! isn't there is refused to everybody, so a new one is closed until it is given a row; and a handler
//! of a request without a subject doesn't compile.
//!
//! Health and reflection are open: they say whether the server serves, and what the protos are.

mod audit_scope;
mod auditor;
mod compute;
mod fair;
mod held;
mod layer;
mod limits;
mod load;
mod messages;
mod methods;
mod metrics;
mod observed;
mod origin;
mod places;
mod question;
mod receiving;
mod session;
mod subject;
mod trace;
mod turns;

pub(crate) use audit_scope::AuditScope;
pub(crate) use compute::Compute;
pub(crate) use layer::Answer;
pub use layer::Guard;
pub(crate) use limits::WATCHERS;
pub use limits::{CallRate, Limits};
pub use load::{Load, Open};
pub use methods::METHODS;
pub(crate) use observed::Observer;
pub(crate) use origin::SignedIn;
pub(crate) use places::{Place, Places};
pub(crate) use question::Question;
pub(crate) use receiving::{ReceivedRequest, Thread, Unanswered};
pub use session::local;
pub(crate) use session::{CHECK_EVERY, Session};
pub(crate) use subject::{Present, Subject};
pub use trace::Tracer;
