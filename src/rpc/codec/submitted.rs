//! A request to submit figures. Its observations are read from the wire into dictionaries, which takes a fraction of what
//! messages with a text each take; and they are counted as they are read.

use std::ops::Deref;

use prost::{Message, Name};
use tonic::Status;

use super::count::{Counter, count};
use super::shape::Shape;
use super::{Received, undecodable, violation};
use crate::model::protobuf::{Fields, Malformed};
use crate::model::violation::Violations;
use crate::rpc::convert::draft::DraftTable;
use crate::rpc::convert::observations::ObservationReader;
use crate::rpc::proto::{FigureColumns, SubmitObservationsRequest};

/// A request to submit figures, as it was read. Its fields are many, and it is handed on often.
#[derive(Debug)]
pub struct Submitted(pub(crate) Box<SubmittedFields>);

impl Deref for Submitted {
    type Target = SubmittedFields;

    fn deref(&self) -> &SubmittedFields {
        &self.0
    }
}

/// What a request to submit figures says.
#[derive(Debug)]
pub struct SubmittedFields {
    pub(crate) agency: String,
    pub(crate) request_id: String,
    pub(crate) validate_only: bool,
    pub(crate) source: String,
    pub(crate) sample: bool,
    pub(crate) reason: String,
    pub(crate) return_id: String,
    pub(crate) unchanged_since_revision: i64,
    /// What came as messages, and what is wrong with it.
    pub(crate) observations: (DraftTable, Violations),
    pub(crate) columns: Option<FigureColumns>,
}

impl SubmittedFields {
    /// How many figures there are.
    pub(crate) fn figures(&self) -> usize {
        let columns = self.columns.as_ref().map_or(0, |columns| columns.digits.len());
        self.observations.0.drafts.len().max(columns)
    }
}

/// A request from within the program, as it would be received.
impl TryFrom<SubmitObservationsRequest> for Submitted {
    type Error = Status;

    fn try_from(request: SubmitObservationsRequest) -> Result<Self, Status> {
        Self::of(&request.encode_to_vec())
    }
}

impl Received for Submitted {
    fn of(bytes: &[u8]) -> Result<Self, Status> {
        let mut reader = SubmissionReader::default();
        match reader.read(bytes) {
            Ok(()) => Ok(reader.finish()),
            Err(Malformed) => Err(why_not(bytes)),
        }
    }
}

/// What is wrong with a request that couldn't be read. That is for the library to say.
fn why_not(bytes: &[u8]) -> Status {
    if let Some(shape) = Shape::of(SubmitObservationsRequest::NAME)
        && let Err(why) = count(bytes, shape)
    {
        return violation(why, "");
    }
    undecodable::<SubmitObservationsRequest>(bytes)
}

/// Reads a request, which may come in several pieces.
#[derive(Default)]
pub(super) struct SubmissionReader<'a> {
    agency: &'a str,
    request_id: &'a str,
    validate_only: bool,
    source: &'a str,
    sample: bool,
    reason: &'a str,
    return_id: &'a str,
    unchanged_since_revision: i64,
    observations: ObservationReader<'a>,
    columns: Option<(FigureColumns, Counter)>,
}

impl<'a> SubmissionReader<'a> {
    /// Reads a further piece.
    ///
    /// # Errors
    /// When it can't be read, or has more of something than a request may have.
    pub(super) fn read(&mut self, bytes: &'a [u8]) -> Result<(), Malformed> {
        for field in Fields::of(bytes) {
            match field? {
                (1, value) => self.agency = value.text()?,
                (2, value) => self.request_id = value.text()?,
                (3, value) => self.validate_only = value.number()? != 0,
                (4, value) => self.observations.read(value.bytes()?)?,
                (5, value) => self.source = value.text()?,
                (6, value) => self.sample = value.number()? != 0,
                (COLUMNS, value) => self.read_columns(value.bytes()?)?,
                (8, value) => self.reason = value.text()?,
                (9, value) => self.return_id = value.text()?,
                (10, value) => self.unchanged_since_revision = value.number()?.cast_signed(),
                _ => {}
            }
        }
        Ok(())
    }

    fn read_columns(&mut self, bytes: &[u8]) -> Result<(), Malformed> {
        let shape = Shape::of(SubmitObservationsRequest::NAME).and_then(|shape| shape.field(COLUMNS.into()));
        let shape = shape.and_then(|field| field.shape.as_ref()).ok_or(Malformed)?;
        let (columns, counter) = self.columns.get_or_insert_default();
        counter.message(bytes, shape).map_err(|_| Malformed)?;
        columns.merge(bytes).map_err(|_| Malformed)
    }

    pub(super) fn finish(self) -> Submitted {
        Submitted(Box::new(SubmittedFields {
            agency: self.agency.to_owned(),
            request_id: self.request_id.to_owned(),
            validate_only: self.validate_only,
            source: self.source.to_owned(),
            sample: self.sample,
            reason: self.reason.to_owned(),
            return_id: self.return_id.to_owned(),
            unchanged_since_revision: self.unchanged_since_revision,
            observations: self.observations.finish(),
            columns: self.columns.map(|(columns, _)| columns),
        }))
    }
}

/// The field of a request's columns.
const COLUMNS: u32 = 7;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proptest::sample::{Index, select};

    use super::*;
    use crate::rpc::Streamed;
    use crate::rpc::convert::observations_model::of_messages;
    use crate::rpc::proto::observation::Measure;
    use crate::rpc::proto::{
        CategoryRef, CheckExplanation, Mean, Observation, Percentage, Ratio, StreamSubmissionsRequest,
    };

    /// The same through the library: counted, then decoded, then parsed.
    fn through_the_library(bytes: &[u8]) -> Result<SubmitObservationsRequest, Status> {
        count(bytes, Shape::of(SubmitObservationsRequest::NAME).unwrap()).map_err(|why| violation(why, ""))?;
        super::super::decode(bytes)
    }

    fn check(bytes: &[u8]) -> Result<(), TestCaseError> {
        match (Submitted::of(bytes), through_the_library(bytes)) {
            (Ok(read), Ok(decoded)) => {
                prop_assert_eq!(&read.observations, &of_messages(&decoded.observations));
                let heads = |agency: &str, request_id: &str, source: &str, reason: &str, return_id: &str| {
                    [agency, request_id, source, reason, return_id].map(str::to_owned)
                };
                prop_assert_eq!(
                    (
                        heads(&read.agency, &read.request_id, &read.source, &read.reason, &read.return_id),
                        (read.validate_only, read.sample, read.unchanged_since_revision),
                        read.0.columns
                    ),
                    (
                        heads(
                            &decoded.agency,
                            &decoded.request_id,
                            &decoded.source,
                            &decoded.reason,
                            &decoded.return_id
                        ),
                        (decoded.validate_only, decoded.sample, decoded.unchanged_since_revision),
                        decoded.columns
                    )
                );
            }
            (Err(read), Err(decoded)) => {
                let parts = |status: &Status| (status.code(), status.message().to_owned(), status.details().to_vec());
                prop_assert_eq!(parts(&read), parts(&decoded));
            }
            (read, decoded) => prop_assert!(false, "{read:?} {decoded:?}"),
        }
        Ok(())
    }

    fn text() -> impl Strategy<Value = String> {
        let good =
            select(vec!["contacts", "E10000014", "2022-06", "2021/22", "FY2021-22", "sex", "female", "5", "-0.50"]);
        prop_oneof![4 => good.prop_map(str::to_owned), 1 => "[a-zé0-9,.-]{0,9}", 1 => Just(String::new())]
    }

    fn observation() -> impl Strategy<Value = Observation> {
        let two = || (text(), text());
        let measure = prop_oneof![
            text().prop_map(Measure::Number),
            two().prop_map(|(numerator, denominator)| Measure::Ratio(Ratio { numerator, denominator })),
            two().prop_map(|(percent, base)| Measure::Percentage(Percentage { percent, base })),
            two().prop_map(|(mean, count)| Measure::Mean(Mean { mean, count })),
        ];
        let category = two().prop_map(|(dimension, category)| CategoryRef { dimension, category });
        let lists =
            (prop::collection::vec(category, 0..3), prop::collection::vec(prop_oneof![0..12, any::<i32>()], 0..3));
        let texts =
            (text(), text(), text(), prop_oneof![3 => Just(String::new()), 1 => text(), 1 => "[a-zé]{400,600}"]);
        let of_check =
            (prop_oneof![3 => "[a-c]{1,2}", 1 => text()], prop_oneof![1 => Just(String::new()), 3 => text()])
                .prop_map(|(check, explanation)| CheckExplanation { check, explanation });
        let long = prop_oneof![3 => Just(String::new()), 1 => text(), 1 => "[a-zé]{400,600}"];
        let explanations = (long, prop::collection::vec(of_check, 0..3));
        let measure = (prop::option::of(measure), prop::bool::weighted(0.2));
        (texts, lists, measure, explanations).prop_map(|(texts, lists, (measure, withdraw), explanations)| {
            let ((indicator, area, period, note), (breakdown, markers)) = (texts, lists);
            let (explanation, check_explanations) = explanations;
            Observation {
                explanation,
                check_explanations,
                indicator,
                area,
                period,
                breakdown,
                markers,
                note,
                measure,
                withdraw,
            }
        })
    }

    fn request() -> impl Strategy<Value = SubmitObservationsRequest> {
        let columns = (prop::collection::vec(text(), 0..3), prop::collection::vec(any::<i64>(), 0..4))
            .prop_map(|(areas, digits)| FigureColumns { areas, digits, ..FigureColumns::default() });
        let columns = prop_oneof![3 => Just(None), 1 => columns.prop_map(Some)];
        let head = (text(), text(), text(), text(), text(), (any::<bool>(), any::<bool>(), any::<i64>()));
        (head, prop::collection::vec(observation(), 0..6), columns).prop_map(
            |((agency, request_id, source, reason, return_id, flags), observations, columns)| {
                let (validate_only, sample, unchanged_since_revision) = flags;
                SubmitObservationsRequest {
                    agency,
                    request_id,
                    validate_only,
                    observations,
                    source,
                    sample,
                    reason,
                    return_id,
                    unchanged_since_revision,
                    columns,
                }
            },
        )
    }

    /// One change of a byte: another, one less, one more; or a piece of something else in between.
    fn change(bytes: &mut Vec<u8>, at: Index, byte: u8, how: u8, piece: &[u8]) {
        let at = at.index(bytes.len() + 1);
        match how {
            0 if at < bytes.len() => bytes[at] = byte,
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 => bytes.insert(at, byte),
            _ => drop(bytes.splice(at..at, piece.iter().copied())),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(3_000))]
        #[test]
        fn a_request_is_read_as_it_is_through_the_library_whole_merged_or_damaged(
            one in request(), other in request(), inner in observation(),
            changes in prop::collection::vec((any::<Index>(), any::<u8>(), 0..4_u8), 0..4),
        ) {
            let [one, other, inner] = [one.encode_to_vec(), other.encode_to_vec(), inner.encode_to_vec()];
            check(&one)?;
            // Fields that are there twice are merged, and so are those of two messages.
            check(&[&one[..], &other].concat())?;
            let nested = Observation::decode(&*[&inner[..], &inner].concat()).unwrap();
            let nested = SubmitObservationsRequest { observations: vec![nested], ..Default::default() }.encode_to_vec();
            check(&nested)?;
            let mut twice = vec![0x22];
            prost::encoding::encode_varint(2 * inner.len() as u64, &mut twice);
            check(&[&twice[..], &inner, &inner].concat())?;
            let mut damaged = [one, other].concat();
            for (at, byte, how) in changes {
                change(&mut damaged, at, byte, how, &inner);
                check(&damaged)?;
            }
        }

        #[test]
        fn a_streams_message_is_read_as_a_request_is(one in request(), other in request()) {
            let piece = |submission: &SubmitObservationsRequest| {
                StreamSubmissionsRequest { submission: Some(submission.clone()) }.encode_to_vec()
            };
            let streamed = Streamed::of(&[piece(&one), piece(&other)].concat()).unwrap().0.unwrap();
            let unary = Submitted::of(&[one.encode_to_vec(), other.encode_to_vec()].concat()).unwrap();
            prop_assert_eq!(format!("{streamed:?}"), format!("{unary:?}"));
        }
    }

    #[test]
    fn a_request_is_read_as_it_is_through_the_library_wherever_it_is_cut() {
        let two = |text: &str| (text.to_owned(), "4".to_owned());
        let observation = |measure| Observation {
            indicator: "contacts".to_owned(),
            area: "E10000014".to_owned(),
            period: "2022-06".to_owned(),
            breakdown: vec![CategoryRef { dimension: "sex".to_owned(), category: "female".to_owned() }],
            markers: vec![7, 6],
            note: "é".to_owned(),
            explanation: "a flood".to_owned(),
            check_explanations: vec![CheckExplanation { check: "steady".to_owned(), explanation: "é".to_owned() }],
            measure: Some(measure),
            withdraw: false,
        };
        let (numerator, denominator) = two("3");
        let request = SubmitObservationsRequest {
            agency: "police".to_owned(),
            observations: vec![
                observation(Measure::Number("5".to_owned())),
                observation(Measure::Ratio(Ratio { numerator, denominator })),
            ],
            columns: Some(FigureColumns { digits: vec![1, -300], ..FigureColumns::default() }),
            sample: true,
            ..SubmitObservationsRequest::default()
        };
        let bytes = request.encode_to_vec();
        for end in 0..=bytes.len() {
            check(&bytes[..end]).unwrap();
        }
    }

    #[test]
    fn what_fields_hold_is_text_though_another_replaces_it() {
        let len = |text: &[u8]| u8::try_from(text.len()).unwrap();
        let indicator = |text: &[u8]| [&[0x0a, len(text)], text].concat();
        let number = |text: &[u8]| [&[0x2a, len(text)], text].concat();
        let ratio = |text: &[u8]| [&[0x32, len(text) + 2, 0x0a, len(text)], text].concat();
        for parts in [
            [indicator(b"\xff"), indicator(b"contacts")],
            [number(b"\xff"), number(b"5")],
            [number(b"\xff"), ratio(b"5")],
            [ratio(b"\xff"), number(b"5")],
            [ratio(b"\xff"), ratio(b"5")],
            [ratio(b"4"), ratio(b"5")],
            [number(b"5"), ratio(b"\xff")],
        ] {
            let observation = parts.concat();
            check(&[&[0x22, len(&observation)], &observation[..]].concat()).unwrap();
        }
        // A category that looks like two, were it joined by a byte that no text has.
        let spoofed = [0x22, 9, 0x0a, 3, b'a', 0xff, b'b', 0x12, 2, b'c', b'd'];
        check(&[&[0x22, 11], &spoofed[..]].concat()).unwrap();
    }

    #[test]
    fn as_many_as_are_allowed_are_read_and_one_more_is_named() {
        let with = |observations| SubmitObservationsRequest { observations, ..Default::default() }.encode_to_vec();
        let categories = |count| Observation { breakdown: vec![CategoryRef::default(); count], ..Default::default() };
        let markers = |count| Observation { markers: vec![7; count], ..Default::default() };
        let explanations = |count| {
            let check_explanations = vec![CheckExplanation::default(); count];
            Observation { check_explanations, ..Default::default() }
        };
        for (most, too_many, what) in [
            (with(vec![Observation::default(); 10_000]), with(vec![Observation::default(); 10_001]), "observations"),
            (with(vec![categories(50_000); 2]), with(vec![categories(50_000), categories(50_001)]), "breakdown"),
            (with(vec![markers(50_000); 2]), with(vec![markers(50_000), markers(50_001)]), "markers"),
            (
                with(vec![explanations(50_000); 2]),
                with(vec![explanations(50_000), explanations(50_001)]),
                "check_explanations",
            ),
        ] {
            assert!(Submitted::of(&most).is_ok(), "{what}");
            let refused = Submitted::of(&too_many).unwrap_err();
            assert!(refused.message().contains(&format!("{what}: found more than")), "{refused}");
            check(&too_many).unwrap();
        }
    }
}
