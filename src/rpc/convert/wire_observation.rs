//! An observation as it stands on the wire: its fields, merged as the library merges them, and no text of it looked at
//! but for those that another replaces.

use crate::model::packed::MeasureForm;
use crate::model::protobuf::{Fields, Malformed, Value};
use crate::model::submission::OBSERVATIONS_MAX;

/// The most categories of all observations of a request, the most markers, and the most explanations of single checks.
pub(crate) const PARTS_OF_OBSERVATIONS_MAX: usize = 10 * OBSERVATIONS_MAX;

/// What an observation may have several of; and how many all have.
#[derive(Default)]
pub(super) struct Lists<'a> {
    pub(super) categories: Vec<[&'a [u8]; 2]>,
    pub(super) markers: Vec<i32>,
    /// Explanations of single checks: the check, and the text.
    pub(super) explanations: Vec<[&'a [u8]; 2]>,
    all_categories: usize,
    all_markers: usize,
    all_explanations: usize,
}

/// One observation's own fields: texts as bytes, since most were there before.
#[derive(Default)]
pub(super) struct WireObservation<'a> {
    pub(super) indicator: &'a [u8],
    pub(super) area: &'a [u8],
    pub(super) period: &'a [u8],
    pub(super) note: &'a [u8],
    pub(super) explanation: &'a [u8],
    pub(super) measure: Option<(MeasureForm, [&'a [u8]; 2])>,
    pub(super) withdraw: bool,
}

impl<'a> WireObservation<'a> {
    /// Reads one, whose lists replace those of the one before.
    pub(super) fn read(bytes: &'a [u8], lists: &mut Lists<'a>) -> Result<Self, Malformed> {
        lists.categories.clear();
        lists.markers.clear();
        lists.explanations.clear();
        let mut read = Self::default();
        for field in Fields::of(bytes) {
            match field? {
                (1, value) => set(&mut read.indicator, value)?,
                (2, value) => set(&mut read.area, value)?,
                (3, value) => set(&mut read.period, value)?,
                (4, value) => {
                    let mut category = [&[][..]; 2];
                    set_both(&mut category, value)?;
                    lists.categories.push(category);
                    bounded(&mut lists.all_categories)?;
                }
                (5, value) => set(&mut read.numbers(MeasureForm::Number)?[0], value)?,
                (6, value) => set_both(read.numbers(MeasureForm::Ratio)?, value)?,
                (7, value) => set_both(read.numbers(MeasureForm::Percentage)?, value)?,
                (8, value) => set_both(read.numbers(MeasureForm::Mean)?, value)?,
                (9, value) => value.each_number(|code| {
                    lists.markers.push(as_code(code));
                    bounded(&mut lists.all_markers)
                })?,
                (10, value) => set(&mut read.note, value)?,
                (11, value) => set(&mut read.explanation, value)?,
                (12, value) => {
                    let mut explanation = [&[][..]; 2];
                    set_both(&mut explanation, value)?;
                    lists.explanations.push(explanation);
                    bounded(&mut lists.all_explanations)?;
                }
                (13, value) => read.withdraw = value.number()? != 0,
                _ => {}
            }
        }
        Ok(read)
    }

    /// The numbers of its measure, which is of this form from now on.
    fn numbers(&mut self, form: MeasureForm) -> Result<&mut [&'a [u8]; 2], Malformed> {
        if let Some((other, numbers)) = self.measure
            && other != form
        {
            numbers.into_iter().try_for_each(|number| utf8(number).map(drop))?;
            self.measure = None;
        }
        Ok(&mut self.measure.get_or_insert((form, Default::default())).1)
    }
}

/// Sets a text. The last one counts; the others must be texts too.
#[inline]
fn set<'a>(text: &mut &'a [u8], value: Value<'a>) -> Result<(), Malformed> {
    let replaced = std::mem::replace(text, value.bytes()?);
    if replaced.is_empty() { Ok(()) } else { utf8(replaced).map(drop) }
}

/// Sets the texts of a message of two.
fn set_both<'a>(texts: &mut [&'a [u8]; 2], value: Value<'a>) -> Result<(), Malformed> {
    for field in Fields::of(value.bytes()?) {
        match field? {
            (1, value) => set(&mut texts[0], value)?,
            (2, value) => set(&mut texts[1], value)?,
            _ => {}
        }
    }
    Ok(())
}

/// Counts one more.
fn bounded(count: &mut usize) -> Result<(), Malformed> {
    *count += 1;
    if *count > PARTS_OF_OBSERVATIONS_MAX { Err(Malformed) } else { Ok(()) }
}

/// The code of an enum, which is the low half of what is sent.
fn as_code(number: u64) -> i32 {
    let [b0, b1, b2, b3, ..] = number.to_le_bytes();
    i32::from_le_bytes([b0, b1, b2, b3])
}

pub(super) fn utf8(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed)
}
