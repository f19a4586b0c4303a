//! A hash of a sample of answers.

use std::collections::BTreeSet;

use blake3::Hasher;

use super::answer;
use super::question::PictureQuery;
use crate::catalogue::AreaIx;
use crate::model::period::Period;
use crate::model::zone::Zone;
use crate::state::State;
use crate::state::view::{AreasAsOf, View};

/// How many pictures the sample has, at the most.
const PICTURES_MAX: usize = 64;

/// A hash of pictures that a state answers with, and how many they are. Which ones depends on the state alone: of each
/// period that has figures some areas, spread over all of them. As [`State::digest`] it is of this version of the program.
pub(crate) fn answers(state: &State) -> (blake3::Hash, u64) {
    let mut hasher = Hasher::new_derive_key("conspectus answers v1");
    let (catalogue, revision, zone) = (state.catalogue(), state.revision(), Zone::default());
    let Some(at) = state.newest_at() else { return (hasher.finalize(), 0) };
    let view = state.view(catalogue, revision, &zone, zone.date(at), AreasAsOf::Then);
    let pairs = pairs(state, &view);
    let step = pairs.len().div_ceil(PICTURES_MAX).max(1);
    let mut count = 0;
    for (period, area) in pairs.into_iter().step_by(step) {
        let query = PictureQuery { area, period, indicators: None, comparison: None };
        hasher.update(format!("{area:?} {period} {:?}\n", answer::picture(view, &query)).as_bytes());
        count += 1;
    }
    (hasher.finalize(), count)
}

/// Periods that have figures, each with areas that have some of them and all areas that these are in.
fn pairs(state: &State, view: &View<'_>) -> BTreeSet<(Period, AreaIx)> {
    /// Of each slab: enough for the sample, however many figures it has.
    const ROWS_EACH: usize = 8;
    let catalogue = state.catalogue();
    let indicators = catalogue.indicators_after(None).filter_map(|it| catalogue.indicator(&it.newest().id));
    let slabs = indicators.flat_map(|(ix, _)| state.columns().slabs(ix).into_iter().flatten());
    let mut pairs = BTreeSet::new();
    for (period, slab) in slabs {
        let step = slab.len().div_ceil(ROWS_EACH).max(1);
        let hierarchy = view.hierarchy(*period);
        for row in slab.rows(state.revision()).step_by(step) {
            let above = std::iter::successors(Some(row.key.area()), |area| hierarchy.parent(*area));
            pairs.extend(above.map(|area| (*period, area)));
        }
    }
    pairs
}
