//! The data of every measurement: (indicator of 200, agency of 40, area of 150, month of 120,
//! breakdown of up to 8) → value, a fifth of the indicators with a denominator.
//!
//! Everything follows from a seed and the number of observations asked for. Indicator `i` has
//! `1 + i % 8` breakdowns, the total one of them; its figures are spread evenly over them.

use std::collections::HashMap;

use bytes::Bytes;
use conspectus::catalogue::CataloguePut;
use conspectus::rpc::proto;
use prost::Message;
use serde_json::json;

/// The whole of the areas.
pub(crate) const WHOLE: &str = "WHOLE";
/// Where all areas but the whole are.
pub(crate) const AREA_LEVEL: proto::AreaLevel = proto::AreaLevel::UpperTier;
/// How many observations a large submission has.
pub(crate) const BATCH_OBSERVATIONS: usize = 1_000;

const INDICATORS: u64 = 200;
/// How many agencies there are.
pub(crate) const AGENCIES: u64 = 40;
/// How many areas there are in the whole.
pub(crate) const AREAS: u64 = 150;
const MONTHS: u64 = 120;
/// How many breakdowns an indicator has at the most, the total one of them.
pub(crate) const BREAKDOWNS: u64 = 8;
const FIRST_YEAR: u64 = 2015;
/// Figures of one indicator, agency and month are this far apart, around all areas and breakdowns:
/// a prime that divides none of their counts, so that none comes twice.
const STRIDE: u64 = 7_919;

/// An indicator's id.
pub(crate) fn indicator(ix: u64) -> String {
    format!("indicator-{ix:03}")
}

/// An agency's id.
pub(crate) fn agency(ix: u64) -> String {
    format!("agency-{ix:02}")
}

/// An area's code.
pub(crate) fn area(ix: u64) -> String {
    format!("E{ix:08}")
}

/// A month.
pub(crate) fn month(ix: u64) -> String {
    format!("{}-{:02}", FIRST_YEAR + ix / 12, ix % 12 + 1)
}

fn is_ratio(indicator: u64) -> bool {
    indicator.is_multiple_of(5)
}

fn breakdown_count(indicator: u64) -> u64 {
    1 + indicator % BREAKDOWNS
}

/// A number from others, that looks like chance (splitmix64).
fn mix(seed: u64, number: u64) -> u64 {
    let mut z = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The catalogue that the data needs. Nobody is expected to report: as in the comparisons, what
/// comes is what there is.
pub(crate) fn catalogue() -> Result<CataloguePut, serde_json::Error> {
    let named = |id: String| json!({ "id": id, "title": id });
    let areas = (0..AREAS)
        .map(|ix| json!({ "code": area(ix), "name": area(ix), "level": "upper-tier", "parents": [{ "code": WHOLE }] }))
        .chain([json!({ "code": WHOLE, "name": "All areas", "level": "country" })]);
    let all_areas: Vec<_> = (0..AREAS).map(area).collect();
    let agencies =
        (0..AGENCIES).map(|ix| json!({ "id": agency(ix), "name": agency(ix), "sector": "health", "areas": all_areas }));
    let categories = (1..BREAKDOWNS).map(|ix| named(category(ix)));
    let indicators = (0..INDICATORS).map(|ix| {
        json!({
            "id": indicator(ix),
            "title": indicator(ix),
            "unit": "children",
            "kind": if is_ratio(ix) { "ratio" } else { "events" },
            "decimals": u64::from(is_ratio(ix)),
            "frequency": "month",
            "reporting_level": "upper-tier",
            "across_agencies": "add",
            "dimensions": if breakdown_count(ix) > 1 { vec!["band"] } else { Vec::new() },
        })
    });
    serde_json::from_value(json!({
        "areas": areas.collect::<Vec<_>>(),
        "agencies": agencies.collect::<Vec<_>>(),
        "dimensions": [{ "id": "band", "title": "Band", "categories": categories.collect::<Vec<_>>() }],
        "indicators": indicators.collect::<Vec<_>>(),
    }))
}

/// A category of the one dimension, from 1; 0 is the total.
pub(crate) fn category(ix: u64) -> String {
    format!("band-{ix}")
}

/// Figures, from a seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Workload {
    /// How many observations, within a hundredth.
    pub(crate) observations: u64,
    /// Other seeds give other figures.
    pub(crate) seed: u64,
}

#[derive(Debug, Clone, Copy)]
struct Cell {
    indicator: u64,
    area: u64,
    month: u64,
    /// 0 is the total.
    breakdown: u64,
    /// What the value is made from.
    chance: u64,
}

impl Workload {
    /// Every observation once, in submissions of [`BATCH_OBSERVATIONS`] (an agency's last may be
    /// smaller), by month as they would come, the agencies taking turns.
    pub(crate) fn batches(self) -> impl Iterator<Item = proto::SubmitObservationsRequest> {
        let mut agencies: Vec<_> = (0..AGENCIES).map(|ix| (ix, self.of_agency(ix).peekable(), 0_u64)).collect();
        std::iter::from_fn(move || {
            let round = agencies.iter_mut().filter_map(|(agency, cells, count)| {
                cells.peek()?;
                *count += 1;
                Some(request(*agency, format!("batch-{count}"), cells.take(BATCH_OBSERVATIONS)))
            });
            let round: Vec<_> = round.collect();
            (!round.is_empty()).then_some(round)
        })
        .flatten()
    }

    fn of_agency(self, agency: u64) -> impl Iterator<Item = Cell> {
        let groups = INDICATORS * AGENCIES * MONTHS;
        (0..MONTHS).flat_map(move |month| {
            (0..INDICATORS).flat_map(move |indicator| {
                let group = (month * AGENCIES + agency) * INDICATORS + indicator;
                let chance = mix(self.seed, group);
                let count = self.observations / groups + u64::from(chance % groups < self.observations % groups);
                (0..count).map(move |nth| self.cell(indicator, month, chance.wrapping_add(nth * STRIDE)))
            })
        })
    }

    fn cell(self, indicator: u64, month: u64, chance: u64) -> Cell {
        let cell = chance % (AREAS * breakdown_count(indicator));
        Cell { indicator, area: cell % AREAS, month, breakdown: cell / AREAS, chance: mix(!self.seed, chance) }
    }

    /// A submission of one observation, in a random cell. Each number gives another.
    pub(crate) fn single(self, number: u64) -> proto::SubmitObservationsRequest {
        let chance = mix(self.seed, number.wrapping_add(1 << 40));
        let next = |n: u64| mix(chance, n);
        let cell = self.cell(next(0) % INDICATORS, next(1) % MONTHS, next(2) >> 8);
        request(next(3) % AGENCIES, format!("single-{number}"), std::iter::once(cell))
    }
}

fn request(agency_ix: u64, request_id: String, cells: impl Iterator<Item = Cell>) -> proto::SubmitObservationsRequest {
    proto::SubmitObservationsRequest {
        agency: agency(agency_ix),
        request_id,
        observations: cells.map(observation).collect(),
        ..proto::SubmitObservationsRequest::default()
    }
}

fn observation(cell: Cell) -> proto::Observation {
    let text = |number: u64| number.to_string();
    let measure = if is_ratio(cell.indicator) {
        let denominator = 50 + cell.chance % 950;
        let numerator = (cell.chance >> 20) % (denominator + 1);
        proto::observation::Measure::Ratio(proto::Ratio { numerator: text(numerator), denominator: text(denominator) })
    } else {
        proto::observation::Measure::Number(text(cell.chance % 5_000))
    };
    let breakdown = (cell.breakdown > 0)
        .then(|| proto::CategoryRef { dimension: "band".to_owned(), category: category(cell.breakdown) });
    proto::Observation {
        indicator: indicator(cell.indicator),
        area: area(cell.area),
        period: month(cell.month),
        breakdown: breakdown.into_iter().collect(),
        measure: Some(measure),
        ..proto::Observation::default()
    }
}

/// Requests as columns; the dictionaries grow from one to the next, as in a stream.
#[derive(Default)]
pub(crate) struct Packer {
    indicators: HashMap<String, u32>,
    areas: HashMap<String, u32>,
    periods: HashMap<String, u32>,
    breakdowns: HashMap<String, u32>,
}

impl Packer {
    /// The same request as columns.
    pub(crate) fn pack(&mut self, request: &proto::SubmitObservationsRequest) -> proto::SubmitObservationsRequest {
        let mut columns = proto::FigureColumns::default();
        for observation in &request.observations {
            let breakdown: Vec<_> =
                observation.breakdown.iter().map(|it| format!("{}={}", it.dimension, it.category)).collect();
            let index_of = |known: &mut HashMap<String, u32>, texts: &mut Vec<String>, text: &str| {
                let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
                *known.entry(text.to_owned()).or_insert_with(|| {
                    texts.push(text.to_owned());
                    next
                })
            };
            columns.indicator.push(index_of(&mut self.indicators, &mut columns.indicators, &observation.indicator));
            columns.area.push(index_of(&mut self.areas, &mut columns.areas, &observation.area));
            columns.period.push(index_of(&mut self.periods, &mut columns.periods, &observation.period));
            columns.breakdown.push(index_of(&mut self.breakdowns, &mut columns.breakdowns, &breakdown.join(";")));
            let digits = |text: &str| text.parse::<i64>().unwrap_or(0);
            let (form, first, second) = match &observation.measure {
                Some(proto::observation::Measure::Ratio(ratio)) => {
                    (proto::ValueForm::Ratio, digits(&ratio.numerator), digits(&ratio.denominator))
                }
                Some(proto::observation::Measure::Number(number)) => (proto::ValueForm::Number, digits(number), 0),
                Some(proto::observation::Measure::Percentage(_) | proto::observation::Measure::Mean(_)) | None => {
                    (proto::ValueForm::None, 0, 0) // The workload has none.
                }
            };
            columns.form.push(form.into());
            columns.digits.push(first);
            columns.base_digits.push(second);
        }
        proto::SubmitObservationsRequest { observations: Vec::new(), columns: Some(columns), ..request.clone() }
    }
}

/// The questions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// One indicator, one month, by area.
    Q1,
    /// One indicator, all months together, by agency.
    Q2,
    /// The whole picture: every indicator by every agency for a month, and the month before.
    Q3,
    /// A year of one ratio, over all areas and agencies.
    Q4,
}

impl Question {
    /// All of them.
    pub(crate) const ALL: [Self; 4] = [Self::Q1, Self::Q2, Self::Q3, Self::Q4];

    /// What its figures' keys begin with.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Q1 => "q1",
            Self::Q2 => "q2",
            Self::Q3 => "q3",
            Self::Q4 => "q4",
        }
    }

    /// The request, as it goes over the wire. Each number asks of another indicator or month: of one
    /// that has figures for totals alone, so that every figure of the month is touched.
    pub(crate) fn request(self, number: u64) -> Bytes {
        match self {
            Self::Q3 => picture(number).encode_to_vec().into(),
            Self::Q1 | Self::Q2 | Self::Q4 => self.aggregate(number).encode_to_vec().into(),
        }
    }

    /// The request of all but [`Self::Q3`].
    pub(crate) fn aggregate(self, number: u64) -> proto::QueryAggregateRequest {
        // Multiples of 8 have totals alone; of those, multiples of 40 are ratios.
        let of = |indicator: u64, group: &[proto::GroupBy]| proto::QueryAggregateRequest {
            indicators: vec![self::indicator(indicator)],
            areas: vec![WHOLE.to_owned()],
            group_by: group.iter().map(|group| i32::from(*group)).collect(),
            page_size: 10_000,
            ..proto::QueryAggregateRequest::default()
        };
        let counted = 40 * (number % 5) + 8;
        match self {
            Self::Q1 | Self::Q3 => proto::QueryAggregateRequest {
                area_level: AREA_LEVEL.into(),
                periods: vec![month(number % MONTHS)],
                ..of(counted, &[proto::GroupBy::Area])
            },
            Self::Q2 => proto::QueryAggregateRequest {
                period_range: Some(proto::PeriodRange { first: month(0), last: month(MONTHS - 1) }),
                ..of(counted, &[proto::GroupBy::Agency])
            },
            Self::Q4 => proto::QueryAggregateRequest {
                periods: vec![format!("CY{}", FIRST_YEAR + number % (MONTHS / 12))],
                ..of(40 * (number % 5), &[])
            },
        }
    }
}

/// The request of [`Question::Q3`].
pub(crate) fn picture(number: u64) -> proto::GetPictureRequest {
    proto::GetPictureRequest {
        area: WHOLE.to_owned(),
        period: month(1 + number % (MONTHS - 1)),
        ..proto::GetPictureRequest::default()
    }
}
