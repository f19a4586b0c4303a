//! Cuts the power under a journal, and under a whole server, again and again, and looks for what was acknowledged and is
//! lost.
//!
//! The journal lives on an ext4 image behind a loop device with direct input and output, so that the image holds
//! what ext4 has sent to its disk and nothing else. A child process appends and prints each acknowledged revision
//! with its hash. At a random moment it is stopped, and the image is copied: that is what a power cut leaves. The
//! copy is mounted, the journal opened, and every acknowledged entry looked up. Each image goes through several
//! lives, since the first bytes of a file and its later ones are lost in different ways.
//!
//! The same is done to the real server, with clients that hold on to their receipts.
//!
//! `CONSPECTUS_CUTS=200` sets the number of cuts, `CONSPECTUS_SEED=1` repeats a run's choices. Mounting needs root
//! on Linux; without it the test prints `skipped` and passes.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic as the test itself may")]

mod binary;
mod random;

use binary::load::{Acknowledged as Receipted, Load};
use binary::{Process, Server};
use conspectus::journal::{ChainHash, DiskJournal, Journal};
use conspectus::model::revision::Revision;
use random::Random;
use std::{
    collections::BTreeMap,
    env, fs, io,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

const LIVES: u64 = 4;
const IMAGE_BYTES: u64 = 2 << 30;
const WRITER_FOLDER: &str = "CONSPECTUS_POWER_CUT_FOLDER";

#[test]
fn no_acknowledged_entry_is_lost_when_the_power_is_cut() {
    let cuts = number("CONSPECTUS_CUTS").unwrap_or(4);
    let mut random = Random(seed());
    let seed = random.0;

    let folder = tempfile::tempdir().unwrap();
    let (image, cut_image) = (folder.path().join("disk"), folder.path().join("disk-after-cut"));
    if let Err(reason) = format(&image).and_then(|()| Mount::new(&image, folder.path()).map(drop)) {
        println!("skipped: {reason}");
        return;
    }
    let (mut total, mut lost) = (0, Vec::new());
    for cut in 0..cuts {
        if cut % LIVES == 0 {
            format(&image).unwrap();
        }
        let acknowledged = {
            let mount = Mount::new(&image, folder.path()).unwrap();
            live_and_be_cut(&mount, &cut_image, &mut random)
        };
        fs::rename(&cut_image, &image).unwrap();
        total += acknowledged.len();
        let mount = Mount::new(&image, folder.path()).unwrap();
        let missing = missing(&mount.path, &acknowledged);
        println!("cut {cut}, life {}: {} acknowledged, {missing}", cut % LIVES + 1, acknowledged.len());
        if missing != "none lost" {
            lost.push(format!("cut {cut}, life {}: {missing}", cut % LIVES + 1));
            drop(mount);
            // What is broken stays broken: go on with a new disk.
            format(&image).unwrap();
        }
    }
    println!("{cuts} cuts, {total} acknowledged, {} cuts with a loss", lost.len());
    assert!(lost.is_empty(), "seed {seed}: {lost:#?}");
}

#[test]
fn no_acknowledged_submission_is_lost_when_the_power_is_cut() {
    let cuts = number("CONSPECTUS_CUTS").unwrap_or(4);
    let mut random = Random(seed());
    let seed = random.0;

    let folder = tempfile::tempdir().unwrap();
    let (image, cut_image) = (folder.path().join("disk"), folder.path().join("disk-after-cut"));
    if let Err(reason) = format(&image).and_then(|()| Mount::new(&image, folder.path()).map(drop)) {
        println!("skipped: {reason}");
        return;
    }
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut receipts: Vec<Receipted> = Vec::new();
    let mut total = 0;
    for cut in 0..cuts {
        if cut % LIVES == 0 {
            format(&image).unwrap();
            receipts.clear();
        }
        let mount = Mount::new(&image, folder.path()).unwrap();
        let acknowledged = runtime.block_on(async {
            let server = Server::start(&mount.path.join("journal")).await.unwrap();
            server.put_catalogue().await;
            let load = Load::on(&server, &format!("cut-{cut}"));
            load.until(50, Duration::from_micros(random.next() % 200_000)).await;
            write_unsynced(&mount.path);
            stop(server.id());
            copy_still(&mount.image, &cut_image);
            server.kill();
            load.outcome().await.0
        });
        drop(mount);
        fs::rename(&cut_image, &image).unwrap();
        total += acknowledged.len();
        receipts.extend(acknowledged);

        let mount = Mount::new(&image, folder.path()).unwrap();
        assert_cut(&mount.path);
        let wrong = runtime.block_on(async {
            let server = Server::start(&mount.path.join("journal")).await.unwrap();
            let mut wrong = Vec::new();
            for receipt in &receipts {
                wrong.extend(server.wrong_with(receipt).await);
            }
            wrong
        });
        println!("cut {cut}, life {}: {} receipts, {} wrong", cut % LIVES + 1, receipts.len(), wrong.len());
        assert!(wrong.is_empty(), "seed {seed}, cut {cut}: {wrong:#?}");
    }
    println!("{cuts} cuts, {total} acknowledged, none lost");
}

/// The child's side: appends until it is stopped. Does nothing when run as a test of its own.
#[test]
fn writer() {
    let Some(folder) = env::var_os(WRITER_FOLDER) else {
        return;
    };
    let mut random = Random(number("CONSPECTUS_SEED").unwrap());
    let mut journal = DiskJournal::open(Path::new(&folder)).unwrap();
    loop {
        let large = random.below(4) == 0;
        let lengths: Vec<_> = if large {
            vec![450_000 + random.below(100_000)]
        } else {
            (0..=random.below(5)).map(|_| random.below(30_000)).collect()
        };
        let payloads: Vec<Vec<u8>> = lengths.into_iter().map(|length| random.bytes(length)).collect();
        let after = journal.tail().revision;
        let Ok(hashes) = journal.append(after, &payloads) else {
            // The disk is full: wait for the cut.
            thread::sleep(Duration::from_secs(60));
            return;
        };
        let lines: String =
            (after.0 + 1..).zip(hashes).map(|(revision, hash)| format!("acknowledged {revision} {hash}\n")).collect();
        io::stdout().write_all(lines.as_bytes()).unwrap();
        io::stdout().flush().unwrap();
    }
}

type Acknowledged = BTreeMap<Revision, String>;

/// Lets a writer live on the mounted disk for a while, and copies the disk as the power cut finds it.
fn live_and_be_cut(mount: &Mount, cut_image: &Path, random: &mut Random) -> Acknowledged {
    // Before the disk is full: a full one gets each file at once.
    write_unsynced(&mount.path);
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "writer", "--nocapture"]);
    command.env(WRITER_FOLDER, mount.path.join("journal")).env("CONSPECTUS_SEED", random.next().to_string());
    let mut writer = Process(command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut lines = BufReader::new(writer.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let parse = |line: String| {
        let (revision, hash) = line.strip_prefix("acknowledged ")?.split_once(' ')?;
        Some((Revision(revision.parse().ok()?), hash.to_owned()))
    };
    let first = lines.by_ref().find_map(parse).expect("the writer acknowledges something");
    let rest = thread::spawn(move || lines.filter_map(parse).collect::<Acknowledged>());

    thread::sleep(Duration::from_micros(random.next() % 600_000));
    stop(writer.0.id());
    copy_still(&mount.image, cut_image);
    drop(writer);
    let mut acknowledged = rest.join().unwrap();
    acknowledged.extend([first]);
    acknowledged
}

/// Which acknowledged entries the journal on this disk doesn't have, in words.
fn missing(disk: &Path, acknowledged: &Acknowledged) -> String {
    assert_cut(disk);
    let mut found = BTreeMap::<Revision, ChainHash>::new();
    let opened = DiskJournal::open(&disk.join("journal")).and_then(|journal| {
        let scanned = journal.reader().scan(Revision::ZERO, &mut |entry| {
            found.insert(entry.revision, entry.hash);
            Ok(())
        });
        scanned.and_then(|_| journal.close())
    });
    let lost = acknowledged
        .iter()
        .filter(|&(revision, hash)| found.get(revision).map(ToString::to_string).as_ref() != Some(hash))
        .count();
    match opened {
        Err(error) => format!("{lost} lost: {error}"),
        Ok(()) if lost == 0 => "none lost".to_owned(),
        Ok(()) => format!("{lost} lost, silently"),
    }
}

/// Writes what a power cut must lose. Not long before it: after half a minute the system writes everything by itself.
fn write_unsynced(disk: &Path) {
    fs::write(disk.join("never-synced"), "must not survive").unwrap();
}

/// That what was never synced is gone.
fn assert_cut(disk: &Path) {
    let canary = fs::read(disk.join("never-synced")).unwrap_or_default();
    assert!(canary.is_empty(), "the image holds what was never synced: this was no power cut");
    let _ = fs::remove_file(disk.join("never-synced"));
}

/// Copies the image at rest: the writer is stopped, and what it had in flight has arrived.
fn copy_still(image: &Path, to: &Path) {
    for _ in 0..100 {
        let before = fs::metadata(image).unwrap().modified().unwrap();
        run("cp", ["--sparse=always".as_ref(), image, to]).unwrap();
        if fs::metadata(image).unwrap().modified().unwrap() == before {
            return;
        }
    }
    panic!("the disk never came to rest");
}

/// Stops all threads of a process, and waits until each has.
fn stop(pid: u32) {
    run("kill", ["-STOP".as_ref(), Path::new(&pid.to_string())]).unwrap();
    let stopped = || {
        fs::read_dir(format!("/proc/{pid}/task")).unwrap().all(|task| {
            let stat = fs::read_to_string(task.unwrap().path().join("stat")).unwrap_or_default();
            stat.rsplit(") ").next().is_none_or(|state| state.is_empty() || state.starts_with('T'))
        })
    };
    while !stopped() {
        thread::sleep(Duration::from_millis(1));
    }
}

/// A mounted image, unmounted when dropped.
struct Mount {
    image: PathBuf,
    device: PathBuf,
    path: PathBuf,
}

impl Mount {
    fn new(image: &Path, folder: &Path) -> Result<Self, String> {
        let path = folder.join("mounted");
        fs::create_dir_all(&path).map_err(|error| error.to_string())?;
        let device = run("losetup", ["--direct-io=on".as_ref(), "--find".as_ref(), "--show".as_ref(), image])?;
        let mount = Self { image: image.to_owned(), device: device.into(), path };
        // A long commit interval, so that ext4 writes when it is asked to sync and not by itself during the copy.
        run("mount", ["-o".as_ref(), "commit=300".as_ref(), mount.device.as_path(), mount.path.as_path()])?;
        Ok(mount)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = run("umount", [&self.path]).or_else(|_| run("umount", [Path::new("-l"), &self.path]));
        let _ = run("losetup", [Path::new("-d"), &self.device]);
    }
}

/// Makes `image` a new, empty disk.
fn format(image: &Path) -> Result<(), String> {
    let create = || {
        let _ = fs::remove_file(image);
        fs::File::create(image)?.set_len(IMAGE_BYTES)
    };
    create().map_err(|error| error.to_string())?;
    run("mkfs.ext4", ["-q".as_ref(), image]).map(drop)
}

fn run<const N: usize>(program: &str, arguments: [impl AsRef<std::ffi::OsStr>; N]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(format!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim()))
    }
}

/// What a run's choices follow from.
fn seed() -> u64 {
    let now = || u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap();
    let seed = number("CONSPECTUS_SEED").unwrap_or_else(now);
    println!("seed {seed}");
    seed
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok()?.parse().ok()
}
