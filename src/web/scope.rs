//! What a visitor is limited to.

use tonic::Status;

use super::visitor::Visitor;
use crate::rpc::proto::{Agency, GetCallerRequest};

/// The sectors and areas that a visitor may see alone; of whoever may see all, none.
#[derive(Debug, Default)]
pub(super) struct Scope {
    sectors: Vec<i32>,
    pub(super) areas: Vec<String>,
}

impl Scope {
    pub(super) async fn of(visitor: &Visitor) -> Result<Self, Status> {
        let caller = visitor.calls.keys().get_caller(GetCallerRequest::default()).await?.into_inner();
        let identity = caller.identity.unwrap_or_default();
        Ok(Self { sectors: identity.sectors, areas: identity.areas })
    }

    /// The ids of the agencies that a question has to name; none where it may be about all.
    pub(super) fn agencies(&self, all: &[Agency]) -> Vec<String> {
        let theirs = all.iter().filter(|agency| self.sectors.contains(&agency.sector));
        theirs.map(|agency| agency.id.clone()).collect()
    }
}
