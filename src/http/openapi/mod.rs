//! What is served over HTTP described as OpenAPI 3.1 (<https://spec.openapis.org/oas/v3.1.1>): the JSON lane, made of the protos'
//! own descriptors and comments; and the addresses of files, made of the parameters that are read.

mod addresses;

use std::collections::BTreeSet;
use std::sync::LazyLock;

use axum::Json;
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, MessageDescriptor, MethodDescriptor};
use serde_json::{Map, Value, json};

use super::connect::has_no_side_effects;
use super::protos::{PACKAGE, comment};
use crate::access::Action;
use crate::rpc::{DESCRIPTORS, METHODS};

static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

/// The description as it is served.
pub(crate) async fn answer() -> Json<&'static Value> {
    Json(&DOCUMENT)
}

/// The description of every unary method, and of every address.
pub(crate) fn document() -> Value {
    let mut schemas = Schemas::default();
    let (mut paths, mut tags) = (Map::new(), Vec::new());
    for service in DESCRIPTORS.services().filter(|service| service.package_name() == PACKAGE) {
        tags.push(json!({
            "name": service.name(),
            "description": comment(&service.parent_file(), service.path()),
        }));
        for method in service.methods().filter(|method| !method.is_client_streaming() && !method.is_server_streaming())
        {
            paths.insert(path(&method), operations(&method, &mut schemas));
        }
    }
    tags.push(addresses::tag());
    paths.extend(addresses::paths());
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "conspectus",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": env!("CARGO_PKG_DESCRIPTION"),
            "description": "Every unary method of the gRPC API, as JSON by the Connect protocol; and figures in files, at addresses. The streams are served \
                over gRPC alone. A field that has its default (0, false, an empty text or list) is left out of an answer; an unknown field of a request is refused.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "key": [] }],
        "tags": tags,
        "paths": paths,
        "components": {
            "schemas": schemas.described(),
            "responses": {
                "Error": {
                    "description": "The call is refused. The status of HTTP goes with the code.",
                    "content": { "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } },
                },
                "NoFile": addresses::no_file(),
            },
            "securitySchemes": {
                "key": { "type": "http", "scheme": "bearer", "description": "An API key, `cps_…`. A client certificate does instead." },
                "password": { "type": "http", "scheme": "basic", "description": "Any name, with the API key as the password: for files alone." },
            },
        },
    })
}

fn path(method: &MethodDescriptor) -> String {
    format!("/{}/{}", method.parent_service().full_name(), method.name())
}

/// The operations at the path of a method.
fn operations(method: &MethodDescriptor, schemas: &mut Schemas) -> Value {
    let service = method.parent_service();
    let description = comment(&method.parent_file(), method.path());
    let summary = description.split_once(['.', '\n']).map_or(&*description, |(first, _)| first);
    let (input, output) = (schemas.reference(&method.input()), schemas.reference(&method.output()));
    let operation = |id: String, specific: Value| {
        let mut operation = json!({
            "operationId": id,
            "tags": [service.name()],
            "summary": summary,
            "description": description,
            "responses": {
                "200": { "description": "The answer.", "content": { "application/json": { "schema": output } } },
                "4XX": { "$ref": "#/components/responses/Error" },
                "5XX": { "$ref": "#/components/responses/Error" },
            },
        });
        if let (Value::Object(operation), Value::Object(specific)) = (&mut operation, specific) {
            operation.extend(specific);
        }
        operation
    };
    let id = format!("{}_{}", service.name(), method.name());
    let body = json!({ "required": true, "content": { "application/json": { "schema": input } } });
    let headers = header_parameters(&path(method));
    let mut operations =
        json!({ "post": operation(id.clone(), json!({ "parameters": headers, "requestBody": body })) });
    if has_no_side_effects(method) {
        let mut parameters = vec![
            json!({ "name": "encoding", "in": "query", "required": true, "schema": { "type": "string", "const": "json" } }),
            json!({ "name": "message", "in": "query", "required": true, "description": "The request, as JSON.",
                "content": { "application/json": { "schema": input } } }),
        ];
        parameters.extend(headers);
        operations["get"] = operation(format!("{id}_by_GET"), json!({ "parameters": parameters }));
    }
    operations
}

fn header_parameters(path: &str) -> Vec<Value> {
    let mut parameters = vec![json!({
        "name": "Connect-Timeout-Ms", "in": "header", "required": false,
        "description": "How many milliseconds the call may take.",
        "schema": { "type": "integer", "minimum": 0 },
    })];
    if METHODS.contains(&(path, Action::ReadFigures)) {
        parameters.push(addresses::purpose_header());
    }
    parameters
}

/// The messages and code lists that are described, and those that are still to be.
#[derive(Debug, Default)]
struct Schemas {
    messages: Vec<MessageDescriptor>,
    enums: Vec<EnumDescriptor>,
    known: BTreeSet<String>,
}

impl Schemas {
    fn reference(&mut self, message: &MessageDescriptor) -> Value {
        if self.known.insert(message.full_name().to_owned()) {
            self.messages.push(message.clone());
        }
        reference(message.full_name())
    }

    /// Each by its name, with all that they refer to.
    fn described(mut self) -> Map<String, Value> {
        let mut described = Map::new();
        described.insert("Error".to_owned(), error());
        while let Some(message) = self.messages.pop() {
            described.insert(short(message.full_name()), self.message(&message));
        }
        for code_list in &self.enums {
            described.insert(short(code_list.full_name()), code_list_schema(code_list));
        }
        described
    }

    fn message(&mut self, message: &MessageDescriptor) -> Value {
        let properties: Map<String, Value> =
            message.fields().map(|field| (field.json_name().to_owned(), self.field(&field))).collect();
        let choices = message.oneofs().filter(|choice| !choice.is_synthetic()).map(|choice| {
            let names: Vec<String> = choice.fields().map(|field| format!("`{}`", field.json_name())).collect();
            format!("At most one of {}.", names.join(", "))
        });
        let own = comment(&message.parent_file(), message.path());
        let description: Vec<String> = std::iter::once(own).chain(choices).collect();
        json!({
            "type": "object",
            "description": description.join("\n\n"),
            "properties": properties,
            "additionalProperties": false,
        })
    }

    fn field(&mut self, field: &FieldDescriptor) -> Value {
        let one = self.kind(&field.kind());
        let mut schema = if field.is_list() { json!({ "type": "array", "items": one }) } else { one };
        schema["description"] = comment(&field.parent_message().parent_file(), field.path()).into();
        schema
    }

    fn kind(&mut self, kind: &Kind) -> Value {
        match kind {
            Kind::Double | Kind::Float => json!({ "type": "number" }),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => json!({ "type": "integer", "format": "int32" }),
            Kind::Uint32 | Kind::Fixed32 => json!({ "type": "integer", "minimum": 0 }),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 | Kind::Uint64 | Kind::Fixed64 => {
                json!({ "type": ["string", "integer"], "format": "int64" })
            }
            Kind::Bool => json!({ "type": "boolean" }),
            Kind::String => json!({ "type": "string" }),
            Kind::Bytes => json!({ "type": "string", "contentEncoding": "base64" }),
            Kind::Message(message) if message.full_name() == "google.protobuf.Timestamp" => {
                json!({ "type": "string", "format": "date-time" })
            }
            Kind::Message(message) => self.reference(message),
            Kind::Enum(code_list) => {
                if self.known.insert(code_list.full_name().to_owned()) {
                    self.enums.push(code_list.clone());
                }
                reference(code_list.full_name())
            }
        }
    }
}

fn code_list_schema(code_list: &EnumDescriptor) -> Value {
    let file = code_list.parent_file();
    let values: Vec<String> = code_list.values().map(|value| value.name().to_owned()).collect();
    let of_value = |value: prost_reflect::EnumValueDescriptor| {
        format!("- `{}`: {}", value.name(), comment(&file, value.path()).replace('\n', " "))
    };
    let meanings: Vec<String> = code_list.values().map(of_value).collect();
    let description = format!("{}\n\n{}", comment(&file, code_list.path()), meanings.join("\n"));
    json!({ "type": "string", "enum": values, "description": description })
}

fn error() -> Value {
    json!({
        "type": "object",
        "description": "An error of the Connect protocol.",
        "properties": {
            "code": { "type": "string", "description": "The code of gRPC, such as `invalid_argument`." },
            "message": { "type": "string", "description": "What is wrong, in words." },
            "details": {
                "type": "array",
                "description": "An ErrorInfo with the stable reason, a BadRequest with every violation, a RetryInfo.",
                "items": {
                    "type": "object",
                    "properties": {
                        "type": { "type": "string", "description": "Its type, such as `google.rpc.BadRequest`." },
                        "value": { "type": "string", "contentEncoding": "base64", "description": "Its bytes." },
                        "debug": { "type": "object", "description": "What they say, as JSON." },
                    },
                    "required": ["type", "value"],
                },
            },
        },
        "required": ["code", "message"],
    })
}

fn reference(full_name: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{}", short(full_name)) })
}

/// A name within the API, without its package.
fn short(full_name: &str) -> String {
    full_name.strip_prefix(PACKAGE).map_or(full_name, |name| name.trim_start_matches('.')).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::files;

    #[test]
    fn every_unary_method_is_described_with_all_that_it_refers_to() {
        let document = document();
        let paths = document["paths"].as_object().unwrap();
        let streams = ["StreamSubmissions", "WatchAggregate", "WatchPicture"];
        for (path, _) in METHODS {
            assert_eq!(paths.contains_key(path), !streams.iter().any(|stream| path.ends_with(stream)), "{path}");
        }
        let text = document.to_string();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for reference in text.split("#/components/schemas/").skip(1) {
            let name = reference.split('"').next().unwrap();
            assert!(schemas.contains_key(name), "{name}");
        }
        for address in files::addresses() {
            let described = paths[address.path]["get"]["parameters"].as_array().unwrap();
            for (parameter, _) in address.parameters {
                let described = described.iter().find(|it| it["name"] == parameter.name).unwrap();
                let says = described["description"].as_str().unwrap();
                assert!(!says.is_empty(), "{} of {} has no description", parameter.name, address.path);
            }
        }
        for (name, schema) in schemas {
            assert!(schema["description"].as_str().is_some_and(|text| !text.is_empty()), "{name} has no description");
        }
    }
}
