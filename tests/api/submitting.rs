//! Figures in: receipts, safe retries, withdrawals.

use conspectus::rpc::proto::observation::Measure;
use conspectus::rpc::proto::{
    GetSubmissionRequest, GetSubmissionResponse, ListSubmissionsRequest, Marker, Observation, Percentage,
    SubmitObservationsRequest, WithdrawSubmissionRequest,
};
use tokio::task::JoinSet;
use tonic::{Code, Status};

use crate::app::{
    CHILDRENS_SERVICES, CONSTABULARY, HAMPSHIRE, TestApp, absent, figure, outcome_texts, query, refusal_text,
    submission, withdrawal,
};

const CONTACTS: &str = "initial-contacts";
const YEAR: &str = "FY2021-22";

fn contacts(number: &str) -> Observation {
    figure(CONTACTS, YEAR, number)
}

async fn get(app: &TestApp, request_id: &str) -> Result<GetSubmissionResponse, Status> {
    let request = GetSubmissionRequest {
        agency: CHILDRENS_SERVICES.to_owned(),
        request_id: request_id.to_owned(),
        ..Default::default()
    };
    Ok(app.submissions().get_submission(request).await?.into_inner())
}

#[tokio::test]
async fn what_its_sender_has_not_seen_is_not_stored_over() {
    let app = TestApp::with_catalogue().await;
    let seen = app.receipt(submission("first", [contacts("5"), figure(CONTACTS, "FY2020-21", "4")])).await.revision;
    let over = |request_id: &str, unchanged_since_revision, number: &str| SubmitObservationsRequest {
        unchanged_since_revision,
        ..submission(request_id, [contacts(number), figure(CONTACTS, "FY2020-21", "4")])
    };
    app.receipt(submission("elsewhere", [figure(CONTACTS, "FY2019-20", "3")])).await;
    let second = over("second", seen, "6");
    let receipt = app.receipt(second.clone()).await;
    assert_eq!(outcome_texts(&receipt), ["revised from 5 of revision 2", "unchanged since 2"]);
    // Sent again it is the same, though what it was sent over has changed.
    let again = app.submissions().submit_observations(second).await.unwrap().into_inner();
    assert!(again.already_received);

    for validate_only in [true, false] {
        let third = SubmitObservationsRequest { validate_only, ..over("third", seen, "7") };
        let status = app.submissions().submit_observations(third).await.unwrap_err();
        assert_eq!(
            refusal_text(&status),
            "Aborted FIGURES_CHANGED: 1 of 2 figures changed after revision 2; check the submission again, \
             which shows what stands now"
        );
    }
    for (wrong, found) in [(-1, "found -1"), (5, "found 5")] {
        let status = app.submissions().submit_observations(over("fourth", wrong, "7")).await.unwrap_err();
        let problem = format!("unchanged_since_revision: {found}; allowed: 0, or a revision up to 4, the newest");
        assert_eq!(refusal_text(&status), format!("InvalidArgument INVALID_REQUEST\n  {problem}"));
    }
    assert!(get(&app, "third").await.is_err());
    assert_eq!(
        outcome_texts(&app.receipt(over("third", 4, "7")).await),
        ["revised from 6 of revision 4", "unchanged since 2"]
    );
}

#[tokio::test]
async fn of_many_that_have_seen_the_same_one_is_stored() {
    let app = TestApp::with_catalogue().await;
    let seen = app.receipt(submission("first", [contacts("5")])).await.revision;
    let sent: JoinSet<_> = (0..16)
        .map(|number: i32| {
            let mut client = app.submissions();
            let one = submission(&format!("r{number}"), [contacts(&(100 + number).to_string())]);
            let request = SubmitObservationsRequest { unchanged_since_revision: seen, ..one };
            async move { client.submit_observations(request).await.map(drop).map_err(|status| status.code()) }
        })
        .collect();
    let answers = sent.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|answer| matches!(answer, Ok(()) | Err(Code::Aborted))), "{answers:?}");
}

#[tokio::test]
async fn a_receipt_has_the_outcome_of_each_figure() {
    let app = TestApp::with_catalogue().await;
    let timely = |percent: &str| Observation {
        measure: Some(Measure::Percentage(Percentage { percent: percent.to_owned(), base: "18496".to_owned() })),
        ..figure("assessments-timely", YEAR, "")
    };
    let looked_after = |marker| absent("children-looked-after", "FY2021-22-Q4", marker);
    let first = [contacts("5"), timely("87.9"), looked_after(Marker::NotAvailable)];
    let receipt = app.receipt(submission("first", first)).await;
    assert_eq!(outcome_texts(&receipt), ["new", "new", "new"]);
    assert_eq!((receipt.revision, receipt.chain_hash.len()), (2, 32));
    assert_eq!((receipt.agency.as_str(), receipt.request_id.as_str()), (CHILDRENS_SERVICES, "first"));

    let provisional = Observation { markers: vec![Marker::Provisional.into()], ..contacts("5") };
    let later = [provisional, timely("87.90"), looked_after(Marker::Confidential), figure(CONTACTS, "FY2020-21", "0")];
    let receipt = app.receipt(submission("second", later)).await;
    assert_eq!(
        outcome_texts(&receipt),
        ["revised from 5 of revision 2", "unchanged since 2", "revised from [x] of revision 2", "new"]
    );
    assert_eq!((receipt.new_count, receipt.revised_count, receipt.unchanged_count), (1, 2, 1));

    let receipt = app.receipt(submission("third", [contacts("5"), timely("88")])).await;
    assert_eq!(
        outcome_texts(&receipt),
        ["revised from 5 [p] of revision 3", "revised from 87.9 % of 18496 of revision 2"]
    );
}

#[tokio::test]
async fn two_agencies_may_use_the_same_request_id() {
    let app = TestApp::with_catalogue().await;
    let episodes = || [figure("missing-episodes", "2022-06", "5")];
    app.receipt(submission("one", episodes())).await;
    let police = SubmitObservationsRequest { agency: CONSTABULARY.to_owned(), ..submission("one", episodes()) };
    let answer = app.submit(police).await;
    assert!(!answer.already_received);
    assert_eq!(outcome_texts(&answer.receipt.unwrap()), ["new"]);
}

#[tokio::test]
async fn a_retry_gets_the_original_receipt_whatever_came_between() {
    let mut app = TestApp::with_catalogue().await;
    app.receipt(submission("before", [contacts("5")])).await;
    let request = submission("retried", [contacts("6"), figure(CONTACTS, "FY2020-21", "7")]);
    let first = app.submit(request.clone()).await;
    assert!(!first.already_received);
    let receipt = first.receipt.unwrap();
    assert_eq!(outcome_texts(&receipt), ["revised from 5 of revision 2", "new"]);

    app.receipt(submission("after", [contacts("9"), figure(CONTACTS, "FY2020-21", "7")])).await;
    app.withdraw("before").await;
    let mut other_words = request.clone();
    other_words.observations[0].period = "2021/22".to_owned();
    for round in ["while it runs", "after a restart"] {
        for retry in [&request, &other_words] {
            let answer = app.submit(retry.clone()).await;
            assert!(answer.already_received, "{round}");
            assert_eq!(answer.receipt.as_ref(), Some(&receipt), "{round}");
            assert_eq!(answer.revision, 5, "{round}");
        }
        assert_eq!(get(&app, "retried").await.unwrap().receipt.as_ref(), Some(&receipt), "{round}");
        assert_eq!(app.value(CONTACTS, YEAR).await, "9", "{round}");
        app.restart().await;
    }
}

#[tokio::test]
async fn retries_at_the_same_time_are_one_submission() {
    let app = TestApp::with_catalogue().await;
    let retries: Vec<_> = (0..20)
        .map(|_| {
            let mut client = app.submissions();
            let request = submission("again-and-again", [contacts("5")]);
            tokio::spawn(async move { client.submit_observations(request).await.unwrap().into_inner() })
        })
        .collect();
    let mut first_times = 0;
    for retry in retries {
        let answer = retry.await.unwrap();
        first_times += usize::from(!answer.already_received);
        assert_eq!(answer.receipt.unwrap().revision, 2);
    }
    assert_eq!((first_times, app.revision().await), (1, 2));
}

#[tokio::test]
async fn a_request_id_is_refused_for_other_content() {
    let app = TestApp::with_catalogue().await;
    let original = submission("used", [contacts("5"), figure(CONTACTS, "FY2020-21", "7")]);
    app.receipt(original.clone()).await;
    let others = [
        submission("used", [contacts("6")]),
        SubmitObservationsRequest { sample: true, ..original.clone() },
        SubmitObservationsRequest { source: "another report".to_owned(), ..original.clone() },
        SubmitObservationsRequest { validate_only: true, ..submission("used", [contacts("6")]) },
    ];
    for other in others {
        let refusal = app.try_submit(other).await.unwrap_err();
        assert_eq!(
            refusal_text(&refusal),
            "AlreadyExists REQUEST_ID_REUSED: request id `used` was received at revision 2 with other content; \
             use a new id for new content"
        );
    }
    assert_eq!((app.value(CONTACTS, YEAR).await.as_str(), app.revision().await), ("5", 2));
}

#[tokio::test]
async fn checking_only_answers_as_if_and_stores_nothing() {
    let app = TestApp::with_catalogue().await;
    app.receipt(submission("first", [contacts("5")])).await;
    let check = SubmitObservationsRequest {
        validate_only: true,
        ..submission("second", [contacts("6"), figure(CONTACTS, "FY2020-21", "7")])
    };
    for _ in 0..2 {
        let answer = app.submit(check.clone()).await;
        let receipt = answer.receipt.unwrap();
        assert_eq!(outcome_texts(&receipt), ["revised from 5 of revision 2", "new"]);
        assert_eq!((receipt.revision, receipt.accepted_at, receipt.chain_hash.len()), (0, None, 0));
        assert_eq!((answer.revision, answer.already_received), (2, false));
    }
    assert_eq!(app.value(CONTACTS, YEAR).await, "5");
    assert_eq!(get(&app, "second").await.unwrap_err().code(), Code::NotFound);

    let real = SubmitObservationsRequest { validate_only: false, ..check.clone() };
    let receipt = app.receipt(real).await;
    let checked_late = app.submit(check).await;
    assert!(checked_late.already_received);
    assert_eq!(checked_late.receipt, Some(receipt));

    let request = WithdrawSubmissionRequest { validate_only: true, ..withdrawal("second") };
    let answer = app.submissions().withdraw_submission(request).await.unwrap().into_inner();
    assert_eq!((answer.revision, answer.withdrawn_at_revision), (3, 0));
    assert_eq!((answer.restored_count, answer.removed_count), (1, 1));
    assert_eq!(app.value(CONTACTS, YEAR).await, "6");
}

#[tokio::test]
async fn a_submission_can_be_had_back_as_it_was_sent() {
    let mut app = TestApp::with_catalogue().await;
    let noted = Observation {
        note: "counted twice, by two people".to_owned(),
        markers: vec![Marker::Estimated.into(), Marker::Provisional.into()],
        ..contacts("5")
    };
    let sent = SubmitObservationsRequest {
        source: "quarterly return".to_owned(),
        sample: true,
        ..submission("kept", [noted, absent("children-looked-after", "FY2021-22-Q4", Marker::Low)])
    };
    let receipt = app.receipt(sent.clone()).await;
    for _ in 0..2 {
        let kept = get(&app, "kept").await.unwrap();
        assert_eq!(kept.observations, sent.observations);
        assert_eq!(kept.receipt.as_ref(), Some(&receipt));
        let known = kept.submission.unwrap();
        assert_eq!((known.source.as_str(), known.sample, known.observation_count), ("quarterly return", true, 2));
        assert_eq!((known.revision, known.accepted_at), (receipt.revision, receipt.accepted_at));
        assert_eq!(known.withdrawn_at_revision, 0);
        app.restart().await;
    }
}

#[tokio::test]
async fn a_period_comes_back_by_its_canonical_name() {
    let app = TestApp::with_catalogue().await;
    app.receipt(submission("named", [figure("children-looked-after", "Jan-Mar 2022", "5")])).await;
    assert_eq!(get(&app, "named").await.unwrap().observations[0].period, "FY2021-22-Q4");
}

#[tokio::test]
async fn submissions_are_listed_newest_first_in_pages_that_agree() {
    let app = TestApp::with_catalogue().await;
    for n in 0..5 {
        app.receipt(submission(&format!("request-{n}"), [contacts(&n.to_string())])).await;
    }
    let episodes = [figure("missing-episodes", "2022-06", "5")];
    app.receipt(SubmitObservationsRequest { agency: CONSTABULARY.to_owned(), ..submission("police", episodes) }).await;

    for (agency, expect) in [
        ("", vec!["police", "request-4", "request-3", "request-2", "request-1", "request-0"]),
        (CHILDRENS_SERVICES, vec!["request-4", "request-3", "request-2", "request-1", "request-0"]),
        (CONSTABULARY, vec!["police"]),
        ("isle-of-wight-nhs-trust", vec![]),
    ] {
        let mut listed = Vec::new();
        let mut revisions = Vec::new();
        let mut page_token = String::new();
        loop {
            let request = ListSubmissionsRequest { agency: agency.to_owned(), page_size: 2, page_token };
            let page = app.submissions().list_submissions(request).await.unwrap().into_inner();
            assert!(page.submissions.len() <= 2);
            listed.extend(page.submissions.into_iter().map(|submission| submission.request_id));
            revisions.push(page.revision);
            page_token = page.next_page_token;
            if page_token.is_empty() {
                break;
            }
            // What comes between is not on later pages.
            let between = submission(&format!("between-{agency}-{}", listed.len()), [contacts("99")]);
            let receipt = app.receipt(between).await;
            app.withdraw(&receipt.request_id).await;
        }
        let listed: Vec<_> = listed.iter().filter(|id| !id.starts_with("between")).collect();
        assert_eq!(listed, expect.iter().collect::<Vec<_>>(), "{agency:?}");
        assert!(revisions.windows(2).all(|pair| pair[0] == pair[1]), "{revisions:?}");
    }
}

#[tokio::test]
async fn a_withdrawal_restores_what_was_there_and_removes_what_was_new() {
    let mut app = TestApp::with_catalogue().await;
    app.receipt(submission("first", [contacts("5")])).await;
    app.receipt(submission("second", [contacts("6"), figure(CONTACTS, "FY2020-21", "7")])).await;
    let answer = app.withdraw("second").await;
    assert_eq!((answer.restored_count, answer.removed_count, answer.withdrawn_at_revision), (1, 1, 4));

    // Again, and after a restart, it changes nothing.
    for _ in 0..2 {
        let again = app.withdraw("second").await;
        assert_eq!((again.withdrawn_at_revision, again.revision), (4, 4));
        assert_eq!(app.value(CONTACTS, YEAR).await, "5");
        assert_eq!(app.value(CONTACTS, "FY2020-21").await, "NOT_REPORTED");
        assert_eq!(get(&app, "second").await.unwrap().submission.unwrap().withdrawn_at_revision, 4);
        app.restart().await;
    }
    let mut as_of = query([CONTACTS], [YEAR], []);
    as_of.as_of_revision = 3;
    assert_eq!(app.query(as_of).await[0].figure.as_ref().unwrap().value.as_deref(), Some("6"));

    let answer = app.withdraw("first").await;
    assert_eq!((answer.restored_count, answer.removed_count), (0, 1));
    assert_eq!(app.value(CONTACTS, YEAR).await, "NOT_REPORTED");
    let receipt = app.receipt(submission("third", [contacts("8")])).await;
    assert_eq!(outcome_texts(&receipt), ["new"]);
}

#[tokio::test]
async fn a_withdrawn_submission_leaves_later_figures_alone() {
    let app = TestApp::with_catalogue().await;
    app.receipt(submission("first", [contacts("5")])).await;
    app.receipt(submission("second", [contacts("6")])).await;
    app.receipt(submission("third", [contacts("7")])).await;
    let answer = app.withdraw("second").await;
    assert_eq!((answer.restored_count, answer.removed_count), (0, 0));
    assert_eq!(app.value(CONTACTS, YEAR).await, "7");
    // Nor does it come back when the later one goes.
    app.withdraw("third").await;
    assert_eq!(app.value(CONTACTS, YEAR).await, "5");
}

#[tokio::test]
async fn a_figure_sent_twice_stays_when_the_first_is_withdrawn() {
    let app = TestApp::with_catalogue().await;
    app.receipt(submission("first", [contacts("5")])).await;
    let receipt = app.receipt(submission("second", [contacts("5")])).await;
    assert_eq!(outcome_texts(&receipt), ["unchanged since 2"]);
    app.withdraw("first").await;
    assert_eq!(app.value(CONTACTS, YEAR).await, "5");
    app.withdraw("second").await;
    assert_eq!(app.value(CONTACTS, YEAR).await, "NOT_REPORTED");
}

#[tokio::test]
async fn a_withdrawal_of_nothing_is_not_found() {
    let app = TestApp::with_catalogue().await;
    for (agency, request_id) in [(CHILDRENS_SERVICES, "none"), ("nobody", "none")] {
        let request = WithdrawSubmissionRequest { agency: agency.to_owned(), ..withdrawal(request_id) };
        let refusal = app.submissions().withdraw_submission(request).await.unwrap_err();
        assert_eq!(refusal_text(&refusal), format!("NotFound NOT_FOUND: `{agency}` has no submission `{request_id}`"));
    }
    let refusal = app
        .submissions()
        .withdraw_submission(WithdrawSubmissionRequest {
            agency: "Police!".to_owned(),
            request_id: "a b".to_owned(),
            ..WithdrawSubmissionRequest::default()
        })
        .await
        .unwrap_err();
    insta::assert_snapshot!(refusal_text(&refusal), @r"
    InvalidArgument INVALID_REQUEST
      agency: found `Police!`; allowed: 1 to 64 lower-case letters, digits and single hyphens, starting with a letter
      request_id: found `a b`; allowed: 1 to 64 printable ASCII characters without spaces
      reason: found nothing; allowed: 1 to 500 characters, not all of them spaces
    ");
    assert_eq!(app.revision().await, 1);
}

#[tokio::test]
async fn a_reader_that_asks_for_the_receipts_revision_reads_what_was_written() {
    let app = TestApp::with_catalogue().await;
    for n in 1..=20 {
        let receipt = app.receipt(submission(&format!("request-{n}"), [contacts(&n.to_string())])).await;
        let mut request = query([CONTACTS], [YEAR], []);
        request.min_revision = receipt.revision;
        assert_eq!(app.query(request).await[0].figure.as_ref().unwrap().value.as_deref(), Some(n.to_string().as_str()));
    }
    // Asked before it is there, a query waits for it.
    let mut early = query([CONTACTS], [YEAR], []);
    early.min_revision = 22;
    let mut client = app.pictures();
    let waiting = tokio::spawn(async move { client.query_aggregate(early).await.unwrap().into_inner() });
    tokio::task::yield_now().await;
    app.receipt(submission("awaited", [contacts("100")])).await;
    let answer = waiting.await.unwrap();
    assert_eq!(answer.revision, 22);
    assert_eq!(answer.rows[0].figure.as_ref().unwrap().value.as_deref(), Some("100"));
    assert_eq!(answer.rows[0].area, "", "combined over {HAMPSHIRE} alone");
}
