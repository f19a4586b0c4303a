//! One figure, as a file has it.

use super::field::Field;
use crate::rpc::proto;

/// One figure of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// The row, counted from 1 with the header, as spreadsheets do.
    pub row: u64,
    /// The agency in the row, or empty.
    pub agency: String,
    /// The report in the row, or empty.
    pub report: String,
    /// The observation.
    pub observation: proto::Observation,
    /// The columns that couldn't be read: what stands for them in the observation is wrong too.
    pub(crate) unread: Vec<Field>,
    /// The column that its number is in, where figures run across, counted from 0.
    pub(crate) across: Option<usize>,
}
