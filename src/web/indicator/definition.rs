//! What an indicator is: its definition in words, and its versions.

use crate::model::period::Frequency;
use crate::model::text::{visible, visible_lines};
use crate::rpc::proto::{Indicator, Kind, Polarity};
use crate::web::names::Names;
use crate::wording::figure::how_combined;
use crate::wording::number::thousands;
use crate::wording::period::Span;

/// The newest version of an indicator.
#[derive(Debug, Default)]
pub(super) struct DefinitionView {
    pub(super) title: String,
    /// What is counted, paragraph by paragraph.
    pub(super) paragraphs: Vec<String>,
    /// What else there is to know: in a word, and in full.
    pub(super) facts: Vec<(&'static str, String)>,
    /// Its versions, the newest first.
    pub(super) versions: Vec<VersionView>,
}

/// A version of an indicator's definition.
#[derive(Debug)]
pub(super) struct VersionView {
    /// From when on it is in force.
    pub(super) from: String,
    pub(super) title: String,
    pub(super) comparable: &'static str,
    pub(super) note: String,
}

impl DefinitionView {
    /// Of the versions, the newest last.
    pub(super) fn new(versions: &[Indicator], names: &Names) -> Self {
        let Some(newest) = versions.last() else { return Self::default() };
        Self {
            title: visible(&newest.title).into_owned(),
            paragraphs: paragraphs(&newest.definition),
            facts: facts(newest, names),
            versions: versions.iter().rev().map(version).collect(),
        }
    }
}

fn paragraphs(text: &str) -> Vec<String> {
    text.lines().map(|line| visible_lines(line).into_owned()).filter(|line| !line.trim().is_empty()).collect()
}

fn facts(indicator: &Indicator, names: &Names) -> Vec<(&'static str, String)> {
    let lead = names.agency(&indicator.lead_agency);
    let frequency = Frequency::from_code(indicator.frequency).map(|it| it.text().replace('-', " "));
    let level = crate::catalogue::items::AreaLevel::from_code(indicator.reporting_level);
    let level = level.map(|it| it.text().replace('-', " "));
    let expected = indicator.expected_agencies.iter().map(|it| {
        let since = day(&it.valid_from).map(|day| format!(" from {day}")).unwrap_or_default();
        let until = day(&it.valid_to).map(|day| format!(" to {day}")).unwrap_or_default();
        format!("{}{since}{until}", names.agency(&it.agency))
    });
    let rate = indicator
        .rate
        .as_ref()
        .map(|rate| format!("per {} of {}", thousands(&rate.per.to_string()), rate.population_indicator));
    let facts = [
        ("Unit", indicator.unit.clone()),
        ("Kind", kind(indicator.kind()).to_owned()),
        ("Agencies", how_combined(indicator, &lead)),
        ("Which is better", polarity(indicator.polarity()).to_owned()),
        ("Reported for each", frequency.unwrap_or_default()),
        ("Reported by", level.map(|level| format!("{level} areas")).unwrap_or_default()),
        ("Due", format!("{} days after the period", thousands(&indicator.due_days.to_string()))),
        ("Expected of", expected.collect::<Vec<_>>().join("; ")),
        ("Broken down by", indicator.dimensions.join(", ")),
        ("Rate", rate.unwrap_or_default()),
        ("Source", indicator.source.clone()),
        ("Id", indicator.id.clone()),
    ];
    let facts = facts.into_iter().filter(|(_, text)| !text.is_empty());
    facts.map(|(what, text)| (what, visible_lines(&text).into_owned())).collect()
}

/// A day in words; nothing for none.
fn day(day: &str) -> Option<String> {
    if day.is_empty() { None } else { Some(Span::Period(day).name(Kind::Stock)) }
}

fn version(version: &Indicator) -> VersionView {
    VersionView {
        from: day(&version.effective_from).unwrap_or_else(|| "the beginning".to_owned()),
        title: visible(&version.title).into_owned(),
        comparable: match (version.effective_from.is_empty(), version.breaks_comparability) {
            (true, _) => "",
            (false, true) => "no: the series breaks here",
            (false, false) => "yes",
        },
        note: visible_lines(&version.version_note).into_owned(),
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Unspecified => "",
        Kind::Events => "events in a period: they add up over time and over areas",
        Kind::Stock => "a stock at a point in time: it adds up over areas, never over time",
        Kind::Distinct => "distinct people in a period: they add up over areas, never over time",
        Kind::Ratio => "a proportion, in per cent: combined, numerators over denominators",
        Kind::Mean => "a mean: combined, weighted by its counts",
        Kind::Amount => "an amount: it adds up over time and over areas",
    }
}

fn polarity(polarity: Polarity) -> &'static str {
    match polarity {
        Polarity::HigherIsBetter => "higher",
        Polarity::LowerIsBetter => "lower",
        Polarity::Neutral | Polarity::Unspecified => "neither",
    }
}
