//! The way of a read: permission, the revision that it asks for, a compute permit, the query with
//! everything that is wrong with it, the answer, a line in the audit log, and only then the response.
//!
//! A new read is an implementation of [`Read`] for its request, and a call of [`unary`].

use std::ops::Range;

use prost::Message;
use tonic::{Request, Response, Status};

use crate::catalogue::Catalogue;
use crate::model::revision::Revision;
use crate::model::violation::Violations;
use crate::rpc::call::{self, Call};
use crate::rpc::context::Now;
use crate::rpc::convert::snapshot::Snapshot;
use crate::rpc::convert::{self, queries};
use crate::rpc::guard::{AuditScope, Question, Session};
use crate::rpc::page::{self, Page, Paging, Position};
use crate::rpc::{Context, Gate, as_of, number};
use crate::state::view::View;

/// A request that reads: the steps in which one read differs from another.
pub(crate) trait Read: AuditScope + Send + Sync {
    /// What is asked, its ids looked up in the catalogue of a view.
    type Query<'a>;
    /// What is sent.
    type Answer: Send;

    /// The page of the answer that is asked for; none when the answer is always whole.
    fn paging(&self) -> Option<Paging<'_>> {
        None
    }

    /// The query, with everything that is wrong with it.
    fn query<'a>(&self, view: View<'a>, violations: &mut Violations) -> Option<Self::Query<'a>>;

    /// The answer, which depends on nothing but the snapshot.
    ///
    /// # Errors
    /// When it would be too large.
    fn answer(&self, query: Self::Query<'_>, input: &AnswerInput<'_>) -> Result<Self::Answer, Violations>;
}

/// What an answer is computed from.
pub(crate) struct AnswerInput<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) view: View<'a>,
    pub(crate) page: &'a Page,
}

impl<'a> AnswerInput<'a> {
    pub(crate) fn catalogue(&self) -> &'a Catalogue {
        self.view.catalogue
    }

    /// The revision, as messages carry it.
    pub(crate) fn revision(&self) -> i64 {
        number(self.snapshot.revision)
    }

    /// The instant that the answer is of, as messages carry it.
    pub(crate) fn as_of(&self) -> Option<prost_types::Timestamp> {
        Some(convert::timestamp(self.snapshot.at))
    }

    /// Of so many rows those of the page, and the next page's token; empty on the last page.
    pub(crate) fn slice(&self, rows: usize) -> (Range<usize>, String) {
        self.page.slice(rows, self.snapshot.position())
    }
}

/// An answer of which the audit log doesn't know yet. It can't be sent: [`Unaudited::audit`] is the only
/// way to what is in it.
pub(crate) struct Unaudited<T> {
    answer: T,
    revision: Revision,
}

impl<T> Unaudited<T> {
    /// The answer, once a line about it is durable.
    ///
    /// # Errors
    /// When it can't be written.
    pub(crate) async fn audit(self, session: &Session, question: &Question) -> Result<T, Status> {
        session.audit_read(question.clone(), self.revision).await?;
        Ok(self.answer)
    }

    /// The same in another form.
    pub(crate) fn try_map<U, E>(self, form: impl FnOnce(T) -> Result<U, E>) -> Result<Unaudited<U>, E> {
        Ok(Unaudited { answer: form(self.answer)?, revision: self.revision })
    }

    /// What is new in it beside an earlier answer.
    pub(crate) fn since<U>(
        &self,
        earlier: Option<&Self>,
        difference: impl FnOnce(Option<&T>, &T) -> Option<U>,
    ) -> Option<Unaudited<U>> {
        let answer = difference(earlier.map(|earlier| &earlier.answer), &self.answer)?;
        Some(Unaudited { answer, revision: self.revision })
    }
}

/// Answers a read.
///
/// # Errors
/// When the caller may not, or anything is wrong with the query.
pub(crate) async fn unary<R: Read + Message>(gate: &Gate, request: Request<R>) -> Result<Response<R::Answer>, Status> {
    call::unary(gate, request, |Call { context, session, message, .. }| async move {
        let requested = message.requested_state();
        context.until_revision(requested.min_revision).await?;
        let as_of_time = requested.as_of_time.map(convert::instant);
        // What waits for a write keeps nobody else from computing.
        context.until_settled(as_of_time).await;
        let question = session.question(&message);
        let repeats = session.repeats(&message);
        let permit = session.compute_permit().await;
        let answer = permit.compute(|| answer_page(&message, context, context.now(), repeats))?;
        Ok(answer.audit(&session, &question).await?)
    })
    .await
}

/// The page of the answer that a request asks for, as of the revision or the instant that it asks for; or everything
/// that is wrong with the request, with what was found before.
fn answer_page<R: Read>(
    read: &R,
    context: &Context,
    now: Now,
    mut violations: Violations,
) -> Result<Unaudited<R::Answer>, Violations> {
    let requested = read.requested_state();
    if requested.min_revision < 0 {
        violations.add("min_revision", format!("found {}; allowed: 0 or more", requested.min_revision));
    }
    let page = read.paging().map_or_else(Page::whole, |paging| paging.page(page::ROWS, &mut violations));
    let (as_of_revision, as_of_time) = (requested.as_of_revision, requested.as_of_time.map(convert::instant));
    let snapshot = match page.position(as_of_revision, as_of_time, &mut violations) {
        None => Snapshot::requested(context, now, as_of_revision, as_of_time, &mut violations),
        // Pages after the first are of its revision and its instant, so that they agree with each other.
        Some(Position { revision, at }) => {
            if at > now.answered || now.state.revision_at(at) != revision {
                page::not_of_this_query(&mut violations);
            }
            let revision = as_of(&now.state, number(revision), &mut violations);
            Snapshot::of(context, now.state, Position { revision, at })
        }
    };
    answer(read, &snapshot, &page, violations)
}

/// The answer as of a snapshot.
///
/// # Errors
/// Everything that is wrong with the query, and what was found before.
pub(crate) fn answer<R: Read>(
    read: &R,
    snapshot: &Snapshot,
    page: &Page,
    mut violations: Violations,
) -> Result<Unaudited<R::Answer>, Violations> {
    let view = snapshot.view(queries::areas_as_of(read.requested_state().areas_as_of, &mut violations));
    let query = read.query(view, &mut violations).filter(|_| violations.is_empty());
    let Some(query) = query else { return Err(violations) };
    let answer = read.answer(query, &AnswerInput { snapshot, view, page })?;
    Ok(Unaudited { answer, revision: snapshot.revision })
}
