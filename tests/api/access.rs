//! Who is calling: keys and their lives, streams of callers who are let go, and the audit log.
