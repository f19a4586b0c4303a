//! What can be watched: a picture, and the answer to a query.

use super::difference::KeyedRows;
use super::read::AnswerInput;
use super::watch::{Received, Watch};
use crate::model::period::Period;
use crate::picture::answer::{self, AggregateRow};
use crate::picture::question::{AggregateQuery, PictureQuery};
use crate::rpc::convert::rows::Rows;
use crate::rpc::page::Position;
use crate::rpc::{convert, number, proto};

/// Between the texts of a key: before every character that they may have, so that keys are in the order of their texts.
const BETWEEN: &str = "\0";

impl Watch for proto::WatchPictureRequest {
    type Read = proto::GetPictureRequest;
    type Message = proto::WatchPictureResponse;

    const FIELD: &'static str = "picture";

    fn into_read(self) -> (Self::Read, Received) {
        let at = self.after_time.as_ref().map(convert::instant);
        (self.picture.unwrap_or_default(), Received { revision: self.after_revision, at })
    }

    /// By indicator.
    fn rows(query: PictureQuery, input: &AnswerInput<'_>) -> KeyedRows {
        let (picture, rows) = (answer::picture(input.view, &query), Rows::of(input.catalogue()));
        let key = |row: &answer::PictureRow| rows.version(row).id.to_string();
        KeyedRows::of(&picture, input, key, |out, row| out.message(5, |out| rows.picture_row(out, row)))
    }

    fn around(read: &Self::Read, of: Position, is_snapshot: bool, gone: Vec<String>) -> [Self::Message; 2] {
        let before = proto::WatchPictureResponse {
            revision: number(of.revision),
            area: read.area.clone(),
            period: read.period.parse::<Period>().map(|period| period.to_string()).unwrap_or_default(),
            snapshot: is_snapshot,
            ..Default::default()
        };
        let as_of = Some(convert::timestamp(of.at));
        [before, proto::WatchPictureResponse { removed_indicators: gone, as_of, ..Default::default() }]
    }
}

impl Watch for proto::WatchAggregateRequest {
    type Read = proto::QueryAggregateRequest;
    type Message = proto::WatchAggregateResponse;

    const FIELD: &'static str = "query";

    fn into_read(self) -> (Self::Read, Received) {
        let at = self.after_time.as_ref().map(convert::instant);
        (self.query.unwrap_or_default(), Received { revision: self.after_revision, at })
    }

    /// By indicator, area, agency, period and category, each by its text.
    fn rows(query: AggregateQuery, input: &AnswerInput<'_>) -> KeyedRows {
        let (answer, rows) = (answer::aggregate(input.view, &query), Rows::of(input.catalogue()));
        let key = |row: &AggregateRow| {
            let [indicator, area, agency] = rows.ids(row);
            let period = row.period.map(|period| period.to_string()).unwrap_or_default();
            key([indicator, area, agency, &period, row.category.as_ref().map_or("", |it| it.as_str())])
        };
        KeyedRows::of(&answer, input, key, |out, row| out.message(3, |out| rows.aggregate_row(out, row)))
    }

    fn around(_: &Self::Read, of: Position, is_snapshot: bool, gone: Vec<String>) -> [Self::Message; 2] {
        let removed = |key: String| {
            let mut texts = key.split(BETWEEN).map(str::to_owned);
            let mut next = || texts.next().unwrap_or_default();
            proto::AggregateRow {
                indicator: next(),
                area: next(),
                agency: next(),
                period: next(),
                category: next(),
                ..Default::default()
            }
        };
        let before = proto::WatchAggregateResponse {
            revision: number(of.revision),
            snapshot: is_snapshot,
            ..Default::default()
        };
        let removed_rows = gone.into_iter().map(removed).collect();
        let as_of = Some(convert::timestamp(of.at));
        [before, proto::WatchAggregateResponse { removed_rows, as_of, ..Default::default() }]
    }
}

fn key(texts: [&str; 5]) -> String {
    texts.join(BETWEEN)
}

#[cfg(test)]
mod tests {
    use super::key;

    #[test]
    fn the_rows_of_a_key_are_in_the_order_of_its_texts() {
        let key = |area, period| key(["", area, "", period, ""]);
        assert!(key("E1", "2023") < key("E10", "2022"));
        assert!(key("E1", "2022") < key("E1", "2023"));
    }
}
