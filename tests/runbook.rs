//! The operator's pages, as their readers follow them: the console blocks of each, typed into one shell in an empty
//! folder, in order, print what they say.
//!
//! `[..]` stands for anything in a line, a line `...` for any lines, and `? 3` for the exit status 3. What a page starts
//! in the background is ended after it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::env;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

/// What stands between what one command prints and the next.
const MARK: &str = "\u{1}";

/// How long a page may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A command of a page, the line that it stands on, what it prints and its exit status.
#[derive(Debug, Default, PartialEq, Eq)]
struct Step {
    line: usize,
    command: String,
    printed: Vec<String>,
    status: i32,
}

/// The commands of a page's console blocks.
fn steps(page: &str) -> Vec<Step> {
    let (mut steps, mut is_console) = (Vec::<Step>::new(), false);
    for (line, text) in page.lines().enumerate().map(|(at, text)| (at + 1, text.trim_end())) {
        let text = text.trim_start_matches("   ");
        match (is_console, text) {
            (false, _) => is_console = text == "```console",
            (true, "```") => is_console = false,
            (true, _) => {
                if let Some(command) = text.strip_prefix("$ ") {
                    steps.push(Step { line, command: command.to_owned(), ..Step::default() });
                    continue;
                }
                let step = steps.last_mut().expect("a block begins with a command");
                let more = text.strip_prefix("> ").filter(|_| step.printed.is_empty());
                if let Some(more) = more.filter(|_| step.command.ends_with('\\')) {
                    step.command = format!("{}{}", step.command.trim_end_matches('\\'), more.trim_start());
                } else if let Some(more) = more.filter(|_| step.command.contains("<<")) {
                    step.command = format!("{}\n{more}", step.command);
                } else if let Some(status) = text.strip_prefix("? ") {
                    step.status = status.parse().unwrap();
                } else {
                    step.printed.push(text.to_owned());
                }
            }
        }
    }
    steps
}

/// Whether what was printed is what a page says.
fn is_as_said(said: &[String], printed: &[&str]) -> bool {
    match said.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first == "..." => (0..=printed.len()).any(|at| is_as_said(rest, &printed[at..])),
        Some((first, rest)) => {
            printed.split_first().is_some_and(|(line, more)| is_line(first, line) && is_as_said(rest, more))
        }
    }
}

fn is_line(said: &str, printed: &str) -> bool {
    let Some((before, after)) = said.split_once("[..]") else { return said == printed.trim_end() };
    let Some(rest) = printed.strip_prefix(before) else { return false };
    rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| is_line(after, &rest[at..]))
}

/// Types a page's commands into a shell, and compares what they print.
fn follow(page: &str) {
    let text = std::fs::read_to_string(page).unwrap();
    let steps = steps(&text);
    assert!(!steps.is_empty(), "{page} has no commands");
    let mut script = "exec 2>&1\n".to_owned();
    for step in &steps {
        // In this shell, so that what a command sets stays set.
        writeln!(script, "{}\nprintf '\\n{MARK}%s\\n' $?", step.command).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_conspectus")).parent().unwrap().to_owned();
    let paths = env::split_paths(&env::var_os("PATH").unwrap()).collect::<Vec<_>>();
    let paths = env::join_paths([program].into_iter().chain(paths)).unwrap();
    let mut command = Command::new("sh");
    command.arg("-s").current_dir(folder.path()).env("PATH", paths).env("CONSPECTUS_LOG", "warn");
    for name in ["CONSPECTUS_DATA", "CONSPECTUS_SERVER", "CONSPECTUS_KEY", "CONSPECTUS_PURPOSE"] {
        command.env_remove(name);
    }
    command.env("PAGES", env!("CARGO_MANIFEST_DIR"));
    let mut shell = command.process_group(0).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let group = Pid::from_child(&shell);
    let mut stdin = shell.stdin.take().unwrap();
    stdin.write_all(script.as_bytes()).unwrap();
    drop(stdin);
    // What is started in the background and prints here would be waited for.
    let (ended, has_ended) = mpsc::channel::<()>();
    let watch = thread::spawn(move || {
        let is_late = has_ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Timeout);
        let _ = kill_process_group(group, Signal::KILL);
        is_late
    });
    let mut printed = String::new();
    shell.stdout.take().unwrap().read_to_string(&mut printed).unwrap();
    drop(ended);
    assert!(!watch.join().unwrap(), "{page}: not done after {PATIENCE:?}: {printed}");
    drop(shell.wait());
    let mut rest = printed.as_str();
    let mut wrong = String::new();
    for step in &steps {
        let (found, after) =
            rest.split_once(MARK).unwrap_or_else(|| panic!("{page}, line {}: the shell ended: {rest}", step.line));
        let (status, after) = after.split_once('\n').unwrap_or((after, ""));
        rest = after;
        let lines: Vec<&str> = found.strip_suffix('\n').unwrap_or(found).lines().collect();
        let lines = lines.strip_suffix(&[""]).unwrap_or(&lines);
        if status != step.status.to_string() || !is_as_said(&step.printed, lines) {
            let (said, lines) = (step.printed.join("\n"), lines.join("\n"));
            writeln!(
                wrong,
                "{page}, line {}: {}\n--- said, with status {}\n{said}\n--- found, with status {status}\n{lines}\n",
                step.line, step.command, step.status
            )
            .unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn the_page_about_backups_goes_as_it_says() {
    follow("docs/backups.md");
}

#[test]
fn the_tasks_of_the_runbook_go_as_it_says() {
    follow("docs/runbook.md");
}

#[test]
fn a_page_is_compared_with_what_is_printed() {
    let said = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    for (page, printed, is_same) in [
        (&["a [..] c"][..], &["a b c"][..], true),
        (&["a [..] c"], &["a b d"], false),
        (&["..."], &[], true),
        (&["a", "...", "z"], &["a", "b", "c", "z"], true),
        (&["a", "...", "z"], &["a", "b", "c"], false),
        (&["[..]a[..]"], &["bab"], true),
        (&[], &["a"], false),
        (&["a"], &[], false),
    ] {
        assert_eq!(is_as_said(&said(page), printed), is_same, "{page:?} {printed:?}");
    }
    let page = "text\n```console\n$ one \\\n>   two\nprinted\n? 3\n$ three\n```\n$ not this\n";
    let step = |line, command: &str, printed: &[&str], status| Step {
        line,
        command: command.to_owned(),
        printed: said(printed),
        status,
    };
    assert_eq!(steps(page), [step(3, "one two", &["printed"], 3), step(7, "three", &[], 0)]);
}
