//! The fingerprint of a submission: what a retry is recognised by.

use std::fmt::Display;
use std::io::Write;

use crate::model::observation::{Measure, Value};
use crate::model::observations::{Line, Observations};
use crate::model::period::Period;
use crate::model::submission::Submission;

/// 16 bytes of BLAKE3 over what a submission says. The same for the same content, its figures in any
/// order, whatever notation its periods and numbers came in, and in every version of this program since
/// 0.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub(crate) [u8; 16]);

impl Fingerprint {
    /// The fingerprint of a submission. The request id is not part of it.
    pub fn of(submission: &Submission) -> Self {
        let table = &submission.observations;
        let shortest = |value: &Value| Value { measure: value.measure.map(Measure::shortest), markers: value.markers };
        let content = Content {
            context: "conspectus submission fingerprint v2",
            order: &in_one_order(table),
            period: Period::storage_key,
            value: shortest,
        };
        content.fingerprint(submission)
    }

    /// The fingerprint that versions before 0.3 kept: of the figures in the sender's order, their numbers
    /// as they are written. A retry of what they received is recognised by it.
    pub(crate) fn v1_of(submission: &Submission) -> Self {
        let count = u32::try_from(submission.observations.len()).unwrap_or(u32::MAX);
        let content = Content {
            context: "conspectus submission fingerprint v1",
            order: &(0..count).collect::<Vec<_>>(),
            period: |period| period,
            value: |value: &Value| *value,
        };
        content.fingerprint(submission)
    }
}

/// What of a submission is hashed, and how.
struct Content<'a, V> {
    /// What the hash is for, and its version.
    context: &'a str,
    /// The lines, by index.
    order: &'a [u32],
    period: fn(Period) -> Period,
    value: V,
}

impl<V: Fn(&Value) -> Value> Content<'_, V> {
    fn fingerprint(&self, submission: &Submission) -> Fingerprint {
        let mut hasher = blake3::Hasher::new_derive_key(self.context);
        let mut frames = Frames::default();
        frames.push(&submission.agency);
        frames.push(&submission.source);
        frames.push(if submission.sample { "sample" } else { "" });
        let table = &submission.observations;
        let dictionaries = table.dictionaries();
        let indicators = framed(&dictionaries.indicators);
        let areas = framed(&dictionaries.areas);
        let periods = framed(&dictionaries.periods.iter().copied().map(self.period).collect::<Vec<_>>());
        let breakdowns = framed(&dictionaries.breakdowns);
        let notes = table.notes();
        for index in self.order {
            let Line { indicator, area, period, breakdown, value } = table.lines()[*index as usize];
            frames.0.extend_from_slice(&indicators[indicator as usize]);
            frames.0.extend_from_slice(&areas[area as usize]);
            frames.0.extend_from_slice(&periods[period as usize]);
            frames.0.extend_from_slice(&breakdowns[breakdown as usize]);
            frames.push((self.value)(&value));
            frames.push(value.measure.map_or("none", |measure| measure.form().text()));
            let noted = notes.binary_search_by_key(index, |(line, _)| *line);
            frames.push(noted.map_or("", |at| &notes[at].1));
            if frames.0.len() >= HASHED_BYTES {
                hasher.update(&frames.0);
                frames.0.clear();
            }
        }
        hasher.update(&frames.0);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Fingerprint(bytes)
    }
}

/// The lines, by what they are figures of. Texts are compared once for each entry of a dictionary, and
/// lines by the ranks of theirs.
fn in_one_order(table: &Observations) -> Vec<u32> {
    let dictionaries = table.dictionaries();
    let indicators = ranks(&dictionaries.indicators);
    let areas = ranks(&dictionaries.areas);
    let periods = ranks(&dictionaries.periods.iter().map(|period| period.storage_key()).collect::<Vec<_>>());
    let breakdowns = ranks(&dictionaries.breakdowns);
    let key = |line: &Line| {
        let ranks = [
            indicators[line.indicator as usize],
            areas[line.area as usize],
            periods[line.period as usize],
            breakdowns[line.breakdown as usize],
        ];
        ranks.into_iter().fold(0_u128, |key, rank| (key << 32) | u128::from(rank))
    };
    let mut keyed: Vec<(u128, u32)> = table.lines().iter().map(key).zip(0..).collect();
    if !keyed.is_sorted() {
        keyed.sort_unstable();
    }
    keyed.into_iter().map(|(_, index)| index).collect()
}

/// For each item its place among all in order; equal ones have the same.
fn ranks<T: Ord>(items: &[T]) -> Vec<u32> {
    let mut order: Vec<(&T, usize)> = items.iter().zip(0..).collect();
    order.sort_unstable();
    let mut ranks = vec![0; items.len()];
    for (equal, rank) in order.chunk_by(|one, other| one.0 == other.0).zip(0..) {
        for (_, index) in equal {
            ranks[*index] = rank;
        }
    }
    ranks
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

fn framed<T: Display>(items: &[T]) -> Vec<Vec<u8>> {
    let frame = |item| {
        let mut frames = Frames::default();
        frames.push(item);
        frames.0
    };
    items.iter().map(frame).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::model::observation::Observation;

    type Cell = (usize, usize, usize, usize);

    const INDICATORS: [&str; 3] = ["contacts", "referrals", "absences"];
    const AREAS: [&str; 3] = ["E10000014", "E06000046", "A1"];
    const PERIODS: [&str; 4] = ["2022-06", "FY2021-22", "CY2021-Q2", "2021-12"];
    const BREAKDOWNS: [&str; 3] = ["", "sex=female", "age=0-to-4;sex=male"];
    const VALUES: [&str; 4] = ["5", "0.5", "50", "-5"];
    const NOTES: [&str; 3] = ["", "late", "lat"];

    fn observation((indicator, area, period, breakdown): Cell, value: usize, note: usize) -> Observation {
        let number = VALUES[value].parse().unwrap();
        Observation {
            indicator: INDICATORS[indicator].parse().unwrap(),
            area: AREAS[area].parse().unwrap(),
            period: PERIODS[period].parse().unwrap(),
            breakdown: BREAKDOWNS[breakdown].parse().unwrap(),
            value: Value { measure: Some(Measure::Number(number)), markers: Default::default() },
            note: Some(NOTES[note]).filter(|note| !note.is_empty()).map(Arc::from),
        }
    }

    fn submission(observations: Vec<Observation>) -> Submission {
        Submission {
            agency: "police".parse().unwrap(),
            request_id: "one".parse().unwrap(),
            source: "a report".to_owned(),
            sample: false,
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
            shuffled.observations = Observations::new(dictionaries, lines, notes).unwrap();
            prop_assert_eq!(Fingerprint::of(&submission(figures)), Fingerprint::of(&shuffled));
        }

        #[test]
        fn any_other_cell_has_another_fingerprint(
            figures in figures(), at in 0..12_usize, field in 0..6_usize, to in 0..4_usize,
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
    fn the_rest_of_a_submission_is_content_too() {
        let one = submission(vec![observation((0, 0, 0, 0), 0, 0)]);
        let other_source = Submission { source: String::new(), ..one.clone() };
        let sample = Submission { sample: true, ..one.clone() };
        let other_agency = Submission { agency: "health".parse().unwrap(), ..one.clone() };
        let other_id = Submission { request_id: "two".parse().unwrap(), ..one.clone() };
        for other in [other_source, sample, other_agency] {
            assert_ne!(Fingerprint::of(&one), Fingerprint::of(&other));
        }
        assert_eq!(Fingerprint::of(&one), Fingerprint::of(&other_id));
    }
}
