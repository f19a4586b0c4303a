//! Calls with bytes: encoded beforehand, answers not decoded, so that the cores are the server's.

use std::time::Duration;

use bytes::Bytes;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::raw::Raw;
use crate::requests::Form;
use crate::world;

/// Somebody who calls, over a connection of their own.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) name: String,
    pub(crate) channel: Channel,
}

impl Caller {
    fn request<T>(&self, message: T, deadline: Option<Duration>) -> Request<T> {
        let mut request = Request::new(message);
        let metadata = request.metadata_mut();
        metadata.insert("authorization", world::authorization(&self.name).parse().unwrap());
        metadata.insert("conspectus-purpose", "a hostile day".parse().unwrap());
        if let Some(deadline) = deadline {
            request.set_timeout(deadline);
        }
        request
    }

    /// Calls, and gives the first answer: whatever comes is taken, until there is one or the deadline has passed.
    pub(crate) async fn call(
        &self,
        (path, form): (&'static str, Form),
        message: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, Status> {
        let answer = async {
            let mut grpc = Grpc::new(self.channel.clone()).max_decoding_message_size(usize::MAX);
            grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
            let path = PathAndQuery::from_static(path);
            let none = || Status::unknown("no answer");
            match form {
                Form::Unary => {
                    let request = self.request(message, Some(deadline));
                    Ok(grpc.unary(request, path, Raw).await?.into_inner())
                }
                Form::Watch => {
                    let request = self.request(message, Some(deadline));
                    let mut answers = grpc.server_streaming(request, path, Raw).await?.into_inner();
                    answers.message().await?.ok_or_else(none)
                }
                Form::Stream => {
                    let request = self.request(tokio_stream::iter([message]), Some(deadline));
                    let mut answers = grpc.streaming(request, path, Raw).await?.into_inner();
                    answers.message().await?.ok_or_else(none)
                }
            }
        };
        // The server's own timer may be late; nobody waits for it.
        let late = |_| Err(Status::deadline_exceeded("the caller has gone"));
        tokio::time::timeout(deadline, answer).await.unwrap_or_else(late)
    }

    /// Opens a watch, and takes its answers for so long; how many.
    pub(crate) async fn watch(&self, path: &'static str, message: Bytes, time: Duration) -> Result<usize, Status> {
        let mut count = 0;
        let taken = async {
            let mut grpc = Grpc::new(self.channel.clone()).max_decoding_message_size(usize::MAX);
            grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
            let request = self.request(message, None);
            let mut answers = grpc.server_streaming(request, PathAndQuery::from_static(path), Raw).await?.into_inner();
            while answers.message().await?.is_some() {
                count += 1;
            }
            Ok::<_, Status>(())
        };
        tokio::time::timeout(time, taken).await.unwrap_or(Ok(()))?;
        Ok(count)
    }

    /// Opens a stream of submissions and sends nothing until the time is up.
    pub(crate) async fn idle_stream(&self, path: &'static str, time: Duration) -> Result<(), Status> {
        let opened = async {
            let mut grpc = Grpc::new(self.channel.clone());
            grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
            let request = self.request(tokio_stream::pending(), None);
            let mut answers = grpc.streaming(request, PathAndQuery::from_static(path), Raw).await?.into_inner();
            answers.message().await.map(drop)
        };
        tokio::time::timeout(time, opened).await.unwrap_or(Ok(()))
    }
}
