//! Ids of requests that the command line makes up.

use prost::Message;

use crate::rpc::proto::{Observation, ObservationOutcome, SubmitObservationsRequest};

/// What tells a submission apart from the very same before it.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Repeat {
    /// How many times the very same was withdrawn.
    pub(crate) withdrawn: u32,
    /// For figures that stand already and are to be stored again, the newest revision before; otherwise 0.
    pub(crate) sent_again_at: i64,
}

/// The id of a change: the same for the same figures in any order, from the same source, over what stands
/// where they go. So an interrupted command may be run again; and figures that were submitted before, and
/// changed since, are another submission.
pub(crate) fn of(request: &SubmitObservationsRequest, before: &[ObservationOutcome], repeat: Repeat) -> String {
    let again = Some(repeat.sent_again_at).filter(|revision| *revision != 0);
    let figure = |(observation, before): (&Observation, &ObservationOutcome)| {
        let mut bytes = observation.encode_length_delimited_to_vec();
        bytes.extend(before.outcome.to_be_bytes());
        bytes.extend(before.previous_revision.to_be_bytes());
        bytes.extend(repeat.withdrawn.to_be_bytes());
        bytes.extend(again.into_iter().flat_map(i64::to_be_bytes));
        bytes
    };
    let figures = request.observations.iter().zip(before).map(figure).collect();
    let context = match again {
        None => "conspectus submit request id v2",
        Some(_) => "conspectus submit again request id v1",
    };
    hash(context, request, figures)
}

/// The id of a change to what stood at a revision, which its sender has seen: the same form sent twice is one submission.
pub(crate) fn of_seen(request: &SubmitObservationsRequest) -> String {
    let mut hasher = head_hasher("conspectus submit seen request id v2", request);
    hasher.update(&request.unchanged_since_revision.to_be_bytes());
    hasher.update(digest(request.observations.iter()).as_bytes());
    shortened(&hasher)
}

/// The id of a request that is only checked: none that is stored has it.
pub(crate) fn of_check(request: &SubmitObservationsRequest) -> String {
    let figures = request.observations.iter().map(Message::encode_length_delimited_to_vec).collect();
    format!("check-{}", hash("conspectus submit check id v1", request, figures))
}

/// What a part of a large file has: the same for the same figures in any order.
pub(crate) type Digest = blake3::Hash;

/// The digest of some figures.
pub(crate) fn digest<'a>(observations: impl Iterator<Item = &'a Observation>) -> Digest {
    let mut figures: Vec<Vec<u8>> = observations.map(Message::encode_length_delimited_to_vec).collect();
    figures.sort_unstable();
    let mut hasher = blake3::Hasher::new_derive_key("conspectus submit part v1");
    for figure in &figures {
        hasher.update(figure);
    }
    hasher.finalize()
}

/// The id of a part: the same for the same figures in any order, from the same source. One that was withdrawn is sent
/// again as another, by how many times it was.
pub(crate) fn of_part(head: &SubmitObservationsRequest, part: Digest, withdrawn: u32) -> String {
    let mut hasher = head_hasher("conspectus submit part id v1", head);
    hasher.update(part.as_bytes());
    hasher.update(&withdrawn.to_be_bytes());
    shortened(&hasher)
}

/// The id of the return that a large file is: the same for the same parts from the same source. One that was received
/// whole and is sent again is another, by how many times it was.
pub(crate) fn of_return(head: &SubmitObservationsRequest, parts: &[Digest], resubmitted: u32) -> String {
    let mut hasher = head_hasher("conspectus submit return id v1", head);
    for part in parts {
        hasher.update(part.as_bytes());
    }
    hasher.update(&resubmitted.to_be_bytes());
    format!("file-{}", shortened(&hasher))
}

/// The id of a part that is only checked: none that is stored has it.
pub(crate) fn of_part_check(head: &SubmitObservationsRequest, part: Digest) -> String {
    format!("check-{}", of_part(head, part, 0))
}

fn hash(context: &str, request: &SubmitObservationsRequest, mut figures: Vec<Vec<u8>>) -> String {
    figures.sort_unstable();
    let mut hasher = head_hasher(context, request);
    for figure in figures {
        hasher.update(&figure);
    }
    shortened(&hasher)
}

/// A hasher that has taken all of a request but its figures and its id.
fn head_hasher(context: &str, request: &SubmitObservationsRequest) -> blake3::Hasher {
    // A message of its own: each text in it stands after its length.
    let SubmitObservationsRequest { agency, source, sample, reason, return_id, .. } = request;
    let head = SubmitObservationsRequest {
        agency: agency.clone(),
        source: source.clone(),
        sample: *sample,
        reason: reason.clone(),
        return_id: return_id.clone(),
        ..SubmitObservationsRequest::default()
    };
    let mut hasher = blake3::Hasher::new_derive_key(context);
    hasher.update(&head.encode_length_delimited_to_vec());
    hasher
}

/// A hash as an id.
fn shortened(hasher: &blake3::Hasher) -> String {
    const HEX_DIGITS: usize = 32;
    hasher.finalize().to_hex()[..HEX_DIGITS].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto::{Outcome, observation::Measure};

    fn request(numbers: &[&str]) -> SubmitObservationsRequest {
        let observation = |number: &&str| Observation {
            indicator: "contacts".to_owned(),
            measure: Some(Measure::Number((*number).to_owned())),
            ..Observation::default()
        };
        SubmitObservationsRequest {
            agency: "police".to_owned(),
            observations: numbers.iter().map(observation).collect(),
            ..SubmitObservationsRequest::default()
        }
    }

    fn before(previous_revision: i64) -> ObservationOutcome {
        ObservationOutcome { outcome: Outcome::Revised.into(), previous_revision, ..ObservationOutcome::default() }
    }

    #[test]
    fn a_form_that_is_sent_twice_has_one_id_and_another_form_another() {
        let seen_at = |unchanged_since_revision, numbers| {
            of_seen(&SubmitObservationsRequest { unchanged_since_revision, ..request(numbers) })
        };
        assert_eq!(seen_at(7, &["5", "6"]), seen_at(7, &["6", "5"]));
        assert_ne!(seen_at(7, &["5"]), seen_at(8, &["5"]));
        assert_ne!(seen_at(7, &["5"]), seen_at(7, &["6"]));
    }

    #[test]
    fn an_id_is_of_the_figures_in_any_order_and_of_what_stands() {
        let id = of(&request(&["5", "6"]), &[before(2), before(3)], Repeat::default());
        assert_eq!(id.len(), 32);
        for repeat in [Repeat { withdrawn: 1, sent_again_at: 0 }, Repeat { withdrawn: 0, sent_again_at: 3 }] {
            assert_ne!(of(&request(&["5", "6"]), &[before(2), before(3)], repeat), id);
        }
        assert_eq!(of(&request(&["6", "5"]), &[before(3), before(2)], Repeat::default()), id);
        assert_ne!(of(&request(&["6", "5"]), &[before(2), before(3)], Repeat::default()), id);
        assert_ne!(of(&request(&["5", "7"]), &[before(2), before(3)], Repeat::default()), id);
        let other = [
            SubmitObservationsRequest { sample: true, ..request(&["5", "6"]) },
            SubmitObservationsRequest { source: "a".to_owned(), ..request(&["5", "6"]) },
            SubmitObservationsRequest { agency: "health".to_owned(), ..request(&["5", "6"]) },
            SubmitObservationsRequest { return_id: "whole".to_owned(), ..request(&["5", "6"]) },
            SubmitObservationsRequest { reason: "counted again".to_owned(), ..request(&["5", "6"]) },
        ];
        for other in other {
            assert_ne!(of(&other, &[before(2), before(3)], Repeat::default()), id);
        }
    }
}
