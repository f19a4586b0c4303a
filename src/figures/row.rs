//! A row of a table, read as the figures that it has: one, or one for each column that runs across.

use std::collections::BTreeMap;

use super::field::Field;
use super::figure::Figure;
use super::header::{Column, Header};
use super::layout::{DatesAre, Layout};
use super::number::{self, Content, Unit};
use super::period;
use super::problem::{Problem, ProblemColumn, listed};
use super::table::{Cell, CellKind, Row, Table, column_letters};
use crate::model::marker::Marker;
use crate::model::observation::Breakdown;
use crate::model::violation::Quoted;
use crate::rpc::proto::{self, observation::Measure};

/// Reads the rows below a header, one after the other.
pub(super) struct RowReader<'a> {
    table: &'a Table,
    header: &'a Header,
    layout: &'a Layout,
    /// Where each column is, but for those that run across.
    places: BTreeMap<Field, usize>,
    across: Vec<usize>,
    pub(super) problems: Vec<Problem>,
    /// How many cells that run across were empty.
    pub(super) empty_across: usize,
    /// The rows whose periods are dates that may be months or days.
    date_questions: Vec<u64>,
}

impl<'a> RowReader<'a> {
    pub(super) fn new(table: &'a Table, header: &'a Header, layout: &'a Layout) -> Self {
        let of = |field: Field| Some((field, header.place(field)?));
        let across = header.columns.iter().enumerate().filter(|(_, column)| **column == Column::Across);
        Self {
            table,
            header,
            layout,
            places: Field::ALL.into_iter().filter_map(of).collect(),
            across: across.map(|(at, _)| at).collect(),
            problems: Vec::new(),
            empty_across: 0,
            date_questions: Vec::new(),
        }
    }

    /// Reports what whole rows are unreadable for.
    pub(super) fn report_faults(&mut self, row: &Row) {
        let problems = row.faults_of_all().map(|what| Problem::new(self.table, vec![row.number], None, what));
        self.problems.extend(problems);
    }

    /// The figures of a row; what is wrong with it is a problem.
    pub(super) fn figures(&mut self, row: &Row) -> Vec<Figure> {
        let figures = self.readable_figures(row);
        self.report_faults(row);
        figures
    }

    fn readable_figures(&mut self, row: &Row) -> Vec<Figure> {
        let has_text = |at: &usize| !row.cell(*at).is_empty();
        let read: Vec<usize> = self.places.iter().filter(|(field, _)| field.is_read()).map(|(_, at)| *at).collect();
        if !read.iter().chain(&self.across).any(has_text) {
            // What helps to fill the row in may be all that is left of it.
            return Vec::new();
        }
        if let Some(what) = self.not_a_figure(row) {
            self.problems.push(Problem::new(self.table, vec![row.number], None, what));
            return Vec::new();
        }
        if self.layout.across.is_none() {
            return vec![self.cells(row, None).figure()];
        }
        if let Some(problem) = self.action_across(row) {
            self.problems.push(problem);
            return Vec::new();
        }
        let across = self.across.clone();
        let filled: Vec<usize> = across.iter().copied().filter(has_text).collect();
        self.empty_across += across.len() - filled.len();
        filled.into_iter().map(|at| self.cells(row, Some(at)).figure()).collect()
    }

    /// That a row whose figures run across is to do something with them other than to submit them.
    fn action_across(&self, row: &Row) -> Option<Problem> {
        let place = *self.places.get(&Field::Action)?;
        let text = &row.cell(place).text;
        let column = ProblemColumn { place: Some(place), name: Field::Action.name().to_owned() };
        let what = format!("found {}; figures are withdrawn in a file with a row for each of them", Quoted(text));
        let is_submitted = text.is_empty() || text.eq_ignore_ascii_case("submit");
        (!is_submitted).then(|| Problem::new(self.table, vec![row.number], Some(column), what))
    }

    /// That a row lacks most of what says what a figure is of, as notes and totals below a table do.
    fn not_a_figure(&self, row: &Row) -> Option<String> {
        let keys = Field::KEYS.iter().filter_map(|key| Some((key, *self.places.get(key)?)));
        let empty: Vec<&str> = keys.filter(|(_, at)| row.cell(*at).is_empty()).map(|(key, _)| key.name()).collect();
        let (at, cell) = row.cells.iter().enumerate().find(|(_, cell)| !cell.is_empty())?;
        (empty.len() > 1).then(|| {
            format!(
                "found no {}, and {} in column {}; delete rows that aren't figures, such as notes and totals below the table",
                empty.join(", no "),
                Quoted(&cell.text),
                column_letters(at)
            )
        })
    }

    fn cells<'r>(&'r mut self, row: &'r Row, across: Option<usize>) -> Cells<'r, 'a> {
        Cells { reader: self, row, across, unread: Vec::new() }
    }
}

/// The cells of a row, with what runs across above one of them.
struct Cells<'r, 'a> {
    reader: &'r mut RowReader<'a>,
    row: &'r Row,
    across: Option<usize>,
    unread: Vec<Field>,
}

/// A period's cell: as it is in the file, and as the API reads it, with a marker that stands behind it.
#[derive(Default)]
struct ReadPeriod {
    written: String,
    period: String,
    marker: Option<Marker>,
}

impl Cells<'_, '_> {
    fn figure(mut self) -> Figure {
        let ReadPeriod { written, period, marker: period_marker } = self.period();
        let (measure, absences) = self.measure();
        let mut markers = self.markers();
        for marker in period_marker.into_iter().chain(absences).map(Marker::code) {
            if !markers.contains(&marker) {
                markers.push(marker);
            }
        }
        let observation = proto::Observation {
            breakdown: self.breakdown(),
            measure,
            markers,
            // Spreadsheets break the lines of a cell in either way.
            note: self.text(Field::Note).replace("\r\n", "\n"),
            explanation: self.text(Field::Explanation).replace("\r\n", "\n"),
            check_explanations: Vec::new(),
            withdraw: self.withdraws(),
            indicator: self.text(Field::Indicator),
            area: self.text(Field::Area),
            period,
        };
        let (agency, report) = (self.text(Field::Agency), self.text(Field::Report));
        let is_empty = !self.is_filled_in() && !observation.withdraw && !observation.markers().any(is_absence);
        Figure {
            row: self.row.number,
            agency,
            report,
            observation,
            period: written,
            unread: self.unread,
            is_empty,
            across: self.across,
        }
    }

    /// Whether the row has anything of what is filled in: a number, a marker, or words.
    fn is_filled_in(&self) -> bool {
        let words = [Field::Markers, Field::Note, Field::Explanation];
        let mut places = Field::NUMBERS.into_iter().chain(words).filter_map(|field| self.place(field));
        places.any(|at| !self.row.cell(at).is_empty())
    }

    /// Where a column's cell is; none for one that the file doesn't have.
    fn place(&self, field: Field) -> Option<usize> {
        match self.across {
            Some(across) if field == Field::Value => Some(across),
            _ => self.reader.places.get(&field).copied(),
        }
    }

    fn add(&mut self, field: Field, what: impl std::fmt::Display) {
        let column = ProblemColumn { place: self.place(field), name: field.name().to_owned() };
        self.reader.problems.push(Problem::new(self.reader.table, vec![self.row.number], Some(column), what));
        self.unread.push(field);
    }

    /// The cell of a column: what is in the file, or what stands for it for all rows. What can't be read is a
    /// problem, once, and then empty.
    fn cell(&mut self, field: Field) -> Cell {
        let (reader, row) = (&self.reader, self.row);
        let layout = reader.layout;
        if let Some(constant) = layout.constants.get(&field) {
            return Cell::text(constant);
        }
        let place = match self.across {
            Some(at) if layout.across == Some(field) => {
                let heading = reader.table.rows[reader.header.index].cell(at);
                return translated(heading, layout.value(field, &heading.text));
            }
            _ => self.place(field),
        };
        let Some(place) = place else { return Cell::default() };
        let cell = row.cell(place);
        let fault = row.faults.iter().find(|fault| fault.column == Some(place));
        let what = match cell.kind {
            CellKind::Error => Some(format!("found {}, an error of a formula; allowed: a formula that has a value, or what its value should be", Quoted(&cell.text))),
            CellKind::FormulaWithoutValue => Some(
                "found a formula whose value isn't in the file; open the file in a spreadsheet, calculate, and save it again".to_owned(),
            ),
            CellKind::Text | CellKind::Number | CellKind::Date(_) => fault.map(|fault| fault.what.clone()),
        };
        match what {
            Some(what) if self.unread.contains(&field) => drop(what),
            Some(what) => self.add(field, what),
            None => return translated(cell, layout.value(field, &cell.text)),
        }
        Cell::default()
    }

    fn text(&mut self, field: Field) -> String {
        self.cell(field).text
    }

    fn period(&mut self) -> ReadPeriod {
        let cell = self.cell(Field::Period);
        if self.unread.contains(&Field::Period) {
            return ReadPeriod::default();
        }
        match period::read(&cell, self.reader.layout.dates) {
            Ok(read) => ReadPeriod { written: cell.text, period: read.text, marker: read.marker },
            Err(refusal) => {
                let refusal = self.date_question(&cell).unwrap_or(refusal);
                self.add(Field::Period, refusal);
                ReadPeriod { period: cell.text.clone(), written: cell.text, marker: None }
            }
        }
    }

    /// Where many rows have dates that may be months or days, it is one question: after the first rows they are refused in
    /// the same words, and so listed together.
    fn date_question(&mut self, cell: &Cell) -> Option<String> {
        const ASKED_ONE_BY_ONE: usize = 2;
        let is_one = self.reader.layout.dates.is_none() && period::read(cell, Some(DatesAre::Days)).is_ok();
        let asked = &mut self.reader.date_questions;
        asked.extend(is_one.then_some(self.row.number));
        (is_one && asked.len() > ASKED_ONE_BY_ONE).then(|| {
            format!(
                "found more dates that may be months or days, as in {}; say of all dates in the file what they are, with \
                 --dates months or --dates days",
                listed(&asked[..ASKED_ONE_BY_ONE])
            )
        })
    }

    fn markers(&mut self) -> Vec<i32> {
        let texts = self.text(Field::Markers);
        let mut markers = Vec::new();
        for text in texts.split_whitespace() {
            let marker = text.trim_matches(['[', ']', '(', ')']).to_ascii_lowercase().parse::<Marker>();
            markers.push(marker.as_ref().map_or(0, |marker| marker.code()));
            match marker {
                Ok(_) => {}
                Err(_) if text.contains([';', ',', '/', '|', '+']) => {
                    self.add(Field::Markers, format_args!("found {}; separate markers by spaces", Quoted(text)));
                }
                Err(error) => self.add(Field::Markers, error),
            }
        }
        markers
    }

    /// Whether the figure is to be withdrawn: `withdraw`, or `D` as SDMX-CSV has it.
    fn withdraws(&mut self) -> bool {
        let action = self.text(Field::Action);
        match action.to_lowercase().as_str() {
            "" | "submit" => false,
            "withdraw" => true,
            _ => {
                self.add(Field::Action, format_args!("found {}; allowed: nothing, submit, withdraw", Quoted(&action)));
                true
            }
        }
    }

    fn breakdown(&mut self) -> Vec<proto::CategoryRef> {
        let text = self.text(Field::Breakdown);
        let category = |(dimension, category): &(_, _)| proto::CategoryRef {
            dimension: ToString::to_string(dimension),
            category: ToString::to_string(category),
        };
        match text.parse::<Breakdown>() {
            Ok(breakdown) => breakdown.iter().map(category).collect(),
            Err(error) => {
                self.add(Field::Breakdown, error);
                // Not nothing, which would be the total.
                vec![proto::CategoryRef { dimension: text, category: String::new() }]
            }
        }
    }

    /// The figure's numbers, or the markers that stand in their places.
    fn measure(&mut self) -> (Option<Measure>, Vec<Marker>) {
        let (mut given, mut absences) = (BTreeMap::new(), Vec::new());
        for field in Field::NUMBERS {
            let cell = self.cell(field);
            let content = match cell.kind {
                CellKind::Date(_) => Err(format!(
                    "found the date {}; a spreadsheet makes dates of texts such as 1/4 and 1-4: write the number, in a cell that is formatted as a number",
                    Quoted(&cell.text)
                )),
                CellKind::Text | CellKind::Number | CellKind::Error | CellKind::FormulaWithoutValue => {
                    number::read(&cell.text, self.reader.table.notation)
                }
            };
            match content {
                Ok(Content::Nothing) if self.unread.contains(&field) => drop(given.insert(field, String::new())),
                Ok(Content::Nothing) => {}
                Ok(Content::Marker(marker)) => absences.push((field, marker)),
                Ok(Content::Number(number, unit)) => {
                    given.insert(field, number.to_string());
                    self.check_unit(field, unit, &cell.text);
                }
                Err(refusal) => {
                    self.add(field, refusal);
                    given.insert(field, cell.text);
                }
            }
        }
        if let (Some((absent, marker)), Some(number)) = (absences.first(), given.keys().next()) {
            let what = format!("found the marker `{marker}`, and a number in {}; allowed: one of them", number.name());
            self.add(*absent, what);
            self.unread.push(Field::Value);
            return (Some(Measure::Number(String::new())), Vec::new());
        }
        let markers = absences.into_iter().map(|(_, marker)| marker).collect();
        (self.form(&given), markers)
    }

    /// A unit beside a number says that it is of another form than its columns.
    fn check_unit(&mut self, field: Field, unit: Unit, text: &str) {
        let is_given = |field: Field| self.place(field).is_some_and(|at| !self.row.cell(at).is_empty());
        let found = Quoted(text);
        match (unit, field) {
            (Unit::None, _) => {}
            (Unit::PerCent, Field::Value) if is_given(Field::Base) => {}
            (Unit::PerCent, Field::Value) => self.add(field, format_args!("found {found}, a percentage without its base; write what it is a percentage of in a column base, or a numerator and a denominator in the place of both")),
            (Unit::Pounds, Field::Value) if !is_given(Field::Base) => {}
            (Unit::PerCent | Unit::Pounds, _) => self.add(field, format_args!("found {found}; allowed: a number without a unit")),
        }
    }

    fn form(&mut self, given: &BTreeMap<Field, String>) -> Option<Measure> {
        let text = |field| given.get(&field).cloned().unwrap_or_default();
        let mut fields: Vec<Field> = given.keys().copied().collect();
        fields.sort_unstable_by_key(|field| field.name());
        match fields.as_slice() {
            [] => None,
            [Field::Value] => Some(Measure::Number(text(Field::Value))),
            [Field::Base, Field::Value] => {
                Some(Measure::Percentage(proto::Percentage { percent: text(Field::Value), base: text(Field::Base) }))
            }
            [Field::Count, Field::Value] => {
                Some(Measure::Mean(proto::Mean { mean: text(Field::Value), count: text(Field::Count) }))
            }
            [Field::Denominator, Field::Numerator] => Some(Measure::Ratio(proto::Ratio {
                numerator: text(Field::Numerator),
                denominator: text(Field::Denominator),
            })),
            other => {
                let names = other.iter().map(|field| field.name()).collect::<Vec<_>>().join(", ");
                let what = format!(
                    "found {names} together; allowed: value alone, value and base, value and count, or numerator and denominator"
                );
                self.reader.problems.push(Problem::new(self.reader.table, vec![self.row.number], None, what));
                self.unread.push(Field::Value);
                Some(Measure::Number(String::new()))
            }
        }
    }
}

/// Whether a marker says why there is no value.
fn is_absence(marker: proto::Marker) -> bool {
    Marker::from_code(marker.into()).is_some_and(Marker::is_absence)
}

/// A cell with the text that its own stands for.
fn translated(cell: &Cell, text: &str) -> Cell {
    if text == cell.text { cell.clone() } else { Cell::text(text) }
}
