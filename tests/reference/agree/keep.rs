//! What of an answer an aspect compares.

use conspectus::rpc::proto::{self, AggregateRow, Figure};

use crate::answer::{Answer, Body};

/// The rows, each with what is kept of it beside its key.
pub(super) fn rows(answer: Answer, keep: impl Fn(AggregateRow) -> AggregateRow) -> Answer {
    let Body::Rows(rows) = answer.body else { return answer };
    let keyed = |row: AggregateRow| {
        let key = AggregateRow {
            indicator: row.indicator.clone(),
            area: row.area.clone(),
            agency: row.agency.clone(),
            period: row.period.clone(),
            category: row.category.clone(),
            ..Default::default()
        };
        let kept = keep(row);
        AggregateRow {
            figure: kept.figure,
            change: kept.change,
            rate: kept.rate,
            share: kept.share,
            rank: kept.rank,
            benchmark: kept.benchmark,
            ..key
        }
    };
    Answer { as_of: None, body: Body::Rows(rows.into_iter().map(keyed).collect()), ..answer }
}

/// The revision and the instant, and what is late at it.
pub(super) fn instants(answer: Answer) -> Answer {
    Answer { as_of: answer.as_of, ..coverage(answer) }
}

/// Every figure, without its coverage and discrepancies.
pub(super) fn values(answer: Answer) -> Answer {
    rows(answer, |row| AggregateRow { figure: row.figure.map(value), ..Default::default() })
}

fn value(figure: Figure) -> Figure {
    Figure { coverage: None, discrepancies: vec![], ..figure }
}

pub(super) fn coverage(answer: Answer) -> Answer {
    let only = |figure: Figure| Figure { coverage: figure.coverage, to_date: figure.to_date, ..Default::default() };
    rows(answer, |row| AggregateRow { figure: row.figure.map(only), ..Default::default() })
}

pub(super) fn discrepancies(answer: Answer) -> Answer {
    let only = |figure: Figure| Figure { discrepancies: figure.discrepancies, ..Default::default() };
    rows(answer, |row| AggregateRow { figure: row.figure.map(only), ..Default::default() })
}

pub(super) fn changes(answer: Answer) -> Answer {
    rows(answer, |row| AggregateRow { change: row.change, ..Default::default() })
}

pub(super) fn rates(answer: Answer) -> Answer {
    rows(answer, |row| AggregateRow { rate: row.rate, ..Default::default() })
}

pub(super) fn shares(answer: Answer) -> Answer {
    rows(answer, |row| AggregateRow { share: row.share, ..Default::default() })
}

pub(super) fn ranks(answer: Answer) -> Answer {
    rows(answer, |row| AggregateRow { rank: row.rank, ..Default::default() })
}

pub(super) fn benchmarks(answer: Answer) -> Answer {
    rows(answer, |row| AggregateRow { benchmark: row.benchmark, ..Default::default() })
}

/// Only which rows there are, at which revision and instant.
pub(super) fn keys(answer: Answer) -> Answer {
    rows(answer, |_| AggregateRow::default())
}

/// Whether any row has something.
pub(super) fn any(answer: &Answer, has: impl Fn(&AggregateRow) -> bool) -> bool {
    matches!(&answer.body, Body::Rows(rows) if rows.iter().any(has))
}

pub(super) fn has_value(answer: &Answer) -> bool {
    any(answer, |row| row.figure.as_ref().is_some_and(|it| it.value.is_some()))
}

/// Without what is chosen freely: which of several submissions of one value it came with.
pub(super) fn contributions(answer: Answer) -> Answer {
    let Body::Explanation(mut it) = answer.body else { return answer };
    for it in &mut it.contributions {
        *it = proto::Contribution {
            agency: it.agency.clone(),
            area: it.area.clone(),
            period: it.period.clone(),
            value: it.value.clone(),
            markers: it.markers.clone(),
            sample: it.sample,
            ..Default::default()
        };
    }
    Answer { as_of: None, body: Body::Explanation(it), ..answer }
}
