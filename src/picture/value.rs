//! Values before and after rounding: the one place where anything that is answered is rounded.

use super::combine::Gap;
use crate::catalogue::items::IndicatorVersion;
use crate::model::decimal::{Quotient, Rounded};

/// A value before and after rounding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FigureValue {
    /// The value itself.
    pub exact: Quotient,
    /// As it is shown.
    pub rounded: Rounded,
}

impl FigureValue {
    /// An exact value, shown to so many decimals by the indicator's rounding.
    ///
    /// # Errors
    /// When there are too many digits.
    pub(super) fn of(exact: Quotient, decimals: u8, version: &IndicatorVersion) -> Result<Self, Gap> {
        let rounded = exact.round(decimals, version.rounding).ok_or(Gap::TooLarge)?;
        Ok(Self { exact, rounded })
    }
}
