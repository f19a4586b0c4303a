//! Counts in words.

use super::number::thousands;

/// A count and what is counted, in its singular or plural.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The same, grouped by thousands.
pub(crate) fn grouped(count: usize, one: &str, many: &str) -> String {
    format!("{} {}", thousands(&count.to_string()), if count == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_is_singular() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "row", "rows")), ["0 rows", "1 row", "2 rows"]);
        assert_eq!(grouped(1_204, "row", "rows"), "1,204 rows");
    }
}
