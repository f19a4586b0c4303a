//! Submits a file of more figures than one submission may have: in parts, over one stream, of which any may be sent again.
//!
//! The file is read twice. What is wrong with it was found out before anything is sent; now it is read again, and sent
//! part by part. A part that isn't what it was the first time is not sent: somebody has changed the file.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tonic::{Code, Status};

use super::super::connect::refusal;
use super::super::failure::{Exit, Failure};
use super::super::format::json_line;
use super::super::output;
use super::super::progress::Progress;
use super::super::receipt_file;
use super::args::Args;
use super::completion;
use super::lane::{Lane, Outcome};
use super::refused::refused_for;
use super::tally::Tally;
use super::twice;
use crate::figures::input::Input;
use crate::figures::problem::Problem;
use crate::figures::{self, Taken};
use crate::rpc::proto::{Refusal, SubmitObservationsRequest, SubmitObservationsResponse};
use crate::submitting::filter::Filter;
use crate::submitting::part::{Part, Parts};
use crate::submitting::request_id::{self, Digest};
use crate::submitting::{CatalogueNames, Found, Selection, Sheet};

/// How many parts are read ahead of those that are sent.
const READ_AHEAD: usize = 2;

/// The most problems of parts that are listed.
const PROBLEMS_MAX: usize = 1_000;

/// A large file, read once.
pub(super) struct Large<'a> {
    pub(super) args: &'a Args,
    pub(super) selection: Selection,
    pub(super) input: Input,
    pub(super) sheet: &'a Sheet,
    pub(super) names: Option<Arc<CatalogueNames>>,
}

impl Large<'_> {
    /// Sends the parts, and says what became of them.
    pub(super) async fn submit(self) -> Result<(), Failure> {
        self.check_arguments()?;
        let twice = twice::problems(&self.input, &self.selection, self.names.as_deref(), self.sheet);
        if !twice.is_empty() {
            return Err(refused_for(self.args, self.sheet, twice, 0));
        }
        let head = self.head().await?;
        let mut sent = Sent::default();
        let mut ended = self.send(&head, &mut sent).await;
        // A file of its own return is whole now; of one that has several, somebody else says when.
        if ended.is_ok() && sent.is_whole() && !self.args.dry_run && self.args.return_id.is_none() {
            let manifest = completion::manifest(sent.tally.request_ids(), [&self.sheet.parts]);
            ended = completion::complete(&self.args.server, &head.agency, &head.return_id, manifest).await.map(drop);
        }
        if let (Some(path), receipts @ [_, ..]) = (&self.args.receipt, sent.tally.receipts()) {
            receipt_file::write(receipts, path)?;
        }
        self.report(ended, sent, &head.return_id)
    }

    /// What is of one submission alone.
    fn check_arguments(&self) -> Result<(), Failure> {
        if self.args.request_id.is_some() {
            let parts = self.sheet.parts.digests.len();
            let what =
                format!("--request-id is for one submission, and {parts} are needed for this file; leave it out");
            return Err(Failure::usage(what));
        }
        if self.args.resubmit && self.args.return_id.is_some() {
            return Err(Failure::usage(
                "--resubmit is for a file that is a return of its own; use another --return-id",
            ));
        }
        Ok(())
    }

    /// A submission without its figures and its id, of the return that is named, or that the file is by itself.
    async fn head(&self) -> Result<SubmitObservationsRequest, Failure> {
        let mut head = SubmitObservationsRequest {
            agency: self.args.selection.agency.clone(),
            source: self.args.source.clone(),
            reason: self.args.reason.clone(),
            sample: self.args.sample,
            validate_only: self.args.dry_run,
            unchanged_since_revision: self.args.unchanged_since.unwrap_or_default(),
            ..SubmitObservationsRequest::default()
        };
        head.return_id = match &self.args.return_id {
            Some(return_id) => return_id.clone(),
            // Nothing is stored, and a return that is complete already would take no part.
            None if self.args.dry_run => String::new(),
            None => self.own_return(&head).await?,
        };
        Ok(head)
    }

    /// The id of the return that the file is by itself. Where it was received whole before, and its figures have changed
    /// since, the file is another return: it changes them back.
    async fn own_return(&self, head: &SubmitObservationsRequest) -> Result<String, Failure> {
        let (mut resubmitted, mut stands) = (0, None);
        loop {
            let return_id = request_id::of_return(head, &self.sheet.parts.digests, resubmitted);
            let found = completion::find(&self.args.server, &head.agency, &return_id).await?;
            let is_complete = found.and_then(|found| found.summary).is_some_and(|it| it.complete);
            if is_complete && !self.args.resubmit && stands.is_none() {
                stands = Some(self.stands(head).await?);
            }
            if !is_complete || stands == Some(true) {
                return Ok(return_id);
            }
            resubmitted += 1;
        }
    }

    /// Whether all figures are what the file has.
    async fn stands(&self, head: &SubmitObservationsRequest) -> Result<bool, Failure> {
        let mut checked = Sent::default();
        self.send(&SubmitObservationsRequest { validate_only: true, ..head.clone() }, &mut checked).await?;
        Ok(checked.is_whole() && checked.tally.changes_nothing())
    }

    async fn send(&self, head: &SubmitObservationsRequest, sent: &mut Sent) -> Result<(), Failure> {
        let (parts, reader) = self.read_again();
        let mut lane = Lane::new(&self.args.server, head.clone(), parts);
        let what = if head.validate_only { "Checked" } else { "Sent" };
        let mut progress = Progress::new(what, Some(self.sheet.parts.figures));
        let mut done = 0;
        while let Some((part, outcome)) = lane.next().await? {
            done += part.figures.len() as u64;
            match outcome {
                Outcome::Accepted(answer) => {
                    match self.print(head, &answer) {
                        // Nobody reads it any more, and the figures are sent all the same.
                        Ok(()) | Err(Failure::OutputClosed) => {}
                        Err(failure) => return Err(failure),
                    }
                    // Once one is refused the rest are only checked, and have no receipt.
                    sent.tally.add(&part, &answer, &self.args.file);
                }
                Outcome::Refused(refused) => {
                    self.refused(head, &part, refused, sent).await?;
                    lane.only_check();
                }
            }
            progress.at(done);
        }
        drop(lane);
        match reader.await? {
            Ok(()) => Ok(()),
            Err(Changed) => Err(Failure::refused(format!(
                "{} was changed while it was sent, and what is changed wasn't sent. Submit it again",
                self.args.file.display()
            ))),
        }
    }

    /// An answer as JSON, where that is wanted.
    fn print(&self, head: &SubmitObservationsRequest, answer: &SubmitObservationsResponse) -> Result<(), Failure> {
        // What is only looked at first isn't what was asked for.
        if !self.args.json || head.validate_only != self.args.dry_run {
            return Ok(());
        }
        output::print_line(json_line(answer, "SubmitObservationsResponse")?)
    }

    /// Reads the file once more, on a thread of its own, which hands over its parts.
    fn read_again(&self) -> (mpsc::Receiver<Part>, Reader) {
        let (to, parts) = mpsc::channel(READ_AHEAD);
        let (selection, size) = (self.selection.clone(), self.args.part_size());
        let (input, names, digests) = (self.input.clone(), self.names.clone(), self.sheet.parts.digests.clone());
        let reader = tokio::task::spawn_blocking(move || {
            let mut filter = Filter::new(&selection, names.as_deref());
            let mut handover = Handover { digests: digests.into_iter(), to, ended: None };
            let mut parts = Parts::new(size);
            let reading = figures::read_each(&input, &selection.layout, |mut figure| {
                if let Err(instead) = filter.takes(&mut figure) {
                    return instead;
                }
                let is_wanted = parts.add_to_send(figure).is_none_or(|part| handover.take(part));
                if is_wanted { Taken::Yes } else { Taken::Last }
            });
            if handover.ended.is_none()
                && let Some(part) = parts.last_to_send()
            {
                handover.take(part);
            }
            let is_the_same = reading.problems.is_empty() && handover.digests.next().is_none();
            handover.ended.unwrap_or(if is_the_same { Ok(()) } else { Err(Changed) })
        });
        (parts, reader)
    }

    /// Finds out what is wrong with a part that was refused, by row and column, as of a small file.
    async fn refused(
        &self,
        head: &SubmitObservationsRequest,
        part: &Part,
        refused: Refusal,
        sent: &mut Sent,
    ) -> Result<(), Failure> {
        if Code::from(refused.code) != Code::InvalidArgument {
            return Err(refusal(&Status::new(Code::from(refused.code), refused.message), str::to_owned));
        }
        if sent.problems.len() >= PROBLEMS_MAX {
            sent.omitted += refused.violations.len().max(1);
            return Ok(());
        }
        let check = SubmitObservationsRequest {
            request_id: request_id::of_part_check(head, part.digest),
            validate_only: true,
            observations: part.figures.iter().map(|figure| figure.observation.clone()).collect(),
            ..head.clone()
        };
        let answer = self.args.server.submissions().await?.submit_observations(check).await;
        let found = answer.err().map(|status| Found::of(&status)).unwrap_or_default();
        sent.omitted += found.omitted;
        if found.listed.is_empty() {
            // It isn't refused any more, or for something that isn't a figure's.
            let (first, last) = part.rows();
            let what = format!("rows {first} to {last} were refused: {}", refused.message);
            sent.problems.push(Problem::of_file(what));
        }
        sent.problems.extend(self.sheet.problems_of(&part.figures, &found));
        Ok(())
    }

    /// What was accepted, and what wasn't.
    fn report(&self, ended: Result<(), Failure>, sent: Sent, return_id: &str) -> Result<(), Failure> {
        let Sent { tally, problems, omitted } = sent;
        let stays = |failure| match failure {
            Failure::Message(exit, message) => {
                let again = if exit == Exit::Unreachable || exit == Exit::Busy {
                    "\nRun the same command again: it goes on with what wasn't received"
                } else {
                    ""
                };
                Failure::Message(exit, format!("{message}{}{again}", tally.stays(self.args.dry_run)))
            }
            Failure::OutputClosed => Failure::OutputClosed,
        };
        ended.map_err(stays)?;
        if !problems.is_empty() || omitted > 0 {
            return Err(stays(refused_for(self.args, self.sheet, problems, omitted)));
        }
        if self.args.json {
            return Ok(());
        }
        let is_complete = if self.args.return_id.is_some() { "is still open" } else { "is complete" };
        let of_return = (!self.args.dry_run).then(|| format!("  return `{return_id}` {is_complete}"));
        let lines = [tally.lines(self.args.dry_run), of_return.into_iter().collect(), self.sheet.notes()].concat();
        output::print_text(&format!("{}\n", lines.join("\n")))
    }
}

/// The thread that reads, and how it ends.
type Reader = JoinHandle<Result<(), Changed>>;

/// What became of the parts so far.
#[derive(Default)]
struct Sent {
    tally: Tally,
    problems: Vec<Problem>,
    omitted: usize,
}

impl Sent {
    /// Whether none was refused.
    fn is_whole(&self) -> bool {
        self.problems.is_empty() && self.omitted == 0
    }
}

/// The file isn't what it was.
#[derive(Debug, Clone, Copy)]
struct Changed;

/// Hands over parts that are what they were.
struct Handover {
    /// What each was.
    digests: std::vec::IntoIter<Digest>,
    to: mpsc::Sender<Part>,
    /// How it ended, once it has before the last part.
    ended: Option<Result<(), Changed>>,
}

impl Handover {
    /// Hands over a part; whether more are wanted.
    fn take(&mut self, part: Part) -> bool {
        if self.digests.next() != Some(part.digest) {
            self.ended = Some(Err(Changed));
        } else if self.to.blocking_send(part).is_err() {
            // Nobody wants it any more, and that is said elsewhere.
            self.ended = Some(Ok(()));
        }
        self.ended.is_none()
    }
}
