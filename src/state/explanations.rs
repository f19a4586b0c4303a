//! The explanations that came with figures: few, so they are kept beside the columns, by figure.

use std::sync::Arc;

use imbl::{OrdMap, Vector};

use super::ResolvedIds;
use super::columns::{BreakdownIx, RowKey};
use crate::catalogue::IndicatorIx;
use crate::model::observation::Explanation;
use crate::model::period::Period;
use crate::model::revision::Revision;
use crate::model::submission::Submission;

/// A figure: its indicator, its period's [storage key](Period::storage_key), and its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FigureKey {
    pub(crate) indicator: IndicatorIx,
    pub(crate) period: Period,
    pub(crate) row: RowKey,
}

/// The explanations of a submission's figure, and the submission's revision.
type Explained = (Revision, Arc<[Explanation]>);

/// The explanations that came with figures.
#[derive(Debug, Clone, Default)]
pub(super) struct Explanations(OrdMap<FigureKey, Vector<Explained>>);

impl Explanations {
    /// Adds those of a submission.
    pub(super) fn add(
        &mut self,
        revision: Revision,
        submission: &Submission,
        ids: &ResolvedIds,
        breakdown: impl Fn(u32) -> Option<BreakdownIx>,
    ) {
        let table = &submission.observations;
        for of_line in table.explanations().chunk_by(|(one, _), (other, _)| one == other) {
            let line = &table.lines()[of_line[0].0 as usize];
            let Some(breakdown) = breakdown(line.breakdown) else { continue };
            let figure = FigureKey {
                indicator: ids.indicators[line.indicator as usize],
                period: table.dictionaries().periods[line.period as usize].storage_key(),
                row: RowKey::new(ids.areas[line.area as usize], breakdown, ids.agency),
            };
            let explanations = of_line.iter().map(|(_, explanation)| explanation.clone()).collect();
            self.0.entry(figure).or_default().push_back((revision, explanations));
        }
    }

    /// Those of a figure that came last with a submission from a revision on, and before another, that stands.
    pub(super) fn of(
        &self,
        figure: FigureKey,
        from: Revision,
        before: Revision,
        stands: impl Fn(Revision) -> bool,
    ) -> &[Explanation] {
        let all = self.0.get(&figure).into_iter().flatten();
        let mut newest_first = all.rev().skip_while(|(revision, _)| *revision >= before);
        let within = newest_first.by_ref().take_while(|(revision, _)| *revision >= from);
        within.into_iter().find(|(revision, _)| stands(*revision)).map(|(_, it)| it.as_ref()).unwrap_or_default()
    }
}
