//! Areas: where they lie, from when to when they exist, and what they went into.

use serde::{Deserialize, Serialize};

use super::items::Validity;
use crate::model::code_list::code_list;
use crate::model::date::Date;
use crate::model::id::AreaCode;

code_list! {
    /// The levels of the area hierarchy, from the widest to the narrowest.
    pub enum AreaLevel {
        /// A country.
        Country = 1, "country";
        /// An English region.
        Region = 2, "region";
        /// A safeguarding partnership of several authorities.
        Partnership = 3, "partnership";
        /// A county or a unitary authority.
        UpperTier = 4, "upper-tier";
        /// A district of a county.
        District = 5, "district";
        /// A ward.
        Ward = 6, "ward";
    }
}

/// One parent of an area, for as long as it was that.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub struct AreaParent {
    /// The parent's code.
    pub code: AreaCode,
    /// When it was the parent.
    #[serde(flatten)]
    pub validity: Validity,
}

/// An area of the hierarchy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Area {
    /// Its code.
    pub code: AreaCode,
    /// Its name, as shown.
    pub name: String,
    /// Its level.
    pub level: AreaLevel,
    /// Its parents over time, never two at once; empty for the top.
    #[serde(default)]
    pub parents: Vec<AreaParent>,
    /// The first day on which it exists; none from the beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Date>,
    /// The last day on which it exists; none until further notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Date>,
    /// The areas that it went into when it ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub successors: Vec<AreaCode>,
}

impl Area {
    /// The days on which it exists.
    pub fn validity(&self) -> Validity {
        Validity { valid_from: self.valid_from, valid_to: self.valid_to }
    }

    /// The area that it lies directly below on a day: the parent that it has on that day. After its end its
    /// only successor, or else the parent that it had last. Before it exists it lies nowhere.
    pub fn parent_on(&self, day: Date) -> Option<&AreaCode> {
        let parent = |day| self.parents.iter().find(|parent| parent.validity.holds(day)).map(|parent| &parent.code);
        match self.valid_to {
            _ if self.valid_from.is_some_and(|from| day < from) => None,
            Some(last) if last < day => self.only_successor().or_else(|| parent(last)),
            Some(_) | None => parent(day),
        }
    }

    /// All areas that it lies directly below on some day.
    pub(crate) fn all_parents(&self) -> impl Iterator<Item = &AreaCode> {
        self.parents.iter().map(|parent| &parent.code).chain(self.only_successor())
    }

    /// The days from which on it may lie below another area than before.
    pub(super) fn change_days(&self) -> impl Iterator<Item = Date> {
        let validities = self.parents.iter().map(|parent| parent.validity).chain([self.validity()]);
        let days = |validity: Validity| [validity.valid_from, validity.valid_to.map(|last| last.plus_days(1))];
        validities.flat_map(days).flatten()
    }

    /// The area that all of it went into.
    fn only_successor(&self) -> Option<&AreaCode> {
        match self.successors.as_slice() {
            [only] => Some(only),
            [] | [_, _, ..] => None,
        }
    }

    /// Why it isn't there on a day, as a sentence; none when it is.
    pub(crate) fn absence(&self, day: Date) -> Option<String> {
        let code = &self.code;
        if let Some(from) = self.valid_from.filter(|from| day < *from) {
            return Some(format!("`{code}` begins on {from}"));
        }
        let to = self.valid_to.filter(|to| *to < day)?;
        let successors: Vec<&str> = self.successors.iter().map(AreaCode::as_str).collect();
        Some(match successors.split_last() {
            None => format!("`{code}` ended on {to}"),
            Some((only, [])) => format!("`{code}` ended on {to}; it went into {only}"),
            Some((last, others)) => format!("`{code}` ended on {to}; it went into {} and {last}", others.join(", ")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where an area lies on the days around its start, its end, and the days on which its parents change.
    fn check(successors: &[&str], expect: [&str; 6]) {
        let area = format!(
            r#"
            code = "D"
            name = "District"
            level = "district"
            valid_from = "2020-04-01"
            valid_to = "2023-03-31"
            successors = {successors:?}
            parents = [{{ code = "A", valid_to = "2021-03-31" }}, {{ code = "B", valid_from = "2021-04-01" }}]
            "#
        );
        let area: Area = toml::from_str(&area).unwrap();
        let days = ["2020-03-31", "2020-04-01", "2021-03-31", "2021-04-01", "2023-03-31", "2023-04-01"];
        let found = days.map(|day| area.parent_on(day.parse().unwrap()).map_or("nowhere", AreaCode::as_str));
        assert_eq!(found, expect, "{successors:?}");
    }

    #[test]
    fn an_area_lies_nowhere_before_it_exists_and_after_its_end_in_its_only_successor_or_where_it_was() {
        check(&[], ["nowhere", "A", "A", "B", "B", "B"]);
        check(&["S"], ["nowhere", "A", "A", "B", "B", "S"]);
        check(&["S", "T"], ["nowhere", "A", "A", "B", "B", "B"]);
    }
}
