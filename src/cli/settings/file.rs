//! A file of settings, in TOML: what stands in it, and everything that is wrong with it.

use std::fmt;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::definition::{Definition, FILE, Kind};
use crate::model::nearest::nearest;
use crate::model::violation::Quoted;

/// Where something stands in a file: its line, and the character in it, both from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) line: usize,
    column: usize,
}

impl Place {
    /// That of a byte.
    fn of(byte: usize, text: &str) -> Self {
        let end = (0..=byte.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let before = &text[..end];
        let line_begin = before.rfind('\n').map_or(0, |at| at + 1);
        Self { line: 1 + before.matches('\n').count(), column: 1 + before[line_begin..].chars().count() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// A setting as a file has it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) values: Vec<String>,
    pub(super) place: Place,
}

/// The settings of a file whose values are accepted, and the problems of the others, in the file's order. `once` has the
/// names of flags that are no settings.
pub(super) fn read(text: &str, definitions: &[Definition], once: &[String]) -> (Vec<Entry>, Vec<(Place, String)>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let place = |span: Range<usize>| Place::of(span.start, text);
    let of_syntax =
        |error: toml::de::Error| (place(error.span().unwrap_or_default()), error.message().replace('\n', ", "));
    let mut problems: Vec<(Place, String)> = errors.into_iter().map(of_syntax).collect();
    // What stands where the syntax is wrong may not be what was meant.
    let broken: Vec<usize> = problems.iter().map(|(place, _)| place.line).collect();
    let mut entries = Vec::new();
    for (key, value) in table.get_ref() {
        let name = key.get_ref().as_ref();
        if broken.contains(&place(key.span()).line) {
            continue;
        }
        let Some(definition) = definitions.iter().find(|definition| definition.name() == name) else {
            problems.push((place(key.span()), unknown(name, value.get_ref(), definitions, once)));
            continue;
        };
        let before = problems.len();
        let mut values = Vec::new();
        for item in items(definition, value) {
            let typed = in_words(definition, item.get_ref());
            let accepted = typed.and_then(|text| definition.refusal(text.as_ref()).map_or(Ok(text), Err));
            match accepted {
                Ok(text) => values.push(text),
                Err(why) => problems.push((place(item.span()), format!("{name}: {why}"))),
            }
        }
        if problems.len() == before {
            entries.push(Entry { name: name.to_owned(), values, place: place(key.span()) });
        }
    }
    problems.sort_by_key(|(place, _)| *place);
    (entries, problems)
}

fn unknown(name: &str, value: &DeValue<'_>, definitions: &[Definition], once: &[String]) -> String {
    let shown = Quoted(name);
    if name == FILE {
        return format!("{shown}: a file of settings names no other");
    }
    if once.iter().any(|flag| flag == name) {
        return format!("{shown} is for one start, not a setting: give --{name}");
    }
    if matches!(value, DeValue::Table(_)) {
        return format!("{shown} is a table, and settings stand in none");
    }
    match nearest(&name.replace('_', "-"), definitions.iter().map(Definition::name)) {
        Some(near) => format!("{shown} isn't a setting: did you mean {near}?"),
        None => format!("{shown} isn't a setting; `conspectus config sample` has them all"),
    }
}

/// The values of a setting: those of a list, or the one.
fn items<'v, 'i>(definition: &Definition, value: &'v Spanned<DeValue<'i>>) -> Vec<&'v Spanned<DeValue<'i>>> {
    match (definition.kind(), value.get_ref()) {
        (Kind::Texts, DeValue::Array(items)) => items.iter().collect(),
        (Kind::Boolean | Kind::Integer | Kind::Text | Kind::Texts, _) => vec![value],
    }
}

/// A value, as it would stand in a variable.
///
/// # Errors
/// In words, when it is of another type than the setting's.
fn in_words(definition: &Definition, value: &DeValue<'_>) -> Result<String, String> {
    match (definition.kind(), value) {
        (Kind::Boolean, DeValue::Boolean(value)) => Ok(value.to_string()),
        (Kind::Integer, DeValue::Integer(value)) => i128::from_str_radix(value.as_str(), value.radix())
            .map(|value| value.to_string())
            .map_err(|_| wrong_type(definition, "a number that is too large")),
        (Kind::Text | Kind::Texts, DeValue::String(value)) => Ok(value.to_string()),
        (Kind::Boolean | Kind::Integer | Kind::Text | Kind::Texts, other) => Err(wrong_type(definition, found(other))),
    }
}

fn found(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a point",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn wrong_type(definition: &Definition, found: &str) -> String {
    let accepted = match definition.kind() {
        Kind::Boolean => "true or false",
        Kind::Integer => "a whole number",
        Kind::Text => "a text",
        Kind::Texts => "a list of texts",
    };
    format!("found {found}; allowed: {accepted}, such as {}", line(definition))
}

/// The line of a setting in a file, with its default, or with what stands for a value.
pub(crate) fn line(definition: &Definition) -> String {
    let texts: Vec<String> = definition.defaults().iter().map(|value| value.to_string_lossy().into_owned()).collect();
    let text = texts.first().map_or_else(|| definition.value_name().to_owned(), Clone::clone);
    let quoted = toml::Value::String(text.clone());
    let value = match definition.kind() {
        Kind::Boolean | Kind::Integer => text,
        Kind::Text => quoted.to_string(),
        Kind::Texts => format!("[{quoted}]"),
    };
    format!("{} = {value}", definition.name())
}
