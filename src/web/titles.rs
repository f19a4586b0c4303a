//! What the ids in an answer are called.

use std::collections::BTreeMap;

use tonic::Status;

use super::visitor::Visitor;
use crate::rpc::proto::{CategoryRef, Observation};
use crate::submitting::catalogue;
use crate::tables::breakdown;

/// The newest titles of indicators, and the names of areas and agencies.
#[derive(Debug, Default)]
pub(super) struct Titles {
    pub(super) indicators: BTreeMap<String, String>,
    pub(super) areas: BTreeMap<String, String>,
    pub(super) agencies: BTreeMap<String, String>,
}

impl Titles {
    /// Those of the catalogue.
    pub(super) async fn read(visitor: &Visitor) -> Result<Self, Status> {
        let mut client = visitor.calls.catalogue();
        let indicators = catalogue::indicators(&mut client, 0).await?.into_iter().map(|it| (it.id, it.title)).collect();
        let areas = catalogue::areas(&mut client, 0).await?.into_iter().map(|it| (it.code, it.name)).collect();
        let agencies = catalogue::agencies(&mut client, 0).await?.into_iter().map(|it| (it.id, it.name)).collect();
        Ok(Self { indicators, areas, agencies })
    }

    /// An indicator's title; its id where it has none.
    pub(super) fn indicator(&self, id: &str) -> String {
        title(&self.indicators, id)
    }

    /// An area's name; its code where it has none.
    pub(super) fn area(&self, code: &str) -> String {
        title(&self.areas, code)
    }

    /// An agency's name; its id where it has none.
    pub(super) fn agency(&self, id: &str) -> String {
        title(&self.agencies, id)
    }

    /// What a figure is of: `Initial contacts, Hampshire, FY2021-22`.
    pub(super) fn figure(&self, figure: &Observation) -> String {
        let Observation { indicator, area, period, breakdown, .. } = figure;
        format!("{}, {}, {period}{}", self.indicator(indicator), self.area(area), after_comma(breakdown))
    }
}

fn title(titles: &BTreeMap<String, String>, id: &str) -> String {
    titles.get(id).filter(|title| !title.is_empty()).map_or_else(|| id.to_owned(), Clone::clone)
}

fn after_comma(categories: &[CategoryRef]) -> String {
    if categories.is_empty() { String::new() } else { format!(", {}", breakdown(categories)) }
}
