//! Answers until their callers take them: each counts, and its call with it, until its last byte has been written
//! to the connection. So who asks and doesn't read uses up its own share, and no more.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::http;

use super::limits::{CallPermit, HeldBytes};
use crate::access::Action;

/// The answer of a call as it is sent. One that is there already is encoded here, so that its size is known
/// before any of it is sent, and is refused when too much isn't taken; but not of a call that may have changed
/// something, for whose caller there is nothing else to see of it.
pub(super) fn hold(answer: http::Response<Body>, permit: Arc<CallPermit>, action: Action) -> http::Response<Body> {
    let (head, mut body) = answer.into_parts();
    let first = match Pin::new(&mut body).poll_frame(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(None) => return http::Response::from_parts(head, Body::empty()),
        Poll::Ready(Some(frame)) => Some(frame),
        // Of a stream nothing is there yet. Whoever sends it asks again, and is woken.
        Poll::Pending => None,
    };
    let bytes = match &first {
        Some(Ok(frame)) => frame.data_ref().map_or(0, Bytes::len),
        Some(Err(_)) | None => 0,
    };
    let held = match permit.hold(bytes) {
        Ok(held) => held,
        Err(_) if action.stores() => permit.hold_anyway(bytes),
        Err(refusal) => return refusal.into_http(),
    };
    let first = first.map(|frame| frame.map(|frame| frame.map_data(|data| Counted::bytes(data, held))));
    http::Response::from_parts(head, Body::new(Held { first, body, permit }))
}

impl CallPermit {
    /// Counts the bytes of a message that is sent later, until then.
    ///
    /// # Errors
    /// When too much isn't taken.
    pub(super) fn hold_message(self: &Arc<Self>, message: Bytes) -> Result<Bytes, Status> {
        let held = self.hold(message.len())?;
        Ok(Counted::bytes(message, held))
    }
}

/// An answer whose bytes count until they are taken.
struct Held {
    /// What was there already.
    first: Option<Result<Frame<Bytes>, Status>>,
    body: Body,
    permit: Arc<CallPermit>,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(first));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        let counted = |data: Bytes| {
            let held = self.permit.hold_anyway(data.len());
            Counted::bytes(data, held)
        };
        Poll::Ready(frame.map(|frame| frame.map(|frame| frame.map_data(counted))))
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// Bytes that count for as long as anything holds them: the connection does until it has written them.
struct Counted {
    data: Bytes,
    _held: HeldBytes,
}

impl Counted {
    fn bytes(data: Bytes, held: HeldBytes) -> Bytes {
        Bytes::from_owner(Self { data, _held: held })
    }
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::super::limits::{Calls, Limits};
    use super::*;
    use crate::model::id::IdentityId;

    const LARGE_BYTES: usize = 32 << 10;

    /// A body whose frames come later, as a stream's do, or are there at once.
    struct Frames {
        is_there: bool,
        left: usize,
    }

    impl http_body::Body for Frames {
        type Data = Bytes;
        type Error = Status;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
            if !std::mem::replace(&mut self.is_there, true) {
                return Poll::Pending;
            }
            if self.left == 0 {
                return Poll::Ready(None);
            }
            self.left -= 1;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from(vec![0; LARGE_BYTES])))))
        }
    }

    fn calls() -> Calls {
        Calls::new(Limits {
            untaken_bytes_of_identity_max: 2 * LARGE_BYTES,
            untaken_bytes_kept_of_identity: 0,
            ..Limits::default()
        })
    }

    fn held(calls: &Calls, action: Action, frames: Frames) -> http::Response<Body> {
        let permit = calls.permit(IdentityId::parse("a").ok().as_ref(), Instant::now()).unwrap();
        hold(http::Response::new(Body::new(frames)), Arc::new(permit), action)
    }

    fn next(body: &mut Body) -> Bytes {
        let Poll::Ready(frame) = Pin::new(body).poll_frame(&mut Context::from_waker(Waker::noop())) else {
            panic!("nothing is there")
        };
        frame.unwrap().unwrap().into_data().unwrap()
    }

    fn is_refused(answer: &http::Response<Body>) -> bool {
        answer.headers().contains_key("grpc-status")
    }

    #[test]
    fn every_frame_of_a_stream_counts_until_it_is_taken() {
        let calls = calls();
        let answer = |calls: &Calls| held(calls, Action::ReadFigures, Frames { is_there: true, left: 1 });
        let stream = held(&calls, Action::ReadFigures, Frames { is_there: false, left: 3 });
        let mut stream = stream.into_body();
        assert!(!is_refused(&answer(&calls)), "nothing of it is sent yet");
        let frames = [next(&mut stream), next(&mut stream)];
        assert!(is_refused(&answer(&calls)));
        drop(frames);
        assert!(!is_refused(&answer(&calls)));
    }

    #[test]
    fn only_what_reads_is_refused_an_answer_that_is_too_much() {
        let calls = calls();
        let _untaken = [0; 2].map(|_| held(&calls, Action::ReadFigures, Frames { is_there: true, left: 1 }));
        for action in Action::ALL {
            let answer = held(&calls, action, Frames { is_there: true, left: 1 });
            let changes = [Action::Submit, Action::CorrectLocked, Action::ChangeCatalogue, Action::ChangeKeys];
            let changes = changes.contains(&action);
            assert_eq!(is_refused(&answer), !changes, "{action:?}");
        }
    }
}
