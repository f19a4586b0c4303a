//! The catalogue service: who reports, for where, what is counted.

use std::fmt::Display;
use std::str::FromStr;

use prost::Message;
use tonic::{Request, Response, Status};

use crate::catalogue::items::{
    AcrossAgencies, Agency, Area, AreaLevel, AreaParent, Category, Dimension, ExpectedAgency, Indicator,
    IndicatorVersion, Kind, Polarity, PopulationRule, RateRule, ReconciliationRule, ReconciliationSide, Sector,
    Validity,
};
use crate::catalogue::{self, CataloguePut, PutOutcome};
use crate::intake::admit::Decision;
use crate::intake::writer::{Written, validate};
use crate::model::date::Date;
use crate::model::decimal::{Decimal, Rounding};
use crate::model::id::{AgencyId, AreaCode, CategoryId, DimensionId, IndicatorId, RuleId};
use crate::model::period::Frequency;
use crate::model::violation::Violations;
use crate::rpc::call::{self, Call, Refusal};
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
            let put = put(state.catalogue(), &message)?;
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

/// The put of a request, or everything that is wrong with it. Items that could be parsed are
/// reviewed too, so that one answer has every problem.
fn put(catalogue: &catalogue::Catalogue, request: &proto::PutCatalogueRequest) -> Result<CataloguePut, Violations> {
    let mut parser = Parser { at: String::new(), violations: Violations::default() };
    let areas: Vec<_> = parser.each("areas", &request.areas, Parser::area);
    let agencies: Vec<_> = parser.each("agencies", &request.agencies, Parser::agency);
    let dimensions: Vec<_> = parser.each("dimensions", &request.dimensions, Parser::dimension);
    let indicators: Vec<_> = parser.each("indicators", &request.indicators, Parser::indicator);
    let rules: Vec<_> = parser.each("reconciliation_rules", &request.reconciliation_rules, Parser::rule);
    let mut violations = parser.violations;
    let whole = (all(areas), all(agencies), all(dimensions), all(indicators), all(rules));
    let (Some(areas), Some(agencies), Some(dimensions), Some(indicators), Some(reconciliation_rules)) = whole else {
        return Err(violations);
    };
    let put = CataloguePut { areas, agencies, dimensions, indicators, reconciliation_rules };
    if !violations.is_empty() {
        violations.extend(catalogue.review(&put));
        return Err(violations);
    }
    Ok(put)
}

fn all<T>(items: Vec<Option<T>>) -> Option<Vec<T>> {
    items.into_iter().collect()
}

/// Parses items, noting what is wrong at their fields.
struct Parser {
    at: String,
    violations: Violations,
}

impl Parser {
    fn each<M, T>(&mut self, list: &str, messages: &[M], parse: fn(&mut Self, &M) -> Option<T>) -> Vec<Option<T>> {
        let outer = self.at.clone();
        let parsed = messages.iter().enumerate().map(|(index, message)| {
            self.at = format!("{outer}{list}[{index}].");
            parse(self, message)
        });
        let parsed = parsed.collect();
        self.at = outer;
        parsed
    }

    fn parse<T: FromStr<Err: Display>>(&mut self, field: &str, text: &str) -> Option<T> {
        self.violations.check(format!("{}{field}", self.at), text.parse())
    }

    fn parse_each<T: FromStr<Err: Display>>(&mut self, field: &str, texts: &[String]) -> Option<Vec<T>> {
        let parsed: Vec<_> =
            texts.iter().enumerate().map(|(index, text)| self.parse(&format!("{field}[{index}]"), text)).collect();
        all(parsed)
    }

    fn day(&mut self, field: &str, text: &str) -> Option<Option<Date>> {
        if text.is_empty() { Some(None) } else { self.parse(field, text).map(Some) }
    }

    fn validity(&mut self, from: &str, to: &str) -> Option<Validity> {
        let valid_from = self.day("valid_from", from);
        let valid_to = self.day("valid_to", to);
        Some(Validity { valid_from: valid_from?, valid_to: valid_to? })
    }

    fn code<T>(&mut self, field: &str, code: i32, known: Option<T>, allowed: &str) -> Option<T> {
        let found = if code == 0 { "nothing".to_owned() } else { format!("`{code}`") };
        self.violations
            .check(format!("{}{field}", self.at), known.ok_or_else(|| format!("found {found}; allowed: {allowed}")))
    }

    fn small<T: TryFrom<i32>>(&mut self, field: &str, number: i32, allowed: &str) -> Option<T> {
        let converted = T::try_from(number).map_err(|_| format!("found {number}; allowed: {allowed}"));
        self.violations.check(format!("{}{field}", self.at), converted)
    }

    fn area(&mut self, area: &proto::Area) -> Option<Area> {
        let code = self.parse("code", &area.code);
        let level = self.code("level", area.level, AreaLevel::from_code(area.level), &AreaLevel::allowed());
        let parents = self.each("parents", &area.parents, |parser, parent| {
            let code: Option<AreaCode> = parser.parse("code", &parent.code);
            let validity = parser.validity(&parent.valid_from, &parent.valid_to);
            Some(AreaParent { code: code?, validity: validity? })
        });
        Some(Area { code: code?, name: area.name.clone(), level: level?, parents: all(parents)? })
    }

    fn agency(&mut self, agency: &proto::Agency) -> Option<Agency> {
        let id = self.parse("id", &agency.id);
        let sector = self.code("sector", agency.sector, Sector::from_code(agency.sector), &Sector::allowed());
        let areas = self.parse_each("areas", &agency.areas);
        Some(Agency { id: id?, name: agency.name.clone(), sector: sector?, areas: areas? })
    }

    fn dimension(&mut self, dimension: &proto::Dimension) -> Option<Dimension> {
        let id = self.parse("id", &dimension.id);
        let categories = self.each("categories", &dimension.categories, |parser, category| {
            let id: Option<CategoryId> = parser.parse("id", &category.id);
            Some(Category { id: id?, title: category.title.clone() })
        });
        Some(Dimension { id: id?, title: dimension.title.clone(), categories: all(categories)? })
    }

    fn indicator(&mut self, message: &proto::Indicator) -> Option<IndicatorVersion> {
        let id = self.parse("id", &message.id);
        let effective_from = self.day("effective_from", &message.effective_from);
        let kind = self.code("kind", message.kind, Kind::from_code(message.kind), &Kind::allowed());
        let decimals = self.small("decimals", message.decimals, "0 to 6");
        let rounding = match message.rounding {
            0 => Some(Rounding::HalfUp),
            code => self.code("rounding", code, Rounding::from_code(code), &Rounding::allowed()),
        };
        let polarity = match message.polarity {
            0 => Some(Polarity::Neutral),
            code => self.code("polarity", code, Polarity::from_code(code), &Polarity::allowed()),
        };
        let frequency =
            self.code("frequency", message.frequency, Frequency::from_code(message.frequency), &Frequency::allowed());
        let due_days = self.small("due_days", message.due_days, "0 to 3660");
        let level = self.code(
            "reporting_level",
            message.reporting_level,
            AreaLevel::from_code(message.reporting_level),
            &AreaLevel::allowed(),
        );
        let across = self.code(
            "across_agencies",
            message.across_agencies,
            AcrossAgencies::from_code(message.across_agencies),
            &AcrossAgencies::allowed(),
        );
        let lead_agency = if message.lead_agency.is_empty() {
            Some(None)
        } else {
            self.parse::<AgencyId>("lead_agency", &message.lead_agency).map(Some)
        };
        let expected = self.each("expected_agencies", &message.expected_agencies, |parser, expected| {
            let agency: Option<AgencyId> = parser.parse("agency", &expected.agency);
            let validity = parser.validity(&expected.valid_from, &expected.valid_to);
            Some(ExpectedAgency { agency: agency?, validity: validity? })
        });
        let dimensions = self.parse_each("dimensions", &message.dimensions);
        let rate = match &message.rate {
            None => Some(None),
            Some(rate) => self.rate(rate).map(Some),
        };
        Some(IndicatorVersion {
            id: id?,
            effective_from: effective_from?,
            title: message.title.clone(),
            definition: message.definition.clone(),
            unit: message.unit.clone(),
            kind: kind?,
            decimals: decimals?,
            rounding: rounding?,
            polarity: polarity?,
            frequency: frequency?,
            due_days: due_days?,
            reporting_level: level?,
            across_agencies: across?,
            lead_agency: lead_agency?,
            expected_agencies: all(expected)?,
            dimensions: dimensions?,
            breaks_comparability: message.breaks_comparability,
            version_note: message.version_note.clone(),
            source: message.source.clone(),
            rate: rate?,
        })
    }

    fn rate(&mut self, rate: &proto::RateRule) -> Option<RateRule> {
        let population = self.parse("rate.population_indicator", &rate.population_indicator);
        let per = self.small("rate.per", rate.per, "1 to 1000000");
        let rule = self.code("rate.rule", rate.rule, PopulationRule::from_code(rate.rule), &PopulationRule::allowed());
        let decimals = self.small("rate.decimals", rate.decimals, "0 to 6");
        Some(RateRule { population_indicator: population?, per: per?, rule: rule?, decimals: decimals? })
    }

    fn rule(&mut self, rule: &proto::ReconciliationRule) -> Option<ReconciliationRule> {
        let id = self.parse("id", &rule.id);
        let left = self.side("left", &rule.left_indicator, &rule.left_agency);
        let right = self.side("right", &rule.right_indicator, &rule.right_agency);
        let tolerance = self.tolerance("tolerance", &rule.tolerance);
        let tolerance_percent = self.tolerance("tolerance_percent", &rule.tolerance_percent);
        Some(ReconciliationRule {
            id: id?,
            title: rule.title.clone(),
            left: left?,
            right: right?,
            tolerance: tolerance?,
            tolerance_percent: tolerance_percent?,
        })
    }

    fn side(&mut self, side: &str, indicator: &str, agency: &str) -> Option<ReconciliationSide> {
        let indicator = self.parse(&format!("{side}_indicator"), indicator);
        let agency =
            if agency.is_empty() { Some(None) } else { self.parse(&format!("{side}_agency"), agency).map(Some) };
        Some(ReconciliationSide { indicator: indicator?, agency: agency? })
    }

    fn tolerance(&mut self, field: &str, text: &str) -> Option<Decimal> {
        if text.is_empty() { Some(Decimal::ZERO) } else { self.parse(field, text) }
    }
}

/// The request that puts these items.
pub fn put_request(put: &CataloguePut, validate_only: bool) -> proto::PutCatalogueRequest {
    proto::PutCatalogueRequest {
        areas: put.areas.iter().map(convert::area).collect(),
        agencies: put.agencies.iter().map(convert::agency).collect(),
        dimensions: put.dimensions.iter().map(convert::dimension).collect(),
        indicators: put.indicators.iter().map(convert::indicator).collect(),
        validate_only,
        reconciliation_rules: put.reconciliation_rules.iter().map(convert::reconciliation_rule).collect(),
    }
}
