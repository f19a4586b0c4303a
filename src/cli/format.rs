//! Answers as JSON and CSV, and short texts of theirs. [`crate::wording`] has the words for figures.

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};

use super::failure::Failure;
use crate::figures::cell::neutralised;
use crate::model::marker::Marker;
use crate::model::text::{visible_json, visible_lines};
use crate::rpc::FILE_DESCRIPTOR_SET;
use crate::rpc::proto::CheckExplanation;

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

/// A count and what is counted, in its singular or plural.
pub(super) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The explanations of a figure: those for single checks after the check.
pub(super) fn explanations(explanations: &[CheckExplanation]) -> String {
    let text = |CheckExplanation { check, explanation }: &CheckExplanation| match check.as_str() {
        "" => explanation.clone(),
        check => format!("{check}: {explanation}"),
    };
    explanations.iter().map(text).collect::<Vec<_>>().join("; ")
}

/// Rows as CSV, under a row of headings. A cell that a spreadsheet would take for a formula is
/// [neutralised].
pub(super) fn csv<'h, R: IntoIterator<Item = String>>(
    headings: impl IntoIterator<Item = &'h str>,
    rows: impl IntoIterator<Item = R>,
) -> Result<String, Failure> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(headings)?;
    for row in rows {
        for cell in row {
            writer.write_field(neutralised(&visible_lines(&cell)).as_ref())?;
        }
        writer.write_record(None::<&[u8]>)?;
    }
    let bytes = writer.into_inner().map_err(|error| Failure::failed(error.to_string()))?;
    Ok(String::from_utf8(bytes)?)
}

/// Markers as they are written in a spreadsheet: `e p`.
pub(super) fn markers(codes: &[i32]) -> String {
    let texts: Vec<&str> = codes.iter().filter_map(|code| Marker::from_code(*code)).map(Marker::text).collect();
    texts.join(" ")
}

/// An instant to the second, in UTC.
pub(super) fn time(at: Option<&prost_types::Timestamp>) -> String {
    let whole = |at: &prost_types::Timestamp| prost_types::Timestamp { seconds: at.seconds, nanos: 0 };
    at.map(|at| whole(at).to_string()).unwrap_or_default()
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

    #[test]
    fn only_one_is_singular() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "row", "rows")), ["0 rows", "1 row", "2 rows"]);
    }
}
