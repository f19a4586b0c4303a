//! Answers as messages. Figures, and the rows that have figures, are written at once: see [`super::rows`].

use crate::catalogue::{Catalogue, IndicatorIx};
use crate::model::observation::Value;
use crate::model::period::Period;
use crate::model::revision::Revision;
use crate::picture::changes::{ChangeKey, FigureChange};
use crate::picture::completeness::{self, PeriodMismatch, ReportingRate, Slot};
use crate::picture::derivation::Derivation;
use crate::picture::explain::Contribution;
use crate::picture::history::{HistoryEvent, HistoryItem};
use crate::rpc::{convert, count, number, proto};
use crate::state::view::View;
use crate::state::{FigureKey, State};

pub(crate) fn derivation(derivation: Option<Derivation>) -> proto::Derivation {
    match derivation {
        None => proto::Derivation::OverAgencies,
        Some(Derivation::Submitted) => proto::Derivation::Submitted,
        Some(Derivation::OverTime) => proto::Derivation::OverTime,
        Some(Derivation::OverAreas) => proto::Derivation::OverAreas,
        Some(Derivation::Marked) => proto::Derivation::Marked,
        Some(Derivation::Nothing) => proto::Derivation::Nothing,
    }
}

/// What went into a figure of an indicator as of a revision.
pub(crate) fn contribution(
    state: &State,
    catalogue: &Catalogue,
    indicator: IndicatorIx,
    as_of: Revision,
    contribution: &Contribution,
) -> proto::Contribution {
    let submission = state.submission_at(contribution.source);
    let figure = FigureKey { indicator, period: contribution.period, row: contribution.row };
    let explanations = state.explanations(figure, contribution.source, as_of.next(), as_of);
    proto::Contribution {
        agency: catalogue.agency_at(contribution.agency).id.as_str().to_owned(),
        area: catalogue.area_at(contribution.area).code.as_str().to_owned(),
        period: contribution.period.to_string(),
        value: contribution.value.to_string(),
        markers: convert::markers(contribution.value.markers),
        sample: contribution.sample,
        revision: number(contribution.revision),
        request_id: submission.map(|record| record.request_id.to_string()).unwrap_or_default(),
        source: submission.map(|record| record.source.to_owned()).unwrap_or_default(),
        accepted_at: state.accepted_at(contribution.source).map(convert::timestamp),
        explanations: convert::explanations(explanations),
        reason: state.reason(contribution.revision).to_owned(),
    }
}

/// Why a figure changed, and what it became; none where it was withdrawn.
fn event(item: &HistoryItem) -> (proto::HistoryEvent, Option<Value>) {
    match item.event {
        HistoryEvent::Submitted(value) => (proto::HistoryEvent::Submitted, Some(value)),
        HistoryEvent::Restored(value) => (proto::HistoryEvent::Restored, Some(value)),
        HistoryEvent::Withdrawn => (proto::HistoryEvent::Withdrawn, None),
    }
}

/// What a figure was from one revision on, as of another.
pub(crate) fn history_item(
    state: &State,
    figure: Option<FigureKey>,
    as_of: Revision,
    item: &HistoryItem,
) -> proto::HistoryItem {
    let (event, value) = event(item);
    let submission = state.submission_at(item.source);
    let explained = figure.filter(|_| value.is_some());
    let explanations = explained.map(|figure| state.explanations(figure, item.source, item.until, as_of));
    proto::HistoryItem {
        revision: number(item.revision),
        accepted_at: state.accepted_at(item.revision).map(convert::timestamp),
        event: event.into(),
        value: value.map(|value| value.to_string()).unwrap_or_default(),
        markers: value.map(|value| convert::markers(value.markers)).unwrap_or_default(),
        sample: item.sample,
        request_id: submission.map(|record| record.request_id.to_string()).unwrap_or_default(),
        source: submission.map(|record| record.source.to_owned()).unwrap_or_default(),
        explanations: convert::explanations(explanations.unwrap_or_default()),
        reason: state.reason(item.revision).to_owned(),
    }
}

pub(crate) fn figure_change(state: &State, view: View<'_>, change: &FigureChange) -> proto::FigureChange {
    let FigureChange { key: ChangeKey { revision, indicator, period, figure }, item, before } = change;
    let ((event, value), catalogue) = (event(item), view.catalogue);
    let submission = state.submission_at(item.source);
    proto::FigureChange {
        revision: number(*revision),
        accepted_at: state.accepted_at(*revision).map(convert::timestamp),
        event: event.into(),
        agency: catalogue.agency_at(figure.agency()).id.to_string(),
        observation: Some(proto::Observation {
            indicator: catalogue.indicator_at(*indicator).newest().id.to_string(),
            area: catalogue.area_at(figure.area()).code.to_string(),
            period: period.to_string(),
            breakdown: view.columns.breakdown_at(figure.breakdown()).map(convert::categories).unwrap_or_default(),
            measure: value.as_ref().and_then(convert::measure),
            markers: value.map(|value| convert::markers(value.markers)).unwrap_or_default(),
            withdraw: value.is_none(),
            ..Default::default()
        }),
        sample: item.sample,
        request_id: submission.map(|record| record.request_id.to_owned()).unwrap_or_default(),
        reason: state.reason(*revision).to_owned(),
        before: before.map(|(value, _)| proto::Observation {
            measure: convert::measure(&value),
            markers: convert::markers(value.markers),
            ..Default::default()
        }),
        before_sample: before.is_some_and(|(_, sample)| sample),
    }
}

pub(crate) fn slot(catalogue: &Catalogue, slot: &Slot) -> proto::Slot {
    let status = match slot.status {
        completeness::Status::OnTime => proto::SlotStatus::OnTime,
        completeness::Status::ReportedLate => proto::SlotStatus::ReportedLate,
        completeness::Status::Late => proto::SlotStatus::Late,
        completeness::Status::NotDue => proto::SlotStatus::NotDue,
        completeness::Status::NotAvailable => proto::SlotStatus::NotAvailable,
    };
    proto::Slot {
        agency: catalogue.agency_at(slot.agency).id.as_str().to_owned(),
        indicator: catalogue.indicator_at(slot.indicator).newest().id.as_str().to_owned(),
        area: catalogue.area_at(slot.area).code.as_str().to_owned(),
        period: slot.period.to_string(),
        status: status.into(),
        due: slot.due.to_string(),
        received_at: slot.received.map(convert::timestamp),
        days_late: slot.days_late,
        contained_in_area: slot
            .contained_in
            .map(|(area, _)| catalogue.area_at(area).code.to_string())
            .unwrap_or_default(),
        contained_in_period: slot.contained_in.map(|(_, period)| period.to_string()).unwrap_or_default(),
        locked_from: slot.locked_from.map(|day| day.to_string()).unwrap_or_default(),
    }
}

pub(crate) fn period_mismatch(catalogue: &Catalogue, mismatch: &PeriodMismatch) -> proto::PeriodMismatch {
    proto::PeriodMismatch {
        indicator: catalogue.indicator_at(mismatch.indicator).newest().id.as_str().to_owned(),
        period: mismatch.period.to_string(),
        frequency: mismatch.frequency.code(),
    }
}

pub(crate) fn reporting_rate(agency: String, period: Period, rate: &ReportingRate) -> proto::ReportingRate {
    proto::ReportingRate {
        agency,
        period: period.to_string(),
        expected: count(rate.expected),
        reported: count(rate.reported),
        on_time: count(rate.on_time),
        late: count(rate.late),
        not_available: count(rate.not_available),
    }
}
