//! What standard output and standard error are: a terminal of a certain width, with colour or without, or something that
//! a program reads.

use std::io::{self, IsTerminal};

use anstream::{AutoStream, ColorChoice, stream::RawStream};

/// A narrower terminal is taken for one of so many columns.
const COLUMNS_MIN: usize = 20;

/// How text for people is laid out. The default is for what isn't a terminal: no width is assumed, and nothing is coloured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Terminal {
    /// How many columns a line may have; any number when there is none.
    pub(super) columns: Option<usize>,
    pub(super) has_colour: bool,
}

impl Terminal {
    /// What standard output is. Its width is that of `COLUMNS` where that is set, as POSIX has it; but only on a terminal:
    /// a variable must not change what a program reads.
    pub(super) fn of_stdout() -> Self {
        let stdout = io::stdout();
        let asked = || columns(std::env::var("COLUMNS").ok()?.parse().ok()?);
        let own = || columns(terminal_size::terminal_size_of(io::stdout())?.0.0.into());
        let width = if stdout.is_terminal() { asked().or_else(own) } else { None };
        Self { columns: width, has_colour: has_colour(&stdout) }
    }
}

/// A width that a terminal can have: some say that they have no columns.
fn columns(count: usize) -> Option<usize> {
    if count == 0 { None } else { Some(count.max(COLUMNS_MIN)) }
}

/// Whether what is written there may be coloured: it is a terminal that can, and neither `NO_COLOR` nor `CLICOLOR=0` is
/// set. The library's answer, as for the help and the usage errors.
pub(super) fn has_colour(stream: &impl RawStream) -> bool {
    match AutoStream::choice(stream) {
        ColorChoice::Never => false,
        ColorChoice::Auto | ColorChoice::AlwaysAnsi | ColorChoice::Always => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_without_columns_has_no_width_and_a_narrow_one_the_least() {
        assert_eq!([0, 1, 19, 20, 21].map(columns), [None, Some(20), Some(20), Some(20), Some(21)]);
    }
}
