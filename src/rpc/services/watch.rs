//! Streams that say when an answer changed.
//!
//! A watcher holds one answer, the last that it sent. When the state moves on, it computes the
//! answer again and sends what differs; states that come while it waits for a slow reader are
//! passed over, so it never holds more than one answer and one message, however slow the reader.
//!
//! What is watched is a [`Read`], answered and audited as a call of its own is.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use super::read::{self, Read, Unaudited};
use crate::model::period::Period;
use crate::model::revision::Revision;
use crate::model::violation::Violations;
use crate::rpc::call::{Call, Refusal};
use crate::rpc::convert::snapshot::Snapshot;
use crate::rpc::guard::{CHECK_EVERY, Session, Subject};
use crate::rpc::page::{Page, ROWS};
use crate::rpc::status::{self, Reason};
use crate::rpc::{Context, number, proto};
use crate::state::State;

/// How many streams may watch at once.
const WATCHERS_MAX: usize = 256;
/// How long a reader may take to take a message.
const READER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long changes are gathered before they are sent.
const GATHER: Duration = Duration::from_millis(20);
/// The most rows of an answer that can be watched.
const ROWS_MAX: usize = ROWS.max;

/// The permits that watchers take.
#[derive(Debug, Clone)]
pub(crate) struct Watchers(Arc<Semaphore>);

impl Default for Watchers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(WATCHERS_MAX)))
    }
}

/// A request to watch the answer of a read: rows, each under a key.
pub(crate) trait Watch: Subject + Send + 'static {
    /// What is watched.
    type Read: Read + 'static;
    /// What distinguishes rows, in the order in which they are sent.
    type Key: Ord + Clone + Send;
    /// A row.
    type Row: PartialEq + Clone + Send;
    /// What is sent.
    type Message: Send + 'static;

    /// The field of the request that holds the query to watch.
    const FIELD: &'static str;

    /// The read to watch, and the revision of the last message that the reader has; 0 for none.
    fn into_read(self) -> (Self::Read, i64);

    /// The rows of an answer.
    fn rows(answer: <Self::Read as Read>::Answer) -> impl Iterator<Item = (Self::Key, Self::Row)>;

    /// What is sent of a difference.
    fn message(read: &Self::Read, difference: Difference<Self::Key, Self::Row>) -> Self::Message;
}

/// What an answer has beside the one before it.
pub(crate) struct Difference<K, R> {
    revision: Revision,
    /// Whether there was none before it.
    snapshot: bool,
    changed: Vec<R>,
    gone: Vec<K>,
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
    Call { context, session, message, .. }: Call<'_, W>,
) -> Result<Messages<W::Message>, Refusal> {
    let permit = Arc::clone(&watchers.0).try_acquire_owned().map_err(|_| {
        status::error(Reason::TooManyWatchers, format!("{WATCHERS_MAX} streams watch already; try again later"))
    })?;
    let (read, after_revision) = message.into_read();
    let state = context.newest();
    let mut violations = Violations::default();
    let after = match u64::try_from(after_revision) {
        Ok(revision) if revision <= state.revision().0 => Revision(revision),
        Ok(_) | Err(_) => {
            let newest = state.revision();
            violations.add("after_revision", format!("found {after_revision}; allowed: 0 to {newest}, the newest"));
            Revision::ZERO
        }
    };
    let (messages, stream) = mpsc::channel(2);
    let watcher = Watcher::<W> { context: context.clone(), session, read, messages, _permit: permit };
    if let Err(wrong) = watcher.rows(Snapshot::newest(context, Arc::clone(&state))).await {
        violations.extend(wrong);
    }
    violations.into_result(())?;
    // Of the channel's two permits one is for a message, and one is reserved for the final status.
    let final_permit = watcher
        .messages
        .clone()
        .try_reserve_owned()
        .map_err(|_| status::error(Reason::Stopping, "the stream closed"))?;
    tokio::spawn(async move {
        let Err(ended) = watcher.run(state, after).await;
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
    read: W::Read,
    messages: mpsc::Sender<Result<W::Message, Status>>,
    _permit: OwnedSemaphorePermit,
}

impl<W: Watch> Watcher<W> {
    /// Sends what changes, until the watch ends.
    async fn run(self, mut state: Arc<State>, after: Revision) -> Result<Infallible, Ended> {
        let mut states = self.context.state.clone();
        let mut known = match after {
            Revision::ZERO => None,
            after => self.rows(Snapshot::at(&self.context, Arc::clone(&state), after)).await.ok(),
        };
        loop {
            self.session.check().map_err(Some)?;
            let revision = state.revision();
            let rows = self.rows(Snapshot::newest(&self.context, state)).await;
            // What was asked for may have changed its meaning, as when a level has no areas any more.
            let rows = rows.map_err(|violations| Some(status::invalid(&violations, status::ERROR_BYTES_DEFAULT)))?;
            let message = rows.since(known.as_ref(), |known, rows| self.difference(revision, known, rows));
            if let Some(message) = message {
                self.send(message.audit(&self.session, &self.read).await.map_err(Some)?).await?;
            }
            known = Some(rows);
            self.wait(&mut states).await?;
            tokio::time::sleep(GATHER).await;
            state = Arc::clone(&states.borrow_and_update());
        }
    }

    /// The rows as of a snapshot, or everything that is wrong with the query.
    async fn rows(&self, snapshot: Snapshot) -> Result<Unaudited<Rows<W>>, Violations> {
        self.session.compute_permit().await.compute(|| {
            let violations = newest_and_whole(&self.read);
            let answer = read::answer(&self.read, &snapshot, &Page::whole(), violations);
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
        })
    }

    /// What differs from what is known; everything, when nothing is known.
    fn difference(&self, revision: Revision, known: Option<&Rows<W>>, rows: &Rows<W>) -> Option<W::Message> {
        let difference = match known {
            None => {
                Difference { revision, snapshot: true, changed: rows.values().cloned().collect(), gone: Vec::new() }
            }
            Some(known) => {
                let changed = rows.iter().filter(|(key, row)| known.get(key) != Some(row)).map(|(_, row)| row.clone());
                let gone = known.keys().filter(|key| !rows.contains_key(key)).cloned();
                Difference { revision, snapshot: false, changed: changed.collect(), gone: gone.collect() }
            }
        };
        let is_needed = difference.snapshot || !difference.changed.is_empty() || !difference.gone.is_empty();
        is_needed.then(|| W::message(&self.read, difference))
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

    /// Waits for another state, as long as the caller would still be let in.
    async fn wait(&self, states: &mut watch::Receiver<Arc<State>>) -> Result<(), Ended> {
        let mut stopping = self.context.stopping.clone();
        let stopped = || Some(status::error(Reason::Stopping, "the server is stopping; resume in a moment"));
        loop {
            tokio::select! {
                changed = states.changed() => return changed.map_err(|_| stopped()),
                _ = stopping.wait_for(|stop| *stop) => return Err(stopped()),
                () = self.messages.closed() => return Err(None),
                () = tokio::time::sleep(CHECK_EVERY) => self.session.check().map_err(Some)?,
            }
        }
    }
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
            violations.add(field, format!("allowed: nothing; what is watched is {watched}"));
        }
    }
    violations
}

impl Watch for proto::WatchPictureRequest {
    type Read = proto::GetPictureRequest;
    /// The indicator.
    type Key = String;
    type Row = proto::PictureRow;
    type Message = proto::WatchPictureResponse;

    const FIELD: &'static str = "picture";

    fn into_read(self) -> (Self::Read, i64) {
        (self.picture.unwrap_or_default(), self.after_revision)
    }

    fn rows(answer: proto::GetPictureResponse) -> impl Iterator<Item = (String, proto::PictureRow)> {
        let indicator = |row: &proto::PictureRow| row.indicator.as_ref().map(|it| it.id.clone()).unwrap_or_default();
        answer.rows.into_iter().map(move |row| (indicator(&row), row))
    }

    fn message(read: &Self::Read, difference: Difference<String, Self::Row>) -> Self::Message {
        proto::WatchPictureResponse {
            revision: number(difference.revision),
            area: read.area.clone(),
            period: read.period.parse::<Period>().map(|period| period.to_string()).unwrap_or_default(),
            snapshot: difference.snapshot,
            rows: difference.changed,
            removed_indicators: difference.gone,
            as_of: None,
        }
    }
}

impl Watch for proto::WatchAggregateRequest {
    type Read = proto::QueryAggregateRequest;
    /// Indicator, area, agency, period and category, each by its text.
    type Key = (String, String, String, String, String);
    type Row = proto::AggregateRow;
    type Message = proto::WatchAggregateResponse;

    const FIELD: &'static str = "query";

    fn into_read(self) -> (Self::Read, i64) {
        (self.query.unwrap_or_default(), self.after_revision)
    }

    fn rows(answer: proto::QueryAggregateResponse) -> impl Iterator<Item = (Self::Key, proto::AggregateRow)> {
        answer.rows.into_iter().map(|row| {
            let key =
                (row.indicator.clone(), row.area.clone(), row.agency.clone(), row.period.clone(), row.category.clone());
            (key, row)
        })
    }

    fn message(_: &Self::Read, difference: Difference<Self::Key, Self::Row>) -> Self::Message {
        let removed = |(indicator, area, agency, period, category): Self::Key| proto::AggregateRow {
            indicator,
            area,
            agency,
            period,
            category,
            ..proto::AggregateRow::default()
        };
        proto::WatchAggregateResponse {
            revision: number(difference.revision),
            snapshot: difference.snapshot,
            rows: difference.changed,
            removed_rows: difference.gone.into_iter().map(removed).collect(),
            as_of: None,
        }
    }
}
