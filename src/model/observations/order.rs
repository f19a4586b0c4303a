//! The lines of a table in one order, whichever they came in.

use super::{Line, Observations};

/// The lines of a table by what they are figures of, and the items that they refer to in order. Texts are compared once
/// for each item, and lines by the ranks of theirs: counted, not compared.
#[derive(Debug)]
pub(crate) struct Order {
    /// The lines, by index.
    pub(crate) lines: Vec<u32>,
    pub(crate) indicators: Ranks,
    pub(crate) areas: Ranks,
    /// By the periods that figures are kept under.
    pub(crate) periods: Ranks,
    pub(crate) breakdowns: Ranks,
}

/// The ranks of a dictionary's items, of those that lines refer to. Equal ones have the same.
#[derive(Debug)]
pub(crate) struct Ranks {
    /// For each item its rank.
    of: Vec<u32>,
    /// For each rank an item.
    items: Vec<u32>,
}

impl Order {
    pub(crate) fn of(table: &Observations) -> Self {
        let (dictionaries, lines) = (table.dictionaries(), table.lines());
        let kept: Vec<_> = dictionaries.periods.iter().map(|period| period.storage_key()).collect();
        let mut order = Self {
            lines: (0..).zip(lines).map(|(index, _)| index).collect(),
            indicators: Ranks::of(&dictionaries.indicators, lines.iter().map(|line| line.indicator)),
            areas: Ranks::of(&dictionaries.areas, lines.iter().map(|line| line.area)),
            periods: Ranks::of(&kept, lines.iter().map(|line| line.period)),
            breakdowns: Ranks::of(&dictionaries.breakdowns, lines.iter().map(|line| line.breakdown)),
        };
        // Each keeps the order of those before where its own ranks are equal: the last one counts most.
        order.breakdowns.sort(&mut order.lines, |line| lines[line as usize].breakdown);
        order.periods.sort(&mut order.lines, |line| lines[line as usize].period);
        order.areas.sort(&mut order.lines, |line| lines[line as usize].area);
        order.indicators.sort(&mut order.lines, |line| lines[line as usize].indicator);
        order
    }

    /// Whether two lines are the same figure.
    pub(crate) fn has_twice(&self, table: &Observations) -> bool {
        let ranks = |index: u32| self.ranks(&table.lines()[index as usize]);
        self.lines.windows(2).any(|pair| ranks(pair[0]) == ranks(pair[1]))
    }

    fn ranks(&self, line: &Line) -> [u32; 4] {
        [
            self.indicators.rank(line.indicator),
            self.areas.rank(line.area),
            self.periods.rank(line.period),
            self.breakdowns.rank(line.breakdown),
        ]
    }
}

impl Ranks {
    fn of<T: Ord>(items: &[T], mut used: impl Iterator<Item = u32>) -> Self {
        if items.len() == 1 {
            return Self { of: vec![0], items: used.next().into_iter().collect() };
        }
        let mut is_used = vec![false; items.len()];
        used.for_each(|index| is_used[index as usize] = true);
        let mut sorted: Vec<(&T, u32)> = items.iter().zip(0..).filter(|(_, index)| is_used[*index as usize]).collect();
        if !sorted.is_sorted() {
            sorted.sort_unstable();
        }
        let mut ranks = Self { of: vec![0; items.len()], items: Vec::with_capacity(sorted.len()) };
        for (equal, rank) in sorted.chunk_by(|one, other| one.0 == other.0).zip(0..) {
            ranks.items.push(equal[0].1);
            equal.iter().for_each(|(_, index)| ranks.of[*index as usize] = rank);
        }
        ranks
    }

    /// The rank of an item.
    #[inline]
    pub(crate) fn rank(&self, index: u32) -> u32 {
        self.of[index as usize]
    }

    /// An item of each rank, by its index in the dictionary.
    pub(crate) fn items(&self) -> &[u32] {
        &self.items
    }

    /// Sorts lines by the rank of the item that each refers to.
    fn sort(&self, lines: &mut Vec<u32>, item: impl Fn(u32) -> u32) {
        if self.items.len() < 2 {
            return;
        }
        let mut ends = vec![0_usize; self.items.len()];
        for line in &*lines {
            ends[self.rank(item(*line)) as usize] += 1;
        }
        let mut end = 0;
        for count in &mut ends {
            end += *count;
            *count = end;
        }
        let mut sorted = vec![0; lines.len()];
        for line in lines.iter().rev() {
            let end = &mut ends[self.rank(item(*line)) as usize];
            *end -= 1;
            sorted[*end] = *line;
        }
        *lines = sorted;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::marker::Markers;
    use crate::model::observation::{Breakdown, Value};
    use crate::model::observations::Dictionaries;

    proptest! {
        #[test]
        fn lines_are_ordered_as_their_texts_are(
            cells in prop::collection::vec((0..3_u32, 0..3_u32, 0..4_u32, 0..3_u32), 0..60),
        ) {
            fn parse<const N: usize, T: std::str::FromStr>(texts: [&str; N]) -> Vec<T> {
                texts.iter().map(|text| text.parse().ok().unwrap()).collect()
            }
            let dictionaries = Dictionaries {
                indicators: parse(["b", "unused", "a"]),
                areas: parse(["E2", "E1", "W1"]),
                // The second and the last are kept as one.
                periods: parse(["2022-06", "CY2021-Q2", "2021-06", "FY2021-22-Q1"]),
                breakdowns: parse(["sex=male", "", "age=5"]),
            };
            let value = Value { measure: None, markers: Markers::NONE };
            let line = |(indicator, area, period, breakdown): &(u32, u32, u32, u32)| {
                Line { indicator: *indicator, area: *area, period: *period, breakdown: *breakdown, value }
            };
            let table = Observations::new(dictionaries, cells.iter().map(line).collect(), Vec::new()).unwrap();
            let order = Order::of(&table);
            let dictionaries = table.dictionaries();
            let texts = |line: &u32| {
                let Line { indicator, area, period, breakdown, .. } = table.lines()[*line as usize];
                let breakdown: &Breakdown = &dictionaries.breakdowns[breakdown as usize];
                let period = dictionaries.periods[period as usize].storage_key();
                (&dictionaries.indicators[indicator as usize], &dictionaries.areas[area as usize], period, breakdown)
            };
            let mut expected: Vec<u32> = (0..u32::try_from(cells.len()).unwrap()).collect();
            expected.sort_by_key(texts);
            prop_assert_eq!(&order.lines, &expected);
            let twice = expected.windows(2).any(|pair| texts(&pair[0]) == texts(&pair[1]));
            prop_assert_eq!(order.has_twice(&table), twice);
            let used = expected.iter().map(|line| texts(line).0).collect::<std::collections::BTreeSet<_>>();
            prop_assert_eq!(order.indicators.items().len(), used.len());
        }
    }
}
