//! Settings in effect, and where each is from.

use serde::Serialize;

use super::super::common_args::Format;
use super::super::failure::Failure;
use super::super::format::csv;
use super::super::printout::Printout;
use super::super::settings::{Setting, Settings};
use super::super::table::{Align, Table};
use crate::model::text::visible_json;

/// A setting as it is printed.
#[derive(Debug, Serialize)]
struct Line {
    setting: String,
    /// None where there is no default; several, of a list, with commas between.
    value: Option<String>,
    from: String,
}

const HEADINGS: [&str; 3] = ["setting", "value", "from"];

/// Prints them.
///
/// # Errors
/// When they can't be used.
pub(super) fn run(format: Format, settings: &Settings) -> Result<(), Failure> {
    settings.check(&[])?;
    let lines = lines(settings);
    let texts =
        || lines.iter().map(|line| [line.setting.clone(), line.value.clone().unwrap_or_default(), line.from.clone()]);
    format.print(
        || Ok(visible_json(&serde_json::to_string_pretty(&lines)?).into_owned()),
        || csv(HEADINGS, texts()),
        || {
            let mut table = Table::new(HEADINGS.map(|heading| (heading, Align::Left)));
            texts().for_each(|row| table.push(row));
            Printout::default().table(table)
        },
    )
}

fn lines(settings: &Settings) -> Vec<Line> {
    let line = |setting: &Setting| Line {
        setting: setting.name().to_owned(),
        value: setting.shown(),
        from: settings.source(setting),
    };
    settings.iter().map(line).collect()
}
