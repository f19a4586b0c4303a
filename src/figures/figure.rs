//! One figure, as a file has it.

use super::field::Field;
use crate::model::period::Period;
use crate::model::violation::Quoted;
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
    /// The period as the file has it: the observation has it as the API reads it.
    pub(crate) period: String,
    /// The columns that couldn't be read: what stands for them in the observation is wrong too.
    pub(crate) unread: Vec<Field>,
    /// Whether its row has only what says what the figure is of, and nothing of what is filled in.
    pub(crate) is_empty: bool,
    /// The column that its number is in, where figures run across, counted from 0.
    pub(crate) across: Option<usize>,
}

impl Figure {
    /// What the service says of the period, with the text that the file has in the place of the service's own.
    pub(super) fn in_its_own_text(&self, what: &str) -> String {
        let known = self.observation.period.parse::<Period>().ok().map(|period| period.to_string());
        match known.filter(|known| *known != self.period) {
            Some(known) => {
                what.replacen(&format!("found {}", Quoted(&known)), &format!("found {}", Quoted(&self.period)), 1)
            }
            None => what.to_owned(),
        }
    }
}
