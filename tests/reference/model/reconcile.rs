//! Section 18: reconciliation.

use conspectus::catalogue::items::ReconciliationSide;
use conspectus::model::id::AreaCode;
use conspectus::model::observation::Breakdown;
use conspectus::model::period::Period;
use conspectus::rpc::proto::{ReconciliationRow, ReconciliationStatus};

use super::group::{Found, Group};
use super::number::{Number, fraction, rounded, whole};
use super::question::ReconcileQuestion;
use super::series::{Roll, Series};
use super::sight::Sight;

impl Sight {
    pub(crate) fn reconcile(&self, asked: &ReconcileQuestion) -> Vec<ReconciliationRow> {
        let mut rows = Vec::new();
        for rule in self.rules.iter().filter(|rule| asked.rules.is_empty() || asked.rules.contains(&rule.id)) {
            let mut of_rule = Vec::new();
            for (index, period) in asked.periods.iter().enumerate() {
                for area in self.listed_areas(&asked.areas, asked.area_level, *period, false) {
                    let left = self.side(&rule.left, &area, *period);
                    let right = self.side(&rule.right, &area, *period);
                    let version = self.version(&rule.left.indicator, *period);
                    let difference = left.exact.as_ref().zip(right.exact.as_ref()).map(|(left, right)| left - right);
                    let status = match (&left.exact, &right.exact) {
                        (None, None) => continue,
                        (None, Some(_)) | (Some(_), None) => ReconciliationStatus::OneSided,
                        (Some(a), Some(b)) => {
                            // 18.1: "the wider of the two tolerances".
                            let larger = absolute(a).max(absolute(b));
                            let of_larger = larger * fraction(rule.tolerance_percent) / whole(100);
                            if absolute(&(a - b)) <= of_larger.max(fraction(rule.tolerance)) {
                                ReconciliationStatus::Agrees
                            } else if left.is_complete() && right.is_complete() {
                                ReconciliationStatus::Differs
                            } else {
                                ReconciliationStatus::Partial
                            }
                        }
                    };
                    if status == ReconciliationStatus::Agrees && !asked.include_agreeing {
                        continue;
                    }
                    let row = ReconciliationRow {
                        rule: rule.id.to_string(),
                        area: area.to_string(),
                        period: period.to_string(),
                        left: Some(left.figure),
                        right: Some(right.figure),
                        difference: difference.map(|it| rounded(&it, version.decimals, version.rounding)),
                        status: status.into(),
                    };
                    of_rule.push((index, row));
                }
            }
            of_rule.sort_by(|(a_index, a), (b_index, b)| (&a.area, a_index).cmp(&(&b.area, b_index)));
            rows.extend(of_rule.into_iter().map(|(_, row)| row));
        }
        rows
    }

    fn side(&self, side: &ReconciliationSide, area: &AreaCode, period: Period) -> Found<'_> {
        let series = Series::new(self, &side.indicator, &Breakdown::default(), None, Roll::Then);
        let group = Group { series: &series, areas: vec![area.clone()], periods: vec![period] };
        group.figure(side.agency.as_ref())
    }
}

fn absolute(number: &Number) -> Number {
    if *number < whole(0) { -number } else { number.clone() }
}
