//! Who has signed in, and out again.

use askama::Template;
use axum::response::IntoResponse;

use super::page::Page;
use super::visitor::Visitor;
use crate::access::Role;

#[derive(Debug, Template)]
#[template(path = "account.html")]
struct Account {
    identity: String,
    role: String,
    /// What figures are read for; empty for who needn't say.
    purpose: String,
    csrf: String,
    is_operator: bool,
}

pub(super) async fn show(visitor: Visitor) -> impl IntoResponse {
    let Visitor { identity, role, purpose, csrf, .. } = visitor;
    Page(Account { identity, role: role.to_string(), purpose, csrf, is_operator: role == Role::Operator })
}
