//! Texts that others send: a character in them that can't be seen, or that turns the text around it, is refused
//! wherever it stands, and no refusal quotes it as it is.

use std::collections::BTreeMap;

use conspectus::rpc::FILE_DESCRIPTOR_SET;
use conspectus::rpc::proto::{
    CategoryRef, CreateKeyRequest, ListSubmissionsRequest, Marker, Mean, Observation, Percentage,
    QueryAggregateRequest, Ratio, Role, RotateKeyRequest, WithdrawSubmissionRequest, observation::Measure,
};
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage, Value};
use tonic::Code;
use tonic_types::StatusExt;

use crate::app::{CHILDRENS_SERVICES, TestApp, absent, catalogue, figure, query, submission};
use crate::raw::{Call, call};

/// One of each kind: a control character, one that changes the direction, an invisible one.
const HIDDEN: [char; 3] = ['\u{1b}', '\u{202e}', '\u{200b}'];

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

/// Requests with every text that can be stored, or that a refusal could quote, and their methods.
fn requests() -> Vec<(&'static str, DynamicMessage)> {
    let breakdown = CategoryRef { dimension: "age-band".to_owned(), category: "0-to-4".to_owned() };
    let with = |measure| Observation {
        measure: Some(measure),
        breakdown: vec![breakdown.clone()],
        note: "a note".to_owned(),
        ..figure("initial-contacts", "FY2021-22", "")
    };
    let text = || "5".to_owned();
    let observations = [
        with(Measure::Number(text())),
        with(Measure::Ratio(Ratio { numerator: text(), denominator: text() })),
        with(Measure::Percentage(Percentage { percent: text(), base: text() })),
        with(Measure::Mean(Mean { mean: text(), count: text() })),
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
    let created = CreateKeyRequest {
        identity: "jo".to_owned(),
        role: Role::Operator.into(),
        agency: CHILDRENS_SERVICES.to_owned(),
        areas: vec!["E10000014".to_owned()],
        certificates: vec!["urn:jo".to_owned()],
        ..CreateKeyRequest::default()
    };
    let rotated = RotateKeyRequest { identity: "jo".to_owned(), days: 1, overlap_hours: None };
    let listed = ListSubmissionsRequest { page_token: "00".to_owned(), ..ListSubmissionsRequest::default() };
    let queried =
        QueryAggregateRequest { page_token: "00".to_owned(), ..query(["initial-contacts"], ["FY2021-22"], []) };
    vec![
        ("CatalogueService/PutCatalogue", dynamic(&catalogue(), "PutCatalogueRequest")),
        ("SubmissionService/SubmitObservations", dynamic(&submitted, "SubmitObservationsRequest")),
        ("SubmissionService/WithdrawSubmission", dynamic(&withdrawn, "WithdrawSubmissionRequest")),
        ("SubmissionService/ListSubmissions", dynamic(&listed, "ListSubmissionsRequest")),
        ("KeyService/CreateKey", dynamic(&created, "CreateKeyRequest")),
        ("KeyService/RotateKey", dynamic(&rotated, "RotateKeyRequest")),
        ("PictureService/QueryAggregate", dynamic(&queried, "QueryAggregateRequest")),
    ]
}

#[tokio::test]
async fn a_character_that_cannot_be_seen_is_refused_in_every_text_and_never_quoted_as_it_is() {
    let app = TestApp::with_catalogue().await;
    let mut fields = Vec::new();
    for hidden in HIDDEN {
        for (method, request) in requests() {
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
    ] {
        assert_eq!(fields.iter().filter(|found| *found == field).count(), HIDDEN.len(), "{field}");
    }
    assert_eq!(app.revision().await, 1, "nothing is stored");
}
