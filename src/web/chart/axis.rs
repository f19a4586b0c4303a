//! The axis of values: from where to where, and its ticks, computed exactly.

use crate::model::decimal::Decimal;
use crate::rpc::proto::Kind;
use crate::wording::number::thousands;

/// At most so many steps from tick to tick.
const STEPS_MAX: i128 = 5;
/// Values are counted in millionths, which every decimal is a whole number of.
const UNIT: i128 = 1_000_000;
/// From this value on, ticks are written in millions.
const MILLIONS_FROM: i128 = 10_000_000 * UNIT;
/// The least that an axis of percentages spans, in points: a closer look would make much of little.
const RATIO_SPAN_MIN: i128 = 10 * UNIT;

/// An axis that all values are on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Axis {
    /// In millionths, as the others.
    low: i128,
    high: i128,
    step: i128,
}

impl Axis {
    /// The axis of values of a kind; without a value, from 0 to 1.
    ///
    /// It starts at zero, so that a figure twice as high is one of twice as much. Of percentages it doesn't: those near
    /// 100 could as well be counted from there, and what matters is how many points they move.
    pub(super) fn of(values: &[Decimal], kind: Kind) -> Self {
        let values = || values.iter().copied().map(millionths);
        let (least, most) = (values().min().unwrap_or(0), values().max().unwrap_or(UNIT));
        let from_zero = (least.min(0), most.max(0));
        let ((low, high), finest) = match kind {
            Kind::Ratio => (around(least, most), 1),
            Kind::Events | Kind::Stock | Kind::Distinct => (from_zero, UNIT),
            Kind::Mean | Kind::Amount | Kind::Unspecified => (from_zero, 1),
        };
        let high = if low == high { high + UNIT } else { high };
        let step = step(low, high, finest);
        let (below, above) = (low.div_euclid(step) * step, -(-high).div_euclid(step) * step);
        Self { low: below, high: above, step }
    }

    /// Its ticks, the lowest first.
    pub(super) fn ticks(self) -> impl Iterator<Item = Tick> {
        let count = (self.high - self.low) / self.step;
        (0..=count).map(move |at| Tick { value: self.low + at * self.step, in_millions: self.in_millions() })
    }

    /// Whether ticks are written in millions.
    pub(super) fn in_millions(self) -> bool {
        self.high.max(-self.low) >= MILLIONS_FROM && self.step % UNIT == 0
    }

    /// Where it starts, if not at zero.
    pub(super) fn start(self) -> Option<Tick> {
        (self.low > 0).then_some(Tick { value: self.low, in_millions: false })
    }

    /// How far above its low end a value is, of `length` for all of it.
    pub(super) fn above_low(self, value: Decimal, length: i64) -> i64 {
        self.part(millionths(value), length)
    }

    fn part(self, value: i128, length: i64) -> i64 {
        let part = (value - self.low) * i128::from(length) / (self.high - self.low);
        i64::try_from(part).unwrap_or(length)
    }
}

/// A value that the axis marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tick {
    value: i128,
    in_millions: bool,
}

impl Tick {
    /// How far above the axis' low end it is, of `length` for all of it.
    pub(super) fn above_low(self, axis: Axis, length: i64) -> i64 {
        axis.part(self.value, length)
    }

    /// Its number, grouped by thousands, or in millions.
    pub(super) fn text(self) -> String {
        let unit = if self.in_millions { UNIT * UNIT } else { UNIT };
        let (whole, rest) = (self.value.abs() / unit, self.value.abs() % unit);
        let digits = if self.in_millions { format!("{rest:012}") } else { format!("{rest:06}") };
        let fraction = digits.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        let sign = if self.value < 0 { "-" } else { "" };
        format!("{sign}{}{point}{fraction}", thousands(&whole.to_string()))
    }
}

fn millionths(value: Decimal) -> i128 {
    let scale = u32::from(Decimal::SCALE_MAX.saturating_sub(value.scale()));
    i128::from(value.mantissa()) * 10_i128.pow(scale)
}

/// The range of some percentages, as wide as it has to be, and within 0 and 100 if they are.
fn around(least: i128, most: i128) -> (i128, i128) {
    let wider = (RATIO_SPAN_MIN - (most - least)).max(0);
    let (low, high) = (least - wider / 2, most + (wider - wider / 2));
    let hundred = 100 * UNIT;
    if low < 0 && least >= 0 {
        (0, most.max(RATIO_SPAN_MIN))
    } else if high > hundred && most <= hundred {
        (least.min(hundred - RATIO_SPAN_MIN), hundred)
    } else {
        (low, high)
    }
}

/// The least of 1, 2 and 5 times a power of ten, from `finest` on, by which the range has few enough steps.
fn step(low: i128, high: i128, finest: i128) -> i128 {
    let mut power = finest;
    loop {
        for step in [power, 2 * power, 5 * power] {
            if -(-high).div_euclid(step) - low.div_euclid(step) <= STEPS_MAX {
                return step;
            }
        }
        power *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn axis(values: &[&str], kind: Kind) -> Axis {
        let values: Vec<Decimal> = values.iter().map(|text| text.parse().unwrap()).collect();
        Axis::of(&values, kind)
    }

    #[test]
    fn ticks_are_round_numbers_from_zero_or_of_percentages_around_them() {
        let ticks = |values: &[&str], kind| axis(values, kind).ticks().map(Tick::text).collect::<Vec<_>>().join(" ");
        for (values, kind, expected) in [
            (&["77934", "153033"][..], Kind::Events, "0 50,000 100,000 150,000 200,000"),
            (&["3", "7"], Kind::Events, "0 2 4 6 8"),
            (&["1"], Kind::Stock, "0 1"),
            (&["0", "0"], Kind::Events, "0 1"),
            (&[], Kind::Events, "0 1"),
            (&["0.4"], Kind::Mean, "0 0.1 0.2 0.3 0.4"),
            (&["104260000", "93875000"], Kind::Amount, "0 50 100 150"),
            (&["-1234.50", "800"], Kind::Amount, "-1,500 -1,000 -500 0 500 1,000"),
            (&["40.1", "45.3"], Kind::Mean, "0 10 20 30 40 50"),
            (&["95.3", "95.9"], Kind::Ratio, "90 92 94 96 98 100"),
            (&["87.9", "95.9"], Kind::Ratio, "85 90 95 100"),
            (&["2.0"], Kind::Ratio, "0 2 4 6 8 10"),
            (&["33.4", "61.0"], Kind::Ratio, "30 40 50 60 70"),
            (&["0", "104.5"], Kind::Ratio, "0 50 100 150"),
        ] {
            assert_eq!(ticks(values, kind), expected, "{values:?}");
        }
    }

    #[test]
    fn an_axis_that_does_not_start_at_zero_says_where_it_starts() {
        assert_eq!(axis(&["95.3"], Kind::Ratio).start().map(Tick::text).as_deref(), Some("90"));
        assert_eq!(axis(&["95.3"], Kind::Mean).start(), None);
    }

    proptest! {
        #[test]
        fn every_value_is_on_the_axis(
            values in proptest::collection::vec((-999_999_999_999_999_i64..=999_999_999_999_999, 0..=6_u8), 1..9),
            kind in proptest::sample::select(vec![Kind::Events, Kind::Ratio, Kind::Amount]),
        ) {
            let values: Vec<Decimal> = values.into_iter().filter_map(|(mantissa, scale)| Decimal::new(mantissa, scale)).collect();
            let axis = Axis::of(&values, kind);
            for value in values {
                prop_assert!((0..=1_500).contains(&axis.above_low(value, 1_500)), "{value} on {axis:?}");
            }
            let count = axis.ticks().count();
            prop_assert!((2..=usize::try_from(STEPS_MAX).unwrap() + 1).contains(&count), "{count} ticks");
        }
    }
}
