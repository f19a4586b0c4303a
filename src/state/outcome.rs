//! What a submission does to the figures that are there.

use super::columns::{Columns, Outcome, Row, RowKey};
use super::resolved_ids::ResolvedIds;
use crate::model::observations::Line;
use crate::model::revision::Revision;
use crate::model::submission::Submission;

/// What each observation of a submission does to the figures as of a revision.
pub(super) fn outcomes(ids: &ResolvedIds, submission: &Submission, columns: &Columns, as_of: Revision) -> Vec<Outcome> {
    let table = &submission.observations;
    let breakdown = |breakdown| columns.breakdown(breakdown);
    let breakdowns: Vec<_> = table.dictionaries().breakdowns.iter().map(breakdown).collect();
    let outcome = |line: &Line| {
        let nothing = Outcome::where_nothing_was(line.value.is_withdrawal());
        let Some(breakdown) = breakdowns[line.breakdown as usize] else { return nothing };
        let key = RowKey::new(ids.areas[line.area as usize], breakdown, ids.agency);
        let indicator = ids.indicators[line.indicator as usize];
        let period = table.dictionaries().periods[line.period as usize];
        let row = Row::new(key, &line.value, submission.sample, as_of.next());
        match columns.slab(indicator, period) {
            Some(slab) => slab.outcome(&row, as_of),
            None => nothing,
        }
    };
    table.lines().iter().map(outcome).collect()
}
