//! What ids stand for.

use std::collections::BTreeMap;

use tonic::Status;

use super::lists::Lists;
use super::visitor::Visitor;
use crate::rpc::proto::{Agency, Area, CategoryRef, Indicator, Observation};
use crate::submitting::catalogue;
use crate::tables::breakdown;

/// The newest titles of indicators, and the names of areas and agencies, by their ids.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) indicators: BTreeMap<String, String>,
    pub(super) areas: BTreeMap<String, String>,
    pub(super) agencies: BTreeMap<String, String>,
}

impl Names {
    /// Those of a revision; 0 means the newest.
    pub(super) async fn of(visitor: &Visitor, revision: i64) -> Result<Self, Status> {
        let indicators = catalogue::indicators(&mut visitor.calls.catalogue(), revision).await?;
        let indicators = indicators.into_iter().map(|it| (it.id, it.title)).collect();
        Ok(Self { indicators, ..Self::of_places(visitor, revision).await? })
    }

    /// Those of areas and agencies alone, for an answer that is of one indicator.
    pub(super) async fn of_places(visitor: &Visitor, revision: i64) -> Result<Self, Status> {
        let mut client = visitor.calls.catalogue();
        let areas = catalogue::areas(&mut client, revision).await?;
        Ok(Self::in_lists(&[], &areas, &catalogue::agencies(&mut client, revision).await?))
    }

    /// Those in lists of the catalogue.
    pub(super) fn in_lists(indicators: &[Indicator], areas: &[Area], agencies: &[Agency]) -> Self {
        Self {
            indicators: indicators.iter().map(|it| (it.id.clone(), it.title.clone())).collect(),
            areas: areas.iter().map(|it| (it.code.clone(), it.name.clone())).collect(),
            agencies: agencies.iter().map(|it| (it.id.clone(), it.name.clone())).collect(),
        }
    }

    /// An indicator's title; its id where it has none.
    pub(super) fn indicator(&self, id: &str) -> String {
        name(&self.indicators, id)
    }

    /// An area's name; its code where it has none.
    pub(super) fn area(&self, code: &str) -> String {
        name(&self.areas, code)
    }

    /// An agency's name; its id where it has none.
    pub(super) fn agency(&self, id: &str) -> String {
        name(&self.agencies, id)
    }

    /// What a figure is of: `Initial contacts, Hampshire, FY2021-22`.
    pub(super) fn figure(&self, figure: &Observation) -> String {
        let Observation { indicator, area, period, breakdown, .. } = figure;
        format!("{}, {}, {period}{}", self.indicator(indicator), self.area(area), after_comma(breakdown))
    }
}

impl From<&Lists> for Names {
    fn from(lists: &Lists) -> Self {
        Self::in_lists(&lists.indicators, &lists.areas, &lists.agencies)
    }
}

fn name(names: &BTreeMap<String, String>, id: &str) -> String {
    names.get(id).filter(|name| !name.is_empty()).map_or_else(|| id.to_owned(), Clone::clone)
}

fn after_comma(categories: &[CategoryRef]) -> String {
    if categories.is_empty() { String::new() } else { format!(", {}", breakdown(categories)) }
}
