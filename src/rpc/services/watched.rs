//! What can be watched: a picture, and the answer to a query.

use super::watch::{Difference, Received, Watch};
use crate::model::period::Period;
use crate::rpc::{convert, number, proto};

/// Between the texts of a key: before every character that they may have, so that keys are in the order of their texts.
const BETWEEN: &str = "\0";

impl Watch for proto::WatchPictureRequest {
    type Read = proto::GetPictureRequest;
    type Row = proto::PictureRow;
    type Message = proto::WatchPictureResponse;

    const FIELD: &'static str = "picture";

    fn into_read(self) -> (Self::Read, Received) {
        let at = self.after_time.as_ref().map(convert::instant);
        (self.picture.unwrap_or_default(), Received { revision: self.after_revision, at })
    }

    fn rows(answer: proto::GetPictureResponse) -> Vec<proto::PictureRow> {
        answer.rows
    }

    /// The indicator.
    fn key(row: &proto::PictureRow) -> String {
        row.indicator.as_ref().map(|it| it.id.clone()).unwrap_or_default()
    }

    fn message(read: &Self::Read, difference: Difference<Self::Row>) -> Self::Message {
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
    type Row = proto::AggregateRow;
    type Message = proto::WatchAggregateResponse;

    const FIELD: &'static str = "query";

    fn into_read(self) -> (Self::Read, Received) {
        let at = self.after_time.as_ref().map(convert::instant);
        (self.query.unwrap_or_default(), Received { revision: self.after_revision, at })
    }

    fn rows(answer: proto::QueryAggregateResponse) -> Vec<proto::AggregateRow> {
        answer.rows
    }

    /// Indicator, area, agency, period and category, each by its text.
    fn key(row: &proto::AggregateRow) -> String {
        let proto::AggregateRow { indicator, area, agency, period, category, .. } = row;
        [indicator, area, agency, period, category].map(String::as_str).join(BETWEEN)
    }

    fn message(_: &Self::Read, difference: Difference<Self::Row>) -> Self::Message {
        let removed = |key: String| {
            let mut texts = key.split(BETWEEN).map(str::to_owned);
            let mut next = || texts.next().unwrap_or_default();
            proto::AggregateRow {
                indicator: next(),
                area: next(),
                agency: next(),
                period: next(),
                category: next(),
                ..proto::AggregateRow::default()
            }
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
