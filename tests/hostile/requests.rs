//! Requests of every method, made by its message's descriptor: any field may have any value that its kind allows,
//! drawn from what the world has. Nothing here knows what is dear.

#![expect(clippy::wildcard_enum_match_arm, reason = "the kinds of fields and of values are a library's, and many")]

use std::collections::BTreeMap;

use conspectus::access::{Action, Role};
use conspectus::rpc::{FILE_DESCRIPTOR_SET, METHODS};
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage, Value};
use serde_json::json;

use crate::random::Random;
use crate::world::{self, HISTORY_PERIOD, HOSTILE_AGENCY, TARGET, WHOLE, World};

/// A message that a server takes has no more.
const REQUEST_BYTES_MAX: usize = 4 << 20;
/// The most items of a list of messages: what a submission may have.
const MESSAGES_MAX: usize = 10_000;
/// How deep messages in messages are drawn.
const DEPTH_MAX: usize = 3;

/// 0 to `most`, each size of number as often as the next: 1, 10 and 1,000 as often as 10,000.
fn size(random: &mut Random, most: usize) -> usize {
    let bits = random.below(most.max(1).ilog2() as usize + 2);
    random.below(1 << bits).min(most)
}

/// How a method is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Unary,
    /// Answers come until it is ended.
    Watch,
    /// Requests and answers by turns.
    Stream,
}

/// A method, and who calls it.
#[derive(Debug, Clone)]
pub(crate) struct Method {
    pub(crate) path: &'static str,
    pub(crate) form: Form,
    pub(crate) role: Role,
    pub(crate) input: MessageDescriptor,
    pub(crate) output: MessageDescriptor,
}

impl Method {
    /// Every method of the service.
    pub(crate) fn all() -> Vec<Self> {
        let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap();
        let method = |(path, action): (&'static str, Action)| {
            let (service, name) = path.trim_start_matches('/').split_once('/').unwrap();
            let service = pool.get_service_by_name(service).unwrap();
            let method = service.methods().find(|method| method.name() == name).unwrap();
            let form = match (method.is_client_streaming(), method.is_server_streaming()) {
                (false, false) => Form::Unary,
                (false, true) => Form::Watch,
                (true, _) => Form::Stream,
            };
            let role = match action {
                Action::Submit | Action::ReadSubmissions => Role::Submitter,
                Action::CorrectLocked => Role::Corrector,
                Action::ReadCatalogue | Action::ReadFigures | Action::ReadCompleteness | Action::ReadCaller => {
                    Role::Analyst
                }
                Action::ChangeCatalogue => Role::Steward,
                Action::ReadKeys | Action::ChangeKeys | Action::ReadAudit => Role::Operator,
            };
            Self { path, form, role, input: method.input(), output: method.output() }
        };
        METHODS.into_iter().map(method).collect()
    }

    /// Its name, without the service's.
    pub(crate) fn name(&self) -> &'static str {
        self.path.rsplit('/').next().unwrap()
    }
}

/// What there is to ask for.
pub(crate) struct Requests {
    world: World,
    areas: Vec<String>,
    periods: Vec<String>,
    texts: BTreeMap<&'static str, Vec<String>>,
    /// Items of the catalogue, as they are: by the message's name.
    items: BTreeMap<String, Vec<DynamicMessage>>,
}

impl Requests {
    pub(crate) fn of(world: World) -> Self {
        let years = || 2019..2026;
        let months = years().flat_map(|year| (1..=12).map(move |month| format!("{year}-{month:02}")));
        let longer = years().flat_map(|year| {
            let next = (year + 1) % 100;
            (1..=4)
                .map(move |quarter| format!("CY{year}-Q{quarter}"))
                .chain((1..=2).map(move |half| format!("FY{year}-{next:02}-H{half}")))
                .chain([format!("FY{year}-{next:02}"), format!("CY{year}"), format!("AY{year}-{next:02}")])
                .chain([format!("{year}-W07"), format!("{year}-06-30")])
        });
        let odd = ["1990-01", "2040-12", "CY1990", "CY2040", "Apr-Jun 2021", "2021/22"].map(str::to_owned);
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let mut agencies = world.agencies();
        agencies.push(HOSTILE_AGENCY.to_owned());
        let requests = (0..40).map(|ix| format!("part-{ix}")).chain((0..40).map(|ix| format!("value-{ix}"))).collect();
        let texts = BTreeMap::from([
            ("indicator", world.indicators()),
            ("agency", agencies),
            ("request", requests),
            ("rule", world.rules()),
            ("dimension", owned(&["age-band", "sex"])),
            ("category", (0..10).map(|ix| format!("band-{ix}")).chain(owned(&["female", "male"])).collect()),
            ("day", owned(&["", "2020-01-01", "2021-12-31", "2022-06-30", "2022-07-01", "2023-04-01"])),
            ("number", owned(&["0", "1", "17.25", "999999999.999999", "100", "3"])),
            ("identity", owned(&[TARGET, "another-target", "a-third"])),
        ]);
        let put = conspectus::rpc::put_request(&world.catalogue(), false);
        let descriptor = Method::all().into_iter().find(|method| method.name() == "PutCatalogue").unwrap().input;
        let put = DynamicMessage::decode(descriptor, prost::Message::encode_to_vec(&put).as_slice()).unwrap();
        let items = put.fields().filter_map(|(_, value)| {
            let items: Vec<_> = value.as_list()?.iter().filter_map(|item| item.as_message().cloned()).collect();
            Some((items.first()?.descriptor().name().to_owned(), items))
        });
        let items = items.collect();
        Self { world, areas: world.area_codes(), periods: months.chain(longer).chain(odd).collect(), texts, items }
    }

    /// A small request that is in order, from which others are made: where a field may not be left out, it has
    /// something.
    pub(crate) fn start(&self, method: &Method) -> DynamicMessage {
        let (indicator, area, period) = (world::ward_indicator(0), WHOLE, world::month(0));
        let district = world::district(1);
        let range = json!({ "first": period, "last": period });
        let query = json!({ "indicators": [indicator], "areas": [area], "periodRange": range });
        let picture = json!({ "area": district, "period": period });
        let observation = json!({
            "indicator": indicator, "area": world::history_area(), "period": world::month(1), "number": "4",
        });
        let submission = json!({
            "agency": HOSTILE_AGENCY, "requestId": "first", "validateOnly": true, "observations": [observation],
        });
        let start = match method.name() {
            "QueryAggregate" => query,
            "WatchAggregate" => json!({ "query": query }),
            "GetPicture" => picture,
            "WatchPicture" => json!({ "picture": picture }),
            "ExplainFigure" => json!({ "indicator": indicator, "area": area, "period": period }),
            "GetHistory" => json!({
                "indicator": indicator, "area": world::history_area(), "period": HISTORY_PERIOD,
                "agency": self.world.history_agency(),
            }),
            "ListChanges" => json!({ "areas": [area] }),
            "GetCompleteness" | "Reconcile" => json!({ "area": area, "areas": [area], "periodRange": range }),
            "SubmitObservations" => submission,
            "StreamSubmissions" => json!({ "submission": submission }),
            "GetSubmission" | "WithdrawSubmission" | "VerifyReceipt" => json!({
                "agency": HOSTILE_AGENCY, "requestId": "part-0", "reason": "wrong", "revision": 1,
                "chainHash": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
            }),
            "ListSubmissions" | "ListReturns" => json!({ "agency": HOSTILE_AGENCY }),
            "CompleteReturn" | "GetReturn" => json!({
                "agency": HOSTILE_AGENCY, "returnId": "whole", "manifest": { "parts": ["part-0"] },
            }),
            "GetAgency" => json!({ "id": "police" }),
            "GetArea" => json!({ "code": area }),
            "GetDimension" => json!({ "id": "age-band" }),
            "GetIndicator" => json!({ "id": indicator }),
            "GetReconciliationRule" => json!({ "id": "rule-00" }),
            "GetCalendar" => json!({ "id": "england-and-wales" }),
            "CreateKey" => json!({ "identity": "another-target", "role": "ROLE_ANALYST", "days": 30 }),
            "RotateKey" | "RevokeKey" => json!({ "identity": TARGET, "days": 30 }),
            _ => json!({}),
        };
        // What a method doesn't have is left out.
        let known = |name: &str| method.input.fields().any(|field| field.json_name() == name);
        let start: serde_json::Map<_, _> =
            start.as_object().unwrap().clone().into_iter().filter(|(name, _)| known(name)).collect();
        DynamicMessage::deserialize(method.input.clone(), serde_json::Value::Object(start)).unwrap()
    }

    /// The request with some of its fields changed; none when that is too large to send.
    pub(crate) fn changed(&self, request: &DynamicMessage, random: &mut Random) -> Option<DynamicMessage> {
        let mut changed = request.clone();
        let most = if random.one_in(4) { 12 } else { 4 };
        for _ in 0..=random.below(most) {
            self.change(&mut changed, random);
        }
        (prost::Message::encoded_len(&changed) <= REQUEST_BYTES_MAX).then_some(changed)
    }

    /// A request that has each field from one or the other.
    pub(crate) fn crossed(one: &DynamicMessage, other: &DynamicMessage, random: &mut Random) -> DynamicMessage {
        let mut crossed = DynamicMessage::new(one.descriptor());
        for field in one.descriptor().fields() {
            let from = if random.one_in(2) { one } else { other };
            if !from.has_field(&field) {
                continue;
            }
            let value = match (one.get_field(&field).as_message(), other.get_field(&field).as_message()) {
                (Some(one), Some(other)) => Value::Message(Self::crossed(one, other, random)),
                _ => from.get_field(&field).into_owned(),
            };
            crossed.set_field(&field, value);
        }
        crossed
    }

    fn change(&self, message: &mut DynamicMessage, random: &mut Random) {
        let fields: Vec<_> = message.descriptor().fields().collect();
        if fields.is_empty() {
            return;
        }
        let field = random.pick(&fields).clone();
        if random.one_in(4) {
            return message.clear_field(&field);
        }
        match message.get_field_mut(&field) {
            Value::Message(inner) if !random.one_in(4) => return self.change(inner, random),
            Value::List(items) if !items.is_empty() && random.one_in(2) => {
                if random.one_in(2) {
                    // Twice as many, of which only some were there.
                    for _ in 0..items.len() {
                        items.push(self.value(&field, random, DEPTH_MAX));
                    }
                    return distinct(items);
                }
                let at = random.below(items.len());
                match &mut items[at] {
                    Value::Message(inner) => return self.change(inner, random),
                    item => {
                        *item = self.value(&field, random, DEPTH_MAX);
                        return distinct(items);
                    }
                }
            }
            _ => {}
        }
        let drawn = self.field(&field, random, DEPTH_MAX);
        message.set_field(&field, drawn);
    }

    /// A value of a field, of a list too.
    fn field(&self, field: &FieldDescriptor, random: &mut Random, depth: usize) -> Value {
        if !field.is_list() {
            return self.value(field, random, depth);
        }
        let most = match field.kind() {
            Kind::Message(_) if depth == DEPTH_MAX => MESSAGES_MAX,
            Kind::Message(_) => 20,
            Kind::Enum(_) => 6,
            Kind::String => self.areas.len(),
            _ => MESSAGES_MAX,
        };
        let mut items: Vec<Value> = (0..size(random, most)).map(|_| self.value(field, random, depth)).collect();
        if matches!(field.kind(), Kind::String | Kind::Enum(_)) {
            distinct(&mut items);
        }
        Value::List(items)
    }

    fn value(&self, field: &FieldDescriptor, random: &mut Random, depth: usize) -> Value {
        match field.kind() {
            Kind::Message(descriptor) => Value::Message(self.message(&descriptor, random, depth.saturating_sub(1))),
            Kind::String => Value::String(self.text(field, random)),
            Kind::Bool => Value::Bool(random.one_in(2)),
            Kind::Enum(values) => {
                let numbers: Vec<i32> = values.values().map(|value| value.number()).collect();
                Value::EnumNumber(*random.pick(&numbers))
            }
            // Shorter than a hash, and longer.
            Kind::Bytes => {
                let length = size(random, 100);
                Value::Bytes(random.bytes(length).into())
            }
            Kind::Int32 => Value::I32(i32::try_from(size(random, 10_000)).unwrap()),
            Kind::Int64 => Value::I64(i64::try_from(size(random, 30_000)).unwrap()),
            Kind::Uint32 => Value::U32(u32::try_from(size(random, 100)).unwrap()),
            Kind::Sint64 => Value::I64(i64::try_from(size(random, 1_000_000)).unwrap()),
            kind => panic!("{}: no values of a {kind:?}", field.full_name()),
        }
    }

    /// An item of the catalogue is one that is there, or one with all its fields drawn.
    fn message(&self, descriptor: &MessageDescriptor, random: &mut Random, depth: usize) -> DynamicMessage {
        if let Some(items) = self.items.get(descriptor.name()).filter(|_| !random.one_in(4)) {
            return random.pick(items).clone();
        }
        let mut message = DynamicMessage::new(descriptor.clone());
        if descriptor.full_name() == "google.protobuf.Timestamp" {
            let seconds = 1_700_000_000 + i64::try_from(random.below(100_000_000)).unwrap();
            message.set_field_by_name("seconds", Value::I64(seconds));
            return message;
        }
        // Columns are as long as each other, or have one item.
        let length = size(random, MESSAGES_MAX);
        for field in descriptor.fields().filter(|_| depth > 0) {
            if descriptor.name() == "FigureColumns" && field.is_list() && !matches!(field.kind(), Kind::String) {
                let length = if field.name() == "digits" || random.one_in(2) { length } else { 1 };
                let items = (0..length).map(|_| self.value(&field, random, depth));
                message.set_field(&field, Value::List(items.collect()));
            } else if field.containing_oneof().is_none() || random.one_in(2) {
                let drawn = self.field(&field, random, depth);
                message.set_field(&field, drawn);
            }
        }
        message
    }

    fn text(&self, field: &FieldDescriptor, random: &mut Random) -> String {
        let parent = field.parent_message().name().to_owned();
        let pool = match field.name() {
            "indicator" | "indicators" | "left_indicator" | "right_indicator" | "population_indicator" => "indicator",
            "agency" | "agencies" | "lead_agency" | "left_agency" | "right_agency" => "agency",
            "request_id" => "request",
            "rules" | "rule" => "rule",
            "by_dimension" | "dimension" | "dimensions" => "dimension",
            "category" => "category",
            "identity" => "identity",
            "valid_from" | "valid_to" | "effective_from" => "day",
            "number" | "numerator" | "denominator" | "percentage" | "base" | "mean" | "count" | "tolerance"
            | "tolerance_percent" => "number",
            "breakdowns" => return format!("age-band=band-{}", random.below(10)),
            "area" | "areas" | "benchmark_areas" | "code" | "successors" => {
                let wide = 1 + self.world.tiers + self.world.districts;
                let most = if random.one_in(2) { wide } else { self.areas.len() };
                return if random.one_in(5) { WHOLE.to_owned() } else { self.areas[random.below(most)].clone() };
            }
            "period" | "periods" | "compare_with" | "first" | "last" => return random.pick(&self.periods).clone(),
            "id" if parent.contains("Agenc") => "agency",
            "id" if parent.contains("Indicator") => "indicator",
            "id" if parent.contains("Dimension") => "dimension",
            "id" if parent.contains("Rule") => "rule",
            "id" if parent == "Category" => "category",
            _ => {
                let letters = ['a', 'é', '€', ' ', '\u{e01}', '\n'];
                return (0..size(random, 4_000)).map(|_| *random.pick(&letters)).collect();
            }
        };
        random.pick(&self.texts[pool]).clone()
    }
}

/// Each text and each number of a code list once: twice is refused.
fn distinct(items: &mut Vec<Value>) {
    let mut known = std::collections::BTreeSet::new();
    items.retain(|item| match item {
        Value::String(text) => known.insert(text.clone()),
        Value::EnumNumber(number) => known.insert(number.to_string()),
        _ => true,
    });
}

/// What an encoded request is followed by, so that it may be sent again and again: whatever is stored once has an id
/// of its own each time. Of a field that comes twice, the last counts, and messages are merged.
pub(crate) fn as_new(method: &Method, number: u64) -> Vec<u8> {
    let mut id = DynamicMessage::new(method.input.clone());
    let text = Value::String(format!("hostile-{number}"));
    match method.name() {
        "SubmitObservations" => id.set_field_by_name("request_id", text),
        "CreateKey" => id.set_field_by_name("identity", text),
        "StreamSubmissions" => {
            let field = method.input.get_field_by_name("submission").unwrap();
            if let Value::Message(submission) = id.get_field_mut(&field) {
                submission.set_field_by_name("request_id", text);
            }
        }
        _ => {}
    }
    prost::Message::encode_to_vec(&id)
}

/// The request to read on with, when there is more.
pub(crate) fn next_page(method: &Method, request: &DynamicMessage, answer: &[u8]) -> Option<DynamicMessage> {
    let answer = DynamicMessage::decode(method.output.clone(), answer).ok()?;
    let token = answer.get_field_by_name("next_page_token")?.as_str()?.to_owned();
    let field = method.input.get_field_by_name("page_token")?;
    (!token.is_empty()).then(|| {
        let mut request = request.clone();
        request.set_field(&field, Value::String(token));
        request
    })
}
