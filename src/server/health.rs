//! What the server says of its health.

use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// The services whose health is served, beside that of the server as a whole.
const SERVICES: [&str; 4] = [
    "conspectus.v1.CatalogueService",
    "conspectus.v1.KeyService",
    "conspectus.v1.PictureService",
    "conspectus.v1.SubmissionService",
];
/// The one that stops when the journal fails.
pub(super) const SUBMISSIONS: &str = SERVICES[3];

/// Sets the health of the server and of each service.
pub(super) async fn set_health(health: &HealthReporter, status: ServingStatus) {
    health.set_service_status("", status).await;
    for service in SERVICES {
        health.set_service_status(service, status).await;
    }
}

/// Ends the streams of those who watch the health. They have its last change; left open, each would delay
/// the stop to its deadline.
pub(super) async fn end_watches(mut health: HealthReporter) {
    for service in SERVICES.iter().chain(&[""]) {
        health.clear_service_status(service).await;
    }
}
