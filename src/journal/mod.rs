//! The append-only, hash-chained log that everything else is derived from.
