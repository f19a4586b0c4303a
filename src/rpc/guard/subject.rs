//! What each request is about: the resource that its caller needs permission for.

use std::sync::{Arc, OnceLock};

use prost::Message;
use tonic::Status;

use super::audit_scope::AuditScope;
use super::session::Session;
use crate::access::{Agencies, RequestedFigures, Resource};
use crate::catalogue::Catalogue;
use crate::model::date::Date;
use crate::model::revision::Revision;
use crate::model::violation::Violations;
use crate::rpc::convert::{self, queries, query_periods};
use crate::rpc::page::{self, Position};
use crate::rpc::{Context, Submitted, proto};
use crate::state::State;
use crate::state::view::AreasAsOf;

/// A short name, in a list of names.
const BYTES_OF_A_THING: usize = 8;

/// A request, and what it is about.
pub(crate) trait Subject {
    /// The resource, in the request's own texts.
    fn resource<'a>(&'a self, present: &'a Present<'a>) -> Resource<'a>;

    /// How many things have to be looked at to say that, about: where those are many, it is done in a turn.
    fn weight(&self) -> usize {
        1
    }

    /// Whether a call may do what it asks for.
    ///
    /// # Errors
    /// When it may not.
    fn permitted(&self, session: &Session, resource: Resource<'_>) -> Result<(), Status>;
}

/// What a request is judged by: the newest state, today.
pub(crate) struct Present<'a> {
    context: &'a Context,
    state: Arc<State>,
    today: OnceLock<Date>,
    /// What the answer is as of, where that isn't for the request to say.
    as_of: Option<Position>,
}

impl<'a> Present<'a> {
    /// As of now.
    pub(crate) fn of(context: &'a Context) -> Self {
        Self { context, state: context.newest(), today: OnceLock::new(), as_of: None }
    }

    /// The same, for an answer as of then.
    pub(crate) fn answering_as_of(context: &'a Context, as_of: Position) -> Self {
        Self { as_of: Some(as_of), ..Self::of(context) }
    }

    fn today(&self) -> Date {
        *self.today.get_or_init(|| self.context.today(&self.state))
    }

    /// The catalogue that a read is answered with, and the day that is today to it.
    fn answered_by(&self, read: &impl AuditScope) -> (Arc<Catalogue>, Date) {
        let (requested, newest) = (read.requested_state(), self.state.revision());
        if let Some(Position { revision, at }) = self.as_of.or_else(|| page::position(requested.page_token)) {
            return (self.state.catalogue_as_of(revision.min(newest)), self.context.zone.date(at));
        }
        let as_of_revision = u64::try_from(requested.as_of_revision).unwrap_or(0);
        let (revision, at) = match requested.as_of_time.map(convert::instant) {
            Some(at) => (self.state.revision_at(at), Some(at)),
            None if as_of_revision == 0 => (newest, None),
            None => (Revision(as_of_revision).min(newest), self.state.accepted_at(Revision(as_of_revision))),
        };
        (self.state.catalogue_as_of(revision), at.map_or_else(|| self.today(), |at| self.context.zone.date(at)))
    }
}

/// Reads of figures are about the figures that their answers may rest on.
impl<Q: AuditScope + Message> Subject for Q {
    fn resource<'a>(&'a self, present: &'a Present<'a>) -> Resource<'a> {
        let (answered_by, its_today) = present.answered_by(self);
        let areas_as_of = queries::areas_as_of(self.requested_state().areas_as_of, &mut Violations::default());
        let periods = self.periods();
        let days = match areas_as_of {
            AreasAsOf::Then => periods.iter().map(|period| period.end()).collect(),
            AreasAsOf::Now => vec![its_today],
            AreasAsOf::On(day) => vec![day],
        };
        Resource::Figures(RequestedFigures {
            catalogue: present.state.catalogue(),
            today: present.today(),
            answered_by,
            days,
            areas: self.areas(),
            agencies: self.agencies(),
        })
    }

    fn weight(&self) -> usize {
        self.encoded_len() / BYTES_OF_A_THING + self.period_range().map_or(0, query_periods::periods_within)
    }

    fn permitted(&self, session: &Session, resource: Resource<'_>) -> Result<(), Status> {
        session.permit_message(self, resource)
    }
}

/// A watch is about what its question is about; without a question, about anyone's figures.
fn watched<'a>(question: Option<&'a impl Subject>, present: &'a Present<'a>) -> Resource<'a> {
    match question {
        Some(question) => question.resource(present),
        None => Resource::Figures(RequestedFigures {
            catalogue: present.state.catalogue(),
            today: present.today(),
            answered_by: Arc::default(),
            days: Vec::new(),
            areas: Vec::new(),
            agencies: Agencies::Any,
        }),
    }
}

impl Subject for proto::WatchPictureRequest {
    fn resource<'a>(&'a self, present: &'a Present<'a>) -> Resource<'a> {
        watched(self.picture.as_ref(), present)
    }

    fn weight(&self) -> usize {
        self.picture.as_ref().map_or(1, Subject::weight)
    }

    fn permitted(&self, session: &Session, resource: Resource<'_>) -> Result<(), Status> {
        session.permit_message(self, resource)
    }
}

impl Subject for proto::WatchAggregateRequest {
    fn resource<'a>(&'a self, present: &'a Present<'a>) -> Resource<'a> {
        watched(self.query.as_ref(), present)
    }

    fn weight(&self) -> usize {
        self.query.as_ref().map_or(1, Subject::weight)
    }

    fn permitted(&self, session: &Session, resource: Resource<'_>) -> Result<(), Status> {
        session.permit_message(self, resource)
    }
}

macro_rules! subject {
    ($($Request:ident),+: |$request:ident| $resource:expr) => {$(
        impl Subject for proto::$Request {
            fn resource<'a>(&'a self, _: &'a Present<'a>) -> Resource<'a> {
                let $request = self;
                $resource
            }

            fn permitted(&self, session: &Session, resource: Resource<'_>) -> Result<(), Status> {
                session.permit_message(self, resource)
            }
        }
    )+};
}

subject!(
    PutCatalogueRequest, GetAgencyRequest, GetAreaRequest, GetDimensionRequest, GetIndicatorRequest,
    GetReconciliationRuleRequest, ListAgenciesRequest, ListAreasRequest, ListDimensionsRequest, ListIndicatorsRequest,
    ListReconciliationRulesRequest, GetCalendarRequest, ListCalendarsRequest, CreateKeyRequest, GetCallerRequest, ListKeysRequest, ListAuditLinesRequest,
    RevokeKeyRequest, RotateKeyRequest:
    |_request| Resource::Any
);

subject!(
    WithdrawSubmissionRequest, GetSubmissionRequest, ListSubmissionsRequest, VerifyReceiptRequest, CompleteReturnRequest,
    GetReturnRequest, ListReturnsRequest:
    |request| Resource::Agency(&request.agency)
);

impl Subject for Submitted {
    fn resource<'a>(&'a self, _: &'a Present<'a>) -> Resource<'a> {
        Resource::Agency(&self.agency)
    }

    fn permitted(&self, session: &Session, resource: Resource<'_>) -> Result<(), Status> {
        session.permit(resource)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::timestamp::Timestamp;

    #[tokio::test]
    async fn today_is_the_day_that_is_answered_as_of() {
        // 2024-01-01, and a day in 2021.
        const NOW: i64 = 1_704_067_200;
        const THEN: i64 = 1_614_600_000;
        let context = Context::in_memory(Timestamp(NOW * 1_000_000));
        let present = Present::of(&context);
        let today = |as_of_time| {
            let request = proto::QueryAggregateRequest { as_of_time, ..Default::default() };
            present.answered_by(&request).1.to_string()
        };
        assert_eq!(today(None), "2024-01-01");
        assert_eq!(today(Some(prost_types::Timestamp { seconds: THEN, nanos: 0 })), "2021-03-01");
    }
}
