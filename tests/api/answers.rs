//! Every answer is below what clients take by default, 4 MiB: by pages, or refused with what to ask less of.

use std::fmt::Write as _;

use conspectus::catalogue::CataloguePut;
use conspectus::rpc::client::key_service_client::KeyServiceClient;
use conspectus::rpc::proto::observation::Measure;
use conspectus::rpc::proto::{
    CreateKeyRequest, FigureColumns, GetIndicatorRequest, GetSubmissionRequest, ListAgenciesRequest,
    ListDimensionsRequest, ListIndicatorsRequest, ListKeysRequest, ListSubmissionsRequest, Role,
    SubmitObservationsRequest,
};
use conspectus::rpc::put_request;
use prost::Message;
use tonic::Code;

use crate::app::{CHILDRENS_SERVICES, HAMPSHIRE, TestApp, refusal_text};
use crate::identities::{self, by, put};

/// What the common clients take by default; this one too.
const CLIENT_BYTES_MAX: usize = 4 << 20;
/// Below that, with some to spare: what pages hold, where more would follow.
const FULL: usize = 2 << 20;

/// All pages of a list, each within what clients take: how many items each has.
macro_rules! pages {
    ($client:expr, $method:ident, $Request:ident { $($field:ident: $value:expr),* }, $items:ident) => {{
        let (mut pages, mut bytes, mut token) = (Vec::new(), Vec::new(), String::new());
        loop {
            let request = $Request { page_token: token, $($field: $value,)* ..$Request::default() };
            let page = $client.$method(request).await.unwrap().into_inner();
            bytes.push(page.encoded_len());
            pages.push(page.$items.len());
            token = page.next_page_token;
            if token.is_empty() {
                break;
            }
        }
        assert!(bytes.iter().all(|bytes| *bytes < CLIENT_BYTES_MAX), "{bytes:?}");
        (pages, bytes)
    }};
}

/// Of something with large items there are more pages than by their number, all but the last of them full.
fn assert_cut((pages, bytes): (Vec<usize>, Vec<usize>), count: usize) {
    assert_eq!(pages.iter().sum::<usize>(), count, "{pages:?}");
    assert!(pages.len() > 1, "{pages:?}");
    assert!(bytes[..bytes.len() - 1].iter().all(|bytes| *bytes > FULL), "{bytes:?}");
}

fn indicator(id: &str, text: &str, from: &str) -> String {
    format!(
        "[[indicators]]\nid = \"{id}\"\ntitle = \"{id}\"\ndefinition = \"{text}\"\nkind = \"events\"\nunit = \"contacts\"\n\
         frequency = \"financial-year\"\nreporting_level = \"upper-tier\"\nacross_agencies = \"add\"\n{from}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_the_catalogue_end_their_pages_where_their_items_are_large() {
    let app = TestApp::with_catalogue().await;
    // Some 12 KB each, as a definition may have.
    let text = "日".repeat(3_999);
    for first in (0..400).step_by(80) {
        let all: String = (first..first + 80).map(|n| indicator(&format!("large-{n}"), &text, "")).collect();
        put(&app, &all).await;
    }
    let known = app.catalogue().list_indicators(ListIndicatorsRequest { page_size: 1, ..Default::default() }).await;
    assert_eq!(known.unwrap().get_ref().indicators.len(), 1);
    let (pages, bytes) =
        pages!(app.catalogue(), list_indicators, ListIndicatorsRequest { page_size: 1_000 }, indicators);
    let count = pages.iter().sum();
    assert!(count >= 400);
    assert_cut((pages, bytes), count);

    let title = "日".repeat(200);
    for dimension in 0..8 {
        let mut put_of = format!("[[dimensions]]\nid = \"large-{dimension}\"\ntitle = \"{title}\"\ncategories = [\n");
        for category in 0..1_000 {
            let _ = writeln!(put_of, "{{ id = \"c-{category}\", title = \"{title}\" }},");
        }
        put(&app, &format!("{put_of}]\n")).await;
    }
    let (pages, bytes) =
        pages!(app.catalogue(), list_dimensions, ListDimensionsRequest { page_size: 1_000 }, dimensions);
    let count = pages.iter().sum();
    assert_cut((pages, bytes), count);

    // Versions of one indicator: all of them are refused, and come in pages.
    for first in (0..350).step_by(70) {
        let version = |n: usize| {
            let from = format!("{}-{:02}-01", 1950 + n / 12, n % 12 + 1);
            let from = if n == 0 { String::new() } else { format!("effective_from = \"{from}\"") };
            indicator("versions", &text, &from)
        };
        put(&app, &(first..first + 70).map(version).collect::<String>()).await;
    }
    let all = GetIndicatorRequest { id: "versions".to_owned(), ..Default::default() };
    let refused = refusal_text(&app.catalogue().get_indicator(all).await.unwrap_err());
    assert!(
        refused.contains("page_size: the answer has ") && refused.contains("Ask for pages of 1 to 1000"),
        "{refused}"
    );
    let of_one = pages!(
        app.catalogue(),
        get_indicator,
        GetIndicatorRequest { id: "versions".to_owned(), page_size: 1_000 },
        versions
    );
    assert_cut(of_one, 350);
    // A small list is whole, without pages.
    let (pages, _) = pages!(app.catalogue(), list_agencies, ListAgenciesRequest { page_size: 1_000 }, agencies);
    assert_eq!(pages.len(), 1);
}

/// A submission of as many figures as one may have, whose breakdowns are far longer than what is stored of them.
fn large() -> (String, SubmitObservationsRequest) {
    let id = |name: &str| format!("{name}{}", "-long".repeat(10));
    let mut items = String::new();
    for dimension in ["a", "b", "c", "d"] {
        let count = if dimension == "a" { 100 } else { 1 };
        let of_category = |n: usize| format!("{{ id = \"{}\", title = \"{n}\" }},", id(&format!("c-{n}")));
        let categories: String = (0..count).map(of_category).collect();
        let _ =
            write!(items, "[[dimensions]]\nid = \"{}\"\ntitle = \"T\"\ncategories = [{categories}]\n", id(dimension));
    }
    let dimensions = ["a", "b", "c", "d"].map(|dimension| format!("\"{}\"", id(dimension))).join(", ");
    let _ = write!(
        items,
        "{}frequency = \"month\"\ndimensions = [{dimensions}]\n",
        indicator("monthly", "", "").replace("frequency = \"financial-year\"\n", "")
    );
    let breakdown = |n: usize| {
        let of = |dimension: &str, n: usize| format!("{}={}", id(dimension), id(&format!("c-{n}")));
        [of("a", n), of("b", 0), of("c", 0), of("d", 0)].join(";")
    };
    let columns = FigureColumns {
        indicators: vec!["monthly".to_owned()],
        areas: vec![HAMPSHIRE.to_owned()],
        periods: (0..100).map(|n| format!("{}-{:02}", 2010 + n / 12, n % 12 + 1)).collect(),
        breakdowns: (0..100).map(breakdown).collect(),
        indicator: vec![0],
        area: vec![0],
        period: (0..10_000).map(|n| n / 100).collect(),
        breakdown: (0..10_000).map(|n| n % 100).collect(),
        digits: (0..10_000).collect(),
        ..FigureColumns::default()
    };
    let submission = SubmitObservationsRequest {
        agency: CHILDRENS_SERVICES.to_owned(),
        request_id: "large".to_owned(),
        columns: Some(columns),
        ..SubmitObservationsRequest::default()
    };
    (items, submission)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_submission_too_large_to_be_read_back_at_once_comes_in_pages_that_are_the_same_together() {
    let app = TestApp::with_catalogue().await;
    let (items, submission) = large();
    put(&app, &items).await;
    let receipt = app.receipt(submission).await;
    let of_all = GetSubmissionRequest {
        agency: CHILDRENS_SERVICES.to_owned(),
        request_id: "large".to_owned(),
        ..GetSubmissionRequest::default()
    };
    let mut client = app.submissions();
    let refused = client.get_submission(of_all.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let text = refusal_text(&refused);
    assert!(text.contains("page_size: the answer has ") && text.contains("Ask for pages of 1 to 1000"), "{text}");

    let (mut observations, mut outcomes, mut token) = (Vec::new(), 0, String::new());
    loop {
        let page = GetSubmissionRequest { page_size: 1_000, page_token: token, ..of_all.clone() };
        let page = client.get_submission(page).await.unwrap().into_inner();
        assert!(page.encoded_len() < CLIENT_BYTES_MAX);
        let of_page = page.receipt.unwrap();
        assert_eq!((of_page.new_count, &of_page.chain_hash), (10_000, &receipt.chain_hash));
        assert_eq!(of_page.outcomes.len(), page.observations.len());
        outcomes += of_page.outcomes.len();
        observations.extend(page.observations);
        token = page.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!((observations.len(), outcomes), (10_000, 10_000));
    for (n, observation) in observations.iter().enumerate() {
        assert_eq!(observation.measure, Some(Measure::Number(n.to_string())));
        assert!(observation.breakdown[0].category.starts_with(&format!("c-{}-", n % 100)));
    }
    let list = client.list_submissions(ListSubmissionsRequest::default()).await.unwrap().into_inner();
    assert_eq!(list.submissions[0].observation_count, 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_of_keys_and_agencies_end_their_pages_where_their_areas_are_many() {
    let app = TestApp::seeded(identities::seed).await;
    let code = |n: usize| format!("AREA-{n:04}-AS-LONG-AS-A-CODE-MAY");
    let areas = (0..3_000).map(|n| format!("{{ code = \"{}\", name = \"N\", level = \"district\" }},\n", code(n)));
    let by_steward = async |items: String| {
        let put: CataloguePut = toml::from_str(&items).unwrap();
        app.catalogue().put_catalogue(by("steward", put_request(&put, false))).await.unwrap();
    };
    by_steward(format!("areas = [{}]", areas.collect::<String>())).await;
    let codes: Vec<String> = (0..3_000).map(code).collect();
    for n in 0..45 {
        let create = CreateKeyRequest {
            identity: format!("many-{n}"),
            role: Role::Analyst.into(),
            areas: codes.clone(),
            ..CreateKeyRequest::default()
        };
        KeyServiceClient::new(app.channel()).create_key(by("operator", create)).await.unwrap();
    }
    let mut keys = KeyServiceClient::new(app.channel());
    let list = |page_token| by("operator", ListKeysRequest { page_size: 1_000, page_token });
    let first = keys.list_keys(list(String::new())).await.unwrap().into_inner();
    assert!((FULL..CLIENT_BYTES_MAX).contains(&first.encoded_len()), "{}", first.encoded_len());
    let second = keys.list_keys(list(first.next_page_token)).await.unwrap().into_inner();
    assert!(second.next_page_token.is_empty());
    let all = first.identities.iter().chain(&second.identities);
    assert_eq!(all.filter(|identity| identity.areas.len() == 3_000).count(), 45);

    let areas = codes.iter().map(|code| format!("\"{code}\"")).collect::<Vec<_>>().join(", ");
    for n in 0..45 {
        let agency = format!("{{ id = \"many-{n}\", name = \"N\", sector = \"health\", areas = [{areas}] }}");
        by_steward(format!("agencies = [{agency}]")).await;
    }
    let list = |page_token| by("steward", ListAgenciesRequest { page_size: 1_000, page_token, as_of_revision: 0 });
    let first = app.catalogue().list_agencies(list(String::new())).await.unwrap().into_inner();
    assert!((FULL..CLIENT_BYTES_MAX).contains(&first.encoded_len()), "{}", first.encoded_len());
    let second = app.catalogue().list_agencies(list(first.next_page_token)).await.unwrap().into_inner();
    assert!(first.agencies.len() + second.agencies.len() >= 45 && second.next_page_token.is_empty());
}
