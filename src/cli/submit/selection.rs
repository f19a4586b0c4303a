//! Which rows of a file are submitted, and how it is laid out, as the arguments say.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use super::super::failure::Failure;
use super::super::mapping;
use crate::figures::{DatesAre, Field, Layout};

/// Which rows of a file are submitted, and how they are taken.
#[derive(Debug, Clone, Parser)]
pub(super) struct Selection {
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
    pub(super) skip_other_agencies: bool,
    /// Leave out the rows in which nothing was filled in: no number, no marker, no note and no explanation. Without
    /// this they are refused.
    #[arg(long)]
    pub(super) skip_empty: bool,
    /// Only the rows of this report, if the file has a report column.
    #[arg(long)]
    pub(super) report: Option<String>,
    /// Take percentages as they are although all of an indicator are between 0 and 1.
    #[arg(long)]
    pub(super) percentages_as_given: bool,
}

/// A column's name, and what it is called in the file.
fn named_column(text: &str) -> Result<(Field, String), String> {
    let named = text.split_once('=').and_then(|(name, heading)| Some((Field::named(name.trim())?, heading.trim())));
    match named {
        Some((field, heading)) if !heading.is_empty() => Ok((field, heading.to_owned())),
        Some(_) | None => Err(format!("allowed: NAME=HEADING, with a name of {}", Field::allowed())),
    }
}

/// What dates stand for.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Dates {
    /// The months that they begin, with the day first.
    Months,
    /// Days, with the day first.
    Days,
}

impl Selection {
    /// How the file is laid out: by the mapping, and by what the other options say.
    pub(super) fn layout(&self) -> Result<Layout, Failure> {
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
