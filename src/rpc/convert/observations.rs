//! Observations, from their bytes on the wire to lines of indices. A text that was there before is found again by its
//! bytes: it isn't copied, and parsed once.

use std::borrow::Borrow;
use std::fmt::{self, Display};
use std::hash::Hash;
use std::str::FromStr;
use std::sync::Arc;

use super::draft::{Draft, DraftTable, Misfit, explanation, fit, named_explanation, note};
use super::wire_observation::{Lists, WireObservation, utf8};
use crate::model::decimal::Decimal;
use crate::model::id::{AreaCode, CheckId, IndicatorId};
use crate::model::marker::{Marker, Markers};
use crate::model::observation::{Breakdown, Explanation, Measure, Value};
use crate::model::observations::{Dictionaries, Dictionary};
use crate::model::packed::MeasureForm;
use crate::model::period::Period;
use crate::model::protobuf::Malformed;
use crate::model::submission::OBSERVATIONS_MAX;
use crate::model::violation::{Lazy, Violations};
use crate::rpc::{convert, proto};

/// The observations of a request, as far as they are read.
#[derive(Default)]
pub(crate) struct ObservationReader<'a> {
    texts: Texts<'a>,
    notes: Vec<(u32, Arc<str>)>,
    explanations: Vec<(u32, Explanation)>,
    drafts: Vec<Draft>,
    violations: Violations,
    lists: Lists<'a>,
}

impl<'a> ObservationReader<'a> {
    /// Reads a further one from its bytes.
    ///
    /// # Errors
    /// When it can't be read, or is one more than a request may have, or its categories or markers are.
    pub(crate) fn read(&mut self, bytes: &'a [u8]) -> Result<(), Malformed> {
        if self.drafts.len() == OBSERVATIONS_MAX {
            return Err(Malformed);
        }
        let observation = WireObservation::read(bytes, &mut self.lists)?;
        let index = u32::try_from(self.drafts.len()).map_err(|_| Malformed)?;
        let mut parser = Parser { index, violations: &mut self.violations };
        self.notes.extend(parser.note(observation.note)?.map(|note| (index, note)));
        if !observation.explanation.is_empty() || !self.lists.explanations.is_empty() {
            parser.explanations(observation.explanation, &self.lists.explanations, &mut self.explanations)?;
        }
        let draft = parser.draft(&observation, &self.lists, &mut self.texts)?;
        self.drafts.push(draft);
        Ok(())
    }

    /// All that were read, and what is wrong with them.
    pub(crate) fn finish(self) -> (DraftTable, Violations) {
        let Self { texts, notes, explanations, drafts, violations, lists: _ } = self;
        (DraftTable { dictionaries: texts.dictionaries(), drafts, notes, explanations }, violations)
    }
}

/// The texts of a request, by what they say.
#[derive(Default)]
struct Texts<'a> {
    indicators: TextIndex<&'a [u8], IndicatorId>,
    areas: TextIndex<&'a [u8], AreaCode>,
    periods: TextIndex<&'a [u8], Period>,
    /// By the texts of their dimensions and categories.
    breakdowns: TextIndex<Vec<[&'a [u8]; 2]>, Breakdown>,
}

impl Texts<'_> {
    fn dictionaries(self) -> Dictionaries {
        Dictionaries {
            indicators: self.indicators.dictionary.into_items(),
            areas: self.areas.dictionary.into_items(),
            periods: self.periods.dictionary.into_items(),
            breakdowns: self.breakdowns.dictionary.into_items(),
        }
    }
}

/// Texts that stand for items. Two texts may stand for one: `2021/22` is `FY2021-22`.
struct TextIndex<K, T> {
    texts: Dictionary<K>,
    /// For each text the item that it stands for.
    of_texts: Vec<u32>,
    dictionary: Dictionary<T>,
    /// The text that was looked up last: often the next is the same.
    last: u32,
}

impl<K, T> Default for TextIndex<K, T> {
    fn default() -> Self {
        Self { texts: Dictionary::default(), of_texts: Vec::new(), dictionary: Dictionary::default(), last: 0 }
    }
}

impl<K: Eq + Hash + Clone, T: Eq + Hash + Clone> TextIndex<K, T> {
    /// The index of the item that a text stood for before.
    #[inline]
    fn known<Q: Eq + Hash + ?Sized>(&mut self, text: &Q) -> Option<u32>
    where
        K: Borrow<Q>,
    {
        let last = self.texts.items().get(self.last as usize);
        if last.is_none_or(|last| Borrow::<Q>::borrow(last) != text) {
            self.last = self.texts.get(text)?;
        }
        self.of_texts.get(self.last as usize).copied()
    }

    fn add(&mut self, text: K, item: T) -> u32 {
        let index = self.dictionary.index_of(item);
        self.last = self.texts.add(text);
        self.of_texts.push(index);
        index
    }
}

/// Parses one observation, noting what is wrong at its fields.
struct Parser<'v> {
    index: u32,
    violations: &'v mut Violations,
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

/// What was parsed; none where it was found to be wrong.
type Parsed<T> = Result<Option<T>, Malformed>;

impl Parser<'_> {
    /// The value, or the error noted at its field; a field is only named when something is wrong.
    fn parsed<T, E: Display>(&mut self, field: &str, parsed: Result<T, E>) -> Option<T> {
        parsed.map_err(|error| self.violations.add(Field(self.index, field), error)).ok()
    }

    fn note(&mut self, text: &[u8]) -> Parsed<Arc<str>> {
        Ok(self.parsed("note", note(utf8(text)?)).flatten())
    }

    /// Adds the explanation for all checks, and those of single ones.
    fn explanations(
        &mut self,
        of_all: &[u8],
        of_checks: &[[&[u8]; 2]],
        into: &mut Vec<(u32, Explanation)>,
    ) -> Result<(), Malformed> {
        let line = self.index;
        let text = self.parsed("explanation", explanation(utf8(of_all)?)).flatten();
        into.extend(text.map(|text| (line, Explanation { check: None, text })));
        let from = into.len();
        for (at, [check, text]) in of_checks.iter().enumerate() {
            let check = utf8(check)?.parse::<CheckId>();
            let is_known = |check: &CheckId| into[from..].iter().any(|(_, known)| known.check.as_ref() == Some(check));
            let check = match check {
                Ok(check) if is_known(&check) => Err(format!("found `{check}` again; allowed: each check once")),
                check => check.map_err(|error| error.to_string()),
            };
            let field = Field(line, format_args!("check_explanations[{at}].check"));
            let check = self.violations.check(field, check);
            let field = Field(line, format_args!("check_explanations[{at}].explanation"));
            let text = self.violations.check(field, named_explanation(utf8(text)?));
            into.extend(check.zip(text).map(|(check, text)| (line, Explanation { check: Some(check), text })));
        }
        Ok(())
    }

    fn draft<'a>(
        &mut self,
        read: &WireObservation<'a>,
        lists: &Lists<'a>,
        texts: &mut Texts<'a>,
    ) -> Result<Draft, Malformed> {
        Ok(Draft {
            indicator: self.text("indicator", read.indicator, &mut texts.indicators)?,
            area: self.text("area", read.area, &mut texts.areas)?,
            period: self.text("period", read.period, &mut texts.periods)?,
            breakdown: self.breakdown(&lists.categories, texts)?,
            value: self.value(read.measure, read.withdraw, &lists.markers)?,
        })
    }

    #[inline]
    fn text<'a, T: FromStr<Err: Display> + Eq + Hash + Clone>(
        &mut self,
        field: &str,
        text: &'a [u8],
        index: &mut TextIndex<&'a [u8], T>,
    ) -> Parsed<u32> {
        if let Some(known) = index.known::<[u8]>(text) {
            return Ok(Some(known));
        }
        let item = self.parsed(field, utf8(text)?.parse());
        Ok(item.map(|item| index.add(text, item)))
    }

    fn breakdown<'a>(&mut self, categories: &[[&'a [u8]; 2]], texts: &mut Texts<'a>) -> Parsed<u32> {
        if let Some(known) = texts.breakdowns.known(categories) {
            return Ok(Some(known));
        }
        let category = |[dimension, category]: &[&[u8]; 2]| {
            let [dimension, category] = [utf8(dimension)?, utf8(category)?].map(str::to_owned);
            Ok(proto::CategoryRef { dimension, category })
        };
        let refs = categories.iter().map(category).collect::<Result<Vec<_>, _>>()?;
        let breakdown = convert::breakdown(Field(self.index, "breakdown"), &refs, self.violations);
        Ok(breakdown.map(|breakdown| texts.breakdowns.add(categories.to_vec(), breakdown)))
    }

    fn value(&mut self, measure: Option<(MeasureForm, [&[u8]; 2])>, withdraws: bool, codes: &[i32]) -> Parsed<Value> {
        let markers = self.markers(codes);
        let has_measure = measure.is_some();
        let measure = match measure {
            Some((form, numbers)) => self.measure(form, numbers)?.map(Some),
            None => Some(None),
        };
        if let Some(markers) = markers
            && let Err((misfit, what)) = fit(has_measure, withdraws, markers)
        {
            match misfit {
                Misfit::Markers => self.violations.add(Field(self.index, "markers"), what),
                Misfit::Whole => self.violations.add(format_args!("observations[{}]", self.index), what),
            }
            return Ok(None);
        }
        Ok(measure.zip(markers).map(|(measure, markers)| Value { measure, markers }))
    }

    fn markers(&mut self, codes: &[i32]) -> Option<Markers> {
        if codes.is_empty() {
            return Some(Markers::NONE);
        }
        let known: Vec<Option<Marker>> = codes.iter().map(|code| Marker::from_code(*code)).collect();
        for (at, code) in codes.iter().enumerate().filter(|(at, _)| known[*at].is_none()) {
            let field = Field(self.index, format_args!("markers[{at}]"));
            self.violations.add(field, format_args!("found {code}; allowed: {}", Lazy(Marker::allowed)));
        }
        known.into_iter().collect()
    }

    fn measure(&mut self, form: MeasureForm, [first, second]: [&[u8]; 2]) -> Parsed<Measure> {
        let (first, second) = match form {
            MeasureForm::Number => (self.decimal("number", first)?, Some(Decimal::ZERO)),
            MeasureForm::Ratio => (self.decimal("ratio.numerator", first)?, self.decimal("ratio.denominator", second)?),
            MeasureForm::Percentage => {
                (self.decimal("percentage.percent", first)?, self.decimal("percentage.base", second)?)
            }
            MeasureForm::Mean => {
                let count = self.decimal("mean.count", second)?;
                (self.decimal("mean.mean", first)?, count)
            }
        };
        Ok(first.zip(second).map(|(first, second)| form.measure(first, second)))
    }

    fn decimal(&mut self, field: &str, text: &[u8]) -> Parsed<Decimal> {
        match Decimal::read(text) {
            Some(decimal) => Ok(Some(decimal)),
            None => Ok(self.parsed(field, utf8(text)?.parse())),
        }
    }
}
