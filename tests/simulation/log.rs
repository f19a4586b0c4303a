//! The reference model: the entries that are durable, in order, and what follows from them, worked out slowly from
//! the first entry on at each question.

use std::collections::{BTreeMap, BTreeSet};

use conspectus::access::AccessChange;
use conspectus::catalogue::items::Agency;
use conspectus::entry::{Body, Entry, Withdrawal};
use conspectus::journal::ChainHash;
use conspectus::model::id::{AgencyId, IdentityId, RequestId};
use conspectus::model::observation::Measure;
use conspectus::model::revision::Revision;
use conspectus::model::submission::Submission;
use conspectus::model::timestamp::Timestamp;
use conspectus::state::columns::Withdrawn;

/// An entry as it was appended.
pub(crate) struct Logged {
    pub(crate) hash: ChainHash,
    pub(crate) payload: Vec<u8>,
    pub(crate) entry: Entry,
}

#[derive(Default)]
pub(crate) struct Log(pub(crate) Vec<Logged>);

/// Agency, area and period.
pub(crate) type Cell = (String, String, String);

/// What can be seen as of a revision.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    pub(crate) agencies: Vec<Agency>,
    pub(crate) figures: BTreeMap<Cell, String>,
    /// All figures together.
    pub(crate) total: Option<String>,
}

/// Whether the service takes an identity's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// Nobody needs one yet.
    NotNeeded,
    Accepted,
    Refused,
}

impl Log {
    pub(crate) fn newest(&self) -> Revision {
        Revision(self.0.len() as u64)
    }

    pub(crate) fn at(&self, revision: Revision) -> Option<&Logged> {
        self.0.get(usize::try_from(revision.0).unwrap().checked_sub(1)?)
    }

    /// The newest revision that was accepted by an instant.
    pub(crate) fn accepted_by(&self, at: Timestamp) -> Revision {
        Revision(self.0.iter().take_while(|logged| logged.entry.at <= at).count() as u64)
    }

    /// The bodies up to a revision, each with its own.
    fn bodies(&self, up_to: Revision) -> impl Iterator<Item = (Revision, &Body)> {
        (1..=up_to.0).map(Revision).zip(self.0.iter().map(|logged| &logged.entry.body))
    }

    fn submissions(&self, up_to: Revision) -> impl Iterator<Item = (Revision, &Submission)> {
        self.bodies(up_to).filter_map(|(revision, body)| match body {
            Body::Submission { submission, .. } => Some((revision, &**submission)),
            Body::CataloguePut(_)
            | Body::Withdrawal(_)
            | Body::Access(_)
            | Body::AuditAnchor(_)
            | Body::ReturnCompletion(_) => None,
        })
    }

    fn withdrawals(&self, up_to: Revision) -> impl Iterator<Item = (Revision, &Withdrawal)> {
        self.bodies(up_to).filter_map(|(revision, body)| match body {
            Body::Withdrawal(withdrawal) => Some((revision, withdrawal)),
            Body::CataloguePut(_)
            | Body::Submission { .. }
            | Body::Access(_)
            | Body::AuditAnchor(_)
            | Body::ReturnCompletion(_) => None,
        })
    }

    fn changes(&self, up_to: Revision) -> impl Iterator<Item = &AccessChange> {
        self.bodies(up_to).flat_map(|(_, body)| match body {
            Body::Access(changes) => &changes[..],
            Body::CataloguePut(_)
            | Body::Submission { .. }
            | Body::Withdrawal(_)
            | Body::AuditAnchor(_)
            | Body::ReturnCompletion(_) => &[],
        })
    }

    pub(crate) fn submission(&self, up_to: Revision, agency: &AgencyId, request: &RequestId) -> Option<Revision> {
        let mut found = self.submissions(up_to).filter(|(_, it)| it.agency == *agency && it.request_id == *request);
        found.next().map(|(revision, _)| revision)
    }

    pub(crate) fn withdrawal(&self, up_to: Revision, agency: &AgencyId, request: &RequestId) -> Option<Revision> {
        let mut found = self.withdrawals(up_to).filter(|(_, it)| it.agency == *agency && it.request_id == *request);
        found.next().map(|(revision, _)| revision)
    }

    /// The submissions that aren't withdrawn by a revision.
    fn standing(&self, up_to: Revision) -> impl Iterator<Item = &Submission> {
        self.submissions(up_to)
            .map(|(_, it)| it)
            .filter(move |it| self.withdrawal(up_to, &it.agency, &it.request_id).is_none())
    }

    fn figures(&self, as_of: Revision) -> BTreeMap<Cell, String> {
        self.standing(as_of).flat_map(cells).collect()
    }

    /// What a withdrawal at a revision does.
    pub(crate) fn effect(&self, revision: Revision, withdrawal: &Withdrawal) -> Withdrawn {
        let before = Revision(revision.0 - 1);
        let (was, is) = (self.figures(before), self.figures(revision));
        let withdrawn = self.submission(before, &withdrawal.agency, &withdrawal.request_id).unwrap();
        let Some((_, withdrawn)) = self.submissions(before).find(|(revision, _)| *revision == withdrawn) else {
            return Withdrawn::default();
        };
        let touched: BTreeSet<Cell> =
            cells(withdrawn).map(|(cell, _)| cell).filter(|cell| was.get(cell) != is.get(cell)).collect();
        let restored = touched.iter().filter(|cell| is.contains_key(*cell)).count();
        Withdrawn { restored, removed: touched.len() - restored }
    }

    /// An agency as the newest put by a revision has it.
    pub(crate) fn agency(&self, up_to: Revision, id: &AgencyId) -> Option<Agency> {
        let puts = self.bodies(up_to).filter_map(|(_, body)| match body {
            Body::CataloguePut(put) => Some(put),
            Body::Submission { .. }
            | Body::Withdrawal(_)
            | Body::Access(_)
            | Body::AuditAnchor(_)
            | Body::ReturnCompletion(_) => None,
        });
        puts.flat_map(|put| &put.agencies).filter(|agency| agency.id == *id).last().cloned()
    }

    pub(crate) fn seen(&self, as_of: Revision, agencies: &[AgencyId]) -> Seen {
        let figures = self.figures(as_of);
        let sum = figures.values().map(|number| number.parse::<i64>().unwrap()).sum::<i64>();
        Seen {
            agencies: agencies.iter().filter_map(|id| self.agency(as_of, id)).collect(),
            total: (!figures.is_empty()).then(|| sum.to_string()),
            figures,
        }
    }

    pub(crate) fn is_known(&self, up_to: Revision, id: &IdentityId) -> bool {
        self.changes(up_to).any(|it| matches!(it, AccessChange::Create { identity, .. } if identity.id == *id))
    }

    pub(crate) fn key(&self, up_to: Revision, id: &IdentityId) -> Key {
        let is_revoked =
            self.changes(up_to).any(|it| matches!(it, AccessChange::Revoke { identity, .. } if identity == id));
        match (self.changes(up_to).next(), self.is_known(up_to, id), is_revoked) {
            (None, _, _) => Key::NotNeeded,
            (Some(_), true, false) => Key::Accepted,
            (Some(_), _, _) => Key::Refused,
        }
    }
}

fn cells(submission: &Submission) -> impl Iterator<Item = (Cell, String)> {
    let agency = submission.agency.to_string();
    submission.observations.iter().map(move |it| {
        let Some(Measure::Number(number)) = it.value.measure else { panic!("only numbers are sent") };
        ((agency.clone(), it.area.to_string(), it.period.to_string()), number.to_string())
    })
}
