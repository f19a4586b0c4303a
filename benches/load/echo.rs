//! The machine's limit: a bare tonic server, in a process of its own, that answers each call at once with the very bytes
//! that the service answered.

use std::convert::Infallible;
use std::io::Read;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
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
use crate::wire::ANSWER_BYTES_MAX;

/// What is answered to questions, and what to submissions: they are sent at once, and have different answers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Echoed {
    Question,
    Submission,
}

impl Echoed {
    const ALL: [Self; 2] = [Self::Question, Self::Submission];

    /// The method that is answered.
    pub(crate) fn method(self) -> &'static str {
        match self {
            Self::Question => "/bench.Echo/Question",
            Self::Submission => "/bench.Echo/Submission",
        }
    }

    /// The method that is told the answer.
    pub(crate) fn answer_method(self) -> &'static str {
        match self {
            Self::Question => "/bench.Echo/QuestionIs",
            Self::Submission => "/bench.Echo/SubmissionIs",
        }
    }
}

/// A stream of submissions.
pub(crate) const STREAM: &str = "/bench.Echo/Stream";

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
        .add_service(Echo::default())
        .serve_with_incoming_shutdown(incoming, async {
            drop(end.await);
        })
        .await?;
    Ok(())
}

/// An answer, which each call gets.
#[derive(Debug, Clone, Default)]
struct Answer(Arc<Mutex<Bytes>>);

impl Answer {
    fn get(&self) -> Bytes {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, bytes: Bytes) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = bytes;
    }
}

#[derive(Debug, Clone, Default)]
struct Echo {
    answers: [Answer; 2],
}

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
        let mut grpc = Grpc::new(Raw).apply_max_message_size_config(Some(ANSWER_BYTES_MAX), None);
        let path = request.uri().path();
        let of = |method: fn(Echoed) -> &'static str| Echoed::ALL.into_iter().position(|it| method(it) == path);
        if let Some(at) = of(Echoed::answer_method) {
            let set = Set(self.answers[at].clone());
            return Box::pin(async move { Ok(grpc.unary(set, request).await) });
        }
        if let Some(at) = of(Echoed::method) {
            let answered = self.answers[at].clone();
            return Box::pin(async move { Ok(grpc.unary(answered, request).await) });
        }
        let answered = self.answers[Echoed::Submission as usize].clone();
        Box::pin(async move { Ok(grpc.streaming(answered, request).await) })
    }
}

/// Takes an answer.
struct Set(Answer);

impl UnaryService<Bytes> for Set {
    type Response = Bytes;
    type Future = std::future::Ready<Result<Response<Bytes>, Status>>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        self.0.set(request.into_inner());
        std::future::ready(Ok(Response::new(Bytes::new())))
    }
}

impl UnaryService<Bytes> for Answer {
    type Response = Bytes;
    type Future = std::future::Ready<Result<Response<Bytes>, Status>>;

    fn call(&mut self, _: Request<Bytes>) -> Self::Future {
        std::future::ready(Ok(Response::new(self.get())))
    }
}

impl StreamingService<Bytes> for Answer {
    type Response = Bytes;
    type ResponseStream = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;
    type Future = std::future::Ready<Result<Response<Self::ResponseStream>, Status>>;

    fn call(&mut self, request: Request<Streaming<Bytes>>) -> Self::Future {
        let answer = self.get();
        let answers = request.into_inner().map(move |message| message.map(|_| answer.clone()));
        std::future::ready(Ok(Response::new(Box::pin(answers))))
    }
}
