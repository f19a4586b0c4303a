//! The arguments that say which rows of a file are submitted, and how it is laid out.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use super::super::failure::Failure;
use super::super::mapping;
use crate::figures::{DatesAre, Field, Layout};
use crate::submitting::Selection;
use crate::submitting::selection::named_column;

/// Which rows of a file are submitted, and how they are taken.
#[derive(Debug, Clone, Parser)]
pub(super) struct SelectionArgs {
    /// The agency whose figures these are, by id.
    #[arg(short = 'a', long)]
    pub(super) agency: String,
    /// A mapping, which says how your own spreadsheet is laid out. docs/files.md says what it may have.
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// The sheet of a workbook. By default the one that has the columns.
    #[arg(long)]
    sheet: Option<String>,
    /// What a column is called in the file, as in period=Month. May be given several times.
    #[arg(long, value_name = "NAME=HEADING", value_parser = named_column)]
    column: Vec<(Field, String)>,
    /// Leave this column out, by its heading, or by its letter if it has none. May be given several times.
    #[arg(long, value_name = "HEADING")]
    ignore_column: Vec<String>,
    /// What dates in the column period stand for, where a date such as 1/4/2022 may be a month or a day.
    #[arg(long, value_enum)]
    dates: Option<Dates>,
    /// Leave out the rows of other agencies, if the file has an agency column. Without this they are
    /// refused.
    #[arg(long)]
    skip_other_agencies: bool,
    /// Leave out the rows in which nothing was filled in: no number, no marker, no note and no explanation. Without
    /// this they are refused.
    #[arg(long)]
    skip_empty: bool,
    /// Only the rows of this report, if the file has a report column.
    #[arg(long)]
    report: Option<String>,
    /// Take percentages as they are although all of an indicator are between 0 and 1.
    #[arg(long)]
    percentages_as_given: bool,
}

/// What dates stand for.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Dates {
    /// The months that they begin, with the day first.
    Months,
    /// Days, with the day first.
    Days,
}

impl SelectionArgs {
    /// What is selected.
    ///
    /// # Errors
    /// When the mapping can't be read.
    pub(super) fn selection(&self) -> Result<Selection, Failure> {
        Ok(Selection {
            agency: self.agency.clone(),
            layout: self.layout()?,
            skip_other_agencies: self.skip_other_agencies,
            skip_empty: self.skip_empty,
            report: self.report.clone(),
            percentages_as_given: self.percentages_as_given,
        })
    }

    /// How the file is laid out: by the mapping, and by what the other options say.
    fn layout(&self) -> Result<Layout, Failure> {
        let mut layout = self.mapping.as_deref().map(mapping::read).transpose()?.unwrap_or_default();
        if self.sheet.is_some() {
            layout.sheet.clone_from(&self.sheet);
        }
        layout.columns.extend(self.column.iter().cloned());
        layout.ignored_columns.extend(self.ignore_column.iter().cloned());
        if let Some(dates) = self.dates {
            layout.dates = Some(match dates {
                Dates::Months => DatesAre::Months,
                Dates::Days => DatesAre::Days,
            });
        }
        Ok(layout)
    }
}
