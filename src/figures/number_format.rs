//! What a workbook's number formats show of a number or a date: a workbook keeps binary fractions and counts of days,
//! and people see `95.9%` and `Apr-21`.

use crate::model::date::{Date, MONTHS};

/// A number as Excel shows it: the shortest decimal that reads back as the same binary fraction, of at most 15
/// significant digits, as Excel keeps to. So 0.1 + 0.2, which is 0.30000000000000004 in binary, is 0.3. A format of
/// per cent moves the point, and never rounds.
pub(super) fn number(number: f64, code: &str) -> String {
    const DIGITS_MAX: usize = 15;
    let shortest = format!("{number:e}");
    let digits = shortest.split('e').next().unwrap_or_default().bytes().filter(u8::is_ascii_digit).count();
    let scientific = if digits <= DIGITS_MAX { shortest } else { format!("{number:.14e}") };
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let Ok(exponent) = exponent.parse::<i32>() else { return scientific };
    if is_percentage(code) { format!("{}%", plain(mantissa, exponent + 2)) } else { plain(mantissa, exponent) }
}

/// A number in scientific notation without its exponent; one of very many digits keeps it.
fn plain(mantissa: &str, exponent: i32) -> String {
    const PLACES_MAX: i32 = 25;
    if !(-PLACES_MAX..=PLACES_MAX).contains(&exponent) {
        return format!("{mantissa}E{exponent:+03}");
    }
    let (sign, unsigned) = mantissa.strip_prefix('-').map_or(("", mantissa), |unsigned| ("-", unsigned));
    let digits: String = unsigned.chars().filter(char::is_ascii_digit).collect();
    let leading = usize::try_from(-exponent).unwrap_or_default();
    let digits = format!("{}{digits}", "0".repeat(leading));
    let point = usize::try_from(exponent.max(0)).unwrap_or_default() + 1;
    let digits = format!("{digits:0<point$}");
    let (whole, fraction) = digits.split_at(point);
    let fraction = fraction.trim_end_matches('0');
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

/// The code of a format, as it is shown in Britain. Two of the built-in formats follow the settings of the machine,
/// and are kept as if it were in the United States.
pub(super) fn shown_code(id: Option<u32>, code: &str) -> &str {
    match id {
        Some(14) => "dd/mm/yyyy",
        Some(22) => "dd/mm/yyyy hh:mm",
        Some(_) | None => code,
    }
}

fn is_percentage(code: &str) -> bool {
    parts(code).iter().any(|part| matches!(part, Part::Literal('%')))
}

/// The format of a date, in its parts.
#[derive(Debug)]
pub(super) struct DateFormat(Vec<Part>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// A letter of `ymdhs`, and how often it stands there.
    Run(char, usize),
    /// `m` that counts minutes.
    Minutes(usize),
    Literal(char),
    /// A character that is shown as it is, and has no meaning.
    Quoted(char),
}

impl DateFormat {
    pub(super) fn of(code: &str) -> Self {
        let mut parts = parts(code);
        // `m` stands for minutes after hours, and before seconds.
        let time = |part: &Part| matches!(part, Part::Run('h' | 's', _) | Part::Minutes(_));
        let date = |part: &Part| matches!(part, Part::Run('y' | 'm' | 'd', _));
        for at in 0..parts.len() {
            if let Part::Run('m', count @ 1..=2) = parts[at] {
                let before = parts[..at].iter().rev().find(|part| time(part) || date(part)).copied();
                let after = parts[at + 1..].iter().find(|part| time(part) || date(part)).copied();
                if matches!(before, Some(Part::Run('h', _))) || matches!(after, Some(Part::Run('s', _))) {
                    parts[at] = Part::Minutes(count);
                }
            }
        }
        Self(parts)
    }

    pub(super) fn shows_day(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Run('d', _)))
    }

    pub(super) fn shows_year(&self) -> bool {
        self.0.iter().any(|part| matches!(part, Part::Run('y', _)))
    }

    /// A date, and its hour, minute and second, as the format shows them.
    pub(super) fn shown(&self, date: Date, [hour, minute, second]: [u8; 3]) -> String {
        let mut shown = String::new();
        for part in &self.0 {
            match *part {
                Part::Run('y', 1 | 2) => shown.push_str(&format!("{:02}", date.year() % 100)),
                Part::Run('y', _) => shown.push_str(&format!("{:04}", date.year())),
                Part::Run('m', width @ (1 | 2)) => shown.push_str(&format!("{:0width$}", date.month())),
                Part::Run('m', letters) => {
                    let name = MONTHS[usize::from(date.month()) - 1];
                    shown.push_str(if letters == 4 { name } else { &name[..3] });
                }
                Part::Run('d', width @ (1 | 2)) => shown.push_str(&format!("{:0width$}", date.day())),
                Part::Run('d', letters) => {
                    let name = WEEKDAYS[usize::from(date.weekday()) - 1];
                    shown.push_str(if letters == 4 { name } else { &name[..3] });
                }
                Part::Run('h', width) => shown.push_str(&format!("{hour:0width$}", width = width.min(2))),
                Part::Minutes(width) => shown.push_str(&format!("{minute:0width$}")),
                Part::Run(_, width) => shown.push_str(&format!("{second:0width$}", width = width.min(2))),
                Part::Literal(c) | Part::Quoted(c) => shown.push(c),
            }
        }
        shown.trim().to_owned()
    }
}

/// The parts of a format's first section, which positive numbers and dates have.
fn parts(code: &str) -> Vec<Part> {
    const PARTS_MAX: usize = 255;
    // Hours are shown as 0 to 23.
    let code = code.replace("AM/PM", "").replace("am/pm", "");
    let mut parts: Vec<Part> = Vec::new();
    let mut chars = code.chars().peekable();
    while let Some(c) = chars.next().filter(|_| parts.len() < PARTS_MAX) {
        match c {
            ';' => break,
            '"' => parts.extend(chars.by_ref().take_while(|c| *c != '"').map(Part::Quoted)),
            '\\' => parts.extend(chars.next().map(Part::Quoted)),
            // Room for, or repeats of, the next character.
            '_' | '*' => drop(chars.next()),
            // A colour, a condition or a locale.
            '[' => drop(chars.by_ref().find(|c| *c == ']')),
            _ => match (c.to_ascii_lowercase(), parts.last_mut()) {
                (letter @ ('y' | 'm' | 'd' | 'h' | 's'), Some(Part::Run(last, count))) if letter == *last => {
                    *count += 1;
                }
                (letter @ ('y' | 'm' | 'd' | 'h' | 's'), _) => parts.push(Part::Run(letter, 1)),
                _ => parts.push(Part::Literal(c)),
            },
        }
    }
    // A text after the number: `@`.
    parts.retain(|part| *part != Part::Literal('@'));
    parts
}

const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_is_the_shortest_decimal_that_reads_back_of_at_most_15_digits() {
        for (binary, code, expect) in [
            (0.1 + 0.2, "General", "0.3"),
            (95.9, "General", "95.9"),
            (0.959, "0.0%", "95.9%"),
            (1.0 / 3.0, "General", "0.333333333333333"),
            (1.0 / 3.0, "0%", "33.3333333333333%"),
            (11_648.0, "#,##0", "11648"),
            (-12.5, "0.00;(0.00)", "-12.5"),
            (1_234.5, "\u{a3}#,##0.00", "1234.5"),
            (0.000_001, "General", "0.000001"),
            (999_999_999_999_999.0, "General", "999999999999999"),
            (1e15, "General", "1000000000000000"),
            (1e300, "General", "1E+300"),
            (0.0, "General", "0"),
            (-0.0, "General", "-0"),
            (0.05, "0 \"%\"", "0.05"),
        ] {
            assert_eq!(number(binary, code), expect, "{binary}, {code}");
        }
    }

    #[test]
    fn a_date_is_shown_as_its_format_has_it() {
        let date = Date::new(2022, 4, 1).unwrap();
        for (code, expect, shows) in [
            ("mmm-yy", "Apr-22", (false, true)),
            ("d-mmm", "1-Apr", (true, false)),
            ("dd/mm/yyyy", "01/04/2022", (true, true)),
            ("[$-809]dd mmmm yyyy;@", "01 April 2022", (true, true)),
            ("yyyy\\-mm\\-dd hh:mm:ss", "2022-04-01 09:05:07", (true, true)),
            ("yyyy\"Q\"", "2022Q", (false, true)),
            ("dddd", "Friday", (true, false)),
            ("h:mm AM/PM", "9:05", (false, false)),
        ] {
            let format = DateFormat::of(code);
            assert_eq!(format.shown(date, [9, 5, 7]), expect, "{code}");
            assert_eq!((format.shows_day(), format.shows_year()), shows, "{code}");
        }
    }

    proptest! {
        #[test]
        fn a_decimal_of_15_digits_comes_back_from_its_binary_fraction(mantissa in -999_999_999_999_999_i64..=999_999_999_999_999, scale in 0_u8..=6) {
            let decimal = crate::model::decimal::Decimal::new(mantissa, scale).unwrap().shortest().to_string();
            prop_assert_eq!(number(decimal.parse().unwrap(), "General"), decimal);
        }
    }
}
