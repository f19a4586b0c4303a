//! Through a proxy: HTTP's CONNECT, after which the proxy passes on what both sides send.

use std::fmt::{self, Display};
use std::io;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

use super::proxy::Proxy;

/// The most bytes of a proxy's answer that are read, and the most headers.
const HEAD_BYTES_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 64;
/// The most characters of a proxy's own words that are shown.
const REASON_CHARACTERS_MAX: usize = 100;

/// Why a proxy didn't connect.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The connection to it broke.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// It closed the connection before its answer was whole.
    #[error("it closed the connection without an answer")]
    Closed,
    /// Its answer isn't HTTP.
    #[error("what answers there isn't an HTTP proxy")]
    NotHttp,
    /// Its answer doesn't end.
    #[error("its answer is longer than {HEAD_BYTES_MAX} bytes")]
    TooLong,
    /// It refuses.
    #[error("{0}")]
    Refused(Refusal),
}

/// A proxy's refusal.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// HTTP's status, and the proxy's words for it: visible ASCII, as HTTP's parser takes no other.
    status: u16,
    reason: String,
    /// Of status 407: the ways to say who is asking that it takes, such as `Basic`.
    pub(super) schemes: Vec<String>,
}

impl Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:.REASON_CHARACTERS_MAX$}", self.status, self.reason)
    }
}

impl Refusal {
    /// Whether it wants to know who is asking.
    pub(super) fn wants_authentication(&self) -> bool {
        self.status == 407
    }

    /// Whether it would take a name and a password as they are.
    pub(super) fn takes_basic(&self) -> bool {
        self.schemes.iter().any(|scheme| scheme.eq_ignore_ascii_case("basic"))
    }
}

/// Has a proxy connect to a server. What of the server's was read with the proxy's answer is in the buffer.
///
/// # Errors
/// When the proxy doesn't.
pub(super) async fn open<S>(stream: S, proxy: &Proxy, server: &str) -> Result<BufReader<S>, Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = BufReader::new(stream);
    let mut request = format!("CONNECT {server} HTTP/1.1\r\nHost: {server}\r\n").into_bytes();
    if let Some(authorization) = &proxy.authorization {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(authorization.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).await?;
    stream.flush().await?;
    let mut head = Vec::new();
    loop {
        let left = u64::try_from(HEAD_BYTES_MAX - head.len()).unwrap_or(u64::MAX);
        if left == 0 {
            return Err(Error::TooLong);
        }
        // Line by line: what comes after the last is the server's.
        if (&mut stream).take(left).read_until(b'\n', &mut head).await? == 0 {
            return Err(Error::Closed);
        }
        if let Some(refused) = answered(&head)? {
            return match refused {
                Refusal { status: 200..300, .. } => Ok(stream),
                refusal => Err(Error::Refused(refusal)),
            };
        }
    }
}

/// The proxy's answer, once it is whole.
fn answered(head: &[u8]) -> Result<Option<Refusal>, Error> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(head) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(Error::NotHttp),
    }
    let challenges = response.headers.iter().filter(|header| header.name.eq_ignore_ascii_case("proxy-authenticate"));
    Ok(Some(Refusal {
        status: response.code.unwrap_or_default(),
        reason: response.reason.unwrap_or_default().to_owned(),
        schemes: challenges.flat_map(|challenge| schemes(challenge.value)).collect(),
    }))
}

/// The schemes of a list of challenges, `Basic realm="a, b", NTLM`: the first word after each comma that isn't quoted,
/// unless it is a parameter.
fn schemes(challenges: &[u8]) -> Vec<String> {
    let text: String = String::from_utf8_lossy(challenges).split('"').step_by(2).collect();
    let words = text.split(',').filter_map(|part| part.split_whitespace().next());
    let is_scheme = |word: &&str| word.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    words.filter(is_scheme).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a proxy that answers so, and then closes the connection, gives: the server's bytes after it.
    async fn opened(answer: &[u8]) -> Result<String, Error> {
        let (near, mut far) = tokio::io::duplex(HEAD_BYTES_MAX * 2);
        far.write_all(answer).await.unwrap();
        far.shutdown().await.unwrap();
        let proxy = Proxy::parse("http://jo:secret@proxy.example", "--proxy").unwrap();
        let mut stream = open(near, &proxy, "conspectus.example:50051").await?;
        let mut rest = String::new();
        stream.read_to_string(&mut rest).await?;
        let mut request = vec![0; 256];
        let read = far.read(&mut request).await?;
        let expected = "CONNECT conspectus.example:50051 HTTP/1.1\r\nHost: conspectus.example:50051\r\n\
                        Proxy-Authorization: Basic am86c2VjcmV0\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&request[..read]), expected);
        Ok(rest)
    }

    async fn refused(answer: &str) -> Refusal {
        match opened(answer.as_bytes()).await.unwrap_err() {
            Error::Refused(refusal) => refusal,
            other @ (Error::Io(_) | Error::Closed | Error::NotHttp | Error::TooLong) => panic!("{other}"),
        }
    }

    #[tokio::test]
    async fn what_the_server_sends_at_once_is_not_lost() {
        assert_eq!(opened(b"HTTP/1.1 200 Connection established\r\n\r\n").await.unwrap(), "");
        assert_eq!(opened(b"HTTP/1.0 200 OK\r\nVia: 1.1 proxy\r\n\r\nhello").await.unwrap(), "hello");
    }

    #[tokio::test]
    async fn a_refusal_has_the_proxys_words_and_what_it_takes() {
        let refusal = refused("HTTP/1.1 403 Not there\r\nContent-Length: 0\r\n\r\n").await;
        assert_eq!((refusal.to_string().as_str(), refusal.wants_authentication()), ("403 Not there", false));
        let refusal = refused(
            "HTTP/1.1 407 Who is it?\r\nProxy-Authenticate: Negotiate\r\n\
             proxy-authenticate: NTLM, Basic realm=\"the office, floor 2\", charset=\"UTF-8\"\r\n\r\n",
        )
        .await;
        assert_eq!(refusal.schemes, ["Negotiate", "NTLM", "Basic"]);
        assert!(refusal.wants_authentication() && refusal.takes_basic());
        assert!(!refused("HTTP/1.1 407 No\r\nProxy-Authenticate: NTLM\r\n\r\n").await.takes_basic());
    }

    #[tokio::test]
    async fn an_answer_that_is_none_is_not_waited_for() {
        let error = async |answer: &[u8]| opened(answer).await.unwrap_err().to_string();
        assert_eq!(error(b"").await, "it closed the connection without an answer");
        assert_eq!(error(b"HTTP/1.1 200 OK\r\n").await, "it closed the connection without an answer");
        for other in ["SSH-2.0-OpenSSH_9.6\r\n", "HTTP/1.1 403 \u{1b}[2J\r\n"] {
            assert_eq!(error(other.as_bytes()).await, "what answers there isn't an HTTP proxy");
        }
        let endless = [b"HTTP/1.1 200 OK\r\nA: ".as_slice(), &vec![b'a'; HEAD_BYTES_MAX]].concat();
        assert_eq!(error(&endless).await, "its answer is longer than 16384 bytes");
    }
}
