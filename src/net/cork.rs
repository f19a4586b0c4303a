//! Gathers what is written to a connection.
//!
//! A call that has its answer wakes its connection's task, which runs next, before the other calls that have theirs: each
//! answer would be a write of its own. So the first write is put off, to when the tasks that are ready have run, and
//! what they have answered by then goes with it. Where no other call is open on the connection, nothing is put off: that
//! would wake another thread for nothing.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// A stream whose writes are put off.
#[derive(Debug)]
pub(crate) struct Cork<S> {
    stream: S,
    writes: Writes,
    calls: OpenCalls,
}

/// How many calls of a connection have no answer yet. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct OpenCalls(Arc<AtomicUsize>);

/// A call that has no answer yet, until this is dropped.
#[derive(Debug)]
pub(crate) struct OpenCall(OpenCalls);

impl OpenCalls {
    pub(crate) fn open(&self) -> OpenCall {
        self.0.fetch_add(1, Ordering::Relaxed);
        OpenCall(self.clone())
    }
}

impl Drop for OpenCall {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writes {
    /// The next one is put off.
    Gather,
    /// One was put off, and the task that writes is woken behind those that are ready.
    PutOff,
    /// They are written, until there is nothing more to read: the task has then begun anew.
    Write,
}

impl<S> Cork<S> {
    pub(crate) fn new(stream: S, calls: OpenCalls) -> Self {
        Self { stream, writes: Writes::Gather, calls }
    }

    fn poll_put_off(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.writes == Writes::Gather && self.calls.0.load(Ordering::Relaxed) > 0 {
            self.writes = Writes::PutOff;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.writes = Writes::Write;
        Poll::Ready(())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Cork<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if read.is_pending() && self.writes == Writes::Write {
            self.writes = Writes::Gather;
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Cork<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_put_off(cx));
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_put_off(cx));
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use bytes::Bytes;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
    use tokio::sync::Semaphore;
    use tonic::codegen::http;

    use super::*;

    /// A stream that counts its writes.
    struct Counting(DuplexStream, Arc<AtomicUsize>);

    impl AsyncRead for Counting {
        fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_read(cx, buf)
        }
    }

    impl AsyncWrite for Counting {
        fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            self.1.fetch_add(1, Ordering::SeqCst);
            Pin::new(&mut self.0).poll_write(cx, buf)
        }

        fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_flush(cx)
        }

        fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_shutdown(cx)
        }
    }

    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_write_is_put_off_by_one_turn_of_its_task_while_other_calls_are_open_and_what_comes_with_it_is_not() {
        let (near, _far) = tokio::io::duplex(1 << 10);
        let writes = Arc::new(AtomicUsize::new(0));
        let calls = OpenCalls::default();
        let other = calls.open();
        let mut cork = Cork::new(Counting(near, Arc::clone(&writes)), calls);
        let woken = Arc::new(Woken(AtomicUsize::new(0)));
        let waker = Waker::from(Arc::clone(&woken));
        let mut cx = Context::from_waker(&waker);
        for turn in 1..=3 {
            let mut read = [0; 1];
            assert!(Pin::new(&mut cork).poll_read(&mut cx, &mut ReadBuf::new(&mut read)).is_pending());
            assert!(Pin::new(&mut cork).poll_write(&mut cx, b"put off").is_pending());
            assert_eq!((writes.load(Ordering::SeqCst), woken.0.load(Ordering::SeqCst)), (2 * (turn - 1), turn));
            // It is woken: it reads, and writes everything that there is.
            assert!(Pin::new(&mut cork).poll_read(&mut cx, &mut ReadBuf::new(&mut read)).is_pending());
            assert!(Pin::new(&mut cork).poll_write(&mut cx, b"put off").is_ready());
            assert!(Pin::new(&mut cork).poll_write(&mut cx, b"and more").is_ready());
            assert_eq!((writes.load(Ordering::SeqCst), woken.0.load(Ordering::SeqCst)), (2 * turn, turn));
        }
        drop(other);
        assert!(Pin::new(&mut cork).poll_read(&mut cx, &mut ReadBuf::new(&mut [0; 1])).is_pending());
        assert!(Pin::new(&mut cork).poll_write(&mut cx, b"alone").is_ready());
        assert_eq!((writes.load(Ordering::SeqCst), woken.0.load(Ordering::SeqCst)), (7, 3));
    }

    /// What some calls at once were answered, by handlers that all have their answers at the same moment, and how many
    /// writes these took.
    async fn answered(calls: usize, bytes: usize, window: u32, buffer: usize, is_stopped: bool) -> (Vec<usize>, usize) {
        let (near, far) = tokio::io::duplex(buffer);
        let writes = Arc::new(AtomicUsize::new(0));
        let open = OpenCalls::default();
        let cork = Cork::new(Counting(near, Arc::clone(&writes)), open.clone());
        let go = Arc::new(Semaphore::new(0));
        let counted = Arc::clone(&writes);
        tokio::spawn(async move {
            let mut connection = h2::server::handshake(cork).await.unwrap();
            for nth in 1..=calls {
                let (_, mut respond) = connection.accept().await.unwrap().unwrap();
                let (wait, open) = (Arc::clone(&go), open.open());
                tokio::spawn(async move {
                    drop(wait.acquire().await);
                    drop(open);
                    let mut body = respond.send_response(http::Response::new(()), false).unwrap();
                    body.send_data(Bytes::from(vec![0; bytes]), true).unwrap();
                });
                if nth == calls {
                    tokio::task::yield_now().await;
                    counted.store(0, Ordering::SeqCst);
                    go.close();
                }
            }
            if is_stopped {
                connection.graceful_shutdown();
            }
            while connection.accept().await.is_some() {}
        });
        let asking = tokio::spawn(async move {
            let mut client = h2::client::Builder::new();
            // One stream's window is shut, and all of them together have room.
            client.initial_window_size(window).initial_connection_window_size(1 << 20);
            let (requests, connection) = client.handshake::<_, Bytes>(far).await.unwrap();
            tokio::spawn(connection);
            let mut requests = requests.ready().await.unwrap();
            let ask = |_| requests.send_request(http::Request::new(()), true).unwrap().0;
            let asked: Vec<_> = (0..calls).map(ask).collect();
            let mut received = Vec::new();
            for answer in asked {
                let mut body = answer.await.unwrap().into_body();
                let mut bytes = 0;
                while let Some(data) = body.data().await {
                    let data = data.unwrap();
                    bytes += data.len();
                    body.flow_control().release_capacity(data.len()).unwrap();
                }
                received.push(bytes);
            }
            received
        });
        (asking.await.unwrap(), writes.load(Ordering::SeqCst))
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
    async fn answers_that_are_there_at_once_are_written_at_once() {
        let (received, writes) = answered(32, 100, 1 << 16, 1 << 20, false).await;
        assert_eq!(received, [100; 32]);
        assert!(writes <= 8, "{writes} writes");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nothing_is_lost_to_a_shut_window_a_slow_reader_or_a_stop() {
        for (window, buffer) in [(1 << 16, 1 << 20), (7, 1 << 20), (1 << 16, 64), (7, 64)] {
            for is_stopped in [false, true] {
                for bytes in [0, 10, 1_000, 20_000] {
                    let bytes = if window == 7 { bytes.min(1_000) } else { bytes };
                    let (received, _) = answered(8, bytes, window, buffer, is_stopped).await;
                    assert_eq!(received, [bytes; 8], "{window} {buffer} {is_stopped}");
                }
            }
        }
    }

    #[tokio::test]
    async fn what_was_put_off_is_written_before_the_stream_ends() {
        let (near, mut far) = tokio::io::duplex(1 << 10);
        let calls = OpenCalls::default();
        let _other = calls.open();
        let mut cork = Cork::new(near, calls);
        cork.write_all(b"the last").await.unwrap();
        cork.shutdown().await.unwrap();
        let mut read = Vec::new();
        far.read_to_end(&mut read).await.unwrap();
        assert_eq!(read, b"the last");
    }
}
