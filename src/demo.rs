//! The demo: a real catalogue, every table of two published reports, and made-up figures of the
//! agencies that have published none, marked so.
//!
//! It goes the way that everybody's figures go: through the services, with request ids, so that
//! loading it again finds that it was received.

use std::collections::BTreeMap;

use tonic::Request;

use crate::catalogue::CataloguePut;
use crate::figures::{self, Figure};
use crate::intake::admit::Command;
use crate::intake::writer::{WriteError, Written};
use crate::model::violation::Violations;
use crate::rpc::proto::submission_service_server::SubmissionService;
use crate::rpc::proto::{Observation, SubmitObservationsRequest};
use crate::rpc::{Context, Gate, Submissions};

const CATALOGUE: &str = include_str!("../data/catalogue.toml");
const PUBLISHED: &str = include_str!("../data/hampshire-published.csv");
const SAMPLE: &str = include_str!("../data/sample-figures.csv");

/// The reports, in the order in which they were published.
const REPORTS: [&str; 2] = ["2018-19 report", "2021-22 report"];

/// Why the demo can't be loaded.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The catalogue file can't be read.
    #[error("its catalogue: {0}")]
    Catalogue(#[from] toml::de::Error),
    /// A file of figures can't be read.
    #[error("its figures: {0}")]
    Figures(Violations),
    /// The catalogue was refused.
    #[error("{0}")]
    Write(#[from] WriteError),
    /// Figures were refused.
    #[error("{0}")]
    Submit(#[from] Box<tonic::Status>),
}

/// Loads the demo; what is there already stays as it is.
///
/// # Errors
/// When something is refused, as in a data folder that has another catalogue.
pub async fn load(context: &Context) -> Result<(), Error> {
    let put: CataloguePut = toml::from_str(CATALOGUE)?;
    if let Written::Accepted { revision, .. } = context.writer.write(Command::PutCatalogue(put)).await? {
        tracing::info!(%revision, "the demo's catalogue is loaded");
    }
    let gate = Gate::default();
    gate.open(context.clone());
    let service = Submissions::new(gate);
    for request in submissions()? {
        let answer = service.submit_observations(Request::new(request)).await.map_err(Box::new)?.into_inner();
        if let (Some(receipt), false) = (answer.receipt, answer.already_received) {
            tracing::info!(
                agency = receipt.agency,
                request_id = receipt.request_id,
                revision = receipt.revision,
                figures = receipt.outcomes.len(),
                "demo figures are loaded"
            );
        }
    }
    Ok(())
}

/// The demo's submissions, in order.
fn submissions() -> Result<Vec<SubmitObservationsRequest>, Error> {
    let published = figures::read(PUBLISHED.as_bytes()).map_err(Error::Figures)?;
    let mut requests = Vec::new();
    for report in REPORTS {
        let of_report = published.iter().filter(|figure| figure.report == report).cloned();
        requests.extend(by_agency(
            of_report,
            &report.replace(' ', "-"),
            &format!("Hampshire annual safeguarding {report}"),
            false,
        ));
    }
    let sample = figures::read(SAMPLE.as_bytes()).map_err(Error::Figures)?;
    requests.extend(by_agency(sample.into_iter(), "sample", "Made up, to show the service", true));
    Ok(requests)
}

/// One submission for each agency, by agency, its figures in the file's order.
fn by_agency(
    figures: impl Iterator<Item = Figure>,
    name: &str,
    source: &str,
    sample: bool,
) -> Vec<SubmitObservationsRequest> {
    let mut agencies: BTreeMap<String, Vec<Observation>> = BTreeMap::new();
    for figure in figures {
        agencies.entry(figure.agency).or_default().push(figure.observation);
    }
    let request = |(agency, observations)| SubmitObservationsRequest {
        agency,
        request_id: format!("demo-{name}"),
        validate_only: false,
        observations,
        source: source.to_owned(),
        sample,
        columns: None,
    };
    agencies.into_iter().map(request).collect()
}
