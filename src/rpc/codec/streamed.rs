//! A message of a stream of submissions. One with too many figures is refused, and the stream goes on; so what
//! the stream needs of it is read all the same.

use prost::Name;
use tonic::Status;

use super::count::{Uncounted, count};
use super::shape::Shape;
use super::submitted::{SubmissionReader, Submitted};
use super::{Received, decode, undecodable, violation};
use crate::model::protobuf::{Fields, Malformed};
use crate::rpc::proto::{FigureColumns, StreamSubmissionsRequest};

/// One submission of a stream, as it was received.
#[derive(Debug)]
pub struct Streamed(pub(crate) Result<Submitted, TooMany>);

/// A submission with more items than are allowed: what a stream needs of it, and no more.
#[derive(Debug)]
pub(crate) struct TooMany {
    pub(crate) agency: String,
    pub(crate) request_id: String,
    /// Its dictionaries, by which later messages count their indexes; none when these are too large.
    pub(crate) dictionaries: Option<FigureColumns>,
    pub(crate) status: Status,
}

/// Its fields, in the message that comes.
const SUBMISSION: &str = "submission.";

impl Received for Streamed {
    fn of(bytes: &[u8]) -> Result<Self, Status> {
        match whole(bytes) {
            Ok(submission) => Ok(Self(Ok(submission))),
            Err(Malformed) => TooMany::of(bytes).map(|too_many| Self(Err(too_many))),
        }
    }
}

fn whole(bytes: &[u8]) -> Result<Submitted, Malformed> {
    let mut reader = SubmissionReader::default();
    for field in Fields::of(bytes) {
        if let (1, submission) = field? {
            reader.read(submission.bytes()?)?;
        }
    }
    Ok(reader.finish())
}

impl TooMany {
    /// What a stream needs of a message that couldn't be read as a whole.
    ///
    /// # Errors
    /// When it hasn't too many items, but can't be read.
    fn of(bytes: &[u8]) -> Result<Self, Status> {
        let name = StreamSubmissionsRequest::NAME;
        let (Some(shape), Some(dictionaries)) = (Shape::of(name), Shape::of_dictionaries(name)) else {
            unreachable!("a stream's message has items to count")
        };
        let status = match count(bytes, shape) {
            Ok(()) => return Err(undecodable::<StreamSubmissionsRequest>(bytes)),
            Err(why @ Uncounted::Malformed(_)) => return Err(violation(why, SUBMISSION)),
            Err(why @ Uncounted::TooMany(..)) => violation(why, SUBMISSION),
        };
        let submission = match count(bytes, dictionaries) {
            Ok(()) => decode::<WithDictionaries>(bytes)?.submission,
            Err(why @ Uncounted::Malformed(_)) => return Err(violation(why, SUBMISSION)),
            Err(Uncounted::TooMany(..)) => {
                let Head { agency, request_id } = decode::<WithHead>(bytes)?.submission.unwrap_or_default();
                return Ok(Self { agency, request_id, dictionaries: None, status });
            }
        };
        let HeadAndDictionaries { agency, request_id, columns } = submission.unwrap_or_default();
        let Dictionaries { indicators, areas, periods, breakdowns } = columns.unwrap_or_default();
        let dictionaries = Some(FigureColumns { indicators, areas, periods, breakdowns, ..FigureColumns::default() });
        Ok(Self { agency, request_id, dictionaries, status })
    }
}

// Parts of the served messages: decoding passes over the fields that aren't here.

#[derive(Clone, PartialEq, prost::Message)]
struct WithHead {
    #[prost(message, optional, tag = "1")]
    submission: Option<Head>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Head {
    #[prost(string, tag = "1")]
    agency: String,
    #[prost(string, tag = "2")]
    request_id: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WithDictionaries {
    #[prost(message, optional, tag = "1")]
    submission: Option<HeadAndDictionaries>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HeadAndDictionaries {
    #[prost(string, tag = "1")]
    agency: String,
    #[prost(string, tag = "2")]
    request_id: String,
    #[prost(message, optional, tag = "7")]
    columns: Option<Dictionaries>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Dictionaries {
    #[prost(string, repeated, tag = "1")]
    indicators: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    areas: Vec<String>,
    #[prost(string, repeated, tag = "3")]
    periods: Vec<String>,
    #[prost(string, repeated, tag = "4")]
    breakdowns: Vec<String>,
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;
    use crate::rpc::proto::{Observation, SubmitObservationsRequest};

    fn received(columns: FigureColumns) -> Streamed {
        let submission = Some(SubmitObservationsRequest {
            agency: "police".to_owned(),
            request_id: "one".to_owned(),
            observations: vec![Observation::default(); 3],
            columns: Some(columns),
            ..SubmitObservationsRequest::default()
        });
        Streamed::of(&StreamSubmissionsRequest { submission }.encode_to_vec()).unwrap()
    }

    #[test]
    fn of_a_submission_with_too_many_figures_the_dictionaries_are_read() {
        let columns = FigureColumns {
            areas: vec!["E10000014".to_owned()],
            periods: vec!["2022".to_owned(), String::new()],
            digits: vec![1; 10_000],
            ..FigureColumns::default()
        };
        assert_eq!(received(columns.clone()).0.unwrap().0.columns.unwrap(), columns);
        let too_many = received(FigureColumns { digits: vec![1; 10_001], ..columns.clone() }).0.unwrap_err();
        assert_eq!((too_many.agency.as_str(), too_many.request_id.as_str()), ("police", "one"));
        assert_eq!(too_many.dictionaries, Some(FigureColumns { digits: vec![], ..columns.clone() }));
        assert!(too_many.status.message().contains("columns.digits: found more than 10000"), "{}", too_many.status);
        let endless = received(FigureColumns { areas: vec![String::new(); 65_537], ..columns }).0.unwrap_err();
        assert_eq!((endless.request_id.as_str(), endless.dictionaries), ("one", None));
    }
}
