//! What a template says: the rows to fill in, and what stands around them.

use std::collections::{BTreeMap, BTreeSet};

use super::earlier::Earlier;
use super::rows::{Category, Row};
use crate::catalogue::items::IndicatorVersion;
use crate::rpc::proto::Agency;

/// What a template says.
#[derive(Debug)]
pub(super) struct Content<'a> {
    pub(super) agency: &'a Agency,
    /// The periods that it was asked for.
    pub(super) periods: &'a [String],
    /// When it was made, by the server's clock.
    pub(super) made: String,
    /// The server's revision that it was made at.
    pub(super) revision: i64,
    pub(super) rows: &'a [Row<'a>],
    pub(super) earlier: &'a Earlier,
    /// The areas' names, by code.
    pub(super) places: &'a BTreeMap<String, String>,
    /// The categories that its indicators may be broken down by.
    pub(super) categories: Vec<Category>,
    /// The name of the file.
    pub(super) file: String,
}

impl Content<'_> {
    /// An area's name.
    pub(super) fn place(&self, area: &str) -> &str {
        self.places.get(area).map(String::as_str).unwrap_or_default()
    }

    /// The definitions in force for the rows, each once, in their order.
    pub(super) fn definitions(&self) -> Vec<&IndicatorVersion> {
        let mut seen = BTreeSet::new();
        let definitions = self.rows.iter().map(|row| row.definition);
        definitions.filter(|it| seen.insert((it.id.as_str(), it.effective_from))).collect()
    }

    /// What the rows are of, on one line.
    pub(super) fn subject(&self) -> String {
        format!("{}, {}", self.agency.id, self.periods.join(", "))
    }
}
