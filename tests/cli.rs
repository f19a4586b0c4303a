//! What a sender means by a file, and what a reader is shown of what others wrote: the command line against
//! a demo server, which starts at revision 14.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod binary;
#[path = "cli/desktop.rs"]
mod desktop;
#[path = "cli/errors.rs"]
mod errors;
#[path = "cli/shells.rs"]
mod shells;
#[path = "cli/terminal.rs"]
mod terminal;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use binary::demo::Demo;
use conspectus::rpc::client::submission_service_client::SubmissionServiceClient;
use conspectus::rpc::proto::{GetSubmissionRequest, Observation, WithdrawSubmissionRequest};
use tonic::transport::{Channel, Endpoint};

const AGENCY: &str = "portsmouth-childrens-services";
const KEY: &str = "CONSPECTUS_KEY_PORTSMOUTH_CHILDRENS_SERVICES";
const HEADER: &str = "indicator,area,period,value,markers,note";

/// The agency, with a folder for its files.
struct Sender {
    demo: Demo,
    folder: tempfile::TempDir,
}

impl Sender {
    fn start() -> Self {
        Self { demo: Demo::start(), folder: tempfile::tempdir().unwrap() }
    }

    /// Submits a file of this content: what is printed, or the refusal after its exit code.
    fn submit(&self, file: impl AsRef<[u8]>, options: &[&str]) -> String {
        let path = self.folder.path().join("figures.csv");
        std::fs::write(&path, file).unwrap();
        let mut command = self.demo.verb("submit");
        command.arg("figures.csv").args(["--agency", AGENCY, "--as", AGENCY]).args(options);
        printed(&command.current_dir(self.folder.path()).output().unwrap())
    }

    fn ask(&self, verb: &str) -> String {
        printed(&self.demo.verb(verb).output().unwrap())
    }

    /// The values that a figure has had, by its history.
    fn values(&self, period: &str) -> Vec<String> {
        let verb = format!("history E06000044 {period} --indicator missing-episodes --agency {AGENCY} --csv");
        let rows = self.ask(&verb);
        let mut csv = csv::Reader::from_reader(rows.as_bytes());
        let value = csv.headers().unwrap().iter().position(|heading| heading == "value").unwrap();
        csv.records().map(|row| row.unwrap()[value].to_owned()).collect()
    }

    fn submissions(&self) -> SubmissionServiceClient<Channel> {
        SubmissionServiceClient::new(Endpoint::from_shared(self.demo.url()).unwrap().connect_lazy())
    }

    fn request<M>(&self, message: M) -> tonic::Request<M> {
        let (_, key) = self.demo.variables.iter().find(|(name, _)| name == KEY).unwrap();
        let mut request = tonic::Request::new(message);
        request.metadata_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
        request
    }

    fn withdraw(&self, request_id: &str) {
        let withdrawal = WithdrawSubmissionRequest {
            agency: AGENCY.to_owned(),
            request_id: request_id.to_owned(),
            reason: "sent by mistake".to_owned(),
            validate_only: false,
        };
        block_on(async { self.submissions().withdraw_submission(self.request(withdrawal)).await.unwrap() });
    }

    fn stored(&self, request_id: &str) -> Vec<Observation> {
        let request =
            GetSubmissionRequest { agency: AGENCY.to_owned(), request_id: request_id.to_owned(), ..Default::default() };
        let answer = block_on(async { self.submissions().get_submission(self.request(request)).await.unwrap() });
        answer.into_inner().observations
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}

/// What a command printed, without its receipt's hash.
fn printed(output: &Output) -> String {
    let stdout = String::from_utf8(output.stdout.clone()).unwrap();
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    let code = output.status.code().unwrap();
    let text = if code == 0 { stdout } else { format!("{code}: {stderr}") };
    let line = |line: &str| line.split(". Receipt ").next().unwrap().to_owned();
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

/// A file of figures of missing episodes in April 2021 and so on.
fn file(values: &[&str]) -> String {
    let months = ["Apr 2021", "May 2021", "June 2021"];
    let row = |(value, month): (&&str, &str)| format!("missing-episodes,E06000044,{month},{value},,\n");
    format!("{HEADER}\n{}", values.iter().zip(months).map(row).collect::<String>())
}

#[test]
fn a_figure_corrected_and_corrected_back_is_three_submissions() {
    let sender = Sender::start();
    assert_eq!(sender.submit(file(&["70", "5"]), &[]), "Received at revision 15: 2 new, 0 revised, 0 unchanged");
    assert_eq!(
        sender.submit(file(&["72", "5"]), &[]),
        "Received at revision 16: 0 new, 1 revised, 1 unchanged\n  row 2 revises 70, of revision 15"
    );
    assert_eq!(
        sender.submit(file(&["70", "5"]), &[]),
        "Received at revision 17: 0 new, 1 revised, 1 unchanged\n  row 2 revises 72, of revision 16"
    );
    assert_eq!(sender.values("2021-04"), ["70", "72", "70"]);
}

#[test]
fn a_command_that_is_run_again_sends_nothing_and_says_since_when_its_figures_stand() {
    let sender = Sender::start();
    sender.submit(file(&["70"]), &[]);
    let nothing = "Nothing was sent; --resubmit stores the file again as a new submission, with its notes and source, \
                   and the figures keep theirs.";
    assert_eq!(
        sender.submit(file(&["70.0"]), &[]),
        format!("Nothing would change: this figure stands since revision 15. {nothing}")
    );
    sender.submit(file(&["70", "5"]), &[]);
    let again = format!("Nothing would change: these 2 figures stand since revisions 15 to 16. {nothing}");
    assert_eq!(sender.submit(file(&["70", "5"]), &[]), again);
    assert_eq!(sender.submit(file(&["70", "5"]), &["--dry-run"]), again);
    // The rows in another order are no change either.
    let reversed = format!("{HEADER}\nmissing-episodes,E06000044,2021-05,5,,\nmissing-episodes,E06000044,2021-04,70,,");
    assert_eq!(sender.submit(reversed, &[]), again);

    let resubmit = ["--resubmit", "--source", "Case system"];
    assert_eq!(sender.submit(file(&["70", "5"]), &resubmit), "Received at revision 17: 0 new, 0 revised, 2 unchanged");
    // Also from a source that it was stored from before.
    let other = ["--resubmit", "--source", "Another system"];
    assert_eq!(sender.submit(file(&["70", "5"]), &other), "Received at revision 18: 0 new, 0 revised, 2 unchanged");
    assert_eq!(sender.submit(file(&["70", "5"]), &resubmit), "Received at revision 19: 0 new, 0 revised, 2 unchanged");
    assert_eq!(sender.values("2021-04"), ["70"]);
}

#[test]
fn a_withdrawn_submission_that_is_sent_again_is_stored() {
    let sender = Sender::start();
    sender.submit(file(&["70"]), &["--request-id", "mine"]);
    sender.withdraw("mine");
    // Under the same id it stays withdrawn, and that is an error.
    assert_eq!(
        sender.submit(file(&["70"]), &["--request-id", "mine"]),
        "3: conspectus: `mine` was received at revision 15 and withdrawn at revision 16: its figures stay withdrawn. \
         To submit them again, use a new --request-id, or none"
    );
    assert_eq!(sender.submit(file(&["70"]), &[]), "Received at revision 17: 1 new, 0 revised, 0 unchanged");
    assert_eq!(sender.values("2021-04"), ["70", "", "70"]);
}

#[test]
fn a_file_that_only_withdraws_figures_has_no_values_and_changes_nothing_again() {
    let sender = Sender::start();
    sender.submit(file(&["70", "64"]), &[]);
    let header = "indicator,area,period,action\n";
    let [april, may] = ["04", "05"].map(|month| format!("missing-episodes,E06000044,2021-{month},withdraw\n"));
    let of_april = format!("{header}{april}");
    assert_eq!(
        sender.submit(&of_april, &[]),
        "Received at revision 16: 0 new, 0 revised, 0 unchanged, 1 withdrawn\n  row 2 withdraws 70, of revision 15"
    );
    let nothing = |rows: &str| {
        sender.submit(format!("{header}{rows}"), &[]).split(" Nothing was sent").next().unwrap().to_owned()
    };
    assert_eq!(nothing(&april), "Nothing would change: this figure is withdrawn since revision 16.");
    sender.submit(format!("{header}{may}"), &[]);
    let since = "since revisions 16 to 17.";
    assert_eq!(nothing(&(april + &may)), format!("Nothing would change: these 2 figures are withdrawn {since}"));
    // One row withdraws and the other doesn't say what it is of.
    let june = "missing-episodes,E06000044,2021-06,\n";
    assert!(nothing(&(may + june)).starts_with("3: conspectus: row 3: found no value"));
}

#[test]
fn a_trial_with_made_up_figures_doesnt_block_the_real_ones() {
    let sender = Sender::start();
    sender.submit(file(&["70"]), &["--sample"]);
    assert_eq!(
        sender.submit(file(&["70"]), &[]),
        "Received at revision 16: 0 new, 1 revised, 0 unchanged\n  row 2 revises 70, of revision 15"
    );
    assert!(
        !sender
            .ask("picture E06000044 2021-04 --indicator missing-episodes --as portsmouth-childrens-services")
            .contains("70  *")
    );
}

#[test]
fn a_request_that_was_received_says_how_many_of_its_figures_changed_since() {
    let sender = Sender::start();
    let mine = ["--request-id", "mine"];
    sender.submit(file(&["70", "5"]), &mine);
    assert_eq!(
        sender.submit(file(&["70", "5"]), &mine),
        "Already received at revision 15: 2 new, 0 revised, 0 unchanged"
    );
    sender.submit(file(&["72"]), &[]);
    assert_eq!(
        sender.submit(file(&["70", "5"]), &mine),
        "Already received at revision 15: 2 new, 0 revised, 0 unchanged\n  \
         1 of its figures has changed since; to submit the file over that, leave --request-id out"
    );
    assert_eq!(sender.values("2021-04"), ["70", "72"]);
}

#[test]
fn rows_of_another_agency_are_refused_unless_they_are_to_be_left_out() {
    let sender = Sender::start();
    let row = |agency: &str, month: &str| format!("{agency},missing-episodes,E06000044,{month},5\n");
    let file = [
        "agency,indicator,area,period,value\n",
        &row("hampshire-constabulary", "2021-04"),
        &row(AGENCY, "2021-04"),
        &row("", "2021-05"),
        &row("hampshire-constabulary", "2021-05"),
        // Another's row is left out with all that is wrong with it.
        &row("kent-police", "2021"),
    ]
    .concat();
    assert_eq!(
        sender.submit(&file, &[]),
        "3: conspectus: 2 problems in figures.csv:\n  \
         rows 2 and 5, column agency (A): found `hampshire-constabulary`; allowed: `portsmouth-childrens-services`, the agency that submits. To leave these rows out, add --skip-other-agencies\n  \
         row 6, column agency (A): found `kent-police`; allowed: `portsmouth-childrens-services`, the agency that submits. To leave this row out, add --skip-other-agencies"
    );
    assert_eq!(
        sender.submit(&file, &["--skip-other-agencies"]),
        "Received at revision 15: 2 new, 0 revised, 0 unchanged\n  \
         left out: 2 rows of `hampshire-constabulary`\n  left out: 1 row of `kent-police`"
    );
}

#[test]
fn rows_of_other_reports_are_left_out_by_name_and_a_report_that_isnt_there_is_refused() {
    let sender = Sender::start();
    let row = |report: &str, month: &str| format!("{report},missing-episodes,E06000044,{month},5\n");
    let file = [
        "report,indicator,area,period,value\n",
        &row("a", "2021-04"),
        &row("b", "2021-05"),
        &row("b", "2021-06"),
        &row("", "2021-07"),
    ]
    .concat();
    assert_eq!(
        sender.submit(&file, &["--report", "a"]),
        "Received at revision 15: 1 new, 0 revised, 0 unchanged\n  \
         left out: 1 row of no report\n  left out: 2 rows of report `b`"
    );
    assert_eq!(
        sender.submit(&file, &["--report", "c"]),
        "3: conspectus: --report: found `c`; allowed: `a`, `b`, the reports in the file"
    );
    let none = "indicator,area,period,value\nmissing-episodes,E06000044,2021-04,5\n";
    assert_eq!(sender.submit(none, &["--report", "c"]), "3: conspectus: --report: found `c`; the file names no report");
}

#[test]
fn of_very_many_problems_the_first_are_listed_and_all_are_counted() {
    let sender = Sender::start();
    let rows: String = (0..3_000).map(|n| format!("missing-episodes,E06000044,{}-01,5,,\n", 5_000 + n)).collect();
    let printed = sender.submit(format!("{HEADER}\n{rows}"), &[]);
    let mut lines = printed.lines();
    assert_eq!(lines.next(), Some("3: conspectus: 3000 problems in figures.csv, the first 1000:"));
    assert!(lines.next().unwrap().starts_with("  row 2, column period (C): "), "{printed}");
    assert!(lines.next_back().unwrap().starts_with("  row 1001, column period (C): "), "{printed}");
    assert_eq!(lines.count(), 998);
}

#[test]
fn a_template_of_what_is_missing_is_no_failure_when_nothing_is() {
    let sender = Sender::start();
    sender.submit(file(&["70"]), &[]);
    let verb =
        format!("template --agency {AGENCY} --as {AGENCY} --missing --indicator missing-episodes --period 2021-04");
    let output = sender.demo.verb(&verb).output().unwrap();
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(0), &b""[..]));
    let noted = String::from_utf8(output.stderr).unwrap();
    assert_eq!(noted, format!("No such figures are missing from {AGENCY}: there is nothing to fill in.\n"));
}

#[test]
fn an_answer_as_json_or_csv_has_all_that_the_table_has() {
    let sender = Sender::start();
    let json = sender.ask("query --indicator initial-contacts --area E10000014 --period FY2021-22 --json");
    assert!(json.contains("\"asOf\": \""), "{json}");
    let csv = sender.ask("completeness HIPS --period 2021-04 --indicator initial-contacts --csv");
    assert_eq!(
        csv,
        "agency,indicator,area,period,due,status,received_at,days_late,contained_in_area,contained_in_period,frequency,locked_from\n\
         ,initial-contacts,,2021-04,,no such periods,,,,,financial-year,"
    );
    let csv = sender.ask("explain E10000014 FY2021-22 --indicator initial-contacts --csv");
    let kinds: Vec<&str> = csv.lines().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(kinds, ["row", "figure", "contribution"], "{csv}");
    assert!(csv.lines().nth(1).unwrap().contains("Events add over time and over areas."), "{csv}");
}

#[test]
fn what_a_template_says_to_help_is_not_stored() {
    let sender = Sender::start();
    let verb = format!("template --agency {AGENCY} --as {AGENCY} --period 2021-04 --indicator missing-episodes");
    let template = sender.ask(&verb);
    assert_eq!(
        template,
        "indicator,area,period,value,markers,note,unit,due\nmissing-episodes,E06000044,2021-04,,,,episodes,2021-05-20"
    );
    let filled = template.replace("2021-04,,,,", "2021-04,70,,,");
    assert_eq!(
        sender.submit(filled, &["--request-id", "mine"]),
        "Received at revision 15: 1 new, 0 revised, 0 unchanged"
    );
    assert_eq!(sender.stored("mine")[0].note, "");
}

#[test]
fn empty_rows_are_one_question_and_are_left_out_by_row_where_that_is_said() {
    let sender = Sender::start();
    let rows = file(&["70", "", "72"]) + "missing-episodes,E06000044,2021-07,,,\n";
    let question = "3: conspectus: rows 3 and 5: found no value; write one, or say in markers why there is none (x not \
        available, z not applicable, c confidential, low rounds to zero but isn't). To leave such rows out, delete them \
        or submit with --skip-empty. An empty value is never zero";
    assert_eq!(sender.submit(&rows, &[]), question);
    assert_eq!(
        sender.submit(&rows, &["--skip-empty"]),
        "Received at revision 15: 2 new, 0 revised, 0 unchanged\n  2 empty rows were left out: rows 3 and 5"
    );
    // A row with words isn't empty: what they say isn't lost.
    let noted = file(&["70", "", "72"]).replace("May 2021,,,", "May 2021,,,the system was down");
    assert!(
        sender.submit(&noted, &["--skip-empty"]).starts_with("3: conspectus: row 3: found no value; allowed: a number")
    );
    // Rows of another report don't count, empty or not.
    let reports = "report,indicator,area,period,value\na,missing-episodes,E06000044,2021-04,70\n\
        b,missing-episodes,E06000044,2021-05,\n";
    assert!(sender.submit(reports, &["--report", "a"]).starts_with("Nothing would change: this figure stands"));
    let all_empty = "b,missing-episodes,E06000044,2021-05,";
    let needed = "3: conspectus: row 3: found no value in any row; needed: at least one figure";
    assert!(reports.contains(all_empty) && sender.submit(reports, &["--report", "b", "--skip-empty"]) == needed);
}

#[test]
fn a_template_is_written_once_as_the_ending_of_its_name_says() {
    let sender = Sender::start();
    let make = |name: &str| {
        let path = sender.folder.path().join(name);
        let verb =
            format!("template --agency {AGENCY} --as {AGENCY} --period FY2021-22-Q1 --output {}", path.display());
        (sender.ask(&verb).replace(&format!("{}", path.display()), name), std::fs::read(&path).unwrap_or_default())
    };
    let (said, workbook) = make("figures.xlsx");
    assert_eq!(said, "figures.xlsx has 11 rows to fill in, due from 2021-05-20 to 2021-07-30.");
    assert_eq!(make("figures.xlsx").0, "2: conspectus: --output: figures.xlsx is there already; name a new file");
    let (_, csv) = make("figures.csv");
    let printed = sender.ask(&format!("template --agency {AGENCY} --as {AGENCY} --period FY2021-22-Q1"));
    assert_eq!(String::from_utf8(csv).unwrap().trim_end(), printed);
    assert!(make("figures.ods").0.contains("allowed: a file whose name ends in .xlsx or .csv"));
    // As it is, nothing is filled in; a spreadsheet's own reader finds the same rows.
    let nothing = sender.submit(&workbook, &["--dry-run", "--skip-empty"]);
    assert_eq!(
        nothing.lines().next().unwrap(),
        "3: conspectus: sheet `Figures`, rows 2 to 12: found no value in any row; needed: at least one figure"
    );
}

#[test]
fn a_workbook_shows_what_the_agency_itself_reported_before() {
    let sender = Sender::start();
    let shown = |key: &str, name: &str| {
        let path = sender.folder.path().join(name);
        let verb = format!(
            "template --agency {AGENCY} --as {key} --period 2021-05 --indicator missing-episodes --output {}",
            path.display()
        );
        let printed = sender.ask(&verb);
        let mut workbook: calamine::Xlsx<_> = calamine::open_workbook(&path).unwrap_or_else(|_| panic!("{printed}"));
        let rows = calamine::Reader::worksheet_range(&mut workbook, "Figures").unwrap();
        let texts = |row: usize| rows.rows().nth(row).unwrap().iter().map(ToString::to_string).collect::<Vec<_>>();
        texts(0)
            .into_iter()
            .zip(texts(1))
            .filter(|(name, _)| name == "previous" || name == "year before")
            .collect::<Vec<_>>()
    };
    let none: Vec<(String, String)> = Vec::new();
    assert_eq!(shown(AGENCY, "a.xlsx"), none);
    sender.submit(file(&["1070"]), &["--request-id", "first"]);
    sender.submit(file(&["1072"]), &["--request-id", "second", "--sample"]);
    sender.submit(file(&["9"]).replace("Apr 2021", "May 2020"), &[]);
    let year_before = ("year before".to_owned(), "9".to_owned());
    let before = |value: &str| vec![year_before.clone(), ("previous".to_owned(), value.to_owned())];
    assert_eq!(shown(AGENCY, "b.xlsx"), before("1,072 (made up)"));
    sender.withdraw("second");
    assert_eq!(shown(AGENCY, "c.xlsx"), before("1,070"));
    assert_eq!(shown("analyst", "d.xlsx"), none, "an analyst's key doesn't read an agency's submissions");
}

#[test]
fn a_period_that_may_be_a_month_or_a_year_is_refused_with_both_readings() {
    let sender = Sender::start();
    let file = |period| format!("{HEADER}\nmissing-episodes,E06000044,{period},5,,\n");
    assert_eq!(
        sender.submit(file("2009-10"), &[]),
        "3: conspectus: row 2, column period (C): found `2009-10`, which may be Oct 2009 or the financial year 2009-10; \
         write Oct 2009 or FY2009-10"
    );
    assert_eq!(sender.submit(file("Oct 2009"), &[]), "Received at revision 15: 1 new, 0 revised, 0 unchanged");
    assert_eq!(sender.values("2009-10"), ["5"], "the API's text has one meaning");
}

#[test]
fn percentages_that_are_all_proportions_are_asked_about() {
    let sender = Sender::start();
    let file = |first: &str| {
        format!(
            "indicator,area,period,value,base\nassessments-timely,E06000044,FY2020-21,{first},40\n\
             assessments-timely,E06000044,FY2021-22,0,40\nassessments-timely,E06000044,FY2019-20,1,40\n"
        )
    };
    assert_eq!(
        sender.submit(file("0.959"), &[]),
        "3: conspectus: rows 2 to 4, column value (D): every percentage of `assessments-timely` is between 0 and 1; \
         write per cent, 95.9 and not 0.959, or if these really are below 1 per cent, add --percentages-as-given"
    );
    for (first, options) in [("95.9", &["--dry-run"][..]), ("0.959", &["--dry-run", "--percentages-as-given"])] {
        let printed = sender.submit(file(first), options);
        let summary = "No problems found. As of revision 14, submitting it would give: 3 new, 0 revised, 0 unchanged. Nothing was stored.";
        assert_eq!(printed.lines().next(), Some(summary));
        assert!(printed.contains(&format!("row 2: assessments-timely E06000044 FY2020-21: new, {first} % of 40")));
    }
}

#[test]
fn a_dry_run_says_figure_by_figure_what_would_change() {
    let sender = Sender::start();
    sender.submit(file(&["70", "5", "x"]), &[]);
    assert_eq!(
        sender.submit(file(&["72", "5", "84"]), &["--dry-run"]),
        "No problems found. As of revision 15, submitting it would give: 0 new, 2 revised, 1 unchanged. Nothing was stored.\n  \
         row 2: missing-episodes E06000044 Apr 2021: 70 -> 72 (+2.9%)\n  \
         row 4: missing-episodes E06000044 June 2021: [x] -> 84"
    );
    let rows: String =
        (0..60).map(|n| format!("missing-episodes,E06000044,{}-{:02},5,,\n", 2010 + n / 12, n % 12 + 1)).collect();
    let rows = rows.replace("2010-11", "Nov 2010").replace("2011-12", "Dec 2011");
    let printed = sender.submit(format!("{HEADER}\n{rows}"), &["--dry-run"]);
    assert_eq!((printed.lines().count(), printed.lines().last()), (52, Some("  and 10 further changes")), "{printed}");
}

#[test]
fn a_file_is_sent_only_over_what_its_dry_run_was_held_against() {
    let sender = Sender::start();
    sender.submit(file(&["70"]), &[]);
    assert!(sender.submit(file(&["72"]), &["--dry-run"]).contains("As of revision 15, "));
    sender.submit(file(&["71"]), &[]);
    let held = sender.submit(file(&["72"]), &["--unchanged-since", "15"]);
    assert_eq!(
        held,
        "5: conspectus: 1 of 1 figures changed after revision 15; check the submission again, which shows what stands now\n\
         Try: --dry-run, which shows what stands now, and at which revision"
    );
    assert!(sender.submit(file(&["72"]), &["--unchanged-since", "16"]).contains("0 new, 1 revised"));
    assert!(sender.submit(file(&["73"]), &["--unchanged-since", "0"]).contains("invalid value '0'"));
}

#[test]
fn names_stand_for_ids_and_what_is_misspelt_gets_a_suggestion() {
    let sender = Sender::start();
    let named = "Indicator,Area,Period,Value\nMissing episodes of children,Portsmouth,Apr-21,70\n";
    assert_eq!(sender.submit(named, &[]), "Received at revision 15: 1 new, 0 revised, 0 unchanged");
    assert_eq!(sender.values("2021-04"), ["70"]);
    let misspelt = "indicator,area,period,value\nmissing-episode,E06000044,2021-04,70\nmissing-episodes,E06000045,2021-04,1\n\
                    missing-episodes,Portsmuoth,2021-04,1\n";
    assert_eq!(
        sender.submit(misspelt, &[]),
        "3: conspectus: 3 problems in figures.csv:\n  \
         row 2, column indicator (A): found `missing-episode`; there is no such indicator in the catalogue; did you mean `missing-episodes`?\n  \
         row 3, column area (B): found `E06000045`; `portsmouth-childrens-services` reports for E06000044\n  \
         row 4, column area (B): found `Portsmuoth`; there is no such area in the catalogue; did you mean `E06000044`?"
    );
}

#[test]
fn problems_are_written_into_a_workbook_that_can_be_mended_and_submitted() {
    let sender = Sender::start();
    let printed = sender.submit(file(&["n/a"]), &["--problems", "problems.xlsx"]);
    assert!(printed.ends_with("\nThe problems are in problems.xlsx, at their rows"), "{printed}");
    let mut command = sender.demo.verb("submit");
    command.args(["problems.xlsx", "--agency", AGENCY, "--as", AGENCY]).current_dir(sender.folder.path());
    let printed = printed_of(&mut command);
    assert!(printed.starts_with("3: conspectus: sheet `Rows`, row 2, column value (D): found `n/a`"), "{printed}");
    sender.submit(file(&["n/a"]), &["--problems", "problems.csv"]);
    let csv = std::fs::read_to_string(sender.folder.path().join("problems.csv")).unwrap();
    assert!(csv.starts_with("sheet,row,column,name,problem\n,2,D,value,\"found `n/a`"), "{csv}");
    let itself = sender.submit(file(&["n/a"]), &["--problems", "figures.csv"]);
    assert_eq!(itself, "2: conspectus: --problems names the file itself; allowed: another file");
}

#[test]
fn a_mapping_reads_a_partners_own_layout_and_all_that_is_wrong_with_one_is_reported() {
    let sender = Sender::start();
    let folder = sender.folder.path();
    std::fs::write(folder.join("return.toml"), "across = \"period\"\n[constants]\nindicator = \"missing-episodes\"\n")
        .unwrap();
    let wide = "Area,Apr-21,May-21,Jun-21\nPortsmouth,70,5,\n";
    assert_eq!(
        sender.submit(wide, &["--mapping", "return.toml"]),
        "Received at revision 15: 2 new, 0 revised, 0 unchanged\n  1 empty cell was left out"
    );
    let check = |mapping: &str| {
        std::fs::write(folder.join("return.toml"), mapping).unwrap();
        printed_of(sender.demo.verb("mapping check return.toml figures.csv").current_dir(folder))
    };
    assert_eq!(
        check("across = \"period\"\n[constants]\nindicator = \"missing-episodes\"\n"),
        "2 figures can be read.\n  1 empty cell was left out"
    );
    assert_eq!(
        check("acros = \"period\"\n[columns]\naera = 5\n"),
        "3: conspectus: 2 problems in return.toml:\n  \
         line 1, column 1: found `acros` (did you mean `across`?); allowed: sheet, header-row, dates, ignore-columns, across, columns, constants, values\n  \
         line 3, column 1: found `aera` (did you mean `area`?); allowed: indicator, area, period, value, base, numerator, denominator, count, breakdown, markers, note, explanation, action, agency, report, title, place, unit, previous, year before, due, problem"
    );
}

/// What a command prints.
fn printed_of(command: &mut Command) -> String {
    printed(&command.output().unwrap())
}

#[test]
fn every_problem_of_a_file_is_reported_in_one_go_by_the_rows_of_a_spreadsheet() {
    let sender = Sender::start();
    // Row 3 is blank; row 4 has a cell of two lines; row 6 can't be read at all, and row 8 not all of it.
    let file = [
        format!("{HEADER},numerator\n").as_bytes(),
        b"missing-episodes,E06000044,2021-04,70,,,\n",
        b"\n",
        b"missing-episodes,E06000044,2021-05,5,,\"two\nlines\",\n",
        b"missing-episodes,E06000044,Apr 2021,71,,,\n",
        b"missing-episodes,E06000044,2021-06\n",
        b"missing-episodes,E06000099,2021-06,6,q,,\n",
        b"missing-episodes,E06000099,2021-07,6,,Children\x92s,7\n",
        b"missing-episode,E06000044,2021-08,4.5,,,\n",
    ]
    .concat();
    insta::assert_snapshot!(sender.submit(file, &["--source", "\u{202e}x"]));
    assert_eq!(sender.values("2021-04"), Vec::<String>::new(), "nothing is stored");
}

#[test]
fn a_note_that_is_a_formula_is_none_in_csv_and_reads_back() {
    let sender = Sender::start();
    let formula = "=HYPERLINK(\"http://example.org\")";
    sender.submit(file(&["70"]), &["--source", formula, "--request-id", "mine"]);
    let history = format!("history E06000044 2021-04 --indicator missing-episodes --agency {AGENCY} --csv");
    let csv = sender.ask(&history);
    assert!(csv.contains(",\"'=HYPERLINK(\"\"http://example.org\"\")\""), "{csv}");
    // A file with such a cell is read as what it was before.
    let note = format!("{HEADER}\nmissing-episodes,E06000044,2021-05,5,,'=1+1\n");
    sender.submit(note, &["--request-id", "noted"]);
    assert_eq!(sender.stored("noted")[0].note, "=1+1");
}

/// Every verb that asks a server, in a form that needs no more than its answer.
const ASKING: &[&str] = &[
    "picture E10000014 FY2021-22",
    "query --indicator initial-contacts --area E10000014 --period FY2021-22",
    "explain E10000014 FY2021-22 --indicator initial-contacts",
    "history E10000014 FY2021-22 --indicator initial-contacts --agency hampshire-childrens-services",
    "completeness HIPS --period FY2021-22",
    "reconcile E10000014 --from 2021-01 --to 2021-12",
    "template --agency portsmouth-childrens-services --period FY2021-22-Q1",
    "submit docs/missing-episodes.csv --agency portsmouth-childrens-services",
    "submission list",
    "submission show mine --agency portsmouth-childrens-services",
    "submission withdraw mine --agency portsmouth-childrens-services --reason mistaken",
    "watch E10000014 FY2021-22",
    "changes --area HIPS",
    "catalogue put data/catalogue.toml",
    "catalogue agencies",
    "key list",
    "key revoke jo",
    "health",
];

/// A server that accepts connections, and then says nothing.
fn silent() -> (SocketAddr, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    (listener.local_addr().unwrap(), listener)
}

fn assert_ends_in_time(command: &mut Command, expect: &str) {
    let start = Instant::now();
    let printed = printed(&command.env_remove("CONSPECTUS_KEY").output().unwrap());
    assert!(start.elapsed() < Duration::from_secs(20), "{command:?}: {:?}", start.elapsed());
    assert_eq!(printed, expect, "{command:?}");
}

#[test]
fn every_verb_ends_in_time_when_the_server_stays_silent() {
    let (address, _listener) = silent();
    let expect = format!(
        "5: conspectus: http://{address} didn't answer within 1 s\nTry: --timeout SECONDS, which gives it longer"
    );
    for verb in ASKING {
        let mut command = binary::command();
        let server = format!("http://{address}");
        assert_ends_in_time(command.args(verb.split(' ')).args(["--server", &server, "--timeout", "1"]), &expect);
    }
    let mut command = binary::command();
    command.args(["health", "--server", &format!("http://{address}")]).env("CONSPECTUS_TIMEOUT", "1");
    assert_ends_in_time(&mut command, &expect);
}

#[test]
fn a_tls_server_that_stays_silent_holds_nobody_up_either() {
    let folder = tempfile::tempdir().unwrap();
    binary::run(["cert".as_ref(), "--folder".as_ref(), folder.path().as_os_str(), "authority".as_ref()]);
    let (address, _listener) = silent();
    let mut command = binary::command();
    command.args(["health", "--server", &format!("https://{address}"), "--timeout", "1", "--ca"]);
    let expect = format!(
        "5: conspectus: https://{address} didn't let anyone connect within 1 s\nTry: --timeout SECONDS, which gives it longer"
    );
    assert_ends_in_time(command.arg(folder.path().join("ca.pem")), &expect);
}

/// Passes bytes on between a client and a server, until it falls silent.
fn proxy(server: SocketAddr, is_silent: &Arc<AtomicBool>) -> SocketAddr {
    let (address, listener) = silent();
    let is_silent = Arc::clone(is_silent);
    std::thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let onward = TcpStream::connect(server).unwrap();
            for (from, to) in [(&client, &onward), (&onward, &client)] {
                let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
                let is_silent = Arc::clone(&is_silent);
                std::thread::spawn(move || {
                    let mut bytes = [0; 4096];
                    while let Ok(read @ 1..) = from.read(&mut bytes) {
                        if !is_silent.load(Ordering::Relaxed) && to.write_all(&bytes[..read]).is_err() {
                            break;
                        }
                    }
                });
            }
        }
    });
    address
}

#[test]
fn a_watch_finds_out_that_its_server_is_gone() {
    let demo = Demo::start();
    let is_silent = Arc::new(AtomicBool::new(false));
    let address = proxy(demo.server.address(), &is_silent);
    let mut command = demo.verb("watch E10000014 FY2021-22 --indicator initial-contacts --timeout 2");
    command.env("CONSPECTUS_SERVER", format!("http://{address}"));
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut child = binary::Process(child);
    // The picture is there: the server may now fall silent.
    let mut first = [0];
    child.0.stdout.take().unwrap().read_exact(&mut first).unwrap();
    is_silent.store(true, Ordering::Relaxed);
    let stderr = BufReader::new(child.0.stderr.take().unwrap());
    let (noted, lines) = mpsc::channel();
    std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| noted.send(line)));
    let line = lines.recv_timeout(Duration::from_secs(20)).unwrap();
    assert_eq!(line, "conspectus: the connection broke; connecting again, to continue after revision 14");
}

#[test]
fn a_submission_is_listed_shown_as_the_file_that_it_was_and_taken_back() {
    let sender = Sender::start();
    let of_agency = format!("--agency {AGENCY} --as {AGENCY}");
    let header = "indicator,area,period,breakdown,value,base,numerator,denominator,count,markers,note,explanation\n";
    let rows =
        "missing-episodes,E06000044,2021-04,,70,,,,,p,\"'=1+1\",\nmissing-episodes,E06000044,2021-05,,,,,,,x,,\n";
    sender.submit(file(&["68", "5"]), &["--request-id", "first"]);
    sender.submit(format!("{header}{rows}"), &["--request-id", "second", "--source", "Case system"]);
    let list = sender.ask(&format!("submission list {of_agency} --limit 1 --csv"));
    let mut csv = csv::Reader::from_reader(list.as_bytes());
    let headings = csv.headers().unwrap().clone();
    let row = csv.records().next().unwrap().unwrap();
    let listed = |heading: &str| row[headings.iter().position(|known| known == heading).unwrap()].to_owned();
    assert_eq!(
        ["revision", "agency", "request_id", "figures", "source", "sample", "withdrawn_at_revision", "return_id"]
            .map(listed),
        ["16", AGENCY, "second", "2", "Case system", "false", "", ""]
    );
    assert!(sender.ask(&format!("submission list {of_agency} --limit 1")).ends_with("--limit shows more."));
    let show = format!("submission show second {of_agency}");
    let as_csv = sender.ask(&format!("{show} --csv"));
    assert_eq!(as_csv, format!("{header}{}", rows.replace("\"'=1+1\"", "'=1+1")).trim_end());
    // What is shown is a file that can be submitted: here it changes nothing.
    assert!(sender.submit(&as_csv, &["--dry-run"]).starts_with("Nothing would change: these 2 figures stand"));
    let json: serde_json::Value = serde_json::from_str(&sender.ask(&format!("{show} --json"))).unwrap();
    let outcome = |at: usize| json["receipt"]["outcomes"][at]["revisedFrom"].as_str().unwrap().to_owned();
    assert_eq!([outcome(0), outcome(1)], ["68", "5"]);
    let withdraw = |options: &[&str]| {
        let mut command = sender.demo.verb(&format!("submission withdraw second {of_agency}"));
        printed(&command.args(["--reason", "Sent for the wrong quarter"]).args(options).output().unwrap())
    };
    let effect = "2 figures go back to the value before, 0 have no value any more";
    assert_eq!(withdraw(&["--dry-run"]), format!("Withdrawing `second` would do this: {effect}. Nothing was stored."));
    assert_eq!(sender.values("2021-04"), ["68", "70"]);
    assert_eq!(withdraw(&[]), format!("`second` is withdrawn at revision 17: {effect}."));
    assert_eq!(withdraw(&[]), "`second` is withdrawn since revision 17; no figure changed.");
    assert_eq!(withdraw(&["--dry-run"]), "`second` is withdrawn already, since revision 17. Nothing was stored.");
    assert!(sender.ask(&show).contains("It was withdrawn at revision 17: Sent for the wrong quarter"));
    assert_eq!(sender.values("2021-04").last().unwrap(), "68");
}

#[test]
fn the_exit_status_says_what_kind_of_failure_it_was() {
    let sender = Sender::start();
    let status = |verb: &str| sender.demo.verb(verb).output().unwrap().status.code().unwrap();
    let submit = |file: String, options: &[&str]| sender.submit(file, options).split(':').next().unwrap().to_owned();
    assert_eq!(status(&format!("submission list --agency {AGENCY} --as {AGENCY}")), 0);
    assert_eq!(status(&format!("submit no-such-file.csv --agency {AGENCY} --as {AGENCY}")), 1);
    assert_eq!(status("submission list --as nobody"), 2, "the variable isn't set");
    assert_eq!(status("submission list --no-such-option"), 2);
    assert_eq!(submit(file(&["seventy"]), &[]), "3", "the server refuses it");
    assert_eq!(submit("no header\n".to_owned(), &[]), "3", "the file is no table");
    assert_eq!(status(&format!("submission show nothing --agency {AGENCY} --as {AGENCY}")), 3, "there is none");
    assert_eq!(status("key list"), 4, "an analyst may not");
    let without_key = |verb: &str| {
        let output = sender.demo.verb(verb).env("CONSPECTUS_KEY", "").output().unwrap();
        output.status.code().unwrap()
    };
    assert_eq!(without_key("picture E10000014 FY2021-22"), 4);
    assert_eq!(status("picture E10000014 FY2021-22 --server http://127.0.0.1:1"), 5);
    // A listener that never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    assert_eq!(status(&format!("picture E10000014 FY2021-22 --server http://{address} --timeout 1")), 5);
}

#[test]
fn changes_are_followed_as_they_come() {
    let sender = Sender::start();
    let mut command = sender.demo.verb("changes --area E06000044 --after 14 --follow --json");
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || -> serde_json::Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    assert_eq!(next(), serde_json::json!({ "revision": "14" }));
    sender.submit(file(&["70"]), &["--request-id", "first"]);
    let page = next();
    assert_eq!((&page["revision"], &page["changes"][0]["requestId"]), (&"15".into(), &"first".into()));
    sender.withdraw("first");
    let page = next();
    let change = &page["changes"][0];
    assert_eq!((&page["revision"], &change["event"]), (&"16".into(), &"HISTORY_EVENT_WITHDRAWN".into()));
    assert_eq!(change["observation"]["indicator"], "missing-episodes");
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_problem_quotes_the_period_that_the_file_has() {
    let sender = Sender::start();
    let printed = sender.submit(file(&["70"]).replace("Apr 2021", "30/04/2021"), &["--dates", "days"]);
    assert!(printed.starts_with("3: conspectus: row 2, column period (C): found `30/04/2021`; "), "{printed}");
}

#[test]
fn a_receipt_is_a_file_that_can_be_verified() {
    let sender = Sender::start();
    let path = sender.folder.path().join("receipt.toml");
    let verify = |text: &str| {
        std::fs::write(&path, text).unwrap();
        printed(&sender.demo.verb("receipt verify").arg(&path).args(["--as", AGENCY]).output().unwrap())
    };
    let received = "Received at revision 15: 1 new, 0 revised, 0 unchanged";
    assert_eq!(sender.submit(file(&["70"]), &["--request-id", "mine", "--receipt", "receipt.toml"]), received);
    let receipt = std::fs::read_to_string(&path).unwrap();
    assert!(receipt.starts_with("# The receipt of a submission"), "{receipt}");
    for line in ["file = \"figures.csv\"", "request_id = \"mine\"", "new = 1", "revision = 15"] {
        assert!(receipt.lines().any(|found| found == line), "{line}: {receipt}");
    }
    assert!(verify(&receipt).starts_with("The journal has it: revision 15, receipt "));
    let other = receipt.replace("revision = 15", "revision = 14");
    assert!(verify(&other).starts_with("3: conspectus: the journal doesn't have it: it has revision 15 with receipt "));
    let digit = if receipt.contains("receipt = \"0") { "1" } else { "0" };
    let hash = receipt.split("receipt = \"").nth(1).unwrap();
    let changed = receipt.replace(hash, &format!("{digit}{}", &hash[1..]));
    assert!(verify(&changed).starts_with("3: conspectus: the journal doesn't have it"));
    assert!(verify("a = 1").starts_with("3: conspectus: "));
    // No receipt replaces another, and where nothing is sent there is none.
    let there = sender.submit(file(&["71"]), &["--receipt", "receipt.toml"]);
    assert_eq!(there, "2: conspectus: --receipt: receipt.toml is there already; name a new file");
    assert!(sender.submit(file(&["70"]), &["--receipt", "new.toml"]).starts_with("Nothing would change"));
    assert!(!sender.folder.path().join("new.toml").exists());
    let again = sender.submit(file(&["70"]), &["--request-id", "mine", "--receipt", "again.toml"]);
    assert!(again.starts_with("Already received at revision 15"), "{again}");
    assert_eq!(std::fs::read_to_string(sender.folder.path().join("again.toml")).unwrap(), receipt);
}
