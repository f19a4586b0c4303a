//! What the sheets of a template have in common: how cells look, and how a sheet is protected and printed.

use rust_xlsxwriter::{Format, FormatAlign, FormatBorder, ProtectionOptions, Worksheet, XlsxError};

/// A4, as the file format numbers paper sizes.
const A4: u8 = 9;

/// How cells look. Only those to fill in are shaded, and can be changed.
#[derive(Debug)]
pub(super) struct Looks {
    pub(super) title: Format,
    pub(super) heading: Format,
    pub(super) text: Format,
    pub(super) figure: Format,
    pub(super) command: Format,
    /// A number to fill in.
    pub(super) number: Format,
    /// A text to fill in, which a spreadsheet leaves as it is written.
    pub(super) words: Format,
    /// Nothing goes here.
    pub(super) unused: Format,
}

impl Looks {
    pub(super) fn new() -> Self {
        let text = Format::new().set_align(FormatAlign::Top).set_text_wrap();
        let to_fill_in = Format::new()
            .set_unlocked()
            .set_align(FormatAlign::Top)
            .set_background_color(0x00FF_F2CC)
            .set_border(FormatBorder::Thin)
            .set_border_color(0x00BF_BFBF);
        Self {
            title: Format::new().set_bold().set_font_size(16),
            heading: Format::new().set_bold().set_align(FormatAlign::Top).set_background_color(0x00D9_E2F3),
            figure: text.clone().set_align(FormatAlign::Right),
            command: text.clone().set_font_name("Courier New"),
            number: to_fill_in.clone(),
            words: to_fill_in.set_num_format("@").set_text_wrap(),
            unused: Format::new().set_background_color(0x00ED_EDED),
            text,
        }
    }
}

/// Protects a sheet against accidents: there is no password, and columns and rows may be made wider.
pub(super) fn protect(sheet: &mut Worksheet) {
    let options = ProtectionOptions { format_columns: true, format_rows: true, ..ProtectionOptions::default() };
    sheet.protect_with_options(&options);
}

/// Prints a sheet on as many pages as it is long, with what it is of on each.
pub(super) fn print_settings(sheet: &mut Worksheet, of: &str) {
    sheet.set_landscape().set_paper_size(A4).set_print_fit_to_pages(1, 0);
    // In a footer an ampersand begins a code.
    sheet.set_footer(format!("&L{}&R&A, &P of &N", of.replace('&', "&&")));
}

/// Has the first row, the headings, stay in sight, and stand on each page that is printed.
pub(super) fn keep_headings(sheet: &mut Worksheet) -> Result<(), XlsxError> {
    sheet.set_freeze_panes(1, 0)?.set_repeat_rows(0, 0)?;
    Ok(())
}

/// A row or a column, as the writer counts them.
pub(super) fn index<T: TryFrom<usize>>(place: usize) -> Result<T, XlsxError> {
    T::try_from(place).map_err(|_| XlsxError::RowColumnLimitError)
}

/// Writes a text into each cell of a row.
pub(super) fn write_row(
    sheet: &mut Worksheet,
    row: usize,
    texts: &[impl AsRef<str>],
    look: &Format,
) -> Result<(), XlsxError> {
    for (column, text) in texts.iter().enumerate() {
        sheet.write_string_with_format(index(row)?, index(column)?, text.as_ref(), look)?;
    }
    Ok(())
}

/// Makes a row as high as its texts need, each with the width of its column in characters: not every spreadsheet does so
/// by itself.
pub(super) fn fit_height<'t>(
    sheet: &mut Worksheet,
    row: usize,
    texts: impl IntoIterator<Item = (&'t str, u8)>,
) -> Result<(), XlsxError> {
    const LINE_POINTS: u16 = 15;
    // A row can't be higher than 409 points.
    const LINES_MAX: u16 = 27;
    let lines = texts.into_iter().map(|(text, width)| lines(text, width)).max().unwrap_or(1).min(LINES_MAX.into());
    if lines > 1 {
        sheet.set_row_height(index(row)?, LINE_POINTS * u16::try_from(lines).unwrap_or(LINES_MAX))?;
    }
    Ok(())
}

/// How many lines a text takes.
fn lines(text: &str, width: u8) -> usize {
    let width = usize::from(width);
    let of_paragraph = |paragraph: &str| {
        let (mut lines, mut column) = (1, 0);
        for word in paragraph.split_whitespace().map(|word| word.chars().count()) {
            if column > 0 && column + 1 + word > width {
                lines += 1;
                column = 0;
            }
            column += word + usize::from(column > 0);
            // A word that is longer than a line goes on in the next.
            lines += column.saturating_sub(1) / width;
            column -= column.saturating_sub(1) / width * width;
        }
        lines
    };
    text.split('\n').map(of_paragraph).sum()
}

/// A text within the number of UTF-16 units that a spreadsheet takes, cut where a word ends.
pub(super) fn shortened(text: &str, units_max: usize) -> String {
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if words.encode_utf16().count() <= units_max {
        return words;
    }
    let mut cut = String::new();
    for word in words.split(' ') {
        let longer = if cut.is_empty() { word.to_owned() } else { format!("{cut} {word}") };
        if longer.encode_utf16().count() >= units_max {
            break;
        }
        cut = longer;
    }
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_as_words_wrap() {
        for (text, expect) in
            [("", 1), ("ten digits", 1), ("eleven chars", 2), ("a\nb", 2), ("abcdefghijklmnopqrstu", 3)]
        {
            assert_eq!(lines(text, 10), expect, "{text}");
        }
    }

    #[test]
    fn a_text_is_cut_where_a_word_ends_within_the_units_that_a_spreadsheet_counts() {
        assert_eq!(shortened("a text\n that fits", 16), "a text that fits");
        assert_eq!(shortened("a text that doesn't fit", 12), "a text that…");
        assert_eq!(shortened("\u{1f9d2}\u{1f9d2} \u{1f9d2}", 6), "\u{1f9d2}\u{1f9d2}…");
        assert_eq!(shortened("unbreakable", 5), "…");
    }
}
