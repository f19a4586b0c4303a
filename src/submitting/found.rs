//! What the service found wrong with a request.

use tonic::Status;
use tonic_types::{FieldViolation, StatusExt};

use crate::model::text::visible;
use crate::rpc::omitted_count;

/// What the service found wrong with a request.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Each field, and a description of what can be seen.
    pub(crate) listed: Vec<(String, String)>,
    /// How many more there are.
    pub(crate) omitted: usize,
}

impl Found {
    /// The violations of a refusal; none where it is refused for something else.
    pub(crate) fn of(status: &Status) -> Self {
        let mut violations =
            status.get_details_bad_request().map(|details| details.field_violations).unwrap_or_default();
        let omitted = violations.last().and_then(omitted_count);
        if omitted.is_some() {
            violations.pop();
        }
        let shown = |it: FieldViolation| (visible(&it.field).into_owned(), visible(&it.description).into_owned());
        Self { listed: violations.into_iter().map(shown).collect(), omitted: omitted.unwrap_or(0) }
    }
}
