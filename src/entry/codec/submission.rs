//! Submissions: columns of indices into dictionaries, as they are in memory. They are most of a journal, so they are
//! written and read without a message in between.

use std::sync::Arc;

use super::wire::{DecodeError, parse};
use crate::entry::Fingerprint;
use crate::model::observation::{Breakdown, Explanation};
use crate::model::observations::{Dictionaries, Line, Observations};
use crate::model::packed::Packed;
use crate::model::protobuf::{Fields, Varints, Writer, signed};
use crate::model::submission::Submission;

/// Writes the fields of a submission.
pub(super) fn write(out: &mut Writer, submission: &Submission, fingerprint: Fingerprint) {
    let table = &submission.observations;
    let (dictionaries, lines) = (table.dictionaries(), table.lines());
    let values: Vec<Packed> = lines.iter().map(|line| Packed::from(&line.value)).collect();
    out.text(1, submission.agency.as_str());
    out.text(2, submission.request_id.as_str());
    out.item(3, &fingerprint.0);
    out.text(4, &submission.source);
    out.number(5, submission.sample);
    dictionaries.indicators.iter().for_each(|id| out.item(6, id.as_str().as_bytes()));
    dictionaries.areas.iter().for_each(|code| out.item(7, code.as_str().as_bytes()));
    dictionaries.periods.iter().for_each(|period| out.display(8, Some(period)));
    let is_broken_down = !dictionaries.breakdowns.iter().all(Breakdown::is_total);
    if is_broken_down {
        dictionaries.breakdowns.iter().for_each(|breakdown| out.display(9, Some(breakdown)));
    }
    out.numbers(10, lines.iter().map(|line| line.indicator));
    out.numbers(11, lines.iter().map(|line| line.area));
    out.numbers(12, lines.iter().map(|line| line.period));
    if is_broken_down {
        out.numbers(13, lines.iter().map(|line| line.breakdown));
    }
    out.numbers(14, values.iter().map(|value| value.word));
    out.signed_numbers(15, values.iter().map(|value| value.first));
    if values.iter().any(|value| value.second != 0) {
        out.signed_numbers(16, values.iter().map(|value| value.second));
    }
    for (line, note) in table.notes() {
        out.message(17, |out| {
            out.number(1, *line);
            out.text(2, note);
        });
    }
    for (line, explanation) in table.explanations() {
        out.message(18, |out| {
            out.number(1, *line);
            out.display(2, explanation.check.as_ref());
            out.text(3, &explanation.text);
        });
    }
    out.text(19, &submission.reason);
    if let Some(return_id) = &submission.return_id {
        out.text(20, return_id.as_str());
    }
}

/// The submission of these fields, and the fingerprint that is kept with it.
pub(super) fn read(fields: &[u8]) -> Result<(Submission, Fingerprint), DecodeError> {
    const FIRST_COLUMN: u32 = 10;
    let [mut agency, mut request_id, mut source, mut reason, mut return_id] = [""; 5];
    let (mut fingerprint, mut sample) = (&[][..], false);
    let (mut dictionaries, mut notes, mut explanations) = (Dictionaries::default(), Vec::new(), Vec::new());
    let mut columns: [Column<'_>; 7] = Default::default();
    for field in Fields::of(fields) {
        match field? {
            (1, value) => agency = value.text()?,
            (2, value) => request_id = value.text()?,
            (3, value) => fingerprint = value.bytes()?,
            (4, value) => source = value.text()?,
            (5, value) => sample = value.number()? != 0,
            (6, value) => dictionaries.indicators.push(parse(value.text()?)?),
            (7, value) => dictionaries.areas.push(parse(value.text()?)?),
            (8, value) => dictionaries.periods.push(parse(value.text()?)?),
            (9, value) => dictionaries.breakdowns.push(parse(value.text()?)?),
            (number @ FIRST_COLUMN..=16, value) => columns[(number - FIRST_COLUMN) as usize].set(value.bytes()?)?,
            (17, value) => notes.push(note(value.bytes()?)?),
            (18, value) => explanations.push(explanation(value.bytes()?)?),
            (19, value) => reason = value.text()?,
            (20, value) => return_id = value.text()?,
            _ => {}
        }
    }
    let lines = lines(columns, &mut dictionaries)?;
    let submission = Submission {
        agency: parse(agency)?,
        request_id: parse(request_id)?,
        source: source.to_owned(),
        sample,
        reason: reason.to_owned(),
        return_id: if return_id.is_empty() { None } else { Some(parse(return_id)?) },
        observations: Observations::new(dictionaries, lines, notes)
            .and_then(|table| table.explained(explanations))
            .map_err(DecodeError::new)?,
    };
    let fingerprint = <[u8; 16]>::try_from(fingerprint);
    let fingerprint = fingerprint.map_err(|_| DecodeError::new("a fingerprint of other than 16 bytes"))?;
    Ok((submission, Fingerprint(fingerprint)))
}

/// The lines of columns: indices of indicators, areas, periods and breakdowns, then the values.
fn lines(columns: [Column<'_>; 7], dictionaries: &mut Dictionaries) -> Result<Vec<Line>, DecodeError> {
    let [mut indicator, mut area, mut period, mut breakdown, mut form, mut first, mut second] = columns;
    // What says nothing is left out: that all are totals, and that no value has a second number.
    if !breakdown.is_there {
        dictionaries.breakdowns = vec![Breakdown::default()];
    }
    let mut lines = Vec::with_capacity(indicator.numbers.len());
    while !indicator.numbers.is_empty() {
        let index = |column: &mut Column<'_>| u32::try_from(column.next()?).map_err(DecodeError::new);
        let (indicator, area, period) = (index(&mut indicator)?, index(&mut area)?, index(&mut period)?);
        let breakdown = if breakdown.is_there { index(&mut breakdown)? } else { 0 };
        let second = if second.is_there { second.next()? } else { 0 };
        let packed = Packed { word: index(&mut form)?, first: signed(first.next()?), second: signed(second) };
        let value = packed.value().map_err(DecodeError::new)?;
        lines.push(Line { indicator, area, period, breakdown, value });
    }
    let ended = [area, period, breakdown, form, first, second].iter().all(|column| column.numbers.is_empty());
    if ended { Ok(lines) } else { Err(of_different_lengths()) }
}

/// The numbers of a column, one for each line.
#[derive(Default)]
struct Column<'a> {
    is_there: bool,
    numbers: Varints<'a>,
}

impl<'a> Column<'a> {
    fn set(&mut self, packed: &'a [u8]) -> Result<(), DecodeError> {
        if std::mem::replace(&mut self.is_there, true) {
            return Err(DecodeError::new("a column in pieces"));
        }
        self.numbers = Varints::of(packed);
        Ok(())
    }

    #[inline]
    fn next(&mut self) -> Result<u64, DecodeError> {
        Ok(self.numbers.next().ok_or_else(of_different_lengths)??)
    }
}

fn of_different_lengths() -> DecodeError {
    DecodeError::new("columns of different lengths")
}

fn note(fields: &[u8]) -> Result<(u32, Arc<str>), DecodeError> {
    let (mut line, mut text) = (0, "");
    for field in Fields::of(fields) {
        match field? {
            (1, value) => line = u32::try_from(value.number()?).map_err(DecodeError::new)?,
            (2, value) => text = value.text()?,
            _ => {}
        }
    }
    Ok((line, Arc::from(text)))
}

fn explanation(fields: &[u8]) -> Result<(u32, Explanation), DecodeError> {
    let (mut line, mut check, mut text) = (0, None, "");
    for field in Fields::of(fields) {
        match field? {
            (1, value) => line = u32::try_from(value.number()?).map_err(DecodeError::new)?,
            (2, value) => check = Some(parse(value.text()?)?),
            (3, value) => text = value.text()?,
            _ => {}
        }
    }
    Ok((line, Explanation { check, text: Arc::from(text) }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use prost::Message;

    use super::super::wire::proto;
    use super::*;
    use crate::model::decimal::Decimal;
    use crate::model::marker::Markers;
    use crate::model::observation::{Measure, Observation, Value};

    /// As the library has it.
    fn to_proto(submission: &Submission, fingerprint: Fingerprint) -> proto::Submission {
        fn texts<T: ToString>(items: &[T]) -> Vec<String> {
            items.iter().map(ToString::to_string).collect()
        }
        let table = &submission.observations;
        let column = |index: fn(&Line) -> u32| table.lines().iter().map(index).collect::<Vec<_>>();
        let packed: Vec<Packed> = table.lines().iter().map(|line| Packed::from(&line.value)).collect();
        let is_broken_down = table.dictionaries().breakdowns.iter().any(|breakdown| !breakdown.is_total());
        let has_second = packed.iter().any(|value| value.second != 0);
        proto::Submission {
            agency: submission.agency.to_string(),
            request_id: submission.request_id.to_string(),
            fingerprint: fingerprint.0.to_vec(),
            source: submission.source.clone(),
            sample: submission.sample,
            return_id: submission.return_id.as_ref().map(ToString::to_string).unwrap_or_default(),
            indicators: texts(&table.dictionaries().indicators),
            areas: texts(&table.dictionaries().areas),
            periods: texts(&table.dictionaries().periods),
            breakdowns: if is_broken_down { texts(&table.dictionaries().breakdowns) } else { Vec::new() },
            indicator: column(|line| line.indicator),
            area: column(|line| line.area),
            period: column(|line| line.period),
            breakdown: if is_broken_down { column(|line| line.breakdown) } else { Vec::new() },
            form: packed.iter().map(|value| value.word).collect(),
            first: packed.iter().map(|value| value.first).collect(),
            second: if has_second { packed.iter().map(|value| value.second).collect() } else { Vec::new() },
            notes: table
                .notes()
                .iter()
                .map(|(line, text)| proto::Note { observation: *line, text: text.to_string() })
                .collect(),
            explanations: table
                .explanations()
                .iter()
                .map(|(line, explanation)| proto::Explanation {
                    observation: *line,
                    check: explanation.check.as_ref().map(ToString::to_string).unwrap_or_default(),
                    text: explanation.text.to_string(),
                })
                .collect(),
            reason: submission.reason.clone(),
        }
    }

    fn observations() -> impl Strategy<Value = Vec<Observation>> {
        let measure = prop_oneof![
            Just(None),
            any::<i32>().prop_map(|number| Some(Measure::Number(Decimal::new(number.into(), 2).unwrap()))),
            (0..9_i64, 0..Decimal::MANTISSA_MAX).prop_map(|(one, other)| {
                let [numerator, denominator] = [one, other].map(|number| Decimal::new(number, 6).unwrap());
                Some(Measure::Ratio { numerator, denominator })
            }),
        ];
        let texts = (
            prop::sample::select(vec!["contacts", "referrals"]),
            prop::sample::select(vec!["E10000014", "HIPS"]),
            prop::sample::select(vec!["2022-06", "FY2021-22", "CY2021-Q2"]),
            prop::sample::select(vec!["", "", "sex=female"]),
        );
        let explanations = prop::collection::btree_map(prop::option::of("[a-z]{1,3}"), "[a-zé]{1,9}", 0..3);
        let explanations = prop_oneof![3 => Just(BTreeMap::new()), 1 => explanations];
        let beside = (prop::option::of("[a-zé]{0,200}"), explanations);
        let observation = (texts, measure, prop_oneof![1 => Just(0), 3 => 0..512_u16], beside).prop_map(
            |(texts, measure, markers, beside)| {
                let ((indicator, area, period, breakdown), (note, explanations)) = (texts, beside);
                let markers = Markers::from_bits(markers).unwrap();
                Observation {
                    indicator: indicator.parse().unwrap(),
                    area: area.parse().unwrap(),
                    period: period.parse().unwrap(),
                    breakdown: breakdown.parse().unwrap(),
                    value: Value { measure, markers },
                    note: note.map(Arc::from),
                    explanations: explanations
                        .into_iter()
                        .map(|(check, text)| Explanation {
                            check: check.map(|check| check.parse().unwrap()),
                            text: Arc::from(text),
                        })
                        .collect(),
                }
            },
        );
        prop::collection::vec(observation, 0..40)
    }

    proptest! {
        #[test]
        fn a_submission_is_written_as_the_library_writes_it_and_reads_back_however_it_is_cut(
            observations in observations(), source in "[a-zé]{0,9}", reason in "[a-zé]{0,9}", sample in any::<bool>(),
            return_id in prop::option::of("[!-~]{1,9}"), cut in any::<prop::sample::Index>(),
        ) {
            let submission = Submission {
                agency: "police".parse().unwrap(),
                request_id: "one".parse().unwrap(),
                source,
                sample,
                reason,
                return_id: return_id.map(|id| id.parse().unwrap()),
                observations: observations.into_iter().collect(),
            };
            let fingerprint = Fingerprint([7; 16]);
            let mut out = Writer::default();
            write(&mut out, &submission, fingerprint);
            prop_assert_eq!(out.bytes(), to_proto(&submission, fingerprint).encode_to_vec());
            if !submission.observations.is_empty() {
                prop_assert_eq!(read(out.bytes()), Ok((submission, fingerprint)));
            }
            // Cut, it is refused, or has lost whole fields.
            let cut = &out.bytes()[..cut.index(out.len())];
            if read(cut).is_ok() {
                prop_assert!(proto::Submission::decode(cut).is_ok());
            }
        }
    }
}
