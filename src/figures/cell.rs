//! Cells of a spreadsheet that hold text which others wrote: a spreadsheet must not take one for a formula.
//!
//! By the rule of OWASP a cell that begins with `=`, `+`, `-`, `@`, a tab or a carriage return gets an
//! apostrophe before it, and is then shown as text. A number isn't changed. So that the text can be read
//! back, one that already has apostrophes before such a character gets one more, and
//! [`original`] takes one off.

use std::borrow::Cow;

use crate::model::text::visible_lines;

/// What a spreadsheet takes for a formula when a cell begins with it.
const FORMULA_STARTS: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// A text as a cell that no spreadsheet takes for a formula.
pub(crate) fn neutralised(text: &str) -> Cow<'_, str> {
    if starts_formula(text) && !is_number(text) { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) }
}

/// The text of a cell that [`neutralised`] wrote.
pub(crate) fn original(cell: &str) -> &str {
    cell.strip_prefix('\'').filter(|text| starts_formula(text)).unwrap_or(cell)
}

/// Rows as CSV, under a row of headings. A cell that a spreadsheet would take for a formula is [neutralised].
///
/// # Errors
/// When a row can't be written.
pub(crate) fn csv<'h, R: IntoIterator<Item = String>>(
    headings: impl IntoIterator<Item = &'h str>,
    rows: impl IntoIterator<Item = R>,
) -> Result<String, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(headings)?;
    for row in rows {
        for cell in row {
            writer.write_field(neutralised(&visible_lines(&cell)).as_ref())?;
        }
        writer.write_record(None::<&[u8]>)?;
    }
    let bytes = writer.into_inner().map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether a formula's start comes first, after apostrophes or none.
fn starts_formula(text: &str) -> bool {
    text.trim_start_matches('\'').starts_with(FORMULA_STARTS)
}

/// Whether it is a plain decimal number, which is safe and must stay one.
fn is_number(text: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    unsigned.split_once('.').map_or_else(|| digits(unsigned), |(whole, fraction)| digits(whole) && digits(fraction))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_spreadsheet_takes_for_a_formula_gets_an_apostrophe_and_a_number_doesnt() {
        for (text, cell) in [
            ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
            ("+1 more", "'+1 more"),
            ("-", "'-"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "'\tx"),
            ("\r=1", "'\r=1"),
            ("'=1", "''=1"),
            ("-1+2", "'-1+2"),
            ("-12.5", "-12.5"),
            ("-12", "-12"),
            ("+5", "'+5"),
            ("'tis", "'tis"),
            ("a=b", "a=b"),
            ("", ""),
        ] {
            assert_eq!(neutralised(text), cell);
            assert_eq!(original(cell), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_and_is_no_formula(text in "['=+\\-@\t\r1.a]{0,6}|.{0,12}") {
            let cell = neutralised(&text);
            prop_assert_eq!(original(&cell), text.as_str());
            prop_assert!(!cell.starts_with(FORMULA_STARTS) || is_number(&cell), "{}", cell);
        }
    }
}
