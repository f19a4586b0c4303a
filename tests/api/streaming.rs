//! Figures in bulk: columns, and many submissions over one call.

use std::time::Duration;

use conspectus::rpc::proto::observation::Measure;
use conspectus::rpc::proto::stream_submissions_response::Result as StreamResult;
use conspectus::rpc::proto::{
    CategoryRef, FigureColumns, FigureExplanation, FigureNote, GetSubmissionRequest, ListSubmissionsRequest, Marker,
    Observation, Percentage, Ratio, Refusal, StreamSubmissionsRequest, StreamSubmissionsResponse,
    SubmitObservationsRequest, ValueForm,
};
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Request, Status, Streaming};
use tonic_types::StatusExt;

use crate::app::{CHILDRENS_SERVICES, HAMPSHIRE, TestApp, absent, figure, outcome_texts, refusal_text, submission};
use crate::identities::{self, Condition, authorization};
use crate::raw::stream_bytes;

const CONTACTS: &str = "initial-contacts";
const TIMELY: &str = "assessments-timely";
const YEAR: &str = "FY2021-22";

/// An open stream: what is sent, and what comes.
struct Open {
    send: mpsc::Sender<StreamSubmissionsRequest>,
    answers: Streaming<StreamSubmissionsResponse>,
}

impl Open {
    async fn on(app: &TestApp) -> Result<Self, Status> {
        let (send, messages) = mpsc::channel(1);
        let answers = app.submissions().stream_submissions(ReceiverStream::new(messages)).await?.into_inner();
        Ok(Self { send, answers })
    }

    async fn send(&self, submission: SubmitObservationsRequest) {
        self.send.send(StreamSubmissionsRequest { submission: Some(submission) }).await.unwrap();
    }

    /// Why it ends, once it does.
    async fn ended(&mut self) -> Status {
        let ended = tokio::time::timeout(Duration::from_secs(30), self.answers.message()).await;
        ended.expect("it hasn't ended").unwrap_err()
    }

    /// Sends one, and waits for its answer.
    async fn ask(&mut self, submission: SubmitObservationsRequest) -> String {
        let request_id = submission.request_id.clone();
        self.send(submission).await;
        let answer = self.answers.message().await.unwrap().unwrap();
        assert_eq!(answer.request_id, request_id);
        text(&answer)
    }
}

/// All answers to these, in one stream, read while they are sent.
async fn stream(app: &TestApp, submissions: Vec<SubmitObservationsRequest>) -> Vec<StreamSubmissionsResponse> {
    let messages = submissions.into_iter().map(|it| StreamSubmissionsRequest { submission: Some(it) });
    let messages = tokio_stream::iter(messages.collect::<Vec<_>>());
    let mut answers = app.submissions().stream_submissions(messages).await.unwrap().into_inner();
    let mut all = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        all.push(answer);
    }
    all
}

/// An answer in short: `2: new, new`, `2 again: new`, or the refusal.
fn text(answer: &StreamSubmissionsResponse) -> String {
    match answer.result.as_ref().unwrap() {
        StreamResult::Accepted(accepted) => {
            let receipt = accepted.receipt.as_ref().unwrap();
            let again = if accepted.already_received { " again" } else { "" };
            let counts = (receipt.new_count, receipt.revised_count, receipt.unchanged_count);
            format!("{}{again}: {counts:?}", receipt.revision)
        }
        StreamResult::Refused(refusal) => refused_text(refusal),
    }
}

fn refused_text(refusal: &Refusal) -> String {
    let mut text = format!("{:?} {}", Code::from(refusal.code), refusal.reason);
    if refusal.violations.is_empty() {
        text += &format!(": {}", refusal.message);
    }
    for violation in &refusal.violations {
        text += &format!("\n  {}: {}", violation.field, violation.description);
    }
    text
}

fn contacts(number: &str) -> Observation {
    figure(CONTACTS, YEAR, number)
}

/// Columns of Hampshire's initial contacts in two years.
fn columns() -> FigureColumns {
    FigureColumns {
        indicators: vec![CONTACTS.to_owned()],
        areas: vec![HAMPSHIRE.to_owned()],
        periods: vec![YEAR.to_owned(), "FY2020-21".to_owned()],
        period: vec![0, 1],
        digits: vec![5, 6],
        ..FigureColumns::default()
    }
}

fn of_columns(request_id: &str, columns: FigureColumns) -> SubmitObservationsRequest {
    SubmitObservationsRequest { columns: Some(columns), ..submission(request_id, []) }
}

#[tokio::test]
async fn columns_say_the_same_as_messages() {
    let app = TestApp::with_catalogue().await;
    let ratio = Ratio { numerator: "3".to_owned(), denominator: "4".to_owned() };
    let percentage = Percentage { percent: "87.90".to_owned(), base: "18496".to_owned() };
    let sex = CategoryRef { dimension: "sex".to_owned(), category: "female".to_owned() };
    let messages = submission(
        "one",
        [
            Observation { note: "counted twice".to_owned(), ..contacts("117188") },
            Observation {
                markers: vec![Marker::Provisional.into()],
                explanation: "a flood".to_owned(),
                ..figure(CONTACTS, "2020/21", "7")
            },
            Observation { measure: Some(Measure::Ratio(ratio)), ..figure(TIMELY, YEAR, "") },
            Observation { measure: Some(Measure::Percentage(percentage)), ..figure(TIMELY, "FY2020-21", "") },
            Observation { breakdown: vec![sex], ..figure("children-looked-after", "FY2021-22-Q4", "5") },
            absent("children-looked-after", "FY2021-22-Q4", Marker::Low),
        ],
    );
    let none = i32::from(ValueForm::None);
    let columns = FigureColumns {
        indicators: vec![CONTACTS.to_owned(), TIMELY.to_owned(), "children-looked-after".to_owned()],
        areas: vec![HAMPSHIRE.to_owned()],
        periods: vec![YEAR.to_owned(), "FY2020-21".to_owned(), "Jan-Mar 2022".to_owned(), "2020 to 2021".to_owned()],
        breakdowns: vec![String::new(), "sex=female".to_owned()],
        indicator: vec![0, 0, 1, 1, 2, 2],
        area: vec![],
        period: vec![0, 3, 0, 1, 2, 2],
        breakdown: vec![0, 0, 0, 0, 1, 0],
        form: vec![1, 1, 2, 3, 1, none],
        digits: vec![117_188, 7, 3, 8790, 5, 0],
        decimals: vec![0, 0, 0, 2, 0, 0],
        base_digits: vec![0, 0, 4, 18_496, 0, 0],
        base_decimals: vec![0],
        markers: vec![0, 1 << 6, 0, 0, 0, 1 << 3],
        notes: vec![FigureNote { figure: 0, note: "counted twice".to_owned() }],
        explanations: vec![FigureExplanation { figure: 1, explanation: "a flood".to_owned(), ..Default::default() }],
    };
    let first = app.receipt(messages.clone()).await;
    assert_eq!(outcome_texts(&first), ["new"; 6]);

    // Under the same id it is the same submission, whichever way it comes.
    let again = app.submit(of_columns("one", columns.clone())).await;
    assert!(again.already_received);
    let receipt = again.receipt.unwrap();
    assert_eq!((receipt.revision, &receipt.chain_hash), (first.revision, &first.chain_hash));
    assert_eq!((receipt.new_count, receipt.outcomes.len(), &receipt.outcome_column), (6, 0, &vec![1]));

    let receipt = app.receipt(of_columns("two", columns)).await;
    assert_eq!((receipt.unchanged_count, &receipt.outcome_column), (6, &vec![3]));
    assert_eq!(receipt.previous_revision_column, [2]);
    let kept = async |request_id: &str| {
        let request = GetSubmissionRequest {
            agency: CHILDRENS_SERVICES.to_owned(),
            request_id: request_id.to_owned(),
            ..Default::default()
        };
        app.submissions().get_submission(request).await.unwrap().into_inner().observations
    };
    assert_eq!(kept("two").await, kept("one").await);

    let receipt = app.receipt(of_columns("three", FigureColumns { digits: vec![5, 7], ..self::columns() })).await;
    assert_eq!(receipt.outcome_column, [2]);
    assert_eq!(receipt.previous_revision_column, [2]);
}

#[tokio::test]
async fn whatever_is_wrong_with_columns_is_reported_where_it_is() {
    let app = TestApp::with_catalogue().await;
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let with = |change: fn(&mut FigureColumns)| {
        let mut columns = columns();
        change(&mut columns);
        columns
    };
    let mut report = String::new();
    for (name, columns) in [
        ("nothing", FigureColumns::default()),
        (
            "dictionaries of junk",
            FigureColumns {
                indicators: texts(&["Initial Contacts"]),
                areas: texts(&["King's Lynn"]),
                periods: texts(&["2022", "soon"]),
                breakdowns: texts(&["sex"]),
                breakdown: vec![0],
                ..columns()
            },
        ),
        ("indexes outside", with(|it| (it.indicator, it.area, it.period) = (vec![0, 1], vec![7], vec![0, u32::MAX]))),
        ("columns of other lengths", with(|it| (it.area, it.period, it.form) = (vec![0; 3], vec![0; 3], vec![1; 3]))),
        ("forms", with(|it| it.form = vec![0, 9])),
        ("a number with a base", with(|it| it.base_digits = vec![0, 3])),
        ("digits of no value", with(|it| (it.form, it.markers) = (vec![5], vec![2]))),
        ("long numbers", with(|it| it.digits = vec![i64::MAX, -1_000_000_000_000_000])),
        ("many decimals", with(|it| it.decimals = vec![7, 300])),
        ("markers", with(|it| it.markers = vec![1 << 9, u32::MAX])),
        ("a value and a reason why there is none", with(|it| it.markers = vec![1, 0])),
        ("no value and no reason", with(|it| (it.form, it.digits) = (vec![5], vec![0, 0]))),
        ("several reasons", with(|it| (it.form, it.digits, it.markers) = (vec![5], vec![0, 0], vec![0b11]))),
        ("the same figure twice", with(|it| it.periods[1] = "2021/22".to_owned())),
        ("what the catalogue refuses", with(|it| (it.digits, it.decimals) = (vec![-5, 55], vec![0, 1]))),
        ("notes", with(|it| it.notes = vec![FigureNote { figure: 2, note: "n".repeat(501) }])),
        ("too many", with(|it| (it.period, it.digits) = (vec![], vec![1; 10_001]))),
    ] {
        let refusal = app.try_submit(of_columns("x", columns)).await.unwrap_err();
        report += &format!("{name}\n{}\n", refusal_text(&refusal));
    }
    let both = SubmitObservationsRequest { columns: Some(columns()), ..submission("x", [contacts("5")]) };
    report += &format!("both\n{}\n", refusal_text(&app.try_submit(both).await.unwrap_err()));
    insta::assert_snapshot!(report);
    assert_eq!(app.revision().await, 1);
}

#[tokio::test]
async fn a_stream_answers_each_in_order_and_goes_on_after_a_refusal() {
    let app = TestApp::with_catalogue().await;
    let submissions = vec![
        submission("one", [contacts("5")]),
        submission("wrong", [figure("no-such-thing", YEAR, "5")]),
        of_columns("two", columns()),
        submission("one", [contacts("6")]),
        SubmitObservationsRequest { validate_only: true, ..submission("checked", [contacts("9")]) },
        submission("one", [contacts("5")]),
        SubmitObservationsRequest::default(),
    ];
    let answers = stream(&app, submissions.clone()).await;
    let ids: Vec<_> = answers.iter().map(|answer| answer.request_id.as_str()).collect();
    assert_eq!(ids, ["one", "wrong", "two", "one", "checked", "one", ""]);
    insta::assert_snapshot!(answers.iter().map(text).collect::<Vec<_>>().join("\n"));
    assert_eq!(app.revision().await, 3);

    // Sent again, nothing is stored again.
    let answers = stream(&app, submissions).await;
    assert_eq!(text(&answers[0]), "2 again: (1, 0, 0)");
    assert_eq!(text(&answers[2]), "3 again: (1, 0, 1)");
    assert_eq!(app.revision().await, 3);
    assert_eq!(app.value(CONTACTS, YEAR).await, "5");
}

#[tokio::test]
async fn the_dictionaries_of_a_stream_grow_and_keep_their_indexes() {
    let app = TestApp::with_catalogue().await;
    let mut open = Open::on(&app).await.unwrap();
    assert_eq!(open.ask(of_columns("one", columns())).await, "2: (2, 0, 0)");
    let more = |periods: &[&str], period: &[u32], digits: &[i64]| FigureColumns {
        periods: periods.iter().map(|text| (*text).to_owned()).collect(),
        period: period.to_vec(),
        digits: digits.to_vec(),
        ..FigureColumns::default()
    };
    assert_eq!(open.ask(of_columns("two", more(&["FY2019-20"], &[2, 0], &[7, 5]))).await, "3: (1, 0, 1)");
    let report = [
        open.ask(of_columns("three", more(&["whenever", "FY2018-19"], &[4, 3], &[1, 2]))).await,
        open.ask(of_columns("four", more(&[], &[3, 9], &[1, 2]))).await,
        // What is wrong with a figure doesn't keep its dictionaries from growing.
        open.ask(of_columns("five", more(&["FY2017-18"], &[5], &[-1]))).await,
    ];
    insta::assert_snapshot!(report.join("\n"));
    assert_eq!(open.ask(of_columns("six", more(&[], &[4, 5], &[1, 2]))).await, "4: (2, 0, 0)");
    assert_eq!(app.value(CONTACTS, "FY2018-19").await, "1");

    // Another stream starts anew.
    let mut other = Open::on(&app).await.unwrap();
    assert!(other.ask(of_columns("seven", more(&[], &[4], &[1]))).await.starts_with("InvalidArgument"));
}

#[tokio::test]
async fn a_dictionary_without_end_ends_the_stream() {
    let app = TestApp::with_catalogue().await;
    let mut open = Open::on(&app).await.unwrap();
    let areas = (0..=65_536).map(|n| format!("A{n}")).collect();
    open.send(of_columns("many", FigureColumns { areas, area: vec![1], period: vec![], digits: vec![5], ..columns() }))
        .await;
    // What came with it is answered before the stream ends.
    assert_eq!(
        text(&open.answers.message().await.unwrap().unwrap()),
        "InvalidArgument INVALID_REQUEST\n  columns.areas: found more than 65536; allowed: 65536 at the most"
    );
    let ended = open.answers.message().await.unwrap_err();
    assert_eq!(
        refusal_text(&ended),
        "InvalidArgument INVALID_REQUEST\n  columns: a dictionary of the stream has more than 65536 items; go on in another stream"
    );
}

#[tokio::test]
async fn a_dictionary_that_grows_message_by_message_ends_the_stream_too() {
    let app = TestApp::with_catalogue().await;
    let mut open = Open::on(&app).await.unwrap();
    for n in 0..3 {
        let indicators = vec!["a".to_owned(); 30_000];
        let more = FigureColumns { indicators, digits: vec![], ..FigureColumns::default() };
        let answer = open.ask(of_columns(&format!("part-{n}"), more)).await;
        assert!(answer.starts_with("InvalidArgument"), "it has no figures: {answer}");
    }
    let ended = refusal_text(&open.ended().await);
    assert!(ended.contains("columns: a dictionary of the stream has more than 65536 items"), "{ended}");
}

#[tokio::test]
async fn the_dictionaries_of_all_streams_of_a_sender_have_a_bound_together() {
    /// Each of the four dictionaries of a stream may have a few more.
    const ITEMS: usize = 65_000;
    let app = TestApp::seeded(identities::seed).await;
    let columns = FigureColumns {
        indicators: vec!["a".to_owned(); ITEMS],
        areas: vec!["A".to_owned(); ITEMS],
        periods: vec!["2022".to_owned(); ITEMS],
        breakdowns: vec![String::new(); ITEMS],
        ..FigureColumns::default()
    };
    let mut open = Vec::new();
    for _ in 0..2 {
        let (send, messages) = mpsc::channel(1);
        let mut request = Request::new(ReceiverStream::new(messages));
        let key = authorization("submitter", Condition::Good).unwrap();
        request.metadata_mut().insert("authorization", key.parse().unwrap());
        let answers = app.submissions().stream_submissions(request).await.unwrap().into_inner();
        let mut stream = Open { send, answers };
        assert!(stream.ask(of_columns("x", columns.clone())).await.starts_with("InvalidArgument"));
        open.push(stream);
    }
    let ended = refusal_text(&open[1].ended().await);
    assert!(ended.contains("the dictionaries of the streams that are open have too many items together"), "{ended}");
}

#[tokio::test]
async fn a_message_that_cant_be_read_ends_the_stream_after_what_came_before() {
    let app = TestApp::with_catalogue().await;
    let good = StreamSubmissionsRequest { submission: Some(submission("one", [contacts("5")])) }.encode_to_vec();
    for (name, bad, why) in [
        ("junk", vec![0xff; 20], "not a message of this method"),
        ("too large", vec![0; 5 << 20], "the request has 5242880 bytes; allowed: 4194304"),
        ("too large to be read", vec![0; 17 << 20], "the request has 17825792 bytes; allowed: 4194304"),
    ] {
        let messages = tokio_stream::iter([good.clone(), bad, good.clone()]);
        let mut answers = stream_bytes(app.channel(), messages).await.unwrap();
        assert!(matches!(answers.message().await.unwrap().unwrap().result, Some(StreamResult::Accepted(_))), "{name}");
        let ended = refusal_text(&answers.message().await.unwrap_err());
        assert!(ended.starts_with("InvalidArgument INVALID_REQUEST") && ended.contains(why), "{name}: {ended}");
    }
    assert_eq!(app.revision().await, 2);
}

#[tokio::test]
async fn answers_that_nobody_reads_hold_the_sender_up_and_are_not_lost() {
    const SENT: usize = 400;
    let app = TestApp::with_catalogue().await;
    // Windows so small that few answers fit between the server and a reader who doesn't read.
    let endpoint = app.endpoint().initial_stream_window_size(1_024).initial_connection_window_size(64 << 10);
    let channel = endpoint.connect().await.unwrap();
    let mut client = conspectus::rpc::client::submission_service_client::SubmissionServiceClient::new(channel);
    let (send, messages) = mpsc::channel(1);
    let mut answers = client.stream_submissions(ReceiverStream::new(messages)).await.unwrap().into_inner();
    let sending = tokio::spawn(async move {
        for n in 0..SENT {
            let submission = Some(submission(&format!("r{n}"), [contacts(&n.to_string())]));
            send.send(StreamSubmissionsRequest { submission }).await.unwrap();
        }
    });
    let stored = async || {
        let request = ListSubmissionsRequest { page_size: 1_000, ..ListSubmissionsRequest::default() };
        app.submissions().list_submissions(request).await.unwrap().into_inner().submissions.len()
    };
    // It stops by itself, well before all are taken.
    let mut last = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = stored().await;
        if now > 0 && now == last {
            break;
        }
        last = now;
    }
    assert!(last < SENT / 2, "{last} of {SENT} were taken from a sender who reads nothing");
    for n in 0..SENT {
        let answer = answers.message().await.unwrap().unwrap();
        assert_eq!(answer.request_id, format!("r{n}"));
        assert!(matches!(answer.result, Some(StreamResult::Accepted(_))));
    }
    assert!(answers.message().await.unwrap().is_none());
    sending.await.unwrap();
    assert_eq!(stored().await, SENT);
}

#[tokio::test]
async fn many_streams_of_the_same_submissions_store_each_once() {
    const STREAMS: usize = 16;
    const EACH: usize = 50;
    let app = TestApp::with_catalogue().await;
    let submissions: Vec<_> =
        (0..EACH).map(|n| submission(&format!("r{n}"), [figure(CONTACTS, YEAR, &n.to_string())])).collect();
    let streams = (0..STREAMS).map(|n| {
        let mut submissions = submissions.clone();
        submissions.rotate_left(n * EACH / STREAMS);
        stream(&app, submissions)
    });
    let mut first_times = 0;
    for answers in futures_all(streams).await {
        assert_eq!(answers.len(), EACH);
        for answer in answers {
            let Some(StreamResult::Accepted(accepted)) = answer.result else { panic!("{answer:?}") };
            first_times += usize::from(!accepted.already_received);
        }
    }
    assert_eq!(first_times, EACH);
    assert_eq!(app.revision().await, 1 + i64::try_from(EACH).unwrap());
}

async fn futures_all<F: Future>(futures: impl Iterator<Item = F>) -> Vec<F::Output> {
    // One task polls all: they overlap on the server.
    let mut waiting: Vec<_> = futures.map(Box::pin).collect();
    let mut done: Vec<Option<F::Output>> = waiting.iter().map(|_| None).collect();
    std::future::poll_fn(move |context| {
        let mut all = true;
        for (future, done) in waiting.iter_mut().zip(&mut done) {
            if done.is_none() {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(output) => *done = Some(output),
                    std::task::Poll::Pending => all = false,
                }
            }
        }
        if all {
            std::task::Poll::Ready(done.iter_mut().filter_map(Option::take).collect())
        } else {
            std::task::Poll::Pending
        }
    })
    .await
}

#[tokio::test]
async fn one_stream_too_many_is_refused_until_another_ends() {
    let app = TestApp::with_catalogue().await;
    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(Open::on(&app).await.unwrap());
    }
    let refusal = Open::on(&app).await.map(|_| ()).unwrap_err();
    assert_eq!(
        refusal_text(&refusal),
        "ResourceExhausted TOO_MANY_STREAMS: 64 streams are open already; try again later"
    );
    assert!(refusal.get_details_retry_info().is_some_and(|info| info.retry_delay.is_some()));
    // A stream that ends gives its permit back, however it ends.
    drop(open.pop());
    let start = std::time::Instant::now();
    while Open::on(&app).await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(10), "a stream that is gone keeps its permit");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_server_that_stops_answers_what_it_took_and_ends_the_stream() {
    let mut app = TestApp::with_catalogue().await;
    let mut open = Open::on(&app).await.unwrap();
    assert_eq!(open.ask(submission("one", [contacts("5")])).await, "2: (1, 0, 0)");
    let stopped = app.begin_stop();
    let refusal = open.answers.message().await.unwrap_err();
    assert_eq!(refusal_text(&refusal), "Unavailable STOPPING: the server is stopping; go on in a moment");
    stopped.await.unwrap().unwrap();
}
