//! Section 9: changes.

use conspectus::catalogue::items::Kind;
use conspectus::model::date::Date;
use conspectus::model::id::{AgencyId, AreaCode};
use conspectus::model::marker::Marker;
use conspectus::model::period::Period;
use conspectus::rpc::proto::{self, ChangeGap, ChangeUnit};

use super::group::{Found, Group};
use super::number::{rounded, whole};
use super::sight::Standing;

impl Group<'_, '_> {
    /// 9.3: "No change is given across a break", within the areas of either figure.
    fn is_broken(&self, agency: Option<&AgencyId>, earlier: Period, before: &[AreaCode]) -> bool {
        let later = self.periods[self.periods.len() - 1];
        let is_between = |day: Date| earlier.end() < day && day <= later.end();
        let mut versions = self.series.sight.versions_of(&self.series.indicator);
        let by_definition =
            versions.any(|version| version.breaks_comparability && version.effective_from.is_some_and(is_between));
        let is_inside = |it: &Standing| {
            let day = self.series.day(it.key.period);
            self.areas.iter().chain(before).any(|area| self.series.sight.is_within(&it.key.area, area, day))
        };
        let marks = |it: &Standing| {
            it.value.markers.contains(Marker::Break)
                && is_between(it.key.period.end())
                && (self.series.kind == Kind::Stock || earlier.end() < it.key.period.start())
                && is_inside(it)
        };
        by_definition || self.behind(agency).iter().any(|agency| self.series.of(agency).any(marks))
    }

    /// The change from an earlier period, which a question may ask for as a year up to it.
    pub(crate) fn change(
        &self,
        agency: Option<&AgencyId>,
        later: &Found<'_>,
        earlier: Option<(Period, Group<'_, '_>)>,
        first: Option<Period>,
        across_breaks: bool,
    ) -> proto::Change {
        let version = self.series.version(self.last());
        let points = self.series.kind == Kind::Ratio;
        let unit = if points { ChangeUnit::PercentagePoints } else { ChangeUnit::Number };
        let mut change = proto::Change { unit: unit.into(), ..proto::Change::default() };
        let Some((period, before)) = earlier else {
            change.set_gap(ChangeGap::NoEarlierPeriod);
            return change;
        };
        let from = before.figure(agency);
        change.partial = !later.is_complete() || !from.is_complete();
        change.from_period = period.to_string();
        change.from = Some(from.figure);
        let is_broken = || !across_breaks && self.is_broken(agency, first.unwrap_or(before.periods[0]), &before.areas);
        let gap = match (&later.exact, &from.exact) {
            (None, _) => ChangeGap::NoLaterValue,
            (Some(_), None) => ChangeGap::NoEarlierValue,
            (Some(_), Some(_)) if is_broken() => ChangeGap::Break,
            (Some(value), Some(earlier)) => {
                let difference = value - earlier;
                change.difference = Some(rounded(&difference, version.decimals, version.rounding));
                if points {
                    ChangeGap::Unspecified
                } else if *earlier == whole(0) {
                    ChangeGap::FromZero
                } else if *earlier < whole(0) {
                    ChangeGap::FromBelowZero
                } else {
                    let percent = difference * whole(100) / earlier;
                    change.percent = Some(rounded(&percent, 1, version.rounding));
                    ChangeGap::Unspecified
                }
            }
        };
        change.set_gap(gap);
        change
    }
}
