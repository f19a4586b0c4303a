//! A table whose columns are always the same.

use std::fmt;

use super::{Cell, Table, headings};

/// Makes the rows of an item.
type RowsOf<I> = Box<dyn Fn(&I) -> Vec<Vec<Cell>> + Send>;

/// A table of items.
pub(crate) struct ListTable<I> {
    title: String,
    headings: Vec<String>,
    rows: RowsOf<I>,
}

impl<I> ListTable<I> {
    /// A table with its title, its headings, and how the rows of an item are made.
    pub(super) fn new<'h>(
        title: impl Into<String>,
        names: impl IntoIterator<Item = &'h str>,
        rows: impl Fn(&I) -> Vec<Vec<Cell>> + Send + 'static,
    ) -> Self {
        Self { title: title.into(), headings: headings(names), rows: Box::new(rows) }
    }
}

impl<I> fmt::Debug for ListTable<I> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ListTable").field("title", &self.title).finish_non_exhaustive()
    }
}

impl<I> Table for ListTable<I> {
    type Item = I;

    fn title(&self) -> String {
        self.title.clone()
    }

    fn headings(&self) -> Vec<String> {
        self.headings.clone()
    }

    fn rows(&self, item: &I) -> Vec<Vec<Cell>> {
        (self.rows)(item)
    }
}
