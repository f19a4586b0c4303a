//! Figures of two agencies that should agree: referrals sent, and referrals received.

use std::rc::Rc;

use super::aggregate::{Aggregate, Who};
use super::areas::Areas;
use super::figure::Figure;
use super::resolve::Series;
use super::value::FigureValue;
use crate::catalogue::AreaIx;
use crate::catalogue::items::{ReconciliationRule, ReconciliationSide};
use crate::model::decimal::{Decimal, Quotient, Rounded};
use crate::model::id::RuleId;
use crate::model::period::Period;
use crate::state::columns::BreakdownIx;
use crate::state::view::View;

/// Asks for the pairs of figures that should agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReconcileQuery<'a> {
    /// The rules.
    pub(crate) rules: Vec<&'a ReconciliationRule>,
    /// The areas.
    pub(crate) areas: Areas,
    /// The periods, ascending.
    pub(crate) periods: Vec<Period>,
}

/// How two figures that should agree stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// They are within the tolerance.
    Agrees,
    /// They are further apart.
    Differs,
    /// One side has no value, and the other has.
    OneSided,
    /// They are further apart, and one or both are partial.
    Partial,
}

/// Two figures that should agree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pair {
    /// The rule that says so.
    pub(crate) rule: RuleId,
    /// The area.
    pub(crate) area: AreaIx,
    /// The period.
    pub(crate) period: Period,
    /// One side.
    pub(crate) left: Rc<Figure>,
    /// The other side.
    pub(crate) right: Rc<Figure>,
    /// Left less right.
    pub(crate) difference: Option<Rounded>,
    /// How they stand to each other.
    pub(crate) status: Status,
}

/// The pairs, by rule, area and period; those of which neither side has a value are left out.
pub(crate) fn pairs<'a>(view: View<'a>, query: &ReconcileQuery<'a>) -> impl Iterator<Item = Pair> {
    query.rules.iter().flat_map(move |rule| pairs_of(view, rule, &query.areas, &query.periods))
}

fn pairs_of(view: View<'_>, rule: &ReconciliationRule, areas: &Areas, periods: &[Period]) -> Vec<Pair> {
    let (Some(mut left), Some(mut right)) = (Side::of(view, &rule.left), Side::of(view, &rule.right)) else {
        return Vec::new();
    };
    let mut cells: Vec<(AreaIx, Period)> =
        periods.iter().flat_map(|period| areas.of(*period).iter().map(|area| (*area, *period))).collect();
    let ranks = view.catalogue.area_ranks();
    cells.sort_by_key(|(area, period)| (ranks[area.0 as usize], *period));
    let mut pairs = Vec::new();
    for (area, period) in cells.into_iter().take_while(|_| view.spend(1).is_ok()) {
        let (one, other) = (left.figure(area, period), right.figure(area, period));
        let (difference, status) = match (&one.value, &other.value) {
            (Err(_), Err(_)) => continue,
            (Ok(_), Err(_)) | (Err(_), Ok(_)) => (None, Status::OneSided),
            (Ok(a), Ok(b)) => {
                let version = left.series.version(period);
                let exact = a.exact.checked_sub(b.exact);
                let within = exact.is_some_and(|exact| within(rule, exact, a.exact, b.exact));
                let rounded = exact.and_then(|exact| FigureValue::of(exact, version.decimals, version).ok());
                let status = match (within, one.complete && other.complete) {
                    (true, _) => Status::Agrees,
                    (false, true) => Status::Differs,
                    (false, false) => Status::Partial,
                };
                (rounded.map(|value| value.rounded), status)
            }
        };
        let rule = rule.id.clone();
        pairs.push(Pair { rule, area, period, left: one, right: other, difference, status });
    }
    pairs
}

struct Side<'a> {
    series: Series<'a>,
    who: Who,
}

impl<'a> Side<'a> {
    fn of(view: View<'a>, side: &ReconciliationSide) -> Option<Self> {
        let (indicator, _) = view.catalogue.indicator(&side.indicator)?;
        let who = match &side.agency {
            None => Who::Combined,
            Some(id) => Who::Agency(view.catalogue.agency(id)?.0),
        };
        Some(Self { series: Series::new(view, indicator, Some(BreakdownIx::TOTAL), None), who })
    }

    fn figure(&mut self, area: AreaIx, period: Period) -> Rc<Figure> {
        Aggregate::of(&mut self.series, &[area], &[period]).figure(&self.series, self.who)
    }
}

/// Whether a difference is within the wider of the rule's two tolerances.
fn within(rule: &ReconciliationRule, difference: Quotient, a: Quotient, b: Quotient) -> bool {
    let size = |value: Quotient| if value.is_negative() { Quotient::ZERO.checked_sub(value) } else { Some(value) };
    let allowed = || {
        let hundredth = Quotient::from(Decimal::new(1, 2)?);
        let of_larger = size(a)?.max(size(b)?).checked_mul(rule.tolerance_percent.into())?.checked_mul(hundredth)?;
        Some(of_larger.max(rule.tolerance.into()))
    };
    match (size(difference), allowed()) {
        (Some(difference), Some(allowed)) => difference <= allowed,
        _ => false,
    }
}
