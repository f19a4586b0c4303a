//! Files of more figures than one submission may have, sent in parts by the real binary to a real server, with either of
//! them killed in the middle.
//!
//! A part has 100 figures here, so that a small file has many. `CONSPECTUS_KILLS=100` for a long run.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic as the test itself may")]

mod binary;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use binary::{Process, Server, command};
use conspectus::rpc::client::submission_service_client::SubmissionServiceClient;
use conspectus::rpc::proto::ListSubmissionsRequest;

const AGENCY: &str = "police";
const PART_FIGURES: usize = 100;
const INDICATORS: usize = 4;
const AREAS: usize = 20;
const MONTHS: usize = 24;

/// Whether an indicator's figures are ratios.
fn is_ratio(indicator: usize) -> bool {
    indicator == 3
}

fn catalogue() -> String {
    let mut text = String::new();
    for area in 0..AREAS {
        writeln!(text, "[[areas]]\ncode = \"E{}\"\nname = \"Area {area}\"\nlevel = \"upper-tier\"", 10_000_000 + area)
            .unwrap();
        writeln!(text, "parents = [{{ code = \"ALL\" }}]").unwrap();
    }
    let areas: Vec<String> = (0..AREAS).map(|area| format!("\"E{}\"", 10_000_000 + area)).collect();
    for indicator in 0..INDICATORS {
        let kind = if is_ratio(indicator) { "ratio" } else { "events" };
        writeln!(
            text,
            "[[indicators]]\nid = \"count-{indicator}\"\ntitle = \"Count {indicator}\"\ndefinition = \"Cases.\"\n\
             kind = \"{kind}\"\nunit = \"cases\"\ndecimals = 1\nfrequency = \"month\"\nacross_agencies = \"add\"\n\
             reporting_level = \"upper-tier\"\ndue_days = 30\nexpected_agencies = [{{ agency = \"{AGENCY}\" }}]"
        )
        .unwrap();
    }
    format!(
        "[[areas]]\ncode = \"ALL\"\nname = \"All\"\nlevel = \"partnership\"\n{text}[[agencies]]\nid = \"{AGENCY}\"\n\
         name = \"Police\"\nsector = \"police\"\nareas = [{}]\n",
        areas.join(", ")
    )
}

/// The rows of a file with every figure once.
fn rows() -> Vec<String> {
    let mut rows = Vec::new();
    for indicator in 0..INDICATORS {
        for month in 0..MONTHS {
            for area in 0..AREAS {
                let number = rows.len() * 7 % 90 + 1;
                let measure = if is_ratio(indicator) { format!(",{number},100") } else { format!("{number},,") };
                let period = format!("{}-{:02}", 2013 + month / 12, month % 12 + 1);
                rows.push(format!("count-{indicator},E{},{period},{measure}", 10_000_000 + area));
            }
        }
    }
    rows
}

fn file(rows: &[String]) -> String {
    format!("indicator,area,period,value,numerator,denominator\n{}\n", rows.join("\n"))
}

/// For each indicator the sum of its numbers, or of its numerators.
fn sums(rows: &[String]) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for row in rows {
        let cells: Vec<&str> = row.split(',').collect();
        let number: u64 = cells[3].parse().or_else(|_| cells[4].parse()).unwrap();
        *sums.entry(cells[0].to_owned()).or_default() += number;
    }
    sums
}

/// A server with the catalogue, and a folder with the file.
struct World {
    server: Server,
    address: String,
    folder: tempfile::TempDir,
}

impl World {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::start(&folder.path().join("data")).await.unwrap();
        let world = Self { address: server.address().to_string(), server, folder };
        std::fs::write(world.path("catalogue.toml"), catalogue()).unwrap();
        let put = world.verb(&["catalogue", "put"]).arg(world.path("catalogue.toml")).output().unwrap();
        assert!(put.status.success(), "{}", said(&put));
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn verb(&self, args: &[&str]) -> Command {
        let mut command = command();
        command.args(args).env("CONSPECTUS_SERVER", format!("http://{}", self.address));
        command.current_dir(self.folder.path());
        command
    }

    fn submit(&self, rows: &[String], options: &[&str]) -> Command {
        std::fs::write(self.path("figures.csv"), file(rows)).unwrap();
        let mut command = self.verb(&["submit", "figures.csv", "--agency", AGENCY]);
        command.args(["--part-figures", &PART_FIGURES.to_string()]).args(options);
        command
    }

    /// Runs it to its end: what it says.
    fn submitted(&self, rows: &[String], options: &[&str]) -> String {
        said(&self.submit(rows, options).output().unwrap())
    }

    /// How many submissions there are, and how many figures they have together.
    async fn submissions(&self) -> (usize, usize) {
        let request = ListSubmissionsRequest { page_size: 1_000, ..ListSubmissionsRequest::default() };
        let mut client = SubmissionServiceClient::new(self.server.channel.clone());
        let all = client.list_submissions(request).await.unwrap().into_inner().submissions;
        let figures = all.iter().map(|one| usize::try_from(one.observation_count).unwrap()).sum();
        (all.len(), figures)
    }

    /// For each indicator what the server adds up: its numbers, or its numerators.
    fn sums(&self) -> BTreeMap<String, u64> {
        let sum = |indicator: usize| {
            let id = format!("count-{indicator}");
            let mut query = self.verb(&[
                "query",
                "--indicator",
                &id,
                "--area",
                "ALL",
                "--from",
                "2013-01",
                "--to",
                "2014-12",
                "--csv",
            ]);
            let output = query.output().unwrap();
            assert!(output.status.success(), "{}", said(&output));
            let mut csv = csv::Reader::from_reader(output.stdout.as_slice());
            let heading = if is_ratio(indicator) { "numerator" } else { "value" };
            let column = csv.headers().unwrap().iter().position(|it| it == heading).unwrap();
            (id, csv.records().next().unwrap().unwrap()[column].trim_end_matches(".0").parse().unwrap())
        };
        (0..INDICATORS).map(sum).collect()
    }

    async fn assert_has(&self, rows: &[String]) {
        assert_eq!(self.submissions().await, (rows.len().div_ceil(PART_FIGURES), rows.len()));
        assert_eq!(self.sums(), sums(rows));
    }
}

/// What was printed, or the refusal after its exit code.
fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    match output.status.code() {
        Some(0) => text(&output.stdout),
        code => format!("{code:?}: {}", text(&output.stderr)),
    }
}

/// Runs a command to its end: what it says.
fn said_by(command: &mut Command) -> String {
    said(&command.output().unwrap())
}

/// Starts a command and waits until it has said that so many parts were received.
fn started(command: &mut Command, parts: usize) -> Process {
    let mut process = Process(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let printed = BufReader::new(process.0.stdout.take().unwrap());
    assert_eq!(printed.lines().take(parts).count(), parts);
    process
}

#[tokio::test]
async fn a_large_file_arrives_whole_and_once_however_often_its_sender_is_killed() {
    let kills: usize = std::env::var("CONSPECTUS_KILLS").map_or(5, |kills| kills.parse().unwrap());
    let (world, rows) = (World::start().await, rows());
    let parts = rows.len().div_ceil(PART_FIGURES);
    for kill in 0..kills {
        // Each time it is answered for what it sent before, and killed somewhere else.
        drop(started(&mut world.submit(&rows, &["--json"]), 1 + kill * 7 % parts));
    }
    let said = world.submitted(&rows, &[]);
    assert!(said.contains(": 1,920 new, 0 revised, 0 unchanged"), "{said}");
    assert!(said.ends_with("` is complete"), "{said}");
    world.assert_has(&rows).await;
    let again = world.submitted(&rows, &[]);
    assert!(again.starts_with("Already received in 20 parts, at revisions 2 to 21: 1,920 new"), "{again}");
    world.assert_has(&rows).await;
    let returns = said_by(&mut world.verb(&["return", "list", "--csv"]));
    let lines: Vec<&str> = returns.lines().collect();
    assert_eq!(lines.len(), 2, "{returns}");
    assert!(lines[1].starts_with("police,file-") && lines[1].ends_with(",true,20,1920,2,22"), "{returns}");
}

#[tokio::test]
async fn a_sender_goes_on_by_itself_when_the_server_is_killed_and_comes_back() {
    let (mut world, rows) = (World::start().await, rows());
    let mut sender = started(&mut world.submit(&rows, &["--json"]), 3);
    let data = world.path("data");
    world.server.kill();
    world.server = Server::start_at(&data, &world.address, &[]).await.unwrap();
    assert!(sender.0.wait().unwrap().success());
    world.assert_has(&rows).await;
}

#[tokio::test]
async fn every_receipt_of_a_large_file_is_kept_and_verified() {
    let (world, rows) = (World::start().await, rows());
    world.submitted(&rows, &["--receipt", "receipts.toml"]);
    let verify = |world: &World| said(&world.verb(&["receipt", "verify", "receipts.toml"]).output().unwrap());
    assert_eq!(verify(&world), "The journal has all 20: revisions 2 to 21.");
    let kept = std::fs::read_to_string(world.path("receipts.toml")).unwrap();
    assert_eq!(kept.matches("[[part]]").count(), 20);
    std::fs::write(world.path("receipts.toml"), kept.replace("revision = 9\n", "revision = 8\n")).unwrap();
    assert!(
        verify(&world).starts_with("Some(3): conspectus: the journal doesn't have it: it has revision 9 with receipt ")
    );
    std::fs::write(world.path("receipts.toml"), kept).unwrap();
    let data = world.path("data").to_str().unwrap().to_owned();
    world.server.terminate().await;
    let verified =
        command().args(["receipt", "verify", "--data", &data]).arg(world.folder.path().join("receipts.toml")).output();
    assert_eq!(said(&verified.unwrap()), "The journal has all 20: revisions 2 to 21.");
}

#[tokio::test]
async fn nothing_of_a_large_file_is_sent_while_something_of_it_cannot_be_read() {
    let world = World::start().await;
    let mut wrong = rows();
    wrong[1_500] = "count-3,E10000000,2013,,1,2".to_owned();
    wrong[1_700] = wrong[5].clone();
    let said = world.submitted(&wrong, &[]);
    assert!(
        said.starts_with("Some(3): conspectus: row 1502, column period (C): found `2013`, not a reference period"),
        "{said}"
    );
    wrong[1_500] = rows()[1_500].clone();
    assert_eq!(
        world.submitted(&wrong, &[]),
        "Some(3): conspectus: row 1702: the same figure as row 7: `count-0`, E10000005, 2013-01"
    );
    assert_eq!(world.submissions().await, (0, 0));
}

#[tokio::test]
async fn what_the_server_refuses_of_a_part_is_reported_by_row_and_column_and_the_rest_is_only_checked() {
    let world = World::start().await;
    let mut wrong = rows();
    for row in [450, 1_250] {
        wrong[row] = wrong[row].replace("count-", "cuont-");
    }
    let dry = world.submitted(&wrong, &["--dry-run"]);
    let problem = |row: usize, of: usize| {
        format!(
            "row {row}, column indicator (A): found `cuont-{of}`; there is no such indicator in the catalogue; did you mean `count-{of}`?"
        )
    };
    let problems =
        format!("Some(3): conspectus: 2 problems in figures.csv:\n  {}\n  {}\n", problem(452, 0), problem(1_252, 2));
    assert_eq!(dry, format!("{problems}Nothing was stored"));
    let said = world.submitted(&wrong, &[]);
    assert!(said.starts_with(&problems), "{said}");
    assert!(said.ends_with(" were received, and stay; nothing of the others was stored"), "{said}");
    // Those that were on their way may be stored; the part that is refused, and the last ones, aren't.
    let (parts, figures) = world.submissions().await;
    assert!((4..=12).contains(&parts) && figures == parts * PART_FIGURES, "{parts}, {figures}");
    world.submitted(&rows(), &[]);
    assert_eq!(world.sums(), sums(&rows()));
}

#[tokio::test]
async fn a_dry_run_of_a_large_file_checks_every_part_and_stores_nothing() {
    let (world, rows) = (World::start().await, rows());
    assert_eq!(
        world.submitted(&rows, &["--dry-run"]),
        "No problems found. As of revision 1, submitting it in 20 parts would give: 1,920 new, 0 revised, 0 unchanged. Nothing was stored."
    );
    assert_eq!(world.submissions().await, (0, 0));
    let usage = world.submitted(&rows, &["--request-id", "a"]);
    assert_eq!(
        usage,
        "Some(2): conspectus: --request-id is for one submission, and 20 are needed for this file; leave it out"
    );
}

#[tokio::test]
async fn names_stand_for_ids_in_a_large_file_too() {
    let world = World::start().await;
    let named: Vec<String> =
        rows().iter().map(|row| row.replace("count-0", "Count 0").replace("E10000003", "area 3")).collect();
    let said = world.submitted(&named, &[]);
    assert!(said.contains(": 1,920 new, 0 revised, 0 unchanged"), "{said}");
    world.assert_has(&rows()).await;
    let mut unknown = named;
    unknown[1_000] = unknown[1_000].replace("count-2", "Count 22");
    let said = world.submitted(&unknown, &[]);
    assert!(
        said.starts_with("Some(3): conspectus: row 1002, column indicator (A): found `Count 22`; there is no such"),
        "{said}"
    );
}

#[tokio::test]
async fn a_return_of_several_files_is_complete_once_all_of_them_have_arrived() {
    let (world, rows) = (World::start().await, rows());
    let (first, second) = rows.split_at(850);
    std::fs::write(world.path("first.csv"), file(first)).unwrap();
    std::fs::write(world.path("second.csv"), file(&second[..50])).unwrap();
    let options = ["--agency", AGENCY, "--part-figures", "100"];
    let submit = |name: &str| said_by(world.verb(&["submit", name, "--return-id", "spring"]).args(options));
    let complete = |names: &[&str]| said_by(world.verb(&["return", "complete", "spring"]).args(names).args(options));
    assert!(submit("first.csv").ends_with("return `spring` is still open"));
    let lacking = complete(&["first.csv", "second.csv"]);
    assert!(lacking.contains("manifest.parts: found `"), "{lacking}");
    assert!(lacking.contains("manifest.figures: found 900; the return's submissions have 850"), "{lacking}");
    assert!(submit("second.csv").ends_with("return `spring` is still open"));
    let said = complete(&["first.csv", "second.csv"]);
    assert!(said.starts_with("Return `spring` is complete since revision "), "{said}");
    assert!(said.ends_with(": 900 figures in 10 parts."), "{said}");
    assert_eq!(complete(&["second.csv", "first.csv"]), said, "the same again");
    assert!(submit("second.csv").starts_with("Already received in 1 part"));
    std::fs::write(world.path("third.csv"), file(&second[50..60])).unwrap();
    let refused = submit("third.csv");
    assert!(refused.starts_with("Some(3): conspectus: return `spring` was completed at revision "), "{refused}");
    let shown = said_by(&mut world.verb(&["return", "show", "spring", "--agency", AGENCY]));
    assert!(shown.contains(": complete since revision ") && shown.contains("900 figures in 10 parts"), "{shown}");
    let list = said_by(&mut world.verb(&["submission", "list", "--agency", AGENCY, "--csv"]));
    assert_eq!(list.lines().filter(|line| line.ends_with(",spring")).count(), 10, "{list}");
    let mut csv = csv::Reader::from_reader(list.as_bytes());
    let column = csv.headers().unwrap().iter().position(|heading| heading == "request_id").unwrap();
    let newest = csv.records().next().unwrap().unwrap();
    let id = &newest[column];
    let part = said_by(&mut world.verb(&["submission", "show", id, "--agency", AGENCY]));
    assert!(part.contains("\nIt is a part of return `spring`.\n"), "{part}");
}

#[tokio::test]
async fn a_part_that_was_withdrawn_is_sent_again_and_the_return_is_complete_again() {
    let (world, rows) = (World::start().await, rows());
    world.submitted(&rows, &["--receipt", "receipts.toml"]);
    let receipts = std::fs::read_to_string(world.path("receipts.toml")).unwrap();
    let id = receipts.split("request_id = \"").nth(3).unwrap().split('"').next().unwrap().to_owned();
    let withdraw = ["submission", "withdraw", &id, "--agency", AGENCY, "--reason", "wrong"];
    said_by(&mut world.verb(&withdraw));
    let list = || said_by(&mut world.verb(&["return", "list", "--csv"]));
    assert!(list().contains(",false,19,1820,2,0"), "{}", list());
    let said = world.submitted(&rows, &[]);
    assert!(said.contains("19 parts had been received before") && said.ends_with("` is complete"), "{said}");
    assert!(list().contains(",true,20,1920,2,"), "{}", list());
    assert_eq!(world.sums(), sums(&rows));
    let again = world.submitted(&rows, &["--resubmit"]);
    assert!(again.contains(": 0 new, 0 revised, 1,920 unchanged"), "{again}");
    assert_eq!(list().lines().count(), 3);
}

#[tokio::test]
async fn a_large_file_that_is_submitted_again_changes_back_what_was_changed_since() {
    let (world, rows) = (World::start().await, rows());
    world.submitted(&rows, &[]);
    let mut other = rows.clone();
    other[7] = "count-0,E10000007,2013-01,4000,,".to_owned();
    assert!(world.submitted(&other, &[]).contains(": 0 new, 1 revised, 1,919 unchanged"));
    assert_eq!(world.sums(), sums(&other));
    let again = world.submitted(&rows, &[]);
    assert!(
        again.starts_with("Received in 20 parts") && again.contains(": 0 new, 1 revised, 1,919 unchanged"),
        "{again}"
    );
    assert_eq!(world.sums(), sums(&rows));
    let (before, _) = world.submissions().await;
    assert!(world.submitted(&rows, &[]).starts_with("Already received in 20 parts"));
    assert_eq!(world.submissions().await.0, before);
}

#[tokio::test]
async fn a_large_file_corrects_and_withdraws_with_a_reason_and_another_reason_is_another_return() {
    let (world, mut rows) = (World::start().await, rows());
    world.submitted(&rows, &[]);
    let withdrawn = rows[9].clone();
    let place = withdrawn.splitn(4, ',').take(3).collect::<Vec<_>>().join(",");
    rows[7] = "count-0,E10000007,2013-01,4000,,".to_owned();
    rows[9] = format!("{place},,,,withdraw");
    let with_action = file(&rows).replacen("denominator", "denominator,action", 1);
    let submit = |reason: &str| {
        std::fs::write(world.path("corrected.csv"), &with_action).unwrap();
        let options = ["--part-figures", "100", "--reason", reason];
        said_by(world.verb(&["submit", "corrected.csv", "--agency", AGENCY]).args(options))
    };
    let said = submit("counted again");
    assert!(said.contains(": 0 new, 1 revised, 1,918 unchanged, 1 withdrawn"), "{said}");
    assert!(said.ends_with("` is complete"), "{said}");
    let again = submit("counted again");
    assert!(again.starts_with("Already received in 20 parts"), "{again}");
    // The same figures for another reason are other submissions, which change nothing.
    let other = submit("the count was wrong");
    assert!(
        other.starts_with("Received in 20 parts") && other.contains(": 0 new, 0 revised, 1,920 unchanged"),
        "{other}"
    );
    // What it withdrew came back: only that it withdraws is a change.
    rows[9] = withdrawn;
    let back = world.submitted(&rows, &["--reason", "it was right"]);
    assert!(back.contains(": 1 new, 0 revised, 1,919 unchanged"), "{back}");
    let gone = submit("counted again");
    assert!(gone.contains(": 0 new, 0 revised, 1,919 unchanged, 1 withdrawn"), "{gone}");
    let [indicator, area, period] = place.split(',').collect::<Vec<_>>().try_into().unwrap();
    let verb = ["history", area, period, "--indicator", indicator, "--agency", AGENCY, "--csv"];
    let history = said_by(&mut world.verb(&verb));
    let reasons: Vec<&str> = history.lines().map(|line| line.rsplit(',').next().unwrap()).collect();
    assert_eq!(reasons, ["reason", "", "counted again", "it was right", "counted again"], "{history}");
}

#[tokio::test]
async fn a_return_is_completed_with_the_reason_that_its_files_were_submitted_with() {
    let (world, rows) = (World::start().await, rows());
    std::fs::write(world.path("first.csv"), file(&rows[..250])).unwrap();
    let options = ["--agency", AGENCY, "--part-figures", "100", "--reason", "counted again"];
    said_by(world.verb(&["submit", "first.csv", "--return-id", "spring"]).args(options));
    let said = said_by(world.verb(&["return", "complete", "spring", "first.csv"]).args(options));
    assert!(said.ends_with(": 250 figures in 3 parts."), "{said}");
}
