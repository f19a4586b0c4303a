//! Who asks and what for, in the ways that spreadsheets can say it.
//!
//! Excel and Power BI keep a name and a password for an address, and send them as HTTP Basic; without a query written by
//! hand they can send no other header. So here, and at no other door, the password of HTTP Basic is the key, whatever the
//! name. The purpose, which is no secret, may stand in the address.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tonic::codegen::http::{HeaderMap, HeaderName, HeaderValue, header};

use super::parameters::Parameters;
use crate::access::Purpose;
use crate::rpc::{PURPOSE_HEADER, purpose_header};

/// What a caller without credentials may send.
pub(super) const CHALLENGES: [&str; 2] =
    ["Bearer realm=\"conspectus\"", "Basic realm=\"conspectus: the key is the password\", charset=\"UTF-8\""];

/// The headers of a request as the service reads them, with the purpose of its address.
pub(super) fn headers(given: &HeaderMap, parameters: &mut Parameters) -> HeaderMap {
    let mut headers = given.clone();
    // One that comes twice is left as it is, which the guard refuses.
    let mut authorizations = given.get_all(header::AUTHORIZATION).iter();
    if let (Some(authorization), None) = (authorizations.next(), authorizations.next())
        && let Some(bearer) = bearer(authorization)
    {
        headers.insert(header::AUTHORIZATION, bearer);
    }
    let Some(purpose) = parameters.one("purpose") else { return headers };
    if given.contains_key(PURPOSE_HEADER) {
        parameters.problem("purpose", format_args!("found the header {PURPOSE_HEADER} too; allowed: one of the two"));
    }
    match Purpose::parse(&purpose) {
        Ok(purpose) => drop(headers.insert(HeaderName::from_static(PURPOSE_HEADER), purpose_header(&purpose))),
        Err(problem) => parameters.problem("purpose", problem),
    }
    headers
}

/// The key of HTTP Basic, as gRPC's callers send it.
fn bearer(authorization: &HeaderValue) -> Option<HeaderValue> {
    let (scheme, encoded) = authorization.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (_, password) = decoded.split_once(':')?;
    let mut bearer = HeaderValue::try_from(format!("Bearer {password}")).ok()?;
    bearer.set_sensitive(true);
    Some(bearer)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(authorizations: &[&str], query: &str) -> (Vec<String>, Option<String>, usize) {
        let mut given = HeaderMap::new();
        for authorization in authorizations {
            given.append(header::AUTHORIZATION, authorization.parse().unwrap());
        }
        let mut parameters = Parameters::of(query);
        let headers = headers(&given, &mut parameters);
        let text = |value: &HeaderValue| str::from_utf8(value.as_bytes()).unwrap().to_owned();
        let authorizations = headers.get_all(header::AUTHORIZATION).iter().map(text).collect();
        (authorizations, headers.get(PURPOSE_HEADER).map(text), parameters.problems().len())
    }

    #[test]
    fn the_password_is_the_key() {
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        let one = |authorization: &str| sent(&[authorization], "").0.remove(0);
        assert_eq!(one(&basic("jo:cps_1_2")), "Bearer cps_1_2");
        assert_eq!(one(&basic(":cps_1_2")), "Bearer cps_1_2");
        assert_eq!(one(&basic("jo:a:b").replace("Basic", "basic")), "Bearer a:b");
        // What isn't that stays as it is, to be refused.
        for other in ["Bearer cps_1_2", "Basic cps_1_2", "Basic", &basic("no colon"), &basic("jo:a\nb")] {
            assert_eq!(one(other), other);
        }
        let twice = [basic("jo:a"), "Bearer b".to_owned()];
        assert_eq!(sent(&[&twice[0], &twice[1]], "").0, twice, "neither is chosen");
    }

    #[test]
    fn a_purpose_may_stand_in_the_address() {
        let purpose = |query| (sent(&[], query).1, sent(&[], query).2);
        assert_eq!(purpose("purpose=the+annual+report"), (Some("the annual report".to_owned()), 0));
        assert_eq!(purpose("purpose=the+board%E2%80%99s+report"), (Some("the board’s report".to_owned()), 0));
        assert_eq!(purpose("purpose=%E2%80%AEreport"), (None, 1));
        assert_eq!(purpose(""), (None, 0));
    }
}
