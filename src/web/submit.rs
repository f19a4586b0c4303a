//! Submitting a file from a browser: it is checked, what it would change is shown, and it is sent; or every problem is
//! shown at its cell.
//!
//! Between the steps the server keeps nothing. The file travels in the form, and is read again when it is sent: so what
//! is sent is what was checked, by the same rules, and the service has the last word. The form carries the revision that
//! was looked at: where one of its figures has changed since, the service stores nothing. The request's id comes from the
//! figures and that revision, so a form that is sent twice is stored once.

mod draft;
mod form;
mod pages;
mod places;
mod preview;
mod refused;
mod step;
mod upload;
mod verdict;

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Redirect, Response};

use super::agency::{self, Whose};
use super::page::Page;
use super::question::{Address, Known};
use super::refusal::Refusal;
use super::visitor::Visitor;
use crate::rpc::proto::SubmitObservationsRequest;
use crate::submitting::{Found, request_id};
use form::{FieldProblem, Form};
use pages::SubmitPage;
pub(super) use places::Places;
use preview::explanation_field;
use refused::Refused;
use step::{Shown, Step, may_submit};
use verdict::{Verdict, unless_changed, verdict};

/// The form.
pub(super) async fn show(visitor: Visitor, Known(whose): Known<Whose>) -> Result<Response, Refusal> {
    if whose.agency.is_empty()
        && let Some(own) = agency::own(&visitor, "/submit").await?
    {
        return Ok(own);
    }
    may_submit(&visitor, &whose.agency).await?;
    let agency = agency::find(&visitor, &whose.agency).await?;
    Ok(Page(SubmitPage {
        csrf: visitor.csrf,
        agency: agency.id,
        agency_name: agency.name,
        file_name: String::new(),
        form: Form::default(),
        refused: Refused::default(),
        problems: Vec::new(),
        notes: Vec::new(),
    })
    .into_response())
}

/// On to the form: a browser that opens the address of a step again sends nothing with it.
pub(super) async fn back(Known(whose): Known<Whose>) -> Redirect {
    Redirect::to(&Address::of("/submit").with("agency", whose.agency).href())
}

/// Checks a file. Nothing is stored.
pub(super) async fn check(
    visitor: Visitor,
    State(places): State<Places>,
    Known(whose): Known<Whose>,
    request: Request,
) -> Result<Response, Refusal> {
    let step = Step::begin(visitor, &places, &whose.agency, request).await?;
    if step.upload.file.is_empty() && step.upload.file_name.is_empty() {
        return step.ask_again(vec![FieldProblem::new("file", "File", &"Choose a file")]).await;
    }
    let draft = match step.read().await? {
        Ok(draft) => draft,
        Err(problems) => return step.ask_again(problems).await,
    };
    step.checked(draft, Shown::First).await
}

/// Sends a file that was checked, with the answers to what was asked.
pub(super) async fn send(
    visitor: Visitor,
    State(places): State<Places>,
    Known(whose): Known<Whose>,
    request: Request,
) -> Result<Response, Refusal> {
    let step = Step::begin(visitor, &places, &whose.agency, request).await?;
    let mut draft = match step.read().await? {
        Ok(draft) if draft.sheet.is_sendable() => draft,
        Ok(draft) => return step.refuse(draft, Found::default()).await,
        Err(problems) => return step.ask_again(problems).await,
    };
    for index in 0..draft.request.observations.len() {
        if draft.is_unexplained(index) {
            step.upload.text(&explanation_field(index)).clone_into(&mut draft.request.observations[index].explanation);
        }
    }
    if !draft.sheet.reading.problems.is_empty() {
        return step.refuse(draft, Found::default()).await;
    }
    let Some(seen) = step.upload.text("seen").parse().ok().filter(|seen: &i64| *seen > 0) else {
        return step.checked(draft, Shown::Changed).await;
    };
    let request = SubmitObservationsRequest { unchanged_since_revision: seen, ..draft.request.clone() };
    let request = SubmitObservationsRequest { request_id: request_id::of_seen(&request), ..request };
    let verdict = verdict(&step.visitor, &request, |index| draft.is_unexplained(index)).await;
    match unless_changed(verdict)? {
        None => return step.checked(draft, Shown::Changed).await,
        Some(Verdict::Refused(found)) => return step.refuse(draft, found).await,
        // As it was seen it was sent, and withdrawn since.
        Some(Verdict::Acceptable { answer, .. }) if answer.withdrawn_at_revision != 0 => {
            return step.checked(draft, Shown::Changed).await;
        }
        Some(Verdict::Acceptable { answer, .. }) if answer.already_received => {
            return Ok(step.received(&request, true));
        }
        Some(Verdict::Acceptable { answer, asked }) if !asked.is_nothing() => {
            return step.preview(draft, answer, asked, Shown::Unanswered).await;
        }
        Some(Verdict::Acceptable { .. }) => {}
    }
    // It may change between the question and this: then nothing is stored either.
    let sent = step.visitor.calls.submissions().submit_observations(request.clone()).await;
    match unless_changed(sent.map(tonic::Response::into_inner))? {
        None => step.checked(draft, Shown::Changed).await,
        Some(answer) => Ok(step.received(&request, answer.already_received)),
    }
}
