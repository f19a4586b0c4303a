//! A server for one test, and the short words that tests use to talk to it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use conspectus::catalogue::CataloguePut;
use conspectus::model::timestamp::Timestamp;
use conspectus::model::zone::Zone;
use conspectus::rpc::client::catalogue_service_client::CatalogueServiceClient;
use conspectus::rpc::client::picture_service_client::PictureServiceClient;
use conspectus::rpc::client::submission_service_client::SubmissionServiceClient;
use conspectus::rpc::proto::observation::Measure;
use conspectus::rpc::proto::{
    self, AggregateRow, Figure, Gap, GroupBy, Marker, Observation, Outcome, PutCatalogueRequest, QueryAggregateRequest,
    QueryAggregateResponse, Receipt, SubmitObservationsRequest, SubmitObservationsResponse, WithdrawSubmissionRequest,
    WithdrawSubmissionResponse,
};
use conspectus::rpc::put_request;
use conspectus::server::{self, Clock, Config, Network, Web};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_types::StatusExt;

pub(crate) const HAMPSHIRE: &str = "E10000014";
pub(crate) const CHILDRENS_SERVICES: &str = "hampshire-childrens-services";
pub(crate) const CONSTABULARY: &str = "hampshire-constabulary";
/// Long enough for a call to end, short enough to show when one doesn't.
pub(crate) const DRAIN_TIMEOUT: Duration = Duration::from_secs(5);

/// A clock that stands where a test sets it.
#[derive(Clone)]
pub(crate) struct TestClock(Arc<AtomicI64>);

impl TestClock {
    /// A clock at an instant, such as `2026-06-30T23:30:00Z`.
    pub(crate) fn at(instant: &str) -> Self {
        let clock = Self(Arc::default());
        clock.set(instant);
        clock
    }

    pub(crate) fn set(&self, instant: &str) {
        self.0.store(instant.parse::<jiff::Timestamp>().unwrap().as_microsecond(), Ordering::SeqCst);
    }

    pub(crate) fn clock(&self) -> Clock {
        let clock = self.clone();
        Clock(Arc::new(move || Timestamp(clock.0.load(Ordering::SeqCst))))
    }
}

/// An instant, such as `2026-06-30T23:30:00Z`, as messages carry it.
pub(crate) fn instant(text: &str) -> Option<prost_types::Timestamp> {
    let instant = text.parse::<jiff::Timestamp>().unwrap();
    Some(prost_types::Timestamp { seconds: instant.as_second(), nanos: instant.subsec_nanosecond() })
}

/// A running server on a folder that goes with it.
pub(crate) struct TestApp {
    folder: TempDir,
    demo: bool,
    running: Option<Running>,
}

struct Running {
    address: SocketAddr,
    web: SocketAddr,
    channel: Channel,
    /// The cookies of those who have signed in to its pages, by who they are.
    cookies: Mutex<BTreeMap<String, String>>,
    stop: oneshot::Sender<()>,
    ended: JoinHandle<Result<(), server::Error>>,
}

impl TestApp {
    /// A server with nothing in it.
    pub(crate) async fn empty() -> Self {
        Self::start(false, DRAIN_TIMEOUT).await
    }

    /// A server with the demo's catalogue, at revision 1, and no figures.
    pub(crate) async fn with_catalogue() -> Self {
        let app = Self::empty().await;
        app.catalogue().put_catalogue(catalogue()).await.unwrap();
        app
    }

    /// A server with the demo in it.
    pub(crate) async fn with_demo() -> Self {
        Self::start(true, DRAIN_TIMEOUT).await
    }

    pub(crate) async fn start(demo: bool, drain_timeout: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let running = Running::start(folder.path(), demo, drain_timeout).await;
        Self { folder, demo, running: Some(running) }
    }

    /// A server with this catalogue, at revision 1, whose days are London's by this clock.
    pub(crate) async fn with_clock(clock: &TestClock, catalogue: &str) -> Self {
        Self::with_clock_in(clock, Zone::default(), catalogue).await
    }

    /// The same, in a time zone.
    pub(crate) async fn with_clock_in(clock: &TestClock, zone: Zone, catalogue: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { clock: clock.clock(), zone, drain_timeout: DRAIN_TIMEOUT, ..Config::new(folder.path()) };
        let running = Running::start_with(config, |address| endpoint("http", address)).await;
        let app = Self { folder, demo: false, running: Some(running) };
        let put: CataloguePut = toml::from_str(catalogue).unwrap();
        app.catalogue().put_catalogue(put_request(&put, false)).await.unwrap();
        app
    }

    /// A server on what `seed` makes of an empty data folder.
    pub(crate) async fn seeded(seed: impl AsyncFnOnce(&Path)) -> Self {
        Self::seeded_with(seed, Network::default(), |address| endpoint("http", address)).await
    }

    /// The same, in a network of its own kind, reached as `reach` has it.
    pub(crate) async fn seeded_with(
        seed: impl AsyncFnOnce(&Path),
        network: Network,
        reach: impl FnOnce(SocketAddr) -> Endpoint,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        seed(folder.path()).await;
        let config = Config { drain_timeout: DRAIN_TIMEOUT, network, ..Config::new(folder.path()) };
        let running = Running::start_with(config, reach).await;
        Self { folder, demo: false, running: Some(running) }
    }

    /// Stops the server and starts another on the same folder, after `between`, with `config` made of its own.
    pub(crate) async fn restart_as(&mut self, between: impl FnOnce(&Path), config: impl FnOnce(Config) -> Config) {
        if self.running.is_some() {
            self.stop().await;
        }
        between(self.folder());
        let config = config(Config { drain_timeout: DRAIN_TIMEOUT, ..Config::new(self.folder()) });
        self.running = Some(Running::start_with(config, |address| endpoint("http", address)).await);
    }

    /// Why a server doesn't start on the folder, once this one has stopped.
    pub(crate) async fn start_error(&mut self, between: impl FnOnce(&Path)) -> server::Error {
        if self.running.is_some() {
            self.stop().await;
        }
        between(self.folder());
        error_at_start(Config::new(self.folder())).await
    }

    /// Asks the server to stop and waits until it has.
    pub(crate) async fn stop(&mut self) {
        let running = self.running.take().unwrap();
        let _ = running.stop.send(());
        running.ended.await.unwrap().unwrap();
    }

    /// Asks the server to stop; what is returned ends when it has.
    pub(crate) fn begin_stop(&mut self) -> JoinHandle<Result<(), server::Error>> {
        let running = self.running.take().unwrap();
        let _ = running.stop.send(());
        running.ended
    }

    /// Stops the server and starts another on the same folder.
    pub(crate) async fn restart(&mut self) {
        self.stop().await;
        self.running = Some(Running::start(self.folder.path(), self.demo, DRAIN_TIMEOUT).await);
    }

    /// The same, where the first listened, and by this clock.
    pub(crate) async fn restart_in_place(&mut self, clock: &TestClock) {
        let address = self.address();
        self.stop().await;
        let config = Config { clock: clock.clock(), drain_timeout: DRAIN_TIMEOUT, ..Config::new(self.folder()) };
        let listener = TcpListener::bind(address).await.unwrap();
        self.running = Some(Running::start_on(listener, config, |address| endpoint("http", address)).await);
    }

    /// Stops the server and starts another as this has it, on the same folder.
    pub(crate) async fn restart_with(&mut self, config: impl FnOnce(Config) -> Config) {
        self.stop().await;
        let config = config(Config { drain_timeout: DRAIN_TIMEOUT, ..Config::new(self.folder()) });
        self.running = Some(Running::start_with(config, |address| endpoint("http", address)).await);
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn channel(&self) -> Channel {
        self.running.as_ref().unwrap().channel.clone()
    }

    /// Where the server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.running.as_ref().unwrap().address
    }

    /// The cookies of those who have signed in to its pages, by who they are. They are this server's: another one
    /// may listen later where it did.
    pub(crate) fn cookies(&self) -> &Mutex<BTreeMap<String, String>> {
        &self.running.as_ref().unwrap().cookies
    }

    /// Where its pages are.
    pub(crate) fn web(&self) -> SocketAddr {
        self.running.as_ref().unwrap().web
    }

    /// A connection of its own to the server.
    pub(crate) fn endpoint(&self) -> Endpoint {
        endpoint("http", self.address())
    }

    pub(crate) fn submissions(&self) -> SubmissionServiceClient<Channel> {
        SubmissionServiceClient::new(self.channel())
    }

    pub(crate) fn pictures(&self) -> PictureServiceClient<Channel> {
        PictureServiceClient::new(self.channel())
    }

    pub(crate) fn catalogue(&self) -> CatalogueServiceClient<Channel> {
        CatalogueServiceClient::new(self.channel())
    }

    pub(crate) async fn try_submit(
        &self,
        request: SubmitObservationsRequest,
    ) -> Result<SubmitObservationsResponse, Status> {
        Ok(self.submissions().submit_observations(request).await?.into_inner())
    }

    /// Submits what is accepted.
    pub(crate) async fn submit(&self, request: SubmitObservationsRequest) -> SubmitObservationsResponse {
        self.try_submit(request).await.unwrap()
    }

    /// Submits what is accepted, and returns the receipt.
    pub(crate) async fn receipt(&self, request: SubmitObservationsRequest) -> Receipt {
        self.submit(request).await.receipt.unwrap()
    }

    /// Withdraws a submission of the children's services.
    pub(crate) async fn withdraw(&self, request_id: &str) -> WithdrawSubmissionResponse {
        self.submissions().withdraw_submission(withdrawal(request_id)).await.unwrap().into_inner()
    }

    pub(crate) async fn try_query(&self, request: QueryAggregateRequest) -> Result<QueryAggregateResponse, Status> {
        Ok(self.pictures().query_aggregate(request).await?.into_inner())
    }

    /// The rows of a query that is answered.
    pub(crate) async fn query(&self, request: QueryAggregateRequest) -> Vec<AggregateRow> {
        self.try_query(request).await.unwrap().rows
    }

    /// The figure of Hampshire: its value, or why there is none.
    pub(crate) async fn value(&self, indicator: &str, period: &str) -> String {
        let rows = self.query(query([indicator], [period], [GroupBy::Period])).await;
        figure_text(rows[0].figure.as_ref().unwrap())
    }

    /// The newest revision.
    pub(crate) async fn revision(&self) -> i64 {
        self.submissions().list_submissions(proto::ListSubmissionsRequest::default()).await.unwrap().get_ref().revision
    }
}

/// Why a server doesn't start.
pub(crate) async fn error_at_start(config: Config) -> server::Error {
    /// Much longer than any start takes.
    const AT_START: Duration = Duration::from_secs(30);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let ended = tokio::time::timeout(AT_START, server::run(listener, config, std::future::pending())).await;
    ended.expect("the server has started").unwrap_err()
}

impl Running {
    async fn start(folder: &Path, demo: bool, drain_timeout: Duration) -> Self {
        let config = Config { demo, drain_timeout, ..Config::new(folder) };
        Self::start_with(config, |address| endpoint("http", address)).await
    }

    async fn start_with(config: Config, reach: impl FnOnce(SocketAddr) -> Endpoint) -> Self {
        Self::start_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), config, reach).await
    }

    async fn start_on(listener: TcpListener, mut config: Config, reach: impl FnOnce(SocketAddr) -> Endpoint) -> Self {
        let address = listener.local_addr().unwrap();
        let pages = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let web = pages.local_addr().unwrap();
        config.web = Some(Web { listen: pages.into(), at: None, provider: None });
        let (stop, stopped) = oneshot::channel();
        let mut ended = tokio::spawn(server::run(listener, config, async { drop(stopped.await) }));
        let serving = async {
            let channel = reach(address).connect().await?;
            while check_health(&channel, "").await? != ServingStatus::Serving {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Ok::<_, Box<dyn std::error::Error>>(channel)
        };
        match serving.await {
            Ok(channel) => Self { address, web, channel, cookies: Mutex::default(), stop, ended },
            // Why the server ended says more than that it can't be reached.
            Err(error) => match tokio::time::timeout(DRAIN_TIMEOUT, &mut ended).await {
                Ok(ended) => panic!("the server ended before it served: {ended:?}; {error}"),
                Err(_) => panic!("the server runs, and can't be reached: {error}"),
            },
        }
    }
}

pub(crate) fn endpoint(scheme: &str, address: SocketAddr) -> Endpoint {
    Endpoint::from_shared(format!("{scheme}://{address}")).unwrap()
}

/// The health of a service; of the whole server for none.
pub(crate) async fn health(channel: &Channel, service: &str) -> ServingStatus {
    check_health(channel, service).await.unwrap()
}

async fn check_health(channel: &Channel, service: &str) -> Result<ServingStatus, Status> {
    let request = HealthCheckRequest { service: service.to_owned() };
    Ok(HealthClient::new(channel.clone()).check(request).await?.get_ref().status())
}

/// The demo's catalogue without its checks, which tests of other things aren't about.
pub(crate) fn catalogue() -> PutCatalogueRequest {
    let mut put: CataloguePut = toml::from_str(include_str!("../../data/catalogue.toml")).unwrap();
    put.indicators.iter_mut().for_each(|version| version.checks.clear());
    put_request(&put, false)
}

/// A figure of Hampshire that is a number.
pub(crate) fn figure(indicator: &str, period: &str, number: &str) -> Observation {
    Observation {
        indicator: indicator.to_owned(),
        area: HAMPSHIRE.to_owned(),
        period: period.to_owned(),
        measure: Some(Measure::Number(number.to_owned())),
        ..Observation::default()
    }
}

/// A figure of Hampshire that has no value, for a reason.
pub(crate) fn absent(indicator: &str, period: &str, marker: Marker) -> Observation {
    Observation { measure: None, markers: vec![marker.into()], ..figure(indicator, period, "") }
}

/// A submission of Hampshire's children's services.
pub(crate) fn submission(request_id: &str, observations: impl Into<Vec<Observation>>) -> SubmitObservationsRequest {
    SubmitObservationsRequest {
        agency: CHILDRENS_SERVICES.to_owned(),
        request_id: request_id.to_owned(),
        observations: observations.into(),
        ..SubmitObservationsRequest::default()
    }
}

/// A query about Hampshire.
pub(crate) fn query<'t>(
    indicators: impl IntoIterator<Item = &'t str>,
    periods: impl IntoIterator<Item = &'t str>,
    group_by: impl IntoIterator<Item = GroupBy>,
) -> QueryAggregateRequest {
    QueryAggregateRequest {
        indicators: indicators.into_iter().map(str::to_owned).collect(),
        areas: vec![HAMPSHIRE.to_owned()],
        periods: periods.into_iter().map(str::to_owned).collect(),
        group_by: group_by.into_iter().map(i32::from).collect(),
        ..QueryAggregateRequest::default()
    }
}

/// A figure in short: `117188`, or `NOT_REPORTED`.
pub(crate) fn figure_text(figure: &Figure) -> String {
    let gap = Gap::try_from(figure.gap).unwrap().as_str_name();
    figure.value.clone().unwrap_or_else(|| gap.trim_start_matches("GAP_").to_owned())
}

/// The outcomes of a receipt in short: `new`, `revised from 5 of revision 2`, `unchanged since 2`.
pub(crate) fn outcome_texts(receipt: &Receipt) -> Vec<String> {
    let text = |outcome: &proto::ObservationOutcome| match outcome.outcome() {
        Outcome::Unspecified => "nothing".to_owned(),
        Outcome::New => "new".to_owned(),
        Outcome::Revised => format!("revised from {} of revision {}", outcome.revised_from, outcome.previous_revision),
        Outcome::Unchanged => format!("unchanged since {}", outcome.previous_revision),
        Outcome::Withdrawn => format!("withdrew {} of revision {}", outcome.revised_from, outcome.previous_revision),
    };
    receipt.outcomes.iter().map(text).collect()
}

/// A refusal in short: its code and reason, then each violation on a line of its own.
pub(crate) fn refusal_text(status: &Status) -> String {
    let reason = status.get_details_error_info().map(|info| {
        assert_eq!(info.domain, "conspectus");
        info.reason
    });
    let mut text = format!("{:?} {}", status.code(), reason.as_deref().unwrap_or("without a reason"));
    match status.get_details_bad_request() {
        None => text.push_str(&format!(": {}", status.message())),
        Some(request) => {
            for violation in request.field_violations {
                text.push_str(&format!("\n  {}: {}", violation.field, violation.description));
            }
        }
    }
    text
}

/// The withdrawal of a submission of the children's services.
pub(crate) fn withdrawal(request_id: &str) -> WithdrawSubmissionRequest {
    WithdrawSubmissionRequest {
        agency: CHILDRENS_SERVICES.to_owned(),
        request_id: request_id.to_owned(),
        reason: "sent by mistake".to_owned(),
        validate_only: false,
    }
}
