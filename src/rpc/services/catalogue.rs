//! The catalogue service: who reports, for where, what is counted.

use std::fmt::Display;
use std::str::FromStr;

use prost::Message;
use tonic::{Request, Response, Status};

use crate::catalogue::items::Indicator;
use crate::catalogue::{self, PutOutcome};
use crate::intake::admit::Decision;
use crate::intake::writer::{Written, validate};
use crate::model::id::{AgencyId, AreaCode, DimensionId, IndicatorId, RuleId};
use crate::model::violation::Violations;
use crate::rpc::call::{self, Call, Refusal};
use crate::rpc::convert::put_catalogue;
use crate::rpc::proto::catalogue_service_server::CatalogueService;
use crate::rpc::status::{self, Reason};
use crate::rpc::{Context, Gate, as_of, convert, number, page, proto};

const PAGE_DEFAULT: usize = 100;
const PAGE_MAX: usize = 1_000;

/// Serves `conspectus.v1.CatalogueService`.
#[derive(Debug, Clone)]
pub struct Catalogue(pub Gate);

#[tonic::async_trait]
impl CatalogueService for Catalogue {
    async fn put_catalogue(
        &self,
        request: Request<proto::PutCatalogueRequest>,
    ) -> Result<Response<proto::PutCatalogueResponse>, Status> {
        call::unary(&self.0, request, |Call { context, session, message, .. }| async move {
            let state = context.newest();
            let put = put_catalogue::put(state.catalogue(), &message)?;
            let (revision, outcomes) = if message.validate_only {
                let (Decision::Accept(_, outcomes) | Decision::Already(outcomes)) =
                    validate(&state, &put, (context.clock)())?;
                (state.catalogue_revision(), outcomes)
            } else {
                match context.writer.by(session.actor()).write(put).await? {
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
                    catalogue.agency(id).map(|(_, agency)| convert::agency(agency))
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
            let paging = Paging::of("ListAgencies", &message);
            let (revision, agencies, next_page_token) = context.list(paging, |catalogue, after, take| {
                let after = after.and_then(|text| AgencyId::parse(text).ok());
                let agencies = catalogue.agencies_after(after.as_ref()).take(take);
                agencies.map(|agency| (agency.id.to_string(), convert::agency(agency))).collect()
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
                    catalogue.area(code).map(|(_, area)| convert::area(area))
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
            let paging = Paging::of("ListAreas", &message);
            let (revision, areas, next_page_token) = context.list(paging, |catalogue, after, take| {
                let after = after.and_then(|text| AreaCode::parse(text).ok());
                let areas = catalogue.areas_after(after.as_ref()).take(take);
                areas.map(|area| (area.code.to_string(), convert::area(area))).collect()
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
                    catalogue.dimension(id).map(convert::dimension)
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
            let paging = Paging::of("ListDimensions", &message);
            let (revision, dimensions, next_page_token) = context.list(paging, |catalogue, after, take| {
                let after = after.and_then(|text| DimensionId::parse(text).ok());
                let dimensions = catalogue.dimensions_after(after.as_ref()).take(take);
                dimensions.map(|dimension| (dimension.id.to_string(), convert::dimension(dimension))).collect()
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
                        .map(|(_, indicator)| indicator.versions().iter().map(convert::indicator).collect())
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
            let paging = Paging::of("ListIndicators", &message);
            let (revision, indicators, next_page_token) = context.list(paging, |catalogue, after, take| {
                let after = after.and_then(|text| IndicatorId::parse(text).ok());
                let indicators = catalogue.indicators_after(after.as_ref()).map(Indicator::newest).take(take);
                indicators.map(|version| (version.id.to_string(), convert::indicator(version))).collect()
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
                    catalogue.rule(id).map(convert::reconciliation_rule)
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
            let paging = Paging::of("ListReconciliationRules", &message);
            let (revision, reconciliation_rules, next_page_token) =
                context.list(paging, |catalogue, after, take| {
                    let after = after.and_then(|text| RuleId::parse(text).ok());
                    let rules = catalogue.rules_after(after.as_ref()).take(take);
                    rules.map(|rule| (rule.id.to_string(), convert::reconciliation_rule(rule))).collect()
                })?;
            Ok(proto::ListReconciliationRulesResponse { revision, reconciliation_rules, next_page_token })
        })
        .await
    }
}

/// What the list requests have in common.
trait ListRequest: Message + Clone + Sized {
    fn paging(&self) -> (i32, &str, i64);
    fn cleared(&self) -> Self;
}

macro_rules! list_request {
    ($($Request:ident),+) => {$(
        impl ListRequest for proto::$Request {
            fn paging(&self) -> (i32, &str, i64) {
                (self.page_size, &self.page_token, self.as_of_revision)
            }

            fn cleared(&self) -> Self {
                Self { page_size: 0, page_token: String::new(), as_of_revision: self.as_of_revision }
            }
        }
    )+};
}

list_request!(
    ListAgenciesRequest,
    ListAreasRequest,
    ListDimensionsRequest,
    ListIndicatorsRequest,
    ListReconciliationRulesRequest
);

struct Paging {
    query: page::Query,
    size: usize,
    start: Option<page::Start>,
    as_of_revision: i64,
    violations: Violations,
}

impl Paging {
    fn of(method: &str, message: &impl ListRequest) -> Self {
        let mut violations = Violations::default();
        let (size, token, as_of_revision) = message.paging();
        let query = page::Query::of(method, &message.cleared());
        let size = page::size(size, PAGE_DEFAULT, PAGE_MAX, &mut violations);
        let start = query.start(token, &mut violations);
        Self { query, size, start, as_of_revision, violations }
    }
}

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

    /// A page of items, each with the key that the next page starts after.
    fn list<T>(
        &self,
        mut paging: Paging,
        items: impl FnOnce(&catalogue::Catalogue, Option<&str>, usize) -> Vec<(String, T)>,
    ) -> Result<(i64, Vec<T>, String), Refusal> {
        let state = self.newest();
        let newest = as_of(&state, paging.as_of_revision, &mut paging.violations);
        paging.violations.into_result(())?;
        let revision = paging.start.as_ref().map_or(newest, |start| start.revision.min(newest));
        let after = paging.start.as_ref().map(|start| start.after.as_str());
        let mut found = items(&state.catalogue_as_of(revision), after, paging.size + 1);
        let more = found.len() > paging.size;
        found.truncate(paging.size);
        let last = found.last().filter(|_| more);
        let token = last.map(|(key, _)| paging.query.token(&page::Start { revision, after: key.clone() }));
        Ok((number(revision), found.into_iter().map(|(_, item)| item).collect(), token.unwrap_or_default()))
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
