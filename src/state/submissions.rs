//! The register of submissions: what is known of each but for its figures, and which are withdrawn.
//!
//! Most submissions may be of one figure, so little is kept of each: a record of fixed size and its texts, in
//! blocks that are only ever added to, and eight bytes to find it by.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, BuildHasherDefault, Hasher};
use std::sync::{Arc, PoisonError, RwLock};

use imbl::OrdMap;

use super::columns::{Revision32, narrow, widen};
use crate::catalogue::AgencyIx;
use crate::entry::Fingerprint;
use crate::model::id::RequestId;
use crate::model::observations::Hashing;
use crate::model::revision::Revision;
use crate::model::submission::Submission;

/// What is known of a submission, but for its figures. When it was accepted is known of every revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SubmissionRecord<'a> {
    /// Its revision.
    pub revision: Revision,
    /// Whose it is.
    pub agency: AgencyIx,
    /// The sender's own id for it.
    pub request_id: &'a str,
    /// How many observations it has.
    pub observation_count: usize,
    /// Where its figures come from.
    pub source: &'a str,
    /// Whether they are made up.
    pub sample: bool,
    /// Separates a retry from other content under the same request id.
    pub fingerprint: Fingerprint,
}

/// The submissions, as of a state's revision.
#[derive(Debug, Clone, Default)]
pub(super) struct Submissions<H = Hashing> {
    /// By the revision of each block's first record. All but the last are full.
    blocks: OrdMap<Revision, Arc<Block>>,
    /// Shared by all states: what came after this one's revision has no record here.
    by_request: Arc<RwLock<Index>>,
    hashing: H,
    /// The submissions that were withdrawn, and the revision that did it.
    withdrawn: OrdMap<Revision, Revision>,
    /// The newest of those revisions.
    newest_withdrawal: Revision,
    /// How many figures they have together.
    figures: u64,
}

impl<H: BuildHasher> Submissions<H> {
    pub(super) fn add(
        &mut self,
        revision: Revision,
        agency: AgencyIx,
        submission: &Submission,
        fingerprint: Fingerprint,
    ) {
        self.figures += submission.observations.len() as u64;
        let last = self.blocks.get_max().filter(|(_, block)| !block.is_full());
        let first = last.map_or(revision, |(first, _)| *first);
        // Readers may hold the last block: they keep it as it is.
        let block = Arc::make_mut(self.blocks.entry(first).or_default());
        block.push(narrow(revision), agency, submission, fingerprint);
        let hash = self.hash(agency, &submission.request_id);
        self.by_request.write().unwrap_or_else(PoisonError::into_inner).add(hash, narrow(revision));
    }

    pub(super) fn figures(&self) -> u64 {
        self.figures
    }

    pub(super) fn withdraw(&mut self, submission: Revision, at: Revision) {
        self.withdrawn.insert(submission, at);
        self.newest_withdrawal = at;
    }

    pub(super) fn by_request(&self, agency: AgencyIx, request_id: &RequestId) -> Option<SubmissionRecord<'_>> {
        let index = self.by_request.read().unwrap_or_else(PoisonError::into_inner);
        index
            .of(self.hash(agency, request_id))
            .filter_map(|revision| self.by_revision(widen(revision)))
            .find(|record| record.agency == agency && record.request_id == request_id.as_str())
    }

    /// None yet, hashed alike.
    #[cfg(test)]
    pub(super) fn emptied(&self) -> Self
    where
        H: Clone + Default,
    {
        Self { hashing: self.hashing.clone(), ..Self::default() }
    }

    fn hash(&self, agency: AgencyIx, request_id: &RequestId) -> u32 {
        (self.hashing.hash_one((agency, request_id)) >> 32) as u32
    }

    pub(super) fn by_revision(&self, revision: Revision) -> Option<SubmissionRecord<'_>> {
        let (_, block) = self.blocks.get_prev(&revision)?;
        let at = block.records.binary_search_by_key(&revision, |record| widen(record.revision)).ok()?;
        Some(block.record(&block.records[at]))
    }

    /// Those before a revision, newest first.
    pub(super) fn before(&self, revision: Revision) -> impl Iterator<Item = SubmissionRecord<'_>> {
        let blocks = self.blocks.range(..revision).rev();
        let records = blocks.flat_map(|(_, block)| block.records.iter().rev().map(|record| block.record(record)));
        records.skip_while(move |record| record.revision >= revision)
    }

    pub(super) fn has_withdrawal_after(&self, revision: Revision) -> bool {
        self.newest_withdrawal > revision
    }

    pub(super) fn withdrawn_at(&self, submission: Revision) -> Option<Revision> {
        self.withdrawn.get(&submission).copied()
    }
}

/// The revisions of submissions by a hash of their agency and request id. Several may have the same: their records
/// decide. In shards, so that no addition takes long when one of them grows.
#[derive(Debug)]
struct Index {
    shards: Vec<HashMap<u32, Revision32, BuildHasherDefault<Hashed>>>,
    /// All but the first of a hash.
    alike: BTreeSet<(u32, Revision32)>,
}

impl Default for Index {
    fn default() -> Self {
        Self { shards: vec![HashMap::default(); Self::SHARDS], alike: BTreeSet::new() }
    }
}

impl Index {
    const SHARDS: usize = 256;

    fn add(&mut self, hash: u32, revision: Revision32) {
        let first = *self.shards[hash as usize % Self::SHARDS].entry(hash).or_insert(revision);
        if first != revision {
            self.alike.insert((hash, revision));
        }
    }

    fn of(&self, hash: u32) -> impl Iterator<Item = Revision32> {
        let first = self.shards[hash as usize % Self::SHARDS].get(&hash).copied();
        first.into_iter().chain(self.alike.range((hash, 0)..=(hash, Revision32::MAX)).map(|(_, revision)| *revision))
    }
}

/// The hash of a hash.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, _: &[u8]) {
        unreachable!("only hashes are hashed")
    }

    fn write_u32(&mut self, hash: u32) {
        // A table takes its place from the low bits, which a shard's hashes share, and from the highest.
        self.0 = u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Submissions that came one after the other.
#[derive(Debug, Clone, Default)]
struct Block {
    /// By revision.
    records: Vec<PackedRecord>,
    texts: String,
}

/// A [`SubmissionRecord`] whose texts are its block's.
#[derive(Debug, Clone, Copy)]
struct PackedRecord {
    revision: Revision32,
    agency: AgencyIx,
    request_id: Span,
    source: Span,
    observation_count: u32,
    sample: bool,
    fingerprint: Fingerprint,
}

/// Where in its block's texts a text is, in bytes.
#[derive(Debug, Clone, Copy)]
struct Span {
    start: u32,
    length: u32,
}

impl Block {
    /// A block that readers hold is copied when it is added to, so that both bounds are small.
    const RECORDS_MAX: usize = 64;
    /// The texts of its last record may go beyond.
    const TEXT_BYTES_MAX: usize = 8 << 10;

    fn is_full(&self) -> bool {
        self.records.len() >= Self::RECORDS_MAX || self.texts.len() >= Self::TEXT_BYTES_MAX
    }

    fn push(&mut self, revision: Revision32, agency: AgencyIx, submission: &Submission, fingerprint: Fingerprint) {
        // An agency's feed mostly has the same source each time.
        let source = self.records.iter().map(|record| record.source).find(|it| self.text(*it) == submission.source);
        let record = PackedRecord {
            revision,
            agency,
            request_id: self.add_text(submission.request_id.as_str()),
            source: source.unwrap_or_else(|| self.add_text(&submission.source)),
            observation_count: in_32_bits(submission.observations.len()),
            sample: submission.sample,
            fingerprint,
        };
        self.records.push(record);
        if self.is_full() {
            self.records.shrink_to_fit();
            self.texts.shrink_to_fit();
        }
    }

    fn add_text(&mut self, text: &str) -> Span {
        let span = Span { start: in_32_bits(self.texts.len()), length: in_32_bits(text.len()) };
        self.texts.push_str(text);
        span
    }

    fn text(&self, Span { start, length }: Span) -> &str {
        &self.texts[start as usize..][..length as usize]
    }

    fn record(&self, record: &PackedRecord) -> SubmissionRecord<'_> {
        let PackedRecord { revision, agency, request_id, source, observation_count, sample, fingerprint } = *record;
        SubmissionRecord {
            revision: widen(revision),
            agency,
            request_id: self.text(request_id),
            source: self.text(source),
            observation_count: observation_count as usize,
            sample,
            fingerprint,
        }
    }
}

fn in_32_bits(size: usize) -> u32 {
    u32::try_from(size).expect("an entry is far smaller than 4 GiB")
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasherDefault, Hasher};

    use super::*;
    use crate::model::observations::Observations;

    /// Hashes everything alike.
    #[derive(Default)]
    struct Alike;

    impl Hasher for Alike {
        fn write(&mut self, _: &[u8]) {}

        fn finish(&self) -> u64 {
            0
        }
    }

    fn submission(request: u64, source: &str) -> Submission {
        Submission {
            agency: "police".parse().unwrap(),
            request_id: format!("request-{request}").parse().unwrap(),
            source: source.to_owned(),
            sample: request % 3 == 1,
            reason: String::new(),
            return_id: None,
            observations: Observations::default(),
        }
    }

    fn source(request: u64) -> String {
        match request % 4 {
            0 => String::new(),
            1 => "the daily feed".to_owned(),
            2 => format!("sheet {request}"),
            _ => format!("{request} {}", "語".repeat(490)),
        }
    }

    fn revision(request: u64, agency: u8) -> Revision {
        Revision(request * 5 + u64::from(agency) + 1)
    }

    /// Three agencies' submissions under the same request ids, with other entries between them.
    fn add<H: BuildHasher>(submissions: &mut Submissions<H>, requests: std::ops::Range<u64>) {
        for request in requests {
            for agency in 0..3_u8 {
                let (sent, fingerprint) = (submission(request, &source(request)), Fingerprint([agency; 16]));
                submissions.add(revision(request, agency), AgencyIx(agency.into()), &sent, fingerprint);
            }
        }
    }

    fn assert_has<H: BuildHasher>(submissions: &Submissions<H>, requests: u64) {
        for request in 0..requests {
            let (sent, source) = (submission(request, ""), source(request));
            for agency in 0..3_u8 {
                let expected = SubmissionRecord {
                    revision: revision(request, agency),
                    agency: AgencyIx(agency.into()),
                    request_id: sent.request_id.as_str(),
                    observation_count: 0,
                    source: &source,
                    sample: sent.sample,
                    fingerprint: Fingerprint([agency; 16]),
                };
                assert_eq!(submissions.by_request(expected.agency, &sent.request_id), Some(expected));
                assert_eq!(submissions.by_revision(expected.revision), Some(expected));
            }
            assert_eq!(submissions.by_request(AgencyIx(3), &sent.request_id), None);
            assert_eq!(submissions.by_revision(Revision(request * 5 + 4)), None);
        }
        let unknown = submission(requests, "");
        assert_eq!(submissions.by_request(AgencyIx(0), &unknown.request_id), None);
        for before in [0, 1, 2, 4, 5, 6, requests * 5 / 2, requests * 5, u64::MAX] {
            let revisions: Vec<u64> = submissions.before(Revision(before)).map(|record| record.revision.0).collect();
            let is_of_one = |revision: &u64| (1..=3).contains(&(revision % 5));
            let expected: Vec<u64> = (1..before.min(requests * 5)).rev().filter(is_of_one).collect();
            assert_eq!(revisions, expected, "before {before}");
        }
    }

    #[test]
    fn every_submission_is_found_by_its_request_and_by_its_revision_and_listed_in_order() {
        let mut submissions = Submissions::<Hashing>::default();
        assert_has(&submissions, 0);
        for upto in [1, 20, 21, 22, 300] {
            let known = submissions.before(Revision(u64::MAX)).count() as u64 / 3;
            add(&mut submissions, known..upto);
            assert_has(&submissions, upto);
        }
    }

    #[test]
    fn submissions_whose_hashes_are_all_the_same_are_found_by_agency_and_request_id() {
        let mut submissions = Submissions::<BuildHasherDefault<Alike>>::default();
        add(&mut submissions, 0..100);
        assert_has(&submissions, 100);
    }

    #[test]
    fn a_clone_stays_as_it_is_while_submissions_are_added_to_the_other() {
        let mut submissions = Submissions::<Hashing>::default();
        let mut held = Vec::new();
        for request in 0..100 {
            held.push(submissions.clone());
            add(&mut submissions, request..request + 1);
        }
        for (clone, requests) in held.iter().zip(0..) {
            assert_has(clone, requests);
        }
    }

    #[test]
    fn a_block_stays_small_when_texts_are_long() {
        let mut submissions = Submissions::<Hashing>::default();
        add(&mut submissions, 0..300);
        let longest = submissions.blocks.values().map(|block| block.texts.len()).max();
        assert!(longest.is_some_and(|bytes| bytes < Block::TEXT_BYTES_MAX + 1_600), "{longest:?}");
        assert!(submissions.blocks.values().all(|block| block.records.len() <= Block::RECORDS_MAX));
        assert!(submissions.blocks.len() < 30, "{}", submissions.blocks.len());
    }
}
