//! Whether areas may be put: the hierarchy of every day must stay one in which each area lies within one of a
//! wider level, or one of its own or a wider level that it went into, and none within itself.

use std::collections::{BTreeMap, BTreeSet};

use super::{Review, TITLE_CHARACTERS_MAX, unique};
use crate::catalogue::days::Days;
use crate::catalogue::items::Area;
use crate::model::id::AreaCode;
use crate::model::violation::Lazy;

/// The most areas that one may have gone into.
const SUCCESSORS_MAX: usize = 100;
/// How many circles are looked for in one put.
const CIRCLES_MAX: usize = 100;

impl<'a> Review<'a> {
    pub(super) fn area(&mut self, at: &str, area: &Area) {
        self.text(&format!("{at}.name"), &area.name, 1, TITLE_CHARACTERS_MAX);
        let mut days = Days::default();
        for (index, parent) in area.parents.iter().enumerate() {
            let field = Lazy(|| format!("{at}.parents[{index}]"));
            self.validity(&field, parent.validity);
            match self.find_area(&parent.code) {
                None => self.unknown(format_args!("{field}.code"), "area", parent.code.as_str()),
                Some(found) if found.level >= area.level => self.violations.add(
                    format_args!("{field}.code"),
                    format_args!(
                        "`{}` is of level {}; allowed: an area of a wider level than {}",
                        found.code, found.level, area.level
                    ),
                ),
                Some(_) => {}
            }
            if !days.add(parent.validity) {
                self.violations
                    .add(field, "another parent of the area is valid on the same days; allowed: one parent on any day");
            }
        }
        self.children_of(at, area);
        self.validity(at, area.validity());
        self.predecessors_of(at, area);
        self.successors(at, area);
        self.only_successor(at, area);
    }

    /// The children that the area has already must stay below it.
    fn children_of(&mut self, at: &str, area: &Area) {
        let children = self.catalogue.children.get(&area.code).into_iter().flatten();
        let above = children
            .map(|ix| self.catalogue.area_at(*ix))
            .find(|child| !self.put.areas.contains_key(&child.code) && child.level <= area.level);
        if let Some(child) = above {
            self.violations.add(
                format_args!("{at}.level"),
                format_args!(
                    "found `{}`, and `{}`, which lies within it, is of level {}; allowed: a wider level than what lies within",
                    area.level, child.code, child.level
                ),
            );
        }
    }

    fn successors(&mut self, at: &str, area: &Area) {
        let count = area.successors.len();
        let list = format!("{at}.successors");
        if count > 0 && area.valid_to.is_none() {
            self.violations
                .add(&list, format_args!("found {count} of an area without a last day; allowed with `valid_to`"));
        }
        if count > SUCCESSORS_MAX {
            self.violations.add(&list, format_args!("found {count}; allowed: {SUCCESSORS_MAX} at the most"));
            return;
        }
        unique(&mut self.violations, &list, "", area.successors.iter().map(AreaCode::as_str));
        for (index, code) in area.successors.iter().enumerate() {
            let field = format!("{list}[{index}]");
            match self.find_area(code) {
                _ if *code == area.code => {
                    self.violations.add(field, format_args!("found `{code}`, the area itself; allowed: other areas"));
                }
                None => self.unknown(&field, "area", code.as_str()),
                // Districts become unitary authorities, which are of the upper tier.
                Some(found) if found.level > area.level => self.violations.add(
                    field,
                    format_args!(
                        "`{code}` is of level {}; allowed: an area of level {} or wider",
                        found.level, area.level
                    ),
                ),
                Some(_) => {}
            }
        }
    }

    /// An area that goes into a single other one is counted there also in what is asked of its own time, so the
    /// other must not be there yet: a figure of then would be of only a part of what it is now.
    fn only_successor(&mut self, at: &str, area: &Area) {
        let ([code], Some(last)) = (area.successors.as_slice(), area.valid_to) else { return };
        let next = last.plus_days(1);
        if let Some(found) = self.find_area(code).filter(|found| *code != area.code && found.valid_from != Some(next)) {
            let begins = found.valid_from.map_or("has no first day".to_owned(), |from| format!("begins on {from}"));
            self.violations.add(
                format_args!("{at}.successors[0]"),
                format_args!("`{code}` {begins}; allowed: an area that begins on {next}. One that takes in another has a new code"),
            );
        }
    }

    /// The areas that went into this one already must not become of a wider level than it.
    fn predecessors_of(&mut self, at: &str, area: &Area) {
        let Some((_, known)) = self.catalogue.area(&area.code) else { return };
        if area.level <= known.level && area.valid_from == known.valid_from {
            return;
        }
        let others = self.catalogue.areas_after(None).filter(|other| !self.put.areas.contains_key(&other.code));
        let others: Vec<&Area> = others.filter(|other| other.successors.contains(&area.code)).collect();
        let is_whole = |other: &&&Area| other.successors.len() == 1;
        if let (Some(other), Some(day)) = (others.iter().find(is_whole), known.valid_from)
            && area.valid_from != known.valid_from
        {
            let what = format!("`{}` went into it on {day}; allowed: {day}", other.code);
            self.violations.add(format_args!("{at}.valid_from"), what);
        }
        if let Some(other) = others.iter().find(|other| other.level < area.level) {
            let (code, level) = (&other.code, other.level);
            let what = format!(
                "found `{}`, and `{code}`, of level {level}, went into it; allowed: `{level}` or wider",
                area.level
            );
            self.violations.add(format_args!("{at}.level"), what);
        }
    }

    /// Areas that would go into each other in a circle. A circle that a put makes has an area of it.
    pub(super) fn circles(&mut self, areas: &'a [Area]) {
        let mut done: BTreeSet<&AreaCode> = BTreeSet::new();
        let mut circles = 0;
        for area in areas {
            // Depth first: the areas that lead to where the walk is, and how many successors of each it has seen.
            let mut path: Vec<(&Area, usize)> = Vec::new();
            let mut open: BTreeMap<&AreaCode, usize> = BTreeMap::new();
            let mut next = Some(area).filter(|area| !done.contains(&area.code));
            loop {
                if let Some(area) = next.take() {
                    open.insert(&area.code, path.len());
                    path.push((area, 0));
                }
                let Some((at, seen)) = path.last_mut() else { break };
                let Some(code) = at.successors.get(*seen) else {
                    open.remove(&at.code);
                    done.insert(&at.code);
                    path.pop();
                    continue;
                };
                *seen += 1;
                if *code == at.code {
                    continue; // Reported where the area's own successors are.
                }
                match open.get(code) {
                    Some(from) => {
                        let circle: Vec<&AreaCode> = path[*from..].iter().map(|(area, _)| &area.code).collect();
                        self.circle(areas, &circle);
                        circles += 1;
                        if circles == CIRCLES_MAX {
                            return;
                        }
                    }
                    None if !done.contains(code) => next = self.find_area(code),
                    None => {}
                }
            }
        }
    }

    fn circle(&mut self, areas: &[Area], circle: &[&AreaCode]) {
        let codes: BTreeSet<&AreaCode> = circle.iter().copied().collect();
        let Some(index) = areas.iter().position(|area| codes.contains(&area.code)) else { return };
        let names: Vec<&str> = circle.iter().chain(circle.first()).map(|code| code.as_str()).collect();
        self.violations.add(
            format_args!("areas[{index}].successors"),
            format_args!(
                "{} would go into each other in a circle; allowed: areas that don't lead back",
                names.join(", ")
            ),
        );
    }
}
