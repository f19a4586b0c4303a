//! The service from outside: real clients against a real server, over TCP, on a folder of its own.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic as the test itself may")]

mod access;
mod app;
#[path = "../binary/mod.rs"]
mod binary;
mod coverage;
mod derived;
mod heavy;
mod identities;
mod matrix;
mod published;
mod querying;
mod raw;
mod reading;
mod refusing;
mod sender;
mod serving;
mod streaming;
mod submitting;
mod time;
mod tls;
mod watching;
mod world;
