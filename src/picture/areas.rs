//! The areas that a question is about: a list, or for each period those of a level that are of it.

use std::collections::BTreeMap;

use crate::catalogue::items::AreaLevel;
use crate::catalogue::{AreaIx, Hierarchy};
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
        let mut by_hierarchy: Vec<(&Hierarchy, Vec<AreaIx>)> = Vec::new();
        let mut areas = Self { lists: Vec::new(), of_period: BTreeMap::new() };
        let mut count = 0;
        for period in periods {
            let hierarchy = view.hierarchy(period);
            let at = by_hierarchy.iter().position(|(known, _)| std::ptr::eq(*known, hierarchy)).unwrap_or_else(|| {
                let found = within.iter().flat_map(|area| hierarchy.of_level(*area, level));
                by_hierarchy.push((hierarchy, by_code(view, found.collect())));
                by_hierarchy.len() - 1
            });
            let exists = |area: &AreaIx| view.catalogue.area_at(*area).validity().holds(period.end());
            let list: Vec<AreaIx> = by_hierarchy[at].1.iter().copied().filter(exists).collect();
            count += list.len();
            if areas.lists.last() != Some(&list) {
                areas.lists.push(list);
            }
            areas.of_period.insert(period, areas.lists.len() - 1);
            if count > most {
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
    areas.sort_by(|a, b| view.catalogue.area_at(*a).code.cmp(&view.catalogue.area_at(*b).code));
    areas.dedup();
    areas
}
