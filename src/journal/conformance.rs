//! Tests that every engine must pass, then tests of the engine in memory alone.

use super::*;
use crate::model::revision::Revision;

/// Somewhere a journal lives on when it is closed.
pub(super) trait Medium {
    fn open(&self) -> Result<Box<dyn Journal>, Error>;
}

impl Medium for MemoryDisk {
    fn open(&self) -> Result<Box<dyn Journal>, Error> {
        Ok(Box::new(MemoryJournal::open(self)?))
    }
}

impl Medium for tempfile::TempDir {
    fn open(&self) -> Result<Box<dyn Journal>, Error> {
        Ok(Box::new(DiskJournal::open(&self.path().join("journal"))?))
    }
}

macro_rules! for_every_engine {
    ($($test:ident)*) => {
        mod memory {
            $(#[test] fn $test() { super::$test(&super::MemoryDisk::new()); })*
        }
        mod disk {
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

pub(super) fn payload(n: u64) -> Vec<u8> {
    format!("entry {n}").into_bytes()
}

/// Appends groups of these sizes; each entry's payload says its revision.
pub(super) fn fill(journal: &mut dyn Journal, groups: &[u64]) {
    for &size in groups {
        let after = journal.tail().revision;
        let payloads: Vec<_> = (after.0 + 1..=after.0 + size).map(payload).collect();
        let hashes = journal.append(after, &payloads).unwrap();
        assert_eq!(hashes.last(), Some(&journal.tail().hash));
        assert_eq!(journal.tail().revision, Revision(after.0 + size));
    }
}

pub(super) fn scanned(reader: &dyn Reader, after: u64) -> Vec<Stored> {
    let mut found = Vec::new();
    let tail = reader.scan(Revision(after), &mut |entry| {
        found.push(entry);
        Ok(())
    });
    assert_eq!(tail.unwrap(), reader.tail());
    found
}

/// Exactly the entries that [`fill`] appends: revision, payload, and the chain worked out once more from its definition.
pub(super) fn assert_holds(reader: &dyn Reader, entries: u64) {
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

fn an_empty_journal_has_nothing_to_read(medium: &dyn Medium) {
    for _ in 0..2 {
        let journal = medium.open().unwrap();
        assert_eq!(journal.tail(), Tail::EMPTY);
        assert_eq!(journal.reader().read(Revision::ZERO).unwrap(), None);
        assert_eq!(journal.reader().read(Revision(1)).unwrap(), None);
        assert_holds(&*journal.reader(), 0);
    }
}

fn revisions_run_from_1_without_a_gap(medium: &dyn Medium) {
    let mut journal = medium.open().unwrap();
    fill(&mut *journal, &[1, 3, 1, 40]);
    assert_holds(&*journal.reader(), 45);
}

fn the_same_payloads_give_the_same_hashes_everywhere(medium: &dyn Medium) {
    let mut journal = medium.open().unwrap();
    let hashes = journal.append(Revision::ZERO, &[b"one".to_vec(), Vec::new(), b"three".to_vec()]).unwrap();
    insta::allow_duplicates! {
    insta::assert_snapshot!(hashes[0], @"e535a1e93be1ce575f0cf038b853a4da04dc66fd6be502e24c4305bc35247a73");
    insta::assert_snapshot!(hashes[2], @"63217d96f933af2a926a36055e66a8e589c157e10a3cd62b01899f6c7d652aba");
    }
}

fn an_append_after_another_revision_is_refused(medium: &dyn Medium) {
    let mut journal = medium.open().unwrap();
    fill(&mut *journal, &[2]);
    for after in [0, 1, 3] {
        let refused = journal.append(Revision(after), &[payload(3)]);
        assert!(matches!(refused, Err(Error::Conflict { tail }) if tail == journal.tail()), "{refused:?}");
    }
    fill(&mut *journal, &[1]);
    assert_holds(&*journal.reader(), 3);
}

fn an_empty_group_stores_nothing(medium: &dyn Medium) {
    let mut journal = medium.open().unwrap();
    fill(&mut *journal, &[1]);
    assert!(journal.append(Revision(1), &[]).unwrap().is_empty());
    assert!(matches!(journal.append(Revision(0), &[]), Err(Error::Conflict { .. })));
    assert_holds(&*journal.reader(), 1);
}

fn a_group_too_large_leaves_no_trace(medium: &dyn Medium) {
    let mut journal = medium.open().unwrap();
    fill(&mut *journal, &[1]);
    let refused = journal.append(Revision(1), &[payload(2), vec![0; RECORD_BYTES_MAX]]);
    insta::allow_duplicates! {
    insta::assert_snapshot!(refused.unwrap_err(), @"the group takes 1048701 bytes as a record, and a record holds at most 1048576");
    }
    fill(&mut *journal, &[1]);
    drop(journal);
    assert_holds(&*medium.open().unwrap().reader(), 2);
}

fn the_largest_entry_reads_back(medium: &dyn Medium) {
    let mut journal = medium.open().unwrap();
    let large: Vec<u8> = (0..ENTRY_BYTES_MAX).map(|at| u8::try_from(at % 251).unwrap()).collect();
    for revision in 0..24 {
        journal.append(Revision(revision), std::slice::from_ref(&large)).unwrap();
    }
    drop(journal);
    let reader = medium.open().unwrap().reader();
    assert!(scanned(&*reader, 0).iter().all(|entry| entry.payload == large));
    assert_eq!(reader.tail().revision, Revision(24));
}

fn everything_is_there_after_reopening(medium: &dyn Medium) {
    for life in 1..=4 {
        let mut journal = medium.open().unwrap();
        fill(&mut *journal, &[1, 4, 20]);
        assert_holds(&*journal.reader(), life * 25);
    }
}

fn an_entry_reads_back_from_within_a_group(medium: &dyn Medium) {
    let mut journal = medium.open().unwrap();
    fill(&mut *journal, &[2, 5]);
    let reader = journal.reader();
    assert_eq!(reader.read(Revision(4)).unwrap().unwrap().payload, payload(4));
    assert_eq!(reader.read(Revision(8)).unwrap(), None);
}

fn a_scan_starts_anywhere_even_within_a_group(medium: &dyn Medium) {
    let mut journal = medium.open().unwrap();
    fill(&mut *journal, &[2, 5, 1, 30]);
    let reader = journal.reader();
    let all = scanned(&*reader, 0);
    for after in 0..=40 {
        let expected: Vec<_> = all.iter().filter(|entry| entry.revision.0 > after).cloned().collect();
        assert_eq!(scanned(&*reader, after), expected);
    }
}

fn a_scan_stops_at_the_callers_error(medium: &dyn Medium) {
    let mut journal = medium.open().unwrap();
    fill(&mut *journal, &[2, 5]);
    let mut seen = 0;
    let stopped = journal.reader().scan(Revision::ZERO, &mut |entry| {
        seen = entry.revision.0;
        if seen == 4 { Err(Error::corrupt("the test", "stop")) } else { Ok(()) }
    });
    assert!(stopped.is_err());
    assert_eq!(seen, 4);
}

fn a_reader_sees_later_appends(medium: &dyn Medium) {
    let mut journal = medium.open().unwrap();
    let reader = journal.reader();
    fill(&mut *journal, &[3]);
    assert_holds(&*reader, 3);
    drop(journal);
    assert_holds(&*reader, 3);
}

fn readers_may_scan_while_the_writer_appends(medium: &dyn Medium) {
    let mut journal = medium.open().unwrap();
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
    fn a_failed_append_poisons_and_reopening_shows_what_was_kept() {
        check(Fault::BeforeStoring, 3);
        check(Fault::Torn, 3);
        check(Fault::AfterStoring, 5);
    }

    #[test]
    fn a_stale_writer_learns_where_the_journal_is() {
        let disk = MemoryDisk::new();
        let mut stale = MemoryJournal::open(&disk).unwrap();
        let mut fresh = MemoryJournal::open(&disk).unwrap();
        fill(&mut fresh, &[2]);
        let refused = stale.append(Revision::ZERO, &[payload(1)]);
        assert!(matches!(refused, Err(Error::Conflict { tail }) if tail == fresh.tail()));
    }
}
