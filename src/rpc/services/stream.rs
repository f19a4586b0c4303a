//! The bulk stream: many submissions over one call, answered in order.
//!
//! A stream has two halves. The reading half reads a message, prepares it, queues it with the writer
//! and notes it as in flight; the answering half takes what is in flight, in order, and answers each
//! once it is durable. Between them is a bounded channel: when answers aren't taken it fills, the
//! reading half stops, and so, by flow control, does the sender. So a stream holds no more than
//! [`IN_FLIGHT_MAX`] submissions, however fast the sender and however slow the reader.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Status, Streaming};

use super::sent::Sent;
use crate::access::Resource;
use crate::intake::prepare::Prepared;
use crate::intake::writer::Pending;
use crate::model::violation::Violations;
use crate::rpc::call::Refusal;
use crate::rpc::convert::columns::{DICTIONARY_ITEMS_MAX, StreamDictionaries};
use crate::rpc::guard::{CHECK_EVERY, Session};
use crate::rpc::proto::stream_submissions_response::Result as StreamResult;
use crate::rpc::status::{self, Reason};
use crate::rpc::{Context, proto};

/// How many streams may be open at once.
pub(crate) const STREAMS_MAX: usize = 64;
/// How many submissions of a stream may be without an answer.
pub(crate) const IN_FLIGHT_MAX: usize = 32;
/// How long answers may stay unread.
const READER_TIMEOUT: Duration = Duration::from_secs(30);
/// How many bytes of violations one refusal has.
const REFUSAL_BYTES_MAX: usize = 1 << 20;

/// The permits that streams take.
#[derive(Debug, Clone)]
pub(crate) struct Streams(Arc<Semaphore>);

impl Default for Streams {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(STREAMS_MAX)))
    }
}

/// The answers to a stream.
pub(crate) type Answers = Pin<Box<dyn Stream<Item = Result<proto::StreamSubmissionsResponse, Status>> + Send>>;

/// Takes the submissions of a stream.
///
/// # Errors
/// When too many streams are open.
pub(crate) fn start(
    context: &Context,
    streams: &Streams,
    session: Session,
    messages: Streaming<proto::StreamSubmissionsRequest>,
) -> Result<Answers, Status> {
    let permit = Arc::clone(&streams.0).try_acquire_owned().map_err(|_| {
        status::exhausted(Reason::TooManyStreams, format!("{STREAMS_MAX} streams are open already; try again later"))
    })?;
    // One more permit than submissions, reserved for the final status.
    let (in_flight, steps) = mpsc::channel(IN_FLIGHT_MAX + 1);
    let final_permit =
        in_flight.clone().try_reserve_owned().map_err(|_| status::error(Reason::Stopping, "the stream closed"))?;
    let context_of_caller = Context { writer: context.writer.as_actor(session.actor()), ..context.clone() };
    let reading = Reading {
        context: context_of_caller,
        session,
        messages,
        in_flight,
        dictionaries: StreamDictionaries::default(),
    };
    tokio::spawn(async move {
        if let Err(last) = reading.run().await {
            final_permit.send(Step::End(last));
        }
    });
    let answering = Arc::new(Answering { context: context.clone(), _permit: permit });
    let answer = move |step: Step| {
        let answering = Arc::clone(&answering);
        async move { step.answer(&answering.context).await }
    };
    Ok(Box::pin(ReceiverStream::new(steps).then(answer)))
}

/// The answering half's own; its permit is given back when the caller's end is gone.
struct Answering {
    context: Context,
    _permit: OwnedSemaphorePermit,
}

/// The reading half.
struct Reading {
    /// Its writer's handle is the caller's.
    context: Context,
    session: Session,
    messages: Streaming<proto::StreamSubmissionsRequest>,
    in_flight: mpsc::Sender<Step>,
    dictionaries: StreamDictionaries,
}

/// One answer to give.
enum Step {
    /// Once the writer is done with it.
    Written { request_id: String, sent: Sent, pending: Pending<Prepared> },
    /// Of a submission that is only checked, when all before it are done.
    Check { request_id: String, sent: Sent },
    /// At once.
    Refused { request_id: String, refusal: Refusal },
    /// And none after it.
    End(Status),
}

impl Reading {
    /// Reads until the sender is done or gone; otherwise why the stream ended.
    async fn run(mut self) -> Result<(), Status> {
        let mut stopping = self.context.stopping.clone();
        loop {
            let message = tokio::select! {
                message = self.messages.message() => message?,
                _ = stopping.wait_for(|stop| *stop) => {
                    return Err(status::error(Reason::Stopping, "the server is stopping; go on in a moment"));
                }
                () = self.in_flight.closed() => return Ok(()),
                () = tokio::time::sleep(CHECK_EVERY) => {
                    self.session.check()?;
                    continue;
                }
            };
            let Some(message) = message else { return Ok(()) };
            // Whoever was revoked since gets no further.
            self.session.check()?;
            let submission = message.submission.unwrap_or_default();
            self.session.permit(Resource::Agency(&submission.agency))?;
            let step = self.take(submission).await;
            match self.in_flight.send_timeout(step, READER_TIMEOUT).await {
                Ok(()) => {}
                Err(mpsc::error::SendTimeoutError::Closed(_)) => return Ok(()),
                Err(mpsc::error::SendTimeoutError::Timeout(_)) => {
                    let seconds = READER_TIMEOUT.as_secs();
                    return Err(status::exhausted(
                        Reason::StreamTooSlow,
                        format!("answers were not taken for {seconds} seconds; send again what has no answer"),
                    ));
                }
            }
            if self.dictionaries.is_full() {
                let mut violations = Violations::default();
                let what = format!(
                    "a dictionary of the stream has more than {DICTIONARY_ITEMS_MAX} items; go on in another stream"
                );
                violations.add("columns", what);
                return Err(status::invalid(&violations, status::ERROR_BYTES_DEFAULT));
            }
        }
    }

    async fn take(&mut self, request: proto::SubmitObservationsRequest) -> Step {
        let request_id = request.request_id.clone();
        match self.queued(request).await {
            Ok((sent, Some(pending))) => Step::Written { request_id, sent, pending },
            Ok((sent, None)) => Step::Check { request_id, sent },
            Err(refusal) => Step::Refused { request_id, refusal },
        }
    }

    /// Queues a submission with the writer, unless it is only to be checked.
    async fn queued(
        &mut self,
        request: proto::SubmitObservationsRequest,
    ) -> Result<(Sent, Option<Pending<Prepared>>), Refusal> {
        let sent = Sent::parse(&self.context, request, &mut self.dictionaries)?;
        if sent.validate_only {
            self.session.audit_read(sent.question(), self.context.newest().revision()).await?;
            return Ok((sent, None));
        }
        let pending = self.context.writer.queue(sent.command()).await?;
        Ok((sent, Some(pending)))
    }
}

impl Step {
    async fn answer(self, context: &Context) -> Result<proto::StreamSubmissionsResponse, Status> {
        let (request_id, answer) = match self {
            Self::Written { request_id, sent, pending } => match pending.written().await {
                Ok(written) => (request_id, sent.answer(context, written).await),
                Err(error) => (request_id, Err(error.into())),
            },
            Self::Check { request_id, sent } => (request_id, sent.check(context).await),
            Self::Refused { request_id, refusal } => (request_id, Err(refusal)),
            Self::End(status) => return Err(status),
        };
        let result = answer.map_or_else(
            |refusal| StreamResult::Refused(status::refusal(&refusal.into_status(REFUSAL_BYTES_MAX))),
            StreamResult::Accepted,
        );
        Ok(proto::StreamSubmissionsResponse { request_id, result: Some(result) })
    }
}
