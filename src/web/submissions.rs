//! What an agency has submitted, newest first.

use askama::Template;
use axum::response::{IntoResponse, Response};
use prost::Message as _;
use serde::Deserialize;
use tonic::Status;

use super::agency;
use super::page::Page;
use super::question::{Address, FileLink, Known};
use super::refusal::Refusal;
use super::visitor::Visitor;
use crate::http::files;
use crate::model::text::visible;
use crate::rpc::proto::{ListSubmissionsRequest, ListSubmissionsResponse, Submission};
use crate::tables;
use crate::wording::instant;
use crate::wording::number::thousands;

/// Whose submissions, and from which page of them on.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    #[serde(default)]
    agency: String,
    #[serde(default)]
    page_token: String,
}

impl Question {
    fn request(&self) -> ListSubmissionsRequest {
        let Self { agency, page_token } = self;
        ListSubmissionsRequest { agency: agency.clone(), page_size: 0, page_token: page_token.clone() }
    }
}

#[derive(Debug, Template)]
#[template(path = "submissions.html")]
struct SubmissionsPage {
    agency: String,
    agency_name: String,
    rows: Vec<Row>,
    /// The address of those before; empty for none.
    earlier: String,
    revision: String,
    files: Vec<FileLink>,
}

#[derive(Debug, PartialEq, Eq)]
struct Row {
    address: String,
    accepted: String,
    request_id: String,
    figures: String,
    source: String,
    part_of: String,
    sample: bool,
    withdrawn: String,
}

pub(super) async fn show(visitor: Visitor, Known(question): Known<Question>) -> Result<Response, Refusal> {
    if question.agency.is_empty()
        && let Some(own) = agency::own(&visitor, "/submissions").await?
    {
        return Ok(own);
    }
    let answer = visitor.calls.submissions().list_submissions(question.request()).await?.into_inner();
    let agency = agency::find(&visitor, &question.agency).await?;
    Ok(Page(page(agency.id, agency.name, &answer)).into_response())
}

/// All submissions, not only the page's.
pub(super) async fn file(_: Visitor, query: Option<String>) -> Result<files::Question, Status> {
    let Known(question) = Known::<Question>::read(query.as_deref())?;
    let (method, message) = ("/conspectus.v1.SubmissionService/ListSubmissions", question.request().encode_to_vec());
    let table = |_: ListSubmissionsResponse, labels, _| tables::submissions(labels);
    let file = files::Question::new("submissions", (method, "submissions"), message, table);
    Ok(file.with_names(files::Names::Places))
}

fn page(agency: String, agency_name: String, answer: &ListSubmissionsResponse) -> SubmissionsPage {
    let earlier = match answer.next_page_token.as_str() {
        "" => String::new(),
        token => Address::of("/submissions").with("agency", &*agency).with("page_token", token).href(),
    };
    SubmissionsPage {
        rows: answer.submissions.iter().map(row).collect(),
        earlier,
        revision: thousands(&answer.revision.to_string()),
        files: Address::of("/submissions").with("agency", &*agency).files(),
        agency,
        agency_name,
    }
}

fn row(submission: &Submission) -> Row {
    let Submission { agency, request_id, .. } = submission;
    let withdrawn = match submission.withdrawn_at_revision {
        0 => String::new(),
        revision => format!("withdrawn at revision {}", thousands(&revision.to_string())),
    };
    Row {
        address: Address::of("/submission").with("agency", agency).with("request_id", request_id).href(),
        accepted: submission.accepted_at.as_ref().map(instant::text).unwrap_or_default(),
        request_id: request_id.clone(),
        figures: thousands(&submission.observation_count.to_string()),
        source: visible(&submission.source).into_owned(),
        part_of: submission.return_id.clone(),
        sample: submission.sample,
        withdrawn,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_links_to_each_submission_and_says_what_became_of_it() {
        let first = Submission {
            agency: "portsmouth".to_owned(),
            request_id: "../a?b".to_owned(),
            revision: 15,
            observation_count: 1_204,
            source: "<script>alert(1)</script>".to_owned(),
            accepted_at: Some(prost_types::Timestamp { seconds: 1_622_000_000, nanos: 0 }),
            ..Submission::default()
        };
        let second = Submission { source: String::new(), withdrawn_at_revision: 1_017, sample: true, ..first.clone() };
        let answer = ListSubmissionsResponse {
            revision: 1_018,
            submissions: vec![second, first],
            next_page_token: "more".to_owned(),
        };
        let page = page("portsmouth".to_owned(), "Portsmouth & Co".to_owned(), &answer);
        insta::assert_snapshot!(page.render().unwrap().split("<main").nth(1).unwrap());
    }
}
