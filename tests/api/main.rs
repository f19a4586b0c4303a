//! The service from outside: real clients against a real server, over TCP, on a folder of its own.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic as the test itself may")]

mod access;
mod answers;
mod app;
mod audited;
mod audited_files;
#[path = "../binary/mod.rs"]
mod binary;
mod changes;
mod checks;
mod clock;
mod correcting;
mod coverage;
mod derived;
mod files;
mod heavy;
mod http;
mod identities;
mod json;
mod listening;
mod listing;
mod matrix;
mod paging;
mod places;
mod published;
mod querying;
mod raw;
mod reading;
mod refusing;
mod returns;
mod scoped;
mod sender;
mod serving;
mod streaming;
mod submitting;
mod texts;
mod time;
mod tls;
mod unsent;
mod watching;
mod web;
mod web_access;
mod web_catalogue;
mod web_files;
mod web_reading;
mod web_submit;
mod weighing;
mod world;
