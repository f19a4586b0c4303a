//! What a request would read: whose figures, and of where, for the permission; and in words, for the
//! audit log.

use crate::access::Agencies;
use crate::rpc::proto;

/// A request that reads.
pub(crate) trait AuditScope {
    /// The areas that it names, in its own texts.
    fn areas(&self) -> Vec<&str>;

    /// Whose figures its answer may rest on.
    fn agencies(&self) -> Agencies<'_>;

    /// What it asks for, in words.
    fn scope(&self) -> String;
}

/// Names an agency, or leaves it to anyone's figures.
fn one(agency: &String) -> Agencies<'_> {
    if agency.is_empty() { Agencies::Any } else { Agencies::Named(std::slice::from_ref(agency)) }
}

fn some(agencies: &[String]) -> Agencies<'_> {
    if agencies.is_empty() { Agencies::Any } else { Agencies::Named(agencies) }
}

fn words<'a>(parts: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let given = parts.into_iter().filter(|(_, text)| !text.is_empty());
    given.map(|(name, text)| format!("{name}={text}")).collect::<Vec<_>>().join(" ")
}

fn span(periods: &[String], range: Option<&proto::PeriodRange>) -> String {
    range.map_or_else(|| periods.join(","), |range| format!("{}..{}", range.first, range.last))
}

impl AuditScope for proto::GetPictureRequest {
    fn areas(&self) -> Vec<&str> {
        vec![&self.area]
    }

    fn agencies(&self) -> Agencies<'_> {
        Agencies::Any
    }

    fn scope(&self) -> String {
        words([("area", self.area.clone()), ("period", self.period.clone()), ("indicators", self.indicators.join(","))])
    }
}

impl AuditScope for proto::QueryAggregateRequest {
    fn areas(&self) -> Vec<&str> {
        self.areas.iter().chain(&self.benchmark_areas).map(String::as_str).collect()
    }

    fn agencies(&self) -> Agencies<'_> {
        // A rate rests on a population too, which is another agency's figure.
        if self.rate { Agencies::Any } else { some(&self.agencies) }
    }

    fn scope(&self) -> String {
        words([
            ("areas", self.areas.join(",")),
            ("periods", span(&self.periods, self.period_range.as_ref())),
            ("indicators", self.indicators.join(",")),
            ("agencies", self.agencies.join(",")),
            ("benchmark", self.benchmark_areas.join(",")),
        ])
    }
}

impl AuditScope for proto::ExplainFigureRequest {
    fn areas(&self) -> Vec<&str> {
        vec![&self.area]
    }

    fn agencies(&self) -> Agencies<'_> {
        one(&self.agency)
    }

    fn scope(&self) -> String {
        words([
            ("area", self.area.clone()),
            ("period", self.period.clone()),
            ("indicator", self.indicator.clone()),
            ("agency", self.agency.clone()),
        ])
    }
}

impl AuditScope for proto::GetHistoryRequest {
    fn areas(&self) -> Vec<&str> {
        vec![&self.area]
    }

    fn agencies(&self) -> Agencies<'_> {
        one(&self.agency)
    }

    fn scope(&self) -> String {
        words([
            ("area", self.area.clone()),
            ("period", self.period.clone()),
            ("indicator", self.indicator.clone()),
            ("agency", self.agency.clone()),
        ])
    }
}

impl AuditScope for proto::GetCompletenessRequest {
    fn areas(&self) -> Vec<&str> {
        vec![&self.area]
    }

    fn agencies(&self) -> Agencies<'_> {
        some(&self.agencies)
    }

    fn scope(&self) -> String {
        words([("area", self.area.clone()), ("periods", span(&self.periods, self.period_range.as_ref()))])
    }
}

impl AuditScope for proto::ReconcileRequest {
    fn areas(&self) -> Vec<&str> {
        self.areas.iter().map(String::as_str).collect()
    }

    fn agencies(&self) -> Agencies<'_> {
        Agencies::Any
    }

    fn scope(&self) -> String {
        words([
            ("areas", self.areas.join(",")),
            ("periods", span(&self.periods, self.period_range.as_ref())),
            ("rules", self.rules.join(",")),
        ])
    }
}
