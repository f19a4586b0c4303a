//! Which rows of a file are submitted, and how they are taken.

use crate::figures::{Field, Layout};

/// Which rows of a file are submitted, and how they are taken. By default all are, and what may be a mistake is refused.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    /// The agency whose figures these are, by id.
    pub(crate) agency: String,
    pub(crate) layout: Layout,
    /// Leave out the rows of other agencies, if the file has an agency column.
    pub(crate) skip_other_agencies: bool,
    /// Leave out the rows in which nothing was filled in.
    pub(crate) skip_empty: bool,
    /// Only the rows of this report, if the file has a report column.
    pub(crate) report: Option<String>,
    /// Take percentages as they are although all of an indicator are between 0 and 1.
    pub(crate) percentages_as_given: bool,
}

/// A column's name, and what it is called in the file: `period=Month`.
///
/// # Errors
/// What is allowed, where it is anything else.
pub(crate) fn named_column(text: &str) -> Result<(Field, String), String> {
    let named = text.split_once('=').and_then(|(name, heading)| Some((Field::named(name.trim())?, heading.trim())));
    match named {
        Some((field, heading)) if !heading.is_empty() => Ok((field, heading.to_owned())),
        Some(_) | None => Err(format!("allowed: NAME=HEADING, with a name of {}", Field::allowed())),
    }
}
