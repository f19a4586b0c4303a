//! The service as it really runs: with keys, the audit log and the log on, beside the same without.
//!
//! Three servers take turns, so that what the machine does meanwhile is the same for all of them.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use conspectus::rpc::proto::{self, CreateKeyRequest, CreateKeyResponse, Role};
use prost::Message;

use crate::drive::{Window, drive};
use crate::process::{PROGRAM, Server, Usage};
use crate::questions::ask;
use crate::report::{Section, Unit, spread};
use crate::syncs::Syncs;
use crate::wire::{self, Call, Key};
use crate::workload::{self, AGENCIES, Question, Workload};
use crate::{Failure, LOAD_SENDERS, Run};

const ROUNDS: u64 = 5;
const READERS: usize = 16;
/// Submissions of 1,000 that the servers are filled with: enough for an answer.
const FILL: usize = 100;
/// Bounds that a measurement doesn't meet.
const SERVE: [&str; 2] = ["--calls-a-second", "1000000"];
const OPERATOR: &str = "operator";

/// A server, and what its callers present.
struct Variant {
    server: Server,
    keys: Arc<Keys>,
    singles: Cost,
    reads: Cost,
    /// Of each round.
    read_p50: Vec<f64>,
    read_rate: Vec<f64>,
}

/// What calls took of the server's processor, in microseconds, over all rounds.
#[derive(Default)]
struct Cost {
    cpu: f64,
    calls: u64,
}

impl Cost {
    fn add(&mut self, server: &Server, before: Usage, calls: u64) -> Result<(), Failure> {
        self.cpu += server.usage()?.each_since(before, 1).cpu;
        self.calls += calls;
        Ok(())
    }

    fn each(&self) -> f64 {
        self.cpu / self.calls as f64
    }
}

/// Nobody has one where the server is open.
#[derive(Default)]
struct Keys {
    steward: Option<Key>,
    analyst: Option<Key>,
    of_agency: HashMap<String, Key>,
}

impl Variant {
    async fn start(data: &Path, log: &str, has_identities: bool, workload: Workload) -> Result<Self, Failure> {
        let operator = has_identities.then(|| first_key(data)).transpose()?;
        let (server, _) = Server::conspectus_with(data, log, &SERVE).await?;
        let channel = server.channel()?;
        let mut keys = Keys::default();
        let put = conspectus::rpc::put_request(&workload::catalogue()?, false).encode_to_vec();
        if let Some(operator) = &operator {
            keys.steward = Some(create(&server, operator, "steward", Role::Steward, "").await?);
            keys.analyst = Some(create(&server, operator, "analyst", Role::Analyst, "").await?);
        }
        wire::call(&channel, Call::new(wire::PUT_CATALOGUE, put).by(keys.steward.as_ref())).await?;
        for agency in (0..AGENCIES).map(workload::agency) {
            if let Some(operator) = &operator {
                let key = create(&server, operator, &agency, Role::Submitter, &agency).await?;
                keys.of_agency.insert(agency, key);
            }
        }
        for batch in workload.batches().take(FILL) {
            wire::call(&channel, keys.submit(&batch)).await?;
        }
        let [read_p50, read_rate] = Default::default();
        Ok(Self { server, keys: Arc::new(keys), singles: Cost::default(), reads: Cost::default(), read_p50, read_rate })
    }

    async fn round(&mut self, number: u64, workload: Workload, window: Window) -> Result<(), Failure> {
        let keys = Arc::clone(&self.keys);
        let next = move |call| Some(keys.submit(&workload.single((number << 32) + call)));
        let before = self.server.usage()?;
        let found = drive(&self.server, LOAD_SENDERS, Some(window), next).await?;
        self.singles.add(&self.server, before, found.calls())?;
        let before = self.server.usage()?;
        let found = ask(&self.server, 1, window, Question::Q1, self.keys.analyst.clone()).await?;
        self.reads.add(&self.server, before, found.calls())?;
        self.read_p50.push(found.milliseconds(0.5));
        let found = ask(&self.server, READERS, window, Question::Q1, self.keys.analyst.clone()).await?;
        self.read_rate.push(found.rate());
        Ok(())
    }
}

impl Keys {
    fn submit(&self, request: &proto::SubmitObservationsRequest) -> Call {
        Call::new(wire::SUBMIT, request.encode_to_vec()).by(self.of_agency.get(&request.agency))
    }
}

/// Makes the folder, and the first operator's key in it.
fn first_key(data: &Path) -> Result<Key, Failure> {
    let arguments = ["key", "create", OPERATOR, "--role", OPERATOR, "--new", "--data"];
    let made = Command::new(PROGRAM).args(arguments).arg(data).output()?;
    if !made.status.success() {
        return Err(String::from_utf8_lossy(&made.stderr).into());
    }
    key(String::from_utf8(made.stdout)?.trim())
}

fn key(secret: &str) -> Result<Key, Failure> {
    Ok(format!("Bearer {secret}").parse()?)
}

async fn create(server: &Server, operator: &Key, identity: &str, role: Role, agency: &str) -> Result<Key, Failure> {
    let request = CreateKeyRequest {
        identity: identity.to_owned(),
        role: role.into(),
        agency: agency.to_owned(),
        ..CreateKeyRequest::default()
    };
    let call = Call::new(wire::CREATE_KEY, request.encode_to_vec()).by(Some(operator));
    key(&CreateKeyResponse::decode(wire::call(&server.channel()?, call).await?)?.secret)
}

impl Run<'_> {
    pub(crate) async fn identities(&mut self) -> Result<(), Failure> {
        let window = Window { warm_up: self.window.warm_up / 2, measured: self.window.measured / 2 };
        let start = async |name, log, has_identities| {
            Variant::start(&self.folder.join(name), log, has_identities, self.workload).await
        };
        let mut variants = [
            start("quiet", "off", false).await?,
            start("logged", "info", false).await?,
            start("keys", "info", true).await?,
        ];
        for number in 0..ROUNDS {
            for variant in &mut variants {
                variant.round(number, self.workload, window).await?;
            }
        }
        let disk = self.disk()?;
        let [quiet, logged, keys] = variants;
        let median = |values: &[f64]| spread(values)[1];
        let [further, base] = [&keys, &logged].map(|of| median(&of.read_p50));
        for (key, label, found, unit, beside) in [
            (
                "log",
                "one observation, with the log on, cpu of the server",
                logged.singles.each(),
                Unit::Microseconds,
                ("without", quiet.singles.each()),
            ),
            (
                "keys",
                "one observation, with keys and audit, cpu of the server",
                keys.singles.each(),
                Unit::Microseconds,
                ("without", logged.singles.each()),
            ),
            (
                "read_cpu",
                "an audited read (Q1), cpu of the server",
                keys.reads.each(),
                Unit::Microseconds,
                ("open", logged.reads.each()),
            ),
            ("read_p50", "an audited read (Q1), p50", further, Unit::Milliseconds, ("open", base)),
            (
                "read_further",
                "what that takes longer",
                further - base,
                Unit::Milliseconds,
                ("4 KiB appended and synced", disk.append),
            ),
            (
                "reads_senders_16",
                "audited reads, 16 at a time",
                median(&keys.read_rate),
                Unit::PerSecond,
                ("open", median(&logged.read_rate)),
            ),
        ] {
            self.report.compare(Section::Identities, key, label, found, unit, beside);
        }
        for (senders, key, label) in
            [(1, "read", "an audited read, syncs of the disk"), (READERS, "read_senders_16", "the same, 16 at a time")]
        {
            let Some(syncs) = Syncs::count(&keys.server, &self.folder.join("syncs"))? else {
                eprintln!("  strace is missing, or not allowed: syncs aren't counted");
                break;
            };
            let found = ask(&keys.server, senders, window, Question::Q1, keys.keys.analyst.clone()).await?;
            let each = syncs.end()? as f64 / found.calls() as f64;
            self.report.add(Section::Identities, key, label, each, Unit::Syncs);
        }
        for variant in [quiet, logged, keys] {
            variant.server.stop()?;
        }
        Ok(())
    }
}
