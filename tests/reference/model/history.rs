//! Section 16: histories.

use conspectus::model::marker::Marker;
use conspectus::rpc::proto::{HistoryEvent, HistoryItem};

use super::explain::text;
use super::question::HistoryQuestion;
use super::sight::{Key, Sight};

impl Sight {
    /// 16.1: "an item each time that a figure's value (4.1) changes: submitted, restored or withdrawn".
    pub(crate) fn history(&self, asked: &HistoryQuestion) -> Vec<HistoryItem> {
        let key = Key {
            agency: asked.agency.clone(),
            indicator: asked.indicator.clone(),
            area: asked.area.clone(),
            period: asked.period,
            breakdown: asked.breakdown.clone(),
        };
        let items = self.items.iter().filter(|item| item.key.is(&key) && !item.leaves_the_same).map(|item| {
            let event = match (&item.figure, item.restored) {
                (None, _) => HistoryEvent::Withdrawn,
                (Some(_), true) => HistoryEvent::Restored,
                (Some(_), false) => HistoryEvent::Submitted,
            };
            let figure = item.figure.as_ref();
            HistoryItem {
                revision: i64::try_from(item.revision).unwrap(),
                accepted_at: Some(super::timestamp(item.at)),
                event: event.into(),
                value: figure.map(|it| text(&it.value)).unwrap_or_default(),
                markers: figure.map(|it| it.value.markers.iter().map(Marker::code).collect()).unwrap_or_default(),
                sample: figure.is_some_and(|it| it.sample),
                request_id: figure.map(|it| it.request_id.to_string()).unwrap_or_default(),
                source: figure.map(|it| it.source.clone()).unwrap_or_default(),
                explanations: vec![],
            }
        });
        items.collect()
    }
}
