//! Tables: aligned columns, as wide as their texts. Where a terminal is narrower, texts are wrapped at words; where that
//! isn't enough, each row becomes lines of `heading: value`.

use anstyle::{AnsiColor, Style};
use unicode_width::UnicodeWidthStr;

use super::terminal::Terminal;
use super::wrap::{fold, widest_word, wrap};
use crate::model::text::visible;

/// Where a column's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    /// At the left, on one line if there is room for it.
    Left,
    /// At the left, on as many lines as it takes at this width.
    Wrap(usize),
    /// At the right, as numbers do, and on one line: a number is never broken.
    Right,
}

/// A text in a row.
#[derive(Debug, Clone, Default)]
pub(super) struct Cell {
    text: String,
    /// Whether it is coloured, where there is colour. The text says the same without.
    needs_care: bool,
}

impl Cell {
    /// A text whose reader should take care, such as that a figure is partial.
    pub(super) fn needing_care(text: String) -> Self {
        Self { text, needs_care: true }
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, needs_care: false }
    }
}

/// Rows of texts under headings. Empty columns are left out. A column without a heading belongs to the numbers before it,
/// and a row without a first text to the row above.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<Cell>>,
}

const GAP: &str = "  ";
const NARROW_GAP: &str = " ";
/// A text that is wrapped to fewer columns is harder to read than a record of lines.
const WRAPPED_MIN: usize = 16;
/// Before the later lines of a wrapped line, and the rows that belong to the one above.
const INDENT: &str = "  ";

const CARE: Style = AnsiColor::Yellow.on_default();

impl Table {
    pub(super) fn new<'a>(columns: impl IntoIterator<Item = (&'a str, Align)>) -> Self {
        let columns = columns.into_iter().map(|(heading, align)| (visible(heading).into_owned(), align)).collect();
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row.
    pub(super) fn push(&mut self, row: impl IntoIterator<Item = impl Into<Cell>>) {
        let seen = |cell: Cell| Cell { text: visible(&cell.text).into_owned(), ..cell };
        let mut cells: Vec<Cell> = row.into_iter().map(|cell| seen(cell.into())).collect();
        cells.resize_with(self.columns.len(), Cell::default);
        self.rows.push(cells);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table's lines. None is wider than the terminal, unless it is a single word.
    pub(super) fn laid_out(&self, terminal: Terminal) -> String {
        let columns: Vec<Column<'_>> = (0..self.columns.len())
            .filter(|at| self.rows.iter().any(|row| !row[*at].text.is_empty()))
            .map(|at| Column::of(self, at))
            .collect();
        let room = terminal.columns.unwrap_or(usize::MAX);
        let fitting = |gap: &'static str| Some(Grid { widths: fit(&columns, gap, room)?, gap, columns: &columns });
        match [GAP, NARROW_GAP].into_iter().find_map(fitting) {
            Some(grid) => grid.laid_out(terminal),
            None => stacked(&columns, room, terminal),
        }
    }
}

/// A column that is shown.
#[derive(Debug)]
struct Column<'a> {
    heading: &'a str,
    align: Align,
    cells: Vec<&'a Cell>,
    /// As wide as its texts are, and the least that they can be wrapped to.
    widest: usize,
    least: usize,
}

impl<'a> Column<'a> {
    fn of(table: &'a Table, at: usize) -> Self {
        let (heading, align) = &table.columns[at];
        let cells: Vec<&Cell> = table.rows.iter().map(|row| &row[at]).collect();
        let lines = cells.iter().flat_map(|cell| lines(&cell.text, *align, usize::MAX));
        let widest = lines.map(|line| line.as_str().width()).max().unwrap_or(0);
        let least = match align {
            Align::Left | Align::Wrap(_) => {
                let word = cells.iter().map(|cell| widest_word(&cell.text)).max().unwrap_or(0);
                word.max(widest.min(WRAPPED_MIN))
            }
            Align::Right => widest,
        };
        Self {
            heading,
            align: *align,
            widest: widest.max(heading.width()),
            least: least.max(widest_word(heading)),
            cells,
        }
    }
}

/// The widths at which the columns fit into the room: the widest is narrowed first. There are none when they don't.
fn fit(columns: &[Column<'_>], gap: &str, room: usize) -> Option<Vec<usize>> {
    let mut widths: Vec<usize> = columns.iter().map(|column| column.widest).collect();
    let room = room.checked_sub(gap.len() * columns.len().saturating_sub(1))?;
    while widths.iter().sum::<usize>() > room {
        let narrower = (0..columns.len()).filter(|at| widths[*at] > columns[*at].least);
        let at = narrower.max_by_key(|at| widths[*at])?;
        widths[at] -= 1;
    }
    Some(widths)
}

/// The lines of a cell or a heading, and whether they are coloured.
type Part = (Vec<String>, bool);

/// Columns side by side, at widths that fit.
#[derive(Debug)]
struct Grid<'a> {
    columns: &'a [Column<'a>],
    widths: Vec<usize>,
    gap: &'static str,
}

impl Grid<'_> {
    /// Rows under their headings and a rule.
    fn laid_out(&self, terminal: Terminal) -> String {
        let headings = self.row(terminal, |column, width| (lines(column.heading, Align::Left, width), false));
        let rule = self.row(terminal, |_, width| (vec!["─".repeat(width)], false));
        let count = self.columns.first().map_or(0, |column| column.cells.len());
        let cells = (0..count).map(|at| {
            self.row(terminal, |column, width| {
                let Cell { text, needs_care } = column.cells[at];
                (lines(text, column.align, width), *needs_care)
            })
        });
        [headings, rule].into_iter().chain(cells).collect()
    }

    /// The lines of a row, each with what a column has at that height. No space is at a line's end.
    fn row(&self, terminal: Terminal, part: impl Fn(&Column<'_>, usize) -> Part) -> String {
        let sized = || self.columns.iter().zip(&self.widths);
        let parts: Vec<Part> = sized().map(|(column, width)| part(column, *width)).collect();
        let height = parts.iter().map(|(lines, _)| lines.len()).max().unwrap_or(1);
        let line = |at: usize| {
            let mut line = String::new();
            for ((column, width), (lines, needs_care)) in sized().zip(&parts) {
                let text = lines.get(at).map_or("", String::as_str);
                let fill = " ".repeat(width.saturating_sub(text.width()));
                let text = painted(text, *needs_care, terminal);
                match column.align {
                    Align::Left | Align::Wrap(_) => line.extend([text.as_str(), &fill, self.gap]),
                    Align::Right => line.extend([fill.as_str(), &text, self.gap]),
                }
            }
            format!("{}\n", line.trim_end())
        };
        (0..height).map(line).collect()
    }
}

/// Each row as lines of `heading: value`, with an empty line between the rows.
fn stacked(columns: &[Column<'_>], room: usize, terminal: Terminal) -> String {
    let Some(first) = columns.first() else { return String::new() };
    let record = |row: usize| {
        let indent = if first.cells[row].text.is_empty() { INDENT } else { "" };
        let mut record = String::new();
        for field in columns.chunk_by(|column, next| column.align == Align::Right && next.heading.is_empty()) {
            let cells = || field.iter().map(|column| column.cells[row]).filter(|cell| !cell.text.is_empty());
            let texts: Vec<&str> = cells().map(|cell| cell.text.trim()).collect();
            if texts.is_empty() {
                continue;
            }
            let heading = if field[0].heading.is_empty() { String::new() } else { format!("{}: ", field[0].heading) };
            let needs_care = cells().any(|cell| cell.needs_care);
            for line in fold(&format!("{indent}{heading}{}", texts.join(GAP)), room) {
                record.extend([&painted(&line, needs_care, terminal), "\n"]);
            }
        }
        record
    };
    (0..first.cells.len()).map(record).collect::<Vec<_>>().join("\n")
}

fn painted(text: &str, needs_care: bool, terminal: Terminal) -> String {
    if needs_care && terminal.has_colour && !text.is_empty() {
        format!("{CARE}{text}{CARE:#}")
    } else {
        text.to_owned()
    }
}

/// The lines of a text in a column of this width.
fn lines(text: &str, align: Align, width: usize) -> Vec<String> {
    let width = match align {
        Align::Right => return vec![text.to_owned()],
        Align::Left => width,
        Align::Wrap(most) => width.min(most),
    };
    if align == Align::Left && text.width() <= width { vec![text.to_owned()] } else { wrap(text, width) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PIPE: Terminal = Terminal { columns: None, has_colour: false };

    fn terminal(columns: usize) -> Terminal {
        Terminal { columns: Some(columns), has_colour: false }
    }

    #[test]
    fn what_a_cell_hides_is_shown() {
        let mut table = Table::new([("note\u{1b}", Align::Left), ("n", Align::Right)]);
        table.push(["\u{1b}[2Ja\nb\u{202e}c", "5"].map(str::to_owned));
        let text = table.laid_out(PIPE);
        assert!(text.starts_with("note\\u{1b} "), "{text}");
        assert_eq!(text.lines().last(), Some("\\u{1b}[2Ja\\u{a}b\\u{202e}c  5"));
    }

    #[test]
    fn columns_line_up_long_texts_wrap_and_empty_columns_are_left_out() {
        let columns = [("what", Align::Wrap(12)), ("none", Align::Left), ("n", Align::Right)];
        let mut table = Table::new(columns);
        table.push(["é", "", "1,234"].map(str::to_owned));
        table.push(["  rather longer than that", "", "5"].map(str::to_owned));
        insta::assert_snapshot!(table.laid_out(PIPE));
    }

    /// A combined figure, and an agency's below it.
    fn two_rows() -> Table {
        let headings = ["indicator", "agency", "FY2021-22", "", "not available"];
        let aligns = [Align::Wrap(38), Align::Left, Align::Right, Align::Left, Align::Right];
        let mut table = Table::new(headings.into_iter().zip(aligns));
        let care = Cell::needing_care("[p] partial".to_owned());
        let text = |text: &str| Cell::from(text.to_owned());
        table.push([text("Missing episodes of children"), text("2 agencies"), text("1,554"), care, text("1")]);
        table.push(["", "  Hampshire Constabulary", "1,013", "", ""].map(str::to_owned));
        table
    }

    #[test]
    fn a_narrower_terminal_wraps_texts_and_then_stacks_the_rows() {
        let at = |columns| format!("{columns} columns\n{}\n", two_rows().laid_out(terminal(columns)));
        insta::assert_snapshot!([90, 70, 58, 40, 20].map(at).concat());
    }

    #[test]
    fn colour_takes_no_room_and_only_what_needs_care_has_it() {
        for columns in [None, Some(60), Some(20)] {
            let coloured = two_rows().laid_out(Terminal { columns, has_colour: true });
            let plain = two_rows().laid_out(Terminal { columns, has_colour: false });
            assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
            assert_ne!(coloured, plain);
        }
    }

    fn cell() -> impl Strategy<Value = String> {
        proptest::collection::vec("[a-z0-9,.é漢-]{1,12}", 0..6).prop_map(|words| words.join(" "))
    }

    proptest! {
        #[test]
        fn at_any_width_no_line_is_wider_and_no_word_is_lost(
            aligns in proptest::collection::vec(0..3usize, 5),
            headings in proptest::collection::vec("([A-Z]{1,9}( [A-Z]{1,5})?)?", 5),
            rows in proptest::collection::vec(proptest::collection::vec(cell(), 5), 1..5),
            columns in 20..160usize,
        ) {
            let aligns = aligns.into_iter().map(|at| [Align::Left, Align::Wrap(14), Align::Right][at]);
            let mut table = Table::new(headings.iter().map(String::as_str).zip(aligns));
            for row in &rows {
                table.push(row.clone());
            }
            let text = table.laid_out(terminal(columns));
            for line in text.lines() {
                prop_assert!(line.width() <= columns || !line.trim().contains(' '), "{line:?}\n{text}");
            }
            let mut shown: Vec<&str> = text.split_whitespace().collect();
            for word in rows.iter().flatten().flat_map(|cell| cell.split_whitespace()) {
                let found = shown.iter().position(|shown| *shown == word);
                prop_assert!(found.is_some(), "{word}\n{text}");
                shown.swap_remove(found.unwrap_or(0));
            }
        }
    }
}
