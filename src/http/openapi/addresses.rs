//! What is fetched by an address alone: files of figures, and who is calling.

use serde_json::{Value, json};

use crate::access::{PURPOSE_ALLOWED, Purpose};
use crate::http::files::{self, Address, Parameter, REVISION, Takes};
use crate::http::hello;
use crate::http::protos::comment;
use crate::rpc::PURPOSE_HEADER;

const TAG: &str = "Files";

pub(super) fn tag() -> Value {
    json!({ "name": TAG, "description": "Figures at an address, for whatever fetches one and reads a table; and what the server sees of a caller." })
}

/// The addresses, and what is got there.
pub(super) fn paths() -> impl Iterator<Item = (String, Value)> {
    let hello = (hello::PATH.to_owned(), json!({ "get": hello() }));
    files::addresses().map(|address| (address.path.to_owned(), json!({ "get": file(&address) }))).chain([hello])
}

fn file(address: &Address) -> Value {
    let method = address.method.trim_start_matches('/').replace('/', ".");
    let description = format!(
        "{}, as `{method}` answers, whose fields the parameters set. A list is given several times, or once with commas. What \
         isn't described is refused. {}",
        address.summary, address.bounds
    );
    let parameters = address.parameters.iter().map(|(it, field)| {
        let is_required = address.required.contains(&it.name);
        let says = field.as_ref().map_or_else(
            || by_itself(it.name).to_owned(),
            |field| {
                let message = field.parent_message();
                let says = comment(&message.parent_file(), field.path());
                format!("{says}\n\nSets `{}.{}`.", message.name(), field.name())
            },
        );
        json!({ "name": it.name, "in": "query", "required": is_required, "description": says, "schema": schema(it) })
    });
    let if_none_match = json!({
        "name": "If-None-Match", "in": "header", "required": false,
        "description": "The tags of files that the caller has already. Where one of them is still the file, 304 is answered.",
        "schema": { "type": "string" },
    });
    let media_type = address.media_type.split(';').next().unwrap_or_default();
    // Of bytes that are no text there is no schema.
    let content = if media_type == "text/csv" { json!({ "schema": { "type": "string" } }) } else { json!({}) };
    json!({
        "operationId": address.path.trim_start_matches("/v1/").replace('.', "_"),
        "tags": [TAG],
        "summary": address.summary,
        "description": description,
        "security": [{ "key": [] }, { "password": [] }],
        "parameters": parameters.chain([if_none_match, purpose_header()]).collect::<Vec<_>>(),
        "responses": {
            "200": {
                "description": "The file.",
                "headers": headers(),
                "content": { media_type: content },
            },
            "304": { "description": "The caller has the file already. There is no body.", "headers": headers() },
            "4XX": { "$ref": "#/components/responses/NoFile" },
            "5XX": { "$ref": "#/components/responses/NoFile" },
        },
    })
}

/// The response where there is no file.
pub(super) fn no_file() -> Value {
    json!({
        "description": "There is no file: a line for each problem, or for those that accept JSON the error of any other call. \
            401 names both ways to send a key; 429 and 503 say in `Retry-After` when to try again.",
        "content": {
            "text/plain": { "schema": { "type": "string" } },
            "application/json": { "schema": { "$ref": "#/components/schemas/Error" } },
        },
    })
}

fn headers() -> Value {
    json!({
        "ETag": {
            "description": "The tag of the file: it changes with each revision and with each day.",
            "schema": { "type": "string" },
        },
        REVISION.as_str(): {
            "description": "The revision that the file was made at.",
            "schema": { "type": "integer", "format": "int64", "minimum": 0 },
        },
    })
}

/// What a parameter says that sets no field of a message.
fn by_itself(name: &str) -> &'static str {
    match name {
        "purpose" => "What the figures are read for, unless the header says it. An analyst must say so.",
        "bom" => "Begin with a byte order mark, for a file that Excel opens by double click.",
        _ => "",
    }
}

fn schema(parameter: &Parameter) -> Value {
    let text = json!({ "type": "string", "minLength": 1 });
    match &parameter.takes {
        Takes::Text if parameter.name == "purpose" => purpose(),
        Takes::Text => text,
        Takes::Texts => json!({ "type": "array", "minItems": 1, "items": text }),
        Takes::Number => json!({ "type": "integer", "format": "int64", "minimum": 0, "default": 0 }),
        Takes::Instant => json!({ "type": "string", "format": "date-time" }),
        Takes::OneOf(texts) => json!({ "type": "string", "enum": texts }),
        Takes::SomeOf(texts) => {
            json!({ "type": "array", "minItems": 1, "items": { "type": "string", "enum": texts } })
        }
    }
}

fn hello() -> Value {
    json!({
        "operationId": "hello",
        "tags": [TAG],
        "summary": "What the server sees of whoever is calling",
        "description": "For a desktop that has nothing but a browser. It is answered whether or not the caller is known.",
        "security": [{}, { "key": [] }],
        "responses": {
            "200": {
                "description": "What arrives of the caller.",
                "content": { "application/json": { "schema": hello::schema() } },
            },
            "4XX": { "description": "The request is none that can be read, such as one whose headers are too large." },
            "5XX": { "$ref": "#/components/responses/Error" },
        },
    })
}

/// The header in which callers say what they read figures for.
pub(super) fn purpose_header() -> Value {
    json!({
        "name": PURPOSE_HEADER, "in": "header", "required": false,
        "description": format!("What the figures are read for, in UTF-8: {PURPOSE_ALLOWED}. An analyst must say so."),
        "schema": purpose(),
    })
}

fn purpose() -> Value {
    json!({
        "type": "string",
        "minLength": Purpose::CHARACTERS.start(), "maxLength": Purpose::CHARACTERS.end(),
    })
}
