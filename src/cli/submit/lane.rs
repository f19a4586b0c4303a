//! Sends the parts of a large file over one stream, several at a time, until each is accepted or refused.
//!
//! A stream that breaks is opened again, a bounded number of times, and goes on with the parts that have no answer: what
//! had arrived is answered as already received.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use super::super::connect::{Server, refusal, retry_after};
use super::super::failure::{Exit, Failure};
use super::columns::Packer;
use crate::rpc::proto::stream_submissions_response::Result as Answered;
use crate::rpc::proto::{
    Refusal, StreamSubmissionsRequest, StreamSubmissionsResponse, SubmitObservationsRequest, SubmitObservationsResponse,
};
use crate::submitting::part::Part;
use crate::submitting::request_id;

/// How many parts may be without an answer. Their figures are in memory until then.
const UNANSWERED_MAX: usize = 6;

/// How often a stream that breaks is opened again, and a part that the server has no room for is sent again, before
/// anything else was answered.
const TRIES_MAX: u32 = 8;

/// How long is waited before that, where the server doesn't say: it doubles each time.
const PAUSE_MIN: Duration = Duration::from_millis(500);
const PAUSE_MAX: Duration = Duration::from_secs(8);

/// The parts on their way.
pub(super) struct Lane<'a> {
    server: &'a Server,
    /// A submission without its figures and its id.
    head: SubmitObservationsRequest,
    parts: mpsc::Receiver<Part>,
    /// Whether there are no further parts.
    is_last_taken: bool,
    /// Those without an answer, in the order in which they were sent.
    unanswered: VecDeque<Sending>,
    stream: Option<Stream>,
    /// How often something was tried again since the last answer.
    tries: u32,
}

/// A part that is sent.
struct Sending {
    part: Part,
    is_checked_only: bool,
    /// How often it was received and withdrawn before.
    withdrawn: u32,
}

struct Stream {
    requests: mpsc::Sender<StreamSubmissionsRequest>,
    answers: Streaming<StreamSubmissionsResponse>,
    packer: Packer,
}

/// What became of a part.
pub(super) enum Outcome {
    Accepted(SubmitObservationsResponse),
    Refused(Refusal),
}

impl<'a> Lane<'a> {
    /// A lane for parts that are like a submission but for its figures.
    pub(super) fn new(server: &'a Server, head: SubmitObservationsRequest, parts: mpsc::Receiver<Part>) -> Self {
        Self { server, head, parts, is_last_taken: false, unanswered: VecDeque::new(), stream: None, tries: 0 }
    }

    /// Has the parts that aren't sent yet only be checked.
    pub(super) fn only_check(&mut self) {
        self.head.validate_only = true;
    }

    /// The next part that was accepted or refused; none once all were.
    ///
    /// # Errors
    /// When the server can't be reached any more, or doesn't let this caller send.
    pub(super) async fn next(&mut self) -> Result<Option<(Part, Outcome)>, Failure> {
        loop {
            if self.is_last_taken && self.unanswered.is_empty() {
                self.stream = None;
                return Ok(None);
            }
            let Some(stream) = &mut self.stream else {
                self.open().await?;
                continue;
            };
            let is_full = stream.packer.is_full();
            if is_full && self.unanswered.is_empty() {
                self.stream = None;
                continue;
            }
            let has_room = !self.is_last_taken && !is_full && self.unanswered.len() < UNANSWERED_MAX;
            tokio::select! {
                part = self.parts.recv(), if has_room => match part {
                    None => self.is_last_taken = true,
                    Some(part) => self.send(Sending { part, is_checked_only: self.head.validate_only, withdrawn: 0 }),
                },
                answer = stream.answers.message() => match answer {
                    Ok(Some(answer)) => {
                        if let Some(done) = self.answered(answer).await? {
                            return Ok(Some(done));
                        }
                    }
                    Ok(None) => self.broken(Status::unavailable("the server ended the stream")).await?,
                    Err(status) => self.broken(status).await?,
                },
            }
        }
    }

    /// Opens a stream, and sends again what has no answer.
    async fn open(&mut self) -> Result<(), Failure> {
        let opened = match self.server.streamed_submissions().await {
            Ok(mut client) => {
                // Never full: there is room for as many as may be without an answer.
                let (requests, sent) = mpsc::channel(UNANSWERED_MAX);
                let answers = client.stream_submissions(ReceiverStream::new(sent)).await;
                answers.map(|answers| (requests, answers.into_inner())).map_err(Broken::Status)
            }
            Err(failure) => Err(Broken::Connection(failure)),
        };
        match opened {
            Ok((requests, answers)) => {
                self.stream = Some(Stream { requests, answers, packer: Packer::default() });
                for sending in std::mem::take(&mut self.unanswered) {
                    self.send(sending);
                }
                Ok(())
            }
            Err(Broken::Status(status)) => self.broken(status).await,
            Err(Broken::Connection(failure @ Failure::Message(Exit::Unreachable, _))) => {
                self.pause(None, failure).await
            }
            Err(Broken::Connection(failure)) => Err(failure),
        }
    }

    /// Sends a part. Where the stream has broken, it is sent once another is open.
    fn send(&mut self, sending: Sending) {
        if let Some(stream) = &mut self.stream {
            let columns = stream.packer.pack(&sending.part.figures);
            let observations = match &columns {
                Some(_) => Vec::new(),
                None => sending.part.figures.iter().map(|figure| figure.observation.clone()).collect(),
            };
            let Sending { part, withdrawn, is_checked_only } = &sending;
            let request_id = if *is_checked_only {
                request_id::of_part_check(&self.head, part.digest)
            } else {
                request_id::of_part(&self.head, part.digest, *withdrawn)
            };
            let validate_only = *is_checked_only;
            let submission =
                SubmitObservationsRequest { request_id, validate_only, columns, observations, ..self.head.clone() };
            // What couldn't be handed over is without an answer, and the stream's end is seen where answers are read.
            drop(stream.requests.try_send(StreamSubmissionsRequest { submission: Some(submission) }));
        }
        self.unanswered.push_back(sending);
    }

    /// Takes the answer to the part that was sent first; none where that is sent again.
    async fn answered(&mut self, answer: StreamSubmissionsResponse) -> Result<Option<(Part, Outcome)>, Failure> {
        let Some(mut sending) = self.unanswered.pop_front() else {
            return Err(Failure::failed("the server answered more than it was sent"));
        };
        match answer.result {
            Some(Answered::Accepted(answer)) if answer.withdrawn_at_revision != 0 && !sending.is_checked_only => {
                sending.withdrawn += 1;
                self.send(sending);
                Ok(None)
            }
            Some(Answered::Accepted(answer)) => {
                self.tries = 0;
                Ok(Some((sending.part, Outcome::Accepted(answer))))
            }
            Some(Answered::Refused(refused)) if is_passing(Code::from(refused.code)) => {
                let wait = u64::try_from(refused.retry_after_milliseconds).ok().filter(|wait| *wait > 0);
                let failure = refusal(&Status::new(Code::from(refused.code), refused.message), str::to_owned);
                self.pause(wait.map(Duration::from_millis), failure).await?;
                self.send(sending);
                Ok(None)
            }
            Some(Answered::Refused(refused)) => {
                self.tries = 0;
                Ok(Some((sending.part, Outcome::Refused(refused))))
            }
            None => Err(Failure::failed("the server's answer says nothing")),
        }
    }

    /// Leaves a stream that has broken.
    ///
    /// # Errors
    /// When another would break in the same way, or too many did.
    async fn broken(&mut self, status: Status) -> Result<(), Failure> {
        self.stream = None;
        let failure = refusal(&status, str::to_owned);
        // What a connection that breaks is reported as.
        const BREAKS: [Code; 5] =
            [Code::Cancelled, Code::Unknown, Code::Internal, Code::DeadlineExceeded, Code::Aborted];
        if is_passing(status.code()) || BREAKS.contains(&status.code()) {
            self.pause(retry_after(&status), failure).await
        } else {
            Err(failure)
        }
    }

    /// Waits before something is tried again.
    ///
    /// # Errors
    /// Why it failed, once it was tried too often.
    async fn pause(&mut self, wait: Option<Duration>, failure: Failure) -> Result<(), Failure> {
        if self.tries == TRIES_MAX {
            return Err(failure);
        }
        let doubled = PAUSE_MIN * 2_u32.pow(self.tries);
        self.tries += 1;
        tokio::time::sleep(wait.unwrap_or(doubled).min(PAUSE_MAX)).await;
        Ok(())
    }
}

/// Why a stream couldn't be opened.
enum Broken {
    Connection(Failure),
    Status(Status),
}

/// Whether the same may be accepted in a while.
fn is_passing(code: Code) -> bool {
    matches!(code, Code::Unavailable | Code::ResourceExhausted)
}
