//! The submission service: figures in.

use std::sync::Arc;

use prost::Message as _;
use tonic::{Request, Response, Status, Streaming};

use super::read;
use super::returns;
use super::sent::{self, Sent};
use super::stream::{self, Streams};
use crate::entry::Withdrawal;
use crate::intake::admit::{Decision, Withdraw};
use crate::intake::writer::Written;
use crate::journal::ChainHash;
use crate::model::budget::Budget;
use crate::model::id::{AgencyId, RequestId};
use crate::model::observation::Observation;
use crate::model::revision::Revision;
use crate::model::submission::Submission;
use crate::model::text::{self, Layout};
use crate::model::violation::Violations;
use crate::model::zone::Zone;
use crate::rpc::call::{self, Call};
use crate::rpc::convert::columns::StreamDictionaries;
use crate::rpc::convert::parse_submission;
use crate::rpc::convert::receipt::{self, Accepted};
use crate::rpc::guard::Session;
use crate::rpc::page::{self, Paging, TokenBinding};
use crate::rpc::proto::submission_service_server::SubmissionService;
use crate::rpc::status;
use crate::rpc::{Gate, Limits, Streamed, Submitted, convert, count, number, proto};
use crate::state::{State, SubmissionRecord};

/// Serves `conspectus.v1.SubmissionService`.
#[derive(Debug, Clone)]
pub struct Submissions {
    gate: Gate,
    streams: Streams,
}

impl Submissions {
    /// The service behind a gate.
    pub fn new(gate: Gate) -> Self {
        Self::with_limits(gate, &Limits::default())
    }

    /// The same, with bounds of its own.
    pub(crate) fn with_limits(gate: Gate, limits: &Limits) -> Self {
        Self { gate, streams: Streams::new(limits.stream_idle_timeout) }
    }
}

#[tonic::async_trait]
impl SubmissionService for Submissions {
    async fn submit_observations(
        &self,
        request: Request<Submitted>,
    ) -> Result<Response<proto::SubmitObservationsResponse>, Status> {
        call::unary(&self.gate, request, |Call { context, session, message, received, .. }| async move {
            let thread = received.thread(message.figures()).await?;
            let sent = thread.work(|| Sent::parse(context, &session, message, &mut StreamDictionaries::default()))?;
            drop(received);
            if !sent.validate_only {
                return sent.write(context, &session).await;
            }
            Box::pin(sent.check(context, &session)).await
        })
        .await
    }

    type StreamSubmissionsStream = stream::Answers;

    async fn stream_submissions(
        &self,
        request: Request<Streaming<Streamed>>,
    ) -> Result<Response<Self::StreamSubmissionsStream>, Status> {
        let session = Session::of(&request)?;
        let context = self.gate.context()?;
        stream::start(context, &self.streams, session, request.into_inner()).map(Response::new)
    }

    async fn withdraw_submission(
        &self,
        request: Request<proto::WithdrawSubmissionRequest>,
    ) -> Result<Response<proto::WithdrawSubmissionResponse>, Status> {
        call::unary(&self.gate, request, |Call { context, session, message, .. }| async move {
            let withdrawal = withdrawal(&message)?;
            let locks = session.locks(withdrawal.agency.as_str());
            let withdrawal = Withdraw { withdrawal, locks };
            let (at, effect) = if message.validate_only {
                match context.validate(&context.newest(), &withdrawal)? {
                    Decision::Accept(_, effect) => (None, Some(effect)),
                    Decision::Already(revision) => (Some(revision), None),
                }
            } else {
                match session.writer(context).write(withdrawal).await? {
                    Written::Accepted { revision, effect, .. } => (Some(revision), Some(effect)),
                    Written::Already(revision) => (Some(revision), None),
                }
            };
            if let Some(revision) = at {
                session.answered_at(revision);
            }
            Ok(proto::WithdrawSubmissionResponse {
                revision: number(context.newest().revision()),
                withdrawn_at_revision: at.map_or(0, number),
                restored_count: effect.map_or(0, |effect| count(effect.restored)),
                removed_count: effect.map_or(0, |effect| count(effect.removed)),
            })
        })
        .await
    }

    async fn get_submission(
        &self,
        request: Request<proto::GetSubmissionRequest>,
    ) -> Result<Response<proto::GetSubmissionResponse>, Status> {
        call::unary(&self.gate, request, |Call { context, session, message, .. }| async move {
            let mut violations = Violations::default();
            let agency = violations.check("agency", AgencyId::parse(&message.agency));
            let request_id = violations.check("request_id", RequestId::parse(&message.request_id));
            let (Some(agency), Some(request_id)) = (agency, request_id) else { return Err(violations.into()) };
            let state = context.newest();
            let record =
                state.submission(&agency, &request_id).ok_or_else(|| no_such_submission(&agency, &request_id))?;
            let revision = record.revision;
            let (state, question) = (Arc::clone(&state), session.question(&message));
            let zone = context.zone.clone();
            let answer = move |stored: &Submission, accepted, budget: &Budget| {
                submission(&state, &zone, &message, stored, accepted, budget)
            };
            let answer = sent::read_back(context, session.compute(), revision, answer).await?;
            session.audit_read(question, revision).await?;
            Ok(answer)
        })
        .await
    }

    async fn verify_receipt(
        &self,
        request: Request<proto::VerifyReceiptRequest>,
    ) -> Result<Response<proto::VerifyReceiptResponse>, Status> {
        call::unary(&self.gate, request, |Call { context, session, message, .. }| async move {
            let told = told(&message)?;
            let state = context.newest();
            let record = state
                .submission(&told.agency, &told.request_id)
                .ok_or_else(|| no_such_submission(&told.agency, &told.request_id))?;
            let (revision, question) = (record.revision, session.question(&message));
            let accepted = sent::read_back(context, session.compute(), revision, |_, accepted, _| Ok(accepted)).await?;
            session.audit_read(question, state.revision()).await?;
            let verdict = match (number(accepted.revision) == message.revision, accepted.hash == told.hash) {
                (true, true) => proto::ReceiptVerdict::Verified,
                (true, false) => proto::ReceiptVerdict::OtherHash,
                (false, _) => proto::ReceiptVerdict::OtherRevision,
            };
            Ok(proto::VerifyReceiptResponse {
                revision: number(state.revision()),
                verdict: verdict.into(),
                found_revision: number(accepted.revision),
                found_chain_hash: accepted.hash.0.to_vec(),
                withdrawn_at_revision: state.withdrawn_at(revision).map(number).unwrap_or_default(),
            })
        })
        .await
    }

    async fn list_submissions(
        &self,
        request: Request<proto::ListSubmissionsRequest>,
    ) -> Result<Response<proto::ListSubmissionsResponse>, Status> {
        call::unary(&self.gate, request, |Call { context, session, message, .. }| async move {
            let (state, question) = (context.newest(), session.question(&message));
            let revision = state.revision();
            let answer = move |budget: &Budget| list(&state, &message, budget);
            let answer = read::compute(session.compute(), answer, read::smaller_pages).await?;
            session.audit_read(question, revision).await?;
            Ok(answer)
        })
        .await
    }

    async fn complete_return(
        &self,
        request: Request<proto::CompleteReturnRequest>,
    ) -> Result<Response<proto::CompleteReturnResponse>, Status> {
        call::unary(&self.gate, request, returns::complete).await
    }

    async fn get_return(
        &self,
        request: Request<proto::GetReturnRequest>,
    ) -> Result<Response<proto::GetReturnResponse>, Status> {
        call::unary(&self.gate, request, returns::get).await
    }

    async fn list_returns(
        &self,
        request: Request<proto::ListReturnsRequest>,
    ) -> Result<Response<proto::ListReturnsResponse>, Status> {
        call::unary(&self.gate, request, returns::list).await
    }
}

/// What an observation takes to be sent back: as many figures are looked at in that time, nearly.
const OBSERVATION_STEPS: usize = 8;

/// A submission with its observations, or a page of them, and what they did.
fn submission(
    state: &State,
    zone: &Zone,
    request: &proto::GetSubmissionRequest,
    stored: &Submission,
    accepted: Accepted,
    budget: &Budget,
) -> Result<proto::GetSubmissionResponse, Violations> {
    let mut violations = Violations::default();
    let cleared = proto::GetSubmissionRequest { page_size: 0, page_token: String::new(), ..request.clone() };
    let binding = TokenBinding::of("GetSubmission", &cleared);
    let paging = Paging { binding, size: request.page_size, token: &request.page_token };
    let page = paging.page_or_whole(page::ITEMS, &mut violations);
    violations.into_result(())?;
    let from = page.after().and_then(|after| after.parse().ok()).unwrap_or(0);
    let all = stored.observations.iter().enumerate().skip(from);
    let (observations, next_page_token) = page.cut(
        all.map_while(|observation| budget.spend(OBSERVATION_STEPS).ok().map(|()| observation)),
        accepted.revision,
        |(index, _)| (index + 1).to_string(),
        |(_, observation)| observation_message(observation),
    );
    // Every outcome is found, whatever the page: the receipt counts them.
    budget.spend(stored.observations.len()).map_err(|_| read::smaller_pages())?;
    let mut receipt = receipt::of_stored(state, stored, accepted, zone);
    receipt.outcomes = receipt.outcomes.into_iter().skip(from).take(observations.len()).collect();
    let answer = proto::GetSubmissionResponse {
        revision: number(state.revision()),
        submission: state.submission_at(accepted.revision).map(|record| summary(state, record)),
        observations,
        receipt: Some(receipt),
        next_page_token,
    };
    page::bounded(answer.encoded_len(), page::ask_for_pages)?;
    Ok(answer)
}

fn list(
    state: &State,
    request: &proto::ListSubmissionsRequest,
    budget: &Budget,
) -> Result<proto::ListSubmissionsResponse, Violations> {
    let mut violations = Violations::default();
    let cleared = proto::ListSubmissionsRequest { page_size: 0, page_token: String::new(), ..request.clone() };
    let binding = TokenBinding::of("ListSubmissions", &cleared);
    let paging = Paging { binding, size: request.page_size, token: &request.page_token };
    let page = paging.page(page::ITEMS, &mut violations);
    let of_agency =
        if request.agency.is_empty() { None } else { violations.check("agency", AgencyId::parse(&request.agency)) };
    violations.into_result(())?;
    let before = page.after().map_or(state.revision().next(), |after| Revision(after.parse().unwrap_or(0)));
    let of_agency = of_agency.map(|id| state.catalogue().agency(&id).map(|(agency, _)| agency));
    // Those of other agencies are looked at too.
    let within_budget = state.submissions_before(before).map_while(|record| budget.spend(1).ok().map(|()| record));
    let matching = within_budget.filter(|record| of_agency.is_none_or(|agency| agency == Some(record.agency)));
    let revision = page.revision().unwrap_or(state.revision());
    let (submissions, next_page_token) =
        page.cut(matching, revision, |record| record.revision.to_string(), |record| summary(state, *record));
    Ok(proto::ListSubmissionsResponse { revision: number(revision), submissions, next_page_token })
}

fn summary(state: &State, record: SubmissionRecord<'_>) -> proto::Submission {
    let withdrawn_at = state.withdrawn_at(record.revision);
    proto::Submission {
        agency: state.catalogue().agency_at(record.agency).id.to_string(),
        request_id: record.request_id.to_string(),
        revision: number(record.revision),
        accepted_at: state.accepted_at(record.revision).map(convert::timestamp),
        observation_count: count(record.observation_count),
        source: record.source.to_owned(),
        sample: record.sample,
        withdrawn_at_revision: withdrawn_at.map(number).unwrap_or_default(),
        reason: state.reason(record.revision).to_owned(),
        withdrawal_reason: withdrawn_at.map(|at| state.reason(at).to_owned()).unwrap_or_default(),
        return_id: state.return_of_submission(record.revision).map(ToString::to_string).unwrap_or_default(),
    }
}

fn observation_message(observation: &Observation) -> proto::Observation {
    proto::Observation {
        indicator: observation.indicator.to_string(),
        area: observation.area.to_string(),
        period: observation.period.to_string(),
        breakdown: convert::categories(&observation.breakdown),
        markers: convert::markers(observation.value.markers),
        note: observation.note.as_deref().unwrap_or_default().to_owned(),
        explanation: observation
            .explanations
            .iter()
            .find(|explanation| explanation.check.is_none())
            .map(|explanation| explanation.text.to_string())
            .unwrap_or_default(),
        check_explanations: convert::explanations(
            observation.explanations.iter().filter(|explanation| explanation.check.is_some()),
        ),
        measure: convert::measure(&observation.value),
        withdraw: observation.value.is_withdrawal(),
    }
}

fn no_such_submission(agency: &AgencyId, request_id: &RequestId) -> Status {
    let message = format!("`{agency}` has no submission `{request_id}`");
    status::not_found(status::SUBMISSION, request_id.as_str(), message)
}

/// What a receipt says, but for its revision, which is any number.
struct Told {
    agency: AgencyId,
    request_id: RequestId,
    hash: ChainHash,
}

fn told(request: &proto::VerifyReceiptRequest) -> Result<Told, Violations> {
    let mut violations = Violations::default();
    let agency = violations.check("agency", AgencyId::parse(&request.agency));
    let request_id = violations.check("request_id", RequestId::parse(&request.request_id));
    let found = request.chain_hash.len();
    let hash = <[u8; 32]>::try_from(request.chain_hash.as_slice()).map(ChainHash);
    let hash = violations.check("chain_hash", hash.map_err(|_| format!("found {found} bytes; allowed: 32")));
    let (Some(agency), Some(request_id), Some(hash)) = (agency, request_id, hash) else { return Err(violations) };
    Ok(Told { agency, request_id, hash })
}

fn withdrawal(request: &proto::WithdrawSubmissionRequest) -> Result<Withdrawal, Violations> {
    let mut violations = Violations::default();
    let agency = violations.check("agency", AgencyId::parse(&request.agency));
    let request_id = violations.check("request_id", RequestId::parse(&request.request_id));
    violations.check("reason", parse_submission::reason(&request.reason));
    violations.check("reason", text::check(&request.reason, Layout::Lines));
    let (Some(agency), Some(request_id)) = (agency, request_id) else { return Err(violations) };
    violations.into_result(Withdrawal { agency, request_id, reason: request.reason.clone() })
}
