//! What every engine must do, run against each of them; then what only one of them can show.

use super::*;

/// Somewhere a journal lives on when it is closed.
trait Place {
    fn open(&self) -> Result<Box<dyn Journal>, Error>;
}

impl Place for MemoryDisk {
    fn open(&self) -> Result<Box<dyn Journal>, Error> {
        Ok(Box::new(MemoryJournal::open(self)?))
    }
}

impl Place for tempfile::TempDir {
    fn open(&self) -> Result<Box<dyn Journal>, Error> {
        Ok(Box::new(SledJournal::open(&self.path().join("journal"))?))
    }
}

macro_rules! for_every_engine {
    ($($test:ident)*) => {
        mod memory {
            $(#[test] fn $test() { super::$test(&super::MemoryDisk::new()); })*
        }
        mod sled {
            $(#[test] fn $test() { super::$test(&tempfile::tempdir().unwrap()); })*
        }
    };
}

for_every_engine! {
    an_empty_journal_has_nothing_to_read
    revisions_run_from_1_without_a_gap
    the_same_payloads_give_the_same_hashes_everywhere
    an_append_after_another_revision_is_refused
    an_empty_group_stores_nothing
    a_group_too_large_leaves_no_trace
    the_largest_entry_reads_back
    everything_is_there_after_reopening
    an_entry_reads_back_from_within_a_group
    a_scan_starts_anywhere_even_within_a_group
    a_scan_stops_at_the_callers_error
    a_reader_sees_later_appends
    readers_may_scan_while_the_writer_appends
}

fn payload(n: u64) -> Vec<u8> {
    format!("entry {n}").into_bytes()
}

/// Appends groups of these sizes; each entry's payload says its revision.
fn fill(journal: &mut dyn Journal, groups: &[u64]) {
    for &size in groups {
        let after = journal.tail().revision;
        let payloads: Vec<_> = (after.0 + 1..=after.0 + size).map(payload).collect();
        let hashes = journal.append(after, &payloads).unwrap();
        assert_eq!(hashes.last(), Some(&journal.tail().hash));
        assert_eq!(journal.tail().revision, Revision(after.0 + size));
    }
}

fn scanned(reader: &dyn Reader, after: u64) -> Vec<Stored> {
    let mut found = Vec::new();
    let tail = reader.scan(Revision(after), &mut |entry| {
        found.push(entry);
        Ok(())
    });
    assert_eq!(tail.unwrap(), reader.tail());
    found
}

/// Exactly the entries that [`fill`] appends: revision, payload, and the chain worked out once more from its definition.
fn assert_holds(reader: &dyn Reader, entries: u64) {
    let found = scanned(reader, 0);
    let mut previous = [0; 32];
    for (revision, entry) in (1..).zip(&found) {
        let input = [previous.as_slice(), &u64::to_be_bytes(revision), &payload(revision)].concat();
        previous = blake3::derive_key("conspectus journal entry v1", &input);
        assert_eq!(
            *entry,
            Stored { revision: Revision(revision), hash: ChainHash(previous), payload: payload(revision) }
        );
        assert_eq!(reader.read(Revision(revision)).unwrap().as_ref(), Some(entry));
    }
    assert_eq!(found.len(), usize::try_from(entries).unwrap());
    assert_eq!(reader.tail(), Tail { revision: Revision(entries), hash: ChainHash(previous) });
}

fn an_empty_journal_has_nothing_to_read(place: &dyn Place) {
    for _ in 0..2 {
        let journal = place.open().unwrap();
        assert_eq!(journal.tail(), Tail::EMPTY);
        assert_eq!(journal.reader().read(Revision::ZERO).unwrap(), None);
        assert_eq!(journal.reader().read(Revision(1)).unwrap(), None);
        assert_holds(&*journal.reader(), 0);
    }
}

fn revisions_run_from_1_without_a_gap(place: &dyn Place) {
    let mut journal = place.open().unwrap();
    fill(&mut *journal, &[1, 3, 1, 40]);
    assert_holds(&*journal.reader(), 45);
}

fn the_same_payloads_give_the_same_hashes_everywhere(place: &dyn Place) {
    let mut journal = place.open().unwrap();
    let hashes = journal.append(Revision::ZERO, &[b"one".to_vec(), Vec::new(), b"three".to_vec()]).unwrap();
    insta::allow_duplicates! {
    insta::assert_snapshot!(hashes[0], @"e535a1e93be1ce575f0cf038b853a4da04dc66fd6be502e24c4305bc35247a73");
    insta::assert_snapshot!(hashes[2], @"63217d96f933af2a926a36055e66a8e589c157e10a3cd62b01899f6c7d652aba");
    }
}

fn an_append_after_another_revision_is_refused(place: &dyn Place) {
    let mut journal = place.open().unwrap();
    fill(&mut *journal, &[2]);
    for after in [0, 1, 3] {
        let refused = journal.append(Revision(after), &[payload(3)]);
        assert!(matches!(refused, Err(Error::Conflict { tail }) if tail == journal.tail()), "{refused:?}");
    }
    fill(&mut *journal, &[1]);
    assert_holds(&*journal.reader(), 3);
}

fn an_empty_group_stores_nothing(place: &dyn Place) {
    let mut journal = place.open().unwrap();
    fill(&mut *journal, &[1]);
    assert!(journal.append(Revision(1), &[]).unwrap().is_empty());
    assert!(matches!(journal.append(Revision(0), &[]), Err(Error::Conflict { .. })));
    assert_holds(&*journal.reader(), 1);
}

fn a_group_too_large_leaves_no_trace(place: &dyn Place) {
    let mut journal = place.open().unwrap();
    fill(&mut *journal, &[1]);
    let refused = journal.append(Revision(1), &[payload(2), vec![0; RECORD_BYTES_MAX]]);
    insta::allow_duplicates! {
    insta::assert_snapshot!(refused.unwrap_err(), @"the group takes 1048701 bytes as a record, and a record holds at most 1048576");
    }
    fill(&mut *journal, &[1]);
    drop(journal);
    assert_holds(&*place.open().unwrap().reader(), 2);
}

fn the_largest_entry_reads_back(place: &dyn Place) {
    let mut journal = place.open().unwrap();
    let large: Vec<u8> = (0..ENTRY_BYTES_MAX).map(|at| u8::try_from(at % 251).unwrap()).collect();
    for revision in 0..24 {
        journal.append(Revision(revision), std::slice::from_ref(&large)).unwrap();
    }
    drop(journal);
    let reader = place.open().unwrap().reader();
    assert!(scanned(&*reader, 0).iter().all(|entry| entry.payload == large));
    assert_eq!(reader.tail().revision, Revision(24));
}

fn everything_is_there_after_reopening(place: &dyn Place) {
    for life in 1..=4 {
        let mut journal = place.open().unwrap();
        fill(&mut *journal, &[1, 4, 20]);
        assert_holds(&*journal.reader(), life * 25);
    }
}

fn an_entry_reads_back_from_within_a_group(place: &dyn Place) {
    let mut journal = place.open().unwrap();
    fill(&mut *journal, &[2, 5]);
    let reader = journal.reader();
    assert_eq!(reader.read(Revision(4)).unwrap().unwrap().payload, payload(4));
    assert_eq!(reader.read(Revision(8)).unwrap(), None);
}

fn a_scan_starts_anywhere_even_within_a_group(place: &dyn Place) {
    let mut journal = place.open().unwrap();
    fill(&mut *journal, &[2, 5, 1, 30]);
    let reader = journal.reader();
    let all = scanned(&*reader, 0);
    for after in 0..=40 {
        let expected: Vec<_> = all.iter().filter(|entry| entry.revision.0 > after).cloned().collect();
        assert_eq!(scanned(&*reader, after), expected);
    }
}

fn a_scan_stops_at_the_callers_error(place: &dyn Place) {
    let mut journal = place.open().unwrap();
    fill(&mut *journal, &[2, 5]);
    let mut seen = 0;
    let stopped = journal.reader().scan(Revision::ZERO, &mut |entry| {
        seen = entry.revision.0;
        if seen == 4 { Err(Error::corrupt("the test", "stop")) } else { Ok(()) }
    });
    assert!(stopped.is_err());
    assert_eq!(seen, 4);
}

fn a_reader_sees_later_appends(place: &dyn Place) {
    let mut journal = place.open().unwrap();
    let reader = journal.reader();
    fill(&mut *journal, &[3]);
    assert_holds(&*reader, 3);
    drop(journal);
    assert_holds(&*reader, 3);
}

fn readers_may_scan_while_the_writer_appends(place: &dyn Place) {
    let mut journal = place.open().unwrap();
    let reader = journal.reader();
    std::thread::scope(|scope| {
        let scanning = scope.spawn(|| {
            let (mut after, mut seen) = (0, 0);
            while seen < 400 {
                let tail = reader.scan(Revision(after), &mut |_| Ok(())).unwrap();
                assert!(tail.revision.0 >= seen, "the journal only grows");
                seen = tail.revision.0;
                after = if after > seen { 0 } else { after + 1 + seen / 3 };
            }
        });
        for _ in 0..100 {
            fill(&mut *journal, &[1, 3]);
        }
        scanning.join().unwrap();
    });
    assert_holds(&*reader, 400);
}

mod memory_only {
    use super::*;

    fn check(fault: Fault, kept: u64) {
        let disk = MemoryDisk::new();
        let mut journal = MemoryJournal::open(&disk).unwrap();
        fill(&mut journal, &[2]);
        disk.fail_append(2, fault);
        fill(&mut journal, &[1]);
        for _ in 0..2 {
            assert!(matches!(journal.append(Revision(3), &[payload(4), payload(5)]), Err(Error::Poisoned { .. })));
        }
        assert_holds(&*journal.reader(), 3);

        let mut journal = journal.reopen().unwrap();
        assert_holds(&*journal.reader(), kept);
        fill(&mut journal, &[1]);
        assert_holds(&*journal.reader(), kept + 1);
    }

    #[test]
    fn a_failed_append_poisons_and_reopening_tells_what_was_kept() {
        check(Fault::BeforeStoring, 3);
        check(Fault::Torn, 3);
        check(Fault::AfterStoring, 5);
    }

    #[test]
    fn a_stale_writer_is_told_where_the_journal_is() {
        let disk = MemoryDisk::new();
        let mut stale = MemoryJournal::open(&disk).unwrap();
        let mut fresh = MemoryJournal::open(&disk).unwrap();
        fill(&mut fresh, &[2]);
        let refused = stale.append(Revision::ZERO, &[payload(1)]);
        assert!(matches!(refused, Err(Error::Conflict { tail }) if tail == fresh.tail()));
    }

    #[test]
    fn a_copy_of_a_disk_lives_its_own_life() {
        let disk = MemoryDisk::new();
        let mut journal = MemoryJournal::open(&disk).unwrap();
        fill(&mut journal, &[2]);
        let copy = disk.copy();
        fill(&mut journal, &[1]);
        assert_holds(&*MemoryJournal::open(&copy).unwrap().reader(), 2);
    }
}

pub(super) mod sled_only {
    use super::*;
    use std::{fs, path::Path};

    /// The groups that the damaged journals hold, each in a life of its own, so that each is a record of the store: at
    /// revisions 1, 3, 8 and 9.
    const GROUPS: [u64; 4] = [2, 5, 1, 4];

    fn fill_in_lives(place: &dyn Place, groups: &[u64]) {
        groups.iter().for_each(|group| fill(&mut *place.open().unwrap(), &[*group]));
    }

    /// Fills a journal, closes it, lets `damage` at its folder, and returns why it can't be opened again.
    fn refusal(damage: impl FnOnce(&Path)) -> String {
        let place = tempfile::tempdir().unwrap();
        fill(&mut *place.open().unwrap(), &GROUPS);
        refusal_of(&place, damage)
    }

    fn refusal_of(place: &tempfile::TempDir, damage: impl FnOnce(&Path)) -> String {
        let folder = place.path().join("journal");
        damage(&folder);
        let refused = SledJournal::open(&folder).map(|journal| journal.tail()).unwrap_err();
        assert!(matches!(refused, Error::Corrupt { .. }), "{refused}");
        refused.to_string().replace(&folder.display().to_string(), "FOLDER")
    }

    /// The same with damage done through sled itself, whose own checksums are then true.
    fn refusal_of_tree(damage: impl FnOnce(&::sled::Db)) -> String {
        let place = tempfile::tempdir().unwrap();
        fill_in_lives(&place, &GROUPS);
        refusal_of(&place, |folder| {
            let path = folder.join("sled");
            let db = super::super::tree::open_store(&path).unwrap();
            damage(&db);
            db.flush().unwrap();
        })
    }

    fn key(first: u64, part: u16) -> Vec<u8> {
        [first.to_be_bytes().as_slice(), &part.to_be_bytes()].concat()
    }

    fn record(before: Tail, payloads: &[&[u8]]) -> Vec<u8> {
        let payloads: Vec<_> = payloads.iter().map(|payload| payload.to_vec()).collect();
        super::super::record::encode(before, &payloads).unwrap().bytes
    }

    /// Bytes that take as much room in the store as anywhere.
    fn incompressible(length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        blake3::Hasher::new().update(&length.to_be_bytes()).finalize_xof().fill(&mut bytes);
        bytes
    }

    pub(in super::super) fn copy_folder(from: &Path, to: &Path) {
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
    fn a_second_open_is_told_that_the_folder_is_in_use() {
        let place = tempfile::tempdir().unwrap();
        let journal = place.open().unwrap();
        let refused = place.open().map(|journal| journal.tail()).unwrap_err();
        assert!(refused.to_string().ends_with("journal is in use by another process"), "{refused}");
        let reader = journal.reader();
        drop(journal);
        assert!(matches!(place.open(), Err(Error::Locked { .. })), "a reader keeps the folder");
        drop(reader);
        place.open().unwrap();
    }

    #[test]
    fn a_flipped_bit_in_a_record_is_refused() {
        let refused = refusal_of_tree(|db| {
            let mut bytes = db.get(key(3, 0)).unwrap().unwrap().to_vec();
            bytes[70] ^= 4;
            db.insert(key(3, 0), bytes).unwrap();
        });
        insta::assert_snapshot!(refused, @"the journal is damaged at revision 3: the record of 165 bytes doesn't match its checksum; restore it from a backup");
    }

    #[test]
    fn a_missing_record_in_the_middle_is_refused() {
        let refused = refusal_of_tree(|db| drop(db.remove(key(3, 0)).unwrap()));
        insta::assert_snapshot!(refused, @"the journal is damaged at revision 3: the next record found is that of revision 8; restore it from a backup");
    }

    #[test]
    fn a_missing_record_at_the_end_is_refused() {
        let refused = refusal_of_tree(|db| drop(db.remove(key(9, 0)).unwrap()));
        insta::assert_snapshot!(refused, @"the journal is damaged at revision 9: the witness saw the store at revision 12, and it has instead revision 8 with hash 10babef595668fa5d3d1a87027a786c0f59b1da30f5c118d87aa4e1f707ccc17; restore it from a backup");
    }

    #[test]
    fn a_missing_record_at_the_start_is_refused() {
        let refused = refusal_of_tree(|db| drop(db.remove(key(1, 0)).unwrap()));
        insta::assert_snapshot!(refused, @"the journal is damaged at revision 1: the next record found is that of revision 3; restore it from a backup");
    }

    #[test]
    fn an_inserted_record_is_refused() {
        let forged = record(Tail { revision: Revision(3), hash: ChainHash::GENESIS }, &[b"forged"]);
        let refused = refusal_of_tree(|db| drop(db.insert(key(4, 0), forged).unwrap()));
        insta::assert_snapshot!(refused, @"the journal is damaged at revision 8: the next record found is that of revision 4; restore it from a backup");
    }

    #[test]
    fn a_replaced_record_is_refused() {
        let forged = record(Tail::EMPTY, &[b"forged", b"too"]);
        let refused = refusal_of_tree(|db| drop(db.insert(key(1, 0), forged).unwrap()));
        insta::assert_snapshot!(refused, @"the journal is damaged at revision 3: the record follows revision 2 with hash f64291211e21f2c97973001ca771a610be1c9f3c07ae910c48e416e44b498be8, but the journal before it ends at revision 2 with hash f20f6439ddf1cb546ac1db100d2c7949d8e27b544c13a194fee4ecb4d856e92a; restore it from a backup");
    }

    #[test]
    fn a_whole_other_history_is_refused() {
        let forged = record(Tail::EMPTY, &[b"forged".as_slice(); 12]);
        let refused = refusal_of_tree(|db| {
            db.clear().unwrap();
            db.insert(key(1, 0), forged).unwrap();
        });
        insta::assert_snapshot!(refused, @"the journal is damaged at FOLDER/ahead: the write-ahead file ends at revision 12 with hash 14632d78e19955e096b145d36d6b51fa3523f329dff8a64ae2bfd040c607fdd0, but the store has revision 12 with hash 37b85317e28b785953d41fa46ca190829de9b12d649351c7a103ede47dc9dc8f; restore it from a backup");
    }

    #[test]
    fn a_missing_part_of_a_large_record_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("journal");
        place.open().unwrap().append(Revision::ZERO, &[incompressible(400_000)]).unwrap();
        let path = folder.join("sled");
        super::super::tree::open_store(&path).unwrap().remove(key(1, 2)).unwrap();
        insta::assert_snapshot!(place.open().map(|journal| journal.tail()).unwrap_err(), @"the journal is damaged at revision 1: part 2 of the record is missing: part 3 comes instead; restore it from a backup");
    }

    #[test]
    fn the_unfinished_parts_of_a_record_are_dropped() {
        let place = tempfile::tempdir().unwrap();
        fill(&mut *place.open().unwrap(), &GROUPS);
        {
            let path = place.path().join("journal/sled");
            let db = super::super::tree::open_store(&path).unwrap();
            db.insert(key(13, 2), b"never").unwrap();
            db.insert(key(13, 1), b"finished").unwrap();
        }
        let mut journal = place.open().unwrap();
        assert_holds(&*journal.reader(), 12);
        fill(&mut *journal, &[1]);
        drop(journal);
        assert_holds(&*place.open().unwrap().reader(), 13);
    }

    #[test]
    fn a_file_cut_short_is_refused() {
        let refused = refusal(|folder| {
            let file = fs::OpenOptions::new().write(true).open(folder.join("sled/db")).unwrap();
            let length = file.metadata().unwrap().len();
            file.set_len(length.saturating_sub(1_500_000)).unwrap();
        });
        insta::assert_snapshot!(refused, @"the journal is damaged at revision 1: the witness saw the store at revision 12, and it has instead revision 0 with hash 0000000000000000000000000000000000000000000000000000000000000000; restore it from a backup");
    }

    #[test]
    fn an_emptied_or_missing_store_is_refused() {
        let emptied = refusal(|folder| fs::write(folder.join("sled/db"), b"").unwrap());
        insta::assert_snapshot!(emptied, @"the journal is damaged at revision 1: the witness saw the store at revision 12, and it has instead revision 0 with hash 0000000000000000000000000000000000000000000000000000000000000000; restore it from a backup");
        let missing = refusal(|folder| fs::remove_dir_all(folder.join("sled")).unwrap());
        insta::assert_snapshot!(missing, @"the journal is damaged at FOLDER/sled: the store is missing, but the witness saw revision 12 with hash 14632d78e19955e096b145d36d6b51fa3523f329dff8a64ae2bfd040c607fdd0; restore it from a backup");
    }

    #[test]
    fn a_missing_or_unreadable_witness_is_refused() {
        let missing = refusal(|folder| fs::remove_file(folder.join("witness")).unwrap());
        insta::assert_snapshot!(missing, @"the journal is damaged at FOLDER/witness: the file is missing, though there is a store; restore it from a backup");
        let zeroed = refusal(|folder| fs::write(folder.join("witness"), [0; 1024]).unwrap());
        insta::assert_snapshot!(zeroed, @"the journal is damaged at FOLDER/witness: neither of its two slots holds a valid revision and hash; restore it from a backup");
    }

    #[test]
    fn one_torn_slot_of_the_witness_is_forgiven() {
        for slot in [0, 512] {
            let place = tempfile::tempdir().unwrap();
            fill(&mut *place.open().unwrap(), &GROUPS);
            let path = place.path().join("journal/witness");
            let mut bytes = fs::read(&path).unwrap();
            bytes[slot + 20] ^= 1;
            fs::write(&path, bytes).unwrap();
            assert_holds(&*place.open().unwrap().reader(), 12);
        }
    }

    #[test]
    fn an_older_copy_of_the_store_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("journal");
        fill(&mut *place.open().unwrap(), &[3]);
        copy_folder(&folder.join("sled"), &folder.join("older"));
        fill(&mut *place.open().unwrap(), &[2]);
        fs::remove_dir_all(folder.join("sled")).unwrap();
        fs::rename(folder.join("older"), folder.join("sled")).unwrap();
        insta::assert_snapshot!(place.open().map(|journal| journal.tail()).unwrap_err(), @"the journal is damaged at revision 4: the witness saw the store at revision 5, and it has instead revision 3 with hash 7009fbc2eb397330ac6241291e9b300b971ef8247dac7b573657ff67dea39b1c; restore it from a backup");
    }

    #[test]
    fn a_store_that_fails_behind_the_appends_poisons_and_reads_go_on() {
        let place = tempfile::tempdir().unwrap();
        let mut journal = SledJournal::open(&place.path().join("journal")).unwrap();
        journal.insert_behind_its_back(Revision(1));
        let large = incompressible(ENTRY_BYTES_MAX);
        let refused =
            (0..100).find_map(|revision| journal.append(Revision(revision), std::slice::from_ref(&large)).err());
        insta::assert_snapshot!(refused.unwrap(), @"the journal takes no more entries, because an append failed (can't carry entries over to the store: the journal is damaged at revision 1: another writer has put a record there; restore it from a backup); restart to find out what was kept");
        let newest = journal.tail().revision;
        assert!(newest > Revision(1), "the appends before were acknowledged");
        for _ in 0..2 {
            assert!(matches!(journal.append(newest, &[payload(2)]), Err(Error::Poisoned { .. })));
        }
        let found = scanned(&*journal.reader(), 0);
        assert!(found.len() as u64 == newest.0 && found.iter().all(|entry| entry.payload == large));
        insta::assert_snapshot!(journal.close().unwrap_err(), @"can't carry entries over to the store: the journal is damaged at revision 1: another writer has put a record there; restore it from a backup");
    }

    #[test]
    fn no_leaf_ever_spills_into_a_blob() {
        let place = tempfile::tempdir().unwrap();
        let mut journal = place.open().unwrap();
        for revision in 0..60 {
            journal
                .append(
                    Revision(revision),
                    &[incompressible(ENTRY_BYTES_MAX / (1 + usize::try_from(revision).unwrap() % 7))],
                )
                .unwrap();
            let blobs = fs::read_dir(place.path().join("journal/sled/blobs")).unwrap().count();
            assert_eq!(blobs, 0, "after revision {revision}");
        }
    }
}
