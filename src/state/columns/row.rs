//! One figure, packed.

use super::BreakdownIx;
use crate::catalogue::{AgencyIx, AreaIx};
use crate::model::decimal::Decimal;
use crate::model::marker::{Marker, Markers};
use crate::model::observation::{Measure, Value};
use crate::model::revision::Revision;

/// Which figure of a slab a row is: the breakdown, the area, the agency, in that order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey(u64);

impl RowKey {
    /// The key of a figure. Breakdowns and areas take 24 bits, agencies 16.
    pub fn new(area: AreaIx, breakdown: BreakdownIx, agency: AgencyIx) -> Self {
        Self((u64::from(breakdown.0) << 40) | (u64::from(area.0) << 16) | u64::from(agency.0))
    }

    /// Below the keys of all agencies of an area.
    pub(super) fn first_of(area: AreaIx, breakdown: BreakdownIx) -> Self {
        Self::new(area, breakdown, AgencyIx(0))
    }

    /// Above the keys of all agencies of an area.
    pub(super) fn after(area: AreaIx, breakdown: BreakdownIx) -> Self {
        Self(Self::first_of(area, breakdown).0 + (1 << 16))
    }

    /// Below the keys of all areas of a breakdown.
    pub(super) fn start_of(breakdown: BreakdownIx) -> Self {
        Self(u64::from(breakdown.0) << 40)
    }

    /// Above the keys of all areas of a breakdown.
    pub(super) fn end_of(breakdown: BreakdownIx) -> Self {
        Self((u64::from(breakdown.0) + 1) << 40)
    }

    /// The area.
    pub fn area(self) -> AreaIx {
        AreaIx(low_bits(self.0 >> 16, 24))
    }

    /// The breakdown.
    pub fn breakdown(self) -> BreakdownIx {
        BreakdownIx(low_bits(self.0 >> 40, 24))
    }

    /// The agency.
    pub fn agency(self) -> AgencyIx {
        AgencyIx(low_bits(self.0, 16))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "at most 24 bits are asked for")]
const fn low_bits(bits: u64, count: u32) -> u32 {
    (bits & ((1 << count) - 1)) as u32
}

/// A revision in 32 bits: a row is small. The writer stops long before there are 4 billion.
pub(super) type Revision32 = u32;

pub(super) fn narrow(revision: Revision) -> Revision32 {
    Revision32::try_from(revision.0).expect("the writer stops before revision 2^32")
}

/// What a row says besides its numbers: their form and scales, the markers, whether it is a sample,
/// whether it was withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Note(u32);

const FORM_MASK: u32 = 0b111;
const FIRST_SCALE_SHIFT: u32 = 3;
const SECOND_SCALE_SHIFT: u32 = 6;
const SCALE_MASK: u32 = 0b111;
const MARKERS_SHIFT: u32 = 9;
const MARKERS_MASK: u32 = 0x1ff;
const SAMPLE_BIT: u32 = 1 << 18;
const WITHDRAWN_BIT: u32 = 1 << 19;

impl Note {
    pub(super) const WITHDRAWN: Self = Self(WITHDRAWN_BIT);

    pub(super) fn is_withdrawn(self) -> bool {
        self.0 & WITHDRAWN_BIT != 0
    }

    fn markers(self) -> Markers {
        let bits = (self.0 >> MARKERS_SHIFT) & MARKERS_MASK;
        u16::try_from(bits).ok().and_then(Markers::from_bits).unwrap_or_default()
    }

    pub(super) fn has_break(self) -> bool {
        self.markers().contains(Marker::Break)
    }
}

/// One figure, from one revision on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Which figure of its slab.
    pub key: RowKey,
    pub(super) first: i64,
    pub(super) second: i64,
    pub(super) note: Note,
    pub(super) since: Revision32,
}

impl Row {
    /// A figure as it was submitted.
    pub fn new(key: RowKey, value: &Value, sample: bool, revision: Revision) -> Self {
        let (form, first, second) = match value.measure {
            None => (0, None, None),
            Some(Measure::Number(number)) => (1, Some(number), None),
            Some(Measure::Ratio { numerator, denominator }) => (2, Some(numerator), Some(denominator)),
            Some(Measure::Percentage { percent, base }) => (3, Some(percent), Some(base)),
            Some(Measure::Mean { mean, count }) => (4, Some(mean), Some(count)),
        };
        let digits = |part: Option<Decimal>| part.map_or(0, Decimal::mantissa);
        let scale = |part: Option<Decimal>| part.map_or(0, |decimal| u32::from(decimal.scale()));
        let note = form
            | (scale(first) << FIRST_SCALE_SHIFT)
            | (scale(second) << SECOND_SCALE_SHIFT)
            | (u32::from(value.markers.bits()) << MARKERS_SHIFT)
            | if sample { SAMPLE_BIT } else { 0 };
        Self { key, first: digits(first), second: digits(second), note: Note(note), since: narrow(revision) }
    }

    pub(super) fn withdrawn(key: RowKey, revision: Revision) -> Self {
        Self { key, first: 0, second: 0, note: Note::WITHDRAWN, since: narrow(revision) }
    }

    /// The figure; none where it was withdrawn and nothing was there before.
    pub fn value(&self) -> Option<Value> {
        (!self.note.is_withdrawn()).then(|| Value { measure: self.measure(), markers: self.markers() })
    }

    /// What was measured.
    pub fn measure(&self) -> Option<Measure> {
        let decimal = |digits, shift| {
            let scale = u8::try_from((self.note.0 >> shift) & SCALE_MASK).ok()?;
            Decimal::new(digits, scale)
        };
        let first = || decimal(self.first, FIRST_SCALE_SHIFT);
        let second = || decimal(self.second, SECOND_SCALE_SHIFT);
        match self.note.0 & FORM_MASK {
            1 => Some(Measure::Number(first()?)),
            2 => Some(Measure::Ratio { numerator: first()?, denominator: second()? }),
            3 => Some(Measure::Percentage { percent: first()?, base: second()? }),
            4 => Some(Measure::Mean { mean: first()?, count: second()? }),
            _ => None,
        }
    }

    /// The markers.
    pub fn markers(&self) -> Markers {
        self.note.markers()
    }

    /// Whether the figure is made up.
    pub fn is_sample(&self) -> bool {
        self.note.0 & SAMPLE_BIT != 0
    }

    /// The revision since which the figure is this.
    pub fn revision(&self) -> Revision {
        Revision(u64::from(self.since))
    }

    /// Whether both say the same of the same figure, whenever they came.
    pub fn is_same_figure(&self, other: &Self) -> bool {
        (self.key, self.first, self.second, self.note) == (other.key, other.first, other.second, other.note)
    }
}
