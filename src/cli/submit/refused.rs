//! Why a file is refused, in words: everything that is wrong with it, by row.

use super::super::connect::problems;
use super::super::failure::{Exit, Failure};
use super::args::Args;
use super::problem_report;
use crate::figures::problem::{Problem, grouped};
use crate::submitting::{Found, Sheet};

/// Everything that is wrong, by row: what the file itself has, and what the server found.
pub(super) fn refused(args: &Args, sheet: &Sheet, found: &Found) -> Failure {
    let (all, omitted) = sheet.all_problems(found);
    match (found.note(), refused_for(args, sheet, all, omitted)) {
        (Some(note), Failure::Message(exit, message)) => Failure::Message(exit, format!("{message}\n  {note}")),
        (_, failure) => failure,
    }
}

/// Everything that is wrong, and how much more there is.
pub(super) fn refused_for(args: &Args, sheet: &Sheet, all: Vec<Problem>, omitted: usize) -> Failure {
    let all = grouped(all);
    let lines: Vec<String> = all.iter().map(ToString::to_string).collect();
    let Failure::Message(exit, mut message) = problems(&format!(" in {}", args.file.display()), &lines, omitted) else {
        return Failure::OutputClosed;
    };
    for line in sheet.reading_notes() {
        message.push_str(&format!("\n{line}"));
    }
    if let Some(report) = &args.problems {
        match problem_report::write(report, &sheet.reading, &all) {
            Ok(()) => message.push_str(&format!("\nThe problems are in {}, at their rows", report.path().display())),
            Err(Failure::Message(_, why)) => message.push_str(&format!("\n{why}")),
            Err(Failure::OutputClosed) => {}
        }
    }
    Failure::Message(exit, message)
}

/// The server couldn't check the file.
pub(super) fn unchecked(args: &Args, sheet: &Sheet, failure: Failure) -> Failure {
    match (sheet.reading.problems.is_empty(), refused(args, sheet, &Found::default()), failure) {
        (false, Failure::Message(exit, found), Failure::Message(_, why)) => {
            Failure::Message(exit, format!("{found}\nThe server checked nothing of it: {why}"))
        }
        (_, _, Failure::Message(Exit::Busy, why)) => {
            Failure::busy(format!("{why}; nothing was stored, so send it again later"))
        }
        (_, _, failure) => failure,
    }
}
