//! Whether a server could start with its settings, as far as that shows without starting it.

use std::fs::File;
use std::io::Read;

use super::super::advice::advice;
use super::super::failure::Failure;
use super::super::output;
use super::super::serve::Args;
use super::super::settings::{Problem, Setting, Settings};

/// Checks them, and the files that they name.
///
/// # Errors
/// When there are problems: all of them.
pub(super) async fn run(args: &Args, settings: &Settings) -> Result<(), Failure> {
    let unreadable: Vec<Problem> = settings.iter().filter_map(|setting| unreadable(setting, settings)).collect();
    // Whether the files go together shows only once each can be read, and each setting is one.
    let is_whole = unreadable.is_empty() && settings.check(&[]).is_ok();
    let refused = if is_whole { args.refused().await } else { Vec::new() };
    let refused = refused.iter().filter_map(Problem::of_failure);
    settings.check(&unreadable.into_iter().chain(refused).collect::<Vec<_>>())?;
    for overridden in settings.overridden() {
        output::note(overridden);
    }
    let from = settings.file().map_or_else(String::new, |file| format!(", with {}", file.display()));
    output::print_line(format_args!("The settings can be used{from}."))
}

/// Why the file of a setting can't be read, if it can't.
fn unreadable(setting: &Setting, settings: &Settings) -> Option<Problem> {
    let path = setting.file()?;
    // A folder can be opened, but not read.
    let read = File::open(path).and_then(|mut file| file.read(&mut [0]));
    let error = read.err()?;
    let what = format!("can't read {}: {error}{}", path.display(), advice(&error));
    Some(settings.problem_of_file(setting, &what))
}
