//! A file that was uploaded, read as a submission that isn't sent yet.

use std::sync::Arc;

use axum::body::Bytes;

use super::super::refusal::Refusal;
use super::super::shares::Held;
use super::super::visitor::Visitor;
use super::form::Form;
use super::places::Places;
use crate::figures::input::Input;
use crate::rpc::proto::SubmitObservationsRequest;
use crate::submitting::part::PartSize;
use crate::submitting::{CatalogueNames, Selection, Sheet, catalogue};

/// A submission that isn't sent yet.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) sheet: Sheet,
    /// All of it but its id.
    pub(super) request: SubmitObservationsRequest,
}

impl Draft {
    /// Reads a file, when it is its turn.
    ///
    /// # Errors
    /// When the turn doesn't come, or the service can't be asked for names.
    pub(super) async fn read(
        visitor: &Visitor,
        (places, place): (&Places, &Arc<Held>),
        file: Bytes,
        selection: Selection,
        form: &Form,
    ) -> Result<Self, Refusal> {
        let agency = selection.agency.clone();
        let read = move || Sheet::of(&Input::of(&file), &selection, None, PartSize::default(), |_| {});
        let mut sheet = places.work(place, read).await?;
        if sheet.needs_names {
            let mut client = visitor.calls.catalogue();
            let indicators = catalogue::indicators(&mut client, 0).await?;
            let names = CatalogueNames::of(indicators, catalogue::areas(&mut client, 0).await?);
            names.put_into(&mut sheet.reading);
        }
        let request = SubmitObservationsRequest {
            agency,
            observations: sheet.reading.figures.iter().map(|figure| figure.observation.clone()).collect(),
            source: form.source.clone(),
            sample: form.sample,
            reason: form.reason.clone(),
            ..SubmitObservationsRequest::default()
        };
        Ok(Self { sheet, request })
    }

    /// How many figures the file has, where they are more than one submission may have.
    pub(super) fn too_many(&self) -> Option<u64> {
        Some(self.sheet.parts.figures).filter(|_| self.sheet.parts.digests.len() > 1)
    }

    /// Whether the file has no explanation of a figure, so that one may be given on the page.
    pub(super) fn is_unexplained(&self, index: usize) -> bool {
        self.sheet.reading.figures.get(index).is_some_and(|figure| figure.observation.explanation.is_empty())
    }
}
