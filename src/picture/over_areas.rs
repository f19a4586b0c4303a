//! Figures of several areas as sums, by agency.

use std::collections::BTreeSet;
use std::rc::Rc;

use super::accumulator::{Accumulator, ByAgency};
use super::expected::Expected;
use super::overlap;
use super::submitted::Submitted;
use crate::catalogue::{AgencyIx, AreaIx};
use crate::model::period::Period;
use crate::state::view::View;

/// The sums of the figures of some areas for consecutive periods. An agency that has reported for some of the areas has
/// slots for the others too.
pub(super) fn sums(
    view: View<'_>,
    (submitted, expected): (&Submitted<'_>, &Expected<'_>),
    by_area: &[(AreaIx, Rc<ByAgency>)],
    periods: &[Period],
) -> ByAgency {
    let mut sums = ByAgency::of_all(by_area.iter().flat_map(|(_, figures)| figures.agencies()));
    let all = sums.len();
    for (area, figures) in by_area {
        let add = |agency: AgencyIx, sum: &mut Accumulator, figure: Option<&Accumulator>| match figure {
            Some(figure) => sum.add(figure),
            None => {
                for period in expected.together(periods) {
                    expected.add_unreported(sum, agency, *area, *period);
                }
            }
        };
        let few = expected.reporters_within(*area, periods, all);
        let steps = few.as_ref().map_or(all, |few| few.len() + figures.len());
        if view.spend(steps).is_err() {
            return sums;
        }
        match few {
            Some(few) => {
                let concerned: BTreeSet<AgencyIx> = figures.agencies().chain(few).collect();
                for agency in concerned {
                    if let Some(sum) = sums.get_mut(agency) {
                        add(agency, sum, figures.get(agency));
                    }
                }
            }
            None => {
                let mut figures = figures.iter().peekable();
                for (agency, sum) in sums.iter_mut() {
                    let figure = figures.next_if(|(known, _)| *known == agency);
                    add(agency, sum, figure.map(|(_, figure)| figure));
                }
            }
        }
    }
    overlap::withhold(view, submitted.rule(), &mut sums);
    sums
}
