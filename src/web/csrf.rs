//! That what a browser sends was meant by whoever sits at it, and not by another site that it shows.
//!
//! Two checks, of which each would do: the browser says that the request comes from the page itself, and the form has
//! a token that only a page has which was made for whoever has signed in. The token is the form's first field, so that
//! it is checked before the rest of a large upload is received.

use std::fmt;
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes};
use axum::extract::Request;
use tokio_stream::StreamExt as _;
use tonic::codegen::http::header::{CONTENT_TYPE, HeaderMap, ORIGIN};

use super::address::WebUrl;
use super::cookie::CookieSecret;
use crate::model::id::IdentityId;

/// The name of the form's first field.
pub const FIELD: &str = "csrf";
/// How much of a form is looked at: its first field, with the longest boundary, takes less.
const HEAD_BYTES_MAX: usize = 512;
/// How long it may take to come.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// What a form has as its first field, `csrf`; compared in constant time.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CsrfToken(blake3::Hash);

impl CsrfToken {
    /// That of a browser in which nobody has signed in: a hash of its cookie.
    pub(super) fn of(secret: &CookieSecret) -> Self {
        Self(secret.csrf())
    }
}

/// What the tokens of everybody who has signed in are made with: random bytes that leave the server in no other form.
#[derive(Clone)]
pub struct TokenKey([u8; 32]);

impl TokenKey {
    /// The key that random bytes make.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The token of an identity. It isn't of one session, so that a form that somebody has filled in for longer than
    /// the session lasted can be sent once they have signed in again.
    pub(super) fn of(&self, identity: &IdentityId) -> CsrfToken {
        CsrfToken(blake3::keyed_hash(&self.0, identity.as_str().as_bytes()))
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(..)")
    }
}

impl fmt::Display for CsrfToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_hex())
    }
}

impl fmt::Debug for CsrfToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CsrfToken(..)")
    }
}

/// The request wasn't sent by a form of the page that was made for whoever has signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forged {
    /// Another site has sent it.
    #[error("this form was sent by another site")]
    OtherSite,
    /// It has no token, or another's.
    #[error(
        "this form was made for somebody else, or before the server was last started. Open its page again, and fill it in \
         there"
    )]
    Token,
}

/// Whether a form was sent by the page, by whoever has a token. The request is given back whole.
///
/// # Errors
/// When it wasn't.
pub async fn check(request: Request, token: CsrfToken, at: &WebUrl) -> Result<Request, Forged> {
    if is_of_another_site(request.headers(), at) {
        return Err(Forged::OtherSite);
    }
    let (parts, body) = request.into_parts();
    let mut rest = body.into_data_stream();
    let head = head(&mut rest, HEAD_TIMEOUT).await?;
    let sent = first_field(&parts.headers, &head.concat());
    // `Hash` is compared in constant time.
    if sent != Some(token) {
        return Err(Forged::Token);
    }
    let whole = tokio_stream::iter(head.into_iter().map(Ok)).chain(rest);
    Ok(Request::from_parts(parts, Body::from_stream(whole)))
}

/// As much of a form as is looked at, if it comes in time.
async fn head(form: &mut BodyDataStream, within: Duration) -> Result<Vec<Bytes>, Forged> {
    let received = async {
        let mut head: Vec<Bytes> = Vec::new();
        while head.iter().map(Bytes::len).sum::<usize>() < HEAD_BYTES_MAX {
            match form.next().await {
                Some(chunk) => head.push(chunk.map_err(|_| Forged::Token)?),
                None => break,
            }
        }
        Ok(head)
    };
    tokio::time::timeout(within, received).await.map_err(|_| Forged::Token)?
}

/// Whether the browser says that another site has sent it. One that says nothing leaves it to the token.
fn is_of_another_site(headers: &HeaderMap, at: &WebUrl) -> bool {
    let is_other = |name: &str, own: &[&str]| {
        headers.get_all(name).iter().any(|value| value.to_str().map_or(true, |value| !own.contains(&value)))
    };
    is_other("sec-fetch-site", &["same-origin", "none"]) || is_other(ORIGIN.as_str(), &[at.origin()])
}

/// The token in a form's first field, by the two ways in which browsers write forms.
fn first_field(headers: &HeaderMap, head: &[u8]) -> Option<CsrfToken> {
    let content_type = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let rest = match content_type.split(';').next()?.trim() {
        "application/x-www-form-urlencoded" => head.strip_prefix(b"csrf=".as_slice())?,
        "multipart/form-data" => {
            let line = head.windows(2).position(|bytes| bytes == b"\r\n")?;
            let field = b"Content-Disposition: form-data; name=\"csrf\"\r\n\r\n".as_slice();
            head[line + 2..].strip_prefix(field)?
        }
        _ => return None,
    };
    let (digits, rest) = rest.split_at_checked(2 * blake3::OUT_LEN)?;
    let is_whole = matches!(rest.first(), None | Some(b'&' | b'\r'));
    blake3::Hash::from_hex(digits).ok().filter(|_| is_whole).map(CsrfToken)
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    const URLENCODED: &str = "application/x-www-form-urlencoded";
    const MULTIPART: &str = "multipart/form-data; boundary=xyz";

    fn token(n: u8) -> CsrfToken {
        CsrfToken::of(&CookieSecret::from_random([n; 32]))
    }

    fn multipart(token: impl fmt::Display) -> String {
        format!("--xyz\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\n{token}\r\n--xyz--\r\n")
    }

    async fn sent(content_type: &str, body: String, headers: &[(&'static str, &str)]) -> Result<String, Forged> {
        let mut request = Request::builder().method("POST").uri("/sign-in").header(CONTENT_TYPE, content_type);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        // In small pieces, as a slow network brings it.
        let pieces: Vec<_> = body.into_bytes().chunks(7).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
        let body = Body::from_stream(tokio_stream::iter(pieces.into_iter().map(|piece: Result<_, Forged>| piece)));
        let request = request.body(body).unwrap();
        let checked = check(request, token(1), &"https://figures.example".parse().unwrap()).await?;
        Ok(String::from_utf8(to_bytes(checked.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_form_of_the_page_is_given_on_whole() {
        let long = format!("csrf={}&key={}", token(1), "a".repeat(5_000));
        for (content_type, body) in
            [(URLENCODED, long), (URLENCODED, format!("csrf={}", token(1))), (MULTIPART, multipart(token(1)))]
        {
            assert_eq!(sent(content_type, body.clone(), &[]).await, Ok(body));
        }
    }

    #[tokio::test]
    async fn a_form_without_the_browsers_own_token_is_refused() {
        for (content_type, body) in [
            (URLENCODED, String::new()),
            (URLENCODED, "csrf=".to_owned()),
            (URLENCODED, format!("csrf={}", token(2))),
            (URLENCODED, format!("csrf={}0", token(1))),
            (URLENCODED, format!("key=a&csrf={}", token(1))),
            (URLENCODED, format!("csrf={}", &token(1).to_string()[1..])),
            (MULTIPART, multipart(token(2))),
            (MULTIPART, multipart(token(1)).replace("csrf", "Csrf")),
            (MULTIPART, "--xyz".to_owned()),
            ("text/plain", format!("csrf={}", token(1))),
        ] {
            assert_eq!(sent(content_type, body.clone(), &[]).await, Err(Forged::Token), "{body}");
        }
    }

    #[tokio::test]
    async fn a_form_of_another_site_is_refused_whatever_it_has() {
        let form = || format!("csrf={}", token(1));
        for own in [
            vec![("sec-fetch-site", "same-origin"), ("origin", "https://figures.example")],
            vec![("sec-fetch-site", "none")],
            vec![("origin", "https://figures.example")],
        ] {
            assert!(sent(URLENCODED, form(), &own).await.is_ok(), "{own:?}");
        }
        for other in [
            vec![("sec-fetch-site", "cross-site")],
            vec![("sec-fetch-site", "same-site")],
            vec![("origin", "https://other.example")],
            vec![("origin", "http://figures.example")],
            vec![("origin", "null")],
            vec![("sec-fetch-site", "same-origin"), ("origin", "https://other.example")],
            vec![("origin", "https://figures.example"), ("origin", "https://other.example")],
        ] {
            assert_eq!(sent(URLENCODED, form(), &other).await, Err(Forged::OtherSite), "{other:?}");
        }
    }

    #[tokio::test]
    async fn a_form_that_stops_coming_is_not_waited_for() {
        let first = tokio_stream::iter([Ok::<_, Forged>(Bytes::from_static(b"csrf="))]);
        let mut form = Body::from_stream(first.chain(tokio_stream::pending())).into_data_stream();
        assert_eq!(head(&mut form, Duration::from_millis(20)).await, Err(Forged::Token));
    }

    #[tokio::test]
    async fn of_a_large_upload_only_the_first_field_is_received_before_it_is_checked() {
        let chunk = Bytes::from(vec![b'a'; 1 << 16]);
        let endless = tokio_stream::iter(std::iter::repeat_with(move || Ok::<_, Forged>(chunk.clone())));
        let request = Request::builder().header(CONTENT_TYPE, MULTIPART).body(Body::from_stream(endless)).unwrap();
        let refused = check(request, token(1), &"https://figures.example".parse().unwrap()).await;
        assert_eq!(refused.unwrap_err(), Forged::Token);
    }
}
