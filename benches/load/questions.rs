//! The questions: alone and many at once, and while others write.

use prost::Message;

use crate::drive::{Measured, Window, drive};
use crate::echo::Echoed;
use crate::process::Server;
use crate::report::{Section, Unit};
use crate::wire::{self, Call, Key};
use crate::workload::Question;
use crate::{Failure, LOAD_SENDERS, Run, not_plain, single};

const SENDERS: usize = 16;

/// Asks a question, by whoever has this key.
pub(crate) async fn ask(
    server: &Server,
    senders: usize,
    window: Window,
    question: Question,
    key: Option<Key>,
) -> Result<Measured, Failure> {
    let method = if question == Question::Q3 { wire::PICTURE } else { wire::AGGREGATE };
    let next = move |number| Some(Call::new(method, question.request(number)).by(key.as_ref()));
    drive(server, senders, Some(window), next).await
}

impl Run<'_> {
    /// Alone and at once.
    pub(crate) async fn queries(&mut self, server: &Server) -> Result<(), Failure> {
        for question in Question::ALL {
            let one = ask(server, 1, self.window, question, None).await?;
            let message = move |number| question.request(number);
            let echo = self.echo(1, Echoed::Question, &one.answer, message).await?;
            let key = |of: &str| format!("{}{of}", question.key());
            let label = |of: &str| format!("{question:?}, {of}");
            let beside = (&*format!("echo of {} bytes", one.answer.len()), echo.milliseconds(0.5));
            let p50 = one.milliseconds(0.5);
            self.report.compare(Section::Queries, &key("_p50"), &label("p50"), p50, Unit::Milliseconds, beside);
            let p99 = one.milliseconds(0.99);
            let beside = ("echo", echo.milliseconds(0.99));
            self.report.compare(Section::Queries, &key("_p99"), &label("p99"), p99, Unit::Milliseconds, beside);
            let before = server.usage()?;
            let many = ask(server, SENDERS, self.window, question, None).await?;
            let cpu = server.usage()?.each_since(before, many.calls()).cpu;
            let before = self.echo.usage()?;
            let echo = self.echo(SENDERS, Echoed::Question, &one.answer, message).await?;
            let echo_cpu = self.echo.usage()?.each_since(before, echo.calls()).cpu;
            let key = key(&format!("_senders_{SENDERS}"));
            let label = label(&format!("{SENDERS} at a time"));
            let beside = ("echo", echo.rate());
            self.report.compare(Section::Queries, &key, &label, many.rate(), Unit::PerSecond, beside);
            let (key, label) = (format!("{key}_cpu"), format!("{label}, cpu of the server"));
            self.report.compare(Section::Queries, &key, &label, cpu, Unit::Microseconds, ("echo", echo_cpu));
        }
        Ok(())
    }

    /// Those that aren't plain, each right before the plain one of as many cells.
    pub(crate) async fn not_plain(&mut self, server: &Server) -> Result<(), Failure> {
        for pair in not_plain::pairs(server).await? {
            let mut times = Vec::new();
            for request in [&pair.asked, &pair.plain] {
                let call = Call::new(wire::AGGREGATE, request.encode_to_vec());
                let before = server.usage()?;
                let found = drive(server, 1, Some(self.window), move |_| Some(call.clone())).await?;
                let cpu = server.usage()?.each_since(before, found.calls()).cpu;
                times.push((found.milliseconds(0.5), cpu));
            }
            let [asked, plain] = [times[0], times[1]];
            for (of, name, asked, plain, unit) in [
                ("p50", "p50", asked.0, plain.0, Unit::Milliseconds),
                ("cpu", "cpu of the server", asked.1, plain.1, Unit::Microseconds),
            ] {
                let (key, label) = (format!("{}_{of}", pair.key), format!("{}, {name}", pair.label));
                self.report.compare(Section::NotPlain, &key, &label, asked, unit, ("plain", plain));
            }
        }
        Ok(())
    }

    /// While 64 write single observations, beside the echo while as many send it the same.
    pub(crate) async fn under_load(&mut self, server: &Server) -> Result<(), Failure> {
        for ((group, question), seed) in (10..).zip(Question::ALL).zip(40..) {
            let writes = drive(server, LOAD_SENDERS, Some(self.window), self.singles(group));
            let (writes, found) = tokio::join!(writes, ask(server, 1, self.window, question, None));
            let (writes, found) = (writes?, found?);
            self.echo_answers(Echoed::Submission, &writes.answer).await?;
            let message = single::messages(self.workload, seed);
            let next = move |number| Some(Call::new(Echoed::Submission.method(), message(number)));
            let echoed_writes = drive(&self.echo, LOAD_SENDERS, Some(self.window), next);
            let message = move |number| question.request(number);
            let (echoed_writes, echo) =
                tokio::join!(echoed_writes, self.echo(1, Echoed::Question, &found.answer, message));
            let (echoed_writes, echo) = (echoed_writes?, echo?);
            let key = |of: &str| format!("{}{of}", question.key());
            for (of, quantile) in [("p50", 0.5), ("p99", 0.99)] {
                let label = format!("{question:?} under load, {of}");
                let beside = ("echo under the same", echo.milliseconds(quantile));
                let found = found.milliseconds(quantile);
                let key = key(&format!("_{of}"));
                self.report.compare(Section::UnderLoad, &key, &label, found, Unit::Milliseconds, beside);
            }
            let label = format!("writes meanwhile ({question:?})");
            let beside = ("echo", echoed_writes.rate());
            self.report.compare(Section::UnderLoad, &key("_writes"), &label, writes.rate(), Unit::PerSecond, beside);
        }
        Ok(())
    }
}
