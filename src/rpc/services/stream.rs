//! The bulk stream: many submissions over one call, answered in order.
//!
//! A stream has two halves. The reading half reads a message, prepares it, queues it with the writer
//! and notes it as in flight; the answering half takes what is in flight, in order, and answers each
//! once it is durable. Between them is a bounded channel: when answers aren't taken it fills, the
//! reading half stops, and so, by flow control, does the sender. So a stream holds no more than
//! [`IN_FLIGHT_MAX`] submissions, however fast the sender and however slow the reader.
//!
//! What a large submission takes is counted until its answer is taken, for all streams of a caller together.
//!
//! A stream that brings nothing for a while ends, so that those who left theirs open keep no places.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Status, Streaming};
use tracing::Instrument as _;

use super::sent::Sent;
use crate::access::Resource;
use crate::intake::prepare::Prepared;
use crate::intake::writer::Pending;
use crate::model::violation::Violations;
use crate::net::{Full, Share};
use crate::rpc::call::Refusal;
use crate::rpc::codec::TooMany;
use crate::rpc::convert::columns::{DICTIONARY_ITEMS_MAX, StreamDictionaries};
use crate::rpc::guard::{CHECK_EVERY, Place, Places, ReceivedRequest, Session, Unanswered};
use crate::rpc::proto::stream_submissions_response::Result as StreamResult;
use crate::rpc::status::{self, Reason};
use crate::rpc::{Context, Streamed, Submitted, proto};

/// How many streams may be open at once.
pub(crate) const STREAMS_MAX: usize = 64;
/// How identities share them: a second is kept too, for one who comes back before the first is found to be gone.
const STREAMS: Share = Share { max: STREAMS_MAX, of_identity_max: STREAMS_MAX / 4, kept: 2 };
/// How identities share the items of all streams' dictionaries: one stream of an identity may have all that the
/// bounds of one stream allow.
const DICTIONARIES: Share =
    Share { max: 16 * DICTIONARY_ITEMS_MAX, of_identity_max: 4 * DICTIONARY_ITEMS_MAX, kept: DICTIONARY_ITEMS_MAX };
/// How many submissions of a stream may be without an answer.
pub(crate) const IN_FLIGHT_MAX: usize = 32;
/// How long answers may stay unread.
const READER_TIMEOUT: Duration = Duration::from_secs(30);
/// How many bytes of violations one refusal has.
const REFUSAL_BYTES_MAX: usize = 1 << 20;

/// The places that streams take.
#[derive(Debug, Clone)]
pub(crate) struct Streams {
    places: Places,
    dictionaries: Places,
    /// After how long one ends that brings nothing.
    idle_timeout: Duration,
}

impl Streams {
    pub(crate) fn new(idle_timeout: Duration) -> Self {
        Self { places: Places::new(STREAMS), dictionaries: Places::new(DICTIONARIES), idle_timeout }
    }

    /// A place for one more stream of a caller.
    fn take(&self, session: &Session) -> Result<Place, Status> {
        self.places.take(session.identity()).map_err(|full| {
            let what = match full {
                Full::OfIdentity => {
                    format!("allowed: {} streams at once; end some of yours first", STREAMS.of_identity_max)
                }
                Full::InAll => format!("{STREAMS_MAX} streams are open already; try again later"),
            };
            status::exhausted(Reason::TooManyStreams, what)
        })
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
    messages: Streaming<Streamed>,
) -> Result<Answers, Status> {
    let place = streams.take(&session)?;
    // One more permit than submissions, reserved for the final status.
    let (in_flight, steps) = mpsc::channel(IN_FLIGHT_MAX + 1);
    let final_permit =
        in_flight.clone().try_reserve_owned().map_err(|_| status::error(Reason::Stopping, "the stream closed"))?;
    let dictionaries_place = streams.dictionaries.none(session.identity());
    let answering = Arc::new(Answering { context: context.clone(), session: session.clone(), _place: place });
    let context_of_caller = Context { writer: session.writer(context), ..context.clone() };
    let reading = Reading {
        context: context_of_caller,
        session,
        messages,
        idle_timeout: streams.idle_timeout,
        in_flight,
        dictionaries: StreamDictionaries::default(),
        dictionaries_place,
    };
    let reading = async move {
        if let Err(last) = reading.run().await {
            final_permit.send((Step::End(last), Unanswered::default()));
        }
    };
    tokio::spawn(reading.in_current_span());
    let answer = move |(step, unanswered): (Step, Unanswered)| {
        let answering = Arc::clone(&answering);
        async move {
            let answer = step.answer(&answering).await;
            drop(unanswered);
            answer
        }
    };
    Ok(Box::pin(ReceiverStream::new(steps).then(answer)))
}

/// The answering half's own; its place is given back when the caller's end is gone.
struct Answering {
    context: Context,
    session: Session,
    _place: Place,
}

/// The reading half.
struct Reading {
    /// Its writer's handle is the caller's.
    context: Context,
    session: Session,
    messages: Streaming<Streamed>,
    idle_timeout: Duration,
    in_flight: mpsc::Sender<(Step, Unanswered)>,
    dictionaries: StreamDictionaries,
    /// What they take of what all streams' may.
    dictionaries_place: Place,
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
        let mut idle_since = Instant::now();
        loop {
            let check_at = (Instant::now() + CHECK_EVERY).min(idle_since + self.idle_timeout);
            let message = tokio::select! {
                message = self.messages.message() => message?,
                _ = stopping.wait_for(|stop| *stop) => {
                    return Err(status::error(Reason::Stopping, "the server is stopping; go on in a moment"));
                }
                () = self.in_flight.closed() => return Ok(()),
                () = tokio::time::sleep_until(check_at) => {
                    self.session.check()?;
                    if idle_since.elapsed() >= self.idle_timeout {
                        return Err(idle(self.idle_timeout));
                    }
                    continue;
                }
            };
            let Some(message) = message else { return Ok(()) };
            // Whoever was revoked since gets no further.
            self.session.check()?;
            let received = self.session.received();
            let (step, is_last) = match message {
                Streamed(Ok(submission)) => (self.take(submission, &received).await, false),
                Streamed(Err(too_many)) => {
                    let is_last = too_many.dictionaries.is_none();
                    (self.refuse(too_many), is_last)
                }
            };
            let sent = async {
                let unanswered = received.unanswered().await?;
                // False when the caller is gone.
                Ok::<_, Status>(self.in_flight.send((step, unanswered)).await.is_ok())
            };
            if !tokio::time::timeout(READER_TIMEOUT, sent).await.map_err(|_| too_slow())?? {
                return Ok(());
            }
            if is_last || self.dictionaries.is_full() {
                let items = DICTIONARY_ITEMS_MAX;
                return Err(too_large(&format!("a dictionary of the stream has more than {items} items")));
            }
            if self.dictionaries_place.grow_to(self.dictionaries.len()).is_err() {
                return Err(too_large("the dictionaries of the streams that are open have too many items together"));
            }
            idle_since = Instant::now();
        }
    }

    async fn take(&mut self, request: Submitted, received: &ReceivedRequest) -> Step {
        let request_id = request.request_id.clone();
        if let Err(denied) = self.session.permit(Resource::Agency(&request.agency)) {
            self.extend_dictionaries(request.columns.as_ref());
            return Step::Refused { request_id, refusal: denied.into() };
        }
        match self.queued(request, received).await {
            Ok((sent, Some(pending))) => Step::Written { request_id, sent, pending },
            Ok((sent, None)) => Step::Check { request_id, sent },
            Err(refusal) => Step::Refused { request_id, refusal },
        }
    }

    /// Refuses a submission that wasn't decoded as a whole.
    fn refuse(&mut self, TooMany { agency, request_id, dictionaries, status }: TooMany) -> Step {
        self.extend_dictionaries(dictionaries.as_ref());
        let permitted = self.session.permit(Resource::Agency(&agency));
        Step::Refused { request_id, refusal: permitted.err().unwrap_or(status).into() }
    }

    /// Adds the dictionaries of a submission that is refused unread: the indices of later ones hold all the same.
    fn extend_dictionaries(&mut self, columns: Option<&proto::FigureColumns>) {
        if let Some(columns) = columns {
            self.dictionaries.extend(columns, &mut Violations::default());
        }
    }

    /// Queues a submission with the writer, unless it is only to be checked.
    async fn queued(
        &mut self,
        request: Submitted,
        received: &ReceivedRequest,
    ) -> Result<(Sent, Option<Pending<Prepared>>), Refusal> {
        let thread = received.thread(request.figures()).await?;
        let sent = thread.work(|| Sent::parse(&self.context, &self.session, request, &mut self.dictionaries))?;
        if sent.validate_only {
            return Ok((sent, None));
        }
        let pending = self.context.writer.queue(sent.command()).await?;
        Ok((sent, Some(pending)))
    }
}

/// Why a stream ends whose answers aren't taken.
fn too_slow() -> Status {
    let seconds = READER_TIMEOUT.as_secs();
    let what = format!("answers were not taken for {seconds} seconds; send again what has no answer");
    status::exhausted(Reason::StreamTooSlow, what)
}

/// Why a stream ends that has too many items.
fn too_large(what: &str) -> Status {
    let mut violations = Violations::default();
    violations.add("columns", format_args!("{what}; go on in another stream"));
    status::invalid(&violations, status::ERROR_BYTES_DEFAULT)
}

/// Why a stream ends that brought nothing.
fn idle(timeout: Duration) -> Status {
    let seconds = timeout.as_secs_f64();
    let what = format!("no submission came for {seconds} seconds; open another stream when there is one");
    status::error(Reason::StreamIdle, what)
}

impl Step {
    async fn answer(
        self,
        Answering { context, session, .. }: &Answering,
    ) -> Result<proto::StreamSubmissionsResponse, Status> {
        let (request_id, answer) = match self {
            Self::Written { request_id, sent, pending } => match pending.written().await {
                Ok(written) => (request_id, sent.answer(context, session, written).await),
                Err(error) => (request_id, Err(error.into())),
            },
            Self::Check { request_id, sent } => (request_id, sent.check(context, session).await),
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
