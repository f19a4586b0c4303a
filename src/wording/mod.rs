//! How answers are put into words for people: the one home of what the command line and the page share.
//!
//! It works on the served messages, as a client has them. A number stays that of the answer, digit by digit: it is
//! grouped, and given a sign or a unit, and nothing is computed from it.

pub(crate) mod check;
pub(crate) mod count;
pub(crate) mod figure;
pub(crate) mod instant;
pub(crate) mod number;
pub(crate) mod period;
