//! What is written of rows is what the library encodes of their messages.

use std::fmt::Debug;
use std::rc::Rc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use prost::Message;

use super::rows::Rows;
use super::rows_model as model;
use crate::access::Actor;
use crate::catalogue::{AgencyIx, AreaIx, CataloguePut, IndicatorIx};
use crate::entry::{Body, Entry};
use crate::model::date::Date;
use crate::model::decimal::{Exact, Quotient, Rounded, Rounding};
use crate::model::marker::Markers;
use crate::model::period::Period;
use crate::model::protobuf::Writer;
use crate::model::timestamp::Timestamp;
use crate::picture::accumulator::{Coverage, Missing, MissingReason};
use crate::picture::answer::{AggregateRow, PictureCell, PictureRow};
use crate::picture::change::{Change, ChangeGap, ChangeUnit};
use crate::picture::combine::{Basis, Gap};
use crate::picture::derived::{Benchmark, Position, Rank, Ranking, Share};
use crate::picture::discrepancy::{Discrepancy, DiscrepancyKind};
use crate::picture::figure::Figure;
use crate::picture::rate::Rate;
use crate::picture::reconcile::{Pair, Status};
use crate::picture::value::FigureValue;
use crate::state::{Fold, State};

/// Of each item one with little and one with everything, and with texts that are long and of any characters.
const CATALOGUE: &str = r#"
    areas = [
        { code = "E1", name = "", level = "country" },
        { code = "A-CODE-THAT-IS-LONG", name = "Ynys Môn \" \\ 🏝", level = "district", parents = [{ code = "E1" }] },
    ]
    agencies = [
        { id = "a", name = "", sector = "police", areas = [] },
        { id = "an-agency", name = "Gwasanaethau Plant \u0000 \n 🧒 and everything that is called after them, so that it has more than the hundred and twenty-seven bytes of a short text", sector = "health", areas = ["E1"] },
    ]

    [[indicators]]
    id = "i"
    title = ""
    unit = ""
    kind = "events"
    frequency = "month"
    reporting_level = "district"
    across_agencies = "add"

    [[indicators]]
    id = "an-indicator"
    effective_from = "2020-04-01"
    title = "Title"
    definition = "Definition"
    unit = "children"
    kind = "ratio"
    decimals = 2
    frequency = "month"
    due_days = 30
    reporting_level = "district"
    across_agencies = "lead"
    lead_agency = "a"
    expected_agencies = [{ agency = "a" }, { agency = "an-agency", valid_from = "2020-01-01", valid_to = "2021-01-01" }]
    dimensions = ["band", "age"]
    breaks_comparability = true
    version_note = "Note"
    source = "Source"
    rate = { population_indicator = "i", per = 10000, rule = "latest" }
"#;

fn state() -> State {
    let put: CataloguePut = toml::from_str(CATALOGUE).unwrap();
    let mut fold = Fold::default();
    fold.apply(&Entry { at: Timestamp(0), actor: Actor::Local, body: Body::CataloguePut(put) });
    fold.state()
}

fn agency() -> impl Strategy<Value = AgencyIx> {
    (0..2_u32).prop_map(AgencyIx)
}

fn area() -> impl Strategy<Value = AreaIx> {
    (0..2_u32).prop_map(AreaIx)
}

fn period() -> impl Strategy<Value = Period> {
    const OF_EACH_NAME: [&str; 9] = [
        "2022-02-28",
        "2021-W05",
        "2022-06",
        "FY2021-22-Q1",
        "CY2021-Q4",
        "FY2021-22-H2",
        "FY1999-00",
        "CY2020",
        "AY2020-21",
    ];
    select(OF_EACH_NAME.map(|text| text.parse().unwrap()).to_vec())
}

fn date() -> impl Strategy<Value = Date> {
    (Date::MIN.days()..=Date::MAX.days()).prop_map(|days| Date::from_days(days).unwrap())
}

fn exact() -> impl Strategy<Value = Exact> {
    (any::<i64>(), prop_oneof![Just(0), Just(1), any::<i64>()])
        .prop_map(|(a, b)| Exact::from(a).checked_mul(b.into()).unwrap())
}

fn rounded() -> BoxedStrategy<Rounded> {
    (exact(), 0..=6_u8)
        .prop_map(|(exact, decimals)| {
            let thousandth = Quotient::of(exact, 1_000.into());
            let rounded = thousandth.and_then(|it| it.round(decimals, Rounding::HalfUp));
            rounded.or_else(|| Quotient::from(exact).round(0, Rounding::HalfUp)).unwrap()
        })
        .boxed()
}

fn gap() -> impl Strategy<Value = Gap> {
    select(vec![
        Gap::NotReported,
        Gap::Marked,
        Gap::SideBySide,
        Gap::NotCombinable,
        Gap::ZeroBase,
        Gap::LeadNotReported,
        Gap::LeadNotAsked,
        Gap::TooLarge,
        Gap::Contained,
        Gap::PeriodMismatch,
        Gap::NoPopulation,
        Gap::PopulationNotBrokenDown,
        Gap::NegativePart,
        Gap::Partial,
    ])
}

fn or_gap<T: Debug + Clone>(it: impl Strategy<Value = T>) -> impl Strategy<Value = Result<T, Gap>> {
    prop_oneof![it.prop_map(Ok), gap().prop_map(Err)]
}

fn value() -> impl Strategy<Value = Result<FigureValue, Gap>> {
    or_gap(rounded().prop_map(|rounded| FigureValue { exact: Quotient::ZERO, rounded }))
}

fn markers() -> impl Strategy<Value = Markers> {
    (0..1_u16 << 9).prop_map(|bits| Markers::from_bits(bits).unwrap())
}

fn missing() -> BoxedStrategy<Missing> {
    let contained = (area(), period()).prop_map(|(area, period)| MissingReason::Contained { area, period });
    let others = select(vec![MissingReason::Late, MissingReason::NotDue, MissingReason::NotAvailable]);
    (agency(), area(), period(), prop_oneof![contained, others])
        .prop_map(|(agency, area, period, reason)| Missing { agency, area, period, reason })
        .boxed()
}

fn discrepancy() -> BoxedStrategy<Discrepancy> {
    let kinds = vec![
        DiscrepancyKind::OverTime,
        DiscrepancyKind::OverAreas,
        DiscrepancyKind::Breakdown("band".parse().unwrap()),
    ];
    (select(kinds), agency(), rounded(), rounded(), rounded())
        .prop_map(|(kind, agency, submitted, parts, difference)| Discrepancy {
            kind,
            agency,
            submitted,
            parts,
            difference,
        })
        .boxed()
}

fn coverage() -> impl Strategy<Value = Coverage> {
    let count = || prop_oneof![Just(0), 1..1_000_usize, any::<usize>()];
    (count(), count(), count(), count(), count(), count()).prop_map(
        |(expected, reported, late, not_available, imputed, contained)| Coverage {
            expected,
            reported,
            late,
            not_available,
            imputed,
            contained,
        },
    )
}

fn figure() -> BoxedStrategy<Rc<Figure>> {
    let basis = select(vec![Basis::Counted, Basis::Printed, Basis::Estimated]);
    let known = (value(), option::of((exact(), exact())), option::of(basis), markers(), any::<bool>());
    let behind = (coverage(), any::<bool>(), vec(missing(), 0..4));
    let beside = (option::of(period()), option::of(date()), vec(discrepancy(), 0..3));
    (known, behind, beside)
        .prop_map(|(known, (coverage, complete, missing), (as_at, to_date, discrepancies))| {
            let (value, fraction, numerator_basis, markers, sample) = known;
            Rc::new(Figure {
                value,
                fraction,
                numerator_basis,
                markers,
                sample,
                coverage,
                complete,
                missing,
                as_at,
                to_date,
                discrepancies,
            })
        })
        .boxed()
}

fn change() -> BoxedStrategy<Change> {
    let gap = select(vec![
        ChangeGap::NoLaterValue,
        ChangeGap::NoEarlierValue,
        ChangeGap::FromZero,
        ChangeGap::FromBelowZero,
        ChangeGap::Break,
        ChangeGap::NoEarlierPeriod,
        ChangeGap::TooLarge,
    ]);
    let unit = select(vec![ChangeUnit::Number, ChangeUnit::PercentagePoints]);
    let from = option::of((period(), figure()));
    (from, unit, option::of(rounded()), option::of(rounded()), option::of(gap), any::<bool>())
        .prop_map(|(from, unit, difference, percent, gap, partial)| Change {
            from,
            unit,
            difference,
            percent,
            gap,
            partial,
        })
        .boxed()
}

fn rate() -> BoxedStrategy<Rate> {
    let population = option::of((period(), figure()));
    (value(), any::<u32>(), population, any::<bool>())
        .prop_map(|(value, per, population, partial)| Rate { value, per, population, partial })
        .boxed()
}

fn share() -> BoxedStrategy<Share> {
    (or_gap(rounded()), figure(), any::<bool>())
        .prop_map(|(percent, total, partial)| Share { percent, total, partial })
        .boxed()
}

fn rank() -> BoxedStrategy<Rank> {
    let position = (any::<usize>(), 1..=4_usize).prop_map(|(rank, quartile)| Position { rank, quartile });
    let ranking = (any::<usize>(), vec(area(), 0..30), markers(), any::<bool>());
    (or_gap(position), ranking)
        .prop_map(|(position, (of, partial_areas, markers, sample))| Rank {
            position,
            ranking: Rc::new(Ranking { of, partial_areas, markers, sample }),
        })
        .boxed()
}

fn benchmark() -> BoxedStrategy<Benchmark> {
    let numbers = (option::of(rounded()), option::of(rounded()), option::of(gap()));
    (numbers, figure(), option::of(rate()), any::<bool>())
        .prop_map(|((value, difference, gap), figure, rate, partial)| Benchmark {
            value,
            difference,
            gap,
            figure,
            rate,
            partial,
        })
        .boxed()
}

fn aggregate_row() -> impl Strategy<Value = AggregateRow> {
    let of = (0..2_u32, option::of(area()), option::of(agency()), option::of(period()), any::<bool>());
    let derived = (
        option::of(rate().prop_map(Box::new)),
        option::of(share().prop_map(Box::new)),
        option::of(rank().prop_map(Box::new)),
        option::of(benchmark().prop_map(Box::new)),
    );
    (of, figure(), option::of(change().prop_map(Box::new)), derived).prop_map(
        |(of, figure, change, (rate, share, rank, benchmark))| {
            let (indicator, area, agency, period, has_category) = of;
            AggregateRow {
                indicator: IndicatorIx(indicator),
                area,
                agency,
                period,
                category: has_category.then(|| "0-4".parse().unwrap()),
                figure,
                change,
                rate,
                share,
                rank,
                benchmark,
            }
        },
    )
}

fn picture_row() -> impl Strategy<Value = PictureRow> {
    let change = || option::of(change().prop_map(Box::new));
    let cell =
        (agency(), figure(), change()).prop_map(|(agency, figure, change)| PictureCell { agency, figure, change });
    ((0..2_u32).prop_map(IndicatorIx), period(), vec(cell, 0..4), figure(), change()).prop_map(
        |(indicator, period, cells, combined, change)| PictureRow { indicator, period, cells, combined, change },
    )
}

fn pair() -> impl Strategy<Value = Pair> {
    let status = select(vec![Status::Agrees, Status::Differs, Status::OneSided, Status::Partial]);
    (area(), period(), figure(), figure(), option::of(rounded()), status).prop_map(
        |(area, period, left, right, difference, status)| Pair {
            rule: "a-rule".parse().unwrap(),
            area,
            period,
            left,
            right,
            difference,
            status,
        },
    )
}

fn written(write: impl FnOnce(&mut Writer)) -> Vec<u8> {
    let mut out = Writer::default();
    write(&mut out);
    out.bytes().to_vec()
}

fn holds<T: Debug, M: Message + Debug + PartialEq + Default>(
    rows: impl Strategy<Value = T>,
    message: impl Fn(&T) -> M,
    write: impl Fn(&mut Writer, &T),
) {
    proptest!(|(row in rows)| {
        let (message, written) = (message(&row), written(|out| write(out, &row)));
        prop_assert_eq!(&M::decode(&*written).unwrap(), &message);
        prop_assert!(written == message.encode_to_vec(), "the same, in other bytes");
    });
}

#[test]
fn a_row_of_a_query_is_written_as_the_library_encodes_it() {
    let state = state();
    let catalogue = state.catalogue();
    let write = |out: &mut Writer, row: &AggregateRow| Rows::of(catalogue).aggregate_row(out, row);
    holds(aggregate_row(), |row| model::aggregate_row(catalogue, row), write);
}

#[test]
fn a_row_of_a_picture_is_written_as_the_library_encodes_it() {
    let state = state();
    let catalogue = state.catalogue();
    let write = |out: &mut Writer, row: &PictureRow| Rows::of(catalogue).picture_row(out, row);
    holds(picture_row(), |row| model::picture_row(catalogue, row), write);
}

#[test]
fn a_pair_is_written_as_the_library_encodes_it() {
    let state = state();
    let catalogue = state.catalogue();
    let write = |out: &mut Writer, row: &Pair| Rows::of(catalogue).pair(out, row);
    holds(pair(), |row| model::pair(catalogue, row), write);
}
