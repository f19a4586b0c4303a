//! What each request is about: the resource that its caller needs permission for.

use super::audit_scope::AuditScope;
use crate::access::{Agencies, RequestedFigures, Resource};
use crate::catalogue::Catalogue;
use crate::model::date::Date;
use crate::rpc::proto;

/// A request, and what it is about.
pub(crate) trait Subject {
    /// The resource, in the request's own texts. The catalogue knows the sectors and the hierarchy, of
    /// which today's counts.
    fn resource<'a>(&'a self, catalogue: &'a Catalogue, today: Date) -> Resource<'a>;
}

/// Reads of figures are about the figures that their answers may rest on.
impl<Q: AuditScope> Subject for Q {
    fn resource<'a>(&'a self, catalogue: &'a Catalogue, today: Date) -> Resource<'a> {
        Resource::Figures(RequestedFigures { catalogue, day: today, areas: self.areas(), agencies: self.agencies() })
    }
}

/// A watch is about what its question is about; without a question, about anyone's figures.
fn watched<'a>(question: Option<&'a impl Subject>, catalogue: &'a Catalogue, today: Date) -> Resource<'a> {
    match question {
        Some(question) => question.resource(catalogue, today),
        None => {
            Resource::Figures(RequestedFigures { catalogue, day: today, areas: Vec::new(), agencies: Agencies::Any })
        }
    }
}

impl Subject for proto::WatchPictureRequest {
    fn resource<'a>(&'a self, catalogue: &'a Catalogue, today: Date) -> Resource<'a> {
        watched(self.picture.as_ref(), catalogue, today)
    }
}

impl Subject for proto::WatchAggregateRequest {
    fn resource<'a>(&'a self, catalogue: &'a Catalogue, today: Date) -> Resource<'a> {
        watched(self.query.as_ref(), catalogue, today)
    }
}

macro_rules! subject {
    ($($Request:ident),+: |$request:ident| $resource:expr) => {$(
        impl Subject for proto::$Request {
            fn resource<'a>(&'a self, _: &'a Catalogue, _: Date) -> Resource<'a> {
                let $request = self;
                $resource
            }
        }
    )+};
}

subject!(
    PutCatalogueRequest, GetAgencyRequest, GetAreaRequest, GetDimensionRequest, GetIndicatorRequest,
    GetReconciliationRuleRequest, ListAgenciesRequest, ListAreasRequest, ListDimensionsRequest, ListIndicatorsRequest,
    ListReconciliationRulesRequest, CreateKeyRequest, ListKeysRequest, RevokeKeyRequest, RotateKeyRequest:
    |_request| Resource::Any
);

subject!(
    SubmitObservationsRequest, WithdrawSubmissionRequest, GetSubmissionRequest, ListSubmissionsRequest:
    |request| Resource::Agency(&request.agency)
);
