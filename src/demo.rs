//! The demo: a real catalogue, every table of two published reports, and made-up figures of the
//! agencies that have published none, marked so.
//!
//! It is submitted through the services, as all figures are, under fixed request ids: loading it again
//! changes nothing.

use std::collections::BTreeMap;

use crate::access::{AccessChange, Identity, NewKey, Role, Scope, Secret};
use crate::catalogue::CataloguePut;
use crate::figures::{self, Figure};
use crate::intake::change_access::ChangeAccess;
use crate::intake::writer::{WriteError, Written};
use crate::model::id::{AgencyId, IdError, IdentityId};
use crate::model::violation::Violations;
use crate::rpc::proto::submission_service_server::SubmissionService;
use crate::rpc::proto::{Observation, SubmitObservationsRequest};
use crate::rpc::{Context, Gate, Submissions, Submitted, local, new_secret};

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
    /// A key can't be made.
    #[error("its keys: {0}")]
    Random(#[from] getrandom::Error),
    /// One of its own names is wrong.
    #[error("its keys: {0}")]
    Id(#[from] IdError),
}

/// How long the demo's keys are valid.
const KEY_DAYS: i64 = 30;

/// The demo's identities: their role and, where they are of one, the agency; a submitter of each sector that the
/// demo has figures of. The operator is first: the first identity must be one.
const IDENTITIES: [(&str, Role, Option<&str>); 7] = [
    ("operator", Role::Operator, None),
    ("steward", Role::Steward, None),
    ("analyst", Role::Analyst, None),
    ("hampshire-constabulary", Role::Submitter, Some("hampshire-constabulary")),
    ("hampshire-icb", Role::Submitter, Some("hampshire-icb")),
    ("portsmouth-childrens-services", Role::Submitter, Some("portsmouth-childrens-services")),
    ("portsmouth-data-lead", Role::Corrector, Some("portsmouth-childrens-services")),
];

/// Makes the demo's identities, or new keys for them instead of the old ones, and returns the keys.
/// None are made where there are other identities already.
///
/// # Errors
/// When they can't be made.
pub(crate) async fn keys(context: &Context) -> Result<Vec<(IdentityId, Secret)>, Error> {
    let state = std::sync::Arc::clone(&context.state.borrow());
    let now = (context.clock)();
    let (mut changes, mut keys) = (Vec::new(), Vec::new());
    for (name, role, agency) in IDENTITIES {
        let id = IdentityId::parse(name)?;
        let secret = new_secret()?;
        let expires_at = now.plus_hours(KEY_DAYS * 24);
        let key = NewKey { id: secret.id(), hash: secret.hash(), expires_at };
        match state.access().get(&id) {
            None if state.access().is_empty() => {
                let agency = agency.map(AgencyId::parse).transpose()?;
                let (certificates, sign_ins) = (Vec::new(), Vec::new());
                let scope = Scope::default();
                let identity = Identity { id: id.clone(), role, agency, scope, certificates, sign_ins };
                changes.push(AccessChange::Create { identity, key: Some(key) });
            }
            Some(record) if record.revoked_at.is_none() && record.identity.role == role => {
                let valid = record.keys.iter().filter(|key| key.is_valid(now));
                changes.extend(valid.map(|key| AccessChange::Revoke { identity: id.clone(), key: Some(key.id) }));
                // The clock of the writer may be a little later than this one.
                changes.push(AccessChange::Rotate { identity: id.clone(), key, older_until: expires_at });
            }
            None | Some(_) => continue,
        }
        keys.push((id, secret));
    }
    if !changes.is_empty() {
        context.writer.write(ChangeAccess { changes, now }).await?;
    }
    Ok(keys)
}

/// Loads the demo; what is there already stays as it is.
///
/// # Errors
/// When something is refused, as in a data folder that has another catalogue.
pub(crate) async fn load(context: &Context) -> Result<(), Error> {
    let put: CataloguePut = toml::from_str(CATALOGUE)?;
    if let Written::Accepted { revision, .. } = context.writer.write(put).await? {
        tracing::info!(%revision, "the demo's catalogue is loaded");
    }
    let gate = Gate::default();
    gate.open(context.clone());
    let service = Submissions::new(gate);
    for request in submissions()? {
        let request = Submitted::try_from(request).map_err(Box::new)?;
        let answer = service.submit_observations(local(request)).await.map_err(Box::new)?.into_inner();
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
        reason: String::new(),
        columns: None,
        return_id: String::new(),
        unchanged_since_revision: 0,
    };
    agencies.into_iter().map(request).collect()
}
