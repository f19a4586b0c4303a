//! What an agency itself reported for earlier periods, from its own submissions: the figures of others aren't a
//! submitter's to read.

use std::collections::{BTreeMap, BTreeSet};

use tonic::{Code, Status};

use super::super::service::{PAGE, Transport};
use super::super::value::{shown, value};
use super::rows::Row;
use crate::catalogue::items::Kind;
use crate::model::period::{Frequency, Period};
use crate::rpc::client::submission_service_client::SubmissionServiceClient;
use crate::rpc::proto::{GetSubmissionRequest, ListSubmissionsRequest, Observation, Submission};
use crate::tables::breakdown;

/// How many of an agency's submissions are read at the most, the newest first.
const SUBMISSIONS_READ_MAX: usize = 500;

/// A figure: indicator, area, period and breakdown.
type Key = (String, String, Period, String);

/// Figures that an agency reported.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    values: BTreeMap<Key, String>,
    /// Why there may be others.
    pub(super) note: Option<String>,
}

impl Earlier {
    /// What was reported for the period before; empty if nothing was.
    pub(super) fn previous(&self, row: &Row<'_>) -> String {
        row.period.previous().map(|period| self.text(row, period)).unwrap_or_default()
    }

    /// What was reported for the same period a year before, where that is another one.
    pub(super) fn year_before(&self, row: &Row<'_>) -> String {
        let period = row.period.year_before().filter(|period| row.period.previous() != Some(*period));
        period.map(|period| self.text(row, period)).unwrap_or_default()
    }

    /// Of values by indicator, area and period.
    #[cfg(test)]
    pub(super) fn of(values: &[(&str, &str, &str, &str)]) -> Self {
        let value = |(indicator, area, period, value): &(&str, &str, &str, &str)| {
            let period: Period = period.parse().unwrap();
            (((*indicator).to_owned(), (*area).to_owned(), period.storage_key(), String::new()), (*value).to_owned())
        };
        Self { values: values.iter().map(value).collect(), note: None }
    }

    /// Whether nothing is known of what was reported before.
    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    fn text(&self, row: &Row<'_>, period: Period) -> String {
        match self.values.get(&key(row, period)) {
            None => String::new(),
            Some(value) if row.indicator.breaks_between(period, row.period) => format!("{value}, not comparable"),
            Some(value) => value.clone(),
        }
    }
}

/// Reads what an agency reported for the periods before those of the rows.
pub(super) async fn read<T: Transport>(
    client: &mut SubmissionServiceClient<T>,
    agency: &str,
    rows: &[Row<'_>],
) -> Result<Earlier, Status> {
    let submissions = match standing(client, agency).await {
        Ok(submissions) => submissions,
        Err(status) if matches!(status.code(), Code::PermissionDenied | Code::Unauthenticated) => {
            let note = "This key may not read the agency's submissions: what was reported before isn't shown.";
            return Ok(Earlier { note: Some(note.to_owned()), ..Earlier::default() });
        }
        Err(status) => return Err(status),
    };
    let before = |row: &Row<'_>| [row.period.previous(), row.period.year_before()].into_iter().flatten();
    let of_row = |row: &Row<'_>| before(row).map(|period| key(row, period)).collect::<Vec<_>>();
    let wanted: BTreeSet<Key> = rows.iter().flat_map(of_row).collect();
    let kinds: BTreeMap<&str, Kind> =
        rows.iter().map(|row| (row.definition.id.as_str(), row.definition.kind)).collect();
    let mut earlier = Earlier::default();
    for submission in submissions.iter().take(SUBMISSIONS_READ_MAX) {
        if earlier.values.len() == wanted.len() {
            return Ok(earlier);
        }
        for figure in figures(client, submission).await? {
            let Some(key) = key_of(&figure, &kinds).filter(|key| wanted.contains(key)) else { continue };
            let sample = if submission.sample { " (made up)" } else { "" };
            // The newest submission that stands has the figure that stands.
            earlier.values.entry(key).or_insert_with(|| format!("{}{sample}", shown(&value(&figure))));
        }
    }
    if submissions.len() > SUBMISSIONS_READ_MAX && earlier.values.len() < wanted.len() {
        earlier.note = Some(format!(
            "What was reported before is from the newest {SUBMISSIONS_READ_MAX} submissions: what is older isn't shown."
        ));
    }
    Ok(earlier)
}

/// An agency's submissions that weren't withdrawn, the newest first: as many as are read, and one more if there is one.
async fn standing<T: Transport>(
    client: &mut SubmissionServiceClient<T>,
    agency: &str,
) -> Result<Vec<Submission>, Status> {
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListSubmissionsRequest { agency: agency.to_owned(), page_size: PAGE, page_token };
        let page = client.list_submissions(request).await?.into_inner();
        found.extend(page.submissions.into_iter().filter(|submission| submission.withdrawn_at_revision == 0));
        page_token = page.next_page_token;
        if page_token.is_empty() || found.len() > SUBMISSIONS_READ_MAX {
            found.truncate(SUBMISSIONS_READ_MAX + 1);
            return Ok(found);
        }
    }
}

/// The figures of a submission.
async fn figures<T: Transport>(
    client: &mut SubmissionServiceClient<T>,
    submission: &Submission,
) -> Result<Vec<Observation>, Status> {
    let (agency, request_id) = (&submission.agency, &submission.request_id);
    let (mut found, mut page_token) = (Vec::new(), String::new());
    loop {
        let (agency, request_id) = (agency.clone(), request_id.clone());
        let request = GetSubmissionRequest { agency, request_id, page_size: PAGE, page_token };
        let page = client.get_submission(request).await?.into_inner();
        found.extend(page.observations);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(found);
        }
    }
}

fn key_of(figure: &Observation, kinds: &BTreeMap<&str, Kind>) -> Option<Key> {
    let kind = kinds.get(figure.indicator.as_str())?;
    let period = counted_for(*kind, figure.period.parse().ok()?);
    Some((figure.indicator.clone(), figure.area.clone(), period, breakdown(&figure.breakdown)))
}

fn key(row: &Row<'_>, period: Period) -> Key {
    let definition = row.definition;
    let period = counted_for(definition.kind, period);
    (definition.id.to_string(), row.area.clone(), period, row.breakdown().to_owned())
}

/// What a figure of a period is kept under: a stock's is that of the period's last day, whatever period it came for.
fn counted_for(kind: Kind, period: Period) -> Period {
    match kind {
        Kind::Stock => Period::of(Frequency::Day, period.end()).unwrap_or(period),
        Kind::Events | Kind::Distinct | Kind::Ratio | Kind::Mean | Kind::Amount => period.storage_key(),
    }
}
