//! The areas that a question is about: a list, or for each period those of a level that are of it.

use std::collections::BTreeMap;

use crate::catalogue::AreaIx;
use crate::catalogue::items::AreaLevel;
use crate::model::period::Period;
use crate::state::view::View;

/// The areas that a question is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Areas {
    /// The lists, each by code, each area once; at least one, and none like the one before it.
    lists: Vec<Vec<AreaIx>>,
    /// The list of each period; the first for those that aren't here.
    of_period: BTreeMap<Period, usize>,
}

impl Areas {
    /// The same areas for every period: by code, each once.
    pub fn listed(areas: Vec<AreaIx>) -> Self {
        Self { lists: vec![areas], of_period: BTreeMap::new() }
    }

    /// For each of these periods the areas of a level that lie within some areas and exist on its last day.
    /// Once there are more than `most` in all, those of the other periods aren't looked up.
    pub(crate) fn of_level(
        view: View<'_>,
        within: &[AreaIx],
        level: AreaLevel,
        periods: impl IntoIterator<Item = Period>,
        most: usize,
    ) -> Self {
        let mut areas = Self { lists: Vec::new(), of_period: BTreeMap::new() };
        let mut count = 0;
        for period in periods {
            let (day, hierarchy_day) = (period.end(), view.hierarchy_day(period));
            let of_level = |area: &AreaIx| view.catalogue.areas_of_level(*area, level, day, hierarchy_day);
            let list = by_code(view, within.iter().flat_map(of_level).collect());
            let list_len = list.len();
            count += list_len;
            if areas.lists.last() != Some(&list) {
                areas.lists.push(list);
            }
            areas.of_period.insert(period, areas.lists.len() - 1);
            if count > most || view.spend(1 + list_len).is_err() {
                break;
            }
        }
        if areas.lists.is_empty() {
            areas.lists.push(Vec::new());
        }
        areas
    }

    /// The areas of a period, by code.
    pub fn of(&self, period: Period) -> &[AreaIx] {
        &self.lists[self.of_period.get(&period).copied().unwrap_or(0)]
    }

    /// The most areas that a period has.
    pub fn most(&self) -> usize {
        self.lists.iter().map(Vec::len).max().unwrap_or(0)
    }
}

/// Areas by code, each once.
pub(crate) fn by_code(view: View<'_>, mut areas: Vec<AreaIx>) -> Vec<AreaIx> {
    let ranks = view.catalogue.area_ranks();
    areas.sort_unstable_by_key(|area| ranks[area.0 as usize]);
    areas.dedup();
    areas
}
