//! A hash of a state: two states of the same journal that have it in common answer the same.

use std::fmt::Debug;

use blake3::Hasher;

use super::State;

impl State {
    /// A hash of everything in it: the times of entries, the catalogue, every figure that stands, submissions, returns,
    /// identities, and how far the audit log had come. It is of this version of the program, and compares states of the
    /// same journal: figures go by the numbers that the journal gives their areas and agencies.
    pub(crate) fn digest(&self) -> blake3::Hash {
        let mut hasher = Hasher::new_derive_key("conspectus state v1");
        let revision = self.revision();
        for at in &self.times {
            hasher.update(&at.0.to_be_bytes());
        }
        let catalogue = self.catalogue();
        add(&mut hasher, catalogue.agencies_after(None));
        add(&mut hasher, catalogue.areas_after(None));
        add(&mut hasher, catalogue.dimensions_after(None));
        add(&mut hasher, catalogue.indicators_after(None));
        add(&mut hasher, catalogue.rules_after(None));
        add(&mut hasher, catalogue.calendars_after(None));
        let indicators = catalogue.indicators_after(None).filter_map(|it| catalogue.indicator(&it.newest().id));
        for (indicator, _) in indicators {
            for (period, slab) in self.columns.slabs(indicator).into_iter().flatten() {
                hasher.update(period.to_string().as_bytes());
                for row in slab.rows(revision) {
                    for number in [row.key.bits(), row.revision().0] {
                        hasher.update(&number.to_be_bytes());
                    }
                    add(&mut hasher, [(row.value(), row.is_sample())]);
                }
            }
        }
        for submission in self.submissions_before(revision.next()) {
            let (withdrawn, reason) = (self.withdrawn_at(submission.revision), self.reason(submission.revision));
            add(&mut hasher, [(submission, withdrawn, reason, self.return_of_submission(submission.revision))]);
        }
        for (key, of_key) in self.returns_after(None) {
            add(&mut hasher, [(key, of_key.opened, of_key.manifest(), &of_key.completed)]);
        }
        add(&mut hasher, self.access.iter());
        add(&mut hasher, self.audit_anchor);
        hasher.finalize()
    }
}

/// Adds things by their words, and how many they are.
fn add(hasher: &mut Hasher, things: impl IntoIterator<Item = impl Debug>) {
    let mut count = 0_u64;
    for thing in things {
        hasher.update(format!("{thing:?}\n").as_bytes());
        count += 1;
    }
    hasher.update(&count.to_be_bytes());
}
