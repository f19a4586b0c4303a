//! The way of a read: permission, the revision that it asks for, a turn to compute, the query with everything that
//! is wrong with it, the answer within its budget, a line in the audit log, and only then the response.
//!
//! A new read is an implementation of [`Read`] for its request, and a call of [`unary`].

use std::sync::Arc;

use bytes::Bytes;
use prost::Message;
use tonic::{Request, Response, Status};

use crate::catalogue::Catalogue;
use crate::model::budget::{Budget, Stopped};
use crate::model::protobuf::Writer;
use crate::model::revision::Revision;
use crate::model::violation::Violations;
use crate::rpc::call::{self, Call, Refusal};
use crate::rpc::context::Now;
use crate::rpc::convert::snapshot::Snapshot;
use crate::rpc::convert::{self, queries};
use crate::rpc::guard::{AuditScope, Compute, Question, Session, Subject as _};
use crate::rpc::page::{self, Page, Paging, Position};
use crate::rpc::status::{self, Reason};
use crate::rpc::{Context, Encoded, Gate, as_of, number};
use crate::state::view::View;

/// A request that reads: the steps in which one read differs from another.
pub(crate) trait Read: AuditScope + Message + 'static {
    /// What is asked, its ids looked up in the catalogue of a view.
    type Query<'a>;
    /// The fields that an answer grows with, for whoever has to ask for less.
    const GROWS_WITH: &'static [&'static str];

    /// The page of the answer that is asked for; none when the answer is always whole.
    fn paging(&self) -> Option<Paging<'_>> {
        None
    }

    /// The query, with everything that is wrong with it.
    fn query<'a>(&self, view: View<'a>, violations: &mut Violations) -> Option<Self::Query<'a>>;

    /// The answer, written as it is sent, which depends on nothing but the snapshot. Where its budget ends it, it isn't
    /// used.
    ///
    /// # Errors
    /// When it would be too large.
    fn answer(&self, query: Self::Query<'_>, input: &AnswerInput<'_>) -> Result<Writer, Violations>;
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

    /// Writes of some rows those of the page, and gives the next page's token; empty on the last page.
    pub(crate) fn rows<R>(
        &self,
        out: &mut Writer,
        rows: impl IntoIterator<Item = R>,
        write: impl FnMut(&mut Writer, &R),
    ) -> String {
        let rows = rows.into_iter().map_while(|row| self.view.spend(1).ok().map(|()| row));
        self.page.fill(rows, self.snapshot.position(), out, write)
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
}

impl<K, T> Unaudited<(K, Option<T>)> {
    /// What is kept of the answer, and never sent; and what is sent of it, if anything is.
    pub(crate) fn set_aside(self) -> (K, Option<Unaudited<T>>) {
        let (kept, sent) = self.answer;
        (kept, sent.map(|answer| Unaudited { answer, revision: self.revision }))
    }
}

/// Answers a read.
///
/// # Errors
/// When the caller may not, or anything is wrong with the query.
pub(crate) async fn unary<R: Read>(gate: &Gate, request: Request<R>) -> Result<Response<Encoded>, Status> {
    call::unary(gate, request, |Call { context, session, message, received, .. }| async move {
        let look = || (session.question(&message), session.repeats(&message));
        let (question, repeats) = received.work(message.weight(), look).await?;
        drop(received);
        let requested = message.requested_state();
        context.until_revision(requested.min_revision).await?;
        let as_of_time = requested.as_of_time.map(convert::instant);
        // What waits for a write keeps nobody else from computing.
        context.until_settled(as_of_time).await;
        let (read, context) = (Arc::new(message), context.clone());
        let answer = move |budget: &Budget| answer_page(&*read, &context, context.now(), budget, repeats.clone());
        let answer = session.traced("compute", compute(session.compute(), answer, too_much::<R>)).await?;
        // What there is no room for isn't sent, and so it isn't read.
        let answer = answer.try_map(|answer| session.admit(answer.len()).map(|()| answer))?;
        Ok(Encoded(answer.audit(&session, &question).await?))
    })
    .await
}

/// Computes what a read asks for.
///
/// # Errors
/// What the work refuses; that it takes too much; or that the server stops.
pub(crate) async fn compute<T: Send + 'static>(
    compute: &Compute,
    work: impl Fn(&Budget) -> Result<T, Violations> + Send + 'static,
    too_much: impl FnOnce() -> Violations,
) -> Result<T, Refusal> {
    match compute.answer(work).await {
        Ok(answer) => Ok(answer?),
        Err(Stopped::TooMuch) => Err(too_much().into()),
        Err(Stopped::Left) => Err(status::error(Reason::Stopping, "the server is stopping").into()),
    }
}

/// That an answer takes too much work.
pub(crate) fn too_much<R: Read>() -> Violations {
    less::<R>("the answer takes more work than one may; ask for less")
}

/// That a page takes too much work.
pub(crate) fn smaller_pages() -> Violations {
    let mut violations = Violations::default();
    violations.add("page_size", "the page takes more work than one may; ask for a smaller one");
    violations
}

/// That less is to be asked for, at each field that the answer grows with.
fn less<R: Read>(what: &str) -> Violations {
    let mut violations = Violations::default();
    R::GROWS_WITH.iter().for_each(|field| violations.add(*field, what));
    violations
}

/// The page of the answer that a request asks for, as of the revision or the instant that it asks for; or everything
/// that is wrong with the request, with what was found before.
fn answer_page<R: Read>(
    read: &R,
    context: &Context,
    now: Now,
    budget: &Budget,
    mut violations: Violations,
) -> Result<Unaudited<Bytes>, Violations> {
    let requested = read.requested_state();
    if requested.min_revision < 0 {
        violations.add("min_revision", format_args!("found {}; allowed: 0 or more", requested.min_revision));
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
    answer(read, &snapshot, &page, budget, violations, |query, input| {
        let answer = read.answer(query, input)?;
        bounded::<R>(&answer)?;
        Ok(answer.into_bytes())
    })
}

/// That an answer is no larger than any may be.
///
/// # Errors
/// At each field that it grows with.
pub(crate) fn bounded<R: Read>(answer: &Writer) -> Result<(), Violations> {
    page::bounded(answer.len(), |what| less::<R>(&format!("{what}. Ask for less")))
}

/// What is made of the answer to a read as of a snapshot.
///
/// # Errors
/// Everything that is wrong with the query, and what was found before; or what `answer` refuses.
pub(crate) fn answer<R: Read, T>(
    read: &R,
    snapshot: &Snapshot,
    page: &Page,
    budget: &Budget,
    mut violations: Violations,
    answer: impl FnOnce(R::Query<'_>, &AnswerInput<'_>) -> Result<T, Violations>,
) -> Result<Unaudited<T>, Violations> {
    let areas_as_of = queries::areas_as_of(read.requested_state().areas_as_of, &mut violations);
    let view = snapshot.view(areas_as_of).within(budget);
    if view.spend(read.weight()).is_err() {
        return Err(violations);
    }
    let query = read.query(view, &mut violations).filter(|_| violations.is_empty());
    let Some(query) = query else { return Err(violations) };
    let answer = answer(query, &AnswerInput { snapshot, view, page })?;
    Ok(Unaudited { answer, revision: snapshot.revision })
}
