//! Which figures are expected.

use std::collections::{BTreeMap, BTreeSet};

use tonic::Status;

use super::service::Transport;
use crate::rpc::client::picture_service_client::PictureServiceClient;
use crate::rpc::proto::{GetCompletenessRequest, GetCompletenessResponse, PeriodMismatch};

/// Every slot of a question, and the rates, which are the same on every page.
///
/// # Errors
/// The service's refusal.
pub(crate) async fn of_area<T: Transport>(
    client: &mut PictureServiceClient<T>,
    request: GetCompletenessRequest,
) -> Result<GetCompletenessResponse, Status> {
    let (mut answer, mut page_token) = (GetCompletenessResponse::default(), String::new());
    loop {
        let request = GetCompletenessRequest { page_token, ..request.clone() };
        let page = client.get_completeness(request).await?.into_inner();
        answer.revision = page.revision;
        answer.as_of = page.as_of;
        answer.rates = page.rates;
        answer.period_mismatches = page.period_mismatches;
        answer.slots.extend(page.slots);
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(answer);
        }
    }
}

/// The slots of several areas, at the instant of the first, by indicator, area, due day and period. A county's answer has
/// the slots of its districts too: each comes once. There are no rates.
///
/// # Errors
/// The service's refusal.
pub(crate) async fn of_areas<T: Transport>(
    client: &mut PictureServiceClient<T>,
    areas: impl IntoIterator<Item = &String>,
    request: &GetCompletenessRequest,
) -> Result<GetCompletenessResponse, Status> {
    let areas: BTreeSet<&String> = areas.into_iter().collect();
    let is_newest = request.as_of_revision == 0;
    let (mut slots, mut mismatches) = (BTreeMap::new(), BTreeMap::new());
    let mut newest = GetCompletenessResponse { as_of: request.as_of_time, ..GetCompletenessResponse::default() };
    for area in areas {
        let request = GetCompletenessRequest {
            area: area.clone(),
            as_of_time: newest.as_of.filter(|_| is_newest),
            ..request.clone()
        };
        let answer = of_area(client, request).await?;
        (newest.revision, newest.as_of) = (answer.revision, answer.as_of);
        slots.extend(answer.slots.into_iter().map(|slot| {
            let of = (slot.indicator.clone(), slot.area.clone(), slot.due.clone(), slot.period.clone());
            ((of, slot.agency.clone()), slot)
        }));
        let mismatch = |it: PeriodMismatch| ((it.indicator.clone(), it.period.clone()), it);
        mismatches.extend(answer.period_mismatches.into_iter().map(mismatch));
    }
    let (slots, period_mismatches) = (slots.into_values().collect(), mismatches.into_values().collect());
    Ok(GetCompletenessResponse { slots, period_mismatches, ..newest })
}
