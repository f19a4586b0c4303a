//! The picture service: queries of figures.

use std::fmt::Display;

use tonic::{Request, Response, Status};

use super::read::{self, AnswerInput, Read};
use super::watch;
use crate::catalogue::AgencyIx;
use crate::model::violation::Violations;
use crate::picture::answer;
use crate::picture::completeness::{self, Completeness, CompletenessQuery, Status as SlotStatus};
use crate::picture::explain::{self, ExplainQuery};
use crate::picture::history::{self, HistoryQuery};
use crate::picture::question::{AggregateQuery, PictureQuery, QUERY_CELLS_MAX};
use crate::picture::reconcile::{self, ReconcileQuery};
use crate::rpc::call;
use crate::rpc::convert::{self, queries, responses};
use crate::rpc::guard::AuditScope as _;
use crate::rpc::page::{Paging, ROWS, TokenBinding};
use crate::rpc::proto::picture_service_server::PictureService;
use crate::rpc::{Gate, count, proto};
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
}

#[tonic::async_trait]
impl PictureService for Picture {
    async fn get_picture(
        &self,
        request: Request<proto::GetPictureRequest>,
    ) -> Result<Response<proto::GetPictureResponse>, Status> {
        read::unary(&self.gate, request).await
    }

    async fn query_aggregate(
        &self,
        request: Request<proto::QueryAggregateRequest>,
    ) -> Result<Response<proto::QueryAggregateResponse>, Status> {
        read::unary(&self.gate, request).await
    }

    async fn explain_figure(
        &self,
        request: Request<proto::ExplainFigureRequest>,
    ) -> Result<Response<proto::ExplainFigureResponse>, Status> {
        read::unary(&self.gate, request).await
    }

    async fn get_history(
        &self,
        request: Request<proto::GetHistoryRequest>,
    ) -> Result<Response<proto::GetHistoryResponse>, Status> {
        read::unary(&self.gate, request).await
    }

    async fn get_completeness(
        &self,
        request: Request<proto::GetCompletenessRequest>,
    ) -> Result<Response<proto::GetCompletenessResponse>, Status> {
        read::unary(&self.gate, request).await
    }

    async fn reconcile(
        &self,
        request: Request<proto::ReconcileRequest>,
    ) -> Result<Response<proto::ReconcileResponse>, Status> {
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
    type Answer = proto::GetPictureResponse;

    const GROWS_WITH: &'static [&'static str] = &["indicators"];

    fn query<'a>(&self, view: View<'a>, violations: &mut Violations) -> Option<PictureQuery> {
        queries::picture(view, self, violations)
    }

    fn answer(&self, query: PictureQuery, input: &AnswerInput<'_>) -> Result<Self::Answer, Violations> {
        let rows = answer::picture(input.view, &query);
        Ok(proto::GetPictureResponse {
            revision: input.revision(),
            as_of: input.as_of(),
            area: Some(convert::catalogue::area(input.catalogue().area_at(query.area))),
            period: query.period.to_string(),
            rows: rows.iter().map(|row| responses::picture_row(input.catalogue(), row)).collect(),
        })
    }
}

impl Read for proto::QueryAggregateRequest {
    type Query<'a> = AggregateQuery;
    type Answer = proto::QueryAggregateResponse;

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

    fn answer(&self, query: AggregateQuery, input: &AnswerInput<'_>) -> Result<Self::Answer, Violations> {
        let rows = answer::aggregate(input.view, &query);
        let (rows, next_page_token) = input.rows(&rows, |row| responses::aggregate_row(input.catalogue(), row));
        Ok(proto::QueryAggregateResponse { revision: input.revision(), as_of: input.as_of(), rows, next_page_token })
    }
}

impl Read for proto::ExplainFigureRequest {
    type Query<'a> = ExplainQuery;
    type Answer = proto::ExplainFigureResponse;

    const GROWS_WITH: &'static [&'static str] = &["area", "period", "agency"];

    fn query<'a>(&self, view: View<'a>, violations: &mut Violations) -> Option<ExplainQuery> {
        queries::explain(view, self, violations)
    }

    fn answer(&self, query: ExplainQuery, input: &AnswerInput<'_>) -> Result<Self::Answer, Violations> {
        let explained = explain::explain(input.view, query);
        let contributions = explained.contributions.iter().take(CONTRIBUTIONS_MAX);
        Ok(proto::ExplainFigureResponse {
            revision: input.revision(),
            as_of: input.as_of(),
            figure: Some(responses::figure(input.catalogue(), &explained.figure)),
            derivation: responses::derivation(explained.derivation).into(),
            contributions: contributions
                .map(|one| responses::contribution(&input.snapshot.state, input.catalogue(), one))
                .collect(),
            contribution_count: count(explained.contributions.len()),
            indicator: Some(convert::catalogue::indicator(&explained.version)),
            rule: explained.rule,
            formula: explained.formula,
        })
    }
}

impl Read for proto::GetHistoryRequest {
    type Query<'a> = HistoryQuery;
    type Answer = proto::GetHistoryResponse;

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

    fn answer(&self, query: HistoryQuery, input: &AnswerInput<'_>) -> Result<Self::Answer, Violations> {
        let items = history::history(input.view, &query);
        let (items, next_page_token) = input.rows(&items, |item| responses::history_item(&input.snapshot.state, item));
        Ok(proto::GetHistoryResponse { revision: input.revision(), items, next_page_token })
    }
}

impl Read for proto::GetCompletenessRequest {
    type Query<'a> = CompletenessQuery;
    type Answer = proto::GetCompletenessResponse;

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

    fn answer(&self, query: CompletenessQuery, input: &AnswerInput<'_>) -> Result<Self::Answer, Violations> {
        let found = completeness::completeness(input.view, &query);
        let Completeness { mut slots, rates, mismatches } = found.ok_or_else(|| {
            let found = format!("more than {QUERY_CELLS_MAX} figures are expected");
            too_many(format!("{found}; allowed: fewer. Ask for fewer periods or indicators"))
        })?;
        let id = |agency: AgencyIx| input.catalogue().agency_at(agency).id.to_string();
        let mut rates: Vec<_> = rates.into_iter().map(|((agency, period), rate)| (id(agency), period, rate)).collect();
        rates.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        slots.retain(|slot| !self.late_only || slot.status == SlotStatus::Late);
        let (slots, next_page_token) = input.rows(&slots, |slot| responses::slot(input.catalogue(), slot));
        Ok(proto::GetCompletenessResponse {
            revision: input.revision(),
            as_of: input.as_of(),
            slots,
            rates: rates
                .into_iter()
                .map(|(agency, period, rate)| responses::reporting_rate(agency, period, &rate))
                .collect(),
            next_page_token,
            period_mismatches: mismatches.iter().map(|it| responses::period_mismatch(input.catalogue(), it)).collect(),
        })
    }
}

impl Read for proto::ReconcileRequest {
    type Query<'a> = ReconcileQuery<'a>;
    type Answer = proto::ReconcileResponse;

    const GROWS_WITH: &'static [&'static str] = &["rules", "areas", "periods"];

    fn query<'a>(&self, view: View<'a>, violations: &mut Violations) -> Option<ReconcileQuery<'a>> {
        queries::reconcile(view, self, violations)
    }

    fn answer(&self, query: ReconcileQuery<'_>, input: &AnswerInput<'_>) -> Result<Self::Answer, Violations> {
        let rows: Vec<_> = reconcile::pairs(input.view, &query)
            .filter(|pair| self.include_agreeing || pair.status != reconcile::Status::Agrees)
            .take(ROWS.max + 1)
            .map(|pair| responses::pair(input.catalogue(), &pair))
            .collect();
        if rows.len() > ROWS.max {
            let found = format!("more than {} pairs", ROWS.max);
            return Err(too_many(format!("{found}; allowed: fewer. Ask for fewer periods or areas")));
        }
        Ok(proto::ReconcileResponse { revision: input.revision(), rows, as_of: input.as_of() })
    }
}

fn too_many(what: impl Display) -> Violations {
    let mut violations = Violations::default();
    violations.add("periods", what);
    violations
}
