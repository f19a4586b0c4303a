//! A cell where a number is expected: what it may be, and what is refused because it may be two things.
//!
//! | in the cell | read as |
//! |---|---|
//! | `1234.5`, `1,234.50`, `41.0` | the number |
//! | `(12)`, `−12` (Unicode's minus) | −12 |
//! | `95.9%`, `£1,234.50` | the number, with its unit |
//! | `[c]`, `c`, `[x]`, `[z]`, `[low]` | no value, for the reason that the marker gives |
//! | `1,585` where columns are separated by semicolons | refused: 1585 or 1.585 |
//! | `-`, `..`, `:`, `*`, `n/a` | refused: publications use each for more than one thing |
//!
//! The markers are those of the Government Statistical Service's shorthand, in or without their brackets. The symbols
//! that came before it have no one meaning: `-` is nil in one table and not available in the next.

use super::table::Notation;
use crate::model::decimal::Decimal;
use crate::model::marker::Marker;
use crate::model::violation::Quoted;

/// What a cell holds where a number is expected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Content {
    Nothing,
    Number(Decimal, Unit),
    /// Why there is no number.
    Marker(Marker),
}

/// What stands beside a number in its cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    None,
    PerCent,
    Pounds,
}

/// Reads a cell.
///
/// # Errors
/// What was found, and what would be accepted, where there is no reading or more than one.
pub(super) fn read(text: &str, notation: Notation) -> Result<Content, String> {
    if text.is_empty() {
        return Ok(Content::Nothing);
    }
    if let Some(marker) = marker(text) {
        return if marker.is_absence() {
            Ok(Content::Marker(marker))
        } else {
            Err(format!(
                "found {}, which says something about a value, and no value; allowed: the value here, and the marker in the column markers",
                Quoted(text)
            ))
        };
    }
    let Some((digits, is_negative, unit)) = parts(text) else { return Err(refusal(text)) };
    let number = unsigned(digits, notation).map_err(|reason| match reason {
        Refused::Two(one, other) => {
            let sign = if is_negative { "-" } else { "" };
            let (whole, fraction) = if one.scale() == 0 { (one, other) } else { (other, one) };
            // Another digit, and its point or comma can't be a separator of thousands.
            format!(
                "found {}, which may be {sign}{whole} or {sign}{fraction}; write {sign}{whole} or {sign}{fraction}0",
                Quoted(text)
            )
        }
        Refused::None => refusal(text),
    })?;
    let signed = if is_negative { -number.mantissa() } else { number.mantissa() };
    Decimal::new(signed, number.scale()).map(|number| Content::Number(number, unit)).ok_or_else(|| refusal(text))
}

/// A marker by its text, in or without brackets, in any case.
fn marker(text: &str) -> Option<Marker> {
    let inner = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    inner.trim().to_ascii_lowercase().parse().ok()
}

/// The digits of a number with their separators, whether it is below zero, and its unit.
fn parts(text: &str) -> Option<(&str, bool, Unit)> {
    let (rest, in_brackets) = match text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')) {
        Some(rest) => (rest.trim(), true),
        None => (text, false),
    };
    let minus = |text: &'_ str| text.strip_prefix(['-', '\u{2212}']).map(str::len);
    let without_minus = |text| minus(text).map(|length| &text[text.len() - length..]);
    let (rest, has_minus) = without_minus(rest).map_or((rest, false), |rest| (rest, true));
    let (rest, is_pounds) = rest.strip_prefix('£').map_or((rest, false), |rest| (rest.trim_start(), true));
    // `£-12` is written as often as `-£12`.
    let (rest, has_minus) = match without_minus(rest) {
        Some(rest) if is_pounds && !has_minus => (rest, true),
        Some(_) | None => (rest, has_minus),
    };
    let (rest, is_percentage) = rest.strip_suffix('%').map_or((rest, false), |rest| (rest.trim_end(), true));
    let unit = match (is_pounds, is_percentage) {
        (false, false) => Unit::None,
        (false, true) => Unit::PerCent,
        (true, false) => Unit::Pounds,
        (true, true) => return None,
    };
    let is_number = rest.starts_with(|c: char| c.is_ascii_digit());
    (is_number && !(in_brackets && has_minus)).then_some((rest, in_brackets || has_minus, unit))
}

enum Refused {
    /// There is no reading.
    None,
    /// There are two.
    Two(Decimal, Decimal),
}

/// A number without its sign. A comma is a decimal point only in a file that may write it so, and only where it can't
/// be a separator of thousands.
fn unsigned(digits: &str, notation: Notation) -> Result<Decimal, Refused> {
    let with_point: Option<Decimal> = digits.parse().ok();
    let with_comma = || -> Option<Decimal> { swapped(digits).parse().ok() };
    match (with_point, notation) {
        (Some(number), Notation::DecimalPoint) => Ok(number),
        (None, Notation::DecimalPoint) => Err(Refused::None),
        (with_point, Notation::PointOrComma) => match (with_point, with_comma()) {
            (Some(one), Some(other)) if one != other => Err(Refused::Two(one, other)),
            (Some(number), _) | (None, Some(number)) => Ok(number),
            (None, None) => Err(Refused::None),
        },
    }
}

/// The text with points for its commas, and commas for its points.
fn swapped(digits: &str) -> String {
    let swap = |c| match c {
        ',' => '.',
        '.' => ',',
        other => other,
    };
    digits.chars().map(swap).collect()
}

/// Why a text is no number that can be taken, and what to write.
fn refusal(text: &str) -> String {
    let found = Quoted(text);
    if let Some((_, readings)) = SYMBOLS.iter().find(|(symbol, _)| text.eq_ignore_ascii_case(symbol)) {
        return format!(
            "found {found}, which publications use for {readings}; write 0 for none, x for not available, z for not applicable, c for confidential or low for what rounds to zero"
        );
    }
    if text.starts_with(['<', '>', '~', '\u{2264}', '\u{2265}']) {
        return format!("found {found}, which isn't one number; write the number, or c if it is confidential");
    }
    let without = |removed: &[char]| text.chars().filter(|c| !removed.contains(c)).collect::<String>();
    let is_number =
        |text: &str| matches!(parts(text), Some((digits, ..)) if unsigned(digits, Notation::DecimalPoint).is_ok());
    if is_scientific(text) {
        return format!(
            "found {found}, a number that a spreadsheet has shortened; write all of its digits: format the column as a number, and save the file again"
        );
    }
    let spaceless = without(&[' ', '\u{a0}', '\u{202f}', '\u{2009}', '\'', '\u{2019}']);
    if spaceless != text && is_number(&spaceless) {
        return format!("found {found}; allowed: a number without spaces and apostrophes, such as 1234.5 or 1,234.5");
    }
    if let Some((digits, ..)) = parts(text)
        && let Ok(number) = swapped(digits).parse::<Decimal>()
    {
        return format!("found {found}, in which the comma can only be a decimal point; write {number}");
    }
    if text.starts_with('\u{2013}') && is_number(&text.replace('\u{2013}', "-")) {
        return format!(
            "found {found}, which begins with a dash; write {} if it is below zero",
            text.replace('\u{2013}', "-")
        );
    }
    let long = parts(text).and_then(|(digits, ..)| digits.split_once('.')).filter(|(_, fraction)| {
        fraction.len() > usize::from(Decimal::SCALE_MAX) && fraction.bytes().all(|byte| byte.is_ascii_digit())
    });
    if let Some((_, fraction)) = long {
        return format!(
            "found {found}, with {} digits after the point; allowed: at most {}. Round it in the file, or give a numerator and a denominator",
            fraction.len(),
            Decimal::SCALE_MAX
        );
    }
    match text.parse::<Decimal>() {
        Err(error) => format!("{error}, or a marker that says why there is none (c, x, z or low)"),
        Ok(_) => format!("found {found}; allowed: a number in digits"),
    }
}

/// Symbols that stand for no number, and what for.
const SYMBOLS: [(&str, &str); 16] = [
    ("-", "none and for not available"),
    ("\u{2013}", "none and for not available"),
    ("\u{2014}", "none and for not available"),
    ("..", "not available and for not applicable"),
    ("...", "not available and for not applicable"),
    ("\u{2026}", "not available and for not applicable"),
    (":", "not available and for not applicable"),
    (".", "not applicable and for not available"),
    ("*", "confidential and for less than can be shown"),
    ("~", "less than can be shown and for confidential"),
    ("#", "confidential and for not available"),
    ("n/a", "not available and for not applicable"),
    ("na", "not available and for not applicable"),
    ("nil", "none and for not available"),
    ("none", "none and for not available"),
    ("?", "not available and for unreliable"),
];

/// Whether a text is a number with an exponent: `1.5E+05`.
fn is_scientific(text: &str) -> bool {
    text.split_once(['e', 'E']).is_some_and(|(mantissa, exponent)| {
        let exponent = exponent.trim_start_matches(['+', '-']);
        mantissa.parse::<Decimal>().is_ok()
            && !exponent.is_empty()
            && exponent.bytes().all(|byte| byte.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The number and its unit, the marker in brackets, or what was refused.
    fn shown(text: &str, notation: Notation) -> String {
        match read(text, notation) {
            Ok(Content::Nothing) => "nothing".to_owned(),
            Ok(Content::Number(number, Unit::None)) => number.to_string(),
            Ok(Content::Number(number, unit)) => format!("{number} {unit:?}"),
            Ok(Content::Marker(marker)) => format!("[{marker}]"),
            Err(refusal) => refusal,
        }
    }

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for (text, expect) in [
            ("", "nothing"),
            ("0", "0"),
            ("41.0", "41.0"),
            ("11,648", "11648"),
            ("1,234.50", "1234.50"),
            ("1.234", "1.234"),
            ("-12", "-12"),
            ("\u{2212}12.5", "-12.5"),
            ("(12)", "-12"),
            ("(1,234.50)", "-1234.50"),
            ("95.9%", "95.9 PerCent"),
            ("95.9 %", "95.9 PerCent"),
            ("£1,234.50", "1234.50 Pounds"),
            ("-£12", "-12 Pounds"),
            ("£-12", "-12 Pounds"),
            ("(£12)", "-12 Pounds"),
            ("[c]", "[c]"),
            ("c", "[c]"),
            ("[ X ]", "[x]"),
            ("z", "[z]"),
            ("Low", "[low]"),
        ] {
            assert_eq!(shown(text, Notation::DecimalPoint), expect, "{text}");
        }
        for (text, expect) in [
            ("1234", "1234"),
            ("95,9", "95.9"),
            ("95.9", "95.9"),
            ("1.234,5", "1234.5"),
            ("1,234.5", "1234.5"),
            ("0,125", "0.125"),
            ("1.234.567", "1234567"),
            ("41,0", "41.0"),
        ] {
            assert_eq!(shown(text, Notation::PointOrComma), expect, "{text}");
        }
    }

    #[test]
    fn what_has_no_reading_or_two_is_refused_with_what_to_write() {
        let point = [
            "1.234,5",
            "1,5",
            "0,125",
            "12 345",
            "1\u{a0}234",
            "1'234",
            "1.5E+05",
            "\u{2013}12",
            "0.3333333",
            "<5",
            "-",
            "..",
            "n/a",
            "*",
            "p",
            "[r]",
            "(-5)",
            "--5",
            "£5%",
            "5 children",
            "£",
            "%",
            "1234567890123456",
        ];
        let refused = |text: &&str| shown(text, Notation::DecimalPoint);
        let comma = ["1.234", "1,585", "-1,585", "1,234,5"].map(|text| shown(text, Notation::PointOrComma));
        let texts: Vec<String> = point.iter().map(refused).chain(comma).collect();
        assert!(texts.iter().all(|text| text.starts_with("found ")), "{texts:?}");
        insta::assert_snapshot!(texts.join("\n"));
    }

    /// The slow, obvious reading: what a text may be by either notation, spelt out character by character.
    fn readings(text: &str, notation: Notation) -> Vec<String> {
        let convention = |group: char, point: char| -> Option<String> {
            let (whole, fraction) = text.split_once(point).map_or((text, None), |(whole, rest)| (whole, Some(rest)));
            let groups: Vec<&str> = whole.split(group).collect();
            let all_digits = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit());
            if !groups.iter().all(|group| all_digits(group)) || fraction.is_some_and(|rest| !all_digits(rest)) {
                return None;
            }
            let is_grouped = groups.len() == 1
                || groups[0].len() <= 3
                    && !groups[0].starts_with('0')
                    && groups[1..].iter().all(|group| group.len() == 3);
            let value = groups.concat().trim_start_matches('0').to_owned();
            let fraction = fraction.unwrap_or_default().trim_end_matches('0');
            is_grouped.then(|| format!("{}.{fraction}", if value.is_empty() { "0" } else { &value }))
        };
        let mut all: Vec<String> = convention(',', '.').into_iter().collect();
        if notation == Notation::PointOrComma {
            all.extend(convention('.', ','));
        }
        all.dedup();
        all
    }

    proptest! {
        #[test]
        fn a_number_is_read_only_where_it_has_one_reading_and_then_as_that(
            text in "[0-9]{1,4}([.,][0-9]{1,4}){0,3}|[0-9.,]{1,9}",
            notation in prop::sample::select(vec![Notation::DecimalPoint, Notation::PointOrComma]),
        ) {
            let within = |reading: &String| {
                let (whole, fraction) = reading.split_once('.').unwrap();
                fraction.len() <= 6 && whole.len() + fraction.len() <= 15
            };
            let readings = readings(&text, notation);
            match read(&text, notation) {
                Ok(Content::Number(number, Unit::None)) => {
                    let shown = number.shortest().to_string();
                    let shown = if shown.contains('.') { shown } else { format!("{shown}.") };
                    prop_assert_eq!(readings, vec![shown]);
                }
                Ok(other) => prop_assert!(false, "{:?}", other),
                Err(_) => prop_assert!(readings.len() != 1 || !readings.iter().all(within) || text.len() > 7, "{readings:?}"),
            }
        }

        #[test]
        fn any_text_is_read_or_refused(text in "\\PC{0,12}|[-(£0-9.,%) \u{2212}]{0,10}") {
            for notation in [Notation::DecimalPoint, Notation::PointOrComma] {
                if let Err(refusal) = read(&text, notation) {
                    prop_assert!(refusal.starts_with("found "), "{}", refusal);
                }
            }
        }

        #[test]
        fn a_number_that_is_written_reads_back_as_itself(mantissa in -999_999_999_999_999_i64..=999_999_999_999_999, scale in 0_u8..=6) {
            let number = Decimal::new(mantissa, scale).unwrap();
            prop_assert_eq!(read(&number.to_string(), Notation::DecimalPoint), Ok(Content::Number(number, Unit::None)));
        }
    }
}
