//! Section 17: completeness.

use std::collections::BTreeMap;

use conspectus::catalogue::items::Kind;
use conspectus::model::date::Date;
use conspectus::model::id::AgencyId;
use conspectus::model::observation::Breakdown;
use conspectus::model::period::Period;
use conspectus::model::timestamp::Timestamp;
use conspectus::rpc::proto::{self, GetCompletenessResponse, PeriodMismatch, ReportingRate, SlotStatus};

use super::periods::{closing, cut};
use super::query::is_asked;
use super::question::CompletenessQuestion;
use super::series::{Roll, Series};
use super::sight::{Key, Sight, Standing};
use super::sum::{Fate, Slot};

impl Sight {
    pub(crate) fn completeness(&self, asked: &CompletenessQuestion) -> GetCompletenessResponse {
        let mut slots = BTreeMap::new();
        let mut rates: BTreeMap<(AgencyId, Period), ReportingRate> = BTreeMap::new();
        let mut mismatches = Vec::new();
        for indicator in self.indicator_ids().iter().filter(|id| is_asked(&asked.indicators, id)) {
            let only = Some(asked.agencies.as_slice()).filter(|only| !only.is_empty());
            let series = Series::new(self, indicator, &Breakdown::default(), only, Roll::Then);
            for period in &asked.periods {
                let within = series.periods_within(*period);
                if within.is_empty() {
                    mismatches.push(PeriodMismatch {
                        indicator: indicator.to_string(),
                        period: period.to_string(),
                        frequency: series.version(*period).frequency.code(),
                    });
                }
                let within = within.into_iter().filter(|part| series.is_at_its_frequency(*part));
                let within: Vec<Period> = within.collect();
                for agency in &series.agencies {
                    for slot in within.iter().flat_map(|part| series.expected_of(agency, &asked.area, *part)) {
                        let listed = series.listed(&slot);
                        let rate = rates.entry((agency.clone(), *period)).or_insert_with(|| ReportingRate {
                            agency: agency.to_string(),
                            period: period.to_string(),
                            ..ReportingRate::default()
                        });
                        count(rate, listed.status());
                        let key = (agency.clone(), indicator.clone(), slot.area.clone(), slot.period.storage_key());
                        slots.insert(key, listed);
                    }
                }
            }
        }
        mismatches.sort_by(|a, b| a.indicator.cmp(&b.indicator));
        let mut slots: Vec<proto::Slot> = slots.into_values().collect();
        slots.retain(|slot| !asked.late_only || slot.status() == SlotStatus::Late);
        GetCompletenessResponse {
            slots,
            rates: rates.into_values().collect(),
            period_mismatches: mismatches,
            ..GetCompletenessResponse::default()
        }
    }
}

fn count(rate: &mut ReportingRate, status: SlotStatus) {
    rate.expected += 1;
    match status {
        SlotStatus::OnTime => {
            rate.reported += 1;
            rate.on_time += 1;
        }
        SlotStatus::ReportedLate => rate.reported += 1,
        SlotStatus::Late => rate.late += 1,
        SlotStatus::NotAvailable => rate.not_available += 1,
        SlotStatus::NotDue | SlotStatus::Unspecified => {}
    }
}

impl Series<'_> {
    /// 17.1: the periods of the indicator's frequency within a period: "of a stock, also those of the shorter periods
    /// within".
    fn periods_within(&self, period: Period) -> Vec<Period> {
        let frequency = self.version(period).frequency;
        let within = cut(period, frequency);
        if within.is_empty() && self.kind == Kind::Stock {
            closing(period, frequency).into_iter().collect()
        } else {
            within
        }
    }

    /// 17.2: "a slot's status is the one that coverage gives it".
    fn listed(&self, slot: &Slot) -> proto::Slot {
        let figure = self.figure(&slot.agency, &slot.area, slot.period);
        let slots = figure.as_ref().map(|sum| sum.slots.clone()).filter(|slots| !slots.is_empty());
        let parts = slots.unwrap_or_else(|| vec![slot.clone()]);
        let has = |is: fn(&Fate) -> bool| parts.iter().any(|part| is(&part.fate));
        let is_contained = |fate: &Fate| matches!(fate, Fate::Contained(..));
        let due = self.sight.due(self.version(slot.period), slot.period);
        let mut listed = proto::Slot {
            agency: slot.agency.to_string(),
            indicator: self.indicator.to_string(),
            area: slot.area.to_string(),
            period: slot.period.storage_key().to_string(),
            due: due.to_string(),
            locked_from: self.sight.locked_from(self.version(slot.period), slot.period),
            ..proto::Slot::default()
        };
        let days_after = |day: Date| (day.days() - due.days()).max(0);
        let status = if has(|it| *it == Fate::Late) {
            listed.days_late = days_after(self.sight.today);
            SlotStatus::Late
        } else if has(|it| *it == Fate::NotDue) {
            SlotStatus::NotDue
        } else if has(|it| *it == Fate::NotAvailable) {
            SlotStatus::NotAvailable
        } else {
            let came = self.came(slot, &parts);
            let day = self.sight.zone.date(came);
            listed.received_at = Some(super::timestamp(came));
            listed.days_late = days_after(day);
            if day > due { SlotStatus::ReportedLate } else { SlotStatus::OnTime }
        };
        listed.set_status(status);
        let within = parts.iter().filter(|part| is_contained(&part.fate));
        let within = within.flat_map(|part| self.containers(&part.agency, &part.area, part.period)).next();
        if let Some(within) = within.filter(|_| !parts.iter().any(|part| part.fate.is_reported())) {
            listed.contained_in_area = within.key.area.to_string();
            listed.contained_in_period = within.key.period.storage_key().to_string();
        }
        listed
    }

    /// "The day on which the figure that fills it came: the first day since which it has had a value without a gap. A
    /// slot that is built from several figures came with the last of them."
    fn came(&self, slot: &Slot, parts: &[Slot]) -> Timestamp {
        let figure = self.figure(&slot.agency, &slot.area, slot.period);
        let own = figure.iter().filter(|_| parts.iter().any(|part| part.fate.is_reported()));
        let own = own.flat_map(|sum| sum.rests_on.iter().copied());
        let contained = parts.iter().filter(|part| matches!(part.fate, Fate::Contained(..)));
        let containers =
            contained.filter_map(|part| self.containers(&part.agency, &part.area, part.period).into_iter().next());
        own.chain(containers).filter_map(|it| self.filled_since(&it.key, slot.period)).max().unwrap()
    }

    /// Since when a figure has filled a slot without a gap.
    fn filled_since(&self, key: &Key, slot: Period) -> Option<Timestamp> {
        let fills = |it: &Standing| {
            let is_over = slot.end() < self.sight.zone.date(it.accepted);
            it.fills() && (is_over || !self.is_unfinished(it))
        };
        let items = self.sight.items.iter().filter(|item| item.key.is(key));
        items.fold(None, |since, item| item.figure().is_some_and(fills).then(|| since.unwrap_or(item.at)))
    }
}
