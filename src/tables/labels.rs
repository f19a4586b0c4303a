//! What ids stand for: the catalogue's titles, names and units, as of the revision of an answer.

use std::collections::BTreeMap;

use crate::model::date::Date;
use crate::rpc::proto::{Agency, Area, Dimension, Indicator};

/// The labels of ids. Of an id that isn't among them there is none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Labels {
    /// Of each the versions, by the day from which they are in force.
    indicators: BTreeMap<String, BTreeMap<String, IndicatorLabel>>,
    areas: BTreeMap<String, String>,
    agencies: BTreeMap<String, String>,
    categories: BTreeMap<String, String>,
}

/// What a version of an indicator is called, and what it counts in.
#[derive(Debug, Clone, Default)]
pub(super) struct IndicatorLabel {
    pub(super) title: String,
    pub(super) unit: String,
}

impl Labels {
    /// Takes in a version of an indicator.
    pub(crate) fn add_indicator(&mut self, version: Indicator) {
        let label = IndicatorLabel { title: version.title, unit: version.unit };
        self.indicators.entry(version.id).or_default().insert(version.effective_from, label);
    }

    pub(crate) fn add_area(&mut self, area: Area) {
        self.areas.insert(area.code, area.name);
    }

    pub(crate) fn add_agency(&mut self, agency: Agency) {
        self.agencies.insert(agency.id, agency.name);
    }

    /// Takes in the categories of the one dimension that an answer has rows of.
    pub(crate) fn add_categories(&mut self, dimension: Dimension) {
        self.categories.extend(dimension.categories.into_iter().map(|category| (category.id, category.title)));
    }

    /// An indicator in the version in force on the last day of a period; the newest where there is none.
    pub(super) fn indicator(&self, id: &str, last_day: Option<Date>) -> IndicatorLabel {
        let Some(versions) = self.indicators.get(id) else { return IndicatorLabel::default() };
        // The first version has no day, and so comes before all.
        let in_force = last_day.and_then(|day| versions.range(..=day.to_string()).next_back());
        in_force.or_else(|| versions.last_key_value()).map(|(_, label)| label.clone()).unwrap_or_default()
    }

    pub(super) fn area(&self, code: &str) -> String {
        self.areas.get(code).cloned().unwrap_or_default()
    }

    pub(super) fn agency(&self, id: &str) -> String {
        self.agencies.get(id).cloned().unwrap_or_default()
    }

    pub(super) fn category(&self, id: &str) -> String {
        self.categories.get(id).cloned().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_indicator_is_called_what_its_version_of_the_period_is() {
        let version = |effective_from: &str, title: &str| Indicator {
            id: "contacts".to_owned(),
            title: title.to_owned(),
            effective_from: effective_from.to_owned(),
            ..Indicator::default()
        };
        let mut labels = Labels::default();
        labels.add_indicator(version("2021-05-01", "Contacts, each call"));
        labels.add_indicator(version("", "Contacts"));
        let title = |day: Option<&str>| labels.indicator("contacts", day.map(|day| day.parse().unwrap())).title;
        assert_eq!(title(Some("2021-04-30")), "Contacts");
        assert_eq!(title(Some("2021-05-01")), "Contacts, each call");
        assert_eq!(title(None), "Contacts, each call");
        assert_eq!(labels.indicator("others", None).title, "");
    }
}
