//! What receiving takes: memory for the bytes of requests, and threads that decode and review large ones. Both
//! are shared by identities, and waited for before more is read: so whoever sends is held up, and what waits is
//! with its sender.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt;
use tonic::Status;
use tonic::body::Body;

use super::limits::CORES;
use super::turns::{TooManyWait, Turn, Turns};
use crate::model::id::IdentityId;
use crate::net::Share;
use crate::rpc::codec::too_large;
use crate::rpc::status::{self, Reason};
use crate::rpc::{LARGE_BYTES, RECEIVED_BYTES_MAX, REQUEST_BYTES_MAX, beside_the_runtime};

/// From how many bytes on the memory of a message is counted. As many smaller ones as an identity may have
/// calls are no more than a few large ones.
pub(super) const COUNTED_BYTES: usize = 16 << 10;
/// The bytes of messages that are being received. A first one is kept for each identity.
const MEMORY: Share = Share { max: 32 << 20, of_identity_max: 2 * REQUEST_BYTES_MAX, kept: REQUEST_BYTES_MAX };
/// The bytes of large messages that are decoded and not yet looked through, of calls that have one: decoded, each takes
/// up to ten times as much. Nothing is kept for an identity: whoever has a turn computes, and waits for nobody.
const DECODED: Share = Share { max: 2 * REQUEST_BYTES_MAX, of_identity_max: REQUEST_BYTES_MAX, kept: 0 };
/// The bytes of submissions that were received in streams and whose answers aren't taken.
const UNANSWERED: Share = Share { max: 64 << 20, of_identity_max: 16 << 20, kept: REQUEST_BYTES_MAX };
/// From how many items on a request takes long, whatever its bytes: more than a submission of a stream usually has.
const LARGE_ITEMS: usize = 1_000;
/// When one may try again of whose requests too many wait.
const RETRY_DELAY: Duration = Duration::from_millis(250);

/// The memory and the threads. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Receiving(Arc<Pools>);

#[derive(Debug)]
struct Pools {
    memory: Turns,
    decoded: Turns,
    threads: Turns,
    unanswered: Turns,
}

impl Default for Receiving {
    fn default() -> Self {
        // One thread at least is left to serve others, where there is more than one.
        let threads = Share { max: (*CORES - 1).max(1), of_identity_max: (*CORES / 2).max(1), kept: 0 };
        Self(Arc::new(Pools {
            memory: Turns::new(MEMORY),
            decoded: Turns::new(DECODED),
            threads: Turns::new(threads),
            unanswered: Turns::new(UNANSWERED),
        }))
    }
}

impl Receiving {
    /// For a call of an identity, or of nobody in particular.
    pub(super) fn of_call(&self, identity: Option<&IdentityId>) -> CallReceiving {
        CallReceiving(Arc::new(OfCall { pools: self.clone(), identity: identity.cloned(), held: Mutex::default() }))
    }
}

/// A turn that is waited for.
pub(super) type Waiting = Pin<Box<dyn Future<Output = Result<Turn, Status>> + Send + Sync>>;

/// What one call is received by. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct CallReceiving(Arc<OfCall>);

#[derive(Debug)]
struct OfCall {
    pools: Receiving,
    identity: Option<IdentityId>,
    held: Mutex<Held>,
}

/// What it holds.
#[derive(Debug, Default)]
struct Held {
    memory: Option<Turn>,
    room: Option<Turn>,
    thread: Option<Turn>,
}

impl CallReceiving {
    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pools(&self) -> &Pools {
        &self.0.pools.0
    }

    /// Memory for a message. What was held for the one before is given back.
    pub(super) fn memory(&self, bytes: usize) -> Waiting {
        *self.held() = Held::default();
        self.wait(&self.pools().memory, bytes)
    }

    /// Room for what the message whose memory is held is decoded to.
    pub(super) fn room(&self) -> Waiting {
        let bytes = self.held().memory.as_ref().map_or(0, Turn::amount);
        self.wait(&self.pools().decoded, bytes)
    }

    /// A thread to decode a message.
    pub(super) fn thread(&self) -> Waiting {
        self.wait(&self.pools().threads, 1)
    }

    /// Where so many bytes are worked on.
    pub(super) async fn thread_for(&self, bytes: usize) -> Result<Thread, Status> {
        if bytes > LARGE_BYTES { Ok(Thread(Some(self.thread().await?))) } else { Ok(Thread::default()) }
    }

    fn wait(&self, turns: &Turns, amount: usize) -> Waiting {
        let (turns, identity) = (turns.clone(), self.0.identity.clone());
        Box::pin(async move {
            turns.take(identity.as_ref(), amount).await.map_err(|TooManyWait| {
                let what = "too many large requests of this caller wait already; send fewer at once";
                status::retry(Reason::RateLimited, what, RETRY_DELAY)
            })
        })
    }

    pub(super) fn hold_memory(&self, turn: Turn) {
        self.held().memory = Some(turn);
    }

    pub(super) fn hold_room(&self, turn: Turn) {
        self.held().room = Some(turn);
    }

    pub(super) fn hold_thread(&self, turn: Turn) {
        self.held().thread = Some(turn);
    }

    /// A body whose whole is one message. Its memory is counted once there is much of it: as much as its sender said, or
    /// else as much as there may be. Where it is large, it is given when there is room and a thread to decode it.
    ///
    /// # Errors
    /// When it is too large, once its end has come or it is more than is received; or when it doesn't come.
    pub(super) async fn receive_whole(&self, mut body: Body, bytes_max: usize) -> Result<Bytes, Status> {
        let announced = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
        let counted = announced.unwrap_or(bytes_max);
        let (mut received, mut bytes, mut is_counted) = (BytesMut::new(), 0, false);
        while let Some(frame) = body.frame().await.transpose()? {
            let Ok(data) = frame.into_data() else { continue };
            bytes += data.len();
            // More than that isn't waited for.
            if bytes > RECEIVED_BYTES_MAX {
                break;
            }
            // It is read to its end, so that its sender takes the answer. Nothing of it is kept.
            if bytes > bytes_max || announced.is_some_and(|bytes| bytes > bytes_max) {
                received = BytesMut::new();
                continue;
            }
            if bytes > COUNTED_BYTES && !is_counted {
                self.hold_memory(self.memory(counted).await?);
                is_counted = true;
            }
            received.extend_from_slice(&data);
        }
        let bytes = announced.unwrap_or(bytes).max(bytes);
        if bytes > bytes_max {
            return Err(too_large(bytes, bytes_max));
        }
        if bytes > LARGE_BYTES {
            self.hold_room(self.room().await?);
            self.hold_thread(self.thread().await?);
        }
        Ok(received.freeze())
    }

    /// What was received is decoded: others may have the thread.
    pub(super) fn decoded(&self) {
        self.held().thread = None;
    }

    /// The request that was decoded last, as far as memory and threads go.
    pub(super) fn take(&self) -> ReceivedRequest {
        let Held { memory, room, thread: _ } = std::mem::take(&mut *self.held());
        ReceivedRequest { call: Some(self.clone()), memory: memory.map(Box::new), _room: room.map(Box::new) }
    }
}

/// A request that was received: its memory counts until this is dropped.
#[derive(Debug, Default)]
pub(crate) struct ReceivedRequest {
    /// None for a call from within the program.
    call: Option<CallReceiving>,
    /// None for a small one. Boxed, since most are small: the handler of each has a place for it.
    memory: Option<Box<Turn>>,
    _room: Option<Box<Turn>>,
}

impl ReceivedRequest {
    fn bytes(&self) -> usize {
        self.memory.as_ref().map_or(0, |turn| turn.amount())
    }

    /// Does what takes as long as the request is large, or has many items: in a turn, and on a thread that nobody
    /// else waits for, where that is long.
    ///
    /// # Errors
    /// When too many of the caller's wait already.
    pub(crate) async fn work<T>(&self, items: usize, work: impl FnOnce() -> T) -> Result<T, Status> {
        Ok(self.thread(items).await?.work(work))
    }

    /// Where such work is done. Who waits for this first needn't keep the work while it waits.
    ///
    /// # Errors
    /// When too many of the caller's wait already.
    pub(crate) async fn thread(&self, items: usize) -> Result<Thread, Status> {
        match &self.call {
            Some(call) if self.bytes() > LARGE_BYTES || items > LARGE_ITEMS => Ok(Thread(Some(call.thread().await?))),
            Some(_) | None => Ok(Thread::default()),
        }
    }

    /// Counts what is kept of the request until its answer is taken, as many bytes as it had; waits until the
    /// caller has taken enough of others.
    ///
    /// # Errors
    /// When too many of the caller's wait already.
    pub(crate) async fn unanswered(self) -> Result<Unanswered, Status> {
        let turn = match (&self.call, self.bytes()) {
            (None, _) | (_, 0) => None,
            (Some(call), bytes) => Some(call.wait(&call.pools().unanswered, bytes).await?),
        };
        Ok(Unanswered { _memory: turn })
    }
}

/// A thread for work that takes long, and the turn for it; or this one, for what doesn't.
#[derive(Debug, Default)]
pub(crate) struct Thread(Option<Turn>);

impl Thread {
    pub(crate) fn work<T>(self, work: impl FnOnce() -> T) -> T {
        beside_the_runtime(self.0.is_some(), work)
    }
}

/// What is kept of a request until its answer is taken.
#[derive(Debug, Default)]
pub(crate) struct Unanswered {
    _memory: Option<Turn>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a future gives that needn't wait; none when it must.
    async fn at_once<T>(future: impl Future<Output = Result<T, Status>>) -> Option<T> {
        tokio::time::timeout(Duration::ZERO, future).await.ok().map(Result::unwrap)
    }

    fn id(name: &str) -> Option<IdentityId> {
        IdentityId::parse(name).ok()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn what_takes_long_waits_for_a_thread_and_what_does_not_waits_for_nothing() {
        let receiving = Receiving::default();
        let mut taken = Vec::new();
        for n in 0..*CORES {
            taken.extend(at_once(receiving.of_call(id(&format!("other-{n}")).as_ref()).thread()).await);
        }
        assert!(!taken.is_empty());
        let received = async |bytes: usize| {
            let call = receiving.of_call(id("a").as_ref());
            call.hold_memory(call.memory(bytes).await.unwrap());
            call.take()
        };
        let (small, large) = (received(LARGE_BYTES).await, received(LARGE_BYTES + 1).await);
        assert_eq!(at_once(small.work(LARGE_ITEMS, || 1)).await, Some(1));
        assert_eq!(at_once(small.work(LARGE_ITEMS + 1, || 1)).await, None, "it has many items");
        assert_eq!(at_once(large.work(1, || 1)).await, None, "it has many bytes");
        drop(taken);
        assert_eq!(large.work(1, || 1).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn an_identity_has_memory_for_two_large_messages_and_others_have_theirs_besides() {
        let receiving = Receiving::default();
        let large = async |name| at_once(receiving.of_call(id(name).as_ref()).memory(REQUEST_BYTES_MAX)).await;
        let mut held = [large("a").await, large("a").await];
        assert!(held.iter().all(Option::is_some));
        assert!(large("a").await.is_none());
        assert!(large("b").await.is_some());
        held[0] = None;
        assert!(large("a").await.is_some(), "what was given back");
    }

    #[tokio::test]
    async fn the_thread_that_decoded_a_message_is_anothers_once_it_is_decoded() {
        let receiving = Receiving::default();
        let call = receiving.of_call(id("a").as_ref());
        let mut threads = Vec::new();
        while let Some(thread) = at_once(call.thread()).await {
            threads.push(thread);
        }
        call.hold_thread(threads.remove(0));
        assert!(at_once(call.thread()).await.is_none());
        call.decoded();
        assert!(at_once(call.thread()).await.is_some());
    }

    #[tokio::test]
    async fn what_is_decoded_waits_for_room_until_another_was_looked_through() {
        let receiving = Receiving::default();
        let of = |name: &str| receiving.of_call(Some(&IdentityId::parse(name).unwrap()));
        let (a, b, c) = (of("a"), of("b"), of("c"));
        for call in [&a, &b, &c] {
            call.hold_memory(call.memory(REQUEST_BYTES_MAX).await.unwrap());
        }
        a.hold_room(a.room().await.unwrap());
        b.hold_room(b.room().await.unwrap());
        let (of_a, of_b) = (a.take(), b.take());
        let mut third = c.room();
        assert!(tokio::time::timeout(Duration::ZERO, &mut third).await.is_err());
        drop(of_a);
        assert!(tokio::time::timeout(Duration::from_secs(60), third).await.unwrap().is_ok());
        drop(of_b);
    }
}
