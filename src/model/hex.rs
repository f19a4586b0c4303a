//! Bytes as lower-case hexadecimal digits, two for each.

use std::fmt;

/// Shows bytes as their digits.
pub(crate) struct Hex<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The bytes of exactly their digits.
pub(crate) fn parse<const N: usize>(text: &str) -> Option<[u8; N]> {
    parse_all(text)?.try_into().ok()
}

/// The bytes of digits, as many as there are.
pub(crate) fn parse_all(text: &str) -> Option<Vec<u8>> {
    let digit = |byte| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    if !odd.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_read_back_from_their_digits_and_nothing_else_does() {
        let bytes: [u8; 256] = std::array::from_fn(|at| u8::try_from(at).unwrap());
        assert_eq!(parse(&Hex(&bytes).to_string()), Some(bytes));
        assert_eq!(Hex(&[0, 0x0a, 0xff]).to_string(), "000aff");
        for wrong in ["0", "00f", "0A", "0g", "+1", "é", "\u{0660}"] {
            assert_eq!(parse_all(wrong), None, "{wrong}");
        }
        assert_eq!(parse::<2>("00"), None);
    }
}
