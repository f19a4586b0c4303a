//! What somebody most likely means who names something that the catalogue lacks.

use std::fmt::Display;

use super::Catalogue;
use super::items::Indicator;
use crate::model::nearest::{nearest, within};

/// Of one request's unknown names only so many are compared with the catalogue's, which may be thousands.
pub(crate) const SUGGESTIONS_MAX: usize = 20;

impl Catalogue {
    /// `; did you mean `initial-contacts`?`, or nothing: by the id, or by the title.
    pub(crate) fn like_indicator(&self, text: &str) -> String {
        let all = || self.indicators_after(None).map(Indicator::newest);
        let titled = all().find(|version| is_same(&version.title, text)).map(|version| version.id.as_str());
        did_you_mean(titled.or_else(|| nearest(text, all().map(|version| version.id.as_str()))))
    }

    /// The same of an area: by the name, or by a code in which one character differs. Many codes differ in a few.
    pub(crate) fn like_area(&self, text: &str) -> String {
        let named = self.areas_after(None).find(|area| is_same(&area.name, text)).map(|area| area.code.as_str());
        did_you_mean(named.or_else(|| within(1, text, self.areas_after(None).map(|area| area.code.as_str()))))
    }

    /// The same of an agency: by the id, or by the name.
    pub(crate) fn like_agency(&self, text: &str) -> String {
        let all = || self.agencies_after(None);
        let named = all().find(|agency| is_same(&agency.name, text)).map(|agency| agency.id.as_str());
        did_you_mean(named.or_else(|| nearest(text, all().map(|agency| agency.id.as_str()))))
    }

    /// The same of a dimension, by the id.
    pub(crate) fn like_dimension(&self, text: &str) -> String {
        did_you_mean(nearest(text, self.dimensions_after(None).map(|dimension| dimension.id.as_str())))
    }
}

/// Whether a text is a name, but for its case.
fn is_same(name: &str, text: &str) -> bool {
    name.len() == text.len() && name.to_lowercase() == text.to_lowercase()
}

/// A suggestion as the end of a sentence; nothing for none.
pub(crate) fn did_you_mean(suggestion: Option<impl Display>) -> String {
    suggestion.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}
