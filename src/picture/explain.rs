//! Why a figure is what it is: what went into it, and the rule and the sum in words.

use std::rc::Rc;

use super::accumulator::MissingReason;
use super::aggregate::{Aggregate, Who};
use super::combine::{Components, Gap, OverTime};
use super::derivation::Derivation;
use super::discrepancy::Discrepancies;
use super::figure::Figure;
use super::resolve::Series;
use crate::catalogue::items::{AcrossAgencies, IndicatorVersion, Kind};
use crate::catalogue::{AgencyIx, AreaIx, IndicatorIx};
use crate::model::observation::Value;
use crate::model::period::Period;
use crate::model::revision::Revision;
use crate::state::columns::{BreakdownIx, Row, RowKey};
use crate::state::view::View;

/// How many characters a formula may have.
const FORMULA_CHARACTERS_MAX: usize = 2_000;

/// Which figure is to be explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExplainQuery {
    /// The indicator.
    pub indicator: IndicatorIx,
    /// The area.
    pub area: AreaIx,
    /// The period.
    pub period: Period,
    /// The breakdown; none for one that nothing was ever submitted under.
    pub breakdown: Option<BreakdownIx>,
    /// Whose figure.
    pub who: Who,
}

/// One submitted figure that went into another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contribution {
    /// The agency that submitted it.
    pub agency: AgencyIx,
    /// The area that it was submitted for.
    pub area: AreaIx,
    /// The period that it was submitted for, under its storage name.
    pub period: Period,
    /// The figure, or the marker in its place.
    pub value: Value,
    /// Whether it is made up.
    pub sample: bool,
    /// The revision since which it is so.
    pub revision: Revision,
    /// The revision of the submission that it is of.
    pub source: Revision,
    /// Which row of its slab it is.
    pub(crate) row: RowKey,
}

/// Why a figure is what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The figure.
    pub figure: Rc<Figure>,
    /// How it came about; none for one combined of the agencies' figures.
    pub derivation: Option<Derivation>,
    /// The rule in words.
    pub rule: String,
    /// The sum in figures.
    pub formula: String,
    /// What went into it, by agency, area and period.
    pub contributions: Vec<Contribution>,
    /// The definition that it was combined by.
    pub version: IndicatorVersion,
}

/// Explains a figure.
pub fn explain(view: View<'_>, query: ExplainQuery) -> Explanation {
    let ExplainQuery { area, period, who, .. } = query;
    let mut series = Series::new(view, query.indicator, query.breakdown, None);
    let areas = [area];
    let mut aggregate = Aggregate::of(&mut series, &areas, &[period]);
    aggregate.find_discrepancies(&mut series, &Discrepancies::new(&areas, period));
    let figure = aggregate.figure(&series, who);
    let version = series.version(period).clone();
    let agencies = match who {
        Who::Agency(agency) => vec![agency],
        Who::Combined => combined_agencies(&series, &version, &aggregate),
    };
    let mut contributions = Vec::new();
    let mut derivation = Some(Derivation::Nothing);
    for agency in agencies {
        let before = contributions.len();
        let own = contribute(&mut series, agency, area, period, &mut contributions);
        if contributions.len() > before {
            derivation = if before == 0 { Some(own) } else { None };
        }
    }
    let catalogue = view.catalogue;
    contributions.sort_by_cached_key(|contribution| {
        let agency = catalogue.agency_at(contribution.agency).id.clone();
        (agency, catalogue.area_at(contribution.area).code.clone(), contribution.period)
    });
    let reason = figure.value.as_ref().err().map(|gap| {
        let why = aggregate.gap(&series, who);
        // What was submitted comes to no value, or stays side by side.
        let is_of_the_submitted = matches!(gap, Gap::ZeroBase | Gap::TooLarge);
        if is_of_the_submitted || (why == Gap::NotReported && !contributions.is_empty()) { *gap } else { why }
    });
    let rule = [
        kind_rule(version.kind).to_owned(),
        derivation.map_or_else(String::new, |derivation| derivation_rule(derivation).to_owned()),
        reason.map_or_else(String::new, |gap| gap_rule(&series, &version, query, gap, &figure)),
        agencies_rule(&series, &version, who),
    ];
    let rule = rule.into_iter().filter(|sentence| !sentence.is_empty()).collect::<Vec<_>>().join(" ");
    let formula = formula(&version, &figure, &contributions);
    Explanation { figure, derivation, rule, formula, contributions, version }
}

/// The agencies whose figures go into the combined one, or stand side by side.
fn combined_agencies(series: &Series<'_>, version: &IndicatorVersion, aggregate: &Aggregate<'_, '_>) -> Vec<AgencyIx> {
    let stands_beside = version.across_agencies == AcrossAgencies::SideBySide;
    let counts = |agency: &AgencyIx| stands_beside || series.goes_into_combined(version, *agency);
    aggregate.found().agencies().filter(counts).collect()
}

/// Collects the submitted figures that one agency's figure rests on, by the rules of
/// [`super::resolve`].
pub(super) fn contribute(
    series: &mut Series<'_>,
    agency: AgencyIx,
    area: AreaIx,
    period: Period,
    into: &mut Vec<Contribution>,
) -> Derivation {
    if series.view().spend(1).is_err() {
        return Derivation::Nothing;
    }
    let derivation = series.derivation(agency, area, period);
    match derivation {
        Derivation::Submitted | Derivation::Marked => into.extend(submitted(series, agency, area, period)),
        Derivation::OverTime => {
            let subperiods = match series.submitted.rule() {
                OverTime::Add | OverTime::Never => period.subperiods(),
                OverTime::Last => series.last_subperiod(agency, area, period).into_iter().collect(),
            };
            for subperiod in subperiods {
                contribute(series, agency, area, subperiod, into);
            }
        }
        Derivation::OverAreas => {
            for part in series.view().parts(area, period) {
                contribute(series, agency, part, period, into);
            }
        }
        Derivation::Nothing => {}
    }
    derivation
}

/// What an agency submitted for an area and a period themselves.
fn submitted(series: &Series<'_>, agency: AgencyIx, area: AreaIx, period: Period) -> Option<Contribution> {
    let mut best = series.submitted.best(area, period).into_iter();
    let (name, row) = best.find(|(_, row)| row.key.agency() == agency)?;
    let source = series.submitted.slab(name)?.source(&row);
    let (sample, revision) = (row.is_sample(), row.revision());
    let (period, value) = (name.storage_key(), row.value()?);
    Some(Contribution { agency, area, period, value, sample, revision, source, row: row.key })
}

fn kind_rule(kind: Kind) -> &'static str {
    match kind {
        Kind::Events => "Events add over time and over areas.",
        Kind::Amount => "Amounts add over time and over areas.",
        Kind::Stock => "A stock adds over areas; over time it is the last in the period.",
        Kind::Distinct => "Distinct people add over areas, and are never combined over time.",
        Kind::Ratio => "A ratio is the sum of its numerators over the sum of its denominators.",
        Kind::Mean => "A mean is weighted by its count.",
    }
}

/// How a figure came about.
fn derivation_rule(derivation: Derivation) -> &'static str {
    match derivation {
        Derivation::Submitted => "This figure was submitted for the area and the period themselves.",
        Derivation::OverTime => "This figure is built from those of the period's subperiods.",
        Derivation::OverAreas => "This figure is built from those of the areas directly below.",
        // Why there is none is said by [`gap_rule`].
        Derivation::Marked | Derivation::Nothing => "",
    }
}

/// Why there is no value.
fn gap_rule(series: &Series<'_>, version: &IndicatorVersion, query: ExplainQuery, gap: Gap, figure: &Figure) -> String {
    let text = match gap {
        Gap::Marked => "A marker was submitted in place of a figure.",
        Gap::Contained => return contained_rule(series.view(), figure),
        Gap::NotCombinable => "Parts of it were submitted, and are never combined.",
        Gap::PeriodMismatch => {
            let (period, frequency) = (query.period, version.frequency);
            return format!(
                "{period} doesn't fit the indicator: it isn't made of whole periods of the frequency `{frequency}`."
            );
        }
        Gap::NotReported => {
            return withdrawn_rule(series, query).unwrap_or_else(|| "Nothing was submitted.".to_owned());
        }
        Gap::LeadNotReported => {
            let withdrawn = withdrawn_rule(series, query).map(|rule| format!(" {rule}"));
            return format!("The lead agency hasn't reported.{}", withdrawn.unwrap_or_default());
        }
        Gap::LeadNotAsked => "The lead agency isn't among the agencies asked for.",
        Gap::ZeroBase => "Its base is zero.",
        Gap::TooLarge => "It has more digits than can be computed with.",
        // [`agencies_rule`] says so.
        Gap::SideBySide => "",
        // These are never those of a figure of one area and one period.
        Gap::NoPopulation | Gap::PopulationNotBrokenDown | Gap::NegativePart | Gap::Partial => "",
    };
    text.to_owned()
}

/// Whose figures for the area and the period themselves were withdrawn; none where nobody's was.
fn withdrawn_rule(series: &Series<'_>, ExplainQuery { area, period, who, .. }: ExplainQuery) -> Option<String> {
    let withdrawn = series.submitted.withdrawn(area, period).into_iter();
    let of = withdrawn.filter(|row| who == Who::Combined || who == Who::Agency(row.key.agency()));
    let sentence = |row: Row| {
        let agency = &series.view().catalogue.agency_at(row.key.agency()).id;
        format!("The figure of `{agency}` was withdrawn at revision {}.", row.revision())
    };
    let sentences: Vec<String> = of.map(sentence).collect();
    (!sentences.is_empty()).then(|| sentences.join(" "))
}

/// That a figure lies within others, which can't be split.
fn contained_rule(view: View<'_>, figure: &Figure) -> String {
    let mut within: Vec<String> = Vec::new();
    for missing in &figure.missing {
        if let MissingReason::Contained { area, period } = missing.reason {
            let agency = &view.catalogue.agency_at(missing.agency).id;
            let one = format!("the figure of `{agency}` for {} and {period}", view.catalogue.area_at(area).code);
            if !within.contains(&one) {
                within.push(one);
            }
        }
    }
    format!("It lies within {}, which can't be split.", within.join(", and within "))
}

/// How the agencies' figures combine, where they do.
fn agencies_rule(series: &Series<'_>, version: &IndicatorVersion, who: Who) -> String {
    match (who, version.across_agencies) {
        (Who::Agency(_), _) => String::new(),
        (Who::Combined, AcrossAgencies::Add) => "The agencies' figures add.".to_owned(),
        (Who::Combined, AcrossAgencies::SideBySide) => {
            "The agencies' figures are views of one thing, and stay side by side.".to_owned()
        }
        (Who::Combined, AcrossAgencies::Lead) => {
            let catalogue = series.view().catalogue;
            let name = series.lead(version).map(|lead| catalogue.agency_at(lead).name.as_str()).unwrap_or_default();
            format!("The figure of {name}, the lead agency, stands for all.")
        }
    }
}

fn formula(version: &IndicatorVersion, figure: &Figure, contributions: &[Contribution]) -> String {
    let Ok(value) = &figure.value else { return String::new() };
    let components = contributions.iter().filter_map(|contribution| Components::of(contribution.value.measure?));
    // Each has a character at least: what comes after so many is cut off.
    let components: Vec<Components> = components.take(FORMULA_CHARACTERS_MAX).collect();
    let sum = |side: fn(&Components) -> String| {
        let text = components.iter().map(side).collect::<Vec<_>>().join(" + ");
        if components.len() == 1 { text } else { format!("({text})") }
    };
    let numbers = || sum(|components| components.number.to_string());
    let weights = || sum(|components| components.weight.to_string());
    let text = match version.kind {
        Kind::Ratio => format!("100 × {} / {}", numbers(), weights()),
        Kind::Mean => format!("{} / {}", numbers(), weights()),
        Kind::Events | Kind::Stock | Kind::Distinct | Kind::Amount => {
            numbers().trim_start_matches('(').trim_end_matches(')').to_owned()
        }
    };
    let end = format!(" = {}", value.rounded);
    let left = FORMULA_CHARACTERS_MAX - end.len();
    match text.char_indices().nth(left) {
        None => text + &end,
        Some((cut, _)) => {
            format!("{}…{end}", &text[..cut.saturating_sub(1)].trim_end_matches(|c: char| !c.is_ascii_digit()))
        }
    }
}
