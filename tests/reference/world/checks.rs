//! A random world whose indicators have checks, and whose submissions meet them.

use conspectus::catalogue::checks::{Check, CheckRule, MissingValues, Severity};
use conspectus::catalogue::items::{IndicatorVersion, Kind};
use conspectus::intake::prepare::Prepared;
use conspectus::model::decimal::Decimal;
use conspectus::model::id::IndicatorId;
use conspectus::model::observation::{Explanation, Measure, Observation};
use conspectus::model::submission::Submission;

use super::catalogue::number;
use super::{History, Random, history};
use crate::command::Command;

const TEXTS: [&str; 3] = ["a flood", "a new form", "counted twice"];

/// A random history, with checks and explanations.
pub(crate) fn checked_history(seed: u64) -> History {
    let (mut history, _) = history(Random(seed));
    // Another stream than the world's.
    let mut random = Random(!seed);
    let mut known: Vec<IndicatorVersion> = Vec::new();
    for (_, command) in &mut history.commands {
        match command {
            Command::PutCatalogue(put) => {
                for version in &mut put.indicators {
                    known.push(version.clone());
                    version.checks = checks(&mut random, version, &known);
                }
            }
            Command::Submit(prepared) => {
                let submission = meeting(&mut random, prepared.submission(), &known);
                *prepared = Prepared::new(submission);
            }
            Command::Withdraw(_) => {}
        }
    }
    history
}

/// Checks that fit a version, most of them of every kind.
fn checks(random: &mut Random, version: &IndicatorVersion, known: &[IndicatorVersion]) -> Vec<Check> {
    let small = |random: &mut Random| number(*random.pick(&[0, 1, 3, 10]), 0);
    let is_number = |kind: Kind| matches!(kind, Kind::Events | Kind::Stock | Kind::Distinct);
    // Those that come later aren't to be above those before, so that there is no circle.
    let others: Vec<IndicatorId> = known
        .iter()
        .filter(|it| it.id < version.id && (is_number(it.kind) == is_number(version.kind)))
        .filter(|it| is_number(it.kind) || it.kind == version.kind)
        .map(|it| it.id.clone())
        .collect();
    let mut rules = vec![
        CheckRule::Range { min: Some(number(4, 0)), max: Some(number(*random.pick(&[16, 90]), 0)) },
        CheckRule::Change {},
        CheckRule::Outlier {
            deviations: number(*random.pick(&[5, 15, 30]), 1),
            periods_min: 1 + u16::try_from(random.below(3)).unwrap(),
        },
        CheckRule::Zero { periods_min: 1 + u16::try_from(random.below(2)).unwrap() },
    ];
    if version.kind == Kind::Ratio {
        rules.push(CheckRule::Numerator {});
    }
    if !others.is_empty() {
        rules.push(CheckRule::NotAbove { indicator: random.pick(&others).clone() });
    }
    if let Some(dimension) = version.dimensions.first() {
        rules.push(CheckRule::Breakdown { dimension: dimension.clone() });
        if matches!(version.kind, Kind::Events | Kind::Stock | Kind::Amount) {
            rules.push(CheckRule::Parts { dimension: dimension.clone() });
        }
    }
    let rules = random.some(&rules, 50);
    let mut checks = Vec::new();
    for (at, rule) in rules.into_iter().enumerate() {
        let has_tolerance = matches!(
            rule,
            CheckRule::Parts { .. } | CheckRule::NotAbove { .. } | CheckRule::Change {} | CheckRule::Outlier { .. }
        );
        let tolerance = if has_tolerance { small(random) } else { Decimal::ZERO };
        let in_percent = has_tolerance && version.kind != Kind::Ratio && random.percent(50);
        let tolerance_percent = if in_percent { number(*random.pick(&[5, 20, 100]), 0) } else { Decimal::ZERO };
        let is_bare = rule == (CheckRule::Change {}) && tolerance.is_zero() && tolerance_percent.is_zero();
        checks.push(Check {
            id: format!("check-{at}").parse().unwrap(),
            // Mostly taken, so that there is a history.
            severity: *random.pick(&[
                Severity::Note,
                Severity::Note,
                Severity::Note,
                Severity::Query,
                Severity::Query,
                Severity::Error,
            ]),
            missing_values: *random.pick(&[
                MissingValues::SkipAny,
                MissingValues::SkipAny,
                MissingValues::SkipAll,
                MissingValues::Fail,
            ]),
            tolerance: if is_bare { number(1, 0) } else { tolerance },
            tolerance_percent,
            rule,
        });
    }
    checks
}

/// Now and then the figure that an observation isn't to be above: as large, or nearly.
fn beside(random: &mut Random, observation: &Observation, known: &[IndicatorVersion]) -> Option<Observation> {
    let Some(Measure::Number(it)) = observation.value.measure.filter(|_| random.percent(30)) else { return None };
    let is_above = |version: &&IndicatorVersion| {
        let of = &observation.indicator;
        let whole = it.scale() == 0 && observation.breakdown.is_total();
        version.id < *of && version.kind != Kind::Ratio && version.takes(observation.period) && whole
    };
    let others: Vec<&IndicatorVersion> = known.iter().filter(is_above).collect();
    let other = random.pick(if others.is_empty() { return None } else { &others });
    let mut beside = Observation { indicator: other.id.clone(), ..observation.clone() };
    beside.value.measure = Some(Measure::Number(number((it.mantissa() - i64::from(random.percent(30))).max(0), 0)));
    Some(beside)
}

/// A submission with categories beside some totals, numerators above their denominators, and explanations.
fn meeting(random: &mut Random, submission: &Submission, known: &[IndicatorVersion]) -> Submission {
    let mut observations: Vec<Observation> = Vec::new();
    let sent: Vec<Observation> = submission.observations.iter().collect();
    let is_whole = sent.iter().all(|it| it.breakdown.is_total());
    for mut observation in sent {
        if let Some(Measure::Ratio { numerator, denominator }) = observation.value.measure
            && random.percent(10)
        {
            observation.value.measure = Some(Measure::Ratio { numerator: denominator, denominator: numerator });
        }
        let kind = known.iter().find(|it| it.id == observation.indicator).map(|it| &it.dimensions);
        if is_whole
            && kind.is_some_and(|dimensions| !dimensions.is_empty())
            && let Some(Measure::Number(total)) = observation.value.measure
            && random.percent(50)
        {
            let half = number(total.mantissa() / 2, total.scale());
            let rest = number(total.mantissa() - half.mantissa() + i64::from(random.percent(20)), total.scale());
            let of = |category: &str, part| {
                let mut part_of = observation.clone();
                part_of.breakdown = format!("sex={category}").parse().unwrap();
                part_of.value.measure = Some(Measure::Number(part));
                part_of
            };
            let parts = [of("f", half), of("m", rest)];
            observations.extend(parts.into_iter().take(1 + random.below(2)));
            // The total was submitted before, or comes later.
            if random.percent(25) {
                continue;
            }
        }
        observations.extend(beside(random, &observation, known));
        observations.push(observation);
    }
    random.shuffle(&mut observations);
    for observation in &mut observations {
        if random.percent(40) {
            let text = (*random.pick(&TEXTS)).into();
            observation.explanations.push(Explanation { check: None, text });
        }
    }
    Submission { observations: observations.into_iter().collect(), ..submission.clone() }
}
