//! Submissions of one observation.

use std::path::Path;

use bytes::Bytes;
use prost::Message;

use crate::drive::drive;
use crate::echo::Echoed;
use crate::process::Server;
use crate::report::{Section, Unit};
use crate::wire::{self, Call};
use crate::workload::Workload;
use crate::{Failure, LOAD_SENDERS, Run, open};

const SENDERS: [usize; 4] = [1, 16, 64, 256];
const OPEN_SHARES: [f64; 3] = [0.25, 0.5, 0.75];

/// Submissions of one observation that no other group sends.
pub(crate) fn messages(workload: Workload, group: u64) -> impl Fn(u64) -> Bytes + Send + Sync + 'static {
    const EACH_MAX: u64 = 1 << 32;
    move |number| workload.single(group * EACH_MAX + number).encode_to_vec().into()
}

impl Run<'_> {
    pub(crate) fn singles(&self, group: u64) -> impl Fn(u64) -> Option<Call> + Send + Sync + 'static {
        let message = messages(self.workload, group);
        move |number| Some(Call::new(wire::SUBMIT, message(number)))
    }

    pub(crate) async fn single(&mut self, server: &Server) -> Result<(), Failure> {
        for (group, senders) in (0..).zip(SENDERS) {
            // A shared disk differs from moment to moment: it is measured right before what is compared with it.
            let disk = self.disk()?.overwrite;
            let before = server.usage()?;
            let found = drive(server, senders, Some(self.window), self.singles(group)).await?;
            let each = server.usage()?.each_since(before, found.calls());
            let before = self.echo.usage()?;
            let echo = self.echo(senders, Echoed::Submission, &found.answer, messages(self.workload, group)).await?;
            let echo_each = self.echo.usage()?.each_since(before, echo.calls());
            let key = |of: &str| format!("senders_{senders}{of}");
            let label = |of: &str| format!("{senders} at a time{of}");
            let beside = ("echo", echo.rate());
            self.report.compare(Section::Single, &key(""), &label(""), found.rate(), Unit::PerSecond, beside);
            let p50 = echo.milliseconds(0.5);
            self.report.add(Section::Single, &key("_echo_p50"), &label(", echo, p50"), p50, Unit::Milliseconds);
            let beside = ("echo p50 + overwrite p50", p50 + disk);
            let p50 = found.milliseconds(0.5);
            self.report.compare(Section::Single, &key("_p50"), &label(", p50"), p50, Unit::Milliseconds, beside);
            let p99 = found.milliseconds(0.99);
            self.report.add(Section::Single, &key("_p99"), &label(", p99"), p99, Unit::Milliseconds);
            for (of, name, found, echo, unit) in [
                ("_cpu", "cpu of the server", each.cpu, echo_each.cpu, Unit::Microseconds),
                ("_cpu_user", "of that in the program", each.user, echo_each.user, Unit::Microseconds),
                ("_cpu_system", "of that in the kernel", each.system, echo_each.system, Unit::Microseconds),
                ("_context", "each", each.switches, echo_each.switches, Unit::Switches),
            ] {
                let label = label(&format!(", {name}"));
                self.report.compare(Section::Single, &key(of), &label, found, unit, ("echo", echo));
            }
        }
        Ok(())
    }

    /// At shares of what a closed loop of as many senders as the write load's gets.
    pub(crate) async fn open(&mut self, server: &Server) -> Result<(), Failure> {
        let closed = drive(server, LOAD_SENDERS, Some(self.window), self.singles(20)).await?;
        for (group, share) in (21..).zip(OPEN_SHARES) {
            let rate = closed.rate() * share;
            let nanoseconds = open::open_loop(server, rate, self.window, self.singles(group)).await?;
            let key = |of: &str| format!("at_{}_percent{of}", share * 100.0);
            let label = |of: &str| format!("at {share} of the closed loop's rate{of}");
            for (of, name, quantile) in [("_p50", ", p50", 0.5), ("_p99", ", p99", 0.99), ("_p99_9", ", p99.9", 0.999)]
            {
                let latency = nanoseconds.value_at_quantile(quantile) as f64 / 1e6;
                self.report.add(Section::Open, &key(of), &label(name), latency, Unit::Milliseconds);
            }
            self.report.add(Section::Open, &key(""), &label(""), rate, Unit::PerSecond);
        }
        Ok(())
    }

    /// What a submission of one observation takes of memory for good: by what a start takes without them, and with them.
    pub(crate) async fn size_of_singles(&mut self, server: Server, data: &Path) -> Result<(), Failure> {
        const COUNT: u64 = 100_000;
        let count = COUNT.min(self.workload.observations / 2);
        server.stop()?;
        let (server, _) = Server::conspectus(data).await?;
        let before = server.resident_bytes()?;
        let single = self.singles(30);
        let next = move |number| if number < count { single(number) } else { None };
        drive(&server, LOAD_SENDERS, None, next).await?;
        let received = server.resident_bytes()?;
        server.stop()?;
        let (server, _) = Server::conspectus(data).await?;
        let replayed = server.resident_bytes()?;
        server.stop()?;
        for (key, name, after) in
            [("memory_single", "replayed", replayed), ("memory_single_received", "received", received)]
        {
            let each = after.saturating_sub(before) as f64 / count as f64;
            let label = format!("memory, each submission of one, once {name}");
            self.report.add(Section::Size, key, &label, each, Unit::BytesPerSubmission);
        }
        Ok(())
    }
}
