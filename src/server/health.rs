//! What the server says of its health.

use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// The services whose health is served, beside that of the server as a whole.
const SERVICES: [&str; 5] = [
    "conspectus.v1.AuditService",
    "conspectus.v1.CatalogueService",
    "conspectus.v1.KeyService",
    "conspectus.v1.PictureService",
    "conspectus.v1.SubmissionService",
];
const PICTURES: &str = SERVICES[3];
const SUBMISSIONS: &str = SERVICES[4];
/// The clock, which is no service: nothing is refused when it is in doubt, and somebody must look at it.
const CLOCK: &str = "conspectus.clock";

/// What keeps a server that runs from some of its work.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Faults {
    /// The journal takes no more entries.
    pub(super) journal_failed: bool,
    /// The audit log takes no lines: it failed, was disturbed, or has no space.
    pub(super) audit_refuses: bool,
    /// The disk is nearly full, so that the journal takes no entries for now.
    pub(super) no_space: bool,
    /// The clock may be wrong.
    pub(super) clock_in_doubt: bool,
}

impl Faults {
    /// What they are, in words.
    pub(super) fn words(self) -> Vec<&'static str> {
        let all = [
            (self.journal_failed, "the journal failed: nothing is written until a restart"),
            (self.no_space, "the disk is nearly full: nothing is written"),
            (self.audit_refuses, "the audit log takes no lines: what must be audited isn't answered"),
            (self.clock_in_doubt, "the clock is behind the journal, or has jumped ahead"),
        ];
        all.into_iter().filter(|(is_so, _)| *is_so).map(|(_, words)| words).collect()
    }

    /// The health of a service, of the clock, or of the server as a whole, which answers as long as it runs.
    fn status_of(self, name: &str) -> ServingStatus {
        let is_kept = match name {
            SUBMISSIONS => self.journal_failed || self.no_space,
            PICTURES => self.audit_refuses,
            CLOCK => self.clock_in_doubt,
            // Others than our names aren't asked for; the other services' reads go on.
            _ => false,
        };
        if is_kept { ServingStatus::NotServing } else { ServingStatus::Serving }
    }
}

fn names() -> impl Iterator<Item = &'static str> {
    SERVICES.into_iter().chain([CLOCK, ""])
}

/// Says of everything that it isn't serving: before the journal is replayed, and from the stop on.
pub(super) async fn set_not_serving(health: &HealthReporter) {
    for name in names() {
        health.set_service_status(name, ServingStatus::NotServing).await;
    }
}

/// Says what is serving, with these faults.
pub(super) async fn set_serving(health: &HealthReporter, faults: Faults) {
    for name in names() {
        health.set_service_status(name, faults.status_of(name)).await;
    }
}

/// Ends the streams of those who watch the health. They have its last change; left open, each would delay
/// the stop to its deadline.
pub(super) async fn end_watches(mut health: HealthReporter) {
    for name in names() {
        health.clear_service_status(name).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_serving_unless_something_keeps_it_from_its_work() {
        let not_serving = |faults: Faults| -> Vec<&str> {
            names().filter(|name| faults.status_of(name) == ServingStatus::NotServing).collect()
        };
        assert_eq!(not_serving(Faults::default()), [""; 0]);
        assert_eq!(not_serving(Faults { journal_failed: true, ..Faults::default() }), [SUBMISSIONS]);
        assert_eq!(not_serving(Faults { audit_refuses: true, ..Faults::default() }), [PICTURES]);
        assert_eq!(not_serving(Faults { no_space: true, ..Faults::default() }), [SUBMISSIONS]);
        assert_eq!(not_serving(Faults { clock_in_doubt: true, ..Faults::default() }), [CLOCK]);
    }
}
