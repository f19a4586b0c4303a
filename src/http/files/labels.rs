//! What the ids of an answer stand for, read from the catalogue at the revision of the answer.

use tonic::Status;

use crate::http::calls::Calls;
use crate::rpc::proto::{GetDimensionRequest, GetIndicatorRequest};
use crate::submitting::catalogue;
use crate::submitting::service::PAGE;
use crate::tables::Labels;

/// Of what a table shows the names.
#[derive(Debug, Clone)]
pub(crate) enum Names {
    /// Of nothing that its answer doesn't name itself.
    None,
    /// Of areas and agencies.
    Places,
    /// Of these and of all indicators.
    All,
    /// Of these and of some indicators, in each of their versions; and of the categories of a dimension, unless it is empty.
    Indicators { ids: Vec<String>, dimension: String },
}

impl Names {
    /// The names.
    ///
    /// # Errors
    /// When the catalogue can't be read.
    pub(super) async fn read(&self, calls: &Calls, revision: i64) -> Result<Labels, Status> {
        let (mut labels, mut client) = (Labels::default(), calls.catalogue());
        match self {
            Self::None => return Ok(labels),
            Self::Places => {}
            Self::All => {
                let indicators = catalogue::indicators(&mut client, revision).await?;
                indicators.into_iter().for_each(|indicator| labels.add_indicator(indicator));
            }
            Self::Indicators { ids, dimension } => {
                for id in ids {
                    add_versions(calls, revision, id, &mut labels).await?;
                }
                if !dimension.is_empty() {
                    let request = GetDimensionRequest { id: dimension.clone(), as_of_revision: revision };
                    labels.add_categories(
                        client.get_dimension(request).await?.into_inner().dimension.unwrap_or_default(),
                    );
                }
            }
        }
        catalogue::areas(&mut client, revision).await?.into_iter().for_each(|area| labels.add_area(area));
        catalogue::agencies(&mut client, revision).await?.into_iter().for_each(|agency| labels.add_agency(agency));
        Ok(labels)
    }
}

async fn add_versions(calls: &Calls, revision: i64, id: &str, labels: &mut Labels) -> Result<(), Status> {
    let mut page_token = String::new();
    loop {
        let request = GetIndicatorRequest { id: id.to_owned(), as_of_revision: revision, page_size: PAGE, page_token };
        let page = calls.catalogue().get_indicator(request).await?.into_inner();
        page.versions.into_iter().for_each(|version| labels.add_indicator(version));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return Ok(());
        }
    }
}
