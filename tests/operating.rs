//! What an operator meets: the binary with a log that nobody takes, a disk that fills up, files that others could
//! read, limits that are too low, and arguments and files that are wrong. A test that needs root, for a small disk,
//! prints `skipped` without it.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic as the test itself may")]

mod binary;
#[path = "operating/calls.rs"]
mod calls;
#[path = "operating/drills.rs"]
mod drills;
#[path = "operating/keeping.rs"]
mod keeping;
#[path = "operating/life.rs"]
mod life;
#[path = "operating/metrics.rs"]
mod metrics;
#[path = "operating/settings.rs"]
mod settings;

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Mutex, mpsc};
use std::time::{Duration, Instant};

use binary::Process;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// For whatever a server does by itself.
const PATIENCE: Duration = Duration::from_secs(30);
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// A server in a process of its own.
struct Server {
    process: Process,
    address: SocketAddr,
    /// The authority of its certificate, when it has one.
    authority: Option<PathBuf>,
    /// Its log, line by line, where that is a pipe that is read.
    logged: Option<mpsc::Receiver<String>>,
    /// The lines that were looked at.
    seen: Mutex<Vec<String>>,
}

/// A port that nobody listens on.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// The program, by way of a shell that first does something, such as setting a limit.
fn by_shell(first: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{first}exec \"$0\" \"$@\"")).arg(env!("CARGO_BIN_EXE_conspectus"));
    command
}

/// `conspectus serve` on a folder, by way of such a shell.
fn serve(first: &str, address: SocketAddr, folder: &Path) -> Command {
    let mut command = by_shell(first);
    command.args(["serve", "--listen", &address.to_string(), "--data"]).arg(folder);
    command.env_remove("CONSPECTUS_LOG").stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

impl Server {
    /// Starts it, and waits until it serves.
    fn start(folder: &Path) -> Self {
        Self::start_with(|command| command, folder)
    }

    fn start_with(change: impl FnOnce(&mut Command) -> &mut Command, folder: &Path) -> Self {
        Self::start_as("", change, folder, None)
    }

    /// Starts it with the certificates of a folder.
    fn start_tls(certificates: &Path, folder: &Path) -> Self {
        Self::start_as("", tls(certificates, &[]), folder, Some(certificates.join("ca.pem")))
    }

    fn start_as(
        first: &str,
        change: impl FnOnce(&mut Command) -> &mut Command,
        folder: &Path,
        authority: Option<PathBuf>,
    ) -> Self {
        let address = free_address();
        let mut command = serve(first, address, folder);
        change(&mut command);
        let mut process = Process(command.spawn().unwrap());
        let logged = process.0.stderr.take().map(binary::lines);
        let mut server = Self { process, address, authority, logged, seen: Mutex::default() };
        let start = Instant::now();
        while !server.health("") {
            assert!(server.process.0.try_wait().unwrap().is_none(), "it has ended: {:?}", server.rest_of_log());
            assert!(start.elapsed() < PATIENCE, "it doesn't serve");
            std::thread::sleep(POLL_INTERVAL);
        }
        server
    }

    /// Whether a service is serving, as its operator asks.
    fn health(&self, service: &str) -> bool {
        let mut command = binary::command();
        let scheme = if self.authority.is_some() { "https" } else { "http" };
        command.args(["health", "--service", service, "--server", &format!("{scheme}://{}", self.address)]);
        if let Some(authority) = &self.authority {
            command.arg("--ca").arg(authority);
        }
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    }

    fn until_health(&self, service: &str, is_serving: bool) {
        let start = Instant::now();
        while self.health(service) != is_serving {
            assert!(start.elapsed() < PATIENCE, "the health of {service} isn't {is_serving}");
            std::thread::sleep(POLL_INTERVAL);
        }
    }

    /// Waits for a line of the log with this in it.
    fn until_logged(&self, text: &str) -> String {
        let mut seen = self.seen.lock().unwrap();
        if let Some(line) = seen.iter().find(|line| line.contains(text)) {
            return line.clone();
        }
        let start = Instant::now();
        loop {
            let line = self.logged.as_ref().unwrap().recv_timeout(PATIENCE.saturating_sub(start.elapsed()));
            let line = line.unwrap_or_else(|_| panic!("`{text}` isn't logged: {seen:?}"));
            seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    fn rest_of_log(&self) -> Vec<String> {
        self.logged.as_ref().map(|logged| logged.iter().collect()).unwrap_or_default()
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.process.0.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    /// Asks it to stop, and waits until it has.
    fn stop(mut self) -> (ExitStatus, Vec<String>) {
        self.signal(Signal::TERM);
        let ended = ended(&mut self.process);
        (ended, self.rest_of_log())
    }
}

fn ended(process: &mut Process) -> ExitStatus {
    let start = Instant::now();
    loop {
        if let Some(status) = process.0.try_wait().unwrap() {
            return status;
        }
        assert!(start.elapsed() < PATIENCE, "it doesn't end");
        std::thread::sleep(POLL_INTERVAL);
    }
}

/// What a command says that must end by itself, and fail.
fn refusal(command: &mut Command) -> String {
    let mut process = Process(command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap());
    let logged = binary::lines(process.0.stderr.take().unwrap());
    let status = ended(&mut process);
    let text = logged.iter().collect::<Vec<_>>().join("\n");
    assert!(!status.success() && status.code() != Some(101), "{status}: {text}");
    text
}

/// What a server says that must refuse to start.
fn refusal_to_serve(folder: &Path, change: impl FnOnce(&mut Command) -> &mut Command) -> String {
    let mut command = serve("", free_address(), folder);
    change(&mut command);
    refusal(&mut command)
}

fn folder() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A mounted tmpfs, unmounted when dropped.
struct Disk(TempDir);

impl Disk {
    fn new(mib: u32) -> Option<Self> {
        let folder = folder();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={mib}m,mode=700"), "tmpfs"]).arg(folder.path());
        match mount.output() {
            Ok(output) if output.status.success() => Some(Self(folder)),
            Ok(output) => {
                println!("skipped: {}", String::from_utf8_lossy(&output.stderr).trim());
                None
            }
            Err(error) => {
                println!("skipped: {error}");
                None
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Takes so much of it, or all that is left.
    fn take(&self, mib: u32) {
        let mut file = File::create(self.path("other")).unwrap();
        for _ in 0..mib {
            if file.write_all(&vec![1; 1 << 20]).is_err() {
                return;
            }
        }
    }

    fn give_back(&self) {
        fs::remove_file(self.path("other")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0.path()).output());
    }
}

#[test]
fn a_log_that_nobody_takes_keeps_the_server_from_nothing() {
    // A disk that is full; a reader that is gone; one that stands still, before a pipe that is full.
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (reader, gone) = std::io::pipe().unwrap();
    drop(reader);
    let (reader, still) = std::io::pipe().unwrap();
    let filler = still.try_clone().unwrap();
    std::thread::spawn(move || {
        let mut filler = filler;
        while filler.write_all(&[b'.'; 4096]).is_ok() {}
    });
    for log in [Stdio::from(full), Stdio::from(gone), Stdio::from(still)] {
        let folder = folder();
        let server = Server::start_with(|command| command.stderr(log).env("CONSPECTUS_LOG", "trace"), folder.path());
        for _ in 0..3 {
            server.signal(Signal::HUP);
            assert!(server.health("conspectus.v1.SubmissionService"));
        }
        assert_eq!(server.stop().0.code(), Some(0));
    }
    drop(reader);
}

#[test]
fn lines_that_could_not_be_written_are_counted_once_the_log_can_be_written_again() {
    let Some(disk) = Disk::new(1) else { return };
    let log = OpenOptions::new().append(true).create(true).open(disk.path("log")).unwrap();
    disk.take(u32::MAX);
    let folder = folder();
    let server = Server::start_with(|command| command.stderr(log), folder.path());
    disk.give_back();
    server.signal(Signal::HUP);
    let start = Instant::now();
    let text = loop {
        let text = fs::read_to_string(disk.path("log")).unwrap();
        if text.contains("SIGHUP") {
            break text;
        }
        assert!(start.elapsed() < PATIENCE, "{text}");
        std::thread::sleep(POLL_INTERVAL);
    };
    assert!(text.contains(" lines of the log are lost: they could not be written"), "{text}");
    assert_eq!(server.stop().0.code(), Some(0));
}

#[test]
fn a_disk_that_fills_up_is_warned_of_and_in_the_health_while_calls_are_refused() {
    let Some(disk) = Disk::new(200) else { return };
    let server = Server::start(&disk.path("data"));
    let line = server.until_logged("the disk is filling up");
    assert!(line.contains("WARN") && line.contains("mib_free=1"), "{line}");
    let services = ["conspectus.v1.SubmissionService", "conspectus.v1.PictureService"];
    disk.take(150);
    for service in services {
        server.until_health(service, false);
    }
    let line = server.until_logged("the disk is nearly full");
    assert!(line.contains("ERROR"), "{line}");
    assert!(server.health("") && server.health("conspectus.v1.CatalogueService"), "what can be read still is");
    disk.give_back();
    for service in services {
        server.until_health(service, true);
    }
}

/// Everything in a folder, and the folder, that others than its owner have a right to.
fn open_to_others(folder: &Path) -> Vec<PathBuf> {
    let metadata = fs::metadata(folder).unwrap();
    let mut found = Vec::new();
    if metadata.mode() & 0o077 != 0 {
        found.push(folder.to_owned());
    }
    if metadata.is_dir() {
        found.extend(fs::read_dir(folder).unwrap().flat_map(|entry| open_to_others(&entry.unwrap().path())));
    }
    found
}

#[test]
fn what_is_created_is_its_owners_alone_whatever_the_umask() {
    let folder = folder();
    for umask in ["000", "777"] {
        let data = folder.path().join(umask);
        let server = Server::start_as(&format!("umask {umask}; "), |command| command.arg("--demo"), &data, None);
        server.until_logged("the journal is replayed");
        assert_eq!(open_to_others(&data), Vec::<PathBuf>::new());
        assert_eq!(server.stop().0.code(), Some(0));
        assert_eq!(open_to_others(&data), Vec::<PathBuf>::new());
        let modes = [&data, &data.join("ahead")].map(|path| fs::metadata(path).unwrap().mode() & 0o777);
        assert_eq!(modes, [0o700, 0o600]);
    }
}

#[test]
fn what_is_created_without_a_server_is_its_owners_alone_whatever_the_umask() {
    let folder = folder();
    // Only root can use folders that their owner has no right to, as those that the store makes have then.
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    for umask in ["000", "022", "777"].into_iter().take(if is_root { 3 } else { 2 }) {
        let data = folder.path().join(umask);
        let mut command = by_shell(&format!("umask {umask}; "));
        command.args(["key", "create", "jo", "--role", "operator", "--new", "--data"]).arg(&data);
        let output = command.env_remove("CONSPECTUS_KEY").output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(open_to_others(&data), Vec::<PathBuf>::new());
        let modes = [&data, &data.join("ahead")].map(|path| fs::metadata(path).unwrap().mode() & 0o777);
        assert_eq!(modes, [0o700, 0o600], "{umask}");
    }
}

#[test]
fn a_data_folder_that_others_can_look_into_is_warned_of_with_how_to_mend_it() {
    for mode in ["755", "710"] {
        let folder = folder();
        let rights = Permissions::from_mode(u32::from_str_radix(mode, 8).unwrap());
        fs::set_permissions(folder.path(), rights).unwrap();
        let server = Server::start(folder.path());
        let line = server.until_logged("others than its owner can look into the data folder");
        assert!(line.contains(&format!("`chmod -R go-rwx {}`", folder.path().display())), "{line}");
        assert!(line.contains(&format!("mode={mode}")), "{line}");
    }
}

#[test]
fn a_data_folder_that_cannot_be_written_is_refused_at_the_start() {
    const NOBODY: u32 = 65_534;
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let folder = folder();
    let data = folder.path().join("data");
    if is_root {
        fs::set_permissions(folder.path(), Permissions::from_mode(0o777)).unwrap();
        let mut probe = binary::command();
        if !probe.arg("--version").uid(NOBODY).stdout(Stdio::null()).status().is_ok_and(|status| status.success()) {
            println!("skipped: nobody else can run the program");
            return;
        }
    }
    let user = if is_root { NOBODY } else { fs::metadata("/proc/self").unwrap().uid() };
    assert_eq!(Server::start_with(|command| command.uid(user), &data).stop().0.code(), Some(0));
    // The data folder, and sled's own within it.
    for unwritable in [&data, &data.join("sled")] {
        fs::set_permissions(unwritable, Permissions::from_mode(0o555)).unwrap();
        let said = refusal_to_serve(&data, |command| command.uid(user));
        assert!(said.contains(&format!("write to the folder {}", unwritable.display())), "{said}");
        fs::set_permissions(unwritable, Permissions::from_mode(0o755)).unwrap();
    }
}

#[test]
fn too_few_open_files_are_refused_with_how_many_are_needed() {
    let folder = folder();
    let said = refusal(&mut serve("ulimit -n 64; ", free_address(), folder.path()));
    assert!(said.contains("allows this process 64 open files, and 256 are needed"), "{said}");
}

#[test]
fn a_network_address_without_tls_is_refused_before_anything_listens_on_it() {
    let taken = TcpListener::bind("0.0.0.0:0").unwrap();
    let folder = folder();
    let said = refusal(&mut serve("", taken.local_addr().unwrap(), folder.path()));
    assert!(said.contains("can be reached from the network, and nothing is secret without TLS"), "{said}");
}

#[test]
fn wrong_settings_are_refused_and_named() {
    let folder = folder();
    let said = refusal_to_serve(folder.path(), |command| command.env("CONSPECTUS_LOG", "junk"));
    assert!(said.contains("CONSPECTUS_LOG: found `junk`; allowed: off, error, warn, info, debug, trace"), "{said}");
    let said = refusal_to_serve(folder.path(), |command| command.args(["--drain-seconds", &u64::MAX.to_string()]));
    assert!(said.contains("is not in 0..=86400"), "{said}");
    let said = refusal(binary::command().args(["receipt", "verify", "1", "\u{1b}[2J", "--data", "x"]));
    assert!(said.contains("`\\u{1b}[2J` is no receipt"), "{said:?}");
}

#[test]
fn a_damaged_snapshot_file_is_named_and_set_aside() {
    let folder = folder();
    // It is written by the second start.
    for _ in 0..2 {
        assert_eq!(Server::start(folder.path()).stop().0.code(), Some(0));
    }
    let mut names = fs::read_dir(folder.path().join("sled")).unwrap().map(|entry| entry.unwrap().path());
    let snapshot = names.find(|path| path.file_name().unwrap().to_str().unwrap().starts_with("snap.")).unwrap();
    let mut bytes = fs::read(&snapshot).unwrap();
    bytes[3] ^= 1;
    fs::write(&snapshot, &bytes).unwrap();
    let server = Server::start(folder.path());
    let line = server.until_logged("a snapshot file of the store is damaged and is set aside");
    let name = snapshot.file_name().unwrap().to_str().unwrap();
    let aside = snapshot.with_file_name(format!("damaged-{name}"));
    assert!(line.contains(snapshot.to_str().unwrap()), "{line}");
    assert_eq!(fs::read(aside).unwrap(), bytes);
    drop(server);
    // The next start finds a new one, and nothing to say.
    let server = Server::start(folder.path());
    server.until_logged("the journal is replayed");
    assert!(!server.seen.lock().unwrap().iter().any(|line| line.contains("damaged")));
}

#[test]
fn a_mistyped_folder_is_no_place_for_a_key_and_a_new_one_has_to_be_asked_for() {
    let folder = folder();
    let create = |name: &str, more: &[&str]| {
        let mut command = binary::command();
        command.args(["key", "create", "jo", "--role", "operator", "--data"]).arg(folder.path().join(name)).args(more);
        command.env_remove("CONSPECTUS_KEY");
        command
    };
    let said = refusal(&mut create("conspectus-dtaa", &[]));
    assert!(said.contains("conspectus-dtaa is no data folder") && said.contains("--new"), "{said}");
    assert!(!folder.path().join("conspectus-dtaa").exists());
    // Nor is it made by a question about it.
    let mut verify = binary::command();
    verify.args(["receipt", "verify", "1", &"0".repeat(64), "--data"]).arg(folder.path().join("conspectus-dtaa"));
    let said = refusal(&mut verify);
    assert!(said.contains("conspectus-dtaa: No such file"), "{said}");
    assert!(!folder.path().join("conspectus-dtaa").exists());
    fs::create_dir(folder.path().join("other")).unwrap();
    fs::write(folder.path().join("other/file"), "").unwrap();
    assert!(refusal(&mut create("other", &[])).contains("is no data folder"));
    // A new volume is empty.
    fs::create_dir(folder.path().join("volume")).unwrap();
    for (name, more) in [("new", &["--new"][..]), ("volume", &[])] {
        let output = create(name, more).output().unwrap();
        assert!(output.status.success() && output.stdout.starts_with(b"cps_"), "{output:?}");
        let said = refusal(&mut create(name, &[]));
        assert!(said.contains("`jo` is taken"), "{said}");
    }
    let lines = fs::read_to_string(folder.path().join("new/audit.log")).unwrap();
    assert!(lines.contains("\"event\":\"keys\"") && lines.contains("on this machine: "), "{lines}");
    // A key isn't made in a folder that a server would refuse.
    assert_eq!(Server::start(&folder.path().join("volume")).stop().0.code(), Some(0));
    fs::remove_file(folder.path().join("volume/audit.log")).unwrap();
    let said = refusal(create("volume", &[]).args(["--days", "1"]));
    assert!(said.contains("isn't the one that the journal knows, with 1 lines"), "{said}");
    // A key isn't made by a clock that is behind what was written, either.
    let line = r#"{"n":9,"at":"2099-01-01T00:00:00Z","event":"refused","outcome":"NO","chain":"CHAIN"}"#;
    let text = line.replace("CHAIN", &"0".repeat(64)) + "\n";
    fs::write(folder.path().join("new/audit.log"), text).unwrap();
    let said = refusal(&mut create("new", &[]));
    assert!(said.contains("the last line of the audit log is of 2099-01-01T00:00:00Z"), "{said}");
}

/// A folder of certificates.
fn certificates(verbs: &[&str]) -> TempDir {
    let folder = folder();
    for verb in verbs {
        binary::run(cert(folder.path(), verb));
    }
    folder
}

fn cert(folder: &Path, verb: &str) -> Vec<String> {
    let words = verb.split(' ').map(str::to_owned);
    ["cert", "--folder", folder.to_str().unwrap()].map(str::to_owned).into_iter().chain(words).collect()
}

#[test]
fn an_authority_is_never_written_over_and_its_key_is_its_owners() {
    let certificates = certificates(&["authority"]);
    let key = certificates.path().join("ca-key.pem");
    let before = fs::read(&key).unwrap();
    let said = refusal(binary::command().args(cert(certificates.path(), "authority")));
    assert!(said.contains("ca-key.pem is there"), "{said}");
    assert_eq!(fs::read(&key).unwrap(), before);
    assert_eq!(fs::metadata(&key).unwrap().mode() & 0o777, 0o600);
    // Nor where only its certificate is left, which others may hold.
    fs::remove_file(&key).unwrap();
    let before = fs::read(certificates.path().join("ca.pem")).unwrap();
    let said = refusal(binary::command().args(cert(certificates.path(), "authority")));
    assert!(said.contains("ca.pem is there"), "{said}");
    assert_eq!(fs::read(certificates.path().join("ca.pem")).unwrap(), before);
    assert!(!key.exists());
}

#[test]
fn an_authority_that_soon_ends_is_warned_of_and_every_sighup_is_answered() {
    let certificates = certificates(&["authority --days 10", "server"]);
    let data = folder();
    let clients = &["--client-ca", "ca.pem", "--client-crl", "ca-crl.pem"];
    let authority = Some(certificates.path().join("ca.pem"));
    let server = Server::start_as("", tls(certificates.path(), clients), data.path(), authority);
    let line = server.until_logged("ends soon: in 9 days");
    assert!(line.contains("ca.pem, valid until 20"), "{line}");
    fs::write(certificates.path().join("server.pem"), "junk").unwrap();
    for _ in 0..2 {
        server.seen.lock().unwrap().clear();
        server.signal(Signal::HUP);
        server.until_logged("the certificates have changed and can't be used");
    }
    assert_eq!(server.stop().0.code(), Some(0));
}

/// The arguments for TLS, with these files.
fn tls<'a>(folder: &'a Path, more: &'a [&'a str]) -> impl FnOnce(&mut Command) -> &mut Command + 'a {
    let file = |name: &str| folder.join(name);
    move |command| {
        command.arg("--tls-cert").arg(file("server.pem")).arg("--tls-key").arg(file("server-key.pem"));
        for pair in more.chunks(2) {
            command.arg(pair[0]).arg(file(pair[1]));
        }
        command
    }
}

#[test]
fn a_file_without_what_it_is_given_for_is_named() {
    let certificates = certificates(&["authority", "server"]);
    let data = folder();
    let clients = &["--client-ca", "ca.pem", "--client-crl", "ca-crl.pem"];
    for (name, with, expect) in [
        ("ca-crl.pem", "", "there is no list of revoked certificates in it, as PEM"),
        ("ca.pem", "junk", "there is no certificate of an authority in it, as PEM"),
        ("server-key.pem", "", "no items found"),
        ("server.pem", "junk", "there is no certificate in it, as PEM"),
    ] {
        let path = certificates.path().join(name);
        let before = fs::read(&path).unwrap();
        fs::write(&path, with).unwrap();
        let said = refusal_to_serve(data.path(), tls(certificates.path(), clients));
        assert!(said.contains(&format!("{}: {expect}", path.display())), "{said}");
        fs::write(&path, before).unwrap();
    }
    binary::run(cert(certificates.path(), "client other --uri urn:other"));
    fs::copy(certificates.path().join("other-key.pem"), certificates.path().join("server-key.pem")).unwrap();
    let said = refusal_to_serve(data.path(), tls(certificates.path(), clients));
    assert!(said.contains("server.pem and ") && said.contains("server-key.pem: "), "{said}");
}

#[test]
fn a_certificate_that_has_ended_or_soon_will_is_warned_of_at_the_start_and_when_it_is_read_again() {
    let certificates = certificates(&["authority", "server --days 10"]);
    let data = folder();
    let server = Server::start_tls(certificates.path(), data.path());
    let line = server.until_logged("ends soon: in 9 days");
    assert!(line.contains("WARN") && line.contains("server.pem, valid until 20"), "{line}");
    // Read again by itself every 10 seconds: at SIGHUP, at once.
    server.signal(Signal::HUP);
    server.until_logged("the certificates are read again: nothing has changed in them");
    binary::run(cert(certificates.path(), "server --days 0"));
    let start = Instant::now();
    server.signal(Signal::HUP);
    server.until_logged("the certificates are read again: what changed counts from now on");
    let line = server.until_logged("has expired");
    assert!(line.contains("server.pem"), "{line}");
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert_eq!(server.stop().0.code(), Some(0));
}
