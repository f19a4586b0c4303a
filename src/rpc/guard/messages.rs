//! The messages of a request, as their bytes arrive: a bound on each, held when its length is read, and turns
//! for the large ones: for their bytes, for what those are decoded to, and for the thread that decodes.
//!
//! The library has such a bound too, and answers without details. Of a message that is too large nothing is
//! kept: it is read to its end, so that its sender takes the answer, or not at all.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body as _, Frame};
use tonic::Status;
use tonic::body::Body;

use super::receiving::{COUNTED_BYTES, CallReceiving, Waiting};
use crate::rpc::codec::{another_message, too_large};
use crate::rpc::{LARGE_BYTES, RECEIVED_BYTES_MAX};

/// A request's body whose messages are bounded.
pub(super) struct Bounded {
    body: Body,
    /// The most bytes of a message.
    bytes_max: usize,
    receiving: CallReceiving,
    messages: Messages,
    /// What has arrived, and isn't passed on yet.
    rest: Bytes,
    /// What is waited for before more is read or passed on.
    awaited: Option<Awaited>,
    /// The error to end with, when what came before it has been passed on.
    error: Option<Status>,
}

/// What is waited for.
enum Awaited {
    /// The end of the body: what is decoded then is looked through at once.
    End,
    Turn(Waiting, Needed),
}

/// What a message needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Needed {
    Memory,
    Room,
    Thread,
}

impl Bounded {
    /// The requests of a method: one or many, each of which may have so many bytes.
    pub(super) fn new(body: Body, (is_one, bytes_max): (bool, usize), receiving: CallReceiving) -> Self {
        let messages = Messages::of(is_one, bytes_max);
        Self { body, bytes_max, receiving, messages, rest: Bytes::new(), awaited: None, error: None }
    }

    /// Notes what comes next in the data, and how much may be passed on before it.
    fn next(&mut self, data: &[u8]) -> usize {
        let (passed, next) = self.messages.read(data);
        match next {
            None => {}
            Some(Next::Message(bytes)) if bytes > self.bytes_max => self.error = Some(too_large(bytes, self.bytes_max)),
            Some(Next::Message(bytes)) => {
                self.awaited = Some(Awaited::Turn(self.receiving.memory(bytes), Needed::Memory));
            }
            Some(Next::Another) => self.error = Some(another_message()),
            Some(Next::End) if self.messages.is_one => self.awaited = Some(Awaited::End),
            Some(Next::End) => self.awaited = Some(Awaited::Turn(self.receiving.thread(), Needed::Thread)),
        }
        passed
    }

    /// Waits for what is needed before more is read or passed on.
    fn poll_awaited(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        while let Some(awaited) = &mut self.awaited {
            let next = match awaited {
                Awaited::End => {
                    ready!(self.poll_end(cx))?;
                    Some(Awaited::Turn(self.receiving.room(), Needed::Room))
                }
                Awaited::Turn(waiting, needed) => {
                    let (turn, needed) = (ready!(waiting.as_mut().poll(cx)), *needed);
                    // Also after an error: it is not asked again.
                    self.awaited = None;
                    let turn = turn?;
                    match needed {
                        Needed::Memory => self.receiving.hold_memory(turn),
                        Needed::Room => self.receiving.hold_room(turn),
                        Needed::Thread => self.receiving.hold_thread(turn),
                    }
                    (needed == Needed::Room).then(|| Awaited::Turn(self.receiving.thread(), Needed::Thread))
                }
            };
            self.awaited = next;
        }
        Poll::Ready(Ok(()))
    }

    /// Waits for the end of the body. What comes before that is another message, which is refused once this one is
    /// passed on.
    fn poll_end(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Status>> {
        loop {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)).transpose()? {
                None => {
                    self.body = Body::empty();
                    return Poll::Ready(Ok(()));
                }
                Some(frame) => {
                    let more = frame.into_data().unwrap_or_default();
                    if !more.is_empty() {
                        self.rest = [&self.rest[..], &more].concat().into();
                        return Poll::Ready(Ok(()));
                    }
                }
            }
        }
    }

    /// Ends once what is left of a message that is too large has arrived.
    fn poll_discarded(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.messages.discard(&mut self.rest) {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => self.rest = frame.into_data().unwrap_or_default(),
                Some(Err(_)) | None => break,
            }
        }
        Poll::Ready(())
    }
}

impl http_body::Body for Bounded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        // Whoever asks for more has decoded what there was.
        self.receiving.decoded();
        if self.error.is_some() {
            ready!(self.poll_discarded(cx));
            return Poll::Ready(self.error.take().map(Err));
        }
        ready!(self.poll_awaited(cx))?;
        let mut data = std::mem::take(&mut self.rest);
        if data.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(more) => data = more,
                    Err(other) => return Poll::Ready(Some(Ok(other))),
                },
                end => return Poll::Ready(end),
            }
        }
        let passed = self.next(&data);
        self.rest = data.split_off(passed);
        Poll::Ready(Some(Ok(Frame::data(data))))
    }

    fn is_end_stream(&self) -> bool {
        self.error.is_none() && self.rest.is_empty() && self.body.is_end_stream()
    }
}

/// Each message stands after a byte that says whether it is compressed, and its length as 4 bytes,
/// big-endian.
const PREFIX_BYTES: usize = 5;

/// Where in a request's messages it has been read to.
struct Messages {
    /// Whether there is one, whose end is that of the body.
    is_one: bool,
    /// Whether a first has begun.
    is_begun: bool,
    /// The most bytes of one.
    bytes_max: usize,
    prefix: [u8; PREFIX_BYTES],
    /// How many bytes of the prefix have been read.
    prefix_read: usize,
    /// How many bytes of the message are to come.
    left: usize,
    /// Whether its end was announced, or needs no announcement.
    is_end_known: bool,
}

/// What comes next, where it needs something first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The bytes of a message whose memory is counted, or that is too large: so many.
    Message(usize),
    /// The rest of a large message, which is then decoded.
    End,
    /// Another message, of a call that has one.
    Another,
}

impl Messages {
    fn of(is_one: bool, bytes_max: usize) -> Self {
        Self {
            is_one,
            is_begun: false,
            bytes_max,
            prefix: [0; PREFIX_BYTES],
            prefix_read: 0,
            left: 0,
            is_end_known: false,
        }
    }

    /// Reads on, as far as nothing is needed: how many bytes these are, and what comes then.
    fn read(&mut self, data: &[u8]) -> (usize, Option<Next>) {
        let mut at = 0;
        while at < data.len() {
            if self.left > 0 {
                if self.left <= data.len() - at && !self.is_end_known {
                    self.is_end_known = true;
                    return (at, Some(Next::End));
                }
                let passed = self.left.min(data.len() - at);
                self.left -= passed;
                at += passed;
                continue;
            }
            if self.is_one && self.is_begun {
                return (at, Some(Next::Another));
            }
            let start = at;
            let taken = (data.len() - at).min(PREFIX_BYTES - self.prefix_read);
            self.prefix[self.prefix_read..self.prefix_read + taken].copy_from_slice(&data[at..at + taken]);
            self.prefix_read += taken;
            at += taken;
            if self.prefix_read == PREFIX_BYTES {
                self.is_begun = true;
                let [_, length @ ..] = self.prefix;
                let bytes = u32::from_be_bytes(length) as usize;
                (self.prefix_read, self.left, self.is_end_known) = (0, bytes, bytes <= LARGE_BYTES);
                if bytes > self.bytes_max {
                    // Its prefix isn't passed on: the library would refuse it, or wait for what doesn't come.
                    self.left += at - start;
                    return (start, Some(Next::Message(bytes)));
                }
                if bytes > COUNTED_BYTES {
                    return (at, Some(Next::Message(bytes)));
                }
            }
        }
        (at, None)
    }

    /// Drops data of a message that is too large. False when that was all of it, or when it would be too much to
    /// receive.
    fn discard(&mut self, data: &mut Bytes) -> bool {
        if self.left > RECEIVED_BYTES_MAX {
            return false;
        }
        self.left -= self.left.min(data.len());
        data.clear();
        self.left > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::REQUEST_BYTES_MAX;

    fn message(bytes: usize, there: usize) -> Vec<u8> {
        [&[0], &u32::try_from(bytes).unwrap().to_be_bytes()[..], &vec![1; there]].concat()
    }

    /// What is needed, and after how many bytes, when the data comes in pieces.
    fn read(data: &[u8], size: usize) -> Vec<(usize, Next)> {
        let (mut messages, mut found, mut read) = (Messages::of(false, REQUEST_BYTES_MAX), Vec::new(), 0);
        for mut piece in data.chunks(size) {
            while !piece.is_empty() {
                let (passed, next) = messages.read(piece);
                piece = &piece[passed..];
                read += passed;
                match next {
                    Some(Next::Message(bytes)) if bytes > REQUEST_BYTES_MAX => {
                        found.push((read, Next::Message(bytes)));
                        return found;
                    }
                    Some(next) => found.push((read, next)),
                    None => assert!(piece.is_empty()),
                }
            }
        }
        found
    }

    #[test]
    fn a_message_too_large_is_found_by_its_length_wherever_the_data_is_cut() {
        let before = [message(3, 3), message(0, 0), message(7, 7)].concat();
        for bytes in [REQUEST_BYTES_MAX + 1, u32::MAX as usize] {
            let whole = [before.clone(), message(bytes, 2)].concat();
            for size in 1..=whole.len() {
                let [(after, Next::Message(found))] = read(&whole, size)[..] else { panic!("{size}") };
                assert_eq!(found, bytes);
                // Where the prefix began in an earlier piece, that much of it is passed on.
                assert!((before.len()..before.len() + PREFIX_BYTES).contains(&after), "{size}");
            }
        }
        assert_eq!(read(&message(COUNTED_BYTES, 9), 20), []);
    }

    #[test]
    fn large_messages_need_memory_when_they_begin_and_a_thread_when_they_end() {
        let (counted, large) = (COUNTED_BYTES + 1, LARGE_BYTES + 1);
        let small = message(COUNTED_BYTES, COUNTED_BYTES);
        let whole = [small.clone(), message(counted, counted), message(large, large), small.clone()].concat();
        let ends = small.len() + 2 * PREFIX_BYTES + counted + large;
        for size in [100, 1_000, 16 << 10, 300 << 10, 1 << 20] {
            let found = read(&whole, size);
            let begins = [
                (small.len() + PREFIX_BYTES, Next::Message(counted)),
                (small.len() + 2 * PREFIX_BYTES + counted, Next::Message(large)),
            ];
            assert_eq!(found[..2], begins);
            let [(end, Next::End)] = found[2..] else { panic!("{size}: {found:?}") };
            // Some of it is held back until there is a thread, and no more than came in one piece.
            assert!(end < ends && end + size >= ends, "{size}: {end} of {ends}");
        }
    }

    #[test]
    fn what_is_too_large_is_dropped_to_its_end_or_not_received() {
        let (mut messages, mut data) =
            (Messages::of(false, REQUEST_BYTES_MAX), Bytes::from(message(REQUEST_BYTES_MAX + 1, 3)));
        assert_eq!(messages.read(&data), (0, Some(Next::Message(REQUEST_BYTES_MAX + 1))));
        let mut pieces = 0;
        while messages.discard(&mut data) {
            assert!(data.is_empty());
            data = Bytes::from_static(&[1; 1 << 14]);
            pieces += 1;
        }
        assert_eq!(pieces, REQUEST_BYTES_MAX.div_ceil(1 << 14));
        let (mut messages, mut data) =
            (Messages::of(false, REQUEST_BYTES_MAX), Bytes::from(message(RECEIVED_BYTES_MAX + 1, 3)));
        assert_eq!(messages.read(&data).0, 0);
        assert!(!messages.discard(&mut data));
    }
}
