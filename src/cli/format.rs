//! Answers as JSON and CSV, and short texts of theirs. [`crate::wording`] has the words for figures.

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};

use super::failure::Failure;
use crate::figures::cell;
use crate::model::text::visible_json;
use crate::rpc::FILE_DESCRIPTOR_SET;
use crate::tables::{self, Table};
pub(super) use crate::wording::count::counted;
pub(super) use crate::wording::instant::to_the_second as time;

/// A message as protobuf's JSON, indented.
pub(super) fn json(message: &impl Message, name: &str) -> Result<String, Failure> {
    Ok(visible_json(&serde_json::to_string_pretty(&dynamic(message, name)?)?).into_owned())
}

/// A message as protobuf's JSON, on one line.
pub(super) fn json_line(message: &impl Message, name: &str) -> Result<String, Failure> {
    Ok(visible_json(&serde_json::to_string(&dynamic(message, name)?)?).into_owned())
}

fn dynamic(message: &impl Message, name: &str) -> Result<DynamicMessage, Failure> {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET)?;
    let full_name = format!("conspectus.v1.{name}");
    let descriptor = pool
        .get_message_by_name(&full_name)
        .ok_or_else(|| Failure::failed(format!("there is no message {full_name}")))?;
    Ok(DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())?)
}

/// Rows as CSV, under a row of headings, as [`cell::csv`] has them.
pub(super) fn csv<'h, R: IntoIterator<Item = String>>(
    headings: impl IntoIterator<Item = &'h str>,
    rows: impl IntoIterator<Item = R>,
) -> Result<String, Failure> {
    Ok(cell::csv(headings, rows)?)
}

/// A table of an answer as CSV.
pub(super) fn table_csv<'i, T: Table<Item: 'i>>(
    table: &T,
    items: impl IntoIterator<Item = &'i T::Item>,
) -> Result<String, Failure> {
    let rows = items.into_iter().flat_map(|item| table.rows(item)).map(tables::texts);
    csv(table.headings().iter().map(String::as_str), rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_as_csv_reads_back_and_is_no_formula() {
        let note = "=HYPERLINK(\"http://example\")";
        let row = ["a", "E1", "2022-06", "-5.0", note].map(str::to_owned);
        let text = csv(["indicator", "area", "period", "value", "note"], [row]).unwrap();
        assert!(text.contains(",-5.0,\"'=HYPERLINK"), "{text}");
        let figures = crate::figures::read(text.as_bytes()).unwrap();
        assert_eq!(figures[0].observation.note, note);
    }

    #[test]
    fn what_cannot_be_seen_is_shown_in_csv_and_in_json() {
        let text = csv(["note"], [["a\u{1b}[2J\u{202e}b\nc".to_owned()]]).unwrap();
        assert_eq!(text, "note\n\"a\\u{1b}[2J\\u{202e}b\nc\"\n");
        let agency = crate::rpc::proto::Agency { name: "a\u{202e}b".to_owned(), ..Default::default() };
        assert_eq!(json_line(&agency, "Agency").unwrap(), "{\"name\":\"a\\u202eb\"}");
        assert_eq!(json(&agency, "Agency").unwrap(), "{\n  \"name\": \"a\\u202eb\"\n}");
    }
}
