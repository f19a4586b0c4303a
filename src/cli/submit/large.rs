//! Submits a file of more figures than one submission may have: in parts, over one stream, of which any may be sent again.
//!
//! The file is read twice. What is wrong with it was found out before anything is sent; now it is read again, and sent
//! part by part. A part that isn't what it was the first time is not sent: somebody has changed the file.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tonic::{Code, Status};

use super::super::connect::{refusal, violations};
use super::super::failure::{Exit, Failure};
use super::super::format::json_line;
use super::super::output;
use super::super::progress::Progress;
use super::super::receipt_file::ReceiptFile;
use super::args::Args;
use super::filter::{CatalogueNames, Filter};
use super::lane::{Lane, Outcome};
use super::part::{Part, Parts, Surveyed};
use super::refused::refused_for;
use super::request_id::{self, Digest};
use super::sheet::Sheet;
use super::tally::Tally;
use super::twice;
use crate::figures::input::Input;
use crate::figures::problem::Problem;
use crate::figures::{self, Taken};
use crate::rpc::proto::{Refusal, SubmitObservationsRequest, SubmitObservationsResponse};

/// How many parts are read ahead of those that are sent.
const READ_AHEAD: usize = 2;

/// The most problems of parts that are listed.
const PROBLEMS_MAX: usize = 1_000;

/// A large file, read once.
pub(super) struct Large<'a> {
    pub(super) args: &'a Args,
    pub(super) input: Input,
    pub(super) sheet: &'a Sheet,
    pub(super) parts: &'a Surveyed,
    pub(super) names: Option<Arc<CatalogueNames>>,
}

impl Large<'_> {
    /// Sends the parts, and says what became of them.
    pub(super) async fn submit(self) -> Result<(), Failure> {
        self.check_arguments()?;
        let twice = twice::problems(&self.input, &self.args.selection, self.names.as_deref(), self.sheet, self.parts)?;
        if !twice.is_empty() {
            return Err(refused_for(self.args, self.sheet, twice, 0));
        }
        let mut sent = Sent { tally: Tally::default(), problems: Vec::new(), omitted: 0 };
        let ended = self.send(&mut sent).await;
        if let (Some(path), receipts @ [_, ..]) = (&self.args.receipt, sent.tally.receipts()) {
            ReceiptFile::write(receipts, path)?;
        }
        self.report(ended, sent)
    }

    /// What is of one submission alone.
    fn check_arguments(&self) -> Result<(), Failure> {
        let given = [("--request-id", self.args.request_id.is_some()), ("--resubmit", self.args.resubmit)];
        let Some((option, _)) = given.iter().find(|(_, is_given)| *is_given) else { return Ok(()) };
        let parts = self.parts.digests.len();
        Err(Failure::usage(format!(
            "{option} is for one submission, and {parts} are needed for this file; leave it out"
        )))
    }

    /// A submission without its figures and its id.
    fn head(&self) -> SubmitObservationsRequest {
        SubmitObservationsRequest {
            agency: self.args.selection.agency.clone(),
            source: self.args.source.clone(),
            sample: self.args.sample,
            validate_only: self.args.dry_run,
            ..SubmitObservationsRequest::default()
        }
    }

    async fn send(&self, sent: &mut Sent) -> Result<(), Failure> {
        let (parts, reader) = self.read_again()?;
        let mut lane = Lane::new(&self.args.server, self.head(), parts);
        let mut progress = Progress::new(if self.args.dry_run { "Checked" } else { "Sent" }, Some(self.parts.figures));
        let mut done = 0;
        while let Some((part, outcome)) = lane.next().await? {
            done += part.figures.len() as u64;
            match outcome {
                Outcome::Accepted(answer) => {
                    match self.print(&answer) {
                        // Nobody reads it any more, and the figures are sent all the same.
                        Ok(()) | Err(Failure::OutputClosed) => {}
                        Err(failure) => return Err(failure),
                    }
                    // Once one is refused the rest are only checked, and have no receipt.
                    sent.tally.add(&part, &answer, &self.args.file);
                }
                Outcome::Refused(refused) => {
                    self.refused(&part, refused, sent).await?;
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
    fn print(&self, answer: &SubmitObservationsResponse) -> Result<(), Failure> {
        if self.args.json { output::print_line(json_line(answer, "SubmitObservationsResponse")?) } else { Ok(()) }
    }

    /// Reads the file once more, on a thread of its own, which hands over its parts.
    fn read_again(&self) -> Result<(mpsc::Receiver<Part>, Reader), Failure> {
        let (to, parts) = mpsc::channel(READ_AHEAD);
        let layout = self.args.selection.layout()?;
        let (selection, size) = (self.args.selection.clone(), self.args.part_size());
        let (input, names, digests) = (self.input.clone(), self.names.clone(), self.parts.digests.clone());
        let reader = tokio::task::spawn_blocking(move || {
            let mut filter = Filter::new(&selection, names.as_deref());
            let mut handover = Handover { digests: digests.into_iter(), to, ended: None };
            let mut parts = Parts::new(size);
            let reading = figures::read_each(&input, &layout, |mut figure| {
                if !filter.takes(&mut figure) {
                    return Taken::No;
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
        Ok((parts, reader))
    }

    /// Finds out what is wrong with a part that was refused, by row and column, as of a small file.
    async fn refused(&self, part: &Part, refused: Refusal, sent: &mut Sent) -> Result<(), Failure> {
        if Code::from(refused.code) != Code::InvalidArgument {
            return Err(refusal(&Status::new(Code::from(refused.code), refused.message), str::to_owned));
        }
        if sent.problems.len() >= PROBLEMS_MAX {
            sent.omitted += refused.violations.len().max(1);
            return Ok(());
        }
        let head = self.head();
        let check = SubmitObservationsRequest {
            request_id: request_id::of_part_check(&head, part.digest),
            validate_only: true,
            observations: part.figures.iter().map(|figure| figure.observation.clone()).collect(),
            ..head
        };
        let answer = self.args.server.submissions().await?.submit_observations(check).await;
        let found = answer.err().map(|status| violations(&status)).unwrap_or_default();
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
    fn report(&self, ended: Result<(), Failure>, Sent { tally, problems, omitted }: Sent) -> Result<(), Failure> {
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
        let lines = [tally.lines(self.args.dry_run), self.sheet.notes()].concat();
        output::print_text(&format!("{}\n", lines.join("\n")))
    }
}

/// The thread that reads, and how it ends.
type Reader = JoinHandle<Result<(), Changed>>;

/// What became of the parts so far.
struct Sent {
    tally: Tally,
    problems: Vec<Problem>,
    omitted: usize,
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
