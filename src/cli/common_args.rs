//! What several verbs ask in the same words: as of when, which periods, which breakdown, in which form.

use clap::Parser;

use super::Failure;
use crate::model::observation::Breakdown;
use crate::rpc::proto::{AreasAsOf, CategoryRef, PeriodRange};

/// As of when to answer.
#[derive(Debug, Parser)]
pub(super) struct AsOf {
    /// As of this revision.
    #[arg(long = "as-of", value_name = "REVISION", default_value_t = 0)]
    pub(super) revision: i64,
    /// As of this instant, such as 2022-09-30T17:00:00Z: at the newest revision accepted by then.
    #[arg(long = "as-of-time", value_name = "TIME", value_parser = time, conflicts_with = "revision")]
    pub(super) time: Option<prost_types::Timestamp>,
}

fn time(text: &str) -> Result<prost_types::Timestamp, String> {
    // Without a time of day and an offset, whose midnight it is would be a guess.
    let told = text.len() > "2022-09-30".len();
    text.parse()
        .ok()
        .filter(|_| told)
        .ok_or_else(|| "allowed: a date, a time and an offset, such as 2022-09-30T17:00:00Z".to_owned())
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

/// Some periods, or a run of them.
#[derive(Debug, Parser)]
pub(super) struct Periods {
    /// The periods; or --from and --to.
    #[arg(long = "period", value_name = "PERIOD", value_delimiter = ',')]
    pub(super) listed: Vec<String>,
    /// The first of a run of periods.
    #[arg(long, value_name = "PERIOD", requires = "to", conflicts_with = "listed")]
    from: Option<String>,
    /// The last of a run of periods.
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
pub(super) struct BrokenDown {
    /// The breakdown, such as sex=female.
    #[arg(long)]
    breakdown: Option<Breakdown>,
}

impl BrokenDown {
    pub(super) fn categories(&self) -> Vec<CategoryRef> {
        let category = |(dimension, category): &(_, _)| CategoryRef {
            dimension: ToString::to_string(dimension),
            category: ToString::to_string(category),
        };
        self.breakdown.iter().flat_map(Breakdown::iter).map(category).collect()
    }
}

/// The form of an answer that has rows; a table unless told.
#[derive(Debug, Parser)]
pub(super) struct Form {
    /// Print the answer as JSON.
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print the rows as CSV.
    #[arg(long)]
    csv: bool,
}

impl Form {
    /// Prints an answer in the form asked for, made only when it is.
    pub(super) fn print(
        &self,
        json: impl FnOnce() -> Result<String, Failure>,
        csv: impl FnOnce() -> Result<String, Failure>,
        table: impl FnOnce() -> String,
    ) -> Result<(), Failure> {
        if self.json {
            println!("{}", json()?);
        } else if self.csv {
            print!("{}", csv()?);
        } else {
            print!("{}", table());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_needs_a_date_a_time_and_an_offset() {
        for (text, seconds) in [
            ("2022-09-30T17:00:00Z", Some(1_664_557_200)),
            ("2022-09-30T18:00:00+01:00", Some(1_664_557_200)),
            ("2022-09-30 17:00:00Z", Some(1_664_557_200)),
            ("2022-09-30", None),
            ("2022-13-30T17:00:00Z", None),
            ("", None),
        ] {
            assert_eq!(time(text).ok().map(|time| time.seconds), seconds, "{text}");
        }
    }
}
