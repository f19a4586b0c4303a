//! The pages that show figures: the picture, an indicator, how a figure came about, and its history.

use conspectus::catalogue::CataloguePut;
use conspectus::rpc::proto::{
    Change, CheckExplanation, Comparison, ExplainFigureRequest, Figure, GetHistoryRequest, GetPictureRequest, GroupBy,
    Observation, PeriodRange, QueryAggregateRequest, SubmitObservationsRequest,
};
use conspectus::rpc::put_request;
use conspectus::server::Config;
use hyper::{Method, StatusCode};
use serde_json::json;

use crate::app::{CHILDRENS_SERVICES, HAMPSHIRE, TestApp, figure, query, submission, withdrawal};
use crate::http::{Answer, send};
use crate::identities::{self, Condition, PURPOSE, authorization, by, put};
use crate::web::get_as;

const CONTACTS: &str = "initial-contacts";

/// A server with the identities and the demo's catalogue.
async fn with_catalogue() -> TestApp {
    TestApp::seeded(identities::seed).await
}

/// The same with the demo's figures.
async fn with_demo() -> TestApp {
    let mut app = with_catalogue().await;
    app.restart_with(|config| Config { demo: true, ..config }).await;
    app
}

async fn get(app: &TestApp, path: &str) -> Answer {
    get_as(app, "analyst", path).await
}

/// A page that is there, as an analyst sees it.
async fn page(app: &TestApp, path: &str) -> String {
    let answer = get(app, path).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
    answer.text().to_owned()
}

async fn submit(app: &TestApp, request: SubmitObservationsRequest) {
    app.submissions().submit_observations(by("submitter", request)).await.unwrap();
}

/// The text of HTML, its elements and references resolved.
fn text(html: &str) -> String {
    let (mut text, mut is_element) = (String::new(), false);
    for sign in html.chars() {
        match sign {
            '<' => is_element = true,
            '>' => is_element = false,
            _ if !is_element => text.push(sign),
            _ => {}
        }
    }
    let references = [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")];
    references.iter().fold(text, |text, (reference, sign)| text.replace(reference, sign)).trim().to_owned()
}

/// The cells of the row whose figure leads to an address.
fn cells(html: &str, address: &str) -> Vec<String> {
    let link = format!("href=\"{}\"", address.replace('&', "&#38;"));
    let mut rows = html.split("<tr>").filter(|row| row.contains("<td") && row.contains(&link));
    let row = rows.next().unwrap_or_else(|| panic!("no row leads to {address}: {html}"));
    assert!(rows.next().is_none(), "two rows lead to {address}");
    row.split("<td").skip(1).map(|cell| text(cell.split_once('>').unwrap().1.split("</td>").next().unwrap())).collect()
}

/// The number of a text of a cell: without commas, a plus sign, and units.
fn number(text: &str) -> String {
    text.chars().filter(|sign| sign.is_ascii_digit() || ".-".contains(*sign)).collect()
}

fn value(figure: &Option<Figure>) -> String {
    figure.clone().unwrap_or_default().value.unwrap_or_default()
}

/// A change as the numbers of its cell: the difference and, in brackets, the percentage.
fn change_numbers(change: &Option<Change>) -> Vec<String> {
    let Some(change) = change else { return Vec::new() };
    [&change.difference, &change.percent].into_iter().flatten().cloned().collect()
}

fn cell_numbers(cell: &str) -> Vec<String> {
    let cell = cell.split("partial change").next().unwrap();
    cell.split(['(', ')']).map(number).filter(|number| number.chars().any(|sign| sign.is_ascii_digit())).collect()
}

#[tokio::test]
async fn the_numbers_of_a_picture_are_those_of_the_service_to_the_character() {
    let app = with_demo().await;
    let mut compared = 0;
    for (area, period) in [(HAMPSHIRE, "FY2021-22"), ("HIPS", "FY2020-21"), ("E06000045", "FY2021-22-Q4")] {
        let request =
            GetPictureRequest { area: area.to_owned(), period: period.to_owned(), ..GetPictureRequest::default() };
        let picture = app.pictures().get_picture(by("analyst", request)).await.unwrap().into_inner();
        let html = page(&app, &format!("/picture?area={area}&period={period}")).await;
        for row in &picture.rows {
            let id = &row.indicator.as_ref().unwrap().id;
            let of_cells =
                row.cells.iter().map(|cell| (&cell.agency.as_ref().unwrap().id[..], &cell.figure, &cell.change));
            let combined = (row.cells.len() > 1).then_some(("", &row.combined, &row.change));
            for (agency, figure, change) in of_cells.chain(combined) {
                let agency = if agency.is_empty() { String::new() } else { format!("&agency={agency}") };
                let address = format!("/explain?indicator={id}&area={area}&period={period}{agency}");
                let cells = cells(&html, &address);
                let shown = if value(figure).is_empty() { String::new() } else { number(&cells[0]) };
                assert_eq!(shown, value(figure), "{address}");
                assert_eq!(cell_numbers(&cells[3]), change_numbers(change), "{address}");
                let from = change.as_ref().map(|change| value(&change.from)).unwrap_or_default();
                assert!(from.is_empty() || number(cells[2].split(' ').next().unwrap()) == from, "{address}");
                compared += usize::from(!shown.is_empty());
            }
        }
    }
    assert!(compared > 60, "only {compared} figures");
}

#[tokio::test]
async fn the_numbers_of_a_series_are_those_of_the_service_to_the_character() {
    let app = with_demo().await;
    for (indicator, apart, groups) in [
        (CONTACTS, "", vec![GroupBy::Period]),
        ("assessments-timely", "", vec![GroupBy::Period]),
        ("placement-cost", "", vec![GroupBy::Period]),
        ("children-missing", "&by=agency", vec![GroupBy::Agency, GroupBy::Period]),
    ] {
        let request = QueryAggregateRequest {
            periods: Vec::new(),
            period_range: Some(PeriodRange { first: "FY2015-16".to_owned(), last: "FY2021-22".to_owned() }),
            comparison: Comparison::PreviousPeriod.into(),
            ..query([indicator], [], groups)
        };
        let rows = app.pictures().query_aggregate(by("analyst", request)).await.unwrap().into_inner().rows;
        let address = format!("/indicator?indicator={indicator}&area={HAMPSHIRE}&from=FY2015-16&to=FY2021-22{apart}");
        let html = page(&app, &address).await;
        assert!(rows.iter().any(|row| !value(&row.figure).is_empty()), "{indicator}");
        for row in rows {
            let agency = if row.agency.is_empty() { String::new() } else { format!("&agency={}", row.agency) };
            let address = format!("/explain?indicator={indicator}&area={HAMPSHIRE}&period={}{agency}", row.period);
            let cells = cells(&html, &address);
            let shown = if value(&row.figure).is_empty() { String::new() } else { number(&cells[0]) };
            assert_eq!(shown, value(&row.figure), "{address}");
            assert_eq!(cell_numbers(&cells[3]), change_numbers(&row.change), "{address}");
        }
        assert_eq!(html.matches("<svg ").count(), if apart.is_empty() { 1 } else { 2 });
    }
}

#[tokio::test]
async fn the_first_page_offers_the_newest_periods_in_which_something_was_reported() {
    let app = with_demo().await;
    let html = page(&app, "/").await;
    let offers = html.split("<datalist").nth(1).unwrap().split("</datalist>").next().unwrap();
    let offers: Vec<&str> = offers.split("<option value=\"").skip(1).map(|it| it.split('"').next().unwrap()).collect();
    // Of 2022-23 one quarter is there.
    let expected = ["FY2022-23", "FY2021-22", "FY2020-21", "FY2019-20", "FY2018-19", "FY2022-23-Q1"];
    assert_eq!(offers, expected);
    assert_eq!(page(&app, "/picture").await, html);
    // An area is enough for it to ask for the rest.
    let of_area = page(&app, "/picture?area=E06000044&period=").await;
    assert!(of_area.contains("value=\"E06000044\" selected"), "{of_area}");
}

#[tokio::test]
async fn a_series_has_the_exact_sentence_of_its_newest_figure() {
    let app = with_demo().await;
    let html = page(&app, &format!("/indicator?indicator={CONTACTS}&area={HAMPSHIRE}&to=2021-22")).await;
    let sentence = "Initial contacts in Hampshire rose from 126,153 in 2020-21 to 153,033 in 2021-22, by 21.3%; \
                    1 of 1 reported.";
    assert!(text(&html).contains(sentence), "{html}");
}

#[tokio::test]
async fn a_figure_is_explained_down_to_what_was_submitted_and_its_history() {
    let app = with_demo().await;
    let request = ExplainFigureRequest {
        indicator: "ed-attendances-safeguarding-flag".to_owned(),
        area: HAMPSHIRE.to_owned(),
        period: "FY2021-22".to_owned(),
        ..ExplainFigureRequest::default()
    };
    let explained = app.pictures().explain_figure(by("analyst", request)).await.unwrap().into_inner();
    let of_it = format!("indicator=ed-attendances-safeguarding-flag&area={HAMPSHIRE}&period=FY2021-22");
    let html = page(&app, &format!("/explain?{of_it}")).await;
    let said = text(&html);
    for part in [&explained.rule, &explained.formula, "11 of 12 reported, 1 not available", "made up"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert_eq!(explained.contributions.len(), 12);
    for found in &explained.contributions {
        let history = format!(
            "/history?indicator=ed-attendances-safeguarding-flag&agency={}&area={}&period={}",
            found.agency, found.area, found.period
        );
        let cells = cells(&html, &history);
        assert_eq!(cells[2], found.value);
        assert_eq!((&cells[4], &cells[6]), (&found.revision.to_string(), &found.request_id));
        assert!(text(&page(&app, &history).await).contains(&found.value));
    }
}

#[tokio::test]
async fn a_history_has_every_value_with_what_happened_and_why() {
    let app = with_catalogue().await;
    submit(&app, submission("one", [figure(CONTACTS, "2020-21", "126150")])).await;
    let revised = SubmitObservationsRequest {
        reason: "three <were> missed".to_owned(),
        source: "the case system".to_owned(),
        ..submission("two/2", [figure(CONTACTS, "2020-21", "126153")])
    };
    submit(&app, revised).await;
    app.submissions().withdraw_submission(by("submitter", withdrawal("two/2"))).await.unwrap();
    let address = format!("/history?indicator={CONTACTS}&agency={CHILDRENS_SERVICES}&area={HAMPSHIRE}&period=2020-21");
    let html = page(&app, &address).await;
    let rows: Vec<String> = html.split("<tbody>").nth(1).unwrap().split("</tr>").map(text).collect();
    let request = GetHistoryRequest {
        indicator: CONTACTS.to_owned(),
        agency: CHILDRENS_SERVICES.to_owned(),
        area: HAMPSHIRE.to_owned(),
        period: "2020-21".to_owned(),
        ..GetHistoryRequest::default()
    };
    let history = app.pictures().get_history(by("analyst", request)).await.unwrap().into_inner();
    let values: Vec<&str> = history.items.iter().map(|item| &item.value[..]).collect();
    assert_eq!(values, ["126150", "126153", "126150"]);
    let shown = ["126,150submitted", "126,153submitted", "126,150restored"];
    for ((row, item), shown) in rows.iter().zip(&history.items).zip(shown) {
        assert!(row.starts_with(shown), "{row}");
        assert!(row.contains(&item.request_id) && row.contains(&item.reason) && row.contains(&item.source), "{row}");
    }
    assert!(html.contains("<td>two/2</td>"), "{html}");
}

/// The address at which a page says that its answer stays.
fn kept(html: &str) -> String {
    let before = html.split("\">Address that always gives this answer").next().unwrap();
    before.rsplit("href=\"").next().unwrap().replace("&#38;", "&")
}

#[tokio::test]
async fn a_kept_address_gives_the_same_bytes_whatever_comes_later() {
    let app = with_catalogue().await;
    submit(&app, submission("one", [figure(CONTACTS, "2019-20", "125413"), figure(CONTACTS, "2020-21", "126150")]))
        .await;
    let pages = [
        format!("/picture?area={HAMPSHIRE}&period=2020-21"),
        format!("/explain?indicator={CONTACTS}&area={HAMPSHIRE}&period=2020-21"),
        format!("/indicator?indicator={CONTACTS}&area={HAMPSHIRE}&to=2020-21&rank=1"),
    ];
    let mut before = Vec::new();
    for path in pages {
        let address = kept(&page(&app, &path).await);
        let html = page(&app, &address).await;
        let json = page(&app, &address.replacen('?', ".json?", 1)).await;
        assert!(html.contains("As it was on "), "{html}");
        before.push((path, address, html, json));
    }
    submit(&app, submission("two", [figure(CONTACTS, "2020-21", "126153")])).await;
    let renamed = r#"
        areas = [{ code = "E10000014", name = "Hampshire County", level = "upper-tier", parents = [{ code = "HIPS" }] }]
        agencies = [{ id = "new", name = "New", sector = "health", areas = ["E10000014"] }]
    "#;
    put(&app, renamed).await;
    for (path, address, html, json) in before {
        assert_eq!(page(&app, &address).await, html, "{address}");
        assert_eq!(page(&app, &address.replacen('?', ".json?", 1)).await, json, "{address}");
        let newest = page(&app, &path).await;
        assert!(newest.contains("126,153") && newest.contains("Hampshire County"), "{newest}");
        assert!(html.contains("126,150") && !html.contains("126,153") && !newest.contains("As it was on"), "{html}");
    }
}

#[tokio::test]
async fn an_as_of_stays_in_every_link_to_figures() {
    let app = with_demo().await;
    for path in [
        format!("/picture?area={HAMPSHIRE}&period=2018-19&as_of_revision=12"),
        format!("/indicator?indicator={CONTACTS}&area={HAMPSHIRE}&to=2018-19&as_of_revision=12"),
        format!("/explain?indicator={CONTACTS}&area={HAMPSHIRE}&period=2018-19&as_of_revision=12"),
    ] {
        let html = page(&app, &path).await;
        let main = html.split("<main").nth(1).unwrap();
        let links = main.split("href=\"").skip(1).map(|link| link.split('"').next().unwrap());
        let figures = ["/picture?", "/indicator?", "/explain?", "/picture.json?", "/indicator.json?", "/explain.json?"];
        let of_figures: Vec<&str> =
            links.filter(|link| figures.iter().any(|figures| link.starts_with(figures))).collect();
        // The one that leads to what is newest.
        let without: Vec<&&str> = of_figures.iter().filter(|link| !link.contains("as_of")).collect();
        assert_eq!(without.len(), 1, "{without:?}");
        assert!(of_figures.len() > 3, "{path}");
    }
}

#[tokio::test]
async fn a_page_as_json_is_what_the_json_lane_gives() {
    let app = with_demo().await;
    let answer =
        get(&app, &format!("/picture.json?area={HAMPSHIRE}&period=2021-22&as_of_revision=5&compare=none")).await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let question =
        json!({ "area": HAMPSHIRE, "period": "2021-22", "asOfRevision": "5", "comparison": "COMPARISON_NONE" });
    let lane = |method: &'static str, question: serde_json::Value| {
        let path = format!("/conspectus.v1.{method}");
        let address = app.address();
        async move {
            let key = authorization("analyst", Condition::Good).unwrap();
            let headers =
                [("content-type", "application/json"), ("authorization", &*key), ("conspectus-purpose", PURPOSE)];
            send(address, Method::POST, &path, &headers, question.to_string()).await
        }
    };
    assert_eq!(answer.text(), lane("PictureService/GetPicture", question).await.text());
    let answer = get(&app, &format!("/explain.json?indicator={CONTACTS}&area=NOWHERE&period=2022")).await;
    let question = json!({ "indicator": CONTACTS, "area": "NOWHERE", "period": "2022" });
    let expected = lane("PictureService/ExplainFigure", question).await;
    assert_eq!((answer.status, answer.text()), (StatusCode::BAD_REQUEST, expected.text()));
}

#[tokio::test]
async fn every_problem_of_a_question_is_said_at_its_field() {
    let app = with_catalogue().await;
    let path = "/picture?area=E10000015&period=2022&compare=last&as_of_revision=x&as_of=2022-09-30&aera=1";
    let answer = get(&app, path).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    let html = answer.text();
    assert!(html.contains("<title>Problem: "), "{html}");
    for field in ["area", "period", "compare", "as_of_revision", "as_of"] {
        let (link, what) = (format!("<a href=\"#{field}\">"), format!("id=\"{field}-problem\""));
        assert!(html.contains(&link) && html.contains(&what), "{field}: {html}");
        let control = html.split('<').find(|tag| tag.contains(&format!(" id=\"{field}\""))).unwrap();
        assert!(
            control.contains(&format!("{field}-problem\"")) && control.contains("aria-invalid=\"true\""),
            "{control}"
        );
    }
    let summary = html.split("<section class=\"problems\"").nth(1).unwrap().split("</section>").next().unwrap();
    let problems: Vec<String> = summary.split("<li>").skip(1).map(text).collect();
    insta::assert_snapshot!(problems.join("\n"));
    let answer = get(&app, &format!("/indicator?indicator={CONTACTS}&area={HAMPSHIRE}&from=2022&to=2021-22")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.text().contains("<a href=\"#from\">") && answer.text().contains("Definition"), "{}", answer.text());
    for (given, missing) in [(format!("&area={HAMPSHIRE}"), "to"), ("&to=2021-22".to_owned(), "area")] {
        let answer = get(&app, &format!("/indicator?indicator={CONTACTS}{given}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        let problem = format!("<a href=\"#{missing}\">");
        assert!(answer.text().contains(&problem) && answer.text().contains("Definition"), "{}", answer.text());
    }
    assert_eq!(get(&app, "/explain?indicator=none").await.status, StatusCode::BAD_REQUEST);
    assert_eq!(get(&app, "/indicator?indicator=none").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_page_shows_a_role_what_it_may_see_over_grpc() {
    let app = with_catalogue().await;
    submit(&app, submission("one", [figure(CONTACTS, "2020-21", "126150")])).await;
    let picture = |area: &str| format!("/picture?area={area}&period=2020-21");
    let of_agency = format!("/indicator?indicator={CONTACTS}&area={HAMPSHIRE}&to=2020-21&agency={CHILDRENS_SERVICES}");
    let pages = [picture(HAMPSHIRE), picture("E06000044"), of_agency, format!("/indicator?indicator={CONTACTS}")];
    for (who, expected) in [
        ("analyst", [200, 200, 200, 200]),
        ("analyst-of-hampshire", [200, 403, 200, 200]),
        ("analyst-of-social-care", [403, 403, 200, 200]),
        ("steward", [403, 403, 403, 200]),
        ("submitter", [403, 403, 403, 200]),
        ("corrector", [403, 403, 403, 200]),
        ("reader", [403, 403, 403, 403]),
        ("operator", [403, 403, 403, 403]),
    ] {
        for (path, expected) in pages.iter().zip(expected) {
            assert_eq!(get_as(&app, who, path).await.status.as_u16(), expected, "{who}: {path}");
            let json = path.replacen('?', ".json?", 1);
            assert_eq!(get_as(&app, who, &json).await.status.as_u16(), expected, "{who}: {json}");
        }
    }
    // Who hasn't signed in does so first, and goes on from there; a key in a header is nothing to the page.
    let key = authorization("analyst", Condition::Good).unwrap();
    for headers in [vec![], vec![("authorization", &*key), ("conspectus-purpose", PURPOSE)]] {
        let refused = send(app.web(), Method::GET, "/picture?area=HIPS&period=2021-22", &headers, "").await;
        let to = refused.header("location").unwrap();
        assert_eq!(
            (refused.status, to),
            (StatusCode::SEE_OTHER, "/sign-in?next=%2Fpicture%3Farea%3DHIPS%26period%3D2021-22")
        );
    }
    let ranked = format!("/indicator?indicator={CONTACTS}&area={HAMPSHIRE}&to=2020-21&rank=1");
    let ranked = get_as(&app, "analyst-of-hampshire", &ranked).await;
    assert!(ranked.text().contains("You may not see the figures of the other areas."), "{}", ranked.text());
}

/// What somebody might write who means harm.
const HOSTILE: &str = r#"<script>alert(1)</script> "><img src=x onerror=alert(1)> ' javascript:alert(1)"#;

#[tokio::test]
async fn what_others_wrote_is_only_ever_text() {
    let app = with_catalogue().await;
    let catalogue = json!({
        "areas": [{ "code": "BAD", "name": HOSTILE, "level": "upper-tier", "parents": [{ "code": "HIPS" }] }],
        "agencies": [{ "id": CHILDRENS_SERVICES, "name": HOSTILE, "sector": "social-care", "areas": ["BAD"] }],
        "indicators": [{
            "id": "bad", "title": HOSTILE, "definition": HOSTILE, "unit": "<b onclick=alert(1)>", "kind": "mean",
            "frequency": "financial-year", "due_days": 1, "reporting_level": "upper-tier", "across_agencies": "add",
            "version_note": HOSTILE, "source": HOSTILE, "expected_agencies": [{ "agency": CHILDRENS_SERVICES }],
        }],
    });
    let put: CataloguePut = serde_json::from_value(catalogue).unwrap();
    app.catalogue().put_catalogue(by("steward", put_request(&put, false))).await.unwrap();
    let mean = |mean: &str| conspectus::rpc::proto::Mean { mean: mean.to_owned(), count: "3".to_owned() };
    let explanation = CheckExplanation { explanation: HOSTILE.to_owned(), ..CheckExplanation::default() };
    let observation = |value: &str| Observation {
        indicator: "bad".to_owned(),
        area: "BAD".to_owned(),
        period: "2020-21".to_owned(),
        measure: Some(conspectus::rpc::proto::observation::Measure::Mean(mean(value))),
        note: HOSTILE.to_owned(),
        explanation: explanation.explanation.clone(),
        ..Observation::default()
    };
    for (request_id, value) in [("'\"><svg/onload=alert(1)>", "1.5"), ("../../<x>?a#b&c%2F", "2.5")] {
        let request = SubmitObservationsRequest {
            source: HOSTILE.to_owned(),
            reason: HOSTILE.to_owned(),
            ..submission(request_id, [observation(value)])
        };
        submit(&app, request).await;
    }
    let reflected = "%3Cscript%3Ealert(1)%3C/script%3E%22onfocus=%22alert(1)";
    for path in [
        "/".to_owned(),
        "/picture?area=BAD&period=2020-21".to_owned(),
        "/indicator".to_owned(),
        "/indicator?indicator=bad".to_owned(),
        "/indicator?indicator=bad&area=BAD&to=2020-21&by=agency&rank=1".to_owned(),
        "/explain?indicator=bad&area=BAD&period=2020-21".to_owned(),
        format!("/history?indicator=bad&agency={CHILDRENS_SERVICES}&area=BAD&period=2020-21"),
        format!("/picture?area={reflected}&period={reflected}&as_of={reflected}&{reflected}=1"),
        format!("/indicator?indicator={reflected}"),
        "/history?indicator=bad&area=BAD&period=2020-21".to_owned(),
        format!("/history?indicator=bad&area={reflected}&period={reflected}"),
        format!("/history.csv?indicator=bad&area={reflected}&period={reflected}"),
        format!("/indicator?indicator=bad&area=BAD&to=2020-21&by_dimension={reflected}&year_to_date={reflected}"),
        format!("/indicator?indicator=bad&area={reflected}&to={reflected}&agency={reflected}&breakdown={reflected}"),
        format!("/explain?indicator={reflected}&area=BAD&period=2020-21&agency={reflected}"),
        format!("/history?indicator=bad&agency={reflected}&area=BAD&period={reflected}&page_token={reflected}"),
    ] {
        let answer = get(&app, &path).await;
        let html = answer.text();
        assert!(answer.header("content-security-policy").unwrap().starts_with("default-src 'none'"), "{path}");
        for raw in ["<script", "<img", "<svg/", "<b onclick", "\"onfocus", "<x>", "href=\"javascript"] {
            assert!(!html.contains(raw), "{path}: {raw} in {html}");
        }
        for tag in html.split('<').skip(1).map(|tag| tag.split('>').next().unwrap()) {
            let outside: String = tag.split('"').step_by(2).collect();
            assert!(!outside.contains("alert"), "{path}: <{tag}>");
        }
    }
    let history =
        page(&app, &format!("/history?indicator=bad&agency={CHILDRENS_SERVICES}&area=BAD&period=2020-21")).await;
    assert!(text(&history).contains(HOSTILE));
    assert!(text(&history).contains("../../<x>?a#b&c%2F"), "{history}");
}

#[tokio::test]
async fn a_history_without_an_agency_is_that_of_the_one_that_reports_or_asks_whose() {
    let app = with_demo().await;
    let one = get(&app, &format!("/history?indicator={CONTACTS}&area={HAMPSHIRE}&period=FY2018-19")).await;
    let history =
        format!("/history?indicator={CONTACTS}&area={HAMPSHIRE}&period=FY2018-19&agency={CHILDRENS_SERVICES}");
    assert_eq!((one.status, one.header("location")), (StatusCode::SEE_OTHER, Some(&*history)));
    let csv = page(&app, &format!("/history.csv?indicator={CONTACTS}&area={HAMPSHIRE}&period=FY2018-19")).await;
    assert_eq!(csv, page(&app, &history.replace("/history?", "/history.csv?")).await);

    let several = "indicator=children-missing&area=E10000014&period=FY2021-22";
    let html = page(&app, &format!("/history?{several}")).await;
    let links = html.split("<main").nth(1).unwrap().split("href=\"").skip(1).map(|it| it.split('"').next().unwrap());
    let links: Vec<String> =
        links.map(|link| link.replace("&#38;", "&")).filter(|it| it.starts_with("/history?")).collect();
    assert!(links.len() > 1, "{html}");
    for link in &links {
        assert!(page(&app, link).await.contains("every value that was submitted"), "{link}");
    }
    let refused = get(&app, &format!("/history.xlsx?{several}")).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    for link in &links {
        assert!(refused.text().contains(link.rsplit('=').next().unwrap()), "{link}: {}", refused.text());
    }

    // Whoever may see one sector is asked about its agencies alone.
    let of_sector = get_as(&app, "analyst-of-social-care", &format!("/history?{several}")).await;
    assert_eq!(of_sector.status, StatusCode::SEE_OTHER, "{}", of_sector.text());
    let nobody = page(&app, "/history?indicator=children-missing&area=E10000014&period=FY1990-91").await;
    assert!(nobody.contains("No agency is expected to report this figure"), "{nobody}");
    assert_eq!(get(&app, "/history?indicator=none&area=E10000014&period=2022").await.status, StatusCode::BAD_REQUEST);
}

/// The figures of a page's tables, row by row: what the row is of, and its number.
fn figures(html: &str) -> Vec<(String, String)> {
    let rows = html.split("<tr><th scope=\"row\">").skip(1).filter(|row| row.contains("<td class=\"number\">"));
    let cell = |row: &str| {
        let (of, rest) = row.split_once("</th>").unwrap();
        (text(of), number(&text(rest.split("<td class=\"number\">").nth(1).unwrap().split("</td>").next().unwrap())))
    };
    rows.map(cell).collect()
}

#[tokio::test]
async fn a_series_is_broken_down_by_a_field_of_its_form_and_each_figure_leads_to_its_own_explanation() {
    let app = with_demo().await;
    let of = format!(
        "indicator=missing-episodes&area={HAMPSHIRE}&from=FY2021-22&to=FY2021-22&agency=hampshire-constabulary"
    );
    let html = page(&app, &format!("/indicator?{of}&by_dimension=sex")).await;
    let request = QueryAggregateRequest {
        agencies: vec!["hampshire-constabulary".to_owned()],
        by_dimension: "sex".to_owned(),
        ..query(["missing-episodes"], ["FY2021-22"], [GroupBy::Period])
    };
    let rows = app.pictures().query_aggregate(by("analyst", request)).await.unwrap().into_inner().rows;
    let values: Vec<String> = rows.iter().map(|row| value(&row.figure)).collect();
    assert!(values.len() == 4 && values[1..] == ["2082", "1735", "38"], "{values:?}");
    assert_eq!(figures(&html).into_iter().map(|(_, value)| value).collect::<Vec<_>>(), values);
    for (heading, category) in [("total", ""), ("Female", "female"), ("Male", "male")] {
        assert!(html.contains(&format!("<h2>Hampshire and Isle of Wight Constabulary, {heading}</h2>")), "{html}");
        let category = if category.is_empty() { String::new() } else { format!("&#38;breakdown=sex%3A{category}") };
        assert!(html.contains(&format!("&#38;agency=hampshire-constabulary{category}\"")), "{category}: {html}");
    }
    // One category alone, as the form's other field asks for it.
    let female = page(&app, &format!("/indicator?{of}&breakdown=sex%3Afemale")).await;
    assert_eq!(figures(&female)[0].1, "2082");
    assert!(female.contains("<option value=\"sex:female\" selected>Female</option>"), "{female}");
    let csv = page(&app, &format!("/indicator.csv?{of}&by_dimension=sex")).await;
    assert!(csv.contains(",female,Female,2082,"), "{csv}");
    let refused = get(&app, &format!("/indicator?{of}&by_dimension=shoe-size")).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.text().contains("<a href=\"#by_dimension\">"), "{}", refused.text());
}

#[tokio::test]
async fn a_series_to_date_has_what_the_financial_year_has_so_far() {
    let app = with_demo().await;
    let of =
        format!("indicator=missing-episodes&area={HAMPSHIRE}&from=2021-02&to=2021-06&agency=hampshire-constabulary");
    let request = QueryAggregateRequest {
        agencies: vec!["hampshire-constabulary".to_owned()],
        period_range: Some(PeriodRange { first: "2021-02".to_owned(), last: "2021-06".to_owned() }),
        year_to_date: true,
        ..query(["missing-episodes"], [], [GroupBy::Period])
    };
    let rows = app.pictures().query_aggregate(by("analyst", request)).await.unwrap().into_inner().rows;
    let html = page(&app, &format!("/indicator?{of}&year_to_date=1")).await;
    let shown = figures(&html);
    assert_eq!(
        shown.iter().map(|(_, it)| it.clone()).collect::<Vec<_>>(),
        rows.iter().map(|row| value(&row.figure)).collect::<Vec<_>>()
    );
    let names: Vec<&str> = shown.iter().map(|(of, _)| of.as_str()).collect();
    let expected = ["April 2020 to February 2021", "2020-21", "April 2021", "April to May 2021", "April to June 2021"];
    assert_eq!(names, expected);
    // The month before is a part of it: it is compared with the year before, unless another is asked for.
    for (compare, expected) in [("", "2020-06"), ("&compare=previous-period", "2021-05")] {
        let json = get(&app, &format!("/indicator.json?{of}&year_to_date=1{compare}")).await.json();
        assert_eq!(json["rows"][4]["change"]["fromPeriod"], expected, "{json}");
        let html = page(&app, &format!("/indicator?{of}&year_to_date=1{compare}")).await;
        assert!(html.contains(&format!("/indicator.csv?{}", of.replace('&', "&#38;"))), "{html}");
        assert_eq!(html.contains("&#38;compare=previous-period"), !compare.is_empty(), "{html}");
    }
    let main = html.split("<main").nth(1).unwrap();
    assert!(!main.contains("href=\"/explain?"), "no figure of its period: {main}");
    assert!(main.contains("name=\"year_to_date\" value=\"1\" checked"), "{main}");
    assert!(main.contains("in April to June 2021"), "{main}");
}

#[tokio::test]
async fn a_form_asks_only_for_what_has_an_effect() {
    let app = with_demo().await;
    for (path, expected) in [
        // By month, events with dimensions; by year, a ratio without; by quarter, a stock with; by quarter, distinct people.
        ("/indicator?indicator=missing-episodes", [true, true, true]),
        ("/indicator?indicator=assessments-timely", [false, false, false]),
        ("/indicator?indicator=children-looked-after", [true, true, false]),
        ("/indicator?indicator=children-missing", [true, true, false]),
        ("/picture?area=E10000014&period=FY2021-22", [false, false, false]),
    ] {
        let html = page(&app, path).await;
        let fields = ["breakdown", "by_dimension", "year_to_date"];
        let found = fields.map(|field| html.contains(&format!("name=\"{field}\"")));
        assert_eq!(found, expected, "{path}");
    }
    let asked = page(&app, "/indicator?indicator=children-missing&year_to_date=1").await;
    assert!(
        asked.contains("name=\"year_to_date\" value=\"1\" checked"),
        "what was asked for can be taken back: {asked}"
    );
}
