//! Fills the disk under a journal, slowly and at once, and checks that appends are refused in time, reads go on,
//! nothing acknowledged is lost, and appends go on when there is space again.
//!
//! The disk is a small tmpfs. Mounting needs root on Linux; without it the test prints `skipped` and passes.

#![expect(clippy::unwrap_used, reason = "a test's helpers may panic as the test itself may")]

use conspectus::journal::{ChainHash, DiskJournal, Error, Journal, Reader};
use conspectus::model::revision::Revision;
use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

/// How long an append may take, refused ones too, whatever the disk does.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(1);
const ENTRY_BYTES: usize = 900_000;

/// A mounted tmpfs, unmounted when dropped.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new(mib: u32) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Command::new("mount");
        let output = mount.args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"]).arg(folder.path()).output();
        match output {
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

    fn journal(&self) -> PathBuf {
        self.0.path().join("journal")
    }

    /// Takes so much of the disk, or all that is left.
    fn take(&self, mib: u32) {
        let mut file = fs::File::create(self.0.path().join("other")).unwrap();
        for _ in 0..mib {
            if file.write_all(&vec![1; 1 << 20]).is_err() {
                return;
            }
        }
    }

    fn give_back(&self) {
        fs::remove_file(self.0.path().join("other")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(self.0.path()).output());
    }
}

/// Appends one large entry that doesn't compress, in time.
fn append(journal: &mut DiskJournal) -> Result<ChainHash, Error> {
    let after = journal.tail().revision;
    let mut payload = vec![0; ENTRY_BYTES];
    blake3::Hasher::new().update(&after.0.to_be_bytes()).finalize_xof().fill(&mut payload);
    let start = Instant::now();
    let appended = journal.append(after, &[payload]);
    assert!(start.elapsed() < ANSWER_TIMEOUT, "{:?} for {appended:?}", start.elapsed());
    appended.map(|hashes| hashes[0])
}

/// Appends until it is refused, and returns how.
fn fill(journal: &mut DiskJournal, acknowledged: &mut Vec<ChainHash>) -> Error {
    loop {
        match append(journal) {
            Ok(hash) => acknowledged.push(hash),
            Err(refusal) => return refusal,
        }
    }
}

/// Reads all entries, and checks that those that were acknowledged are among them, but for an error of the disk.
fn holds(reader: &dyn Reader, acknowledged: &[ChainHash]) -> Result<(), Error> {
    let mut found = Vec::new();
    reader.scan(Revision::ZERO, &mut |entry| {
        found.push(entry.hash);
        Ok(())
    })?;
    assert!(found.starts_with(acknowledged), "{} of {}", found.len(), acknowledged.len());
    Ok(())
}

fn assert_holds(reader: &dyn Reader, acknowledged: &[ChainHash]) {
    holds(reader, acknowledged).unwrap();
}

/// Stops another thread when dropped, on a failed assertion too.
struct StopOnDrop<'a>(&'a AtomicBool);

impl Drop for StopOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn open(folder: &Path) -> DiskJournal {
    DiskJournal::open(folder).unwrap()
}

#[test]
fn a_disk_that_fills_up_refuses_appends_in_time_and_takes_them_when_there_is_room() {
    let Some(disk) = Disk::new(240) else { return };
    disk.take(60);
    let mut journal = open(&disk.journal());
    let mut acknowledged = Vec::new();
    for _ in 0..2 {
        let refusal = fill(&mut journal, &mut acknowledged);
        assert!(matches!(refusal, Error::NoRoom { .. }), "{refusal}");
        assert_holds(&*journal.reader(), &acknowledged);
    }
    let at_first = acknowledged.len();
    assert!(at_first > 10, "{at_first}");
    disk.give_back();
    let refusal = fill(&mut journal, &mut acknowledged);
    assert!(matches!(refusal, Error::NoRoom { .. }), "{refusal}");
    assert!(acknowledged.len() > at_first + 10, "{at_first}, then {}", acknowledged.len());
    journal.close().unwrap();
    assert_holds(&*open(&disk.journal()).reader(), &acknowledged);
}

#[test]
fn a_disk_that_fills_at_any_moment_loses_nothing_acknowledged() {
    let Some(disk) = Disk::new(300) else { return };
    let mut acknowledged = Vec::new();
    for _ in 0..3 {
        let mut journal = open(&disk.journal());
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            // Another program takes all that is left, and gives it back, at any moment.
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    disk.take(u32::MAX);
                    disk.give_back();
                    thread::sleep(Duration::from_millis(3));
                }
            });
            let stopping = StopOnDrop(&stop);
            for _ in 0..30 {
                match append(&mut journal) {
                    Ok(hash) => acknowledged.push(hash),
                    Err(Error::NoRoom { .. }) => thread::sleep(Duration::from_millis(2)),
                    Err(Error::Poisoned { .. }) => break,
                    Err(other) => panic!("{other}"),
                }
            }
            // A store that the disk failed in the middle of a write may not read back what it had in hand until it is
            // opened again. That is an error of the disk, and not damage.
            match holds(&*journal.reader(), &acknowledged) {
                Ok(()) | Err(Error::Io { .. }) => {}
                Err(other) => panic!("{other}"),
            }
            drop(stopping);
        });
        // What didn't fit is flushed when it does: the next start finds it in the write-ahead log.
        drop(journal.close());
        let reader = open(&disk.journal()).reader();
        assert_holds(&*reader, &acknowledged);
        // What was on the disk when its append failed is kept.
        acknowledged.clear();
        let kept = reader.scan(Revision::ZERO, &mut |entry| {
            acknowledged.push(entry.hash);
            Ok(())
        });
        kept.unwrap();
    }
    println!("{} entries", acknowledged.len());
}
