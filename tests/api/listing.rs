//! What a list of a request may not have: one thing under two names.

use conspectus::rpc::proto::{
    GetCompletenessRequest, GroupBy, QueryAggregateRequest, ReconcileRequest, WatchAggregateRequest,
};

use crate::app::{HAMPSHIRE, TestApp, query, refusal_text};

#[tokio::test]
async fn a_period_that_is_listed_in_two_notations_or_under_two_names_is_refused_with_both() {
    let app = TestApp::with_catalogue().await;
    for (one, other, found) in [
        ("FY2021-22", "2021/22", "found `2021/22`, the same period as `periods[0]`, `FY2021-22`"),
        ("2021-06", "June 2021", "found `June 2021`, the same period as `periods[0]`, `2021-06`"),
        ("CY2021-Q2", "FY2021-22-Q1", "found `FY2021-22-Q1`, the same period as `periods[0]`, `CY2021-Q2`"),
    ] {
        let periods = vec![one.to_owned(), "FY2019-20".to_owned(), other.to_owned()];
        let (areas, area) = (vec![HAMPSHIRE.to_owned()], HAMPSHIRE.to_owned());
        let asked =
            QueryAggregateRequest { periods: periods.clone(), ..query(["initial-contacts"], [], [GroupBy::Period]) };
        let watched = WatchAggregateRequest { query: Some(asked.clone()), ..WatchAggregateRequest::default() };
        let completeness = GetCompletenessRequest { area, periods: periods.clone(), ..Default::default() };
        let reconcile = ReconcileRequest { areas, periods, ..ReconcileRequest::default() };
        let mut client = app.pictures();
        let refused = [
            client.query_aggregate(asked).await.unwrap_err(),
            client.watch_aggregate(watched).await.unwrap_err(),
            client.get_completeness(completeness).await.unwrap_err(),
            client.reconcile(reconcile).await.unwrap_err(),
        ];
        for refused in refused {
            let text = refusal_text(&refused);
            assert!(text.contains(&format!("periods[2]: {found}; allowed: each once")), "{text}");
        }
    }
}
