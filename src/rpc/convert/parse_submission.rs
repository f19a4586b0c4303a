//! What partners send, as submissions: each text is parsed once, every problem is reported at its field.

use std::collections::HashMap;
use std::fmt::{self, Display};
use std::hash::Hash;
use std::str::FromStr;
use std::sync::Arc;

use super::columns::StreamDictionaries;
use super::draft::{Draft, DraftTable, Misfit, fit, note};
use crate::intake::review::{OBSERVATIONS_MAX, count_found, review, review_texts};
use crate::model::date::Date;
use crate::model::decimal::Decimal;
use crate::model::id::{AgencyId, AreaCode, IndicatorId, RequestId};
use crate::model::marker::{Marker, Markers};
use crate::model::observation::{Breakdown, Measure, Value};
use crate::model::observations::{Dictionaries, Dictionary, Hashing, Observations};
use crate::model::period::Period;
use crate::model::submission::Submission;
use crate::model::violation::{Lazy, Violations};
use crate::rpc::{convert, proto};
use crate::state::State;

const SOURCE_CHARACTERS_MAX: usize = 500;

/// The submission of a request, or everything that is wrong with it: what can't be parsed, and what
/// the catalogue doesn't know, in one go. `stream` is the dictionaries that a stream has sent so far.
pub(crate) fn submission(
    state: &State,
    request: proto::SubmitObservationsRequest,
    stream: &mut StreamDictionaries,
    today: Date,
) -> Result<Submission, Violations> {
    let mut violations = Violations::default();
    let agency = violations.check("agency", AgencyId::parse(&request.agency));
    let request_id = violations.check("request_id", RequestId::parse(&request.request_id));
    let characters = request.source.chars().count();
    if characters > SOURCE_CHARACTERS_MAX {
        violations
            .add("source", format_args!("found {characters} characters; allowed: {SOURCE_CHARACTERS_MAX} at the most"));
    }
    if let Some(columns) = &request.columns {
        // First of all, so that the indices of later messages hold whatever becomes of this one.
        stream.extend(columns, &mut violations);
        if !request.observations.is_empty() {
            violations.add("columns", "there are `observations` too; allowed: either");
        }
    }
    let count = request.columns.as_ref().map_or(request.observations.len(), |columns| columns.digits.len());
    if count > OBSERVATIONS_MAX {
        violations.add("observations", count_found(count));
        return Err(violations);
    }
    let table = match &request.columns {
        None => of_messages(&request.observations, &mut violations),
        Some(columns) => stream.read(columns, &mut violations),
    };
    let (Some(agency), Some(request_id), true) = (&agency, request_id, violations.is_empty()) else {
        violations.extend(review(state.catalogue(), agency.as_ref(), &table.dictionaries, &table.drafts, today));
        violations.extend(review_texts(&request.source, &table.notes));
        violations.sort();
        return Err(violations);
    };
    let lines = table.drafts.into_iter().filter_map(Draft::complete).collect();
    let observations = Observations::new(table.dictionaries, lines, table.notes)
        .expect("each line refers to what it was read from, and each note to a line");
    Ok(Submission { agency: agency.clone(), request_id, source: request.source, sample: request.sample, observations })
}

fn of_messages(observations: &[proto::Observation], violations: &mut Violations) -> DraftTable {
    let mut texts = Texts::default();
    let mut notes = Vec::new();
    let mut drafts = Vec::with_capacity(observations.len());
    for (observation, index) in observations.iter().zip(0..) {
        let mut parser = Parser { index, violations };
        notes.extend(parser.note(observation).map(|note| (index, note)));
        drafts.push(parser.draft(observation, &mut texts));
    }
    DraftTable { dictionaries: texts.dictionaries(), drafts, notes }
}

/// The texts of a request, by what they say.
#[derive(Default)]
struct Texts<'a> {
    indicators: TextIndex<'a, IndicatorId>,
    areas: TextIndex<'a, AreaCode>,
    periods: TextIndex<'a, Period>,
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
struct TextIndex<'a, T> {
    known: HashMap<&'a str, u32, Hashing>,
    dictionary: Dictionary<T>,
    /// Often the next is the same.
    last: Option<(&'a str, u32)>,
}

impl<T> Default for TextIndex<'_, T> {
    fn default() -> Self {
        Self { known: HashMap::default(), dictionary: Dictionary::default(), last: None }
    }
}

impl<'a, T: FromStr + Eq + Hash + Clone> TextIndex<'a, T> {
    fn index_of(&mut self, text: &'a str) -> Result<u32, T::Err> {
        if let Some((last, index)) = self.last
            && last == text
        {
            return Ok(index);
        }
        let index = match self.known.get(text) {
            Some(index) => *index,
            None => {
                let index = self.dictionary.index_of(text.parse()?);
                self.known.insert(text, index);
                index
            }
        };
        self.last = Some((text, index));
        Ok(index)
    }
}

/// Parses one observation, noting what is wrong at its fields.
struct Parser<'a> {
    index: u32,
    violations: &'a mut Violations,
}

/// A field of an observation, by its index.
#[derive(Clone, Copy)]
struct Field<F>(u32, F);

impl<F: Display> Display for Field<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(index, field) = self;
        write!(f, "observations[{index}].{field}")
    }
}

impl Parser<'_> {
    /// The value, or the error noted at its field; a field is only named when something is wrong.
    fn parsed<T, E: Display>(&mut self, field: &str, parsed: Result<T, E>) -> Option<T> {
        parsed.map_err(|error| self.violations.add(Field(self.index, field), error)).ok()
    }

    fn note(&mut self, observation: &proto::Observation) -> Option<Arc<str>> {
        self.parsed("note", note(&observation.note)).flatten()
    }

    fn breakdown(&mut self, categories: &[proto::CategoryRef], texts: &mut Texts<'_>) -> Option<u32> {
        const END: u8 = 0xff;
        texts.key.clear();
        for text in categories.iter().flat_map(|it| [&it.dimension, &it.category]) {
            texts.key.extend_from_slice(text.as_bytes());
            texts.key.push(END);
        }
        if let Some(index) = texts.known_breakdowns.get(&texts.key) {
            return Some(*index);
        }
        let breakdown = convert::breakdown(Field(self.index, "breakdown"), categories, self.violations)?;
        let index = texts.breakdowns.index_of(breakdown);
        texts.known_breakdowns.insert(texts.key.clone(), index);
        Some(index)
    }

    fn draft<'t>(&mut self, observation: &'t proto::Observation, texts: &mut Texts<'t>) -> Draft {
        Draft {
            indicator: self.parsed("indicator", texts.indicators.index_of(&observation.indicator)),
            area: self.parsed("area", texts.areas.index_of(&observation.area)),
            period: self.parsed("period", texts.periods.index_of(&observation.period)),
            breakdown: self.breakdown(&observation.breakdown, texts),
            value: self.value(observation),
        }
    }

    fn value(&mut self, observation: &proto::Observation) -> Option<Value> {
        let markers = self.markers(&observation.markers);
        let measure = observation.measure.as_ref().map(|measure| self.measure(measure));
        if let Some(markers) = markers
            && let Err((misfit, what)) = fit(measure.is_some(), markers)
        {
            match misfit {
                Misfit::Markers => self.violations.add(Field(self.index, "markers"), what),
                Misfit::Whole => self.violations.add(format_args!("observations[{}]", self.index), what),
            }
            return None;
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
        for (at, code) in codes.iter().enumerate().filter(|(at, _)| known[*at].is_none()) {
            let field = Field(self.index, format_args!("markers[{at}]"));
            self.violations.add(field, format_args!("found {code}; allowed: {}", Lazy(Marker::allowed)));
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
