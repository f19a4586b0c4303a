//! Lines that are broken at spaces.

use unicode_width::UnicodeWidthStr;

/// Before the later lines of a line that is folded.
const HANGING_INDENT: usize = 2;

/// A text as lines of at most so many columns; later lines keep the first one's indent. A word that is wider stands alone.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let indent = indent(text);
    broken(text.split_whitespace(), indent, indent, width)
}

/// A line as lines of at most so many columns, the later ones indented. It keeps its spaces, but for those that it is
/// broken at; indents give way to a wide word.
pub(super) fn fold(line: &str, width: usize) -> Vec<String> {
    if line.width() <= width {
        return vec![line.to_owned()];
    }
    let line = line.trim_end();
    let own = indent(line);
    let room = width.saturating_sub(line.split(' ').map(UnicodeWidthStr::width).max().unwrap_or(0));
    let within_room = |indent: usize| " ".repeat(indent.min(room));
    let (first, later) = (within_room(own.width()), within_room(own.width() + HANGING_INDENT));
    broken(line.trim_start().split(' '), &first, &later, width)
}

/// The width of the widest word, with the text's indent.
pub(super) fn widest_word(text: &str) -> usize {
    let widest = text.split_whitespace().map(UnicodeWidthStr::width).max();
    widest.map_or(0, |widest| indent(text).width() + widest)
}

fn indent(text: &str) -> &str {
    &text[..text.len() - text.trim_start().len()]
}

/// Words, of which an empty one is a further space, as lines.
fn broken<'t>(words: impl Iterator<Item = &'t str>, first: &str, later: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = first.to_owned();
    let mut has_words = false;
    for word in words {
        if has_words && line.width() + 1 + word.width() > width {
            lines.push(std::mem::replace(&mut line, later.to_owned()).trim_end().to_owned());
            has_words = false;
        }
        if has_words {
            line.push(' ');
        }
        line.push_str(word);
        has_words |= !word.is_empty();
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folded_line_keeps_its_spaces_and_hangs() {
        let line = "rule      Events add over time and over areas.";
        assert_eq!(fold(line, 80), [line]);
        assert_eq!(fold(line, 30), ["rule      Events add over time", "  and over areas."]);
        assert_eq!(fold("  a list of words", 9), ["  a list", "    of", "    words"]);
        // The indent gives way to a word of the width.
        assert_eq!(fold("  a word-of-twenty-column", 20), ["a", "word-of-twenty-column"]);
        assert_eq!(fold("a   b", 3), ["a", "  b"]);
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(wrap("漢字 漢字", 8), ["漢字", "漢字"]);
        assert_eq!(wrap("漢字 漢字", 9), ["漢字 漢字"]);
        assert_eq!(widest_word("  漢字 a"), 6);
    }
}
