//! An answer as both the service and the model show it, so that the two can be held side by side.

use std::collections::BTreeSet;

use conspectus::model::id::{AgencyId, AreaCode};
use conspectus::model::marker::Marker;
use conspectus::picture::accumulator::MISSING_NAMED_MAX;
use conspectus::picture::answer::{AggregateRow, PictureRow};
use conspectus::picture::change::Change;
use conspectus::picture::figure::Figure;
use conspectus::state::view::View;

pub(crate) type Markers = BTreeSet<Marker>;

/// A row of an answer: its key and its figure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Indicator, area, agency and period; a dash for what is combined.
    pub(crate) key: String,
    pub(crate) figure: CanonicalFigure,
    pub(crate) change: Option<CanonicalChange>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CanonicalFigure {
    /// The rounded value, or the name of the gap.
    pub(crate) value: String,
    /// The exact value, as a fraction in lowest terms.
    pub(crate) exact: Option<String>,
    /// The numerator and the denominator.
    pub(crate) fraction: Option<(String, String)>,
    /// How well the numerator is known.
    pub(crate) numerator_basis: Option<String>,
    pub(crate) markers: Markers,
    pub(crate) sample: bool,
    pub(crate) expected: usize,
    pub(crate) reported: usize,
    pub(crate) late: usize,
    pub(crate) not_available: usize,
    pub(crate) imputed: usize,
    pub(crate) complete: bool,
    /// In order. Nothing stands in it twice.
    pub(crate) missing: Vec<CanonicalMissing>,
    pub(crate) as_at: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CanonicalMissing {
    pub(crate) agency: AgencyId,
    pub(crate) area: AreaCode,
    pub(crate) period: String,
    pub(crate) reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CanonicalChange {
    pub(crate) from: Option<(String, CanonicalFigure)>,
    pub(crate) unit: String,
    pub(crate) difference: Option<String>,
    pub(crate) percent: Option<String>,
    pub(crate) gap: Option<String>,
    pub(crate) partial: bool,
}

impl CanonicalFigure {
    /// The model names all that are missing, the service the first of them: above the cap none is compared.
    pub(crate) fn without_missing_above_cap(mut self) -> Self {
        if self.expected - self.reported >= MISSING_NAMED_MAX {
            self.missing.clear();
        }
        self.missing.sort();
        self
    }

    fn of(view: View<'_>, figure: &Figure) -> Self {
        let missing = figure.missing.iter().map(|it| CanonicalMissing {
            agency: view.catalogue.agency_at(it.agency).id.clone(),
            area: view.catalogue.area_at(it.area).code.clone(),
            period: it.period.to_string(),
            reason: format!("{:?}", it.reason),
        });
        let canonical = Self {
            value: figure.value.as_ref().map_or_else(|gap| format!("{gap:?}"), |value| value.rounded.to_string()),
            exact: figure.value.as_ref().ok().map(|value| format!("{:?}", value.exact)),
            fraction: figure.fraction.map(|(number, weight)| (number.to_string(), weight.to_string())),
            numerator_basis: figure.numerator_basis.map(|basis| format!("{basis:?}")),
            markers: figure.markers.iter().collect(),
            sample: figure.sample,
            expected: figure.coverage.expected,
            reported: figure.coverage.reported,
            late: figure.coverage.late,
            not_available: figure.coverage.not_available,
            imputed: figure.coverage.imputed,
            complete: figure.complete,
            missing: missing.collect(),
            as_at: figure.as_at.map(|period| period.to_string()),
        };
        assert!(figure.missing.len() <= MISSING_NAMED_MAX);
        canonical.without_missing_above_cap()
    }
}

impl CanonicalChange {
    fn of(view: View<'_>, change: &Change) -> Self {
        Self {
            from: change.from.as_ref().map(|(period, figure)| (period.to_string(), CanonicalFigure::of(view, figure))),
            unit: format!("{:?}", change.unit),
            difference: change.difference.map(|it| it.to_string()),
            percent: change.percent.map(|it| it.to_string()),
            gap: change.gap.map(|it| format!("{it:?}")),
            partial: change.partial,
        }
    }
}

fn row(view: View<'_>, key: [&dyn std::fmt::Display; 4], figure: &Figure, change: Option<&Change>) -> Row {
    Row {
        key: format!("{} {} {} {}", key[0], key[1], key[2], key[3]),
        figure: CanonicalFigure::of(view, figure),
        change: change.map(|change| CanonicalChange::of(view, change)),
    }
}

/// The service's picture.
pub(crate) fn picture(view: View<'_>, picture: &[PictureRow]) -> Vec<Row> {
    let mut rows = Vec::new();
    for it in picture {
        let indicator = &view.catalogue.indicator_at(it.indicator).newest().id;
        for cell in &it.cells {
            let agency = &view.catalogue.agency_at(cell.agency).id;
            rows.push(row(view, [indicator, &"-", agency, &"-"], &cell.figure, cell.change.as_deref()));
        }
        rows.push(row(view, [indicator, &"-", &"-", &"-"], &it.combined, it.change.as_deref()));
    }
    rows
}

/// The service's rows.
pub(crate) fn aggregate(view: View<'_>, rows: &[AggregateRow]) -> Vec<Row> {
    let dash = || "-".to_owned();
    let rows = rows.iter().map(|it| {
        let indicator = &view.catalogue.indicator_at(it.indicator).newest().id;
        let area = it.area.map_or_else(dash, |ix| view.catalogue.area_at(ix).code.to_string());
        let agency = it.agency.map_or_else(dash, |ix| view.catalogue.agency_at(ix).id.to_string());
        let period = it.period.map_or_else(dash, |period| period.to_string());
        row(view, [indicator, &area, &agency, &period], &it.figure, it.change.as_deref())
    });
    rows.collect()
}
