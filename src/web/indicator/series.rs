//! The figures of an indicator over time: as a chart, in a sentence, and in a table.

use std::collections::BTreeMap;

use super::question::Question;
use crate::model::text::visible;
use crate::rpc::proto::{AggregateRow, Area, Indicator, QueryAggregateResponse};
use crate::web::chart::Chart;
use crate::web::figure::{ChangeView, FigureView, Notes};
use crate::web::names::Names;
use crate::web::series;
use crate::web::subject::Subject;
use crate::web::submitted::breakdown_text;
use crate::wording::number::thousands;
use crate::wording::period::Span;

/// The series of an agency, or of all together.
#[derive(Debug)]
pub(super) struct SeriesView {
    /// Whose figures they are.
    pub(super) whose: String,
    pub(super) sentence: String,
    /// An `svg` element, in which every text is escaped.
    pub(super) chart: String,
    pub(super) rows: Vec<RowView>,
    /// Whether there are rates.
    pub(super) has_rates: bool,
}

/// A period's figure.
#[derive(Debug)]
pub(super) struct RowView {
    pub(super) period: String,
    pub(super) figure: FigureView,
    pub(super) change: ChangeView,
    /// The rate; empty if there is none.
    pub(super) rate: String,
    /// Whether it can't be compared with the one before.
    pub(super) is_after_break: bool,
    pub(super) href: String,
}

/// What the series of an answer are of.
pub(super) struct Of<'a> {
    pub(super) question: &'a Question,
    pub(super) indicator: &'a Indicator,
    pub(super) names: &'a Names,
}

impl Of<'_> {
    /// The series of an answer: one, or one for each agency.
    pub(super) fn series(&self, notes: &mut Notes, answer: &QueryAggregateResponse) -> Vec<SeriesView> {
        let mut of_agencies: BTreeMap<&str, Vec<AggregateRow>> = BTreeMap::new();
        for row in &answer.rows {
            of_agencies.entry(&row.agency).or_default().push(row.clone());
        }
        let one = |(at, (agency, rows)): (usize, (&str, Vec<AggregateRow>))| {
            let agency = if agency.is_empty() { &self.question.agency } else { agency };
            // Nobody asked about years before there was anything.
            let unasked = if self.question.from.is_empty() {
                rows.iter().take_while(|row| series::is_void(row)).count()
            } else {
                0
            };
            self.one(notes, at, agency, rows.get(unasked..).filter(|rows| !rows.is_empty()).unwrap_or(&rows))
        };
        of_agencies.into_iter().enumerate().map(one).collect()
    }

    fn one(&self, notes: &mut Notes, at: usize, agency: &str, rows: &[AggregateRow]) -> SeriesView {
        let Self { question, indicator, names } = self;
        let area = Area { code: question.area.clone(), name: names.area(&question.area), ..Area::default() };
        let name = if agency.is_empty() { String::new() } else { names.agency(agency) };
        let category = breakdown_text(&question.breakdown);
        let subject = Subject {
            indicator,
            area: &area,
            agency: &name,
            lead: &names.agency(&indicator.lead_agency),
            category: &category,
            periods: Span::Period(&question.to),
        };
        let (sentence, points) = (series::sentence(&subject, rows), series::points(&subject, rows));
        let whose = if name.is_empty() { "All agencies".to_owned() } else { name.clone() };
        let title = format!("{} in {}: {whose}", indicator.title, area.name);
        let chart = Chart {
            id: &format!("chart-{at}"),
            title: &title,
            description: &sentence,
            kind: indicator.kind(),
            unit: &indicator.unit,
            points: &points,
        };
        let row = |(row, point): (&AggregateRow, &crate::web::chart::Point)| {
            let figure = notes.figure(&row.figure.clone().unwrap_or_default(), indicator, &area.code);
            RowView {
                period: Span::Period(&row.period).name(indicator.kind()),
                change: notes.change(row.change.as_ref(), indicator, &area.code),
                figure,
                rate: rate(row),
                is_after_break: point.is_after_break,
                href: question.explain(&AggregateRow { agency: agency.to_owned(), ..row.clone() }),
            }
        };
        SeriesView {
            chart: chart.svg(),
            rows: rows.iter().zip(&points).map(row).collect(),
            has_rates: rows.iter().any(|row| row.rate.is_some()),
            whose: visible(&whose).into_owned(),
            sentence,
        }
    }
}

/// A row's rate, and what it is per; empty if there is none.
pub(super) fn rate(row: &AggregateRow) -> String {
    let Some(rate) = &row.rate else { return String::new() };
    let Some(value) = &rate.value else { return String::new() };
    let partial = if rate.partial { ", partial" } else { "" };
    let is_made_up = rate.population.as_ref().is_some_and(|population| population.sample);
    let made_up = if is_made_up { ", of a made-up population" } else { "" };
    format!("{} per {}{partial}{made_up}", thousands(value), thousands(&rate.per.to_string()))
}
