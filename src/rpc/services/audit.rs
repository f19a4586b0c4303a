//! The audit service: who read what, for operators.

use tonic::{Request, Response, Status};

use super::read;
use crate::audit::{self, Event, LinesBefore, NumberedLine};
use crate::model::budget::Stopped;
use crate::model::id::{AreaCode, IdentityId};
use crate::model::revision::Revision;
use crate::model::violation::Violations;
use crate::rpc::call::{self, Call, Refusal};
use crate::rpc::convert;
use crate::rpc::guard::Guard;
use crate::rpc::page::{self, Paging, TokenBinding};
use crate::rpc::proto::audit_service_server::AuditService;
use crate::rpc::status::{self, Reason};
use crate::rpc::{Gate, number, proto};

/// Serves `conspectus.v1.AuditService`.
#[derive(Debug, Clone)]
pub struct Audit {
    gate: Gate,
    guard: Guard,
}

impl Audit {
    /// The service behind a gate and a guard.
    pub fn new(gate: Gate, guard: Guard) -> Self {
        Self { gate, guard }
    }
}

#[tonic::async_trait]
impl AuditService for Audit {
    async fn list_audit_lines(
        &self,
        request: Request<proto::ListAuditLinesRequest>,
    ) -> Result<Response<proto::ListAuditLinesResponse>, Status> {
        call::unary(&self.gate, request, |Call { context, session, message, .. }| async move {
            let (revision, question) = (context.newest().revision(), session.question(&message));
            let log = self.guard.audit_log().cloned();
            let work = move |_: &_| list(log.as_ref(), revision, &message);
            let answer = match session.compute().answer_from_disk(work).await {
                Ok(answer) => answer?,
                Err(Stopped::TooMuch) => return Err(read::smaller_pages().into()),
                Err(Stopped::Left) => return Err(status::error(Reason::Stopping, "the server is stopping").into()),
            };
            session.audit_read(question, revision).await?;
            Ok(answer)
        })
        .await
    }
}

/// The lines that a request asks for, of what is read of the log for one page.
fn list(
    log: Option<&audit::Log>,
    revision: Revision,
    request: &proto::ListAuditLinesRequest,
) -> Result<proto::ListAuditLinesResponse, Refusal> {
    let mut violations = Violations::default();
    let cleared = proto::ListAuditLinesRequest { page_size: 0, page_token: String::new(), ..request.clone() };
    let binding = TokenBinding::of("ListAuditLines", &cleared);
    let paging = Paging { binding, size: request.page_size, token: &request.page_token };
    let page = paging.page(page::ITEMS, &mut violations);
    let filter = filter(request, &mut violations);
    violations.into_result(())?;
    let before = page.after().and_then(|after| after.parse().ok());
    let found = log
        .map_or_else(|| Ok(Some(LinesBefore::default())), |log| log.newest(&filter, before, page.size() + 1))
        .map_err(|error| unreadable(&error))?;
    let Some(LinesBefore { lines, rest }) = found else {
        let mut violations = Violations::default();
        violations
            .add("page_token", "the audit log goes on without that line since; allowed: none, for its newest lines");
        return Err(violations.into());
    };
    let (lines, next_page_token) =
        page.cut(lines, revision, |(start, _)| start.to_string(), |(_, line)| line_message(line));
    let next_page_token = match rest {
        Some(start) if next_page_token.is_empty() => page.token_after(revision, start.to_string()),
        Some(_) | None => next_page_token,
    };
    Ok(proto::ListAuditLinesResponse { revision: number(revision), lines, next_page_token })
}

/// What a request looks for.
fn filter(request: &proto::ListAuditLinesRequest, violations: &mut Violations) -> audit::Filter {
    let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let (identity, area) = (given(&request.identity), given(&request.area));
    if let Some(identity) = &identity {
        violations.check("identity", IdentityId::parse(identity));
    }
    if let Some(area) = &area {
        violations.check("area", AreaCode::parse(area));
    }
    let [since, until] = [&request.since, &request.until].map(|at| at.as_ref().map(convert::instant));
    if since.zip(until).is_some_and(|(since, until)| until <= since) {
        violations.add("until", "it isn't after `since`; allowed: a later instant, or none");
    }
    let event = proto::AuditEvent::try_from(request.event).map(event_of).unwrap_or_else(|_| {
        let what = format_args!("found {}; allowed: a value of AuditEvent", request.event);
        violations.add("event", what);
        None
    });
    audit::Filter {
        identity,
        method: given(&request.method),
        area,
        event,
        is_refusal: request.only_refusals,
        purpose: given(&request.purpose),
        since,
        until,
    }
}

fn unreadable(error: &audit::Error) -> Refusal {
    tracing::error!(%error, "the audit log can't be read");
    status::error(Reason::AuditUnavailable, "the audit log can't be read; the server's log says why").into()
}

fn line_message(NumberedLine { n, at, line }: &NumberedLine) -> proto::AuditLine {
    proto::AuditLine {
        number: number(Revision(*n)),
        at: at.parse().ok(),
        event: event(line.event).into(),
        identity: line.identity.clone(),
        credential: line.credential.clone(),
        address: line.address.clone(),
        method: line.method.clone(),
        scope: line.scope.clone(),
        question_hash: line.question.clone(),
        purpose: line.purpose.clone(),
        revision: number(Revision(line.revision)),
        outcome: line.outcome.clone(),
    }
}

fn event(event: Event) -> proto::AuditEvent {
    match event {
        Event::Read => proto::AuditEvent::Read,
        Event::Refused => proto::AuditEvent::Refused,
        Event::Keys => proto::AuditEvent::Keys,
        Event::RefusedMore => proto::AuditEvent::RefusedMore,
        Event::Repaired => proto::AuditEvent::Repaired,
        Event::Continued => proto::AuditEvent::Continued,
        Event::Lost => proto::AuditEvent::Lost,
        Event::OlderJournal => proto::AuditEvent::OlderJournal,
        Event::Closed => proto::AuditEvent::Closed,
        Event::Pruned => proto::AuditEvent::Pruned,
    }
}

/// The event that a value stands for; none for the one that is unset.
fn event_of(value: proto::AuditEvent) -> Option<Event> {
    match value {
        proto::AuditEvent::Unspecified => None,
        proto::AuditEvent::Read => Some(Event::Read),
        proto::AuditEvent::Refused => Some(Event::Refused),
        proto::AuditEvent::Keys => Some(Event::Keys),
        proto::AuditEvent::RefusedMore => Some(Event::RefusedMore),
        proto::AuditEvent::Repaired => Some(Event::Repaired),
        proto::AuditEvent::Continued => Some(Event::Continued),
        proto::AuditEvent::Lost => Some(Event::Lost),
        proto::AuditEvent::OlderJournal => Some(Event::OlderJournal),
        proto::AuditEvent::Closed => Some(Event::Closed),
        proto::AuditEvent::Pruned => Some(Event::Pruned),
    }
}
