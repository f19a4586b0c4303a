//! One figure, packed.

use super::BreakdownIx;
use crate::catalogue::{AgencyIx, AreaIx};
use crate::model::marker::{Marker, Markers};
use crate::model::observation::{Measure, Value};
use crate::model::packed::Packed;
use crate::model::revision::Revision;

/// Which figure of a slab a row is: the breakdown, the area, the agency, in that order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey(u64);

impl RowKey {
    /// The smallest key.
    pub(super) const ZERO: Self = Self(0);

    /// The key of a figure. Breakdowns and areas take 24 bits, agencies 16.
    pub(crate) fn new(area: AreaIx, breakdown: BreakdownIx, agency: AgencyIx) -> Self {
        Self((u64::from(breakdown.0) << 40) | (u64::from(area.0) << 16) | u64::from(agency.0))
    }

    /// The key as a number, the same for as long as the journal is.
    pub(crate) fn bits(self) -> u64 {
        self.0
    }

    /// The key of such a number.
    pub(crate) fn of_bits(bits: u64) -> Self {
        Self(bits)
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
    pub(crate) fn area(self) -> AreaIx {
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
pub(crate) type Revision32 = u32;

pub(crate) fn narrow(revision: Revision) -> Revision32 {
    Revision32::try_from(revision.0).expect("the writer stops before revision 2^32")
}

pub(crate) fn widen(revision: Revision32) -> Revision {
    Revision(u64::from(revision))
}

/// What a row says besides its numbers: the word of its [`Packed`] value, whether it is a sample,
/// whether it was withdrawn, and whether that was done by a submission of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Flags(u32);

const SAMPLE_BIT: u32 = 1 << Packed::WORD_BITS;
const WITHDRAWN_BIT: u32 = SAMPLE_BIT << 1;
const BY_SUBMISSION_BIT: u32 = WITHDRAWN_BIT << 1;

impl Flags {
    pub(super) const WITHDRAWN: Self = Self(WITHDRAWN_BIT);
    /// A submission withdrew the figure, and may itself be withdrawn.
    const WITHDRAWN_BY_SUBMISSION: Self = Self(WITHDRAWN_BIT | BY_SUBMISSION_BIT);

    pub(super) fn is_withdrawn(self) -> bool {
        self.0 & WITHDRAWN_BIT != 0
    }

    /// Whether a submission said so: it isn't what the withdrawal of one left.
    pub(super) fn is_of_submission(self) -> bool {
        !self.is_withdrawn() || self.0 & BY_SUBMISSION_BIT != 0
    }

    pub(super) fn has_break(self) -> bool {
        self.packed(0, 0).markers().is_ok_and(|markers| markers.contains(Marker::Break))
    }

    fn packed(self, first: i64, second: i64) -> Packed {
        Packed { word: self.0 & (SAMPLE_BIT - 1), first, second }
    }
}

/// One figure, from one revision on. Ordered by figure, then by revision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Row {
    /// Which figure of its slab.
    pub key: RowKey,
    pub(super) since: Revision32,
    pub(super) flags: Flags,
    pub(super) first: i64,
    pub(super) second: i64,
}

impl Row {
    /// A figure as it was submitted.
    pub(crate) fn new(key: RowKey, value: &Value, sample: bool, revision: Revision) -> Self {
        let Packed { word, first, second } = Packed::from(value);
        let flags = match (value.is_withdrawal(), sample) {
            (true, _) => Flags::WITHDRAWN_BY_SUBMISSION,
            (false, true) => Flags(word | SAMPLE_BIT),
            (false, false) => Flags(word),
        };
        Self { key, first, second, flags, since: narrow(revision) }
    }

    pub(super) fn withdrawn(key: RowKey, revision: Revision) -> Self {
        Self { key, first: 0, second: 0, flags: Flags::WITHDRAWN, since: narrow(revision) }
    }

    /// After all rows of a figure up to a revision, and before all others of it.
    pub(super) fn last_of(key: RowKey, revision: Revision32) -> Self {
        Self { key, since: revision, flags: Flags(u32::MAX), first: i64::MAX, second: i64::MAX }
    }

    /// The figure; none where it is withdrawn.
    pub fn value(&self) -> Option<Value> {
        (!self.flags.is_withdrawn()).then(|| Value { measure: self.measure(), markers: self.markers() })
    }

    /// What was measured.
    #[inline]
    pub fn measure(&self) -> Option<Measure> {
        self.packed().measure().ok().flatten()
    }

    /// The markers.
    #[inline]
    pub(crate) fn markers(&self) -> Markers {
        self.packed().markers().unwrap_or_default()
    }

    fn packed(&self) -> Packed {
        self.flags.packed(self.first, self.second)
    }

    /// Its numbers' mantissas and the word that says what they are, where those of one word can be added up so, and
    /// nothing else is to be said of it ([`Packed::is_plain`]).
    #[inline]
    pub(crate) fn plain(&self) -> Option<Packed> {
        let packed = Packed { word: self.flags.0, first: self.first, second: self.second };
        packed.is_plain().then_some(packed)
    }

    /// Whether it fills its slot: it has a value, or says that none applies.
    #[inline]
    pub(crate) fn fills_slot(&self) -> bool {
        self.packed().has_measure() || self.markers().contains(Marker::NotApplicable)
    }

    /// Whether its sender marks it as estimated.
    #[inline]
    pub(crate) fn is_imputed(&self) -> bool {
        self.markers().contains(Marker::Estimated)
    }

    /// Whether the figure is made up.
    pub(crate) fn is_sample(&self) -> bool {
        self.flags.0 & SAMPLE_BIT != 0
    }

    /// The revision since which the figure is this.
    pub(crate) fn revision(&self) -> Revision {
        widen(self.since)
    }

    /// Whether both say the same of the same figure, whenever they came and however their numbers are
    /// written.
    pub(crate) fn is_same_figure(&self, other: &Self) -> bool {
        let beside_value = |row: &Self| row.flags.0 & !(SAMPLE_BIT - 1);
        self.key == other.key
            && beside_value(self) == beside_value(other)
            && self.packed().is_same_value(other.packed())
    }
}
