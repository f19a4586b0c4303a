//! Manifests of returns, between the served messages and the domain.

use std::collections::{BTreeMap, BTreeSet};

use crate::entry::ReturnCompletion;
use crate::model::id::{AgencyId, IndicatorId, RequestId, ReturnId};
use crate::model::manifest::{Manifest, PARTS_MAX, Totals};
use crate::model::violation::Violations;
use crate::rpc::proto;

/// The completion that a request asks for, or everything that is wrong with it.
pub(crate) fn completion(request: &proto::CompleteReturnRequest) -> Result<ReturnCompletion, Violations> {
    let mut violations = Violations::default();
    let agency = violations.check("agency", AgencyId::parse(&request.agency));
    let return_id = violations.check("return_id", ReturnId::parse(&request.return_id));
    let manifest = match &request.manifest {
        Some(sent) => Some(manifest(sent, &mut violations)),
        None => {
            violations.add("manifest", "found none; allowed: what the return has");
            None
        }
    };
    let (Some(agency), Some(return_id), Some(manifest)) = (agency, return_id, manifest) else { return Err(violations) };
    violations.into_result(ReturnCompletion { agency, return_id, manifest })
}

fn manifest(sent: &proto::ReturnManifest, violations: &mut Violations) -> Manifest {
    let mut parts = BTreeSet::new();
    if !(1..=PARTS_MAX).contains(&sent.parts.len()) {
        let count = sent.parts.len();
        violations.add("manifest.parts", format_args!("found {count} items; allowed: 1 to {PARTS_MAX}"));
    }
    for (at, part) in sent.parts.iter().enumerate() {
        let field = format!("manifest.parts[{at}]");
        let Some(id) = violations.check(&field, RequestId::parse(part)) else { continue };
        if !parts.insert(id) {
            violations.add(field, format_args!("found `{part}` again; allowed: each once"));
        }
    }
    let figures = violations.check("manifest.figures", count(sent.figures)).unwrap_or_default();
    let mut totals = BTreeMap::new();
    for (at, of) in sent.totals.iter().enumerate() {
        let field = |name| format!("manifest.totals[{at}].{name}");
        let indicator = violations.check(field("indicator"), IndicatorId::parse(&of.indicator));
        let figures = violations.check(field("figures"), count(of.figures));
        let sum = violations.check(field("sum"), of.sum.parse());
        // Of numbers there are no bases.
        let base_sum = if of.base_sum.is_empty() { "0" } else { &of.base_sum };
        let base_sum = violations.check(field("base_sum"), base_sum.parse());
        let (Some(indicator), Some(figures), Some(sum), Some(base_sum)) = (indicator, figures, sum, base_sum) else {
            continue;
        };
        if totals.insert(indicator, Totals { figures, sum, base_sum }).is_some() {
            let id = &of.indicator;
            violations.add(field("indicator"), format_args!("found `{id}` again; allowed: each once"));
        }
    }
    Manifest { parts, figures, totals }
}

fn count(sent: i64) -> Result<u64, String> {
    u64::try_from(sent).map_err(|_| format!("found {sent}; allowed: 0 or more"))
}

/// What a return has, as a message.
pub(crate) fn message(manifest: &Manifest) -> proto::ReturnManifest {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let totals = manifest.totals.iter().map(|(indicator, totals)| proto::ReturnTotals {
        indicator: indicator.to_string(),
        figures: number(totals.figures),
        sum: totals.sum.to_string(),
        base_sum: totals.base_sum.to_string(),
    });
    proto::ReturnManifest {
        parts: manifest.parts.iter().map(ToString::to_string).collect(),
        figures: number(manifest.figures),
        totals: totals.collect(),
    }
}
