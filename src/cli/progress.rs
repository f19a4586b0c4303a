//! How far work on a large file is: on standard error, as a bar where that is a terminal, and otherwise as a line now
//! and then.

use std::borrow::Cow;
use std::fmt;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use super::output;
use crate::wording::number::thousands;

/// How often a line is written.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

/// A bar's line: what is done, how much of it, how fast, and how long it will take.
const WITH_END: &str = "{msg} {human_pos} of {human_len} figures, {rate} a second, {eta} left {wide_bar}";
const WITHOUT_END: &str = "{msg} {human_pos} figures, {rate} a second {spinner}";

/// How far it is.
pub(super) struct Progress {
    bar: ProgressBar,
    /// When the last line was written; none where there is a bar.
    last_line: Option<Instant>,
    start: Instant,
}

impl Progress {
    /// Progress of something that has an end, or whose end isn't known yet. Nothing is shown until it is [`Self::at`]
    /// somewhere.
    pub(super) fn new(what: impl Into<Cow<'static, str>>, end: Option<u64>) -> Self {
        let is_terminal = std::io::stderr().is_terminal();
        let target = if is_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let template = if end.is_some() { WITH_END } else { WITHOUT_END };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let style = style.with_key("rate", |state: &ProgressState, out: &mut dyn fmt::Write| {
            // A bar that can't be drawn is none.
            let _is_drawn = out.write_str(&thousands(&format!("{:.0}", state.per_sec())));
        });
        let bar = ProgressBar::with_draw_target(end, target).with_style(style).with_message(what);
        let start = Instant::now();
        Self { bar, last_line: (!is_terminal).then_some(start), start }
    }

    /// So many figures are done.
    pub(super) fn at(&mut self, figures: u64) {
        self.bar.set_position(figures);
        if let Some(last) = &mut self.last_line
            && last.elapsed() >= LINE_INTERVAL
        {
            *last = Instant::now();
            output::note(line(&self.bar.message(), figures, self.bar.length(), self.start.elapsed()));
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// A line that says how far it is after some time.
fn line(what: &str, figures: u64, end: Option<u64>, elapsed: Duration) -> String {
    let milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX).max(1);
    let rate = figures.saturating_mul(1_000) / milliseconds;
    let of = end.map(|end| format!(" of {}", thousands(&end.to_string()))).unwrap_or_default();
    let left = end.and_then(|end| end.saturating_sub(figures).checked_div(rate));
    let left = left.map(|seconds| format!(", about {seconds} s left")).unwrap_or_default();
    format!("{what} {}{of} figures, {} a second{left}", thousands(&figures.to_string()), thousands(&rate.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_how_far_it_is_how_fast_and_how_long_it_will_take() {
        let at = |figures, end, seconds| line("Sent", figures, end, Duration::from_secs(seconds));
        assert_eq!(
            at(1_000_000, Some(5_000_000), 10),
            "Sent 1,000,000 of 5,000,000 figures, 100,000 a second, about 40 s left"
        );
        assert_eq!(at(30_000, None, 10), "Sent 30,000 figures, 3,000 a second");
        assert_eq!(at(0, Some(5), 10), "Sent 0 of 5 figures, 0 a second");
        assert_eq!(at(5, Some(5), 0), "Sent 5 of 5 figures, 5,000 a second, about 0 s left");
    }
}
