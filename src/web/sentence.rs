//! The exact sentences of a live figure: what an answer says of it in words, and nothing that it doesn't say.
//!
//! Every number is the answer's own, digit by digit: none is computed here. A figure is said to have risen or fallen only
//! where both figures are complete and can be compared (`change`); otherwise each stands in a sentence of its own
//! (`stated`), with what is missing from it. A percentage changes by percentage points, never by per cent of itself.

mod beside;
#[cfg(test)]
mod cases;
mod change;
pub(crate) mod gap;
mod notes;
mod stated;

use self::change::{compared, moved};
use self::stated::{lead_note, stated};
use super::subject::Subject;
use crate::model::text::visible;
use crate::rpc::proto::{AggregateRow, Change, Figure, Gap, GetPictureResponse, PictureCell, PictureRow};
use crate::wording::figure::discrepancy;
use crate::wording::period::Span;

/// The sentences of a picture's row: of the combined figure and, where there are several, of each agency's.
pub(crate) fn picture(answer: &GetPictureResponse, row: &PictureRow) -> Vec<String> {
    let (indicator, area) = (row.indicator.clone().unwrap_or_default(), answer.area.clone().unwrap_or_default());
    let name = |cell: &PictureCell| cell.agency.clone().unwrap_or_default().name;
    let is_lead = |cell: &&PictureCell| cell.agency.as_ref().is_some_and(|agency| agency.id == indicator.lead_agency);
    let lead = row.cells.iter().find(is_lead).map_or_else(|| indicator.lead_agency.clone(), name);
    let periods = Span::Period(&answer.period);
    let all = Subject { indicator: &indicator, area: &area, agency: "", lead: &lead, category: "", periods };
    let combined = row.combined.clone().unwrap_or_default();
    let is_apart = combined.gap() == Gap::SideBySide;
    let mut sentences = Vec::new();
    if row.cells.len() != 1 || !is_apart {
        sentences.push(figure(&all, &combined, row.change.as_ref()));
    }
    if row.cells.len() > 1 || is_apart || combined.gap() == Gap::LeadNotReported {
        sentences.extend(row.cells.iter().map(|cell| {
            let of = Subject { agency: &name(cell), ..all };
            figure(&of, &cell.figure.clone().unwrap_or_default(), cell.change.as_ref())
        }));
    }
    sentences
}

/// The sentence of a row of a query, and those of what was asked for beside the figure.
pub(crate) fn aggregate(subject: &Subject<'_>, row: &AggregateRow) -> String {
    let subject = if row.period.is_empty() { *subject } else { subject.of(&row.period) };
    let own = figure(&subject, &row.figure.clone().unwrap_or_default(), row.change.as_ref());
    let beside = beside::sentences(&subject, row);
    [own].into_iter().chain(beside).collect::<Vec<_>>().join(" ")
}

/// The sentence of a figure with its change, if one was asked for.
pub(crate) fn figure(subject: &Subject<'_>, figure: &Figure, change: Option<&Change>) -> String {
    let mut sentences = match change.and_then(|change| moved(subject, figure, change)) {
        Some(moved) => vec![moved],
        None => {
            let told: Vec<String> = [stated(subject, figure)].into_iter().chain(lead_note(subject, figure)).collect();
            let own = format!("{}: {}.", subject.name(), told.join("; "));
            let before = change.map(|change| compared(subject, figure, change)).unwrap_or_default();
            [own].into_iter().chain(before).collect()
        }
    };
    for found in &figure.discrepancies {
        sentences.push(format!("The figures of {} disagree: {}.", found.agency, discrepancy(subject.kind(), found)));
    }
    visible(&sentences.join(" ")).into_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::rpc::local;
    use crate::rpc::proto::picture_service_server::PictureService;
    use crate::rpc::proto::{Area, Benchmark, Coverage, GetPictureRequest, Indicator, Rank, Rate, Share};
    use crate::web::tests::demo_pictures;

    /// What a service with the demo in it says of an area and a period.
    async fn of_the_demo(area: &str, period: &str, indicators: &[&str]) -> Vec<String> {
        let indicators = indicators.iter().map(|id| (*id).to_owned()).collect();
        let request = GetPictureRequest {
            area: area.to_owned(),
            period: period.to_owned(),
            indicators,
            ..GetPictureRequest::default()
        };
        let answer = demo_pictures().await.get_picture(local(request)).await.unwrap().into_inner();
        let answer: GetPictureResponse = answer.decode().unwrap();
        answer.rows.iter().flat_map(|row| picture(&answer, row)).collect()
    }

    #[tokio::test]
    async fn a_published_rise_is_said_as_the_report_says_it() {
        assert_eq!(
            of_the_demo("E10000014", "2021-22", &["initial-contacts"]).await,
            [
                "Initial contacts in Hampshire rose from 126,153 in 2020-21 to 153,033 in 2021-22, by 21.3%; 1 of 1 reported."
            ]
        );
    }

    #[tokio::test]
    async fn every_row_of_a_picture_can_be_read_aloud() {
        let some = ["children-missing", "placement-cost", "camhs-first-appointment-wait", "population-0-17"];
        let told = [
            of_the_demo("E10000014", "2021-22", &[]).await,
            of_the_demo("HIPS", "2021-22", &some).await,
            of_the_demo("E06000045", "Jan-Mar 2022", &[]).await,
        ];
        insta::assert_snapshot!(told.map(|sentences| sentences.join("\n")).join("\n\n"));
    }

    /// The numbers of a text, without the commas of thousands.
    fn numbers(text: &str) -> BTreeSet<String> {
        let is_of_a_number = |c: char| c.is_ascii_digit() || c == ',' || c == '.';
        let found = text.split(|c| !is_of_a_number(c)).map(|number| number.replace(',', ""));
        found.map(|number| number.trim_matches('.').to_owned()).filter(|number| !number.is_empty()).collect()
    }

    fn decimal() -> impl Strategy<Value = Option<String>> {
        proptest::option::weighted(0.8, "-?(0|[1-9][0-9]{0,14})(\\.[0-9]{1,6})?")
    }

    prop_compose! {
        fn any_figure()(
            value in decimal(),
            gap in 1..=14,
            markers in proptest::collection::vec(0..=9, 0..4),
            counts in proptest::collection::vec(0..99_i64, 5),
            complete in any::<bool>(),
            sample in any::<bool>(),
            as_at in proptest::option::weighted(0.1, Just("FY2020-21-Q3".to_owned())),
            to_date in proptest::option::weighted(0.1, Just("2022-01-31".to_owned())),
        ) -> Figure {
            let [expected, reported, late, not_available, imputed] = counts[..] else { unreachable!() };
            let coverage = Coverage { expected, reported, late, not_available, imputed, complete, ..Coverage::default() };
            let gap = if value.is_some() { 0 } else { gap };
            Figure { value, gap, markers, coverage: Some(coverage), sample, as_at, to_date, ..Figure::default() }
        }
    }

    prop_compose! {
        fn any_change()(
            from in proptest::option::weighted(0.9, any_figure()),
            difference in decimal(),
            percent in decimal(),
            gap in 0..=7,
            partial in any::<bool>(),
        ) -> Change {
            let from_period = if from.is_some() { "FY2020-21".to_owned() } else { String::new() };
            Change { from_period, from, difference, percent, gap, partial, ..Change::default() }
        }
    }

    prop_compose! {
        fn any_rate()(
            value in decimal(),
            per in 1..=1_000_000,
            population in any_figure(),
            gap in 0..=14,
            partial in any::<bool>(),
        ) -> Rate {
            Rate { value, per, population: Some(population), population_period: "2021-06-30".to_owned(), gap, partial }
        }
    }

    prop_compose! {
        fn any_row()(
            own in (any_figure(), proptest::option::of(any_change())),
            rate in proptest::option::of(any_rate()),
            share in proptest::option::of((decimal(), any_figure(), any::<bool>(), 0..=14)),
            rank in proptest::option::of((0..99, 0..99, 0..=4, 0..3, 0..=14)),
            benchmark in proptest::option::of((decimal(), decimal(), any_figure(), proptest::option::of(any_rate()))),
        ) -> AggregateRow {
            let share = share.map(|(percent, total, partial, gap)| Share { percent, total: Some(total), partial, gap });
            let rank = rank.map(|(rank, of, quartile, partial_count, gap)| {
                Rank { rank, of, quartile, partial_count, gap, ..Rank::default() }
            });
            let benchmark = benchmark.map(|(value, difference, group, rate)| {
                Benchmark { value, difference, figure: Some(group), rate, ..Benchmark::default() }
            });
            let (figure, change) = own;
            let period = "FY2021-22".to_owned();
            AggregateRow { figure: Some(figure), change, period, rate, share, rank, benchmark, ..AggregateRow::default() }
        }
    }

    proptest! {
        #[test]
        fn every_number_of_a_sentence_is_one_of_the_answer(kind in 0..=6, across_agencies in 0..=3, row in any_row()) {
            let title = "Things".to_owned();
            let indicator = Indicator { title, kind, across_agencies, unit: "GBP".to_owned(), ..Indicator::default() };
            let area = Area { name: "Hampshire".to_owned(), ..Area::default() };
            let periods = Span::Period("");
            let subject = Subject { indicator: &indicator, area: &area, agency: "", lead: "", category: "", periods };
            let said = aggregate(&subject, &row);
            let dates = "2020-21 2021-22 31 March 2021 31 March 2022 31 December 2020 31 January 2022 30 June 2021";
            let answer: BTreeSet<String> = numbers(&format!("{row:?}")).into_iter().chain(numbers(dates)).collect();
            let invented: Vec<String> = numbers(&said).difference(&answer).cloned().collect();
            prop_assert!(invented.is_empty(), "{invented:?} in: {said}");
            prop_assert!(said.starts_with("Things in Hampshire") && said.ends_with('.'), "{said}");
            let is_said_to_move = said.contains(" rose ") || said.contains(" fell ");
            prop_assert!(!is_said_to_move || row.change.is_some_and(|change| !change.partial), "{said}");
        }
    }
}
