//! The catalogue service: who reports, for where, what is counted.

use std::fmt::Display;
use std::str::FromStr;

use prost::Message;
use tonic::{Request, Response, Status};

use super::read;
use crate::catalogue::items::Indicator;
use crate::catalogue::{self, PutOutcome};
use crate::intake::admit::{Decision, ReviewedPut};
use crate::intake::writer::Written;
use crate::model::budget::Budget;
use crate::model::id::{AgencyId, AreaCode, CalendarId, DimensionId, IndicatorId, RuleId};
use crate::model::revision::Revision;
use crate::model::violation::Violations;
use crate::rpc::call::{self, Call, Refusal};
use crate::rpc::page::{self, Page, Paging, TokenBinding};
use crate::rpc::proto::catalogue_service_server::CatalogueService;
use crate::rpc::status;
use crate::rpc::{Context, Gate, as_of, catalogue_items, number, proto, put_catalogue};
use crate::state::State;

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
            let weight = message.encoded_len() / ITEM_BYTES_A_STEP;
            let put = || ReviewedPut::new(put_catalogue::put(state.catalogue(), &message)?, &state);
            let put = received.work(weight, put).await??;
            let validate_only = message.validate_only;
            // What the writer waits with is the put alone.
            drop(message);
            let (revision, outcomes) = if validate_only {
                let validated = received.work(weight, || context.validate(&state, &put)).await?;
                let (Decision::Accept(_, outcomes) | Decision::Already(outcomes)) = validated?;
                (state.catalogue_revision(), outcomes)
            } else {
                drop(received);
                match session.writer(context).write(put).await? {
                    Written::Accepted { revision, effect, .. } => (revision, effect),
                    Written::Already(outcomes) => (context.newest().catalogue_revision(), outcomes),
                }
            };
            session.answered_at(revision);
            let codes =
                |outcomes: &[PutOutcome]| outcomes.iter().map(|outcome| outcome_code(*outcome).into()).collect();
            Ok(proto::PutCatalogueResponse {
                revision: number(revision),
                areas: codes(&outcomes.areas),
                agencies: codes(&outcomes.agencies),
                dimensions: codes(&outcomes.dimensions),
                indicators: codes(&outcomes.indicators),
                reconciliation_rules: codes(&outcomes.reconciliation_rules),
                calendars: codes(&outcomes.calendars),
            })
        })
        .await
    }

    async fn get_agency(
        &self,
        request: Request<proto::GetAgencyRequest>,
    ) -> Result<Response<proto::GetAgencyResponse>, Status> {
        call::unary(&self.0, request, |Call { context, message, .. }| async move {
            let (revision, agency) = context.get::<AgencyId, _>(
                ("agency", "id"),
                &message.id,
                message.as_of_revision,
                |catalogue, id| catalogue.agency(id).map(|(_, agency)| catalogue_items::agency(agency)),
            )?;
            Ok(proto::GetAgencyResponse { revision, agency: Some(agency) })
        })
        .await
    }

    async fn list_agencies(
        &self,
        request: Request<proto::ListAgenciesRequest>,
    ) -> Result<Response<proto::ListAgenciesResponse>, Status> {
        call::unary(&self.0, request, |call| async move {
            let (revision, agencies, next_page_token) = list(call, |list| {
                let after = list.after(AgencyId::parse);
                let items = list.catalogue.agencies_after(after.as_ref());
                list.page(items, |agency| agency.id.to_string(), |agency| catalogue_items::agency(agency))
            })
            .await?;
            Ok(proto::ListAgenciesResponse { revision, agencies, next_page_token })
        })
        .await
    }

    async fn get_area(
        &self,
        request: Request<proto::GetAreaRequest>,
    ) -> Result<Response<proto::GetAreaResponse>, Status> {
        call::unary(&self.0, request, |Call { context, message, .. }| async move {
            let (revision, area) = context.get::<AreaCode, _>(
                ("area", "code"),
                &message.code,
                message.as_of_revision,
                |catalogue, code| catalogue.area(code).map(|(_, area)| catalogue_items::area(area)),
            )?;
            Ok(proto::GetAreaResponse { revision, area: Some(area) })
        })
        .await
    }

    async fn list_areas(
        &self,
        request: Request<proto::ListAreasRequest>,
    ) -> Result<Response<proto::ListAreasResponse>, Status> {
        call::unary(&self.0, request, |call| async move {
            let (revision, areas, next_page_token) = list(call, |list| {
                let after = list.after(AreaCode::parse);
                let items = list.catalogue.areas_after(after.as_ref());
                list.page(items, |area| area.code.to_string(), |area| catalogue_items::area(area))
            })
            .await?;
            Ok(proto::ListAreasResponse { revision, areas, next_page_token })
        })
        .await
    }

    async fn get_dimension(
        &self,
        request: Request<proto::GetDimensionRequest>,
    ) -> Result<Response<proto::GetDimensionResponse>, Status> {
        call::unary(&self.0, request, |Call { context, message, .. }| async move {
            let (revision, dimension) = context.get::<DimensionId, _>(
                ("dimension", "id"),
                &message.id,
                message.as_of_revision,
                |catalogue, id| catalogue.dimension(id).map(catalogue_items::dimension),
            )?;
            Ok(proto::GetDimensionResponse { revision, dimension: Some(dimension) })
        })
        .await
    }

    async fn list_dimensions(
        &self,
        request: Request<proto::ListDimensionsRequest>,
    ) -> Result<Response<proto::ListDimensionsResponse>, Status> {
        call::unary(&self.0, request, |call| async move {
            let (revision, dimensions, next_page_token) = list(call, |list| {
                let after = list.after(DimensionId::parse);
                let items = list.catalogue.dimensions_after(after.as_ref());
                list.page(
                    items,
                    |dimension| dimension.id.to_string(),
                    |dimension| catalogue_items::dimension(dimension),
                )
            })
            .await?;
            Ok(proto::ListDimensionsResponse { revision, dimensions, next_page_token })
        })
        .await
    }

    async fn get_indicator(
        &self,
        request: Request<proto::GetIndicatorRequest>,
    ) -> Result<Response<proto::GetIndicatorResponse>, Status> {
        call::unary(&self.0, request, |Call { context, session, message, .. }| async move {
            let state = context.newest();
            let versions = move |budget: &Budget| versions(&state, &message, budget);
            Ok(read::compute(session.compute(), versions, read::smaller_pages).await??)
        })
        .await
    }

    async fn list_indicators(
        &self,
        request: Request<proto::ListIndicatorsRequest>,
    ) -> Result<Response<proto::ListIndicatorsResponse>, Status> {
        call::unary(&self.0, request, |call| async move {
            let (revision, indicators, next_page_token) = list(call, |list| {
                let after = list.after(IndicatorId::parse);
                let items = list.catalogue.indicators_after(after.as_ref()).map(Indicator::newest);
                list.page(items, |version| version.id.to_string(), |version| catalogue_items::indicator(version))
            })
            .await?;
            Ok(proto::ListIndicatorsResponse { revision, indicators, next_page_token })
        })
        .await
    }

    async fn get_reconciliation_rule(
        &self,
        request: Request<proto::GetReconciliationRuleRequest>,
    ) -> Result<Response<proto::GetReconciliationRuleResponse>, Status> {
        call::unary(&self.0, request, |Call { context, message, .. }| async move {
            let (revision, rule) = context.get::<RuleId, _>(
                ("reconciliation rule", "id"),
                &message.id,
                message.as_of_revision,
                |catalogue, id| catalogue.rule(id).map(catalogue_items::reconciliation_rule),
            )?;
            Ok(proto::GetReconciliationRuleResponse { revision, reconciliation_rule: Some(rule) })
        })
        .await
    }

    async fn list_reconciliation_rules(
        &self,
        request: Request<proto::ListReconciliationRulesRequest>,
    ) -> Result<Response<proto::ListReconciliationRulesResponse>, Status> {
        call::unary(&self.0, request, |call| async move {
            let (revision, reconciliation_rules, next_page_token) = list(call, |list| {
                let after = list.after(RuleId::parse);
                let items = list.catalogue.rules_after(after.as_ref());
                list.page(items, |rule| rule.id.to_string(), |rule| catalogue_items::reconciliation_rule(rule))
            })
            .await?;
            Ok(proto::ListReconciliationRulesResponse { revision, reconciliation_rules, next_page_token })
        })
        .await
    }

    async fn get_calendar(
        &self,
        request: Request<proto::GetCalendarRequest>,
    ) -> Result<Response<proto::GetCalendarResponse>, Status> {
        call::unary(&self.0, request, |Call { context, message, .. }| async move {
            let (revision, calendar) = context.get::<CalendarId, _>(
                ("calendar", "id"),
                &message.id,
                message.as_of_revision,
                |catalogue, id| catalogue.calendar(id).map(catalogue_items::calendar),
            )?;
            Ok(proto::GetCalendarResponse { revision, calendar: Some(calendar) })
        })
        .await
    }

    async fn list_calendars(
        &self,
        request: Request<proto::ListCalendarsRequest>,
    ) -> Result<Response<proto::ListCalendarsResponse>, Status> {
        call::unary(&self.0, request, |call| async move {
            let (revision, calendars, next_page_token) = list(call, |list| {
                let after = list.after(CalendarId::parse);
                let items = list.catalogue.calendars_after(after.as_ref());
                list.page(items, |calendar| calendar.id.to_string(), |calendar| catalogue_items::calendar(calendar))
            })
            .await?;
            Ok(proto::ListCalendarsResponse { revision, calendars, next_page_token })
        })
        .await
    }
}

/// The versions of an indicator, or a page of them; or that there is no such indicator.
fn versions(
    state: &State,
    request: &proto::GetIndicatorRequest,
    budget: &Budget,
) -> Result<Result<proto::GetIndicatorResponse, Status>, Violations> {
    let mut violations = Violations::default();
    let id = violations.check("id", IndicatorId::parse(&request.id));
    let newest = as_of(state, request.as_of_revision, &mut violations);
    let cleared = proto::GetIndicatorRequest { page_size: 0, page_token: String::new(), ..request.clone() };
    let binding = TokenBinding::of("GetIndicator", &cleared);
    let paging = Paging { binding, size: request.page_size, token: &request.page_token };
    let page = paging.page_or_whole(page::ITEMS, &mut violations);
    let Some(id) = id.filter(|_| violations.is_empty()) else { return Err(violations) };
    let revision = page.revision().map_or(newest, |revision| revision.min(newest));
    let catalogue = state.catalogue_as_of(revision);
    let Some((_, indicator)) = catalogue.indicator(&id) else {
        return Ok(Err(not_found("indicator", &request.id, revision)));
    };
    let from = page.after().and_then(|after| after.parse().ok()).unwrap_or(0);
    let list = Listing { catalogue: &catalogue, page: &page, revision, budget };
    let (versions, next_page_token) = list.page(
        indicator.versions().iter().enumerate().skip(from),
        |(index, _)| (index + 1).to_string(),
        |(_, version)| catalogue_items::indicator(version),
    );
    let answer = proto::GetIndicatorResponse { revision: number(revision), versions, next_page_token };
    page::bounded(answer.encoded_len(), page::ask_for_pages)?;
    Ok(Ok(answer))
}

fn not_found(kind: &str, id: &str, revision: Revision) -> Status {
    status::not_found(kind, id, format!("there is no `{id}` in the catalogue at revision {revision}"))
}

/// What the list requests have in common.
trait ListRequest: Send + 'static {
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
    ListReconciliationRulesRequest: "ListReconciliationRules",
    ListCalendarsRequest: "ListCalendars"
);

impl Context {
    fn get<I: FromStr<Err: Display>, T>(
        &self,
        (kind, field): (&str, &str),
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
        let found = found.ok_or_else(|| not_found(kind, id, revision))?;
        Ok((number(revision), found))
    }
}

/// A page of a list, as it is made within a budget.
struct Listing<'a> {
    catalogue: &'a catalogue::Catalogue,
    page: &'a Page,
    revision: Revision,
    budget: &'a Budget,
}

/// How many bytes of an item's message are a step.
const ITEM_BYTES_A_STEP: usize = 64;

impl Listing<'_> {
    /// The key that the page starts after; none for the first page.
    fn after<I, E>(&self, parse: impl FnOnce(&str) -> Result<I, E>) -> Option<I> {
        self.page.after().and_then(|text| parse(text).ok())
    }

    /// Of the items after the key those of the page, as messages, and the next page's token.
    fn page<T, M: Message>(
        &self,
        items: impl Iterator<Item = T>,
        key: impl Fn(&T) -> String,
        message: impl Fn(&T) -> M,
    ) -> (Vec<M>, String) {
        let items = items.map_while(|item| self.budget.spend(1).ok().map(|()| item));
        self.page.cut(items, self.revision, key, |item| {
            let message = message(item);
            // Once there is no budget left, no item follows.
            let _ = self.budget.spend(message.encoded_len() / ITEM_BYTES_A_STEP);
            message
        })
    }
}

/// The revision that a list is as of, a page of it, and the next page's token.
async fn list<L: ListRequest, T: Send + 'static>(
    Call { context, session, message, .. }: Call<'_, L>,
    items: impl Fn(&Listing<'_>) -> (Vec<T>, String) + Send + 'static,
) -> Result<(i64, Vec<T>, String), Refusal> {
    let state = context.newest();
    let page = move |budget: &Budget| {
        let mut violations = Violations::default();
        let page = message.paging().page(page::ITEMS, &mut violations);
        let newest = as_of(&state, message.as_of_revision(), &mut violations);
        violations.into_result(())?;
        let revision = page.revision().map_or(newest, |revision| revision.min(newest));
        let catalogue = state.catalogue_as_of(revision);
        let (found, token) = items(&Listing { catalogue: &catalogue, page: &page, revision, budget });
        Ok((number(revision), found, token))
    };
    read::compute(session.compute(), page, read::smaller_pages).await
}

fn outcome_code(outcome: PutOutcome) -> proto::PutOutcome {
    match outcome {
        PutOutcome::Created => proto::PutOutcome::Created,
        PutOutcome::Updated => proto::PutOutcome::Updated,
        PutOutcome::Unchanged => proto::PutOutcome::Unchanged,
        PutOutcome::VersionAdded => proto::PutOutcome::VersionAdded,
    }
}
