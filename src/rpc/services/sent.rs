//! A submission that was sent, from its request to its answer: what a call of its own and a stream share.

use std::fmt;
use std::sync::Arc;

use tonic::Status;

use super::read;
use crate::entry::{Body, codec};
use crate::intake::admit::{Decision, SubmissionEffect};
use crate::intake::prepare::Prepared;
use crate::intake::writer::{Written, WrittenOf};
use crate::journal;
use crate::model::budget::{Budget, Stopped};
use crate::model::revision::Revision;
use crate::model::submission::Submission;
use crate::model::violation::Violations;
use crate::rpc::call::Refusal;
use crate::rpc::convert::columns::StreamDictionaries;
use crate::rpc::convert::parse_submission;
use crate::rpc::convert::receipt::{self, Accepted, Form, receipt};
use crate::rpc::guard::{Compute, Question, Session};
use crate::rpc::status::{self, Reason};
use crate::rpc::{Context, Submitted, number, proto};
use crate::state::State;

/// A submission that was parsed and is ready for the writer.
pub(crate) struct Sent {
    prepared: Prepared,
    form: Form,
    /// Whether it is only to be checked.
    pub(crate) validate_only: bool,
}

impl Sent {
    /// Parses a request. `stream` is the dictionaries that a stream has sent so far.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn parse(
        context: &Context,
        session: &Session,
        request: Submitted,
        stream: &mut StreamDictionaries,
    ) -> Result<Self, Violations> {
        let state = context.newest();
        let today = context.today(&state);
        let form = if request.columns.is_some() { Form::Columns } else { Form::Messages };
        let validate_only = request.validate_only;
        let seen = u64::try_from(request.unchanged_since_revision).ok().filter(|seen| *seen != 0).map(Revision);
        let submission = parse_submission::submission(&state, request, stream, today)?;
        let locks = session.locks(submission.agency.as_str());
        let prepared = Prepared::reviewed_for(submission, &state, today, &context.zone, locks)?;
        let prepared = match seen {
            Some(seen) => prepared.unless_changed_since(seen),
            None => prepared,
        };
        Ok(Self { prepared, form, validate_only })
    }

    /// What a dry run reads: what its figures would revise. The figures themselves aren't for the audit log.
    fn question(&self) -> Question {
        let submission = self.prepared.submission();
        let (agency, request_id, figures) = (&submission.agency, &submission.request_id, submission.observations.len());
        Question { scope: format!("agency={agency} request_id={request_id} dry run of {figures} figures"), whole: None }
    }

    /// What the writer is sent.
    pub(crate) fn command(&self) -> Prepared {
        self.prepared.clone()
    }

    /// Has it written, and answers.
    ///
    /// # Errors
    /// When nothing was written.
    pub(crate) async fn write(
        &self,
        context: &Context,
        session: &Session,
    ) -> Result<proto::SubmitObservationsResponse, Refusal> {
        let written = session.traced("write the journal", session.writer(context).write(self.command())).await?;
        self.answer(context, session, written).await
    }

    /// Answers as if it were written. What it would revise is what was submitted before, so that is a read.
    ///
    /// # Errors
    /// When it wouldn't be, or the read can't be audited.
    pub(crate) async fn check(
        &self,
        context: &Context,
        session: &Session,
    ) -> Result<proto::SubmitObservationsResponse, Refusal> {
        let state = context.newest();
        let answer = match context.validate(&state, &self.prepared)? {
            Decision::Accept(_, SubmissionEffect { findings, .. }) => {
                let outcomes = self.prepared.outcomes(&state, state.revision());
                let did = SubmissionEffect { outcomes, findings };
                response(&state, receipt(self.prepared.submission(), self.form, None, &did), false)
            }
            Decision::Already(revision) => Box::pin(self.original(context, session, revision)).await?,
        };
        session.audit_read(self.question(), state.revision()).await?;
        Ok(answer)
    }

    /// The answer to what the writer did.
    ///
    /// # Errors
    /// When it was received before, and its entry can't be read back.
    pub(crate) async fn answer(
        &self,
        context: &Context,
        session: &Session,
        written: WrittenOf<Prepared>,
    ) -> Result<proto::SubmitObservationsResponse, Refusal> {
        match written {
            Written::Accepted { revision, hash, at, effect } => {
                session.answered_at(revision);
                let accepted = Some(Accepted { revision, hash, at });
                let receipt = receipt(self.prepared.submission(), self.form, accepted, &effect);
                Ok(response(&context.newest(), receipt, false))
            }
            // Seldom: its future isn't to lie in that of every submission.
            Written::Already(revision) => Box::pin(self.original(context, session, revision)).await,
        }
    }

    /// The answer that it was first given.
    async fn original(
        &self,
        context: &Context,
        session: &Session,
        revision: Revision,
    ) -> Result<proto::SubmitObservationsResponse, Refusal> {
        let state = context.newest();
        let accepted = read_back(context, session.compute(), revision, |_, accepted, _| Ok(accepted)).await?;
        let submission = self.prepared.submission();
        let did = receipt::did(&state, submission, accepted, &context.zone);
        Ok(response(&state, receipt(submission, self.form, Some(accepted), &did), true))
    }
}

fn response(state: &State, receipt: proto::Receipt, already_received: bool) -> proto::SubmitObservationsResponse {
    let revision = u64::try_from(receipt.revision).map_or(Revision::ZERO, Revision);
    proto::SubmitObservationsResponse {
        revision: number(state.revision()),
        receipt: Some(receipt),
        already_received,
        withdrawn_at_revision: state.withdrawn_at(revision).map(number).unwrap_or_default(),
    }
}

/// Answers from a submission as the journal has it, and where and when it was accepted.
///
/// # Errors
/// When it can't be read back, or what the answer refuses.
pub(crate) async fn read_back<T: Send + 'static>(
    context: &Context,
    compute: &Compute,
    revision: Revision,
    answer: impl FnOnce(&Submission, Accepted, &Budget) -> Result<T, Violations> + Send + 'static,
) -> Result<T, Refusal> {
    let reader = Arc::clone(&context.reader);
    let work = move |budget: &Budget| {
        let (submission, accepted) = stored(&*reader, revision).map_err(Refusal::from)?;
        Ok(answer(&submission, accepted, budget)?)
    };
    match compute.answer_from_disk(work).await {
        Ok(answer) => answer,
        Err(Stopped::TooMuch) => Err(read::smaller_pages().into()),
        Err(Stopped::Left) => Err(status::error(Reason::Stopping, "the server is stopping").into()),
    }
}

fn stored(reader: &dyn journal::Reader, revision: Revision) -> Result<(Arc<Submission>, Accepted), Status> {
    let unreadable = |what: &dyn fmt::Display| {
        tracing::error!(%revision, %what, "an entry can't be read back");
        status::error(Reason::JournalUnreadable, format!("revision {revision} can't be read back from the journal"))
    };
    let stored = reader.read(revision).map_err(|error| {
        // The disk failed, and what is on it may be whole: a restart shows it.
        if matches!(error, journal::Error::Io { .. }) {
            tracing::error!(%revision, %error, "an entry can't be read");
            let message = format!("revision {revision} can't be read now: the server's disk reports an error");
            return status::error(Reason::JournalFailed, message);
        }
        unreadable(&error)
    })?;
    let stored = stored.ok_or_else(|| unreadable(&"it isn't there"))?;
    let entry = codec::decode(&stored.payload).map_err(|error| unreadable(&error))?;
    match entry.body {
        Body::Submission { submission, .. } => Ok((submission, Accepted { revision, hash: stored.hash, at: entry.at })),
        Body::CataloguePut(_)
        | Body::Withdrawal(_)
        | Body::Access(_)
        | Body::AuditAnchor(_)
        | Body::ReturnCompletion(_) => Err(unreadable(&"it isn't a submission")),
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;
    use crate::journal::{Error, Stored, Tail};

    /// A journal whose every read fails.
    struct Failing(fn() -> Error);

    impl journal::Reader for Failing {
        fn tail(&self) -> Tail {
            Tail::EMPTY
        }

        fn read(&self, _: Revision) -> Result<Option<Stored>, Error> {
            Err(self.0())
        }

        fn scan(&self, _: Revision, _: &mut dyn FnMut(Stored) -> Result<(), Error>) -> Result<Tail, Error> {
            Err(self.0())
        }
    }

    #[test]
    fn a_disk_that_fails_is_not_reported_as_data_that_is_lost() {
        let code = |error| stored(&Failing(error), Revision(7)).err().map(|status| status.code());
        let failed =
            || Error::Io { doing: "read the store".to_owned(), source: std::io::ErrorKind::StorageFull.into() };
        assert_eq!(code(failed), Some(Code::Unavailable));
        let damaged = || Error::Corrupt { location: "revision 7".to_owned(), what: "it is cut short".to_owned() };
        assert_eq!(code(damaged), Some(Code::DataLoss));
    }
}
