//! What is kept of a server: backups that count only once they are whole, an audit log whose end is missed when it is cut
//! off, and starts that are refused.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use crate::drills::{Keys, READ, begin_as, submission};
use crate::{Disk, PATIENCE, POLL_INTERVAL, Server, binary, folder, free_address, metrics, serve};

/// A verb on a data folder: its exit status, and what it says.
fn on(data: &Path, verb: &[&str]) -> (Option<i32>, String) {
    let mut command = binary::command();
    outcome(command.args(verb).arg("--data").arg(data).env_remove("CONSPECTUS_KEY"))
}

fn outcome(command: &mut Command) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8([stdout, stderr].concat()).unwrap())
}

/// A verb that calls a server.
fn calling(server: SocketAddr, key: &str, line: &str) -> (Option<i32>, String) {
    let mut command = binary::command();
    command.args(line.split(' ')).env("CONSPECTUS_SERVER", format!("http://{server}"));
    outcome(command.env("CONSPECTUS_KEY", key).env("CONSPECTUS_PURPOSE", "a drill"))
}

/// The status that a server ends with which must refuse to start, and what it says.
fn start(data: &Path, options: &[&str]) -> (Option<i32>, String) {
    outcome(serve("", free_address(), data).args(options))
}

/// Writes over what is in a file, which stays as long.
fn in_place(path: &Path, text: &str) {
    OpenOptions::new().write(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn begin(data: &Path) -> (Server, Keys) {
    begin_as(data, Server::start)
}

#[test]
fn lines_that_are_cut_off_the_end_of_an_audit_log_are_missed_wherever_it_is_verified() {
    let folder = folder();
    let data = folder.path().join("data");
    let (server, keys) = begin(&data);
    for _ in 0..3 {
        server.does(&keys.analyst, READ);
    }
    let verifying = [&["verify"][..], &["audit", "--verify"]];
    for verb in verifying {
        assert_eq!(on(&data, verb).0, Some(0), "of a server that runs");
    }
    assert_eq!(server.stop().0.code(), Some(0));
    let path = data.join("audit.log");
    let whole = fs::read_to_string(&path).unwrap();
    let lines = whole.lines().count();
    let cut: String = whole.lines().take(lines - 2).map(|line| format!("{line}\n")).collect();
    fs::write(&path, cut).unwrap();
    for verb in verifying {
        let (status, said) = on(&data, verb);
        let both = format!("with {lines} lines: the log ends with line {}", lines - 2);
        assert!(status == Some(1) && said.contains(&both), "{verb:?}: {said}");
    }
    fs::write(&path, &whole).unwrap();
    for verb in verifying {
        assert_eq!(on(&data, verb).0, Some(0), "put back");
    }
    fs::remove_file(&path).unwrap();
    for verb in verifying {
        assert_eq!(on(&data, verb).0, Some(1), "{verb:?} of a log that is gone");
    }
}

#[test]
fn a_backup_that_nobody_has_all_of_is_none_to_go_on_from() {
    let folder = folder();
    let data = folder.path().join("data");
    let (server, _) = begin(&data);
    let (good, next) = (folder.path().join("good"), folder.path().join("next"));
    let piped = |out: Stdio| {
        let mut command = binary::command();
        command.args(["backup", "-", "--data"]).arg(&data).stdout(out).stderr(Stdio::piped());
        command.output().unwrap().status.code()
    };
    let into_nothing = || {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        Stdio::from(writer)
    };
    let after_last = ["backup", next.to_str().unwrap(), "--after", "last"];
    let none = |why: &str| {
        let (status, said) = on(&data, &after_last);
        assert!(status == Some(3) && said.contains("no backup of this folder is known"), "{why}: {said}");
    };
    assert_eq!(piped(into_nothing()), Some(1));
    none("of a server that runs");
    assert!(on(&data, &["status"]).1.contains("backed up   never"));
    assert_eq!(server.stop().0.code(), Some(0));
    assert_eq!(piped(into_nothing()), Some(1));
    none("of a folder");
    // One that goes all the way counts, whoever writes it.
    assert_eq!(piped(Stdio::from(fs::File::create(&good).unwrap())), Some(0));
    assert_eq!(on(&data, &after_last).0, Some(0));
    let server = Server::start(&data);
    assert!(!on(&data, &["status"]).1.contains("backed up   never"));
    assert_eq!(piped(Stdio::from(fs::File::create(&good).unwrap())), Some(0));
    assert_eq!(server.stop().0.code(), Some(0));
}

#[test]
fn why_a_running_server_breaks_a_backup_off_is_said_to_whoever_asked_for_it() {
    let folder = folder();
    let data = folder.path().join("data");
    let (server, _) = begin(&data);
    let backup = |name: &str, more: &[&str]| {
        let path = folder.path().join(name);
        on(&data, &[&["backup", path.to_str().unwrap()], more].concat())
    };
    let other = folder.path().join("other");
    let (another, keys) = begin(&other);
    another.does(&keys.analyst, READ);
    let of_other = folder.path().join("of-other");
    assert_eq!(on(&other, &["backup", of_other.to_str().unwrap()]).0, Some(0));
    let (status, said) = backup("second", &["--after", of_other.to_str().unwrap()]);
    assert!(status == Some(3) && said.contains("take a full backup"), "{said}");
    // A line that isn't what was written.
    let log = data.join("audit.log");
    let text = fs::read_to_string(&log).unwrap();
    in_place(&log, &text.replacen("\"OK\"", "\"NO\"", 1));
    let (status, said) = backup("third", &[]);
    assert!(status == Some(1) && said.contains("is not what was written, at line "), "{said}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "two folders, and one backup");
    assert_eq!(server.stop().0.code(), Some(0));
}

#[test]
fn a_disturbed_audit_log_is_counted_and_a_restore_of_it_alarms_nobody() {
    let (folder, admin) = (folder(), free_address());
    let data = folder.path().join("data");
    let start = |data: &Path| Server::start_with(|command| command.args(["--admin", &admin.to_string()]), data);
    let (server, keys) = begin_as(&data, start);
    let counted = || {
        let text = metrics::get(admin, "/metrics", "*/*").1;
        let line =
            text.lines().find(|line| line.starts_with("conspectus_audit_disturbances_total ")).map(str::to_owned);
        line.unwrap().rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!(counted(), "0");
    server.does(&keys.analyst, READ);
    fs::rename(data.join("audit.log"), folder.path().join("moved")).unwrap();
    let begun = Instant::now();
    while counted() != "1" {
        assert!(begun.elapsed() < PATIENCE, "it isn't counted");
        std::thread::sleep(POLL_INTERVAL);
    }
    let backup = folder.path().join("backup");
    assert_eq!(on(&data, &["backup", backup.to_str().unwrap()]).0, Some(0));
    let (status, said) = on(&data, &["verify", "--restore", backup.to_str().unwrap()]);
    assert!(status == Some(0) && !said.contains("WARN"), "{said}");
}

#[test]
fn a_start_that_would_be_refused_again_has_a_status_of_its_own_which_the_unit_does_not_try_again() {
    let folder = folder();
    let data = folder.path().join("data");
    let (server, keys) = begin(&data);
    server.does(&keys.analyst, READ);
    let (status, said) = start(&data, &[]);
    assert!(status == Some(6) && said.contains("is in use by another process"), "it may end: {said}");
    assert_eq!(server.stop().0.code(), Some(0));
    let log = fs::read(data.join("audit.log")).unwrap();
    fs::write(data.join("audit.log"), "").unwrap();
    let (status, said) = start(&data, &[]);
    assert!(status == Some(7) && said.contains("--accept-lost-audit-lines"), "{said}");
    fs::write(data.join("audit.log"), log).unwrap();
    let witness = data.join("witness");
    let mut bytes = fs::read(&witness).unwrap();
    for at in [20, 532] {
        bytes[at] ^= 1;
    }
    fs::write(&witness, bytes).unwrap();
    let (status, said) = start(&data, &[]);
    assert!(status == Some(7) && said.contains("restore it from a backup"), "{said}");
    let (status, said) = start(&data, &["--admin", "0.0.0.0:0"]);
    assert!(status == Some(2) && said.contains("--allow-admin-network"), "{said}");
    let unit = fs::read_to_string("deploy/systemd/conspectus.service").unwrap();
    assert!(unit.contains("\nRestartPreventExitStatus=2 7\n"));
}

#[test]
fn a_full_disk_is_said_with_one_status_whatever_is_asked() {
    let Some(disk) = Disk::new(200) else { return };
    let data = disk.path("data");
    let (server, keys) = begin(&data);
    disk.take(u32::MAX);
    server.until_health("conspectus.v1.PictureService", false);
    let (_sheet, submit) = submission(1);
    let (status, said) = calling(server.address, &keys.submitter, &submit);
    assert!(status == Some(6) && said.contains("nothing was stored, so send it again later"), "{said}");
    let (status, said) = calling(server.address, &keys.analyst, READ);
    assert!(status == Some(6) && said.contains("the disk is nearly full"), "{said}");
    let elsewhere = folder();
    let backup = elsewhere.path().join("backup");
    let (status, said) = on(&data, &["backup", backup.to_str().unwrap()]);
    assert!(status == Some(6) && said.contains("the disk is nearly full"), "{said}");
}

#[test]
fn lines_are_pruned_by_a_time_that_has_passed_and_a_running_server_does_it_itself() {
    let folder = folder();
    let data = folder.path().join("data");
    let (server, _) = begin(&data);
    let (status, said) = on(&data, &["audit", "prune", "--before", "2999-01-01"]);
    assert!(status == Some(2) && said.contains("which is to come"), "{said}");
    let (status, said) = on(&data, &["audit", "prune", "--before", "2020-01-01"]);
    assert!(status == Some(6) && said.contains("serve --audit-keep-days"), "{said}");
    assert_eq!(server.stop().0.code(), Some(0));
    assert_eq!(on(&data, &["audit", "prune", "--before", "2020-01-01"]).0, Some(0));
}

#[test]
fn a_line_of_the_settings_that_a_variable_goes_before_is_named() {
    let folder = folder();
    let (data, file) = (folder.path().join("data"), folder.path().join("conspectus.toml"));
    fs::write(&file, "scrub-days = 3\nlog = \"info\"\n").unwrap();
    let server = Server::start_with(|command| command.arg("--config").arg(&file).env("CONSPECTUS_LOG", "debug"), &data);
    server.until_logged("conspectus.toml:2:1: log has no effect: CONSPECTUS_LOG goes before it");
    assert_eq!(server.stop().0.code(), Some(0));
}

#[test]
fn a_file_that_may_not_be_read_is_said_with_the_user_who_may_not() {
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65_534;
    let folder = folder();
    let data = folder.path().join("data");
    drop(begin(&data).0);
    let mut probe = binary::command();
    if !probe.arg("--version").uid(NOBODY).stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        println!("skipped: nobody else can run the program");
        return;
    }
    let rights = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(folder.path(), rights).unwrap();
    for verb in [&["status"][..], &["verify"]] {
        let mut command = binary::command();
        let (status, said) = outcome(command.args(verb).arg("--data").arg(&data).uid(NOBODY));
        assert!(status == Some(1) && said.contains("this ran as the user nobody, who may not"), "{said}");
    }
    let mut command = serve("", free_address(), &data);
    let (status, said) = outcome(command.uid(NOBODY));
    assert!(status == Some(1) && said.contains("this ran as the user nobody, who may not"), "{said}");
}

#[test]
fn a_backup_whose_folder_is_not_there_is_named_as_it_was_given() {
    let folder = folder();
    let data = folder.path().join("data");
    drop(begin(&data).0);
    let nowhere = folder.path().join("nowhere/x.backup");
    let (status, said) = on(&data, &["backup", nowhere.to_str().unwrap()]);
    assert!(
        status == Some(1) && said.contains("x.backup: No such file") && said.contains("make the folder first"),
        "{said}"
    );
}
