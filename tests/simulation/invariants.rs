//! What must hold at each step, of each group that is appended, and after a restart.

use conspectus::entry::{Body, Entry, codec};
use conspectus::journal::ChainHash;
use conspectus::model::revision::Revision;
use conspectus::model::submission::Submission;
use conspectus::model::timestamp::Timestamp;
use conspectus::model::zone::UTC;
use conspectus::state::State;

use crate::fixture;
use crate::log::Logged;
use crate::returns::Verdict;
use crate::world::World;

impl World {
    /// What holds at each step, whoever looks: nobody sees what isn't durable, and nothing that was seen is gone.
    pub(crate) fn check(&mut self) {
        let Some(life) = &self.life else { return };
        let published = life.states.borrow().revision();
        let has_failed = life.failure.borrow().is_some();
        let durable = self.log.newest();
        if published > durable {
            self.wrong(format!("revision {published} is published, and only {durable} is durable"));
        }
        if published < self.seen_published {
            self.wrong(format!("revision {published} is published after {}", self.seen_published));
        }
        if self.seen_failure && !has_failed {
            self.wrong("a failure is forgotten".to_owned());
        }
        (self.seen_published, self.seen_failure) = (published, has_failed);
        let wrong = self.answered.iter().find(|(at, revision)| self.log.accepted_by(*at) != *revision);
        if let Some((at, revision)) = wrong.copied() {
            self.check_instant(at, revision);
        }
    }

    /// An answer of a revision as of an instant has everything that was ever accepted by then.
    pub(crate) fn check_instant(&mut self, at: Timestamp, revision: Revision) {
        let accepted = self.log.accepted_by(at);
        if accepted != revision {
            self.wrong(format!("revision {revision} was answered as of {}, by when {accepted} was accepted", at.0));
        }
    }

    /// What a group is that is about to be appended: after the newest, later than it, and of nothing that is there.
    pub(crate) fn check_group(&mut self, after: Revision, entries: &[Entry]) {
        if after != self.log.newest() {
            self.wrong(format!("a group is appended after revision {after}, and {} is the newest", self.log.newest()));
        }
        let mut newest = self.log.0.last().map(|logged| logged.entry.at);
        for entry in entries {
            if newest.is_some_and(|newest| entry.at <= newest) {
                self.wrong(format!("an entry is of {}, not after the one before it", entry.at.0));
            }
            newest = Some(entry.at);
        }
        for (index, Entry { body, .. }) in entries.iter().enumerate() {
            let before = entries[..index].iter().map(|entry| &entry.body);
            match body {
                Body::Submission { submission, .. } => {
                    let Submission { agency, request_id, .. } = &**submission;
                    let is_same = |body: &Body| {
                        matches!(body, Body::Submission { submission, .. }
                            if submission.agency == *agency && submission.request_id == *request_id)
                    };
                    let known = self.log.submission(self.log.newest(), agency, request_id);
                    if known.is_some() || before.into_iter().any(is_same) {
                        self.wrong(format!("{agency} {request_id} is stored twice"));
                    }
                }
                Body::Withdrawal(withdrawal) => {
                    let is_same = |body: &Body| *body == Body::Withdrawal(withdrawal.clone());
                    let newest = self.log.newest();
                    let known = self.log.withdrawal(newest, &withdrawal.agency, &withdrawal.request_id);
                    if known.is_some() || before.into_iter().any(is_same) {
                        self.wrong(format!("{withdrawal:?} is stored twice"));
                    }
                }
                Body::CataloguePut(_) | Body::Access(_) | Body::AuditAnchor(_) | Body::ReturnCompletion(_) => {}
            }
        }
    }

    /// Whether the entries after the first so many could be accepted, each after those before it.
    pub(crate) fn check_logged(&mut self, first: usize) {
        for before in (first..self.log.0.len()).map(|index| Revision(index as u64)) {
            let Entry { at, actor, body } = &self.log.at(before.next()).unwrap().entry;
            let (on, locks) = (UTC.date(*at), fixture::locks(actor));
            let wrong = match body {
                Body::Submission { submission, .. } => {
                    let refusal = self.log.refusal(before, on, submission, None, locks);
                    refusal.map(|refusal| format!("{refusal:?}"))
                }
                Body::Withdrawal(it) => {
                    let is_there = self.log.submission(before, &it.agency, &it.request_id).is_some();
                    let locked = self.log.locked_periods(before, on, it, locks);
                    (!is_there || locked > 0).then(|| format!("{locked} locked periods; is it there: {is_there}"))
                }
                Body::ReturnCompletion(it) => Some(self.log.verdict(before, it))
                    .filter(|it| *it != Verdict::Completes)
                    .map(|it| format!("{it:?}")),
                Body::CataloguePut(_) | Body::Access(_) | Body::AuditAnchor(_) => None,
            };
            if let Some(wrong) = wrong {
                self.wrong(format!("revision {} isn't allowed after those before it: {wrong}", before.next()));
            }
        }
    }

    /// What was answered is so after a restart: the hashes of receipts, and what a retry is answered that its figures did.
    pub(crate) fn check_receipts(&mut self, state: &State) {
        let is_wrong = |(revision, hash): &&(Revision, ChainHash)| {
            let Some(Logged { hash: stored, entry, .. }) = self.log.at(*revision) else { return true };
            let Body::Submission { submission, .. } = &entry.body else { return stored != hash };
            let before = Revision(revision.0 - 1);
            stored != hash || state.outcomes(submission, before) != self.log.outcomes(before, submission)
        };
        if let Some((revision, _)) = self.receipts.iter().find(is_wrong) {
            self.wrong(format!("the receipt of revision {revision} isn't what it was"));
        }
    }
}

/// The entries of a group, as replay reads them.
pub(crate) fn decode(payloads: &[Vec<u8>]) -> Vec<Entry> {
    payloads.iter().map(|payload| codec::decode(payload).unwrap()).collect()
}
