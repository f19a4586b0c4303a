//! Figures of periods that follow each other: what they say together, and as the points of a chart.

use super::chart::Point;
use super::sentence::aggregate;
use super::subject::Subject;
use crate::model::decimal::Decimal;
use crate::model::marker::Marker;
use crate::model::text::visible;
use crate::rpc::proto::{AggregateRow, Change, ChangeGap, Figure, Gap, Kind};
use crate::wording::figure::{coverage_words, gap_text, is_partial};
use crate::wording::number::quantity;
use crate::wording::period::Span;

/// How many periods without a figure are named.
const GAPS_NAMED_MAX: usize = 3;

/// The sentences of a series, whose rows are in the order of their periods: what its newest figure says, how far the others
/// range, and where it has gaps and breaks. A range is given only where all can be compared, and of what is complete.
pub(crate) fn sentence(subject: &Subject<'_>, rows: &[AggregateRow]) -> String {
    let [first, .., last] = rows else {
        return rows
            .first()
            .map_or_else(|| format!("{}: no figures.", subject.name()), |only| aggregate(subject, only));
    };
    let name = |row: &AggregateRow| subject.of(&row.period).periods.name(subject.kind());
    let whole = match (subject.periods, subject.kind()) {
        (Span::YearTo(_), _) | (_, Kind::Stock) => format!("{} to {}", name(first), name(last)),
        (Span::Period(_) | Span::Run { .. }, _) => {
            Span::Run { first: &first.period, last: &last.period }.name(subject.kind())
        }
    };
    let breaks: Vec<String> = (1..rows.len()).filter(|at| is_broken(rows, *at)).map(|at| name(&rows[at])).collect();
    let range = if breaks.is_empty() { range(subject, rows) } else { None };
    let is_gap = |row: &&AggregateRow| row.figure.as_ref().is_none_or(|figure| figure.value.is_none());
    let gaps: Vec<String> = rows.iter().filter(is_gap).map(name).collect();
    let sentences = [
        aggregate(subject, last),
        range.map(|range| format!("From {whole}, {range}.")).unwrap_or_default(),
        named("There is no figure for", &gaps, "."),
        named("The series breaks at", &breaks, ": what comes before isn't comparable with what comes after."),
        made_up(rows).to_owned(),
    ];
    let told: Vec<String> = sentences.into_iter().filter(|sentence| !sentence.is_empty()).collect();
    visible(&told.join(" ")).into_owned()
}

/// Whether nothing was reported, and nothing expected.
pub(super) fn is_void(row: &AggregateRow) -> bool {
    row.figure.as_ref().is_none_or(|figure| {
        figure.gap() == Gap::NotReported && figure.coverage.as_ref().is_none_or(|coverage| coverage.expected == 0)
    })
}

/// How many of the figures are made up.
fn made_up(rows: &[AggregateRow]) -> &'static str {
    let valued = || rows.iter().filter_map(|row| row.figure.as_ref()).filter(|figure| figure.value.is_some());
    match (valued().any(|figure| figure.sample), valued().all(|figure| figure.sample)) {
        (true, true) => "All of its figures rest on made-up sample figures.",
        (true, false) => "Some of its figures rest on made-up sample figures.",
        (false, _) => "",
    }
}

/// The points of a chart of the rows, which are in the order of their periods.
pub(crate) fn points(subject: &Subject<'_>, rows: &[AggregateRow]) -> Vec<Point> {
    let point = |(at, row): (usize, &AggregateRow)| {
        let of = subject.of(&row.period);
        let figure = row.figure.clone().unwrap_or_default();
        let said = [coverage_words(figure.coverage.as_ref()), flags(&figure)];
        let said: Vec<String> = said.into_iter().filter(|text| !text.is_empty()).collect();
        let value = match &figure.value {
            Some(value) => quantity(value, subject.kind(), &subject.indicator.unit),
            None => match (figure.gap(), gap_text(figure.gap())) {
                (Gap::NotReported, _) | (_, "") => "no figure".to_owned(),
                (_, why) => format!("no figure, {why}"),
            },
        };
        Point {
            label: of.periods.label(subject.kind()),
            words: std::iter::once(format!("{}: {value}", of.periods.name(subject.kind())))
                .chain(said)
                .collect::<Vec<_>>()
                .join("; "),
            value: figure.value.clone(),
            is_partial: is_partial(&figure),
            is_provisional: has(&figure, Marker::Provisional),
            is_made_up: figure.sample,
            is_after_break: is_broken(rows, at),
        }
    };
    rows.iter().enumerate().map(point).collect()
}

/// What a point shows of its figure, in words.
fn flags(figure: &Figure) -> String {
    let flags = [
        (is_partial(figure), "partial"),
        (has(figure, Marker::Provisional), "provisional"),
        (figure.sample, "rests on made-up sample figures"),
    ];
    flags.into_iter().filter(|(is_so, _)| *is_so).map(|(_, words)| words).collect::<Vec<_>>().join("; ")
}

fn has(figure: &Figure, marker: Marker) -> bool {
    figure.markers.contains(&marker.code())
}

/// Whether a row can't be compared with the one before it: by its marker, or by a change that was asked for.
fn is_broken(rows: &[AggregateRow], at: usize) -> bool {
    let Some(row) = rows.get(at) else { return false };
    let before = at.checked_sub(1).and_then(|before| rows.get(before));
    let since = |change: &Change| {
        change.gap() == ChangeGap::Break && before.is_some_and(|before| before.period == change.from_period)
    };
    row.figure.as_ref().is_some_and(|figure| has(figure, Marker::Break)) || row.change.as_ref().is_some_and(since)
}

/// The lowest and the highest of the complete figures, each with the first period that has it.
fn range(subject: &Subject<'_>, rows: &[AggregateRow]) -> Option<String> {
    let figures = || rows.iter().filter_map(|row| Some((row, row.figure.as_ref()?)));
    let complete = figures().filter(|(_, figure)| !is_partial(figure));
    let values: Option<Vec<(Decimal, &str, &AggregateRow)>> = complete
        .filter_map(|(row, figure)| figure.value.as_deref().map(|value| (value, row)))
        .map(|(value, row)| Some((value.parse().ok()?, value, row)))
        .collect();
    let values = values?;
    let lowest = values.iter().min_by_key(|(value, ..)| *value)?;
    let highest = values.iter().rev().max_by_key(|(value, ..)| *value)?;
    if lowest.0 == highest.0 {
        return None;
    }
    let of = |(_, text, row): &(Decimal, &str, &AggregateRow)| {
        let when = subject.of(&row.period).periods.when(subject.kind());
        format!("{} {when}", quantity(text, subject.kind(), &subject.indicator.unit))
    };
    let counted = if figures().any(|(_, figure)| is_partial(figure)) { "of the complete figures, " } else { "" };
    Some(format!("{counted}the lowest is {}, the highest {}", of(lowest), of(highest)))
}

/// A sentence that names some periods; empty without any.
fn named(what: &str, periods: &[String], end: &str) -> String {
    let more = if periods.len() > GAPS_NAMED_MAX { ", and others" } else { "" };
    let shown: Vec<&str> = periods.iter().take(GAPS_NAMED_MAX).map(String::as_str).collect();
    if shown.is_empty() { String::new() } else { format!("{what} {}{more}{end}", shown.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::local;
    use crate::rpc::proto::picture_service_server::PictureService;
    use crate::rpc::proto::{
        Area, Comparison, Coverage, GroupBy, Indicator, PeriodRange, QueryAggregateRequest, QueryAggregateResponse,
    };
    use crate::web::chart::Chart;
    use crate::web::tests::demo_pictures;

    /// A series of the demo, with what it is of: its sentences, and its chart.
    async fn of_the_demo(id: &str, kind: Kind, unit: &str, area: (&str, &str), range: (&str, &str)) -> String {
        let period_range = Some(PeriodRange { first: range.0.to_owned(), last: range.1.to_owned() });
        let request = QueryAggregateRequest {
            indicators: vec![id.to_owned()],
            areas: vec![area.0.to_owned()],
            group_by: vec![GroupBy::Period.into()],
            comparison: Comparison::PreviousPeriod.into(),
            period_range,
            ..QueryAggregateRequest::default()
        };
        let answer = demo_pictures().await.query_aggregate(local(request)).await.unwrap().into_inner();
        let rows = answer.decode::<QueryAggregateResponse>().unwrap().rows;
        let (unit, kind) = (unit.to_owned(), kind.into());
        let indicator = Indicator { title: format!("The demo's {id}"), unit, kind, ..Indicator::default() };
        let area = Area { code: area.0.to_owned(), name: area.1.to_owned(), ..Area::default() };
        let periods = Span::Period("");
        let subject = Subject { indicator: &indicator, area: &area, agency: "", lead: "", category: "", periods };
        let said = sentence(&subject, &rows);
        let chart = Chart {
            id,
            title: &subject.name(),
            description: &said,
            kind: subject.kind(),
            unit: &indicator.unit,
            points: &points(&subject, &rows),
        };
        format!("{said}\n\n{}", chart.svg())
    }

    const HAMPSHIRE: (&str, &str) = ("E10000014", "Hampshire");
    const SOUTHAMPTON: (&str, &str) = ("E06000045", "Southampton");

    #[tokio::test]
    async fn years_of_a_published_count() {
        let years = ("FY2015-16", "FY2021-22");
        let said = of_the_demo("initial-contacts", Kind::Events, "contacts", HAMPSHIRE, years).await;
        insta::assert_snapshot!(said);
    }

    #[tokio::test]
    async fn years_of_a_percentage() {
        let years = ("FY2014-15", "FY2021-22");
        let said = of_the_demo("assessments-timely", Kind::Ratio, "per cent", HAMPSHIRE, years).await;
        insta::assert_snapshot!(said);
    }

    #[tokio::test]
    async fn months_that_were_not_all_reported() {
        let months = ("2021-01", "2022-03");
        let said = of_the_demo("police-referrals-to-mash", Kind::Events, "referrals", SOUTHAMPTON, months).await;
        insta::assert_snapshot!(said);
    }

    #[tokio::test]
    async fn quarters_with_a_break() {
        let quarters = ("FY2020-21-Q1", "FY2021-22-Q4");
        let said =
            of_the_demo("self-harm-attendances-under-18", Kind::Events, "attendances", HAMPSHIRE, quarters).await;
        insta::assert_snapshot!(said);
    }

    #[tokio::test]
    async fn quarters_of_which_one_is_partial_and_some_are_provisional() {
        let quarters = ("FY2020-21-Q1", "FY2021-22-Q4");
        let said =
            of_the_demo("ed-attendances-safeguarding-flag", Kind::Events, "attendances", HAMPSHIRE, quarters).await;
        insta::assert_snapshot!(said);
    }

    #[tokio::test]
    async fn amounts_of_a_partnership_that_are_partial() {
        let years = ("FY2019-20", "FY2021-22");
        let said = of_the_demo("placement-cost", Kind::Amount, "GBP", ("HIPS", "the partnership"), years).await;
        insta::assert_snapshot!(said);
    }

    #[test]
    fn a_series_of_one_or_of_nothing_has_a_sentence_too() {
        let indicator = Indicator { title: "Contacts".to_owned(), kind: Kind::Events.into(), ..Indicator::default() };
        let area = Area { name: "Hampshire".to_owned(), ..Area::default() };
        let periods = Span::Period("");
        let subject = Subject { indicator: &indicator, area: &area, agency: "", lead: "", category: "", periods };
        let row = |period: &str, value: &str| AggregateRow {
            period: period.to_owned(),
            figure: Some(Figure { value: Some(value.to_owned()), ..Figure::default() }),
            ..AggregateRow::default()
        };
        let of = |rows: &[AggregateRow]| sentence(&subject, rows);
        assert_eq!(of(&[]), "Contacts in Hampshire: no figures.");
        assert_eq!(of(&[row("FY2021-22", "5")]), "Contacts in Hampshire: 5 in 2021-22.");
        let same = "Contacts in Hampshire: 5 in 2021-22.";
        assert_eq!(of(&[row("FY2020-21", "5"), row("FY2021-22", "5.0")]).replace("5.0", "5"), same);
        let gap = |period| AggregateRow { figure: None, ..row(period, "") };
        let gaps = [gap("FY2016-17"), gap("FY2017-18"), gap("FY2018-19"), gap("FY2019-20"), row("FY2020-21", "5")];
        insta::assert_snapshot!("gaps", of(&gaps));
        let partial = Some(Coverage { expected: 2, reported: 1, ..Coverage::default() });
        let partial = Figure { coverage: partial, value: Some("1".to_owned()), ..Figure::default() };
        let partial = AggregateRow { figure: Some(partial), ..row("FY2021-22", "") };
        insta::assert_snapshot!("partial", of(&[row("FY2019-20", "5"), row("FY2020-21", "7"), partial]));
    }
}
