//! The packed form of a value: a word for its form, scales and markers, and two mantissas.
//!
//! It is the same in the journal and in the columns in memory; the columnar message of the API has
//! the same forms and mantissas, with a column for each part of the word. A new form of value is
//! added here, in [`Measure`], and where its meaning is: review, kinds, and the messages.

use super::code_list::code_list;
use super::decimal::Decimal;
use super::marker::Markers;
use super::observation::{Measure, Value};

code_list! {
    /// The forms that a measure comes in.
    pub enum MeasureForm {
        /// A number.
        Number = 1, "number";
        /// A numerator and a denominator.
        Ratio = 2, "ratio";
        /// A percentage and its base.
        Percentage = 3, "percentage";
        /// A mean and its count.
        Mean = 4, "mean";
    }
}

impl MeasureForm {
    /// Whether it has a second number.
    pub const fn has_second(self) -> bool {
        match self {
            Self::Number => false,
            Self::Ratio | Self::Percentage | Self::Mean => true,
        }
    }

    /// The measure of this form with these numbers; the second is left out where the form has one only.
    pub const fn measure(self, first: Decimal, second: Decimal) -> Measure {
        match self {
            Self::Number => Measure::Number(first),
            Self::Ratio => Measure::Ratio { numerator: first, denominator: second },
            Self::Percentage => Measure::Percentage { percent: first, base: second },
            Self::Mean => Measure::Mean { mean: first, count: second },
        }
    }
}

impl Measure {
    /// The form, and the numbers of it.
    const fn unpack(self) -> (MeasureForm, Decimal, Decimal) {
        match self {
            Self::Number(number) => (MeasureForm::Number, number, Decimal::ZERO),
            Self::Ratio { numerator, denominator } => (MeasureForm::Ratio, numerator, denominator),
            Self::Percentage { percent, base } => (MeasureForm::Percentage, percent, base),
            Self::Mean { mean, count } => (MeasureForm::Mean, mean, count),
        }
    }

    /// The same measure, its numbers written as short as they can be.
    pub(crate) const fn shortest(self) -> Self {
        let (form, first, second) = self.unpack();
        form.measure(first.shortest(), second.shortest())
    }

    /// The form that it comes in.
    pub const fn form(self) -> MeasureForm {
        self.unpack().0
    }
}

/// A value, packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packed {
    /// From the lowest bit: the form's code, or 0 where there is no measure (3 bits); the scale of the
    /// first number (3), and of the second (3); the bits of the markers (9).
    pub(crate) word: u32,
    /// The mantissa of the first number.
    pub(crate) first: i64,
    /// The mantissa of the second number, 0 where the form has one only.
    pub(crate) second: i64,
}

/// These columns aren't a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PackedError {
    #[error("a number of too many digits")]
    Number,
    #[error("a value of form {0}")]
    Form(u32),
    #[error("an unknown marker")]
    Marker,
}

const FORM_BITS: u32 = 3;
const SCALE_BITS: u32 = 3;
const MARKERS_BITS: u32 = 9;
const FIRST_SCALE_SHIFT: u32 = FORM_BITS;
const SECOND_SCALE_SHIFT: u32 = FIRST_SCALE_SHIFT + SCALE_BITS;
const MARKERS_SHIFT: u32 = SECOND_SCALE_SHIFT + SCALE_BITS;
/// The bits of both scales.
const SCALES: u32 = low_bits(2 * SCALE_BITS) << FIRST_SCALE_SHIFT;

impl Packed {
    /// How many bits of the word are taken; those above are free for whoever keeps it.
    pub(crate) const WORD_BITS: u32 = MARKERS_SHIFT + MARKERS_BITS;

    /// The value. Both numbers are checked, though the form may leave out the second.
    ///
    /// # Errors
    /// When these columns aren't one.
    pub(crate) fn value(self) -> Result<Value, PackedError> {
        self.first().and(self.second())?;
        Ok(Value { measure: self.measure()?, markers: self.markers()? })
    }

    /// Whether it is a number, or a ratio with a base, and has no markers. Those of one word add up by their mantissas.
    #[inline]
    pub(crate) const fn is_plain(self) -> bool {
        const NUMBER: u32 = MeasureForm::Number.code().unsigned_abs();
        let is_number = self.word & low_bits(FORM_BITS) == NUMBER;
        self.word >> MARKERS_SHIFT == 0 && (is_number || (Self::is_ratio(self.word) && self.second != 0))
    }

    /// Whether a word is that of a ratio.
    #[inline]
    pub(crate) const fn is_ratio(word: u32) -> bool {
        const RATIO: u32 = MeasureForm::Ratio.code().unsigned_abs();
        word & low_bits(FORM_BITS) == RATIO
    }

    /// The scales of the numbers of a word.
    pub(crate) fn scales(word: u32) -> [u8; 2] {
        [FIRST_SCALE_SHIFT, SECOND_SCALE_SHIFT].map(|shift| ((word >> shift) & low_bits(SCALE_BITS)).to_le_bytes()[0])
    }

    /// Whether the value has a measure.
    #[inline]
    pub(crate) const fn has_measure(self) -> bool {
        self.word & low_bits(FORM_BITS) != 0
    }

    /// The measure of the value, where it has one.
    #[inline]
    pub(crate) fn measure(self) -> Result<Option<Measure>, PackedError> {
        match self.word & low_bits(FORM_BITS) {
            0 => Ok(None),
            code => {
                let form = i32::try_from(code).ok().and_then(MeasureForm::from_code).ok_or(PackedError::Form(code))?;
                // Scans of columns come here for each row: what isn't needed isn't looked at.
                let second = if form.has_second() { self.second()? } else { Decimal::ZERO };
                Ok(Some(form.measure(self.first()?, second)))
            }
        }
    }

    /// Whether both are the same value: a number counts, not how it is written.
    pub(crate) fn is_same_value(self, other: Self) -> bool {
        if self == other {
            return true;
        }
        let apart_from_scales = |packed: Self| packed.word & !SCALES;
        let same = |one: Result<Decimal, PackedError>, other| one.is_ok() && one == other;
        apart_from_scales(self) == apart_from_scales(other)
            && same(self.first(), other.first())
            && same(self.second(), other.second())
    }

    /// The markers of the value.
    pub(crate) fn markers(self) -> Result<Markers, PackedError> {
        let bits = u16::try_from(self.word >> MARKERS_SHIFT).ok();
        bits.and_then(Markers::from_bits).ok_or(PackedError::Marker)
    }

    fn first(self) -> Result<Decimal, PackedError> {
        self.decimal(self.first, FIRST_SCALE_SHIFT)
    }

    fn second(self) -> Result<Decimal, PackedError> {
        self.decimal(self.second, SECOND_SCALE_SHIFT)
    }

    fn decimal(self, mantissa: i64, shift: u32) -> Result<Decimal, PackedError> {
        let scale = u8::try_from((self.word >> shift) & low_bits(SCALE_BITS)).ok();
        scale.and_then(|scale| Decimal::new(mantissa, scale)).ok_or(PackedError::Number)
    }
}

const fn low_bits(count: u32) -> u32 {
    (1 << count) - 1
}

impl From<&Value> for Packed {
    fn from(value: &Value) -> Self {
        let (form, first, second) = match value.measure.map(Measure::unpack) {
            Some((form, first, second)) => (form.code().unsigned_abs(), first, second),
            None => (0, Decimal::ZERO, Decimal::ZERO),
        };
        let word = form
            | (u32::from(first.scale()) << FIRST_SCALE_SHIFT)
            | (u32::from(second.scale()) << SECOND_SCALE_SHIFT)
            | (u32::from(value.markers.bits()) << MARKERS_SHIFT);
        Self { word, first: first.mantissa(), second: second.mantissa() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::marker::Marker;

    #[test]
    fn plain_are_numbers_and_ratios_with_a_base_that_have_no_markers() {
        let (first, second) = (Decimal::new(-8_790, 2).unwrap(), Decimal::new(5, 6).unwrap());
        for (form, is_plain) in [
            (MeasureForm::Number, true),
            (MeasureForm::Ratio, true),
            (MeasureForm::Percentage, false),
            (MeasureForm::Mean, false),
        ] {
            let of = |second, markers| Packed::from(&Value { measure: Some(form.measure(first, second)), markers });
            let packed = of(second, Markers::NONE);
            assert_eq!(packed.is_plain(), is_plain, "{form}");
            assert_eq!(Packed::scales(packed.word), [2, if form.has_second() { 6 } else { 0 }], "{form}");
            assert_eq!(of(Decimal::ZERO, Markers::NONE).is_plain(), form == MeasureForm::Number, "{form}");
            assert_eq!(Packed::is_ratio(packed.word), form == MeasureForm::Ratio);
            assert!(!of(second, Markers::NONE.with(Marker::Provisional)).is_plain(), "{form}");
        }
        assert!(!Packed::from(&Value { measure: None, markers: Markers::NONE }).is_plain());
    }

    #[test]
    fn every_form_with_every_marker_comes_back() {
        let (first, second) = (Decimal::new(-8_790, 2).unwrap(), Decimal::new(Decimal::MANTISSA_MAX, 6).unwrap());
        let measures = MeasureForm::ALL.iter().map(|form| Some(form.measure(first, second))).chain([None]);
        let all: Markers = Marker::ALL.iter().copied().collect();
        for value in measures.flat_map(|measure| [Markers::NONE, all].map(|markers| Value { measure, markers })) {
            let packed = Packed::from(&value);
            assert_eq!(packed.value(), Ok(value));
            assert_eq!(packed.word >> Packed::WORD_BITS, 0);
        }
    }

    #[test]
    fn a_value_is_the_same_however_its_numbers_are_written() {
        let packed = |text: &str, markers| {
            let measure = MeasureForm::Percentage.measure(text.parse().unwrap(), "40.0".parse().unwrap());
            Packed::from(&Value { measure: Some(measure), markers })
        };
        let provisional: Markers = [Marker::Provisional].into_iter().collect();
        let value = packed("87.9", Markers::NONE);
        assert!(value.is_same_value(packed("87.90", Markers::NONE)));
        assert!(!value.is_same_value(packed("87.91", Markers::NONE)));
        assert!(!value.is_same_value(packed("8.79", Markers::NONE)));
        assert!(!value.is_same_value(packed("87.90", provisional)));
        let ratio = Packed { word: value.word - 1, ..value };
        assert!(!value.is_same_value(ratio), "of another form");
    }

    #[test]
    fn what_is_no_value_is_refused() {
        let packed = |word, first, second| Packed { word, first, second }.value();
        assert_eq!(packed(0b111, 0, 0), Err(PackedError::Form(7)));
        assert_eq!(packed(0b111_001, 0, 0), Err(PackedError::Number));
        assert_eq!(packed(0b001, 0, Decimal::MANTISSA_MAX + 1), Err(PackedError::Number), "unused, and checked");
        assert_eq!(packed(1 << Packed::WORD_BITS, 0, 0), Err(PackedError::Marker));
    }
}
