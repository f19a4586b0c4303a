//! What one would use instead: PostgreSQL, DuckDB and ClickHouse, which `benches/peers/peers.py` drives.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::drive::Window;
use crate::process::{Server, watchdog};
use crate::report::{Report, Section, Unit};
use crate::workload::Workload;
use crate::{Failure, export};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/peers/peers.py");
/// Each of a peer's figures: its name there, and which of the service's it is put beside.
const FIGURES: [(&str, Section, &str, Unit); 17] = [
    ("fdatasync_append_p50", Section::Machine, "fdatasync_append_p50_ms", Unit::Milliseconds),
    ("fdatasync_overwrite_p50", Section::Machine, "fdatasync_overwrite_p50_ms", Unit::Milliseconds),
    ("single_1", Section::Single, "senders_1_per_s", Unit::PerSecond),
    ("single_16", Section::Single, "senders_16_per_s", Unit::PerSecond),
    ("single_64", Section::Single, "senders_64_per_s", Unit::PerSecond),
    ("many_1", Section::Large, "senders_1_obs_per_s", Unit::ObservationsPerSecond),
    ("many_16", Section::Large, "senders_16_obs_per_s", Unit::ObservationsPerSecond),
    ("bulk", Section::Bulk, "streams_4_columns_obs_per_s", Unit::ObservationsPerSecond),
    ("q1_p50", Section::Queries, "q1_p50_ms", Unit::Milliseconds),
    ("q2_p50", Section::Queries, "q2_p50_ms", Unit::Milliseconds),
    ("q3_p50", Section::Queries, "q3_p50_ms", Unit::Milliseconds),
    ("q4_p50", Section::Queries, "q4_p50_ms", Unit::Milliseconds),
    ("q1_senders_16", Section::Queries, "q1_senders_16_per_s", Unit::PerSecond),
    ("q2_senders_16", Section::Queries, "q2_senders_16_per_s", Unit::PerSecond),
    ("q3_senders_16", Section::Queries, "q3_senders_16_per_s", Unit::PerSecond),
    ("q4_senders_16", Section::Queries, "q4_senders_16_per_s", Unit::PerSecond),
    ("disk", Section::Size, "disk_bytes_per_obs", Unit::BytesPerObservation),
];

/// The peers' driver, with the data that they get.
pub(crate) struct Peers {
    python: PathBuf,
    folder: tempfile::TempDir,
    /// Compared once: nothing of it changes from run to run.
    is_checked: bool,
    versions: Value,
}

impl Peers {
    pub(crate) fn new(python: &Path, workload: Workload) -> Result<Self, Failure> {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        export::export(workload, &folder.path().join("exported"))?;
        Ok(Self { python: python.to_owned(), folder, is_checked: false, versions: Value::Null })
    }

    pub(crate) fn versions(self) -> Value {
        self.versions
    }

    /// Fails unless the server's answers are what adding up the data gives.
    pub(crate) async fn check(&mut self, server: &Server) -> Result<(), Failure> {
        if !self.is_checked {
            self.run(&["check", "--address", &server.address()]).await?;
            self.is_checked = true;
        }
        Ok(())
    }

    /// The same work on each of them, beside the service's figures of this run.
    pub(crate) async fn measure(&mut self, window: Window, report: &mut Report) -> Result<(), Failure> {
        let seconds = window.measured.as_secs_f64().to_string();
        let found: Value = serde_json::from_slice(&self.run(&["measure", "--seconds", &seconds]).await?)?;
        self.versions = found["versions"].clone();
        for (name, figures) in found["figures"].as_object().into_iter().flatten() {
            let peer = name.to_lowercase();
            for (key, section, of, unit) in FIGURES {
                if let (Some(theirs), Some(ours)) = (figures[key].as_f64(), report.last(section, of)) {
                    let (key, label) = (format!("{peer}_{key}"), format!("{key}, beside {name}"));
                    report.compare(Section::Peers, &key, &label, ours, unit, (name, theirs));
                }
            }
        }
        Ok(())
    }

    /// What the script prints.
    async fn run(&self, arguments: &[&str]) -> Result<Vec<u8>, Failure> {
        const LOOK_EVERY: Duration = Duration::from_millis(50);
        let out = self.folder.path().join("out");
        let child = Command::new(&self.python)
            .args(["-B", SCRIPT])
            .args(arguments)
            .arg("--work")
            .arg(self.folder.path())
            .stdin(Stdio::null())
            .stdout(File::create(&out)?)
            .spawn()?;
        let mut script = Script { watchdog: watchdog(child.id(), "TERM")?, child };
        loop {
            match script.child.try_wait()? {
                Some(status) if status.success() => return Ok(std::fs::read(out)?),
                Some(_) => return Err("the comparison with the peers failed".into()),
                None => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }
}

/// The running script. It ends by itself, and what it has started, once it is sent a signal.
struct Script {
    child: Child,
    watchdog: Child,
}

impl Drop for Script {
    fn drop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
            drop(self.watchdog.kill());
        }
        // Without its input the watchdog sends the signal.
        drop(self.watchdog.stdin.take());
        drop(self.watchdog.wait());
        drop(self.child.wait());
    }
}

/// The engine's times, from where `cargo bench --bench kernels -- query/` has written them.
pub(crate) fn engine(folder: &Path, report: &mut Report) -> Result<(), Failure> {
    for question in ["Q1", "Q2", "Q3", "Q4"] {
        let median = |of: &str| -> Result<f64, Failure> {
            let path = folder.join("query").join(format!("{question}_ {of}")).join("new/estimates.json");
            let estimates: Value = serde_json::from_slice(&std::fs::read(path)?)?;
            Ok(estimates["median"]["point_estimate"].as_f64().ok_or("no median")? / 1e3)
        };
        let (key, beside) = (question.to_lowercase(), ("a loop over the cells", median("dense loop")?));
        report.compare(Section::Engine, &key, question, median("engine")?, Unit::Microseconds, beside);
    }
    Ok(())
}
