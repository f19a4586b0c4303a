//! What the reader of observations is held equal to: messages as the library decodes them, each text of each parsed by
//! itself.

use super::draft::{Draft, DraftTable, Misfit, explanation, fit, named_explanation, note};
use crate::model::decimal::Decimal;
use crate::model::id::{AreaCode, CheckId, IndicatorId};
use crate::model::marker::{Marker, Markers};
use crate::model::observation::{Breakdown, Explanation, Measure, Value};
use crate::model::observations::{Dictionaries, Dictionary};
use crate::model::period::Period;
use crate::model::violation::{Lazy, Violations};
use crate::rpc::proto::observation::Measure as P;
use crate::rpc::{convert, proto};

/// The table of messages, and what is wrong with them.
pub(crate) fn of_messages(messages: &[proto::Observation]) -> (DraftTable, Violations) {
    let (mut violations, mut notes, mut drafts) = (Violations::default(), Vec::new(), Vec::new());
    let (mut indicators, mut areas) = (Dictionary::default(), Dictionary::default());
    let (mut periods, mut breakdowns) = (Dictionary::default(), Dictionary::default());
    let mut explanations = Vec::new();
    for (message, index) in messages.iter().zip(0..) {
        let mut of = Of { index, violations: &mut violations };
        notes.extend(of.check("note", note(&message.note)).flatten().map(|note| (index, note)));
        explanations.extend(of.explanations(message).into_iter().map(|explanation| (index, explanation)));
        let indicator = of.check("indicator", message.indicator.parse::<IndicatorId>());
        let area = of.check("area", message.area.parse::<AreaCode>());
        let period = of.check("period", message.period.parse::<Period>());
        let breakdown: Option<Breakdown> =
            convert::breakdown(format!("observations[{index}].breakdown").as_str(), &message.breakdown, of.violations);
        drafts.push(Draft {
            indicator: indicator.map(|it| indicators.index_of(it)),
            area: area.map(|it| areas.index_of(it)),
            period: period.map(|it| periods.index_of(it)),
            breakdown: breakdown.map(|it| breakdowns.index_of(it)),
            value: of.value(message),
        });
    }
    let dictionaries = Dictionaries {
        indicators: indicators.into_items(),
        areas: areas.into_items(),
        periods: periods.into_items(),
        breakdowns: breakdowns.into_items(),
    };
    (DraftTable { dictionaries, drafts, notes, explanations }, violations)
}

struct Of<'v> {
    index: u32,
    violations: &'v mut Violations,
}

impl Of<'_> {
    fn check<T, E: std::fmt::Display>(&mut self, field: &str, result: Result<T, E>) -> Option<T> {
        self.violations.check(format!("observations[{}].{field}", self.index), result)
    }

    fn explanations(&mut self, message: &proto::Observation) -> Vec<Explanation> {
        let text = self.check("explanation", explanation(&message.explanation)).flatten();
        let mut of_checks: Vec<Explanation> = Vec::new();
        for (at, one) in message.check_explanations.iter().enumerate() {
            let check = one.check.parse::<CheckId>().map_err(|error| error.to_string());
            let check = check.and_then(|check| {
                let again = of_checks.iter().any(|known| known.check.as_ref() == Some(&check));
                if again { Err(format!("found `{check}` again; allowed: each check once")) } else { Ok(check) }
            });
            let check = self.check(&format!("check_explanations[{at}].check"), check);
            let text =
                self.check(&format!("check_explanations[{at}].explanation"), named_explanation(&one.explanation));
            of_checks.extend(check.zip(text).map(|(check, text)| Explanation { check: Some(check), text }));
        }
        text.map(|text| Explanation { check: None, text }).into_iter().chain(of_checks).collect()
    }

    fn value(&mut self, message: &proto::Observation) -> Option<Value> {
        let markers = self.markers(&message.markers);
        let measure = message.measure.as_ref().map(|measure| self.measure(measure));
        if let Some(Err((misfit, what))) = markers.map(|markers| fit(measure.is_some(), message.withdraw, markers)) {
            match misfit {
                Misfit::Markers => self.violations.add(format!("observations[{}].markers", self.index), what),
                Misfit::Whole => self.violations.add(format!("observations[{}]", self.index), what),
            }
            return None;
        }
        match measure {
            Some(measure) => Some(Value { measure: Some(measure?), markers: markers? }),
            None => Some(Value { measure: None, markers: markers? }),
        }
    }

    fn markers(&mut self, codes: &[i32]) -> Option<Markers> {
        let mut markers = Some(Markers::NONE);
        for (at, code) in codes.iter().enumerate() {
            let marker =
                Marker::from_code(*code).ok_or_else(|| format!("found {code}; allowed: {}", Lazy(Marker::allowed)));
            let marker = self.check(&format!("markers[{at}]"), marker);
            markers = markers.zip(marker).map(|(markers, marker)| markers.with(marker));
        }
        markers
    }

    fn measure(&mut self, measure: &P) -> Option<Measure> {
        let mut decimal = |field, text: &String| self.check(field, text.parse::<Decimal>());
        match measure {
            P::Number(number) => decimal("number", number).map(Measure::Number),
            P::Ratio(ratio) => {
                let numerator = decimal("ratio.numerator", &ratio.numerator);
                let denominator = decimal("ratio.denominator", &ratio.denominator);
                Some(Measure::Ratio { numerator: numerator?, denominator: denominator? })
            }
            P::Percentage(percentage) => {
                let percent = decimal("percentage.percent", &percentage.percent);
                let base = decimal("percentage.base", &percentage.base);
                Some(Measure::Percentage { percent: percent?, base: base? })
            }
            P::Mean(mean) => {
                let count = decimal("mean.count", &mean.count);
                let mean = decimal("mean.mean", &mean.mean);
                Some(Measure::Mean { mean: mean?, count: count? })
            }
        }
    }
}
