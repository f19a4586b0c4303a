//! Section 2: areas and their hierarchy.

use conspectus::catalogue::items::{Area, AreaLevel};
use conspectus::model::date::Date;
use conspectus::model::id::AreaCode;
use conspectus::model::period::Period;

use super::sight::Sight;

impl Sight {
    pub(crate) fn area(&self, code: &AreaCode) -> &Area {
        self.areas.iter().find(|area| area.code == *code).unwrap()
    }

    /// 2.1: "from its `valid_from` to its `valid_to`, both included; an open end is open".
    pub(crate) fn exists(&self, code: &AreaCode, day: Date) -> bool {
        let area = self.area(code);
        area.valid_from.is_none_or(|from| from <= day) && area.valid_to.is_none_or(|to| day <= to)
    }

    /// 2.2.
    pub(crate) fn is_of(&self, code: &AreaCode, period: Period) -> bool {
        self.exists(code, period.end())
    }

    /// 2.3: "each area below the parent that it has on that day. After its end, an area with exactly one successor
    /// lies below that, or stays below its last parent where that went into the same successor; one with none or with
    /// several stays where it last was. An area lies nowhere before it exists."
    pub(crate) fn parent(&self, code: &AreaCode, day: Date) -> Option<&AreaCode> {
        let area = self.area(code);
        if area.valid_from.is_some_and(|from| day < from) {
            return None;
        }
        let last = area.valid_to.filter(|to| *to < day);
        if let (Some(last), [successor]) = (last, area.successors.as_slice()) {
            let parent = self.parent(code, last).map(|code| self.area(code));
            let went_together = |parent: &&Area| {
                parent.valid_to.is_some_and(|to| to < day) && parent.successors == std::slice::from_ref(successor)
            };
            return Some(parent.filter(went_together).map_or(successor, |parent| &parent.code));
        }
        let day = last.unwrap_or(day);
        let holds =
            |from: Option<Date>, to: Option<Date>| from.is_none_or(|from| from <= day) && to.is_none_or(|to| day <= to);
        let parent = area.parents.iter().find(|it| holds(it.validity.valid_from, it.validity.valid_to));
        parent.map(|parent| &parent.code)
    }

    pub(crate) fn is_within(&self, inner: &AreaCode, outer: &AreaCode, day: Date) -> bool {
        inner == outer || self.parent(inner, day).is_some_and(|parent| self.is_within(parent, outer, day))
    }

    /// The areas directly below.
    pub(crate) fn children(&self, code: &AreaCode, day: Date) -> Vec<&AreaCode> {
        self.areas.iter().map(|area| &area.code).filter(|child| self.parent(child, day) == Some(code)).collect()
    }

    /// The areas directly below that are of a period, or have an area within them that is.
    pub(crate) fn inhabited_below(&self, code: &AreaCode, day: Date, period: Period) -> Vec<&AreaCode> {
        let is_inhabited = |child: &AreaCode| {
            self.areas.iter().any(|it| self.is_of(&it.code, period) && self.is_within(&it.code, child, day))
        };
        self.children(code, day).into_iter().filter(|child| is_inhabited(child)).collect()
    }

    /// 5.2: whether "an area begins, ends or changes its parent after the period's first day and by its last".
    pub(crate) fn changes_within(&self, period: Period) -> bool {
        let is_within = |day: Date| period.start() < day && day <= period.end();
        let changes = |from: Option<Date>, to: Option<Date>| {
            from.is_some_and(is_within) || to.is_some_and(|to| is_within(to.plus_days(1)))
        };
        self.areas.iter().any(|area| {
            let mut parents = area.parents.iter().map(|it| it.validity);
            changes(area.valid_from, area.valid_to) || parents.any(|it| changes(it.valid_from, it.valid_to))
        })
    }

    /// The areas of a level within an area, by the hierarchy of a day, that are of a period.
    pub(crate) fn areas_of_level(
        &self,
        code: &AreaCode,
        level: AreaLevel,
        day: Date,
        period: Period,
    ) -> Vec<&AreaCode> {
        let of_level = self.areas.iter().filter(|area| area.level == level).map(|area| &area.code);
        of_level.filter(|inner| self.is_within(inner, code, day) && self.is_of(inner, period)).collect()
    }
}
