//! Streams that say when an answer changed.
//!
//! A watcher holds one answer, the last that it sent. When the state moves on, it computes the
//! answer again and sends what differs; states that come while it waits for a slow reader are
//! passed over, so it never holds more than one answer and one message, however slow the reader.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::model::revision::Revision;
use crate::model::violation::Violations;
use crate::picture::answer;
use crate::rpc::call::Refusal;
use crate::rpc::convert::queries::{self, Snapshot};
use crate::rpc::convert::responses;
use crate::rpc::guard::{CHECK_EVERY, Session};
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
const ROWS_MAX: usize = 10_000;

/// The places that watchers take.
#[derive(Debug, Clone)]
pub(crate) struct Watchers(Arc<Semaphore>);

impl Default for Watchers {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(WATCHERS_MAX)))
    }
}

/// Something that can be watched: rows, each under a key.
pub(crate) trait Question: Send + Sync + 'static {
    /// What tells rows apart, in the order in which they are sent.
    type Key: Ord + Clone + Send;
    /// A row.
    type Row: PartialEq + Clone + Send;
    /// What is sent.
    type Message: Send + 'static;

    /// The answer as of a snapshot, or everything that is wrong with the question.
    fn rows(&self, snapshot: &Snapshot) -> Result<BTreeMap<Self::Key, Self::Row>, Violations>;

    /// The message of changed rows and of the keys of rows that are gone.
    fn message(
        &self,
        revision: Revision,
        snapshot: bool,
        changed: Vec<Self::Row>,
        gone: Vec<Self::Key>,
    ) -> Self::Message;
}

/// Who watches, and what, in words: checked again for as long as it does.
pub(crate) struct Audited {
    pub(crate) session: Session,
    pub(crate) scope: String,
}

/// Watches the answer to a question.
///
/// # Errors
/// When the question is wrong, or too many watch already.
pub(crate) fn start<Q: Question>(
    context: &Context,
    watchers: &Watchers,
    question: Q,
    reader: Audited,
    after_revision: i64,
) -> Result<ReceiverStream<Result<Q::Message, Status>>, Refusal> {
    let place = Arc::clone(&watchers.0).try_acquire_owned().map_err(|_| {
        status::error(Reason::TooManyWatchers, format!("{WATCHERS_MAX} streams watch already; try again later"))
    })?;
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
    if let Err(wrong) = question.rows(&Snapshot::newest(context, Arc::clone(&state))) {
        violations.extend(wrong);
    }
    violations.into_result(())?;
    // One place for a message, and one that the farewell holds from the start.
    let (messages, stream) = mpsc::channel(2);
    let farewell =
        messages.clone().try_reserve_owned().map_err(|_| status::error(Reason::Stopping, "the stream closed"))?;
    let watcher = Watcher { context: context.clone(), question, reader, messages, _place: place };
    tokio::spawn(async move {
        if let Some(last) = watcher.run(state, after).await {
            farewell.send(Err(last));
        }
    });
    Ok(ReceiverStream::new(stream))
}

struct Watcher<Q: Question> {
    context: Context,
    question: Q,
    reader: Audited,
    messages: mpsc::Sender<Result<Q::Message, Status>>,
    _place: OwnedSemaphorePermit,
}

impl<Q: Question> Watcher<Q> {
    /// Sends until the reader goes away; otherwise why it ended.
    async fn run(self, mut state: Arc<State>, after: Revision) -> Option<Status> {
        let mut states = self.context.state.clone();
        let mut stopping = self.context.stopping.clone();
        let mut known = if after == Revision::ZERO {
            None
        } else {
            self.question.rows(&Snapshot::at(&self.context, Arc::clone(&state), after)).ok()
        };
        loop {
            if let Err(refused) = self.reader.session.check() {
                return Some(refused);
            }
            let revision = state.revision();
            let rows = self.question.rows(&Snapshot::newest(&self.context, state));
            let rows = match rows {
                Ok(rows) => rows,
                // What was asked for has changed its meaning, as when a level has no areas any more.
                Err(violations) => return Some(status::invalid(&violations, status::ERROR_BYTES_DEFAULT)),
            };
            if let Some(message) = self.difference(revision, known.as_ref(), &rows) {
                if let Err(unaudited) = self.reader.session.audit_read_of(self.reader.scope.clone(), revision).await {
                    return Some(unaudited);
                }
                match tokio::time::timeout(READER_TIMEOUT, self.messages.send(Ok(message))).await {
                    Ok(Ok(())) => {}
                    Ok(Err(_)) => return None,
                    Err(_) => {
                        return Some(status::exhausted(
                            Reason::WatchTooSlow,
                            format!(
                                "a message was not taken in {} seconds; resume after the last revision received",
                                READER_TIMEOUT.as_secs()
                            ),
                        ));
                    }
                }
            }
            known = Some(rows);
            let stopped = Some(status::error(Reason::Stopping, "the server is stopping; resume in a moment"));
            loop {
                tokio::select! {
                    changed = states.changed() => match changed {
                        Ok(()) => break,
                        Err(_) => return stopped,
                    },
                    _ = stopping.wait_for(|stop| *stop) => return stopped,
                    () = self.messages.closed() => return None,
                    () = tokio::time::sleep(CHECK_EVERY) => {
                        if let Err(refused) = self.reader.session.check() {
                            return Some(refused);
                        }
                    }
                }
            }
            tokio::time::sleep(GATHER).await;
            state = Arc::clone(&states.borrow_and_update());
        }
    }

    /// What differs from what is known; everything, when nothing is known.
    fn difference(
        &self,
        revision: Revision,
        known: Option<&BTreeMap<Q::Key, Q::Row>>,
        rows: &BTreeMap<Q::Key, Q::Row>,
    ) -> Option<Q::Message> {
        let Some(known) = known else {
            return Some(self.question.message(revision, true, rows.values().cloned().collect(), Vec::new()));
        };
        let changed: Vec<Q::Row> =
            rows.iter().filter(|(key, row)| known.get(key) != Some(row)).map(|(_, row)| row.clone()).collect();
        let gone: Vec<Q::Key> = known.keys().filter(|key| !rows.contains_key(key)).cloned().collect();
        let nothing = changed.is_empty() && gone.is_empty();
        (!nothing).then(|| self.question.message(revision, false, changed, gone))
    }
}

/// A picture to watch.
pub(crate) struct PictureQuestion {
    request: proto::GetPictureRequest,
}

impl PictureQuestion {
    pub(crate) fn of(request: proto::GetPictureRequest) -> Self {
        Self { request }
    }
}

impl Question for PictureQuestion {
    type Key = String;
    type Row = proto::PictureRow;
    type Message = proto::WatchPictureResponse;

    fn rows(&self, snapshot: &Snapshot) -> Result<BTreeMap<String, proto::PictureRow>, Violations> {
        let mut violations = Violations::default();
        for (field, given) in [
            ("as_of_revision", self.request.as_of_revision != 0),
            ("as_of_time", self.request.as_of_time.is_some()),
            ("min_revision", self.request.min_revision != 0),
        ] {
            if given {
                violations.add(field, "allowed: nothing; what is watched is the newest");
            }
        }
        let view = snapshot.view(queries::areas_as_of(self.request.areas_as_of, &mut violations));
        let query = queries::picture(view, &self.request, &mut violations);
        let Some(query) = query.filter(|_| violations.is_empty()) else { return Err(violations.within("picture")) };
        let rows = answer::picture(view, &query);
        Ok(rows
            .iter()
            .map(|row| (row.version.id.to_string(), responses::picture_row(&snapshot.catalogue, row)))
            .collect())
    }

    fn message(
        &self,
        revision: Revision,
        snapshot: bool,
        changed: Vec<proto::PictureRow>,
        gone: Vec<String>,
    ) -> proto::WatchPictureResponse {
        let period = self.request.period.parse::<crate::model::period::Period>();
        proto::WatchPictureResponse {
            revision: number(revision),
            area: self.request.area.clone(),
            period: period.map(|period| period.to_string()).unwrap_or_default(),
            snapshot,
            rows: changed,
            removed_indicators: gone,
        }
    }
}

/// A query to watch.
pub(crate) struct AggregateQuestion {
    request: proto::QueryAggregateRequest,
}

impl AggregateQuestion {
    pub(crate) fn of(request: proto::QueryAggregateRequest) -> Self {
        Self { request }
    }
}

/// Indicator, category, area, agency and period.
type RowKey = (String, String, String, String, String);

impl Question for AggregateQuestion {
    type Key = RowKey;
    type Row = proto::AggregateRow;
    type Message = proto::WatchAggregateResponse;

    fn rows(&self, snapshot: &Snapshot) -> Result<BTreeMap<RowKey, proto::AggregateRow>, Violations> {
        let mut violations = Violations::default();
        for (field, given) in [
            ("as_of_revision", self.request.as_of_revision != 0),
            ("as_of_time", self.request.as_of_time.is_some()),
            ("min_revision", self.request.min_revision != 0),
            ("page_size", self.request.page_size != 0),
            ("page_token", !self.request.page_token.is_empty()),
        ] {
            if given {
                violations.add(field, "allowed: nothing; what is watched is the newest, whole");
            }
        }
        let view = snapshot.view(queries::areas_as_of(self.request.areas_as_of, &mut violations));
        let query = queries::aggregate(view, &self.request, &mut violations);
        let Some(query) = query.filter(|_| violations.is_empty()) else { return Err(violations.within("query")) };
        let rows = answer::aggregate(view, &query);
        if rows.len() > ROWS_MAX {
            let what = format!("the answer has {} rows; allowed: {ROWS_MAX} to be watched. Ask for less", rows.len());
            violations.add("query", what);
            return Err(violations);
        }
        let keyed = |row| {
            let row: proto::AggregateRow = responses::aggregate_row(&snapshot.catalogue, row);
            let key =
                (row.indicator.clone(), row.category.clone(), row.area.clone(), row.agency.clone(), row.period.clone());
            (key, row)
        };
        Ok(rows.iter().map(keyed).collect())
    }

    fn message(
        &self,
        revision: Revision,
        snapshot: bool,
        changed: Vec<proto::AggregateRow>,
        gone: Vec<RowKey>,
    ) -> proto::WatchAggregateResponse {
        let key = |(indicator, category, area, agency, period): RowKey| proto::AggregateRow {
            indicator,
            category,
            area,
            agency,
            period,
            ..proto::AggregateRow::default()
        };
        proto::WatchAggregateResponse {
            revision: number(revision),
            snapshot,
            rows: changed,
            removed_rows: gone.into_iter().map(key).collect(),
        }
    }
}
