//! The arguments that several verbs have in common: as of when, which periods, which breakdown, which format.

use clap::Parser;

use super::failure::Failure;
use super::output;
use super::printout::Printout;
use crate::model::observation::Breakdown;
use crate::rpc::proto::{AreasAsOf, CategoryRef, PeriodRange};
use crate::wording::instant;

/// Which revision to answer as of.
#[derive(Debug, Parser)]
pub(super) struct AsOf {
    /// Answer as of this revision; 0 means the newest.
    #[arg(long = "as-of", value_name = "REVISION", default_value_t = 0)]
    pub(super) revision: i64,
    /// Answer as of this instant, such as 2022-09-30T17:00:00Z: at the newest revision accepted by then.
    #[arg(long = "as-of-time", value_name = "TIME", value_parser = instant::parse, conflicts_with = "revision")]
    pub(super) time: Option<prost_types::Timestamp>,
}

/// Which hierarchy of areas to roll up by.
#[derive(Debug, Parser)]
pub(super) struct Hierarchy {
    /// Roll areas up as they are today, for every period; otherwise as they were at each period's end.
    #[arg(long)]
    areas_now: bool,
}

impl Hierarchy {
    pub(super) fn code(&self) -> i32 {
        if self.areas_now { AreasAsOf::Now } else { AreasAsOf::Unspecified }.into()
    }
}

/// The periods: listed, or from the first to the last.
#[derive(Debug, Parser)]
pub(super) struct Periods {
    /// The periods; or --from and --to.
    #[arg(short = 'p', long = "period", value_name = "PERIOD", value_delimiter = ',')]
    pub(super) listed: Vec<String>,
    /// The first of a range of periods.
    #[arg(long, value_name = "PERIOD", requires = "to", conflicts_with = "listed")]
    from: Option<String>,
    /// The last of a range of periods.
    #[arg(long, value_name = "PERIOD", requires = "from")]
    to: Option<String>,
}

impl Periods {
    pub(super) fn range(&self) -> Option<PeriodRange> {
        let (first, last) = self.from.clone().zip(self.to.clone())?;
        Some(PeriodRange { first, last })
    }
}

/// The breakdown of a figure.
#[derive(Debug, Parser)]
pub(super) struct BreakdownArg {
    /// The breakdown, such as sex=female.
    #[arg(long)]
    breakdown: Option<Breakdown>,
}

impl BreakdownArg {
    pub(super) fn categories(&self) -> Vec<CategoryRef> {
        let category = |(dimension, category): &(_, _)| CategoryRef {
            dimension: ToString::to_string(dimension),
            category: ToString::to_string(category),
        };
        self.breakdown.iter().flat_map(Breakdown::iter).map(category).collect()
    }
}

/// The format that an answer's rows are printed in: a table unless another is chosen.
#[derive(Debug, Clone, Copy, Parser)]
pub(super) struct Format {
    /// Print the answer as JSON.
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print the rows as CSV. A text that a spreadsheet would take for a formula has an apostrophe before it.
    #[arg(long)]
    pub(super) csv: bool,
}

impl Format {
    /// Prints an answer in the chosen format; the others are not made.
    pub(super) fn print(
        self,
        json: impl FnOnce() -> Result<String, Failure>,
        csv: impl FnOnce() -> Result<String, Failure>,
        for_people: impl FnOnce() -> Printout,
    ) -> Result<(), Failure> {
        if self.json {
            output::print_line(json()?)
        } else if self.csv {
            output::print(csv()?)
        } else {
            output::show(&for_people())
        }
    }
}
