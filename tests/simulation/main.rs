//! Simulates the write path: the writer, its journal, senders and readers, in one thread, from a seed that decides
//! on everything that happens: who runs next, what the journal does, when the clock jumps and when the process dies.
//!
//! This is deterministic simulation testing, as FoundationDB and TigerBeetle do it. The writer, its queue, its rules
//! for groups and times, the journal in memory, the state and the answers are those of the server. Simulated are the
//! clock, the disk's faults, and the order in which things happen. Whatever others may do at a moment, they may do in
//! the simulation too: wherever the writer asks for the time, stores a group or wakes somebody, the schedule may let
//! others run first, or end the process there.
//!
//! - `schedule`: the decisions, from a seed or as they were made before; `shrink` finds fewer that still fail.
//! - `run`, `life`: the process, from its first start to its last, and what each start must find.
//! - `world`: what happens next; `journal`: what happens around a sync; `met`: whether the schedules are wild enough.
//! - `sender`, `reader`: those that write, retry and give up, and those that hold what they have read.
//! - `log`, `rules`, `returns`: the reference model: which requests are stored at which revision, and the figures and
//!   returns that follow; what is allowed by them, and what each request then does.
//! - `invariants`, `answers`: what must hold at each step, and of each answer.
//! - `fixture`: the catalogue, and what is sent.
//!
//! `CONSPECTUS_SEEDS=100000` sets how many seeds are tried, `CONSPECTUS_SEED=1` the first. To see what a seed does,
//! run it again: `CONSPECTUS_SEED=4711 CONSPECTUS_SEEDS=1 cargo test --test simulation -- --nocapture`. A failure prints its
//! seed, what is wrong, and the shortest run that is still wrong.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic as the test itself may")]

mod answers;
mod fixture;
mod invariants;
mod journal;
mod life;
mod log;
mod met;
#[path = "../random/mod.rs"]
mod random;
mod reader;
#[path = "../returns/mod.rs"]
mod returns;
mod rules;
mod run;
mod schedule;
mod sender;
mod shrink;
mod world;

use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use met::Met;
use run::run;
use schedule::Schedule;

/// How many seeds are tried when nothing else is said.
const SEEDS: u64 = 2_000;

#[test]
fn whatever_happens_nothing_acknowledged_is_lost_and_nobody_reads_what_is_not_durable() {
    let number = |name| std::env::var(name).ok().map(|text: String| text.parse::<u64>().unwrap());
    let (first, count) = (number("CONSPECTUS_SEED").unwrap_or(1), number("CONSPECTUS_SEEDS").unwrap_or(SEEDS));
    match run_all(first..first + count) {
        Ok(met) => {
            println!("{count} seeds: {met:?}");
            let rare = met.rare(count);
            assert!(rare.is_empty(), "the schedules are too tame: {rare:?} of {met:?}");
        }
        Err(seed) => fail(seed),
    }
    if count == 1 {
        println!("{}", run(Schedule::from_seed(first).traced()).trace.join("\n"));
    }
}

/// Runs seeds, on as many threads as there are: what they met, or the first that fails.
fn run_all(seeds: Range<u64>) -> Result<Met, u64> {
    let (next, end, met) = (AtomicU64::new(seeds.start), AtomicU64::new(seeds.end), Mutex::new(Met::default()));
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end.load(Ordering::Relaxed) {
                return;
            }
            let ran = run(Schedule::from_seed(seed));
            met.lock().unwrap().add(&ran.met);
            if ran.wrong.is_some() {
                end.fetch_min(seed, Ordering::Relaxed);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(work);
        }
    });
    let reached = end.into_inner();
    if reached == seeds.end { Ok(met.into_inner().unwrap()) } else { Err(reached) }
}

/// Says what is wrong with a seed, and the shortest run that is still wrong.
fn fail(seed: u64) {
    let ran = run(Schedule::from_seed(seed));
    let smallest = shrink::smallest(ran.decisions, |decisions| run(Schedule::of(decisions)).wrong.is_some());
    let again = run(Schedule::of(smallest).traced());
    panic!("seed {seed}: {}\n\nthe shortest run:\n{}", ran.wrong.unwrap_or_default(), again.trace.join("\n"));
}

#[test]
fn a_seed_does_the_same_each_time_and_so_do_the_decisions_that_it_made() {
    for seed in 1..20 {
        let ran = run(Schedule::from_seed(seed).traced());
        assert!(ran.trace.len() > 20);
        assert_eq!(run(Schedule::from_seed(seed).traced()).trace, ran.trace);
        assert_eq!(run(Schedule::of(ran.decisions).traced()).trace, ran.trace);
    }
}
