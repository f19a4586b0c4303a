//! The areas as trees: one for each stretch of days on which no area changes what it lies below, as
//! [`Area::parent_on`] has it. Areas that don't exist on a day are in its tree too.
//!
//! A tree is a walk through all areas, each followed by what lies within it, by code. So what lies
//! within an area is a run of the walk, and whether one area lies within another is a comparison of
//! two numbers.

use std::ops::Range;
use std::sync::OnceLock;

use super::index::AreaIx;
use super::items::{Area, AreaLevel};
use crate::model::date::Date;

/// The trees of all days. A tree is made when it is first asked for.
#[derive(Debug)]
pub(super) struct Hierarchies {
    /// The first day of each stretch but the earliest, ascending.
    change_days: Vec<Date>,
    /// One more than there are days of change.
    trees: Vec<OnceLock<Hierarchy>>,
}

impl Hierarchies {
    pub(super) fn new<'a>(areas: impl Iterator<Item = &'a Area>) -> Self {
        let mut change_days: Vec<Date> = areas.flat_map(Area::change_days).collect();
        change_days.sort_unstable();
        change_days.dedup();
        let trees = (0..=change_days.len()).map(|_| OnceLock::new()).collect();
        Self { change_days, trees }
    }

    /// Whether areas ever lie otherwise than on another day.
    pub(super) fn are_several(&self) -> bool {
        !self.change_days.is_empty()
    }

    /// The tree of a day.
    pub(super) fn on(&self, day: Date, make: impl FnOnce() -> Hierarchy) -> &Hierarchy {
        self.trees[self.change_days.partition_point(|change| *change <= day)].get_or_init(make)
    }
}

/// Those of no areas.
impl Default for Hierarchies {
    fn default() -> Self {
        Self::new(std::iter::empty())
    }
}

/// Places in the walk of which none lies within another, each with the number that it was given.
#[derive(Debug)]
pub(crate) struct ApartSpans(Vec<(Range<u32>, u32)>);

impl ApartSpans {
    /// Of some areas' spans those that don't lie within another: by their start, and of the same start the longest.
    pub(crate) fn of(mut spans: Vec<(Range<u32>, u32)>) -> Self {
        spans.sort_unstable_by_key(|(span, number)| (span.start, std::cmp::Reverse(span.end), *number));
        let mut end = 0;
        spans.retain(|(span, _)| {
            let is_apart = span.start >= end;
            end = end.max(span.end);
            is_apart
        });
        Self(spans)
    }

    /// The one that holds a place.
    #[inline]
    pub(crate) fn holding(&self, position: u32) -> Option<(&Range<u32>, u32)> {
        if let [(span, number)] = self.0.as_slice() {
            return span.contains(&position).then_some((span, *number));
        }
        let after = self.0.partition_point(|(span, _)| span.start <= position);
        let (span, number) = self.0.get(after.checked_sub(1)?)?;
        span.contains(&position).then_some((span, *number))
    }

    /// All of them, by their start.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Range<u32>, u32)> {
        self.0.iter().map(|(span, number)| (span, *number))
    }
}

/// The areas on one day.
#[derive(Debug, Default)]
pub(crate) struct Hierarchy {
    /// Every area, followed by those within it.
    walk: Vec<AreaIx>,
    /// By the area's index: where it is in the walk, and where what lies within it ends.
    spans: Vec<(u32, u32)>,
    /// By the area's index.
    levels: Vec<AreaLevel>,
    /// By the area's index: the area that it lies directly below.
    parents: Vec<Option<AreaIx>>,
}

impl Hierarchy {
    /// The tree in which each area, by its index, has this level, this parent and this place by code.
    pub(super) fn new(areas: &[(AreaLevel, Option<AreaIx>)], ranks: &[u32]) -> Self {
        let mut children: Vec<Vec<AreaIx>> = vec![Vec::new(); areas.len()];
        let mut open = Vec::new();
        for (ix, (_, parent)) in (0..).map(AreaIx).zip(areas) {
            parent.map_or(&mut open, |parent| &mut children[parent.0 as usize]).push(ix);
        }
        for siblings in children.iter_mut().chain([&mut open]) {
            siblings.sort_unstable_by_key(|area| ranks[area.0 as usize]);
            siblings.reverse(); // The last is walked first.
        }
        let mut tree = Self {
            walk: Vec::with_capacity(areas.len()),
            spans: vec![(0, 0); areas.len()],
            levels: areas.iter().map(|(level, _)| *level).collect(),
            parents: areas.iter().map(|(_, parent)| *parent).collect(),
        };
        // Depth first. `open` is a stack of what is still to be walked, `above` the path from the root to where the walk
        // is: an area whose parent isn't at the end of the path closes those at its end, whose spans then end here.
        let mut above: Vec<AreaIx> = Vec::new();
        while let Some(ix) = open.pop() {
            while above.last().is_some_and(|last| areas[ix.0 as usize].1 != Some(*last)) {
                tree.leave(above.pop());
            }
            tree.spans[ix.0 as usize].0 = tree.end();
            tree.walk.push(ix);
            above.push(ix);
            open.append(&mut children[ix.0 as usize]);
        }
        while let Some(ix) = above.pop() {
            tree.leave(Some(ix));
        }
        tree
    }

    fn end(&self) -> u32 {
        u32::try_from(self.walk.len()).expect("review bounds the number of areas")
    }

    fn leave(&mut self, area: Option<AreaIx>) {
        if let Some(area) = area {
            self.spans[area.0 as usize].1 = self.end();
        }
    }

    /// Where an area is in the walk.
    pub(crate) fn position(&self, area: AreaIx) -> u32 {
        self.spans[area.0 as usize].0
    }

    /// Where an area and all that lies within it are in the walk.
    pub(crate) fn span(&self, area: AreaIx) -> Range<u32> {
        let (start, end) = self.spans[area.0 as usize];
        start..end
    }

    /// The level of an area.
    pub(crate) fn level(&self, area: AreaIx) -> AreaLevel {
        self.levels[area.0 as usize]
    }

    /// The area that an area lies directly below.
    pub(crate) fn parent(&self, area: AreaIx) -> Option<AreaIx> {
        self.parents[area.0 as usize]
    }

    /// Whether the first area is the second or lies within it.
    pub(crate) fn is_within(&self, inner: AreaIx, outer: AreaIx) -> bool {
        self.span(outer).contains(&self.position(inner))
    }

    /// Of some areas those that lie within another of them, each with that one.
    pub(crate) fn nested(&self, areas: &[AreaIx]) -> Vec<(AreaIx, AreaIx)> {
        let mut walked = areas.to_vec();
        walked.sort_by_key(|area| self.position(*area));
        let (mut nested, mut above) = (Vec::new(), Vec::<AreaIx>::new());
        for area in walked {
            above.retain(|outer| self.is_within(area, *outer));
            nested.extend(above.iter().map(|outer| (area, *outer)));
            above.push(area);
        }
        nested
    }

    /// An area and all that lies within it: each followed by what lies within it, by code.
    pub(crate) fn within(&self, area: AreaIx) -> &[AreaIx] {
        let Range { start, end } = self.span(area);
        &self.walk[start as usize..end as usize]
    }

    /// The areas directly below an area, by code.
    pub(crate) fn children(&self, area: AreaIx) -> impl Iterator<Item = AreaIx> {
        let Range { start, end } = self.span(area);
        let mut at = start + 1;
        std::iter::from_fn(move || {
            if at >= end {
                return None;
            }
            let child = self.walk[at as usize];
            at = self.span(child).end;
            Some(child)
        })
    }

    /// The areas of a level that lie within an area, itself included, in the order of the walk.
    pub(crate) fn of_level(&self, area: AreaIx, level: AreaLevel) -> impl Iterator<Item = AreaIx> {
        self.within(area).iter().copied().filter(move |inner| self.level(*inner) == level)
    }
}
