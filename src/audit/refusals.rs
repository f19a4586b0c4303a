//! How many refusals get a line: whoever is refused must neither fill the disk nor hide somebody else's refusals.
//!
//! Each identity has a budget of its own, and all callers that nobody knows have one together. What goes beyond it is
//! counted, by caller and by reason, and a line every ten seconds says how many there were.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::line::{Event, Line};
use crate::model::timestamp::Timestamp;

/// How many lines a caller's refusals get in a second.
pub(super) const LINES_A_SECOND_MAX: u64 = 100;
/// How many they get in a row at that pace: a minute's. After that there is one a second, until they pause: a line
/// a second is some 35 MB a day.
pub(super) const LINES_IN_RESERVE_MAX: u64 = 60 * LINES_A_SECOND_MAX;
/// How often the others are counted in a line.
pub(super) const COUNT_EVERY: Duration = Duration::from_secs(10);
/// How many callers are told apart at once; those whose budget is whole are forgotten.
const CALLERS_MAX: usize = 10_000;
const MICROS_A_SECOND: i64 = 1_000_000;

/// The budgets, and the refusals that got no line.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// By identity; of all that aren't known, by none.
    budgets: BTreeMap<String, Budget>,
    /// By identity and reason.
    counts: BTreeMap<(String, String), u64>,
    /// When the newest of these was.
    at: Timestamp,
    /// When they were last written.
    counted: Option<Instant>,
}

#[derive(Debug)]
struct Budget {
    second: i64,
    /// The lines of that second.
    lines: u64,
    /// How many there may be besides.
    reserve: u64,
}

impl Budget {
    /// Brings it to a second.
    fn move_to(&mut self, second: i64) {
        if second != self.second {
            let seconds = u64::try_from(second.saturating_sub(self.second)).unwrap_or(0);
            self.reserve = self.reserve.saturating_add(seconds).min(LINES_IN_RESERVE_MAX);
            self.second = second;
            self.lines = 0;
        }
    }

    fn has_a_line(&mut self, second: i64) -> bool {
        self.move_to(second);
        let has = self.lines < LINES_A_SECOND_MAX && self.reserve > 0;
        self.lines += u64::from(has);
        self.reserve -= u64::from(has);
        has
    }
}

impl Refusals {
    /// Whether a refusal gets a line. Otherwise it is counted.
    pub(super) fn has_a_line(&mut self, at: Timestamp, line: &Line) -> bool {
        let second = at.0.div_euclid(MICROS_A_SECOND);
        if self.budgets.len() >= CALLERS_MAX && !self.budgets.contains_key(&line.identity) {
            self.budgets.retain(|_, budget| {
                budget.move_to(second);
                budget.reserve < LINES_IN_RESERVE_MAX
            });
        }
        let whole = || Budget { second, lines: 0, reserve: LINES_IN_RESERVE_MAX };
        let has = self.budgets.entry(line.identity.clone()).or_insert_with(whole).has_a_line(second);
        if !has {
            self.count(at, line);
        }
        has
    }

    /// Counts a refusal that gets no line.
    pub(super) fn count(&mut self, at: Timestamp, line: &Line) {
        *self.counts.entry((line.identity.clone(), line.outcome.clone())).or_default() += 1;
        self.at = self.at.max(at);
    }

    /// The lines that count the others, when it is time for them by the monotonic clock.
    pub(super) fn counts_if_due(&mut self) -> Vec<(Timestamp, Line)> {
        self.counts(Instant::now())
    }

    fn counts(&mut self, now: Instant) -> Vec<(Timestamp, Line)> {
        if self.counts.is_empty() {
            return Vec::new();
        }
        if now.duration_since(*self.counted.get_or_insert(now)) < COUNT_EVERY {
            return Vec::new();
        }
        self.counted = None;
        self.all_counts()
    }

    /// The same, whether it is time or not: nothing comes after.
    pub(super) fn all_counts(&mut self) -> Vec<(Timestamp, Line)> {
        let line = |((identity, outcome), count)| {
            let line = Line::without_call(Event::RefusedMore, format!("{count} more"));
            (self.at, Line { identity, outcome, ..line })
        };
        std::mem::take(&mut self.counts).into_iter().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(identity: &str, outcome: &str) -> Line {
        let line = Line::without_call(Event::Refused, String::new());
        Line { identity: identity.to_owned(), outcome: outcome.to_owned(), ..line }
    }

    #[test]
    fn a_flood_of_strangers_hides_no_refusal_of_somebody_who_is_known() {
        let mut refusals = Refusals::default();
        let at = Timestamp(7 * MICROS_A_SECOND);
        let lines = (0..10_000).filter(|_| refusals.has_a_line(at, &refusal("", "UNAUTHENTICATED"))).count();
        assert_eq!(lines as u64, LINES_A_SECOND_MAX);
        let insider = (0..50).filter(|_| refusals.has_a_line(at, &refusal("al", "PERMISSION_DENIED"))).count();
        assert_eq!(insider, 50);
        for _ in 0..80 {
            refusals.has_a_line(at, &refusal("al", "PURPOSE_MISSING"));
        }
        let counts = refusals.all_counts().into_iter();
        let counts: Vec<_> = counts.map(|(_, line)| (line.identity, line.outcome, line.scope)).collect();
        let count = |a: &str, b: &str, c: &str| (a.to_owned(), b.to_owned(), c.to_owned());
        assert_eq!(counts, [count("", "UNAUTHENTICATED", "9900 more"), count("al", "PURPOSE_MISSING", "30 more")]);
    }

    #[test]
    fn a_day_of_flood_by_one_caller_is_a_minute_of_lines_and_then_one_a_second() {
        let mut refusals = Refusals::default();
        let mut lines = 0;
        for second in 0..86_400 {
            for _ in 0..LINES_A_SECOND_MAX + 1 {
                let at = Timestamp(second * MICROS_A_SECOND);
                lines += u64::from(refusals.has_a_line(at, &refusal("", "UNAUTHENTICATED")));
            }
        }
        assert!((86_400..93_000).contains(&lines), "{lines}");
    }

    #[test]
    fn a_pause_however_long_is_good_for_a_minute_of_lines() {
        let mut refusals = Refusals::default();
        let mut lines = 0;
        refusals.has_a_line(Timestamp(0), &refusal("", "UNAUTHENTICATED"));
        for second in 100_000..100_000 + 100 {
            for _ in 0..LINES_A_SECOND_MAX {
                let at = Timestamp(second * MICROS_A_SECOND);
                lines += u64::from(refusals.has_a_line(at, &refusal("", "UNAUTHENTICATED")));
            }
        }
        assert!((LINES_IN_RESERVE_MAX..=LINES_IN_RESERVE_MAX + 100).contains(&lines), "{lines}");
    }

    #[test]
    fn a_clock_that_is_set_back_hides_no_refusal() {
        let mut refusals = Refusals::default();
        for second in [7_000, 5, 6] {
            let at = Timestamp(second * MICROS_A_SECOND);
            let lines = (0..LINES_A_SECOND_MAX).filter(|_| refusals.has_a_line(at, &refusal("al", "DENIED"))).count();
            assert_eq!(lines as u64, LINES_A_SECOND_MAX, "in second {second}");
        }
    }

    #[test]
    fn callers_whose_budget_is_whole_again_are_forgotten_when_there_are_too_many() {
        let mut refusals = Refusals::default();
        let mut refuse = |name: &str, second: usize| {
            let at = Timestamp(i64::try_from(second).unwrap() * MICROS_A_SECOND);
            refusals.has_a_line(at, &refusal(name, "DENIED"));
            refusals.budgets.len()
        };
        for caller in 0..CALLERS_MAX {
            assert_eq!(refuse(&format!("caller-{caller}"), caller), caller + 1);
        }
        for _ in 0..50 {
            refuse("caller-7", CALLERS_MAX);
        }
        assert_eq!(refuse("one more", CALLERS_MAX + 10), 2, "it, and who has used up some of its budget");
        assert_eq!(refusals.budgets["caller-7"].reserve, LINES_IN_RESERVE_MAX - 40);
    }

    #[test]
    fn what_got_no_line_is_counted_every_ten_seconds() {
        let mut refusals = Refusals::default();
        let start = Instant::now();
        let mut lines = Vec::new();
        for tenth in 0..600 {
            refusals.count(Timestamp(0), &refusal("", "UNAUTHENTICATED"));
            lines.extend(refusals.counts(start + Duration::from_millis(100) * tenth));
        }
        assert_eq!(lines.len(), 5);
        lines.extend(refusals.all_counts());
        let counted = lines.iter().map(|(_, line)| line.scope.strip_suffix(" more").unwrap().parse::<u32>().unwrap());
        assert_eq!(counted.sum::<u32>(), 600, "each once");
    }
}
