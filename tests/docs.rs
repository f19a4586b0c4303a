//! The command line as its readers use it: the console examples of the documents print what they say, and
//! what is printed may go to `head`.
//!
//! Each test has a demo server of its own, so that revisions are as a reader finds them.
//! `TRYCMD=overwrite cargo test --test docs` writes what is printed now into the documents; receipts
//! and times are then to be elided again, with `[..]`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod binary;

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use binary::Server;
use binary::demo::Demo;
use conspectus::catalogue::CataloguePut;
use conspectus::catalogue::items::IndicatorVersion;

/// Runs the console blocks of a document from the package's folder, in order.
fn check(document: &str) {
    assert!(Path::new(document).exists(), "{document} is missing");
    let demo = Demo::start();
    let cases = trycmd::TestCases::new();
    for (name, value) in &demo.variables {
        cases.env(name, value);
    }
    cases
        .env("CONSPECTUS_SERVER", demo.url())
        .register_bin("conspectus", Path::new(env!("CARGO_BIN_EXE_conspectus")).to_owned())
        .case(document)
        .run();
}

#[test]
fn the_worked_examples_print_what_they_say() {
    check("docs/examples.md");
}

#[test]
fn the_readme_prints_what_it_says() {
    check("README.md");
}

#[test]
fn the_page_about_files_prints_what_it_says() {
    check("docs/files.md");
    let page = std::fs::read_to_string("docs/files.md").unwrap();
    let mapping = std::fs::read_to_string("docs/our-return.toml").unwrap();
    let (_, shown) = mapping.split_once('\n').unwrap();
    assert!(page.contains(shown.trim()), "the page shows the mapping that it uses");
}

#[test]
fn the_doctor_prints_what_the_page_about_desktops_says() {
    check("docs/desktops.md");
}

/// The template is written into the package's folder, where the page's reader is.
#[test]
fn a_first_return_goes_as_the_page_says() {
    let template = Path::new("figures.xlsx");
    drop(std::fs::remove_file(template));
    check("docs/first-return.md");
    std::fs::remove_file(template).unwrap();
}

#[test]
fn the_page_of_settings_prints_what_it_says() {
    check("docs/configuration.md");
}

#[test]
fn the_page_of_checks_prints_what_it_says() {
    check("docs/checks.md");
}

#[test]
fn the_page_of_corrections_prints_what_it_says() {
    check("docs/corrections.md");
}

#[test]
fn what_the_page_of_corrections_locks_is_the_demos_indicator() {
    let read = |file| toml::from_str::<CataloguePut>(&std::fs::read_to_string(file).unwrap()).unwrap();
    let locked = &read("docs/missing-episodes-locked.toml").indicators[0];
    let (lock_days, correction_reason_required) = (None, false);
    let unlocked = IndicatorVersion { lock_days, correction_reason_required, ..locked.clone() };
    assert!(locked.lock_days.is_some() && locked.correction_reason_required);
    assert!(read("data/catalogue.toml").indicators.contains(&unlocked));
}

/// On the demo's folder, once its server has stopped.
#[test]
fn what_a_draft_would_have_caught_is_as_the_page_says() {
    let demo = Demo::start();
    let mut command = demo.verb("catalogue check docs/checks-draft.toml");
    demo.server.kill();
    let output = command.output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let page = std::fs::read_to_string("docs/checks.md").unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && page.contains(&format!("```text\n{printed}```\n")), "{complaint}\n{printed}");
}

/// Runs the file commands of a section of the upgrade note, in its order, in a folder; what installs and what
/// starts a server is left to the test.
fn copy_as_the_note_says(section: &str, folder: &Path) {
    let note = std::fs::read_to_string("docs/upgrade.md").unwrap();
    let (_, section) = note.split_once(&format!("## {section}\n")).unwrap();
    let section = section.split("\n## ").next().unwrap();
    let blocks = section.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap());
    let lines: Vec<&str> = blocks.flat_map(str::lines).map(str::trim).collect();
    let commands: Vec<&str> =
        lines.into_iter().filter(|line| line.starts_with("cp ") || line.starts_with("mv ")).collect();
    assert!(!commands.is_empty(), "{section}");
    sh(&commands.join(" && "), folder);
}

fn sh(commands: &str, folder: &Path) {
    let output = Command::new("sh").args(["-c", commands]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{commands}: {}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
async fn an_upgrade_as_the_note_says_keeps_every_receipt_and_a_copy_that_can_be_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("conspectus-data");
    // The demo's catalogue at revision 1, then `docs/missing-episodes.csv`, then its correction.
    binary::folders::unpack("0.1.0", &data);
    sh("cp -a conspectus-data as-it-was", folder.path());

    copy_as_the_note_says("From 0.1 to 0.2", folder.path());
    let server = Server::start(&data).await.unwrap();
    // The id that 0.1.0 derived: the fingerprint that it stored is of another version too.
    let request_id = ["--request-id", "a639cf8cac9ff946bcc1262688958e06"];
    let submit = ["submit", "docs/missing-episodes-corrected.csv", "--agency", "hampshire-constabulary"];
    let server_url = format!("http://{}", server.address());
    let again = binary::command().args(submit).args(request_id).args(["--server", &server_url]).output().unwrap();
    let printed = String::from_utf8(again.stdout).unwrap();
    let receipt = "7022107c49400dd3afb5cbd047aded3cc9f543c0a2654c477f66b1949df43bd5";
    assert!(printed.starts_with("Already received at revision 3") && printed.contains(receipt), "{printed}");
    server.kill();

    copy_as_the_note_says("Back to 0.1", folder.path());
    sh("diff -r as-it-was conspectus-data", folder.path());
    Server::start(&folder.path().join("conspectus-data-0.2")).await.unwrap();
}

/// Every verb but `serve`, in each of its forms.
const CLOSED_PIPE_VERBS: &[&str] = &[
    "--help",
    "picture E10000014 FY2021-22",
    "picture E10000014 FY2021-22 --json",
    "query --indicator initial-contacts --area E10000014 --from FY2016-17 --to FY2021-22 --by period",
    "query --indicator initial-contacts --area E10000014 --period FY2021-22 --csv",
    "query --indicator initial-contacts --area E10000014 --period FY2021-22 --json",
    "explain E10000014 FY2021-22 --indicator ed-attendances-safeguarding-flag",
    "explain E10000014 FY2021-22 --indicator ed-attendances-safeguarding-flag --csv",
    "history E10000014 FY2021-22 --indicator initial-contacts --agency hampshire-childrens-services",
    "completeness HIPS --period FY2021-22 --indicator initial-contacts",
    "completeness HIPS --agency hampshire-icb --due-within 14d --json",
    "reconcile E10000014 --from 2021-01 --to 2021-12",
    "reconcile E10000014 --from 2021-01 --to 2021-12 --csv",
    "template --agency portsmouth-childrens-services --period FY2021-22-Q1",
    "submit docs/missing-episodes.csv --agency portsmouth-childrens-services --as portsmouth-childrens-services --dry-run",
    "submission list --agency portsmouth-childrens-services --as portsmouth-childrens-services",
    "submission list --agency portsmouth-childrens-services --as portsmouth-childrens-services --csv",
    "mapping check docs/our-return.toml docs/our-return.csv",
    "watch E10000014 FY2021-22 --count 1",
    "changes --area HIPS",
    "changes --area HIPS --csv",
    "catalogue put data/catalogue.toml --as steward",
    "catalogue agencies",
    "catalogue areas",
    "catalogue dimensions",
    "catalogue indicators",
    "catalogue rules",
    "key list --as operator",
    "key create NAME --role operator --as operator",
    "key rotate NAME --as operator",
    "key revoke NAME --as operator",
    "audit",
    "audit --json",
    "health",
    "doctor",
    "doctor --json",
    "config sample",
    "config check",
    "config print",
    "config print --json",
    "completions bash",
    "manual",
];

/// As `head` does: it takes what it needs, and closes the pipe.
#[test]
fn every_verb_ends_quietly_when_what_it_prints_is_no_longer_read() {
    const SIGPIPE: i32 = 13;
    let demo = Demo::start();
    let certificates = tempfile::tempdir().unwrap();
    let mut loud = Vec::new();
    // Closed before anything is printed, or once printing has begun.
    for bytes in [0, 1] {
        let folder = certificates.path().join(bytes.to_string());
        let cert = |verb: &str| format!("cert --folder {} {verb}", folder.display());
        let verbs = CLOSED_PIPE_VERBS.iter().map(|verb| verb.replace("NAME", &format!("jo-{bytes}")));
        for verb in verbs.chain(["authority", "server", "client jo --uri urn:jo", "revoke jo"].map(cert)) {
            let mut command = demo.verb(&verb);
            let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            let printed = child.stdout.take().unwrap().read_exact(&mut vec![0; bytes]); // Then the pipe is closed.
            let output = child.wait_with_output().unwrap();
            let ended = output.status;
            let ends_well = ended.success() || ended.code() == Some(128 + SIGPIPE) || ended.signal() == Some(SIGPIPE);
            // A note beside the answer is no complaint: `key` says there how long a key is valid.
            let stderr = String::from_utf8_lossy(&output.stderr);
            let complains = ["panicked", "Broken pipe", "conspectus:"].iter().any(|word| stderr.contains(word));
            if printed.is_err() || !ends_well || complains {
                loud.push(format!("{verb}: {ended}: {stderr}"));
            }
        }
    }
    assert!(loud.is_empty(), "{}", loud.join("\n"));
}

/// The sections of the runbook for an alert each, as they read without line breaks.
fn alerts() -> String {
    let page = std::fs::read_to_string("docs/runbook.md").unwrap();
    let (alerts, _) = page.split_once("\n# Tasks\n").unwrap();
    let (_, alerts) = alerts.split_once("\n## ").unwrap();
    alerts.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What a text has between backticks.
fn code(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn the_verbs_that_an_alerts_section_asks_for_do_their_work() {
    let demo = Demo::start();
    let file = tempfile::tempdir().unwrap().path().with_extension("backup");
    let file = file.to_str().unwrap();
    let taken = demo.verb(&format!("backup {file}")).output().unwrap();
    assert!(taken.status.success(), "{}", String::from_utf8_lossy(&taken.stderr));
    let alerts = alerts();
    let verbs = code(&alerts).filter_map(|code| code.strip_prefix("conspectus "));
    let mut count = 0;
    for verb in verbs {
        // The folder is that of the environment.
        let by = if verb.starts_with("key ") { " --as operator" } else { "" };
        let line = verb.replace(" --data FOLDER", "").replace("FILE", file).replace("NAME", "analyst") + by;
        let output = demo.verb(&line).output().unwrap();
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{verb}: {}", String::from_utf8_lossy(&said));
        count += 1;
    }
    assert!(count >= 6, "{alerts}");
    std::fs::remove_file(file).unwrap();
}

/// A renamed metric, reason, option or line of the log would leave a reader at night with a name that isn't there.
#[test]
fn what_an_alerts_section_names_is_there() {
    let mut sources =
        ["docs/metrics.md", "deploy/systemd/conspectus.service", "deploy/systemd/conspectus-backup.service"]
            .map(|path| std::fs::read_to_string(path).unwrap())
            .concat();
    let mut folders = vec![Path::new("src").to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                sources += &std::fs::read_to_string(entry).unwrap();
            }
        }
    }
    let help = String::from_utf8(binary::command().args(["serve", "--help"]).output().unwrap().stdout).unwrap();
    let is_name =
        |text: &str| text.starts_with("conspectus_") || text.chars().all(|c| c.is_ascii_uppercase() || c == '_');
    let is_said = |text: &str| text.contains(' ') && text.chars().all(|c| c.is_ascii_lowercase() || " ’'…".contains(c));
    let placeholders = ["FOLDER", "NAME", "FILE"];
    let (mut names, mut lines, mut options) = (0, 0, 0);
    let alerts = alerts();
    for code in code(&alerts).filter(|code| !placeholders.contains(code)) {
        let spelt = code.split('_').map(|word| word[..1].to_owned() + &word[1..].to_lowercase()).collect::<String>();
        let command = code.split(' ').next().unwrap();
        if ["chronyc", "conspectus", "dmesg", "systemctl"].contains(&command) {
            // Ours are run by the test above, and the others are the system's.
        } else if is_name(code) {
            names += 1;
            assert!(sources.contains(code) || sources.contains(&spelt), "{code}");
        } else if code.starts_with("--") {
            options += 1;
            assert!(help.contains(code), "{code}");
        } else if is_said(code) {
            lines += 1;
            assert!(sources.contains(code.trim_end_matches(" …")), "{code}");
        }
    }
    assert!(names >= 10 && lines >= 6 && options >= 3, "{names} {lines} {options}");
}
