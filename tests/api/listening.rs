//! From when on a server can be reached from the network.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use conspectus::server::{self, Config, Error, Listen, Network};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tonic_health::pb::health_check_response::ServingStatus;

use crate::app::{TestApp, endpoint, health};
use crate::identities;

/// A network address, and the same as this machine reaches it.
fn network_address() -> (Listen, SocketAddr) {
    let at = Listen::bind((Ipv4Addr::UNSPECIFIED, 0).into()).unwrap();
    let port = at.local_addr().unwrap().port();
    (at, (Ipv4Addr::LOCALHOST, port).into())
}

fn config(folder: &TempDir) -> Config {
    let network = Network { allow_plaintext_network: true, ..Network::default() };
    Config { network, ..Config::new(folder.path()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_credentials_is_refused_before_anything_listens_on_the_network() {
    let folder = tempfile::tempdir().unwrap();
    let (at, address) = network_address();
    let running = tokio::spawn(server::run(at, config(&folder), std::future::pending()));
    let mut tried = 0;
    while !running.is_finished() {
        TcpStream::connect(address).await.unwrap_err();
        tried += 1;
    }
    assert!(matches!(running.await.unwrap(), Err(Error::Open(_))));
    assert!(tried > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_credentials_serves_the_network() {
    let folder = tempfile::tempdir().unwrap();
    identities::seed(folder.path()).await;
    let (at, address) = network_address();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(server::run(at, config(&folder), async { drop(stopped.await) }));
    let channel = loop {
        match endpoint("http", address).connect().await {
            Ok(channel) => break channel,
            Err(_) => assert!(!running.is_finished()),
        }
    };
    let start = Instant::now();
    while health(&channel, "").await != ServingStatus::Serving {
        assert!(start.elapsed() < Duration::from_secs(60), "it doesn't serve");
        tokio::task::yield_now().await;
    }
    drop(stop);
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_address_that_another_server_has_is_refused_at_once() {
    let app = TestApp::empty().await;
    Listen::bind(app.address()).unwrap_err();
}
