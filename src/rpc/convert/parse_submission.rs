//! What partners send, as submissions: every problem is reported at its field.

use super::columns::StreamDictionaries;
use super::draft::Draft;
use crate::intake::review::{review, review_explanations, review_texts};
use crate::model::date::Date;
use crate::model::id::{AgencyId, RequestId, ReturnId};
use crate::model::observations::Observations;
use crate::model::submission::Submission;
use crate::model::violation::Violations;
use crate::rpc::codec::{Submitted, SubmittedFields};
use crate::rpc::number;
use crate::state::State;

const SOURCE_CHARACTERS_MAX: usize = 500;
const REASON_CHARACTERS_MAX: usize = 500;

/// The submission of a request, or everything that is wrong with it: what can't be parsed, and what
/// the catalogue doesn't know, in one go. `stream` is the dictionaries that a stream has sent so far.
pub(crate) fn submission(
    state: &State,
    request: Submitted,
    stream: &mut StreamDictionaries,
    today: Date,
) -> Result<Submission, Violations> {
    let SubmittedFields {
        agency,
        request_id,
        source,
        sample,
        reason,
        return_id,
        unchanged_since_revision,
        observations: (mut table, wrong),
        columns,
        ..
    } = *request.0;
    let mut violations = Violations::default();
    let agency = violations.check("agency", AgencyId::parse(&agency));
    let request_id = violations.check("request_id", RequestId::parse(&request_id));
    let return_id = Some(return_id).filter(|id| !id.is_empty());
    let return_id = return_id.map(|id| violations.check("return_id", ReturnId::parse(&id)));
    let newest = number(state.revision());
    if !(0..=newest).contains(&unchanged_since_revision) {
        violations.add(
            "unchanged_since_revision",
            format_args!("found {unchanged_since_revision}; allowed: 0, or a revision up to {newest}, the newest"),
        );
    }
    let characters = source.chars().count();
    if characters > SOURCE_CHARACTERS_MAX {
        violations
            .add("source", format_args!("found {characters} characters; allowed: {SOURCE_CHARACTERS_MAX} at the most"));
    }
    if !reason.is_empty() {
        violations.check("reason", self::reason(&reason));
    }
    match &columns {
        None => violations.extend(wrong),
        Some(columns) => {
            // First of all, so that the indices of later messages hold whatever becomes of this one.
            stream.extend(columns, &mut violations);
            if !table.drafts.is_empty() {
                violations.add("columns", "there are `observations` too; allowed: either");
            }
            table = stream.read(columns, &mut violations);
        }
    }
    let (Some(agency), Some(request_id), true) = (&agency, request_id, violations.is_empty()) else {
        let reviewed = review(state.catalogue(), agency.as_ref(), &table.dictionaries, &table.drafts, today, false);
        violations.extend(reviewed.violations);
        violations.extend(review_explanations(
            state.catalogue(),
            &table.dictionaries,
            &table.drafts,
            &table.explanations,
        ));
        violations.extend(review_texts(&source, &reason, &table.notes));
        violations.sort();
        return Err(violations);
    };
    let lines = table.drafts.into_iter().filter_map(Draft::complete).collect();
    let observations = Observations::new(table.dictionaries, lines, table.notes)
        .and_then(|observations| observations.explained(table.explanations))
        .expect("each line refers to what it was read from, and each note and explanation to a line");
    let (agency, return_id) = (agency.clone(), return_id.flatten());
    Ok(Submission { agency, request_id, source, sample, reason, return_id, observations })
}

/// Whether a text says why something is corrected or withdrawn.
///
/// # Errors
/// When it is too long, or has nothing to be read.
pub(crate) fn reason(text: &str) -> Result<(), String> {
    let allowed = format_args!("1 to {REASON_CHARACTERS_MAX} characters, not all of them spaces");
    match text.chars().count() {
        0 => Err(format!("found nothing; allowed: {allowed}")),
        characters if characters > REASON_CHARACTERS_MAX => {
            Err(format!("found {characters} characters; allowed: {allowed}"))
        }
        _ if text.trim().is_empty() => Err(format!("found only spaces; allowed: {allowed}")),
        _ => Ok(()),
    }
}
