//! What is asked of what is due, as the address has it.

use serde::Deserialize;
use tonic::Status;

use super::super::question::{Address, AsOf};
use crate::model::violation::Violations;
use crate::rpc::proto::GetCompletenessRequest;
use crate::rpc::{REQUEST_BYTES_MAX, invalid};

/// What is asked for.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    /// The agency, by id; empty for all.
    #[serde(default)]
    pub(super) agency: String,
    /// The area, by code; empty for all that the agency reports for.
    #[serde(default)]
    pub(super) area: String,
    /// Indicators, by id, with commas between; empty for all.
    #[serde(default)]
    pub(super) indicator: String,
    /// Periods, with commas between; empty for what is late, and what is due next.
    #[serde(default)]
    pub(super) period: String,
    /// How many days ahead is looked; empty for a quarter of a year.
    #[serde(default)]
    pub(super) within: String,
    #[serde(default)]
    pub(super) as_of_revision: String,
    #[serde(default)]
    pub(super) as_of: String,
    /// Of a template: only what isn't reported yet.
    #[serde(default)]
    pub(super) missing: String,
    /// Of a template: a row for each category, too.
    #[serde(default)]
    pub(super) breakdowns: String,
}

/// The items of a list with commas between.
pub(super) fn listed(text: &str) -> Vec<String> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

impl Question {
    /// The question to the service, without areas and periods.
    ///
    /// # Errors
    /// Every parameter that can't be read.
    pub(super) fn request(&self) -> Result<GetCompletenessRequest, Status> {
        let mut problems = Violations::default();
        let as_of = AsOf::read(&self.as_of_revision, &self.as_of, &mut problems);
        let due_within_days = match self.within.trim() {
            "" => 0,
            text => text.parse().ok().filter(|days: &i32| *days > 0).unwrap_or_else(|| {
                problems.add("within", format_args!("found `{text}`; allowed: a number of days, 1 to 366"));
                0
            }),
        };
        if !problems.is_empty() {
            return Err(invalid(&problems, REQUEST_BYTES_MAX));
        }
        Ok(GetCompletenessRequest {
            indicators: listed(&self.indicator),
            agencies: listed(&self.agency),
            as_of_revision: as_of.revision,
            as_of_time: as_of.time,
            due_within_days,
            ..GetCompletenessRequest::default()
        })
    }

    /// The same question at another path.
    pub(super) fn here(&self, path: &'static str) -> Address {
        self.whose(path)
            .with("period", &self.period)
            .with("within", &self.within)
            .with("as_of_revision", &self.as_of_revision)
            .with("as_of", &self.as_of)
    }

    /// A path with whose figures are asked about.
    pub(super) fn whose(&self, path: &'static str) -> Address {
        Address::of(path).with("agency", &self.agency).with("area", &self.area).with("indicator", &self.indicator)
    }
}

#[cfg(test)]
mod tests {
    use tonic_types::StatusExt as _;

    use super::*;

    #[test]
    fn every_parameter_that_cant_be_read_is_reported() {
        let question = Question {
            as_of: "2022-09-30".to_owned(),
            within: "-1".to_owned(),
            as_of_revision: "x".to_owned(),
            ..Question::default()
        };
        let found = question.request().unwrap_err().get_details_bad_request().unwrap().field_violations;
        let fields: Vec<&str> = found.iter().map(|it| it.field.as_str()).collect();
        assert_eq!(fields, ["as_of_revision", "as_of", "within"]);
    }
}
