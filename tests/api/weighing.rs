//! Requests that are small to send and dear to look at, before anything is computed for them.

use std::time::{Duration, Instant};

use conspectus::rpc::proto::{GroupBy, PeriodRange, QueryAggregateRequest};
use tonic::Code;

use crate::app::{HAMPSHIRE, TestApp, health, query, refusal_text};
use crate::identities::{self, by};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn permission_takes_time_with_the_areas_and_the_periods_and_not_with_their_product() {
    /// Far above what it takes on a busy machine; the product takes many times as long.
    const AT_MOST: Duration = Duration::from_secs(20);
    let app = TestApp::seeded(identities::seed).await;
    let days = PeriodRange { first: "1900-01-01".to_owned(), last: "2199-12-31".to_owned() };
    let asked = QueryAggregateRequest {
        areas: vec![HAMPSHIRE.to_owned(); 40_000],
        period_range: Some(days),
        ..query(["initial-contacts"], [], [GroupBy::Period])
    };
    let begun = Instant::now();
    let mut client = app.pictures();
    let refused =
        tokio::time::timeout(AT_MOST, client.query_aggregate(by("analyst-of-hampshire", asked))).await.unwrap();
    println!("{:?}", begun.elapsed());
    let refused = refused.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let text = refusal_text(&refused);
    assert!(text.contains("areas[1]: found what `areas[0]` has; allowed: each once"), "{text}");
    health(&app.channel(), "").await;
}
