//! Text that others wrote: the characters in it that can't be seen, or that change how the text around
//! them is seen. They are refused on the way in, and shown by their numbers on the way out.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use unicode_security::confusable_detection::skeleton;

/// What writes the text that it displays by itself. An answer has thousands of numbers and periods, and a formatter takes
/// as long as all else of them.
pub(crate) trait WriteText {
    /// Writes the text.
    ///
    /// # Errors
    /// When it can't be written there.
    fn write_text(&self, out: &mut impl fmt::Write) -> fmt::Result;
}

impl<T: WriteText> WriteText for &T {
    fn write_text(&self, out: &mut impl fmt::Write) -> fmt::Result {
        (*self).write_text(out)
    }
}

/// What kind of character one is that can't be seen; none for one that can.
fn hidden(c: char) -> Option<&'static str> {
    match c {
        _ if c.is_control() => Some("a control character"),
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            Some("which changes the direction of text")
        }
        '\u{ad}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200d}'
        | '\u{2028}'
        | '\u{2029}'
        | '\u{2060}'..='\u{2065}'
        | '\u{206a}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => Some("which is invisible"),
        _ => None,
    }
}

/// The text with its hidden characters, line breaks and tabs among them, by their numbers: `\u{1b}`.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    shown(text, Layout::Line, |shown, c| shown.extend(c.escape_unicode()))
}

/// The text with its hidden characters by their numbers, but for its line breaks and tabs.
pub(crate) fn visible_lines(text: &str) -> Cow<'_, str> {
    shown(text, Layout::Lines, |shown, c| shown.extend(c.escape_unicode()))
}

/// JSON with its hidden characters as JSON escapes them, `\u202e`: it reads as the same.
pub(crate) fn visible_json(text: &str) -> Cow<'_, str> {
    shown(text, Layout::Lines, |shown, c| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            let _ = write!(shown, "\\u{unit:04x}"); // Writing to a string can't fail.
        }
    })
}

/// The text with each hidden character as `show` writes it, but for those that it may be laid out with.
fn shown(text: &str, layout: Layout, show: impl Fn(&mut String, char)) -> Cow<'_, str> {
    let is_hidden = |c| hidden(c).is_some() && !layout.has(c);
    if !text.chars().any(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) { show(&mut shown, c) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

/// Says of an id that isn't one which of its characters only looks like one of an id's, as the Cyrillic
/// `а` does like `a`; nothing when there is none.
pub(crate) struct LookAlike<'a>(pub(crate) &'a str);

impl fmt::Display for LookAlike<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((found, place)) = self.0.chars().zip(1_usize..).find(|(c, _)| !c.is_ascii() && hidden(*c).is_none())
        else {
            return Ok(());
        };
        // Several look alike among themselves: `0` and `O`.
        let like = (b'!'..=b'~').map(char::from).filter(|ascii| same_skeleton(*ascii, found));
        let like: Vec<String> = like.map(|ascii| format!("`{ascii}`")).collect();
        if like.is_empty() {
            return Ok(());
        }
        write!(
            f,
            ", whose character {place}, `{found}` (U+{:04X}), only looks like {}",
            u32::from(found),
            like.join(" or ")
        )
    }
}

/// Whether two characters look alike, by the table of Unicode's Technical Standard 39.
fn same_skeleton(one: char, other: char) -> bool {
    let (mut one_text, mut other_text) = ([0; 4], [0; 4]);
    skeleton(one.encode_utf8(&mut one_text)).eq(skeleton(other.encode_utf8(&mut other_text)))
}

/// What a text may be laid out with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Nothing: it stands on one line.
    Line,
    /// Line breaks and tabs.
    Lines,
}

impl Layout {
    fn has(self, c: char) -> bool {
        match self {
            Self::Line => false,
            Self::Lines => matches!(c, '\n' | '\t'),
        }
    }
}

/// A text has a character that can't be seen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("found U+{:04X} as character {place}, {what}; allowed: no characters that can't be seen{}", u32::from(*.found), but(*.layout))]
pub(crate) struct HiddenCharacter {
    found: char,
    /// Counted from 1.
    place: usize,
    what: &'static str,
    layout: Layout,
}

fn but(layout: Layout) -> &'static str {
    match layout {
        Layout::Line => "",
        Layout::Lines => ", but for line breaks and tabs",
    }
}

/// Whether all of a text can be seen.
///
/// # Errors
/// Its first character that can't.
pub(crate) fn check(text: &str, layout: Layout) -> Result<(), HiddenCharacter> {
    if text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Ok(());
    }
    let found = text.chars().zip(1..).find_map(|(c, place)| {
        let what = hidden(c).filter(|_| !layout.has(c))?;
        Some(HiddenCharacter { found: c, place, what, layout })
    });
    found.map_or(Ok(()), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_are_shown_by_their_numbers() {
        assert_eq!(visible("Children’s – é, 5 ≠ 6"), "Children’s – é, 5 ≠ 6");
        assert_eq!(visible("\u{1b}[31mred\n"), "\\u{1b}[31mred\\u{a}");
        assert_eq!(visible("a\u{202e}b\u{200b}c"), "a\\u{202e}b\\u{200b}c");
        assert_eq!(visible_lines("a\tb\n\u{1b}c\r\n"), "a\tb\n\\u{1b}c\\u{d}\n");
    }

    #[test]
    fn json_whose_hidden_characters_are_shown_reads_as_the_same() {
        let text = "a\u{202e}b\u{7f}c\u{e0041}d\n";
        let json = serde_json::to_string(text).unwrap();
        let shown = visible_json(&json);
        assert_eq!(shown, "\"a\\u202eb\\u007fc\\udb40\\udc41d\\n\"");
        assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
    }

    #[test]
    fn a_look_alike_is_named_with_its_place_and_what_it_looks_like() {
        for (text, expect) in [
            ("initial-cоntacts", ", whose character 10, `о` (U+043E), only looks like `o`"),
            ("Е10000014", ", whose character 1, `Е` (U+0415), only looks like `E`"),
            ("s47–cases", ", whose character 4, `–` (U+2013), only looks like `-`"),
            ("E1000Ο", ", whose character 6, `Ο` (U+039F), only looks like `0` or `O`"),
            ("café", ""),
            ("Initial contacts", ""),
            ("", ""),
        ] {
            assert_eq!(LookAlike(text).to_string(), expect);
        }
    }

    #[test]
    fn a_text_is_refused_for_its_first_hidden_character() {
        let refusal = |text, layout| check(text, layout).map_err(|error| error.to_string());
        assert_eq!(refusal("Children’s services", Layout::Line), Ok(()));
        assert_eq!(refusal("one\ttwo\nthree", Layout::Lines), Ok(()));
        for (text, layout, expect) in [
            (
                "é\u{1b}",
                Layout::Line,
                "found U+001B as character 2, a control character; allowed: no characters that can't be seen",
            ),
            (
                "a\nb",
                Layout::Line,
                "found U+000A as character 2, a control character; allowed: no characters that can't be seen",
            ),
            (
                "\u{202e}",
                Layout::Line,
                "found U+202E as character 1, which changes the direction of text; allowed: no characters that can't be seen",
            ),
            (
                "a\n\u{feff}",
                Layout::Lines,
                "found U+FEFF as character 3, which is invisible; allowed: no characters that can't be seen, but for line breaks and tabs",
            ),
            (
                "a\r\n",
                Layout::Lines,
                "found U+000D as character 2, a control character; allowed: no characters that can't be seen, but for line breaks and tabs",
            ),
        ] {
            assert_eq!(refusal(text, layout), Err(expect.to_owned()));
        }
    }

    #[test]
    fn each_range_of_hidden_characters_is_whole() {
        let ranges = [
            ('\0', '\u{1f}'),
            ('\u{7f}', '\u{9f}'),
            ('\u{ad}', '\u{ad}'),
            ('\u{61c}', '\u{61c}'),
            ('\u{180e}', '\u{180e}'),
            ('\u{200b}', '\u{200f}'),
            ('\u{2028}', '\u{202e}'),
            ('\u{2060}', '\u{206f}'),
            ('\u{feff}', '\u{feff}'),
            ('\u{fff9}', '\u{fffb}'),
            ('\u{e0000}', '\u{e007f}'),
        ];
        let mut found: Vec<(char, char)> = Vec::new();
        for c in '\0'..=char::MAX {
            if check(c.encode_utf8(&mut [0; 4]), Layout::Line).is_err() {
                match found.last_mut() {
                    Some((_, last)) if u32::from(*last) + 1 == u32::from(c) => *last = c,
                    _ => found.push((c, c)),
                }
            }
        }
        assert_eq!(found, ranges);
    }
}
