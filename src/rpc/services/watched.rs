//! What can be watched: a picture, and the answer to a query.

use super::watch::{Difference, Received, Watch};
use crate::model::period::Period;
use crate::rpc::{convert, number, proto};

impl Watch for proto::WatchPictureRequest {
    type Read = proto::GetPictureRequest;
    /// The indicator.
    type Key = String;
    type Row = proto::PictureRow;
    type Message = proto::WatchPictureResponse;

    const FIELD: &'static str = "picture";

    fn into_read(self) -> (Self::Read, Received) {
        let at = self.after_time.as_ref().map(convert::instant);
        (self.picture.unwrap_or_default(), Received { revision: self.after_revision, at })
    }

    fn rows(answer: proto::GetPictureResponse) -> impl Iterator<Item = (String, proto::PictureRow)> {
        let indicator = |row: &proto::PictureRow| row.indicator.as_ref().map(|it| it.id.clone()).unwrap_or_default();
        answer.rows.into_iter().map(move |row| (indicator(&row), row))
    }

    fn message(read: &Self::Read, difference: Difference<String, Self::Row>) -> Self::Message {
        proto::WatchPictureResponse {
            revision: number(difference.of.revision),
            area: read.area.clone(),
            period: read.period.parse::<Period>().map(|period| period.to_string()).unwrap_or_default(),
            snapshot: difference.snapshot,
            rows: difference.changed,
            removed_indicators: difference.gone,
            as_of: Some(convert::timestamp(difference.of.at)),
        }
    }
}

impl Watch for proto::WatchAggregateRequest {
    type Read = proto::QueryAggregateRequest;
    /// Indicator, area, agency, period and category, each by its text.
    type Key = (String, String, String, String, String);
    type Row = proto::AggregateRow;
    type Message = proto::WatchAggregateResponse;

    const FIELD: &'static str = "query";

    fn into_read(self) -> (Self::Read, Received) {
        let at = self.after_time.as_ref().map(convert::instant);
        (self.query.unwrap_or_default(), Received { revision: self.after_revision, at })
    }

    fn rows(answer: proto::QueryAggregateResponse) -> impl Iterator<Item = (Self::Key, proto::AggregateRow)> {
        answer.rows.into_iter().map(|row| {
            let key =
                (row.indicator.clone(), row.area.clone(), row.agency.clone(), row.period.clone(), row.category.clone());
            (key, row)
        })
    }

    fn message(_: &Self::Read, difference: Difference<Self::Key, Self::Row>) -> Self::Message {
        let removed = |(indicator, area, agency, period, category): Self::Key| proto::AggregateRow {
            indicator,
            area,
            agency,
            period,
            category,
            ..proto::AggregateRow::default()
        };
        proto::WatchAggregateResponse {
            revision: number(difference.of.revision),
            snapshot: difference.snapshot,
            rows: difference.changed,
            removed_rows: difference.gone.into_iter().map(removed).collect(),
            as_of: Some(convert::timestamp(difference.of.at)),
        }
    }
}
