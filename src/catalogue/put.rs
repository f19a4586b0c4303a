//! A put: items to create or change, and what it does to each.

use super::items::{Agency, Area, Calendar, Dimension, IndicatorVersion, ReconciliationRule};

/// Items to create or change, all or none.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize, serde::Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct CataloguePut {
    /// Areas, by code.
    pub areas: Vec<Area>,
    /// Agencies, by id.
    pub agencies: Vec<Agency>,
    /// Dimensions, by id.
    pub dimensions: Vec<Dimension>,
    /// Indicator versions, by id and `effective_from`.
    pub indicators: Vec<IndicatorVersion>,
    /// Reconciliation rules, by id.
    pub reconciliation_rules: Vec<ReconciliationRule>,
    /// Calendars, by id.
    pub calendars: Vec<Calendar>,
}

/// What a put does to one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PutOutcome {
    /// It is new.
    Created,
    /// It is changed.
    Updated,
    /// It is already so.
    Unchanged,
    /// A further version of an indicator that is there.
    VersionAdded,
}

/// What a put does to each of its items, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PutOutcomes {
    /// To the areas.
    pub areas: Vec<PutOutcome>,
    /// To the agencies.
    pub agencies: Vec<PutOutcome>,
    /// To the dimensions.
    pub dimensions: Vec<PutOutcome>,
    /// To the indicator versions.
    pub indicators: Vec<PutOutcome>,
    /// To the reconciliation rules.
    pub reconciliation_rules: Vec<PutOutcome>,
    /// To the calendars.
    pub calendars: Vec<PutOutcome>,
}

impl PutOutcomes {
    /// Whether every item is already so.
    pub(crate) fn nothing_changes(&self) -> bool {
        let Self { areas, agencies, dimensions, indicators, reconciliation_rules, calendars } = self;
        let all = [areas, agencies, dimensions, indicators, reconciliation_rules, calendars];
        all.into_iter().flatten().all(|outcome| *outcome == PutOutcome::Unchanged)
    }
}
