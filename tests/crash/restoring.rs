//! The restore drill: a folder that is backed up while it is written to, destroyed, and restored.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use conspectus::journal::{DiskJournal, Journal, Tail};
use conspectus::rpc::client::picture_service_client::PictureServiceClient;
use conspectus::rpc::client::submission_service_client::SubmissionServiceClient;
use conspectus::rpc::proto::{GetPictureRequest, ListSubmissionsRequest, ReconcileRequest};

use crate::binary::load::Load;
use crate::binary::{self, Server};

/// How often the server is backed up and stopped.
const ROUNDS: u64 = 10;
/// How many submissions each round has, before it is backed up and after.
const ACKNOWLEDGED_EACH: usize = 20;

/// What a verb prints; it must succeed.
fn conspectus(args: &[&str]) -> String {
    let output = binary::command().args(args).env_remove("CONSPECTUS_DATA").output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What a server answers about everything that it has.
async fn answers(server: &Server) -> Vec<String> {
    let mut answers = Vec::new();
    let mut pictures = PictureServiceClient::new(server.channel.clone());
    for year in 10..20 {
        for area in ["E10000014", "HIPS"] {
            let (area, period) = (area.to_owned(), format!("FY20{year}-{}", year + 1));
            let request = GetPictureRequest { area, period, ..Default::default() };
            let mut picture = pictures.get_picture(request).await.unwrap().into_inner();
            picture.as_of = None;
            answers.push(format!("{picture:?}"));
        }
    }
    let request = ReconcileRequest {
        areas: vec!["HIPS".to_owned()],
        periods: vec!["FY2015-16".to_owned()],
        ..Default::default()
    };
    let mut reconciled = pictures.reconcile(request).await.unwrap().into_inner();
    reconciled.as_of = None;
    answers.push(format!("{reconciled:?}"));
    let mut token = String::new();
    loop {
        let request = ListSubmissionsRequest { page_size: 1_000, page_token: token, ..Default::default() };
        let page = SubmissionServiceClient::new(server.channel.clone()).list_submissions(request).await.unwrap();
        let page = page.into_inner();
        answers.extend(page.submissions.iter().map(|submission| format!("{submission:?}")));
        token = page.next_page_token;
        if token.is_empty() {
            return answers;
        }
    }
}

/// What a server that is started on a folder answers.
async fn answers_of(folder: &Path) -> Vec<String> {
    let server = Server::start(folder).await.unwrap();
    let answers = answers(&server).await;
    server.terminate().await;
    answers
}

fn tail(folder: &Path) -> Tail {
    DiskJournal::open(folder).unwrap().tail()
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-aT").args([from, to]).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_is_destroyed_is_restored_with_every_answer_from_backups_that_were_taken_under_load() {
    let scratch = tempfile::tempdir().unwrap();
    let path = |name: &str| scratch.path().join(name);
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let data = path("data");
    let (mut backups, mut stops, mut acknowledged) = (Vec::<PathBuf>::new(), Vec::<PathBuf>::new(), Vec::new());
    for round in 0..ROUNDS {
        let server = Server::start(&data).await.unwrap();
        if round == 0 {
            server.put_catalogue().await;
        }
        let load = Load::on(&server, &format!("round-{round}"));
        // Not at the same point of a group each time.
        load.until(ACKNOWLEDGED_EACH, Duration::from_micros(round * 7_919 % 20_000)).await;
        let backup = path(&format!("{round}.backup"));
        let mut args = vec!["backup".to_owned(), text(&backup), "--data".to_owned(), text(&data)];
        // By its file, by its id, or whatever the last one was.
        match backups.last() {
            None => {}
            Some(last) if round % 3 == 0 => args.extend(["--after".to_owned(), text(last)]),
            Some(_) if round % 3 == 1 => {
                let all: Vec<&str> =
                    ["verify"].into_iter().chain(backups.iter().map(|it| it.to_str().unwrap())).collect();
                let said = conspectus(&all);
                args.extend(["--after".to_owned(), said.lines().last().unwrap().to_owned()]);
            }
            Some(_) => args.extend(["--after", "last"].map(str::to_owned)),
        }
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        conspectus(&args);
        backups.push(backup);
        load.until(2 * ACKNOWLEDGED_EACH, Duration::from_micros(round * 104_729 % 20_000)).await;
        server.terminate().await;
        acknowledged.extend(load.outcome().await.0);
        let stop = path(&format!("stopped-{round}"));
        copy(&data, &stop);
        stops.push(stop);
    }
    // What came after the last one is backed up while no server runs.
    let last = path("last.backup");
    conspectus(&["backup", &text(&last), "--data", &text(&data), "--after", "last"]);
    backups.push(last);
    let (known, end) = (answers_of(&data).await, tail(&data));
    fs::remove_dir_all(&data).unwrap();

    let files: Vec<String> = backups.iter().map(|path| text(path)).collect();
    let with_files = |verb: &[&str]| {
        let args: Vec<&str> = verb.iter().copied().chain(files.iter().map(String::as_str)).collect();
        conspectus(&args)
    };
    with_files(&["verify", "--restore", "--scratch", &text(scratch.path()), "--data", &text(&path("nowhere"))]);
    let said = with_files(&["restore", "--data", &text(&data)]);
    assert!(said.contains("are those of the server when it was backed up"), "{said}");
    assert_eq!(tail(&data), end);
    assert_eq!(answers_of(&data).await, known);
    let server = Server::start(&data).await.unwrap();
    for one in &acknowledged {
        assert_eq!(server.wrong_with(one).await, None);
    }
    // By way of lines of JSON too, printed by the server and without one.
    let (lines, imported) = (path("lines.jsonl"), path("imported"));
    fs::write(&lines, conspectus(&["export", "--data", &text(&data)])).unwrap();
    conspectus(&["import", &text(&lines), "--data", &text(&imported)]);
    assert_eq!(tail(&imported), end);
    assert_eq!(answers_of(&imported).await, known);
    assert!(conspectus(&["export", "--data", &text(&imported)]) == fs::read_to_string(&lines).unwrap());
    let (request, receipt) = &acknowledged[0];
    assert_eq!(server.submit(request).await.unwrap(), (receipt.clone(), true), "a retry has its receipt");
    server.terminate().await;

    // To each revision at which a server stopped.
    for (round, stop) in stops.iter().enumerate() {
        let (stopped_at, restored) = (tail(stop), path(&format!("restored-{round}")));
        let revision = stopped_at.revision.to_string();
        with_files(&["restore", "--data", &text(&restored), "--revision", &revision]);
        assert_eq!(tail(&restored), stopped_at);
        assert_eq!(answers_of(&restored).await, answers_of(stop).await, "revision {revision}");
    }
    println!("{} submissions, {} backups, {} stops", acknowledged.len(), backups.len(), stops.len());
}
