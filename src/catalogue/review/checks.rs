//! What can be wrong with the checks of an indicator's version.

use std::collections::{BTreeMap, BTreeSet};

use super::{Review, unique};
use crate::catalogue::Catalogue;
use crate::catalogue::checks::{Check, CheckRule, HISTORY_PERIODS_MAX};
use crate::catalogue::items::{Indicator, IndicatorVersion, Kind};
use crate::model::decimal::Decimal;
use crate::model::id::{DimensionId, IndicatorId};

/// The most checks of one version.
const CHECKS_MAX: usize = 20;
/// The widest tolerance, in per cent.
const TOLERANCE_PERCENT_MAX: i64 = 1_000;
/// The most median absolute deviations.
const DEVIATIONS_MAX: i64 = 1_000;

impl Review<'_> {
    /// The checks of a version.
    pub(super) fn checks(&mut self, at: &str, version: &IndicatorVersion) {
        let checks = &version.checks;
        if checks.len() > CHECKS_MAX {
            let found = format!("found {}; allowed: {CHECKS_MAX} at the most", checks.len());
            self.violations.add(format_args!("{at}.checks"), found);
        }
        let ids = checks.iter().map(|check| check.id.as_str());
        unique(&mut self.violations, &format!("{at}.checks"), "id", ids);
        for (index, check) in checks.iter().enumerate() {
            let at = format!("{at}.checks[{index}]");
            self.tolerance(&at, version.kind, check);
            self.check_rule(&at, version, &check.rule);
        }
    }

    fn tolerance(&mut self, at: &str, kind: Kind, check: &Check) {
        let Check { tolerance, tolerance_percent, rule, .. } = check;
        let max = whole(TOLERANCE_PERCENT_MAX);
        if tolerance.is_negative() {
            self.violations
                .add(format_args!("{at}.tolerance"), format_args!("found `{tolerance}`; allowed: 0 or more"));
        }
        if tolerance_percent.is_negative() || *tolerance_percent > max {
            let found = format!("found `{tolerance_percent}`; allowed: 0 to {max}");
            self.violations.add(format_args!("{at}.tolerance_percent"), found);
        }
        let given = [("tolerance", tolerance), ("tolerance_percent", tolerance_percent)];
        for (field, given) in given.into_iter().filter(|(_, given)| !given.is_zero()) {
            if !rule.kind().has_tolerance() {
                let found = format!("found `{given}`; a check of kind {} has no tolerance", rule.kind());
                self.violations.add(format_args!("{at}.{field}"), found);
            }
        }
        if kind == Kind::Ratio && !tolerance_percent.is_zero() && rule.kind().has_tolerance() {
            let found = format!("found `{tolerance_percent}` of a ratio, which changes by percentage points");
            self.violations.add(format_args!("{at}.tolerance_percent"), format_args!("{found}; allowed: `tolerance`"));
        }
        if *rule == (CheckRule::Change {}) && tolerance.is_zero() && tolerance_percent.is_zero() {
            let what =
                "found no tolerance, so that every change would be found; allowed: above 0, or `tolerance_percent`";
            self.violations.add(format_args!("{at}.tolerance"), what);
        }
    }

    fn check_rule(&mut self, at: &str, version: &IndicatorVersion, rule: &CheckRule) {
        match rule {
            CheckRule::Range { min, max } => self.range(at, *min, *max),
            CheckRule::Numerator {} => match version.kind {
                Kind::Ratio => {}
                Kind::Events | Kind::Stock | Kind::Distinct | Kind::Mean | Kind::Amount => {
                    self.wrong_kind(at, version, "a ratio");
                }
            },
            CheckRule::Parts { dimension } => {
                match version.kind {
                    Kind::Events | Kind::Stock | Kind::Amount => {}
                    // One person may be in several categories; and ratios and means don't add.
                    Kind::Distinct | Kind::Ratio | Kind::Mean => {
                        self.wrong_kind(at, version, "events, stocks and amounts");
                    }
                }
                self.check_dimension(&format!("{at}.parts"), version, dimension);
            }
            CheckRule::NotAbove { indicator } => self.not_above(at, version, indicator),
            CheckRule::Change {} => {}
            CheckRule::Outlier { deviations, periods_min } => {
                if deviations.is_negative() || deviations.is_zero() || *deviations > whole(DEVIATIONS_MAX) {
                    let found = format!("found `{deviations}`; allowed: above 0, and {DEVIATIONS_MAX} at the most");
                    self.violations.add(format_args!("{at}.outlier.deviations"), found);
                }
                self.periods_min(&format!("{at}.outlier"), *periods_min);
            }
            CheckRule::Zero { periods_min } => self.periods_min(&format!("{at}.zero"), *periods_min),
            CheckRule::Breakdown { dimension } => {
                self.check_dimension(&format!("{at}.breakdown"), version, dimension);
            }
        }
    }

    fn range(&mut self, at: &str, min: Option<Decimal>, max: Option<Decimal>) {
        match (min, max) {
            (None, None) => {
                self.violations.add(format_args!("{at}.range.min"), "found nothing; a range has `min`, `max` or both");
            }
            (Some(min), Some(max)) if min > max => {
                let found = format!("found `{max}`; allowed: `min`, which is `{min}`, or more");
                self.violations.add(format_args!("{at}.range.max"), found);
            }
            (Some(_), _) | (None, Some(_)) => {}
        }
    }

    fn wrong_kind(&mut self, at: &str, version: &IndicatorVersion, allowed: &str) {
        let found = format!("`{}` is of kind {}; allowed for {allowed}", version.id, version.kind);
        self.violations.add(format_args!("{at}.rule"), found);
    }

    fn check_dimension(&mut self, at: &str, version: &IndicatorVersion, dimension: &DimensionId) {
        if !version.dimensions.contains(dimension) {
            let ids: Vec<&str> = version.dimensions.iter().map(DimensionId::as_str).collect();
            let allowed = if ids.is_empty() { "it has none".to_owned() } else { ids.join(", ") };
            let found = format!("found `{dimension}`; allowed: a dimension of `{}`: {allowed}", version.id);
            self.violations.add(format_args!("{at}.dimension"), found);
        }
    }

    fn periods_min(&mut self, at: &str, periods: u16) {
        if !(1..=HISTORY_PERIODS_MAX).contains(&periods) {
            let found = format!("found {periods}; allowed: 1 to {HISTORY_PERIODS_MAX}");
            self.violations.add(format_args!("{at}.periods_min"), found);
        }
    }

    fn not_above(&mut self, at: &str, version: &IndicatorVersion, other: &IndicatorId) {
        let field = format!("{at}.not_above.indicator");
        if *other == version.id {
            let found = format!("found `{other}` itself; allowed: another indicator");
            return self.violations.add(field, found);
        }
        let Some(kind) = self.kind_of(&field, other) else { return };
        if comparable(kind) != comparable(version.kind) {
            let found = format!("`{other}` is of kind {kind}; allowed: {}", comparable(version.kind));
            self.violations.add(field, found);
        }
    }

    /// Indicators that are each not to be above another, in a circle: all would have to be the same.
    pub(super) fn check_circles(&mut self, versions: &[IndicatorVersion]) {
        let limits = Limits::of(self.catalogue, versions);
        for (index, version) in versions.iter().enumerate() {
            for (at, check) in version.checks.iter().enumerate() {
                let Some(indicator) = check.rule.limit() else { continue };
                if *indicator != version.id && limits.lead(indicator, &version.id) {
                    let found = format!("`{indicator}` is itself not to be above `{}`", version.id);
                    let field = format!("indicators[{index}].checks[{at}].not_above.indicator");
                    self.violations.add(field, format_args!("{found}; allowed: no circle"));
                }
            }
        }
    }
}

/// What the figures of a kind can be compared with.
fn comparable(kind: Kind) -> &'static str {
    match kind {
        Kind::Events | Kind::Stock | Kind::Distinct => "events, a stock or distinct people",
        Kind::Amount => "an amount",
        Kind::Ratio => "a ratio",
        Kind::Mean => "a mean",
    }
}

fn whole(number: i64) -> Decimal {
    Decimal::new(number, 0).unwrap_or(Decimal::ZERO)
}

/// For each indicator those that it isn't to be above, by any version of it.
struct Limits<'a>(BTreeMap<&'a IndicatorId, BTreeSet<&'a IndicatorId>>);

impl<'a> Limits<'a> {
    /// As the catalogue will be.
    fn of(catalogue: &'a Catalogue, put: &'a [IndicatorVersion]) -> Self {
        let is_put = |known: &IndicatorVersion| {
            put.iter().any(|new| (&new.id, new.effective_from) == (&known.id, known.effective_from))
        };
        let known = catalogue.indicators_after(None).flat_map(Indicator::versions);
        let mut limits: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for version in known.filter(|known| !known.checks.is_empty() && !is_put(known)).chain(put) {
            let others = version.checks.iter().filter_map(|check| check.rule.limit());
            limits.entry(&version.id).or_default().extend(others);
        }
        Self(limits)
    }

    /// Whether an indicator leads to another, each not to be above the next.
    fn lead(&self, from: &IndicatorId, to: &IndicatorId) -> bool {
        let (mut open, mut seen) = (vec![from], BTreeSet::new());
        while let Some(at) = open.pop() {
            if at == to {
                return true;
            }
            if seen.insert(at) {
                open.extend(self.0.get(at).into_iter().flatten());
            }
        }
        false
    }
}
