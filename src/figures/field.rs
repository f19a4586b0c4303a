//! The columns of a file: their names, and the other names that people give them.

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Field {
    Indicator,
    Area,
    Period,
    Value,
    Base,
    Numerator,
    Denominator,
    Count,
    Breakdown,
    Markers,
    Note,
    /// Why a figure is as it is, where a check asks.
    Explanation,
    /// Whether the figure is submitted or withdrawn.
    Action,
    Agency,
    Report,
    /// This and those below help whoever fills the file in, and aren't read.
    Title,
    /// The area's name.
    Place,
    Unit,
    /// The figure of the period before.
    Previous,
    /// The figure of the same period a year before.
    YearBefore,
    Due,
    /// What was wrong with the row, in a file that was given back with its problems.
    Problem,
}

impl Field {
    pub(crate) const ALL: [Self; 22] = [
        Self::Indicator,
        Self::Area,
        Self::Period,
        Self::Value,
        Self::Base,
        Self::Numerator,
        Self::Denominator,
        Self::Count,
        Self::Breakdown,
        Self::Markers,
        Self::Note,
        Self::Explanation,
        Self::Action,
        Self::Agency,
        Self::Report,
        Self::Title,
        Self::Place,
        Self::Unit,
        Self::Previous,
        Self::YearBefore,
        Self::Due,
        Self::Problem,
    ];

    /// The columns that say what a figure is of.
    pub(super) const KEYS: [Self; 3] = [Self::Indicator, Self::Area, Self::Period];

    /// The columns that a figure's numbers are in.
    pub(super) const NUMBERS: [Self; 5] = [Self::Base, Self::Count, Self::Denominator, Self::Numerator, Self::Value];

    /// The name, as files and mappings have it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Indicator => "indicator",
            Self::Area => "area",
            Self::Period => "period",
            Self::Value => "value",
            Self::Base => "base",
            Self::Numerator => "numerator",
            Self::Denominator => "denominator",
            Self::Count => "count",
            Self::Breakdown => "breakdown",
            Self::Markers => "markers",
            Self::Note => "note",
            Self::Explanation => "explanation",
            Self::Action => "action",
            Self::Agency => "agency",
            Self::Report => "report",
            Self::Title => "title",
            Self::Place => "place",
            Self::Unit => "unit",
            Self::Previous => "previous",
            Self::YearBefore => "year before",
            Self::Due => "due",
            Self::Problem => "problem",
        }
    }

    /// Other names that can't mean anything else, in lower case and single spaces.
    pub(super) const fn aliases(self) -> &'static [&'static str] {
        match self {
            Self::Indicator => &["indicators", "indicator id", "indicator code", "indicator name", "measure"],
            Self::Area => {
                &["areas", "area code", "area name", "geography", "geography code", "ons code", "local authority"]
            }
            Self::Period => &[
                "periods",
                "reference period",
                "time period",
                "reporting period",
                "month",
                "quarter",
                "year",
                "financial year",
                "academic year",
            ],
            Self::Value => &["values", "figure", "figures"],
            Self::Base => &["bases"],
            Self::Numerator => &["numerators"],
            Self::Denominator => &["denominators"],
            Self::Count => &[],
            Self::Breakdown => &["breakdowns"],
            Self::Markers => &["marker", "flag", "flags", "shorthand"],
            Self::Note => &["notes", "comment", "comments"],
            Self::Explanation => &["explanations"],
            Self::Action => &["actions"],
            Self::Agency => &["agencies", "agency id", "organisation"],
            Self::Report => &["reports"],
            Self::Title => &["indicator title"],
            Self::Place => &[],
            Self::Unit => &["units"],
            Self::Previous | Self::YearBefore => &[],
            Self::Due => &["due date", "due by"],
            Self::Problem => &["problems"],
        }
    }

    /// Whether what the column has is read; otherwise it only helps whoever fills the file in.
    pub(super) const fn is_read(self) -> bool {
        match self {
            Self::Indicator
            | Self::Area
            | Self::Period
            | Self::Value
            | Self::Base
            | Self::Numerator
            | Self::Denominator
            | Self::Count
            | Self::Breakdown
            | Self::Markers
            | Self::Note
            | Self::Explanation
            | Self::Action
            | Self::Agency
            | Self::Report => true,
            Self::Title | Self::Place | Self::Unit | Self::Previous | Self::YearBefore | Self::Due | Self::Problem => {
                false
            }
        }
    }

    /// The column of a name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name() == name)
    }

    /// The column that a heading names, in any case.
    pub(super) fn of_heading(heading: &str) -> Option<Self> {
        let heading = normal(heading);
        Self::ALL.into_iter().find(|field| field.name() == heading || field.aliases().contains(&heading.as_str()))
    }

    /// The column that a field of the API's observation is read from.
    pub(crate) fn of_observation(field: &str) -> Option<Self> {
        match field {
            "number" | "percentage.percent" | "percentage" | "mean.mean" | "mean" => Some(Self::Value),
            "percentage.base" => Some(Self::Base),
            "mean.count" => Some(Self::Count),
            "ratio.numerator" | "ratio" => Some(Self::Numerator),
            "ratio.denominator" => Some(Self::Denominator),
            "withdraw" => Some(Self::Action),
            other => Self::named(other.split(['.', '[']).next().unwrap_or(other)),
        }
    }

    /// Every name, for a sentence.
    pub(crate) fn allowed() -> String {
        Self::ALL.map(Self::name).join(", ")
    }
}

/// A heading in lower case, its words with single spaces between them.
pub(super) fn normal(heading: &str) -> String {
    let lower = heading.to_lowercase();
    let words = lower.split(|c: char| c.is_whitespace() || c == '_').filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join(" ").trim_end_matches([':', '*', '.']).trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_known_in_any_case_and_by_their_other_names() {
        for (heading, expect) in [
            ("indicator", Some(Field::Indicator)),
            ("Indicator ", Some(Field::Indicator)),
            ("Reference\u{a0} period", Some(Field::Period)),
            ("AREA_CODE", Some(Field::Area)),
            ("Notes:", Some(Field::Note)),
            ("valeu", None),
            ("", None),
        ] {
            assert_eq!(Field::of_heading(heading), expect, "{heading}");
        }
    }

    #[test]
    fn no_heading_names_two_columns() {
        let names = Field::ALL.into_iter().flat_map(|field| field.aliases().iter().copied().chain([field.name()]));
        let mut names: Vec<&str> = names.collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(names.iter().all(|name| normal(name) == *name), "{names:?}");
    }
}
