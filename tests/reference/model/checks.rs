//! Section 20: checks.

use conspectus::catalogue::checks::{Check, CheckRule, MissingValues, Severity};
use conspectus::catalogue::items::{IndicatorVersion, Kind};
use conspectus::model::id::{CategoryId, CheckId, DimensionId, IndicatorId};
use conspectus::model::marker::Marker;
use conspectus::model::observation::{Breakdown, Explanation, Measure, Observation, Value};
use conspectus::model::period::{Frequency, Period};
use conspectus::model::submission::Submission;
use conspectus::model::timestamp::Timestamp;

use super::number::{Number, fraction, whole};
use super::periods::{is_same, shares_last_day};
use super::sight::{Key, Sight};

/// What a check finds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Found {
    pub(crate) line: usize,
    pub(crate) indicator: IndicatorId,
    pub(crate) check: CheckId,
    pub(crate) severity: i32,
    pub(crate) explanation: Option<Explanation>,
}

impl Found {
    /// 20.17: "an error refuses the submission. So does a query that no explanation answers".
    pub(crate) fn refuses(&self) -> bool {
        let unanswered = self.severity == Severity::Query.code() && self.explanation.is_none();
        self.severity == Severity::Error.code() || unanswered
    }
}

/// A figure that counts.
struct Counted {
    key: Key,
    value: Value,
    /// Its line; none for one that was submitted before.
    line: Option<usize>,
    /// When it was accepted; none for one that is being submitted.
    accepted: Option<Timestamp>,
}

/// 20.3: "a figure's number […]; it is missing where […] its base is zero".
fn number(value: &Value) -> Option<Number> {
    match value.measure? {
        Measure::Number(number) => Some(fraction(number)),
        Measure::Ratio { denominator, .. } if denominator.is_zero() => None,
        Measure::Ratio { numerator, denominator } => Some(whole(100) * fraction(numerator) / fraction(denominator)),
        Measure::Percentage { base: second, .. } | Measure::Mean { count: second, .. } if second.is_zero() => None,
        Measure::Percentage { percent: first, .. } | Measure::Mean { mean: first, .. } => Some(fraction(first)),
    }
}

fn size(number: Number) -> Number {
    if number < whole(0) { -number } else { number }
}

/// 20.14: "the median of an even number of figures is half the sum of the middle two".
fn median(mut numbers: Vec<Number>) -> Number {
    numbers.sort();
    let (low, high) = ((numbers.len() - 1) / 2, numbers.len() / 2);
    (&numbers[low] + &numbers[high]) / whole(2)
}

fn without(breakdown: &Breakdown, dimension: &DimensionId) -> Vec<(DimensionId, CategoryId)> {
    breakdown.iter().filter(|(of, _)| of != dimension).cloned().collect()
}

fn has(breakdown: &Breakdown, dimension: &DimensionId) -> bool {
    breakdown.iter().any(|(of, _)| of == dimension)
}

/// A submission over what is known.
struct Desk<'a> {
    sight: &'a Sight,
    counted: Vec<Counted>,
}

impl Sight {
    /// Everything that the checks find of a submission, by line.
    pub(crate) fn found_by_checks(&self, submission: &Submission) -> Vec<Found> {
        let observations: Vec<Observation> = submission.observations.iter().collect();
        let own: Vec<Counted> = (0..)
            .zip(&observations)
            .map(|(line, it)| Counted {
                key: Key::of(&submission.agency, it),
                value: it.value,
                line: Some(line),
                accepted: None,
            })
            .collect();
        // 20.2: "the submission's own figures and, where it has none, what the same agency submitted before".
        let is_left = |key: &Key| key.agency == submission.agency && own.iter().all(|it: &Counted| !it.key.is(key));
        let before = self.figures.iter().filter(|it| is_left(&it.key)).map(|it| Counted {
            key: it.key.clone(),
            value: it.value,
            line: None,
            accepted: Some(it.accepted),
        });
        let before: Vec<Counted> = before.collect();
        // 21.4: "to all others the figure is missing".
        let counted = before.into_iter().chain(own).filter(|it| !it.value.is_withdrawal()).collect();
        let desk = Desk { sight: self, counted };
        let mut found = Vec::new();
        // 21.4: "aren't applied to an observation that withdraws".
        let applied = (0..).zip(&observations).filter(|(_, it)| !it.value.is_withdrawal());
        for (line, observation) in applied {
            for id in self.indicator_ids() {
                let version = self.version(&id, observation.period);
                for check in &version.checks {
                    let limits =
                        matches!(&check.rule, CheckRule::NotAbove { indicator } if *indicator == observation.indicator);
                    if (id == observation.indicator || limits) && desk.finds(line, version, check) {
                        let of = |check: Option<&CheckId>| {
                            observation.explanations.iter().find(|it| it.check.as_ref() == check).cloned()
                        };
                        found.push(Found {
                            line,
                            indicator: id.clone(),
                            check: check.id.clone(),
                            severity: check.severity.code(),
                            explanation: of(Some(&check.id)).or_else(|| of(None)),
                        });
                    }
                }
            }
        }
        found.sort();
        found
    }

    /// 20.10: the period before.
    fn period_before(&self, indicator: &IndicatorId, period: Period) -> Option<Period> {
        let version = self.version(indicator, period);
        let day_before = period.start().plus_days(-1);
        if period.frequency() != Frequency::Day || version.frequency == Frequency::Day || version.kind != Kind::Stock {
            let calendar = period.to_string().starts_with("CY") && period.frequency() == Frequency::Quarter;
            let name = format!("CY{}-Q{}", day_before.year(), day_before.month().div_ceil(3));
            return if calendar { name.parse().ok() } else { Period::of(period.frequency(), day_before) };
        }
        let closed = Period::of(version.frequency, period.end())?;
        if closed.end() == period.end() {
            return Period::of(version.frequency, closed.start().plus_days(-1));
        }
        period.year_before()
    }

    /// Whether comparability breaks between the definitions of two periods.
    fn definition_breaks(&self, indicator: &IndicatorId, earlier: Period, later: Period) -> bool {
        self.versions_of(indicator).any(|version| {
            let from = version.effective_from.filter(|_| version.breaks_comparability);
            from.is_some_and(|from| earlier.end() < from && from <= later.end())
        })
    }
}

impl Desk<'_> {
    /// 20.2: the figure of a key; of a stock under any name of the same last day, by 4.2.
    fn find(&self, key: &Key) -> Option<&Counted> {
        let is_stock = self.sight.version(&key.indicator, key.period).kind == Kind::Stock;
        let is = |it: &&Counted| {
            let own = it.key.period;
            (&it.key.indicator, &it.key.area, &it.key.breakdown) == (&key.indicator, &key.area, &key.breakdown)
                && (is_same(own, key.period) || (is_stock && shares_last_day(own, key.period)))
        };
        self.counted.iter().filter(is).min_by_key(|it| {
            let own = it.key.period;
            let order = (!is_same(own, key.period), own.frequency() != Frequency::Day, std::cmp::Reverse(own.start()));
            (it.value.measure.is_none(), order)
        })
    }

    fn number_of(&self, key: &Key) -> Option<Number> {
        self.find(key).and_then(|it| number(&it.value))
    }

    /// 4.3: a figure to date was accepted before the day after its last day. A stock is of one day.
    fn is_to_date(&self, it: &Counted) -> bool {
        let day = it.accepted.map_or(self.sight.today, |at| self.sight.zone.date(at));
        self.sight.version(&it.key.indicator, it.key.period).kind != Kind::Stock && day <= it.key.period.end()
    }

    fn line(&self, line: usize) -> &Counted {
        self.counted.iter().find(|it| it.line == Some(line)).unwrap()
    }

    /// 20.5: the wider of the two tolerances.
    fn tolerance(check: &Check, against: &Number) -> Number {
        let share = fraction(check.tolerance_percent) * size(against.clone()) / whole(100);
        fraction(check.tolerance).max(share)
    }

    /// 20.4: whether a check finds something: a side that is missing, or what its rule says of all.
    fn judge(check: &Check, sides: &[Option<Number>], rule: impl FnOnce(&[Number]) -> bool) -> bool {
        let all: Option<Vec<Number>> = sides.iter().cloned().collect();
        match (all, check.missing_values) {
            (Some(all), _) => rule(&all),
            (None, MissingValues::SkipAny) => false,
            (None, MissingValues::SkipAll) => sides.iter().any(Option::is_some),
            (None, MissingValues::Fail) => true,
        }
    }

    fn finds(&self, line: usize, version: &IndicatorVersion, check: &Check) -> bool {
        let itself = self.line(line);
        let own = number(&itself.value);
        let zero = || whole(0);
        match &check.rule {
            CheckRule::Range { min, max } => Self::judge(check, &[own], |sides| {
                min.is_some_and(|min| sides[0] < fraction(min)) || max.is_some_and(|max| sides[0] > fraction(max))
            }),
            CheckRule::Numerator {} => {
                let is_above = match itself.value.measure {
                    Some(Measure::Ratio { numerator, denominator }) => fraction(numerator) > fraction(denominator),
                    Some(Measure::Percentage { percent, .. }) => fraction(percent) > whole(100),
                    _ => false,
                };
                Self::judge(check, &[itself.value.measure.map(|_| zero())], |_| is_above)
            }
            CheckRule::Parts { dimension } => self.parts(line, check, dimension),
            CheckRule::NotAbove { indicator } => {
                let at = |indicator: &IndicatorId| Key { indicator: indicator.clone(), ..itself.key.clone() };
                let limited = self.find(&at(&version.id));
                // "At the figure or, if that isn't in the submission, at the other's, where the figure isn't missing."
                let is_at_other = itself.key.indicator != version.id;
                let is_applied = limited.is_some_and(|it| it.line.is_none() && number(&it.value).is_some());
                if is_at_other && !is_applied {
                    return false;
                }
                let limited = limited.and_then(|it| number(&it.value));
                Self::judge(check, &[limited, self.number_of(&at(indicator))], |sides| {
                    sides[0] > &sides[1] + Self::tolerance(check, &sides[1])
                })
            }
            CheckRule::Change {} => self.has_past(itself) && self.changed(itself, check),
            CheckRule::Outlier { deviations, periods_min } => {
                let history = self.history(itself);
                let (is_long, past) = (history.len() >= usize::from(*periods_min), self.has_past(itself));
                past && Self::judge(check, &[own, is_long.then(zero)], |sides| {
                    let middle = median(history.clone());
                    let apart = median(history.iter().map(|it| size(it - &middle)).collect());
                    let allowed = (fraction(*deviations) * apart).max(Self::tolerance(check, &middle));
                    size(&sides[0] - &middle) > allowed
                })
            }
            CheckRule::Zero { periods_min } => {
                let history = self.history(itself);
                let (is_long, past) = (history.len() >= usize::from(*periods_min), self.has_past(itself));
                past && Self::judge(check, &[own, is_long.then(zero)], |sides| {
                    sides[0] == zero() && history.iter().all(|it| *it != zero())
                })
            }
            CheckRule::Breakdown { dimension } => {
                if has(&itself.key.breakdown, dimension) {
                    return false;
                }
                let is_there = |key: &Key| self.find(key).is_some();
                let whole = self.categories(&itself.key, dimension).iter().all(is_there);
                Self::judge(check, &[own], |_| !whole)
            }
        }
    }

    /// The keys of each category, beside the rest of a breakdown.
    fn categories(&self, key: &Key, dimension: &DimensionId) -> Vec<Key> {
        let known = self.sight.dimensions.iter().find(|it| it.id == *dimension).unwrap();
        let of = |category: &CategoryId| {
            let mut parts = without(&key.breakdown, dimension);
            parts.push((dimension.clone(), category.clone()));
            Key { breakdown: Breakdown::new(parts).unwrap(), ..key.clone() }
        };
        known.categories.iter().map(|category| of(&category.id)).collect()
    }

    /// 20.8: "once in a submission: at the total or, if that isn't in it, at the first of its categories".
    fn parts(&self, line: usize, check: &Check, dimension: &DimensionId) -> bool {
        let itself = self.line(line);
        let breakdown = Breakdown::new(without(&itself.key.breakdown, dimension)).unwrap();
        let total = Key { breakdown, ..itself.key.clone() };
        let categories = self.categories(&itself.key, dimension);
        let line_of = |key: &Key| self.find(key).and_then(|it| it.line);
        let first = line_of(&total).or_else(|| categories.iter().filter_map(line_of).min());
        if has(&itself.key.breakdown, dimension) && first != Some(line) {
            return false;
        }
        let sides: Vec<_> = std::iter::once(&total).chain(&categories).map(|key| self.number_of(key)).collect();
        Self::judge(check, &sides, |sides| {
            let sum = sides[1..].iter().fold(whole(0), |sum, part| sum + part);
            size(&sides[0] - sum) > Self::tolerance(check, &sides[0])
        })
    }

    /// 20.12: "no figure that is to date or marked `b` is held against what was before it".
    fn has_past(&self, itself: &Counted) -> bool {
        !self.is_to_date(itself) && !itself.value.markers.contains(Marker::Break)
    }

    fn changed(&self, itself: &Counted, check: &Check) -> bool {
        let (indicator, period) = (&itself.key.indicator, itself.key.period);
        let before = self.sight.period_before(indicator, period);
        let before = before.filter(|before| !self.sight.definition_breaks(indicator, *before, period));
        let Some(before) = before else { return false };
        let earlier = self.find(&Key { period: before, ..itself.key.clone() });
        let earlier = earlier.filter(|it| !self.is_to_date(it)).and_then(|it| number(&it.value));
        Self::judge(check, &[number(&itself.value), earlier], |sides| {
            size(&sides[0] - &sides[1]) > Self::tolerance(check, &sides[1])
        })
    }

    /// 20.11: the numbers of the history.
    fn history(&self, itself: &Counted) -> Vec<Number> {
        let (indicator, period) = (&itself.key.indicator, itself.key.period);
        let (mut at, mut history) = (period, Vec::new());
        for _ in 0..120 {
            let Some(before) = self.sight.period_before(indicator, at) else { break };
            at = before;
            if self.sight.definition_breaks(indicator, at, period) {
                break;
            }
            let Some(it) = self.find(&Key { period: at, ..itself.key.clone() }) else { continue };
            history.extend(Some(it).filter(|it| !self.is_to_date(it)).and_then(|it| number(&it.value)));
            if it.value.markers.contains(Marker::Break) {
                break;
            }
        }
        history
    }
}
