//! Days that are taken already, for what may hold only once on any day.

use std::collections::BTreeMap;

use super::items::Validity;
use crate::model::date::Date;

/// Runs of days that don't overlap: the last day of each, by the first.
#[derive(Debug, Default)]
pub(super) struct Days(BTreeMap<i32, i32>);

impl Days {
    /// Takes days. False when some of them were taken before. A validity that ends before it begins has none.
    pub(super) fn add(&mut self, validity: Validity) -> bool {
        if validity.is_reversed() {
            return true;
        }
        let mut first = validity.valid_from.map_or(i32::MIN, Date::days);
        let mut last = validity.valid_to.map_or(i32::MAX, Date::days);
        let mut is_free = true;
        // Of those that begin by its last day, only the last ones can reach it.
        while let Some((from, to)) = self.0.range(..=last).next_back().map(|(from, to)| (*from, *to))
            && to >= first
        {
            self.0.remove(&from);
            (first, last, is_free) = (first.min(from), last.max(to), false);
        }
        self.0.insert(first, last);
        is_free
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn validity() -> impl Strategy<Value = Validity> {
        let day = || prop::option::weighted(0.9, (0..60_i32).prop_map(|day| Date::MIN.plus_days(day)));
        (day(), day()).prop_map(|(valid_from, valid_to)| Validity { valid_from, valid_to })
    }

    proptest! {
        #[test]
        fn days_are_free_unless_they_overlap_earlier_ones(all in prop::collection::vec(validity(), 0..40)) {
            let mut days = Days::default();
            for (index, one) in all.iter().enumerate().filter(|(_, one)| !one.is_reversed()) {
                let earlier = all[..index].iter().filter(|other| !other.is_reversed());
                prop_assert_eq!(days.add(*one), !{ earlier }.any(|other| other.overlaps(*one)));
            }
        }
    }
}
