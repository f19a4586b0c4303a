//! Figures, and the rows of answers that have figures, written as they are sent. Their fields have the numbers that
//! `figures.proto` and `picture_service.proto` give them, and are written in that order.

use std::cell::RefCell;
use std::rc::Rc;

use crate::catalogue::items::{Agency, IndicatorVersion};
use crate::catalogue::{AgencyIx, AreaIx, Catalogue};
use crate::model::marker::{Marker, Markers};
use crate::model::protobuf::Writer;
use crate::picture::accumulator::{Missing, MissingReason};
use crate::picture::answer::{AggregateRow, PictureCell, PictureRow};
use crate::picture::change::{Change, ChangeGap, ChangeUnit};
use crate::picture::combine::{Basis, Gap};
use crate::picture::derived::{Benchmark, Rank, Share};
use crate::picture::discrepancy::{Discrepancy, DiscrepancyKind};
use crate::picture::figure::Figure;
use crate::picture::rate::Rate;
use crate::picture::reconcile::{Pair, Status};
use crate::rpc::{catalogue_items, count, proto};

/// How many of the areas that aren't ranked are named.
pub(super) const PARTIAL_AREAS_NAMED_MAX: usize = 20;

/// Writes what is of the items of a catalogue.
pub(crate) struct Rows<'a> {
    catalogue: &'a Catalogue,
    /// A figure that many rows share, and how it is written.
    shared: RefCell<Option<Shared>>,
}

type Shared = (Rc<Figure>, Box<[u8]>);

impl<'a> Rows<'a> {
    pub(crate) const fn of(catalogue: &'a Catalogue) -> Self {
        Self { catalogue, shared: RefCell::new(None) }
    }

    pub(crate) fn picture_row(&self, out: &mut Writer, row: &PictureRow) {
        out.message(1, |out| out.fields(&catalogue_items::indicator(self.version(row))));
        for PictureCell { agency, figure, change } in &row.cells {
            out.message(2, |out| {
                out.message(1, |out| self.agency_name(out, *agency));
                out.message(2, |out| self.figure(out, figure));
                out.optional(3, change.as_deref(), |out, it| self.change(out, it));
            });
        }
        out.message(3, |out| self.figure(out, &row.combined));
        out.optional(4, row.change.as_deref(), |out, it| self.change(out, it));
    }

    /// The definition that a picture's row is by.
    pub(crate) fn version(&self, row: &PictureRow) -> &'a IndicatorVersion {
        self.catalogue.indicator_at(row.indicator).version_for(row.period)
    }

    pub(crate) fn aggregate_row(&self, out: &mut Writer, row: &AggregateRow) {
        let [indicator, area, agency] = self.ids(row);
        out.text(1, indicator);
        out.text(2, area);
        out.text(3, agency);
        out.written_text(4, row.period);
        out.message(5, |out| self.figure_of_row(out, &row.figure));
        out.optional(6, row.change.as_deref(), |out, it| self.change(out, it));
        out.display(7, row.category.as_ref());
        out.optional(8, row.rate.as_deref(), |out, it| self.rate(out, it));
        out.optional(9, row.share.as_deref(), |out, it| self.share(out, it));
        out.optional(10, row.rank.as_deref(), |out, it| self.rank(out, it));
        out.optional(11, row.benchmark.as_deref(), |out, it| self.benchmark(out, it));
    }

    /// The indicator, the area and the agency of a row, each by its id; empty where they are combined.
    pub(crate) fn ids(&self, row: &AggregateRow) -> [&'a str; 3] {
        let indicator = self.catalogue.indicator_at(row.indicator).newest().id.as_str();
        [indicator, row.area.map_or("", |it| self.area(it)), row.agency.map_or("", |it| self.agency(it).id.as_str())]
    }

    pub(crate) fn pair(&self, out: &mut Writer, pair: &Pair) {
        out.display(1, Some(&pair.rule));
        out.text(2, self.area(pair.area));
        out.written_text(3, Some(pair.period));
        out.message(4, |out| self.figure(out, &pair.left));
        out.message(5, |out| self.figure(out, &pair.right));
        out.written_text(6, pair.difference);
        out.number(7, pair_status(pair.status));
    }

    pub(crate) fn figure(&self, out: &mut Writer, figure: &Figure) {
        out.written_text(1, figure.value.ok().map(|value| value.rounded));
        out.number(2, why(figure.value.err()));
        out.written_text(3, figure.fraction.map(|(numerator, _)| numerator));
        out.written_text(4, figure.fraction.map(|(_, denominator)| denominator));
        out.codes(5, codes(figure.markers));
        out.message(6, |out| self.coverage(out, figure));
        out.number(7, figure.sample);
        out.written_text(8, figure.as_at);
        figure.discrepancies.iter().for_each(|found| out.message(9, |out| self.discrepancy(out, found)));
        out.number(10, numerator_basis(figure.numerator_basis));
        out.display(11, figure.to_date);
    }

    /// The figure of a row, which it may share with other rows: that is written once.
    fn figure_of_row(&self, out: &mut Writer, figure: &Rc<Figure>) {
        if Rc::strong_count(figure) == 1 {
            return self.figure(out, figure);
        }
        let mut shared = self.shared.borrow_mut();
        if let Some((_, written)) = shared.as_ref().filter(|(known, _)| Rc::ptr_eq(known, figure)) {
            return out.written(written);
        }
        let from = out.len();
        self.figure(out, figure);
        *shared = Some((Rc::clone(figure), out.bytes()[from..].into()));
    }

    fn coverage(&self, out: &mut Writer, figure: &Figure) {
        let large = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        let coverage = figure.coverage;
        out.number(1, large(coverage.expected));
        out.number(2, large(coverage.reported));
        out.number(3, large(coverage.late));
        out.number(4, large(coverage.not_available));
        out.number(5, large(coverage.imputed));
        out.number(6, figure.complete);
        figure.missing.iter().for_each(|missing| out.message(7, |out| self.missing(out, missing)));
        out.number(8, large(coverage.contained));
    }

    fn missing(&self, out: &mut Writer, missing: &Missing) {
        let (reason, within) = match missing.reason {
            MissingReason::Late => (proto::MissingReason::Late, None),
            MissingReason::NotDue => (proto::MissingReason::NotDue, None),
            MissingReason::NotAvailable => (proto::MissingReason::NotAvailable, None),
            MissingReason::Contained { area, period } => (proto::MissingReason::Contained, Some((area, period))),
        };
        out.text(1, self.agency(missing.agency).id.as_str());
        out.text(2, self.area(missing.area));
        out.written_text(3, Some(missing.period));
        out.number(4, i32::from(reason));
        out.text(5, within.map_or("", |(area, _)| self.area(area)));
        out.written_text(6, within.map(|(_, period)| period));
    }

    fn discrepancy(&self, out: &mut Writer, found: &Discrepancy) {
        let (kind, dimension) = match &found.kind {
            DiscrepancyKind::OverTime => (proto::DiscrepancyKind::OverTime, None),
            DiscrepancyKind::OverAreas => (proto::DiscrepancyKind::OverAreas, None),
            DiscrepancyKind::Breakdown(id) => (proto::DiscrepancyKind::Breakdown, Some(id)),
        };
        out.number(1, i32::from(kind));
        out.text(2, self.agency(found.agency).id.as_str());
        out.display(3, dimension);
        out.written_text(4, Some(found.submitted));
        out.written_text(5, Some(found.parts));
        out.written_text(6, Some(found.difference));
    }

    fn change(&self, out: &mut Writer, change: &Change) {
        out.written_text(1, change.from.as_ref().map(|(period, _)| period));
        out.optional(2, change.from.as_ref(), |out, (_, earlier)| self.figure(out, earlier));
        out.number(3, change_unit(change.unit));
        out.written_text(4, change.difference);
        out.written_text(5, change.percent);
        out.number(6, change.gap.map_or(0, change_gap));
        out.number(7, change.partial);
    }

    fn rate(&self, out: &mut Writer, rate: &Rate) {
        out.written_text(1, rate.value.ok().map(|value| value.rounded));
        out.number(2, i32::try_from(rate.per).unwrap_or(i32::MAX));
        out.optional(3, rate.population.as_ref(), |out, (_, population)| self.figure(out, population));
        out.written_text(4, rate.population.as_ref().map(|(day, _)| day));
        out.number(5, why(rate.value.err()));
        out.number(6, rate.partial);
    }

    fn share(&self, out: &mut Writer, share: &Share) {
        out.written_text(1, share.percent.ok());
        out.message(2, |out| self.figure(out, &share.total));
        out.number(3, share.partial);
        out.number(4, why(share.percent.err()));
    }

    fn rank(&self, out: &mut Writer, rank: &Rank) {
        let ranking = &rank.ranking;
        out.number(1, rank.position.map_or(0, |position| count(position.rank)));
        out.number(2, count(ranking.of));
        out.number(3, rank.position.map_or(0, |position| count(position.quartile)));
        out.number(4, why(rank.position.err()));
        out.number(5, count(ranking.partial_areas.len()));
        let partial = ranking.partial_areas.iter().take(PARTIAL_AREAS_NAMED_MAX);
        partial.for_each(|area| out.text(6, self.area(*area)));
        out.codes(7, codes(ranking.markers));
        out.number(8, ranking.sample);
    }

    fn benchmark(&self, out: &mut Writer, benchmark: &Benchmark) {
        out.written_text(1, benchmark.value);
        out.written_text(2, benchmark.difference);
        out.message(3, |out| self.figure(out, &benchmark.figure));
        out.optional(4, benchmark.rate.as_ref(), |out, it| self.rate(out, it));
        out.number(5, benchmark.partial);
        out.number(6, why(benchmark.gap));
    }

    /// An agency without the areas that it reports for.
    fn agency_name(&self, out: &mut Writer, agency: AgencyIx) {
        let Agency { id, name, sector, areas: _ } = self.agency(agency);
        out.text(1, id.as_str());
        out.text(2, name);
        out.number(3, sector.code());
    }

    fn agency(&self, ix: AgencyIx) -> &'a Agency {
        self.catalogue.agency_at(ix)
    }

    fn area(&self, ix: AreaIx) -> &'a str {
        self.catalogue.area_at(ix).code.as_str()
    }
}

fn codes(markers: Markers) -> impl Iterator<Item = i32> {
    markers.iter().map(Marker::code)
}

/// Why there is no value, if there is none.
pub(super) fn why(gap: Option<Gap>) -> i32 {
    let gap = gap.map_or(proto::Gap::Unspecified, |gap| match gap {
        Gap::NotReported => proto::Gap::NotReported,
        Gap::Marked => proto::Gap::Marked,
        Gap::SideBySide => proto::Gap::SideBySide,
        Gap::NotCombinable => proto::Gap::NotCombinable,
        Gap::ZeroBase => proto::Gap::ZeroBase,
        Gap::LeadNotReported => proto::Gap::LeadNotReported,
        Gap::LeadNotAsked => proto::Gap::LeadNotAsked,
        Gap::TooLarge => proto::Gap::TooLarge,
        Gap::Contained => proto::Gap::Contained,
        Gap::PeriodMismatch => proto::Gap::PeriodMismatch,
        Gap::NoPopulation => proto::Gap::NoPopulation,
        Gap::PopulationNotBrokenDown => proto::Gap::PopulationNotBrokenDown,
        Gap::NegativePart => proto::Gap::NegativePart,
        Gap::Partial => proto::Gap::Partial,
    });
    gap.into()
}

pub(super) fn numerator_basis(basis: Option<Basis>) -> i32 {
    let basis = match basis {
        None => proto::NumeratorBasis::Unspecified,
        Some(Basis::Counted) => proto::NumeratorBasis::Counted,
        Some(Basis::Printed) => proto::NumeratorBasis::Printed,
        Some(Basis::Estimated) => proto::NumeratorBasis::Estimated,
    };
    basis.into()
}

pub(super) fn change_gap(gap: ChangeGap) -> i32 {
    let gap = match gap {
        ChangeGap::NoLaterValue => proto::ChangeGap::NoLaterValue,
        ChangeGap::NoEarlierValue => proto::ChangeGap::NoEarlierValue,
        ChangeGap::FromZero => proto::ChangeGap::FromZero,
        ChangeGap::FromBelowZero => proto::ChangeGap::FromBelowZero,
        ChangeGap::Break => proto::ChangeGap::Break,
        ChangeGap::NoEarlierPeriod => proto::ChangeGap::NoEarlierPeriod,
        ChangeGap::TooLarge => proto::ChangeGap::TooLarge,
    };
    gap.into()
}

pub(super) fn change_unit(unit: ChangeUnit) -> i32 {
    let unit = match unit {
        ChangeUnit::Number => proto::ChangeUnit::Number,
        ChangeUnit::PercentagePoints => proto::ChangeUnit::PercentagePoints,
    };
    unit.into()
}

pub(super) fn pair_status(status: Status) -> i32 {
    let status = match status {
        Status::Agrees => proto::ReconciliationStatus::Agrees,
        Status::Differs => proto::ReconciliationStatus::Differs,
        Status::OneSided => proto::ReconciliationStatus::OneSided,
        Status::Partial => proto::ReconciliationStatus::Partial,
    };
    status.into()
}
