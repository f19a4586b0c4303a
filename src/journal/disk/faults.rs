//! What the journal on disk does when a call fails, the process dies, or a file is damaged: at each failpoint in turn,
//! and at random places.
//!
//! `CONSPECTUS_DAMAGES=20000` sets how many damages are done to each folder, `CONSPECTUS_SEED=1` draws others.

use super::failpoints::Failpoints;
use super::tests::{copy_folder, unpack_folder_before_wal};
use super::*;
use crate::journal::ENTRY_BYTES_MAX;
use crate::journal::format::Format;
use std::{
    env, fs, io,
    path::{Path, PathBuf},
    sync::Mutex,
};

/// What was acknowledged, by revision from 1.
type Acknowledged = Vec<ChainHash>;

/// A folder in memory where there is one: nothing here needs a sync to be one, and there are thousands.
fn memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Bytes that don't compress, different for each `n`.
fn payload(n: u64, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&n.to_be_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

fn open(folder: &Path, failpoints: &Failpoints) -> Result<DiskJournal, Error> {
    DiskJournal::open_with(FolderLock::take(folder)?, failpoints, &ReplayProgress::default(), |_, _| Ok(()), |()| ())
}

/// Small groups and a large one, before the store catches up and after, in two lives. Adds each acknowledged entry to
/// `acknowledged` at once, and returns at the first error.
fn live(folder: &Path, failpoints: &Failpoints, acknowledged: &Mutex<Acknowledged>) -> Result<(), Error> {
    for _ in 0..2 {
        let mut journal = open(folder, failpoints)?;
        for lengths in [&[10, 0, 30][..], &[100], &[70_000, 5], &[9]] {
            let after = journal.tail().revision;
            let payloads: Vec<_> = (after.0 + 1..).zip(lengths).map(|(n, length)| payload(n, *length)).collect();
            let appended = journal.append(after, &payloads);
            if let Ok(hashes) = &appended {
                acknowledged.lock().unwrap().extend(hashes);
            }
            assert_eq!(journal.tail().revision.0, acknowledged.lock().unwrap().len() as u64);
            if let Err(failure) = appended {
                assert_reads_go_on(&mut journal, acknowledged);
                return Err(failure);
            }
            // The last group is left to the end of the life.
            if lengths.len() > 1 {
                journal.catch_up();
            }
        }
        journal.close()?;
    }
    Ok(())
}

fn assert_reads_go_on(journal: &mut DiskJournal, acknowledged: &Mutex<Acknowledged>) {
    let tail = journal.tail().revision;
    assert!(matches!(journal.append(tail, &[payload(0, 1)]), Err(Error::Poisoned { .. })));
    assert_eq!(hashes(&*journal.reader()), *acknowledged.lock().unwrap());
}

fn hashes(reader: &dyn Reader) -> Acknowledged {
    let mut found = Vec::new();
    let all = reader.scan(Revision::ZERO, &mut |entry| {
        found.push(entry.hash);
        Ok(())
    });
    all.unwrap();
    found
}

/// Opens what a fault has left: nothing that was acknowledged is missing, and it takes more entries.
fn assert_kept(folder: &Path, acknowledged: &[ChainHash], what: &str) {
    let mut journal = open(folder, &Failpoints::none()).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(hashes(&*journal.reader()).starts_with(acknowledged), "{what}");
    let tail = journal.tail().revision;
    journal.append(tail, &[payload(0, 20)]).unwrap();
    journal.close().unwrap();
    let reader = open(folder, &Failpoints::none()).unwrap().reader();
    assert!(hashes(&*reader).starts_with(acknowledged), "{what}");
    assert_eq!(reader.tail().revision, tail.next(), "{what}");
}

/// How many failpoints a life without faults passes.
fn failpoints_passed() -> usize {
    let dir = memory();
    let passed = Arc::new(Mutex::new(0));
    let counter = Arc::clone(&passed);
    let failpoints = Failpoints::at_each(move |_| {
        *counter.lock().unwrap() += 1;
        Ok(())
    });
    live(&dir.path().join("journal"), &failpoints, &Mutex::default()).unwrap();
    let passed = *passed.lock().unwrap();
    assert!(passed > 80, "{passed}: every kind of call has failpoints");
    passed
}

#[test]
fn each_call_that_fails_ends_all_writing_and_loses_nothing_acknowledged() {
    for nth in 0..failpoints_passed() {
        let dir = memory();
        let folder = dir.path().join("journal");
        let passed = Arc::new(Mutex::new((0, String::new())));
        let hook = Arc::clone(&passed);
        let failpoints = Failpoints::at_each(move |call| {
            let (count, failed) = &mut *hook.lock().unwrap();
            *count += 1;
            if *count == nth + 1 {
                call.clone_into(failed);
                return Err(io::Error::other("injected"));
            }
            Ok(())
        });
        let acknowledged = Mutex::default();
        live(&folder, &failpoints, &acknowledged).unwrap_err();
        let (count, failed) = passed.lock().unwrap().clone();
        let what = format!("call {nth}, {failed}");
        assert_eq!(count, nth + 1, "{what}: nothing is written or synced after a failure");
        assert_kept(&folder, &acknowledged.into_inner().unwrap(), &what);
    }
}

/// Copies the folder before and after every `nth` call of `life`, with what is acknowledged by then: what a kill there
/// leaves. Other threads wait meanwhile, at their next call.
fn copies(
    dir: &Path,
    nth: usize,
    life: impl FnOnce(&Path, &Failpoints, &Mutex<Acknowledged>) -> Result<(), Error>,
) -> Vec<(PathBuf, Acknowledged)> {
    let folder = dir.join("journal");
    let (acknowledged, copies) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Mutex::new((0, Vec::new()))));
    let failpoints = {
        let (folder, dir) = (folder.clone(), dir.to_owned());
        let (acknowledged, copies) = (Arc::clone(&acknowledged), Arc::clone(&copies));
        Failpoints::at_each(move |_| {
            let (count, copies) = &mut *copies.lock().unwrap();
            *count += 1;
            if *count % nth == 0 {
                let before = acknowledged.lock().unwrap().clone();
                let copy = dir.join(format!("copy {count}"));
                copy_folder(&folder, &copy);
                copies.push((copy, before));
            }
            Ok(())
        })
    };
    life(&folder, &failpoints, &acknowledged).unwrap();
    let copies = std::mem::take(&mut copies.lock().unwrap().1);
    assert!(copies.len() > 10);
    copies
}

#[test]
fn a_process_that_dies_at_any_call_leaves_all_that_it_acknowledged() {
    let dir = memory();
    for (copy, acknowledged) in copies(dir.path(), 1, live) {
        assert_kept(&copy, &acknowledged, &copy.display().to_string());
        fs::remove_dir_all(copy).unwrap();
    }
}

/// Twice what the ring holds, as fast as it goes.
fn go_round(folder: &Path, failpoints: &Failpoints, acknowledged: &Mutex<Acknowledged>) -> Result<(), Error> {
    let mut journal = open(folder, failpoints)?;
    let large = vec![7; ENTRY_BYTES_MAX];
    for revision in 0..2 * super::wal::RING_BYTES / ENTRY_BYTES_MAX as u64 {
        let hashes = journal.append(Revision(revision), std::slice::from_ref(&large))?;
        acknowledged.lock().unwrap().extend(hashes);
    }
    journal.close()
}

#[test]
fn a_process_that_dies_while_the_ring_goes_round_leaves_all_that_it_acknowledged() {
    let dir = memory();
    for (copy, acknowledged) in copies(dir.path(), 19, go_round) {
        assert_kept(&copy, &acknowledged, &copy.display().to_string());
        fs::remove_dir_all(copy).unwrap();
    }
}

/// A folder from before there was a write-ahead log, opened, and added to. It had seven entries.
fn take_over(folder: &Path, failpoints: &Failpoints, acknowledged: &Mutex<Acknowledged>) -> Result<(), Error> {
    unpack_folder_before_wal(folder);
    let mut journal = open(folder, failpoints)?;
    acknowledged.lock().unwrap().extend(hashes(&*journal.reader()));
    let added = journal.append(Revision(7), &[payload(8, 20)])?;
    acknowledged.lock().unwrap().extend(added);
    journal.close()
}

#[test]
fn a_process_that_dies_while_it_takes_a_folder_over_leaves_one_that_opens() {
    let dir = memory();
    let mut formats = Vec::new();
    for (copy, acknowledged) in copies(dir.path(), 1, take_over) {
        let format = format_of(&copy).unwrap().unwrap().number;
        // What only this version reads isn't there before the folder says so.
        assert!(format == Format::CURRENT.number || !copy.join("ahead").exists(), "{}", copy.display());
        formats.push(format);
        assert_kept(&copy, &acknowledged, &copy.display().to_string());
        assert_eq!(format_of(&copy).unwrap(), Some(Format::CURRENT));
    }
    assert!(formats.is_sorted() && formats.first() == Some(&1) && formats.last() == Some(&3), "{formats:?}");
}

/// A closed folder, and one whose process died with entries that only the write-ahead log has.
fn folders(dir: &Path) -> [(PathBuf, Acknowledged); 2] {
    let (closed, died) = (dir.join("journal"), dir.join("died"));
    let acknowledged = Mutex::default();
    live(&closed, &Failpoints::none(), &acknowledged).unwrap();
    let mut more = acknowledged.into_inner().unwrap();
    let all = more.clone();
    let mut journal = open(&closed, &Failpoints::none()).unwrap();
    for length in [10, 5_000, 40] {
        let after = journal.tail().revision;
        more.extend(journal.append(after, &[payload(after.0, length)]).unwrap());
    }
    copy_folder(&closed, &died);
    drop(journal);
    fs::remove_dir_all(&closed).unwrap();
    live(&closed, &Failpoints::none(), &Mutex::default()).unwrap();
    [(closed, all), (died, more)]
}

#[test]
fn damage_to_any_file_at_any_place_is_refused_or_changes_nothing() {
    let dir = memory();
    let number = |variable| env::var(variable).ok().and_then(|number| number.parse::<u64>().ok());
    let damages = number("CONSPECTUS_DAMAGES").unwrap_or(80);
    let mut random = number("CONSPECTUS_SEED").unwrap_or(0);
    let mut below = |limit: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % limit
    };
    for (folder, acknowledged) in folders(dir.path()) {
        let copy = dir.path().join("damaged");
        let mut refused = 0;
        for nth in 0..damages {
            let _ = fs::remove_dir_all(&copy);
            copy_folder(&folder, &copy);
            let mut files: Vec<_> = [copy.clone(), copy.join("sled")]
                .iter()
                .flat_map(|folder| fs::read_dir(folder).unwrap())
                .map(|entry| entry.unwrap().path())
                .filter(|path| path.metadata().is_ok_and(|file| file.is_file() && file.len() > 0))
                .collect();
            files.sort();
            let path = &files[usize::try_from(below(files.len() as u64)).unwrap()];
            let mut bytes = fs::read(path).unwrap();
            // Most of the large files is padding: aim at what was written.
            let written: Vec<_> = (0..bytes.len()).filter(|at| !matches!(bytes[*at], 0 | b'C')).collect();
            let at = written[usize::try_from(below(written.len() as u64)).unwrap()];
            if below(4) == 0 {
                bytes.truncate(at);
            } else {
                bytes[at] ^= 1 << below(8);
            }
            fs::write(path, bytes).unwrap();
            let what = format!("damage {nth} at {at} of {}", path.display());
            match open(&copy, &Failpoints::none()) {
                Ok(journal) => assert_eq!(hashes(&*journal.reader()), acknowledged, "{what}"),
                Err(Error::Corrupt { .. } | Error::FormatFile { .. }) => refused += 1,
                Err(other) => panic!("{what}: {other}"),
            }
        }
        println!("{}: {damages} damages, {refused} refused, the others changed nothing", folder.display());
        assert!(refused > damages / 4, "{refused}");
    }
}
