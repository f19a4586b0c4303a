//! Streams that say when an answer changed.
//!
//! A watcher knows of the last answer that it sent the keys of its rows, and a hash of each. When the state moves
//! on, or a day begins, it computes the answer again and sends what differs; states that come while it waits for a
//! slow reader are passed over, so it never holds more than that and one message, however slow the reader.
//!
//! What is watched is a [`Read`], answered and audited as a call of its own is.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use prost::Message;
use tokio::sync::{mpsc, watch};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tracing::Instrument as _;

use super::difference::{KeyedRows, Known, bytes_of, difference};
use super::read::{self, AnswerInput, Read, Unaudited};
use crate::model::budget::Budget;
use crate::model::date::Date;
use crate::model::revision::Revision;
use crate::model::timestamp::Timestamp;
use crate::model::violation::Violations;
use crate::net::{Full, Share};
use crate::rpc::call::{Call, Refusal};
use crate::rpc::context::Now;
use crate::rpc::convert::snapshot::{Snapshot, in_future};
use crate::rpc::guard::{CHECK_EVERY, Place, Places, Present, Question, Session, Subject, WATCHERS};
use crate::rpc::page::{Page, Position, ROWS};
use crate::rpc::status::{self, Reason};
use crate::rpc::{Context, Encoded};
use crate::state::State;

/// How long a reader may take to take a message.
const READER_TIMEOUT: Duration = Duration::from_secs(30);
/// After how long a message is computed again for which there was no room.
const ROOM_DELAY: Duration = Duration::from_millis(250);
/// How long changes are gathered before they are sent.
const GATHER: Duration = Duration::from_millis(20);
/// The most rows of an answer that can be watched.
const ROWS_MAX: usize = ROWS.max;

/// How identities share the memory, in bytes, of what is known of the rows that they watch.
const KNOWN: Share = Share { max: 64 << 20, of_identity_max: 16 << 20, kept: 1 << 20 };

/// The places that watchers take.
#[derive(Debug, Clone)]
pub(crate) struct Watchers {
    watching: Places,
    known: Places,
}

impl Default for Watchers {
    fn default() -> Self {
        Self::on(Places::new(WATCHERS))
    }
}

impl Watchers {
    /// On places that others see taken too.
    pub(crate) fn on(watching: Places) -> Self {
        Self { watching, known: Places::new(KNOWN) }
    }

    /// A place for one more watcher of a caller.
    fn take(&self, session: &Session) -> Result<Place, Status> {
        self.watching.take(session.identity()).map_err(|full| {
            let what = match full {
                Full::OfIdentity => {
                    format!("allowed: {} streams that watch at once; end some of yours first", WATCHERS.of_identity_max)
                }
                Full::InAll => format!("{} streams watch already; try again later", WATCHERS.max),
            };
            status::exhausted(Reason::TooManyWatchers, what)
        })
    }
}

/// A request to watch the answer of a read: rows, each under a key.
pub(crate) trait Watch: Subject + Message + 'static {
    /// What is watched.
    type Read: Read;
    /// What is sent.
    type Message: Message;

    /// The field of the request that holds the query to watch.
    const FIELD: &'static str;

    /// The read to watch, and the last message that the reader has.
    fn into_read(self) -> (Self::Read, Received);

    /// The rows of the answer, by what distinguishes one from the others. They are sent in the order of their keys.
    fn rows(query: <Self::Read as Read>::Query<'_>, input: &AnswerInput<'_>) -> KeyedRows;

    /// What is sent before rows and after them: of everything, or of what changed since another answer, which had rows
    /// of some keys that are gone.
    fn around(read: &Self::Read, of: Position, is_snapshot: bool, gone: Vec<String>) -> [Self::Message; 2];
}

/// The last message that a reader has, as its request names it.
pub(crate) struct Received {
    /// Its revision; 0 for none.
    pub(super) revision: i64,
    /// Its instant.
    pub(super) at: Option<Timestamp>,
}

impl Received {
    /// What the message was of; none when the reader has none. Without its instant, the one at which its
    /// revision was accepted.
    fn position(self, now: &Now, violations: &mut Violations) -> Option<Position> {
        let newest = now.state.revision();
        let known = u64::try_from(self.revision).ok().map(Revision).filter(|revision| *revision <= newest);
        let Some(revision) = known else {
            let found = self.revision;
            violations.add("after_revision", format_args!("found {found}; allowed: 0 to {newest}, the newest"));
            return None;
        };
        let Some(accepted) = now.state.accepted_at(revision) else {
            if self.at.is_some() {
                violations.add("after_time", "found without after_revision; allowed: both of one message");
            }
            return None;
        };
        let at = self.at.unwrap_or(accepted);
        if at > now.answered {
            violations.add("after_time", in_future(at, now.at));
        } else if at < accepted {
            let what = format!("found {at}; allowed: from {accepted}, when revision {revision} was accepted");
            violations.add("after_time", what);
        }
        Some(Position { revision, at })
    }
}

/// What a watcher finds when it looks at the answer.
struct Found {
    /// The message to send, encoded; none when the reader has all of it.
    message: Option<Unaudited<Bytes>>,
    /// What the reader then has.
    known: Arc<Known>,
}

/// What a watcher is sent.
pub(crate) type Messages = Pin<Box<dyn Stream<Item = Result<Encoded, Status>> + Send>>;

/// Watches the answer of a read.
///
/// # Errors
/// When anything is wrong with the query, or too many watch already.
pub(crate) async fn start<W: Watch>(
    watchers: &Watchers,
    Call { context, session, message, received, .. }: Call<'_, W>,
) -> Result<Messages, Refusal> {
    let place = watchers.take(&session)?;
    let known_place = watchers.known.none(session.identity());
    // The question is the whole request's, as is what is wrong with it.
    let look = || (session.question(&message), session.repeats(&message));
    let (question, mut violations) = received.work(message.weight(), look).await?;
    drop(received);
    let (read, received) = message.into_read();
    context.until_settled(received.at).await;
    let now = context.now();
    let after = received.position(&now, &mut violations);
    let (messages, stream) = mpsc::channel(2);
    let watcher =
        Watcher::<W> { context: context.clone(), session, read: Arc::new(read), question, messages, _place: place };
    let known = watcher.known_as_of(&now, after).await;
    let first = match watcher.look(Snapshot::newest(context, now.clone()), known.clone()).await {
        Ok(first) => Some(first),
        Err(Refusal::Invalid(wrong)) => {
            violations.extend(wrong);
            None
        }
        Err(refusal @ (Refusal::Write(_) | Refusal::Status(_))) => return Err(refusal),
    };
    let first = violations.into_result(first)?;
    // Of the channel's two permits one is for a message, and one is reserved for the final status.
    let final_permit = watcher
        .messages
        .clone()
        .try_reserve_owned()
        .map_err(|_| status::error(Reason::Stopping, "the stream closed"))?;
    let watching = async move {
        let Err(ended) = watcher.run(now, (known, known_place), first).await;
        if let Some(why) = ended {
            final_permit.send(Err(why));
        }
    };
    tokio::spawn(watching.in_current_span());
    Ok(Box::pin(ReceiverStream::new(stream)))
}

/// Why a watch ended; none when its reader is gone.
type Ended = Option<Status>;

/// A place for one message to the reader.
type Slot<'a> = mpsc::Permit<'a, Result<Encoded, Status>>;

/// Why a message isn't sent.
enum Unsent {
    /// Too much of what was sent before isn't taken yet, of this watch or of others.
    NoRoom,
    Refused(Status),
}

struct Watcher<W: Watch> {
    context: Context,
    session: Session,
    read: Arc<W::Read>,
    question: Question,
    messages: mpsc::Sender<Result<Encoded, Status>>,
    _place: Place,
}

impl<W: Watch> Watcher<W> {
    /// Sends what changes beside what the reader has, until the watch ends. What was found first is of `now`.
    async fn run(
        self,
        mut now: Now,
        (mut known, mut known_place): (Option<Arc<Known>>, Place),
        first: Option<Found>,
    ) -> Result<Infallible, Ended> {
        let mut states = self.context.state.clone();
        let (mut first, mut full_since) = (first, None);
        loop {
            // Before anything is computed: who doesn't read what was sent has nothing more computed, and nothing kept.
            let slot = self.slot().await?;
            self.session.check().map_err(Some)?;
            self.permit().await.map_err(Some)?;
            let snapshot = Snapshot::newest(&self.context, now);
            let today = snapshot.today();
            // What was asked for may have changed its meaning, as when a level has no areas any more.
            let found = match first.take() {
                Some(found) => Ok(found),
                None => self.look(snapshot, known.clone()).await,
            };
            let found = found.map_err(|refusal| Some(refusal.into_status(status::ERROR_BYTES_DEFAULT)))?;
            known_place.grow_to(bytes_of(&found.known)).map_err(|full| Some(too_large(full)))?;
            match self.send(slot, found.message).await {
                Ok(()) => {
                    (known, full_since) = (Some(found.known), None);
                    self.wait(&mut states, today).await?;
                    tokio::time::sleep(GATHER).await;
                }
                // The message is computed again, of what is newest then.
                Err(Unsent::NoRoom) if full_since.get_or_insert_with(Instant::now).elapsed() < READER_TIMEOUT => {
                    tokio::time::sleep(ROOM_DELAY).await;
                }
                Err(Unsent::NoRoom) => return Err(Some(too_slow())),
                Err(Unsent::Refused(why)) => return Err(Some(why)),
            }
            // The newest state is taken next: only one after it is a change.
            states.mark_unchanged();
            now = self.context.now();
        }
    }

    /// What the reader has, by the last message that it says it has; none where it is sent everything, as is who
    /// could not ask for what it says.
    async fn known_as_of(&self, now: &Now, after: Option<Position>) -> Option<Arc<Known>> {
        let after = after.filter(|after| self.could_ask_as_of(*after))?;
        let found = self.look(Snapshot::of(&self.context, Arc::clone(&now.state), after), None).await;
        found.ok().map(|found| found.known)
    }

    /// Whether the caller may still ask this: an area may have moved out of the caller's.
    async fn permit(&self) -> Result<(), Status> {
        let permit = || {
            let present = Present::of(&self.context);
            self.session.permit_question(|| self.question.clone(), self.read.resource(&present))
        };
        self.session.received().work(self.read.weight(), permit).await?
    }

    fn could_ask_as_of(&self, as_of: Position) -> bool {
        let present = Present::answering_as_of(&self.context, as_of);
        self.session.could_have(self.read.resource(&present))
    }

    /// What the answer of a snapshot has beside what the reader has, or why there is none.
    async fn look(&self, snapshot: Snapshot, known: Option<Arc<Known>>) -> Result<Found, Refusal> {
        let (read, of) = (Arc::clone(&self.read), snapshot.position());
        let look = move |budget: &Budget| {
            let violations = newest_and_whole(&*read);
            let rows = read::answer(&*read, &snapshot, &Page::whole(), budget, violations, |query, input| {
                let rows = W::rows(query, input);
                read::bounded::<W::Read>(&rows.written).map(|()| rows)
            });
            rows.map_err(|violations| violations.within(W::FIELD))?.try_map(|rows| {
                let mut violations = Violations::default();
                if rows.count() > ROWS_MAX {
                    let found = format!("the answer has {} rows", rows.count());
                    let what = format!("{found}; allowed: {ROWS_MAX} to be watched. Ask for less");
                    violations.add(W::FIELD, what);
                }
                let around = |is_snapshot, gone| W::around(&read, of, is_snapshot, gone);
                violations.into_result(()).map(|()| difference(&rows, known.as_deref(), around))
            })
        };
        let too_much = || read::too_much::<W::Read>().within(W::FIELD);
        let found = read::compute(self.session.compute(), look, too_much).await?;
        let (known, message) = found.set_aside();
        Ok(Found { message, known: Arc::new(known) })
    }

    /// A place for a message, once the reader has taken the one before.
    async fn slot(&self) -> Result<Slot<'_>, Ended> {
        match tokio::time::timeout(READER_TIMEOUT, self.messages.reserve()).await {
            Ok(slot) => slot.map_err(|_| None),
            Err(_) => Err(Some(too_slow())),
        }
    }

    /// Sends a message, if there is one. Its bytes count as the caller's until they are taken.
    async fn send(&self, slot: Slot<'_>, message: Option<Unaudited<Bytes>>) -> Result<(), Unsent> {
        let Some(message) = message else { return Ok(()) };
        let message = message.try_map(|message| self.session.hold(message)).map_err(|_| Unsent::NoRoom)?;
        let message = message.audit(&self.session, &self.question).await.map_err(Unsent::Refused)?;
        slot.send(Ok(Encoded(message)));
        Ok(())
    }

    /// Waits for another state or another day, as long as the caller would still be let in.
    async fn wait(&self, states: &mut watch::Receiver<Arc<State>>, today: Date) -> Result<(), Ended> {
        let mut stopping = self.context.stopping.clone();
        let stopped = || Some(status::error(Reason::Stopping, "the server is stopping; resume in a moment"));
        loop {
            let (day, day_left) = self.day();
            if day != today {
                return Ok(());
            }
            tokio::select! {
                changed = states.changed() => return changed.map_err(|_| stopped()),
                _ = stopping.wait_for(|stop| *stop) => return Err(stopped()),
                () = self.messages.closed() => return Err(None),
                () = tokio::time::sleep(day_left.min(CHECK_EVERY)) => self.session.check().map_err(Some)?,
            }
        }
    }

    /// Today, and how much is left of it.
    fn day(&self) -> (Date, Duration) {
        let (zone, now) = (&self.context.zone, self.context.now().at);
        let micros = zone.next_day(now).0.saturating_sub(now.0);
        // An instant is a microsecond long.
        (zone.date(now), Duration::from_micros(u64::try_from(micros).unwrap_or(0).max(1)))
    }
}

/// Why a watch ends whose messages aren't taken.
fn too_slow() -> Status {
    let seconds = READER_TIMEOUT.as_secs();
    let what = format!("a message was not taken in {seconds} seconds; resume after the last revision received");
    status::exhausted(Reason::WatchTooSlow, what)
}

/// Why a watch ends that has too many rows beside the others.
fn too_large(full: Full) -> Status {
    let whose = match full {
        Full::OfIdentity => "those that you watch",
        Full::InAll => "those that are watched",
    };
    let what = format!("the rows of this answer are too many, with {whose} already; watch less");
    status::exhausted(Reason::TooManyWatchers, what)
}

/// What a query that is watched can't ask for.
fn newest_and_whole(read: &impl Read) -> Violations {
    let mut violations = Violations::default();
    let (requested, paging) = (read.requested_state(), read.paging());
    let watched = if paging.is_some() { "the newest, whole" } else { "the newest" };
    for (field, given) in [
        ("as_of_revision", requested.as_of_revision != 0),
        ("as_of_time", requested.as_of_time.is_some()),
        ("min_revision", requested.min_revision != 0),
        ("page_size", paging.as_ref().is_some_and(|paging| paging.size != 0)),
        ("page_token", paging.as_ref().is_some_and(|paging| !paging.token.is_empty())),
    ] {
        if given {
            violations.add(field, format_args!("allowed: nothing; what is watched is {watched}"));
        }
    }
    violations
}
