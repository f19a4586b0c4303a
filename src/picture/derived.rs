//! What can be added to a figure beside its rate: its share, its rank, a benchmark. Each rests on the
//! figures of other areas too, and says when one of those is partial.

use std::rc::Rc;

use super::combine::Gap;
use super::figure::Figure;
use super::rate::Rate;
use super::value::FigureValue;
use crate::catalogue::AreaIx;
use crate::catalogue::items::IndicatorVersion;
use crate::model::decimal::{Quotient, Rounded};
use crate::model::marker::Markers;

/// Shares are shown to one decimal.
const SHARE_DECIMALS: u8 = 1;

/// A figure as a part of all areas asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The percentage, or why there is none.
    pub percent: Result<Rounded, Gap>,
    /// All areas together.
    pub total: Rc<Figure>,
    /// Whether the figure or the total is partial.
    pub partial: bool,
}

impl Share {
    /// `has_negative` says whether one of the parts of the total is below zero.
    pub(super) fn of(figure: &Figure, total: &Rc<Figure>, has_negative: bool, version: &IndicatorVersion) -> Self {
        let percent = || {
            let (part, whole) = (figure.value?.exact, total.value?.exact);
            if has_negative {
                return Err(Gap::NegativePart);
            }
            if whole.is_zero() {
                return Err(Gap::ZeroBase);
            }
            let hundredfold = part.checked_mul(Quotient::from(100)).ok_or(Gap::TooLarge)?;
            let exact = hundredfold.checked_div(whole).ok_or(Gap::TooLarge)?;
            Ok(FigureValue::of(exact, SHARE_DECIMALS, version)?.rounded)
        };
        Self { percent: percent(), total: Rc::clone(total), partial: !figure.complete || !total.complete }
    }
}

/// A figure's rank among the areas asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rank {
    /// Its place, or why it has none.
    pub position: Result<Position, Gap>,
    /// What it is ranked among.
    pub ranking: Rc<Ranking>,
}

/// A place in a ranking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// 1 for the best; equal answered values have equal ranks, and the next one counts them all.
    pub rank: usize,
    /// The quarter that the rank is in, 1 to 4; the best are in the first.
    pub quartile: usize,
}

/// The figures that are ranked together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ranking {
    /// How many are ranked.
    pub of: usize,
    /// The areas that have a value and aren't ranked because it is partial, by code.
    pub partial_areas: Vec<AreaIx>,
    /// The markers of all that are ranked and, with rates, of their populations.
    pub markers: Markers,
    /// Whether something made up went into one of them.
    pub sample: bool,
}

/// A figure beside that of a group of areas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Benchmark {
    /// The group's value: its rate where rates are asked for, else its figure.
    pub value: Option<Rounded>,
    /// The figure or rate less the group's.
    pub difference: Option<Rounded>,
    /// Why one of these isn't given.
    pub gap: Option<Gap>,
    /// The group's figure.
    pub figure: Rc<Figure>,
    /// The group's rate.
    pub rate: Option<Rate>,
    /// Whether one of the figures or, with rates, of the populations is partial.
    pub partial: bool,
}

impl Benchmark {
    pub(super) fn of(
        figure: &Figure,
        rate: Option<&Rate>,
        group: &Rc<Figure>,
        group_rate: Option<Rate>,
        version: &IndicatorVersion,
    ) -> Self {
        let (own, theirs, decimals, partial) = match (rate, &group_rate) {
            (Some(rate), Some(group_rate)) => {
                let decimals = version.rate.as_ref().map_or(version.decimals, |rule| rule.decimals);
                (rate.value, group_rate.value, decimals, rate.partial || group_rate.partial)
            }
            _ => (figure.value, group.value, version.decimals, !figure.complete || !group.complete),
        };
        let difference = || {
            let (theirs, own) = (theirs?, own?);
            let exact = own.exact.checked_sub(theirs.exact).ok_or(Gap::TooLarge)?;
            Ok(FigureValue::of(exact, decimals, version)?.rounded)
        };
        let (value, difference) = (theirs.ok().map(|value| value.rounded), difference());
        Self {
            value,
            difference: difference.ok(),
            gap: difference.err(),
            figure: Rc::clone(group),
            rate: group_rate,
            partial,
        }
    }
}
