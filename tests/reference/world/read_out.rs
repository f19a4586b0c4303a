//! A history as a person reads it.

use conspectus::catalogue::CataloguePut;
use conspectus::catalogue::items::{IndicatorVersion, Validity};
use conspectus::intake::admit::Withdraw;

use super::History;
use crate::command::Command;

impl History {
    pub(crate) fn read_out(&self) -> String {
        let mut text = String::new();
        for (at, command) in &self.commands {
            text += &format!("{at} ");
            text += &match command {
                Command::PutCatalogue(put) => put_read_out(put),
                Command::Submit(prepared) => {
                    let submission = prepared.submission();
                    let sample = if submission.sample { ", sample" } else { "" };
                    let mut text = {
                        let (agency, id, locks) = (&submission.agency, &submission.request_id, prepared.locks());
                        format!("{agency} submits {id}{sample}, locks {locks:?}, reason {:?}\n", submission.reason)
                    };
                    for it in submission.observations.iter() {
                        let (indicator, area, period) = (it.indicator, it.area, it.period);
                        text += &format!("  {indicator} {area} {period} {}: {}\n", it.breakdown, it.value);
                    }
                    text
                }
                Command::Withdraw(Withdraw { withdrawal: it, locks }) => {
                    format!("{} withdraws {}, locks {locks:?}\n", it.agency, it.request_id)
                }
            };
        }
        text
    }
}

fn validity(it: Validity) -> String {
    match (it.valid_from, it.valid_to) {
        (None, None) => String::new(),
        (from, to) => format!(
            "[{}..{}]",
            from.map(|it| it.to_string()).unwrap_or_default(),
            to.map(|it| it.to_string()).unwrap_or_default()
        ),
    }
}

fn put_read_out(put: &CataloguePut) -> String {
    let mut text = "put\n".to_owned();
    for it in &put.areas {
        let parents: Vec<_> = it.parents.iter().map(|it| format!("{}{}", it.code, validity(it.validity))).collect();
        let successors: Vec<_> = it.successors.iter().map(ToString::to_string).collect();
        let (exists, parents, successors) = (validity(it.validity()), parents.join(", "), successors.join(", "));
        text += &format!("  area {}{exists} {} within {parents} becomes {successors}\n", it.code, it.level);
    }
    for it in &put.agencies {
        text += &format!("  agency {} for {:?}\n", it.id, it.areas);
    }
    for it in &put.dimensions {
        text += &format!("  dimension {}\n", it.id);
    }
    put.indicators.iter().for_each(|it| text += &version_read_out(it));
    for it in &put.calendars {
        text += &format!("  {it:?}\n");
    }
    for it in &put.reconciliation_rules {
        text += &format!("  {it:?}\n");
    }
    text
}

fn version_read_out(it: &IndicatorVersion) -> String {
    let expected = it.expected_agencies.iter().map(|it| format!("{}{}", it.agency, validity(it.validity)));
    let rate = it.rate.as_ref().map(|rate| format!("{} per {} {}", rate.population_indicator, rate.per, rate.rule));
    format!(
        "  indicator {} from {:?}: {} by {}, {} decimals {} {}, due {}, level {}, {} {:?}, expects {}, breaks {}, \
         dimensions {:?}, rate {rate:?} {:?}, unfinished {}, due by {:?}, locked after {:?}, reason {}\n",
        it.id,
        it.effective_from.map(|it| it.to_string()),
        it.kind,
        it.frequency,
        it.decimals,
        it.rounding,
        it.polarity,
        it.due_days,
        it.reporting_level,
        it.across_agencies,
        it.lead_agency,
        expected.collect::<Vec<_>>().join(", "),
        it.breaks_comparability,
        it.dimensions,
        it.rate.as_ref().map(|rate| rate.decimals),
        it.unfinished_periods,
        it.due_calendar,
        it.lock_days,
        it.correction_reason_required,
    )
}
