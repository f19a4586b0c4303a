//! Whether a submission may be admitted: every problem of every observation, at its field.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::checks::checks_of;
use crate::catalogue::checks::CheckRule;
use crate::catalogue::items::{
    Agency, Area, Dimension, Indicator, IndicatorVersion, Kind, UnfinishedPeriods, Validity,
};
use crate::catalogue::suggest::SUGGESTIONS_MAX;
use crate::catalogue::{AgencyIx, AreaIx, Catalogue, IndicatorIx};
use crate::model::date::Date;
use crate::model::decimal::Decimal;
use crate::model::id::{AgencyId, CheckId};
use crate::model::marker::Marker;
use crate::model::observation::{Breakdown, Explanation, Measure, Value};
use crate::model::observations::{Dictionaries, Hashing, Line};
use crate::model::period::Period;
use crate::model::submission::OBSERVATIONS_MAX;
use crate::model::text::{self, Layout};
use crate::model::violation::{NO_SUCH, Violations};
use crate::state::ResolvedIds;

/// What is reviewed: a line, or as much of one as could be parsed. What is missing was found to be wrong
/// already.
pub(crate) trait Reviewable {
    /// What is counted, by its index in the dictionary.
    fn indicator(&self) -> Option<u32>;
    /// Where.
    fn area(&self) -> Option<u32>;
    /// When.
    fn period(&self) -> Option<u32>;
    /// Of whom.
    fn breakdown(&self) -> Option<u32>;
    /// The figure.
    fn value(&self) -> Option<&Value>;
}

impl Reviewable for Line {
    fn indicator(&self) -> Option<u32> {
        Some(self.indicator)
    }

    fn area(&self) -> Option<u32> {
        Some(self.area)
    }

    fn period(&self) -> Option<u32> {
        Some(self.period)
    }

    fn breakdown(&self) -> Option<u32> {
        Some(self.breakdown)
    }

    fn value(&self) -> Option<&Value> {
        Some(&self.value)
    }
}

/// What a review has found.
pub(crate) struct Reviewed {
    /// What is wrong.
    pub(crate) violations: Violations,
    /// The ids as the catalogue has them; none when it lacks one.
    pub(crate) ids: Option<ResolvedIds>,
}

/// Every problem that the lines of a submission have with the catalogue and with each other, on a day. Where no figure is
/// known to be there twice, that isn't looked for again.
pub(crate) fn review<L: Reviewable>(
    catalogue: &Catalogue,
    agency: Option<&AgencyId>,
    dictionaries: &Dictionaries,
    lines: &[L],
    today: Date,
    is_each_once: bool,
) -> Reviewed {
    let mut violations = Violations::default();
    let count = lines.len();
    if !(1..=OBSERVATIONS_MAX).contains(&count) {
        violations.add("observations", count_found(count));
    }
    let known = agency.and_then(|id| catalogue.agency(id));
    if let (Some(id), None) = (agency, known) {
        let meant = catalogue.like_agency(id.as_str());
        violations.add("agency", format_args!("found `{id}`; {NO_SUCH} agency in the catalogue{meant}"));
    }
    let known = Known::of(catalogue, known, dictionaries);
    let first_with_key = if is_each_once { Vec::new() } else { first_with_key(&dictionaries.periods) };
    let mut seen: HashMap<[u32; 4], usize, Hashing> = HashMap::default();
    for (index, line) in lines.iter().enumerate() {
        Review { known: &known, index, violations: &mut violations }.line(line, today);
        if is_each_once {
            continue;
        }
        let indices = (line.indicator(), line.area(), line.period(), line.breakdown());
        let (Some(indicator), Some(area), Some(period), Some(breakdown)) = indices else { continue };
        let figure = [indicator, area, first_with_key[period as usize], breakdown];
        if let Some(first) = seen.insert(figure, index) {
            let [indicator, area] = [
                known.dictionaries.indicators[indicator as usize].as_str(),
                known.dictionaries.areas[area as usize].as_str(),
            ];
            let period = known.dictionaries.periods[period as usize];
            let of = of(&known.dictionaries.breakdowns[breakdown as usize]);
            violations.add(
                format_args!("observations[{index}]"),
                format_args!("the same figure as observations[{first}]: `{indicator}`, {area}, {period}{of}"),
            );
        }
    }
    Reviewed { ids: known.ids(), violations }
}

/// Every explanation that has a character that can't be seen, or that names a check which its figure doesn't have.
pub(crate) fn review_explanations<L: Reviewable>(
    catalogue: &Catalogue,
    dictionaries: &Dictionaries,
    lines: &[L],
    explanations: &[(u32, Explanation)],
) -> Violations {
    let mut violations = Violations::default();
    for (index, explanation) in explanations {
        let field = format!("observations[{index}].explanation");
        violations.check(&field, text::check(&explanation.text, Layout::Lines));
        let line = lines.get(*index as usize);
        if line.and_then(Reviewable::value).is_some_and(Value::is_withdrawal) {
            violations.add(&field, "found one of a figure that is withdrawn; say why in the submission's `reason`");
        }
        let figure = line.and_then(|line| {
            let indicator = catalogue.indicator(&dictionaries.indicators[line.indicator()? as usize])?;
            Some((indicator, dictionaries.periods[line.period()? as usize]))
        });
        let Some((((ix, _), period), check)) = figure.zip(explanation.check.as_ref()) else { continue };
        let checks: Vec<&CheckId> = checks_of(catalogue, ix, period).map(|(_, check)| &check.id).collect();
        if !checks.contains(&check) {
            violations.add(
                field,
                format_args!("found one for `{check}`; allowed: for a check of the figure: {}", some(&checks)),
            );
        }
    }
    violations
}

/// Every text of a submission that has a character that can't be seen.
pub(crate) fn review_texts(source: &str, reason: &str, notes: &[(u32, Arc<str>)]) -> Violations {
    let mut violations = Violations::default();
    violations.check("source", text::check(source, Layout::Line));
    violations.check("reason", text::check(reason, Layout::Lines));
    for (index, note) in notes {
        violations.check(format_args!("observations[{index}].note"), text::check(note, Layout::Lines));
    }
    violations
}

/// What is wrong with a number of observations.
pub(crate) fn count_found(count: usize) -> String {
    format!("found {count} observations; allowed: 1 to {OBSERVATIONS_MAX}")
}

/// For each period the index of the first that is kept under the same key: `CY2021-Q2` and
/// `FY2021-22-Q1` are one.
fn first_with_key(periods: &[Period]) -> Vec<u32> {
    let mut first: HashMap<Period, u32, Hashing> = HashMap::default();
    periods.iter().zip(0..).map(|(period, index)| *first.entry(period.storage_key()).or_insert(index)).collect()
}

/// The dictionaries, each entry looked up once.
struct Known<'a> {
    agency: Option<(AgencyIx, &'a Agency)>,
    dictionaries: &'a Dictionaries,
    indicators: Vec<Option<(IndicatorIx, &'a Indicator)>>,
    areas: Vec<KnownArea<'a>>,
    /// For each category of each breakdown, its dimension, and whether that has the category.
    breakdowns: Vec<Vec<(Option<&'a Dimension>, bool)>>,
    meant: Meant,
}

/// What is most likely meant by the entries that the catalogue lacks, by their index: the end of a sentence each.
#[derive(Default)]
struct Meant {
    indicators: BTreeMap<u32, String>,
    areas: BTreeMap<u32, String>,
}

impl Meant {
    /// Suggestions for the first entries that are unknown. Each entry has one, in however many lines it is.
    fn of(catalogue: &Catalogue, known: &Known<'_>) -> Self {
        let indicators = known.indicators.iter().zip(0..).filter(|(known, _)| known.is_none()).map(|(_, index)| index);
        let is_unknown = |known: &KnownArea<'_>| match known {
            KnownArea::Unknown => true,
            KnownArea::Foreign | KnownArea::Reported(..) => false,
        };
        let areas = known.areas.iter().zip(0..).filter(|(known, _)| is_unknown(known)).map(|(_, index)| index);
        let Dictionaries { indicators: ids, areas: codes, .. } = known.dictionaries;
        let like_indicator = |index: u32| (index, catalogue.like_indicator(ids[index as usize].as_str()));
        let like_area = |index: u32| (index, catalogue.like_area(codes[index as usize].as_str()));
        Self {
            indicators: indicators.take(SUGGESTIONS_MAX).map(like_indicator).collect(),
            areas: areas.take(SUGGESTIONS_MAX).map(like_area).collect(),
        }
    }
}

#[derive(Clone, Copy)]
enum KnownArea<'a> {
    Reported(AreaIx, &'a Area),
    /// The agency reports for others.
    Foreign,
    Unknown,
}

impl<'a> Known<'a> {
    fn of(catalogue: &'a Catalogue, agency: Option<(AgencyIx, &'a Agency)>, dictionaries: &'a Dictionaries) -> Self {
        let reports_for = agency.map(|(agency, _)| catalogue.reports_for(agency));
        let area = |code| match catalogue.area(code) {
            None => KnownArea::Unknown,
            Some((ix, area)) if reports_for.is_none_or(|areas| areas.binary_search(&ix).is_ok()) => {
                KnownArea::Reported(ix, area)
            }
            Some(_) => KnownArea::Foreign,
        };
        let category = |(dimension, category): &_| {
            let dimension = catalogue.dimension(dimension);
            (dimension, dimension.is_some_and(|known| known.categories.iter().any(|other| other.id == *category)))
        };
        let mut known = Self {
            agency,
            dictionaries,
            meant: Meant::default(),
            indicators: dictionaries.indicators.iter().map(|id| catalogue.indicator(id)).collect(),
            areas: dictionaries.areas.iter().map(area).collect(),
            breakdowns: dictionaries.breakdowns.iter().map(|it| it.iter().map(category).collect()).collect(),
        };
        known.meant = Meant::of(catalogue, &known);
        known
    }

    fn ids(&self) -> Option<ResolvedIds> {
        let area = |known: &KnownArea<'_>| match known {
            KnownArea::Reported(ix, _) => Some(*ix),
            KnownArea::Foreign | KnownArea::Unknown => None,
        };
        Some(ResolvedIds {
            agency: self.agency?.0,
            indicators: self.indicators.iter().map(|known| Some(known.as_ref()?.0)).collect::<Option<_>>()?,
            areas: self.areas.iter().map(area).collect::<Option<_>>()?,
        })
    }
}

fn of(breakdown: &Breakdown) -> String {
    if breakdown.is_total() { String::new() } else { format!(", {breakdown}") }
}

struct Review<'a> {
    known: &'a Known<'a>,
    index: usize,
    violations: &'a mut Violations,
}

impl Review<'_> {
    fn add(&mut self, field: &str, description: impl std::fmt::Display) {
        self.violations.add(format_args!("observations[{}].{field}", self.index), description);
    }

    fn line(&mut self, line: &impl Reviewable, today: Date) {
        let known = self.known;
        let period = line.period().map(|index| known.dictionaries.periods[index as usize]);
        let withdraws = line.value().is_some_and(Value::is_withdrawal);
        if let Some(area) = line.area() {
            self.area(area as usize, period.filter(|_| !withdraws));
        }
        let Some(index) = line.indicator() else { return };
        let Some((_, indicator)) = known.indicators[index as usize] else {
            let id = &known.dictionaries.indicators[index as usize];
            let meant = known.meant.indicators.get(&index).map_or("", String::as_str);
            self.add("indicator", format_args!("found `{id}`; {NO_SUCH} indicator in the catalogue{meant}"));
            return;
        };
        // What the catalogue no longer takes can still be withdrawn: whether it is there is looked at once all else is right.
        if withdraws {
            return;
        }
        if let Some(value) = line.value() {
            self.value(indicator, period, value);
        }
        self.what_it_is_of(indicator, line, period, today);
    }

    fn what_it_is_of(&mut self, indicator: &Indicator, line: &impl Reviewable, period: Option<Period>, today: Date) {
        let Some(period) = period else { return };
        let version = indicator.version_for(period);
        if !version.takes(period) {
            self.add("period", format_args!("found `{period}`; {}", allowed_periods(version)));
        } else if !version.kind.is_over(period, today) {
            self.unfinished(version, period, line.value(), today);
        }
        if let Some(breakdown) = line.breakdown() {
            self.breakdown(version, breakdown as usize);
        }
    }

    /// A period that isn't over has no figure, but one to date for an indicator that takes those.
    fn unfinished(&mut self, version: &IndicatorVersion, period: Period, value: Option<&Value>, today: Date) {
        let end = period.end();
        match version.unfinished_periods {
            UnfinishedPeriods::ToDate if version.kind != Kind::Stock => {
                if period.start() > today {
                    let what = format!("found `{period}`, which begins on {}", period.start());
                    self.add("period", format_args!("{what}; allowed: a period that has begun"));
                } else if value.is_some_and(|value| !value.markers.contains(Marker::Provisional)) {
                    let what = format!("found `{period}`, which isn't over until {end}");
                    self.add("period", format_args!("{what}; allowed before it is over: a figure to date, marked `p`"));
                }
            }
            UnfinishedPeriods::ToDate | UnfinishedPeriods::Refused => {
                let what = format!("found `{period}`, which isn't over until {end}");
                self.add("period", format_args!("{what}; allowed: a period that is over"));
            }
        }
    }

    fn area(&mut self, index: usize, period: Option<Period>) {
        let code = &self.known.dictionaries.areas[index];
        match (self.known.areas[index], self.known.agency) {
            (KnownArea::Unknown, _) => {
                let meant = u32::try_from(index).ok().and_then(|index| self.known.meant.areas.get(&index));
                let meant = meant.map_or("", String::as_str);
                self.add("area", format_args!("found `{code}`; {NO_SUCH} area in the catalogue{meant}"));
            }
            (KnownArea::Foreign, Some((_, agency))) => {
                self.add("area", format_args!("found `{code}`; `{}` reports for {}", agency.id, some(&agency.areas)));
            }
            (KnownArea::Reported(_, area), _) if area.validity() == Validity::default() => {}
            (KnownArea::Reported(_, area), _) => {
                let absence = period.and_then(|period| Some((period, area.absence(period.end())?)));
                if let Some((period, absence)) = absence {
                    self.add(
                        "area",
                        format_args!("{absence}; allowed for `{period}`: an area that exists on {}", period.end()),
                    );
                }
            }
            (KnownArea::Foreign, None) => {}
        }
    }

    fn breakdown(&mut self, version: &IndicatorVersion, index: usize) {
        let known = self.known;
        let categories = known.dictionaries.breakdowns[index].iter().zip(&known.breakdowns[index]);
        for ((dimension, category), (known, has_category)) in categories {
            if !version.dimensions.contains(dimension) {
                let allowed =
                    if version.dimensions.is_empty() { "no breakdown".to_owned() } else { some(&version.dimensions) };
                self.add("breakdown", format_args!("found `{dimension}`; allowed for `{}`: {allowed}", version.id));
            } else if let Some(known) = known
                && !has_category
            {
                let ids: Vec<_> = known.categories.iter().map(|category| &category.id).collect();
                self.add("breakdown", format_args!("found `{category}`; allowed for `{dimension}`: {}", some(&ids)));
            }
        }
    }

    fn value(&mut self, indicator: &Indicator, period: Option<Period>, value: &Value) {
        let version = period.map_or_else(|| indicator.newest(), |period| indicator.version_for(period));
        let Some(measure) = value.measure else { return };
        match (version.kind, measure) {
            (Kind::Events | Kind::Stock | Kind::Distinct, Measure::Number(number)) => {
                self.not_negative("number", number);
                self.decimals(version, number);
            }
            (Kind::Amount, Measure::Number(number)) => self.decimals(version, number),
            (Kind::Ratio, Measure::Ratio { numerator, denominator }) => {
                self.not_negative("ratio.numerator", numerator);
                self.not_negative("ratio.denominator", denominator);
                if numerator > denominator && !has_numerator_check(version) {
                    self.add(
                        "ratio.numerator",
                        format_args!(
                            "found `{numerator}`, above the denominator `{denominator}`; allowed: 0 to the denominator"
                        ),
                    );
                }
            }
            (Kind::Ratio, Measure::Percentage { percent, base }) => {
                self.not_negative("percentage.percent", percent);
                self.not_negative("percentage.base", base);
                if Decimal::new(100, 0).is_some_and(|hundred| percent > hundred) && !has_numerator_check(version) {
                    self.add("percentage.percent", format_args!("found `{percent}`; allowed: 0 to 100"));
                }
            }
            (Kind::Mean, Measure::Mean { count, .. }) => self.not_negative("mean.count", count),
            (kind @ (Kind::Events | Kind::Stock | Kind::Distinct | Kind::Amount), _) => {
                self.add(measure.form().text(), format_args!("`{}` is of kind {kind}; allowed: a number", version.id));
            }
            (Kind::Ratio, _) => {
                self.add(
                    measure.form().text(),
                    format_args!(
                        "`{}` is a ratio; allowed: a numerator and denominator, or a percentage and its base",
                        version.id
                    ),
                );
            }
            (Kind::Mean, _) => {
                self.add(
                    measure.form().text(),
                    format_args!("`{}` is a mean; allowed: a mean and its count", version.id),
                );
            }
        }
    }

    fn not_negative(&mut self, field: &str, number: Decimal) {
        if number.is_negative() {
            self.add(field, format_args!("found `{number}`; allowed: 0 or more"));
        }
    }

    fn decimals(&mut self, version: &IndicatorVersion, number: Decimal) {
        if number.shortest().scale() > version.decimals {
            let allowed = match version.decimals {
                0 => "a whole number".to_owned(),
                decimals => format!("at most {decimals} decimals"),
            };
            self.add("number", format_args!("found `{number}`; allowed for `{}`: {allowed}", version.id));
        }
    }
}

/// Whether a check decides what becomes of a numerator above its denominator.
fn has_numerator_check(version: &IndicatorVersion) -> bool {
    version.checks.iter().any(|check| check.rule == CheckRule::Numerator {})
}

fn allowed_periods(version: &IndicatorVersion) -> String {
    let day = if version.kind == Kind::Stock { ", or the day that the stock is as at" } else { "" };
    format!(
        "`{}` is reported by {}; allowed: that, or a longer period made of whole ones{day}",
        version.id, version.frequency
    )
}

/// A list for a sentence, at most ten of it.
fn some<T: std::fmt::Display>(items: &[T]) -> String {
    const SHOWN_MAX: usize = 10;
    let shown = items.iter().take(SHOWN_MAX).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match items.len() {
        0 => "nothing".to_owned(),
        count if count > SHOWN_MAX => format!("{shown} and {} more", count - SHOWN_MAX),
        _ => shown,
    }
}
