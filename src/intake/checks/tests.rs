//! When a submission is held against figures that come just before it.

use tokio::runtime::Runtime;

use super::*;
use crate::access::Actor;
use crate::catalogue::CataloguePut;
use crate::catalogue::checks::CheckRule;
use crate::catalogue::checks::MissingValues;
use crate::entry::{Body, Entry};
use crate::intake::admit::{Command, Decision, Rejection, SubmissionEffect};
use crate::intake::basis::Basis;
use crate::intake::prepare::Prepared;
use crate::intake::writer::{Bounds, WriteError, Writer, Written, WrittenOf};
use crate::journal::{MemoryDisk, MemoryJournal};
use crate::model::decimal::Decimal;
use crate::model::marker::Markers;
use crate::model::observation::{Breakdown, Observation, Value};
use crate::model::timestamp::Timestamp;
use crate::model::zone::UTC;
use crate::state::Fold;

const NOW: Timestamp = Timestamp(1_700_000_000_000_000);

/// The demo's catalogue, in which contacts may change by 10 from year to year.
fn catalogue(severity: Severity) -> CataloguePut {
    let mut put: CataloguePut = toml::from_str(include_str!("../../../data/catalogue.toml")).unwrap();
    put.indicators.iter_mut().for_each(|version| version.checks.clear());
    let contacts = put.indicators.iter_mut().find(|version| version.id.as_str() == "initial-contacts").unwrap();
    contacts.checks.push(Check {
        id: "steady".parse().unwrap(),
        severity,
        missing_values: MissingValues::SkipAny,
        tolerance: "10".parse().unwrap(),
        tolerance_percent: Decimal::ZERO,
        rule: CheckRule::Change {},
    });
    put
}

fn submission(request_id: &str, agency: &str, figures: &[(&str, &str)]) -> Submission {
    let observation = |(period, number): &(&str, &str)| Observation {
        indicator: "initial-contacts".parse().unwrap(),
        area: if agency == "hampshire-childrens-services" { "E10000014" } else { "E06000044" }.parse().unwrap(),
        period: period.parse().unwrap(),
        breakdown: Breakdown::default(),
        value: Value { measure: Some(Measure::Number(number.parse().unwrap())), markers: Markers::NONE },
        note: None,
        explanations: Vec::new(),
    };
    Submission {
        agency: agency.parse().unwrap(),
        request_id: request_id.parse().unwrap(),
        source: String::new(),
        sample: false,
        reason: String::new(),
        return_id: None,
        observations: figures.iter().map(observation).collect(),
    }
}

fn of_hampshire(request_id: &str, figures: &[(&str, &str)]) -> Submission {
    submission(request_id, "hampshire-childrens-services", figures)
}

/// What becomes of commands that wait for the writer together, and how many groups they take.
fn written(commands: Vec<Submission>) -> (Vec<Result<WrittenOf<Prepared>, WriteError>>, usize) {
    let journal = MemoryJournal::open(&MemoryDisk::new()).unwrap();
    let (mut writer, handle) = Writer::new(Box::new(journal), Fold::default(), || NOW, UTC.clone(), Bounds::default());
    let runtime = Runtime::new().unwrap();
    let put = runtime.block_on(handle.queue(catalogue(Severity::Error))).unwrap();
    assert_eq!(writer.write_group(), 1);
    runtime.block_on(put.written()).unwrap();
    let state = writer.published().borrow().clone();
    let prepared = commands.into_iter().map(|it| Prepared::reviewed(it, &state, UTC.date(NOW), &UTC).unwrap());
    let pending: Vec<_> = prepared.map(|it| runtime.block_on(handle.queue(it)).unwrap()).collect();
    let groups = std::iter::from_fn(|| (writer.write_group() > 0).then_some(())).count();
    (pending.into_iter().map(|pending| runtime.block_on(pending.written())).collect(), groups)
}

#[test]
fn a_submission_is_held_against_those_that_wait_with_it() {
    let (answers, groups) = written(vec![
        of_hampshire("first", &[("FY2019-20", "100")]),
        of_hampshire("too-far", &[("FY2020-21", "111")]),
        of_hampshire("near", &[("FY2020-21", "110")]),
        submission("of-portsmouth", "portsmouth-childrens-services", &[("FY2020-21", "5000")]),
        of_hampshire("near-that", &[("FY2021-22", "120")]),
    ]);
    let accepted: Vec<bool> = answers.iter().map(|answer| matches!(answer, Ok(Written::Accepted { .. }))).collect();
    assert_eq!(accepted, [true, false, true, true, true]);
    // Those of an agency follow each other, and another agency's, which was sent after them, waits for none of them.
    assert_eq!(groups, 3);
    let revision = |answer: &_| match answer {
        Ok(Written::Accepted { revision, .. }) => Some(revision.0),
        Ok(Written::Already(_)) | Err(_) => None,
    };
    let revisions: Vec<Option<u64>> = answers.iter().map(revision).collect();
    assert_eq!(revisions, [Some(2), None, Some(4), Some(3), Some(5)]);
    let Err(WriteError::Rejected(Rejection::Invalid(violations))) = &answers[1] else { panic!("{:?}", answers[1]) };
    assert_eq!(
        violations.to_string(),
        "observations[0].number: found 111, and 100 for FY2019-20, a change of +11 (+11.0%); \
         allowed by check `steady`: a change of at most 10"
    );
}

#[test]
fn what_was_found_before_is_found_out_again_once_figures_of_the_agency_have_changed() {
    let mut fold = Fold::default();
    let take = |fold: &mut Fold, prepared: &Prepared| {
        let decision = prepared.admit(&Basis::durable(&fold.state(), NOW, &UTC))?;
        if let Decision::Accept(body, effect) = decision {
            fold.apply(&Entry { at: NOW, actor: Actor::Local, body });
            return Ok::<_, Rejection>(effect);
        }
        Ok(SubmissionEffect::default())
    };
    let put = Body::CataloguePut(catalogue(Severity::Note));
    fold.apply(&Entry { at: NOW, actor: Actor::Local, body: put });
    let reviewed = |fold: &mut Fold, it| Prepared::reviewed(it, &fold.state(), UTC.date(NOW), &UTC).unwrap();
    let late = reviewed(&mut fold, of_hampshire("late", &[("FY2021-22", "100")]));
    let (other, before) = (
        submission("other", "portsmouth-childrens-services", &[("FY2020-21", "1")]),
        of_hampshire("before", &[("FY2020-21", "1")]),
    );
    let (other, before) = (reviewed(&mut fold, other), reviewed(&mut fold, before));
    for (earlier, findings) in [(other, 0), (before, 1)] {
        assert_eq!(take(&mut fold, &earlier).unwrap().findings, None);
        let decision = late.admit(&Basis::durable(&fold.state(), NOW, &UTC)).unwrap();
        let Decision::Accept(_, effect) = decision else { panic!() };
        assert_eq!(effect.findings.map_or(0, |it| it.kept.len()), findings);
    }
}
