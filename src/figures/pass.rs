//! One pass over a file: its figures are handed over one after the other, so that it may be larger than memory, and what
//! is wrong with it is collected.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::figure::Figure;
use super::header::{self, Column, Header, Unheaded};
use super::input::Input;
use super::layout::Layout;
use super::problem::Problem;
use super::reading::Reading;
use super::row::RowReader;
use super::source::Source;
use super::table::{self, Merged, Row, Table};

/// How many problems of rows are collected of a file, about. What comes after that many isn't read.
pub(crate) const PROBLEMS_MAX: usize = 100_000;

/// Whether a figure is one of those that are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    Yes,
    /// What is wrong with its row isn't reported.
    No,
    /// It is, and no more are.
    Last,
}

/// Reads what can be read of a file, and hands over its figures, one after the other.
pub(crate) fn read_each(input: &Input, layout: &Layout, mut take: impl FnMut(Figure) -> Taken) -> Reading {
    let mut reading = Reading::default();
    let (mut source, table) = match Source::open(input, layout, &mut reading.notes) {
        Ok(opened) => opened,
        Err(problem) => {
            reading.problems.push(problem);
            return reading;
        }
    };
    let Some(header) = Header::find(&table, layout) else {
        let fault = |row: &Row| Some(Problem::new(&table, vec![row.number], None, row.faults.first()?.what.as_str()));
        let fault = table.rows.iter().find_map(fault);
        let problem = header::no_header(&table, layout);
        reading.problems.extend([problem].into_iter().chain(fault));
        reading.source = Some((input.clone(), layout.clone()));
        reading.table = table;
        return reading;
    };
    if header.index > 0 && layout.header_row.is_none() {
        reading.notes.push(format!("row {} was taken for the header; what is above it wasn't read", header.row));
    }
    let mut pass = Pass::new(&table, &header, layout);
    let ended = source.rows(&mut |row| pass.row(&row, &mut take));
    let Pass { rows, unheaded, hidden, left, figures, .. } = pass;
    let RowReader { problems, empty_across, .. } = rows;
    let header = header.with_unheaded(&table, &unheaded, layout);
    reading.problems.extend(header.problems(&table, &unheaded, layout));
    reading.problems.extend(unseen(&table, &header, hidden, &left));
    reading.problems.extend(problems);
    reading.problems.extend(ended.err());
    if figures == 0 && reading.problems.is_empty() {
        let what = format!("found no figures below the header, row {}; needed: a row for each figure", header.row);
        reading.problems.push(Problem::new(&table, vec![], None, what));
    }
    if empty_across > 0 {
        let cells =
            if empty_across == 1 { "1 empty cell was".to_owned() } else { format!("{empty_across} empty cells were") };
        reading.notes.push(format!("{cells} left out"));
    }
    reading.source = Some((input.clone(), layout.clone()));
    reading.table = table;
    reading.header = Some(header);
    reading
}

/// What is known after some of the rows.
struct Pass<'a> {
    table: &'a Table,
    header: &'a Header,
    rows: RowReader<'a>,
    unheaded: Unheaded,
    /// The rows that a spreadsheet hides, and that have a text.
    hidden: Vec<u64>,
    /// Those of the rows with merged cells whose figures weren't taken.
    left: BTreeSet<u64>,
    first_of_merged: BTreeSet<u64>,
    /// How many there were, taken or not.
    figures: u64,
    /// How many rows are remembered for what is wrong with them.
    remembered: usize,
}

impl<'a> Pass<'a> {
    fn new(table: &'a Table, header: &'a Header, layout: &'a Layout) -> Self {
        Self {
            table,
            header,
            rows: RowReader::new(table, header, layout),
            unheaded: Unheaded::new(),
            hidden: Vec::new(),
            left: BTreeSet::new(),
            first_of_merged: table.merged.iter().map(|merged| merged.rows.0).collect(),
            figures: 0,
            remembered: 0,
        }
    }

    /// Reads a row, and hands over its figures.
    fn row(&mut self, row: &Row, take: &mut impl FnMut(Figure) -> Taken) -> ControlFlow<()> {
        if row.number <= self.header.row {
            if row.number == self.header.row {
                self.rows.report_faults(row);
            }
            return ControlFlow::Continue(());
        }
        let known = self.rows.problems.len();
        let figures = self.rows.figures(row);
        self.figures += figures.len() as u64;
        let has_some = !figures.is_empty();
        let (mut is_taken, mut is_last) = (!has_some, false);
        for figure in figures {
            match take(figure) {
                Taken::Yes => is_taken = true,
                Taken::No => {}
                Taken::Last => (is_taken, is_last) = (true, true),
            }
        }
        if is_taken {
            self.look_at(row);
        } else {
            self.rows.problems.truncate(known);
            self.left.extend(Some(row.number).filter(|number| self.first_of_merged.contains(number)));
        }
        if is_last {
            return ControlFlow::Break(());
        }
        if self.rows.problems.len() + self.remembered < PROBLEMS_MAX {
            return ControlFlow::Continue(());
        }
        let what =
            format!("found more than {PROBLEMS_MAX} problems up to row {}; what follows wasn't read", row.number);
        self.rows.problems.push(Problem::new(self.table, vec![], None, what));
        ControlFlow::Break(())
    }

    /// Remembers what can only be reported once all rows were read.
    fn look_at(&mut self, row: &Row) {
        let unheaded = row.cells.iter().enumerate().filter(|(_, cell)| !cell.is_empty()).map(|(at, _)| at);
        for at in unheaded.filter(|at| self.header.is_unheaded(*at, self.table)) {
            self.unheaded.entry(at).or_default().push(row.number);
            self.remembered += 1;
        }
        if self.table.hidden_rows.contains(&row.number) {
            self.hidden.push(row.number);
            self.remembered += 1;
        }
    }
}

/// Rows and cells that a person doesn't see as the file has them: hidden rows, and merged cells, of which only the
/// first has a text.
fn unseen(table: &Table, header: &Header, hidden: Vec<u64>, left: &BTreeSet<u64>) -> Vec<Problem> {
    const MERGED_SHOWN_MAX: usize = 100;
    let mut problems = Vec::new();
    if !hidden.is_empty() {
        let what =
            "found rows that the spreadsheet hides; show them (in Excel: Data, Clear), or delete them".to_owned();
        problems.push(Problem::new(table, hidden, None, what));
    }
    let is_read = |merged: &&Merged| {
        let mut columns = (merged.columns.0..=merged.columns.1).take_while(|at| *at < header.columns.len());
        merged.rows.1 >= header.row
            && columns.any(|at| header.columns[at] != Column::Ignored)
            && !left.contains(&merged.rows.0)
    };
    let merged: Vec<&Merged> = table.merged.iter().filter(is_read).collect();
    for it in merged.iter().take(MERGED_SHOWN_MAX) {
        let (from, to) = (table::column_letters(it.columns.0), table::column_letters(it.columns.1));
        let (first, last) = it.rows;
        let what = format!("found merged cells, {from}{first} to {to}{last}; separate them and fill in each row");
        problems.push(Problem::new(table, vec![first], None, what));
    }
    if merged.len() > MERGED_SHOWN_MAX {
        let what =
            format!("found {} more merged cells; separate them and fill in each row", merged.len() - MERGED_SHOWN_MAX);
        problems.push(Problem::new(table, vec![], None, what));
    }
    problems
}
