//! A file as a workbook for people, also for those who read it by ear or with a keyboard, by the guidance of the
//! Government Analysis Function ("Releasing statistics in spreadsheets"): a cover, notes, and one table, marked up as one,
//! on a sheet of its own. No cell is merged or empty. A number is a number; in the place of one that isn't there stands
//! the shorthand in square brackets that says why.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use bytes::Bytes;
use prost_reflect::{EnumDescriptor, FieldDescriptor, Kind, ReflectMessage as _, Value};
use prost_types::Timestamp;
use tokio::sync::Semaphore;
use tonic::Status;

use super::form::CELLS_MAX;
use super::pages::Pages;
use super::question::{Head, Question, Rows};
use super::refusal::invalid;
use super::sheets::Content;
use crate::http::protos::{PACKAGE, comment};
use crate::model::marker::Marker;
use crate::rpc::DESCRIPTORS;
use crate::tables::Cell;
use crate::wording::count::counted;

/// The most bytes of the answer that it is made of: half of what may be on its way to one caller.
const ANSWER_BYTES_MAX: usize = 8 << 20;
/// How many are made at once; the others wait.
const WORKBOOKS_AT_ONCE_MAX: usize = 2;

static TURNS: Semaphore = Semaphore::const_new(WORKBOOKS_AT_ONCE_MAX);

/// A workbook with the answer that it was made of, which counts as the caller's until the workbook is taken.
struct Untaken {
    workbook: Vec<u8>,
    _answer: Vec<Bytes>,
}

impl AsRef<[u8]> for Untaken {
    fn as_ref(&self) -> &[u8] {
        &self.workbook
    }
}

/// The workbook, as bytes: the same for the same content.
///
/// # Errors
/// What the service refuses; or that there would be too many cells.
pub(super) async fn bytes(
    question: &Question,
    head: &Head,
    since: Timestamp,
    table: Box<dyn Rows>,
    mut pages: Pages,
) -> Result<Bytes, Status> {
    // It is never closed.
    let turn = TURNS.acquire().await.map_err(|error| Status::internal(error.to_string()))?;
    let (title, headings) = (table.title(), table.headings());
    let rows_max = CELLS_MAX / headings.len();
    let (mut rows, mut answer, mut answer_bytes) = (Vec::new(), Vec::new(), 0);
    while let Some(item) = pages.next_item().await? {
        rows.extend(table.rows(&item)?);
        answer_bytes += item.len();
        answer.push(item);
        if rows.len() > rows_max || answer_bytes > ANSWER_BYTES_MAX {
            let what = format!(
                "the answer is larger than a workbook; allowed: {rows_max} rows, and {ANSWER_BYTES_MAX} bytes of the service's \
                 answer. Ask for less, or for the same with .csv in the address, which has no bound"
            );
            return Err(invalid(&what));
        }
    }
    let cover = cover(question, head, since, &headings, &rows)?;
    let (sheet, notes) = (capitalised(question.name()), notes(&rows));
    let content = Content { title, cover, sheet, headings, rows, notes, made: since.seconds };
    let written = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        content.write()
    });
    let written = written.await.map_err(|error| Status::internal(error.to_string()))?;
    let workbook = written.map_err(|error| Status::internal(format!("the workbook can't be written: {error}")))?;
    Ok(Bytes::from_owner(Untaken { workbook, _answer: answer }))
}

/// What the cover says below the title.
fn cover(
    question: &Question,
    head: &Head,
    since: Timestamp,
    headings: &[String],
    rows: &[Vec<Cell>],
) -> Result<Vec<String>, Status> {
    let again = if head.as_of.is_some() { ": the same question as of then has the same answer" } else { "" };
    let mut lines = vec![
        format!("As of {since}, at revision {} of the service{again}.", head.revision),
        "The worksheet Notes says what the shorthand in square brackets and the codes mean.".to_owned(),
        format!(
            "The table has {}, on a worksheet of its own. Its numbers are the service's, which rounds once.",
            counted(rows.len(), "row", "rows")
        ),
    ];
    let sample = headings.iter().position(|heading| heading == "sample");
    let is_sample = |row: &Vec<Cell>| sample.is_some_and(|column| row[column] == Cell::flag(true));
    if rows.iter().any(is_sample) {
        lines.push("Some of the figures are made up: those with true in the column sample.".to_owned());
    }
    // What is only of the pages in which it is asked is no part of the question.
    let asked = question.message([])?;
    let asked = asked.fields().filter(|(field, _)| !PAGING.contains(&field.name()));
    lines.extend(asked.map(|(field, value)| {
        format!("{}: {}.", capitalised(&field.name().replace('_', " ")), words(&field.kind(), value))
    }));
    Ok(lines)
}

/// The fields of a request that say which page is asked for, and when.
const PAGING: [&str; 3] = ["page_size", "page_token", "min_revision"];

/// What a field of a request has, in words.
fn words(kind: &Kind, value: &Value) -> String {
    match (kind, value) {
        (_, Value::List(values)) => values.iter().map(|value| words(kind, value)).collect::<Vec<_>>().join(", "),
        (_, Value::String(text)) => text.clone(),
        (_, Value::Bool(is_so)) => if *is_so { "yes" } else { "no" }.to_owned(),
        (Kind::Enum(codes), Value::EnumNumber(number)) => {
            let name = codes.get_value(*number).map_or_else(|| number.to_string(), |code| code.name().to_owned());
            let prefix = codes.get_value(0).map(|none| none.name().replace("UNSPECIFIED", "")).unwrap_or_default();
            name.strip_prefix(&prefix).unwrap_or(&name).replace('_', " ").to_lowercase()
        }
        (_, Value::Message(inner)) => match inner.transcode_to::<Timestamp>() {
            Ok(instant) if inner.descriptor().full_name() == "google.protobuf.Timestamp" => instant.to_string(),
            Ok(_) | Err(_) => {
                let fields = inner.fields();
                let field = |(field, value): (FieldDescriptor, &Value)| {
                    format!("{} {}", field.name(), words(&field.kind(), value))
                };
                fields.map(field).collect::<Vec<_>>().join(", ")
            }
        },
        (_, number) => number.to_string(),
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// What the notes explain: the shorthand and the codes that are in the table, each by what the service says of it.
fn notes(rows: &[Vec<Cell>]) -> Vec<[String; 2]> {
    let found: BTreeSet<&Marker> = rows.iter().flatten().flat_map(markers).collect();
    let markers = found.into_iter().map(|marker| [format!("[{marker}]"), marker.meaning().to_owned()]);
    let codes: BTreeMap<&String, &String> = rows.iter().flatten().filter_map(code).collect();
    let codes = codes.into_iter().map(|(code, meaning)| [code.clone(), meaning.clone()]);
    let words = [
        ["All", "the row is of all that was asked for, put together"],
        ["none", "there is nothing to say"],
        ["true, false", "yes, no"],
    ];
    markers.chain(codes).chain(words.map(|words| words.map(str::to_owned))).collect()
}

/// The code that a cell has, with what it means; none for any other text.
fn code(cell: &Cell) -> Option<(&'static String, &'static String)> {
    match cell {
        Cell::Text(text) => CODES.get_key_value(text),
        Cell::Number(_) | Cell::Missing(_) | Cell::Markers(_) | Cell::All => None,
    }
}

/// The markers that a cell is shown with.
fn markers(cell: &Cell) -> &[Marker] {
    match cell {
        Cell::Missing(marker) => std::slice::from_ref(marker),
        Cell::Markers(markers) => markers,
        Cell::Number(None) => &[Marker::NotApplicable],
        Cell::Number(Some(_)) | Cell::Text(_) | Cell::All => &[],
    }
}

/// The codes of the service's messages, with what each means.
static CODES: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let codes = DESCRIPTORS.all_enums().filter(|codes| codes.package_name() == PACKAGE);
    let of = |codes: EnumDescriptor| {
        let file = codes.parent_file();
        codes.values().map(|code| (code.name().to_owned(), comment(&file, code.path()))).collect::<Vec<_>>()
    };
    codes.flat_map(of).collect()
});

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto::{CategoryRef, GroupBy, PeriodRange, QueryAggregateRequest};

    #[test]
    fn the_notes_explain_every_marker_and_every_code_of_the_table() {
        let row = vec![
            Cell::text("GAP_NOT_REPORTED"),
            Cell::Missing(Marker::NotAvailable),
            Cell::Markers(vec![Marker::Provisional]),
            Cell::Number(None),
            Cell::text("E10000014"),
        ];
        let notes = notes(&[row.clone(), row]);
        let codes: Vec<&str> = notes.iter().map(|[code, _]| code.as_str()).collect();
        assert_eq!(codes, ["[x]", "[z]", "[p]", "GAP_NOT_REPORTED", "All", "none", "true, false"]);
        assert_eq!(notes[3][1], "Nothing was submitted.");
        assert!(CODES.values().all(|meaning| !meaning.is_empty()), "{CODES:?}");
    }

    #[test]
    fn the_cover_says_what_was_asked() {
        let question = Question::figures(QueryAggregateRequest {
            indicators: vec!["contacts".to_owned()],
            areas: vec!["E1".to_owned(), "E2".to_owned()],
            period_range: Some(PeriodRange { first: "2021-04".to_owned(), last: "2022-03".to_owned() }),
            group_by: vec![GroupBy::Area.into(), GroupBy::Period.into()],
            breakdown: vec![CategoryRef { dimension: "sex".to_owned(), category: "female".to_owned() }],
            rate: true,
            as_of_time: "2022-09-30T17:00:00Z".parse().ok(),
            page_size: 7,
            ..QueryAggregateRequest::default()
        });
        let head = Head { revision: 14, as_of: "2022-09-30T17:00:00Z".parse().ok(), ..Head::default() };
        let lines = cover(&question, &head, Timestamp::default(), &["sample".to_owned()], &[vec![Cell::flag(true)]]);
        insta::assert_snapshot!(lines.unwrap().join("\n"));
    }
}
