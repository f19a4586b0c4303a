//! A sentence for each case that an answer may have, to be read.

use super::*;
use crate::rpc::proto::{
    AcrossAgencies, Agency, Area, Benchmark, ChangeGap, ChangeUnit, Coverage, Discrepancy, DiscrepancyKind, Indicator,
    Kind, Marker, Missing, MissingReason, Polarity, Rank, Rate, Share,
};

fn indicator(title: &str, kind: Kind, unit: &str) -> Indicator {
    Indicator {
        id: "id".to_owned(),
        title: title.to_owned(),
        kind: kind.into(),
        unit: unit.to_owned(),
        across_agencies: AcrossAgencies::Add.into(),
        frequency: crate::model::period::Frequency::Quarter.code(),
        ..Indicator::default()
    }
}

fn contacts() -> Indicator {
    indicator("Initial contacts", Kind::Events, "contacts")
}

fn timeliness() -> Indicator {
    indicator("Assessments completed in time", Kind::Ratio, "per cent")
}

fn looked_after() -> Indicator {
    indicator("Children looked after, full time", Kind::Stock, "children")
}

fn missing_children() -> Indicator {
    indicator("Children who went missing", Kind::Distinct, "children")
}

fn wait() -> Indicator {
    indicator("Mean wait for a first appointment", Kind::Mean, "days")
}

fn cost() -> Indicator {
    indicator("Cost of placements", Kind::Amount, "GBP")
}

fn coverage(expected: i64, reported: i64, late: i64) -> Coverage {
    Coverage { expected, reported, late, complete: expected == reported, ..Coverage::default() }
}

/// A complete figure.
fn of(value: &str) -> Figure {
    Figure { value: Some(value.to_owned()), coverage: Some(coverage(1, 1, 0)), ..Figure::default() }
}

fn partial(value: &str) -> Figure {
    Figure { coverage: Some(coverage(12, 7, 5)), ..of(value) }
}

fn gap(gap: Gap) -> Figure {
    Figure { gap: gap.into(), coverage: Some(coverage(1, 0, 1)), ..Figure::default() }
}

fn marked(markers: &[Marker], figure: Figure) -> Figure {
    Figure { markers: markers.iter().map(|marker| (*marker).into()).collect(), ..figure }
}

fn made_up(figure: Figure) -> Figure {
    Figure { sample: true, ..figure }
}

fn change(period: &str, from: Figure, difference: &str, percent: &str) -> Change {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let (difference, percent) = (some(difference), some(percent));
    let unit = ChangeUnit::Number.into();
    Change { from_period: period.to_owned(), from: Some(from), difference, percent, unit, ..Change::default() }
}

/// A change that can't be given.
fn no_change(period: &str, from: Figure, gap: ChangeGap) -> Change {
    Change { gap: gap.into(), ..change(period, from, "", "") }
}

fn partial_change(change: Change) -> Change {
    Change { partial: true, ..change }
}

/// What the sentences are of; changed by each case.
struct Of {
    indicator: Indicator,
    agency: &'static str,
    lead: &'static str,
    category: &'static str,
    periods: Span<'static>,
}

impl Of {
    fn year(indicator: Indicator) -> Self {
        Self { indicator, agency: "", lead: "", category: "", periods: Span::Period("FY2021-22") }
    }

    fn row(self, row: &AggregateRow) -> String {
        let Self { indicator, agency, lead, category, periods } = self;
        let area = Area { code: "E10000014".to_owned(), name: "Hampshire".to_owned(), ..Area::default() };
        aggregate(&Subject { indicator: &indicator, area: &area, agency, lead, category, periods }, row)
    }

    fn says(self, figure: Figure, change: impl Into<Option<Change>>) -> String {
        self.row(&AggregateRow { figure: Some(figure), change: change.into(), ..AggregateRow::default() })
    }
}

fn snapshot(name: &str, cases: Vec<(&str, String)>) {
    let text: Vec<String> = cases.into_iter().map(|(case, sentence)| format!("{case}\n    {sentence}\n")).collect();
    insta::assert_snapshot!(name, text.join("\n"));
}

const BEFORE: &str = "FY2020-21";

#[test]
fn a_change_is_in_the_words_of_its_kind() {
    let up = |from: &str, difference: &str, percent: &str| change(BEFORE, of(from), difference, percent);
    snapshot(
        "changes",
        vec![
            ("a count rises", Of::year(contacts()).says(of("153033"), up("126153", "26880", "21.3"))),
            ("a count falls", Of::year(contacts()).says(of("16596"), up("19435", "-2839", "-14.6"))),
            ("a count stays", Of::year(contacts()).says(of("126153"), up("126153", "0", "0.0"))),
            ("a percentage that rounds to nothing", Of::year(contacts()).says(of("126160"), up("126153", "7", "0.0"))),
            (
                "from zero",
                Of::year(contacts()).says(of("12"), Change { gap: ChangeGap::FromZero.into(), ..up("0", "12", "") }),
            ),
            (
                "zero stays",
                Of::year(contacts()).says(of("0"), Change { gap: ChangeGap::FromZero.into(), ..up("0", "0", "") }),
            ),
            ("a stock is of a day", Of::year(looked_after()).says(of("1664"), up("1592", "72", "4.5"))),
            ("distinct people", Of::year(missing_children()).says(of("1189"), up("1240", "-51", "-4.1"))),
            ("a percentage by points", Of::year(timeliness()).says(of("95.9"), up("95.3", "0.6", ""))),
            ("a percentage falls", Of::year(timeliness()).says(of("87.9"), up("95.3", "-7.4", ""))),
            ("a percentage moves less than it shows", Of::year(timeliness()).says(of("95.3"), up("95.3", "0.1", ""))),
            ("a percentage shows more than it moves", Of::year(timeliness()).says(of("95.4"), up("95.3", "0.0", ""))),
            ("a mean has its unit", Of::year(wait()).says(of("45.3"), up("40.1", "5.2", "13.0"))),
            (
                "a mean from nothing",
                Of::year(wait()).says(of("5.2"), Change { gap: ChangeGap::FromZero.into(), ..up("0.0", "5.2", "") }),
            ),
            ("an amount", Of::year(cost()).says(of("104260000"), up("93875000", "10385000", "11.1"))),
            (
                "an amount from below zero",
                Of::year(cost())
                    .says(of("3000"), Change { gap: ChangeGap::FromBelowZero.into(), ..up("-5000", "8000", "") }),
            ),
            ("an amount below zero", Of::year(cost()).says(of("-1500.50"), up("2000", "-3500.50", "-175.0"))),
            (
                "of a large size",
                Of::year(cost()).says(
                    of("999999999999999999"),
                    Change { gap: ChangeGap::TooLarge.into(), ..up("1", "999999999999999998", "") },
                ),
            ),
        ],
    );
}

#[test]
fn what_a_figure_is_of_is_named() {
    let months = |periods| Of { periods, ..Of::year(contacts()) };
    let before = |period: &str| change(period, of("1000"), "500", "50.0");
    snapshot(
        "subjects",
        vec![
            ("an agency's", Of { agency: "Hampshire Constabulary", ..Of::year(contacts()) }.says(of("5"), None)),
            ("a category's", Of { category: "Female", ..Of::year(contacts()) }.says(of("5"), None)),
            ("a title with a comma", Of::year(looked_after()).says(of("1664"), None)),
            ("a month", months(Span::Period("2022-06")).says(of("1500"), before("2022-05"))),
            ("a quarter, a year before", months(Span::Period("FY2021-22-Q4")).says(of("1500"), before("FY2020-21-Q4"))),
            ("a week", months(Span::Period("2022-W07")).says(of("1500"), before("2022-W06"))),
            ("a calendar year", months(Span::Period("CY2021")).says(of("1500"), before("CY2020"))),
            ("an academic year", months(Span::Period("AY2021-22")).says(of("1500"), before("AY2020-21"))),
            ("a year to date", months(Span::YearTo("2021-09")).says(of("1500"), before("2020-09"))),
            (
                "years together",
                Of { periods: Span::Run { first: "FY2017-18", last: "FY2021-22" }, ..Of::year(timeliness()) }.says(
                    marked(&[Marker::Estimated], Figure { coverage: Some(coverage(5, 5, 0)), ..of("92.6") }),
                    None,
                ),
            ),
            (
                "the lead agency's",
                Of {
                    lead: "Hampshire Constabulary",
                    ..Of::year(Indicator { across_agencies: AcrossAgencies::Lead.into(), ..looked_after() })
                }
                .says(of("229"), change(BEFORE, of("211"), "18", "8.5")),
            ),
        ],
    );
}

#[test]
fn a_partial_figure_is_not_said_to_have_risen_or_fallen() {
    let later = partial_change(change(BEFORE, of("8123"), "-3453", "-42.5"));
    let earlier = partial_change(change(BEFORE, partial("3335"), "1335", "40.0"));
    let old = Figure { as_at: Some("FY2021-22-Q3".to_owned()), coverage: Some(coverage(1, 0, 1)), ..of("402") };
    let to_date = Figure { to_date: Some("2022-01-31".to_owned()), coverage: Some(coverage(12, 6, 0)), ..of("6") };
    let lacking = Figure { coverage: Some(Coverage { complete: false, ..coverage(4, 4, 0) }), ..of("31") };
    let counted = Coverage { not_available: 1, contained: 2, imputed: 3, ..coverage(12, 7, 1) };
    snapshot(
        "partial",
        vec![
            ("a count that lacks months", Of::year(contacts()).says(partial("4670"), later.clone())),
            ("the earlier one lacks months", Of::year(contacts()).says(of("4670"), earlier)),
            (
                "a percentage that lacks months",
                Of::year(timeliness()).says(partial("95.9"), partial_change(change(BEFORE, of("95.3"), "0.6", ""))),
            ),
            (
                "an amount may also be less",
                Of::year(cost())
                    .says(partial("163145000"), partial_change(change(BEFORE, of("148045000"), "15100000", "10.2"))),
            ),
            (
                "a mean that lacks months",
                Of::year(wait()).says(partial("40.1"), partial_change(change(BEFORE, of("45.3"), "-5.2", "-11.5"))),
            ),
            ("a stock of an earlier day", Of::year(looked_after()).says(old, None)),
            ("to date", Of::year(contacts()).says(marked(&[Marker::Provisional], to_date), None)),
            ("what no slot counts is missing", Of::year(contacts()).says(lacking, None)),
            (
                "everything that may be missing",
                Of::year(contacts()).says(
                    marked(
                        &[Marker::Estimated, Marker::NotAvailable],
                        Figure { coverage: Some(counted), ..of("4670") },
                    ),
                    None,
                ),
            ),
            (
                "a part is confidential, another rounds to zero",
                Of::year(contacts()).says(marked(&[Marker::Confidential, Marker::Low], partial("4670")), None),
            ),
            ("nobody is expected", Of::year(contacts()).says(Figure { coverage: None, ..of("4670") }, None)),
        ],
    );
}

#[test]
fn markers_and_made_up_figures_are_named_with_whose_they_are() {
    let year = || Of::year(contacts());
    let since = |from: Figure| change(BEFORE, from, "895", "36.7");
    let (e, p, r, u, b) = (Marker::Estimated, Marker::Provisional, Marker::Revised, Marker::Unreliable, Marker::Break);
    snapshot(
        "markers",
        vec![
            ("one marker", year().says(marked(&[p], of("3335")), None)),
            ("several", year().says(marked(&[u, e, p, r], of("3335")), None)),
            ("both alike", year().says(marked(&[p], of("3335")), since(marked(&[p], of("2440"))))),
            ("each its own", year().says(marked(&[p, e], of("3335")), since(marked(&[r, e], of("2440"))))),
            ("an earlier break says nothing", year().says(of("3335"), since(marked(&[b], of("2440"))))),
            ("compared across a break", year().says(marked(&[b], of("3335")), since(of("2440")))),
            (
                "a break",
                year().says(marked(&[b], of("3335")), no_change(BEFORE, made_up(of("2440")), ChangeGap::Break)),
            ),
            ("a part that doesn't apply", year().says(marked(&[Marker::NotApplicable], of("3335")), since(of("2440")))),
            ("made up", year().says(made_up(of("3335")), None)),
            ("both made up", year().says(made_up(of("3335")), since(made_up(of("2440"))))),
            ("the later made up", year().says(made_up(of("3335")), since(of("2440")))),
            ("the earlier made up", year().says(of("3335"), since(made_up(of("2440"))))),
        ],
    );
}

#[test]
fn where_there_is_no_value_it_says_why() {
    let year = || Of::year(contacts());
    let absent = |markers: &[Marker]| Figure { coverage: None, ..marked(markers, gap(Gap::Marked)) };
    let within = |area: &str| Missing {
        area: "E10000014".to_owned(),
        reason: MissingReason::Contained.into(),
        contained_in_area: area.to_owned(),
        contained_in_period: BEFORE.to_owned(),
        ..Missing::default()
    };
    let contained = |contained, missing: Vec<Missing>| Figure {
        coverage: Some(Coverage { contained, missing, ..coverage(3, 0, 0) }),
        ..gap(Gap::Contained)
    };
    let lead = || Of { lead: "Hampshire Constabulary", ..year() };
    snapshot(
        "gaps",
        vec![
            ("not reported", year().says(gap(Gap::NotReported), None)),
            ("not due", year().says(Figure { coverage: Some(coverage(1, 0, 0)), ..gap(Gap::NotReported) }, None)),
            (
                "with an earlier value",
                year().says(gap(Gap::NotReported), no_change(BEFORE, of("2440"), ChangeGap::NoLaterValue)),
            ),
            (
                "without an earlier value",
                year().says(of("3335"), no_change(BEFORE, gap(Gap::NotReported), ChangeGap::NoEarlierValue)),
            ),
            (
                "without an earlier period",
                year().says(of("3335"), Change { gap: ChangeGap::NoEarlierPeriod.into(), ..Change::default() }),
            ),
            ("a change that is too large", year().says(of("3335"), no_change(BEFORE, of("2440"), ChangeGap::TooLarge))),
            ("confidential", year().says(absent(&[Marker::Confidential]), None)),
            ("not available", year().says(absent(&[Marker::NotAvailable]), None)),
            ("not applicable", year().says(absent(&[Marker::NotApplicable]), None)),
            ("low", year().says(absent(&[Marker::Low]), None)),
            ("several markers", year().says(absent(&[Marker::Confidential, Marker::NotAvailable, Marker::Low]), None)),
            (
                "side by side",
                year().says(made_up(Figure { coverage: Some(coverage(24, 24, 0)), ..gap(Gap::SideBySide) }), None),
            ),
            ("areas that overlap", year().says(gap(Gap::NotCombinable), None)),
            ("people are not added up", Of::year(missing_children()).says(gap(Gap::NotCombinable), None)),
            (
                "a percentage of nothing",
                Of::year(timeliness()).says(Figure { coverage: Some(coverage(1, 1, 0)), ..gap(Gap::ZeroBase) }, None),
            ),
            (
                "a mean of nothing",
                Of::year(wait()).says(Figure { coverage: Some(coverage(1, 1, 0)), ..gap(Gap::ZeroBase) }, None),
            ),
            ("the lead agency is missing", lead().says(gap(Gap::LeadNotReported), None)),
            ("an unknown lead agency is missing", year().says(gap(Gap::LeadNotReported), None)),
            ("the lead agency isn't asked", lead().says(Figure { coverage: None, ..gap(Gap::LeadNotAsked) }, None)),
            ("too large", year().says(gap(Gap::TooLarge), None)),
            (
                "within a longer period",
                Of { periods: Span::Period("FY2020-21-Q1"), ..year() }
                    .says(contained(3, vec![within("E10000014")]), None),
            ),
            ("within a wider area", year().says(contained(3, vec![within("HIPS")]), None)),
            ("partly within others", year().says(contained(1, vec![within("E10000014")]), None)),
            (
                "periods that don't fit",
                Of { periods: Span::Period("2021-W07"), ..year() }
                    .says(Figure { coverage: None, ..gap(Gap::PeriodMismatch) }, None),
            ),
        ],
    );
}

#[test]
fn rate_share_rank_and_benchmark_follow_the_figure() {
    let population = || made_up(marked(&[Marker::Estimated], Figure { coverage: None, ..of("285700") }));
    let rate = || Rate {
        value: Some("58.2".to_owned()),
        per: 10_000,
        population: Some(population()),
        population_period: "2018-06-30".to_owned(),
        ..Rate::default()
    };
    let no_rate = |gap: Gap| Rate { value: None, gap: gap.into(), ..rate() };
    let rank = || Rank { rank: 3, of: 12, quartile: 1, ..Rank::default() };
    let share = || Share {
        percent: Some("13.0".to_owned()),
        total: Some(Figure { coverage: Some(coverage(11, 11, 0)), ..of("9170") }),
        ..Share::default()
    };
    let benchmark = || Benchmark {
        value: Some("117.2".to_owned()),
        difference: Some("-59.0".to_owned()),
        figure: Some(Figure { coverage: Some(coverage(48, 48, 0)), ..of("4756") }),
        rate: Some(Rate { value: Some("117.2".to_owned()), ..rate() }),
        ..Benchmark::default()
    };
    let row = || AggregateRow { figure: Some(of("1664")), period: "FY2018-19".to_owned(), ..AggregateRow::default() };
    let stock = |row: AggregateRow| Of::year(looked_after()).row(&row);
    let ranked = |polarity: Polarity, row: AggregateRow| {
        Of::year(Indicator { polarity: polarity.into(), ..looked_after() }).row(&row)
    };
    let ratio = |difference: &str| {
        let difference = Some(difference.to_owned());
        let benchmark = Benchmark { value: Some("95.3".to_owned()), difference, rate: None, ..benchmark() };
        Of::year(timeliness()).row(&AggregateRow { figure: Some(of("95.9")), benchmark: Some(benchmark), ..row() })
    };
    snapshot(
        "beside",
        vec![
            ("a rate", stock(AggregateRow { rate: Some(rate()), ..row() })),
            ("a partial rate", stock(AggregateRow { rate: Some(Rate { partial: true, ..rate() }), ..row() })),
            ("no population", stock(AggregateRow { rate: Some(no_rate(Gap::NoPopulation)), ..row() })),
            (
                "no population at all",
                stock(AggregateRow {
                    rate: Some(Rate {
                        population: None,
                        population_period: String::new(),
                        ..no_rate(Gap::NoPopulation)
                    }),
                    ..row()
                }),
            ),
            (
                "no population of the category",
                stock(AggregateRow {
                    rate: Some(Rate { population: None, ..no_rate(Gap::PopulationNotBrokenDown) }),
                    ..row()
                }),
            ),
            ("a population of zero", stock(AggregateRow { rate: Some(no_rate(Gap::ZeroBase)), ..row() })),
            ("a share", stock(AggregateRow { share: Some(share()), ..row() })),
            (
                "a partial share",
                stock(AggregateRow {
                    share: Some(Share { partial: true, total: Some(partial("9170")), ..share() }),
                    ..row()
                }),
            ),
            (
                "no share of nothing",
                stock(AggregateRow {
                    share: Some(Share { percent: None, gap: Gap::ZeroBase.into(), ..share() }),
                    ..row()
                }),
            ),
            (
                "no share beside what is below zero",
                stock(AggregateRow {
                    share: Some(Share { percent: None, gap: Gap::NegativePart.into(), ..share() }),
                    ..row()
                }),
            ),
            (
                "no share without a total",
                stock(AggregateRow {
                    share: Some(Share {
                        percent: None,
                        total: Some(gap(Gap::NotCombinable)),
                        gap: Gap::NotCombinable.into(),
                        ..share()
                    }),
                    ..row()
                }),
            ),
            ("a rank", stock(AggregateRow { rank: Some(rank()), ..row() })),
            (
                "a rank by the rate, where lower is better",
                ranked(
                    Polarity::LowerIsBetter,
                    AggregateRow {
                        rate: Some(rate()),
                        rank: Some(Rank { rank: 11, quartile: 4, partial_count: 1, ..rank() }),
                        ..row()
                    },
                ),
            ),
            (
                "a rank among made-up figures",
                ranked(
                    Polarity::HigherIsBetter,
                    AggregateRow {
                        rank: Some(Rank {
                            rank: 2,
                            partial_count: 2,
                            markers: vec![Marker::Provisional.into()],
                            sample: true,
                            ..rank()
                        }),
                        ..row()
                    },
                ),
            ),
            (
                "not ranked",
                stock(AggregateRow {
                    figure: Some(partial("1664")),
                    rank: Some(Rank { rank: 0, of: 11, gap: Gap::Partial.into(), partial_count: 1, ..Rank::default() }),
                    ..row()
                }),
            ),
            ("a benchmark of rates", stock(AggregateRow { rate: Some(rate()), benchmark: Some(benchmark()), ..row() })),
            ("a benchmark of percentages", ratio("0.6")),
            ("the same as the benchmark", ratio("0.0")),
            (
                "no benchmark",
                stock(AggregateRow {
                    benchmark: Some(Benchmark { value: None, gap: Gap::NotReported.into(), ..benchmark() }),
                    ..row()
                }),
            ),
            (
                "nothing beside no figure",
                stock(AggregateRow {
                    figure: Some(gap(Gap::NotReported)),
                    rate: Some(no_rate(Gap::NotReported)),
                    rank: Some(Rank { gap: Gap::NotReported.into(), ..Rank::default() }),
                    ..row()
                }),
            ),
        ],
    );
}

#[test]
fn figures_that_disagree_are_named() {
    let found = |kind: DiscrepancyKind, dimension: &str| Discrepancy {
        kind: kind.into(),
        agency: "hampshire-constabulary".to_owned(),
        dimension: dimension.to_owned(),
        submitted: "1946".to_owned(),
        parts: "1943".to_owned(),
        difference: "-3".to_owned(),
    };
    let discrepancies = vec![
        found(DiscrepancyKind::OverTime, ""),
        found(DiscrepancyKind::OverAreas, ""),
        found(DiscrepancyKind::Breakdown, "sex"),
    ];
    let figure = Figure { discrepancies, ..of("1946") };
    snapshot("discrepancies", vec![("three of them", Of::year(contacts()).says(figure, None))]);
}

#[test]
fn a_pictures_row_has_a_sentence_for_all_and_for_each_of_several_agencies() {
    let cell = |id: &str, name: &str, figure: Figure, change: Option<Change>| PictureCell {
        agency: Some(Agency { id: id.to_owned(), name: name.to_owned(), ..Agency::default() }),
        figure: Some(figure),
        change,
    };
    let care = |figure, change| cell("care", "Children's Services", figure, change);
    let police = |figure, change| cell("police", "Constabulary", figure, change);
    let up = || change(BEFORE, of("2440"), "895", "36.7");
    let row = |across: AcrossAgencies, cells: Vec<PictureCell>, combined: Figure, change: Option<Change>| {
        let lead_agency = if across == AcrossAgencies::Lead { "police" } else { "" }.to_owned();
        let indicator = Some(Indicator { across_agencies: across.into(), lead_agency, ..contacts() });
        let row = PictureRow { indicator, cells, combined: Some(combined), change };
        let area = Some(Area { code: "HIPS".to_owned(), name: "the partnership".to_owned(), ..Area::default() });
        let answer = GetPictureResponse { area, period: "FY2021-22".to_owned(), ..GetPictureResponse::default() };
        picture(&answer, &row).join("\n    ")
    };
    let (add, lead, side_by_side) = (AcrossAgencies::Add, AcrossAgencies::Lead, AcrossAgencies::SideBySide);
    let none = || police(gap(Gap::NotReported), None);
    snapshot(
        "pictures",
        vec![
            ("one agency", row(add, vec![care(of("3335"), Some(up()))], of("3335"), Some(up()))),
            (
                "two that add",
                row(
                    add,
                    vec![care(of("3335"), Some(up())), none()],
                    Figure { coverage: Some(coverage(2, 1, 1)), ..of("3335") },
                    Some(partial_change(up())),
                ),
            ),
            (
                "two side by side",
                row(
                    side_by_side,
                    vec![care(of("3335"), Some(up())), police(of("3855"), None)],
                    Figure { coverage: Some(coverage(2, 2, 0)), ..gap(Gap::SideBySide) },
                    None,
                ),
            ),
            (
                "one of what stands side by side",
                row(side_by_side, vec![care(of("3335"), None)], gap(Gap::SideBySide), None),
            ),
            ("a lead agency", row(lead, vec![care(of("274"), None), police(of("3335"), None)], of("3335"), Some(up()))),
            ("a lead agency that is missing", row(lead, vec![care(of("274"), None)], gap(Gap::LeadNotReported), None)),
        ],
    );
}
