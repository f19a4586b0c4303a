//! Sections 7 and 8: some areas, some periods and some agencies together, as a figure of an answer.

use conspectus::catalogue::items::{AcrossAgencies, Kind};
use conspectus::model::date::Date;
use conspectus::model::id::{AgencyId, AreaCode};
use conspectus::model::marker::Marker;
use conspectus::model::period::Period;
use conspectus::rpc::proto::{self, Gap, MissingReason, NumeratorBasis};

use super::number::{Number, decimal, rounded};
use super::periods::fits;
use super::series::Series;
use super::sum::{Basis, Fate, Slot, Sum};

/// Some areas and some periods that follow each other.
#[derive(Clone)]
pub(crate) struct Group<'s, 'a> {
    pub(crate) series: &'s Series<'a>,
    pub(crate) areas: Vec<AreaCode>,
    pub(crate) periods: Vec<Period>,
}

/// A figure of an answer, and what its value is exactly.
#[derive(Clone)]
pub(crate) struct Found<'a> {
    pub(crate) figure: proto::Figure,
    pub(crate) exact: Option<Number>,
    pub(crate) sum: Sum<'a>,
    pub(crate) gap: Gap,
}

impl Found<'_> {
    pub(crate) fn is_complete(&self) -> bool {
        self.figure.coverage.as_ref().unwrap().complete
    }
}

impl<'s, 'a> Group<'s, 'a> {
    pub(crate) fn last(&self) -> Period {
        self.periods[self.periods.len() - 1]
    }

    /// An agency's figure, or its unfilled slots; and whether it has reported anything. 6.2: "one that has reported some
    /// parts of a sum has slots for its other parts".
    fn of_agency(&self, agency: &AgencyId) -> (Sum<'a>, bool) {
        let (series, periods) = (self.series, self.slot_periods().iter());
        let figures: Vec<_> = self.areas.iter().map(|area| series.joined(agency, area, &self.periods)).collect();
        let has_reported = figures.iter().any(Option::is_some);
        let unfilled = |area: &AreaCode| {
            Sum::of(periods.clone().map(|period| match has_reported {
                true => series.unreported(agency, area, *period),
                false => Sum::of_slots(series.expected(agency, area, *period)),
            }))
        };
        let parts = figures.into_iter().zip(&self.areas).map(|(figure, area)| figure.unwrap_or_else(|| unfilled(area)));
        (series.over_areas_once(Sum::of(parts)), has_reported)
    }

    /// 6.1: of a stock "several periods together have those of the last".
    fn slot_periods(&self) -> &[Period] {
        let last = self.periods.len() - 1;
        if self.series.kind == Kind::Stock { &self.periods[last..] } else { &self.periods }
    }

    /// The figure of one agency that is asked for. One that is no reporter has slots for what lies within its figures.
    fn of_this_agency(&self, agency: &AgencyId) -> Sum<'a> {
        let (sum, has_reported) = self.of_agency(agency);
        if has_reported || !sum.slots.is_empty() {
            return sum;
        }
        let of_area = |area| self.series.within_its_figures(agency, area, self.slot_periods());
        Sum::of_slots(self.areas.iter().flat_map(of_area).collect())
    }

    /// 6.2: whether the agency is asked for, and is expected to report, or has reported.
    pub(crate) fn has(&self, agency: &AgencyId) -> bool {
        if !self.series.agencies.contains(agency) {
            return false;
        }
        let (sum, has_reported) = self.of_agency(agency);
        has_reported || !sum.slots.is_empty()
    }

    /// The agencies whose figures go into the combined one.
    pub(crate) fn behind(&self, agency: Option<&AgencyId>) -> Vec<AgencyId> {
        let version = self.series.version(self.last());
        match (agency, version.across_agencies) {
            (Some(agency), _) => vec![agency.clone()],
            (None, AcrossAgencies::Lead) => version.lead_agency.iter().cloned().collect(),
            (None, AcrossAgencies::Add | AcrossAgencies::SideBySide) => self.series.agencies.clone(),
        }
    }

    /// The figure of one agency, or 7.1 of all by the indicator's rule.
    pub(crate) fn figure(&self, agency: Option<&AgencyId>) -> Found<'a> {
        let version = self.series.version(self.last());
        let (across, lead) = (version.across_agencies, version.lead_agency.as_ref());
        let everyone = || self.series.agencies.iter().map(|it| self.of_agency(it).0);
        match (agency, across) {
            (Some(agency), _) => self.found(self.of_this_agency(agency), Gap::NotReported),
            (None, AcrossAgencies::Add) => self.found(Sum::of(everyone()), Gap::NotReported),
            (None, AcrossAgencies::Lead) if self.series.agencies.contains(lead.unwrap()) => {
                self.found(self.of_this_agency(lead.unwrap()), Gap::LeadNotReported)
            }
            (None, AcrossAgencies::Lead) => self.found(Sum::default(), Gap::LeadNotAsked),
            (None, AcrossAgencies::SideBySide) => {
                let mut sum = Sum::default();
                for it in everyone() {
                    sum.sample |= it.sample;
                    sum.uncombined |= it.uncombined;
                    sum.lacks_areas |= it.lacks_areas;
                    sum.slots.extend(it.slots);
                    sum.rests_on.extend(it.rests_on);
                }
                self.found(sum, Gap::SideBySide)
            }
        }
    }

    /// Section 5: "Why there is no value, the first that holds".
    fn gap_of(&self, sum: &Sum<'_>, none: Gap) -> Gap {
        let frequency = self.series.version(self.last()).frequency;
        if matches!(none, Gap::SideBySide | Gap::LeadNotAsked) {
            none
        } else if sum.overlaps {
            Gap::NotCombinable
        } else if sum.has_absence() {
            Gap::Marked
        } else if sum.slots.iter().any(|slot| matches!(slot.fate, Fate::Contained(..))) {
            Gap::Contained
        } else if sum.uncombined {
            Gap::NotCombinable
        } else if !fits(self.last(), frequency, self.series.kind == Kind::Stock) {
            Gap::PeriodMismatch
        } else {
            none
        }
    }

    fn found(&self, sum: Sum<'a>, none: Gap) -> Found<'a> {
        let version = self.series.version(self.last());
        let value = self.series.value(&sum);
        let gap = match &value {
            None => self.gap_of(&sum, none),
            Some(None) => Gap::ZeroBase,
            Some(Some(_)) => Gap::Unspecified,
        };
        let exact = value.flatten();
        let mut markers = sum.markers.clone();
        // 7.2: "The service adds `e` to a value that combines printed percentages, and `b` to one whose definition
        // breaks with the period before."
        let basis = sum.numerator_basis();
        if exact.is_some() && basis == Basis::Estimated {
            markers.insert(Marker::Estimated);
        }
        if exact.is_some() && self.breaks_since(self.periods[0].start().plus_days(-1)) {
            markers.insert(Marker::Break);
        }
        let weighted = sum.value.as_ref().filter(|_| matches!(self.series.kind, Kind::Ratio | Kind::Mean));
        let figure = proto::Figure {
            value: exact.as_ref().map(|exact| rounded(exact, version.decimals, version.rounding)),
            gap: gap.into(),
            numerator: weighted.map(|(number, _)| decimal(number)),
            denominator: weighted.map(|(_, weight)| decimal(weight)),
            markers: markers.iter().map(|it| it.code()).collect(),
            coverage: Some(coverage(&sum, exact.is_some())),
            sample: sum.sample,
            as_at: sum.as_at.map(|period| period.storage_key().to_string()),
            discrepancies: vec![],
            numerator_basis: weighted.map_or(NumeratorBasis::Unspecified, |_| basis.into()).into(),
            to_date: sum.to_date.map(|day| day.to_string()),
        };
        Found { figure, exact, sum, gap }
    }

    /// Whether a version that breaks comparability came into force after a day and by the last one.
    fn breaks_since(&self, day: Date) -> bool {
        let is_between = |from: Date| day < from && from <= self.last().end();
        let mut versions = self.series.sight.versions_of(&self.series.indicator);
        versions.any(|version| version.breaks_comparability && version.effective_from.is_some_and(is_between))
    }
}

impl From<Basis> for NumeratorBasis {
    fn from(basis: Basis) -> Self {
        match basis {
            Basis::Counted => Self::Counted,
            Basis::Printed => Self::Printed,
            Basis::Estimated => Self::Estimated,
        }
    }
}

/// 6.4: what became of the slots.
fn coverage(sum: &Sum<'_>, has_value: bool) -> proto::Coverage {
    let count = |is: fn(&Fate) -> bool| i64::try_from(sum.count(is)).unwrap();
    let missing = sum.slots.iter().filter(|slot| !slot.fate.is_reported());
    let mut missing: Vec<_> = missing.map(missing_of).collect();
    missing.sort_by(|a, b| (&a.agency, &a.area, &a.period).cmp(&(&b.agency, &b.area, &b.period)));
    proto::Coverage {
        expected: i64::try_from(sum.slots.len()).unwrap(),
        reported: count(Fate::is_reported),
        late: count(|it| *it == Fate::Late),
        not_available: count(|it| *it == Fate::NotAvailable),
        imputed: count(|it| *it == Fate::Estimated),
        complete: sum.is_complete(has_value),
        missing,
        contained: count(|it| matches!(it, Fate::Contained(..))),
    }
}

fn missing_of(slot: &Slot) -> proto::Missing {
    let (reason, within) = match &slot.fate {
        Fate::Late => (MissingReason::Late, None),
        Fate::NotDue => (MissingReason::NotDue, None),
        Fate::NotAvailable => (MissingReason::NotAvailable, None),
        Fate::Contained(area, period) => (MissingReason::Contained, Some((area, period))),
        Fate::Reported | Fate::Estimated => unreachable!("it isn't missing"),
    };
    proto::Missing {
        agency: slot.agency.to_string(),
        area: slot.area.to_string(),
        period: slot.period.storage_key().to_string(),
        reason: reason.into(),
        contained_in_area: within.map(|(area, _)| area.to_string()).unwrap_or_default(),
        contained_in_period: within.map(|(_, period)| period.storage_key().to_string()).unwrap_or_default(),
    }
}
