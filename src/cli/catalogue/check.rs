//! `conspectus catalogue check`: what the checks of a draft would have caught.

use std::fmt::Display;
use std::path::Path;

use super::super::connect::problems;
use super::super::failure::Failure;
use super::super::format::counted;
use super::super::output;
use super::super::printout::Printout;
use super::super::table::{Align, Table};
use crate::catalogue::CataloguePut;
use crate::intake::checks::{Caught, CaughtBy, Worst};
use crate::server;

/// Holds the submissions of a data folder against a draft, and prints what was caught.
pub(super) fn run(draft: &CataloguePut, file: &Path, data: &Path) -> Result<(), Failure> {
    match server::catch_offline(data, draft)? {
        Ok(caught) => output::show(&text(&caught)),
        Err(violations) => {
            let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
            Err(problems(&format!(" in {}", file.display()), &lines, violations.len() - lines.len()))
        }
    }
}

fn text(caught: &Caught) -> Printout {
    let figures = counted(caught.figures, "figure", "figures");
    let submissions = counted(caught.submissions, "submission that stands", "submissions that stand");
    let checks = counted(caught.checks.len(), "check", "checks");
    let mut all = Table::new([
        ("indicator", Align::Left),
        ("check", Align::Left),
        ("kind", Align::Left),
        ("severity", Align::Left),
        ("figures", Align::Right),
    ]);
    for by in &caught.checks {
        all.push([
            by.indicator.to_string(),
            by.check.to_string(),
            by.kind.to_string(),
            by.severity.to_string(),
            by.figures.to_string(),
        ]);
    }
    let head = format!("{checks}, held against {figures} of {submissions}, each as it was when it came.\n\n");
    let caught = caught.checks.iter().filter(|by| by.figures > 0);
    caught.fold(Printout::from(head).table(all), details)
}

/// Adds what a check caught.
fn details(printout: Printout, by: &CaughtBy) -> Printout {
    let mut counts = Table::new([("", Align::Left), ("", Align::Left), ("figures", Align::Right)]);
    fill(&mut counts, "agency", &by.by_agency);
    fill(&mut counts, "area", &by.by_area);
    fill(&mut counts, "period", &by.by_period);
    let mut worst = Table::new([
        ("revision", Align::Right),
        ("agency", Align::Left),
        ("area", Align::Left),
        ("period", Align::Left),
        ("breakdown", Align::Left),
        ("found", Align::Wrap(48)),
        ("expected", Align::Wrap(32)),
    ]);
    for Worst { revision, agency, area, period, breakdown, found, expected, .. } in &by.worst {
        worst.push([
            revision.to_string(),
            agency.to_string(),
            area.to_string(),
            period.to_string(),
            breakdown.to_string(),
            found.clone(),
            expected.clone(),
        ]);
    }
    let more = by.figures - by.worst.len();
    let more = if more == 0 { String::new() } else { format!("and {more} more\n") };
    let head = format!("\n{}/{}\n\n", by.indicator, by.check);
    printout.text(head).table(counts).text("\n").table(worst).text(more)
}

/// The figures of each agency, area or period.
fn fill<'a, K: Display + 'a>(table: &mut Table, what: &str, counts: impl IntoIterator<Item = (&'a K, &'a usize)>) {
    for (at, (key, count)) in counts.into_iter().enumerate() {
        let what = if at == 0 { what } else { "" };
        table.push([what.to_owned(), key.to_string(), count.to_string()]);
    }
}
