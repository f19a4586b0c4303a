//! A file as a workbook for people, also for those who read it by ear or with a keyboard, by the guidance of the
//! Government Analysis Function ("Releasing statistics in spreadsheets"): a cover, notes, and one table, marked up as one,
//! on a sheet of its own. No cell is merged or empty. A number is a number; in the place of one that isn't there stands
//! the shorthand in square brackets that says why.

use bytes::Bytes;
use prost_types::Timestamp;
use tokio::sync::Semaphore;
use tonic::Status;

use super::pages::{Head, Pages};
use super::question::Question;
use super::refusal::invalid;
use super::sheets::Content;
use super::table::Table;
use crate::http::openapi::comment;
use crate::model::marker::Marker;
use crate::rpc::DESCRIPTORS;
use crate::tables::{Cell, breakdown};

/// The most cells of a table: a workbook is made in memory, where each takes some hundred bytes.
const CELLS_MAX: usize = 500_000;
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
    table: Table,
    mut pages: Pages,
) -> Result<Bytes, Status> {
    // It is never closed.
    let turn = TURNS.acquire().await.map_err(|error| Status::internal(error.to_string()))?;
    let headings = table.headings();
    let rows_max = CELLS_MAX / headings.len();
    let (mut rows, mut answer) = (Vec::new(), Vec::new());
    while let Some(row) = pages.next_row().await? {
        rows.extend(table.rows(&row)?);
        answer.push(row);
        if rows.len() > rows_max {
            let csv = format!("/v1/{}.csv", question.name());
            let what = format!(
                "the answer has more rows than a workbook; allowed: {rows_max}. Ask for less, or at {csv}, which has no bound"
            );
            return Err(invalid(&what));
        }
    }
    let title = title(question, head);
    let cover = cover(question, head, since, &headings, &rows);
    let sheet = match question {
        Question::Figures(_) => "Figures",
        Question::Picture(_) => "Picture",
        Question::Changes(_) => "Changes",
    };
    let content = Content { title, cover, sheet, headings, rows, notes: notes(), made: since.seconds };
    let written = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        content.write()
    });
    let written = written.await.map_err(|error| Status::internal(error.to_string()))?;
    let workbook = written.map_err(|error| Status::internal(format!("the workbook can't be written: {error}")))?;
    Ok(Bytes::from_owner(Untaken { workbook, _answer: answer }))
}

fn title(question: &Question, head: &Head) -> String {
    match question {
        Question::Figures(_) => "Figures".to_owned(),
        Question::Picture(_) => format!("Picture of {}, {}", head.area.name, head.period),
        Question::Changes(request) => format!("Changes after revision {}", request.after_revision),
    }
}

/// What the cover says below the title.
fn cover(question: &Question, head: &Head, since: Timestamp, headings: &[String], rows: &[Vec<Cell>]) -> Vec<String> {
    let mut lines = vec![
        format!(
            "As of {since}, at revision {} of the service: the same question as of then has the same answer.",
            head.revision
        ),
        "The worksheet Notes says what the shorthand in square brackets and the codes mean.".to_owned(),
        format!(
            "The table has {} rows, on a worksheet of its own. All numbers were rounded once, by the service.",
            rows.len()
        ),
    ];
    let sample = headings.iter().position(|heading| heading == "sample");
    let is_sample = |row: &Vec<Cell>| sample.is_some_and(|column| row[column] == Cell::flag(true));
    if rows.iter().any(is_sample) {
        lines.push("Some of the figures are made up: those with true in the column sample.".to_owned());
    }
    let listed = |name: &str, values: &[String]| format!("{name}: {}.", values.join(", "));
    match question {
        Question::Figures(request) => {
            lines.push(listed("Indicators", &request.indicators));
            lines.push(listed("Areas", &request.areas));
            let periods = request.periods.join(", ");
            let range = request.period_range.iter().map(|range| format!("{} to {}", range.first, range.last));
            lines.push(format!(
                "Periods: {}.",
                range.chain((!periods.is_empty()).then_some(periods)).collect::<String>()
            ));
            if !request.agencies.is_empty() {
                lines.push(listed("Agencies", &request.agencies));
            }
            if !request.breakdown.is_empty() {
                lines.push(format!("Only {}.", breakdown(&request.breakdown)));
            }
        }
        Question::Picture(request) if !request.indicators.is_empty() => {
            lines.push(listed("Indicators", &request.indicators));
        }
        Question::Picture(_) => {
            lines.push("Indicators: all that have figures, or of which figures are expected.".to_owned());
        }
        Question::Changes(request) => lines.push(listed("Areas", &request.areas)),
    }
    lines
}

/// What the notes explain: the shorthand, and the codes by which the service says why there is no value.
fn notes() -> Vec<[String; 2]> {
    let markers = Marker::ALL.iter().map(|marker| [format!("[{marker}]"), marker.meaning().to_owned()]);
    let codes = DESCRIPTORS.get_enum_by_name("conspectus.v1.Gap").into_iter().flat_map(|gap| {
        let values = gap.values().filter(|value| value.number() != 0);
        let file = gap.parent_file();
        values.map(|value| [value.name().to_owned(), comment(&file, value.path())]).collect::<Vec<_>>()
    });
    let words = [
        ["All", "the row is of all that was asked for, put together"],
        ["none", "there is nothing to say"],
        ["true, false", "yes, no"],
    ];
    markers.chain(codes).chain(words.map(|words| words.map(str::to_owned))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_notes_explain_every_marker_and_every_code() {
        let notes = notes();
        assert!(notes.iter().all(|[code, meaning]| !code.is_empty() && !meaning.is_empty()), "{notes:?}");
        assert!(notes.iter().any(|[code, meaning]| code == "GAP_NOT_REPORTED" && meaning == "Nothing was submitted."));
    }
}
