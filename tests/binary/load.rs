//! A load of submissions on a server, and what became of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use conspectus::catalogue::CataloguePut;
use conspectus::rpc::client::catalogue_service_client::CatalogueServiceClient;
use conspectus::rpc::client::submission_service_client::SubmissionServiceClient;
use conspectus::rpc::proto::observation::Measure;
use conspectus::rpc::proto::{
    GetSubmissionRequest, ListSubmissionsRequest, Observation, Receipt, SubmitObservationsRequest,
};
use conspectus::rpc::put_request;
use tokio::task::JoinSet;
use tonic::Status;
use tonic::transport::Channel;

use super::Server;

const SENDERS: u64 = 16;

impl Server {
    /// Puts the demo's catalogue.
    pub(crate) async fn put_catalogue(&self) {
        let put: CataloguePut = toml::from_str(include_str!("../../data/catalogue.toml")).unwrap();
        CatalogueServiceClient::new(self.channel.clone()).put_catalogue(put_request(&put, false)).await.unwrap();
    }

    /// The receipt, and whether it was given before.
    pub(crate) async fn submit(&self, request: &SubmitObservationsRequest) -> Result<(Receipt, bool), Status> {
        submit(&self.channel, request).await
    }

    async fn list(&self, page_token: String) -> Result<(usize, String), Status> {
        let request = ListSubmissionsRequest { page_size: 1_000, page_token, ..ListSubmissionsRequest::default() };
        let page = SubmissionServiceClient::new(self.channel.clone()).list_submissions(request).await?.into_inner();
        Ok((page.submissions.len(), page.next_page_token))
    }

    /// How many submissions it has.
    pub(crate) async fn count(&self) -> usize {
        let (mut count, mut token) = self.list(String::new()).await.unwrap();
        while !token.is_empty() {
            let (more, next) = self.list(token).await.unwrap();
            (count, token) = (count + more, next);
        }
        count
    }

    /// What is wrong with a submission that was acknowledged: nothing when it is there as it was sent, with the
    /// receipt that was given for it.
    pub(crate) async fn wrong_with(&self, one: &Acknowledged) -> Option<String> {
        wrong_with(&self.channel, one).await
    }
}

/// What is wrong with the submission that was acknowledged so; nothing when it is as it was sent.
pub(crate) async fn wrong_with(channel: &Channel, (request, receipt): &Acknowledged) -> Option<String> {
    let id = &request.request_id;
    let get = GetSubmissionRequest { agency: request.agency.clone(), request_id: id.clone(), ..Default::default() };
    match SubmissionServiceClient::new(channel.clone()).get_submission(get).await {
        Err(status) => Some(format!("{id} is lost: {}", status.message())),
        Ok(found) if found.get_ref().receipt.as_ref() != Some(receipt) => {
            Some(format!("{id} was given {receipt:?}, and has {:?}", found.get_ref().receipt))
        }
        Ok(found) if found.get_ref().observations != request.observations => {
            Some(format!("{id} is altered: {:?}", found.get_ref().observations))
        }
        Ok(_) => None,
    }
}

async fn submit(channel: &Channel, request: &SubmitObservationsRequest) -> Result<(Receipt, bool), Status> {
    let mut client = SubmissionServiceClient::new(channel.clone());
    let answer = client.submit_observations(request.clone()).await?.into_inner();
    Ok((answer.receipt.unwrap(), answer.already_received))
}

/// A request and its receipt.
pub(crate) type Acknowledged = (SubmitObservationsRequest, Receipt);

/// Several senders, each with one submission after another, until the server is gone.
pub(crate) struct Load {
    senders: JoinSet<(Vec<Acknowledged>, SubmitObservationsRequest)>,
    acknowledged: Arc<AtomicUsize>,
}

impl Load {
    /// Starts senders whose request ids begin with `name`.
    pub(crate) fn on(server: &Server, name: &str) -> Self {
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let mut senders = JoinSet::new();
        for sender in 0..SENDERS {
            let (channel, name, counter) = (server.channel.clone(), name.to_owned(), Arc::clone(&acknowledged));
            senders.spawn(async move {
                let mut own = Vec::new();
                for n in 0.. {
                    let request = request(&name, sender, n);
                    match submit(&channel, &request).await {
                        Ok((receipt, already_received)) => {
                            assert!(!already_received, "{}", request.request_id);
                            own.push((request, receipt));
                            counter.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(_) => return (own, request),
                    }
                }
                unreachable!("the server goes before the numbers do")
            });
        }
        Self { senders, acknowledged }
    }

    /// Waits until so many are acknowledged, and a moment longer.
    pub(crate) async fn until(&self, count: usize, then: Duration) {
        while self.acknowledged.load(Ordering::Relaxed) < count {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(then).await;
    }

    /// What was acknowledged, and what was in flight when the server went.
    pub(crate) async fn outcome(self) -> (Vec<Acknowledged>, Vec<SubmitObservationsRequest>) {
        let (acknowledged, unanswered): (Vec<_>, Vec<_>) = self.senders.join_all().await.into_iter().unzip();
        (acknowledged.concat(), unanswered)
    }
}

/// One to five figures that other senders revise too. Their indicator has no checks: those of one agency that look at other
/// figures are written one by one, and share no sync.
pub(crate) fn request(name: &str, sender: u64, n: u64) -> SubmitObservationsRequest {
    let figure = |nth: u64| Observation {
        indicator: "referrals".to_owned(),
        area: "E10000014".to_owned(),
        period: format!("FY20{:02}-{:02}", 10 + (n + nth) % 10, 11 + (n + nth) % 10),
        measure: Some(Measure::Number((sender * 1_000_000 + n).to_string())),
        note: format!("{name} ").repeat(usize::try_from(n % 40).unwrap()).trim_end().to_owned(),
        ..Observation::default()
    };
    SubmitObservationsRequest {
        agency: "hampshire-childrens-services".to_owned(),
        request_id: format!("{name}-{sender}-{n}"),
        observations: (0..=(sender + n) % 5).map(figure).collect(),
        ..SubmitObservationsRequest::default()
    }
}
