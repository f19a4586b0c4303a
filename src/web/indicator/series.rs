//! The figures of an indicator over time: as a chart, in a sentence, and in a table.

use std::collections::BTreeMap;

use super::question::Question;
use crate::model::text::visible;
use crate::rpc::proto::{AggregateRow, Area, Category, Indicator, QueryAggregateResponse};
use crate::web::chart::Chart;
use crate::web::figure::{ChangeView, FigureView, Notes};
use crate::web::names::Names;
use crate::web::series;
use crate::web::subject::Subject;
use crate::web::submitted::breakdown_text;
use crate::wording::number::thousands;

/// How many series are shown, each with its chart.
const SERIES_MAX: usize = 40;

/// The series of an agency, or of all together; with a dimension, of the total or of a category.
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
    /// The categories of the dimension that is asked about, in their order.
    pub(super) categories: &'a [Category],
}

/// What keeps a series apart: its agency, the place of its category among the others, and that.
type Key<'a> = (&'a str, Option<usize>, &'a str);

impl Of<'_> {
    /// The series of an answer, one for each agency and category that are kept apart; and whether there are more.
    pub(super) fn series(&self, notes: &mut Notes, answer: &QueryAggregateResponse) -> (Vec<SeriesView>, bool) {
        let mut apart: BTreeMap<Key<'_>, Vec<AggregateRow>> = BTreeMap::new();
        for row in &answer.rows {
            // The total, which has no category, comes first.
            let place = self.categories.iter().position(|category| category.id == row.category);
            apart.entry((&row.agency, place, &row.category)).or_default().push(row.clone());
        }
        let is_cut = apart.len() > SERIES_MAX;
        let one = |(at, ((agency, _, category), rows)): (usize, (Key<'_>, Vec<AggregateRow>))| {
            let agency = if agency.is_empty() { &self.question.agency } else { agency };
            // Nobody asked about years before there was anything.
            let unasked = if self.question.from.is_empty() {
                rows.iter().take_while(|row| series::is_void(row)).count()
            } else {
                0
            };
            let rows = rows.get(unasked..).filter(|rows| !rows.is_empty()).unwrap_or(&rows);
            self.one(notes, at, (agency, category), rows)
        };
        (apart.into_iter().take(SERIES_MAX).enumerate().map(one).collect(), is_cut)
    }

    fn one(&self, notes: &mut Notes, at: usize, (agency, category): (&str, &str), rows: &[AggregateRow]) -> SeriesView {
        let Self { question, indicator, names, .. } = self;
        let area = Area { code: question.area.clone(), name: names.area(&question.area), ..Area::default() };
        let name = if agency.is_empty() { String::new() } else { names.agency(agency) };
        let title = self.categories.iter().find(|known| known.id == category).map_or(category, |known| &known.title);
        let categories = [breakdown_text(&question.breakdown), title.to_owned()];
        let categories: Vec<String> = categories.into_iter().filter(|text| !text.is_empty()).collect();
        let subject = Subject {
            indicator,
            area: &area,
            agency: &name,
            lead: &names.agency(&indicator.lead_agency),
            category: &categories.join(", "),
            periods: question.span(&question.to),
        };
        let (sentence, points) = (series::sentence(&subject, rows), series::points(&subject, rows));
        let whose = if name.is_empty() { "All agencies".to_owned() } else { name.clone() };
        let whose = match (question.by_dimension.as_str(), title) {
            ("", _) => whose,
            (_, "") => format!("{whose}, total"),
            (_, category) => format!("{whose}, {category}"),
        };
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
                period: question.span(&row.period).name(indicator.kind()),
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
