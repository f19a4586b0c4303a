//! How a file is laid out, as far as it isn't by the columns' own names: what its sender says on the command line, or
//! once and for all in a mapping.

use std::collections::BTreeMap;

use super::field::{Field, normal};
pub use super::period::DatesAre;

/// How a file is laid out. The default is a table with a column for each name, as the template has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Layout {
    /// The sheet of a workbook. By default the one that has the columns.
    pub sheet: Option<String>,
    /// Columns that aren't read, by their headings, or by their letters where they have none.
    pub ignored_columns: Vec<String>,
    /// What the dates in the periods stand for. By default a date that may be two periods is refused.
    pub dates: Option<DatesAre>,
    /// The row of the headings. By default the first that names the needed columns.
    pub(crate) header_row: Option<u64>,
    /// The heading of each column that isn't called by its own name.
    pub(crate) columns: BTreeMap<Field, String>,
    /// What is the same for every figure of the file.
    pub(crate) constants: BTreeMap<Field, String>,
    /// What the texts of a column stand for, by the text in lower case.
    pub(crate) values: BTreeMap<Field, BTreeMap<String, String>>,
    /// What runs across: each heading that isn't a column's name is one, and the cells below it are its figures.
    pub(crate) across: Option<Field>,
}

impl Layout {
    /// The column that a heading names.
    pub(super) fn field(&self, heading: &str) -> Option<Field> {
        let heading = normal(heading);
        let given = self.columns.iter().find(|(_, name)| normal(name) == heading).map(|(field, _)| *field);
        // What is given otherwise isn't looked for by its own name.
        let is_free = |field: &Field| {
            !self.columns.contains_key(field) && !self.constants.contains_key(field) && self.across != Some(*field)
        };
        given.or_else(|| Field::of_heading(&heading).filter(is_free))
    }

    /// Whether a column isn't read, by its heading or its letters.
    pub(super) fn ignores(&self, heading: &str, letters: &str) -> bool {
        let name = if heading.is_empty() { letters } else { heading };
        self.ignored_columns.iter().any(|ignored| normal(ignored) == normal(name))
    }

    /// What a column's text stands for.
    pub(super) fn value<'a>(&'a self, field: Field, text: &'a str) -> &'a str {
        let of_field = self.values.get(&field);
        of_field.and_then(|values| values.get(&normal(text))).map_or(text, String::as_str)
    }

    /// Whether an indicator's heading is one of those that run across.
    pub(super) fn is_across(&self, heading: &str) -> bool {
        self.across
            .and_then(|field| self.values.get(&field))
            .is_some_and(|values| values.contains_key(&normal(heading)))
    }
}
