//! The ids of a submission as the catalogue has them.

use crate::catalogue::{AgencyIx, AreaIx, Catalogue, IndicatorIx};
use crate::model::submission::Submission;

/// The ids of a submission's dictionaries, each looked up in the catalogue once. An index stays, so this
/// holds for every later state too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedIds {
    pub(crate) agency: AgencyIx,
    pub(crate) indicators: Vec<IndicatorIx>,
    pub(crate) areas: Vec<AreaIx>,
}

impl ResolvedIds {
    /// The ids of a submission; none when the catalogue lacks one.
    pub(crate) fn of(submission: &Submission, catalogue: &Catalogue) -> Option<Self> {
        let dictionaries = submission.observations.dictionaries();
        let indicator = |id| Some(catalogue.indicator(id)?.0);
        let area = |code| Some(catalogue.area(code)?.0);
        Some(Self {
            agency: catalogue.agency(&submission.agency)?.0,
            indicators: dictionaries.indicators.iter().map(indicator).collect::<Option<_>>()?,
            areas: dictionaries.areas.iter().map(area).collect::<Option<_>>()?,
        })
    }
}
