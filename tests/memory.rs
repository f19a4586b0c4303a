//! What a submission takes of memory for good. Alone in its process, whose memory is looked at.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test's helpers may panic as the test itself may")]

#[path = "binary/memory.rs"]
mod memory;

use conspectus::access::Actor;
use conspectus::catalogue::CataloguePut;
use conspectus::entry::Entry;
use conspectus::intake::admit::{Command, Decision};
use conspectus::intake::basis::Basis;
use conspectus::intake::prepare::Prepared;
use conspectus::model::marker::Markers;
use conspectus::model::observation::{Breakdown, Measure, Observation, Value};
use conspectus::model::submission::Submission;
use conspectus::model::timestamp::Timestamp;
use conspectus::model::zone::UTC;
use conspectus::state::{Fold, State};
use memory::memory_bytes;

const NOW: Timestamp = Timestamp(1_780_000_000_000_000);
const AREAS: [&str; 3] = ["E10000014", "E06000046", "E06000045"];
/// Entries that are published together.
const GROUP_ENTRIES: u64 = 16;
const SUBMISSION_BYTES_MAX: u64 = 250;

fn resident_bytes() -> u64 {
    memory_bytes(std::process::id(), "VmRSS")
}

fn write(fold: &mut Fold, state: &State, command: &impl Command) {
    let decision = command.admit(&Basis::durable(state, NOW, &UTC)).unwrap();
    let Decision::Accept(body, _) = decision else { panic!("it is so already") };
    fold.apply(&Entry { at: NOW, actor: Actor::Local, body });
}

/// A submission of one figure, which differs from the one that it replaces, under an id as long as a UUID.
fn single(number: u64) -> Prepared {
    let at = |count: usize| usize::try_from(number).unwrap() % count;
    let observation = Observation {
        indicator: "missing-episodes".parse().unwrap(),
        area: AREAS[at(AREAS.len())].parse().unwrap(),
        period: format!("2022-{:02}", 1 + at(12)).parse().unwrap(),
        breakdown: Breakdown::default(),
        value: Value { measure: Some(Measure::Number(number.to_string().parse().unwrap())), markers: Markers::NONE },
        note: None,
        explanations: Vec::new(),
    };
    Prepared::new(Submission {
        agency: "hampshire-constabulary".parse().unwrap(),
        request_id: format!("{number:036x}").parse().unwrap(),
        source: "the daily feed".to_owned(),
        sample: false,
        reason: String::new(),
        return_id: None,
        observations: std::iter::once(observation).collect(),
    })
}

#[test]
fn a_submission_of_one_figure_takes_few_bytes_for_good() {
    let mut fold = Fold::default();
    let catalogue: CataloguePut = toml::from_str(include_str!("../data/catalogue.toml")).unwrap();
    write(&mut fold, &State::default(), &catalogue);
    let mut published = fold.state();
    let mut send = |numbers: std::ops::Range<u64>| {
        for number in numbers {
            write(&mut fold, &published, &single(number));
            if number % GROUP_ENTRIES == 0 {
                published = fold.state();
            }
        }
    };
    // By then the process has what it takes anyway.
    send(0..10_000);
    let before = resident_bytes();
    send(10_000..60_000);
    let each = (resident_bytes() - before) / 50_000;
    assert!(each <= SUBMISSION_BYTES_MAX, "{each} bytes each");
    assert_eq!(published.revision().0, 1 + 59_985);
}
