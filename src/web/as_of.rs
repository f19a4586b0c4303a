//! As of when a page is.

use super::question::{Address, AsOf};
use crate::wording::instant;

/// What a page says of the revision and the instant that it is of.
#[derive(Debug, Default)]
pub(super) struct AsOfView {
    pub(super) revision: i64,
    pub(super) instant: String,
    /// That it isn't of the newest revision; empty if nothing was asked for.
    pub(super) banner: String,
    /// The same question of the newest.
    pub(super) newest: String,
    /// The address at which the answer is the same for ever.
    pub(super) keep: String,
}

impl AsOfView {
    /// Of an answer to a question, whose address has no as-of yet.
    pub(super) fn new(
        question: &Address,
        asked: &AsOf,
        revision: i64,
        answered: Option<&prost_types::Timestamp>,
    ) -> Self {
        let words = answered.map(instant::text).unwrap_or_default();
        let banner = match asked.is_newest() {
            true => String::new(),
            false => format!("As it was on {words}, at revision {revision}."),
        };
        let kept = AsOf { revision: 0, time: answered.copied() };
        Self {
            revision,
            instant: words,
            banner,
            newest: question.href(),
            keep: question.clone().with_as_of(&kept).href(),
        }
    }
}
