//! Figures that can still be combined, and the slots behind them.

use std::cmp::Ordering;

use super::combine::{Components, Gap};
use super::value::FigureValue;
use crate::catalogue::items::IndicatorVersion;
use crate::catalogue::{AgencyIx, AreaIx};
use crate::model::date::Date;
use crate::model::marker::Markers;
use crate::model::period::Period;

/// How many missing slots a figure names.
pub const MISSING_NAMED_MAX: usize = 20;

/// How many slots stand behind a figure, and what became of them. (A slot is one expected figure.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Coverage {
    /// All of them.
    pub expected: usize,
    /// Those with a figure, or said not to apply.
    pub reported: usize,
    /// Those without, past their due date.
    pub late: usize,
    /// Those submitted as not available, confidential or low.
    pub not_available: usize,
    /// Those of the reported that their sender marks as estimated.
    pub imputed: usize,
    /// Those without a figure of their own that lie within one that can't be split.
    pub contained: usize,
}

impl Coverage {
    fn plus(self, other: Self) -> Self {
        Self {
            expected: self.expected + other.expected,
            reported: self.reported + other.reported,
            late: self.late + other.late,
            not_available: self.not_available + other.not_available,
            imputed: self.imputed + other.imputed,
            contained: self.contained + other.contained,
        }
    }

    /// How the share of these that is reported stands to the other's. No slots at all count as none
    /// reported: a way through periods shorter than the frequency knows nothing of coverage.
    pub(super) fn compare_share(self, other: Self) -> Ordering {
        let crosswise = |one: Self, other: Self| one.reported * other.expected.max(1);
        crosswise(self, other).cmp(&crosswise(other, self))
    }
}

/// Why a slot has no figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum MissingReason {
    /// Its due date has passed.
    Late,
    /// Its due day has not passed, or nobody is expected to report its period.
    NotDue,
    /// The sender said that there is none.
    NotAvailable,
    /// It lies within a figure of this wider or same area and this longer or same period, which can't be
    /// split.
    Contained {
        /// That figure's area.
        area: AreaIx,
        /// That figure's period.
        period: Period,
    },
}

/// A slot without a figure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missing {
    /// The agency.
    pub agency: AgencyIx,
    /// The area.
    pub area: AreaIx,
    /// The period.
    pub period: Period,
    /// Why.
    pub reason: MissingReason,
}

/// A figure that can still be combined, and what stands behind it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Accumulator {
    /// What adds up; none when there is no value.
    pub(super) components: Option<Components>,
    /// Whether a sum had too many digits.
    pub(super) too_large: bool,
    /// Whether figures overlap in it ([`super::overlap`]), so that there is no value.
    pub(super) overlaps: bool,
    /// The markers of all that went into it.
    pub(super) markers: Markers,
    /// Whether something made up went into it.
    pub(super) sample: bool,
    /// Whether it was submitted for the very area; of a stock also for an earlier period.
    pub(super) is_own: bool,
    /// How many submitted figures and markers it rests on.
    pub(super) submitted: usize,
    /// What became of its slots.
    pub(super) coverage: Coverage,
    /// For a stock that is older than the period's close: the period that it is of.
    pub(super) as_at: Option<Period>,
    /// Where figures to date are in it: the last day that the earliest of them includes.
    pub(super) to_date: Option<Date>,
    /// Whether figures of subperiods were submitted that can't be combined, so that something is missing here.
    pub(super) uncombined: bool,
    /// Whether it is a sum of a volunteer's figures, and lacks an area that the volunteer reports for.
    pub(super) lacks_areas: bool,
    /// What its value is the sum of, where two of those may overlap ([`super::overlap`]).
    pub(super) added: Vec<(AreaIx, Period)>,
    /// Some of the slots without a figure, at most [`MISSING_NAMED_MAX`].
    pub(super) missing: Vec<Missing>,
}

impl Accumulator {
    /// Adds a figure, value and slots.
    pub(super) fn add(&mut self, other: &Self) {
        self.too_large |= other.too_large;
        self.overlaps |= other.overlaps;
        self.components = match (self.components, other.components) {
            // The sum is lost, and isn't taken up again with what comes after it.
            _ if self.too_large || self.overlaps => None,
            (Some(a), Some(b)) => {
                let sum = a.plus(b);
                self.too_large |= sum.is_none();
                sum
            }
            (Some(one), None) | (None, Some(one)) => Some(one),
            (None, None) => None,
        };
        self.add_all_but_value(other);
    }

    /// Adds what stands beside a figure's value, and its slots.
    pub(super) fn add_all_but_value(&mut self, other: &Self) {
        self.too_large |= other.too_large;
        self.overlaps |= other.overlaps;
        self.markers = self.markers.union(other.markers);
        self.sample |= other.sample;
        self.is_own = false;
        self.submitted += other.submitted;
        self.added.extend_from_slice(&other.added);
        // Of several the oldest: the one that closed first, whenever it began.
        self.as_at = self.as_at.into_iter().chain(other.as_at).min_by_key(|period| (period.end(), *period));
        self.to_date = self.to_date.into_iter().chain(other.to_date).min();
        self.add_slots(other);
    }

    /// Adds the slots of a figure, and not its value.
    pub(super) fn add_slots(&mut self, other: &Self) {
        self.uncombined |= other.uncombined;
        self.lacks_areas |= other.lacks_areas;
        self.coverage = self.coverage.plus(other.coverage);
        let left = MISSING_NAMED_MAX.saturating_sub(self.missing.len());
        self.missing.extend(other.missing.iter().take(left));
    }

    /// Adds a slot without a figure.
    pub(super) fn add_missing(&mut self, missing: Missing) {
        self.coverage.expected += 1;
        match missing.reason {
            MissingReason::Late => self.coverage.late += 1,
            MissingReason::NotDue => {}
            MissingReason::NotAvailable => self.coverage.not_available += 1,
            MissingReason::Contained { .. } => self.coverage.contained += 1,
        }
        if self.missing.len() < MISSING_NAMED_MAX {
            self.missing.push(missing);
        }
    }

    /// Why what was added has no value, the first reason that holds. `fits` says whether the period fits the
    /// indicator, `nothing` what it means that nothing was added.
    pub(super) fn gap(&self, fits: bool, nothing: Gap) -> Gap {
        if matches!(nothing, Gap::SideBySide | Gap::LeadNotAsked) {
            nothing
        } else if self.overlaps {
            Gap::NotCombinable
        } else if self.markers.absences().next().is_some() {
            Gap::Marked
        } else if self.coverage.contained > 0 {
            Gap::Contained
        } else if self.uncombined {
            Gap::NotCombinable
        } else if !fits {
            Gap::PeriodMismatch
        } else {
            nothing
        }
    }

    /// The value of what was added, or why what was added has none; nothing when nothing was.
    pub(super) fn value(&self, version: &IndicatorVersion) -> Option<Result<FigureValue, Gap>> {
        if self.too_large && !self.overlaps {
            return Some(Err(Gap::TooLarge));
        }
        let value = |components: Components| {
            let exact = components.value(version.kind)?;
            FigureValue::of(exact, version.decimals, version)
        };
        self.components.map(value)
    }

    /// Whether there is a figure, even one of too many digits, and not just markers.
    pub(super) fn has_figure(&self) -> bool {
        self.components.is_some() || (self.too_large && !self.overlaps)
    }

    /// Whether nothing expected is missing, and nothing is older than it should be or of a part of its period.
    pub(super) fn is_complete(&self) -> bool {
        let is_whole = self.as_at.is_none() && self.to_date.is_none() && !self.uncombined && !self.lacks_areas;
        is_whole && !self.overlaps && self.coverage.reported == self.coverage.expected
    }
}

/// Figures by agency, ascending by index.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ByAgency(Vec<(AgencyIx, Accumulator)>);

impl ByAgency {
    /// Nobody's figures, with room for those of so many.
    pub(super) fn with_capacity(agencies: usize) -> Self {
        Self(Vec::with_capacity(agencies))
    }

    /// Empty figures for these agencies, named in any order and as often as may be.
    pub(super) fn of_all(agencies: impl Iterator<Item = AgencyIx>) -> Self {
        let mut is_named = Vec::new();
        for agency in agencies {
            let ix = agency.0 as usize;
            if ix >= is_named.len() {
                is_named.resize(ix + 1, false);
            }
            is_named[ix] = true;
        }
        let named = (0..).map(AgencyIx).zip(is_named).filter(|(_, is_named)| *is_named);
        Self(named.map(|(agency, _)| (agency, Accumulator::default())).collect())
    }

    fn position(&self, agency: AgencyIx) -> Result<usize, usize> {
        match self.0.last() {
            // Mostly they come in order.
            Some((last, _)) if *last < agency => Err(self.0.len()),
            _ => self.0.binary_search_by_key(&agency, |(known, _)| *known),
        }
    }

    /// An agency's figure.
    pub(super) fn get(&self, agency: AgencyIx) -> Option<&Accumulator> {
        self.position(agency).ok().map(|at| &self.0[at].1)
    }

    /// An agency's figure, to change it.
    pub(super) fn get_mut(&mut self, agency: AgencyIx) -> Option<&mut Accumulator> {
        self.position(agency).ok().map(|at| &mut self.0[at].1)
    }

    /// Whether an agency has a figure.
    pub(super) fn contains(&self, agency: AgencyIx) -> bool {
        self.position(agency).is_ok()
    }

    /// An agency's figure, an empty one when there was none.
    pub(super) fn entry(&mut self, agency: AgencyIx) -> &mut Accumulator {
        self.or_insert_with(agency, Accumulator::default)
    }

    /// An agency's figure, put there when there was none.
    pub(super) fn or_insert_with(&mut self, agency: AgencyIx, make: impl FnOnce() -> Accumulator) -> &mut Accumulator {
        let at = self.position(agency).unwrap_or_else(|at| {
            self.0.insert(at, (agency, make()));
            at
        });
        &mut self.0[at].1
    }

    /// The agencies, ascending.
    pub(super) fn agencies(&self) -> impl Iterator<Item = AgencyIx> {
        self.0.iter().map(|(agency, _)| *agency)
    }

    /// The figures, by agency.
    pub(super) fn accumulators(&self) -> impl Iterator<Item = &Accumulator> {
        self.0.iter().map(|(_, figure)| figure)
    }

    /// The agencies and their figures.
    pub(super) fn iter(&self) -> impl Iterator<Item = (AgencyIx, &Accumulator)> {
        self.0.iter().map(|(agency, figure)| (*agency, figure))
    }

    /// Leaves out the agencies for which something doesn't hold.
    pub(super) fn retain(&mut self, holds: impl Fn(AgencyIx) -> bool) {
        self.0.retain(|(agency, _)| holds(*agency));
    }

    /// The agencies and their figures, to change them.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (AgencyIx, &mut Accumulator)> {
        self.0.iter_mut().map(|(agency, figure)| (*agency, figure))
    }

    /// How many have a figure.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody has a figure.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Of agencies in any order, each once.
impl FromIterator<(AgencyIx, Accumulator)> for ByAgency {
    fn from_iter<I: IntoIterator<Item = (AgencyIx, Accumulator)>>(figures: I) -> Self {
        let mut figures: Vec<_> = figures.into_iter().collect();
        figures.sort_by_key(|(agency, _)| *agency);
        Self(figures)
    }
}

impl IntoIterator for ByAgency {
    type Item = (AgencyIx, Accumulator);
    type IntoIter = std::vec::IntoIter<(AgencyIx, Accumulator)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
