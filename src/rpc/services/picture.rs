//! The picture service: answers out.

use std::pin::Pin;

use tokio_stream::Stream;
use tonic::{Request, Response, Status};

use super::watch;
use crate::catalogue::AgencyIx;
use crate::model::violation::Violations;
use crate::picture::answer;
use crate::picture::completeness::{self, Status as SlotStatus};
use crate::picture::question::QUERY_CELLS_MAX;
use crate::picture::{explain, reconcile};
use crate::rpc::call::{self, Call};
use crate::rpc::convert::queries::{self, Snapshot};
use crate::rpc::convert::{self, responses};
use crate::rpc::guard::{AuditScope, Session, Subject};
use crate::rpc::proto::picture_service_server::PictureService;
use crate::rpc::{Context, Gate, count, number, page, proto, status};
use crate::state::view::AreasAsOf;

const ROWS_DEFAULT: usize = 1_000;
const ROWS_MAX: usize = 10_000;
const CONTRIBUTIONS_MAX: usize = 1_000;

/// Serves `conspectus.v1.PictureService`.
#[derive(Debug, Clone, Default)]
pub struct Picture {
    gate: Gate,
    watchers: watch::Watchers,
}

impl Picture {
    /// The service behind a gate.
    pub fn new(gate: Gate) -> Self {
        Self { gate, watchers: watch::Watchers::default() }
    }
}

#[tonic::async_trait]
impl PictureService for Picture {
    async fn get_picture(
        &self,
        request: Request<proto::GetPictureRequest>,
    ) -> Result<Response<proto::GetPictureResponse>, Status> {
        let context = self.gate.context()?;
        let session = reading(context, &request)?;
        let bytes_max = status::error_bytes(request.metadata());
        let request = request.into_inner();
        let state = context.state_at_least(request.min_revision).await?;
        let permit = session.compute_permit().await;
        let mut violations = Violations::default();
        review_min_revision(request.min_revision, &mut violations);
        let as_of_time = request.as_of_time.as_ref();
        let snapshot = Snapshot::asked(context, state, request.as_of_revision, as_of_time, &mut violations);
        let view = snapshot.view(queries::areas_as_of(request.areas_as_of, &mut violations));
        let query = queries::picture(view, &request, &mut violations);
        let query = checked(query, &violations, bytes_max)?;
        let rows = answer::picture(view, &query);
        drop(permit);
        session.audit_read_of(request.scope(), snapshot.revision).await?;
        Ok(Response::new(proto::GetPictureResponse {
            revision: number(snapshot.revision),
            area: Some(convert::area(snapshot.catalogue.area_at(query.area))),
            period: query.period.to_string(),
            rows: rows.iter().map(|row| responses::picture_row(&snapshot.catalogue, row)).collect(),
        }))
    }

    async fn query_aggregate(
        &self,
        request: Request<proto::QueryAggregateRequest>,
    ) -> Result<Response<proto::QueryAggregateResponse>, Status> {
        let context = self.gate.context()?;
        let session = reading(context, &request)?;
        let bytes_max = status::error_bytes(request.metadata());
        let request = request.into_inner();
        let state = context.state_at_least(request.min_revision).await?;
        let permit = session.compute_permit().await;
        let mut violations = Violations::default();
        review_min_revision(request.min_revision, &mut violations);
        let cleared = proto::QueryAggregateRequest {
            page_size: 0,
            page_token: String::new(),
            min_revision: 0,
            ..request.clone()
        };
        let paging = page::Query::of("QueryAggregate", &cleared);
        let start = paging.start(&request.page_token, &mut violations);
        let size = page::size(request.page_size, ROWS_DEFAULT, ROWS_MAX, &mut violations);
        let (as_of_revision, as_of_time) = match &start {
            None => (request.as_of_revision, request.as_of_time.as_ref()),
            Some(start) => (number(start.revision), None),
        };
        let snapshot = Snapshot::asked(context, state, as_of_revision, as_of_time, &mut violations);
        let view = snapshot.view(queries::areas_as_of(request.areas_as_of, &mut violations));
        let query = queries::aggregate(view, &request, &mut violations);
        let query = checked(query, &violations, bytes_max)?;
        let rows = answer::aggregate(view, &query);
        let (range, next_page_token) = paging.slice(start.as_ref(), rows.len(), size, snapshot.revision);
        drop(permit);
        session.audit_read_of(request.scope(), snapshot.revision).await?;
        Ok(Response::new(proto::QueryAggregateResponse {
            revision: number(snapshot.revision),
            rows: rows[range].iter().map(|row| responses::aggregate_row(&snapshot.catalogue, row)).collect(),
            next_page_token,
        }))
    }

    async fn explain_figure(
        &self,
        request: Request<proto::ExplainFigureRequest>,
    ) -> Result<Response<proto::ExplainFigureResponse>, Status> {
        let context = self.gate.context()?;
        let session = reading(context, &request)?;
        let bytes_max = status::error_bytes(request.metadata());
        let request = request.into_inner();
        let state = context.state_at_least(request.min_revision).await?;
        let permit = session.compute_permit().await;
        let mut violations = Violations::default();
        review_min_revision(request.min_revision, &mut violations);
        let as_of_time = request.as_of_time.as_ref();
        let snapshot = Snapshot::asked(context, state, request.as_of_revision, as_of_time, &mut violations);
        let view = snapshot.view(AreasAsOf::Then);
        let question = queries::explain(view, &request, &mut violations);
        let explained = explain::explain(view, checked(question, &violations, bytes_max)?);
        let contributions = explained.contributions.iter().take(CONTRIBUTIONS_MAX);
        drop(permit);
        session.audit_read_of(request.scope(), snapshot.revision).await?;
        Ok(Response::new(proto::ExplainFigureResponse {
            revision: number(snapshot.revision),
            figure: Some(convert::figure(&snapshot.catalogue, &explained.figure)),
            derivation: responses::derivation(explained.derivation).into(),
            contributions: contributions
                .map(|one| responses::contribution(&snapshot.state, &snapshot.catalogue, one))
                .collect(),
            contribution_count: count(explained.contributions.len()),
            indicator: Some(convert::indicator(&explained.version)),
            rule: explained.rule,
            formula: explained.formula,
        }))
    }

    async fn get_history(
        &self,
        request: Request<proto::GetHistoryRequest>,
    ) -> Result<Response<proto::GetHistoryResponse>, Status> {
        let context = self.gate.context()?;
        let session = reading(context, &request)?;
        let permit = session.compute_permit().await;
        let bytes_max = status::error_bytes(request.metadata());
        let mut violations = Violations::default();
        let snapshot = Snapshot::newest(context, context.newest());
        let view = snapshot.view(AreasAsOf::Then);
        let asked = queries::history(view, request.get_ref(), &mut violations);
        let (indicator, period, key) = checked(asked, &violations, bytes_max)?;
        let slab = view.columns.slab(indicator, period);
        let items = slab.zip(key).into_iter().flat_map(|(slab, key)| {
            slab.history(key).map(|row| history_item(&snapshot, slab, &row)).collect::<Vec<_>>()
        });
        drop(permit);
        session.audit_read_of(request.get_ref().scope(), snapshot.revision).await?;
        Ok(Response::new(proto::GetHistoryResponse { revision: number(snapshot.revision), items: items.collect() }))
    }

    async fn get_completeness(
        &self,
        request: Request<proto::GetCompletenessRequest>,
    ) -> Result<Response<proto::GetCompletenessResponse>, Status> {
        let context = self.gate.context()?;
        let session = reading(context, &request)?;
        let permit = session.compute_permit().await;
        let bytes_max = status::error_bytes(request.metadata());
        let request = request.into_inner();
        let mut violations = Violations::default();
        let cleared = proto::GetCompletenessRequest { page_size: 0, page_token: String::new(), ..request.clone() };
        let paging = page::Query::of("GetCompleteness", &cleared);
        let start = paging.start(&request.page_token, &mut violations);
        let size = page::size(request.page_size, ROWS_DEFAULT, ROWS_MAX, &mut violations);
        let as_of_revision = start.as_ref().map_or(request.as_of_revision, |start| number(start.revision));
        let as_of_time = request.as_of_time.as_ref().filter(|_| start.is_none());
        let snapshot = Snapshot::asked(context, context.newest(), as_of_revision, as_of_time, &mut violations);
        let view = snapshot.view(AreasAsOf::Then);
        let question = queries::completeness(view, &request, &mut violations);
        let question = checked(question, &violations, bytes_max)?;
        let Some(mut slots) = completeness::slots(view, &question, &|revision| snapshot.state.accepted_at(revision))
        else {
            let what = format!(
                "more than {QUERY_CELLS_MAX} figures are owed; allowed: fewer. Ask for fewer periods or indicators"
            );
            violations.add("periods", what);
            return Err(status::invalid(&violations, bytes_max));
        };
        let id = |agency: AgencyIx| snapshot.catalogue.agency_at(agency).id.to_string();
        let mut rates: Vec<_> = completeness::rates(&slots)
            .into_iter()
            .map(|((agency, period), rate)| (id(agency), period, rate))
            .collect();
        rates.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        slots.retain(|slot| !request.late_only || slot.status == SlotStatus::Late);
        let (range, next_page_token) = paging.slice(start.as_ref(), slots.len(), size, snapshot.revision);
        drop(permit);
        Ok(Response::new(proto::GetCompletenessResponse {
            revision: number(snapshot.revision),
            slots: slots[range].iter().map(|slot| responses::slot(&snapshot.catalogue, slot)).collect(),
            rates: rates
                .into_iter()
                .map(|(agency, period, rate)| responses::reporting_rate(agency, period, &rate))
                .collect(),
            next_page_token,
        }))
    }

    async fn reconcile(
        &self,
        request: Request<proto::ReconcileRequest>,
    ) -> Result<Response<proto::ReconcileResponse>, Status> {
        let context = self.gate.context()?;
        let session = reading(context, &request)?;
        let permit = session.compute_permit().await;
        let bytes_max = status::error_bytes(request.metadata());
        let request = request.into_inner();
        let mut violations = Violations::default();
        let as_of_time = request.as_of_time.as_ref();
        let snapshot = Snapshot::asked(context, context.newest(), request.as_of_revision, as_of_time, &mut violations);
        let view = snapshot.view(AreasAsOf::Then);
        let asked = queries::reconcile(view, &request, &mut violations);
        let (rules, areas, periods) = checked(asked, &violations, bytes_max)?;
        let pairs = rules.into_iter().flat_map(|rule| reconcile::pairs(view, rule, &areas, &periods));
        let told: Vec<_> = pairs
            .filter(|pair| request.include_agreeing || pair.status != reconcile::Status::Agrees)
            .take(ROWS_MAX + 1)
            .collect();
        if told.len() > ROWS_MAX {
            violations
                .add("periods", format!("more than {ROWS_MAX} pairs; allowed: fewer. Ask for fewer periods or areas"));
            return Err(status::invalid(&violations, bytes_max));
        }
        drop(permit);
        session.audit_read_of(request.scope(), snapshot.revision).await?;
        Ok(Response::new(proto::ReconcileResponse {
            revision: number(snapshot.revision),
            rows: told.iter().map(|pair| responses::pair(&snapshot.catalogue, pair)).collect(),
        }))
    }

    type WatchPictureStream = Pin<Box<dyn Stream<Item = Result<proto::WatchPictureResponse, Status>> + Send>>;

    async fn watch_picture(
        &self,
        request: Request<proto::WatchPictureRequest>,
    ) -> Result<Response<Self::WatchPictureStream>, Status> {
        call::unary(&self.gate, request, |Call { context, session, message, .. }| async move {
            let scope = message.scope();
            let proto::WatchPictureRequest { picture, after_revision } = message;
            let question = watch::PictureQuestion::of(picture.unwrap_or_default());
            let reader = watch::Audited { session, scope };
            let stream = watch::start(context, &self.watchers, question, reader, after_revision)?;
            Ok(Box::pin(stream) as Self::WatchPictureStream)
        })
        .await
    }

    type WatchAggregateStream = Pin<Box<dyn Stream<Item = Result<proto::WatchAggregateResponse, Status>> + Send>>;

    async fn watch_aggregate(
        &self,
        request: Request<proto::WatchAggregateRequest>,
    ) -> Result<Response<Self::WatchAggregateStream>, Status> {
        call::unary(&self.gate, request, |Call { context, session, message, .. }| async move {
            let scope = message.scope();
            let proto::WatchAggregateRequest { query, after_revision } = message;
            let question = watch::AggregateQuestion::of(query.unwrap_or_default());
            let reader = watch::Audited { session, scope };
            let stream = watch::start(context, &self.watchers, question, reader, after_revision)?;
            Ok(Box::pin(stream) as Self::WatchAggregateStream)
        })
        .await
    }
}

fn reading<Q: Subject>(context: &Context, request: &Request<Q>) -> Result<Session, Status> {
    let session = Session::of(request)?;
    let (state, today) = (context.newest(), (context.clock)().date());
    session.permit(request.get_ref().resource(state.catalogue(), today))?;
    Ok(session)
}

fn review_min_revision(min_revision: i64, violations: &mut Violations) {
    if min_revision < 0 {
        violations.add("min_revision", format!("found {min_revision}; allowed: 0 or more"));
    }
}

/// The question, when nothing is wrong with it.
fn checked<T>(question: Option<T>, violations: &Violations, bytes_max: usize) -> Result<T, Status> {
    question.filter(|_| violations.is_empty()).ok_or_else(|| status::invalid(violations, bytes_max))
}

fn history_item(
    snapshot: &Snapshot,
    slab: &crate::state::columns::Slab,
    row: &crate::state::columns::Row,
) -> proto::HistoryItem {
    let source = slab.source(row);
    let value = row.value();
    let event = match value {
        None => proto::HistoryEvent::Withdrawn,
        Some(_) if source != row.revision() => proto::HistoryEvent::Restored,
        Some(_) => proto::HistoryEvent::Submitted,
    };
    let submission = value.and_then(|_| snapshot.state.submission_at(source));
    proto::HistoryItem {
        revision: number(row.revision()),
        accepted_at: snapshot.state.accepted_at(row.revision()).map(convert::timestamp),
        event: event.into(),
        value: value.map(|value| value.to_string()).unwrap_or_default(),
        markers: convert::markers(row.markers()),
        sample: row.is_sample(),
        request_id: submission.map(|record| record.request_id.to_string()).unwrap_or_default(),
        source: submission.map(|record| record.source.clone()).unwrap_or_default(),
    }
}
