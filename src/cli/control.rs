//! A server that runs on a data folder of this machine, as whoever may open the folder asks it: by its control socket.

use std::io::{self, Write};
use std::path::Path;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tonic::codegen::http::{Method, Request, Response, StatusCode, header};

use super::advice::advice;
use super::failure::Failure;
use crate::server::{BROKEN_OFF, Refused, socket};

/// The longest answer that isn't a backup.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// A connection to the server of a data folder.
pub(super) struct Control {
    requests: SendRequest<Full<Bytes>>,
}

impl Control {
    /// Connects to the server that runs on a folder; none when none does.
    ///
    /// # Errors
    /// When it can't be known, or can't be connected to.
    pub(super) async fn connect(folder: &Path) -> Result<Option<Self>, Failure> {
        let failed = |error: io::Error| {
            let advice = advice(&error);
            Failure::failed(format!("can't ask the server that runs on {}: {error}{advice}", folder.display()))
        };
        let (path, _folder) = match socket(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            found => found.map_err(failed)?,
        };
        let stream = match UnixStream::connect(path).await {
            // It isn't there, or is what is left of a server that was killed.
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
                return Ok(None);
            }
            connected => connected.map_err(failed)?,
        };
        let (requests, connection) = handshake(TokioIo::new(stream)).await?;
        // It ends with the last request.
        tokio::spawn(connection);
        Ok(Some(Self { requests }))
    }

    /// Asks for something, and returns the answer once its head is there.
    async fn ask(&mut self, method: Method, path: &str, body: Vec<u8>) -> Result<Response<Incoming>, Failure> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::TE, "trailers")
            .body(Full::from(body))?;
        // The answer before may have just ended.
        self.requests.ready().await?;
        let response = self.requests.send_request(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, answer) = (response.status(), read(response.into_body()).await?);
        Err(refusal(status, &answer))
    }

    /// What there is at an address.
    ///
    /// # Errors
    /// When the server refuses, or isn't of this version.
    pub(super) async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, Failure> {
        let answer = self.ask(Method::GET, path, Vec::new()).await?;
        Ok(serde_json::from_slice(&read(answer.into_body()).await?)?)
    }

    /// Has something done, and returns what it comes to.
    ///
    /// # Errors
    /// When the server refuses, or isn't of this version.
    pub(super) async fn post<T: DeserializeOwned>(&mut self, path: &str, what: &impl Serialize) -> Result<T, Failure> {
        let answer = self.ask(Method::POST, path, serde_json::to_vec(what)?).await?;
        let answer = read(answer.into_body()).await?;
        // Of what is merely done there is nothing to say.
        Ok(serde_json::from_slice(if answer.is_empty() { b"null" } else { &answer })?)
    }

    /// Has something done whose answer is written as it comes.
    ///
    /// # Errors
    /// When the server refuses, or breaks off; and when the answer can't be written.
    pub(super) async fn stream(
        &mut self,
        path: &str,
        what: &impl Serialize,
        out: &mut dyn Write,
    ) -> Result<(), Failure> {
        let mut answer = self.ask(Method::POST, path, serde_json::to_vec(what)?).await?.into_body();
        while let Some(frame) = answer.frame().await {
            let frame =
                frame.map_err(|error| Failure::failed(format!("the server broke off; its log says why: {error}")))?;
            match frame.into_data() {
                Ok(bytes) => out.write_all(&bytes)?,
                Err(frame) => {
                    let trailers = frame.into_trailers().unwrap_or_default();
                    if let Some(why) = trailers.get(BROKEN_OFF) {
                        return Err(broken_off(why.as_bytes()));
                    }
                }
            }
        }
        Ok(out.flush()?)
    }
}

/// A refusal of the server.
fn refusal(status: StatusCode, answer: &[u8]) -> Failure {
    let message = serde_json::from_slice(answer).map_or_else(|_| status.to_string(), |Refused { message }| message);
    match status {
        StatusCode::UNPROCESSABLE_ENTITY => Failure::refused(message),
        StatusCode::INTERNAL_SERVER_ERROR => Failure::failed(message),
        _ => Failure::busy(message),
    }
}

/// The same, of one that comes after a part of the answer: its status, and then what it would have answered.
fn broken_off(why: &[u8]) -> Failure {
    let (status, answer) = why.split_at(why.len().min(3));
    let status = StatusCode::from_bytes(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    refusal(status, answer.trim_ascii_start())
}

async fn read(mut body: Incoming) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        if let Ok(data) = frame?.into_data() {
            bytes.extend_from_slice(&data);
        }
        if bytes.len() > ANSWER_BYTES_MAX {
            return Err(Failure::failed("the server's answer is longer than any of its answers"));
        }
    }
    Ok(bytes)
}
