//! The machine's limit: a bare tonic server that answers with as many bytes as a call wants.

use std::convert::Infallible;
use std::io::Read;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::net::TcpListener;
use tokio_stream::{Stream, StreamExt};
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::{Grpc, NamedService, StreamingService, UnaryService};
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status, Streaming};

use crate::Failure;
use crate::raw::Raw;
use crate::wire::{ANSWER_BYTES_MAX, ECHO_STREAM};

/// A message of `bytes` bytes that wants an answer of `answer_bytes`.
pub(crate) fn message(bytes: usize, answer_bytes: usize) -> Bytes {
    let mut message = BytesMut::with_capacity(bytes.max(8));
    message.put_u64(answer_bytes as u64);
    message.resize(bytes.max(8), 0);
    message.freeze()
}

/// Serves on any free port, which it prints, until its standard input ends.
pub(crate) async fn serve() -> Result<(), Failure> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?.port());
    let (ended, end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        drop(std::io::stdin().read_to_end(&mut Vec::new()));
        ended.send(()).unwrap_or_default(); // It may have stopped already.
    });
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Server::builder()
        .add_service(Echo)
        .serve_with_incoming_shutdown(incoming, async {
            drop(end.await);
        })
        .await?;
    Ok(())
}

#[derive(Debug, Clone, Copy)]
struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "bench.Echo";
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        Box::pin(async move {
            let mut grpc = Grpc::new(Raw).apply_max_message_size_config(Some(ANSWER_BYTES_MAX), None);
            Ok(if request.uri().path() == ECHO_STREAM {
                grpc.streaming(Answers, request).await
            } else {
                grpc.unary(Answer, request).await
            })
        })
    }
}

struct Answer;

impl UnaryService<Bytes> for Answer {
    type Response = Bytes;
    type Future = BoxFuture<Response<Bytes>, Status>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        Box::pin(async move { answer(request.get_ref()).map(Response::new) })
    }
}

struct Answers;

impl StreamingService<Bytes> for Answers {
    type Response = Bytes;
    type ResponseStream = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let answers = request.into_inner().map(|message| answer(&message?));
        Box::pin(async move { Ok(Response::new(Box::pin(answers) as Self::ResponseStream)) })
    }
}

fn answer(message: &Bytes) -> Result<Bytes, Status> {
    let wanted = message.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
    let bytes = usize::try_from(wanted).map_err(|_| Status::invalid_argument("too large"))?;
    Ok(Bytes::from(vec![0; bytes.min(ANSWER_BYTES_MAX)]))
}
