//! Ten questions that the plain way doesn't answer, each beside a plain one that reads as many figures, and one as of the
//! newest revision. They have indicators of their own, so that nothing else is changed by them.

use bytes::Bytes;
use conspectus::catalogue::CataloguePut;
use conspectus::rpc::proto::{
    self, Comparison, GroupBy, QueryAggregateRequest, QueryAggregateResponse, SubmitObservationsRequest,
    SubmitObservationsResponse,
};
use prost::Message;
use serde_json::{Value, json};

use crate::Failure;
use crate::process::Server;
use crate::wire::{self, Call};
use crate::workload::{AREA_LEVEL, AREAS, BATCH_OBSERVATIONS, BREAKDOWNS, WHOLE, agency, area, category, month};

const AGENCIES: u64 = 8;
/// The months of 2019.
const YEAR: std::ops::Range<u64> = 48..60;
const MONTH: u64 = 53;
const DAY_OF_POPULATION: &str = "2018-06-30";
/// Of so many figures one is missing, where some are.
const MISSING: u64 = 10;

/// A question, and the plain one that it is put beside.
pub(crate) struct Pair {
    pub(crate) key: &'static str,
    pub(crate) label: &'static str,
    pub(crate) asked: QueryAggregateRequest,
    pub(crate) plain: QueryAggregateRequest,
    /// Whether an answer's row shows what the question is about: otherwise something else would be measured.
    shows: fn(&proto::AggregateRow) -> bool,
}

/// Puts the figures that the questions need, and gives the questions.
pub(crate) async fn pairs(server: &Server) -> Result<Vec<Pair>, Failure> {
    let channel = server.channel()?;
    let put = conspectus::rpc::put_request(&catalogue()?, false).encode_to_vec();
    wire::call(&channel, Call::new(wire::PUT_CATALOGUE, put)).await?;
    let mut revisions = Vec::new();
    for requests in [submissions(false), submissions(true)] {
        let mut newest = 0;
        for request in requests {
            let answer = wire::call(&channel, Call::new(wire::SUBMIT, request.encode_to_vec())).await?;
            let receipt = SubmitObservationsResponse::decode(answer)?.receipt;
            newest = receipt.map_or(newest, |receipt| receipt.revision);
        }
        revisions.push(newest);
    }
    let pairs = questions(revisions[0], revisions[1]);
    for pair in &pairs {
        for (request, shows) in [(&pair.asked, pair.shows), (&pair.plain, has_value as _)] {
            let answer: Bytes = wire::call(&channel, Call::new(wire::AGGREGATE, request.encode_to_vec())).await?;
            if !QueryAggregateResponse::decode(answer)?.rows.iter().any(shows) {
                return Err(format!("{}: the answer doesn't show it", pair.label).into());
            }
        }
    }
    Ok(pairs)
}

fn catalogue() -> Result<CataloguePut, Failure> {
    let rate = json!({ "population_indicator": "people", "per": 10_000, "rule": "latest", "decimals": 1 });
    let expected: Vec<_> = (0..AGENCIES).map(|ix| json!({ "agency": agency(ix) })).collect();
    // One agency reports for the whole, too.
    let areas: Vec<_> = (0..AREAS).map(area).chain([WHOLE.to_owned()]).collect();
    let mut people = indicator("people", &Value::Null);
    people["kind"] = "stock".into();
    people["frequency"] = "calendar-year".into();
    Ok(serde_json::from_value(json!({
        "agencies": [{ "id": agency(0), "name": agency(0), "sector": "health", "areas": areas }],
        "indicators": [
            people,
            indicator("plain", &json!({ "rate": rate })),
            indicator("gaps", &Value::Null),
            indicator("other-level", &Value::Null),
            indicator("expected", &json!({ "expected_agencies": expected })),
            indicator("banded", &json!({ "dimensions": ["band"] })),
            indicator("differing", &json!({ "dimensions": ["band"] })),
            indicator("revised", &Value::Null),
        ],
    }))?)
}

fn indicator(id: &str, more: &Value) -> Value {
    let mut it = json!({
        "id": id,
        "title": id,
        "unit": "children",
        "kind": "events",
        "frequency": "month",
        "reporting_level": "upper-tier",
        "across_agencies": "add",
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        it[name] = value.clone();
    }
    it
}

/// One agency's figures: first all of them, and then those that revise.
fn figures(agency: u64, is_revision: bool) -> Vec<proto::Observation> {
    let value = |area: u64, month: u64| (area * 7 + agency * 13 + month * 31) % 5_000 + 100;
    let mut all = Vec::new();
    for area_ix in 0..AREAS {
        let code = area(area_ix);
        let now = value(area_ix, MONTH);
        let mut of = |indicator: &str, period: String, band: u64, value: u64| {
            all.push(observation(indicator, code.clone(), period, band, value));
        };
        if is_revision {
            of("revised", month(MONTH), 0, now + 1);
            continue;
        }
        of("revised", month(MONTH), 0, now);
        for month_ix in YEAR {
            of("plain", month(month_ix), 0, value(area_ix, month_ix));
            if !value(area_ix, month_ix).is_multiple_of(MISSING) {
                of("gaps", month(month_ix), 0, value(area_ix, month_ix));
            }
        }
        if agency == 0 {
            of("people", DAY_OF_POPULATION.to_owned(), 0, 10_000 + now);
        } else {
            of("other-level", month(MONTH), 0, now);
        }
        if !now.is_multiple_of(MISSING) {
            of("expected", month(MONTH), 0, now);
        }
        for (indicator, more) in [("banded", 0), ("differing", 1)] {
            of(indicator, month(MONTH), 0, (BREAKDOWNS - 1) * now + more);
            for band in 1..BREAKDOWNS {
                of(indicator, month(MONTH), band, now);
            }
        }
    }
    if agency == 0 && !is_revision {
        all.push(observation("other-level", WHOLE.to_owned(), month(MONTH), 0, 123_456));
    }
    all
}

fn observation(indicator: &str, area: String, period: String, band: u64, value: u64) -> proto::Observation {
    let breakdown = (band > 0).then(|| proto::CategoryRef { dimension: "band".to_owned(), category: category(band) });
    proto::Observation {
        indicator: indicator.to_owned(),
        area,
        period,
        breakdown: breakdown.into_iter().collect(),
        measure: Some(proto::observation::Measure::Number(value.to_string())),
        ..proto::Observation::default()
    }
}

fn submissions(is_revision: bool) -> Vec<SubmitObservationsRequest> {
    let of_agency = |ix: u64| {
        let figures = figures(ix, is_revision);
        let parts: Vec<_> = figures.chunks(BATCH_OBSERVATIONS).map(<[_]>::to_vec).collect();
        (0..).zip(parts).map(move |(number, observations)| SubmitObservationsRequest {
            agency: agency(ix),
            request_id: format!("not-plain-{is_revision}-{number}"),
            observations,
            ..SubmitObservationsRequest::default()
        })
    };
    (0..AGENCIES).flat_map(of_agency).collect()
}

fn has_value(row: &proto::AggregateRow) -> bool {
    row.figure.as_ref().is_some_and(|figure| figure.value.is_some())
}

fn questions(before: i64, newest: i64) -> Vec<Pair> {
    let of = |indicator: &str, periods: Vec<String>| QueryAggregateRequest {
        indicators: vec![indicator.to_owned()],
        areas: vec![WHOLE.to_owned()],
        area_level: AREA_LEVEL.into(),
        periods,
        group_by: vec![GroupBy::Area.into()],
        page_size: 10_000,
        ..QueryAggregateRequest::default()
    };
    let now = || vec![month(MONTH)];
    let by_agency = |indicator: &str| QueryAggregateRequest {
        area_level: 0,
        group_by: vec![GroupBy::Agency.into()],
        ..of(indicator, now())
    };
    let plain = || of("plain", now());
    // As many cells as a month with its breakdowns.
    let eight = || YEAR.take(8).map(month).collect();
    let eight_apart =
        QueryAggregateRequest { group_by: vec![GroupBy::Area.into(), GroupBy::Period.into()], ..of("plain", eight()) };
    let pair = |key, label, asked, plain, shows| Pair { key, label, asked, plain, shows };
    vec![
        pair("other_level", "a figure at another level", by_agency("other-level"), by_agency("plain"), |row| {
            row.figure.as_ref().is_some_and(|figure| figure.value.as_deref() == Some("123456"))
        }),
        pair("expected", "expected agencies", of("expected", now()), plain(), |row| {
            let coverage = row.figure.as_ref().and_then(|figure| figure.coverage.as_ref());
            coverage.is_some_and(|coverage| !coverage.missing.is_empty())
        }),
        pair(
            "breakdowns",
            "breakdowns",
            QueryAggregateRequest { by_dimension: "band".to_owned(), ..of("banded", now()) },
            eight_apart,
            |row| !row.category.is_empty(),
        ),
        pair("rates", "rates", QueryAggregateRequest { rate: true, ..plain() }, plain(), |row| {
            row.rate.as_ref().is_some_and(|rate| rate.value.is_some())
        }),
        pair("ranks", "ranks", QueryAggregateRequest { rank: true, ..plain() }, plain(), |row| {
            row.rank.as_ref().is_some_and(|rank| rank.rank > 0)
        }),
        pair("shares", "shares", QueryAggregateRequest { share: true, ..plain() }, plain(), |row| {
            row.share.as_ref().is_some_and(|share| share.percent.is_some())
        }),
        pair("discrepancies", "discrepancies", of("differing", now()), of("plain", eight()), |row| {
            row.figure.as_ref().is_some_and(|figure| !figure.discrepancies.is_empty())
        }),
        pair(
            "as_of_old",
            "as of an old revision",
            QueryAggregateRequest { as_of_revision: before, ..of("revised", now()) },
            of("revised", now()),
            has_value,
        ),
        pair(
            "gap",
            "a year over its months, with a gap",
            of("gaps", vec!["CY2019".to_owned()]),
            of("plain", vec!["CY2019".to_owned()]),
            has_value,
        ),
        pair(
            "comparison",
            "a comparison",
            QueryAggregateRequest { comparison: Comparison::PreviousPeriod.into(), ..plain() },
            of("plain", vec![month(MONTH - 1), month(MONTH)]),
            |row| row.change.is_some(),
        ),
        pair(
            "as_of_newest",
            "as of the newest revision",
            QueryAggregateRequest { as_of_revision: newest, ..of("revised", now()) },
            of("revised", now()),
            has_value,
        ),
    ]
}
