//! What a figure is of, in words.

use crate::rpc::proto::{Area, Indicator, Kind};
use crate::wording::number::quantity;
use crate::wording::period::Span;

/// What a figure is of, by the names that readers know.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subject<'a> {
    /// The indicator.
    pub(crate) indicator: &'a Indicator,
    /// The area; several together have a name and no code.
    pub(crate) area: &'a Area,
    /// The name of the agency whose figure it is; empty for the combined figure.
    pub(crate) agency: &'a str,
    /// The name of the indicator's lead agency; empty if it has none.
    pub(crate) lead: &'a str,
    /// The title of the category; empty for the total.
    pub(crate) category: &'a str,
    /// The period or periods. Of a row with a period of its own that one counts.
    pub(crate) periods: Span<'a>,
}

impl<'a> Subject<'a> {
    /// The same of another period.
    pub(super) fn of(&self, period: &'a str) -> Self {
        Self { periods: self.periods.of(period), ..*self }
    }

    /// Its kind.
    pub(super) fn kind(&self) -> Kind {
        self.indicator.kind()
    }

    /// What, where and whose: `Initial contacts in Hampshire`.
    pub(super) fn name(&self) -> String {
        let Self { indicator, area, agency, category, .. } = self;
        let category = if category.is_empty() { String::new() } else { format!(" ({category})") };
        // A title that has a comma is closed by another.
        let comma = if indicator.title.contains(", ") { "," } else { "" };
        let agency = if agency.is_empty() { String::new() } else { format!(", according to {agency}") };
        format!("{}{category}{comma} in {}{agency}", indicator.title, area.name)
    }

    /// `in 2021-22`, `at 31 March 2022`.
    pub(super) fn when(&self) -> String {
        self.periods.when(self.kind())
    }

    /// A value with the unit that it needs.
    pub(super) fn quantity(&self, value: &str) -> String {
        quantity(value, self.kind(), &self.indicator.unit)
    }
}
