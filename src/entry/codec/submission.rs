//! Submissions: columns of indices into dictionaries, as they are in memory.

use std::sync::Arc;

use super::wire::{DecodeError, parse, parse_all, proto, texts};
use crate::entry::Fingerprint;
use crate::model::observation::Breakdown;
use crate::model::observations::{Dictionaries, Line, Observations};
use crate::model::packed::Packed;
use crate::model::submission::Submission;

pub(super) fn to_proto(submission: &Submission, fingerprint: Fingerprint) -> proto::Submission {
    let table = &submission.observations;
    let (dictionaries, lines) = (table.dictionaries(), table.lines());
    let column = |index: fn(&Line) -> u32| lines.iter().map(index).collect();
    let mut columns = proto::Submission {
        agency: submission.agency.to_string(),
        request_id: submission.request_id.to_string(),
        fingerprint: fingerprint.0.to_vec(),
        source: submission.source.clone(),
        sample: submission.sample,
        indicators: texts(&dictionaries.indicators),
        areas: texts(&dictionaries.areas),
        periods: texts(&dictionaries.periods),
        indicator: column(|line| line.indicator),
        area: column(|line| line.area),
        period: column(|line| line.period),
        form: Vec::with_capacity(lines.len()),
        first: Vec::with_capacity(lines.len()),
        second: Vec::with_capacity(lines.len()),
        notes: table
            .notes()
            .iter()
            .map(|(line, text)| proto::Note { observation: *line, text: text.to_string() })
            .collect(),
        ..proto::Submission::default()
    };
    if !dictionaries.breakdowns.iter().all(Breakdown::is_total) {
        columns.breakdowns = texts(&dictionaries.breakdowns);
        columns.breakdown = column(|line| line.breakdown);
    }
    for line in lines {
        let Packed { word, first, second } = Packed::from(&line.value);
        columns.form.push(word);
        columns.first.push(first);
        columns.second.push(second);
    }
    if columns.second.iter().all(|second| *second == 0) {
        columns.second.clear();
    }
    columns
}

pub(super) fn from_proto(columns: proto::Submission) -> Result<Submission, DecodeError> {
    let count = columns.indicator.len();
    let whole = [columns.area.len(), columns.period.len(), columns.form.len(), columns.first.len()];
    let optional = [columns.breakdown.len(), columns.second.len()];
    if whole.iter().any(|len| *len != count) || optional.iter().any(|len| *len != count && *len != 0) {
        return Err(DecodeError::new("columns of different lengths"));
    }
    let all_total = columns.breakdown.is_empty();
    let dictionaries = Dictionaries {
        indicators: parse_all(&columns.indicators)?,
        areas: parse_all(&columns.areas)?,
        periods: parse_all(&columns.periods)?,
        breakdowns: if all_total { vec![Breakdown::default()] } else { parse_all(&columns.breakdowns)? },
    };
    let line = |at: usize| {
        let second = columns.second.get(at).copied().unwrap_or(0);
        let packed = Packed { word: columns.form[at], first: columns.first[at], second };
        Ok(Line {
            indicator: columns.indicator[at],
            area: columns.area[at],
            period: columns.period[at],
            breakdown: columns.breakdown.get(at).copied().unwrap_or(0),
            value: packed.value().map_err(DecodeError::new)?,
        })
    };
    let lines = (0..count).map(line).collect::<Result<Vec<_>, DecodeError>>()?;
    let notes = columns.notes.into_iter().map(|note| (note.observation, Arc::from(note.text))).collect();
    Ok(Submission {
        agency: parse(&columns.agency)?,
        request_id: parse(&columns.request_id)?,
        source: columns.source,
        sample: columns.sample,
        observations: Observations::new(dictionaries, lines, notes).map_err(DecodeError::new)?,
    })
}
