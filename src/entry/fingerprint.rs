//! The fingerprint of a submission: what a retry is recognised by.

use std::fmt::Display;
use std::io::Write;

use crate::model::id::CheckId;
use crate::model::observation::{Explanation, Measure, Value};
use crate::model::observations::{Line, Order, Ranks};
use crate::model::packed::Packed;
use crate::model::protobuf::Writer;
use crate::model::submission::Submission;

/// 16 bytes of BLAKE3 over what a submission says. The same for the same content, its figures in any
/// order, whatever notation its periods and numbers came in, and in every version of this program since
/// 0.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub(crate) [u8; 16]);

impl Fingerprint {
    /// The fingerprint of a submission. The request id is not part of it.
    pub fn of(submission: &Submission) -> Self {
        Self::in_order(submission, &Order::of(&submission.observations))
    }

    /// The same, where the order of its lines is known.
    pub(crate) fn in_order(submission: &Submission, order: &Order) -> Self {
        let mut content = Writer::with_capacity(submission.bytes_expected());
        write_content(&mut content, submission, order);
        let mut hasher = blake3::Hasher::new_derive_key("conspectus submission fingerprint v3");
        hasher.update(content.bytes());
        Self::finish(&hasher)
    }

    fn finish(hasher: &blake3::Hasher) -> Self {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(bytes)
    }

    /// The fingerprint that versions before 0.3 kept: of the figures in the sender's order, their numbers
    /// as they are written. A retry of what they received is recognised by it.
    pub(crate) fn v1_of(submission: &Submission) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("conspectus submission fingerprint v1");
        let mut frames = Frames::default();
        frames.push(&submission.agency);
        frames.push(&submission.source);
        frames.push(if submission.sample { "sample" } else { "" });
        // Those versions knew no returns, and no explanations: with one it is other content than any that they kept.
        submission.return_id.iter().for_each(|return_id| frames.push(return_id));
        for observation in submission.observations.iter() {
            let value = observation.value;
            frames.push(observation.indicator);
            frames.push(observation.area);
            frames.push(observation.period);
            frames.push(observation.breakdown);
            frames.push(value);
            frames.push(value.measure.map_or("none", |measure| measure.form().text()));
            frames.push(observation.note.as_deref().unwrap_or_default());
            for Explanation { check, text } in &observation.explanations {
                frames.push(check.as_ref().map(CheckId::as_str).unwrap_or_default());
                frames.push(text);
            }
            if frames.0.len() >= HASHED_BYTES {
                hasher.update(&frames.0);
                frames.0.clear();
            }
        }
        // Nor reasons.
        if !submission.reason.is_empty() {
            frames.push(&submission.reason);
        }
        hasher.update(&frames.0);
        Self::finish(&hasher)
    }
}

/// The content as a message that is hashed, and never stored: each list in one order, with nothing that no line uses, and
/// each number as short as it can be.
fn write_content(out: &mut Writer, submission: &Submission, order: &Order) {
    let table = &submission.observations;
    let dictionaries = table.dictionaries();
    let lines = || order.lines.iter().map(|line| &table.lines()[*line as usize]);
    let values: Vec<Packed> = lines().map(|line| Packed::from(&shortest(line.value))).collect();
    out.text(1, submission.agency.as_str());
    out.text(2, &submission.source);
    out.number(3, submission.sample);
    of_each(&order.indicators, &dictionaries.indicators, |id| out.item(4, id.as_str().as_bytes()));
    of_each(&order.areas, &dictionaries.areas, |code| out.item(5, code.as_str().as_bytes()));
    of_each(&order.periods, &dictionaries.periods, |period| out.display(6, Some(period.storage_key())));
    of_each(&order.breakdowns, &dictionaries.breakdowns, |breakdown| out.display(7, Some(breakdown)));
    out.numbers(8, lines().map(|line: &Line| order.indicators.rank(line.indicator)));
    out.numbers(9, lines().map(|line| order.areas.rank(line.area)));
    out.numbers(10, lines().map(|line| order.periods.rank(line.period)));
    out.numbers(11, lines().map(|line| order.breakdowns.rank(line.breakdown)));
    out.numbers(12, values.iter().map(|value| value.word));
    out.signed_numbers(13, values.iter().map(|value| value.first));
    out.signed_numbers(14, values.iter().map(|value| value.second));
    let notes = table.notes();
    for (line, place) in order.lines.iter().zip(0_u32..).take_while(|_| !notes.is_empty()) {
        if let Ok(at) = notes.binary_search_by_key(line, |(line, _)| *line) {
            out.message(15, |out| {
                out.number(1, place);
                out.text(2, &notes[at].1);
            });
        }
    }
    let is_explained = !table.explanations().is_empty();
    for (line, place) in order.lines.iter().zip(0_u32..).take_while(|_| is_explained) {
        for (_, Explanation { check, text }) in table.explanations_of(*line) {
            out.message(16, |out| {
                out.number(1, place);
                out.display(2, check.as_ref());
                out.text(3, text);
            });
        }
    }
    out.text(17, &submission.reason);
    // Of no return, it is what it was before there were any.
    if let Some(return_id) = &submission.return_id {
        out.text(20, return_id.as_str());
    }
}

/// Passes on the items of a dictionary that are used, in order.
fn of_each<T>(ranks: &Ranks, items: &[T], mut write: impl FnMut(&T)) {
    ranks.items().iter().for_each(|index| write(&items[*index as usize]));
}

fn shortest(value: Value) -> Value {
    Value { measure: value.measure.map(Measure::shortest), markers: value.markers }
}

/// How much is hashed at once: enough for BLAKE3 to work on many blocks side by side.
const HASHED_BYTES: usize = 64 << 10;

/// Texts one after the other, each after its length as 8 bytes, big-endian.
#[derive(Default)]
struct Frames(Vec<u8>);

impl Frames {
    fn push(&mut self, text: impl Display) {
        const LENGTH_BYTES: usize = 8;
        let start = self.0.len();
        self.0.extend([0; LENGTH_BYTES]);
        write!(self.0, "{text}").expect("memory takes what is written");
        let length = (self.0.len() - start - LENGTH_BYTES) as u64;
        self.0[start..start + LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::model::decimal::Decimal;
    use crate::model::marker::{Marker, Markers};
    use crate::model::observation::Observation;
    use crate::model::observations::Observations;
    use crate::model::packed::MeasureForm;

    type Cell = (usize, usize, usize, usize);

    const INDICATORS: [&str; 3] = ["contacts", "referrals", "absences"];
    const AREAS: [&str; 3] = ["E10000014", "E06000046", "A1"];
    const PERIODS: [&str; 4] = ["2022-06", "FY2021-22", "CY2021-Q2", "2021-12"];
    const BREAKDOWNS: [&str; 3] = ["", "sex=female", "age=0-to-4;sex=male"];
    const VALUES: [&str; 4] = ["5", "0.5", "50", "-5"];
    const NOTES: [&str; 3] = ["", "late", "lat"];
    const EXPLANATIONS: [&[(&str, &str)]; 4] =
        [&[], &[("", "a flood")], &[("steady", "a flood")], &[("", "a flood"), ("steady", "a flood")]];

    fn explanations(which: usize) -> Vec<Explanation> {
        let explanation = |(check, text): &(&str, &str)| Explanation {
            check: Some(*check).filter(|check| !check.is_empty()).map(|check| check.parse().unwrap()),
            text: Arc::from(*text),
        };
        EXPLANATIONS[which].iter().map(explanation).collect()
    }

    fn observation((indicator, area, period, breakdown): Cell, value: usize, note: usize) -> Observation {
        let number = VALUES[value].parse().unwrap();
        Observation {
            indicator: INDICATORS[indicator].parse().unwrap(),
            area: AREAS[area].parse().unwrap(),
            period: PERIODS[period].parse().unwrap(),
            breakdown: BREAKDOWNS[breakdown].parse().unwrap(),
            value: Value { measure: Some(Measure::Number(number)), markers: Default::default() },
            note: Some(NOTES[note]).filter(|note| !note.is_empty()).map(Arc::from),
            explanations: explanations((value + note) % EXPLANATIONS.len()),
        }
    }

    fn submission(observations: Vec<Observation>) -> Submission {
        Submission {
            agency: "police".parse().unwrap(),
            request_id: "one".parse().unwrap(),
            source: "a report".to_owned(),
            sample: false,
            reason: String::new(),
            return_id: None,
            observations: observations.into_iter().collect(),
        }
    }

    /// Figures, none twice.
    fn figures() -> impl Strategy<Value = Vec<Observation>> {
        let cell = (0..INDICATORS.len(), 0..AREAS.len(), 0..PERIODS.len(), 0..BREAKDOWNS.len());
        prop::collection::btree_map(cell, (0..VALUES.len(), 0..NOTES.len()), 1..12)
            .prop_map(|cells| cells.into_iter().map(|(cell, (value, note))| observation(cell, value, note)).collect())
    }

    proptest! {
        #[test]
        fn any_order_of_the_figures_has_the_same_fingerprint(
            (figures, shuffled) in figures().prop_flat_map(|it| (Just(it.clone()), Just(it).prop_shuffle())),
            first in 0..3_usize,
        ) {
            let mut shuffled = submission(shuffled);
            // The dictionaries too may be in any order, and have what no line uses.
            let mut dictionaries = shuffled.observations.dictionaries().clone();
            let mut lines = shuffled.observations.lines().to_vec();
            dictionaries.areas.push("ZZ".parse().unwrap());
            let last = dictionaries.areas.len() - 1;
            let at = first.min(last);
            dictionaries.areas.swap(at, last);
            for line in lines.iter_mut().filter(|line| line.area as usize == at) {
                line.area = u32::try_from(last).unwrap();
            }
            let notes = shuffled.observations.notes().to_vec();
            let explanations = shuffled.observations.explanations().to_vec();
            let observations = Observations::new(dictionaries, lines, notes);
            shuffled.observations = observations.and_then(|table| table.explained(explanations)).unwrap();
            prop_assert_eq!(Fingerprint::of(&submission(figures)), Fingerprint::of(&shuffled));
        }

        #[test]
        fn any_other_cell_has_another_fingerprint(
            figures in figures(), at in 0..12_usize, field in 0..7_usize, to in 0..4_usize,
        ) {
            let mut changed = figures.clone();
            let at = at % figures.len();
            let line = &mut changed[at];
            match field {
                0 => line.indicator = INDICATORS[to % 3].parse().unwrap(),
                1 => line.area = AREAS[to % 3].parse().unwrap(),
                2 => line.period = PERIODS[to].parse().unwrap(),
                3 => line.breakdown = BREAKDOWNS[to % 3].parse().unwrap(),
                4 => line.value.measure = Some(Measure::Number(VALUES[to].parse().unwrap())),
                5 => line.explanations = explanations(to),
                _ => line.note = Some(NOTES[to % 3]).filter(|note| !note.is_empty()).map(Arc::from),
            }
            let key = |it: &Observation| (it.indicator.clone(), it.area.clone(), it.period, it.breakdown.clone());
            let others = figures.iter().enumerate().filter(|(index, _)| *index != at);
            prop_assume!(changed[at] != figures[at]);
            prop_assume!(others.map(|(_, it)| key(it)).all(|other| other != key(&changed[at])));
            prop_assert_ne!(Fingerprint::of(&submission(figures)), Fingerprint::of(&submission(changed)));
        }
    }

    #[test]
    fn what_is_explained_is_other_content_than_any_that_versions_without_explanations_kept() {
        let of = |which: usize| {
            let line = Observation { explanations: explanations(which), ..observation((0, 0, 0, 0), 0, 0) };
            Fingerprint::v1_of(&submission(vec![line])).0
        };
        let different: std::collections::BTreeSet<_> = (0..EXPLANATIONS.len()).map(of).collect();
        assert_eq!(different.len(), EXPLANATIONS.len());
    }

    #[test]
    fn how_a_number_or_a_period_is_written_is_no_content() {
        let of = |period: &str, number: &str| {
            let mut line = observation((0, 0, 0, 0), 0, 0);
            line.period = period.parse().unwrap();
            line.value.measure = Some(Measure::Number(number.parse().unwrap()));
            submission(vec![line])
        };
        assert_eq!(Fingerprint::of(&of("CY2021-Q2", "5")), Fingerprint::of(&of("FY2021-22-Q1", "5.0")));
        assert_ne!(Fingerprint::v1_of(&of("2022-06", "5")), Fingerprint::v1_of(&of("2022-06", "5.0")));
    }

    #[test]
    fn every_form_of_a_value_with_every_marker_is_other_content() {
        let five: Decimal = "5".parse().unwrap();
        let measures = MeasureForm::ALL.iter().map(|form| Some(form.measure(five, five))).chain([None]);
        let markers = Marker::ALL.iter().map(|marker| Markers::NONE.with(*marker)).chain([Markers::NONE]);
        let values = measures.flat_map(|measure| markers.clone().map(move |markers| Value { measure, markers }));
        let of = |value| {
            let mut line = observation((0, 0, 0, 0), 0, 0);
            line.value = value;
            Fingerprint::of(&submission(vec![line])).0
        };
        let fingerprints: Vec<_> = values.map(of).collect();
        let different: std::collections::BTreeSet<_> = fingerprints.iter().collect();
        assert_eq!(different.len(), fingerprints.len());
    }

    #[test]
    fn the_rest_of_a_submission_is_content_too() {
        let one = submission(vec![observation((0, 0, 0, 0), 0, 0)]);
        let other_source = Submission { source: String::new(), ..one.clone() };
        let sample = Submission { sample: true, ..one.clone() };
        let other_agency = Submission { agency: "health".parse().unwrap(), ..one.clone() };
        let other_id = Submission { request_id: "two".parse().unwrap(), ..one.clone() };
        let of_return = Submission { return_id: Some("whole".parse().unwrap()), ..one.clone() };
        assert_ne!(Fingerprint::v1_of(&one), Fingerprint::v1_of(&of_return));
        for other in [other_source, sample, other_agency, of_return] {
            assert_ne!(Fingerprint::of(&one), Fingerprint::of(&other));
        }
        assert_eq!(Fingerprint::of(&one), Fingerprint::of(&other_id));
    }
}
