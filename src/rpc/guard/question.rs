//! What a request asks for, in words: every field that is set, by the request's own descriptor. So a field that is new
//! is in the audit log from the day it is there, and two different requests never have the same words.
//!
//! `area=E10000014 period=FY2021-22 indicators=contacts,referrals breakdown=(dimension=sex category=female)`: a text
//! with anything but letters, digits and `._:+/-` in it stands in quotes.

use std::collections::HashMap;
use std::sync::LazyLock;

use prost::Message;
use prost_reflect::{DescriptorPool, FieldDescriptor, Kind, MessageDescriptor};

use crate::audit::{QUESTION_BYTES_MAX, SCOPE_BYTES_MAX};
use crate::model::hex::Hex;
use crate::model::violation::Violations;
use crate::rpc::FILE_DESCRIPTOR_SET;

/// What makes figures small: of these as much is in the line as fits, however long the question is.
const NARROWING_FIELDS: [&str; 7] =
    ["area", "areas", "area_level", "benchmark_areas", "breakdown", "by_dimension", "areas_as_of"];
/// How much of a list an abridged question has: of one that makes figures small, and of another.
const NARROWING_LIST_BYTES_MAX: usize = 2_000;
const LIST_BYTES_MAX: usize = 200;
/// How much of a text.
const TEXT_BYTES_MAX: usize = 100;

/// What a request asks for, as the audit log has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct Question {
    /// In the line: the whole question, or one that is too long for that abridged.
    pub(crate) scope: String,
    /// The whole question, when it isn't in the line.
    pub(crate) whole: Option<Whole>,
}

/// A question that is too long for a line.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Whole {
    /// BLAKE3 of its text, in hexadecimal digits.
    pub(crate) hash: String,
    /// Its text; none when it is too long to be kept.
    pub(crate) text: Option<String>,
}

impl Question {
    /// What a message asks of a method. Of a method that isn't served, nothing.
    pub(crate) fn of(method: &str, message: &impl Message) -> Self {
        request_of(method).map(|descriptor| Self::read(&descriptor, &message.encode_to_vec())).unwrap_or_default()
    }

    fn read(descriptor: &MessageDescriptor, bytes: &[u8]) -> Self {
        let (mut hasher, mut text, mut length) = (blake3::Hasher::new(), String::new(), 0);
        let mut sink = |part: &str| {
            hasher.update(part.as_bytes());
            length += part.len();
            if length <= QUESTION_BYTES_MAX {
                text.push_str(part);
            }
        };
        write_message(descriptor, bytes, Form::Whole, &mut sink);
        if length <= SCOPE_BYTES_MAX {
            return Self { scope: text, whole: None };
        }
        let hash = hasher.finalize().to_hex().to_string();
        let mut scope = String::new();
        write_message(descriptor, bytes, Form::Abridged, &mut |part| scope.push_str(part));
        Self { scope, whole: Some(Whole { hash, text: (length <= QUESTION_BYTES_MAX).then_some(text) }) }
    }
}

/// Everything that is there twice in a list of a request, at its field: a list names each thing once.
pub(crate) fn repeats(method: &str, message: &impl Message) -> Violations {
    let mut violations = Violations::default();
    if let Some(descriptor) = request_of(method) {
        find_repeats(&descriptor, &message.encode_to_vec(), "", &mut violations);
    }
    violations
}

fn find_repeats(descriptor: &MessageDescriptor, bytes: &[u8], path: &str, violations: &mut Violations) {
    let mut seen: HashMap<(u32, Item<'_>), usize> = HashMap::new();
    let mut at = (0, 0);
    for (field, item) in (Items { descriptor, rest: bytes, packed: None }) {
        if field.is_list() {
            at = if at.0 == field.number() { (at.0, at.1 + 1) } else { (field.number(), 0) };
            let first = *seen.entry((field.number(), item)).or_insert(at.1);
            if first != at.1 {
                violations.add(
                    format_args!("{path}{}[{}]", field.name(), at.1),
                    format_args!("found what `{}[{first}]` has; allowed: each once", field.name()),
                );
            }
        } else if let (Kind::Message(inner), Item::Bytes(bytes)) = (field.kind(), item) {
            find_repeats(&inner, bytes, &format!("{path}{}.", field.name()), violations);
        }
    }
}

/// The request message of each method, by its path.
static REQUESTS: LazyLock<HashMap<String, MessageDescriptor>> = LazyLock::new(|| {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).expect("the build has made the descriptors");
    let methods = pool.services().flat_map(|service| service.methods().collect::<Vec<_>>());
    let path = |service: &str, method: &str| format!("/{service}/{method}");
    methods.map(|method| (path(method.parent_service().full_name(), method.name()), method.input())).collect()
});

fn request_of(method: &str) -> Option<MessageDescriptor> {
    REQUESTS.get(method).cloned()
}

/// How much of a question is wanted.
#[derive(Debug, Clone, Copy)]
enum Form {
    Whole,
    Abridged,
}

impl Form {
    fn list_bytes_max(self, field: &str) -> usize {
        match self {
            Self::Whole => usize::MAX,
            Self::Abridged if NARROWING_FIELDS.contains(&field) => NARROWING_LIST_BYTES_MAX,
            Self::Abridged => LIST_BYTES_MAX,
        }
    }

    fn text_bytes_max(self) -> usize {
        match self {
            Self::Whole => usize::MAX,
            Self::Abridged => TEXT_BYTES_MAX,
        }
    }
}

/// Writes the fields of a message, in the order of their numbers, each with all that it has.
fn write_message(descriptor: &MessageDescriptor, bytes: &[u8], form: Form, sink: &mut dyn FnMut(&str)) {
    let mut open: Option<FieldDescriptor> = None;
    let (mut list_bytes, mut omitted) = (0, 0);
    for (field, item) in (Items { descriptor, rest: bytes, packed: None }) {
        let is_next = open.as_ref() == Some(&field);
        if !is_next {
            close(omitted, sink);
            sink(if open.is_some() { " " } else { "" });
            sink(field.name());
            sink("=");
            (list_bytes, omitted) = (0, 0);
        }
        if !field.is_list() {
            write_item(&field, item, form, sink);
        } else if list_bytes > form.list_bytes_max(field.name()) {
            omitted += 1;
        } else {
            let mut text = if is_next { ",".to_owned() } else { String::new() };
            write_item(&field, item, form, &mut |part: &str| text.push_str(part));
            list_bytes += text.len();
            sink(&text);
        }
        open = Some(field);
    }
    close(omitted, sink);
}

/// Ends a list, of which some is left out.
fn close(omitted: usize, sink: &mut dyn FnMut(&str)) {
    if omitted > 0 {
        sink(&format!(",… and {omitted} more"));
    }
}

fn write_item(field: &FieldDescriptor, item: Item<'_>, form: Form, sink: &mut dyn FnMut(&str)) {
    match (field.kind(), item) {
        (Kind::Message(inner), Item::Bytes(bytes)) => {
            sink("(");
            write_message(&inner, bytes, form, sink);
            sink(")");
        }
        (Kind::String, Item::Bytes(bytes)) => sink(&text(&String::from_utf8_lossy(bytes), form)),
        (_, Item::Bytes(bytes)) => sink(&Hex(bytes).to_string()),
        (Kind::Bool, Item::Number(number)) => sink(if number == 0 { "false" } else { "true" }),
        (Kind::Enum(names), Item::Number(number)) => {
            let known = i32::try_from(number).ok().and_then(|number| names.get_value(number));
            sink(&known.map_or_else(|| number.cast_signed().to_string(), |value| value.name().to_owned()));
        }
        (Kind::Uint32 | Kind::Uint64 | Kind::Fixed32 | Kind::Fixed64, Item::Number(number)) => {
            sink(&number.to_string());
        }
        (_, Item::Number(number)) => sink(&number.cast_signed().to_string()),
    }
}

/// A text, in quotes where it could be taken for something else.
fn text(text: &str, form: Form) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._:+/-".contains(&byte);
    let whole = if !text.is_empty() && text.bytes().all(is_plain) { text.to_owned() } else { format!("{text:?}") };
    if whole.len() <= form.text_bytes_max() {
        return whole;
    }
    let end = (0..=form.text_bytes_max()).rev().find(|at| whole.is_char_boundary(*at)).unwrap_or(0);
    format!("{}…", &whole[..end])
}

/// A value of a field, as it is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Item<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

/// The values of a message that this program encoded, with their fields: in the order of their numbers.
struct Items<'b> {
    descriptor: &'b MessageDescriptor,
    rest: &'b [u8],
    /// What is left of numbers that are encoded together.
    packed: Option<(FieldDescriptor, &'b [u8])>,
}

impl<'b> Items<'b> {
    fn varint(bytes: &mut &'b [u8]) -> Option<u64> {
        prost::decode_length_delimiter(bytes).ok().map(|number| number as u64)
    }

    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(taken)
    }

    fn fixed(&mut self, length: usize) -> Option<Item<'b>> {
        let little_endian = self.take(length)?.iter().rev();
        Some(Item::Number(little_endian.fold(0, |number, byte| number << 8 | u64::from(*byte))))
    }
}

impl<'b> Iterator for Items<'b> {
    type Item = (FieldDescriptor, Item<'b>);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some((field, mut bytes)) = self.packed.take()
            && let Some(number) = Self::varint(&mut bytes)
        {
            self.packed = Some((field.clone(), bytes));
            return Some((field, Item::Number(number)));
        }
        let key = Self::varint(&mut self.rest)?;
        let field = self.descriptor.get_field(u32::try_from(key >> 3).ok()?)?;
        let item = match key & 7 {
            0 => Item::Number(Self::varint(&mut self.rest)?),
            1 => self.fixed(8)?,
            5 => self.fixed(4)?,
            _ => {
                let length = usize::try_from(Self::varint(&mut self.rest)?).ok()?;
                let bytes = self.take(length)?;
                if !matches!(field.kind(), Kind::String | Kind::Bytes | Kind::Message(_)) {
                    self.packed = Some((field, bytes));
                    return self.next();
                }
                Item::Bytes(bytes)
            }
        };
        Some((field, item))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Action;
    use crate::rpc::guard::METHODS;
    use crate::rpc::proto;

    fn varint(mut number: u64, bytes: &mut Vec<u8>) {
        while number >= 0x80 {
            bytes.push(u8::try_from(number & 0x7f).unwrap() | 0x80);
            number >>= 7;
        }
        bytes.push(u8::try_from(number).unwrap());
    }

    fn encoded(field: &FieldDescriptor, payload: &[u8], is_number: bool) -> Vec<u8> {
        let mut bytes = Vec::new();
        varint(u64::from(field.number()) << 3 | if is_number { 0 } else { 2 }, &mut bytes);
        if !is_number {
            varint(payload.len() as u64, &mut bytes);
        }
        bytes.extend_from_slice(payload);
        bytes
    }

    /// Messages with one field set, to each of its values: for each field, and each field of its messages.
    fn variants(descriptor: &MessageDescriptor) -> Vec<(String, Vec<u8>)> {
        let mut all = Vec::new();
        for field in descriptor.fields() {
            let name = field.name().to_owned();
            match field.kind() {
                Kind::Message(inner) => {
                    all.push((name.clone(), encoded(&field, b"", false)));
                    for (inner_name, bytes) in variants(&inner) {
                        all.push((format!("{name}.{inner_name}"), encoded(&field, &bytes, false)));
                    }
                }
                Kind::String | Kind::Bytes => {
                    for value in ["a", "b", "a b", "\"a", "a,b", "é"] {
                        all.push((format!("{name}={value}"), encoded(&field, value.as_bytes(), false)));
                    }
                    if field.is_list() {
                        let two = ["a", "b"].map(|value| encoded(&field, value.as_bytes(), false)).concat();
                        all.push((format!("{name}=a+b"), two));
                    }
                }
                Kind::Bool => all.push((name, encoded(&field, &[1], true))),
                Kind::Enum(_) | Kind::Int32 | Kind::Int64 => {
                    for number in [1, 2, 99] {
                        all.push((format!("{name}={number}"), encoded(&field, &[number], !field.is_list())));
                    }
                }
                Kind::Double
                | Kind::Float
                | Kind::Uint32
                | Kind::Uint64
                | Kind::Sint32
                | Kind::Sint64
                | Kind::Fixed32
                | Kind::Fixed64
                | Kind::Sfixed32
                | Kind::Sfixed64 => panic!("{name}: a kind of field that the test has no values for"),
            }
        }
        all
    }

    #[test]
    fn every_field_of_every_read_is_in_its_question_whatever_its_value() {
        let reads = [Action::ReadFigures, Action::ReadCompleteness, Action::ReadSubmissions];
        let mut fields = 0;
        for (method, _) in METHODS.iter().filter(|(_, action)| reads.contains(action)) {
            let descriptor = request_of(method).unwrap();
            let mut known = HashMap::from([(Question::read(&descriptor, b""), "nothing".to_owned())]);
            for (name, bytes) in variants(&descriptor) {
                fields += 1;
                if let Some(other) = known.insert(Question::read(&descriptor, &bytes), name.clone()) {
                    panic!("{method}: {name} and {other} have the same words");
                }
                // Where it is one of a question that is too long for a line, too.
                let Some(long) = descriptor.fields().find(|field| field.kind() == Kind::String) else { continue };
                let filler = encoded(&long, "x".repeat(2 * SCOPE_BYTES_MAX).as_bytes(), false);
                let long = Question::read(&descriptor, &[filler, bytes].concat());
                assert!(long.whole.is_some() && long.scope.len() < SCOPE_BYTES_MAX, "{long:?}");
                if let Some(other) = known.insert(long, name.clone()) {
                    panic!("{method}: {name} and {other} have the same words in a long question");
                }
            }
        }
        assert!(fields > 300, "{fields}");
    }

    #[test]
    fn a_question_is_readable_and_a_long_one_keeps_what_makes_figures_small() {
        const METHOD: &str = "/conspectus.v1.PictureService/WatchAggregate";
        let category = |dimension: &str, category: &str| proto::CategoryRef {
            dimension: dimension.to_owned(),
            category: category.to_owned(),
        };
        let query = proto::QueryAggregateRequest {
            indicators: vec!["referrals".to_owned(), "no \"such\u{202e}\"".to_owned()],
            areas: vec!["E10000014".to_owned(), "E06000046".to_owned()],
            area_level: 3,
            periods: vec!["FY2021-22".to_owned()],
            group_by: vec![2, 4],
            breakdown: vec![category("sex", "female"), category("age", "0-to-4")],
            as_of_revision: -1,
            as_of_time: Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 }),
            ..proto::QueryAggregateRequest::default()
        };
        let mut watch = proto::WatchAggregateRequest { query: Some(query), after_revision: 7, after_time: None };
        let short = Question::of(METHOD, &watch);
        watch.query.as_mut().unwrap().indicators = (0..2_000).map(|n| format!("indicator-{n}")).collect();
        let long = Question::of(METHOD, &watch);
        assert_eq!(long.whole.as_ref().unwrap().text.as_ref().unwrap().len(), 29_166);
        insta::assert_snapshot!([short.scope, long.scope].join("\n"));
    }

    #[test]
    fn what_a_list_has_twice_is_found_with_both_positions() {
        let query = proto::QueryAggregateRequest {
            indicators: ["a", "b", "a"].map(str::to_owned).into(),
            group_by: vec![2, 4, 4],
            breakdown: vec![proto::CategoryRef::default(), proto::CategoryRef::default()],
            ..proto::QueryAggregateRequest::default()
        };
        let watch = proto::WatchAggregateRequest { query: Some(query), after_revision: 0, after_time: None };
        let found = repeats("/conspectus.v1.PictureService/WatchAggregate", &watch);
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            found,
            [
                "query.indicators[2]: found what `indicators[0]` has; allowed: each once",
                "query.group_by[2]: found what `group_by[1]` has; allowed: each once",
                "query.breakdown[1]: found what `breakdown[0]` has; allowed: each once",
            ]
        );
    }

    #[test]
    fn of_a_long_question_all_areas_are_in_the_line_that_fit() {
        let query = proto::QueryAggregateRequest {
            areas: (0..190).map(|n| format!("E1{n:07}")).collect(),
            indicators: (0..500).map(|n| format!("indicator-{n}")).collect(),
            ..proto::QueryAggregateRequest::default()
        };
        let question = Question::of("/conspectus.v1.PictureService/QueryAggregate", &query);
        assert!(question.scope.contains("E10000189") && !question.scope.contains("indicator-499"), "{question:?}");
        assert!(question.whole.is_some());
    }

    #[test]
    fn a_question_too_long_to_be_kept_has_the_hash_of_all_of_it_and_no_text() {
        let long = |last: &str| {
            let indicators = vec!["x".repeat(QUESTION_BYTES_MAX), last.to_owned()];
            let query = proto::QueryAggregateRequest { indicators, ..proto::QueryAggregateRequest::default() };
            Question::of("/conspectus.v1.PictureService/QueryAggregate", &query).whole.unwrap()
        };
        let (one, other) = (long("one"), long("other"));
        assert!(one.text.is_none() && other.text.is_none());
        assert_ne!(one.hash, other.hash);
    }
}
