//! Stops the real server under load, with streams that are stuck.
//!
//! `CONSPECTUS_STOPS=50` sets how often.

use std::env;
use std::net::TcpStream;
use std::time::Duration;

use conspectus::rpc::client::picture_service_client::PictureServiceClient;
use conspectus::rpc::client::submission_service_client::SubmissionServiceClient;
use conspectus::rpc::proto::{GetPictureRequest, StreamSubmissionsRequest, WatchPictureRequest};
use tokio_stream::StreamExt;

use crate::binary::Server;
use crate::binary::load::{Acknowledged, Load};

/// How many are acknowledged before each stop.
const ACKNOWLEDGED_MIN: usize = 60;
/// How long calls have to end.
const DRAIN: Duration = Duration::from_secs(1);
/// What a stop may take besides: for what was queued to be written, on a machine with much else to do.
const MARGIN: Duration = Duration::from_secs(8);
const STUCK_EACH: usize = 8;

/// Streams that never end by themselves: watches that nobody reads, submissions that nothing more comes of, and connections
/// over which nothing comes at all.
struct Stuck {
    _watches: Vec<tonic::Streaming<conspectus::rpc::proto::WatchPictureResponse>>,
    _submissions: Vec<tonic::Streaming<conspectus::rpc::proto::StreamSubmissionsResponse>>,
    _connections: Vec<TcpStream>,
}

impl Stuck {
    async fn on(server: &Server) -> Self {
        let (mut watches, mut submissions, mut connections) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..STUCK_EACH {
            let picture =
                GetPictureRequest { area: "E10000014".into(), period: "FY2015-16".into(), ..Default::default() };
            let request = WatchPictureRequest { picture: Some(picture), ..Default::default() };
            let mut pictures = PictureServiceClient::new(server.channel.clone());
            watches.push(pictures.watch_picture(request).await.unwrap().into_inner());
            // The request stays open: nothing comes of it, and it doesn't end.
            let nothing = tokio_stream::pending::<StreamSubmissionsRequest>();
            let mut client = SubmissionServiceClient::new(server.channel.clone());
            submissions.push(client.stream_submissions(nothing).await.unwrap().into_inner());
            connections.push(TcpStream::connect(server.address()).unwrap());
        }
        // One of each is read, and told of the stop.
        for watch in watches.iter_mut().take(1) {
            watch.next().await.unwrap().unwrap();
        }
        Self { _watches: watches, _submissions: submissions, _connections: connections }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_stops_in_time_whatever_is_open_and_loses_nothing_acknowledged() {
    let stops: u64 = env::var("CONSPECTUS_STOPS").map_or(5, |stops| stops.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let drain = DRAIN.as_secs().to_string();
    let args = ["--drain-seconds", drain.as_str()];
    let start = || Server::start_with(folder.path(), &args);
    let mut server = start().await.unwrap();
    server.put_catalogue().await;
    let (mut all, mut longest): (Vec<Acknowledged>, _) = (Vec::new(), Duration::ZERO);
    for stop in 0..stops {
        let load = Load::on(&server, &format!("stop-{stop}"));
        let stuck = Stuck::on(&server).await;
        load.until(ACKNOWLEDGED_MIN, Duration::from_micros(stop * 7_919 % 40_000)).await;
        let took = server.terminate().await;
        assert!(took < DRAIN + MARGIN, "stop {stop} took {took:?}");
        longest = longest.max(took);
        drop(stuck);
        let (acknowledged, unanswered) = load.outcome().await;
        server = start().await.unwrap();
        for one in &acknowledged {
            assert_eq!(server.wrong_with(one).await, None, "stop {stop}");
        }
        all.extend(acknowledged);
        for request in unanswered {
            let (receipt, _) = server.submit(&request).await.unwrap();
            all.push((request, receipt));
        }
        assert_eq!(server.count().await, all.len(), "stop {stop}");
    }
    println!("{stops} stops, the longest of {longest:?}; {} acknowledged", all.len());
}
