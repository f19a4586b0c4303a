//! A form that was received, on the way to its answer: to be filled in again, to be sent, or the receipt.

use std::sync::Arc;

use askama::Template;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use tonic::{Code, Status};

use super::super::agency;
use super::super::names::Names;
use super::super::page::Page;
use super::super::question::Address;
use super::super::refusal::Refusal;
use super::super::shares::Held;
use super::super::visitor::Visitor;
use super::draft::Draft;
use super::form::{FieldProblem, Form};
use super::pages::{PreviewPage, SubmitPage};
use super::places::Places;
use super::preview::Preview;
use super::refused::Refused;
use super::upload::{self, UPLOAD_TIMEOUT, Upload};
use super::verdict::{Asked, Verdict, verdict};
use crate::model::submission::OBSERVATIONS_MAX;
use crate::rpc::proto::{SubmitObservationsRequest, SubmitObservationsResponse};
use crate::submitting::{Found, request_id};
use crate::wording::number::thousands;

/// Why what would change is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// It was checked.
    First,
    /// It was sent without all that is asked for.
    Unanswered,
    /// What stands has changed since it was checked.
    Changed,
}

/// A form that was received, on the way to its answer.
pub(super) struct Step {
    pub(super) visitor: Visitor,
    agency: String,
    agency_name: String,
    pub(super) upload: Upload,
    form: Form,
    /// For as long as the file is in memory.
    place: Arc<Held>,
    places: Places,
}

impl Step {
    /// Receives a form, if whoever sends it may submit for the agency: nobody else's is.
    pub(super) async fn begin(
        visitor: Visitor,
        places: &Places,
        agency: &str,
        request: Request,
    ) -> Result<Self, Refusal> {
        may_submit(&visitor, agency).await?;
        let agency = agency::find(&visitor, agency).await?;
        let place = places.take(&agency.id).await?;
        let upload = Upload::receive(request, UPLOAD_TIMEOUT).await.map_err(|refused| refusal(&refused))?;
        let form = Form::of(&upload);
        Ok(Self { visitor, agency: agency.id, agency_name: agency.name, upload, form, place, places: places.clone() })
    }

    /// Reads the file; or what is wrong with the fields that say how.
    pub(super) async fn read(&self) -> Result<Result<Draft, Vec<FieldProblem>>, Refusal> {
        let selection = match self.form.selection(&self.agency) {
            Ok(selection) => selection,
            Err(problems) => return Ok(Err(problems)),
        };
        let draft =
            Draft::read(&self.visitor, (&self.places, &self.place), self.upload.file.clone(), selection, &self.form)
                .await?;
        Ok(match draft.too_many() {
            None => Ok(draft),
            Some(figures) => {
                let what = format!(
                    "The file has {} figures, and this page sends at most {} at once. Send fewer; or all of them from the \
                     command line, which sends them in parts: conspectus submit FILE --agency {}",
                    thousands(&figures.to_string()),
                    thousands(&OBSERVATIONS_MAX.to_string()),
                    self.agency
                );
                Err(vec![FieldProblem::new("file", "File", &what)])
            }
        })
    }

    /// The form again, with what is wrong with its fields.
    pub(super) async fn ask_again(self, problems: Vec<FieldProblem>) -> Result<Response, Refusal> {
        self.answer(StatusCode::UNPROCESSABLE_ENTITY, |step| step.form_page(Refused::default(), problems, Vec::new()))
            .await
    }

    /// Everything that is wrong with a file.
    pub(super) async fn refuse(self, draft: Draft, found: Found) -> Result<Response, Refusal> {
        let page = move |step: Self| {
            let mut refused = Refused::of(&draft.sheet, &found);
            let problems = std::mem::take(&mut refused.of_form);
            step.form_page(refused, problems, notes(&draft).into_iter().chain(found.note()).collect())
        };
        self.answer(StatusCode::UNPROCESSABLE_ENTITY, page).await
    }

    fn form_page(self, refused: Refused, problems: Vec<FieldProblem>, notes: Vec<String>) -> SubmitPage {
        SubmitPage {
            csrf: self.visitor.csrf,
            agency: self.agency,
            agency_name: self.agency_name,
            file_name: self.upload.file_name,
            form: self.form,
            refused,
            problems,
            notes,
        }
    }

    /// What the service says to a file as things stand now. Nothing is stored.
    pub(super) async fn checked(self, draft: Draft, why: Shown) -> Result<Response, Refusal> {
        let request_id = request_id::of_check(&draft.request);
        let request = SubmitObservationsRequest { request_id, ..draft.request.clone() };
        match verdict(&self.visitor, &request, |index| draft.is_unexplained(index)).await? {
            Verdict::Refused(found) => self.refuse(draft, found).await,
            Verdict::Acceptable { .. } if !draft.sheet.reading.problems.is_empty() => {
                self.refuse(draft, Found::default()).await
            }
            Verdict::Acceptable { answer, asked } => self.preview(draft, answer, asked, why).await,
        }
    }

    /// What would change.
    pub(super) async fn preview(
        self,
        draft: Draft,
        answer: Box<SubmitObservationsResponse>,
        asked: Asked,
        why: Shown,
    ) -> Result<Response, Refusal> {
        let names = Names::of(&self.visitor, 0).await?;
        let page = move |step: Self| {
            let preview = Preview::of(&draft, &answer, &asked, &names);
            PreviewPage {
                csrf: step.visitor.csrf,
                agency: step.agency,
                agency_name: step.agency_name,
                file_again: step.upload.file_again(),
                file_name: step.upload.file_name,
                form: step.form,
                seen: answer.revision,
                problems: if why == Shown::Unanswered { preview.unanswered() } else { Vec::new() },
                has_changed: why == Shown::Changed,
                notes: notes(&draft),
                preview,
            }
        };
        let status = if why == Shown::First { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
        self.answer(status, page).await
    }

    /// A page that has a whole file in it, written where the file is read.
    async fn answer<T: Template>(
        self,
        status: StatusCode,
        page: impl FnOnce(Self) -> T + Send + 'static,
    ) -> Result<Response, Refusal> {
        let (places, place) = (self.places.clone(), Arc::clone(&self.place));
        let written = places.work(&place, move || Page(page(self)).into_response()).await?;
        Ok((status, written).into_response())
    }

    /// On to the receipt, which a reload doesn't send again.
    pub(super) fn received(&self, request: &SubmitObservationsRequest, before: bool) -> Response {
        let receipt = Address::of("/submission")
            .with("agency", &request.agency)
            .with("request_id", &request.request_id)
            .with("file", &self.upload.file_name)
            .with("received", if before { "before" } else { "now" });
        Redirect::to(&receipt.href()).into_response()
    }
}

/// Whether whoever looks may submit for an agency: an empty submission of theirs is refused for that alone.
pub(super) async fn may_submit(visitor: &Visitor, agency: &str) -> Result<(), Status> {
    let request = SubmitObservationsRequest {
        agency: agency.to_owned(),
        request_id: "may-submit".to_owned(),
        validate_only: true,
        ..SubmitObservationsRequest::default()
    };
    match visitor.calls.submissions().submit_observations(request).await {
        Err(status) if status.code() == Code::InvalidArgument => {
            let is_unknown = Found::of(&status).listed.iter().any(|(field, _)| field == "agency");
            if is_unknown { Err(status) } else { Ok(()) }
        }
        Err(status) => Err(status),
        Ok(_) => Ok(()),
    }
}

/// What to know of how the file was read.
fn notes(draft: &Draft) -> Vec<String> {
    draft.sheet.notes().iter().map(|note| note.trim().to_owned()).collect()
}

fn refusal(refused: &upload::Refused) -> Refusal {
    let message = refused.to_string();
    let (status, title) = match refused {
        upload::Refused::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "The file is too large"),
        upload::Refused::TooSlow(_) => (StatusCode::REQUEST_TIMEOUT, "The file came too slowly"),
        upload::Refused::Malformed(_) => (StatusCode::BAD_REQUEST, "The form can't be read"),
    };
    Refusal::of_page(status, title, message)
}
