//! Aligned tables on a terminal.

use unicode_width::UnicodeWidthStr;

use crate::model::text::visible;

/// Where a column's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    /// At the left, on one line.
    Left,
    /// At the left, on as many lines as it takes at this width.
    Wrap(usize),
    /// At the right, as numbers do.
    Right,
}

/// Rows of texts under headings.
#[derive(Debug)]
pub(super) struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

const GAP: &str = "  ";

impl Table {
    pub(super) fn new<'a>(columns: impl IntoIterator<Item = (&'a str, Align)>) -> Self {
        let columns = columns.into_iter().map(|(heading, align)| (visible(heading).into_owned(), align)).collect();
        Self { columns, rows: Vec::new() }
    }

    /// Adds a row. A text that is wrapped makes it several lines.
    pub(super) fn push(&mut self, row: impl IntoIterator<Item = String>) {
        let cells: Vec<Vec<String>> = row
            .into_iter()
            .zip(&self.columns)
            .map(|(text, (_, align))| {
                let text = visible(&text);
                match align {
                    Align::Wrap(width) => wrap(&text, *width),
                    Align::Left | Align::Right => vec![text.into_owned()],
                }
            })
            .collect();
        let lines = cells.iter().map(Vec::len).max().unwrap_or(0);
        for line in 0..lines {
            self.rows.push(cells.iter().map(|cell| cell.get(line).cloned().unwrap_or_default()).collect());
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

/// Lines of at most so many columns, broken at spaces; later lines keep the first one's indent.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let indent = &text[..text.len() - text.trim_start().len()];
    let mut lines = Vec::new();
    let mut line = indent.to_owned();
    for word in text.split_whitespace() {
        if line.trim().is_empty() {
            line.push_str(word);
        } else if line.width() + 1 + word.width() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(std::mem::replace(&mut line, format!("{indent}{word}")));
        }
    }
    lines.push(line);
    lines
}

/// Columns as wide as their widest text; empty columns are left out; no space at a line's end.
impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = |row: &Vec<String>, at: usize| row.get(at).cloned().unwrap_or_default();
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|at| self.rows.iter().map(|row| text(row, at).width()).max().unwrap_or(0))
            .zip(&self.columns)
            .map(|(widest, (heading, _))| if widest == 0 { 0 } else { widest.max(heading.width()) })
            .collect();
        let headings = self.columns.iter().map(|(heading, _)| heading.clone()).collect();
        let rule = widths.iter().map(|width| "─".repeat(*width)).collect();
        for row in [&headings, &rule].into_iter().chain(&self.rows) {
            let mut line = String::new();
            for (at, (_, align)) in self.columns.iter().enumerate().filter(|(at, _)| widths[*at] > 0) {
                let cell = text(row, at);
                let fill = " ".repeat(widths[at].saturating_sub(cell.width()));
                match align {
                    Align::Left | Align::Wrap(_) => line.extend([cell.as_str(), &fill, GAP]),
                    Align::Right => line.extend([fill.as_str(), &cell, GAP]),
                }
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_cell_hides_is_shown() {
        let mut table = Table::new([("note\u{1b}", Align::Left), ("n", Align::Right)]);
        table.push(["\u{1b}[2Ja\nb\u{202e}c", "5"].map(str::to_owned));
        assert!(table.to_string().starts_with("note\\u{1b} "), "{table}");
        assert_eq!(table.to_string().lines().last(), Some("\\u{1b}[2Ja\\u{a}b\\u{202e}c  5"));
    }

    #[test]
    fn columns_line_up_long_texts_wrap_and_empty_columns_are_left_out() {
        let columns = [("what", Align::Wrap(12)), ("none", Align::Left), ("n", Align::Right)];
        let mut table = Table::new(columns);
        table.push(["é", "", "1,234"].map(str::to_owned));
        table.push(["  rather longer than that", "", "5"].map(str::to_owned));
        insta::assert_snapshot!(table);
    }
}
