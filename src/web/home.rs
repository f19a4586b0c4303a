//! The first page: what there is to ask.

use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};

use super::form::Form;
use super::page::Page;
use super::picture_form;
use super::question::Parameters;
use super::refusal::Refusal;
use super::visitor::Visitor;
use crate::access::Role;

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
    // Who reads no figures begins with what there is for them.
    match visitor.role {
        Role::Operator => return Ok(Redirect::to("/keys").into_response()),
        Role::Submitter | Role::Corrector => return Ok(Redirect::to("/due").into_response()),
        Role::Steward => return Ok(Redirect::to("/catalogue").into_response()),
        Role::Analyst | Role::Reader => {}
    }
    ask(&visitor, &Parameters::default()).await
}

/// The page that asks for what an address hasn't.
pub(super) async fn ask(visitor: &Visitor, parameters: &Parameters) -> Result<Response, Refusal> {
    let form = picture_form::new_form(visitor, parameters).await?;
    Ok(Page(Home::of(form)).into_response())
}
