//! The served methods: one file a service; `read`, `sent`, `stream` and `watch` are what they share.

mod audit;
mod catalogue;
mod difference;
mod key;
mod picture;
mod read;
mod returns;
mod sent;
mod stream;
mod submission;
mod watch;
mod watched;

pub use audit::Audit;
pub use catalogue::Catalogue;
pub use key::{Keys, new_secret};
pub use picture::Picture;
pub use submission::Submissions;
