//! What of a request is counted before it is decoded: the items of each repeated field, as the protos'
//! descriptors have them, so that a new field is bounded without a line here.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, FieldDescriptorProto, FileDescriptorSet};

use crate::catalogue::review::PUT_ITEMS_MAX;
use crate::model::submission::OBSERVATIONS_MAX;
use crate::picture::question::QUERY_CELLS_MAX;
use crate::rpc::FILE_DESCRIPTOR_SET;
use crate::rpc::convert::columns::DICTIONARY_ITEMS_MAX;
use crate::rpc::convert::wire_observation::PARTS_OF_OBSERVATIONS_MAX;

/// The most categories of a query's breakdown, which has one of each dimension.
const BREAKDOWN_MAX: usize = 100;
/// The most of what an item of a catalogue lists, such as the areas of an agency, of all items of a put.
const PARTS_OF_CATALOGUE_MAX: usize = 40 * PUT_ITEMS_MAX;

/// How many fields of a request may be counted.
pub(super) const COUNTED_MAX: usize = 32;

/// The most items of a field of a message, in a whole request.
fn items_max(message: &str, field: &str) -> usize {
    match (message, field) {
        ("FigureColumns", "indicators" | "areas" | "periods" | "breakdowns") => DICTIONARY_ITEMS_MAX,
        ("SubmitObservationsRequest" | "FigureColumns", _) => OBSERVATIONS_MAX,
        ("Observation", _) => PARTS_OF_OBSERVATIONS_MAX,
        ("PutCatalogueRequest" | "CreateKeyRequest", _) => PUT_ITEMS_MAX,
        ("Agency" | "Area" | "Dimension" | "Indicator" | "ReconciliationRule" | "Calendar", _) => {
            PARTS_OF_CATALOGUE_MAX
        }
        (_, "breakdown") => BREAKDOWN_MAX,
        // A query for more would have more cells than an answer may have.
        _ => QUERY_CELLS_MAX,
    }
}

/// The dictionaries of columns.
fn dictionary_items_max(message: &str, field: &str) -> Option<usize> {
    let max = items_max(message, field);
    (message == "FigureColumns" && max == DICTIONARY_ITEMS_MAX).then_some(max)
}

/// A message: its fields, by number, where there is something to count in them.
#[derive(Debug)]
pub(super) struct Shape {
    fields: Vec<Option<Field>>,
}

/// A field of a message.
#[derive(Debug)]
pub(super) struct Field {
    /// Its path from the request.
    pub(super) path: String,
    pub(super) counted: Option<Counted>,
    /// Whether it may be one run of numbers.
    pub(super) is_packed: bool,
    /// What is counted within it.
    pub(super) shape: Option<Shape>,
}

/// A field whose items are counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct Counted {
    /// Its place among all that is counted of a request.
    pub(super) slot: usize,
    pub(super) max: usize,
}

impl Shape {
    /// The shape of a request of this name.
    pub(super) fn of(request: &str) -> Option<&'static Self> {
        static ALL: LazyLock<BTreeMap<String, Shape>> =
            LazyLock::new(|| Shape::all(&|message, field| Some(items_max(message, field))));
        ALL.get(request)
    }

    /// The same, with the dictionaries of columns only.
    pub(super) fn of_dictionaries(request: &str) -> Option<&'static Self> {
        static ALL: LazyLock<BTreeMap<String, Shape>> = LazyLock::new(|| Shape::all(&dictionary_items_max));
        ALL.get(request)
    }

    pub(super) fn field(&self, number: u64) -> Option<&Field> {
        self.fields.get(usize::try_from(number).ok()?)?.as_ref()
    }

    fn all(max: &dyn Fn(&str, &str) -> Option<usize>) -> BTreeMap<String, Self> {
        let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).expect("the build encoded it");
        let messages: BTreeMap<String, &DescriptorProto> = set
            .file
            .iter()
            .flat_map(|file| {
                file.message_type
                    .iter()
                    .map(move |message| (format!(".{}.{}", file.package(), message.name()), message))
            })
            .collect();
        let methods = set.file.iter().flat_map(|file| &file.service).flat_map(|service| &service.method);
        let shape = |method: &prost_types::MethodDescriptorProto| {
            let message = *messages.get(method.input_type())?;
            let shape = Builder { messages: &messages, max, slots: 0 }.shape(message, "")?;
            Some((message.name().to_owned(), shape))
        };
        methods.filter_map(shape).collect()
    }
}

/// Builds the shape of one request.
struct Builder<'a> {
    messages: &'a BTreeMap<String, &'a DescriptorProto>,
    max: &'a dyn Fn(&str, &str) -> Option<usize>,
    slots: usize,
}

impl Builder<'_> {
    /// The shape of a message; none where nothing is counted.
    fn shape(&mut self, message: &DescriptorProto, path: &str) -> Option<Shape> {
        let mut fields: Vec<Option<Field>> = Vec::new();
        for descriptor in &message.field {
            let Some(field) = self.field(message, descriptor, path) else { continue };
            let number = usize::try_from(descriptor.number()).expect("fields are numbered from 1");
            if fields.len() <= number {
                fields.resize_with(number + 1, || None);
            }
            fields[number] = Some(field);
        }
        (!fields.is_empty()).then_some(Shape { fields })
    }

    fn field(&mut self, message: &DescriptorProto, field: &FieldDescriptorProto, path: &str) -> Option<Field> {
        let is_repeated = field.label() == Label::Repeated;
        let max = (self.max)(message.name(), field.name()).filter(|_| is_repeated);
        let counted = max.map(|max| {
            self.slots += 1;
            Counted { slot: self.slots - 1, max }
        });
        let path = if path.is_empty() { field.name().to_owned() } else { format!("{path}.{}", field.name()) };
        let messages = self.messages;
        let shape = messages.get(field.type_name()).and_then(|inner| self.shape(inner, &path));
        let is_packed = is_repeated && !matches!(field.r#type(), Type::Message | Type::String | Type::Bytes);
        (counted.is_some() || shape.is_some()).then_some(Field { path, counted, is_packed, shape })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::METHODS;

    fn slots(shape: &Shape) -> Vec<usize> {
        let fields = shape.fields.iter().flatten();
        fields
            .flat_map(|field| {
                let inner = field.shape.as_ref().map(slots).unwrap_or_default();
                field.counted.map(|counted| counted.slot).into_iter().chain(inner)
            })
            .collect()
    }

    #[test]
    fn each_counted_field_of_a_request_has_a_slot_of_its_own() {
        let all = Shape::all(&|message, field| Some(items_max(message, field)));
        assert!(all.len() < METHODS.len() && all.contains_key("QueryAggregateRequest"));
        for (name, shape) in &all {
            let mut found = slots(shape);
            found.sort_unstable();
            assert_eq!(found, (0..found.len()).collect::<Vec<_>>(), "{name}");
            assert!(found.len() <= COUNTED_MAX, "{name}");
        }
    }

    #[test]
    fn repeated_numbers_of_requests_are_varints() {
        let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
        for message in
            set.file.iter().filter(|file| file.package() == "conspectus.v1").flat_map(|file| &file.message_type)
        {
            for field in message.field.iter().filter(|field| field.label() == Label::Repeated) {
                let fixed = [Type::Fixed32, Type::Fixed64, Type::Sfixed32, Type::Sfixed64, Type::Float, Type::Double];
                assert!(
                    !fixed.contains(&field.r#type()),
                    "{}.{}: count() counts varints",
                    message.name(),
                    field.name()
                );
            }
            // A message within a message isn't found by its name here.
            assert!(message.nested_type.is_empty(), "{}", message.name());
        }
    }
}
