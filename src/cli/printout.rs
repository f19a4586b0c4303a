//! What a verb prints for people: lines of text and tables, laid out at the end, for where they go.

use std::fmt::{self, Display, Formatter};

use super::table::Table;
use super::terminal::Terminal;
use super::wrap::fold;
use crate::model::text::visible_lines;

/// Lines of text and tables, one below the other.
#[derive(Debug, Default)]
pub(super) struct Printout(Vec<Block>);

#[derive(Debug)]
enum Block {
    Text(String),
    Table(Table),
}

impl Printout {
    /// Adds lines, each of which is wrapped where it is too long. What of them can't be seen is shown by its number.
    #[must_use]
    pub(super) fn text(mut self, text: impl Into<String>) -> Self {
        self.0.push(Block::Text(text.into()));
        self
    }

    #[must_use]
    pub(super) fn table(mut self, table: Table) -> Self {
        self.0.push(Block::Table(table));
        self
    }

    /// All of it, for a terminal.
    pub(super) fn laid_out(&self, terminal: Terminal) -> String {
        self.0.iter().map(|block| block.laid_out(terminal)).collect()
    }
}

impl Block {
    fn laid_out(&self, terminal: Terminal) -> String {
        match (self, terminal.columns) {
            (Self::Table(table), _) => table.laid_out(terminal),
            (Self::Text(text), None) => visible_lines(text).into_owned(),
            (Self::Text(text), Some(columns)) => {
                let text = visible_lines(text);
                text.split('\n').flat_map(|line| fold(line, columns)).collect::<Vec<_>>().join("\n")
            }
        }
    }
}

impl<T: Into<String>> From<T> for Printout {
    fn from(text: T) -> Self {
        Self::default().text(text)
    }
}

/// As it is piped: of any width, without colour.
impl Display for Printout {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.laid_out(Terminal::default()))
    }
}

/// It as it is on terminals of several widths, for a snapshot. No line is wider.
#[cfg(test)]
pub(super) fn at_several_widths(printout: &Printout) -> String {
    use unicode_width::UnicodeWidthStr;

    let at = |columns: usize| {
        let text = printout.laid_out(Terminal { columns: Some(columns), has_colour: false });
        assert!(text.lines().all(|line| line.width() <= columns), "{columns}\n{text}");
        format!("{columns} columns\n{}\n{text}\n", "=".repeat(columns))
    };
    [120, 80, 60, 40].map(at).concat()
}
