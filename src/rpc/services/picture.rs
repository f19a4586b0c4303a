//! The picture service: answers out.

use std::fmt::Display;

use tonic::{Request, Response, Status};

use super::read::{self, At, Basis, ROWS_MAX, Read};
use super::watch;
use crate::catalogue::items::ReconciliationRule;
use crate::catalogue::{AgencyIx, AreaIx, IndicatorIx};
use crate::model::period::Period;
use crate::model::violation::Violations;
use crate::picture::completeness::{self, Status as SlotStatus};
use crate::picture::question::{AggregateQuery, PictureQuery, QUERY_CELLS_MAX};
use crate::picture::{answer, explain, reconcile};
use crate::rpc::call;
use crate::rpc::convert::{self, queries, responses};
use crate::rpc::page::{Paging, Query};
use crate::rpc::proto::picture_service_server::PictureService;
use crate::rpc::{Gate, count, proto};
use crate::state::columns::RowKey;
use crate::state::view::View;

const CONTRIBUTIONS_MAX: usize = 1_000;

/// Serves `conspectus.v1.PictureService`.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    gate: Gate,
    watchers: watch::Watchers,
}

impl Picture {
    /// The service behind a gate.
    pub(crate) fn new(gate: Gate) -> Self {
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

    type WatchPictureStream = watch::Messages<proto::WatchPictureResponse>;

    async fn watch_picture(
        &self,
        request: Request<proto::WatchPictureRequest>,
    ) -> Result<Response<Self::WatchPictureStream>, Status> {
        call::unary(&self.gate, request, |call| watch::start(&self.watchers, call)).await
    }

    type WatchAggregateStream = watch::Messages<proto::WatchAggregateResponse>;

    async fn watch_aggregate(
        &self,
        request: Request<proto::WatchAggregateRequest>,
    ) -> Result<Response<Self::WatchAggregateStream>, Status> {
        call::unary(&self.gate, request, |call| watch::start(&self.watchers, call)).await
    }
}

impl Read for proto::GetPictureRequest {
    type Question<'a> = PictureQuery;
    type Answer = proto::GetPictureResponse;

    fn basis(&self) -> Basis<'_> {
        Basis {
            min_revision: self.min_revision,
            as_of_revision: self.as_of_revision,
            as_of_time: self.as_of_time.as_ref(),
            areas_as_of: self.areas_as_of,
        }
    }

    fn question<'a>(&self, view: View<'a>, violations: &mut Violations) -> Option<PictureQuery> {
        queries::picture(view, self, violations)
    }

    fn answer(&self, query: PictureQuery, at: &At<'_>) -> Result<Self::Answer, Violations> {
        let rows = answer::picture(at.view, &query);
        Ok(proto::GetPictureResponse {
            revision: at.revision(),
            area: Some(convert::area(at.catalogue().area_at(query.area))),
            period: query.period.to_string(),
            rows: rows.iter().map(|row| responses::picture_row(at.catalogue(), row)).collect(),
        })
    }
}

impl Read for proto::QueryAggregateRequest {
    type Question<'a> = AggregateQuery;
    type Answer = proto::QueryAggregateResponse;

    fn basis(&self) -> Basis<'_> {
        Basis {
            min_revision: self.min_revision,
            as_of_revision: self.as_of_revision,
            as_of_time: self.as_of_time.as_ref(),
            areas_as_of: self.areas_as_of,
        }
    }

    fn paging(&self) -> Option<Paging<'_>> {
        let cleared = Self { page_size: 0, page_token: String::new(), min_revision: 0, ..self.clone() };
        Some(Paging { query: Query::of("QueryAggregate", &cleared), size: self.page_size, token: &self.page_token })
    }

    fn question<'a>(&self, view: View<'a>, violations: &mut Violations) -> Option<AggregateQuery> {
        queries::aggregate(view, self, violations)
    }

    fn answer(&self, query: AggregateQuery, at: &At<'_>) -> Result<Self::Answer, Violations> {
        let rows = answer::aggregate(at.view, &query);
        let (range, next_page_token) = at.slice(rows.len());
        Ok(proto::QueryAggregateResponse {
            revision: at.revision(),
            rows: rows[range].iter().map(|row| responses::aggregate_row(at.catalogue(), row)).collect(),
            next_page_token,
        })
    }
}

impl Read for proto::ExplainFigureRequest {
    type Question<'a> = explain::Question;
    type Answer = proto::ExplainFigureResponse;

    fn basis(&self) -> Basis<'_> {
        Basis {
            min_revision: self.min_revision,
            as_of_revision: self.as_of_revision,
            as_of_time: self.as_of_time.as_ref(),
            ..Basis::default()
        }
    }

    fn question<'a>(&self, view: View<'a>, violations: &mut Violations) -> Option<explain::Question> {
        queries::explain(view, self, violations)
    }

    fn answer(&self, question: explain::Question, at: &At<'_>) -> Result<Self::Answer, Violations> {
        let explained = explain::explain(at.view, question);
        let contributions = explained.contributions.iter().take(CONTRIBUTIONS_MAX);
        Ok(proto::ExplainFigureResponse {
            revision: at.revision(),
            figure: Some(convert::figure(at.catalogue(), &explained.figure)),
            derivation: responses::derivation(explained.derivation).into(),
            contributions: contributions
                .map(|one| responses::contribution(&at.snapshot.state, at.catalogue(), one))
                .collect(),
            contribution_count: count(explained.contributions.len()),
            indicator: Some(convert::indicator(&explained.version)),
            rule: explained.rule,
            formula: explained.formula,
        })
    }
}

impl Read for proto::GetHistoryRequest {
    type Question<'a> = (IndicatorIx, Period, Option<RowKey>);
    type Answer = proto::GetHistoryResponse;

    fn question<'a>(&self, view: View<'a>, violations: &mut Violations) -> Option<Self::Question<'a>> {
        queries::history(view, self, violations)
    }

    fn answer(&self, (indicator, period, key): Self::Question<'_>, at: &At<'_>) -> Result<Self::Answer, Violations> {
        let slab = at.view.columns.slab(indicator, period);
        let items = slab.zip(key).into_iter().flat_map(|(slab, key)| {
            let item = |row| responses::history_item(&at.snapshot.state, slab, &row);
            slab.history(key).map(item).collect::<Vec<_>>()
        });
        Ok(proto::GetHistoryResponse { revision: at.revision(), items: items.collect() })
    }
}

impl Read for proto::GetCompletenessRequest {
    type Question<'a> = completeness::Question;
    type Answer = proto::GetCompletenessResponse;

    /// It says which figures are there, not what they are.
    const HOLDS_FIGURES: bool = false;

    fn basis(&self) -> Basis<'_> {
        Basis { as_of_revision: self.as_of_revision, as_of_time: self.as_of_time.as_ref(), ..Basis::default() }
    }

    fn paging(&self) -> Option<Paging<'_>> {
        let cleared = Self { page_size: 0, page_token: String::new(), ..self.clone() };
        Some(Paging { query: Query::of("GetCompleteness", &cleared), size: self.page_size, token: &self.page_token })
    }

    fn question<'a>(&self, view: View<'a>, violations: &mut Violations) -> Option<completeness::Question> {
        queries::completeness(view, self, violations)
    }

    fn answer(&self, question: completeness::Question, at: &At<'_>) -> Result<Self::Answer, Violations> {
        let slots = completeness::slots(at.view, &question, &|revision| at.snapshot.state.accepted_at(revision));
        let mut slots = slots.ok_or_else(|| {
            let found = format!("more than {QUERY_CELLS_MAX} figures are expected");
            too_many(format!("{found}; allowed: fewer. Ask for fewer periods or indicators"))
        })?;
        let id = |agency: AgencyIx| at.catalogue().agency_at(agency).id.to_string();
        let rates = completeness::rates(&slots).into_iter();
        let mut rates: Vec<_> = rates.map(|((agency, period), rate)| (id(agency), period, rate)).collect();
        rates.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        slots.retain(|slot| !self.late_only || slot.status == SlotStatus::Late);
        let (range, next_page_token) = at.slice(slots.len());
        Ok(proto::GetCompletenessResponse {
            revision: at.revision(),
            slots: slots[range].iter().map(|slot| responses::slot(at.catalogue(), slot)).collect(),
            rates: rates
                .into_iter()
                .map(|(agency, period, rate)| responses::reporting_rate(agency, period, &rate))
                .collect(),
            next_page_token,
        })
    }
}

impl Read for proto::ReconcileRequest {
    type Question<'a> = (Vec<&'a ReconciliationRule>, Vec<AreaIx>, Vec<Period>);
    type Answer = proto::ReconcileResponse;

    fn basis(&self) -> Basis<'_> {
        Basis { as_of_revision: self.as_of_revision, as_of_time: self.as_of_time.as_ref(), ..Basis::default() }
    }

    fn question<'a>(&self, view: View<'a>, violations: &mut Violations) -> Option<Self::Question<'a>> {
        queries::reconcile(view, self, violations)
    }

    fn answer(&self, (rules, areas, periods): Self::Question<'_>, at: &At<'_>) -> Result<Self::Answer, Violations> {
        let pairs = rules.into_iter().flat_map(|rule| reconcile::pairs(at.view, rule, &areas, &periods));
        let rows: Vec<_> = pairs
            .filter(|pair| self.include_agreeing || pair.status != reconcile::Status::Agrees)
            .take(ROWS_MAX + 1)
            .map(|pair| responses::pair(at.catalogue(), &pair))
            .collect();
        if rows.len() > ROWS_MAX {
            return Err(too_many(format!(
                "more than {ROWS_MAX} pairs; allowed: fewer. Ask for fewer periods or areas"
            )));
        }
        Ok(proto::ReconcileResponse { revision: at.revision(), rows })
    }
}

fn too_many(what: impl Display) -> Violations {
    let mut violations = Violations::default();
    violations.add("periods", what);
    violations
}
