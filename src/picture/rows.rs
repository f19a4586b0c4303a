//! The rows of a picture and of the answer to an aggregate query.

use std::rc::Rc;

use super::change::Change;
use super::derived::{Benchmark, Rank, Share};
use super::figure::Figure;
use super::rate::Rate;
use crate::catalogue::{AgencyIx, AreaIx, IndicatorIx};
use crate::model::id::CategoryId;
use crate::model::period::Period;

/// One indicator in a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureRow {
    /// The indicator.
    pub indicator: IndicatorIx,
    /// The period, whose definition of it is in force.
    pub period: Period,
    /// Each agency that has reported or is expected to, by id.
    pub cells: Vec<PictureCell>,
    /// All of them together.
    pub combined: Rc<Figure>,
    /// The change of the combined figure.
    pub change: Option<Box<Change>>,
}

/// One agency's figure in a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PictureCell {
    /// The agency.
    pub agency: AgencyIx,
    /// Its figure.
    pub figure: Rc<Figure>,
    /// The figure's change.
    pub change: Option<Box<Change>>,
}

/// One answered figure, and what it is of. A key that is combined is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AggregateRow {
    /// The indicator.
    pub indicator: IndicatorIx,
    /// The area.
    pub area: Option<AreaIx>,
    /// The agency.
    pub agency: Option<AgencyIx>,
    /// The period.
    pub period: Option<Period>,
    /// The category.
    pub category: Option<CategoryId>,
    /// The figure.
    pub figure: Rc<Figure>,
    /// Its change.
    pub change: Option<Box<Change>>,
    /// Its rate.
    pub rate: Option<Box<Rate>>,
    /// Its share.
    pub share: Option<Box<Share>>,
    /// Its rank.
    pub rank: Option<Box<Rank>>,
    /// Its benchmark.
    pub benchmark: Option<Box<Benchmark>>,
}
