//! Backups of small journals, in memory: taken, damaged in every way, and restored.

use std::path::Path;
use std::time::Duration;

use super::*;
use crate::audit::{Accepted, Event, Known, Line, Log, LogTail, SegmentLimits};
use crate::catalogue::CataloguePut;
use crate::entry::{Body, Entry, codec};
use crate::journal::{DiskJournal, Journal, MemoryDisk, MemoryJournal, Tail};
use crate::model::timestamp::Timestamp;

/// The audit log of more than a few lines is in several files.
const SEGMENTS: SegmentLimits = SegmentLimits { bytes_max: 1_500, age_max: Duration::MAX };

/// A folder with an audit log, and a journal beside it.
struct World {
    folder: tempfile::TempDir,
    journal: MemoryJournal,
    log: Option<Log>,
}

impl World {
    fn new() -> Self {
        let (folder, journal) = (tempfile::tempdir().unwrap(), MemoryJournal::open(&MemoryDisk::new()).unwrap());
        let known = Known { tail: LogTail::START, revision: Revision::ZERO };
        let opened = Log::open(folder.path(), Timestamp(0), known, Accepted::default(), SEGMENTS).unwrap();
        Self { folder, journal, log: Some(opened.log) }
    }

    /// Adds entries, each accepted at its revision in microseconds, and as many lines.
    async fn add(&mut self, entries: u64) {
        for _ in 0..entries {
            let revision = self.journal.tail().revision;
            let at = Timestamp(i64::try_from(revision.next().0).unwrap());
            let body = Body::CataloguePut(CataloguePut::default());
            let entry = codec::encode(&Entry { at, actor: crate::access::Actor::Local, body });
            self.journal.append(revision, &[entry]).unwrap();
            let text = format!("what is asked at {revision}");
            let question = blake3::hash(text.as_bytes()).to_hex().to_string();
            let line = Line { question, ..Line::without_call(Event::Read, "abridged".to_owned()) };
            self.log.as_ref().unwrap().write(at, line, Some(text)).await.unwrap();
        }
    }

    fn point(&self) -> Point {
        Point { journal: self.journal.tail(), audit: self.log.as_ref().unwrap().progress().tail }
    }

    fn take(&self, previous: Option<Previous>) -> Vec<u8> {
        let (program, taken_at) = ("0".to_owned(), Timestamp(0).to_string());
        let manifest = Manifest { program, taken_at, note: String::new(), previous, to: self.point() };
        let mut out = Vec::new();
        take((&*self.journal.reader(), self.folder.path()), &manifest, None, &mut out).unwrap();
        out
    }
}

fn read(backups: &[&[u8]]) -> Result<Vec<Whole>, Error> {
    read_all(backups.iter().zip(1..).map(|(bytes, n)| Ok((format!("backup {n}"), *bytes))), &mut Checked)
}

fn restore_to(folder: &Path, backups: &[&[u8]], until: Until) -> Result<Restored, Error> {
    restore(backups.iter().map(|bytes| Ok(("it".to_owned(), *bytes))), until, folder, |_, _| Ok(()))
}

/// The files of a folder's audit log, by name.
fn audit_files(folder: &Path) -> Vec<(String, String)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let files = entries.filter(|path| path.is_file() && path.to_string_lossy().contains("audit"));
    let mut files: Vec<_> = files
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read_to_string(path).unwrap()))
        .collect();
    files.sort();
    files
}

fn tail_of(folder: &Path) -> Tail {
    DiskJournal::open(folder).unwrap().tail()
}

#[tokio::test]
async fn backups_that_go_on_from_each_other_restore_to_the_same_chain_and_the_same_audit_log() {
    let mut world = World::new();
    let mut backups: Vec<Vec<u8>> = Vec::new();
    let mut previous = None;
    // One of them has nothing new.
    for entries in [5, 0, 1, 40] {
        world.add(entries).await;
        let backup = world.take(previous.take());
        backups.push(backup);
        let all: Vec<&[u8]> = backups.iter().map(Vec::as_slice).collect();
        previous = Some(read(&all).unwrap().last().unwrap().as_previous());
    }
    let all: Vec<&[u8]> = backups.iter().map(Vec::as_slice).collect();
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("restored");
    let restored = restore_to(&folder, &all, Until::End).unwrap();
    assert!(restored.is_all());
    assert_eq!(tail_of(&folder), world.journal.tail());
    assert!(audit_files(&folder).len() > 3);
    assert_eq!(audit_files(&folder), audit_files(world.folder.path()));
    let question = blake3::hash(b"what is asked at 7").to_hex();
    assert_eq!(audit::read_question(&folder, &question).unwrap(), "what is asked at 7");

    // Each revision, by its number and by when it was accepted.
    for revision in [1, 5, 6, 7, 45, 46] {
        let known = world.journal.reader().read(Revision(revision)).unwrap().unwrap();
        for until in [Until::Revision(Revision(revision)), Until::Instant(Timestamp(i64::try_from(revision).unwrap()))]
        {
            let folder = scratch.path().join(format!("{revision}-{until:?}"));
            let restored = restore_to(&folder, &all, until).unwrap();
            assert_eq!(restored.is_all(), revision == 46);
            assert_eq!(tail_of(&folder), Tail { revision: known.revision, hash: known.hash });
            assert_eq!(audit_files(&folder), audit_files(world.folder.path()), "the audit log is whole");
        }
    }
    let folder = scratch.path().join("none");
    let error = restore_to(&folder, &all, Until::Revision(Revision(47))).unwrap_err();
    assert_eq!(error.to_string(), "the backups have no revision 47: they end at revision 46");
    // In another order, or with one missing.
    for wrong in [&[1, 0][..], &[0, 2], &[0, 0], &[1], &[0, 1, 3]] {
        let backups: Vec<&[u8]> = wrong.iter().map(|at| all[*at]).collect();
        assert!(matches!(restore_to(&folder, &backups, Until::End), Err(Error::Order { .. })), "{wrong:?}");
        assert_eq!(
            std::fs::read_dir(scratch.path())
                .unwrap()
                .filter(|it| it.as_ref().unwrap().path().starts_with(&folder))
                .count(),
            0
        );
    }
}

#[tokio::test]
async fn a_backup_with_any_byte_changed_added_or_missing_is_named_and_nothing_of_it_is_restored() {
    let mut world = World::new();
    world.add(6).await;
    let backup = world.take(None);
    assert_eq!(read(&[&backup]).unwrap()[0].manifest.to, world.point());
    let refused = |bytes: &[u8], what: &str| {
        let Err(Error::Damaged { name, what: found }) = read(&[bytes]) else { panic!("{what} isn't found") };
        assert_eq!(name, "backup 1", "{found}");
    };
    for at in 0..backup.len() {
        let mut damaged = backup.clone();
        damaged[at] ^= 1 << (at % 8);
        refused(&damaged, &format!("byte {at} changed"));
        refused(&backup[..at], &format!("the end from byte {at} on"));
    }
    refused(&[&backup[..], b"x"].concat(), "a byte more");
    refused(&[&backup[..], &backup].concat(), "another backup after it");

    // None leaves anything, wherever it is damaged.
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("restored");
    for at in (0..backup.len()).step_by(backup.len().div_ceil(200)) {
        let mut damaged = backup.clone();
        damaged[at] ^= 0x80;
        assert!(matches!(restore_to(&folder, &[&damaged], Until::End), Err(Error::Damaged { .. })), "byte {at}");
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0, "byte {at}");
    }
}

#[tokio::test]
async fn a_backup_whose_frames_are_right_and_whose_content_is_not_is_refused() {
    let mut world = World::new();
    world.add(3).await;
    let other = {
        let mut world = World::new();
        world.add(2).await;
        world.take(None)
    };
    // Frames of one backup put together anew, with hashes that are right: of another journal, missing, or twice.
    let frames = |bytes: &[u8]| {
        let mut reader = frame::FrameReader::begin(bytes).unwrap();
        let mut frames = Vec::new();
        while let Ok(frame) = reader.next() {
            frames.push(frame);
        }
        frames
    };
    let made = |frames: &[&(frame::Kind, Vec<u8>)]| {
        let mut writer = frame::FrameWriter::begin(Vec::new()).unwrap();
        frames.iter().for_each(|(kind, content)| writer.write(*kind, content).unwrap());
        writer.end().2
    };
    let (ours, others) = (frames(&world.take(None)), frames(&other));
    let all: Vec<_> = ours.iter().collect();
    read(&[&made(&all)]).unwrap();
    for at in 0..ours.len() {
        let mut without = all.clone();
        without.remove(at);
        read(&[&made(&without)]).expect_err("one is missing");
        let mut twice = all.clone();
        twice.insert(at, all[at]);
        read(&[&made(&twice)]).expect_err("one is there twice");
        if let Some(other) = others.iter().find(|(kind, content)| *kind == ours[at].0 && *content != ours[at].1) {
            let mut mixed = all.clone();
            mixed[at] = other;
            read(&[&made(&mixed)]).expect_err("one is another's");
        }
    }
}

#[tokio::test]
async fn a_backup_goes_on_from_no_other_journals() {
    let (mut one, mut other) = (World::new(), World::new());
    one.add(3).await;
    other.add(2).await;
    other.journal.append(Revision(2), &[b"another entry".to_vec()]).unwrap();
    let previous = Some(read(&[&one.take(None)]).unwrap()[0].as_previous());
    let manifest =
        Manifest { program: String::new(), taken_at: String::new(), note: String::new(), previous, to: other.point() };
    let error = take((&*other.journal.reader(), other.folder.path()), &manifest, None, Vec::new()).unwrap_err();
    assert!(matches!(error, Error::OtherJournal { revision: Revision(3) }), "{error}");
}

#[tokio::test]
async fn a_backup_goes_on_from_none_whose_next_lines_were_pruned_and_writes_nothing_then() {
    let mut world = World::new();
    world.add(5).await;
    let full = world.take(None);
    let previous = read(&[&full]).unwrap().last().unwrap().as_previous();
    world.add(40).await;
    let files = audit_files(world.folder.path());
    let closed: Vec<_> = files.iter().filter(|(name, _)| name.starts_with("audit-")).collect();
    assert!(closed.len() > 2);
    closed[..closed.len() - 1]
        .iter()
        .for_each(|(name, _)| std::fs::remove_file(world.folder.path().join(name)).unwrap());
    let (program, taken_at) = ("0".to_owned(), Timestamp(0).to_string());
    let manifest = Manifest { program, taken_at, note: String::new(), previous: Some(previous), to: world.point() };
    let mut out = Vec::new();
    let refused = take((&*world.journal.reader(), world.folder.path()), &manifest, None, &mut out).unwrap_err();
    assert!(matches!(refused, Error::Pruned { first: 6.., .. }), "{refused}");
    assert!(refused.to_string().ends_with("take a full backup") && out.is_empty(), "{refused}");
}

#[tokio::test]
async fn a_backup_goes_on_from_one_of_a_journal_without_an_entry() {
    let mut world = World::new();
    let line = Line::without_call(Event::Keys, String::new());
    world.log.as_ref().unwrap().write(Timestamp(0), line, None).await.unwrap();
    let first = world.take(None);
    let previous = read(&[&first]).unwrap()[0].as_previous();
    assert!(has_come_by(&*world.journal.reader(), previous.to.journal).unwrap());
    world.add(2).await;
    let second = world.take(Some(previous));
    let scratch = tempfile::tempdir().unwrap();
    restore_to(&scratch.path().join("restored"), &[&first, &second], Until::End).unwrap();
}

#[tokio::test]
async fn a_folder_that_is_not_empty_or_half_restored_is_left_as_it_is() {
    let mut world = World::new();
    world.add(1).await;
    let backup = world.take(None);
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("data");
    restore_to(&folder, &[&backup], Until::End).unwrap();
    let error = restore_to(&folder, &[&backup], Until::End).unwrap_err();
    assert!(matches!(error, Error::Occupied { .. }), "{error}");
    std::fs::create_dir(scratch.path().join("other.restoring")).unwrap();
    let error = restore_to(&scratch.path().join("other"), &[&backup], Until::End).unwrap_err();
    assert!(matches!(error, Error::Leftover { .. }), "{error}");
    std::fs::create_dir(scratch.path().join("empty")).unwrap();
    restore_to(&scratch.path().join("empty"), &[&backup], Until::End).unwrap();
    // What is refused by whoever looks at it before it is there.
    let folder = scratch.path().join("refused");
    let differs = |_: &Path, _: &Restored| Err(Error::Differs { what: "it is".to_owned() });
    restore([Ok((String::new(), &backup[..]))], Until::End, &folder, differs).unwrap_err();
    assert!(!folder.exists() && !scratch.path().join("refused.restoring").exists());
}

/// A backup that a version of another format took, of which this one knows no more than the beginning.
fn of_another_format(manifest: &str) -> Vec<u8> {
    let mut frames = super::frame::FrameWriter::begin(Vec::new()).unwrap();
    frames.write(super::frame::Kind::Manifest, manifest.as_bytes()).unwrap();
    frames.end().2
}

#[test]
fn a_backup_of_a_later_format_is_refused_with_the_version_that_reads_it() {
    let later = of_another_format(r#"{"format":99,"read_by":"9.1.0","all":"else"}"#);
    let refused = |error: Error| {
        assert!(matches!(error, Error::LaterFormat(_)), "{error}");
        error.to_string().replace(env!("CARGO_PKG_VERSION"), "OWN")
    };
    insta::assert_snapshot!(refused(read(&[&later]).unwrap_err()), @"the backup backup 1 has format 99, which version 9.1.0 and later read, and this is version OWN, which reads formats up to 3: install version 9.1.0, or go back to the copy or the backup from before the upgrade");
    let scratch = tempfile::tempdir().unwrap();
    refused(restore_to(&scratch.path().join("restored"), &[&later], Until::End).unwrap_err());
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
    // One that says so without a version that could read it is damaged.
    let error = read(&[&of_another_format(r#"{"format":99,"read_by":"0.3.0"}"#)]).unwrap_err();
    assert!(matches!(error, Error::Damaged { .. }), "{error}");
}

#[tokio::test]
async fn a_backup_says_its_format_and_one_from_before_that_is_read_as_ever() {
    let mut world = World::new();
    world.add(2).await;
    let backup = world.take(None);
    let text = String::from_utf8_lossy(&backup).into_owned();
    let head = r#"{"format":3,"read_by":"0.3.0","program":"0","#;
    assert!(text.contains(head), "{text}");
    let manifest = &text[text.find(head).unwrap()..];
    let manifest = &manifest[..manifest.find("}}").unwrap() + 2];
    let before = manifest.replace(r#""format":3,"read_by":"0.3.0","#, "");
    let read = super::manifest::Manifest::from_json("backup", before.as_bytes()).unwrap();
    assert_eq!(read, super::manifest::Manifest::from_json("backup", manifest.as_bytes()).unwrap());
}

#[test]
fn the_newest_backup_that_restores_is_known_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let known = KnownBackups::load(folder.path()).unwrap();
    let backup = |id: &str, taken_at: i64| KnownBackup {
        id: id.to_owned(),
        taken_at: Timestamp(taken_at * 1_000_000).to_string(),
        to: Point::START,
        bytes: 1,
        previous: None,
        note: String::new(),
        verified_at: None,
    };
    for (id, taken_at) in [("one", 1), ("two", 2), ("three", 3)] {
        known.add(backup(id, taken_at)).unwrap();
    }
    assert_eq!(known.newest_verified_at(), None);
    assert!(known.verified("two", Timestamp(9)).unwrap());
    assert!(!known.verified("four", Timestamp(9)).unwrap());
    let again = KnownBackups::load(folder.path()).unwrap();
    assert_eq!(again.all(), known.all());
    assert_eq!(
        again.newest_verified_at(),
        Some(Timestamp(2_000_000)),
        "when it was taken counts, not when it was verified"
    );
}

fn exported(journal: &dyn Journal) -> String {
    let mut out = Vec::new();
    export(&*journal.reader(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[tokio::test]
async fn an_export_imports_to_the_same_chain_and_any_line_that_was_changed_is_named() {
    let mut world = World::new();
    world.add(5).await;
    let lines = exported(&world.journal);
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("imported");
    assert_eq!(import(lines.as_bytes(), &folder, |_| Ok(())).unwrap(), world.journal.tail());
    assert_eq!(tail_of(&folder), world.journal.tail());

    let folder = scratch.path().join("refused");
    let lines: Vec<&str> = lines.split_inclusive('\n').collect();
    let refused = |lines: &[&str], at: u64| {
        let error = import(lines.concat().as_bytes(), &folder, |_| Ok(())).unwrap_err();
        assert!(matches!(error, Error::Line { line, .. } if line == at), "{error}, and not line {at}");
        assert!(!folder.exists() && !scratch.path().join("refused.restoring").exists());
    };
    for at in 1..lines.len() {
        let number = at as u64 + 1;
        let with = |line: &str| {
            lines
                .iter()
                .enumerate()
                .map(|(n, it)| if n == at { line.to_owned() } else { (*it).to_owned() })
                .collect::<Vec<String>>()
        };
        let changed = [
            lines[at].replace("\"acceptedAtMicros\":\"", "\"acceptedAtMicros\":\"1"),
            lines[at].replace("\"revision\":", "\"revision\":1"),
            lines[at].replace("\"chain\":\"", "\"chain\":\"0"),
            lines[at].replace("{\"acc", "{\"unknown\":1,\"acc"),
            lines[at].replace(['{', '}'], ""),
            lines[at].replace('}', "").replace('\n', "},\"bytes\":\"AAAA\"}\n"),
        ];
        for changed in changed {
            assert_ne!(changed, lines[at]);
            let changed = with(&changed);
            refused(&changed.iter().map(String::as_str).collect::<Vec<_>>(), number);
        }
        let mut without = lines.clone();
        without.remove(at);
        refused(&without, number);
    }
    refused(&[], 1);
    refused(&[&lines[0].replace("lines 1", "lines 2")], 1);
    refused(&[lines[0], lines[1].trim_end()], 2);
}

#[tokio::test]
async fn an_audit_log_that_was_moved_away_between_two_backups_is_restored_with_what_there_is_of_it() {
    let mut world = World::new();
    world.add(2).await;
    let first = world.take(None);
    let previous = read(&[&first]).unwrap()[0].as_previous();
    world.add(1).await;
    std::fs::rename(world.folder.path().join(audit::FILE_NAME), world.folder.path().join("moved")).unwrap();
    world.add(2).await;
    let second = world.take(Some(previous));
    read(&[&first, &second]).unwrap();
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("restored");
    restore_to(&folder, &[&first, &second], Until::End).unwrap();
    assert_eq!(tail_of(&folder), world.journal.tail());
    let files = audit_files(&folder);
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert!(
        matches!(names[..], ["audit.log", aside] if aside.starts_with("audit.log.set-aside-before-line-")),
        "{names:?}"
    );
    let taken = audit::verify_folder(&folder, &mut |_| {}).unwrap().taken;
    assert_eq!(taken.len(), 1, "the log says itself that lines aren't there");
}
