//! What each kind of check finds of a figure.

use super::figures::{Figure, Figures, From, Place, is_after_break, number};
use super::found::{Found, Side, What};
use super::history::{Past, before, distance, median_and_deviation};
use crate::catalogue::IndicatorIx;
use crate::catalogue::checks::{Check, CheckRule, MissingValues};
use crate::catalogue::items::{Category, IndicatorVersion};
use crate::model::decimal::{Decimal, Quotient};
use crate::model::id::{DimensionId, IndicatorId};
use crate::model::observation::Measure;

/// What a check of an indicator finds of a line; none where all is as expected, or the check isn't applied.
pub(super) fn judge<'a>(
    figures: &Figures<'a>,
    past: &Past<'a>,
    line: u32,
    of: IndicatorIx,
    check: &'a Check,
) -> Option<What<'a>> {
    let place = figures.place(line);
    let version = figures.indicator(of).version_for(place.period);
    let found = Judging { figures, past, line, place, of, check, version }.found()?;
    Some(What { check, version, found })
}

/// One check of one line.
struct Judging<'f, 'a> {
    figures: &'f Figures<'a>,
    past: &'f Past<'a>,
    line: u32,
    place: Place,
    /// The indicator that has the check.
    of: IndicatorIx,
    check: &'a Check,
    version: &'a IndicatorVersion,
}

impl<'a> Judging<'_, 'a> {
    fn found(&self) -> Option<Found<'a>> {
        match &self.check.rule {
            CheckRule::Range { min, max } => self.range(*min, *max),
            CheckRule::Numerator {} => self.numerator(),
            CheckRule::Parts { dimension } => self.parts(dimension),
            CheckRule::NotAbove { indicator } => self.not_above(indicator),
            CheckRule::Change {} => self.change(),
            CheckRule::Outlier { deviations, periods_min } => self.outlier(*deviations, (*periods_min).into()),
            CheckRule::Zero { periods_min } => self.zero((*periods_min).into()),
            CheckRule::Breakdown { dimension } => self.breakdown(dimension),
        }
    }

    /// The line's own number, as a side.
    fn itself(&self) -> (Side<'a>, Option<Quotient>) {
        let value = self.figures.value(self.line);
        (Side::Itself(*value), number(value))
    }

    /// The number of a place; none where there is none.
    fn number_at(&self, place: Place) -> Option<Quotient> {
        number(&self.figures.find(place)?.value)
    }

    /// The numbers of all sides, where the check is applied; or which one is missing.
    fn sides<const N: usize>(
        &self,
        sides: [(Side<'a>, Option<Quotient>); N],
    ) -> Option<Result<[Quotient; N], Found<'a>>> {
        if let Some(missing) = self.missing(sides.iter().map(|(side, number)| (*side, number.is_some()))) {
            return missing.map(Err);
        }
        Some(Ok(sides.map(|(_, number)| number.unwrap_or(Quotient::ZERO))))
    }

    /// None where no side is missing; otherwise the one that is found to be, if one is.
    fn missing(&self, sides: impl Iterator<Item = (Side<'a>, bool)>) -> Option<Option<Found<'a>>> {
        let (mut first, mut is_any_there) = (None, false);
        for (side, is_there) in sides {
            is_any_there |= is_there;
            if !is_there && first.is_none() {
                first = Some(side);
            }
        }
        let first = Found::Missing(first?);
        Some(match self.check.missing_values {
            MissingValues::SkipAny => None,
            MissingValues::SkipAll => is_any_there.then_some(first),
            MissingValues::Fail => Some(first),
        })
    }

    /// The wider of the tolerances; none where it has too many digits.
    fn allowed(&self, against: Quotient) -> Option<Quotient> {
        let Check { tolerance, tolerance_percent, .. } = self.check;
        let tolerance = Quotient::from(*tolerance);
        if tolerance_percent.is_zero() {
            return Some(tolerance);
        }
        let share = Quotient::from(*tolerance_percent).checked_div(100.into())?;
        Some(share.checked_mul(against.checked_abs()?)?.max(tolerance))
    }

    fn range(&self, min: Option<Decimal>, max: Option<Decimal>) -> Option<Found<'a>> {
        let value = match self.sides([self.itself()])? {
            Ok([value]) => value,
            Err(missing) => return Some(missing),
        };
        let is_below = min.is_some_and(|min| value < min.into());
        let is_above = max.is_some_and(|max| value > max.into());
        (is_below || is_above).then_some(Found::OutOfRange { value })
    }

    fn numerator(&self) -> Option<Found<'a>> {
        let value = self.figures.value(self.line);
        let Some(measure) = value.measure else {
            return self.missing(std::iter::once((Side::Itself(*value), false)))?;
        };
        let is_above = match measure {
            Measure::Ratio { numerator, denominator } => numerator > denominator,
            Measure::Percentage { percent, .. } => Quotient::from(percent) > 100.into(),
            Measure::Number(_) | Measure::Mean { .. } => false,
        };
        is_above.then_some(Found::AboveDenominator { measure })
    }

    /// The categories of a dimension; none in a catalogue that lacks it.
    fn categories(&self, dimension: &DimensionId) -> &'a [Category] {
        let dimension = self.figures.grounds.catalogue.dimension(dimension);
        dimension.map(|dimension| dimension.categories.as_slice()).unwrap_or_default()
    }

    /// A total with its categories is judged once: at its line, or else at the first of those of its categories.
    fn parts(&self, dimension: &'a DimensionId) -> Option<Found<'a>> {
        let (figures, breakdown) = (self.figures, self.figures.breakdown(self.line));
        let whole = breakdown.without(dimension);
        let total_at = Place { breakdown: figures.slice(&whole), ..self.place };
        let total = figures.find(total_at);
        let is_category = breakdown.category(dimension).is_some();
        let is_own = |figure: &Figure| matches!(figure.from, From::Line(_));
        if is_category && total.as_ref().is_some_and(is_own) {
            return None;
        }
        let categories = self.categories(dimension);
        let mut parts = Vec::with_capacity(categories.len());
        for category in categories {
            let at = Place { breakdown: figures.slice(&whole.with(dimension, &category.id)), ..self.place };
            let part = figures.find(at);
            if is_category
                && part.as_ref().is_some_and(|part| matches!(part.from, From::Line(line) if line < self.line))
            {
                return None;
            }
            parts.push((Side::Category(&category.id), part.and_then(|part| number(&part.value))));
        }
        let total = total.and_then(|total| number(&total.value));
        let sides = std::iter::once((Side::Total, total)).chain(parts.iter().copied());
        if let Some(missing) = self.missing(sides.map(|(side, number)| (side, number.is_some()))) {
            return missing;
        }
        let total = total?;
        let added = parts.iter().try_fold(Quotient::ZERO, |sum, (_, part)| sum.checked_add((*part)?));
        let judged = added.and_then(|sum| Some((sum, distance(total, sum)?, self.allowed(total)?)));
        let Some((sum, apart, allowed)) = judged else { return Some(Found::TooLarge) };
        (apart > allowed).then_some(Found::Parts { total, sum, allowed })
    }

    /// A pair is judged at the line of what isn't to be above, or else at that of the other.
    fn not_above(&self, other: &'a IndicatorId) -> Option<Found<'a>> {
        let figures = self.figures;
        let (other_ix, _) = figures.grounds.catalogue.indicator(other)?;
        let limited_at = Place { indicator: self.of, ..self.place };
        let other_at = Place { indicator: other_ix, ..self.place };
        let limited = figures.find(limited_at);
        if self.place.indicator != self.of {
            let limited = limited.as_ref()?;
            if matches!(limited.from, From::Line(_)) || number(&limited.value).is_none() {
                return None;
            }
        }
        let itself = (Side::Itself(*figures.value(self.line)), limited.and_then(|it| number(&it.value)));
        let (value, other) = match self.sides([itself, (Side::Other(other), self.number_at(other_at))])? {
            Ok([value, other]) => (value, other),
            Err(missing) => return Some(missing),
        };
        let judged = self.allowed(other).and_then(|allowed| Some((allowed, other.checked_add(allowed)?)));
        let Some((allowed, most)) = judged else { return Some(Found::TooLarge) };
        (value > most).then_some(Found::Above { value, other, allowed })
    }

    /// Whether a line can be held against its history: it isn't the first after a break, and is of a whole period.
    fn has_history(&self) -> bool {
        let (kind, value) = (self.version.kind, *self.figures.value(self.line));
        let itself = Figure { value, from: From::Line(self.line) };
        !is_after_break(&value) && !self.figures.is_to_date(kind, self.place.period, &itself)
    }

    fn change(&self) -> Option<Found<'a>> {
        let indicator = self.figures.indicator(self.of);
        let period = before(indicator, self.place.period)?;
        if !self.has_history() || indicator.breaks_between(period, self.place.period) {
            return None;
        }
        let earlier = self.figures.find(Place { period, ..self.place });
        let earlier = earlier.filter(|earlier| !self.figures.is_to_date(self.version.kind, period, earlier));
        let earlier = (Side::Before(period), earlier.and_then(|earlier| number(&earlier.value)));
        let (value, before) = match self.sides([self.itself(), earlier])? {
            Ok([value, before]) => (value, before),
            Err(missing) => return Some(missing),
        };
        let judged = distance(value, before).and_then(|apart| Some((apart, self.allowed(before)?)));
        let Some((apart, allowed)) = judged else { return Some(Found::TooLarge) };
        (apart > allowed).then_some(Found::Changed { value, before, period, allowed })
    }

    /// The line's number and its history; or which of the two is missing.
    fn with_history(&self, periods_min: usize) -> Option<Result<(Quotient, Vec<Quotient>), Found<'a>>> {
        if !self.has_history() {
            return None;
        }
        let (side, value) = self.itself();
        let history = self.past.values(self.figures, self.place);
        let is_long = history.len() >= periods_min;
        let sides = [(side, value.is_some()), (Side::History(history.len()), is_long)];
        match self.missing(sides.into_iter()) {
            Some(missing) => missing.map(Err),
            None => Some(Ok((value?, history))),
        }
    }

    fn outlier(&self, deviations: Decimal, periods_min: usize) -> Option<Found<'a>> {
        let (value, history) = match self.with_history(periods_min)? {
            Ok(both) => both,
            Err(missing) => return Some(missing),
        };
        let periods = history.len();
        let judged = median_and_deviation(history).and_then(|(median, deviation)| {
            let allowed = deviation.checked_mul(deviations.into())?.max(self.allowed(median)?);
            Some((median, distance(value, median)?, allowed))
        });
        let Some((median, apart, allowed)) = judged else { return Some(Found::TooLarge) };
        (apart > allowed).then_some(Found::Outlier { value, median, periods, allowed })
    }

    fn zero(&self, periods_min: usize) -> Option<Found<'a>> {
        let (value, history) = match self.with_history(periods_min)? {
            Ok(both) => both,
            Err(missing) => return Some(missing),
        };
        let was_zero = history.iter().any(|value| value.is_zero());
        (value.is_zero() && !was_zero).then_some(Found::Zero { periods: history.len() })
    }

    fn breakdown(&self, dimension: &'a DimensionId) -> Option<Found<'a>> {
        let (figures, total) = (self.figures, self.figures.breakdown(self.line));
        if total.category(dimension).is_some() {
            return None;
        }
        if let Err(missing) = self.sides([self.itself()])? {
            return Some(missing);
        }
        let is_missing = |category: &&Category| {
            let breakdown = figures.slice(&total.with(dimension, &category.id));
            figures.find(Place { breakdown, ..self.place }).is_none()
        };
        let mut missing = self.categories(dimension).iter().filter(is_missing);
        let first = missing.next()?;
        Some(Found::NoCategory { category: &first.id, missing: 1 + missing.count() })
    }
}
