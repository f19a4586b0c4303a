//! What an agency itself reported for earlier periods, from its own submissions: the figures of others aren't a
//! submitter's to read.

use std::collections::{BTreeMap, BTreeSet};

use tonic::Status;

use super::super::connect::{Connection, Server, pages};
use super::super::failure::{Exit, Failure};
use super::super::observation_text::{shown, value};
use super::rows::Row;
use crate::catalogue::items::Kind;
use crate::model::period::{Frequency, Period};
use crate::rpc::client::submission_service_client::SubmissionServiceClient;
use crate::rpc::proto::{GetSubmissionRequest, ListSubmissionsRequest, Observation, Submission};
use crate::tables::breakdown;

/// How many of an agency's submissions are read at the most, the newest first.
const SUBMISSIONS_READ_MAX: usize = 500;
/// How many items a page has at the most.
const PAGE: i32 = 1_000;

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
pub(super) async fn read(server: &Server, agency: &str, rows: &[Row<'_>]) -> Result<Earlier, Failure> {
    let mut client = server.submissions().await?;
    let submissions = match standing(&mut client, agency).await {
        Ok(submissions) => submissions,
        Err(Failure::Message(Exit::NotAllowed, _)) => {
            let note = "This key may not read the agency's submissions: what was reported before isn't shown.";
            return Ok(Earlier { note: Some(note.to_owned()), ..Earlier::default() });
        }
        Err(failure) => return Err(failure),
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
        for figure in figures(&mut client, submission).await? {
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
async fn standing(client: &mut SubmissionServiceClient<Connection>, agency: &str) -> Result<Vec<Submission>, Failure> {
    let mut found = Vec::new();
    let get = async |page_token| -> Result<_, Status> {
        let request = ListSubmissionsRequest { agency: agency.to_owned(), page_size: PAGE, page_token };
        client.list_submissions(request).await
    };
    pages(get, |page| {
        found.extend(page.submissions.into_iter().filter(|submission| submission.withdrawn_at_revision == 0));
        if found.len() > SUBMISSIONS_READ_MAX { String::new() } else { page.next_page_token }
    })
    .await?;
    found.truncate(SUBMISSIONS_READ_MAX + 1);
    Ok(found)
}

/// The figures of a submission.
async fn figures(
    client: &mut SubmissionServiceClient<Connection>,
    submission: &Submission,
) -> Result<Vec<Observation>, Failure> {
    let (agency, request_id) = (submission.agency.clone(), submission.request_id.clone());
    let request = GetSubmissionRequest { agency, request_id, page_size: PAGE, page_token: String::new() };
    let mut found = Vec::new();
    let get = async |page_token| client.get_submission(GetSubmissionRequest { page_token, ..request.clone() }).await;
    pages(get, |page| {
        found.extend(page.observations);
        page.next_page_token
    })
    .await?;
    Ok(found)
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
