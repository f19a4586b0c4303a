//! Section 16: histories.

use conspectus::model::marker::Marker;
use conspectus::model::observation::Explanation;
use conspectus::rpc::proto::{CheckExplanation, HistoryEvent, HistoryItem};

use super::explain::text;
use super::question::HistoryQuestion;
use super::sight::{Item, Key, Sight, Standing};

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
        let items: Vec<&Item> = self.items.iter().filter(|item| item.key.is(&key) && !item.leaves_the_same).collect();
        let untils = items.iter().skip(1).map(|next| next.revision).chain([usize::MAX]);
        let items = items.iter().zip(untils).map(|(item, until)| {
            let event = match (item.figure(), item.restored) {
                (None, _) => HistoryEvent::Withdrawn,
                (Some(_), true) => HistoryEvent::Restored,
                (Some(_), false) => HistoryEvent::Submitted,
            };
            let (figure, source) = (item.figure(), item.source());
            HistoryItem {
                revision: i64::try_from(item.revision).unwrap(),
                accepted_at: Some(super::timestamp(item.at)),
                event: event.into(),
                value: figure.map(|it| text(&it.value)).unwrap_or_default(),
                markers: figure.map(|it| it.value.markers.iter().map(Marker::code).collect()).unwrap_or_default(),
                sample: figure.is_some_and(|it| it.sample),
                request_id: source.map(|it| it.request_id.to_string()).unwrap_or_default(),
                source: source.map(|it| it.source.clone()).unwrap_or_default(),
                explanations: figure.map(|it| self.explanations(it, until)).unwrap_or_default(),
                reason: item.reason.clone(),
            }
        });
        items.collect()
    }

    /// 20.18: "those of the newest submission that has some, from the one that brought its value on and before its next
    /// change, and that wasn't withdrawn".
    fn explanations(&self, figure: &Standing, until: usize) -> Vec<CheckExplanation> {
        let of_figure = || self.explained.iter().filter(|it| it.key.is(&figure.key));
        let brought_by = of_figure().find(|it| it.request_id == figure.request_id).unwrap().revision;
        let mut within = of_figure().filter(|it| it.revision >= brought_by && it.revision < until && !it.withdrawn);
        let newest = within.rfind(|it| !it.explanations.is_empty());
        let explanations = newest.map(|it| it.explanations.clone()).unwrap_or_default();
        let message = |it: Explanation| CheckExplanation {
            check: it.check.map(|check| check.to_string()).unwrap_or_default(),
            explanation: it.text.to_string(),
        };
        explanations.into_iter().map(message).collect()
    }
}
