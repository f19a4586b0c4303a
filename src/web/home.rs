//! The first page: what there is to ask.

use askama::Template;
use axum::response::{IntoResponse, Response};

use super::form::Form;
use super::page::Page;
use super::picture_form;
use super::question::Parameters;
use super::refusal::Refusal;
use super::visitor::Visitor;

#[derive(Debug, Template)]
#[template(path = "home.html")]
pub(super) struct Home {
    heading: &'static str,
    form: Form,
}

impl Home {
    pub(super) fn of(form: Form) -> Self {
        Self { heading: "The multi-agency picture", form }
    }
}

pub(super) async fn show(visitor: Visitor) -> Result<Response, Refusal> {
    ask(&visitor, &Parameters::default()).await
}

/// The page that asks for what an address hasn't.
pub(super) async fn ask(visitor: &Visitor, parameters: &Parameters) -> Result<Response, Refusal> {
    let form = picture_form::new_form(visitor, parameters).await?;
    Ok(Page(Home::of(form)).into_response())
}
