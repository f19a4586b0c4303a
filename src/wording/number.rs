//! Numbers of answers as people read them: grouped by thousands, with their sign and their unit.

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

fn is_zero(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b'0' | b'.' | b'-'))
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
    }
}
