//! Data folders of every version that has written a format of its own, opened by this one in one step: looked at
//! without a change, taken over, asked, backed up and restored. And folders of later versions, which every verb refuses.
//!
//! `tests/journals` has a folder for each version, written by that version's own program.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod binary;

use std::fs;
use std::path::Path;
use std::process::Output;

use binary::Server;
use binary::folders::{all_of, unpack};

/// A folder of `tests/journals`, and what its version had when it left it.
struct Golden {
    version: &'static str,
    format: u32,
    revision: u64,
    chain: &'static str,
    /// A submission of `hampshire-constabulary`, and its receipt.
    submission: (&'static str, &'static str),
    /// What is asked of it.
    questions: &'static [&'static str],
}

const GOLDEN: &[Golden] = &[
    Golden {
        version: "0.1.0",
        format: 2,
        revision: 3,
        chain: "7022107c49400dd3afb5cbd047aded3cc9f543c0a2654c477f66b1949df43bd5",
        submission: (
            "a639cf8cac9ff946bcc1262688958e06",
            "7022107c49400dd3afb5cbd047aded3cc9f543c0a2654c477f66b1949df43bd5",
        ),
        questions: &["history E06000044 2021-04 --indicator missing-episodes --agency hampshire-constabulary"],
    },
    Golden {
        version: "0.2.0",
        format: 2,
        revision: 20,
        chain: "23eab6829499a027c30f76815f94e218f34e38431c67060cb3e18c78988a1c4f",
        submission: (
            "a639cf8cac9ff946bcc1262688958e06",
            "488f25600ab23f920e8094a1d6e0e266e2a3fc2e2f8e2a17e6632f89b5509353",
        ),
        questions: &[
            "history E06000044 2021-04 --indicator missing-episodes --agency hampshire-constabulary",
            "history E06000044 2021-07 --indicator missing-episodes --agency hampshire-constabulary",
            "query --indicator ed-attendances-safeguarding-flag --area E10000014 --from FY2019-20 --to FY2021-22 --by period --as-of 20",
            "catalogue areas",
        ],
    },
    // Until 0.3.0 is released, what main wrote: a closed file of the audit log, keys changed, an explained figure, a backup
    // known, and a process that was killed with entries that only the write-ahead log has.
    Golden {
        version: "0.3.0-dev",
        format: 3,
        revision: 23,
        chain: "900bced8268d48aab3b75e163355b67267e90e814302b0c314dc294716f075f1",
        submission: (
            "a639cf8cac9ff946bcc1262688958e06",
            "f9938098b0470d086aa6db8beaf55c1c1bf813e234cd5eee5a0ffd1027af4efc",
        ),
        questions: &[
            "history E06000044 2021-06 --indicator missing-episodes --agency hampshire-constabulary",
            "explain -i missing-episodes --agency hampshire-constabulary E06000044 2021-06 --as-of 23",
            "query --indicator ed-attendances-safeguarding-flag --area E10000014 --from FY2019-20 --to FY2021-22 --by period --as-of 23",
            "catalogue areas",
        ],
    },
];

/// Runs a line of arguments on a data folder: what it prints, with what differs each time left out.
fn run(line: &str, folder: &Path) -> (i32, String) {
    let mut command = binary::command();
    command.args(line.split(' ').map(|word| word.replace("DATA", folder.to_str().unwrap())));
    for name in ["CONSPECTUS_DATA", "CONSPECTUS_SERVER", "CONSPECTUS_KEY", "CONSPECTUS_PURPOSE", "CONSPECTUS_LOG"] {
        command.env_remove(name);
    }
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
    (status.code().unwrap(), redacted(&text, folder))
}

fn redacted(text: &str, folder: &Path) -> String {
    let text = text.replace(folder.to_str().unwrap(), "DATA").replace(env!("CARGO_PKG_VERSION"), "OWN");
    let elide = |text: String, after: &str, before: &str| -> String {
        let Some((head, rest)) = text.split_once(after) else { return text };
        let Some((_, tail)) = rest.split_once(before) else { return text };
        format!("{head}{after}[..]{before}{tail}")
    };
    let text = elide(text, "to look at it took ", " ms");
    let text = elide(text, "free space, and has ", " MiB");
    let text = elide(text, "\"milliseconds\":", "}");
    elide(text, "\"bytes_free\":", "}")
}

fn well(line: &str, folder: &Path) -> String {
    let (status, text) = run(line, folder);
    assert_eq!(status, 0, "{line}: {text}");
    text
}

/// A version in the name of a snapshot.
fn name_of(version: &str) -> String {
    version.replace(['.', '-'], "_")
}

/// What the page about upgrades shows, where what differs each time is as it was once.
fn assert_shown(text: &str) {
    let page = fs::read_to_string("docs/upgrade.md").unwrap();
    let unindented: String =
        page.lines().map(|line| format!("{}\n", line.strip_prefix("   ").unwrap_or(line))).collect();
    let times = [
        ("took [..] ms", "took 3 ms"),
        ("has [..] MiB", "has 51200 MiB"),
        ("DATA", "conspectus-data"),
        ("OWN", "0.3.0"),
    ];
    let shown = times.iter().fold(text.to_owned(), |text, (what, once)| text.replace(what, once));
    assert!(unindented.contains(&format!("```text\n{shown}")), "docs/upgrade.md doesn't show:\n{shown}");
}

/// Makes somebody, and a key of theirs.
fn key_of(name: &str, role: &[&str], by: &[(&str, &str)], more: &[&str]) -> String {
    let create = ["key", "create", name, "--role"];
    let created = binary::command().args(create).args(role).args(more).envs(by.iter().copied()).output().unwrap();
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    String::from_utf8(created.stdout).unwrap().trim().to_owned()
}

/// What a server on a folder answers, to somebody whose name is `prefix` and more; the submission's receipt is checked.
async fn answers(golden: &Golden, prefix: &str, folder: &Path) -> String {
    const SENDER: &str = "hampshire-constabulary";
    let operator = key_of(&format!("{prefix}-operator"), &["operator"], &[], &["--data", folder.to_str().unwrap()]);
    let server = Server::start(folder).await.unwrap();
    let url = format!("http://{}", server.address());
    let by = [("CONSPECTUS_SERVER", url.as_str()), ("CONSPECTUS_KEY", operator.as_str())];
    let reader = key_of(&format!("{prefix}-analyst"), &["analyst"], &by, &[]);
    let sender = key_of(&format!("{prefix}-sender"), &["submitter", "--agency", SENDER], &by, &[]);
    let ask = |line: &str, key: &str| {
        let output = binary::command()
            .args(line.split(' '))
            .env("CONSPECTUS_SERVER", format!("http://{}", server.address()))
            .env("CONSPECTUS_KEY", key)
            .env("CONSPECTUS_PURPOSE", "to see that it is as it was")
            .output()
            .unwrap();
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let (request_id, receipt) = golden.submission;
    let shown = ask(&format!("submission show {request_id} --agency {SENDER}"), &sender);
    assert!(shown.contains(receipt), "{}: {shown}", golden.version);
    let answers = golden.questions.iter().map(|line| format!("$ {line}\n{}\n", ask(line, &reader))).collect();
    server.terminate().await;
    answers
}

#[tokio::test]
async fn a_folder_of_every_version_is_taken_over_in_one_step_and_keeps_all_that_it_had() {
    for golden in GOLDEN {
        let version = golden.version;
        let scratch = tempfile::tempdir().unwrap();
        let [data, copy, restored] = ["data", "copy", "restored"].map(|name| scratch.path().join(name));
        unpack(version, &data);
        unpack(version, &copy);
        let end = format!("revision {}", golden.revision);
        let chain = format!("chain hash {}", golden.chain);

        // What is looked at stays as it is, to the times of its files.
        let before = all_of(&data);
        let said = well("migrate --dry-run --data DATA", &data);
        if version == "0.2.0" {
            assert_shown(&said);
        }
        let json = well("migrate --dry-run --json --data DATA", &data);
        assert_eq!(all_of(&data), before, "{version}");
        // What is only read stays the earlier version's.
        let verified = well("verify --data DATA", &copy);
        assert!(verified.contains(&end) && verified.contains(&chain), "{version}: {verified}");
        assert_eq!(copy.join("format").exists(), golden.format > 2, "{version}");

        let done = well("migrate --data DATA", &data);
        insta::assert_snapshot!(
            format!("taken_over_from_{}", name_of(version)),
            format!("{said}---\n{json}---\n{done}")
        );
        let format = fs::read_to_string(data.join("format")).unwrap();
        assert!(format.starts_with("conspectus data folder, format 3\n"), "{format}");
        let again = all_of(&data);
        let said = well("migrate --dry-run --data DATA", &data);
        assert!(said.ends_with("Nothing would change.\n"), "{version}: {said}");
        assert_eq!(all_of(&data), again, "{version}");
        well("audit --verify --data DATA", &data);

        // The first start alone does the same.
        let by_start = answers(golden, "first", &copy).await;
        assert_eq!(fs::read_to_string(copy.join("format")).unwrap(), format, "{version}");
        let by_migration = answers(golden, "first", &data).await;
        assert_eq!(by_start, by_migration, "{version}");
        insta::assert_snapshot!(format!("answers_of_{}", name_of(version)), by_migration);

        let backup = scratch.path().join("backup").display().to_string();
        well(&format!("backup {backup} --data DATA"), &data);
        well(&format!("verify --restore {backup} --data DATA"), &data);
        well(&format!("restore {backup} --data DATA"), &restored);
        let ends = [&data, &restored].map(|folder| well("verify --data DATA", folder));
        assert_eq!(ends[0], ends[1], "{version}");
        let restored = answers(golden, "second", &restored).await;
        assert_eq!(restored, by_migration, "{version}");
    }
}

/// What opens a data folder, or reads what is in it.
const VERBS: &[&str] = &[
    "serve --data DATA --listen 127.0.0.1:0",
    "migrate --data DATA",
    "migrate --data DATA --dry-run",
    "key create operator --role operator --data DATA",
    "audit --data DATA",
    "audit --verify --data DATA",
    "audit --follow --json --data DATA",
    "audit prune --keep-days 1 --yes --data DATA",
    "verify --data DATA",
    "backup DATA.backup --data DATA",
    "export --data DATA",
    "catalogue check docs/checks-draft.toml --data DATA",
];

/// The exit status of what doesn't open a folder: of a start one by which nobody tries it again.
fn refused(verb: &str) -> i32 {
    if verb.starts_with("serve") { 7 } else { 1 }
}

const REFUSAL: &str = "conspectus: the data folder DATA has format 99, which version 9.1.0 and later read, and this is version OWN, which reads formats up to 3: install version 9.1.0, or go back to the copy or the backup from before the upgrade";

#[test]
fn a_folder_of_a_later_version_is_refused_by_every_verb_in_the_same_words_and_left_as_it_is() {
    for golden in GOLDEN {
        let scratch = tempfile::tempdir().unwrap();
        let data = scratch.path().join("data");
        unpack(golden.version, &data);
        let later = "conspectus data folder, format 99\nread by version 9.1.0 and later\n";
        fs::write(data.join("format"), later).unwrap();
        let before = all_of(scratch.path());
        for verb in VERBS {
            let (status, text) = run(verb, &data);
            let refusal = text.lines().last().unwrap();
            assert_eq!(refusal, REFUSAL, "{verb}");
            assert!(!text.contains("listening"), "{verb}: {text}");
            assert_eq!(status, refused(verb), "{verb}");
            assert_eq!(all_of(scratch.path()), before, "{verb}");
        }
    }
    assert_shown(&format!("{REFUSAL}\n"));
}

#[test]
fn a_folder_whose_format_file_is_damaged_is_refused_with_what_to_do_and_opens_without_it() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("data");
    unpack("0.2.0", &data);
    well("migrate --data DATA", &data);
    let format = data.join("format");
    fs::write(&format, "conspectus data fo").unwrap();
    for verb in VERBS {
        let (status, text) = run(verb, &data);
        assert_eq!(status, refused(verb), "{verb}: {text}");
        assert!(text.contains("DATA/format isn't what any version writes there"), "{verb}: {text}");
    }
    fs::remove_file(&format).unwrap();
    well("verify --data DATA", &data);
}

#[tokio::test]
async fn nothing_is_migrated_while_a_server_runs_and_a_dry_run_says_so() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("data");
    unpack("0.2.0", &data);
    let server = Server::start(&data).await.unwrap();
    let (status, text) = run("migrate --data DATA", &data);
    assert!(status == 6 && text.contains("DATA is in use by another process"), "{text}");
    assert!(well("migrate --dry-run --json --data DATA", &data).contains("\"is_in_use\":true"));
    server.terminate().await;
}

#[test]
fn a_folder_that_the_first_start_would_refuse_is_said_to_be_and_stays_the_earlier_versions() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().join("data");
    unpack("0.2.0", &data);
    let log = data.join("audit.log");
    let changed = fs::read_to_string(&log).unwrap().replacen("\"event\":\"read\"", "\"event\":\"keys\"", 1);
    fs::write(&log, changed).unwrap();
    for verb in ["migrate --dry-run --data DATA", "migrate --data DATA"] {
        let (status, text) = run(verb, &data);
        let why = text.lines().last().unwrap();
        assert!(status == 3 && why.starts_with("conspectus: the first start would be refused: "), "{verb}: {text}");
        assert!(why.contains("line 7"), "{why}");
        assert!(!data.join("format").exists());
    }
}

/// A version that is released has a folder of its format, which a development version may not have yet; and what is
/// tested above is all that there is.
#[test]
fn every_version_that_was_released_with_a_format_of_its_own_has_a_folder() {
    let entries = fs::read_dir("tests/journals").unwrap();
    let folders = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    for folder in folders.filter(|name| name != "before-the-write-ahead-file") {
        assert!(GOLDEN.iter().any(|golden| golden.version == folder), "{folder} isn't tested");
    }
    let own = env!("CARGO_PKG_VERSION");
    let formats = fs::read_to_string("src/journal/format.rs").unwrap();
    let (_, count) = formats.split_once("FORMATS: [Format; ").unwrap();
    let format: u32 = count.split_once(']').unwrap().0.parse().unwrap();
    assert!(
        own.contains('-') || GOLDEN.iter().any(|golden| golden.format == format),
        "no folder in tests/journals is of format {format}, which {own} writes: CONTRIBUTING.md says how one is made"
    );
}
