//! The two pages on the way to a receipt: the form for a file, and what it would change.

use askama::Template;

use super::super::session::IDLE_MAX;
use super::form::{FieldProblem, Form};
use super::preview::Preview;
use super::refused::Refused;

/// The form for a file, with what is wrong with the one that was chosen before.
#[derive(Debug, Template)]
#[template(path = "submit.html")]
pub(super) struct SubmitPage {
    pub(super) csrf: String,
    pub(super) agency: String,
    pub(super) agency_name: String,
    /// The file that was chosen before; empty for none.
    pub(super) file_name: String,
    pub(super) form: Form,
    pub(super) refused: Refused,
    pub(super) problems: Vec<FieldProblem>,
    pub(super) notes: Vec<String>,
}

impl SubmitPage {
    fn problem(&self, id: &str) -> Option<&str> {
        self.problems.iter().find(|problem| problem.id == id).map(|problem| problem.what.as_str())
    }

    /// Whether the choices of how a file is laid out are shown: problems of a file may name them.
    fn layout_is_open(&self) -> bool {
        self.refused.count > 0
            || self.form.is_layout_set()
            || self.problems.iter().any(|it| ["mapping", "columns", "dates"].contains(&&*it.id))
    }

    /// The ids of what describes a field that has a hint.
    fn described(&self, id: &str) -> String {
        if self.problem(id).is_some() { format!("{id}-hint {id}-problem") } else { format!("{id}-hint") }
    }
}

/// What would change, and the form that sends it.
#[derive(Debug, Template)]
#[template(path = "preview.html")]
pub(super) struct PreviewPage {
    pub(super) csrf: String,
    pub(super) agency: String,
    pub(super) agency_name: String,
    pub(super) file_name: String,
    pub(super) file_again: String,
    pub(super) form: Form,
    /// The revision that it is seen as of.
    pub(super) seen: i64,
    pub(super) preview: Preview,
    /// What is still to be answered, where it was sent without.
    pub(super) problems: Vec<FieldProblem>,
    pub(super) has_changed: bool,
    pub(super) notes: Vec<String>,
}

impl PreviewPage {
    fn is_wrong(&self, id: &str) -> bool {
        self.problems.iter().any(|problem| problem.id == id)
    }
}

impl PreviewPage {
    /// How many minutes there are to send it in: what was filled in is lost with the session.
    fn minutes() -> u64 {
        IDLE_MAX.as_secs() / 60
    }
}
