//! The plain types of the domain: parsed once at the edge, exact, ordered, free of input and output.

pub mod date;
pub mod decimal;
pub mod period;
