//! Streams: many messages over one call, sent as fast as they are taken, each answered.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio_stream::StreamExt;
use tonic::Status;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;

use crate::Failure;
use crate::process::Server;
use crate::raw::Raw;
use crate::wire::ANSWER_BYTES_MAX;

/// What came of it.
pub(crate) struct Streamed {
    answers: usize,
    elapsed: Duration,
    /// One of the last answers.
    pub(crate) answer: Bytes,
}

impl Streamed {
    /// Messages a second.
    pub(crate) fn rate(&self) -> f64 {
        self.answers as f64 / self.elapsed.as_secs_f64()
    }
}

/// Sends each of the streams its messages, all at once, over a connection each, until the last answer.
/// `check` is shown every answer.
pub(crate) async fn stream(
    server: &Server,
    method: &'static str,
    streams: Vec<Vec<Bytes>>,
    check: fn(&Bytes) -> Result<(), Failure>,
) -> Result<Streamed, Failure> {
    let mut tasks = tokio::task::JoinSet::new();
    let start = Instant::now();
    for messages in streams {
        let channel = server.channel()?;
        tasks.spawn(async move {
            let count = messages.len();
            let mut grpc = Grpc::new(channel).max_decoding_message_size(ANSWER_BYTES_MAX);
            grpc.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
            let request = tonic::Request::new(tokio_stream::iter(messages));
            let path = PathAndQuery::from_static(method);
            let mut answers = grpc.streaming(request, path, Raw).await?.into_inner();
            let (mut answered, mut last) = (0, Bytes::new());
            while let Some(answer) = answers.next().await {
                let answer = answer?;
                check(&answer)?;
                (answered, last) = (answered + 1, answer);
            }
            if answered == count { Ok((answered, last)) } else { Err(Failure::from("answers are missing")) }
        });
    }
    let mut all = Streamed { answers: 0, elapsed: Duration::ZERO, answer: Bytes::new() };
    while let Some(ended) = tasks.join_next().await {
        let (answers, last) = ended??;
        all.answers += answers;
        all.answer = last;
    }
    all.elapsed = start.elapsed();
    Ok(all)
}
