//! Section 15: explanations.

use conspectus::model::id::AgencyId;
use conspectus::model::marker::Marker;
use conspectus::model::observation::Value;
use conspectus::rpc::proto::{Contribution, Derivation, ExplainFigureResponse};

use super::group::Group;
use super::question::ExplainQuestion;
use super::series::{Roll, Series, Way};
use super::sight::{Sight, Standing};

impl Sight {
    /// The figure, how it was obtained, and what is in it; the rule in words and the formula are left out.
    pub(crate) fn explain(&self, asked: &ExplainQuestion) -> ExplainFigureResponse {
        let series = Series::new(self, &asked.indicator, &asked.breakdown, None, Roll::Then);
        let group = Group { series: &series, areas: vec![asked.area.clone()], periods: vec![asked.period] };
        let found = group.figure(asked.agency.as_ref());
        let mut figure = found.figure;
        figure.discrepancies = group.discrepancies(asked.agency.as_ref());
        let mut rests_on = found.sum.rests_on;
        rests_on.sort_by_key(|it| (it.key.agency.clone(), it.key.area.clone(), it.key.period));
        let way = |agency: &AgencyId| match series.way(agency, &asked.area, asked.period) {
            Way::Submitted => Derivation::Submitted,
            Way::OverTime => Derivation::OverTime,
            Way::OverAreas => Derivation::OverAreas,
            Way::Marked => Derivation::Marked,
            Way::Nothing => Derivation::Nothing,
        };
        let mut agencies: Vec<_> = rests_on.iter().map(|it| &it.key.agency).collect();
        agencies.dedup();
        let derivation = match (&asked.agency, agencies.as_slice()) {
            (_, []) => Derivation::Nothing,
            (Some(agency), _) => way(agency),
            (None, [one]) => way(one),
            (None, _) => Derivation::OverAgencies,
        };
        ExplainFigureResponse {
            figure: Some(figure),
            derivation: derivation.into(),
            contribution_count: i32::try_from(rests_on.len()).unwrap(),
            contributions: rests_on.iter().map(|it| self.contribution(it)).collect(),
            ..ExplainFigureResponse::default()
        }
    }

    fn contribution(&self, it: &Standing) -> Contribution {
        // "The reason that was given for the change to this value."
        let change = self.items.iter().find(|item| item.revision == it.revision && item.key.is(&it.key));
        Contribution {
            agency: it.key.agency.to_string(),
            area: it.key.area.to_string(),
            period: it.key.period.storage_key().to_string(),
            value: text(&it.value),
            markers: it.value.markers.iter().map(Marker::code).collect(),
            sample: it.sample,
            revision: i64::try_from(it.revision).unwrap(),
            request_id: it.request_id.to_string(),
            source: it.source.clone(),
            accepted_at: Some(super::timestamp(it.accepted)),
            explanations: vec![],
            reason: change.map(|item| item.reason.clone()).unwrap_or_default(),
        }
    }
}

/// "The submitted value, as text: `117188`, `87.90 % of 18496`, `[x]`."
pub(crate) fn text(value: &Value) -> String {
    value.to_string()
}
