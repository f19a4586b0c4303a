//! The audit log over many files: closed while the server runs, searched, and shipped elsewhere.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use conspectus::audit::{self, SegmentLimits};
use conspectus::rpc::proto::GetPictureRequest;
use conspectus::server::Config;

use crate::app::{HAMPSHIRE, TestApp, TestClock};
use crate::binary::command;
use crate::identities::{self, by};

const ISLE_OF_WIGHT: &str = "E06000046";
/// Long enough for a machine that is busy.
const LOOKS: Duration = Duration::from_secs(30);

/// A server that closes a file of its log after a few lines.
async fn with_small_files() -> TestApp {
    let mut app = TestApp::seeded(identities::seed).await;
    let audit_segments = SegmentLimits { bytes_max: 2_000, ..SegmentLimits::default() };
    app.restart_as(|_| {}, |config| Config { audit_segments, ..config }).await;
    app
}

async fn read(app: &TestApp, area: &str) {
    let request =
        GetPictureRequest { area: area.to_owned(), period: "FY2021-22".to_owned(), ..GetPictureRequest::default() };
    app.pictures().get_picture(by("analyst", request)).await.unwrap();
}

/// All files of the log, one after the other: their names sort as their lines do, before that of the newest.
fn whole(folder: &Path) -> String {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries.filter(|path| path.extension().is_some_and(|it| it == "log")).collect();
    files.sort_by_key(|path| (path.ends_with(audit::FILE_NAME), path.clone()));
    assert!(files.len() > 3, "{files:?}");
    files.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// What `audit` prints, and what it says beside.
fn audit(folder: &Path, args: &[&str]) -> (String, String) {
    let output = command().arg("audit").arg("--data").arg(folder).args(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    assert!(output.status.success(), "{args:?}: {}", text(output.stderr));
    (text(output.stdout), text(output.stderr))
}

/// A shipper that goes on after a line, and the whole lines that it takes.
fn shipper(folder: &Path, after: usize) -> (Child, Receiver<String>) {
    let mut child = command()
        .args(["audit", "--follow", "--json", "--after", &after.to_string(), "--data"])
        .arg(folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut printed = BufReader::new(child.stdout.take().unwrap());
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        while printed.read_line(&mut line).is_ok_and(|bytes| bytes > 0) && line.ends_with('\n') {
            sender.send(std::mem::take(&mut line)).unwrap();
        }
    });
    (child, lines)
}

#[tokio::test]
async fn a_shipper_that_is_killed_and_goes_on_has_every_line_once_over_many_files() {
    let mut app = with_small_files().await;
    let mut shipped: Vec<String> = Vec::new();
    for round in 1..=4 {
        let (mut child, lines) = shipper(app.folder(), shipped.len());
        for _ in 0..10 {
            read(&app, HAMPSHIRE).await;
        }
        for _ in 0..3 * round {
            shipped.push(lines.recv_timeout(LOOKS).unwrap());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        shipped.extend(lines);
    }
    app.stop().await;
    let expected = whole(app.folder());
    let (mut child, lines) = shipper(app.folder(), shipped.len());
    while shipped.len() < expected.lines().count() {
        shipped.push(lines.recv_timeout(LOOKS).unwrap());
    }
    assert!(lines.recv_timeout(Duration::from_millis(600)).is_err(), "there are no more");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(shipped.concat(), expected);
}

#[tokio::test]
async fn a_shipper_ends_when_nobody_takes_its_lines_and_refuses_to_go_on_after_a_line_that_is_not_there() {
    let app = with_small_files().await;
    read(&app, HAMPSHIRE).await;
    let follow = |after: &str| {
        let mut command = command();
        command.args(["audit", "--follow", "--json", "--after", after, "--data"]).arg(app.folder());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut child = follow("0");
    child.stdout.take().unwrap().read_exact(&mut [0]).unwrap();
    let ended = async {
        loop {
            read(&app, HAMPSHIRE).await;
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
        }
    };
    assert!(tokio::time::timeout(LOOKS, ended).await.unwrap().success());
    let refused = follow("1000000").wait_with_output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("has no line 1000000"), "{said}");
}

#[tokio::test]
async fn who_read_what_of_an_area_is_found_over_all_files_and_files_of_other_times_are_not_read() {
    let mut app = with_small_files().await;
    for n in 0..20 {
        read(&app, if n % 5 == 0 { ISLE_OF_WIGHT } else { HAMPSHIRE }).await;
    }
    app.stop().await;
    let folder = app.folder();
    let count = |args: &[&str]| audit(folder, &[&["--json"], args].concat()).0.lines().count();
    assert_eq!(count(&["--area", ISLE_OF_WIGHT]), 4);
    assert_eq!(count(&["--area", HAMPSHIRE, "--identity", "analyst", "--method", "GetPicture"]), 16);
    assert_eq!(count(&["--area", "E1000001"]), 0, "that is the beginning of Hampshire's code");
    assert_eq!(count(&["--event", "read"]), 20);
    assert_eq!(count(&["--purpose", "no such purpose"]), 0);
    assert_eq!(count(&["--event", "read", "--since", "2000-01-01"]), 20);
    let files = whole(folder).matches("\"event\":\"closed\"").count() + 1;
    assert_eq!(count(&["--event", "closed"]), files - 1);
    let (listed, said) = audit(folder, &["--until", "2000-01-01"]);
    assert_eq!(listed, "");
    assert!(said.contains(&format!("None of {files} was read: --verify reads all")), "{said}");
    let (_, said) = audit(folder, &["--verify"]);
    let lines = whole(folder).lines().count();
    let verified = format!("{lines} lines in {files} files, none changed. Chain hash");
    assert!(said.lines().any(|line| line.starts_with(&verified)), "{said}");
    let wrong = command().args(["audit", "--since", "March", "--data"]).arg(folder).output().unwrap();
    let said = String::from_utf8(wrong.stderr).unwrap();
    assert!(said.contains("allowed: a date such as 2026-03-01, from midnight UTC, or an instant"), "{said}");
}

fn prune(folder: &Path, args: &[&str]) -> (bool, String, String) {
    let output = command().args(["audit", "prune"]).args(args).env("CONSPECTUS_DATA", folder).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.success(), text(output.stdout), text(output.stderr))
}

fn closed_files(folder: &Path) -> usize {
    fs::read_dir(folder)
        .unwrap()
        .filter(|it| it.as_ref().unwrap().path().to_string_lossy().contains("/audit-0"))
        .count()
}

fn has_line_1(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().any(|it| it.unwrap().path().to_string_lossy().contains("/audit-000000000001-"))
}

#[tokio::test]
async fn old_files_are_deleted_by_an_operators_rule_alone_and_the_log_says_so() {
    let mut app = with_small_files().await;
    for _ in 0..20 {
        read(&app, HAMPSHIRE).await;
    }
    let folder = app.folder().to_owned();
    app.stop().await;
    // All lines are from before now.
    let now = jiff::Timestamp::now().to_string();
    let all = ["--before", now.as_str()];
    let before = closed_files(&folder);
    let (is_done, _, said) = prune(&folder, &["--keep-days", "30", "--yes"]);
    assert!(is_done && said.contains("nothing is deleted"), "{said}");
    let (is_done, listed, said) = prune(&folder, &all);
    assert!(is_done && said.contains("With --yes these are deleted: lines 1 to "), "{said}");
    assert_eq!((listed.lines().count(), closed_files(&folder)), (before, before));
    let (is_done, listed, said) = prune(&folder, &[&all[..], &["--yes"]].concat());
    assert!(is_done && said.contains("Deleted lines 1 to "), "{said}");
    assert_eq!((listed.lines().count(), closed_files(&folder)), (before, 0));
    let (_, said) = audit(&folder, &["--verify"]);
    assert!(said.contains("Lines 1 to ") && said.contains("conspectus audit prune --before 20"), "{said}");
    let (is_done, _, said) = prune(&folder, &[]);
    assert!(!is_done && said.contains("--before <TIME>|--keep-days <DAYS>"), "{said}");

    // What is left goes on.
    app.restart_as(|_| {}, |config| config).await;
    read(&app, HAMPSHIRE).await;
    app.stop().await;
    audit(&folder, &["--verify"]);
}

#[tokio::test]
async fn a_server_deletes_what_is_older_than_it_is_to_keep() {
    let mut app = with_small_files().await;
    for _ in 0..20 {
        read(&app, HAMPSHIRE).await;
    }
    app.stop().await;
    let folder = app.folder().to_owned();
    assert!(has_line_1(&folder));
    let later = TestClock::at("2099-01-01T00:00:00Z").clock();
    app.restart_as(|_| {}, |config| Config { audit_keep_days: Some(30), clock: later, ..config }).await;
    let deleted = async {
        while has_line_1(&folder) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(LOOKS, deleted).await.unwrap();
    app.stop().await;
    let (_, said) = audit(&folder, &["--verify"]);
    assert!(said.contains("are deleted: serve --audit-keep-days 30"), "{said}");
}
