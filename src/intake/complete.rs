//! Deciding whether a return is complete: what its sender says that it has is compared with its submissions that stand.
//! Every difference is reported.

use super::admit::{Command, Decision, DecisionOf, Rejection};
use super::basis::Basis;
use crate::entry::{Body, ReturnCompletion};
use crate::journal::ENTRY_BYTES_MAX;
use crate::model::id::IndicatorId;
use crate::model::manifest::{Manifest, Totals};
use crate::model::revision::Revision;
use crate::model::violation::Violations;

impl Command for ReturnCompletion {
    type Effect = ();
    /// The revision at which it was completed before, with the same manifest.
    type Already = Revision;

    fn admit(&self, Basis { state, .. }: &Basis<'_>) -> Result<DecisionOf<Self>, Rejection> {
        let known = state.return_of(&self.agency, &self.return_id).ok_or_else(|| Rejection::NoSuchReturn {
            agency: self.agency.to_string(),
            return_id: self.return_id.to_string(),
        })?;
        if let Some((revision, manifest)) = &known.completed
            && **manifest == self.manifest
        {
            return Ok(Decision::Already(*revision));
        }
        differences(&self.manifest, &known.manifest()).into_result(()).map_err(Rejection::Invalid)?;
        Ok(Decision::Accept(Body::ReturnCompletion(self.clone()), ()))
    }

    /// Completions are rare; at the most it is about this.
    fn queued_bytes(&self) -> usize {
        ENTRY_BYTES_MAX
    }
}

/// How what a sender says differs from what there is.
fn differences(said: &Manifest, there: &Manifest) -> Violations {
    let mut violations = Violations::default();
    if there.parts.is_empty() {
        violations.add("return_id", "the return has no submission that stands");
        return violations;
    }
    for part in said.parts.difference(&there.parts) {
        violations
            .add("manifest.parts", format_args!("found `{part}`, which is no submission of this return that stands"));
    }
    for part in there.parts.difference(&said.parts) {
        violations.add("manifest.parts", format_args!("lacks `{part}`, a submission of this return"));
    }
    if said.figures != there.figures {
        let (said, there) = (said.figures, there.figures);
        violations.add("manifest.figures", format_args!("found {said}; the return's submissions have {there}"));
    }
    let indicators = said.totals.keys().chain(there.totals.keys().filter(|id| !said.totals.contains_key(*id)));
    for indicator in indicators {
        let of = |manifest: &Manifest| manifest.totals.get(indicator).copied();
        compare(indicator, of(said), of(there), &mut violations);
    }
    violations
}

fn compare(indicator: &IndicatorId, said: Option<Totals>, there: Option<Totals>, violations: &mut Violations) {
    let field = format!("manifest.totals[{indicator}]");
    match (said, there) {
        (Some(said), Some(there)) => {
            let pairs = [
                ("figures", said.figures.to_string(), there.figures.to_string()),
                ("sum", said.sum.to_string(), there.sum.to_string()),
                ("base_sum", said.base_sum.to_string(), there.base_sum.to_string()),
            ];
            for (name, said, there) in pairs.into_iter().filter(|(_, said, there)| said != there) {
                let what = format!("found {said}; the figures of the return's submissions come to {there}");
                violations.add(format_args!("{field}.{name}"), what);
            }
        }
        (Some(_), None) => violations.add(field, "the return's submissions have no figure of this indicator"),
        (None, Some(there)) => {
            let count = there.figures;
            violations.add(field, format_args!("is lacking; the return's submissions have {count} of its figures"));
        }
        (None, None) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(parts: &[&str], totals: &[(&str, u64, &str)]) -> Manifest {
        let of = |(id, figures, sum): &(&str, u64, &str)| {
            (
                id.parse().unwrap(),
                Totals { figures: *figures, sum: sum.parse().unwrap(), base_sum: "0".parse().unwrap() },
            )
        };
        Manifest {
            parts: parts.iter().map(|part| part.parse().unwrap()).collect(),
            figures: totals.iter().map(|(_, figures, _)| figures).sum(),
            totals: totals.iter().map(of).collect(),
        }
    }

    #[test]
    fn every_difference_is_reported() {
        let there = manifest(&["a", "b"], &[("x", 2, "5.5"), ("y", 1, "7")]);
        assert_eq!(differences(&there, &there).iter().count(), 0);
        let said = manifest(&["b", "c"], &[("x", 3, "5"), ("z", 1, "7")]);
        let found: Vec<String> =
            differences(&said, &there).iter().map(|it| format!("{}: {}", it.field, it.description)).collect();
        insta::assert_snapshot!(found.join("\n"));
        assert_eq!(differences(&said, &Manifest::default()).iter().count(), 1);
    }
}
