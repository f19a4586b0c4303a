//! The reference model: the entries that are durable, in order, and what follows from them, worked out slowly from
//! the first entry on at each question. What they allow is in `rules`.

use std::collections::{BTreeMap, BTreeSet};

use conspectus::access::AccessChange;
use conspectus::catalogue::CataloguePut;
use conspectus::catalogue::items::{Agency, IndicatorVersion};
use conspectus::entry::{Body, Entry, ReturnCompletion, Withdrawal};
use conspectus::journal::ChainHash;
use conspectus::model::date::Date;
use conspectus::model::id::{AgencyId, AreaCode, IdentityId, RequestId};
use conspectus::model::observation::{Measure, Observation, Value};
use conspectus::model::period::Period;
use conspectus::model::revision::Revision;
use conspectus::model::submission::Submission;
use conspectus::model::timestamp::Timestamp;
use conspectus::model::zone::UTC;
use conspectus::state::columns::Withdrawn;

use crate::fixture;
use crate::returns::{MISTAKES, Return, Verdict};

/// An entry as it was appended.
pub(crate) struct Logged {
    pub(crate) hash: ChainHash,
    pub(crate) payload: Vec<u8>,
    pub(crate) entry: Entry,
}

#[derive(Default)]
pub(crate) struct Log(pub(crate) Vec<Logged>);

/// Agency, area and period.
pub(crate) type Cell = (AgencyId, AreaCode, Period);

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

    pub(crate) fn submissions(&self, up_to: Revision) -> impl Iterator<Item = (Revision, &Submission)> {
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
    pub(crate) fn standing(&self, up_to: Revision) -> impl Iterator<Item = &Submission> {
        let withdrawn: BTreeSet<_> = self.withdrawals(up_to).map(|(_, it)| (&it.agency, &it.request_id)).collect();
        let submissions = self.submissions(up_to).map(|(_, it)| it);
        submissions.filter(move |it| !withdrawn.contains(&(&it.agency, &it.request_id)))
    }

    /// Every figure as of a revision.
    pub(crate) fn figures(&self, as_of: Revision) -> BTreeMap<Cell, Value> {
        figures(self.standing(as_of))
    }

    /// For each figure that there ever was by a revision, the first from which on it has been what it then is.
    pub(crate) fn since(&self, as_of: Revision) -> BTreeMap<Cell, Revision> {
        let (mut since, mut before) = (BTreeMap::new(), BTreeMap::new());
        for revision in (1..=as_of.0).map(Revision) {
            let figures = self.figures(revision);
            for cell in figures.keys().chain(before.keys()).filter(|cell| figures.get(*cell) != before.get(*cell)) {
                since.insert(cell.clone(), revision);
            }
            before = figures;
        }
        since
    }

    /// How many figures of a submission have changed from one revision to another.
    pub(crate) fn changed(&self, from: Revision, to: Revision, submission: &Submission) -> usize {
        let since = self.since(to);
        lines(submission).filter(|(cell, _)| since.get(cell).is_some_and(|since| *since > from)).count()
    }

    /// A return of an agency after the entries up to a revision.
    pub(crate) fn return_of(&self, by: Revision, submission: &Submission) -> Option<Return> {
        Return::after(&self.all(by), &submission.agency, submission.return_id.as_ref()?)
    }

    /// What somebody says that a return has, who saw that at a revision, and may make a mistake.
    pub(crate) fn said(
        &self,
        agency: usize,
        of_return: usize,
        seen: Revision,
        mistake: Option<usize>,
    ) -> ReturnCompletion {
        let known = Return::after(&self.all(seen), &fixture::agency_id(agency), &fixture::return_id(of_return));
        let mut manifest = known.map(|it| it.manifest).unwrap_or_default();
        if let Some(mistake) = mistake {
            MISTAKES[mistake](&mut manifest);
        }
        fixture::completion(agency, of_return, manifest)
    }

    /// What becomes of a completion that is decided on by the entries up to a revision.
    pub(crate) fn verdict(&self, by: Revision, completion: &ReturnCompletion) -> Verdict {
        Verdict::after(&self.all(by), completion)
    }

    fn all(&self, up_to: Revision) -> Vec<&Body> {
        self.bodies(up_to).map(|(_, body)| body).collect()
    }

    /// The figures that a withdrawal would change as of a revision, and whether there then is one.
    pub(crate) fn changed_by(&self, as_of: Revision, withdrawal: &Withdrawal) -> BTreeMap<Cell, bool> {
        let others = self.standing(as_of);
        let others = others.filter(|it| (&it.agency, &it.request_id) != (&withdrawal.agency, &withdrawal.request_id));
        let (was, is) = (self.figures(as_of), figures(others));
        let cells: BTreeSet<&Cell> = was.keys().chain(is.keys()).collect();
        let changed = cells.into_iter().filter(|cell| was.get(*cell) != is.get(*cell));
        changed.map(|cell| (cell.clone(), is.contains_key(cell))).collect()
    }

    /// What a withdrawal would do as of a revision.
    pub(crate) fn effect(&self, as_of: Revision, withdrawal: &Withdrawal) -> Withdrawn {
        let changed = self.changed_by(as_of, withdrawal);
        let restored = changed.values().filter(|is_there| **is_there).count();
        Withdrawn { restored, removed: changed.len() - restored }
    }

    /// The day on which something is decided on after a revision, by a clock: an entry is never before the one before it.
    pub(crate) fn day(&self, after: Revision, clock: Timestamp) -> Date {
        UTC.date(self.at(after).map_or(clock, |logged| logged.entry.at.max(clock)))
    }

    fn puts(&self, up_to: Revision) -> impl Iterator<Item = &CataloguePut> {
        self.bodies(up_to).filter_map(|(_, body)| match body {
            Body::CataloguePut(put) => Some(put),
            Body::Submission { .. }
            | Body::Withdrawal(_)
            | Body::Access(_)
            | Body::AuditAnchor(_)
            | Body::ReturnCompletion(_) => None,
        })
    }

    /// An agency as the newest put by a revision has it.
    pub(crate) fn agency(&self, up_to: Revision, id: &AgencyId) -> Option<Agency> {
        self.puts(up_to).flat_map(|put| &put.agencies).filter(|agency| agency.id == *id).last().cloned()
    }

    /// The indicator as the newest put by a revision has it.
    pub(crate) fn indicator(&self, up_to: Revision) -> Option<&IndicatorVersion> {
        self.puts(up_to).flat_map(|put| &put.indicators).last()
    }

    pub(crate) fn seen(&self, as_of: Revision, agencies: &[AgencyId]) -> Seen {
        let figures = self.figures(as_of);
        let sum = figures.values().map(number).sum::<i64>();
        Seen {
            agencies: agencies.iter().filter_map(|id| self.agency(as_of, id)).collect(),
            total: (!figures.is_empty()).then(|| sum.to_string()),
            figures: figures.into_iter().map(|(cell, value)| (cell, number(&value).to_string())).collect(),
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

/// What the newest of some submissions says of each figure, which may be that there is none.
fn figures<'a>(submissions: impl Iterator<Item = &'a Submission>) -> BTreeMap<Cell, Value> {
    let mut figures = BTreeMap::new();
    submissions.flat_map(lines).for_each(|(cell, Observation { value, .. })| set(&mut figures, cell, value));
    figures
}

/// Sets a figure, or takes it away.
pub(crate) fn set(figures: &mut BTreeMap<Cell, Value>, cell: Cell, value: Value) {
    if value.is_withdrawal() {
        figures.remove(&cell);
    } else {
        figures.insert(cell, value);
    }
}

/// The observations of a submission, and of which figure each is.
pub(crate) fn lines(submission: &Submission) -> impl Iterator<Item = (Cell, Observation)> {
    submission.observations.iter().map(|it| ((submission.agency.clone(), it.area.clone(), it.period), it))
}

/// The number of a figure.
pub(crate) fn number(value: &Value) -> i64 {
    match value.measure {
        Some(Measure::Number(number)) => number.to_string().parse().unwrap(),
        Some(Measure::Ratio { .. } | Measure::Percentage { .. } | Measure::Mean { .. }) | None => {
            panic!("only numbers are sent")
        }
    }
}
