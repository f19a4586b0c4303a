//! What partners send, as submissions: each text is parsed once, every problem is told at its field.

use std::collections::HashMap;
use std::fmt::Display;
use std::hash::Hash;
use std::str::FromStr;
use std::sync::Arc;

use super::{convert, proto};
use crate::intake::review::{Draft, review};
use crate::model::decimal::Decimal;
use crate::model::id::{AgencyId, AreaCode, IndicatorId, RequestId};
use crate::model::marker::{Marker, Markers};
use crate::model::observation::{Breakdown, Measure, Submission, Value};
use crate::model::observations::{Dictionaries, Dictionary, Hashing, Observations};
use crate::model::period::Period;
use crate::model::timestamp::Timestamp;
use crate::model::violation::Violations;
use crate::state::State;

const NOTE_CHARACTERS_MAX: usize = 500;
const SOURCE_CHARACTERS_MAX: usize = 500;

/// The submission of a request, or everything that is wrong with it: what can't be parsed, and what
/// the catalogue doesn't know, in one go.
pub(super) fn submission(
    state: &State,
    request: proto::SubmitObservationsRequest,
    now: Timestamp,
) -> Result<Submission, Violations> {
    let mut violations = Violations::default();
    let agency = violations.check("agency", AgencyId::parse(&request.agency));
    let request_id = violations.check("request_id", RequestId::parse(&request.request_id));
    let characters = request.source.chars().count();
    if characters > SOURCE_CHARACTERS_MAX {
        violations
            .add("source", format!("found {characters} characters; allowed: {SOURCE_CHARACTERS_MAX} at the most"));
    }
    let mut texts = Texts::default();
    let mut notes = Vec::new();
    let drafts: Vec<Draft> = request
        .observations
        .iter()
        .zip(0..)
        .map(|(observation, index)| {
            let mut parser = Parser { index, violations: &mut violations };
            notes.extend(parser.note(&observation.note).map(|note| (index, note)));
            parser.draft(observation, &mut texts)
        })
        .collect();
    let dictionaries = texts.dictionaries();
    let (Some(agency), Some(request_id), true) = (&agency, request_id, violations.is_empty()) else {
        let found = review(state.catalogue(), agency.as_ref(), &dictionaries, drafts.into_iter(), now.date());
        violations.extend(found);
        violations.sort();
        return Err(violations);
    };
    let lines = drafts.into_iter().filter_map(Draft::complete).collect();
    let observations =
        Observations::new(dictionaries, lines, notes).expect("each line refers to what it was read from");
    Ok(Submission { agency: agency.clone(), request_id, source: request.source, sample: request.sample, observations })
}

/// The texts of a request, by what they say.
#[derive(Default)]
struct Texts<'a> {
    indicators: Column<'a, IndicatorId>,
    areas: Column<'a, AreaCode>,
    periods: Column<'a, Period>,
    breakdowns: Dictionary<Breakdown>,
    /// By the texts of their categories: each dimension and category, a byte after each that no text has.
    known_breakdowns: HashMap<Vec<u8>, u32, Hashing>,
    /// A key, as it is written.
    key: Vec<u8>,
}

impl Texts<'_> {
    fn dictionaries(self) -> Dictionaries {
        Dictionaries {
            indicators: self.indicators.dictionary.into_items(),
            areas: self.areas.dictionary.into_items(),
            periods: self.periods.dictionary.into_items(),
            breakdowns: self.breakdowns.into_items(),
        }
    }
}

/// Texts that stand for items. Two texts may stand for one: `2021/22` is `FY2021-22`.
struct Column<'a, T> {
    known: HashMap<&'a str, u32, Hashing>,
    dictionary: Dictionary<T>,
    /// Often the next is the same.
    last: Option<(&'a str, u32)>,
}

impl<T> Default for Column<'_, T> {
    fn default() -> Self {
        Self { known: HashMap::default(), dictionary: Dictionary::default(), last: None }
    }
}

impl<'a, T: FromStr + Eq + Hash + Clone> Column<'a, T> {
    fn place(&mut self, text: &'a str) -> Result<u32, T::Err> {
        if let Some((last, place)) = self.last
            && last == text
        {
            return Ok(place);
        }
        let place = match self.known.get(text) {
            Some(place) => *place,
            None => {
                let place = self.dictionary.place(text.parse()?);
                self.known.insert(text, place);
                place
            }
        };
        self.last = Some((text, place));
        Ok(place)
    }
}

/// Parses one observation, noting what is wrong at its fields.
struct Parser<'a> {
    index: u32,
    violations: &'a mut Violations,
}

impl Parser<'_> {
    fn field(&self, field: &str) -> String {
        format!("observations[{}]{}{field}", self.index, if field.is_empty() { "" } else { "." })
    }

    /// The value, or the error noted at its field; a field is only named when something is wrong.
    fn parsed<T, E: Display>(&mut self, field: &str, parsed: Result<T, E>) -> Option<T> {
        parsed.map_err(|error| self.violations.add(self.field(field), error)).ok()
    }

    fn note(&mut self, note: &str) -> Option<Arc<str>> {
        if note.len() > NOTE_CHARACTERS_MAX {
            let characters = note.chars().count();
            if characters > NOTE_CHARACTERS_MAX {
                let found = format!("found {characters} characters; allowed: {NOTE_CHARACTERS_MAX} at the most");
                self.violations.add(self.field("note"), found);
            }
        }
        (!note.is_empty()).then(|| Arc::from(note))
    }

    fn breakdown(&mut self, categories: &[proto::CategoryRef], texts: &mut Texts<'_>) -> Option<u32> {
        const END: u8 = 0xff;
        texts.key.clear();
        for text in categories.iter().flat_map(|it| [&it.dimension, &it.category]) {
            texts.key.extend_from_slice(text.as_bytes());
            texts.key.push(END);
        }
        if let Some(place) = texts.known_breakdowns.get(&texts.key) {
            return Some(*place);
        }
        let breakdown = convert::breakdown(&self.field("breakdown"), categories, self.violations)?;
        let place = texts.breakdowns.place(breakdown);
        texts.known_breakdowns.insert(texts.key.clone(), place);
        Some(place)
    }

    fn draft<'t>(&mut self, observation: &'t proto::Observation, texts: &mut Texts<'t>) -> Draft {
        Draft {
            indicator: self.parsed("indicator", texts.indicators.place(&observation.indicator)),
            area: self.parsed("area", texts.areas.place(&observation.area)),
            period: self.parsed("period", texts.periods.place(&observation.period)),
            breakdown: self.breakdown(&observation.breakdown, texts),
            value: self.value(observation),
        }
    }

    fn value(&mut self, observation: &proto::Observation) -> Option<Value> {
        let markers = self.markers(&observation.markers);
        let measure = observation.measure.as_ref().map(|measure| self.measure(measure));
        let absences: Vec<_> = markers.iter().flat_map(|markers| markers.absences()).collect();
        match (&measure, absences.as_slice()) {
            (Some(_), [absence, ..]) => {
                self.violations.add(
                    self.field("markers"),
                    format!("`{absence}` says that there is no value, and there is one; allowed: either"),
                );
                return None;
            }
            (None, []) => {
                if markers.is_some() {
                    self.violations.add(
                        self.field(""),
                        "found no value; allowed: a number, ratio, percentage or mean, or a marker that says why there is none (c, x, z or low). A missing value is never zero",
                    );
                }
                return None;
            }
            (None, [_, _, ..]) => {
                self.violations.add(
                    self.field("markers"),
                    "found several reasons why there is no value; allowed: one of c, x, z, low",
                );
                return None;
            }
            (Some(_), []) | (None, [_]) => {}
        }
        Some(Value {
            measure: match measure {
                Some(parsed) => Some(parsed?),
                None => None,
            },
            markers: markers?,
        })
    }

    fn markers(&mut self, codes: &[i32]) -> Option<Markers> {
        let known: Vec<Option<Marker>> = codes.iter().map(|code| Marker::from_code(*code)).collect();
        for (place, _) in known.iter().enumerate().filter(|(_, marker)| marker.is_none()) {
            let found = codes[place];
            self.violations.add(
                self.field(&format!("markers[{place}]")),
                format!("found {found}; allowed: {}", Marker::allowed()),
            );
        }
        known.into_iter().collect()
    }

    fn measure(&mut self, measure: &proto::observation::Measure) -> Option<Measure> {
        use proto::observation::Measure as P;
        match measure {
            P::Number(number) => self.decimal("number", number).map(Measure::Number),
            P::Ratio(ratio) => {
                let numerator = self.decimal("ratio.numerator", &ratio.numerator);
                let denominator = self.decimal("ratio.denominator", &ratio.denominator);
                Some(Measure::Ratio { numerator: numerator?, denominator: denominator? })
            }
            P::Percentage(percentage) => {
                let percent = self.decimal("percentage.percent", &percentage.percent);
                let base = self.decimal("percentage.base", &percentage.base);
                Some(Measure::Percentage { percent: percent?, base: base? })
            }
            P::Mean(mean) => {
                let count = self.decimal("mean.count", &mean.count);
                let mean = self.decimal("mean.mean", &mean.mean);
                Some(Measure::Mean { mean: mean?, count: count? })
            }
        }
    }

    fn decimal(&mut self, field: &str, text: &str) -> Option<Decimal> {
        self.parsed(field, text.parse::<Decimal>())
    }
}
