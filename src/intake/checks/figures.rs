//! The submitted figures of an agency as they would be with a submission: its own lines, over what was submitted before.

use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

use crate::catalogue::items::{Indicator, Kind};
use crate::catalogue::{AreaIx, Catalogue, IndicatorIx};
use crate::model::date::Date;
use crate::model::decimal::{Decimal, Quotient};
use crate::model::marker::Marker;
use crate::model::observation::{Breakdown, Measure, Value};
use crate::model::observations::{Hashing, Observations};
use crate::model::period::{Frequency, Period};
use crate::model::revision::Revision;
use crate::model::zone::Zone;
use crate::state::columns::{BreakdownIx, RowKey, Slab};
use crate::state::{ResolvedIds, State};

/// What a submission is held against: what was known before it, and the definitions and the day that it came on.
#[derive(Clone, Copy)]
pub(crate) struct Grounds<'a> {
    pub(crate) state: &'a State,
    pub(crate) catalogue: &'a Catalogue,
    /// The newest revision whose figures count.
    pub(crate) as_of: Revision,
    pub(crate) zone: &'a Zone,
    pub(crate) today: Date,
}

/// Where a figure of the agency stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) indicator: IndicatorIx,
    pub(super) area: AreaIx,
    pub(super) period: Period,
    pub(super) breakdown: Slice,
}

/// A breakdown as the submission and the state have it, where they do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Slice {
    own: Option<u32>,
    known: Option<BreakdownIx>,
}

/// A submitted figure.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figure {
    pub(super) value: Value,
    pub(super) from: From,
}

/// Where a figure comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// The submission's line.
    Line(u32),
    /// The submission of this revision.
    Submission(Revision),
}

type OwnKey = (IndicatorIx, AreaIx, Period, u32);

/// The submitted figures of an agency as they would be with a submission.
pub(super) struct Figures<'a> {
    pub(super) grounds: Grounds<'a>,
    table: &'a Observations,
    ids: &'a ResolvedIds,
    /// By breakdown, as the state has it.
    known: Vec<OnceCell<Option<BreakdownIx>>>,
    own: OnceCell<Own<'a>>,
}

/// The submission's own lines, to be found. Most checks need none of them.
struct Own<'a> {
    lines: HashMap<OwnKey, u32, Hashing>,
    breakdowns: HashMap<&'a Breakdown, u32, Hashing>,
    slabs: HashSet<(IndicatorIx, Period), Hashing>,
}

impl<'a> Figures<'a> {
    pub(super) fn new(grounds: Grounds<'a>, table: &'a Observations, ids: &'a ResolvedIds) -> Self {
        let known = table.dictionaries().breakdowns.iter().map(|_| OnceCell::new()).collect();
        Self { grounds, table, ids, known, own: OnceCell::new() }
    }

    fn own(&self) -> &Own<'a> {
        self.own.get_or_init(|| {
            let dictionaries = self.table.dictionaries();
            let breakdowns: HashMap<_, _, _> = dictionaries.breakdowns.iter().zip(0..).collect();
            let mut own = Own { lines: HashMap::default(), breakdowns, slabs: HashSet::default() };
            own.lines.reserve(self.table.len());
            for (line, at) in self.table.lines().iter().zip(0..) {
                let indicator = self.ids.indicators[line.indicator as usize];
                let period = dictionaries.periods[line.period as usize].storage_key();
                // A breakdown stands in the dictionary once.
                own.lines.insert((indicator, self.ids.areas[line.area as usize], period, line.breakdown), at);
                own.slabs.insert((indicator, period));
            }
            own
        })
    }

    /// The figure that a line is, and where it stands.
    pub(super) fn place(&self, line: u32) -> Place {
        let at = &self.table.lines()[line as usize];
        Place {
            indicator: self.ids.indicators[at.indicator as usize],
            area: self.ids.areas[at.area as usize],
            period: self.table.dictionaries().periods[at.period as usize],
            breakdown: self.own_slice(at.breakdown),
        }
    }

    pub(super) fn value(&self, line: u32) -> &'a Value {
        &self.table.lines()[line as usize].value
    }

    /// The breakdown of a line.
    pub(super) fn breakdown(&self, line: u32) -> &'a Breakdown {
        &self.table.dictionaries().breakdowns[self.table.lines()[line as usize].breakdown as usize]
    }

    fn own_slice(&self, own: u32) -> Slice {
        let breakdown = &self.table.dictionaries().breakdowns[own as usize];
        let known = || self.grounds.state.columns().breakdown(breakdown);
        Slice { own: Some(own), known: *self.known[own as usize].get_or_init(known) }
    }

    pub(super) fn slice(&self, breakdown: &Breakdown) -> Slice {
        match self.own().breakdowns.get(breakdown) {
            Some(own) => self.own_slice(*own),
            None => Slice { own: None, known: self.grounds.state.columns().breakdown(breakdown) },
        }
    }

    pub(super) fn indicator(&self, ix: IndicatorIx) -> &'a Indicator {
        self.grounds.catalogue.indicator_at(ix)
    }

    /// Whether the submission has a figure of an indicator and a period.
    pub(super) fn has_own(&self, indicator: IndicatorIx, name: Period) -> bool {
        self.own().slabs.contains(&(indicator, name))
    }

    /// The figure of a place, or the marker that stands there.
    pub(super) fn find(&self, place: Place) -> Option<Figure> {
        let (kind, columns) = (self.indicator(place.indicator).kind(), self.grounds.state.columns());
        let slab = |name| columns.slab(place.indicator, name);
        best(names(kind, place.period).filter_map(|name| self.under(place, name, slab(name))))
    }

    /// What stands at a place under one name of its period, of which this is the slab.
    pub(super) fn under(&self, place: Place, name: Period, slab: Option<&Slab>) -> Option<Figure> {
        let Place { indicator, area, breakdown, .. } = place;
        let own = breakdown.own.and_then(|own| self.own().lines.get(&(indicator, area, name, own)));
        match own {
            Some(line) => {
                let value = Some(*self.value(*line)).filter(|value| !value.is_withdrawal())?;
                Some(Figure { value, from: From::Line(*line) })
            }
            None => self.before(place, slab?),
        }
    }

    /// What stands at a place in a slab, which the submission has no figure of.
    pub(super) fn before(&self, Place { area, breakdown, .. }: Place, slab: &Slab) -> Option<Figure> {
        let row = slab.row(RowKey::new(area, breakdown.known?, self.ids.agency), self.grounds.as_of)?;
        Some(Figure { value: row.value()?, from: From::Submission(slab.source(&row)) })
    }

    /// Whether a figure was taken before its period was over, and so isn't of all of it.
    pub(super) fn is_to_date(&self, kind: Kind, period: Period, figure: &Figure) -> bool {
        let Grounds { state, zone, today, .. } = self.grounds;
        let day = match figure.from {
            From::Line(_) => Some(today),
            From::Submission(revision) => state.accepted_at(revision).map(|at| zone.date(at)),
        };
        kind != Kind::Stock && day.is_some_and(|day| !kind.is_over(period, day))
    }
}

/// Of what stands under the names of a period, the best first: a figure comes before a marker.
pub(super) fn best(figures: impl Iterator<Item = Figure>) -> Option<Figure> {
    let mut marker = None;
    for figure in figures {
        if figure.value.measure.is_some() {
            return Some(figure);
        }
        marker = marker.or(Some(figure));
    }
    marker
}

/// What a value comes to in the indicator's unit: a number, a mean, a ratio in per cent. None for a marker, and where the
/// base is zero.
pub(super) fn number(value: &Value) -> Option<Quotient> {
    let of_base = |quotient: Quotient, base: Decimal| (!base.is_zero()).then_some(quotient);
    match value.measure? {
        Measure::Number(number) => Some(number.into()),
        Measure::Ratio { numerator, denominator } => {
            Quotient::of(numerator.into(), denominator.into())?.checked_mul(100.into())
        }
        Measure::Percentage { percent, base } => of_base(percent.into(), base),
        Measure::Mean { mean, count } => of_base(mean.into(), count),
    }
}

/// Whether a figure is the first after a break.
pub(super) fn is_after_break(value: &Value) -> bool {
    value.markers.contains(Marker::Break)
}

/// The names that a figure of a period may have been submitted under, the best first: that of the period itself; for a
/// stock also every other of the same last day. See 4.2 of `docs/statistics.md`.
pub(super) fn names(kind: Kind, period: Period) -> impl Iterator<Item = Period> {
    let itself = period.storage_key();
    let is_stock = kind == Kind::Stock;
    let others = Frequency::ALL.iter().filter(move |_| is_stock).filter_map(move |frequency| {
        let other = Period::of(*frequency, period.end())?.storage_key();
        (other != itself && other.shares_last_day(period)).then_some(other)
    });
    let mut others: Vec<Period> = others.collect();
    others.sort_by_key(|other| std::cmp::Reverse(*other));
    std::iter::once(itself).chain(others)
}
