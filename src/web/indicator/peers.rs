//! An area among the others of its level: ranks, quartiles, and the figure of the area that they lie in.

use super::question::Question;
use super::series::rate;
use crate::model::date::Date;
use crate::model::period::Period;
use crate::model::text::visible;
use crate::rpc::proto::{AggregateRow, Area, AreaParent, Gap, Indicator, QueryAggregateResponse};
use crate::web::figure::{FigureView, Notes};
use crate::web::names::Names;
use crate::web::question::FileLink;
use crate::web::sentence;
use crate::web::subject::Subject;
use crate::web::submitted::breakdown_text;
use crate::wording::number::{number, signed, thousands};

/// The areas of a level within another.
#[derive(Debug, Default)]
pub(super) struct PeersView {
    /// Which area they lie in.
    pub(super) within: String,
    /// Of which period.
    pub(super) period: String,
    /// What is said of the area that is asked about.
    pub(super) sentence: String,
    pub(super) rows: Vec<PeerView>,
    pub(super) has_rates: bool,
    pub(super) has_benchmark: bool,
    /// Why there are none; empty if there are.
    pub(super) why_none: &'static str,
    pub(super) files: Vec<FileLink>,
}

/// An area's figure.
#[derive(Debug)]
pub(super) struct PeerView {
    pub(super) area: String,
    pub(super) is_asked_about: bool,
    pub(super) figure: FigureView,
    pub(super) rate: String,
    /// The rank, or why there is none.
    pub(super) rank: String,
    pub(super) quartile: String,
    /// How far it is from the figure of the area that all lie in.
    pub(super) against: String,
    pub(super) href: String,
}

impl PeersView {
    /// That there are none to be shown.
    pub(super) fn none(why_none: &'static str) -> Self {
        Self { why_none, ..Self::default() }
    }

    pub(super) fn new(
        notes: &mut Notes,
        (question, indicator, names): (&Question, &Indicator, &Names),
        within: &str,
        answer: &QueryAggregateResponse,
    ) -> Self {
        let area = |code: &str| Area { code: code.to_owned(), name: names.area(code), ..Area::default() };
        let own = answer.rows.iter().find(|row| row.area == question.area).map(|row| {
            let subject = Subject {
                indicator,
                area: &area(&row.area),
                agency: &if question.agency.is_empty() { String::new() } else { names.agency(&question.agency) },
                lead: &names.agency(&indicator.lead_agency),
                category: &breakdown_text(&question.breakdown),
                periods: question.span(&question.to),
            };
            sentence::aggregate(&subject, row)
        });
        let row = |row: &AggregateRow| PeerView {
            area: visible(&names.area(&row.area)).into_owned(),
            is_asked_about: row.area == question.area,
            figure: notes.figure(&row.figure.clone().unwrap_or_default(), indicator, &row.area),
            rate: rate(row),
            rank: rank(row),
            quartile: row
                .rank
                .as_ref()
                .filter(|rank| rank.quartile > 0)
                .map_or("", |rank| quartile(rank.quartile))
                .to_owned(),
            against: against(row, indicator),
            href: question.explain(row),
        };
        Self {
            rows: answer.rows.iter().map(row).collect(),
            has_rates: answer.rows.iter().any(|row| row.rate.is_some()),
            has_benchmark: answer.rows.iter().any(|row| row.benchmark.is_some()),
            within: visible(&names.area(within)).into_owned(),
            period: question.span(&question.to).name(indicator.kind()),
            sentence: own.unwrap_or_default(),
            why_none: "",
            files: question.peers_address().files(),
        }
    }
}

/// The area that another lies in on the last day of a period; none at the top, or if that isn't a period.
pub(super) fn parent(area: &Area, period: &str) -> Option<String> {
    let day = period.parse::<Period>().ok()?.end();
    let is_then = |parent: &&AreaParent| {
        let from = parent.valid_from.parse::<Date>().ok().is_none_or(|from| from <= day);
        from && parent.valid_to.parse::<Date>().ok().is_none_or(|to| day <= to)
    };
    area.parents.iter().find(is_then).map(|parent| parent.code.clone())
}

fn rank(row: &AggregateRow) -> String {
    match &row.rank {
        Some(rank) if rank.rank > 0 => format!("{} of {}", thousands(&rank.rank.to_string()), rank.of),
        Some(rank) if rank.gap() == Gap::Partial => "not ranked: partial".to_owned(),
        Some(_) => "not ranked".to_owned(),
        None => String::new(),
    }
}

fn quartile(quartile: i32) -> &'static str {
    match quartile {
        1 => "first",
        2 => "second",
        3 => "third",
        _ => "fourth",
    }
}

fn against(row: &AggregateRow, indicator: &Indicator) -> String {
    let Some(benchmark) = &row.benchmark else { return String::new() };
    let Some(difference) = &benchmark.difference else { return String::new() };
    let value = benchmark.value.as_deref().unwrap_or_default();
    let (unit, value) = match row.rate.is_some() {
        true => ("", thousands(value)),
        false if indicator.kind() == crate::rpc::proto::Kind::Ratio => {
            (" percentage points", number(value, indicator.kind()))
        }
        false => ("", number(value, indicator.kind())),
    };
    let is_made_up = benchmark.figure.as_ref().is_some_and(|figure| figure.sample);
    let notes = [(benchmark.partial, ", partial"), (is_made_up, ", made up")];
    let notes: String = notes.into_iter().filter(|(is_so, _)| *is_so).map(|(_, note)| note).collect();
    format!("{}{unit} from {value}{notes}", signed(difference))
}
