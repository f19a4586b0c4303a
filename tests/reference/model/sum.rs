//! A figure that can still be combined, with a line for each of its slots.

use std::collections::BTreeSet;

use conspectus::model::date::Date;
use conspectus::model::id::{AgencyId, AreaCode};
use conspectus::model::marker::Marker;
use conspectus::model::observation::Measure;
use conspectus::model::period::Period;

use super::number::{Number, number_and_weight, whole};
use super::sight::Standing;

/// The value is a number and its weight: a denominator or a count.
#[derive(Clone, Default)]
pub(crate) struct Sum<'a> {
    pub(crate) value: Option<(Number, Number)>,
    pub(crate) markers: BTreeSet<Marker>,
    pub(crate) sample: bool,
    /// The submitted figures and markers that it rests on.
    pub(crate) rests_on: Vec<&'a Standing>,
    /// The figures that the value is the sum of.
    pub(crate) added: Vec<&'a Standing>,
    pub(crate) slots: Vec<Slot>,
    pub(crate) as_at: Option<Period>,
    /// The last day of the earliest figure to date.
    pub(crate) to_date: Option<Date>,
    /// 5.6: whether two of those overlap.
    pub(crate) overlaps: bool,
    /// Whether parts were submitted that are never combined.
    pub(crate) uncombined: bool,
    /// 6.2: whether it lacks an area that a volunteer reports for.
    pub(crate) lacks_areas: bool,
}

/// One expected figure, and what became of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Slot {
    pub(crate) agency: AgencyId,
    pub(crate) area: AreaCode,
    pub(crate) period: Period,
    pub(crate) fate: Fate,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fate {
    Reported,
    Estimated,
    NotAvailable,
    /// The area and the period of the figure that it lies within.
    Contained(AreaCode, Period),
    Late,
    NotDue,
}

impl Fate {
    pub(crate) fn is_reported(&self) -> bool {
        matches!(self, Self::Reported | Self::Estimated)
    }
}

impl<'a> Sum<'a> {
    pub(crate) fn add(&mut self, other: &Self) {
        self.value = match (self.value.take(), other.value.clone()) {
            (Some((a, b)), Some((c, d))) => Some((a + c, b + d)),
            (one, other) => one.or(other),
        };
        self.overlaps |= other.overlaps;
        if self.overlaps {
            self.value = None;
        }
        self.markers.extend(other.markers.iter().copied());
        self.sample |= other.sample;
        self.uncombined |= other.uncombined;
        self.lacks_areas |= other.lacks_areas;
        self.rests_on.extend(other.rests_on.iter().copied());
        self.added.extend(other.added.iter().copied());
        // Of several that are out of date the oldest counts.
        self.as_at = self.as_at.into_iter().chain(other.as_at).min_by_key(|period| (period.end(), period.start()));
        self.to_date = self.to_date.into_iter().chain(other.to_date).min();
        self.slots.extend(other.slots.iter().cloned());
    }

    pub(crate) fn of(sums: impl IntoIterator<Item = Self>) -> Self {
        sums.into_iter().fold(Self::default(), |mut sum, figure| {
            sum.add(&figure);
            sum
        })
    }

    pub(crate) fn of_slots(slots: Vec<Slot>) -> Self {
        Self { slots, ..Self::default() }
    }

    pub(crate) fn count(&self, is: impl Fn(&Fate) -> bool) -> usize {
        self.slots.iter().filter(|slot| is(&slot.fate)).count()
    }

    /// 5.2: the share of the slots that is not missed. "No slots count as all missed."
    pub(crate) fn share(&self) -> Number {
        let reported = self.count(Fate::is_reported);
        if self.slots.is_empty() { whole(0) } else { Number::new(reported.into(), self.slots.len().into()) }
    }

    /// 6.7: "complete when it has a value or slots, every slot is reported, it isn't as at an earlier period, and no
    /// part was left out because it can't be combined".
    pub(crate) fn is_complete(&self, has_value: bool) -> bool {
        (has_value || !self.slots.is_empty())
            && self.slots.iter().all(|slot| slot.fate.is_reported())
            && self.as_at.is_none()
            && self.to_date.is_none()
            && !self.uncombined
            && !self.overlaps
            && !self.lacks_areas
    }

    /// How well the numerator is known. "Submitted figures with a base of zero have no influence on it, unless all of
    /// them have."
    pub(crate) fn numerator_basis(&self) -> Basis {
        let measures = || self.added.iter().filter_map(|it| it.value.measure);
        let weighs = |measure: &Measure| number_and_weight(*measure).1 != whole(0);
        let weighing: Vec<Measure> = measures().filter(weighs).collect();
        let counting = if weighing.is_empty() { measures().collect() } else { weighing.clone() };
        let printed = counting.iter().filter(|it| matches!(it, Measure::Percentage { .. })).count();
        match (printed, weighing.len()) {
            (0, _) => Basis::Counted,
            (_, 0 | 1) => Basis::Printed,
            _ => Basis::Estimated,
        }
    }

    pub(crate) fn has_absence(&self) -> bool {
        self.markers.iter().any(|marker| marker.is_absence())
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Basis {
    Counted,
    Printed,
    Estimated,
}
