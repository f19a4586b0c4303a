//! Figures that are in a large file more than once.
//!
//! Which may be is known by a hash of 8 bytes of each figure. Where two figures have the same hash, the file is read once
//! more, so that only what is really the same is refused, with the row that had it first.

use std::collections::{BTreeMap, BTreeSet};

use crate::figures::input::Input;
use crate::figures::problem::Problem;
use crate::figures::{self, Figure, Taken};
use crate::submitting::filter::Filter;
use crate::submitting::{CatalogueNames, Selection, Sheet, part};

/// How many different figures are looked at; the others are reported once these are mended.
const LOOKED_AT_MAX: usize = 1_000;

/// A problem for each figure that is there again, at its row.
pub(super) fn problems(
    input: &Input,
    selection: &Selection,
    names: Option<&CatalogueNames>,
    sheet: &Sheet,
) -> Vec<Problem> {
    let alike = &sheet.parts.alike;
    if alike.is_empty() {
        return Vec::new();
    }
    let looked_at: BTreeSet<u64> = alike.iter().copied().take(LOOKED_AT_MAX).collect();
    let mut filter = Filter::new(selection, names);
    let mut first: BTreeMap<String, u64> = BTreeMap::new();
    let mut again: Vec<(Figure, u64, String)> = Vec::new();
    figures::read_each(input, &selection.layout, |mut figure| {
        if let Err(instead) = filter.takes(&mut figure) {
            return instead;
        }
        let Some(place) = part::place(&figure).filter(|place| looked_at.contains(&part::hash(place))) else {
            return Taken::Yes;
        };
        match first.get(&place) {
            None => drop(first.insert(place, figure.row)),
            Some(row) => again.push((figure, *row, place)),
        }
        if again.len() >= LOOKED_AT_MAX { Taken::Last } else { Taken::Yes }
    });
    let problem = |(figure, row, place): &(Figure, u64, String)| {
        sheet.reading.problem(figure, None, &format!("the same figure as row {row}: {place}"))
    };
    again.iter().filter_map(problem).collect()
}
