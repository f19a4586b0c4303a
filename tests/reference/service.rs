//! The service, asked as a client asks it: its requests in, its responses out, without the network.

use std::future::Future;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};

use conspectus::catalogue::items::AreaLevel;
use conspectus::intake::writer::{self, Handle};
use conspectus::journal::{Journal, MemoryDisk, MemoryJournal, Reader};
use conspectus::model::id::AgencyId;
use conspectus::model::observation::Observation;
use conspectus::model::timestamp::Timestamp;
use conspectus::model::zone::{UTC, Zone};
use conspectus::rpc::proto::picture_service_server::PictureService;
use conspectus::rpc::{Context, Encoded, Gate, Picture, local, proto};
use conspectus::state::{Fold, State};
use prost::Message;
use tokio::sync::watch;
use tonic::{Code, Status};

use crate::answer::Answer;
use crate::model::question::{AsOf, Comparison, CompletenessQuestion, QueryQuestion, Question, What};
use crate::model::timestamp;

/// The picture service of a state, with a clock that can be set.
pub(crate) struct Service {
    picture: Picture,
    now: Arc<AtomicI64>,
    /// Kept, so that the service isn't stopping.
    _open: (watch::Sender<Arc<State>>, watch::Sender<bool>),
}

/// Runs a call, whose answer is computed on this thread.
pub(crate) fn wait<T>(call: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    }
    RUNTIME.with(|runtime| runtime.block_on(call))
}

/// A writer and a reader of nothing: no call here writes.
fn idle() -> &'static (Handle, Arc<dyn Reader>) {
    static IDLE: OnceLock<(Handle, Arc<dyn Reader>)> = OnceLock::new();
    IDLE.get_or_init(|| {
        let journal = MemoryJournal::open(&MemoryDisk::new()).unwrap();
        let reader = journal.reader();
        (writer::start(Box::new(journal), Fold::default(), || Timestamp(0), UTC.clone()).handle, reader)
    })
}

impl Service {
    pub(crate) fn of(state: State, zone: &Zone) -> Self {
        let (writer, reader) = idle().clone();
        let now = Arc::new(AtomicI64::new(0));
        let (state, states) = watch::channel(Arc::new(state));
        let (stop, stopping) = watch::channel(false);
        let clock = Arc::clone(&now);
        let gate = Gate::default();
        gate.open(Context {
            writer,
            state: states,
            timeline: Default::default(),
            reader,
            clock: Arc::new(move || Timestamp(clock.load(Ordering::SeqCst))),
            zone: zone.clone(),
            stopping,
        });
        Self { picture: Picture::new(gate), now, _open: (state, stop) }
    }

    pub(crate) fn set_clock(&self, now: Timestamp) {
        self.now.store(now.0, Ordering::SeqCst);
    }

    pub(crate) fn service(&self) -> &Picture {
        &self.picture
    }

    /// The answer; none when the question is refused.
    pub(crate) fn ask(&self, question: &Question) -> Option<Answer> {
        self.set_clock(question.now);
        let (as_of_revision, as_of_time) = as_of(question.as_of);
        match &question.what {
            What::Picture(asked) => {
                let (comparison, compare_with) = comparison(asked.comparison);
                let comparison = if asked.comparison.is_none() { proto::Comparison::None.into() } else { comparison };
                let request = proto::GetPictureRequest {
                    area: asked.area.to_string(),
                    period: asked.period.to_string(),
                    indicators: texts(&asked.indicators),
                    comparison,
                    compare_with,
                    as_of_revision,
                    as_of_time,
                    areas_as_of: areas_as_of(asked.areas_now),
                    ..Default::default()
                };
                read(wait(self.picture.get_picture(local(request)))).map(Answer::of_picture)
            }
            What::Query(asked) => {
                let request = proto::QueryAggregateRequest { as_of_revision, as_of_time, ..query(asked) };
                read(wait(self.picture.query_aggregate(local(request)))).map(Answer::of_query)
            }
            What::Explain(asked) => {
                let request = proto::ExplainFigureRequest {
                    indicator: asked.indicator.to_string(),
                    area: asked.area.to_string(),
                    period: asked.period.to_string(),
                    agency: asked.agency.as_ref().map(ToString::to_string).unwrap_or_default(),
                    breakdown: categories(&asked.breakdown),
                    as_of_revision,
                    as_of_time,
                    ..Default::default()
                };
                read(wait(self.picture.explain_figure(local(request)))).map(Answer::of_explanation)
            }
            What::History(asked) => {
                let request = proto::GetHistoryRequest {
                    indicator: asked.indicator.to_string(),
                    area: asked.area.to_string(),
                    period: asked.period.to_string(),
                    agency: asked.agency.to_string(),
                    breakdown: categories(&asked.breakdown),
                    ..Default::default()
                };
                read(wait(self.picture.get_history(local(request)))).map(Answer::of_history)
            }
            What::Completeness(asked) => {
                let request = proto::GetCompletenessRequest {
                    area: asked.area.to_string(),
                    periods: texts(&asked.periods),
                    indicators: texts(&asked.indicators),
                    agencies: texts(&asked.agencies),
                    late_only: asked.late_only,
                    as_of_revision,
                    as_of_time,
                    page_size: 10_000,
                    ..Default::default()
                };
                read(wait(self.picture.get_completeness(local(request)))).map(Answer::of_completeness)
            }
            What::Reconcile(asked) => {
                let request = proto::ReconcileRequest {
                    rules: texts(&asked.rules),
                    areas: texts(&asked.areas),
                    area_level: asked.area_level.map_or(0, AreaLevel::code),
                    periods: texts(&asked.periods),
                    include_agreeing: asked.include_agreeing,
                    as_of_revision,
                    as_of_time,
                    ..Default::default()
                };
                read(wait(self.picture.reconcile(local(request)))).map(Answer::of_reconciliation)
            }
        }
    }
}

impl Service {
    /// What of a question about completeness is due within so many days, whatever its periods are.
    pub(crate) fn due_within(&self, asked: &CompletenessQuestion, days: i32) -> Vec<proto::Slot> {
        let request = proto::GetCompletenessRequest {
            area: asked.area.to_string(),
            indicators: texts(&asked.indicators),
            agencies: texts(&asked.agencies),
            due_within_days: days,
            page_size: 10_000,
            ..Default::default()
        };
        let answer: proto::GetCompletenessResponse = read(wait(self.picture.get_completeness(local(request)))).unwrap();
        answer.slots
    }

    /// The history of a figure.
    pub(crate) fn history(&self, agency: &AgencyId, figure: &Observation) -> Vec<proto::HistoryItem> {
        let request = proto::GetHistoryRequest {
            indicator: figure.indicator.to_string(),
            area: figure.area.to_string(),
            period: figure.period.to_string(),
            agency: agency.to_string(),
            breakdown: categories(&figure.breakdown),
            page_size: 10_000,
            ..Default::default()
        };
        let answer: proto::GetHistoryResponse = read(wait(self.picture.get_history(local(request)))).unwrap();
        answer.items
    }

    /// All changes that a request asks for, page by page.
    pub(crate) fn changes(&self, request: &proto::ListChangesRequest) -> Vec<proto::FigureChange> {
        let (mut changes, mut page_token) = (Vec::new(), String::new());
        loop {
            let request = proto::ListChangesRequest { page_token, ..request.clone() };
            let page: proto::ListChangesResponse = read(wait(self.picture.list_changes(local(request)))).unwrap();
            changes.extend(page.changes);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                return changes;
            }
        }
    }
}

/// The request of a query, of now.
pub(crate) fn query(asked: &QueryQuestion) -> proto::QueryAggregateRequest {
    let (comparison, compare_with) = comparison(asked.comparison);
    let groups = [
        (asked.by_indicator, proto::GroupBy::Indicator),
        (asked.by_area, proto::GroupBy::Area),
        (asked.by_agency, proto::GroupBy::Agency),
        (asked.by_period, proto::GroupBy::Period),
    ];
    proto::QueryAggregateRequest {
        indicators: texts(&asked.indicators),
        areas: texts(&asked.areas),
        area_level: asked.area_level.map_or(0, AreaLevel::code),
        agencies: texts(&asked.agencies),
        periods: texts(&asked.periods),
        group_by: groups.into_iter().filter(|(is, _)| *is).map(|(_, group)| group.into()).collect(),
        breakdown: categories(&asked.breakdown),
        comparison,
        compare_with,
        compare_across_breaks: asked.across_breaks,
        areas_as_of: areas_as_of(asked.areas_now),
        year_to_date: asked.year_to_date,
        by_dimension: asked.by_dimension.as_ref().map(ToString::to_string).unwrap_or_default(),
        rate: asked.rate,
        share: asked.share,
        rank: asked.rank,
        benchmark_areas: texts(&asked.benchmark_areas),
        page_size: 10_000,
        ..Default::default()
    }
}

/// A question may be refused because it has no right answer, and for no other reason.
pub(crate) fn answered<T>(response: Result<tonic::Response<T>, Status>) -> Option<T> {
    match response {
        Ok(response) => Some(response.into_inner()),
        Err(status) => {
            assert_eq!(status.code(), Code::InvalidArgument, "{status:?}");
            None
        }
    }
}

/// The answer to a read, as a client decodes it.
fn read<M: Message + Default>(response: Result<tonic::Response<Encoded>, Status>) -> Option<M> {
    answered(response).map(|answer| answer.decode().unwrap())
}

fn texts<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

fn categories(breakdown: &conspectus::model::observation::Breakdown) -> Vec<proto::CategoryRef> {
    let category = |(dimension, category): &(_, _)| proto::CategoryRef {
        dimension: ToString::to_string(dimension),
        category: ToString::to_string(category),
    };
    breakdown.iter().map(category).collect()
}

fn comparison(comparison: Option<Comparison>) -> (i32, String) {
    match comparison {
        None => (0, String::new()),
        Some(Comparison::PreviousPeriod) => (proto::Comparison::PreviousPeriod.into(), String::new()),
        Some(Comparison::YearBefore) => (proto::Comparison::YearBefore.into(), String::new()),
        Some(Comparison::With(earlier)) => (0, earlier.to_string()),
    }
}

fn areas_as_of(now: bool) -> i32 {
    if now { proto::AreasAsOf::Now } else { proto::AreasAsOf::Then }.into()
}

fn as_of(as_of: AsOf) -> (i64, Option<prost_types::Timestamp>) {
    match as_of {
        AsOf::Now => (0, None),
        AsOf::Revision(revision) => (i64::try_from(revision).unwrap(), None),
        AsOf::Time(at) => (0, Some(timestamp(at))),
    }
}
