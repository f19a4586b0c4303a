//! A view: the state at one revision, on one day, with the hierarchy to add up areas by.

use super::columns::Columns;
use crate::catalogue::{Catalogue, Hierarchy};
use crate::model::date::Date;
use crate::model::period::Period;
use crate::model::revision::Revision;

/// What a query is answered from: figures and definitions as of one revision, on one day.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The catalogue as of the revision.
    pub catalogue: &'a Catalogue,
    /// The figures, of every revision.
    pub columns: &'a Columns,
    /// The revision.
    pub as_of: Revision,
    /// The day that lateness is judged on.
    pub today: Date,
    /// Which hierarchy areas are rolled up by.
    pub areas: AreasAsOf,
}

/// Which hierarchy areas are rolled up by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AreasAsOf {
    /// That of each period's last day.
    #[default]
    Then,
    /// Today's, for every period.
    Now,
}

impl<'a> View<'a> {
    /// The day whose hierarchy a period is rolled up by.
    pub(crate) fn hierarchy_day(&self, period: Period) -> Date {
        match self.areas {
            AreasAsOf::Then => period.end(),
            AreasAsOf::Now => self.today,
        }
    }

    /// The hierarchy that a period is rolled up by.
    pub(crate) fn hierarchy(&self, period: Period) -> &'a Hierarchy {
        self.catalogue.hierarchy(self.hierarchy_day(period))
    }
}
