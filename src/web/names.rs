//! What ids stand for, as of the revision of an answer.

use std::collections::BTreeMap;

use tonic::Status;

use super::visitor::Visitor;
use crate::submitting::catalogue;

/// The names of the agencies and areas of the catalogue.
#[derive(Debug, Default)]
pub(super) struct Names {
    agencies: BTreeMap<String, String>,
    areas: BTreeMap<String, String>,
}

impl Names {
    /// Those of a revision; 0 means the newest.
    pub(super) async fn of(visitor: &Visitor, revision: i64) -> Result<Self, Status> {
        let mut client = visitor.calls.catalogue();
        let areas = catalogue::areas(&mut client, revision).await?;
        let agencies = catalogue::agencies(&mut client, revision).await?;
        Ok(Self {
            areas: areas.into_iter().map(|area| (area.code, area.name)).collect(),
            agencies: agencies.into_iter().map(|agency| (agency.id, agency.name)).collect(),
        })
    }

    /// The name of an agency; its id if it isn't known.
    pub(super) fn agency(&self, id: &str) -> String {
        self.agencies.get(id).cloned().unwrap_or_else(|| id.to_owned())
    }

    /// The name of an area; its code if it isn't known.
    pub(super) fn area(&self, code: &str) -> String {
        self.areas.get(code).cloned().unwrap_or_else(|| code.to_owned())
    }
}
