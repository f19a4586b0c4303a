//! Figures as columns: indices into dictionaries that grow with a stream.

use std::collections::HashSet;
use std::fmt::{self, Display};
use std::hash::Hash;
use std::str::FromStr;

use super::draft::{Draft, DraftTable, Misfit, fit, named_explanation, note};
use crate::model::decimal::Decimal;
use crate::model::id::{AreaCode, IndicatorId};
use crate::model::marker::Markers;
use crate::model::observation::{Breakdown, Explanation, Value};
use crate::model::observations::{Dictionaries, Dictionary, Hashing};
use crate::model::packed::MeasureForm;
use crate::model::period::Period;
use crate::model::violation::Violations;
use crate::rpc::proto::{self, ValueForm};

/// The most items of a stream's dictionary, each text counted.
pub(crate) const DICTIONARY_ITEMS_MAX: usize = 65_536;

/// The dictionaries that a stream has sent so far. A call of its own starts with none.
#[derive(Default)]
pub(crate) struct StreamDictionaries {
    indicators: Grown<IndicatorId>,
    areas: Grown<AreaCode>,
    periods: Grown<Period>,
    breakdowns: Grown<Breakdown>,
}

impl StreamDictionaries {
    /// How many items each has, each text counted.
    fn items(&self) -> [usize; 4] {
        [self.indicators.texts.len(), self.areas.texts.len(), self.periods.texts.len(), self.breakdowns.texts.len()]
    }

    /// Whether one has more items than a stream may have: the stream then ends.
    pub(crate) fn is_full(&self) -> bool {
        self.items().into_iter().any(|items| items > DICTIONARY_ITEMS_MAX)
    }

    /// How many items all have.
    pub(crate) fn len(&self) -> usize {
        self.items().into_iter().sum()
    }

    /// Adds a message's dictionaries to those before.
    pub(crate) fn extend(&mut self, columns: &proto::FigureColumns, violations: &mut Violations) {
        self.indicators.extend("indicators", &columns.indicators, violations);
        self.areas.extend("areas", &columns.areas, violations);
        self.periods.extend("periods", &columns.periods, violations);
        self.breakdowns.extend("breakdowns", &columns.breakdowns, violations);
    }

    /// The figures of a message whose dictionaries are added.
    pub(crate) fn read(&mut self, columns: &proto::FigureColumns, violations: &mut Violations) -> DraftTable {
        let count = columns.digits.len();
        let mut drafts = vec![Draft::default(); count];
        let mut lengths = Lengths { count, fit: true, violations };
        let indicator = lengths.column("indicator", &columns.indicator);
        let area = lengths.column("area", &columns.area);
        let period = lengths.column("period", &columns.period);
        let breakdown = lengths.column("breakdown", &columns.breakdown);
        let form = lengths.column("form", &columns.form);
        let decimals = lengths.column("decimals", &columns.decimals);
        let base_digits = lengths.column("base_digits", &columns.base_digits);
        let base_decimals = lengths.column("base_decimals", &columns.base_decimals);
        let markers = lengths.column("markers", &columns.markers);
        if !lengths.fit {
            return DraftTable { drafts, ..DraftTable::default() };
        }

        let dictionaries = Dictionaries {
            indicators: self.indicators.resolve(indicator, &mut drafts, violations, |draft| &mut draft.indicator),
            areas: self.areas.resolve(area, &mut drafts, violations, |draft| &mut draft.area),
            periods: self.periods.resolve(period, &mut drafts, violations, |draft| &mut draft.period),
            breakdowns: if columns.breakdown.is_empty() {
                drafts.iter_mut().for_each(|draft| draft.breakdown = Some(0));
                vec![Breakdown::default()]
            } else {
                self.breakdowns.resolve(breakdown, &mut drafts, violations, |draft| &mut draft.breakdown)
            },
        };
        for (at, draft) in drafts.iter_mut().enumerate() {
            let cell = Cell {
                form: if columns.form.is_empty() { ValueForm::Number.into() } else { form.at(at) },
                digits: columns.digits[at],
                decimals: decimals.at(at),
                base_digits: base_digits.at(at),
                base_decimals: base_decimals.at(at),
                markers: markers.at(at),
            };
            draft.value = cell.value(at, violations);
        }
        let mut notes = Vec::new();
        let mut with_note: HashSet<u32, Hashing> = HashSet::default();
        for (at, noted) in columns.notes.iter().enumerate() {
            if noted.figure as usize >= count {
                violations.add(
                    format_args!("columns.notes[{at}].figure"),
                    format_args!("found {}; allowed: a figure's index, below {count}", noted.figure),
                );
            }
            if !with_note.insert(noted.figure) {
                violations.add(
                    format_args!("columns.notes[{at}].figure"),
                    format_args!("found {} again; allowed: one note on a figure", noted.figure),
                );
            }
            let text = violations.check(format_args!("columns.notes[{at}].note"), note(&noted.note));
            notes.extend(text.flatten().map(|text| (noted.figure, text)));
        }
        let explanations = explanations(&columns.explanations, count, violations);
        DraftTable { dictionaries, drafts, notes, explanations }
    }
}

/// The explanations of so many figures.
fn explanations(
    sent: &[proto::FigureExplanation],
    count: usize,
    violations: &mut Violations,
) -> Vec<(u32, Explanation)> {
    let mut explanations = Vec::new();
    let mut answered: HashSet<(u32, &str), Hashing> = HashSet::default();
    for (at, proto::FigureExplanation { figure, check, explanation }) in sent.iter().enumerate() {
        let field = |field| format!("columns.explanations[{at}].{field}");
        if *figure as usize >= count {
            let what = format!("found {figure}; allowed: a figure's index, below {count}");
            violations.add(field("figure"), what);
        }
        if !answered.insert((*figure, check)) {
            let what = "allowed: one explanation of a figure for all checks, and one for each";
            violations.add(field("figure"), format_args!("found {figure} again; {what}"));
        }
        let named =
            if check.is_empty() { Some(None) } else { violations.check(field("check"), check.parse()).map(Some) };
        let text = violations.check(field("explanation"), named_explanation(explanation));
        explanations.extend(named.zip(text).map(|(check, text)| (*figure, Explanation { check, text })));
    }
    explanations
}

/// A column of one item for each figure, or one for all, or none.
#[derive(Clone, Copy)]
struct Column<'a, T> {
    name: &'static str,
    items: &'a [T],
}

impl<T: Copy + Default> Column<'_, T> {
    fn at(self, index: usize) -> T {
        match self.items {
            [] => T::default(),
            [all] => *all,
            items => items[index],
        }
    }
}

/// Checks that columns go together.
struct Lengths<'v> {
    count: usize,
    /// Whether all did so far.
    fit: bool,
    violations: &'v mut Violations,
}

impl Lengths<'_> {
    fn column<'a, T>(&mut self, name: &'static str, items: &'a [T]) -> Column<'a, T> {
        let (found, count) = (items.len(), self.count);
        if found > 1 && found != count {
            let what =
                format!("found {found} items, and `digits` has {count}; allowed: as many, or 1 for all, or none");
            self.violations.add(format_args!("columns.{name}"), what);
            self.fit = false;
        }
        Column { name, items }
    }
}

/// A dictionary as a stream has sent it.
struct Grown<T> {
    /// For each text, in the order in which they came, the index of its item in the dictionary; none when
    /// it couldn't be parsed.
    texts: Vec<Option<u32>>,
    dictionary: Dictionary<T>,
    /// For each item of the dictionary, its index in the table of the message that is being read.
    local: Vec<Option<u32>>,
}

impl<T> Default for Grown<T> {
    fn default() -> Self {
        Self { texts: Vec::new(), dictionary: Dictionary::default(), local: Vec::new() }
    }
}

impl<T: FromStr<Err: Display> + Eq + Hash + Clone> Grown<T> {
    fn extend(&mut self, name: &str, texts: &[String], violations: &mut Violations) {
        for (at, text) in texts.iter().enumerate() {
            let item = text.parse::<T>().map_err(|error| violations.add(format_args!("columns.{name}[{at}]"), error));
            self.texts.push(item.ok().map(|item| self.dictionary.index_of(item)));
        }
        self.local.resize(self.dictionary.items().len(), None);
    }

    /// Sets each draft's index into what this message uses of the dictionary, and returns that.
    fn resolve(
        &mut self,
        column: Column<'_, u32>,
        drafts: &mut [Draft],
        violations: &mut Violations,
        field: fn(&mut Draft) -> &mut Option<u32>,
    ) -> Vec<T> {
        let mut used = Vec::new();
        for (at, draft) in drafts.iter_mut().enumerate() {
            let text = column.at(at);
            match self.texts.get(text as usize) {
                Some(Some(item)) => {
                    let local = &mut self.local[*item as usize];
                    let next = || u32::try_from(used.len()).expect("the dictionaries are bounded");
                    if local.is_none() {
                        *local = Some(next());
                        used.push(*item);
                    }
                    *field(draft) = *local;
                }
                Some(None) => {
                    violations.add(
                        format_args!("columns.{}[{at}]", column.name),
                        format_args!("found {text}, whose text couldn't be read"),
                    );
                }
                None => {
                    let len = self.texts.len();
                    violations.add(
                        format_args!("columns.{}[{at}]", column.name),
                        format_args!("found {text}; allowed: an index in the dictionary, which has {len} items"),
                    );
                }
            }
        }
        used.iter()
            .map(|item| {
                // Only what this message uses is reset for the next: a small message pays nothing for the
                // stream's large dictionary.
                self.local[*item as usize] = None;
                self.dictionary.items()[*item as usize].clone()
            })
            .collect()
    }
}

/// What the columns say of one figure's value.
struct Cell {
    form: i32,
    digits: i64,
    decimals: u32,
    base_digits: i64,
    base_decimals: u32,
    markers: u32,
}

impl Cell {
    fn value(&self, at: usize, violations: &mut Violations) -> Option<Value> {
        let mut wrong =
            |column: &str, what: fmt::Arguments<'_>| violations.add(format_args!("columns.{column}[{at}]"), what);
        let mut decimal = |column, digits, decimals: u32| {
            let decimal = u8::try_from(decimals).ok().and_then(|scale| Decimal::new(digits, scale));
            if decimal.is_none() {
                wrong(
                    column,
                    format_args!(
                        "found {digits} with {decimals} decimals; allowed: at most 15 digits, at most 6 of them decimals"
                    ),
                );
            }
            decimal
        };
        let first = decimal("digits", self.digits, self.decimals)?;
        let second = decimal("base_digits", self.base_digits, self.base_decimals)?;
        let withdraws = self.form == i32::from(ValueForm::Withdrawn);
        let form = match ValueForm::try_from(self.form) {
            Ok(ValueForm::Number) => Some(MeasureForm::Number),
            Ok(ValueForm::Ratio) => Some(MeasureForm::Ratio),
            Ok(ValueForm::Percentage) => Some(MeasureForm::Percentage),
            Ok(ValueForm::Mean) => Some(MeasureForm::Mean),
            Ok(ValueForm::None | ValueForm::Withdrawn) => None,
            Ok(ValueForm::Unspecified) | Err(_) => {
                wrong(
                    "form",
                    format_args!("found {}; allowed: 1 to {}, a ValueForm", self.form, ValueForm::Withdrawn as i32),
                );
                return None;
            }
        };
        if !form.is_some_and(MeasureForm::has_second) && !second.is_zero() {
            wrong("base_digits", format_args!("found {}; allowed: 0, the form has no base", self.base_digits));
        }
        if form.is_none() && !first.is_zero() {
            wrong("digits", format_args!("found {}; allowed: 0, there is no value", self.digits));
        }
        let Some(markers) = u16::try_from(self.markers).ok().and_then(Markers::from_bits) else {
            wrong("markers", format_args!("found {:#b}; allowed: bits 0 to 8, one for each Marker", self.markers));
            return None;
        };
        match fit(form.is_some(), withdraws, markers) {
            Ok(()) => Some(Value { measure: form.map(|form| form.measure(first, second)), markers }),
            Err((Misfit::Markers, what)) => {
                wrong("markers", format_args!("{what}"));
                None
            }
            Err((Misfit::Whole, what)) => {
                violations.add(format_args!("observations[{at}]"), what);
                None
            }
        }
    }
}
