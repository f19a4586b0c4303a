//! Texts that others send: a character in them that can't be seen, or that turns the text around it, is refused
//! wherever it stands, and no refusal quotes it as it is.

use std::collections::BTreeMap;

use conspectus::rpc::FILE_DESCRIPTOR_SET;
use conspectus::rpc::proto::{
    CategoryRef, CreateKeyRequest, ListSubmissionsRequest, Marker, Mean, Observation, Percentage,
    QueryAggregateRequest, Ratio, Role, RotateKeyRequest, SignIn, WithdrawSubmissionRequest, observation::Measure,
};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage, Value};
use tonic::Code;
use tonic_types::StatusExt;

use crate::app::{CHILDRENS_SERVICES, HAMPSHIRE, TestApp, absent, catalogue, figure, query, submission};
use crate::raw::{Call, call};

/// One of each kind: a control character, one that changes the direction, an invisible one.
const HIDDEN: [char; 3] = ['\u{1b}', '\u{202e}', '\u{200b}'];

const QUERY: &str = "QueryAggregateRequest";

/// The texts of a message, one of each field, and the message with `with` at the end of that one.
fn texts(message: &DynamicMessage, with: char) -> BTreeMap<String, DynamicMessage> {
    let mut found = BTreeMap::new();
    for (field, value) in message.fields() {
        let name = format!("{}.{}", message.descriptor().name(), field.name());
        let items = value.as_list().map_or(std::slice::from_ref(value), |list| list);
        for (index, item) in items.iter().enumerate() {
            let changed: Vec<(String, Value)> = match (item.as_str(), item.as_message()) {
                (Some(text), _) => vec![(name.clone(), Value::String(format!("{text}{with}")))],
                (None, Some(inner)) => {
                    texts(inner, with).into_iter().map(|(name, inner)| (name, Value::Message(inner))).collect()
                }
                (None, None) => continue,
            };
            for (name, item) in changed {
                let mut list = items.to_vec();
                list[index] = item;
                let mut message = message.clone();
                let value = if field.is_list() { Value::List(list) } else { list.remove(0) };
                message.set_field(&field, value);
                found.entry(name).or_insert(message);
            }
        }
    }
    found
}

fn dynamic(message: &impl Message, name: &str) -> DynamicMessage {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
    let descriptor = pool.get_message_by_name(&format!("conspectus.v1.{name}")).unwrap();
    DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice()).unwrap()
}

fn created(role: Role, agency: &str, areas: &[&str]) -> CreateKeyRequest {
    CreateKeyRequest {
        identity: "jo".to_owned(),
        role: role.into(),
        agency: agency.to_owned(),
        areas: areas.iter().map(|code| (*code).to_owned()).collect(),
        certificates: vec!["urn:jo".to_owned()],
        sign_ins: vec![SignIn { issuer: "https://login.example".to_owned(), subject: "jo".to_owned() }],
        ..CreateKeyRequest::default()
    }
}

/// Requests with every text that can be stored, and their methods: all of them are taken as they are.
fn requests() -> Vec<(&'static str, DynamicMessage)> {
    let breakdown = CategoryRef { dimension: "sex".to_owned(), category: "female".to_owned() };
    let with = |indicator, measure| Observation {
        measure: Some(measure),
        note: "a note".to_owned(),
        ..figure(indicator, "FY2021-22", "")
    };
    let text = || "5".to_owned();
    let observations = [
        Observation { breakdown: vec![breakdown], ..with("initial-contacts", Measure::Number(text())) },
        with("assessments-timely", Measure::Ratio(Ratio { numerator: text(), denominator: text() })),
        with("s47-to-conference", Measure::Percentage(Percentage { percent: text(), base: "100".to_owned() })),
        absent("initial-contacts", "FY2020-21", Marker::Confidential),
    ];
    let mut submitted = submission("a-request", observations);
    submitted.source = "a source".to_owned();
    let withdrawn = WithdrawSubmissionRequest {
        agency: CHILDRENS_SERVICES.to_owned(),
        request_id: "a-request".to_owned(),
        reason: "a reason".to_owned(),
        validate_only: false,
    };
    vec![
        ("CatalogueService/PutCatalogue", dynamic(&catalogue(), "PutCatalogueRequest")),
        ("SubmissionService/SubmitObservations", dynamic(&submitted, "SubmitObservationsRequest")),
        ("SubmissionService/WithdrawSubmission", dynamic(&withdrawn, "WithdrawSubmissionRequest")),
        ("KeyService/CreateKey", dynamic(&created(Role::Operator, "", &[]), "CreateKeyRequest")),
        ("PictureService/QueryAggregate", dynamic(&query(["initial-contacts"], ["FY2021-22"], []), QUERY)),
    ]
}

/// Requests that are refused, with texts that the refusal could quote.
fn refused_requests() -> Vec<(&'static str, DynamicMessage)> {
    let rotated = RotateKeyRequest { identity: "nobody".to_owned(), days: 1, overlap_hours: None };
    let listed = ListSubmissionsRequest { page_token: "00".to_owned(), ..ListSubmissionsRequest::default() };
    let queried =
        QueryAggregateRequest { page_token: "00".to_owned(), ..query(["initial-contacts"], ["FY2021-22"], []) };
    let mean = Measure::Mean(Mean { mean: "5".to_owned(), count: "5".to_owned() });
    let mean = Observation { measure: Some(mean), ..figure("initial-contacts", "FY2021-22", "") };
    vec![
        // The first identity must be an operator.
        ("KeyService/CreateKey", dynamic(&created(Role::Submitter, CHILDRENS_SERVICES, &[]), "CreateKeyRequest")),
        ("KeyService/CreateKey", dynamic(&created(Role::Analyst, "", &[HAMPSHIRE]), "CreateKeyRequest")),
        ("KeyService/RotateKey", dynamic(&rotated, "RotateKeyRequest")),
        ("SubmissionService/ListSubmissions", dynamic(&listed, "ListSubmissionsRequest")),
        ("PictureService/QueryAggregate", dynamic(&queried, QUERY)),
        ("SubmissionService/SubmitObservations", dynamic(&submission("x", [mean]), "SubmitObservationsRequest")),
    ]
}

#[tokio::test]
async fn what_has_only_characters_that_can_be_seen_is_taken() {
    for (method, request) in requests() {
        let app = TestApp::with_catalogue().await;
        if let Err(refusal) = call(Call::to(&app, method, request.encode_to_vec())).await {
            assert_eq!(refusal.code(), Code::NotFound, "{method}: {refusal:?}");
        }
    }
}

#[tokio::test]
async fn a_character_that_cannot_be_seen_is_refused_in_every_text_and_never_quoted_as_it_is() {
    let app = TestApp::with_catalogue().await;
    let mut fields = Vec::new();
    for hidden in HIDDEN {
        for (method, request) in requests().into_iter().chain(refused_requests()) {
            for (field, message) in texts(&request, hidden) {
                let refused = call(Call::to(&app, method, message.encode_to_vec())).await;
                let refusal = refused.expect_err(&format!("{method} takes {hidden:?} in {field}"));
                assert_eq!(refusal.code(), Code::InvalidArgument, "{method}, {field}: {refusal:?}");
                let mut said = refusal.message().to_owned();
                for violation in refusal.get_details_bad_request().map(|it| it.field_violations).unwrap_or_default() {
                    said.push_str(&violation.field);
                    said.push_str(&violation.description);
                }
                assert!(!said.contains(hidden), "{method}, {field}: {said:?}");
                fields.push(field);
            }
        }
    }
    // What is stored as it was sent, of which this is all about.
    for field in [
        "Agency.name",
        "Area.name",
        "Category.title",
        "Dimension.title",
        "Indicator.definition",
        "Indicator.source",
        "Indicator.title",
        "Indicator.unit",
        "ReconciliationRule.title",
        "SubmitObservationsRequest.source",
        "Observation.note",
        "WithdrawSubmissionRequest.reason",
        "CreateKeyRequest.identity",
        "CreateKeyRequest.certificates",
        "SignIn.issuer",
        "SignIn.subject",
    ] {
        assert!(fields.iter().filter(|found| *found == field).count() >= HIDDEN.len(), "{field}");
    }
    assert_eq!(app.revision().await, 1, "nothing is stored");
}
