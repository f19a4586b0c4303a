//! The picture service: queries of figures.

use std::fmt::Display;

use tonic::{Request, Response, Status};

use super::read::{self, AnswerInput, Read};
use super::watch;
use crate::catalogue::AgencyIx;
use crate::model::protobuf::Writer;
use crate::model::violation::Violations;
use crate::picture::answer;
use crate::picture::changes::{self, ChangeKey, ChangesQuery, FigureChange};
use crate::picture::completeness::{self, Completeness, CompletenessQuery, Status as SlotStatus};
use crate::picture::explain::{self, ExplainQuery};
use crate::picture::history::{self, HistoryQuery};
use crate::picture::question::{AggregateQuery, PictureQuery, QUERY_CELLS_MAX};
use crate::picture::reconcile::{self, ReconcileQuery};
use crate::rpc::call;
use crate::rpc::convert::rows::Rows;
use crate::rpc::convert::{queries, responses};
use crate::rpc::guard::AuditScope as _;
use crate::rpc::page::{self, Paging, ROWS, TokenBinding};
use crate::rpc::proto::picture_service_server::PictureService;
use crate::rpc::{Encoded, Gate, Guard, catalogue_items, count, proto};
use crate::state::view::View;

const CONTRIBUTIONS_MAX: usize = 1_000;

/// Serves `conspectus.v1.PictureService`.
#[derive(Debug, Clone)]
pub struct Picture {
    gate: Gate,
    watchers: watch::Watchers,
}

impl Picture {
    /// The service behind a gate.
    pub fn new(gate: Gate) -> Self {
        Self { gate, watchers: watch::Watchers::default() }
    }

    /// The same, on the places for watchers that a guard knows of.
    pub(crate) fn behind(gate: Gate, guard: &Guard) -> Self {
        Self { gate, watchers: watch::Watchers::on(guard.watchers().clone()) }
    }
}

#[tonic::async_trait]
impl PictureService for Picture {
    async fn get_picture(&self, request: Request<proto::GetPictureRequest>) -> Result<Response<Encoded>, Status> {
        read::unary(&self.gate, request).await
    }

    async fn query_aggregate(
        &self,
        request: Request<proto::QueryAggregateRequest>,
    ) -> Result<Response<Encoded>, Status> {
        read::unary(&self.gate, request).await
    }

    async fn explain_figure(&self, request: Request<proto::ExplainFigureRequest>) -> Result<Response<Encoded>, Status> {
        read::unary(&self.gate, request).await
    }

    async fn get_history(&self, request: Request<proto::GetHistoryRequest>) -> Result<Response<Encoded>, Status> {
        read::unary(&self.gate, request).await
    }

    async fn list_changes(&self, request: Request<proto::ListChangesRequest>) -> Result<Response<Encoded>, Status> {
        read::unary(&self.gate, request).await
    }

    async fn get_completeness(
        &self,
        request: Request<proto::GetCompletenessRequest>,
    ) -> Result<Response<Encoded>, Status> {
        read::unary(&self.gate, request).await
    }

    async fn reconcile(&self, request: Request<proto::ReconcileRequest>) -> Result<Response<Encoded>, Status> {
        read::unary(&self.gate, request).await
    }

    type WatchPictureStream = watch::Messages;

    async fn watch_picture(
        &self,
        request: Request<proto::WatchPictureRequest>,
    ) -> Result<Response<Self::WatchPictureStream>, Status> {
        call::unary(&self.gate, request, |call| watch::start(&self.watchers, call)).await
    }

    type WatchAggregateStream = watch::Messages;

    async fn watch_aggregate(
        &self,
        request: Request<proto::WatchAggregateRequest>,
    ) -> Result<Response<Self::WatchAggregateStream>, Status> {
        call::unary(&self.gate, request, |call| watch::start(&self.watchers, call)).await
    }
}

impl Read for proto::GetPictureRequest {
    type Query<'a> = PictureQuery;

    const GROWS_WITH: &'static [&'static str] = &["indicators"];

    fn query<'a>(&self, view: View<'a>, violations: &mut Violations) -> Option<PictureQuery> {
        queries::picture(view, self, violations)
    }

    fn answer(&self, query: PictureQuery, input: &AnswerInput<'_>) -> Result<Writer, Violations> {
        let mut out = Writer::default();
        out.fields(&proto::GetPictureResponse {
            revision: input.revision(),
            area: Some(catalogue_items::area(input.catalogue().area_at(query.area))),
            period: query.period.to_string(),
            ..Default::default()
        });
        let rows = Rows::of(input.catalogue());
        let picture = answer::picture(input.view, &query);
        input.rows(&mut out, &picture, |out, row| out.message(4, |out| rows.picture_row(out, row)));
        out.fields(&proto::GetPictureResponse { as_of: input.as_of(), ..Default::default() });
        Ok(out)
    }
}

impl Read for proto::QueryAggregateRequest {
    type Query<'a> = AggregateQuery;

    const GROWS_WITH: &'static [&'static str] = &["indicators", "areas", "periods", "agencies"];

    fn paging(&self) -> Option<Paging<'_>> {
        let cleared = Self {
            page_size: 0,
            page_token: String::new(),
            min_revision: 0,
            as_of_revision: 0,
            as_of_time: None,
            ..self.clone()
        };
        Some(Paging {
            binding: TokenBinding::of("QueryAggregate", &cleared),
            size: self.page_size,
            token: self.requested_state().page_token,
        })
    }

    fn query<'a>(&self, view: View<'a>, violations: &mut Violations) -> Option<AggregateQuery> {
        queries::aggregate(view, self, violations)
    }

    fn answer(&self, query: AggregateQuery, input: &AnswerInput<'_>) -> Result<Writer, Violations> {
        let mut out = Writer::default();
        out.fields(&proto::QueryAggregateResponse { revision: input.revision(), ..Default::default() });
        let rows = Rows::of(input.catalogue());
        let answer = answer::aggregate(input.view, &query);
        let next_page_token =
            input.rows(&mut out, &answer, |out, row| out.message(2, |out| rows.aggregate_row(out, row)));
        let as_of = input.as_of();
        out.fields(&proto::QueryAggregateResponse { next_page_token, as_of, ..Default::default() });
        Ok(out)
    }
}

impl Read for proto::ExplainFigureRequest {
    type Query<'a> = ExplainQuery;

    const GROWS_WITH: &'static [&'static str] = &["area", "period", "agency"];

    fn query<'a>(&self, view: View<'a>, violations: &mut Violations) -> Option<ExplainQuery> {
        queries::explain(view, self, violations)
    }

    fn answer(&self, query: ExplainQuery, input: &AnswerInput<'_>) -> Result<Writer, Violations> {
        let (explained, as_of) = (explain::explain(input.view, query), input.view.as_of);
        let contributions = explained.contributions.iter().take(CONTRIBUTIONS_MAX);
        let mut out = Writer::default();
        out.fields(&proto::ExplainFigureResponse { revision: input.revision(), ..Default::default() });
        out.message(2, |out| Rows::of(input.catalogue()).figure(out, &explained.figure));
        out.fields(&proto::ExplainFigureResponse {
            as_of: input.as_of(),
            derivation: responses::derivation(explained.derivation).into(),
            contributions: contributions
                .map(|one| {
                    let state = &input.snapshot.state;
                    responses::contribution(state, input.catalogue(), query.indicator, as_of, one)
                })
                .collect(),
            contribution_count: count(explained.contributions.len()),
            indicator: Some(catalogue_items::indicator(&explained.version)),
            rule: explained.rule,
            formula: explained.formula,
            ..Default::default()
        });
        Ok(out)
    }
}

impl Read for proto::GetHistoryRequest {
    type Query<'a> = HistoryQuery;

    const GROWS_WITH: &'static [&'static str] = &["page_size"];

    fn paging(&self) -> Option<Paging<'_>> {
        let cleared = Self { page_size: 0, page_token: String::new(), ..self.clone() };
        Some(Paging {
            binding: TokenBinding::of("GetHistory", &cleared),
            size: self.page_size,
            token: self.requested_state().page_token,
        })
    }

    fn query<'a>(&self, view: View<'a>, violations: &mut Violations) -> Option<HistoryQuery> {
        queries::history(view, self, violations)
    }

    fn answer(&self, query: HistoryQuery, input: &AnswerInput<'_>) -> Result<Writer, Violations> {
        let items = history::history(input.view, &query);
        let mut out = Writer::default();
        out.fields(&proto::GetHistoryResponse { revision: input.revision(), ..Default::default() });
        let next_page_token = input.rows(&mut out, &items, |out, item| {
            let state = &input.snapshot.state;
            out.message(2, |out| out.fields(&responses::history_item(state, query.figure(), input.view.as_of, item)));
        });
        out.fields(&proto::GetHistoryResponse { next_page_token, ..Default::default() });
        Ok(out)
    }
}

impl Read for proto::ListChangesRequest {
    type Query<'a> = ChangesQuery;

    const GROWS_WITH: &'static [&'static str] = &["page_size"];

    fn paging(&self) -> Option<Paging<'_>> {
        let cleared = Self { page_size: 0, page_token: String::new(), min_revision: 0, ..self.clone() };
        Some(Paging {
            binding: TokenBinding::of("ListChanges", &cleared),
            size: self.page_size,
            token: self.requested_state().page_token,
        })
    }

    fn query<'a>(&self, view: View<'a>, violations: &mut Violations) -> Option<ChangesQuery> {
        queries::changes(view, self, violations)
    }

    fn answer(&self, query: ChangesQuery, input: &AnswerInput<'_>) -> Result<Writer, Violations> {
        let after = match input.page.after() {
            None => None,
            Some(text) => Some(ChangeKey::parse(text).ok_or_else(|| {
                let mut violations = Violations::default();
                page::not_of_this_query(&mut violations);
                violations
            })?),
        };
        // One more says that there is a next page.
        let found = changes::changes(input.view, &query, after, input.page.size().saturating_add(1));
        let mut out = Writer::default();
        out.fields(&proto::ListChangesResponse { revision: input.revision(), ..Default::default() });
        let (view, of) = (input.view, input.snapshot.position());
        let write = |out: &mut Writer, change: &FigureChange| {
            out.message(2, |out| out.fields(&responses::figure_change(&input.snapshot.state, view, change)));
        };
        let next_page_token = input.page.fill_by(found, of, &mut out, |change| change.key.to_string(), write);
        out.fields(&proto::ListChangesResponse { next_page_token, ..Default::default() });
        Ok(out)
    }
}

impl Read for proto::GetCompletenessRequest {
    type Query<'a> = CompletenessQuery;

    const GROWS_WITH: &'static [&'static str] = &["area", "periods", "indicators", "agencies"];

    fn paging(&self) -> Option<Paging<'_>> {
        let cleared =
            Self { page_size: 0, page_token: String::new(), as_of_revision: 0, as_of_time: None, ..self.clone() };
        Some(Paging {
            binding: TokenBinding::of("GetCompleteness", &cleared),
            size: self.page_size,
            token: self.requested_state().page_token,
        })
    }

    fn query<'a>(&self, view: View<'a>, violations: &mut Violations) -> Option<CompletenessQuery> {
        queries::completeness(view, self, violations)
    }

    fn answer(&self, query: CompletenessQuery, input: &AnswerInput<'_>) -> Result<Writer, Violations> {
        let found = completeness::completeness(input.view, &query);
        let Completeness { mut slots, rates, mismatches } = found.ok_or_else(|| {
            let found = format!("more than {QUERY_CELLS_MAX} figures are expected");
            too_many(format!("{found}; allowed: fewer. Ask for fewer periods or indicators"))
        })?;
        let id = |agency: AgencyIx| input.catalogue().agency_at(agency).id.to_string();
        let mut rates: Vec<_> = rates.into_iter().map(|((agency, period), rate)| (id(agency), period, rate)).collect();
        rates.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        slots.retain(|slot| !self.late_only || slot.status == SlotStatus::Late);
        let mut out = Writer::default();
        out.fields(&proto::GetCompletenessResponse { revision: input.revision(), ..Default::default() });
        let next_page_token = input.rows(&mut out, &slots, |out, slot| {
            out.message(2, |out| out.fields(&responses::slot(input.catalogue(), slot)));
        });
        out.fields(&proto::GetCompletenessResponse {
            as_of: input.as_of(),
            rates: rates
                .into_iter()
                .map(|(agency, period, rate)| responses::reporting_rate(agency, period, &rate))
                .collect(),
            next_page_token,
            period_mismatches: mismatches.iter().map(|it| responses::period_mismatch(input.catalogue(), it)).collect(),
            ..Default::default()
        });
        Ok(out)
    }
}

impl Read for proto::ReconcileRequest {
    type Query<'a> = ReconcileQuery<'a>;

    const GROWS_WITH: &'static [&'static str] = &["rules", "areas", "periods"];

    fn query<'a>(&self, view: View<'a>, violations: &mut Violations) -> Option<ReconcileQuery<'a>> {
        queries::reconcile(view, self, violations)
    }

    fn answer(&self, query: ReconcileQuery<'_>, input: &AnswerInput<'_>) -> Result<Writer, Violations> {
        let mut found = 0;
        let pairs = reconcile::pairs(input.view, &query)
            .filter(|pair| self.include_agreeing || pair.status != reconcile::Status::Agrees)
            .take(ROWS.max + 1)
            .inspect(|_| found += 1);
        let mut out = Writer::default();
        out.fields(&proto::ReconcileResponse { revision: input.revision(), ..Default::default() });
        let rows = Rows::of(input.catalogue());
        input.rows(&mut out, pairs, |out, pair| out.message(2, |out| rows.pair(out, pair)));
        if found > ROWS.max {
            let found = format!("more than {} pairs", ROWS.max);
            return Err(too_many(format!("{found}; allowed: fewer. Ask for fewer periods or areas")));
        }
        out.fields(&proto::ReconcileResponse { as_of: input.as_of(), ..Default::default() });
        Ok(out)
    }
}

fn too_many(what: impl Display) -> Violations {
    let mut violations = Violations::default();
    violations.add("periods", what);
    violations
}
