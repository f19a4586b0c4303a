//! Answers, as the service and the model both have them, without what is the service's own choice: the order of what
//! is listed as a set, which name of a period a slot has, and words.

use conspectus::model::period::Period;
use conspectus::rpc::proto::{self, AggregateRow, Figure};

use crate::model::discrepancy;
use crate::model::question::{AsOf, Question, What};
use crate::model::sight::Sight;
use crate::world::Lived;

/// The most missing slots that a figure names.
const MISSING_NAMED_MAX: usize = 20;

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) revision: i64,
    pub(crate) as_of: Option<prost_types::Timestamp>,
    pub(crate) body: Body,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Body {
    /// Of a picture: each agency's cell, and the combined figure last.
    Rows(Vec<AggregateRow>),
    Explanation(Box<proto::ExplainFigureResponse>),
    History(Vec<proto::HistoryItem>),
    Completeness(Box<proto::GetCompletenessResponse>),
    Reconciliation(Vec<proto::ReconciliationRow>),
}

impl Answer {
    pub(crate) fn of_picture(it: proto::GetPictureResponse) -> Self {
        let rows = it.rows.into_iter().flat_map(picture_rows).collect();
        Self::of(it.revision, it.as_of, Body::Rows(rows))
    }

    pub(crate) fn of_query(it: proto::QueryAggregateResponse) -> Self {
        assert!(it.next_page_token.is_empty());
        Self::of(it.revision, it.as_of, Body::Rows(it.rows))
    }

    pub(crate) fn of_explanation(it: proto::ExplainFigureResponse) -> Self {
        let kept = proto::ExplainFigureResponse {
            figure: it.figure,
            derivation: it.derivation,
            contributions: it.contributions,
            contribution_count: it.contribution_count,
            ..Default::default()
        };
        Self::of(it.revision, it.as_of, Body::Explanation(Box::new(kept)))
    }

    pub(crate) fn of_history(it: proto::GetHistoryResponse) -> Self {
        Self::of(it.revision, None, Body::History(it.items))
    }

    pub(crate) fn of_completeness(it: proto::GetCompletenessResponse) -> Self {
        assert!(it.next_page_token.is_empty());
        let (revision, as_of) = (it.revision, it.as_of);
        let kept = proto::GetCompletenessResponse { revision: 0, as_of: None, ..it };
        Self::of(revision, as_of, Body::Completeness(Box::new(kept)))
    }

    pub(crate) fn of_reconciliation(it: proto::ReconcileResponse) -> Self {
        Self::of(it.revision, it.as_of, Body::Reconciliation(it.rows))
    }

    /// Rows, as answers have them.
    pub(crate) fn of_rows(mut rows: Vec<AggregateRow>) -> Vec<AggregateRow> {
        rows.iter_mut().for_each(normalise_row);
        rows
    }

    fn of(revision: i64, as_of: Option<prost_types::Timestamp>, mut body: Body) -> Self {
        match &mut body {
            Body::Rows(rows) => rows.iter_mut().for_each(normalise_row),
            Body::Explanation(it) => {
                it.figure.iter_mut().for_each(|figure| normalise(figure, true));
                it.contributions.iter_mut().for_each(|it| it.period = one_name(&it.period));
                it.contributions.sort_by(|a, b| {
                    (&a.agency, &a.area, &a.period, a.revision).cmp(&(&b.agency, &b.area, &b.period, b.revision))
                });
            }
            Body::History(_) => {}
            Body::Completeness(it) => {
                for slot in &mut it.slots {
                    slot.period = one_name(&slot.period);
                    slot.contained_in_period = one_name(&slot.contained_in_period);
                }
                let key = |slot: &proto::Slot| {
                    let period: Period = slot.period.parse().unwrap();
                    (slot.agency.clone(), slot.indicator.clone(), slot.area.clone(), period)
                };
                assert!(it.slots.is_sorted_by_key(key), "slots are sorted");
            }
            Body::Reconciliation(rows) => {
                let figures = rows.iter_mut().flat_map(|row| [row.left.as_mut(), row.right.as_mut()]);
                figures.flatten().for_each(|figure| normalise(figure, false));
            }
        }
        Self { revision, as_of, body }
    }
}

/// A picture's row as rows: its agencies', and the combined one.
pub(crate) fn picture_rows(row: proto::PictureRow) -> Vec<AggregateRow> {
    let indicator = row.indicator.unwrap().id;
    let mut rows: Vec<AggregateRow> = Vec::new();
    for cell in row.cells {
        rows.push(AggregateRow {
            indicator: indicator.clone(),
            agency: cell.agency.unwrap().id,
            figure: cell.figure,
            change: cell.change,
            ..Default::default()
        });
    }
    rows.push(AggregateRow { indicator, figure: row.combined, change: row.change, ..Default::default() });
    rows
}

fn normalise_row(row: &mut AggregateRow) {
    row.figure.iter_mut().for_each(|figure| normalise(figure, true));
    let nested = [
        row.change.as_mut().and_then(|it| it.from.as_mut()),
        row.rate.as_mut().and_then(|it| it.population.as_mut()),
        row.share.as_mut().and_then(|it| it.total.as_mut()),
    ];
    nested.into_iter().flatten().for_each(|figure| normalise(figure, false));
    if let Some(benchmark) = &mut row.benchmark {
        benchmark.figure.iter_mut().for_each(|figure| normalise(figure, false));
        let population = benchmark.rate.as_mut().and_then(|it| it.population.as_mut());
        population.into_iter().for_each(|figure| normalise(figure, false));
    }
}

fn normalise(figure: &mut Figure, has_discrepancies: bool) {
    if has_discrepancies {
        discrepancy::sort(&mut figure.discrepancies);
    } else {
        figure.discrepancies.clear();
    }
    figure.as_at.iter_mut().for_each(|period| *period = one_name(period));
    let coverage = figure.coverage.as_mut().unwrap();
    for it in &mut coverage.missing {
        it.period = one_name(&it.period);
        it.contained_in_period = one_name(&it.contained_in_period);
    }
    // Above the cap the service names the first of them, and the model all.
    if usize::try_from(coverage.expected - coverage.reported).unwrap() > MISSING_NAMED_MAX {
        coverage.missing.clear();
    }
    coverage.missing.sort_by(|a, b| (&a.agency, &a.area, &a.period).cmp(&(&b.agency, &b.area, &b.period)));
}

fn one_name(period: &str) -> String {
    if period.is_empty() { String::new() } else { period.parse::<Period>().unwrap().storage_key().to_string() }
}

/// What the model sees when a question is asked.
pub(crate) fn sight(lived: &Lived, question: &Question) -> (usize, prost_types::Timestamp, Sight) {
    let newest = lived.entries.len();
    let accepted_by = |at| lived.entries.iter().take_while(|entry| entry.at <= at).count();
    let (revision, at) = match question.as_of {
        AsOf::Now => (newest, question.now.max(lived.entries[newest - 1].at)),
        AsOf::Revision(revision) => (revision, lived.entries[revision - 1].at),
        AsOf::Time(at) => (accepted_by(at), at),
    };
    (revision, crate::model::timestamp(at), Sight::of(&lived.entries, revision, at, &lived.zone))
}

/// The model's answer; none when the question has no right answer.
pub(crate) fn expected(lived: &Lived, question: &Question) -> Option<Answer> {
    let (revision, at, sight) = sight(lived, question);
    if sight.refuses(&question.what) {
        return None;
    }
    let body = match &question.what {
        What::Picture(asked) => Body::Rows(sight.picture(asked)),
        What::Query(asked) => Body::Rows(sight.query(asked)),
        What::Explain(asked) => Body::Explanation(Box::new(sight.explain(asked))),
        What::History(asked) => Body::History(sight.history(asked)),
        What::Completeness(asked) => Body::Completeness(Box::new(sight.completeness(asked))),
        What::Reconcile(asked) => Body::Reconciliation(sight.reconcile(asked)),
    };
    let at = Some(at).filter(|_| !matches!(question.what, What::History(_)));
    Some(Answer::of(i64::try_from(revision).unwrap(), at, body))
}
