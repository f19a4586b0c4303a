//! Drills of an operator, with keys and an audit log: a disk that is really full, writes that are cut short, and an
//! audit log that is rotated, removed or replaced in ways in which no new one can be made.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use conspectus::audit::{self, Event, NumberedLine};
use conspectus::journal::{DiskJournal, Journal};
use conspectus::model::revision::Revision;
use rustix::fs::{FallocateFlags, fallocate};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use tempfile::TempDir;

use crate::{Disk, Server, binary, folder, refusal_to_serve};

const SUBMISSIONS: &str = "conspectus.v1.SubmissionService";
const PICTURES: &str = "conspectus.v1.PictureService";
const AGENCY: &str = "hampshire-childrens-services";
/// Of the write-ahead log: records begin at blocks, after the first one, with this.
const BLOCK_BYTES: usize = 4_096;
const RECORD_MAGIC: &[u8] = b"\xC1rec";

/// The keys of a folder's callers.
pub(crate) struct Keys {
    pub(crate) submitter: String,
    pub(crate) analyst: String,
}

/// The key in what a verb prints.
fn key_in(printed: &str) -> String {
    printed.split_whitespace().find(|word| word.starts_with("cps_")).unwrap().to_owned()
}

/// Makes a data folder with keys and the demo's catalogue, and a server on it.
fn begin(data: &Path) -> (Server, Keys) {
    begin_as(data, Server::start)
}

pub(crate) fn begin_as(data: &Path, start: impl Fn(&Path) -> Server) -> (Server, Keys) {
    let mut create = binary::command();
    create.args(["key", "create", "--new", "--role", "operator", "jo", "--data"]).arg(data);
    let created = create.output().unwrap();
    let operator = key_in(&String::from_utf8(created.stdout).unwrap());
    let server = start(data);
    let key = |args: &str| key_in(&server.does(&operator, &format!("key create {args}")));
    let steward = key("sam --role steward");
    server.does(&steward, "catalogue put data/catalogue.toml");
    let submitter = key(&format!("feed --role submitter --agency {AGENCY}"));
    let analyst = key("ana --role analyst");
    (server, Keys { submitter, analyst })
}

/// What a verb that calls a server for a purpose prints and says, and whether it succeeds.
fn verb(server: SocketAddr, purpose: &str, key: &str, line: &str) -> (bool, String) {
    let mut command = binary::command();
    command.args(line.split(' ')).env("CONSPECTUS_SERVER", format!("http://{server}"));
    command.env("CONSPECTUS_KEY", key).env("CONSPECTUS_PURPOSE", purpose);
    let output = command.output().unwrap();
    (output.status.success(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

/// Submits a figure, and returns the revision and the receipt; or what the verb says when it is refused.
fn try_submit(server: SocketAddr, keys: &Keys, figure: u32) -> Result<(u64, String), String> {
    let (_sheet, line) = submission(figure);
    let (done, said) = verb(server, "a drill", &keys.submitter, &line);
    if !done {
        return Err(said);
    }
    let after = |word: &str| {
        let (_, rest) = said.split_once(word).unwrap();
        rest.split([' ', ':', '\n']).next().unwrap().to_owned()
    };
    Ok((after("at revision ").parse().unwrap(), after("Receipt ")))
}

impl Server {
    /// What a verb prints and says, and whether it succeeds.
    pub(crate) fn verb(&self, key: &str, line: &str) -> (bool, String) {
        verb(self.address, "a drill", key, line)
    }

    /// The same, of one that must succeed.
    pub(crate) fn does(&self, key: &str, line: &str) -> String {
        let (done, said) = self.verb(key, line);
        assert!(done, "{line}: {said}");
        said
    }

    /// The same, of one that must be refused.
    pub(crate) fn refuses(&self, key: &str, line: &str, with: &str) {
        let (done, said) = self.verb(key, line);
        assert!(!done && said.contains(with), "{line}: {said}");
    }

    /// Submits a figure, and returns the revision and the receipt.
    pub(crate) fn submit(&self, keys: &Keys, figure: u32) -> (u64, String) {
        try_submit(self.address, keys, figure).unwrap_or_else(|said| panic!("{said}"))
    }

    /// Has the system cut short whatever this server writes past so many bytes of a file: what doesn't fit isn't written,
    /// and what comes before it is.
    fn limit_files(&self, bytes: Option<u64>) {
        let id = Pid::from_raw(i32::try_from(self.process.0.id()).unwrap());
        prlimit(id, Resource::Fsize, Rlimit { current: bytes, maximum: None }).unwrap();
    }
}

pub(crate) const READ: &str = "query --indicator initial-contacts --area E10000014 --period FY2021-22";

/// A sheet with one figure, and the verb that submits it.
pub(crate) fn submission(figure: u32) -> (tempfile::NamedTempFile, String) {
    let mut sheet = tempfile::NamedTempFile::with_suffix(".csv").unwrap();
    write!(sheet, "indicator,area,period,value\ninitial-contacts,E10000014,FY2021-22,{figure}\n").unwrap();
    let line = format!("submit {} --agency {AGENCY}", sheet.path().display());
    (sheet, line)
}

fn log(data: &Path) -> PathBuf {
    data.join(audit::FILE_NAME)
}

fn lines(path: &Path) -> Vec<NumberedLine> {
    let mut lines = Vec::new();
    audit::verify(path, &mut |line| lines.push(line.clone())).unwrap();
    lines
}

fn events(path: &Path, event: Event) -> Vec<NumberedLine> {
    lines(path).into_iter().filter(|line| line.line.event == event).collect()
}

/// That a folder's journal has what was acknowledged.
fn assert_has(data: &Path, receipts: &[(u64, String)]) {
    let reader = DiskJournal::open(data).unwrap().reader();
    for (revision, receipt) in receipts {
        let found = reader.read(Revision(*revision)).unwrap().map(|stored| stored.hash.to_string());
        assert_eq!(found.as_ref(), Some(receipt), "revision {revision}");
    }
}

#[test]
fn a_line_of_the_audit_log_that_is_cut_short_is_never_answered_and_the_next_start_drops_it_and_says_so() {
    let data = folder();
    let (server, keys) = begin(&data.path().join("data"));
    let (data, path) = (data.path().join("data"), log(&data.path().join("data")));
    server.does(&keys.analyst, READ);
    let reads = events(&path, Event::Read).len();
    let length = fs::metadata(&path).unwrap().len();
    server.limit_files(Some(length + 100));
    server.refuses(&keys.analyst, READ, "the audit log failed: what must be audited can't be read until a restart");
    assert_eq!(fs::metadata(&path).unwrap().len(), length + 100, "a part of the line is there");
    server.until_logged("the audit log failed: what must be audited isn't answered any more");
    server.until_health(PICTURES, false);
    // That it could be written again changes nothing: what is on the disk is known after a restart.
    server.limit_files(None);
    server.refuses(&keys.analyst, READ, "until a restart");
    server.does(&keys.submitter, "catalogue agencies");
    assert_eq!(server.stop().0.code(), Some(0));

    let server = Server::start(&data);
    server.until_logged("the audit log ended in a line that was cut off: it is dropped");
    server.does(&keys.analyst, READ);
    assert!(server.health(PICTURES));
    assert_eq!(server.stop().0.code(), Some(0));
    assert_eq!(events(&path, Event::Read).len(), reads + 1);
    assert_eq!(events(&path, Event::Repaired)[0].line.scope, "100 bytes");
}

/// Where the newest record of a write-ahead log begins, of which the ring has not gone round yet.
fn newest_record(data: &Path) -> u64 {
    let bytes = fs::read(data.join("ahead")).unwrap();
    let begins = |at: &usize| bytes[*at..].starts_with(RECORD_MAGIC);
    (BLOCK_BYTES..bytes.len()).step_by(BLOCK_BYTES).rfind(begins).unwrap() as u64
}

#[test]
fn a_record_of_the_journal_that_is_cut_short_is_never_acknowledged_and_what_was_is_kept() {
    let data = folder();
    let data = data.path().join("data");
    let (server, keys) = begin(&data);
    let receipts: Vec<_> = (0..3).map(|figure| server.submit(&keys, figure)).collect();
    server.limit_files(Some(newest_record(&data) + BLOCK_BYTES as u64 + 100));
    let (sheet, submit) = submission(9);
    server.refuses(&keys.submitter, &submit, "the journal failed, and nothing more is written");
    server.until_logged("the journal failed: no more writes are taken");
    server.until_health(SUBMISSIONS, false);
    server.limit_files(None);
    server.refuses(&keys.submitter, &submit, "restart to find out what was kept");
    // Reads go on.
    server.does(&keys.analyst, READ);
    assert_eq!(server.stop().0.code(), Some(0));

    let server = Server::start(&data);
    server.until_logged("an append was cut off before it was acknowledged: what is left of it is dropped");
    server.does(&keys.submitter, &submit);
    drop(sheet);
    assert!(server.health(SUBMISSIONS));
    assert_eq!(server.stop().0.code(), Some(0));
    assert_has(&data, &receipts);
}

#[test]
fn a_disk_that_is_full_to_the_last_byte_stops_what_must_be_written_until_there_is_space() {
    let Some(disk) = Disk::new(160) else { return };
    let data = disk.path("data");
    let (server, keys) = begin(&data);
    let receipt = server.submit(&keys, 1);
    server.does(&keys.analyst, READ);
    assert_eq!(server.stop().0.code(), Some(0));
    // What a crash would leave of a line.
    OpenOptions::new().append(true).open(log(&data)).unwrap().write_all(b"{\"n\":").unwrap();
    let before = fs::read(log(&data)).unwrap();
    disk.take(u32::MAX);

    // A start that must write, and can't, says so. Some blocks are enough for it to serve what it can.
    let said = refusal_to_serve(&data, |command| command);
    assert!(said.contains("No space left on device"), "{said}");
    let other = OpenOptions::new().write(true).open(disk.path("other")).unwrap();
    other.set_len(other.metadata().unwrap().len() - 16 * BLOCK_BYTES as u64).unwrap();
    // A file that is open keeps its space, whoever removes it.
    drop(other);
    let server = Server::start(&data);
    let mut rest = File::create(disk.path("rest")).unwrap();
    while rest.write_all(&[1; BLOCK_BYTES]).is_ok() {}
    server.until_logged("the disk is nearly full: submissions, and reads that are audited, are refused");
    let (sheet, submit) = submission(2);
    let with_disk = |key: &str, line: &str| server.refuses(key, line, "the disk is nearly full");
    with_disk(&keys.submitter, &submit);
    with_disk(&keys.analyst, READ);
    for service in [SUBMISSIONS, PICTURES] {
        server.until_health(service, false);
    }
    // Neither a refusal nor the line that was cut off goes without a line in the end.
    for _ in 0..3 {
        server.refuses(&keys.submitter, READ, "may not");
    }
    assert_eq!(fs::read(log(&data)).unwrap(), before);

    disk.give_back();
    for service in [SUBMISSIONS, PICTURES] {
        server.until_health(service, true);
    }
    let second = server.submit(&keys, 2);
    drop(sheet);
    server.does(&keys.analyst, READ);
    assert_eq!(server.stop().0.code(), Some(0));
    assert_has(&data, &[receipt, second]);
    assert_eq!(events(&log(&data), Event::Repaired)[0].line.scope, "5 bytes");
    let counted = events(&log(&data), Event::RefusedMore);
    assert!(
        counted.iter().any(|NumberedLine { line, .. }| line.identity == "feed" && line.scope == "3 more"),
        "{counted:?}"
    );
}

/// As the system's least user, where this is the greatest: what is in a folder that only its owner may write to.
fn as_nobody(data: &Path) -> Option<u32> {
    const NOBODY: u32 = 65_534;
    let me = fs::metadata("/proc/self").unwrap().uid();
    if me != 0 {
        return Some(me);
    }
    let mut probe = binary::command();
    if !probe.arg("--version").uid(NOBODY).stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
        println!("skipped: nobody else can run the program");
        return None;
    }
    fs::set_permissions(data.parent().unwrap(), Permissions::from_mode(0o777)).unwrap();
    fs::set_permissions(data, Permissions::from_mode(0o700)).unwrap();
    chown(data, NOBODY);
    Some(NOBODY)
}

fn chown(path: &Path, user: u32) {
    std::os::unix::fs::lchown(path, Some(user), Some(user)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            chown(&entry.unwrap().path(), user);
        }
    }
}

type Drill = fn(&Path);

/// Puts something in an audit log's place that keeps a new one from being made, and what takes it away again.
const DISTURBANCES: [(&str, Drill, Drill); 4] = [
    ("it isn't a regular file", |path| link(path, Path::new("/dev/null")), unlink),
    ("No such file or directory", |path| link(path, &path.with_file_name("nowhere").join("x")), unlink),
    (
        "Permission denied",
        |path| {
            // As logrotate's `create` with an owner that isn't the server's.
            rotate(path);
            File::create(path).unwrap();
            fs::set_permissions(path, Permissions::from_mode(0o400)).unwrap();
        },
        |path| fs::remove_file(path).unwrap(),
    ),
    (
        "Permission denied",
        |path| {
            rotate(path);
            fs::set_permissions(path.parent().unwrap(), Permissions::from_mode(0o500)).unwrap();
        },
        |path| fs::set_permissions(path.parent().unwrap(), Permissions::from_mode(0o700)).unwrap(),
    ),
];

fn rotate(path: &Path) {
    fs::rename(path, path.with_extension("log.1")).unwrap();
}

fn link(path: &Path, to: &Path) {
    rotate(path);
    symlink(to, path).unwrap();
}

fn unlink(path: &Path) {
    fs::remove_file(path).unwrap();
}

#[test]
fn while_no_new_audit_log_can_be_made_reads_are_refused_and_the_health_says_so_until_one_can() {
    for (why, disturb, mend) in DISTURBANCES {
        let folder = folder();
        let data = folder.path().join("data");
        let (server, keys) = begin(&data);
        server.does(&keys.analyst, READ);
        assert_eq!(server.stop().0.code(), Some(0));
        let Some(user) = as_nobody(&data) else { return };
        let server = Server::start_with(|command| command.uid(user), &data);
        let path = log(&data);
        let last = lines(&path).len() as u64;
        disturb(&path);
        server.until_health(PICTURES, false);
        let line = server.until_logged("the audit log can't be written, and what must be audited isn't answered");
        assert!(line.contains(why), "{line}");
        server.refuses(&keys.analyst, READ, "the audit log can't be written now");
        assert!(server.health(SUBMISSIONS));
        mend(&path);
        server.until_health(PICTURES, true);
        server.does(&keys.analyst, READ);
        let (ended, logged) = server.stop();
        assert_eq!(ended.code(), Some(0), "{logged:?}");
        let found = lines(&path);
        let first = &found[0];
        assert_eq!((first.n, first.line.event), (last + 1, Event::Continued), "{why}");
        assert_eq!(lines(&path.with_extension("log.1")).len() as u64, last);
    }
}

#[test]
fn an_audit_log_that_is_no_file_is_refused_at_the_start_and_never_waited_for() {
    let folder = folder();
    let data = folder.path().join("data");
    let (server, keys) = begin(&data);
    server.does(&keys.analyst, READ);
    assert_eq!(server.stop().0.code(), Some(0));
    let path = log(&data);
    rotate(&path);
    let pipe = || rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0);
    pipe().unwrap();
    let said = refusal_to_serve(&data, |command| command);
    assert!(said.contains("audit.log: it isn't a regular file"), "{said}");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let said = refusal_to_serve(&data, |command| command);
    assert!(said.contains("audit.log: it isn't a regular file"), "{said}");
    fs::remove_dir(&path).unwrap();
    // A link to the right file is that file.
    symlink(path.with_extension("log.1"), &path).unwrap();
    let server = Server::start(&data);
    server.does(&keys.analyst, READ);
    assert_eq!(server.stop().0.code(), Some(0));
    assert!(path.is_symlink());
}

#[test]
fn an_audit_log_that_is_moved_away_just_before_the_stop_is_no_obstacle_to_the_next_start() {
    let folder = folder();
    let data = folder.path().join("data");
    let (server, keys) = begin(&data);
    server.does(&keys.analyst, READ);
    let last = lines(&log(&data)).len() as u64;
    rotate(&log(&data));
    assert_eq!(server.stop().0.code(), Some(0));
    let server = Server::start(&data);
    server.does(&keys.analyst, READ);
    assert_eq!(server.stop().0.code(), Some(0));
    let found = lines(&log(&data));
    assert_eq!((found[0].n, found[0].line.event), (last + 1, Event::Continued));
}

/// An ext4 of its own on a file, unmounted when dropped: it takes space for what is written later, in blocks.
struct Ext4(TempDir);

impl Ext4 {
    fn new(mib: u64) -> Self {
        let folder = folder();
        let (image, mounted) = (folder.path().join("image"), folder.path().join("mounted"));
        File::create(&image).unwrap().set_len(mib << 20).unwrap();
        fs::create_dir(&mounted).unwrap();
        for (program, args) in [("mkfs.ext4", "-q -m 0"), ("mount", "-o loop")] {
            let mut command = Command::new(program);
            command.args(args.split(' ')).arg(&image);
            if program == "mount" {
                command.arg(&mounted);
            }
            let output = command.output().unwrap();
            assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Self(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("mounted")
    }

    /// Takes all that is left at once, and gives it back.
    fn fill_for(&self, time: Duration) {
        let other = self.path().join("other");
        let file = File::create(&other).unwrap();
        let (mut at, mut step) = (0, 1 << 28);
        while step >= BLOCK_BYTES as u64 {
            match fallocate(&file, FallocateFlags::empty(), at, step) {
                Ok(()) => at += step,
                Err(_) => step /= 2,
            }
        }
        std::thread::sleep(time);
        drop(file);
        fs::remove_file(other).unwrap();
    }
}

impl Drop for Ext4 {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.path()).output());
    }
}

/// `CONSPECTUS_FILLS=20` fills a disk some 1,500 times, in 20 lives of a server of 5 seconds each. It needs root.
#[test]
fn a_disk_that_fills_at_any_moment_under_a_server_loses_nothing_acknowledged_and_no_line_of_an_answered_read() {
    const LIFE: Duration = Duration::from_secs(5);
    let lives: u32 = std::env::var("CONSPECTUS_FILLS").map_or(0, |lives| lives.parse().unwrap());
    if lives == 0 {
        println!("skipped: it is a drill for CONSPECTUS_FILLS");
        return;
    }
    let disk = Ext4::new(260);
    let data = disk.path().join("data");
    let (server, keys) = begin(&data);
    assert_eq!(server.stop().0.code(), Some(0));
    let (mut receipts, mut answered, mut refused) = (Vec::new(), Vec::new(), 0);
    for life in 0..lives {
        let server = Server::start(&data);
        let (address, end) = (server.address, Instant::now() + LIFE);
        let is_over = || Instant::now() >= end;
        std::thread::scope(|scope| {
            let submitted = scope.spawn(|| {
                (life * 100_000..).take_while(|_| !is_over()).map(|figure| try_submit(address, &keys, figure)).collect()
            });
            let readers = [0, 1, 2].map(|reader| {
                let (keys, is_over) = (&keys, &is_over);
                let purposes = (0..).map(move |n| format!("life {life}, reader {reader}, {n}"));
                scope.spawn(move || -> Vec<(String, bool)> {
                    let read = |purpose: String| {
                        let is_answered = verb(address, &purpose, &keys.analyst, READ).0;
                        (purpose, is_answered)
                    };
                    purposes.take_while(|_| !is_over()).map(read).collect()
                })
            });
            for fill in (0..).take_while(|_| !is_over()) {
                disk.fill_for(Duration::from_micros(fill * 997 % 4_000));
                std::thread::sleep(Duration::from_micros(10_000 + fill * 7_919 % 20_000));
            }
            let submitted: Vec<Result<_, String>> = submitted.join().unwrap();
            for submitted in submitted {
                match submitted {
                    Ok(receipt) => receipts.push(receipt),
                    Err(_) => refused += 1,
                }
            }
            for (purpose, is_answered) in readers.into_iter().flat_map(|reader| reader.join().unwrap()) {
                if is_answered { answered.push(purpose) } else { refused += 1 }
            }
        });
        assert_eq!(server.stop().0.code(), Some(0));
    }
    drop(Server::start(&data));
    assert_has(&data, &receipts);
    let lines = lines(&log(&data));
    let read: HashSet<&str> = lines.iter().map(|line| line.line.purpose.as_str()).collect();
    for purpose in &answered {
        assert!(read.contains(purpose.as_str()), "{purpose} was answered without a line");
    }
    let cut = events(&log(&data), Event::Repaired).len();
    println!("{} acknowledged, {} read, {refused} refused, {cut} lines cut short", receipts.len(), answered.len());
}

/// The newest audit log beside a restored backup: it has changes of keys that the backup has too, since the journal records
/// only now and then how far the log has come.
#[test]
fn after_a_restore_the_changes_of_keys_that_are_lost_are_named_and_no_others() {
    let (data, elsewhere) = (folder(), folder());
    let mut create = binary::command();
    create.args(["key", "create", "--new", "--role", "operator", "jo", "--data"]).arg(data.path());
    let operator = key_in(&String::from_utf8(create.output().unwrap().stdout).unwrap());
    let server = Server::start(data.path());
    server.does(&operator, "key create in-the-backup --role analyst");
    let (backup, restored) = (elsewhere.path().join("full"), elsewhere.path().join("restored"));
    binary::run(["backup", backup.to_str().unwrap(), "--data", data.path().to_str().unwrap()]);
    server.does(&operator, "key create lost --role analyst");
    drop(server);
    binary::run(["restore", backup.to_str().unwrap(), "--data", restored.to_str().unwrap()]);
    fs::copy(log(data.path()), log(&restored)).unwrap();
    let server = Server::start_with(|command| command.arg("--accept-older-journal"), &restored);
    let said = server.stop().1;
    let lost: Vec<&String> = said.iter().filter(|line| line.contains("that the older journal lacks is lost")).collect();
    assert!(lost.len() == 1 && lost[0].contains("create lost"), "{lost:?}");
}
