//! Streams that say when an answer changed.
//!
//! A watcher holds one answer, the last that it sent. When the state moves on, or a day begins, it
//! computes the answer again and sends what differs; states that come while it waits for a slow reader are
//! passed over, so it never holds more than one answer and one message, however slow the reader.
//!
//! What is watched is a [`Read`], answered and audited as a call of its own is.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use prost::Message;
use tokio::sync::{mpsc, watch};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::read::{self, Read, Unaudited};
use crate::model::budget::Budget;
use crate::model::date::Date;
use crate::model::revision::Revision;
use crate::model::timestamp::Timestamp;
use crate::model::violation::Violations;
use crate::net::{Full, Share};
use crate::rpc::Context;
use crate::rpc::call::{Call, Refusal};
use crate::rpc::context::Now;
use crate::rpc::convert::snapshot::{Snapshot, in_future};
use crate::rpc::guard::{CHECK_EVERY, Place, Places, Present, Question, Session, Subject};
use crate::rpc::page::{ANSWER_BYTES_MAX, Page, Position, ROWS};
use crate::rpc::status::{self, Reason};
use crate::state::State;

/// How many streams may watch at once.
const WATCHERS_MAX: usize = 256;
/// How long a reader may take to take a message.
const READER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long changes are gathered before they are sent.
const GATHER: Duration = Duration::from_millis(20);
/// The most rows of an answer that can be watched.
const ROWS_MAX: usize = ROWS.max;

/// How identities share them.
const WATCHERS: Share = Share { max: WATCHERS_MAX, of_identity_max: WATCHERS_MAX / 4, kept: 4 };

/// The places that watchers take.
#[derive(Debug, Clone)]
pub(crate) struct Watchers(Places);

impl Default for Watchers {
    fn default() -> Self {
        Self(Places::new(WATCHERS))
    }
}

impl Watchers {
    /// A place for one more watcher of a caller.
    fn take(&self, session: &Session) -> Result<Place, Status> {
        self.0.take(session.identity()).map_err(|full| {
            let what = match full {
                Full::OfIdentity => {
                    format!("allowed: {} streams that watch at once; end some of yours first", WATCHERS.of_identity_max)
                }
                Full::InAll => format!("{WATCHERS_MAX} streams watch already; try again later"),
            };
            status::exhausted(Reason::TooManyWatchers, what)
        })
    }
}

/// A request to watch the answer of a read: rows, each under a key.
pub(crate) trait Watch: Subject + Message + 'static {
    /// What is watched.
    type Read: Read + 'static;
    /// What distinguishes rows, in the order in which they are sent.
    type Key: Ord + Clone + Send + 'static;
    /// A row.
    type Row: PartialEq + Clone + Send + 'static;
    /// What is sent.
    type Message: Message + Send + 'static;

    /// The field of the request that holds the query to watch.
    const FIELD: &'static str;

    /// The read to watch, and the last message that the reader has.
    fn into_read(self) -> (Self::Read, Received);

    /// The rows of an answer.
    fn rows(answer: <Self::Read as Read>::Answer) -> impl Iterator<Item = (Self::Key, Self::Row)>;

    /// What is sent of a difference.
    fn message(read: &Self::Read, difference: Difference<Self::Key, Self::Row>) -> Self::Message;
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

/// What an answer has beside the one before it.
pub(crate) struct Difference<K, R> {
    /// What the answer is of.
    pub(super) of: Position,
    /// Whether there was none before it.
    pub(super) snapshot: bool,
    pub(super) changed: Vec<R>,
    pub(super) gone: Vec<K>,
}

type Rows<W> = BTreeMap<<W as Watch>::Key, <W as Watch>::Row>;
/// What a watcher is sent.
pub(crate) type Messages<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Watches the answer of a read.
///
/// # Errors
/// When anything is wrong with the query, or too many watch already.
pub(crate) async fn start<W: Watch>(
    watchers: &Watchers,
    Call { context, session, message, received, .. }: Call<'_, W>,
) -> Result<Messages<W::Message>, Refusal> {
    let place = watchers.take(&session)?;
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
    let first = match watcher.rows(Snapshot::newest(context, now.clone())).await {
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
    tokio::spawn(async move {
        let Err(ended) = watcher.run(now, first, after).await;
        if let Some(why) = ended {
            final_permit.send(Err(why));
        }
    });
    Ok(Box::pin(ReceiverStream::new(stream)))
}

/// Why a watch ended; none when its reader is gone.
type Ended = Option<Status>;

struct Watcher<W: Watch> {
    context: Context,
    session: Session,
    read: Arc<W::Read>,
    question: Question,
    messages: mpsc::Sender<Result<W::Message, Status>>,
    _place: Place,
}

impl<W: Watch> Watcher<W> {
    /// Sends what changes, until the watch ends. The first rows are those of `now`.
    async fn run(
        self,
        mut now: Now,
        mut first: Option<Unaudited<Rows<W>>>,
        after: Option<Position>,
    ) -> Result<Infallible, Ended> {
        let mut states = self.context.state.clone();
        // What the reader could not ask for as of then says nothing of what it has: it is sent everything.
        let mut known = match after.filter(|after| self.could_ask_as_of(*after)) {
            None => None,
            Some(after) => self.rows(Snapshot::of(&self.context, Arc::clone(&now.state), after)).await.ok(),
        };
        loop {
            self.session.check().map_err(Some)?;
            self.permit().await.map_err(Some)?;
            let snapshot = Snapshot::newest(&self.context, now);
            let (of, today) = (snapshot.position(), snapshot.today());
            // What was asked for may have changed its meaning, as when a level has no areas any more.
            let rows = match first.take() {
                Some(rows) => Ok(rows),
                None => self.rows(snapshot).await,
            };
            let rows = rows.map_err(|refusal| Some(refusal.into_status(status::ERROR_BYTES_DEFAULT)))?;
            let message = rows.since(known.as_ref(), |known, rows| difference::<W>(&self.read, of, known, rows));
            if let Some(message) = message {
                let message = message.audit(&self.session, &self.question).await.map_err(Some)?;
                self.send(message).await.inspect_err(|ended| {
                    ended.iter().for_each(|why| self.session.unsent(why));
                })?;
            }
            known = Some(rows);
            self.wait(&mut states, today).await?;
            tokio::time::sleep(GATHER).await;
            // The newest state is taken next: only one after it is a change.
            states.mark_unchanged();
            now = self.context.now();
        }
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

    /// The rows as of a snapshot, or why there are none.
    async fn rows(&self, snapshot: Snapshot) -> Result<Unaudited<Rows<W>>, Refusal> {
        let read = Arc::clone(&self.read);
        let rows = move |budget: &Budget| {
            let violations = newest_and_whole(&*read);
            let answer = read::answer(&*read, &snapshot, &Page::whole(), budget, violations);
            answer.map_err(|violations| violations.within(W::FIELD))?.try_map(|answer| {
                let rows: Rows<W> = W::rows(answer).collect();
                let mut violations = Violations::default();
                if rows.len() > ROWS_MAX {
                    let found = format!("the answer has {} rows", rows.len());
                    let what = format!("{found}; allowed: {ROWS_MAX} to be watched. Ask for less");
                    violations.add(W::FIELD, what);
                }
                violations.into_result(rows)
            })
        };
        let too_much = || read::too_much::<W::Read>().within(W::FIELD);
        read::compute(self.session.compute(), rows, too_much).await
    }

    async fn send(&self, message: W::Message) -> Result<(), Ended> {
        match tokio::time::timeout(READER_TIMEOUT, self.messages.send(Ok(message))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(None),
            Err(_) => {
                let seconds = READER_TIMEOUT.as_secs();
                let what =
                    format!("a message was not taken in {seconds} seconds; resume after the last revision received");
                Err(Some(status::exhausted(Reason::WatchTooSlow, what)))
            }
        }
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

/// What differs from what is known; everything, when nothing is known, or when what changed with what is gone is more
/// than a message may have.
fn difference<W: Watch>(read: &W::Read, of: Position, known: Option<&Rows<W>>, rows: &Rows<W>) -> Option<W::Message> {
    let Some(known) = known else {
        let changed = rows.values().cloned().collect();
        return Some(W::message(read, Difference { of, snapshot: true, changed, gone: Vec::new() }));
    };
    let changed = rows.iter().filter(|(key, row)| known.get(key) != Some(row)).map(|(_, row)| row.clone()).collect();
    let gone = known.keys().filter(|key| !rows.contains_key(key)).cloned().collect();
    let difference = Difference { of, snapshot: false, changed, gone };
    if difference.changed.is_empty() && difference.gone.is_empty() {
        return None;
    }
    let message = W::message(read, difference);
    if message.encoded_len() > ANSWER_BYTES_MAX { self::difference::<W>(read, of, None, rows) } else { Some(message) }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto::{AggregateRow, QueryAggregateRequest, QueryAggregateResponse, WatchAggregateRequest};

    fn rows(area: &str, count: usize, figure: &str) -> Rows<WatchAggregateRequest> {
        let row = |n| AggregateRow {
            indicator: figure.to_owned(),
            area: format!("{area}-{n}-{}", "a".repeat(500)),
            ..AggregateRow::default()
        };
        let answer = QueryAggregateResponse { rows: (0..count).map(row).collect(), ..Default::default() };
        WatchAggregateRequest::rows(answer).collect()
    }

    #[test]
    fn a_difference_that_is_too_large_for_a_message_is_sent_as_a_snapshot() {
        let of = Position { revision: Revision(7), at: Timestamp(9) };
        let read = QueryAggregateRequest::default();
        let difference = |known, rows| difference::<WatchAggregateRequest>(&read, of, Some(known), rows);
        let (before, after) = (rows("before", 5_000, "a"), rows("after", 5_000, "a"));
        let all = difference(&before, &after).unwrap();
        assert!(all.snapshot && all.rows.len() == 5_000 && all.removed_rows.is_empty());
        assert!(all.encoded_len() <= ANSWER_BYTES_MAX);
        let fewer = rows("before", 4_000, "a");
        let few = difference(&before, &fewer).unwrap();
        assert!(!few.snapshot && few.rows.is_empty() && few.removed_rows.len() == 1_000);
        assert!(difference(&before, &before).is_none());
    }
}
