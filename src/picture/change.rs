//! What has changed: a later figure beside an earlier one.

use std::collections::BTreeSet;
use std::rc::Rc;

pub use super::combine::ChangeUnit;
use super::combine::change_unit;
use super::figure::Figure;
use super::resolve::Series;
use super::value::FigureValue;
use crate::catalogue::items::{IndicatorVersion, Kind};
use crate::catalogue::{AgencyIx, AreaIx};
use crate::model::decimal::{Quotient, Rounded};
use crate::model::period::Period;
use crate::state::columns::Slab;

/// Why a change, or its percentage, isn't given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeGap {
    /// The later figure has no value.
    NoLaterValue,
    /// The earlier figure has no value.
    NoEarlierValue,
    /// From zero, of which nothing is a percentage.
    FromZero,
    /// From below zero, of which a percentage would mislead.
    FromBelowZero,
    /// The series is broken between the two.
    Break,
    /// There is no earlier period.
    NoEarlierPeriod,
    /// The exact result has more digits than can be computed with.
    TooLarge,
}

/// The change of a figure since an earlier period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The earlier period and its figure; none when there is no such period.
    pub from: Option<(Period, Rc<Figure>)>,
    /// The unit of the difference.
    pub unit: ChangeUnit,
    /// Later less earlier.
    pub difference: Option<Rounded>,
    /// The difference in per cent of the earlier figure, to one decimal.
    pub percent: Option<Rounded>,
    /// Why one of these isn't given.
    pub gap: Option<ChangeGap>,
    /// Whether one of the figures, or both, are partial.
    pub partial: bool,
}

/// Percentage changes are shown to one decimal, as the published reports do.
const PERCENT_DECIMALS: u8 = 1;

impl Change {
    /// The change when there is no earlier period.
    pub(super) fn without_earlier(kind: Kind) -> Self {
        let gap = Some(ChangeGap::NoEarlierPeriod);
        Self { from: None, unit: change_unit(kind), difference: None, percent: None, gap, partial: false }
    }

    /// The change from an earlier figure to a later one.
    pub(super) fn between(
        earlier_period: Period,
        earlier: Rc<Figure>,
        later: &Figure,
        version: &IndicatorVersion,
        broken: bool,
    ) -> Self {
        let unit = change_unit(version.kind);
        let mut change = Self {
            partial: !earlier.complete || !later.complete,
            from: None,
            unit,
            difference: None,
            percent: None,
            gap: None,
        };
        change.gap = match (&later.value, &earlier.value) {
            (Err(_), _) => Some(ChangeGap::NoLaterValue),
            (Ok(_), Err(_)) => Some(ChangeGap::NoEarlierValue),
            (Ok(_), Ok(_)) if broken => Some(ChangeGap::Break),
            (Ok(later), Ok(earlier)) => change.fill(earlier.exact, later.exact, version).err(),
        };
        change.from = Some((earlier_period, earlier));
        change
    }

    fn fill(&mut self, earlier: Quotient, later: Quotient, version: &IndicatorVersion) -> Result<(), ChangeGap> {
        let rounded = |exact, decimals| {
            let value = FigureValue::of(exact, decimals, version).map_err(|_| ChangeGap::TooLarge)?;
            Ok(Some(value.rounded))
        };
        let exact = later.checked_sub(earlier).ok_or(ChangeGap::TooLarge)?;
        self.difference = rounded(exact, version.decimals)?;
        match self.unit {
            ChangeUnit::PercentagePoints => Ok(()),
            ChangeUnit::Number if earlier.is_zero() => Err(ChangeGap::FromZero),
            ChangeUnit::Number if earlier.is_negative() => Err(ChangeGap::FromBelowZero),
            ChangeUnit::Number => {
                let hundredfold = exact.checked_mul(Quotient::from(100)).ok_or(ChangeGap::TooLarge)?;
                let percent = hundredfold.checked_div(earlier).ok_or(ChangeGap::TooLarge)?;
                self.percent = rounded(percent, PERCENT_DECIMALS)?;
                Ok(())
            }
        }
    }
}

/// What figures are compared with, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ChangeRule {
    /// The earlier period; none for no comparison.
    pub comparison: Option<Comparison>,
    /// Whether to compare across a break.
    pub across_breaks: bool,
}

/// What a figure is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Comparison {
    /// The period before, of the same length.
    PreviousPeriod,
    /// The same period a year before.
    YearBefore,
    /// This earlier period.
    With(Period),
}

impl Comparison {
    /// The period that one is compared with.
    pub(crate) fn earlier(self, period: Period) -> Option<Period> {
        match self {
            Self::PreviousPeriod => period.previous(),
            Self::YearBefore => period.year_before(),
            Self::With(earlier) => Some(earlier),
        }
    }
}

/// Where a series is broken between two periods: for everyone by a definition, and for an agency by its own
/// markers. Of a year to date the earlier one is its first period of the length asked for, so that a run that
/// spans a break isn't comparable either.
///
/// A series is broken between two periods for an agency whose own figures carry `b` for any period that
/// ends after the earlier one and by the later one; for other kinds than stocks, that also starts after
/// the earlier one's end. Its figures for the areas asked about and for those within them count, whether
/// or not they went into the answer: a year submitted whole is broken by the `b` of one of its quarters,
/// because the sender says that its series broke within the year.
#[derive(Default)]
pub(super) struct Breaks<'a> {
    definition: bool,
    /// The periods in which there may be a marker.
    marked: Vec<(Period, &'a Slab)>,
}

/// Where a series is broken for some areas.
#[derive(Default)]
pub(super) struct BreaksWithin {
    definition: bool,
    agencies: BTreeSet<AgencyIx>,
}

impl<'a> Breaks<'a> {
    pub(super) fn between(series: &Series<'a>, earlier: Period, later: Period) -> Self {
        let definition = series.indicator.breaks_between(earlier, later);
        let marked = if definition { Vec::new() } else { series.submitted.with_breaks(earlier, later) };
        Self { definition, marked }
    }

    /// Those for some areas.
    pub(super) fn within<'i>(&self, series: &Series<'_>, areas: impl Iterator<Item = &'i AreaIx>) -> BreaksWithin {
        let mut agencies = BTreeSet::new();
        if !self.marked.is_empty() {
            let areas: BTreeSet<AreaIx> = areas.copied().collect();
            agencies = series.submitted.break_markers(&Vec::from_iter(areas), &self.marked);
        }
        BreaksWithin { definition: self.definition, agencies }
    }
}

impl BreaksWithin {
    /// Whether a figure is broken that rests on those of some agencies.
    pub(super) fn concern(&self, rests_on: impl Fn(AgencyIx) -> bool) -> bool {
        self.definition || self.agencies.iter().copied().any(rests_on)
    }
}
