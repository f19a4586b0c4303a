//! The API's reference, made of the protos' own descriptors and comments.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use askama::Template;
use axum::extract::Path;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use prost_reflect::{EnumDescriptor, FieldDescriptor, MessageDescriptor, MethodDescriptor, ServiceDescriptor};

use super::page::Page;
use super::refusal;
use crate::http::{API_PACKAGE, comment, has_no_side_effects};
use crate::rpc::DESCRIPTORS;

static SERVICES: LazyLock<Vec<Service>> = LazyLock::new(|| {
    let services = DESCRIPTORS.services().filter(|service| service.package_name() == API_PACKAGE);
    services.map(|service| Service::of(&service)).collect()
});

/// The services and their methods.
pub(super) async fn index() -> impl IntoResponse {
    Page(IndexPage { services: &SERVICES })
}

/// A service, with all messages of its methods.
pub(super) async fn show(Path(name): Path<String>, address: Uri) -> Response {
    match SERVICES.iter().find(|service| service.name == name) {
        Some(service) => Page(ServicePage { service }).into_response(),
        None => refusal::not_found(address).await,
    }
}

#[derive(Debug, Template)]
#[template(path = "reference.html")]
struct IndexPage {
    services: &'static [Service],
}

#[derive(Debug, Template)]
#[template(path = "reference_service.html")]
struct ServicePage {
    service: &'static Service,
}

#[derive(Debug)]
struct Service {
    name: String,
    full_name: String,
    text: Text,
    methods: Vec<Method>,
    messages: Vec<Message>,
    code_lists: Vec<CodeList>,
}

#[derive(Debug)]
struct Method {
    name: String,
    text: Text,
    request: String,
    response: String,
    /// Whether it is one message each way, and whether it only reads.
    how: &'static str,
}

#[derive(Debug)]
struct Message {
    name: String,
    text: Text,
    fields: Vec<Field>,
}

#[derive(Debug)]
struct Field {
    name: String,
    kind: String,
    /// The message or code list on the same page; empty for a type of protobuf's own.
    anchor: String,
    text: Text,
}

#[derive(Debug)]
struct CodeList {
    name: String,
    text: Text,
    values: Vec<(String, Text)>,
}

/// A comment, by paragraphs.
#[derive(Debug)]
struct Text {
    paragraphs: Vec<Vec<Span>>,
}

/// Some words, which may be code.
#[derive(Debug)]
struct Span {
    is_code: bool,
    text: String,
}

impl Text {
    fn of(comment: &str) -> Self {
        let span = |(at, text): (usize, &str)| Span { is_code: at % 2 == 1, text: text.replace('\n', " ") };
        let spans = |paragraph: &str| paragraph.split('`').enumerate().map(span).collect();
        let paragraphs = comment.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty());
        Self { paragraphs: paragraphs.map(spans).collect() }
    }
}

impl Service {
    fn of(service: &ServiceDescriptor) -> Self {
        let mut types = Types::default();
        for method in service.methods() {
            types.add_message(&method.input());
            types.add_message(&method.output());
        }
        Self {
            name: service.name().to_owned(),
            full_name: service.full_name().to_owned(),
            text: Text::of(&comment(&service.parent_file(), service.path())),
            methods: service.methods().map(|method| Method::of(&method)).collect(),
            messages: types.messages.iter().map(Message::of).collect(),
            code_lists: types.code_lists.iter().map(CodeList::of).collect(),
        }
    }
}

impl Method {
    fn of(method: &MethodDescriptor) -> Self {
        let how = match (method.is_client_streaming(), method.is_server_streaming()) {
            (false, false) if has_no_side_effects(method) => "Only reads. Over gRPC, and over JSON by POST or GET.",
            (false, false) => "Over gRPC, and over JSON by POST.",
            (false, true) => "A stream of answers, over gRPC alone.",
            (true, _) => "A stream of requests and of answers, over gRPC alone.",
        };
        Self {
            name: method.name().to_owned(),
            text: Text::of(&comment(&method.parent_file(), method.path())),
            request: method.input().name().to_owned(),
            response: method.output().name().to_owned(),
            how,
        }
    }
}

impl Message {
    fn of(message: &MessageDescriptor) -> Self {
        Self {
            name: message.name().to_owned(),
            text: Text::of(&comment(&message.parent_file(), message.path())),
            fields: message.fields().map(|field| Field::of(&field)).collect(),
        }
    }
}

impl Field {
    fn of(field: &FieldDescriptor) -> Self {
        let kind = field.kind();
        let (kind, anchor) = if let Some(message) = kind.as_message() {
            named(message.package_name(), message.name(), message.full_name())
        } else if let Some(code_list) = kind.as_enum() {
            named(code_list.package_name(), code_list.name(), code_list.full_name())
        } else {
            (format!("{kind:?}"), String::new())
        };
        let choice = field.containing_oneof().filter(|choice| !choice.is_synthetic());
        let kind = match choice {
            Some(choice) => format!("{kind}, one of {}", choice.name()),
            None if field.is_list() => format!("list of {kind}"),
            None if field.field_descriptor_proto().proto3_optional() => format!("{kind}, may be absent"),
            None => kind,
        };
        let text = Text::of(&comment(&field.parent_message().parent_file(), field.path()));
        Self { name: field.name().to_owned(), kind, anchor, text }
    }
}

/// A type by its name, and where it is described.
fn named(package: &str, name: &str, full_name: &str) -> (String, String) {
    if package == API_PACKAGE { (name.to_owned(), name.to_owned()) } else { (full_name.to_owned(), String::new()) }
}

impl CodeList {
    fn of(code_list: &EnumDescriptor) -> Self {
        let file = code_list.parent_file();
        let value = |value: prost_reflect::EnumValueDescriptor| {
            (value.name().to_owned(), Text::of(&comment(&file, value.path())))
        };
        Self {
            name: code_list.name().to_owned(),
            text: Text::of(&comment(&file, code_list.path())),
            values: code_list.values().map(value).collect(),
        }
    }
}

/// The messages and code lists of a service's methods, each before those that it refers to.
#[derive(Debug, Default)]
struct Types {
    messages: Vec<MessageDescriptor>,
    code_lists: Vec<EnumDescriptor>,
    known: BTreeSet<String>,
}

impl Types {
    fn add_message(&mut self, message: &MessageDescriptor) {
        if message.package_name() != API_PACKAGE || !self.known.insert(message.full_name().to_owned()) {
            return;
        }
        self.messages.push(message.clone());
        for field in message.fields() {
            let kind = field.kind();
            if let Some(part) = kind.as_message() {
                self.add_message(part);
            }
            if let Some(code_list) = kind.as_enum()
                && self.known.insert(code_list.full_name().to_owned())
            {
                self.code_lists.push(code_list.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_service_is_described_and_refers_to_what_is_on_its_page() {
        assert_eq!(SERVICES.len(), 5);
        for service in SERVICES.iter() {
            let messages = service.messages.iter().map(|message| &message.name);
            let anchors: BTreeSet<&String> = messages.chain(service.code_lists.iter().map(|list| &list.name)).collect();
            assert_eq!(anchors.len(), service.messages.len() + service.code_lists.len(), "an anchor twice");
            for method in &service.methods {
                assert!(!method.text.paragraphs.is_empty(), "{}", method.name);
                assert!(anchors.contains(&method.request) && anchors.contains(&method.response), "{}", method.name);
            }
            for message in &service.messages {
                for field in &message.fields {
                    assert!(!field.text.paragraphs.is_empty(), "{}.{}", message.name, field.name);
                    assert!(field.anchor.is_empty() || anchors.contains(&field.anchor), "{}", field.anchor);
                }
            }
        }
    }

    #[test]
    fn a_comment_has_paragraphs_and_code() {
        let text = Text::of("A day,\n`YYYY-MM-DD`.\n\nNo more.");
        let plain: Vec<Vec<(bool, &str)>> = text
            .paragraphs
            .iter()
            .map(|spans| spans.iter().map(|span| (span.is_code, span.text.as_str())).collect())
            .collect();
        assert_eq!(plain, [vec![(false, "A day, "), (true, "YYYY-MM-DD"), (false, ".")], vec![(false, "No more.")]]);
    }
}
