//! What is to be reached, by the keys under which it is measured.

use serde_json::{Value, json};

use crate::report::{Report, Section};

/// What a goal is about.
#[derive(Debug, Clone, Copy)]
enum Of {
    /// The figure itself.
    Value,
    /// The figure over what it is compared with, in the same run.
    Ratio,
    /// How many times better the figure is than what it is compared with, in the same run.
    Better,
}

#[derive(Debug, Clone, Copy)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

use Bound::{AtLeast, AtMost};
use Of::{Better, Ratio, Value as Itself};

#[derive(Debug, Clone, Copy)]
struct Goal {
    what: &'static str,
    section: Section,
    key: &'static str,
    of: Of,
    bound: Bound,
    /// The number of observations that it is set for; any where there is none.
    observations: Option<u64>,
}

const fn goal(what: &'static str, section: Section, key: &'static str, of: Of, bound: Bound) -> Goal {
    Goal { what, section, key, of, bound, observations: None }
}

const fn at(observations: u64, goal: Goal) -> Goal {
    Goal { observations: Some(observations), ..goal }
}

const M1: u64 = 1_000_000;
const M10: u64 = 10_000_000;
const M100: u64 = 100_000_000;

const GOALS: &[Goal] = &[
    goal("one observation, 64 at a time, of the echo", Section::Single, "senders_64_per_s", Ratio, AtLeast(0.5)),
    goal("one observation, 256 at a time, of the echo", Section::Single, "senders_256_per_s", Ratio, AtLeast(0.5)),
    goal(
        "one observation, 16 at a time, × PostgreSQL",
        Section::Peers,
        "postgresql_single_16_per_s",
        Better,
        AtLeast(1.5),
    ),
    goal(
        "one observation, 64 at a time, × PostgreSQL",
        Section::Peers,
        "postgresql_single_64_per_s",
        Better,
        AtLeast(3.0),
    ),
    goal("one observation, alone, p50, of echo + overwrite", Section::Single, "senders_1_p50_ms", Ratio, AtMost(1.4)),
    goal("one observation, alone, × PostgreSQL", Section::Peers, "postgresql_single_1_per_s", Better, AtLeast(1.0)),
    goal("1,000, 16 at a time, messages", Section::Large, "senders_16_obs_per_s", Itself, AtLeast(2e6)),
    goal(
        "1,000, 16 at a time, messages, × PostgreSQL",
        Section::Peers,
        "postgresql_many_16_obs_per_s",
        Better,
        AtLeast(8.0),
    ),
    goal("1,000, 16 at a time, columns", Section::Bulk, "columns_senders_16_obs_per_s", Itself, AtLeast(2.5e6)),
    goal("4 streams of messages", Section::Bulk, "streams_4_messages_obs_per_s", Itself, AtLeast(2.5e6)),
    goal("4 streams of columns", Section::Bulk, "streams_4_columns_obs_per_s", Itself, AtLeast(4e6)),
    goal(
        "4 streams of columns, × DuckDB loading a file",
        Section::Peers,
        "duckdb_bulk_obs_per_s",
        Better,
        AtLeast(0.8),
    ),
    goal("Q1 p50, of the echo", Section::Queries, "q1_p50_ms", Ratio, AtMost(1.5)),
    goal("Q4 p50, of the echo", Section::Queries, "q4_p50_ms", Ratio, AtMost(1.5)),
    goal("Q1, 16 at a time, of the echo", Section::Queries, "q1_senders_16_per_s", Ratio, AtLeast(0.6)),
    goal("Q4, 16 at a time, of the echo", Section::Queries, "q4_senders_16_per_s", Ratio, AtLeast(0.9)),
    goal("Q1 p50, × PostgreSQL", Section::Peers, "postgresql_q1_p50_ms", Better, AtLeast(1.0)),
    goal("Q4 p50, × PostgreSQL", Section::Peers, "postgresql_q4_p50_ms", Better, AtLeast(1.0)),
    goal("Q1, 16 at a time, × PostgreSQL", Section::Peers, "postgresql_q1_senders_16_per_s", Better, AtLeast(3.0)),
    goal("Q4, 16 at a time, × PostgreSQL", Section::Peers, "postgresql_q4_senders_16_per_s", Better, AtLeast(3.0)),
    at(M1, goal("Q2 in the engine", Section::Engine, "q2_us", Itself, AtMost(60.0))),
    at(M1, goal("Q3 in the engine", Section::Engine, "q3_us", Itself, AtMost(350.0))),
    at(M1, goal("Q2 p50", Section::Queries, "q2_p50_ms", Itself, AtMost(0.25))),
    at(M1, goal("Q3 p50", Section::Queries, "q3_p50_ms", Itself, AtMost(1.2))),
    at(M10, goal("Q2 p50", Section::Queries, "q2_p50_ms", Itself, AtMost(0.45))),
    at(M10, goal("Q3 p50", Section::Queries, "q3_p50_ms", Itself, AtMost(2.5))),
    goal("Q2 p50, × PostgreSQL", Section::Peers, "postgresql_q2_p50_ms", Better, AtLeast(4.0)),
    goal("Q3 p50, × PostgreSQL", Section::Peers, "postgresql_q3_p50_ms", Better, AtLeast(4.0)),
    goal("a figure at another level, of the plain", Section::NotPlain, "other_level_p50_ms", Ratio, AtMost(3.0)),
    goal("expected agencies, of the plain", Section::NotPlain, "expected_p50_ms", Ratio, AtMost(3.0)),
    goal("breakdowns, of the plain", Section::NotPlain, "breakdowns_p50_ms", Ratio, AtMost(3.0)),
    goal("rates, of the plain", Section::NotPlain, "rates_p50_ms", Ratio, AtMost(3.0)),
    goal("ranks, of the plain", Section::NotPlain, "ranks_p50_ms", Ratio, AtMost(3.0)),
    goal("shares, of the plain", Section::NotPlain, "shares_p50_ms", Ratio, AtMost(3.0)),
    goal("discrepancies, of the plain", Section::NotPlain, "discrepancies_p50_ms", Ratio, AtMost(3.0)),
    goal("as of an old revision, of the newest", Section::NotPlain, "as_of_old_p50_ms", Ratio, AtMost(3.0)),
    goal("a year with a gap, of one without", Section::NotPlain, "gap_p50_ms", Ratio, AtMost(3.0)),
    goal("a comparison, of the plain", Section::NotPlain, "comparison_p50_ms", Ratio, AtMost(3.0)),
    goal("Q1 p99 under load, of the echo's", Section::UnderLoad, "q1_p99_ms", Ratio, AtMost(1.5)),
    goal("Q2 p99 under load, of the echo's", Section::UnderLoad, "q2_p99_ms", Ratio, AtMost(1.5)),
    goal("Q3 p99 under load, of the echo's", Section::UnderLoad, "q3_p99_ms", Ratio, AtMost(1.5)),
    goal("Q4 p99 under load, of the echo's", Section::UnderLoad, "q4_p99_ms", Ratio, AtMost(1.5)),
    goal("Q1 p99 under load", Section::UnderLoad, "q1_p99_ms", Itself, AtMost(5.0)),
    goal("Q4 p99 under load", Section::UnderLoad, "q4_p99_ms", Itself, AtMost(5.0)),
    // A tenth is what two measurements of the same differ by.
    goal("as of the newest, of no revision named", Section::NotPlain, "as_of_newest_p50_ms", Ratio, AtMost(1.1)),
    goal("submissions when full, of those when empty", Section::Size, "last_obs_per_s", Ratio, AtLeast(0.8)),
    at(M10, goal("start to serving", Section::Size, "start_s", Itself, AtMost(1.5))),
    at(M100, goal("start to serving", Section::Size, "start_s", Itself, AtMost(15.0))),
    at(M10, goal("memory, received", Section::Size, "memory_received_bytes_per_obs", Itself, AtMost(36.0))),
    at(M10, goal("memory, replayed", Section::Size, "memory_replayed_bytes_per_obs", Itself, AtMost(36.0))),
    at(M10, goal("disk", Section::Size, "disk_bytes_per_obs", Itself, AtMost(8.0))),
    goal("memory of a single submission", Section::Size, "memory_single_bytes_per_submission", Itself, AtMost(250.0)),
    goal("CPU with the log on, of without", Section::Identities, "log_us", Ratio, AtMost(1.03)),
    goal("CPU with keys and audit, of without", Section::Identities, "keys_us", Ratio, AtMost(1.03)),
    // Shared is fewer than one each; tracing slows the reads down, so that fewer share one than otherwise.
    // The journal records how far the audit log has come: a sync more for each 1,000 reads.
    goal("an audited read, alone", Section::Identities, "read_syncs", Itself, AtMost(1.01)),
    goal("an audited read, 16 at a time", Section::Identities, "read_senders_16_syncs", Itself, AtMost(0.75)),
];

/// Every goal of this size: where it stands, and whether that is met. What wasn't measured has neither.
pub(crate) fn standings(report: &Report, observations: u64) -> Vec<Value> {
    let of_size = GOALS.iter().filter(|goal| goal.observations.is_none_or(|of| of == observations));
    let standing = |goal: &Goal| {
        let stands_at = match goal.of {
            Itself => report.median(goal.section, goal.key),
            Ratio => report.ratio(goal.section, goal.key),
            Better => report.times_better(goal.section, goal.key),
        };
        let (bound, is_met): (_, fn(f64, f64) -> bool) = match goal.bound {
            AtLeast(bound) => (json!({ "at_least": bound }), |found, bound| found >= bound),
            AtMost(bound) => (json!({ "at_most": bound }), |found, bound| found <= bound),
        };
        let (AtLeast(limit) | AtMost(limit)) = goal.bound;
        json!({
            "goal": goal.what,
            "figure": format!("{}.{}", goal.section.key(), goal.key),
            "of": match goal.of { Itself => "value", Ratio => "ratio", Better => "times better" },
            "unit": match goal.of { Itself => report.symbol(goal.section, goal.key), Ratio | Better => Some("×") },
            "bound": bound,
            "stands_at": stands_at,
            "met": stands_at.map(|found| is_met(found, limit)),
        })
    };
    of_size.map(standing).collect()
}
