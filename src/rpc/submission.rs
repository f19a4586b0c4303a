//! The submission service: figures in.

use std::sync::Arc;

use tonic::{Request, Response, Status};

use super::guard::Session;
use super::proto::submission_service_server::SubmissionService;
use super::status::{self, Reason};
use super::{Context, Gate, convert, count, number, page, proto};
use crate::access::Resource;
use crate::entry::{Body, Fingerprint, Withdrawal};
use crate::intake::admit::{Command, Decision, Effect, admit};
use crate::intake::review::{Draft, review_drafts};
use crate::intake::writer::{WriteError, Written};
use crate::journal::{ChainHash, Revision, codec};
use crate::model::decimal::Decimal;
use crate::model::id::{AgencyId, AreaCode, IndicatorId, RequestId};
use crate::model::marker::{Marker, Markers};
use crate::model::observation::{Breakdown, Measure, Observation, Submission, Value};
use crate::model::period::Period;
use crate::model::timestamp::Timestamp;
use crate::model::violation::Violations;
use crate::state::{Outcome, State, SubmissionRecord};

const NOTE_CHARACTERS_MAX: usize = 500;
const SOURCE_CHARACTERS_MAX: usize = 500;
const REASON_CHARACTERS_MAX: usize = 500;
const LIST_PAGE_DEFAULT: usize = 100;
const LIST_PAGE_MAX: usize = 1_000;

/// Serves `conspectus.v1.SubmissionService`.
#[derive(Debug, Clone)]
pub struct Submissions(pub Gate);

#[tonic::async_trait]
impl SubmissionService for Submissions {
    async fn submit_observations(
        &self,
        request: Request<proto::SubmitObservationsRequest>,
    ) -> Result<Response<proto::SubmitObservationsResponse>, Status> {
        let session = Session::of(&request)?;
        session.permit(Resource::Agency(&request.get_ref().agency))?;
        let context = self.0.context()?;
        let bytes_max = status::error_bytes(request.metadata());
        let request = request.into_inner();
        let validate_only = request.validate_only;
        let now = (context.clock)();
        let submission = submission(&context.newest(), request, now)
            .map_err(|violations| status::invalid(&violations, bytes_max))?;
        let fingerprint = Fingerprint::of(&submission);
        let identity = (submission.agency.clone(), submission.request_id.clone());
        let command = Command::Submit { submission: submission.clone(), fingerprint };
        if validate_only {
            // What it would revise is what was submitted before.
            session.read_told(format!("agency={} dry run", submission.agency), context.newest().revision()).await?;
            return check(context, &submission, &command, now, bytes_max).await;
        }
        let written = context
            .writer
            .by(session.by())
            .write(command)
            .await
            .map_err(|error| status::of_write(&error, bytes_max))?;
        let (receipt, already_received) = match written {
            Written::Accepted { revision, hash, at, effect: Effect::Figures(outcomes) } => {
                (receipt(identity, Some((revision, hash, at)), &outcomes), false)
            }
            Written::Already(revision) => (original_receipt(context, &submission, revision).await?, true),
            Written::Accepted { .. } | Written::NothingChanges(_) => unreachable!("a submission has outcomes"),
        };
        Ok(answer(&context.newest(), receipt, already_received))
    }

    async fn withdraw_submission(
        &self,
        request: Request<proto::WithdrawSubmissionRequest>,
    ) -> Result<Response<proto::WithdrawSubmissionResponse>, Status> {
        let session = Session::of(&request)?;
        session.permit(Resource::Agency(&request.get_ref().agency))?;
        let context = self.0.context()?;
        let bytes_max = status::error_bytes(request.metadata());
        let request = request.into_inner();
        let withdrawal = withdrawal(&request).map_err(|violations| status::invalid(&violations, bytes_max))?;
        let command = Command::Withdraw(withdrawal);
        let answer = if request.validate_only {
            match admit(&context.newest(), &command, (context.clock)()).map_err(WriteError::Rejected) {
                Ok(Decision::Accept(_, effect) | Decision::NothingChanges(effect)) => {
                    Ok(Written::NothingChanges(effect))
                }
                Ok(Decision::Already(revision)) => Ok(Written::Already(revision)),
                Err(error) => Err(error),
            }
        } else {
            context.writer.by(session.by()).write(command).await
        };
        let (at, effect) = match answer.map_err(|error| status::of_write(&error, bytes_max))? {
            Written::Accepted { revision, effect, .. } => (number(revision), Some(effect)),
            Written::Already(revision) => (number(revision), None),
            Written::NothingChanges(effect) => (0, Some(effect)),
        };
        let counts = match effect {
            Some(Effect::Withdrawn(counts)) => counts,
            Some(Effect::Catalogue(_) | Effect::Figures(_) | Effect::Access) | None => {
                crate::picture::columns::Withdrawn::default()
            }
        };
        Ok(Response::new(proto::WithdrawSubmissionResponse {
            revision: number(context.newest().revision()),
            withdrawn_at_revision: at,
            restored_count: count(counts.restored),
            removed_count: count(counts.removed),
        }))
    }

    async fn get_submission(
        &self,
        request: Request<proto::GetSubmissionRequest>,
    ) -> Result<Response<proto::GetSubmissionResponse>, Status> {
        let session = Session::of(&request)?;
        session.permit(Resource::Agency(&request.get_ref().agency))?;
        let context = self.0.context()?;
        let bytes_max = status::error_bytes(request.metadata());
        let request = request.into_inner();
        let mut violations = Violations::default();
        let agency = violations.check("agency", AgencyId::parse(&request.agency));
        let request_id = violations.check("request_id", RequestId::parse(&request.request_id));
        let (Some(agency), Some(request_id)) = (agency, request_id) else {
            return Err(status::invalid(&violations, bytes_max));
        };
        let state = context.newest();
        let record = state.catalogue().agency(&agency).and_then(|(ix, _)| state.submission(ix, &request_id));
        let record = record
            .ok_or_else(|| status::error(Reason::NotFound, format!("`{agency}` has no submission `{request_id}`")))?;
        let (stored, hash) = stored(context, record.revision).await?;
        let outcomes = state.outcomes(&stored, Revision(record.revision.0 - 1));
        let receipt = receipt((agency, request_id), Some((record.revision, hash, record.at)), &outcomes);
        session
            .read_told(format!("agency={} request_id={}", record.agency, record.request_id), record.revision)
            .await?;
        Ok(Response::new(proto::GetSubmissionResponse {
            revision: number(state.revision()),
            submission: Some(summary(&state, record)),
            observations: stored.observations.iter().map(observation_message).collect(),
            receipt: Some(receipt),
        }))
    }

    async fn list_submissions(
        &self,
        request: Request<proto::ListSubmissionsRequest>,
    ) -> Result<Response<proto::ListSubmissionsResponse>, Status> {
        let session = Session::of(&request)?;
        session.permit(Resource::Agency(&request.get_ref().agency))?;
        let context = self.0.context()?;
        let bytes_max = status::error_bytes(request.metadata());
        let request = request.into_inner();
        let state = context.newest();
        let mut violations = Violations::default();
        let cleared = proto::ListSubmissionsRequest { page_size: 0, page_token: String::new(), ..request.clone() };
        let query = page::Query::of("ListSubmissions", &cleared);
        let size = page::size(request.page_size, LIST_PAGE_DEFAULT, LIST_PAGE_MAX, &mut violations);
        let start = query.start(&request.page_token, &mut violations);
        let agency =
            if request.agency.is_empty() { None } else { violations.check("agency", AgencyId::parse(&request.agency)) };
        violations.into_result(()).map_err(|violations| status::invalid(&violations, bytes_max))?;
        let before = match &start {
            None => state.revision().next(),
            Some(start) => Revision(start.after.parse().unwrap_or(0)),
        };
        let matching = state
            .submissions_before(before)
            .filter(|record| agency.as_ref().is_none_or(|agency| record.agency == *agency));
        let mut records: Vec<&SubmissionRecord> = matching.take(size + 1).collect();
        let more = records.len() > size;
        records.truncate(size);
        let revision = start.map_or(state.revision(), |start| start.revision);
        let last = records.last().filter(|_| more);
        let next = last.map(|last| query.token(&page::Start { revision, after: last.revision.to_string() }));
        Ok(Response::new(proto::ListSubmissionsResponse {
            revision: number(revision),
            submissions: records.into_iter().map(|record| summary(&state, record)).collect(),
            next_page_token: next.unwrap_or_default(),
        }))
    }
}

fn answer(
    state: &State,
    receipt: proto::Receipt,
    already_received: bool,
) -> Response<proto::SubmitObservationsResponse> {
    let revision = u64::try_from(receipt.revision).map_or(Revision::ZERO, Revision);
    Response::new(proto::SubmitObservationsResponse {
        revision: number(state.revision()),
        receipt: Some(receipt),
        already_received,
        withdrawn_at_revision: state.withdrawn_at(revision).map(number).unwrap_or_default(),
    })
}

/// Answers a `validate_only` submission.
async fn check(
    context: &Context,
    submission: &Submission,
    command: &Command,
    now: Timestamp,
    bytes_max: usize,
) -> Result<Response<proto::SubmitObservationsResponse>, Status> {
    let state = context.newest();
    let decision = admit(&state, command, now)
        .map_err(|rejection| status::of_write(&WriteError::Rejected(rejection), bytes_max))?;
    let (receipt, already_received) = match decision {
        Decision::Already(revision) => (original_receipt(context, submission, revision).await?, true),
        Decision::Accept(..) | Decision::NothingChanges(_) => {
            let identity = (submission.agency.clone(), submission.request_id.clone());
            (receipt(identity, None, &state.outcomes(submission, state.revision())), false)
        }
    };
    Ok(answer(&state, receipt, already_received))
}

/// The receipt that a submission was first given.
async fn original_receipt(
    context: &Context,
    submission: &Submission,
    revision: Revision,
) -> Result<proto::Receipt, Status> {
    let state = context.newest();
    let record =
        state.submission_at(revision).ok_or_else(|| status::error(Reason::NotFound, "the submission is gone"))?;
    let (_, hash) = stored(context, revision).await?;
    let outcomes = state.outcomes(submission, Revision(revision.0 - 1));
    let identity = (record.agency.clone(), record.request_id.clone());
    Ok(receipt(identity, Some((revision, hash, record.at)), &outcomes))
}

/// A submission as the journal has it, and the chain's hash with it.
async fn stored(context: &Context, revision: Revision) -> Result<(Submission, ChainHash), Status> {
    let reader = Arc::clone(&context.reader);
    let unreadable = |what: String| {
        tracing::error!(%revision, what, "an entry can't be read back");
        status::error(Reason::JournalUnreadable, format!("revision {revision} can't be read back from the journal"))
    };
    let read = tokio::task::spawn_blocking(move || reader.read(revision)).await;
    let stored = match read {
        Ok(Ok(Some(stored))) => stored,
        Ok(Ok(None)) => return Err(unreadable("it isn't there".to_owned())),
        Ok(Err(error)) => return Err(unreadable(error.to_string())),
        Err(error) => return Err(unreadable(error.to_string())),
    };
    match codec::decode(&stored.payload).map(|entry| entry.body) {
        Ok(Body::Submission { submission, .. }) => Ok((submission, stored.hash)),
        Ok(Body::CataloguePut(_) | Body::Withdrawal(_) | Body::Access(_)) => {
            Err(unreadable("it isn't a submission".to_owned()))
        }
        Err(error) => Err(unreadable(error.to_string())),
    }
}

fn summary(state: &State, record: &SubmissionRecord) -> proto::Submission {
    proto::Submission {
        agency: record.agency.to_string(),
        request_id: record.request_id.to_string(),
        revision: number(record.revision),
        accepted_at: Some(convert::timestamp(record.at)),
        observation_count: count(record.observation_count),
        source: record.source.clone(),
        sample: record.sample,
        withdrawn_at_revision: state.withdrawn_at(record.revision).map(number).unwrap_or_default(),
    }
}

fn receipt(
    (agency, request_id): (AgencyId, RequestId),
    place: Option<(Revision, ChainHash, Timestamp)>,
    outcomes: &[Outcome],
) -> proto::Receipt {
    let of_kind = |kind: fn(&Outcome) -> bool| count(outcomes.iter().filter(|outcome| kind(outcome)).count());
    proto::Receipt {
        agency: agency.to_string(),
        request_id: request_id.to_string(),
        revision: place.map(|(revision, ..)| number(revision)).unwrap_or_default(),
        accepted_at: place.map(|(_, _, at)| convert::timestamp(at)),
        chain_hash: place.map(|(_, hash, _)| hash.0.to_vec()).unwrap_or_default(),
        new_count: of_kind(|outcome| matches!(outcome, Outcome::New)),
        revised_count: of_kind(|outcome| matches!(outcome, Outcome::Revised { .. })),
        unchanged_count: of_kind(|outcome| matches!(outcome, Outcome::Unchanged { .. })),
        outcomes: outcomes.iter().map(outcome_message).collect(),
    }
}

fn outcome_message(outcome: &Outcome) -> proto::ObservationOutcome {
    let (outcome, revised_from, since) = match outcome {
        Outcome::New => (proto::Outcome::New, String::new(), 0),
        Outcome::Revised { from, since } => (proto::Outcome::Revised, from.to_string(), number(*since)),
        Outcome::Unchanged { since } => (proto::Outcome::Unchanged, String::new(), number(*since)),
    };
    proto::ObservationOutcome { outcome: outcome.into(), revised_from, previous_revision: since }
}

fn observation_message(observation: &Observation) -> proto::Observation {
    proto::Observation {
        indicator: observation.indicator.to_string(),
        area: observation.area.to_string(),
        period: observation.period.to_string(),
        breakdown: convert::categories(&observation.breakdown),
        markers: convert::markers(observation.value.markers),
        note: observation.note.as_deref().unwrap_or_default().to_owned(),
        measure: convert::measure(&observation.value),
    }
}

fn withdrawal(request: &proto::WithdrawSubmissionRequest) -> Result<Withdrawal, Violations> {
    let mut violations = Violations::default();
    let agency = violations.check("agency", AgencyId::parse(&request.agency));
    let request_id = violations.check("request_id", RequestId::parse(&request.request_id));
    let characters = request.reason.chars().count();
    if !(1..=REASON_CHARACTERS_MAX).contains(&characters) {
        violations.add("reason", format!("found {characters} characters; allowed: 1 to {REASON_CHARACTERS_MAX}"));
    }
    let (Some(agency), Some(request_id)) = (agency, request_id) else { return Err(violations) };
    violations.into_result(Withdrawal { agency, request_id, reason: request.reason.clone() })
}

/// The submission of a request, or everything that is wrong with it: what can't be parsed, and what
/// the catalogue doesn't know, in one go.
fn submission(
    state: &State,
    request: proto::SubmitObservationsRequest,
    now: Timestamp,
) -> Result<Submission, Violations> {
    let mut violations = Violations::default();
    let agency = violations.check("agency", AgencyId::parse(&request.agency));
    let request_id = violations.check("request_id", RequestId::parse(&request.request_id));
    let characters = request.source.chars().count();
    if characters > SOURCE_CHARACTERS_MAX {
        violations
            .add("source", format!("found {characters} characters; allowed: {SOURCE_CHARACTERS_MAX} at the most"));
    }
    let drafts: Vec<Draft> = request
        .observations
        .iter()
        .enumerate()
        .map(|(index, observation)| Parser { index, violations: &mut violations }.draft(observation))
        .collect();
    let (Some(agency), Some(request_id), true) = (&agency, request_id, violations.is_empty()) else {
        violations.extend(review_drafts(state.catalogue(), agency.as_ref(), &drafts, now.date()));
        violations.sort();
        return Err(violations);
    };
    let observations = drafts.into_iter().filter_map(Draft::complete).collect();
    Ok(Submission { agency: agency.clone(), request_id, source: request.source, sample: request.sample, observations })
}

/// Parses one observation, noting what is wrong at its fields.
struct Parser<'a> {
    index: usize,
    violations: &'a mut Violations,
}

impl Parser<'_> {
    fn field(&self, field: &str) -> String {
        format!("observations[{}]{}{field}", self.index, if field.is_empty() { "" } else { "." })
    }

    /// The value, or the error noted at its field; a field is only named when something is wrong.
    fn parsed<T, E: std::fmt::Display>(&mut self, field: &str, parsed: Result<T, E>) -> Option<T> {
        parsed.map_err(|error| self.violations.add(self.field(field), error)).ok()
    }

    fn breakdown(&mut self, categories: &[proto::CategoryRef]) -> Option<Breakdown> {
        if categories.is_empty() {
            return Some(Breakdown::default());
        }
        convert::breakdown(&self.field("breakdown"), categories, self.violations)
    }

    fn draft(&mut self, observation: &proto::Observation) -> Draft {
        let characters = observation.note.chars().count();
        if characters > NOTE_CHARACTERS_MAX {
            self.violations.add(
                self.field("note"),
                format!("found {characters} characters; allowed: {NOTE_CHARACTERS_MAX} at the most"),
            );
        }
        Draft {
            indicator: self.parsed("indicator", IndicatorId::parse(&observation.indicator)),
            area: self.parsed("area", AreaCode::parse(&observation.area)),
            period: self.parsed("period", observation.period.parse::<Period>()),
            breakdown: self.breakdown(&observation.breakdown),
            value: self.value(observation),
            note: (!observation.note.is_empty()).then(|| Arc::from(observation.note.as_str())),
        }
    }

    fn value(&mut self, observation: &proto::Observation) -> Option<Value> {
        let markers = self.markers(&observation.markers);
        let measure = observation.measure.as_ref().map(|measure| self.measure(measure));
        let absences: Vec<_> = markers.iter().flat_map(|markers| markers.absences()).collect();
        match (&measure, absences.as_slice()) {
            (Some(_), [absence, ..]) => {
                self.violations.add(
                    self.field("markers"),
                    format!("`{absence}` says that there is no value, and there is one; allowed: either"),
                );
                return None;
            }
            (None, []) => {
                if markers.is_some() {
                    self.violations.add(
                        self.field(""),
                        "found no value; allowed: a number, ratio, percentage or mean, or a marker that says why there is none (c, x, z or low). A missing value is never zero",
                    );
                }
                return None;
            }
            (None, [_, _, ..]) => {
                self.violations.add(
                    self.field("markers"),
                    "found several reasons why there is no value; allowed: one of c, x, z, low",
                );
                return None;
            }
            (Some(_), []) | (None, [_]) => {}
        }
        Some(Value {
            measure: match measure {
                Some(parsed) => Some(parsed?),
                None => None,
            },
            markers: markers?,
        })
    }

    fn markers(&mut self, codes: &[i32]) -> Option<Markers> {
        let known: Vec<Option<Marker>> = codes.iter().map(|code| Marker::from_code(*code)).collect();
        for (place, _) in known.iter().enumerate().filter(|(_, marker)| marker.is_none()) {
            let found = codes[place];
            self.violations.add(
                self.field(&format!("markers[{place}]")),
                format!("found {found}; allowed: {}", Marker::allowed()),
            );
        }
        known.into_iter().collect()
    }

    fn measure(&mut self, measure: &proto::observation::Measure) -> Option<Measure> {
        use proto::observation::Measure as P;
        match measure {
            P::Number(number) => self.decimal("number", number).map(Measure::Number),
            P::Ratio(ratio) => {
                let numerator = self.decimal("ratio.numerator", &ratio.numerator);
                let denominator = self.decimal("ratio.denominator", &ratio.denominator);
                Some(Measure::Ratio { numerator: numerator?, denominator: denominator? })
            }
            P::Percentage(percentage) => {
                let percent = self.decimal("percentage.percent", &percentage.percent);
                let base = self.decimal("percentage.base", &percentage.base);
                Some(Measure::Percentage { percent: percent?, base: base? })
            }
            P::Mean(mean) => {
                let count = self.decimal("mean.count", &mean.count);
                let mean = self.decimal("mean.mean", &mean.mean);
                Some(Measure::Mean { mean: mean?, count: count? })
            }
        }
    }

    fn decimal(&mut self, field: &str, text: &str) -> Option<Decimal> {
        self.parsed(field, text.parse::<Decimal>())
    }
}
