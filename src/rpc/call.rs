//! The way of a unary call, from its request to its response, in one order: the gate, the session that
//! the guard gave it, permission for the resource that it is about, the handler, and its refusal as a
//! status.

use std::future::Future;

use tonic::{Request, Response, Status};

use super::guard::{Present, ReceivedRequest, Session, Subject};
use super::{Context, Gate, status};
use crate::intake::writer::WriteError;
use crate::model::violation::Violations;

/// Why a call isn't answered. [`status`] has the code, the reason and the details of each.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Everything that is wrong with the request.
    Invalid(Violations),
    /// What was to be written wasn't.
    Write(WriteError),
    /// Anything else.
    Status(Status),
}

impl Refusal {
    /// The status, with as many bytes of error details as its receiver takes.
    pub(crate) fn into_status(self, bytes_max: usize) -> Status {
        match self {
            Self::Invalid(violations) => status::invalid(&violations, bytes_max),
            Self::Write(error) => status::of_write(&error, bytes_max),
            Self::Status(status) => status,
        }
    }
}

impl From<Violations> for Refusal {
    fn from(violations: Violations) -> Self {
        Self::Invalid(violations)
    }
}

impl From<WriteError> for Refusal {
    fn from(error: WriteError) -> Self {
        Self::Write(error)
    }
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        Self::Status(status)
    }
}

/// A call whose caller may do what it asks for. Only [`unary`] makes one, so a handler that takes it
/// can't come before the permission.
pub(crate) struct Call<'g, M> {
    pub(crate) context: &'g Context,
    pub(crate) session: Session,
    pub(crate) message: M,
    /// What receiving it takes: given back as the handler begins, unless that holds it.
    pub(crate) received: ReceivedRequest,
    /// Keeps others from making one.
    _permitted: (),
}

/// Answers a call by its handler.
///
/// # Errors
/// When the server isn't ready, the caller may not, or the handler refuses.
pub(crate) async fn unary<'g, M, T, F>(
    gate: &'g Gate,
    request: Request<M>,
    handler: impl FnOnce(Call<'g, M>) -> F + Send,
) -> Result<Response<T>, Status>
where
    M: Subject,
    F: Future<Output = Result<T, Refusal>> + Send,
{
    let context = gate.context()?;
    let session = Session::of(&request)?;
    let bytes_max = status::error_bytes(request.metadata());
    let message = request.into_inner();
    let received = session.received();
    let thread = received.thread(message.weight()).await?;
    thread.work(|| message.permitted(&session, message.resource(&Present::of(context))))?;
    let answer = handler(Call { context, session, message, received, _permitted: () }).await;
    answer.map(Response::new).map_err(|refusal| refusal.into_status(bytes_max))
}
