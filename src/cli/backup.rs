//! `conspectus backup`, `restore` and `verify`: what a data folder holds, kept elsewhere.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use clap::Parser;

use super::advice::advice;
use super::control::Control;
use super::failure::Failure;
use super::format::counted;
use super::output;
use crate::backup::{self, Backup, Checked, KnownBackup, Previous, Restored, Until, Whole, read_all, restore};
use crate::journal::sync_folder;
use crate::model::revision::Revision;
use crate::model::timestamp::Timestamp;
use crate::server::{self, BackupRequest, OpenFolder, TakenBackup, Verified, VerifiedBackup, control_path};

/// What stands for standard input and output.
const STANDARD: &str = "-";

/// Back up a data folder, while its server runs or not: the journal, the audit log and its questions, as of one revision.
///
/// A backup goes to a file that isn't there yet, or to standard output. It holds every figure: keep it as safe as the
/// folder. It is only known to be good once it was restored: `conspectus verify --restore`.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  conspectus backup monday.backup\n  conspectus backup tuesday.backup --after last\n  conspectus backup -"
)]
pub(super) struct BackupArgs {
    /// The file, or - for standard output.
    file: PathBuf,
    /// The data folder.
    #[arg(long, env = "CONSPECTUS_DATA", default_value = "conspectus-data")]
    data: PathBuf,
    /// Only what came after another backup: its file, its id, or `last` for the one that was taken last.
    #[arg(long, value_name = "BACKUP")]
    after: Option<String>,
    /// What is noted in it, such as what it is for.
    #[arg(long, value_name = "TEXT", default_value = "", value_parser = note)]
    note: String,
}

/// Restore a data folder from backups: a full one, and those that go on from it, in order.
///
/// The folder is there once all of it is restored and verified, and not before; a backup that isn't what was written
/// leaves nothing behind.
#[derive(Debug, Parser)]
#[command(
    after_help = "Examples:\n  conspectus restore monday.backup tuesday.backup --data restored\n  conspectus restore monday.backup --data as-it-was --until 2026-11-01T09:00:00Z"
)]
pub(super) struct RestoreArgs {
    /// The backups: files, or - for standard input.
    #[arg(required = true, value_name = "BACKUP")]
    backups: Vec<PathBuf>,
    /// The folder, which isn't there yet, or empty.
    #[arg(long, env = "CONSPECTUS_DATA", default_value = "conspectus-data")]
    data: PathBuf,
    /// Only as far as this revision.
    #[arg(long, value_name = "REVISION", conflicts_with = "until")]
    revision: Option<u64>,
    /// Only what was accepted by this instant, such as 2026-11-01T09:00:00Z.
    #[arg(long, value_name = "INSTANT")]
    until: Option<jiff::Timestamp>,
}

/// Check that a data folder, or backups, are what was written: every checksum, every revision, the chain of all.
///
/// Without backups it is the data folder, which the server reads if one runs on it. Receipts are checked by
/// `conspectus receipt verify`.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:\n  conspectus verify\n  conspectus verify --restore monday.backup tuesday.backup")]
pub(super) struct VerifyArgs {
    /// The backups: a full one, and those that go on from it, in order; - is standard input.
    #[arg(value_name = "BACKUP")]
    backups: Vec<PathBuf>,
    /// The data folder. With backups, where it is noted that they restore.
    #[arg(long, env = "CONSPECTUS_DATA", default_value = "conspectus-data")]
    data: PathBuf,
    /// Restore the backups to a folder that is removed again, and compare its state and a sample of its answers with
    /// those at the time of the backup.
    #[arg(long, requires = "backups")]
    restore: bool,
    /// Where that folder is made.
    #[arg(long, value_name = "FOLDER", requires = "restore")]
    scratch: Option<PathBuf>,
}

fn note(text: &str) -> Result<String, String> {
    const BYTES_MAX: usize = 1_000;
    let is_plain = text.len() <= BYTES_MAX && !text.chars().any(char::is_control);
    if is_plain { Ok(text.to_owned()) } else { Err(format!("allowed: one line of at most {BYTES_MAX} bytes")) }
}

pub(super) async fn run(args: BackupArgs) -> Result<(), Failure> {
    let mut source = Source::of(&args.data).await?;
    let previous = match &args.after {
        None => None,
        Some(after) => Some(previous(after, &source.known().await?)?),
    };
    let request = BackupRequest { previous, note: args.note.clone() };
    if args.file.as_os_str() == STANDARD {
        let mut out = Last::of(io::stdout());
        source.write(request, &mut out).await?;
        source.note(out.last_hash()).await;
        output::note(format_args!("Backed up: {}", out.last_hash()));
        return Ok(());
    }
    let mut file = NewFile::create(&args.file)?;
    source.write(request, &mut file.out).await?;
    let whole = file.finish()?;
    source.note(whole.id.clone()).await;
    output::print_line(format_args!("{}\n{}", described(&whole), whole.id))
}

/// Where a backup comes from.
enum Source {
    /// The server that runs on the folder.
    Server(Control),
    /// The folder itself, which no server runs on, and what is to be noted there of the backup that was written.
    Folder(Box<OpenFolder>, Option<KnownBackup>),
}

impl Source {
    async fn of(data: &Path) -> Result<Self, Failure> {
        if let Some(control) = Control::connect(data).await? {
            return Ok(Self::Server(control));
        }
        let data = data.to_owned();
        let open = tokio::task::spawn_blocking(move || OpenFolder::open(&data)).await??;
        Ok(Self::Folder(Box::new(open), None))
    }

    /// The backups that are known.
    async fn known(&mut self) -> Result<Vec<KnownBackup>, Failure> {
        match self {
            Self::Server(control) => control.get(control_path::BACKUPS).await,
            Self::Folder(open, _) => Ok(open.backups.all()),
        }
    }

    async fn write(&mut self, request: BackupRequest, out: &mut (impl Write + Send)) -> Result<(), Failure> {
        match self {
            Self::Server(control) => control.stream(control_path::BACKUP, &request, out).await?,
            Self::Folder(open, taken) => *taken = Some(open.backup(request, out).map_err(failure)?),
        }
        Ok(())
    }

    /// Notes in the folder that a backup was taken, once all of it is where it was to go. Where that can't be noted, as on
    /// a disk that is full, it is a backup all the same.
    async fn note(self, id: String) {
        let noted = match self {
            Self::Server(mut control) => control.post(control_path::TAKEN, &TakenBackup { id }).await,
            Self::Folder(open, taken) => taken.map_or(Ok(()), |taken| open.note_taken(taken)).map_err(Failure::from),
        };
        if let Err(Failure::Message(_, why)) = noted {
            output::note(format_args!("The backup is whole, and can't be noted in the data folder: {why}"));
        }
    }
}

/// The backup to go on from.
fn previous(after: &str, known: &[KnownBackup]) -> Result<Previous, Failure> {
    if after == "last" {
        let last = known.last().map(KnownBackup::as_previous);
        return last.ok_or_else(|| Failure::refused("no backup of this folder is known: take a full one"));
    }
    if let Some(known) = known.iter().rev().find(|known| known.id == after) {
        return Ok(known.as_previous());
    }
    let path = Path::new(after);
    if !path.exists() {
        return Err(Failure::refused(format!(
            "--after: `{after}` is no file, and the id of no backup that is known; allowed: one of these, or `last`"
        )));
    }
    let whole = Backup::open(after, BufReader::new(File::open(path)?))
        .and_then(|backup| backup.read(&mut Checked))
        .map_err(failure)?;
    Ok(whole.as_previous())
}

/// What a backup has, in words.
fn described(whole: &Whole) -> String {
    let (from, to) = (whole.manifest.from().journal.revision, whole.manifest.to.journal.revision);
    let revisions = match (whole.manifest.previous.is_some(), from == to) {
        (false, _) => format!("everything up to revision {to}"),
        (true, true) => format!("nothing new after revision {from}"),
        (true, false) => format!("revisions {} to {to}", from.next()),
    };
    format!("Backed up {revisions}, and {}.", lines(whole.totals.audit_lines))
}

fn lines(count: u64) -> String {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    counted(count, "line of the audit log", "lines of the audit log")
}

pub(super) fn failure(error: backup::Error) -> Failure {
    if error.is_refusal() { Failure::refused(error.to_string()) } else { error.into() }
}

/// A file that is there once it is whole, checked and durable.
struct NewFile {
    path: PathBuf,
    fresh: PathBuf,
    out: BufWriter<File>,
}

impl NewFile {
    fn create(path: &Path) -> Result<Self, Failure> {
        if path.exists() {
            return Err(Failure::failed(format!("{} is there already: a backup goes to a new file", path.display())));
        }
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(".part");
        let fresh = path.with_file_name(name);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&fresh).map_err(|error| {
            let is_nowhere = error.kind() == io::ErrorKind::NotFound;
            let advice = if is_nowhere { "; make the folder first".to_owned() } else { advice(&error) };
            Failure::failed(format!("can't write the backup {}: {error}{advice}", path.display()))
        })?;
        Ok(Self { path: path.to_owned(), fresh, out: BufWriter::new(file) })
    }

    /// Reads it again, and gives it its name.
    fn finish(mut self) -> Result<Whole, Failure> {
        self.out.flush()?;
        self.out.get_ref().sync_all()?;
        let name = self.path.display().to_string();
        let written = Backup::open(&name, BufReader::new(File::open(&self.fresh)?));
        let whole = written.and_then(|backup| backup.read(&mut Checked)).map_err(failure)?;
        fs::rename(&self.fresh, &self.path)?;
        let parent = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        sync_folder(parent.unwrap_or(Path::new(".")))?;
        Ok(whole)
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        // What isn't whole is of no use; what is has another name by now.
        drop(fs::remove_file(&self.fresh));
    }
}

/// Passes bytes on, and keeps the last of them: a backup ends with its id.
struct Last<W> {
    out: W,
    last: Vec<u8>,
}

impl<W> Last<W> {
    const BYTES: usize = 32;

    fn of(out: W) -> Self {
        Self { out, last: Vec::new() }
    }

    fn last_hash(&self) -> String {
        crate::model::hex::Hex(&self.last).to_string()
    }
}

impl<W: Write> Write for Last<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.write_all(bytes)?;
        self.last.extend_from_slice(&bytes[bytes.len().saturating_sub(Self::BYTES)..]);
        self.last.drain(..self.last.len().saturating_sub(Self::BYTES));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Backups by the names of their files.
fn files(paths: &[PathBuf]) -> impl Iterator<Item = Result<(String, Box<dyn Read>), backup::Error>> {
    paths.iter().map(|path| {
        if path.as_os_str() == STANDARD {
            return Ok(("standard input".to_owned(), Box::new(io::stdin()) as Box<dyn Read>));
        }
        let file = File::open(path).map_err(|source| backup::Error::Io { path: path.clone(), source })?;
        Ok((path.display().to_string(), Box::new(BufReader::new(file)) as Box<dyn Read>))
    })
}

pub(super) fn run_restore(args: &RestoreArgs) -> Result<(), Failure> {
    let until = match (args.revision, args.until) {
        (Some(revision), _) => Until::Revision(Revision(revision)),
        (None, Some(at)) => Until::Instant(Timestamp(at.as_microsecond())),
        (None, None) => Until::End,
    };
    let mut verified = None;
    let restored = restore(files(&args.backups), until, &args.data, |folder, restored| {
        verified = Some(compare(folder, restored)?);
        Ok(())
    })
    .map_err(failure)?;
    let (folder, backups) = (args.data.display(), counted(restored.backups.len(), "backup", "backups"));
    let (verified, compared) = verified.ok_or_else(|| Failure::failed("nothing was restored"))?;
    output::print_line(format_args!(
        "Restored {folder} from {backups}: revision {}, with {}. {compared}\nchain hash {}",
        verified.revision,
        lines(verified.audit_lines),
        verified.chain
    ))?;
    if !restored.is_all() {
        output::note(
            "The audit log is whole and knows of later revisions: start the server with --accept-older-journal, which revokes again the keys that were revoked since.",
        );
    }
    Ok(())
}

/// Opens a folder that was restored, which verifies it, and compares it with what the server had when the last backup was
/// taken: what it comes to, and what was compared, in words.
fn compare(folder: &Path, restored: &Restored) -> Result<(Verified, String), backup::Error> {
    let differs = |what: String| backup::Error::Differs { what };
    let open = OpenFolder::open(folder).map_err(|error| differs(error.to_string()))?;
    let verified = open.verified();
    let Some(last) = restored.backups.last().filter(|_| restored.is_all()) else {
        return Ok((verified, "It ends before the last backup does, so there are no answers to compare.".to_owned()));
    };
    let Some(digests) = &last.totals.digests else {
        return Ok((verified, "The backup has no answers to compare.".to_owned()));
    };
    if last.manifest.program != env!("CARGO_PKG_VERSION") {
        let version = &last.manifest.program;
        return Ok((verified, format!("The backup was taken by version {version}, whose answers aren't compared.")));
    }
    let found = open.digests();
    if found != *digests {
        return Err(differs(format!("the state was {digests:?} when it was backed up, and is {found:?}")));
    }
    let answers = counted(usize::try_from(found.answer_count).unwrap_or(usize::MAX), "picture", "pictures");
    Ok((verified, format!("Its state, and {answers} of it, are those of the server when it was backed up.")))
}

pub(super) async fn run_verify(args: VerifyArgs) -> Result<(), Failure> {
    if args.backups.is_empty() {
        let verified = match Control::connect(&args.data).await? {
            Some(mut control) => control.post(control_path::VERIFY, &()).await?,
            None => tokio::task::spawn_blocking(move || verify_folder(&args.data)).await??,
        };
        let Verified { revision, chain, audit_lines, .. } = verified;
        let lines = lines(audit_lines);
        return output::print_line(format_args!(
            "Everything is what was written: revision {revision}, and {lines}.\nchain hash {chain}"
        ));
    }
    if !args.restore {
        let read = read_all(files(&args.backups), &mut Checked).map_err(failure)?;
        let last = read.last().ok_or_else(|| Failure::usage("no backup is named"))?;
        return output::print_line(format_args!(
            "{} what was written, up to revision {}.\n{}",
            if read.len() == 1 { "The backup is".to_owned() } else { format!("All {} backups are", read.len()) },
            last.manifest.to.journal.revision,
            last.id
        ));
    }
    let scratch = args.scratch.clone().unwrap_or_else(std::env::temp_dir);
    let folder = scratch.join(format!("conspectus-verify-{}", std::process::id()));
    let mut compared = None;
    let restored = restore(files(&args.backups), Until::End, &folder, |folder, restored| {
        compared = Some(compare(folder, restored)?);
        Ok(())
    });
    // Its content is that of the backup: nobody else's to find.
    drop(fs::remove_dir_all(&folder));
    let restored = restored.map_err(failure)?;
    let (last, (verified, compared)) =
        restored.backups.last().zip(compared).ok_or_else(|| Failure::failed("nothing was restored"))?;
    output::print_line(format_args!(
        "The backup restores: revision {}, with {}. {compared}\n{}",
        verified.revision,
        lines(verified.audit_lines),
        last.id
    ))?;
    report(&args.data, last).await
}

/// Reads all of a folder that no server runs on.
fn verify_folder(data: &Path) -> Result<Verified, server::Error> {
    let open = OpenFolder::open(data)?;
    open.check_log()?;
    Ok(open.verified())
}

/// Notes where the data folder is that a backup restores.
async fn report(data: &Path, Whole { id, manifest, .. }: &Whole) -> Result<(), Failure> {
    if let Some(mut control) = Control::connect(data).await? {
        return control.post(control_path::VERIFIED, &VerifiedBackup { id: id.clone(), to: manifest.to }).await;
    }
    if !data.exists() {
        output::note(format_args!(
            "{} isn't there, so this is noted nowhere: give --data on the server's machine",
            data.display()
        ));
        return Ok(());
    }
    let (data, id) = (data.to_owned(), id.clone());
    let noted = tokio::task::spawn_blocking(move || OpenFolder::open(&data)?.note_verified(&id)).await??;
    if noted { Ok(()) } else { Err(Failure::refused("the backup isn't one of this folder's")) }
}
