//! The fields of messages, and the parameters by which an address sets them.

use prost_reflect::{FieldDescriptor, MessageDescriptor};

/// The parameters of fields that are called otherwise in messages.
const PARAMETERS: [(&str, &str); 13] = [
    ("indicators", "indicator"),
    ("areas", "area"),
    ("agencies", "agency"),
    ("periods", "period"),
    ("period_range.first", "from"),
    ("period_range.last", "to"),
    ("period_range", "from"),
    ("group_by", "by"),
    ("comparison", "compare"),
    ("compare_across_breaks", "across_breaks"),
    ("benchmark_areas", "benchmark"),
    ("after_revision", "after"),
    ("as_of_time", "as_of"),
];

/// The parameter by which an address sets a field; each item of a list by the same.
pub(super) fn parameter(field: &str) -> &str {
    let list = field.split('[').next().unwrap_or_default();
    PARAMETERS.iter().find(|(name, _)| *name == list).map_or(list, |(_, parameter)| parameter)
}

/// The field of a message that a parameter sets, if it is one that does.
pub(super) fn field(message: &MessageDescriptor, parameter: &str) -> Option<FieldDescriptor> {
    let names = PARAMETERS.iter().filter(|(_, known)| *known == parameter).map(|(name, _)| *name);
    names.chain([parameter]).find_map(|name| at(message, name))
}

/// The field at a path of names.
fn at(message: &MessageDescriptor, path: &str) -> Option<FieldDescriptor> {
    let Some((first, rest)) = path.split_once('.') else { return message.get_field_by_name(path) };
    at(message.get_field_by_name(first)?.kind().as_message()?, rest)
}
