//! What only the engine on disk can show: damage of every kind is refused, and what older versions left is taken over.

use super::sled_store::open_store;
use super::*;
use crate::journal::conformance::{Medium, assert_holds, fill, payload, scanned};
use crate::journal::{ENTRY_BYTES_MAX, record};
use std::{fs, path::Path};

/// The groups that the damaged journals hold, each in a life of its own, so that each is a record of the store: at
/// revisions 1, 3, 8 and 9.
const GROUPS: [u64; 4] = [2, 5, 1, 4];

fn fill_in_lives(medium: &dyn Medium, groups: &[u64]) {
    groups.iter().for_each(|group| fill(&mut *medium.open().unwrap(), &[*group]));
}

/// Fills a journal, closes it, lets `damage` at its folder, and returns why it can't be opened again.
fn refusal(damage: impl FnOnce(&Path)) -> String {
    let dir = tempfile::tempdir().unwrap();
    fill(&mut *dir.open().unwrap(), &GROUPS);
    refusal_of(&dir, damage)
}

fn refusal_of(dir: &tempfile::TempDir, damage: impl FnOnce(&Path)) -> String {
    let folder = dir.path().join("journal");
    damage(&folder);
    let refused = DiskJournal::open(&folder).map(|journal| journal.tail()).unwrap_err();
    assert!(matches!(refused, Error::Corrupt { .. }), "{refused}");
    refused.to_string().replace(&folder.display().to_string(), "FOLDER")
}

/// The same with damage done through sled itself, whose own checksums are then true.
fn refusal_of_sled(damage: impl FnOnce(&::sled::Db)) -> String {
    let dir = tempfile::tempdir().unwrap();
    fill_in_lives(&dir, &GROUPS);
    refusal_of(&dir, |folder| {
        let path = folder.join("sled");
        let db = open_store(&path).unwrap();
        damage(&db);
        db.flush().unwrap();
    })
}

fn key(first: u64, number: u16) -> Vec<u8> {
    [first.to_be_bytes().as_slice(), &number.to_be_bytes()].concat()
}

fn record(before: Tail, payloads: &[&[u8]]) -> Vec<u8> {
    let payloads: Vec<_> = payloads.iter().map(|payload| payload.to_vec()).collect();
    record::encode(before, &payloads).unwrap().bytes
}

/// Bytes that don't compress.
fn incompressible(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(&length.to_be_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

pub(super) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &to.join(entry.file_name()));
        } else {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

#[test]
fn a_second_open_is_refused_because_the_folder_is_in_use() {
    let dir = tempfile::tempdir().unwrap();
    let journal = dir.open().unwrap();
    let refused = dir.open().map(|journal| journal.tail()).unwrap_err();
    assert!(refused.to_string().ends_with("journal is in use by another process"), "{refused}");
    let reader = journal.reader();
    drop(journal);
    assert!(matches!(dir.open(), Err(Error::Locked { .. })), "a reader keeps the folder");
    drop(reader);
    dir.open().unwrap();
}

#[test]
fn a_flipped_bit_in_a_record_is_refused() {
    let refused = refusal_of_sled(|db| {
        let mut bytes = db.get(key(3, 0)).unwrap().unwrap().to_vec();
        bytes[70] ^= 4;
        db.insert(key(3, 0), bytes).unwrap();
    });
    insta::assert_snapshot!(refused, @"the journal is damaged at revision 3: the record of 165 bytes doesn't match its checksum; restore it from a backup");
}

#[test]
fn a_missing_record_in_the_middle_is_refused() {
    let refused = refusal_of_sled(|db| drop(db.remove(key(3, 0)).unwrap()));
    insta::assert_snapshot!(refused, @"the journal is damaged at revision 3: the next record found is that of revision 8; restore it from a backup");
}

#[test]
fn a_missing_record_at_the_end_is_refused() {
    let refused = refusal_of_sled(|db| drop(db.remove(key(9, 0)).unwrap()));
    insta::assert_snapshot!(refused, @"the journal is damaged at revision 9: the control file has the store at revision 12, but it ends at revision 8 with hash 10babef595668fa5d3d1a87027a786c0f59b1da30f5c118d87aa4e1f707ccc17; restore it from a backup");
}

#[test]
fn a_missing_record_at_the_start_is_refused() {
    let refused = refusal_of_sled(|db| drop(db.remove(key(1, 0)).unwrap()));
    insta::assert_snapshot!(refused, @"the journal is damaged at revision 1: the next record found is that of revision 3; restore it from a backup");
}

#[test]
fn an_inserted_record_is_refused() {
    let forged = record(Tail { revision: Revision(3), hash: ChainHash::GENESIS }, &[b"forged"]);
    let refused = refusal_of_sled(|db| drop(db.insert(key(4, 0), forged).unwrap()));
    insta::assert_snapshot!(refused, @"the journal is damaged at revision 8: the next record found is that of revision 4; restore it from a backup");
}

#[test]
fn a_replaced_record_is_refused() {
    let forged = record(Tail::EMPTY, &[b"forged", b"too"]);
    let refused = refusal_of_sled(|db| drop(db.insert(key(1, 0), forged).unwrap()));
    insta::assert_snapshot!(refused, @"the journal is damaged at revision 3: the record follows revision 2 with hash f64291211e21f2c97973001ca771a610be1c9f3c07ae910c48e416e44b498be8, but the journal before it ends at revision 2 with hash f20f6439ddf1cb546ac1db100d2c7949d8e27b544c13a194fee4ecb4d856e92a; restore it from a backup");
}

#[test]
fn a_whole_other_history_is_refused() {
    let forged = record(Tail::EMPTY, &[b"forged".as_slice(); 12]);
    let refused = refusal_of_sled(|db| {
        db.clear().unwrap();
        db.insert(key(1, 0), forged).unwrap();
    });
    insta::assert_snapshot!(refused, @"the journal is damaged at FOLDER/ahead: the write-ahead log ends at revision 12 with hash 14632d78e19955e096b145d36d6b51fa3523f329dff8a64ae2bfd040c607fdd0, but the store has revision 12 with hash 37b85317e28b785953d41fa46ca190829de9b12d649351c7a103ede47dc9dc8f; restore it from a backup");
}

#[test]
fn a_missing_chunk_of_a_large_record_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("journal");
    dir.open().unwrap().append(Revision::ZERO, &[incompressible(400_000)]).unwrap();
    let path = folder.join("sled");
    open_store(&path).unwrap().remove(key(1, 2)).unwrap();
    insta::assert_snapshot!(dir.open().map(|journal| journal.tail()).unwrap_err(), @"the journal is damaged at revision 1: chunk 2 of the record is missing: chunk 3 comes instead; restore it from a backup");
}

#[test]
fn the_unfinished_chunks_of_a_record_are_dropped() {
    let dir = tempfile::tempdir().unwrap();
    fill(&mut *dir.open().unwrap(), &GROUPS);
    {
        let path = dir.path().join("journal/sled");
        let db = open_store(&path).unwrap();
        db.insert(key(13, 2), b"never").unwrap();
        db.insert(key(13, 1), b"finished").unwrap();
    }
    let mut journal = dir.open().unwrap();
    assert_holds(&*journal.reader(), 12);
    fill(&mut *journal, &[1]);
    drop(journal);
    assert_holds(&*dir.open().unwrap().reader(), 13);
}

#[test]
fn a_file_cut_short_is_refused() {
    let refused = refusal(|folder| {
        let file = fs::OpenOptions::new().write(true).open(folder.join("sled/db")).unwrap();
        let length = file.metadata().unwrap().len();
        file.set_len(length.saturating_sub(1_500_000)).unwrap();
    });
    insta::assert_snapshot!(refused, @"the journal is damaged at revision 1: the control file has the store at revision 12, but it ends at revision 0 with hash 0000000000000000000000000000000000000000000000000000000000000000; restore it from a backup");
}

#[test]
fn an_emptied_or_missing_store_is_refused() {
    let emptied = refusal(|folder| fs::write(folder.join("sled/db"), b"").unwrap());
    insta::assert_snapshot!(emptied, @"the journal is damaged at revision 1: the control file has the store at revision 12, but it ends at revision 0 with hash 0000000000000000000000000000000000000000000000000000000000000000; restore it from a backup");
    let missing = refusal(|folder| fs::remove_dir_all(folder.join("sled")).unwrap());
    insta::assert_snapshot!(missing, @"the journal is damaged at FOLDER/sled: the store is missing, but the control file has revision 12 with hash 14632d78e19955e096b145d36d6b51fa3523f329dff8a64ae2bfd040c607fdd0; restore it from a backup");
}

#[test]
fn a_missing_or_unreadable_control_file_is_refused() {
    let missing = refusal(|folder| fs::remove_file(folder.join("witness")).unwrap());
    insta::assert_snapshot!(missing, @"the journal is damaged at FOLDER/witness: the file is missing, though there is a store; restore it from a backup");
    let zeroed = refusal(|folder| fs::write(folder.join("witness"), [0; 1024]).unwrap());
    insta::assert_snapshot!(zeroed, @"the journal is damaged at FOLDER/witness: neither of its two copies holds a valid revision and hash; restore it from a backup");
}

#[test]
fn one_torn_copy_of_the_control_file_is_forgiven() {
    for copy in [0, 512] {
        let dir = tempfile::tempdir().unwrap();
        fill(&mut *dir.open().unwrap(), &GROUPS);
        let path = dir.path().join("journal/witness");
        let mut bytes = fs::read(&path).unwrap();
        bytes[copy + 20] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_holds(&*dir.open().unwrap().reader(), 12);
    }
}

#[test]
fn an_older_copy_of_the_store_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("journal");
    fill(&mut *dir.open().unwrap(), &[3]);
    copy_folder(&folder.join("sled"), &folder.join("older"));
    fill(&mut *dir.open().unwrap(), &[2]);
    fs::remove_dir_all(folder.join("sled")).unwrap();
    fs::rename(folder.join("older"), folder.join("sled")).unwrap();
    insta::assert_snapshot!(dir.open().map(|journal| journal.tail()).unwrap_err(), @"the journal is damaged at revision 4: the control file has the store at revision 5, but it ends at revision 3 with hash 7009fbc2eb397330ac6241291e9b300b971ef8247dac7b573657ff67dea39b1c; restore it from a backup");
}

#[test]
fn a_store_that_fails_behind_the_appends_poisons_and_reads_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = DiskJournal::open(&dir.path().join("journal")).unwrap();
    journal.insert_behind_its_back(Revision(1));
    let large = incompressible(ENTRY_BYTES_MAX);
    let refused = (0..100).find_map(|revision| journal.append(Revision(revision), std::slice::from_ref(&large)).err());
    insta::assert_snapshot!(refused.unwrap(), @"the journal takes no more entries, because an append failed (can't flush entries to the store: the journal is damaged at revision 1: another writer has put a record there; restore it from a backup); restart to find out what was kept");
    let newest = journal.tail().revision;
    assert!(newest > Revision(1), "the appends before were acknowledged");
    for _ in 0..2 {
        assert!(matches!(journal.append(newest, &[payload(2)]), Err(Error::Poisoned { .. })));
    }
    let found = scanned(&*journal.reader(), 0);
    assert!(found.len() as u64 == newest.0 && found.iter().all(|entry| entry.payload == large));
    insta::assert_snapshot!(journal.close().unwrap_err(), @"can't flush entries to the store: the journal is damaged at revision 1: another writer has put a record there; restore it from a backup");
}

#[test]
fn no_leaf_ever_spills_into_a_blob() {
    let dir = tempfile::tempdir().unwrap();
    let mut journal = dir.open().unwrap();
    for revision in 0..60 {
        journal
            .append(
                Revision(revision),
                &[incompressible(ENTRY_BYTES_MAX / (1 + usize::try_from(revision).unwrap() % 7))],
            )
            .unwrap();
        let blobs = fs::read_dir(dir.path().join("journal/sled/blobs")).unwrap().count();
        assert_eq!(blobs, 0, "after revision {revision}");
    }
}

#[test]
fn a_missing_or_older_write_ahead_log_is_refused() {
    let missing = refusal(|folder| fs::remove_file(folder.join("ahead")).unwrap());
    insta::assert_snapshot!(missing, @"the journal is damaged at FOLDER/ahead: the file is missing, though the control file has revision 12 with hash 14632d78e19955e096b145d36d6b51fa3523f329dff8a64ae2bfd040c607fdd0; restore it from a backup");
    let without_store = refusal(|folder| {
        fs::remove_file(folder.join("ahead")).unwrap();
        fs::remove_dir_all(folder.join("sled")).unwrap();
    });
    insta::assert_snapshot!(without_store, @"the journal is damaged at FOLDER/ahead: the file is missing, though the control file has revision 12 with hash 14632d78e19955e096b145d36d6b51fa3523f329dff8a64ae2bfd040c607fdd0; restore it from a backup");

    let dir = tempfile::tempdir().unwrap();
    fill(&mut *dir.open().unwrap(), &[3]);
    let wal = dir.path().join("journal/ahead");
    let older = fs::read(&wal).unwrap();
    fill(&mut *dir.open().unwrap(), &[2]);
    let refused = refusal_of(&dir, |_| fs::write(&wal, older).unwrap());
    insta::assert_snapshot!(refused, @"the journal is damaged at FOLDER/ahead: the write-ahead log ends at revision 3 with hash 7009fbc2eb397330ac6241291e9b300b971ef8247dac7b573657ff67dea39b1c, but the store has revision 5 with hash 2751e21cf445eb2a780aa6069dd0260cb50e40def197976a69e3395712bef368; restore it from a backup");
}

#[test]
fn an_older_copy_of_the_store_and_the_write_ahead_log_together_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("journal");
    fill(&mut *dir.open().unwrap(), &[3]);
    copy_folder(&folder, &dir.path().join("older"));
    fill(&mut *dir.open().unwrap(), &[2]);
    let refused = refusal_of(&dir, |folder| {
        fs::remove_dir_all(folder.join("sled")).unwrap();
        fs::rename(dir.path().join("older/sled"), folder.join("sled")).unwrap();
        fs::rename(dir.path().join("older/ahead"), folder.join("ahead")).unwrap();
    });
    insta::assert_snapshot!(refused, @"the journal is damaged at revision 4: the control file has the store at revision 5, but it ends at revision 3 with hash 7009fbc2eb397330ac6241291e9b300b971ef8247dac7b573657ff67dea39b1c; restore it from a backup");
}

#[test]
fn a_journal_that_is_closed_leaves_nothing_in_its_write_ahead_log() {
    let dir = tempfile::tempdir().unwrap();
    let wal = dir.path().join("journal/ahead");
    let mut held = 0;
    for life in 1..4 {
        let mut journal = dir.open().unwrap();
        fill(&mut *journal, &GROUPS);
        assert!(fs::metadata(&wal).unwrap().len() > 1 << 20, "life {life}");
        drop(journal);
        assert_eq!(fs::metadata(&wal).unwrap().len(), 4 << 10, "life {life}");
        held += GROUPS.iter().sum::<u64>();
        assert_holds(&*dir.open().unwrap().reader(), held);
    }
}

#[test]
fn an_emptied_write_ahead_log_shows_that_control_file_and_store_are_missing() {
    let refused = refusal(|folder| {
        fs::remove_file(folder.join("witness")).unwrap();
        fs::remove_dir_all(folder.join("sled")).unwrap();
    });
    insta::assert_snapshot!(refused, @"the journal is damaged at FOLDER/witness: the file is missing, though there is a store; restore it from a backup");
}

/// Entries go through the ring into the store, and are read from both, while the ring goes round.
#[test]
fn more_than_the_ring_holds_goes_through_it() {
    let dir = tempfile::tempdir().unwrap();
    for life in 0..2 {
        let mut journal = dir.open().unwrap();
        let reader = journal.reader();
        for n in 0..60 {
            let after = journal.tail().revision;
            let large = vec![life * 60 + n; ENTRY_BYTES_MAX - 1_000 * (1 + usize::from(n))];
            journal.append(after, &[large, payload(after.0)]).unwrap();
            assert_eq!(reader.read(after.next()).unwrap().unwrap().payload[0], life * 60 + n);
        }
    }
    let found = scanned(&*dir.open().unwrap().reader(), 0);
    let expected: Vec<_> = (0..120).collect();
    assert_eq!(found.iter().step_by(2).map(|entry| entry.payload[0]).collect::<Vec<_>>(), expected);
}

/// A folder as it was left before there was a write-ahead log: records at 1, 4, 5 and 7, one of them in three chunks.
pub(super) fn folder_before_the_write_ahead_log() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    unpack_folder_before_wal(&dir.path().join("journal"));
    dir
}

pub(super) fn unpack_folder_before_wal(folder: &Path) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/journals/before-the-write-ahead-file");
    copy_folder(&fixture, folder);
    let packed = folder.join("sled/db.zst");
    let db = zstd::bulk::decompress(&fs::read(&packed).unwrap(), 8 << 20).unwrap();
    fs::write(packed.with_extension(""), db).unwrap();
    fs::remove_file(packed).unwrap();
}

#[test]
fn a_folder_from_before_the_write_ahead_log_is_taken_over() {
    let dir = folder_before_the_write_ahead_log();
    // A start that didn't get to its end may have left one.
    fs::write(dir.path().join("journal/ahead"), b"anything").unwrap();
    let mut journal = dir.open().unwrap();
    insta::assert_snapshot!(journal.tail(), @"revision 7 with hash 431efa5e087512c7ec200a1c91b9843cb920b0e7e7e20ecc9a82ac5a528472a4");
    let lengths: Vec<_> = scanned(&*journal.reader(), 0).iter().map(|entry| entry.payload.len()).collect();
    assert_eq!(lengths, [10, 0, 30, 100, 70_000, 5, 9]);
    fill(&mut *journal, &[2]);
    drop(journal);
    assert_eq!(dir.open().unwrap().tail().revision, Revision(9));
    let refused = refusal_of(&dir, |folder| fs::remove_file(folder.join("ahead")).unwrap());
    assert!(refused.contains("ahead: the file is missing"), "{refused}");
}

#[test]
fn a_folder_from_before_the_write_ahead_log_that_lost_its_end_is_refused() {
    let dir = folder_before_the_write_ahead_log();
    let refused = refusal_of(&dir, |folder| fs::write(folder.join("sled/db"), b"").unwrap());
    insta::assert_snapshot!(refused, @"the journal is damaged at the store: can't open the store: what it has isn't what was written; restore it from a backup");
}
