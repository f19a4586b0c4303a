//! The frame that one append group is stored as, shared by all engines.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | `0xC1`: a journal record, version 1 |
//! | 1 | how the entries are coded: 0 = as they are, 1 = compressed by zstd |
//! | 8 | the first entry's revision |
//! | 4 | the number of entries, at least 1 |
//! | 32 | the chain hash before the first entry |
//! | 4 + n, for each entry | the payload's length, then the payload; all of them coded |
//! | 32 | the chain hash after the last entry |
//! | 32 | BLAKE3 of everything above |
//!
//! All numbers are big-endian. Compressed entries have before them the 4 bytes of their length as they are, which is
//! checked before anything is made of them: damage can't ask for more memory than the largest record takes.

use super::contract::{Error, Stored, Tail};
use crate::model::chain::ChainHash;
use crate::model::revision::Revision;
use std::borrow::Cow;
use std::ops::Range;

/// The largest record. A group above it is refused, because a group can't be split and stay atomic.
pub const RECORD_BYTES_MAX: usize = 1 << 20;

/// The largest entry: one that fills a record alone. Larger ones must be refused at admission.
pub const ENTRY_BYTES_MAX: usize = RECORD_BYTES_MAX - FRAME_BYTES - LENGTH_BYTES;

const VERSION: u8 = 0xC1;
const PLAIN: u8 = 0;
const ZSTD: u8 = 1;
/// Of records of 256 KiB it leaves 3 to 8% fewer bytes than the fastest, for half as much time again; the levels above
/// cost more time than they save bytes.
const ZSTD_LEVEL: i32 = 2;
/// What is smaller stays as it is.
const COMPRESSED_BYTES_MIN: usize = 512;
const HASH_BYTES: usize = 32;
const LENGTH_BYTES: usize = 4;
const HEAD_BYTES: usize = 1 + 1 + 8 + 4 + HASH_BYTES;
const FOOT_BYTES: usize = 2 * HASH_BYTES;
const FRAME_BYTES: usize = HEAD_BYTES + FOOT_BYTES;

/// The size of the record that holds entries of these lengths as one group. A writer that builds groups keeps
/// this at or below [`RECORD_BYTES_MAX`].
pub fn record_bytes(entry_lengths: impl IntoIterator<Item = usize>) -> usize {
    entry_lengths
        .into_iter()
        .fold(FRAME_BYTES, |bytes, length| bytes.saturating_add(LENGTH_BYTES).saturating_add(length))
}

/// A group as it is about to be stored.
pub(super) struct Encoded {
    pub(super) bytes: Vec<u8>,
    pub(super) hashes: Vec<ChainHash>,
    pub(super) tail: Tail,
}

/// Frames a group that isn't empty, to follow `before`.
pub(super) fn encode(before: Tail, payloads: &[Vec<u8>]) -> Result<Encoded, Error> {
    let bytes = record_bytes(payloads.iter().map(Vec::len));
    let too_large = || Error::TooLarge { bytes, bytes_max: RECORD_BYTES_MAX };
    if bytes > RECORD_BYTES_MAX {
        return Err(too_large());
    }
    let length = |n: usize| u32::try_from(n).map(u32::to_be_bytes).map_err(|_| too_large());

    let mut out = Vec::with_capacity(bytes);
    out.extend([VERSION, PLAIN]);
    out.extend(before.revision.next().0.to_be_bytes());
    out.extend(length(payloads.len())?);
    out.extend(before.hash.0);
    let mut tail = before;
    let mut hashes = Vec::with_capacity(payloads.len());
    for payload in payloads {
        out.extend(length(payload.len())?);
        out.extend(payload);
        tail = tail.extend(payload);
        hashes.push(tail.hash);
    }
    out.extend(tail.hash.0);
    let checksum = blake3::hash(&out);
    out.extend(checksum.as_bytes());
    Ok(Encoded { bytes: out, hashes, tail })
}

/// Makes one record of several plain ones, each of which follows the one before, and compresses it where that pays.
/// Together they must be no larger than a record may be.
pub(super) fn merge(records: &[&[u8]]) -> Option<Vec<u8>> {
    let (first, last) = (records.first()?, records.last()?);
    let (mut count, mut entries) = (0_u32, Vec::new());
    for record in records {
        count += u32::from_be_bytes(record.get(10..14)?.try_into().ok()?);
        entries.extend_from_slice(record.get(HEAD_BYTES..record.len().checked_sub(FOOT_BYTES)?)?);
    }
    let plain_length = u32::try_from(entries.len()).ok()?.to_be_bytes();
    let packed = (entries.len() >= COMPRESSED_BYTES_MIN)
        .then(|| zstd::bulk::compress(&entries, ZSTD_LEVEL).ok())
        .flatten()
        .filter(|packed| packed.len() + LENGTH_BYTES < entries.len());
    let mut out = Vec::with_capacity(FRAME_BYTES + entries.len());
    out.extend([VERSION, if packed.is_some() { ZSTD } else { PLAIN }]);
    out.extend_from_slice(first.get(2..10)?);
    out.extend(count.to_be_bytes());
    out.extend_from_slice(first.get(14..HEAD_BYTES)?);
    match &packed {
        Some(packed) => {
            out.extend(plain_length);
            out.extend(packed);
        }
        None => out.extend(entries),
    }
    out.extend_from_slice(last.get(last.len() - FOOT_BYTES..last.len() - HASH_BYTES)?);
    let checksum = blake3::hash(&out);
    out.extend(checksum.as_bytes());
    Some(out)
}

/// A group as a record that is kept elsewhere than in a journal, compressed where that pays, and where it ends.
///
/// # Errors
/// [`Error::TooLarge`].
pub(crate) fn pack(before: Tail, payloads: &[Vec<u8>]) -> Result<(Vec<u8>, Tail), Error> {
    let Encoded { bytes, tail, .. } = encode(before, payloads)?;
    Ok((merge(&[&bytes]).unwrap_or(bytes), tail))
}

/// The entries of a record from [`pack`] that follows `before`: framing, checksum and chain are verified.
///
/// # Errors
/// [`Error::Corrupt`].
pub(crate) fn unpack(before: Tail, bytes: &[u8]) -> Result<Vec<Stored>, Error> {
    let record = decode_after(before, before.revision.next(), bytes)?;
    Ok(record.entries().map(|(tail, payload)| Stored::at(tail, payload)).collect())
}

/// The first revision that bytes say they are a record of, whether or not they are one.
pub(super) fn first_revision(bytes: &[u8]) -> Option<Revision> {
    Some(Revision(u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?)))
}

/// A group as read back: framing, checksum and the chain within it are verified.
#[derive(Debug)]
pub(super) struct Record<'a> {
    pub(super) before: Tail,
    pub(super) tail: Tail,
    plain: Cow<'a, [u8]>,
    /// Each entry, and where in `plain` its payload is.
    entries: Vec<(Tail, Range<usize>)>,
}

impl Record<'_> {
    /// The entries, in order: each as the tail that it makes, and its payload.
    pub(super) fn entries(&self) -> impl Iterator<Item = (Tail, &[u8])> {
        self.entries.iter().map(|(tail, range)| (*tail, &self.plain[range.clone()]))
    }
}

/// Reads one record. Any bytes give an answer: a record, or [`Error::Corrupt`] saying what is wrong at `location`.
pub(super) fn decode(location: Revision, bytes: &[u8]) -> Result<Record<'_>, Error> {
    decode_frame(bytes).map_err(|what| Error::corrupt(format_args!("revision {location}"), what))
}

/// Reads the record stored under revision `key` and checks that it follows `before`.
pub(super) fn decode_after(before: Tail, key: Revision, bytes: &[u8]) -> Result<Record<'_>, Error> {
    let record = decode(key, bytes)?;
    expect_next(before, key, record.before)?;
    Ok(record)
}

/// Checks that a record stored under revision `key`, made to follow `follows`, comes after `before`.
pub(super) fn expect_next(before: Tail, key: Revision, follows: Tail) -> Result<(), Error> {
    let expected = before.revision.next();
    let location = format_args!("revision {expected}");
    if key != expected {
        return Err(Error::corrupt(location, format!("the next record found is that of revision {key}")));
    }
    if follows != before {
        let what = format!("the record follows {follows}, but the journal before it ends at {before}");
        return Err(Error::corrupt(location, what));
    }
    Ok(())
}

fn decode_frame(bytes: &[u8]) -> Result<Record<'_>, String> {
    let cut = || format!("the record ends early, after {} bytes", bytes.len());
    let (framed, checksum) = bytes.split_last_chunk::<HASH_BYTES>().ok_or_else(cut)?;
    if blake3::hash(framed) != *checksum {
        return Err(format!("the record of {} bytes doesn't match its checksum", bytes.len()));
    }

    let mut rest = framed;
    let [version, codec] = take(&mut rest).ok_or_else(cut)?;
    if version != VERSION {
        return Err(format!("the record is of version {version:#04x}, and this program reads {VERSION:#04x}"));
    }
    let first = u64::from_be_bytes(take(&mut rest).ok_or_else(cut)?);
    let count = u32::from_be_bytes(take(&mut rest).ok_or_else(cut)?);
    let hash = ChainHash(take(&mut rest).ok_or_else(cut)?);
    let before = first.checked_sub(1).map(|revision| Tail { revision: Revision(revision), hash });
    let before = before.filter(|_| count > 0).ok_or("the record counts no entry, or counts from 0")?;
    first.checked_add(u64::from(count)).ok_or("the record counts past the last revision")?;

    let (coded, after) = rest.split_last_chunk::<HASH_BYTES>().ok_or_else(cut)?;
    let plain = match codec {
        PLAIN => Cow::Borrowed(coded),
        ZSTD => Cow::Owned(decompress(coded)?),
        other => return Err(format!("the record is coded as {other}, and this program reads {PLAIN} and {ZSTD}")),
    };
    let mut rest = &*plain;
    let mut tail = before;
    let mut entries = Vec::new();
    for _ in 0..count {
        let length = u32::from_be_bytes(take(&mut rest).ok_or_else(cut)?);
        let length = usize::try_from(length).map_err(|_| cut())?;
        let payload = rest.split_off(..length).ok_or_else(cut)?;
        tail = tail.extend(payload);
        let end = plain.len() - rest.len();
        entries.push((tail, end - length..end));
    }
    if !rest.is_empty() {
        return Err(format!("the record has {} bytes more than its entries", rest.len()));
    }
    if *after != tail.hash.0 {
        return Err(format!("the record doesn't end with the chain hash {} of its last entry", tail.hash));
    }
    Ok(Record { before, tail, plain, entries })
}

fn decompress(coded: &[u8]) -> Result<Vec<u8>, String> {
    let (length, packed) = coded.split_first_chunk::<LENGTH_BYTES>().ok_or("the record ends before its length")?;
    let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
    if length > RECORD_BYTES_MAX {
        return Err(format!("the record unpacks to {length} bytes, and a record holds at most {RECORD_BYTES_MAX}"));
    }
    match zstd::bulk::decompress(packed, length) {
        Ok(plain) if plain.len() == length => Ok(plain),
        Ok(plain) => Err(format!("the record unpacks to {} bytes instead of {length}", plain.len())),
        Err(error) => Err(format!("the record doesn't unpack: {error}")),
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::hex::Hex;
    use proptest::prelude::*;

    fn sample() -> Vec<u8> {
        encode(Tail::EMPTY, &[b"one".to_vec(), Vec::new(), b"three".to_vec()]).unwrap().bytes
    }

    fn lines_of_hex(bytes: &[u8]) -> String {
        bytes.chunks(32).map(|line| format!("{}\n", Hex(line))).collect()
    }

    #[test]
    fn the_format_never_changes_by_accident() {
        insta::assert_snapshot!(lines_of_hex(&sample()), @r"
        c100000000000000000100000003000000000000000000000000000000000000
        0000000000000000000000000000000000036f6e650000000000000005746872
        656563217d96f933af2a926a36055e66a8e589c157e10a3cd62b01899f6c7d65
        2abafdb6c1c6d9ec6bafa67033b074b2f92baf4c633964255c60f7fbdff74e3e
        f417
        ");
    }

    #[test]
    fn a_record_reads_back_as_written() {
        let sample = sample();
        let record = decode(Revision(1), &sample).unwrap();
        let payloads: Vec<_> = record.entries().map(|(_, payload)| payload).collect();
        assert_eq!(payloads, [b"one".as_slice(), b"", b"three"]);
        assert_eq!((record.before, record.tail.revision), (Tail::EMPTY, Revision(3)));
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_detected() {
        let good = sample();
        for bit in 0..good.len() * 8 {
            let mut bad = good.clone();
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(Revision(1), &bad).is_err(), "bit {bit}");
        }
        for length in 0..good.len() {
            assert!(decode(Revision(1), &good[..length]).is_err(), "cut at {length}");
        }
    }

    #[test]
    fn the_size_is_known_before_encoding() {
        for lengths in [vec![0], vec![1, 2, 3], vec![ENTRY_BYTES_MAX]] {
            let payloads: Vec<_> = lengths.iter().map(|&length| vec![7; length]).collect();
            let bytes = encode(Tail::EMPTY, &payloads).unwrap().bytes;
            assert_eq!(bytes.len(), record_bytes(lengths));
        }
        assert!(matches!(
            encode(Tail::EMPTY, &[vec![0; ENTRY_BYTES_MAX + 1]]),
            Err(Error::TooLarge { bytes, bytes_max: RECORD_BYTES_MAX }) if bytes == RECORD_BYTES_MAX + 1
        ));
    }

    /// Records of one entry each, one after the other, and what they are as one.
    fn merged(payloads: &[Vec<u8>]) -> (Tail, Vec<u8>) {
        let mut tail = Tail::EMPTY;
        let each = payloads.iter().map(|payload| {
            let encoded = encode(tail, std::slice::from_ref(payload)).unwrap();
            tail = encoded.tail;
            encoded.bytes
        });
        let records: Vec<_> = each.collect();
        (tail, merge(&records.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap())
    }

    #[test]
    fn small_records_merge_plain_and_larger_ones_compressed() {
        let small = [b"one".to_vec(), Vec::new(), b"three".to_vec()];
        assert_eq!(merged(&small).1, encode(Tail::EMPTY, &small).unwrap().bytes, "as if appended as one group");
        let larger: Vec<_> = (0..100).map(|n| format!("entry {n}").into_bytes()).collect();
        let (tail, bytes) = merged(&larger);
        let plain = encode(Tail::EMPTY, &larger).unwrap().bytes;
        assert!(bytes[1] == ZSTD && bytes.len() * 2 < plain.len(), "{} of {}", bytes.len(), plain.len());
        let record = decode_after(Tail::EMPTY, Revision(1), &bytes).unwrap();
        assert_eq!(record.tail, tail);
        assert_eq!(record.entries().map(|(_, payload)| payload).collect::<Vec<_>>(), larger);
        let incompressible = vec![blake3::hash(b"any").as_bytes().to_vec(); 1];
        assert_eq!(merged(&incompressible).1[1], PLAIN);
    }

    #[test]
    fn a_length_that_asks_for_too_much_is_refused_before_anything_is_unpacked() {
        let (_, mut bytes) = merged(&[vec![7; 5_000]]);
        bytes[HEAD_BYTES..HEAD_BYTES + LENGTH_BYTES].copy_from_slice(&u32::MAX.to_be_bytes());
        bytes.truncate(bytes.len() - HASH_BYTES);
        insta::assert_snapshot!(decode(Revision(1), &sealed(bytes)).unwrap_err(), @"the journal is damaged at revision 1: the record unpacks to 4294967295 bytes, and a record holds at most 1048576; restore it from a backup");
    }

    /// Puts a true checksum on any bytes, so that the checks behind it are reached.
    fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
        let checksum = blake3::hash(&bytes);
        bytes.extend(checksum.as_bytes());
        bytes
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(decode(Revision(1), &bytes).is_err());
            prop_assert!(decode(Revision(1), &sealed(bytes)).is_err());
        }

        #[test]
        fn a_mutated_record_is_refused_even_with_a_true_checksum(
            at in 0..sample().len() - HASH_BYTES, byte in any::<u8>(), cut in 0..sample().len() - HASH_BYTES,
        ) {
            let good = sample();
            let mut bad = good[..good.len() - HASH_BYTES].to_vec();
            prop_assume!(bad[at] != byte);
            bad[at] = byte;
            prop_assert!(decode(Revision(1), &sealed(bad.clone())).is_err());
            bad.truncate(cut);
            prop_assert!(decode(Revision(1), &sealed(bad)).is_err());
        }

        #[test]
        fn a_mutated_compressed_record_is_refused_even_with_a_true_checksum(index in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let good = merged(&(0..100).map(|n| format!("entry {n}").into_bytes()).collect::<Vec<_>>()).1;
            let mut bad = good[..good.len() - HASH_BYTES].to_vec();
            let at = index.index(bad.len());
            prop_assume!(bad[at] != byte);
            bad[at] = byte;
            // There is more than one way to pack the same entries: it is the entries that mustn't change.
            if let Ok(record) = decode(Revision(1), &sealed(bad)) {
                prop_assert_eq!(record.tail, decode(Revision(1), &good).unwrap().tail);
            }
        }

        #[test]
        fn any_group_reads_back(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 1..20)) {
            let encoded = encode(Tail::EMPTY, &payloads).unwrap();
            let record = decode_after(Tail::EMPTY, Revision(1), &encoded.bytes).unwrap();
            prop_assert_eq!(record.tail, encoded.tail);
            prop_assert_eq!(record.entries().map(|(tail, _)| tail.hash).collect::<Vec<_>>(), encoded.hashes);
            prop_assert_eq!(record.entries().map(|(_, payload)| payload).collect::<Vec<_>>(), payloads);
        }
    }
}
