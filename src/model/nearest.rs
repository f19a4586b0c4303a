//! Which known name a misspelt one most likely stands for.

/// A name that is longer isn't compared.
const BYTES_MAX: usize = 64;

/// The name that is nearest to a text, if one is near: one letter of three may differ, be missing, be too many or be
/// exchanged with the next, at most three. Of names that are as near, the first.
///
/// It takes time for each name whose length and letters are near: of thousands that are mostly few.
pub(crate) fn nearest<'a>(text: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const CHANGES_MAX: usize = 3;
    within(CHANGES_MAX.min(text.len() / 3), text, names)
}

/// The name that is nearest to a text, of those that so many changes make of it. Of names that are as near, the first.
pub(crate) fn within<'a>(
    mut changes_max: usize,
    text: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    if text.len() > BYTES_MAX {
        return None;
    }
    let mut found = None;
    for name in names {
        if found.is_some() && changes_max == 0 {
            break;
        }
        // One fewer from here on: only what is nearer counts.
        let limit = if found.is_some() { changes_max - 1 } else { changes_max };
        if may_be_within(text, name, limit) {
            let changes = strsim::osa_distance(text, name);
            if changes <= limit {
                (found, changes_max) = (Some(name), changes);
            }
        }
    }
    found
}

/// Whether so many changes can make one of the other, by their lengths and by the letters that only one of them has.
fn may_be_within(one: &str, other: &str, changes: usize) -> bool {
    let letters = |text: &str| text.bytes().fold(0_u64, |set, byte| set | 1 << (byte & 63));
    let (only_one, only_other) = (letters(one) & !letters(other), letters(other) & !letters(one));
    let most = only_one.count_ones().max(only_other.count_ones());
    other.len() <= BYTES_MAX
        && one.len().abs_diff(other.len()) <= changes
        && usize::try_from(most).is_ok_and(|most| most <= changes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_isnt() {
        let names = ["initial-contacts", "referrals", "re-referrals", "missing-episodes"];
        for (text, expect) in [
            ("initial-contact", Some("initial-contacts")),
            ("intial-contacts", Some("initial-contacts")),
            ("inital-conatcts", Some("initial-contacts")),
            ("referals", Some("referrals")),
            ("re-referals", Some("re-referrals")),
            ("missing", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(text, names), expect, "{text}");
        }
        assert_eq!(within(1, "E06000046", ["E06000044", "E06000045"]), Some("E06000044"));
        assert_eq!(within(1, "E06000099", ["E06000044", "E06000045"]), None);
    }

    proptest! {
        #[test]
        fn what_is_passed_over_is_never_nearer(text in "[a-d]{0,9}", names in prop::collection::vec("[a-d]{0,9}", 0..8)) {
            let distance = |name: &&String| strsim::osa_distance(&text, name);
            let best = names.iter().min_by_key(distance).filter(|name| distance(name) <= 3.min(text.len() / 3));
            prop_assert_eq!(nearest(&text, names.iter().map(String::as_str)), best.map(String::as_str));
        }
    }
}
