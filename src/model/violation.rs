//! What is wrong with an input: every problem, each at its field.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use super::text::visible;

/// One problem of an input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// Where, as a path of the request's fields: `observations[3].period`.
    pub field: String,
    /// What was found and what is allowed: one plain sentence, or two.
    pub description: String,
}

impl Violation {
    /// A problem of a field.
    pub(crate) fn new(field: impl fmt::Display, description: impl fmt::Display) -> Self {
        Self { field: shown(field.to_string()), description: shown(description.to_string()) }
    }
}

/// A text that may quote what others wrote, so that all of it can be seen.
fn shown(text: String) -> String {
    match visible(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(shown) => shown,
    }
}

/// `observations[3].period: found …`; of the whole input, the description alone.
impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.field.as_str() {
            "" => f.write_str(&self.description),
            field => write!(f, "{field}: {}", self.description),
        }
    }
}

/// Stands before the kind of thing that an input names and that isn't there, such as `indicator`. A client may look for it.
pub(crate) const NO_SUCH: &str = "there is no such";

/// At most this many problems of one input are kept; the others are counted.
pub(crate) const VIOLATIONS_MAX: usize = 1_000;

/// The problems of one input, collected.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Violations {
    kept: Vec<Violation>,
    omitted: usize,
}

impl Violations {
    /// Notes a problem of a field. What isn't kept isn't written out: give [`format_args!`], which is only written
    /// out when it is shown.
    pub(crate) fn add(&mut self, field: impl fmt::Display, description: impl fmt::Display) {
        if self.kept.len() < VIOLATIONS_MAX {
            self.kept.push(Violation::new(field, description));
        } else {
            self.omitted += 1;
        }
    }

    /// The value, or the error noted as a problem of the field.
    pub(crate) fn check<T, E: fmt::Display>(&mut self, field: impl fmt::Display, result: Result<T, E>) -> Option<T> {
        result.map_err(|error| self.add(field, error)).ok()
    }

    /// Sorts by the index in the input's first list, then by the order of noting.
    pub(crate) fn sort(&mut self) {
        let index = |field: &str| -> Option<usize> {
            let (_, rest) = field.split_once('[')?;
            rest.split_once(']')?.0.parse().ok()
        };
        self.kept.sort_by_key(|violation| index(&violation.field));
    }

    /// The problems of a part of an input, as problems of the whole.
    #[must_use]
    pub(crate) fn within(mut self, part: &str) -> Self {
        for violation in &mut self.kept {
            violation.field = format!("{part}.{}", violation.field);
        }
        self
    }

    /// Adds another input's problems.
    pub(crate) fn extend(&mut self, other: Self) {
        for violation in other.kept {
            self.add(violation.field, violation.description);
        }
        self.omitted += other.omitted;
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// The problems, in the order in which they were noted.
    pub fn iter(&self) -> impl Iterator<Item = &Violation> {
        self.kept.iter()
    }

    /// How many problems there are, kept and omitted.
    pub(crate) fn len(&self) -> usize {
        self.kept.len() + self.omitted
    }

    /// `Ok` of the value when nothing is wrong.
    ///
    /// # Errors
    /// These problems, when there is one or more.
    pub(crate) fn into_result<T>(self, value: T) -> Result<T, Self> {
        if self.is_empty() { Ok(value) } else { Err(self) }
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kept.as_slice() {
            [] => f.write_str("nothing is wrong"),
            [one] => write!(f, "{one}"),
            [first, ..] => write!(f, "{} problems, the first: {first}", self.len()),
        }
    }
}

/// A part of a description that is only made when it is shown.
pub(crate) struct Lazy<F>(pub(crate) F);

impl<F: Fn() -> T, T: fmt::Display> fmt::Display for Lazy<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0().fmt(f)
    }
}

/// Text from outside as an error shows it: in backticks, cut at 60 characters, or `nothing`.
pub struct Quoted<'a>(pub &'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const CHARACTERS_MAX: usize = 60;
        if self.0.is_empty() {
            return f.write_str("nothing");
        }
        let cut = self.0.char_indices().nth(CHARACTERS_MAX).map_or(self.0.len(), |(cut, _)| cut);
        f.write_char('`')?;
        for c in self.0[..cut].chars() {
            // Quotes stand in names as they are: `Children's`.
            match c {
                '\'' | '"' => f.write_char(c)?,
                _ => write!(f, "{}", c.escape_debug())?,
            }
        }
        if cut == self.0.len() { f.write_char('`') } else { write!(f, "…` ({} bytes)", self.0.len()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_past_the_bound_are_counted_not_kept() {
        let mut violations = Violations::default();
        for n in 0..VIOLATIONS_MAX + 7 {
            violations.add(format!("rows[{n}]"), "wrong");
        }
        assert_eq!((violations.iter().count(), violations.len()), (VIOLATIONS_MAX, VIOLATIONS_MAX + 7));
        assert_eq!(violations.to_string(), "1007 problems, the first: rows[0]: wrong");
    }

    #[test]
    fn problems_past_the_bound_are_not_written_out() {
        let written = std::cell::Cell::new(0);
        let counted = Lazy(|| {
            written.set(written.get() + 1);
            "wrong"
        });
        let mut violations = Violations::default();
        for n in 0..VIOLATIONS_MAX + 7 {
            violations.add(format_args!("rows[{n}]{counted}"), &counted);
            violations.check::<(), _>(&counted, Err(&counted));
        }
        assert_eq!(violations.len(), 2 * (VIOLATIONS_MAX + 7));
        assert_eq!(written.get(), 2 * VIOLATIONS_MAX);
    }

    #[test]
    fn what_others_wrote_is_not_quoted_as_it_is() {
        let violation = Violation::new("a\u{1b}", "found b\u{202e}");
        assert_eq!(violation.to_string(), "a\\u{1b}: found b\\u{202e}");
    }
}
