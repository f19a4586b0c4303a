//! The format of a folder: said before it matters, refused when it is a later one, and found without a change.

use super::tests::{copy_folder, folder_before_the_write_ahead_log};
use super::*;
use crate::journal::conformance::{Medium, fill};
use crate::model::revision::Revision;
use std::fs;

#[test]
fn a_folder_says_its_format_once_this_version_has_something_to_write_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("journal");
    let format = || format_of(&folder).unwrap().map(|format| format.number);
    assert_eq!(format(), None);
    let mut journal = dir.open().unwrap();
    assert_eq!(format(), Some(3), "of a new folder");
    fill(&mut *journal, &[2]);
    drop(journal);
    let (file, control) = (folder.join("format"), folder.join("witness"));
    // As a version left it that didn't know of the file: only the magic was another.
    let as_before = || {
        fs::remove_file(&file).unwrap();
        let known = control_file::read(&control).unwrap();
        let bytes = control_file::encode_before_format_file(known);
        fs::write(&control, bytes).unwrap();
    };
    as_before();
    assert_eq!(format(), Some(2));
    let mut journal = dir.open().unwrap();
    assert_eq!(format(), Some(2), "of one that is only read");
    assert!(!file.exists());
    fill(&mut *journal, &[1]);
    assert!(file.exists());
    drop(journal);
    fs::remove_file(&file).unwrap();
    assert_eq!(format(), Some(3), "by its control file");
    drop(dir.open().unwrap());
    assert!(file.exists(), "of one that lost the file");
    as_before();
    let journal = DiskJournal::open(&folder).unwrap();
    journal.write_format().unwrap();
    assert_eq!(format(), Some(3), "of one that something else is to be written to");
}

#[test]
fn a_later_folder_is_refused_before_anything_in_it_changes() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("journal");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("format"), "conspectus data folder, format 9\nread by version 9.0.0 and later\n").unwrap();
    assert!(matches!(DiskJournal::open(&folder), Err(Error::LaterFormat(_))));
    let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["format"]);
}

#[test]
fn what_a_start_would_find_is_found_without_a_change() {
    let dir = folder_before_the_write_ahead_log();
    let folder = dir.path().join("journal");
    let found = Found::of(&folder).unwrap().unwrap();
    assert_eq!((found.format.number, found.tail.revision, found.is_in_use), (1, Revision(7), false));
    assert!(found.torn.is_none() && found.damaged_snapshot.is_none() && !folder.join("ahead").exists());
    let mut journal = dir.open().unwrap();
    let control = fs::read(folder.join("witness")).unwrap();
    fill(&mut *journal, &[2]);
    let died = dir.path().join("died");
    copy_folder(&folder, &died);
    assert!(Found::of(&folder).unwrap().unwrap().is_in_use);
    drop(journal);
    // The newest record of the log is torn: it was acknowledged, by the control file, or was not.
    let wal = died.join("ahead");
    let mut bytes = fs::read(&wal).unwrap();
    bytes[(4 << 10) + 60] ^= 1;
    fs::write(&wal, bytes).unwrap();
    let found = Found::of(&died).unwrap().unwrap();
    assert_eq!((found.format.number, found.tail.revision, found.torn), (3, Revision(9), None));
    fs::write(died.join("witness"), control).unwrap();
    let found = Found::of(&died).unwrap().unwrap();
    assert_eq!((found.tail.revision, found.torn), (Revision(7), Some(Revision(8))));
    let snapshot = fs::read_dir(died.join("sled")).unwrap().map(|entry| entry.unwrap().path());
    let snapshot =
        snapshot.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("snap.")).max().unwrap();
    fs::write(&snapshot, b"damaged").unwrap();
    assert_eq!(Found::of(&died).unwrap().unwrap().damaged_snapshot, Some(snapshot));
}
