//! Numbers of answers as people read them: grouped by thousands, with their sign and their unit.

use crate::rpc::proto::Kind;

/// The unit of an amount in pounds sterling.
pub(crate) const POUNDS: &str = "GBP";

/// A decimal text with its thousands grouped: `153,033`, `-1,234.5`.
pub(crate) fn thousands(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (whole, fraction) = digits.find('.').map_or((digits, ""), |point| digits.split_at(point));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{fraction}")
}

/// A decimal text with its sign, grouped by thousands; zero has none.
pub(crate) fn signed(text: &str) -> String {
    let sign = if text.starts_with('-') || is_zero(text) { "" } else { "+" };
    format!("{sign}{}", thousands(text))
}

/// Whether a decimal text is zero.
pub(crate) fn is_zero(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0' | b'.' | b'-'))
}

/// A decimal text without its sign.
pub(crate) fn unsigned(text: &str) -> &str {
    text.strip_prefix('-').unwrap_or(text)
}

/// A decimal text for people: a ratio in per cent, others grouped by thousands.
pub(crate) fn number(text: &str, kind: Kind) -> String {
    if kind == Kind::Ratio { format!("{text}%") } else { thousands(text) }
}

/// A difference of two figures of a kind, with its sign: a ratio's in percentage points.
pub(crate) fn difference(text: &str, kind: Kind) -> String {
    if kind == Kind::Ratio { format!("{} pp", signed(text)) } else { signed(text) }
}

/// A value with the unit that it can't be read without: per cent, pounds, and whatever a mean or an amount is of. What is
/// counted is in the title of a count.
pub(crate) fn quantity(text: &str, kind: Kind, unit: &str) -> String {
    let number = number(text, kind);
    match kind {
        Kind::Mean | Kind::Amount if unit == POUNDS => {
            let sign = if text.starts_with('-') { "-" } else { "" };
            format!("{sign}£{}", unsigned(&number))
        }
        Kind::Mean | Kind::Amount if !unit.is_empty() => format!("{number} {unit}"),
        Kind::Mean | Kind::Amount | Kind::Ratio | Kind::Events | Kind::Stock | Kind::Distinct | Kind::Unspecified => {
            number
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        for (text, expected) in [("0", "0"), ("999", "999"), ("1000", "1,000"), ("-1234567.80", "-1,234,567.80")] {
            assert_eq!(thousands(text), expected);
        }
    }

    #[test]
    fn a_difference_has_its_sign_unless_it_is_zero() {
        assert_eq!(["1000", "-0.50", "0.0", "-0.0"].map(signed), ["+1,000", "-0.50", "0.0", "-0.0"]);
        assert_eq!(difference("0.6", Kind::Ratio), "+0.6 pp");
    }

    #[test]
    fn a_value_has_the_unit_that_it_needs() {
        for (text, kind, unit, expected) in [
            ("153033", Kind::Events, "contacts", "153,033"),
            ("95.9", Kind::Ratio, "per cent", "95.9%"),
            ("104260000", Kind::Amount, "GBP", "£104,260,000"),
            ("-1234.50", Kind::Amount, "GBP", "-£1,234.50"),
            ("1234", Kind::Amount, "EUR", "1,234 EUR"),
            ("40.1", Kind::Mean, "days", "40.1 days"),
            ("1200.5", Kind::Mean, "GBP", "£1,200.5"),
            ("7", Kind::Mean, "", "7"),
        ] {
            assert_eq!(quantity(text, kind, unit), expected);
        }
    }
}
