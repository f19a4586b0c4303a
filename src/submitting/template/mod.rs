//! A template: a row for each figure that an agency is expected to report, as a workbook to fill in.

mod bounds;
mod content;
mod cover;
mod definitions_sheet;
mod earlier;
mod figures_sheet;
mod lists;
pub(crate) mod rows;
mod sheet;
mod workbook;

use std::collections::{BTreeMap, BTreeSet};

use rust_xlsxwriter::XlsxError;
use tonic::Status;

use super::service::Transport;
use super::{catalogue, expected};
use crate::catalogue::items::Indicator;
use crate::model::id::DimensionId;
use crate::model::period::PeriodError;
use crate::model::submission::OBSERVATIONS_MAX;
use crate::rpc::beside_the_runtime;
use crate::rpc::client::catalogue_service_client::CatalogueServiceClient;
use crate::rpc::client::picture_service_client::PictureServiceClient;
use crate::rpc::client::submission_service_client::SubmissionServiceClient;
use crate::rpc::proto::{
    Agency, Dimension, GetAgencyRequest, GetCompletenessRequest, GetCompletenessResponse, Slot, SlotStatus,
};
use crate::wording::instant::to_the_second;
use content::Content;
use rows::{Row, categories};

/// What a template is of.
#[derive(Debug, Clone, Default)]
pub(crate) struct Question {
    /// The agency, by id.
    pub(crate) agency: String,
    /// Each includes the shorter periods that indicators are reported for.
    pub(crate) periods: Vec<String>,
    /// Only these areas, by code, and the areas within them; all that the agency reports for where there are none.
    pub(crate) areas: Vec<String>,
    /// Only these indicators, by id; all where there are none.
    pub(crate) indicators: Vec<String>,
    /// Only figures that haven't been reported yet.
    pub(crate) missing: bool,
    /// Also a row for each category that a figure may be broken down by.
    pub(crate) breakdowns: bool,
}

/// Why there is no template.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The service refuses to say what is expected.
    #[error("{}", .0.message())]
    Refused(#[from] Status),
    /// It would have more rows than a submission may have figures.
    #[error(
        "found {0} rows; allowed in one submission: at most {OBSERVATIONS_MAX}. Name fewer periods, areas or indicators"
    )]
    TooManyRows(usize),
    /// A period of the service's can't be read.
    #[error(transparent)]
    Period(#[from] PeriodError),
    /// The workbook can't be written.
    #[error(transparent)]
    Workbook(#[from] XlsxError),
}

/// The figures that a template has rows for.
#[derive(Debug)]
pub(crate) struct Expected {
    agency: Agency,
    /// Whether any are expected, reported or not.
    pub(crate) any: bool,
    of: GetCompletenessResponse,
    indicators: BTreeMap<String, Indicator>,
    dimensions: Vec<Dimension>,
    breakdowns: bool,
}

impl Expected {
    /// Asks the service.
    ///
    /// # Errors
    /// Its refusal.
    pub(crate) async fn find<C: Transport, P: Transport>(
        catalogue: &mut CatalogueServiceClient<C>,
        pictures: &mut PictureServiceClient<P>,
        question: &Question,
    ) -> Result<Self, Status> {
        let request = GetAgencyRequest { id: question.agency.clone(), as_of_revision: 0 };
        let agency = catalogue.get_agency(request).await?.into_inner().agency.unwrap_or_default();
        let areas = if question.areas.is_empty() { &agency.areas } else { &question.areas };
        let request = GetCompletenessRequest {
            periods: question.periods.clone(),
            indicators: question.indicators.clone(),
            agencies: vec![question.agency.clone()],
            ..GetCompletenessRequest::default()
        };
        let mut of = expected::of_areas(pictures, areas, &request).await?;
        let any = !of.slots.is_empty();
        of.slots.retain(|slot| !question.missing || is_missing(slot));
        let ids: BTreeSet<&String> = of.slots.iter().map(|slot| &slot.indicator).collect();
        let indicators = catalogue::definitions(catalogue, ids).await?;
        let dimensions = catalogue::dimensions(catalogue, 0).await?;
        Ok(Self { agency, any, of, indicators, dimensions, breakdowns: question.breakdowns })
    }

    /// The rows; none where there is nothing to fill in.
    ///
    /// # Errors
    /// When they are too many.
    pub(crate) fn rows(&self) -> Result<Vec<Row<'_>>, Error> {
        let rows = rows::of(&self.of.slots, &self.indicators, &self.dimensions, self.breakdowns)?;
        if rows.len() > OBSERVATIONS_MAX { Err(Error::TooManyRows(rows.len())) } else { Ok(rows) }
    }

    /// The rows as a workbook, for a file of a name, with what is to be known of it perhaps. Of what was reported before,
    /// it has the agency's own figures.
    ///
    /// # Errors
    /// The service's refusal.
    pub(crate) async fn workbook<C: Transport, S: Transport>(
        &self,
        catalogue: &mut CatalogueServiceClient<C>,
        submissions: &mut SubmissionServiceClient<S>,
        question: &Question,
        rows: &[Row<'_>],
        file: &str,
    ) -> Result<(Vec<u8>, Option<String>), Error> {
        let earlier = earlier::read(submissions, &self.agency.id, rows).await?;
        let areas = catalogue::areas(catalogue, 0).await?;
        let content = Content {
            agency: &self.agency,
            periods: &question.periods,
            made: to_the_second(self.of.as_of.as_ref()),
            revision: self.of.revision,
            rows,
            earlier: &earlier,
            places: &areas.into_iter().map(|it| (it.code, it.name)).collect(),
            categories: allowed_categories(rows, &self.dimensions),
            file: file.to_owned(),
        };
        let bytes = beside_the_runtime(true, || workbook::bytes(&content))?;
        Ok((bytes, earlier.note.clone()))
    }
}

fn is_missing(slot: &Slot) -> bool {
    match slot.status() {
        SlotStatus::Late | SlotStatus::NotDue | SlotStatus::NotAvailable => true,
        SlotStatus::Unspecified | SlotStatus::OnTime | SlotStatus::ReportedLate => false,
    }
}

/// The categories of the dimensions that some row may be broken down by.
fn allowed_categories(rows: &[Row<'_>], dimensions: &[Dimension]) -> Vec<rows::Category> {
    let allowed: BTreeSet<&str> =
        rows.iter().flat_map(|row| &row.definition.dimensions).map(DimensionId::as_str).collect();
    dimensions.iter().filter(|dimension| allowed.contains(dimension.id.as_str())).flat_map(categories).collect()
}
