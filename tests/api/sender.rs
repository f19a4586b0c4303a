//! What a sender means: which values are the same, what a retry is, and text that can't be seen.

use conspectus::rpc::proto::observation::Measure;
use conspectus::rpc::proto::{
    FigureColumns, FigureNote, GetHistoryRequest, Observation, Percentage, PutCatalogueRequest,
    SubmitObservationsRequest,
};
use tonic::Status;
use tonic_types::StatusExt;

use crate::app::{CHILDRENS_SERVICES, HAMPSHIRE, TestApp, catalogue, figure, outcome_texts, refusal_text, submission};

const CONTACTS: &str = "initial-contacts";
const YEAR: &str = "FY2021-22";

fn contacts(number: &str) -> Observation {
    figure(CONTACTS, YEAR, number)
}

/// The history of the contacts in short: `2: 5`, `4: withdrawn`.
async fn history(app: &TestApp) -> Vec<String> {
    let request = GetHistoryRequest {
        indicator: CONTACTS.to_owned(),
        area: HAMPSHIRE.to_owned(),
        period: YEAR.to_owned(),
        agency: CHILDRENS_SERVICES.to_owned(),
        ..GetHistoryRequest::default()
    };
    let items = app.pictures().get_history(request).await.unwrap().into_inner().items;
    let value = |value: &str| if value.is_empty() { "withdrawn".to_owned() } else { value.to_owned() };
    items.iter().map(|item| format!("{}: {}", item.revision, value(&item.value))).collect()
}

async fn withdraw(app: &TestApp, request_id: &str) -> (i32, i32) {
    let answer = app.withdraw(request_id).await;
    (answer.restored_count, answer.removed_count)
}

#[tokio::test]
async fn a_number_written_otherwise_is_the_same_value() {
    let mut app = TestApp::with_catalogue().await;
    app.receipt(submission("first", [contacts("5")])).await;
    let receipt = app.receipt(submission("second", [contacts("5.0")])).await;
    assert_eq!(outcome_texts(&receipt), ["unchanged since 2"]);
    // After a restart too: what is replayed is what was applied.
    for _ in 0..2 {
        assert_eq!(history(&app).await, ["2: 5"]);
        app.restart().await;
    }
    // Still the value of revision 2 to the next that comes.
    let receipt = app.receipt(submission("third", [contacts("6")])).await;
    assert_eq!(outcome_texts(&receipt), ["revised from 5 of revision 2"]);
}

#[tokio::test]
async fn a_value_that_another_submission_confirms_is_not_changed_by_the_withdrawal_of_the_first() {
    let app = TestApp::with_catalogue().await;
    app.receipt(submission("first", [contacts("5")])).await;
    app.receipt(submission("second", [contacts("5.0")])).await;
    // It stays 5, so nothing is restored, and its history gains nothing.
    assert_eq!(withdraw(&app, "first").await, (0, 0));
    assert_eq!(history(&app).await, ["2: 5"]);
    let receipt = app.receipt(submission("third", [contacts("5")])).await;
    assert_eq!(outcome_texts(&receipt), ["unchanged since 2"]);
    let receipt = app.receipt(submission("fourth", [contacts("7")])).await;
    assert_eq!(outcome_texts(&receipt), ["revised from 5 of revision 2"]);
}

#[tokio::test]
async fn zeros_at_the_end_of_a_number_are_no_decimals() {
    let app = TestApp::with_catalogue().await;
    app.receipt(submission("whole", [contacts("41.0")])).await;
    assert_eq!(app.value(CONTACTS, YEAR).await, "41");
    let refusal = app.try_submit(submission("half", [contacts("41.5")])).await.unwrap_err();
    assert_eq!(
        refusal_text(&refusal),
        "InvalidArgument INVALID_REQUEST\n  \
         observations[0].number: found `41.5`; allowed for `initial-contacts`: a whole number"
    );
}

#[tokio::test]
async fn a_new_figure_after_a_withdrawal_names_the_withdrawal() {
    let app = TestApp::with_catalogue().await;
    let receipt = app.receipt(submission("first", [contacts("5")])).await;
    assert_eq!(receipt.outcomes[0].previous_revision, 0);
    assert_eq!(withdraw(&app, "first").await, (0, 1));
    let receipt = app.receipt(submission("second", [contacts("5")])).await;
    assert_eq!(outcome_texts(&receipt), ["new"]);
    // The withdrawal was revision 3.
    assert_eq!(receipt.outcomes[0].previous_revision, 3);
    assert_eq!(history(&app).await, ["2: 5", "3: withdrawn", "4: 5"]);
}

#[tokio::test]
async fn the_same_figures_in_another_order_or_writing_are_the_same_content() {
    let app = TestApp::with_catalogue().await;
    let noted = Observation { note: "a strike".to_owned(), ..contacts("5") };
    let timely = |percent: &str| Observation {
        measure: Some(Measure::Percentage(Percentage { percent: percent.to_owned(), base: "40".to_owned() })),
        ..figure("assessments-timely", YEAR, "")
    };
    let first =
        app.receipt(submission("one", [noted.clone(), timely("87.9"), figure(CONTACTS, "FY2020-21", "7")])).await;
    let retry = [figure(CONTACTS, "2020/21", "7.0"), noted, timely("87.90")];
    let answer = app.submit(submission("one", retry.clone())).await;
    let again = answer.receipt.unwrap();
    assert!(answer.already_received);
    assert_eq!((again.revision, again.chain_hash), (first.revision, first.chain_hash));
    for changed in 0..3 {
        let mut other = retry.clone();
        other[changed].note.push('!');
        let refusal = app.try_submit(submission("one", other)).await.unwrap_err();
        assert!(refusal_text(&refusal).starts_with("AlreadyExists REQUEST_ID_REUSED"), "{changed}");
    }
}

fn texts(status: &Status) -> Vec<String> {
    let violations = status.get_details_bad_request().unwrap().field_violations;
    violations.into_iter().map(|violation| format!("{}: {}", violation.field, violation.description)).collect()
}

const NO_HIDDEN: &str = "allowed: no characters that can't be seen";

#[tokio::test]
async fn text_that_cant_be_seen_is_refused_at_its_field() {
    let app = TestApp::with_catalogue().await;
    let noted = |note: &str| Observation { note: note.to_owned(), ..contacts("5") };
    let request = SubmitObservationsRequest {
        source: "a\u{1b}[31m".to_owned(),
        ..submission(
            "one",
            [Observation { period: "FY2020-21".to_owned(), ..noted("fine:\n\tyes") }, noted("\u{202e}x")],
        )
    };
    let expect = [
        format!("source: found U+001B as character 2, a control character; {NO_HIDDEN}"),
        format!(
            "observations[1].note: found U+202E as character 1, which changes the direction of text; {NO_HIDDEN}, but for line breaks and tabs"
        ),
    ];
    assert_eq!(texts(&app.try_submit(request.clone()).await.unwrap_err()), expect);
    // Together with what can't be parsed.
    let mut worse = request;
    worse.observations[0].period = "2022".to_owned();
    assert_eq!(texts(&app.try_submit(worse).await.unwrap_err()).len(), 3);

    let columns = FigureColumns {
        indicators: vec![CONTACTS.to_owned()],
        areas: vec![HAMPSHIRE.to_owned()],
        periods: vec![YEAR.to_owned()],
        indicator: vec![0],
        area: vec![0],
        period: vec![0],
        digits: vec![5],
        notes: vec![FigureNote { figure: 0, note: "a\u{200b}".to_owned() }],
        ..FigureColumns::default()
    };
    let request = SubmitObservationsRequest { columns: Some(columns), ..submission("two", []) };
    let expect = format!(
        "observations[0].note: found U+200B as character 2, which is invisible; {NO_HIDDEN}, but for line breaks and tabs"
    );
    assert_eq!(texts(&app.try_submit(request).await.unwrap_err()), [expect]);

    let mut put = PutCatalogueRequest { indicators: vec![], ..catalogue() };
    put.indicators = catalogue().indicators.into_iter().take(1).collect();
    put.areas.truncate(1);
    put.areas[0].name = "Hamp\u{ad}shire".to_owned();
    put.indicators[0].title = "one\ntwo".to_owned();
    put.indicators[0].definition = "one\n\ttwo".to_owned();
    let refused = texts(&app.catalogue().put_catalogue(put).await.unwrap_err());
    let expect = [
        format!("areas[0].name: found U+00AD as character 5, which is invisible; {NO_HIDDEN}"),
        format!("indicators[0].title: found U+000A as character 4, a control character; {NO_HIDDEN}"),
    ];
    assert_eq!(refused, expect);
}

#[tokio::test]
async fn an_id_with_a_look_alike_letter_says_which_it_is() {
    let app = TestApp::with_catalogue().await;
    // A Cyrillic о, and a Cyrillic Е.
    let look_alikes = Observation { area: "Е10000014".to_owned(), ..figure("initial-cоntacts", YEAR, "5") };
    let refused = texts(&app.try_submit(submission("one", [look_alikes])).await.unwrap_err());
    assert_eq!(
        refused,
        [
            "observations[0].indicator: found `initial-cоntacts`, whose character 10, `о` (U+043E), only looks like `o`; allowed: 1 to 64 lower-case letters, digits and single hyphens, starting with a letter",
            "observations[0].area: found `Е10000014`, whose character 1, `Е` (U+0415), only looks like `E`; allowed: 1 to 32 letters, digits and hyphens, an ONS code for a place that has one",
        ]
    );
}

#[tokio::test]
async fn a_figure_of_columns_has_one_note_at_the_most() {
    let app = TestApp::with_catalogue().await;
    let note = |text: &str| FigureNote { figure: 0, note: text.to_owned() };
    let columns = FigureColumns {
        indicators: vec![CONTACTS.to_owned()],
        areas: vec![HAMPSHIRE.to_owned()],
        periods: vec![YEAR.to_owned()],
        indicator: vec![0],
        area: vec![0],
        period: vec![0],
        digits: vec![5],
        notes: vec![note("one"), note("two")],
        ..FigureColumns::default()
    };
    let request = SubmitObservationsRequest { columns: Some(columns), ..submission("one", []) };
    assert_eq!(
        texts(&app.try_submit(request).await.unwrap_err()),
        ["columns.notes[1].figure: found 0 again; allowed: one note on a figure"]
    );
}
