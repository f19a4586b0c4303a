//! Returns: several submissions of which their sender says what they have in all.

use super::read;
use crate::catalogue::AgencyIx;
use crate::intake::admit::Decision;
use crate::intake::writer::Written;
use crate::model::budget::Budget;
use crate::model::id::{AgencyId, ReturnId};
use crate::model::revision::Revision;
use crate::model::violation::Violations;
use crate::rpc::call::{Call, Refusal};
use crate::rpc::page::{self, Paging, TokenBinding};
use crate::rpc::status::{self, Reason};
use crate::rpc::{convert, count, number, proto};
use crate::state::{Return, ReturnKey, State};

/// Completes a return.
pub(super) async fn complete(
    Call { context, session, message, .. }: Call<'_, proto::CompleteReturnRequest>,
) -> Result<proto::CompleteReturnResponse, Refusal> {
    let completion = convert::manifest::completion(&message)?;
    let at = if message.validate_only {
        match context.validate(&context.newest(), &completion)? {
            Decision::Accept(..) => None,
            Decision::Already(revision) => Some(revision),
        }
    } else {
        match session.writer(context).write(completion).await? {
            Written::Accepted { revision, .. } | Written::Already(revision) => Some(revision),
        }
    };
    if let Some(revision) = at {
        session.answered_at(revision);
    }
    let revision = number(context.newest().revision());
    Ok(proto::CompleteReturnResponse { revision, completed_at_revision: at.map_or(0, number) })
}

/// One return, with what it has.
pub(super) async fn get(
    Call { context, session, message, .. }: Call<'_, proto::GetReturnRequest>,
) -> Result<proto::GetReturnResponse, Refusal> {
    let mut violations = Violations::default();
    let agency = violations.check("agency", AgencyId::parse(&message.agency));
    let return_id = violations.check("return_id", ReturnId::parse(&message.return_id));
    let (Some(agency), Some(return_id)) = (agency, return_id) else { return Err(violations.into()) };
    let state = context.newest();
    let known = state.return_of(&agency, &return_id).ok_or_else(|| {
        Refusal::from(status::error(Reason::NotFound, format!("`{agency}` has no return `{return_id}`")))
    })?;
    let answer = proto::GetReturnResponse {
        revision: number(state.revision()),
        summary: Some(summary(&state, agency.as_str(), return_id.as_str(), known)),
        manifest: Some(convert::manifest::message(&known.manifest())),
    };
    session.audit_read(session.question(&message), state.revision()).await?;
    Ok(answer)
}

/// Returns, by agency and id.
pub(super) async fn list(
    Call { context, session, message, .. }: Call<'_, proto::ListReturnsRequest>,
) -> Result<proto::ListReturnsResponse, Refusal> {
    let (state, question) = (context.newest(), session.question(&message));
    let revision = state.revision();
    let answer = move |budget: &Budget| page_of(&state, &message, budget);
    let answer = read::compute(session.compute(), answer, read::smaller_pages).await?;
    session.audit_read(question, revision).await?;
    Ok(answer)
}

fn page_of(
    state: &State,
    request: &proto::ListReturnsRequest,
    budget: &Budget,
) -> Result<proto::ListReturnsResponse, Violations> {
    let mut violations = Violations::default();
    let cleared = proto::ListReturnsRequest { page_size: 0, page_token: String::new(), ..request.clone() };
    let binding = TokenBinding::of("ListReturns", &cleared);
    let paging = Paging { binding, size: request.page_size, token: &request.page_token };
    let page = paging.page(page::ITEMS, &mut violations);
    let of_agency =
        if request.agency.is_empty() { None } else { violations.check("agency", AgencyId::parse(&request.agency)) };
    violations.into_result(())?;
    let of_agency = of_agency.map(|id| state.catalogue().agency(&id).map(|(agency, _)| agency));
    // What is counted of a return is counted of each of its submissions.
    let within = |(_, of): &(&ReturnKey, &Return)| budget.spend(1 + of.part_count()).is_ok();
    let all = state.returns_after(page.after().and_then(key)).take_while(within);
    let matching = all.filter(|((agency, _), _)| of_agency.is_none_or(|only| only == Some(*agency)));
    let revision = page.revision().unwrap_or(state.revision());
    let (returns, next_page_token) = page.cut(
        matching,
        revision,
        |((agency, return_id), _)| format!("{}:{return_id}", agency.0),
        |((agency, return_id), of)| {
            summary(state, state.catalogue().agency_at(*agency).id.as_str(), return_id.as_str(), of)
        },
    );
    Ok(proto::ListReturnsResponse { revision: number(revision), returns, next_page_token })
}

/// The place of a return in a page's token.
fn key(after: &str) -> Option<ReturnKey> {
    let (agency, return_id) = after.split_once(':')?;
    Some((AgencyIx(agency.parse().ok()?), ReturnId::parse(return_id).ok()?))
}

fn summary(state: &State, agency: &str, return_id: &str, of: &Return) -> proto::Return {
    let at = |revision: Revision| state.accepted_at(revision).map(convert::timestamp);
    let completed = of.completed.as_ref().map(|(revision, _)| *revision);
    proto::Return {
        agency: agency.to_owned(),
        return_id: return_id.to_owned(),
        complete: completed.is_some(),
        part_count: count(of.part_count()),
        figure_count: i64::try_from(of.figures()).unwrap_or(i64::MAX),
        opened_at_revision: number(of.opened),
        opened_at: at(of.opened),
        completed_at_revision: completed.map_or(0, number),
        completed_at: completed.and_then(at),
    }
}
