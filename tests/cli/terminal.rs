//! What a terminal is shown, and what a program reads.

use std::fs::File;
use std::io::Read;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::*;

/// What a command prints on a terminal of so many columns.
fn on_terminal(command: &mut Command, columns: u16) -> String {
    let own = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&own).unwrap();
    unlockpt(&own).unwrap();
    tcsetwinsize(&own, Winsize { ws_row: 40, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let path = ptsname(&own, Vec::new()).unwrap().into_string().unwrap();
    let end = File::options().read(true).write(true).open(path).unwrap();
    command.stdin(Stdio::null()).stdout(end.try_clone().unwrap()).stderr(end);
    let mut child = binary::Process(command.spawn().unwrap());
    // Once nobody has the other end, reading fails.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut printed = Vec::new();
    let ended = File::from(own).read_to_end(&mut printed);
    assert!(ended.is_err() || ended.is_ok_and(|bytes| bytes > 0));
    child.0.wait().unwrap();
    String::from_utf8(printed).unwrap().replace("\r\n", "\n")
}

/// In a terminal that can colour, unless the test says otherwise.
fn in_colour(command: &mut Command) -> &mut Command {
    // With CI, what prints is taken to have colour even where TERM is dumb.
    for name in ["CI", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "COLUMNS"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm")
}

const PICTURE: &str = "picture E10000014 FY2021-22 --indicator ed-attendances-safeguarding-flag";

#[test]
fn a_terminal_keeps_its_width_and_a_pipe_has_none() {
    let sender = Sender::start();
    let wide = sender.ask(PICTURE);
    let at = |columns: u16, set: Option<&str>| {
        let mut command = sender.demo.verb(PICTURE);
        let command = in_colour(&mut command).env("NO_COLOR", "1");
        let command = set.iter().fold(command, |command, columns| command.env("COLUMNS", columns));
        on_terminal(command, columns).trim_end().to_owned()
    };
    let width = |text: &str| text.lines().map(|line| line.chars().count()).max().unwrap();
    assert!(width(&wide) > 150, "{wide}");
    assert_eq!(at(500, None), wide);
    assert!((41..=80).contains(&width(&at(80, None))));
    assert!((21..=40).contains(&width(&at(40, None))));
    // COLUMNS comes first, where it says anything.
    assert!((21..=40).contains(&width(&at(500, Some("40")))));
    for nothing in ["", "0", "wide"] {
        assert_eq!(at(500, Some(nothing)), wide);
    }
    // What has no columns is taken for as wide as it needs, and so is a pipe, whatever COLUMNS says.
    assert_eq!(at(0, None), wide);
    let mut piped = sender.demo.verb(PICTURE);
    assert_eq!(printed(&piped.env("COLUMNS", "40").output().unwrap()), wide);
}

#[test]
fn only_a_terminal_that_wants_it_has_colour() {
    const ESCAPE: char = '\u{1b}';
    let sender = Sender::start();
    let partial = "\u{1b}[33m[x] [p] partial *\u{1b}[0m";
    let complaint = "\u{1b}[1m\u{1b}[31mconspectus:\u{1b}[0m area: found `E1`";
    for (verb, expected) in [(PICTURE, partial), ("picture E1 FY2021-22", complaint), ("picture --help", "\u{1b}[1m")] {
        let mut command = sender.demo.verb(verb);
        let coloured = on_terminal(in_colour(&mut command), 500);
        assert!(coloured.contains(expected), "{coloured}");
        for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb"), ("CLICOLOR", "0")] {
            let mut command = sender.demo.verb(verb);
            let plain = on_terminal(in_colour(&mut command).env(name, value), 500);
            assert!(!plain.contains(ESCAPE), "{name}: {plain}");
        }
        let mut command = sender.demo.verb(verb);
        let empty = on_terminal(in_colour(&mut command).env("NO_COLOR", ""), 500);
        assert_eq!(empty, coloured, "an empty NO_COLOR says nothing");
        let mut command = sender.demo.verb(verb);
        let piped = in_colour(&mut command).output().unwrap();
        assert!(![piped.stdout, piped.stderr].concat().contains(&(ESCAPE as u8)), "{verb}");
    }
}
