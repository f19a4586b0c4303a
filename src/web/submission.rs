//! One submission: its receipt to keep, its figures and what each did, and taking it back.

use askama::Template;
use axum::Form;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use prost::Message as _;
use serde::Deserialize;
use tonic::Status;

use super::names::Names;
use super::page::Page;
use super::question::{Address, FileLink, Known};
use super::refusal::Refusal;
use super::visitor::Visitor;
use crate::http::files;
use crate::model::hex::Hex;
use crate::model::text::{visible, visible_lines};
use crate::rpc::proto::{
    GetSubmissionRequest, GetSubmissionResponse, Observation, ObservationOutcome, WithdrawSubmissionRequest,
};
use crate::submitting::change::{did, effect};
use crate::submitting::service::PAGE;
use crate::submitting::value::{shown, value};
use crate::submitting::{Counts, Found, ReceiptFile, figure_file};
use crate::tables::{self, breakdown};
use crate::wording::instant;
use crate::wording::number::thousands;

/// Which submission.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Question {
    #[serde(default)]
    agency: String,
    #[serde(default)]
    request_id: String,
    #[serde(default)]
    page_token: String,
    /// The file that it came with, where that is known.
    #[serde(default)]
    file: String,
    /// Whether it was received `now`, or `before`.
    #[serde(default)]
    received: String,
}

impl Question {
    fn request(&self) -> GetSubmissionRequest {
        let (agency, request_id) = (self.agency.clone(), self.request_id.clone());
        GetSubmissionRequest { agency, request_id, page_size: PAGE, page_token: self.page_token.clone() }
    }

    /// The address of something of the submission.
    fn at(&self, path: &'static str) -> Address {
        Address::of(path).with("agency", &self.agency).with("request_id", &self.request_id).with("file", &self.file)
    }
}

#[derive(Debug, Template)]
#[template(path = "submission.html")]
struct SubmissionPage {
    received: String,
    agency: String,
    request_id: String,
    accepted: String,
    revision: String,
    chain_hash: String,
    counts: String,
    source: String,
    reason: String,
    part_of: String,
    sample: bool,
    /// That it was withdrawn, when, and why; empty if it wasn't.
    withdrawn: String,
    figures: Vec<Row>,
    receipt_file: String,
    /// The address of the figures as they were submitted, to be corrected.
    as_submitted: String,
    files: Vec<FileLink>,
    withdraw: String,
    /// The address of further figures; empty for none.
    further: String,
}

#[derive(Debug)]
struct Row {
    indicator: String,
    area: String,
    period: String,
    breakdown: String,
    value: String,
    did: String,
    note: String,
    explanation: String,
}

/// The page of a submission.
pub(super) async fn show(visitor: Visitor, Known(question): Known<Question>) -> Result<Response, Refusal> {
    let answer = visitor.calls.submissions().get_submission(question.request()).await?.into_inner();
    let names = Names::of(&visitor, 0).await?;
    Ok(Page(page(&question, &answer, &names)).into_response())
}

/// All figures with what each did, not only the page's.
pub(super) async fn file(_: Visitor, query: Option<String>) -> Result<files::Question, Status> {
    let Known(question) = Known::<Question>::read(query.as_deref())?;
    let (method, message) = ("/conspectus.v1.SubmissionService/GetSubmission", question.request().encode_to_vec());
    let table = |_: GetSubmissionResponse, labels, _| tables::submission(labels);
    Ok(files::Question::new("submission", (method, ""), message, table).with_names(files::Names::All))
}

fn page(question: &Question, answer: &GetSubmissionResponse, names: &Names) -> SubmissionPage {
    let (submission, receipt) =
        (answer.submission.clone().unwrap_or_default(), answer.receipt.clone().unwrap_or_default());
    let withdrawn = match (submission.withdrawn_at_revision, submission.withdrawal_reason.as_str()) {
        (0, _) => String::new(),
        (at, "") => format!("It was withdrawn at revision {}.", thousands(&at.to_string())),
        (at, reason) => format!("It was withdrawn at revision {}: {}", thousands(&at.to_string()), visible(reason)),
    };
    let figures =
        answer.observations.iter().zip(&receipt.outcomes).map(|(figure, outcome)| row(figure, outcome, names));
    let received = match question.received.as_str() {
        // An address may be kept: it says so only while it is so.
        _ if submission.withdrawn_at_revision != 0 => "",
        "now" => "Your figures were received.",
        "before" => "These figures had been received before. Nothing was stored twice.",
        _ => "",
    };
    SubmissionPage {
        received: received.to_owned(),
        accepted: submission.accepted_at.as_ref().map(instant::text).unwrap_or_default(),
        revision: thousands(&receipt.revision.to_string()),
        chain_hash: Hex(&receipt.chain_hash).to_string(),
        counts: Counts::of(&receipt).to_string(),
        source: visible(&submission.source).into_owned(),
        reason: visible_lines(&submission.reason).into_owned(),
        part_of: submission.return_id.clone(),
        sample: submission.sample,
        figures: figures.collect(),
        receipt_file: question.at("/submission/receipt").href(),
        as_submitted: question.at("/submission/figures.csv").href(),
        files: question.at("/submission").files(),
        withdraw: if submission.withdrawn_at_revision == 0 {
            question.at("/submission/withdraw").href()
        } else {
            String::new()
        },
        further: match answer.next_page_token.as_str() {
            "" => String::new(),
            token => question.at("/submission").with("page_token", token).href(),
        },
        withdrawn,
        agency: submission.agency,
        request_id: submission.request_id,
    }
}

fn row(figure: &Observation, outcome: &ObservationOutcome, names: &Names) -> Row {
    Row {
        indicator: names.indicator(&figure.indicator),
        area: names.area(&figure.area),
        period: figure.period.clone(),
        breakdown: breakdown(&figure.breakdown),
        value: shown(&value(figure)),
        did: did(outcome),
        note: visible_lines(&figure.note).into_owned(),
        explanation: visible_lines(&figure.explanation).into_owned(),
    }
}

/// The receipt as a file, which `conspectus receipt verify` takes.
pub(super) async fn receipt(visitor: Visitor, Known(question): Known<Question>) -> Result<Response, Refusal> {
    let request = GetSubmissionRequest { page_size: 1, ..question.request() };
    let answer = visitor.calls.submissions().get_submission(request).await?.into_inner();
    let receipt = answer.receipt.unwrap_or_default();
    let text = ReceiptFile::text(&[ReceiptFile::of(&receipt, &question.file)]);
    let text = text.map_err(|error| Status::internal(error.to_string()))?;
    let name = format!("attachment; filename=\"receipt-{}.toml\"", receipt.revision);
    let head =
        [(header::CONTENT_TYPE, "application/toml; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)];
    Ok((head, text).into_response())
}

/// The figures as the file that was submitted.
pub(super) async fn figures(visitor: Visitor, Known(question): Known<Question>) -> Result<Response, Refusal> {
    let (mut client, mut request, mut figures) = (visitor.calls.submissions(), question.request(), Vec::new());
    request.page_token = String::new();
    let revision = loop {
        let page = client.get_submission(request.clone()).await?.into_inner();
        figures.extend(page.observations);
        if page.next_page_token.is_empty() {
            break page.receipt.unwrap_or_default().revision;
        }
        request.page_token = page.next_page_token;
    };
    let text = figure_file::csv(&figures).map_err(|error| Status::internal(error.to_string()))?;
    let name = format!("attachment; filename=\"submission-{revision}.csv\"");
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (header::CONTENT_DISPOSITION, name)], text)
        .into_response())
}

#[derive(Debug, Template)]
#[template(path = "withdraw.html")]
struct WithdrawPage {
    csrf: String,
    agency: String,
    request_id: String,
    /// What it would do; empty where it can't be done.
    effect: String,
    reason: String,
    /// What is wrong with the reason; empty for nothing.
    wrong_reason: String,
    /// What else is wrong.
    problems: Vec<String>,
    back: String,
}

/// The form that withdraws a submission.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Withdrawal {
    /// Checked before the form is read.
    #[serde(default, rename = "csrf")]
    _csrf: String,
    #[serde(default)]
    agency: String,
    #[serde(default)]
    request_id: String,
    #[serde(default)]
    reason: String,
}

impl Withdrawal {
    fn request(&self) -> WithdrawSubmissionRequest {
        let (agency, request_id) = (self.agency.clone(), self.request_id.clone());
        WithdrawSubmissionRequest { agency, request_id, reason: self.reason.trim().to_owned(), validate_only: false }
    }

    fn back(&self) -> String {
        Address::of("/submission").with("agency", &self.agency).with("request_id", &self.request_id).href()
    }

    /// The form again, with what is wrong.
    fn page(self, visitor: &Visitor, effect: String, wrong_reason: String, problems: Vec<String>) -> WithdrawPage {
        WithdrawPage {
            csrf: visitor.csrf.clone(),
            back: self.back(),
            agency: self.agency,
            request_id: self.request_id,
            effect,
            reason: self.reason,
            wrong_reason,
            problems,
        }
    }

    /// What the service says is wrong, as the form; or the refusal, where it says nothing of fields.
    fn refused(self, visitor: &Visitor, status: Status) -> Result<Response, Refusal> {
        let (mut wrong_reason, mut problems) = (String::new(), Vec::new());
        for (field, what) in Found::of(&status).listed {
            match field.as_str() {
                "reason" => wrong_reason = what,
                _ => problems.push(what),
            }
        }
        if wrong_reason.is_empty() && problems.is_empty() {
            return Err(status.into());
        }
        let page = self.page(visitor, String::new(), wrong_reason, problems);
        Ok((StatusCode::UNPROCESSABLE_ENTITY, Page(page)).into_response())
    }
}

/// Asks whether a submission is to be withdrawn, and says what that would do.
pub(super) async fn ask(visitor: Visitor, Known(question): Known<Question>) -> Result<Response, Refusal> {
    let withdrawal = Withdrawal { agency: question.agency, request_id: question.request_id, ..Withdrawal::default() };
    // The reason is what is asked for.
    let reason = "to be given".to_owned();
    let request = WithdrawSubmissionRequest { reason, validate_only: true, ..withdrawal.request() };
    match visitor.calls.submissions().withdraw_submission(request).await {
        Ok(answer) if answer.get_ref().withdrawn_at_revision != 0 => {
            Ok(Redirect::to(&withdrawal.back()).into_response())
        }
        Ok(answer) => {
            let effect = effect(answer.get_ref());
            Ok(Page(withdrawal.page(&visitor, effect, String::new(), Vec::new())).into_response())
        }
        Err(status) => withdrawal.refused(&visitor, status),
    }
}

/// Withdraws a submission.
pub(super) async fn withdraw(visitor: Visitor, Form(withdrawal): Form<Withdrawal>) -> Result<Response, Refusal> {
    if withdrawal.reason.trim().is_empty() {
        let wrong = "Say why it is withdrawn: the reason is kept, and shown with the submission".to_owned();
        let page = withdrawal.page(&visitor, String::new(), wrong, Vec::new());
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, Page(page)).into_response());
    }
    match visitor.calls.submissions().withdraw_submission(withdrawal.request()).await {
        Ok(_) => Ok(Redirect::to(&withdrawal.back()).into_response()),
        Err(status) => withdrawal.refused(&visitor, status),
    }
}
