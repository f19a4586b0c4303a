//! The figures that nothing is wrong with, checked without the others.
//!
//! The service holds figures against what was submitted before (locked periods, withdrawals, checks) only once each is
//! right by itself. So that all problems of a file are reported at once, it is asked about the right ones alone.

use std::collections::BTreeSet;

use super::found::Found;
use super::service::Transport;
use crate::rpc::client::submission_service_client::SubmissionServiceClient;
use crate::rpc::proto::SubmitObservationsRequest;

/// What stands in the place of a reason that was found to be wrong; it is never stored.
const SOME_REASON: &str = "to be given";

/// What a check found, with what is wrong with the figures that it found right.
pub(crate) async fn found_with<T: Transport>(
    client: &mut SubmissionServiceClient<T>,
    refused: &SubmitObservationsRequest,
    mut found: Found,
) -> Found {
    if let Some(others) = Others::of(refused, &found) {
        let checked = client.submit_observations(others.check.clone()).await;
        let of_others = checked.err().map(|status| Found::of(&status)).unwrap_or_default();
        others.add_to(&mut found, of_others);
    }
    found
}

/// A check of the figures that nothing is wrong with so far.
#[derive(Debug)]
struct Others {
    check: SubmitObservationsRequest,
    /// Where each of its figures is in the whole.
    places: Vec<usize>,
    left_out: usize,
}

impl Others {
    /// The others of a check that was refused; none where all or none are wrong, or where it isn't known which.
    fn of(refused: &SubmitObservationsRequest, found: &Found) -> Option<Self> {
        let wrong: BTreeSet<usize> = found.listed.iter().filter_map(|(field, _)| index(field)).collect();
        let is_of = |name: &str| found.listed.iter().any(|(field, _)| field == name);
        if wrong.is_empty() || found.omitted > 0 || is_of("agency") {
            return None;
        }
        let places: Vec<usize> = (0..refused.observations.len()).filter(|place| !wrong.contains(place)).collect();
        if places.is_empty() {
            return None;
        }
        let check = SubmitObservationsRequest {
            agency: refused.agency.clone(),
            request_id: refused.request_id.clone(),
            validate_only: true,
            observations: places.iter().map(|place| refused.observations[*place].clone()).collect(),
            source: if is_of("source") { String::new() } else { refused.source.clone() },
            sample: refused.sample,
            reason: if is_of("reason") { SOME_REASON.to_owned() } else { refused.reason.clone() },
            ..SubmitObservationsRequest::default()
        };
        Some(Self { check, places, left_out: wrong.len() })
    }

    /// Adds what was found wrong with the others. What asks for an explanation may do so only because figures are left
    /// out, and is asked again once they are mended.
    fn add_to(&self, found: &mut Found, of_others: Found) {
        found.omitted += of_others.omitted;
        found.left_out = self.left_out;
        let listed = of_others.listed.into_iter().filter(|(field, _)| !field.ends_with("explanation"));
        found.listed.extend(listed.map(|(field, what)| (self.in_whole(&field), self.in_whole(&what))));
    }

    /// A text with the places of figures in the whole.
    fn in_whole(&self, text: &str) -> String {
        const MARK: &str = "observations[";
        let mut parts = text.split(MARK);
        let mut whole = parts.next().unwrap_or_default().to_owned();
        for part in parts {
            whole.push_str(MARK);
            let place = part.split_once(']').and_then(|(index, rest)| Some((self.place(index)?, rest)));
            match place {
                Some((place, rest)) => whole.push_str(&format!("{place}]{rest}")),
                None => whole.push_str(part),
            }
        }
        whole
    }

    fn place(&self, index: &str) -> Option<usize> {
        self.places.get(index.parse::<usize>().ok()?).copied()
    }
}

/// The index of the figure that a field is of.
fn index(field: &str) -> Option<usize> {
    field.strip_prefix("observations[")?.split_once(']')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto::Observation;

    fn found(listed: &[(&str, &str)]) -> Found {
        let listed = listed.iter().map(|(field, what)| ((*field).to_owned(), (*what).to_owned())).collect();
        Found { listed, ..Found::default() }
    }

    fn refused(figures: usize) -> SubmitObservationsRequest {
        let figure = |area: usize| Observation { area: area.to_string(), ..Observation::default() };
        let observations = (0..figures).map(figure).collect();
        SubmitObservationsRequest {
            source: "a\u{202e}".to_owned(),
            observations,
            ..SubmitObservationsRequest::default()
        }
    }

    #[test]
    fn what_is_found_of_the_others_is_of_their_places_in_the_whole() {
        let mut first =
            found(&[("observations[0].period", "ambiguous"), ("observations[2]", "no value"), ("source", "")]);
        let others = Others::of(&refused(5), &first).unwrap();
        let areas: Vec<&str> = others.check.observations.iter().map(|it| it.area.as_str()).collect();
        assert_eq!((areas, others.check.source.as_str(), others.check.validate_only), (vec!["1", "3", "4"], "", true));
        let second = found(&[
            ("observations[1].period", "is locked"),
            ("observations[0].explanation", "found 5"),
            ("reason", "since observations[2] changes a figure, unlike observations[x"),
        ]);
        others.add_to(&mut first, second);
        let texts: Vec<String> = first.listed[3..].iter().map(|(field, what)| format!("{field}: {what}")).collect();
        assert_eq!(
            texts,
            [
                "observations[3].period: is locked",
                "reason: since observations[4] changes a figure, unlike observations[x"
            ]
        );
        assert_eq!(first.left_out, 2);
    }

    #[test]
    fn where_it_is_not_known_which_are_right_nothing_more_is_asked() {
        for of in [
            found(&[("reason", "found nothing")]),
            found(&[("observations[0]", ""), ("observations[1].area", "")]),
            found(&[("observations[0]", ""), ("agency", "found `a`")]),
            Found { omitted: 1, ..found(&[("observations[0]", "")]) },
        ] {
            assert!(Others::of(&refused(2), &of).is_none(), "{of:?}");
        }
    }
}
