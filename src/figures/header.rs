//! The header of a table: the first row that names the needed columns. What stands above it, a title or notes, isn't
//! read.

use std::collections::BTreeMap;

use super::field::{Field, normal};
use super::layout::Layout;
use super::period;
use super::problem::{Problem, ProblemColumn, listed};
use super::table::{Cell, Row, Table, column_letters};
use crate::model::nearest::nearest;
use crate::model::violation::Quoted;

/// How many rows with a text may stand above the header.
pub(super) const ROWS_ABOVE_MAX: usize = 50;

/// The columns that have no heading, by their place: the numbers of the rows that have a text in them.
pub(super) type Unheaded = BTreeMap<usize, Vec<u64>>;

/// A table's header.
#[derive(Debug)]
pub(super) struct Header {
    /// Its place among the rows that have a text.
    pub(super) index: usize,
    pub(super) row: u64,
    pub(super) columns: Vec<Column>,
}

/// What a column holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Column {
    Field(Field),
    /// Figures of what the heading names.
    Across,
    /// What is named to be left out, or has neither a heading nor a text.
    Ignored,
    Unknown,
}

impl Header {
    /// The header of a table, if there is one.
    pub(super) fn find(table: &Table, layout: &Layout) -> Option<Self> {
        let above = if layout.header_row.is_some() { table.rows.len() } else { ROWS_ABOVE_MAX + 1 };
        let rows = table.rows.iter().enumerate().take(above);
        let mut named = rows.filter(|(_, row)| layout.header_row.is_none_or(|number| row.number == number));
        named.find_map(|(index, row)| {
            let columns = columns(row, layout);
            missing(&columns, layout).is_empty().then_some(Self { index, row: row.number, columns })
        })
    }

    /// Where a column is; the first, where there are several.
    pub(super) fn place(&self, field: Field) -> Option<usize> {
        self.columns.iter().position(|column| *column == Column::Field(field))
    }

    /// Whether a column has no heading.
    pub(super) fn is_unheaded(&self, at: usize, table: &Table) -> bool {
        at >= self.columns.len() || self.columns[at] == Column::Unknown && table.rows[self.index].cell(at).is_empty()
    }

    /// What is wrong with the headings: a column that is there twice, or that nobody knows.
    pub(super) fn problems(&self, table: &Table, unheaded: &Unheaded, layout: &Layout) -> Vec<Problem> {
        let mut problems = Vec::new();
        let headings = &table.rows[self.index];
        for (at, column) in self.columns.iter().enumerate() {
            let heading = headings.cell(at);
            let mut add = |what| {
                problems.push(Problem::new(
                    table,
                    vec![self.row],
                    Some(ProblemColumn::of_heading(at, &heading.text)),
                    what,
                ));
            };
            match column {
                Column::Field(field) if self.place(*field) != Some(at) => {
                    let first = self.place(*field).unwrap_or_default();
                    let (other, letters) = (&headings.cell(first).text, column_letters(first));
                    add(format!(
                        "found {} besides {} in column {letters}, both for the column {}; allowed: one",
                        Quoted(&heading.text),
                        Quoted(other),
                        field.name()
                    ));
                }
                Column::Unknown if heading.is_empty() => {
                    let rows = unheaded.get(&at).map_or(&[][..], Vec::as_slice);
                    let letters = column_letters(at);
                    add(format!(
                        "found no heading, and a text in {}; give the column one of its names, or leave it out with --ignore-column {letters}",
                        listed(rows)
                    ));
                }
                Column::Unknown => add(unknown(heading, layout)),
                Column::Field(_) | Column::Across | Column::Ignored => {}
            }
        }
        problems
    }
}

/// Whether a row names all the columns that are needed.
pub(super) fn is_header(row: &Row, layout: &Layout) -> bool {
    missing(&columns(row, layout), layout).is_empty()
}

/// The most columns that a row of a table names.
pub(super) fn named_columns(table: &Table, layout: &Layout) -> usize {
    let named = |row: &Row| columns(row, layout).iter().filter(|column| matches!(column, Column::Field(_))).count();
    table.rows.iter().take(ROWS_ABOVE_MAX + 1).map(named).max().unwrap_or_default()
}

/// What a table without a header lacks, in the row that names most of the columns.
pub(super) fn no_header(table: &Table, layout: &Layout) -> Problem {
    let in_words = |lacks: &[Lack]| lacks.iter().map(|lack| lack.in_words(layout)).collect::<Vec<_>>();
    let needed = in_words(&missing(&[], layout)).join(", ");
    let known = |row: &Row| columns(row, layout).iter().filter(|column| matches!(column, Column::Field(_))).count();
    let within = table.rows.iter().take(ROWS_ABOVE_MAX + 1);
    let within = within.filter(|row| layout.header_row.is_none_or(|number| row.number == number));
    // Of rows that name as many, the first.
    let best = within.rev().max_by_key(|row| known(row)).filter(|row| known(row) > 0);
    let Some(row) = best else {
        let first = table.rows.iter().take(1).flat_map(|row| &row.cells).filter(|cell| !cell.is_empty());
        let found: Vec<String> = first.take(8).map(|cell| Quoted(&cell.text).to_string()).collect();
        let what = match (table.rows.first(), found.as_slice()) {
            (Some(row), [_, ..]) => format!(
                "found no row that names the columns; needed: {needed}. Row {} has {}",
                row.number,
                found.join(", ")
            ),
            _ => format!("found nothing; needed: a row that names the columns {needed}, and a row for each figure"),
        };
        return Problem::new(table, vec![], None, what);
    };
    let columns = columns(row, layout);
    let lacks = missing(&columns, layout);
    let unknown = columns.iter().zip(&row.cells);
    let unknown = unknown.filter(|(column, cell)| **column == Column::Unknown && !cell.is_empty());
    let headings: Vec<&str> = unknown.map(|(_, cell)| cell.text.as_str()).collect();
    let unknown: Vec<String> = headings.iter().map(|heading| suggested(heading)).collect();
    let besides = if unknown.is_empty() { String::new() } else { format!(". It has {} too", unknown.join(", ")) };
    let is_period = |cell: &&Cell| !cell.is_empty() && period::read(cell, layout.dates).is_ok();
    let advice = if layout.across.is_none() && row.cells.iter().filter(is_period).count() > 1 {
        ". Where periods run across, a mapping with across = \"period\" reads them".to_owned()
    } else {
        // Where several are lacking, which heading is whose would be a guess.
        let example = match (lacks.as_slice(), headings.as_slice()) {
            ([Lack::Field(field)], [heading, ..]) => Some(format!("{}={}", field.name(), quoted_argument(heading))),
            (_, []) | ([Lack::Across(_)], _) => None,
            _ => Some(
                "period=Month; where a heading is itself an indicator, an area or a period, a mapping reads it"
                    .to_owned(),
            ),
        };
        let advice =
            |example| format!(". Say what a column is called in the file with --column, as in --column {example}");
        example.map(advice).unwrap_or_default()
    };
    Problem::new(
        table,
        vec![row.number],
        None,
        format!("found no column {}, which is needed{besides}{advice}", in_words(&lacks).join(", no ")),
    )
}

fn unknown(heading: &Cell, layout: &Layout) -> String {
    let what = match layout.across {
        Some(Field::Period) if heading.text.starts_with(|c: char| c.is_ascii_digit()) => {
            let refusal = period::read(heading, layout.dates).err().unwrap_or_default();
            format!("{refusal}. It isn't a column's name either")
        }
        Some(field) => {
            format!(
                "found column {}, which is neither one of the {}s nor a column's name",
                suggested(&heading.text),
                field.name()
            )
        }
        None => format!("found column {}; allowed: {}", suggested(&heading.text), Field::allowed()),
    };
    format!("{what}. To leave it out, add --ignore-column {}", quoted_argument(&heading.text))
}

/// A heading, and the column's name that it is nearest to.
fn suggested(heading: &str) -> String {
    let names = Field::ALL.iter().flat_map(|field| field.aliases().iter().copied().chain([field.name()]));
    match nearest(&normal(heading), names).and_then(Field::of_heading) {
        Some(field) => format!("{} (did you mean `{}`?)", Quoted(heading), field.name()),
        None => Quoted(heading).to_string(),
    }
}

/// A text as an argument of a command.
fn quoted_argument(text: &str) -> String {
    let is_plain = text.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if is_plain { text.to_owned() } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

fn columns(headings: &Row, layout: &Layout) -> Vec<Column> {
    let column = |(at, cell): (usize, &Cell)| {
        if layout.ignores(&cell.text, &column_letters(at)) {
            Column::Ignored
        } else if let Some(field) = layout.field(&cell.text) {
            Column::Field(field)
        } else if is_across(cell, layout) {
            Column::Across
        } else {
            Column::Unknown
        }
    };
    headings.cells.iter().enumerate().map(column).collect()
}

fn is_across(heading: &Cell, layout: &Layout) -> bool {
    match layout.across {
        Some(Field::Period) => !heading.is_empty() && period::read(heading, layout.dates).is_ok(),
        Some(_) => layout.is_across(&heading.text),
        None => false,
    }
}

/// The columns that are needed and that a row doesn't name.
fn missing(columns: &[Column], layout: &Layout) -> Vec<Lack> {
    let has = |field: Field| {
        columns.contains(&Column::Field(field)) || layout.constants.contains_key(&field) || layout.across == Some(field)
    };
    let mut missing: Vec<Lack> = Field::KEYS.into_iter().filter(|field| !has(*field)).map(Lack::Field).collect();
    let has_numbers = match layout.across {
        Some(_) => columns.contains(&Column::Across),
        // A file that only withdraws figures has no numbers.
        None => has(Field::Value) || (has(Field::Numerator) && has(Field::Denominator)) || has(Field::Action),
    };
    if !has_numbers {
        missing.push(layout.across.map_or(Lack::Field(Field::Value), Lack::Across));
    }
    missing
}

/// A column that a header lacks.
enum Lack {
    /// That of a field.
    Field(Field),
    /// One whose heading is an item of the field that runs across.
    Across(Field),
}

impl Lack {
    /// As a sentence names it: by the heading that the layout gives it, if it gives one.
    fn in_words(&self, layout: &Layout) -> String {
        match self {
            Self::Field(field) => {
                let name = layout.columns.get(field).map_or(field.name(), String::as_str);
                let others = if *field == Field::Value { " (or `numerator` and `denominator`)" } else { "" };
                format!("`{name}`{others}")
            }
            Self::Across(field) => format!("column whose heading is one of the mapping's {}s", field.name()),
        }
    }
}

impl Header {
    /// Adds the columns that have no heading, but a text below it.
    pub(super) fn with_unheaded(mut self, table: &Table, unheaded: &Unheaded, layout: &Layout) -> Self {
        let width = unheaded.keys().next_back().map_or(0, |last| last + 1).max(self.columns.len());
        self.columns.resize(width, Column::Unknown);
        let headings = &table.rows[self.index];
        for (at, column) in self.columns.iter_mut().enumerate() {
            let is_empty = headings.cell(at).is_empty() && !unheaded.contains_key(&at);
            if *column == Column::Unknown && (is_empty || layout.ignores(&headings.cell(at).text, &column_letters(at)))
            {
                *column = Column::Ignored;
            }
        }
        self
    }
}
