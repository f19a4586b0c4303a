//! Fewer and plainer decisions that still fail.

/// How many runs it may take.
const RUNS_MAX: usize = 5_000;

/// Leaves out runs of decisions, long ones first, and makes those that are left plainer, for as long as that helps.
pub(crate) fn smallest(mut decisions: Vec<u32>, fails: impl Fn(Vec<u32>) -> bool) -> Vec<u32> {
    let mut runs = 0;
    let mut still_fails = |smaller: &Vec<u32>| {
        runs += 1;
        runs < RUNS_MAX && fails(smaller.clone())
    };
    loop {
        let before = decisions.clone();
        let mut length = decisions.len();
        while length > 0 {
            let mut end = decisions.len();
            while end > 0 {
                let start = end.saturating_sub(length);
                let smaller = [&decisions[..start], &decisions[end..]].concat();
                if still_fails(&smaller) {
                    decisions = smaller;
                }
                end = start;
            }
            length /= 2;
        }
        for at in 0..decisions.len() {
            for plainer in [0, decisions[at] / 2, decisions[at].saturating_sub(1)] {
                if plainer < decisions[at] {
                    let mut smaller = decisions.clone();
                    smaller[at] = plainer;
                    if still_fails(&smaller) {
                        decisions = smaller;
                    }
                }
            }
        }
        if decisions == before {
            return decisions;
        }
    }
}

#[test]
fn what_is_left_is_needed() {
    let decisions = (0..200).map(|n| n % 9).collect();
    let smallest = smallest(decisions, |it| it.iter().filter(|n| **n >= 5).count() >= 3 && it.contains(&7));
    assert_eq!(smallest, [5, 5, 7]);
}
