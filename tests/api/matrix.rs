//! Who may call what: every method of the descriptors, by everybody, about their own and about
//! others', with credentials in every condition.
//!
//! [`ROWS`] is written from the rules, not from the program's own table. A method without a row fails
//! the test.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use conspectus::rpc::proto::stream_submissions_response::Result as StreamResult;
use conspectus::rpc::proto::{
    AreaLevel, CompleteReturnRequest, CreateKeyRequest, ExplainFigureRequest, GetAgencyRequest, GetAreaRequest,
    GetCalendarRequest, GetCallerRequest, GetCompletenessRequest, GetDimensionRequest, GetHistoryRequest,
    GetIndicatorRequest, GetPictureRequest, GetReconciliationRuleRequest, GetReturnRequest, GetSubmissionRequest,
    ListAgenciesRequest, ListAreasRequest, ListAuditLinesRequest, ListCalendarsRequest, ListChangesRequest,
    ListDimensionsRequest, ListIndicatorsRequest, ListKeysRequest, ListReconciliationRulesRequest, ListReturnsRequest,
    ListSubmissionsRequest, PutCatalogueRequest, QueryAggregateRequest, ReconcileRequest, ReturnManifest,
    RevokeKeyRequest, Role, RotateKeyRequest, StreamSubmissionsRequest, StreamSubmissionsResponse,
    VerifyReceiptRequest, WatchAggregateRequest, WatchPictureRequest, WithdrawSubmissionRequest,
};
use conspectus::rpc::{FILE_DESCRIPTOR_SET, METHODS};
use hyper::{Method, StatusCode};
use prost::Message;
use prost_reflect::DynamicMessage;
use prost_types::method_options::IdempotencyLevel;
use tonic::Code;
use tonic_types::StatusExt;

use crate::app::{CHILDRENS_SERVICES, CONSTABULARY, HAMPSHIRE, TestApp, figure, submission};
use crate::identities::{self, Condition, IDENTITIES, authorization};
use crate::raw::{self, Call};
use crate::{http, json};

const ISLE_OF_WIGHT: &str = "E06000046";
const CONTACTS: &str = "initial-contacts";
const YEAR: &str = "FY2021-22";

/// Whose things a request is about, as the [`IDENTITIES`] see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    Own,
    Others,
}

impl Whose {
    fn agency(self) -> String {
        match self {
            Self::Own => CHILDRENS_SERVICES.to_owned(),
            Self::Others => CONSTABULARY.to_owned(),
        }
    }

    fn area(self) -> String {
        match self {
            Self::Own => HAMPSHIRE.to_owned(),
            Self::Others => ISLE_OF_WIGHT.to_owned(),
        }
    }
}

/// A method, who may call it, and a request of it.
pub(crate) struct Row {
    pub(crate) method: &'static str,
    /// The identities that may call it at all; `name/own` only about their own.
    allowed: &'static [&'static str],
    pub(crate) request: fn(Whose) -> Vec<u8>,
}

const CATALOGUE: &[&str] =
    &["submitter", "corrector", "analyst", "analyst-of-social-care", "analyst-of-hampshire", "steward"];
const EVERYBODY: &[&str] = &[
    "submitter",
    "corrector",
    "reader",
    "analyst",
    "analyst-of-social-care",
    "analyst-of-hampshire",
    "steward",
    "operator",
];
/// Submissions, by those who are of the agency.
const OF_AGENCY: &[&str] = &["submitter/own", "corrector/own"];
/// Figures of everybody's: nobody who is limited to a sector may see them.
const ALL_FIGURES: &[&str] = &["analyst", "analyst-of-hampshire/own"];
/// Figures of an agency that is named.
const NAMED_FIGURES: &[&str] = &["analyst", "analyst-of-hampshire/own", "analyst-of-social-care/own"];

fn picture(whose: Whose) -> GetPictureRequest {
    GetPictureRequest { area: whose.area(), period: YEAR.to_owned(), ..GetPictureRequest::default() }
}

fn aggregate(whose: Whose) -> QueryAggregateRequest {
    QueryAggregateRequest {
        indicators: vec![CONTACTS.to_owned()],
        areas: vec![whose.area()],
        agencies: vec![whose.agency()],
        periods: vec![YEAR.to_owned()],
        ..QueryAggregateRequest::default()
    }
}

pub(crate) const ROWS: &[Row] = &[
    Row {
        method: "AuditService/ListAuditLines",
        allowed: &["operator"],
        request: |_| ListAuditLinesRequest::default().encode_to_vec(),
    },
    Row {
        method: "CatalogueService/PutCatalogue",
        allowed: &["steward"],
        request: |_| PutCatalogueRequest { validate_only: true, ..PutCatalogueRequest::default() }.encode_to_vec(),
    },
    Row {
        method: "CatalogueService/GetAgency",
        allowed: CATALOGUE,
        request: |whose| GetAgencyRequest { id: whose.agency(), as_of_revision: 0 }.encode_to_vec(),
    },
    Row {
        method: "CatalogueService/ListAgencies",
        allowed: CATALOGUE,
        request: |_| ListAgenciesRequest::default().encode_to_vec(),
    },
    Row {
        method: "CatalogueService/GetArea",
        allowed: CATALOGUE,
        request: |whose| GetAreaRequest { code: whose.area(), as_of_revision: 0 }.encode_to_vec(),
    },
    Row {
        method: "CatalogueService/ListAreas",
        allowed: CATALOGUE,
        request: |_| ListAreasRequest::default().encode_to_vec(),
    },
    Row {
        method: "CatalogueService/GetDimension",
        allowed: CATALOGUE,
        request: |_| GetDimensionRequest { id: "sex".to_owned(), as_of_revision: 0 }.encode_to_vec(),
    },
    Row {
        method: "CatalogueService/ListDimensions",
        allowed: CATALOGUE,
        request: |_| ListDimensionsRequest::default().encode_to_vec(),
    },
    Row {
        method: "CatalogueService/GetIndicator",
        allowed: CATALOGUE,
        request: |_| {
            GetIndicatorRequest { id: CONTACTS.to_owned(), as_of_revision: 0, ..Default::default() }.encode_to_vec()
        },
    },
    Row {
        method: "CatalogueService/ListIndicators",
        allowed: CATALOGUE,
        request: |_| ListIndicatorsRequest::default().encode_to_vec(),
    },
    Row {
        method: "CatalogueService/GetReconciliationRule",
        allowed: CATALOGUE,
        request: |_| {
            GetReconciliationRuleRequest { id: "mash-referrals".to_owned(), as_of_revision: 0 }.encode_to_vec()
        },
    },
    Row {
        method: "CatalogueService/ListReconciliationRules",
        allowed: CATALOGUE,
        request: |_| ListReconciliationRulesRequest::default().encode_to_vec(),
    },
    Row {
        method: "CatalogueService/GetCalendar",
        allowed: CATALOGUE,
        request: |_| GetCalendarRequest { id: "none".to_owned(), as_of_revision: 0 }.encode_to_vec(),
    },
    Row {
        method: "CatalogueService/ListCalendars",
        allowed: CATALOGUE,
        request: |_| ListCalendarsRequest::default().encode_to_vec(),
    },
    Row {
        method: "KeyService/CreateKey",
        allowed: &["operator"],
        // The name is taken: whoever may call it learns so.
        request: |_| {
            let role = Role::Reader.into();
            CreateKeyRequest { identity: "operator".to_owned(), role, ..CreateKeyRequest::default() }.encode_to_vec()
        },
    },
    Row {
        method: "KeyService/RotateKey",
        allowed: &["operator"],
        request: |_| RotateKeyRequest { identity: "nobody".to_owned(), ..RotateKeyRequest::default() }.encode_to_vec(),
    },
    Row {
        method: "KeyService/RevokeKey",
        allowed: &["operator"],
        request: |_| RevokeKeyRequest { identity: "nobody".to_owned(), ..RevokeKeyRequest::default() }.encode_to_vec(),
    },
    Row {
        method: "KeyService/GetCaller",
        allowed: EVERYBODY,
        request: |_| GetCallerRequest::default().encode_to_vec(),
    },
    Row {
        method: "KeyService/ListKeys",
        allowed: &["operator"],
        request: |_| ListKeysRequest::default().encode_to_vec(),
    },
    Row { method: "PictureService/GetPicture", allowed: ALL_FIGURES, request: |whose| picture(whose).encode_to_vec() },
    Row {
        method: "PictureService/QueryAggregate",
        allowed: NAMED_FIGURES,
        request: |whose| aggregate(whose).encode_to_vec(),
    },
    Row {
        method: "PictureService/ExplainFigure",
        allowed: NAMED_FIGURES,
        request: |whose| {
            ExplainFigureRequest {
                indicator: CONTACTS.to_owned(),
                area: whose.area(),
                agency: whose.agency(),
                period: YEAR.to_owned(),
                ..ExplainFigureRequest::default()
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "PictureService/GetHistory",
        allowed: NAMED_FIGURES,
        request: |whose| {
            GetHistoryRequest {
                indicator: CONTACTS.to_owned(),
                area: whose.area(),
                agency: whose.agency(),
                period: YEAR.to_owned(),
                ..GetHistoryRequest::default()
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "PictureService/ListChanges",
        allowed: NAMED_FIGURES,
        request: |whose| {
            ListChangesRequest {
                areas: vec![whose.area()],
                agencies: vec![whose.agency()],
                ..ListChangesRequest::default()
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "PictureService/GetCompleteness",
        allowed: &[
            "analyst",
            "analyst-of-hampshire/own",
            "analyst-of-social-care/own",
            "submitter/own",
            "corrector/own",
            "steward",
        ],
        request: |whose| {
            GetCompletenessRequest {
                area: whose.area(),
                periods: vec![YEAR.to_owned()],
                agencies: vec![whose.agency()],
                ..GetCompletenessRequest::default()
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "PictureService/Reconcile",
        allowed: ALL_FIGURES,
        request: |whose| {
            ReconcileRequest {
                areas: vec![whose.area()],
                area_level: AreaLevel::Unspecified.into(),
                periods: vec![YEAR.to_owned()],
                ..ReconcileRequest::default()
            }
            .encode_to_vec()
        },
    },
    Row {
        method: "PictureService/WatchPicture",
        allowed: ALL_FIGURES,
        request: |whose| {
            WatchPictureRequest { picture: Some(picture(whose)), after_revision: 0, after_time: None }.encode_to_vec()
        },
    },
    Row {
        method: "PictureService/WatchAggregate",
        allowed: NAMED_FIGURES,
        request: |whose| {
            WatchAggregateRequest { query: Some(aggregate(whose)), after_revision: 0, after_time: None }.encode_to_vec()
        },
    },
    Row {
        method: "SubmissionService/SubmitObservations",
        allowed: OF_AGENCY,
        request: |whose| {
            let mut request = submission("matrix", [figure(CONTACTS, YEAR, "5")]);
            request.agency = whose.agency();
            request.validate_only = true;
            request.encode_to_vec()
        },
    },
    Row {
        method: STREAM,
        allowed: OF_AGENCY,
        request: |whose| {
            let mut request = submission("matrix", [figure(CONTACTS, YEAR, "5")]);
            request.agency = whose.agency();
            request.validate_only = true;
            StreamSubmissionsRequest { submission: Some(request) }.encode_to_vec()
        },
    },
    Row {
        method: "SubmissionService/WithdrawSubmission",
        allowed: OF_AGENCY,
        request: |whose| {
            let (agency, request_id) = (whose.agency(), "none".to_owned());
            WithdrawSubmissionRequest { agency, request_id, reason: "a test".to_owned(), validate_only: true }
                .encode_to_vec()
        },
    },
    Row {
        method: "SubmissionService/CompleteReturn",
        allowed: OF_AGENCY,
        request: |whose| {
            let manifest = ReturnManifest { parts: vec!["none".to_owned()], ..ReturnManifest::default() };
            let (agency, return_id) = (whose.agency(), "none".to_owned());
            CompleteReturnRequest { agency, return_id, manifest: Some(manifest), validate_only: true }.encode_to_vec()
        },
    },
    Row {
        method: "SubmissionService/GetReturn",
        allowed: OF_AGENCY,
        request: |whose| GetReturnRequest { agency: whose.agency(), return_id: "none".to_owned() }.encode_to_vec(),
    },
    Row {
        method: "SubmissionService/ListReturns",
        allowed: OF_AGENCY,
        request: |whose| ListReturnsRequest { agency: whose.agency(), ..ListReturnsRequest::default() }.encode_to_vec(),
    },
    Row {
        method: "SubmissionService/GetSubmission",
        allowed: OF_AGENCY,
        request: |whose| {
            GetSubmissionRequest { agency: whose.agency(), request_id: "none".to_owned(), ..Default::default() }
                .encode_to_vec()
        },
    },
    Row {
        method: "SubmissionService/VerifyReceipt",
        allowed: OF_AGENCY,
        request: |whose| {
            let (agency, request_id, chain_hash) = (whose.agency(), "none".to_owned(), vec![0; 32]);
            VerifyReceiptRequest { agency, request_id, revision: 1, chain_hash }.encode_to_vec()
        },
    },
    Row {
        method: "SubmissionService/ListSubmissions",
        allowed: OF_AGENCY,
        request: |whose| {
            ListSubmissionsRequest { agency: whose.agency(), ..ListSubmissionsRequest::default() }.encode_to_vec()
        },
    },
];

/// The row of a method.
pub(crate) fn row(method: &str) -> &'static Row {
    ROWS.iter().find(|row| row.method == method).unwrap()
}

/// The paths of every method that the descriptors have.
fn methods() -> BTreeSet<String> {
    let set = prost_types::FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
    let files = set.file.iter().filter(|file| file.package() == "conspectus.v1");
    let services = files.flat_map(|file| &file.service);
    services
        .flat_map(|service| {
            service.method.iter().map(move |method| format!("/conspectus.v1.{}/{}", service.name(), method.name()))
        })
        .collect()
}

#[test]
fn every_method_has_a_row_here_and_in_the_guard() {
    let rows: BTreeSet<String> = ROWS.iter().map(|row| format!("/conspectus.v1.{}", row.method)).collect();
    let guarded: BTreeSet<String> = METHODS.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(rows, methods());
    assert_eq!(guarded, methods());
    assert_eq!((ROWS.len(), METHODS.len()), (methods().len(), methods().len()), "none twice");
}

/// What should become of a call: its code and reason when it is refused; none when it is let through.
fn expected(row: &Row, name: &str, whose: Whose, condition: Condition) -> Option<(Code, &'static str)> {
    match condition {
        Condition::Good => {
            let own = format!("{name}/own");
            let allowed = row.allowed.contains(&name) || whose == Whose::Own && row.allowed.contains(&own.as_str());
            (!allowed).then_some((Code::PermissionDenied, "PERMISSION_DENIED"))
        }
        Condition::Expired => Some((Code::Unauthenticated, "KEY_EXPIRED")),
        Condition::Absent | Condition::Revoked | Condition::Gone | Condition::Wrong | Condition::Malformed => {
            Some((Code::Unauthenticated, "UNAUTHENTICATED"))
        }
    }
}

/// Where each submission is refused for itself.
const STREAM: &str = "SubmissionService/StreamSubmissions";

fn refused_in_stream(answer: &[u8]) -> Option<(Code, String)> {
    match StreamSubmissionsResponse::decode(answer).unwrap().result? {
        StreamResult::Refused(refusal) => Some((Code::from(refusal.code), refusal.reason)),
        StreamResult::Accepted(_) => None,
    }
}

/// A door to the methods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Door {
    Grpc,
    Json,
    /// By GET, where that is served.
    Address,
}

impl Door {
    const ALL: [Self; 3] = [Self::Grpc, Self::Json, Self::Address];

    /// Whether a method is reached by it.
    fn leads_to(self, method: &str) -> bool {
        let method = json::descriptor(&format!("/conspectus.v1.{method}"));
        let is_unary = !method.is_client_streaming() && !method.is_server_streaming();
        let options = method.method_descriptor_proto().options.as_ref();
        let is_read = options.is_some_and(|it| it.idempotency_level() == IdempotencyLevel::NoSideEffects);
        match self {
            Self::Grpc => true,
            Self::Json => is_unary,
            Self::Address => is_unary && is_read,
        }
    }

    /// Calls a method by it: why it is refused.
    async fn refused(
        self,
        app: &TestApp,
        row: &Row,
        whose: Whose,
        authorization: Option<String>,
    ) -> Option<(Code, String)> {
        const PURPOSE: &str = "a test of who may do what";
        if self == Self::Grpc {
            let call =
                Call { authorization, purpose: Some(PURPOSE), ..Call::to(app, row.method, (row.request)(whose)) };
            return match raw::call(call).await {
                Ok(answer) if row.method == STREAM => refused_in_stream(&answer),
                Ok(_) => None,
                Err(status) => {
                    let reason = status.get_details_error_info().map(|info| info.reason).unwrap_or_default();
                    Some((status.code(), reason))
                }
            };
        }
        let path = format!("/conspectus.v1.{}", row.method);
        let message = DynamicMessage::decode(json::descriptor(&path).input(), &*(row.request)(whose)).unwrap();
        let message = serde_json::to_string(&message).unwrap();
        let mut headers = vec![("conspectus-purpose", PURPOSE), ("content-type", "application/json")];
        headers.extend(authorization.iter().map(|key| ("authorization", key.as_str())));
        let answer = match self {
            Self::Grpc | Self::Json => http::send(app.address(), Method::POST, &path, &headers, message).await,
            Self::Address => {
                let encoded: String = message.bytes().map(|byte| format!("%{byte:02x}")).collect();
                let path = format!("{path}?encoding=json&message={encoded}");
                http::send(app.address(), Method::GET, &path, &headers, "").await
            }
        };
        (answer.status != StatusCode::OK).then(|| {
            let error = answer.json();
            let code = match error["code"].as_str().unwrap() {
                "unauthenticated" => Code::Unauthenticated,
                "permission_denied" => Code::PermissionDenied,
                _ => Code::Unknown,
            };
            (code, error["details"][0]["debug"]["reason"].as_str().unwrap().to_owned())
        })
    }
}

#[tokio::test]
async fn everybody_may_do_exactly_what_they_may_by_every_door() {
    let app = TestApp::seeded(identities::seed).await;
    let (mut cells, mut wrong) = (0, String::new());
    let doors = Door::ALL.iter().flat_map(|door| ROWS.iter().map(move |row| (*door, row)));
    let doors: Vec<_> = doors.filter(|(door, row)| door.leads_to(row.method)).collect();
    for (door, row) in &doors {
        for identity in &IDENTITIES {
            for whose in [Whose::Own, Whose::Others] {
                for condition in Condition::ALL {
                    let authorization = authorization(identity.name, condition);
                    let refused = door.refused(&app, row, whose, authorization).await;
                    let refused = refused.and_then(|(code, reason)| {
                        let about_access = matches!(code, Code::Unauthenticated | Code::PermissionDenied);
                        // Whoever is let through may be refused for other reasons, in the service's own words.
                        assert!(about_access || !reason.is_empty(), "{} {code:?}", row.method);
                        about_access.then_some((code, reason))
                    });
                    let expected = expected(row, identity.name, whose, condition);
                    let refused = refused.as_ref().map(|(code, reason)| (*code, reason.as_str()));
                    cells += 1;
                    if refused != expected {
                        let (method, name) = (row.method, identity.name);
                        writeln!(
                            wrong,
                            "{method} by {door:?}, by {name} with {condition:?} about {whose:?}: {refused:?}, not {expected:?}"
                        )
                        .unwrap();
                    }
                }
            }
        }
    }
    assert_eq!(wrong, "");
    assert_eq!(cells, doors.len() * IDENTITIES.len() * 2 * Condition::ALL.len());
    assert!(doors.len() > 2 * methods().len());
}
