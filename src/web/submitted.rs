//! A submitted figure as pages show it: its text, where it came from, and what its sender said of it.

use crate::model::text::visible_lines;
use crate::rpc::proto::{CategoryRef, CheckExplanation};

/// A submitted figure.
#[derive(Debug, Default, Clone)]
pub(super) struct Submitted {
    /// The value, as text with its markers.
    pub(super) value: String,
    pub(super) notes: Vec<String>,
    /// The revision since which it has this value.
    pub(super) revision: i64,
    /// When that was accepted.
    pub(super) accepted: String,
    /// The submission's own id; empty if none is left.
    pub(super) request_id: String,
    pub(super) source: String,
    pub(super) reason: String,
    pub(super) explanations: Vec<String>,
}

impl Submitted {
    /// Of a submission.
    pub(super) fn new(request_id: &str, source: &str, reason: &str, explanations: &[CheckExplanation]) -> Self {
        let explanation = |CheckExplanation { check, explanation }: &CheckExplanation| match check.as_str() {
            "" => visible_lines(explanation).into_owned(),
            check => visible_lines(&format!("{check}: {explanation}")).into_owned(),
        };
        Self {
            request_id: request_id.to_owned(),
            source: visible_lines(source).into_owned(),
            reason: visible_lines(reason).into_owned(),
            explanations: explanations.iter().map(explanation).collect(),
            ..Self::default()
        }
    }
}

/// Which columns of a table of submitted figures have anything in them.
#[derive(Debug, Default)]
pub(super) struct Columns {
    pub(super) sources: bool,
    pub(super) reasons: bool,
    pub(super) explanations: bool,
}

impl Columns {
    pub(super) fn of<'a>(figures: impl Iterator<Item = &'a Submitted>) -> Self {
        figures.fold(Self::default(), |columns, figure| Self {
            sources: columns.sources || !figure.source.is_empty(),
            reasons: columns.reasons || !figure.reason.is_empty(),
            explanations: columns.explanations || !figure.explanations.is_empty(),
        })
    }
}

/// A breakdown as an address has it: `sex:female,age-band:0-to-4`; empty for the total.
pub(super) fn breakdown_text(categories: &[CategoryRef]) -> String {
    categories.iter().map(|it| format!("{}:{}", it.dimension, it.category)).collect::<Vec<_>>().join(",")
}
