//! The life of a server as a service manager and an operator of its machine see it: what it tells, whom it refuses, what it
//! answers on its control socket.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, lchown};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::{PATIENCE, Server, binary, ended, folder, refusal_to_serve};

/// What a verb on a folder prints, and says; it must succeed.
fn conspectus(folder: &Path, verb: &str) -> String {
    let mut command = binary::command();
    command.args(verb.split(' ')).arg("--data").arg(folder).env_remove("CONSPECTUS_DATA");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{verb}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Waits for a message that has a line.
fn told(socket: &UnixDatagram, line: &str) -> String {
    let start = Instant::now();
    let mut bytes = [0; 4_096];
    loop {
        let length = socket.recv(&mut bytes).unwrap();
        let message = String::from_utf8(bytes[..length].to_vec()).unwrap();
        if message.lines().any(|found| found == line) {
            return message;
        }
        assert!(start.elapsed() < PATIENCE, "{line} isn't told");
    }
}

#[test]
fn a_service_manager_is_told_of_the_start_of_the_work_and_of_the_stop() {
    let (data, scratch) = (folder(), tempfile::tempdir().unwrap());
    let path = scratch.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut server = Server::start_with(|command| command.env("NOTIFY_SOCKET", &path), data.path());
    told(&socket, "READY=1");
    assert!(told(&socket, "WATCHDOG=1").contains("STATUS=serving"));
    server.signal(Signal::TERM);
    let stop = told(&socket, "STOPPING=1");
    assert!(stop.contains("EXTEND_TIMEOUT_USEC="), "{stop}");
    assert!(ended(&mut server.process).success());
}

#[test]
fn a_second_server_on_a_folder_is_refused_at_once_though_the_lock_file_is_deleted() {
    let data = folder();
    let server = Server::start(data.path());
    for is_deleted in [false, true] {
        if is_deleted {
            fs::remove_file(data.path().join("lock")).unwrap();
        }
        let start = Instant::now();
        let said = refusal_to_serve(data.path(), |command| command.env("CONSPECTUS_LOG", "info"));
        assert!(said.contains("is in use by another process"), "{said}");
        assert!(!said.contains("listening"), "nobody can connect to it: {said}");
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    }
    assert!(conspectus(data.path(), "status").contains("ready"), "the first has its socket still");
    drop(server);
}

#[test]
fn the_control_socket_is_its_owners_alone_and_outlives_no_server() {
    let data = folder();
    let mut server = Server::start(data.path());
    let socket = data.path().join("control");
    let found = fs::metadata(&socket).unwrap();
    assert!(found.file_type().is_socket() && found.permissions().mode() & 0o077 == 0);
    let status: serde_json::Value = serde_json::from_str(&conspectus(data.path(), "status --json")).unwrap();
    assert_eq!(status["process"], server.process.0.id());
    assert_eq!(status["store"]["revision"], 0);
    server.signal(Signal::TERM);
    assert!(ended(&mut server.process).success());
    assert!(!socket.exists());

    // What is left of one that was killed is no obstacle, neither to a verb nor to the next server.
    let server = Server::start(data.path());
    drop(server);
    assert!(socket.exists());
    let backup = data.path().with_extension("backup");
    conspectus(data.path(), &format!("backup {}", backup.display()));
    fs::remove_file(backup).unwrap();
    let server = Server::start(data.path());
    assert!(conspectus(data.path(), "verify").contains("Everything is what was written"));
    drop(server);
}

#[test]
fn whoever_takes_every_place_on_the_control_socket_keeps_no_server_from_its_stop() {
    let data = folder();
    let mut server = Server::start(data.path());
    let _idle: Vec<UnixStream> = (0..20).map(|_| UnixStream::connect(data.path().join("control")).unwrap()).collect();
    let start = Instant::now();
    server.signal(Signal::TERM);
    assert!(ended(&mut server.process).success());
    // Without a request a connection would be closed after ten seconds.
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn a_folder_whose_path_is_longer_than_a_sockets_may_be_has_one_all_the_same() {
    let scratch = folder();
    let data = scratch.path().join("d".repeat(120)).join("data");
    fs::create_dir_all(data.parent().unwrap()).unwrap();
    let server = Server::start(&data);
    let status = conspectus(&data, "status");
    assert!(status.contains(&server.process.0.id().to_string()), "{status}");
}

#[test]
fn a_server_that_is_to_stop_says_so_in_its_health_a_while_before_it_lets_nobody_in() {
    let data = folder();
    let mut server = Server::start_with(|command| command.args(["--lame-duck-seconds", "2"]), data.path());
    let start = Instant::now();
    server.signal(Signal::TERM);
    while server.health("") {
        assert!(start.elapsed() < Duration::from_secs(2), "it isn't in its health");
    }
    let status = conspectus(data.path(), "status");
    assert!(status.contains("the server is stopping"), "{status}");
    assert!(ended(&mut server.process).success());
    assert!(start.elapsed() >= Duration::from_secs(2));
}

/// As an operator's shell and a timer's script run, beside a server that has a user of its own.
#[test]
fn what_root_does_in_the_folder_of_another_user_leaves_nothing_there_that_is_roots() {
    const NOBODY: u32 = 65_534;
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        println!("skipped: this isn't root");
        return;
    }
    let (scratch, data) = (folder(), folder());
    let entries = |folder: &Path| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let all = || entries(data.path()).into_iter().chain(entries(&data.path().join("sled"))).collect::<Vec<_>>();
    conspectus(data.path(), "key create jo --role operator");
    lchown(data.path(), Some(NOBODY), Some(NOBODY)).unwrap();
    all().iter().for_each(|path| lchown(path, Some(NOBODY), Some(NOBODY)).unwrap());
    let backup = scratch.path().join("full").display().to_string();
    for verb in [
        "verify".to_owned(),
        "key create kim --role operator".to_owned(),
        format!("backup {backup}"),
        format!("verify --restore {backup}"),
        "migrate".to_owned(),
    ] {
        conspectus(data.path(), &verb);
        let of_root = all().into_iter().filter(|path| fs::symlink_metadata(path).unwrap().uid() != NOBODY);
        assert_eq!(of_root.collect::<Vec<_>>(), Vec::<PathBuf>::new(), "{verb}");
    }
}

#[test]
fn what_ships_the_audit_log_ends_with_its_reader_though_there_is_no_further_line() {
    let data = folder();
    conspectus(data.path(), "key create jo --role operator");
    let mut command = binary::command();
    command.args(["audit", "--follow", "--json", "--data"]).arg(data.path()).stdout(Stdio::piped());
    let mut shipper = command.spawn().unwrap();
    let mut first = String::new();
    let mut reader = BufReader::new(shipper.stdout.take().unwrap());
    reader.read_line(&mut first).unwrap();
    assert!(first.starts_with("{\"n\":1,"), "{first}");
    drop(reader);
    let start = Instant::now();
    while shipper.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < PATIENCE, "it goes on without a reader");
        std::thread::sleep(Duration::from_millis(20));
    }
}
