//! The areas of a day as a nested list.

use crate::catalogue::items::AreaLevel;
use crate::model::text::visible;
use crate::rpc::proto::Area;

/// The day after all others: how areas stand until further notice.
pub(super) const LAST_DAY: &str = "9999-12-31";

/// A step along the list, as its HTML is written: an area begins, the list of those within it begins and ends, the area ends.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    Area(AreaView),
    Down,
    Up,
    End,
}

#[derive(Debug, PartialEq)]
pub(super) struct AreaView {
    pub(super) code: String,
    pub(super) name: String,
    pub(super) level: String,
    /// Since when it exists, and until when, where it hasn't always.
    pub(super) when: String,
}

/// An area that had ended by the day.
#[derive(Debug, PartialEq)]
pub(super) struct EndedArea {
    pub(super) area: AreaView,
    pub(super) successors: String,
}

/// The areas that exist on a day, each within those that it lies in then, by code; a day after all others is how they stand
/// until further notice. Days are compared as texts: `YYYY-MM-DD`.
pub(super) fn steps(areas: &[Area], day: &str) -> Vec<Step> {
    let exists = existing(areas, day);
    let mut steps = Vec::new();
    for top in exists.iter().copied().filter(|area| is_top(area, &exists, day)) {
        add(&exists, top, day, &mut steps);
    }
    steps
}

/// The codes of the areas that lie in no other, as they stand until further notice.
pub(super) fn tops(areas: &[Area]) -> Vec<String> {
    let exists = existing(areas, LAST_DAY);
    let tops = exists.iter().filter(|area| is_top(area, &exists, LAST_DAY));
    tops.map(|area| area.code.clone()).collect()
}

fn existing<'a>(areas: &'a [Area], day: &str) -> Vec<&'a Area> {
    areas.iter().filter(|area| is_within(day, &area.valid_from, &area.valid_to)).collect()
}

fn is_top(area: &Area, others: &[&Area], day: &str) -> bool {
    !others.iter().any(|other| lies_in(area, &other.code, day))
}

/// An area and what lies within it: a parent is at a wider level, so there are no circles, and no more levels than there are.
fn add(areas: &[&Area], area: &Area, day: &str, steps: &mut Vec<Step>) {
    steps.push(Step::Area(view(area)));
    let parts: Vec<&Area> = areas.iter().copied().filter(|part| lies_in(part, &area.code, day)).collect();
    if !parts.is_empty() {
        steps.push(Step::Down);
        for part in parts {
            add(areas, part, day, steps);
        }
        steps.push(Step::Up);
    }
    steps.push(Step::End);
}

/// The areas that had ended by a day, and what they went into.
pub(super) fn ended(areas: &[Area], day: &str) -> Vec<EndedArea> {
    let ended = areas.iter().filter(|area| !area.valid_to.is_empty() && *area.valid_to < *day);
    ended.map(|area| EndedArea { area: view(area), successors: area.successors.join(", ") }).collect()
}

fn lies_in(area: &Area, code: &str, day: &str) -> bool {
    area.parents.iter().any(|parent| parent.code == code && is_within(day, &parent.valid_from, &parent.valid_to))
}

fn is_within(day: &str, first: &str, last: &str) -> bool {
    first <= day && (last.is_empty() || day <= last)
}

fn view(area: &Area) -> AreaView {
    let since = Some(&area.valid_from).filter(|day| !day.is_empty()).map(|day| format!("since {day}"));
    let until = Some(&area.valid_to).filter(|day| !day.is_empty()).map(|day| format!("until {day}"));
    AreaView {
        code: area.code.clone(),
        name: visible(&area.name).into_owned(),
        level: AreaLevel::from_code(area.level).map(|level| level.to_string().replace('-', " ")).unwrap_or_default(),
        when: since.into_iter().chain(until).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto::AreaParent;

    fn area(code: &str, parents: &[(&str, &str, &str)], valid: (&str, &str)) -> Area {
        let parent = |(code, first, last): &(&str, &str, &str)| AreaParent {
            code: (*code).to_owned(),
            valid_from: (*first).to_owned(),
            valid_to: (*last).to_owned(),
        };
        Area {
            code: code.to_owned(),
            name: code.to_lowercase(),
            level: 4,
            parents: parents.iter().map(parent).collect(),
            valid_from: valid.0.to_owned(),
            valid_to: valid.1.to_owned(),
            ..Area::default()
        }
    }

    fn text(areas: &[Area], day: &str) -> String {
        let step = |step: Step| match step {
            Step::Area(area) => area.code,
            Step::Down => "(".to_owned(),
            Step::Up => ")".to_owned(),
            Step::End => " ".to_owned(),
        };
        steps(areas, day).into_iter().map(step).collect::<String>().trim().to_owned()
    }

    #[test]
    fn areas_lie_where_they_lay_on_the_day() {
        let areas = [
            area("EAST", &[], ("", "")),
            area("NEW", &[("EAST", "", "")], ("2023-04-01", "")),
            area("OLD", &[("EAST", "", "")], ("", "2023-03-31")),
            area("TOWN", &[("WEST", "", "2020-12-31"), ("EAST", "2021-01-01", "")], ("", "")),
            area("WEST", &[], ("", "")),
        ];
        assert_eq!(text(&areas, "2020-12-31"), "EAST(OLD ) WEST(TOWN )");
        assert_eq!(text(&areas, "2021-01-01"), "EAST(OLD TOWN ) WEST");
        assert_eq!(text(&areas, "9999-12-31"), "EAST(NEW TOWN ) WEST");
        let ended: Vec<String> = ended(&areas, "2023-04-01").into_iter().map(|ended| ended.area.code).collect();
        assert_eq!(ended, ["OLD"]);
    }
}
