//! Submissions as a table: a row for each, without its figures.

use super::{Cell, Labels, ListTable, named};
use crate::rpc::proto::Submission;

const HEADINGS: [&str; 12] = [
    "revision",
    "accepted_at",
    "agency",
    "agency_name",
    "request_id",
    "figures",
    "source",
    "sample",
    "reason",
    "withdrawn_at_revision",
    "withdrawal_reason",
    "return_id",
];

/// The table of an answer.
pub(crate) fn submissions(labels: Labels) -> ListTable<Submission> {
    ListTable::new("Submissions", HEADINGS, move |submission: &Submission| {
        let mut cells = vec![Cell::count(submission.revision), Cell::instant(submission.accepted_at.as_ref())];
        cells.extend(named(&submission.agency, |id| labels.agency(id)));
        cells.extend([
            Cell::text(&submission.request_id),
            Cell::count(submission.observation_count),
            Cell::text(&submission.source),
            Cell::flag(submission.sample),
            Cell::text(&submission.reason),
            Cell::unless_0(submission.withdrawn_at_revision),
            Cell::text(&submission.withdrawal_reason),
            Cell::text(&submission.return_id),
        ]);
        vec![cells]
    })
}
