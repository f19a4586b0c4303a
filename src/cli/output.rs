//! Standard output and standard error: all that the command line prints passes here.
//!
//! `println!` panics once its reader has gone, as after `| head`. Here that is
//! [`Failure::OutputClosed`], on which the program ends quietly.

use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, Write};

use anstyle::{AnsiColor, Style};

use super::failure::Failure;
use super::printout::Printout;
use super::terminal::{self, Terminal};
use crate::model::text::visible_lines;

/// As the library has `error:` before a usage error.
const PROBLEM: Style = AnsiColor::Red.on_default().bold();

/// Writes a text to standard output, all of it before this returns.
///
/// # Errors
/// [`Failure::OutputClosed`] when nobody reads it any more; any other error of the system as a message.
pub(super) fn print(text: impl Display) -> Result<(), Failure> {
    write(io::stdout().lock(), text)
}

/// Writes what is for people, as [`print`] does, laid out for the terminal if it is one.
pub(super) fn show(printout: &Printout) -> Result<(), Failure> {
    print(printout.laid_out(Terminal::of_stdout()))
}

/// Writes lines for people, as [`show`] does. What else of them can't be seen is shown by its number:
/// texts in them are others'.
pub(super) fn print_text(text: &str) -> Result<(), Failure> {
    show(&text.into())
}

/// Writes a text and a line break to standard output, as [`print`] does.
pub(super) fn print_line(text: impl Display) -> Result<(), Failure> {
    print(format_args!("{text}\n"))
}

/// Writes lines for people to standard error, as [`print_text`] shows them, if that can be written to: there is nowhere else to say it.
pub(super) fn note(line: impl Display) {
    drop(write(io::stderr().lock(), format_args!("{}\n", visible_lines(&line.to_string()))));
}

/// Writes to standard error why the program ends early, as [`note`] does, with its name in colour where there is colour.
pub(super) fn complain(message: &str) {
    let name = if terminal::has_colour(&io::stderr()) {
        format!("{PROBLEM}conspectus:{PROBLEM:#}")
    } else {
        "conspectus:".to_owned()
    };
    drop(write(io::stderr().lock(), format_args!("{name} {}\n", visible_lines(message))));
}

fn write(to: impl Write, text: impl Display) -> Result<(), Failure> {
    // Standard output itself writes line by line.
    let mut buffered = BufWriter::new(to);
    write!(buffered, "{text}").and_then(|()| buffered.flush()).map_err(|error| {
        if error.kind() == ErrorKind::BrokenPipe {
            Failure::OutputClosed
        } else {
            Failure::failed(format!("can't write to standard output: {error}"))
        }
    })
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    /// Takes so many bytes, and then fails.
    struct Full(usize, ErrorKind);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            if taken == 0 { Err(self.1.into()) } else { Ok(taken) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_text_has_been_written_when_it_returns() {
        let (mut reader, writer) = io::pipe().unwrap();
        write(writer, format_args!("{}\n{}", "a table", 2)).unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "a table\n2");
    }

    #[test]
    fn a_reader_that_has_gone_is_no_error() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        assert!(matches!(write(writer, "a table\n"), Err(Failure::OutputClosed)));
        assert!(matches!(write(Full(3, ErrorKind::BrokenPipe), "a table\n"), Err(Failure::OutputClosed)));
    }

    #[test]
    fn any_other_error_is_a_failure() {
        let result = write(Full(3, ErrorKind::StorageFull), "a table\n");
        assert!(
            matches!(result, Err(Failure::Message(_, text)) if text.starts_with("can't write to standard output: "))
        );
    }
}
