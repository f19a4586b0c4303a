//! The catalogue service: who reports, for where, what is counted.

use std::fmt::Display;
use std::str::FromStr;

use tonic::{Request, Response, Status};

use crate::catalogue::items::Indicator;
use crate::catalogue::{self, PutOutcome};
use crate::intake::admit::Decision;
use crate::intake::writer::Written;
use crate::model::id::{AgencyId, AreaCode, DimensionId, IndicatorId, RuleId};
use crate::model::violation::Violations;
use crate::rpc::call::{self, Call, Refusal};
use crate::rpc::convert::put_catalogue;
use crate::rpc::page::{self, Paging, TokenBinding};
use crate::rpc::proto::catalogue_service_server::CatalogueService;
use crate::rpc::status::{self, Reason};
use crate::rpc::{Context, Gate, as_of, convert, number, proto};

/// Serves `conspectus.v1.CatalogueService`.
#[derive(Debug, Clone)]
pub struct Catalogue(pub Gate);

#[tonic::async_trait]
impl CatalogueService for Catalogue {
    async fn put_catalogue(
        &self,
        request: Request<proto::PutCatalogueRequest>,
    ) -> Result<Response<proto::PutCatalogueResponse>, Status> {
        call::unary(&self.0, request, |Call { context, session, message, received, .. }| async move {
            let state = context.newest();
            let items = message.areas.len() + message.agencies.len() + message.indicators.len();
            let put = received.work(items, || put_catalogue::put(state.catalogue(), &message)).await??;
            drop(received);
            let (revision, outcomes) = if message.validate_only {
                let (Decision::Accept(_, outcomes) | Decision::Already(outcomes)) = context.validate(&state, &put)?;
                (state.catalogue_revision(), outcomes)
            } else {
                match context.writer.as_actor(session.actor()).write(put).await? {
                    Written::Accepted { revision, effect, .. } => (revision, effect),
                    Written::Already(outcomes) => (context.newest().catalogue_revision(), outcomes),
                }
            };
            let codes =
                |outcomes: &[PutOutcome]| outcomes.iter().map(|outcome| outcome_code(*outcome).into()).collect();
            Ok(proto::PutCatalogueResponse {
                revision: number(revision),
                areas: codes(&outcomes.areas),
                agencies: codes(&outcomes.agencies),
                dimensions: codes(&outcomes.dimensions),
                indicators: codes(&outcomes.indicators),
                reconciliation_rules: codes(&outcomes.reconciliation_rules),
            })
        })
        .await
    }

    async fn get_agency(
        &self,
        request: Request<proto::GetAgencyRequest>,
    ) -> Result<Response<proto::GetAgencyResponse>, Status> {
        call::unary(&self.0, request, |Call { context, message, .. }| async move {
            let (revision, agency) =
                context.get::<AgencyId, _>("id", &message.id, message.as_of_revision, |catalogue, id| {
                    catalogue.agency(id).map(|(_, agency)| convert::catalogue::agency(agency))
                })?;
            Ok(proto::GetAgencyResponse { revision, agency: Some(agency) })
        })
        .await
    }

    async fn list_agencies(
        &self,
        request: Request<proto::ListAgenciesRequest>,
    ) -> Result<Response<proto::ListAgenciesResponse>, Status> {
        call::unary(&self.0, request, |Call { context, message, .. }| async move {
            let (revision, agencies, next_page_token) = context.list(&message, |catalogue, after, take| {
                let after = after.and_then(|text| AgencyId::parse(text).ok());
                let agencies = catalogue.agencies_after(after.as_ref()).take(take);
                agencies.map(|agency| (agency.id.to_string(), convert::catalogue::agency(agency))).collect()
            })?;
            Ok(proto::ListAgenciesResponse { revision, agencies, next_page_token })
        })
        .await
    }

    async fn get_area(
        &self,
        request: Request<proto::GetAreaRequest>,
    ) -> Result<Response<proto::GetAreaResponse>, Status> {
        call::unary(&self.0, request, |Call { context, message, .. }| async move {
            let (revision, area) =
                context.get::<AreaCode, _>("code", &message.code, message.as_of_revision, |catalogue, code| {
                    catalogue.area(code).map(|(_, area)| convert::catalogue::area(area))
                })?;
            Ok(proto::GetAreaResponse { revision, area: Some(area) })
        })
        .await
    }

    async fn list_areas(
        &self,
        request: Request<proto::ListAreasRequest>,
    ) -> Result<Response<proto::ListAreasResponse>, Status> {
        call::unary(&self.0, request, |Call { context, message, .. }| async move {
            let (revision, areas, next_page_token) = context.list(&message, |catalogue, after, take| {
                let after = after.and_then(|text| AreaCode::parse(text).ok());
                let areas = catalogue.areas_after(after.as_ref()).take(take);
                areas.map(|area| (area.code.to_string(), convert::catalogue::area(area))).collect()
            })?;
            Ok(proto::ListAreasResponse { revision, areas, next_page_token })
        })
        .await
    }

    async fn get_dimension(
        &self,
        request: Request<proto::GetDimensionRequest>,
    ) -> Result<Response<proto::GetDimensionResponse>, Status> {
        call::unary(&self.0, request, |Call { context, message, .. }| async move {
            let (revision, dimension) =
                context.get::<DimensionId, _>("id", &message.id, message.as_of_revision, |catalogue, id| {
                    catalogue.dimension(id).map(convert::catalogue::dimension)
                })?;
            Ok(proto::GetDimensionResponse { revision, dimension: Some(dimension) })
        })
        .await
    }

    async fn list_dimensions(
        &self,
        request: Request<proto::ListDimensionsRequest>,
    ) -> Result<Response<proto::ListDimensionsResponse>, Status> {
        call::unary(&self.0, request, |Call { context, message, .. }| async move {
            let (revision, dimensions, next_page_token) = context.list(&message, |catalogue, after, take| {
                let after = after.and_then(|text| DimensionId::parse(text).ok());
                let dimensions = catalogue.dimensions_after(after.as_ref()).take(take);
                dimensions
                    .map(|dimension| (dimension.id.to_string(), convert::catalogue::dimension(dimension)))
                    .collect()
            })?;
            Ok(proto::ListDimensionsResponse { revision, dimensions, next_page_token })
        })
        .await
    }

    async fn get_indicator(
        &self,
        request: Request<proto::GetIndicatorRequest>,
    ) -> Result<Response<proto::GetIndicatorResponse>, Status> {
        call::unary(&self.0, request, |Call { context, message, .. }| async move {
            let (revision, versions) =
                context.get::<IndicatorId, _>("id", &message.id, message.as_of_revision, |catalogue, id| {
                    catalogue
                        .indicator(id)
                        .map(|(_, indicator)| indicator.versions().iter().map(convert::catalogue::indicator).collect())
                })?;
            Ok(proto::GetIndicatorResponse { revision, versions })
        })
        .await
    }

    async fn list_indicators(
        &self,
        request: Request<proto::ListIndicatorsRequest>,
    ) -> Result<Response<proto::ListIndicatorsResponse>, Status> {
        call::unary(&self.0, request, |Call { context, message, .. }| async move {
            let (revision, indicators, next_page_token) = context.list(&message, |catalogue, after, take| {
                let after = after.and_then(|text| IndicatorId::parse(text).ok());
                let indicators = catalogue.indicators_after(after.as_ref()).map(Indicator::newest).take(take);
                indicators.map(|version| (version.id.to_string(), convert::catalogue::indicator(version))).collect()
            })?;
            Ok(proto::ListIndicatorsResponse { revision, indicators, next_page_token })
        })
        .await
    }

    async fn get_reconciliation_rule(
        &self,
        request: Request<proto::GetReconciliationRuleRequest>,
    ) -> Result<Response<proto::GetReconciliationRuleResponse>, Status> {
        call::unary(&self.0, request, |Call { context, message, .. }| async move {
            let (revision, rule) =
                context.get::<RuleId, _>("id", &message.id, message.as_of_revision, |catalogue, id| {
                    catalogue.rule(id).map(convert::catalogue::reconciliation_rule)
                })?;
            Ok(proto::GetReconciliationRuleResponse { revision, reconciliation_rule: Some(rule) })
        })
        .await
    }

    async fn list_reconciliation_rules(
        &self,
        request: Request<proto::ListReconciliationRulesRequest>,
    ) -> Result<Response<proto::ListReconciliationRulesResponse>, Status> {
        call::unary(&self.0, request, |Call { context, message, .. }| async move {
            let (revision, reconciliation_rules, next_page_token) =
                context.list(&message, |catalogue, after, take| {
                    let after = after.and_then(|text| RuleId::parse(text).ok());
                    let rules = catalogue.rules_after(after.as_ref()).take(take);
                    rules.map(|rule| (rule.id.to_string(), convert::catalogue::reconciliation_rule(rule))).collect()
                })?;
            Ok(proto::ListReconciliationRulesResponse { revision, reconciliation_rules, next_page_token })
        })
        .await
    }
}

/// What the list requests have in common.
trait ListRequest {
    fn paging(&self) -> Paging<'_>;
    fn as_of_revision(&self) -> i64;
}

macro_rules! list_request {
    ($($Request:ident: $method:literal),+) => {$(
        impl ListRequest for proto::$Request {
            fn paging(&self) -> Paging<'_> {
                let cleared = Self { page_size: 0, page_token: String::new(), ..self.clone() };
                Paging { binding: TokenBinding::of($method, &cleared), size: self.page_size, token: &self.page_token }
            }

            fn as_of_revision(&self) -> i64 {
                self.as_of_revision
            }
        }
    )+};
}

list_request!(
    ListAgenciesRequest: "ListAgencies",
    ListAreasRequest: "ListAreas",
    ListDimensionsRequest: "ListDimensions",
    ListIndicatorsRequest: "ListIndicators",
    ListReconciliationRulesRequest: "ListReconciliationRules"
);

impl Context {
    fn get<I: FromStr<Err: Display>, T>(
        &self,
        field: &str,
        id: &str,
        as_of_revision: i64,
        find: impl FnOnce(&catalogue::Catalogue, &I) -> Option<T>,
    ) -> Result<(i64, T), Refusal> {
        let state = self.newest();
        let mut violations = Violations::default();
        let parsed = violations.check(field, id.parse::<I>());
        let revision = as_of(&state, as_of_revision, &mut violations);
        let parsed = parsed.filter(|_| violations.is_empty());
        let Some(parsed) = parsed else { return Err(violations.into()) };
        let found = find(&state.catalogue_as_of(revision), &parsed);
        let found = found.ok_or_else(|| {
            status::error(Reason::NotFound, format!("there is no `{id}` in the catalogue at revision {revision}"))
        })?;
        Ok((number(revision), found))
    }

    /// A page of the items that come after a key, at most so many, each with its own key.
    fn list<T>(
        &self,
        request: &impl ListRequest,
        items: impl FnOnce(&catalogue::Catalogue, Option<&str>, usize) -> Vec<(String, T)>,
    ) -> Result<(i64, Vec<T>, String), Refusal> {
        let state = self.newest();
        let mut violations = Violations::default();
        let page = request.paging().page(page::ITEMS, &mut violations);
        let newest = as_of(&state, request.as_of_revision(), &mut violations);
        violations.into_result(())?;
        let revision = page.revision().map_or(newest, |revision| revision.min(newest));
        let found = items(&state.catalogue_as_of(revision), page.after(), page.needed());
        let (found, next_page_token) = page.cut(found, revision, |(key, _)| key.clone());
        Ok((number(revision), found.into_iter().map(|(_, item)| item).collect(), next_page_token))
    }
}

fn outcome_code(outcome: PutOutcome) -> proto::PutOutcome {
    match outcome {
        PutOutcome::Created => proto::PutOutcome::Created,
        PutOutcome::Updated => proto::PutOutcome::Updated,
        PutOutcome::Unchanged => proto::PutOutcome::Unchanged,
        PutOutcome::VersionAdded => proto::PutOutcome::VersionAdded,
    }
}
