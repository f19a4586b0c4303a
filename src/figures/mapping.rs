//! Mappings: a TOML file that says, once and for all, how a partner's own return is laid out.
//!
//! ```toml
//! sheet = "Return"                    # the sheet of a workbook
//! header-row = 3                      # the row of the headings, where it isn't the first that names them
//! dates = "months"                    # what dates stand for: months, days
//! ignore-columns = ["Team"]           # columns that aren't read
//! across = "period"                   # what runs across: each other heading is one
//!
//! [columns]                           # the heading of each column that isn't called by its own name
//! area = "LA name"
//!
//! [constants]                         # what is the same for every figure
//! indicator = "missing-episodes"
//!
//! [values.area]                       # what the texts of a column stand for
//! "Portsmouth City" = "E06000044"
//! ```
//!
//! All that is wrong with one is reported at once, each by its line and column.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::field::{Field, normal};
use super::layout::{DatesAre, Layout};
use super::period;
use super::table::Cell;
use crate::model::marker::Marker;
use crate::model::nearest::nearest;
use crate::model::observation::Breakdown;
use crate::model::violation::Quoted;

/// The most problems of a mapping that are listed.
const PROBLEMS_MAX: usize = 100;

/// The most bytes that a mapping may have.
const MAPPING_BYTES_MAX: usize = 1 << 20;

/// The keys of a mapping.
const KEYS: [&str; 8] = ["sheet", "header-row", "dates", "ignore-columns", "across", "columns", "constants", "values"];

/// What may be the same for every figure. A figure's numbers are its own.
const CONSTANTS: [Field; 6] =
    [Field::Indicator, Field::Area, Field::Period, Field::Breakdown, Field::Markers, Field::Note];

/// Something wrong with a mapping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MappingProblem {
    /// Counted from 1.
    line: usize,
    /// Counted from 1, in characters.
    column: usize,
    what: String,
}

/// `line 3, column 1: found …`.
impl fmt::Display for MappingProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.what)
    }
}

impl Layout {
    /// Reads a mapping.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub(crate) fn of_mapping(text: &str) -> Result<Self, Vec<MappingProblem>> {
        let mut reader = MappingReader { text, layout: Self::default(), problems: Vec::new() };
        if text.len() > MAPPING_BYTES_MAX {
            reader.add(0..0, format!("found {} bytes; allowed: at most {MAPPING_BYTES_MAX}", text.len()));
            return Err(reader.problems);
        }
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            reader.add(error.span().unwrap_or(0..0), error.message());
        }
        reader.mapping(table.get_ref());
        reader.problems.sort_by_key(|problem| (problem.line, problem.column));
        if reader.problems.is_empty() { Ok(reader.layout) } else { Err(reader.problems) }
    }
}

type Entry<'e, 't> = (&'e Spanned<std::borrow::Cow<'t, str>>, &'e Spanned<DeValue<'t>>);

struct MappingReader<'t> {
    text: &'t str,
    layout: Layout,
    problems: Vec<MappingProblem>,
}

impl MappingReader<'_> {
    fn add(&mut self, at: Range<usize>, what: impl fmt::Display) {
        // Each looks for its line from the start.
        if self.problems.len() > PROBLEMS_MAX {
            return;
        }
        let before = self.text.get(..at.start).unwrap_or(self.text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let is_last = self.problems.len() == PROBLEMS_MAX;
        let what = if is_last { "there are more problems: mend these first".to_owned() } else { what.to_string() };
        self.problems.push(MappingProblem { line, column, what });
    }

    fn mapping(&mut self, table: &DeTable<'_>) {
        for (key, value) in table {
            match key.get_ref().as_ref() {
                "sheet" => self.layout.sheet = self.string(value),
                "header-row" => self.layout.header_row = self.row(value),
                "dates" => self.layout.dates = self.dates(value),
                "ignore-columns" => self.layout.ignored_columns = self.strings(value),
                "across" => self.layout.across = self.across(value),
                "columns" => self.columns(value),
                "constants" => self.constants(value),
                "values" => self.values(value),
                other => self.unknown(key.span(), other, &KEYS),
            }
        }
        self.check_across(table);
    }

    fn unknown(&mut self, at: Range<usize>, found: &str, allowed: &[&str]) {
        let meant = nearest(found, allowed.iter().copied()).map(|name| format!(" (did you mean `{name}`?)"));
        let what = format!("found {}{}; allowed: {}", Quoted(found), meant.unwrap_or_default(), allowed.join(", "));
        self.add(at, what);
    }

    fn string(&mut self, value: &Spanned<DeValue<'_>>) -> Option<String> {
        match value.get_ref().as_str().map(str::trim) {
            Some("") => self.add(value.span(), "found an empty text; allowed: one that isn't"),
            Some(text) => return Some(text.to_owned()),
            None => self.wrong_type(value, "a text in quotes"),
        }
        None
    }

    fn wrong_type(&mut self, value: &Spanned<DeValue<'_>>, allowed: &str) {
        self.add(
            value.span(),
            format_args!("found a value of type {}; allowed: {allowed}", value.get_ref().type_str()),
        );
    }

    fn row(&mut self, value: &Spanned<DeValue<'_>>) -> Option<u64> {
        let number = value.get_ref().as_integer().filter(|number| number.radix() == 10);
        let row = number.and_then(|number| number.as_str().parse().ok()).filter(|row| *row > 0);
        match (row, number) {
            (Some(_), _) => {}
            (None, Some(number)) => self
                .add(value.span(), format_args!("found `{}`; allowed: the number of a row, from 1", number.as_str())),
            (None, None) => self.wrong_type(value, "the number of a row, from 1"),
        }
        row
    }

    fn dates(&mut self, value: &Spanned<DeValue<'_>>) -> Option<DatesAre> {
        match self.string(value)?.as_str() {
            "months" => Some(DatesAre::Months),
            "days" => Some(DatesAre::Days),
            other => {
                self.unknown(value.span(), other, &["months", "days"]);
                None
            }
        }
    }

    fn strings(&mut self, value: &Spanned<DeValue<'_>>) -> Vec<String> {
        let Some(items) = value.get_ref().as_array() else {
            self.wrong_type(value, "a list of headings, as in [\"Team\"]");
            return Vec::new();
        };
        items.iter().filter_map(|item| self.string(item)).collect()
    }

    fn across(&mut self, value: &Spanned<DeValue<'_>>) -> Option<Field> {
        let name = self.string(value)?;
        let field = Field::KEYS.into_iter().find(|field| field.name() == name);
        if field.is_none() {
            self.unknown(value.span(), &name, &Field::KEYS.map(Field::name));
        }
        field
    }

    /// The entries of a table whose keys are columns' names.
    fn fields<'e, 'v>(&mut self, value: &'e Spanned<DeValue<'v>>, allowed: &[Field]) -> Vec<(Field, Entry<'e, 'v>)> {
        let Some(table) = value.get_ref().as_table() else {
            self.wrong_type(value, "a table, as in [columns]");
            return Vec::new();
        };
        let names: Vec<&str> = allowed.iter().map(|field| field.name()).collect();
        let mut found = Vec::new();
        for entry @ (key, _) in table {
            match allowed.iter().find(|field| field.name() == key.get_ref()) {
                Some(field) => found.push((*field, entry)),
                None => self.unknown(key.span(), key.get_ref(), &names),
            }
        }
        found
    }

    fn columns(&mut self, value: &Spanned<DeValue<'_>>) {
        for (field, (_, heading)) in self.fields(value, &Field::ALL) {
            let Some(name) = self.string(heading) else { continue };
            let other = self.layout.columns.iter().find(|(_, other)| normal(other) == normal(&name));
            if let Some((other, _)) = other {
                let what = format!("found {}, which is the column of {} already", Quoted(&name), other.name());
                self.add(heading.span(), what);
            }
            self.layout.columns.insert(field, name);
        }
    }

    fn constants(&mut self, value: &Spanned<DeValue<'_>>) {
        for (field, (_, constant)) in self.fields(value, &CONSTANTS) {
            let Some(text) = self.string(constant) else { continue };
            let wrong = match field {
                Field::Period => period::read(&Cell::text(&text), self.layout.dates).err(),
                Field::Breakdown => text.parse::<Breakdown>().err().map(|error| error.to_string()),
                Field::Markers => text
                    .split_whitespace()
                    .find_map(|marker| marker.parse::<Marker>().err())
                    .map(|error| error.to_string()),
                Field::Indicator
                | Field::Area
                | Field::Value
                | Field::Base
                | Field::Numerator
                | Field::Denominator
                | Field::Count
                | Field::Note
                | Field::Explanation
                | Field::Action
                | Field::Agency
                | Field::Report
                | Field::Title
                | Field::Place
                | Field::Unit
                | Field::Previous
                | Field::YearBefore
                | Field::Due
                | Field::Problem => None,
            };
            if let Some(what) = wrong {
                self.add(constant.span(), what);
            }
            self.layout.constants.insert(field, text);
        }
    }

    fn values(&mut self, value: &Spanned<DeValue<'_>>) {
        for (field, (_, values)) in self.fields(value, &Field::ALL) {
            let Some(table) = values.get_ref().as_table() else {
                self.wrong_type(values, "a table of texts and what they stand for");
                continue;
            };
            let mut known = BTreeMap::new();
            for (key, meaning) in table {
                let Some(meaning) = self.string(meaning) else { continue };
                if known.insert(normal(key.get_ref()), meaning).is_some() {
                    let what = format!("found {} twice: case and spaces don't count", Quoted(key.get_ref()));
                    self.add(key.span(), what);
                }
            }
            self.layout.values.insert(field, known);
        }
    }

    /// What can't be said together.
    fn check_across(&mut self, table: &DeTable<'_>) {
        let at =
            |key: &str| table.iter().find(|(found, _)| found.get_ref() == key).map_or(0..0, |(found, _)| found.span());
        let both: Vec<Field> =
            self.layout.columns.keys().copied().filter(|field| self.layout.constants.contains_key(field)).collect();
        for field in both {
            let what = format!("found {} as a column and as a constant; allowed: one of them", field.name());
            self.add(at("constants"), what);
        }
        let Some(across) = self.layout.across else { return };
        for (table, is_given) in [
            ("columns", self.layout.columns.contains_key(&across)),
            ("constants", self.layout.constants.contains_key(&across)),
        ] {
            if is_given {
                let what = format!("found {}, which runs across; allowed: one of both", across.name());
                self.add(at(table), what);
            }
        }
        if let Some(field) = Field::NUMBERS.into_iter().find(|field| self.layout.columns.contains_key(field)) {
            let what =
                format!("found a column {}; where something runs across, its cells are the values", field.name());
            self.add(at("columns"), what);
        }
        if across != Field::Period && !self.layout.values.contains_key(&across) {
            let what = format!(
                "found no [values.{0}], which says what each heading stands for; needed where {0} runs across",
                across.name()
            );
            self.add(at("across"), what);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Input, read_all};
    use super::*;

    fn problems(mapping: &str) -> String {
        let problems = Layout::of_mapping(mapping).err().unwrap_or_default();
        problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
    }

    /// The figures of a file as indicator, area, period, and the row's number.
    fn figures(mapping: &str, file: &str) -> Vec<String> {
        let reading = read_all(&Input::of(file.as_bytes()), &Layout::of_mapping(mapping).unwrap());
        assert_eq!(reading.problems, []);
        let of = |figure: &super::super::Figure| {
            let it = &figure.observation;
            format!("{} {} {} {:?} {}", it.indicator, it.area, it.period, it.measure, figure.row)
        };
        reading.figures.iter().map(of).collect()
    }

    #[test]
    fn months_across_are_a_figure_each() {
        let mapping = "across = \"period\"\n[columns]\narea = \"LA name\"\n[constants]\nindicator = \"missing-episodes\"\n[values.area]\nPortsmouth = \"E06000044\"\n";
        let file = "LA name,Apr-21,May-21,Jun-21\nportsmouth,72,,\"1,234\"\nE06000045,5,x,6\n";
        insta::assert_snapshot!(figures(mapping, file).join("\n"));
    }

    #[test]
    fn indicators_across_are_those_that_the_mapping_names() {
        let mapping = "across = \"indicator\"\nignore-columns = [\"Total\"]\n[values.indicator]\n\"Missing episodes\" = \"missing-episodes\"\nContacts = \"initial-contacts\"\n";
        let file = "Area,Period,Missing  Episodes,Contacts,Total\nE06000044,2021-04,72,5,77\n";
        assert_eq!(figures(mapping, file).len(), 2);
    }

    #[test]
    fn everything_wrong_with_a_mapping_is_reported_at_once_by_line_and_column() {
        let mapping = "sheets = \"a\"\nheader-row = 0\ndates = \"month\"\nignore-columns = \"Team\"\nacross = \"area\"\n\
                       [columns]\narea = \"LA\"\nvalue = \"la\"\nperoid = \"Month\"\nindicator = 5\n\
                       [constants]\nvalue = \"5\"\nperiod = \"2022\"\nmarkers = \"q\"\nbreakdown = \"sex\"\nnote = \"\"\n\
                       [values]\narea = \"x\"\n[values.indicator]\nA = \"a\"\n\"a \" = \"b\"\n";
        insta::assert_snapshot!(problems(mapping));
        assert_eq!(
            problems("across = \"indicator\"\n"),
            "line 1, column 1: found no [values.indicator], which says what each heading stands for; needed where indicator runs across"
        );
        assert_eq!(
            problems("[columns]\narea = \"A\"\n[constants]\narea = \"E1\"\n"),
            "line 3, column 2: found area as a column and as a constant; allowed: one of them"
        );
        assert!(problems("sheet = \nacross = 'x'\n").lines().count() >= 2, "{}", problems("sheet = \nacross = 'x'\n"));
    }

    #[test]
    fn the_example_of_this_page_is_a_mapping() {
        let page = include_str!("mapping.rs");
        let example = page
            .split("```toml\n")
            .nth(1)
            .unwrap()
            .split("//! ```")
            .next()
            .unwrap()
            .replace("//! ", "")
            .replace("//!", "");
        assert_eq!(problems(&example), "");
    }

    proptest! {
        #[test]
        fn any_text_is_a_mapping_or_refused(text in "\\PC{0,40}|(\\[?(columns|constants|values.area|across|sheet)\\]?( = )?[\"a-z=0-9\\[\\]{},]{0,9}\n){0,6}") {
            if let Err(problems) = Layout::of_mapping(&text) {
                prop_assert!(!problems.is_empty());
            }
        }
    }
}
