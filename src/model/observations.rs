//! The observations of a submission as a table: what repeats in them stands in dictionaries, each
//! text parsed and looked up once, and every observation is a line of indices into these.
//!
//! It is the same in memory as in the columnar message and in the journal.

mod order;

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use super::id::{AreaCode, IndicatorId};
use super::observation::{Breakdown, Explanation, Observation, Value};
use super::period::Period;

pub(crate) use order::{Order, Ranks};

/// Hashes what comes from outside: seeded, so that nobody can choose what collides, and fast on short
/// texts.
pub(crate) type Hashing = foldhash::fast::RandomState;

/// Items that repeat, each kept once, in the order of first use.
#[derive(Debug, Clone)]
pub(crate) struct Dictionary<T> {
    items: Vec<T>,
    /// Empty while there are few items: comparing those takes less than a table does.
    indices: HashMap<T, u32, Hashing>,
}

/// How many items are compared one by one.
const COMPARED_MAX: usize = 4;

impl<T> Default for Dictionary<T> {
    fn default() -> Self {
        Self { items: Vec::new(), indices: HashMap::default() }
    }
}

impl<T: Eq + Hash + Clone> Dictionary<T> {
    /// The index of an item, given to it now when it has none.
    pub(crate) fn index_of(&mut self, item: T) -> u32 {
        self.get(&item).unwrap_or_else(|| self.add(item))
    }

    /// The index of an item; none when it has none.
    #[inline]
    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, item: &Q) -> Option<u32>
    where
        T: Borrow<Q>,
    {
        if self.items.len() > COMPARED_MAX {
            return self.indices.get(item).copied();
        }
        self.items.iter().zip(0..).find(|(known, _)| Borrow::<Q>::borrow(*known) == item).map(|(_, index)| index)
    }

    /// The index of an item that has none yet.
    pub(crate) fn add(&mut self, item: T) -> u32 {
        let index = u32::try_from(self.items.len()).expect("a message is far too small for 2^32 items");
        self.items.push(item);
        if self.items.len() > COMPARED_MAX {
            let from = if self.indices.is_empty() { 0 } else { index };
            self.indices.extend(self.items[from as usize..].iter().cloned().zip(from..));
        }
        index
    }

    /// The items, by index.
    pub(crate) fn items(&self) -> &[T] {
        &self.items
    }

    /// The items, by index.
    pub(crate) fn into_items(self) -> Vec<T> {
        self.items
    }
}

/// What the lines of a table refer to. No item is there twice.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dictionaries {
    /// What is counted.
    pub indicators: Vec<IndicatorId>,
    /// Where.
    pub areas: Vec<AreaCode>,
    /// When.
    pub periods: Vec<Period>,
    /// Of whom.
    pub breakdowns: Vec<Breakdown>,
}

/// One observation: its indices into the dictionaries, and its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// What is counted.
    pub indicator: u32,
    /// Where.
    pub area: u32,
    /// When.
    pub period: u32,
    /// Of whom.
    pub breakdown: u32,
    /// The figure.
    pub value: Value,
}

/// These dictionaries and lines don't make a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TableError {
    /// A line refers to what isn't there.
    #[error("an index outside its dictionary")]
    Index,
    /// A note refers to a line that isn't there.
    #[error("a note on no observation")]
    Note,
    /// An explanation refers to a line that isn't there.
    #[error("an explanation of no observation")]
    Explanation,
}

/// The observations of a submission, in the sender's order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Observations {
    dictionaries: Dictionaries,
    lines: Vec<Line>,
    /// The notes, by line.
    notes: Vec<(u32, Arc<str>)>,
    /// The explanations, by line and then by check.
    explanations: Vec<(u32, Explanation)>,
}

impl Observations {
    /// The table of these dictionaries and lines; the notes by line.
    ///
    /// # Errors
    /// When one refers to what isn't there.
    pub fn new(
        dictionaries: Dictionaries,
        lines: Vec<Line>,
        mut notes: Vec<(u32, Arc<str>)>,
    ) -> Result<Self, TableError> {
        let within = |index: u32, len: usize| (index as usize) < len;
        let is_whole = |line: &Line| {
            within(line.indicator, dictionaries.indicators.len())
                && within(line.area, dictionaries.areas.len())
                && within(line.period, dictionaries.periods.len())
                && within(line.breakdown, dictionaries.breakdowns.len())
        };
        if !lines.iter().all(is_whole) {
            return Err(TableError::Index);
        }
        notes.sort_by_key(|(line, _)| *line);
        if notes.last().is_some_and(|(line, _)| !within(*line, lines.len())) {
            return Err(TableError::Note);
        }
        Ok(Self { dictionaries, lines, notes, explanations: Vec::new() })
    }

    /// The same with explanations, each of a line.
    ///
    /// # Errors
    /// When one is of a line that isn't there.
    pub fn explained(mut self, mut explanations: Vec<(u32, Explanation)>) -> Result<Self, TableError> {
        explanations.sort();
        if explanations.last().is_some_and(|(line, _)| *line as usize >= self.lines.len()) {
            return Err(TableError::Explanation);
        }
        self.explanations = explanations;
        Ok(self)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// What the lines refer to.
    pub fn dictionaries(&self) -> &Dictionaries {
        &self.dictionaries
    }

    /// The observations as indices and values.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The notes, by line.
    pub fn notes(&self) -> &[(u32, Arc<str>)] {
        &self.notes
    }

    /// The explanations, by line and then by check.
    pub fn explanations(&self) -> &[(u32, Explanation)] {
        &self.explanations
    }

    /// The explanations of a line.
    pub(crate) fn explanations_of(&self, line: u32) -> &[(u32, Explanation)] {
        let from = self.explanations.partition_point(|(of, _)| *of < line);
        let count = self.explanations[from..].partition_point(|(of, _)| *of == line);
        &self.explanations[from..from + count]
    }

    /// The observations, each whole.
    pub fn iter(&self) -> impl Iterator<Item = Observation> {
        let mut notes = self.notes.iter().peekable();
        self.lines.iter().zip(0..).map(move |(line, index)| Observation {
            indicator: self.dictionaries.indicators[line.indicator as usize].clone(),
            area: self.dictionaries.areas[line.area as usize].clone(),
            period: self.dictionaries.periods[line.period as usize],
            breakdown: self.dictionaries.breakdowns[line.breakdown as usize].clone(),
            value: line.value,
            note: notes.next_if(|(line, _)| *line == index).map(|(_, note)| Arc::clone(note)),
            explanations: self.explanations_of(index).iter().map(|(_, explanation)| explanation.clone()).collect(),
        })
    }
}

impl FromIterator<Observation> for Observations {
    fn from_iter<I: IntoIterator<Item = Observation>>(observations: I) -> Self {
        let (mut indicators, mut areas) = (Dictionary::default(), Dictionary::default());
        let (mut periods, mut breakdowns) = (Dictionary::default(), Dictionary::default());
        let (mut lines, mut notes, mut explanations) = (Vec::new(), Vec::new(), Vec::new());
        for (index, observation) in (0..).zip(observations) {
            lines.push(Line {
                indicator: indicators.index_of(observation.indicator),
                area: areas.index_of(observation.area),
                period: periods.index_of(observation.period),
                breakdown: breakdowns.index_of(observation.breakdown),
                value: observation.value,
            });
            notes.extend(observation.note.map(|note| (index, note)));
            explanations.extend(observation.explanations.into_iter().map(|explanation| (index, explanation)));
        }
        explanations.sort();
        let dictionaries = Dictionaries {
            indicators: indicators.into_items(),
            areas: areas.into_items(),
            periods: periods.into_items(),
            breakdowns: breakdowns.into_items(),
        };
        Self { dictionaries, lines, notes, explanations }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observation(indicator: &str, period: &str, note: Option<&str>) -> Observation {
        Observation {
            indicator: indicator.parse().unwrap(),
            area: "E10000014".parse().unwrap(),
            period: period.parse().unwrap(),
            breakdown: Breakdown::default(),
            value: Value { measure: None, markers: super::super::marker::Markers::NONE },
            note: note.map(Arc::from),
            explanations: Vec::new(),
        }
    }

    #[test]
    fn what_repeats_is_kept_once_and_comes_back_whole() {
        let sent = vec![
            observation("contacts", "2022-06", None),
            observation("referrals", "2022-06", Some("late")),
            observation("contacts", "2022-07", None),
        ];
        let table: Observations = sent.iter().cloned().collect();
        assert_eq!((table.dictionaries().indicators.len(), table.dictionaries().areas.len()), (2, 1));
        assert_eq!(table.iter().collect::<Vec<_>>(), sent);
        let parts = (table.dictionaries().clone(), table.lines().to_vec(), table.notes().to_vec());
        assert_eq!(Observations::new(parts.0, parts.1, parts.2), Ok(table));
    }

    fn explanation(check: Option<&str>) -> Explanation {
        Explanation { check: check.map(|check| check.parse().unwrap()), text: Arc::from("a flood") }
    }

    #[test]
    fn explanations_come_back_with_their_observation_that_for_all_checks_first() {
        let explained = Observation {
            explanations: vec![explanation(None), explanation(Some("steady"))],
            ..observation("contacts", "2022-06", None)
        };
        let sent = vec![observation("contacts", "2022-07", None), explained.clone()];
        let table: Observations = sent.iter().cloned().collect();
        assert_eq!(table.iter().collect::<Vec<_>>(), sent);
        let turned = explained.explanations.iter().rev().map(|explanation| (1, explanation.clone())).collect();
        assert_eq!(table.clone().explained(turned), Ok(table));
    }

    #[test]
    fn a_table_refers_to_nothing_that_isnt_there() {
        let table: Observations = [observation("contacts", "2022-06", None)].into_iter().collect();
        let parts = || (table.dictionaries().clone(), table.lines().to_vec());
        for column in 0..4 {
            let (dictionaries, mut lines) = parts();
            let line = &mut lines[0];
            *[&mut line.indicator, &mut line.area, &mut line.period, &mut line.breakdown][column] = 1;
            assert_eq!(Observations::new(dictionaries, lines, vec![]), Err(TableError::Index));
        }
        let (dictionaries, lines) = parts();
        assert_eq!(Observations::new(dictionaries, lines, vec![(1, Arc::from("n"))]), Err(TableError::Note));
        assert_eq!(table.explained(vec![(1, explanation(None))]), Err(TableError::Explanation));
    }
}
