//! A bound on each message of a request, held when its length is read: none of a larger one is kept.
//!
//! The library has such a bound too, and answers without details. A message within this bound and above
//! the method's own is read to its end and then refused by the codec.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::Frame;
use tonic::Status;
use tonic::body::Body;

use crate::rpc::RECEIVED_BYTES_MAX;
use crate::rpc::codec::too_large;

/// A request's body whose messages are bounded.
pub(super) struct Bounded {
    body: Body,
    messages: Messages,
    /// The error to end with, when what came before it has been passed on.
    error: Option<Status>,
}

impl Bounded {
    pub(super) fn new(body: Body) -> Self {
        Self { body, messages: Messages::default(), error: None }
    }
}

impl http_body::Body for Bounded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        if let Some(error) = self.error.take() {
            return Poll::Ready(Some(Err(error)));
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
            && let Err(TooLarge { bytes, after }) = self.messages.read(data)
        {
            self.error = Some(too_large(bytes));
            return Poll::Ready(Some(Ok(Frame::data(data.slice(..after)))));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.error.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

/// Each message stands after a byte that says whether it is compressed, and its length as 4 bytes,
/// big-endian.
const PREFIX_BYTES: usize = 5;

/// Where in a request's messages it has been read to.
#[derive(Default)]
struct Messages {
    prefix: [u8; PREFIX_BYTES],
    /// How many bytes of the prefix have been read.
    prefix_read: usize,
    /// How many bytes of the message are to come.
    left: usize,
}

/// A message is too large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TooLarge {
    /// Its length.
    bytes: usize,
    /// How much of the data is of the messages before.
    after: usize,
}

impl Messages {
    /// Reads on.
    fn read(&mut self, data: &[u8]) -> Result<(), TooLarge> {
        let mut at = 0;
        while at < data.len() {
            if self.left > 0 {
                let passed = self.left.min(data.len() - at);
                self.left -= passed;
                at += passed;
                continue;
            }
            let start = at;
            let taken = (data.len() - at).min(PREFIX_BYTES - self.prefix_read);
            self.prefix[self.prefix_read..self.prefix_read + taken].copy_from_slice(&data[at..at + taken]);
            self.prefix_read += taken;
            at += taken;
            if self.prefix_read == PREFIX_BYTES {
                let [_, length @ ..] = self.prefix;
                let bytes = u32::from_be_bytes(length) as usize;
                if bytes > RECEIVED_BYTES_MAX {
                    return Err(TooLarge { bytes, after: start });
                }
                (self.prefix_read, self.left) = (0, bytes);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: u32, there: usize) -> Vec<u8> {
        [&[0], &bytes.to_be_bytes()[..], &vec![1; there]].concat()
    }

    #[test]
    fn a_message_too_large_is_found_by_its_length_wherever_the_data_is_cut() {
        let before = [message(3, 3), message(0, 0), message(7, 7)].concat();
        let whole = [before.clone(), message(u32::MAX, 2)].concat();
        for size in 1..=whole.len() {
            let mut messages = Messages::default();
            let results: Vec<_> = whole.chunks(size).map(|data| messages.read(data)).collect();
            let found = results.iter().position(Result::is_err).unwrap();
            let Err(TooLarge { bytes, after }) = results[found] else { panic!() };
            assert_eq!(bytes, u32::MAX as usize);
            // Where the prefix began in an earlier piece, nothing of this one is of a message before.
            assert_eq!(after, before.len().saturating_sub(found * size), "{size}");
        }
        let largest = u32::try_from(RECEIVED_BYTES_MAX).unwrap();
        assert_eq!(Messages::default().read(&message(largest, 9)), Ok(()));
        let refused = Messages::default().read(&message(largest + 1, 9));
        assert_eq!(refused, Err(TooLarge { bytes: RECEIVED_BYTES_MAX + 1, after: 0 }));
    }
}
