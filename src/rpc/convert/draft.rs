//! Figures on their way from messages or columns to lines: what both have in common.

use std::sync::Arc;

use crate::intake::review::Reviewable;
use crate::model::marker::Markers;
use crate::model::observation::{Explanation, Value};
use crate::model::observations::{Dictionaries, Line};

/// A line as far as it could be parsed. What is missing is among the violations already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Draft {
    pub(crate) indicator: Option<u32>,
    pub(crate) area: Option<u32>,
    pub(crate) period: Option<u32>,
    pub(crate) breakdown: Option<u32>,
    pub(crate) value: Option<Value>,
}

impl Draft {
    /// The line, when nothing is missing.
    pub(crate) fn complete(self) -> Option<Line> {
        Some(Line {
            indicator: self.indicator?,
            area: self.area?,
            period: self.period?,
            breakdown: self.breakdown?,
            value: self.value?,
        })
    }
}

impl Reviewable for Draft {
    fn indicator(&self) -> Option<u32> {
        self.indicator
    }

    fn area(&self) -> Option<u32> {
        self.area
    }

    fn period(&self) -> Option<u32> {
        self.period
    }

    fn breakdown(&self) -> Option<u32> {
        self.breakdown
    }

    fn value(&self) -> Option<&Value> {
        self.value.as_ref()
    }
}

/// The figures of a request, as far as they could be parsed.
#[derive(Debug, PartialEq, Eq, Default)]
pub(crate) struct DraftTable {
    pub(crate) dictionaries: Dictionaries,
    pub(crate) drafts: Vec<Draft>,
    pub(crate) notes: Vec<(u32, Arc<str>)>,
    pub(crate) explanations: Vec<(u32, Explanation)>,
}

const EXPLANATION_CHARACTERS_MAX: usize = 500;
const NOTE_CHARACTERS_MAX: usize = 500;

/// A note, when there is one.
///
/// # Errors
/// When it is too long.
pub(crate) fn note(note: &str) -> Result<Option<Arc<str>>, String> {
    text(note, NOTE_CHARACTERS_MAX)
}

/// The text of an explanation, when there is one.
///
/// # Errors
/// When it is too long.
pub(crate) fn explanation(explanation: &str) -> Result<Option<Arc<str>>, String> {
    text(explanation, EXPLANATION_CHARACTERS_MAX)
}

/// The text of an explanation that names what it answers.
///
/// # Errors
/// When it is empty or too long.
pub(crate) fn named_explanation(text: &str) -> Result<Arc<str>, String> {
    explanation(text)?.ok_or_else(|| format!("found nothing; allowed: 1 to {EXPLANATION_CHARACTERS_MAX} characters"))
}

fn text(text: &str, characters_max: usize) -> Result<Option<Arc<str>>, String> {
    // A byte is a character at the most: few need counting.
    let characters = if text.len() > characters_max { text.chars().count() } else { 0 };
    if characters > characters_max {
        return Err(format!("found {characters} characters; allowed: {characters_max} at the most"));
    }
    Ok((!text.is_empty()).then(|| Arc::from(text)))
}

/// Whether markers go with a value that is there, or isn't, or with the withdrawal of a figure.
///
/// # Errors
/// What is wrong, and whether it is with the markers or with the whole.
pub(crate) fn fit(has_measure: bool, withdraws: bool, markers: Markers) -> Result<(), (Misfit, String)> {
    if withdraws {
        return match (has_measure, markers.is_empty()) {
            (false, true) => Ok(()),
            (true, _) => {
                Err((Misfit::Whole, "found a value, and that the figure is withdrawn; allowed: either".to_owned()))
            }
            (false, false) => {
                Err((Misfit::Markers, "found markers, and that the figure is withdrawn; allowed: either".to_owned()))
            }
        };
    }
    let mut absences = markers.absences();
    match (has_measure, absences.next(), absences.next()) {
        (true, None, _) | (false, Some(_), None) => Ok(()),
        (true, Some(absence), _) => Err((
            Misfit::Markers,
            format!("`{absence}` says that there is no value, and there is one; allowed: either"),
        )),
        (false, None, _) => Err((
            Misfit::Whole,
            "found no value; allowed: a number, ratio, percentage or mean, or a marker that says why there is none (c, x, z or low), or that it is withdrawn. A missing value is never zero".to_owned(),
        )),
        (false, Some(_), Some(_)) => Err((
            Misfit::Markers,
            "found several reasons why there is no value; allowed: one of c, x, z, low".to_owned(),
        )),
    }
}

/// What is wrong, where markers and value don't go together.
pub(crate) enum Misfit {
    /// The markers.
    Markers,
    /// The figure as a whole.
    Whole,
}
