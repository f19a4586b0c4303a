//! The conspectus command line.
fn main() {}
