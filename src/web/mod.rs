//! The page, for everybody with a browser: rendered by the server, without a script.
//!
//! What it shows and does, it asks of the services in process, as the person who has signed in: the same guard lets
//! the call in, the same table permits it, the same audit log has it. So nothing here decides what anybody may do.
//!
//! [`sign_in`] begins and ends a [`session`]; [`csrf`] keeps other sites from using one; [`headers`] says what a
//! browser may do with a page.

mod address;
mod cookie;
pub mod csrf;
pub mod headers;
mod local_path;
pub mod session;
pub mod sign_in;

pub use address::{NotAWebUrl, WebUrl};
pub use cookie::CookieSecret;
pub use local_path::LocalPath;
