//! What the service found wrong with a request.

use tonic::Status;
use tonic_types::{FieldViolation, StatusExt};

use crate::model::text::visible;
use crate::rpc::omitted_count;
use crate::wording::count::counted;

/// What the service found wrong with a request.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Each field, and a description of what can be seen.
    pub(crate) listed: Vec<(String, String)>,
    /// How many more there are.
    pub(crate) omitted: usize,
    /// How many figures were left out when the others were checked.
    pub(crate) left_out: usize,
}

impl Found {
    /// What to know of how the other figures were checked.
    pub(crate) fn note(&self) -> Option<String> {
        let left_out = match self.left_out {
            0 => return None,
            count => {
                counted(count, "row that has a problem of its own was", "rows that have problems of their own were")
            }
        };
        Some(format!("The {left_out} left out when the others were compared with what was submitted before"))
    }

    /// The violations of a refusal; none where it is refused for something else.
    pub(crate) fn of(status: &Status) -> Self {
        let mut violations =
            status.get_details_bad_request().map(|details| details.field_violations).unwrap_or_default();
        let omitted = violations.last().and_then(omitted_count);
        if omitted.is_some() {
            violations.pop();
        }
        let shown = |it: FieldViolation| (visible(&it.field).into_owned(), visible(&it.description).into_owned());
        Self { listed: violations.into_iter().map(shown).collect(), omitted: omitted.unwrap_or(0), left_out: 0 }
    }
}
