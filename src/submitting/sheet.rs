//! A file as it is submitted: its figures, or what is known of them where they are many; and what is wrong with it.

use super::filter::{CatalogueNames, Filter};
use super::found::Found;
use super::part::{PartSize, Survey, Surveyed};
use super::selection::Selection;
use crate::figures::input::Input;
use crate::figures::problem::{Problem, grouped};
use crate::figures::{self, Field, Figure, Reading, Taken};

/// A file that was read once.
#[derive(Debug)]
pub(crate) struct Sheet {
    /// The figures to submit, where they are few, and what is wrong before the server has seen any of it.
    pub(crate) reading: Reading,
    /// What is known of its parts.
    pub(crate) parts: Surveyed,
    /// Whether names are to be taken for ids.
    pub(crate) needs_names: bool,
    left_out: Vec<String>,
}

impl Sheet {
    /// Reads the figures of a file that are selected. `seen` is told how many there were so far.
    pub(crate) fn of(
        input: &Input,
        selection: &Selection,
        names: Option<&CatalogueNames>,
        size: PartSize,
        mut seen: impl FnMut(u64),
    ) -> Self {
        let mut filter = Filter::new(selection, names);
        let mut survey = Survey::new(size);
        let mut reading = figures::read_each(input, &selection.layout, |mut figure| {
            if let Err(instead) = filter.takes(&mut figure) {
                return instead;
            }
            survey.add(figure);
            seen(survey.figures());
            Taken::Yes
        });
        let needs_names = filter.needs_names && names.is_none();
        let (problems, left_out) = filter.finish(&reading);
        reading.problems.extend(problems);
        let (figures, parts) = survey.finish();
        reading.figures = figures;
        Self { reading, parts, needs_names, left_out }
    }

    /// Whether the server can be asked about the figures.
    pub(crate) fn is_sendable(&self) -> bool {
        let Reading { figures, problems, .. } = &self.reading;
        !figures.is_empty() || problems.is_empty()
    }

    /// What is wrong with the file, and what the server found wrong with its figures, by row, and how much more there
    /// is. A cell that couldn't be read is reported for that alone.
    pub(crate) fn all_problems(&self, found: &Found) -> (Vec<Problem>, usize) {
        let figures = &self.reading.figures;
        let of_server = self.problems_of(figures, found);
        // The server found those cells too, and some of what it left out is about them.
        let unread: usize = figures.iter().map(|figure| figure.unread.len()).sum();
        let unlisted = unread.saturating_sub(found.listed.len() - of_server.len());
        let problems = grouped(self.reading.problems.iter().cloned().chain(of_server).collect());
        (problems, found.omitted.saturating_sub(unlisted))
    }

    /// What the server found wrong with some of the figures, where the file has it.
    pub(crate) fn problems_of(&self, figures: &[Figure], found: &Found) -> Vec<Problem> {
        let of_file =
            |(field, description): &(String, String)| self.found(figures, field, &by_rows(figures, description));
        found.listed.iter().filter_map(of_file).collect()
    }

    fn found(&self, figures: &[Figure], field: &str, description: &str) -> Option<Problem> {
        let of_figure = field.strip_prefix("observations[").and_then(|rest| rest.split_once(']'));
        let figure = of_figure.and_then(|(index, rest)| Some((at(figures, index)?, rest.trim_start_matches('.'))));
        let Some((figure, field)) = figure else {
            let option = match field {
                "" => String::new(),
                "agency" | "source" | "reason" => format!("--{field}: "),
                "request_id" => "--request-id: ".to_owned(),
                "return_id" => "--return-id: ".to_owned(),
                "observations" => "the file: ".to_owned(),
                other => format!("{other}: "),
            };
            return Some(Problem::of_file(format!("{option}{description}")));
        };
        self.reading.problem(figure, Field::of_observation(field), description)
    }

    /// A line for each thing to know of how the file was read, and for what is left out.
    pub(crate) fn notes(&self) -> Vec<String> {
        let notes = self.reading.notes.iter().map(|note| format!("  {note}"));
        notes.chain(self.left_out.iter().cloned()).collect()
    }

    /// A line for each thing to know of how the file was read.
    pub(crate) fn reading_notes(&self) -> Vec<String> {
        self.reading.notes.iter().map(|note| format!("  {note}")).collect()
    }
}

fn at<'f>(figures: &'f [Figure], index: &str) -> Option<&'f Figure> {
    figures.get(index.parse::<usize>().ok()?)
}

/// The text with rows in the place of the request's observations.
fn by_rows(figures: &[Figure], text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("observations[") {
        shown.push_str(before);
        rest = after;
        match after.split_once(']').and_then(|(index, tail)| Some((at(figures, index)?.row, tail))) {
            Some((row, tail)) => {
                shown.push_str(&format!("row {row}"));
                rest = tail;
            }
            None => shown.push_str("observations["),
        }
    }
    shown + rest
}
