//! Coverage tells one story: picture, query, explanation, completeness and watch agree on each slot and each row.
//! These compare the service's answers with each other, without the model.

use std::collections::BTreeSet;

use conspectus::catalogue::items::Validity;
use conspectus::model::period::{Frequency, Period};
use conspectus::rpc::proto::{AggregateRow, Coverage, Slot, SlotStatus};
use tokio_stream::StreamExt;

use super::seeds;
use crate::answer::{Answer, Body};
use crate::model::question::{AsOf, CompletenessQuestion, ExplainQuestion, PictureQuestion, Question, What};
use crate::service::Service;
use crate::world::{Lived, Random, World, corrected, history};

const WORLDS: u64 = 100;

/// Tries a property on every world; it says how often it had something to check.
fn on_worlds(worlds: u64, holds: impl Fn(&mut World, &Lived, &Service) -> usize) {
    let mut checked = 0;
    for seed in seeds(worlds) {
        let (history, mut world) = history(Random(seed));
        let history = corrected(seed, history);
        let lived = history.live();
        if lived.entries.is_empty() {
            continue;
        }
        let service = Service::of(lived.state.clone(), &lived.zone);
        let holds = || holds(&mut world, &lived, &service);
        let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(holds));
        checked += result.unwrap_or_else(|_| panic!("seed {seed}\n{}", history.read_out()));
    }
    println!("checked {checked} times");
    assert!(checked > 100 || seeds(worlds).end - seeds(worlds).start < worlds, "checked {checked} times only");
}

fn rows(answer: Option<Answer>) -> Vec<AggregateRow> {
    match answer.map(|it| it.body) {
        Some(Body::Rows(rows)) => rows,
        None => vec![],
        Some(_) => unreachable!("rows were asked for"),
    }
}

/// An agency's figure in a picture, or the combined one, is the one that a query and an explanation have.
#[test]
fn a_picture_a_query_and_an_explanation_have_one_figure() {
    on_worlds(WORLDS, |world, lived, service| {
        let question = world.about_picture(lived);
        let What::Picture(asked) = &question.what else { unreachable!() };
        let asked = PictureQuestion { comparison: None, areas_now: false, ..asked.clone() };
        let question = Question { what: What::Picture(asked.clone()), ..question };
        let picture = rows(service.ask(&question));
        for cell in &picture {
            let agency = (!cell.agency.is_empty()).then(|| cell.agency.parse().unwrap());
            let what = ExplainQuestion {
                indicator: cell.indicator.parse().unwrap(),
                area: asked.area.clone(),
                period: asked.period,
                agency,
                breakdown: "".parse().unwrap(),
            };
            let explained = service.ask(&Question { what: What::Explain(what), ..question.clone() }).unwrap();
            let Body::Explanation(explained) = explained.body else { unreachable!() };
            assert_eq!(explained.figure, cell.figure, "{question:?}");
        }
        picture.len()
    });
}

/// The coverage of exactly one slot.
fn coverage_of(service: &Service, question: &Question, slot: &Slot) -> Coverage {
    let what = ExplainQuestion {
        indicator: slot.indicator.parse().unwrap(),
        area: slot.area.parse().unwrap(),
        period: slot.period.parse::<Period>().unwrap(),
        agency: Some(slot.agency.parse().unwrap()),
        breakdown: "".parse().unwrap(),
    };
    let explained = service.ask(&Question { what: What::Explain(what), ..question.clone() }).unwrap();
    let Body::Explanation(explained) = explained.body else { unreachable!() };
    explained.figure.unwrap().coverage.unwrap()
}

/// 17.2: "a slot's status is the one that coverage gives it".
#[test]
fn completeness_gives_each_slot_the_status_of_its_coverage() {
    on_worlds(WORLDS, |world, lived, service| {
        let question = world.about_completeness(lived);
        let What::Completeness(asked) = &question.what else { unreachable!() };
        let asked = CompletenessQuestion { late_only: false, ..asked.clone() };
        let question = Question { what: What::Completeness(asked), ..question };
        let Some(answer) = service.ask(&question) else { return 0 };
        let Body::Completeness(completeness) = answer.body else { unreachable!() };
        for slot in &completeness.slots {
            let coverage = coverage_of(service, &question, slot);
            let not_due =
                coverage.expected - coverage.reported - coverage.late - coverage.not_available - coverage.contained;
            let is_right = match slot.status() {
                SlotStatus::Late => coverage.late > 0,
                SlotStatus::NotDue => coverage.late == 0 && not_due > 0,
                SlotStatus::NotAvailable => coverage.late == 0 && not_due == 0 && coverage.not_available > 0,
                SlotStatus::OnTime | SlotStatus::ReportedLate => {
                    coverage.reported + coverage.contained == coverage.expected
                }
                SlotStatus::Unspecified => false,
            };
            assert!(is_right, "{slot:?}\n{coverage:?}\n{question:?}");
            if !slot.contained_in_area.is_empty() {
                let named = coverage.missing.iter().map(|it| (&it.contained_in_area, &it.contained_in_period));
                let own = (&slot.contained_in_area, &slot.contained_in_period);
                assert!(named.into_iter().any(|it| it == own), "{slot:?}\n{coverage:?}\n{question:?}");
            }
        }
        completeness.slots.len()
    });
}

/// 17.4: what is due soon is what completeness says of each period that is due by then, by the model's due days.
#[test]
fn what_is_due_soon_is_what_completeness_says_of_the_periods_that_are_due() {
    let holds = |world: &mut World, lived: &Lived, service: &Service| {
        let question = world.about_completeness(lived);
        let now = question.now.max(lived.newest_at());
        let question = Question { as_of: AsOf::Now, now, ..question };
        let What::Completeness(asked) = &question.what else { unreachable!() };
        let sight = crate::answer::sight(lived, &question).2;
        // Whose area lies within which is of today for the one, and of the period for the other.
        if sight.areas.iter().any(|area| area.validity() != Validity::default() || area.parents.len() > 1) {
            return 0;
        }
        let days = *world.random.pick(&[1, 14, 90, 366]);
        let last = sight.today.plus_days(days);
        let mut expected = Vec::new();
        let all = sight.indicator_ids();
        for indicator in if asked.indicators.is_empty() { &all } else { &asked.indicators } {
            let mut periods = BTreeSet::new();
            for day in (-900..=days).map(|day| sight.today.plus_days(day)) {
                for frequency in Frequency::ALL {
                    let Some(period) = Period::of(*frequency, day) else { continue };
                    let version = sight.version(indicator, period);
                    let due = sight.due(version, period);
                    if version.frequency == *frequency && sight.today <= due && due <= last {
                        periods.insert(period);
                    }
                }
            }
            for period in periods {
                let (periods, indicators) = (vec![period], vec![indicator.clone()]);
                let asked = CompletenessQuestion { periods, indicators, late_only: false, ..asked.clone() };
                let answer = service.ask(&Question { what: What::Completeness(asked), ..question.clone() });
                let Some(Body::Completeness(answer)) = answer.map(|it| it.body) else { return 0 };
                expected.extend(answer.slots.into_iter().filter(|slot| slot.status() == SlotStatus::NotDue));
            }
        }
        let key = |slot: &Slot| [&slot.agency, &slot.indicator, &slot.area, &slot.period].map(String::clone);
        service.set_clock(question.now);
        let mut found = service.due_within(asked, days);
        found.sort_by_key(key);
        expected.sort_by_key(key);
        assert_eq!(found, expected, "{days} days, {question:?}");
        found.len()
    };
    on_worlds(WORLDS, |world, lived, service| (0..4).map(|_| holds(world, lived, service)).sum());
}

/// 1.3: "the same question with that `as_of_time` gives the same bytes at any later time".
#[test]
fn an_answer_is_the_same_at_any_later_time() {
    on_worlds(WORLDS, |world, lived, service| {
        let mut checked = 0;
        for ask in [World::question, World::about_explanation, World::about_completeness, World::about_reconciliation] {
            let question = ask(world, lived);
            let Some(first) = service.ask(&question) else { continue };
            let at = first.as_of.unwrap();
            let at = conspectus::model::timestamp::Timestamp(at.seconds * 1_000_000 + i64::from(at.nanos) / 1_000);
            let days = world.random.between(1, 900);
            let later = Question { now: question.now.plus_hours(24 * days), as_of: AsOf::Time(at), ..question.clone() };
            assert_eq!(service.ask(&later), Some(first), "{question:?}");
            checked += 1;
        }
        checked
    });
}

/// 19.2: the differences that a watch sends, applied to the earlier answer, give the fresh answer; and nothing is sent
/// where nothing has changed.
#[test]
fn what_a_watch_sends_makes_the_fresh_answer_of_the_earlier_one() {
    let holds = |world: &mut World, lived: &Lived, service: &Service| {
        let newest = lived.entries.len();
        let after = 1 + world.random.below(newest);
        let after_at = lived.entries[after - 1].at;
        let question = world.about_rows(lived, |asked| asked.by_indicator = true);
        let question = Question { as_of: AsOf::Now, ..question };
        let What::Query(asked) = &question.what else { unreachable!() };
        let earlier = Question { as_of: AsOf::Time(after_at), ..question.clone() };
        if !super::is_about_what_is_there(lived, &earlier) {
            return 0;
        }
        let (Some(earlier), Some(fresh)) = (service.ask(&earlier), service.ask(&question)) else { return 0 };
        let (mut known, fresh) = (rows(Some(earlier)), rows(Some(fresh)));
        let message = service.first_message(asked, after, after_at);
        if known == fresh {
            assert_eq!(message, None, "{question:?}");
            return 0;
        }
        let message = message.unwrap();
        assert!(!message.snapshot);
        let key = |row: &AggregateRow| {
            [&row.indicator, &row.area, &row.agency, &row.period, &row.category].map(String::clone)
        };
        for gone in &message.removed_rows {
            known.retain(|row| key(row) != key(gone));
        }
        for changed in Answer::of_rows(message.rows) {
            known.retain(|row| key(row) != key(&changed));
            known.push(changed);
        }
        known.sort_by_key(key);
        let mut fresh = fresh;
        fresh.sort_by_key(key);
        assert_eq!(known, fresh, "{question:?}");
        1
    };
    on_worlds(WORLDS, |world, lived, service| (0..8).map(|_| holds(world, lived, service)).sum());
}

impl Service {
    /// The first message of a watch that is resumed; none when none comes.
    fn first_message(
        &self,
        asked: &crate::model::question::QueryQuestion,
        after: usize,
        at: conspectus::model::timestamp::Timestamp,
    ) -> Option<conspectus::rpc::proto::WatchAggregateResponse> {
        use conspectus::rpc::proto::picture_service_server::PictureService as _;
        let query = conspectus::rpc::proto::QueryAggregateRequest { page_size: 0, ..crate::service::query(asked) };
        let request = conspectus::rpc::proto::WatchAggregateRequest {
            query: Some(query),
            after_revision: i64::try_from(after).unwrap(),
            after_time: Some(crate::model::timestamp(at)),
        };
        crate::service::wait(async {
            let stream = self.service().watch_aggregate(conspectus::rpc::local(request)).await;
            let mut stream = crate::service::answered(stream)?;
            let wait = std::time::Duration::from_millis(2);
            let message = tokio::time::timeout(wait, stream.next()).await.ok().flatten()?;
            Some(message.unwrap().decode().unwrap())
        })
    }
}
