//! Aligned tables on a terminal.

use unicode_width::UnicodeWidthStr;

/// Where a column's text stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
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
    pub(super) fn new(columns: Vec<(String, Align)>) -> Self {
        Self { columns, rows: Vec::new() }
    }

    pub(super) fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
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
                    Align::Left => line.extend([cell.as_str(), &fill, GAP]),
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
    fn columns_line_up_and_empty_ones_are_left_out() {
        let heading = |text: &str, align| (text.to_owned(), align);
        let mut table =
            Table::new(vec![heading("what", Align::Left), heading("none", Align::Left), heading("n", Align::Right)]);
        table.push(vec!["é".to_owned(), String::new(), "1,234".to_owned()]);
        table.push(vec!["longer than that".to_owned(), String::new(), "5".to_owned()]);
        insta::assert_snapshot!(table);
    }
}
