//! Questions that take more than adding up what was submitted, beside plain ones of as many figures: a world of 150
//! areas, each with an agency of its own, and two years of months.

use conspectus::access::Actor;
use conspectus::catalogue::{AreaIx, Catalogue, CataloguePut};
use conspectus::entry::Entry;
use conspectus::intake::admit::{Command, Decision};
use conspectus::intake::basis::Basis;
use conspectus::intake::prepare::Prepared;
use conspectus::model::id::{AgencyId, AreaCode, DimensionId, IndicatorId, RequestId};
use conspectus::model::marker::Markers;
use conspectus::model::observation::{Breakdown, Measure, Observation, Value};
use conspectus::model::period::Period;
use conspectus::model::submission::Submission;
use conspectus::model::zone::UTC;
use conspectus::picture::areas::Areas;
use conspectus::picture::change::{ChangeRule, Comparison};
use conspectus::picture::question::{AggregateQuery, Derived, PictureQuery, QueryBreakdown};
use conspectus::state::{Fold, State};
use serde_json::json;

use crate::questions::all_together;
use crate::{Failure, NOW};

const AREAS: usize = 150;
const AGENCIES: usize = 30;
const CATEGORIES: usize = 7;
const WHOLE: &str = "WHOLE";

fn area(ix: usize) -> String {
    format!("E{ix:03}")
}

fn agency(ix: usize) -> String {
    format!("agency-{ix:02}")
}

fn category(ix: usize) -> String {
    format!("band-{ix}")
}

fn months() -> Result<Vec<Period>, Failure> {
    (0..24).map(|ix| Ok(format!("{}-{:02}", 2019 + ix / 12, ix % 12 + 1).parse()?)).collect()
}

fn catalogue() -> Result<CataloguePut, Failure> {
    let areas = (0..AREAS)
        .map(|ix| json!({ "code": area(ix), "name": area(ix), "level": "upper-tier", "parents": [{ "code": WHOLE }] }));
    let areas = areas.chain([json!({ "code": WHOLE, "name": "All areas", "level": "country" })]);
    let agencies = (0..AGENCIES).map(|ix| {
        let own = (ix..AREAS).step_by(AGENCIES).map(area);
        let areas: Vec<_> = own.chain((ix == 0).then(|| WHOLE.to_owned())).collect();
        json!({ "id": agency(ix), "name": agency(ix), "sector": "health", "areas": areas })
    });
    let categories: Vec<_> = (0..CATEGORIES).map(|ix| json!({ "id": category(ix), "title": category(ix) })).collect();
    let everybody: Vec<_> = (0..AGENCIES).map(|ix| json!({ "agency": agency(ix) })).collect();
    let indicator = |id: &str, kind: &str, dimensions: &[&str]| {
        json!({
            "id": id, "title": id, "unit": "children", "kind": kind, "frequency": "month", "due_days": 10,
            "reporting_level": "upper-tier", "across_agencies": "add", "dimensions": dimensions,
        })
    };
    let mut expected = indicator("expected", "events", &[]);
    expected["expected_agencies"] = json!(everybody);
    let mut rated = indicator("rated", "events", &[]);
    rated["rate"] = json!({ "population_indicator": "people", "per": 10_000, "rule": "latest", "decimals": 1 });
    let mut people = indicator("people", "stock", &[]);
    people["frequency"] = json!("calendar-year");
    Ok(serde_json::from_value(json!({
        "areas": areas.collect::<Vec<_>>(),
        "agencies": agencies.collect::<Vec<_>>(),
        "dimensions": [{ "id": "band", "title": "Band", "categories": categories }],
        "indicators": [
            indicator("plain", "events", &[]), indicator("ratio", "ratio", &[]), indicator("wide", "events", &[]),
            indicator("divided", "events", &["band"]), expected, rated, people,
        ],
    }))?)
}

fn write(fold: &mut Fold, command: &impl Command) -> Result<(), Failure> {
    match command.admit(&Basis::durable(&fold.state(), NOW, &UTC))? {
        Decision::Accept(body, _) => fold.apply(&Entry { at: NOW, actor: Actor::default(), body }),
        Decision::Already(_) => return Err("it was written before".into()),
    }
    Ok(())
}

fn observation(indicator: &str, area: &str, period: &str, band: &str, number: usize) -> Result<Observation, Failure> {
    let number = number.to_string().parse()?;
    let measure = match indicator {
        "ratio" => Measure::Ratio { numerator: number, denominator: "100".parse()? },
        _ => Measure::Number(number),
    };
    Ok(Observation {
        indicator: IndicatorId::parse(indicator)?,
        area: AreaCode::parse(area)?,
        period: period.parse()?,
        breakdown: band.parse::<Breakdown>()?,
        value: Value { measure: Some(measure), markers: Markers::default() },
        note: None,
        explanations: Vec::new(),
    })
}

/// What an agency submits: of each of its areas, and some figures of the whole or of a quarter.
fn observations(agency: usize) -> Result<Vec<Observation>, Failure> {
    let mut all = Vec::new();
    for area_ix in (agency..AREAS).step_by(AGENCIES) {
        let area = area(area_ix);
        for (month_ix, month) in months()?.into_iter().map(|month| month.to_string()).enumerate() {
            let number = 1 + (area_ix * 7 + month_ix) % 90;
            for indicator in ["plain", "ratio", "rated", "wide", "expected"] {
                // Every fifth of what is expected is missing.
                if indicator != "expected" || (area_ix + month_ix) % 5 > 0 {
                    all.push(observation(indicator, &area, &month, "", number)?);
                }
            }
            all.push(observation("divided", &area, &month, "", number * CATEGORIES + month_ix % 2)?);
            for ix in 0..CATEGORIES {
                all.push(observation("divided", &area, &month, &format!("band={}", category(ix)), number)?);
            }
        }
        all.push(observation("people", &area, "CY2018", "", 5_000 + area_ix)?);
    }
    if agency == 0 {
        all.push(observation("wide", WHOLE, "2020-05", "", 4_000)?);
        all.push(observation("wide", &area(0), "CY2020-Q3", "", 100)?);
    }
    Ok(all)
}

/// The state that is asked.
pub(crate) fn world() -> Result<State, Failure> {
    let mut fold = Fold::default();
    write(&mut fold, &catalogue()?)?;
    for ix in 0..AGENCIES {
        let submission = Submission {
            agency: AgencyId::parse(&agency(ix))?,
            request_id: RequestId::parse("all")?,
            source: String::new(),
            sample: false,
            reason: String::new(),
            return_id: None,
            observations: observations(ix)?.into_iter().collect(),
        };
        write(&mut fold, &Prepared::new(submission))?;
    }
    Ok(fold.state())
}

/// The questions, plain and not. Each of the latter is named after the plain one of as many figures.
pub(crate) fn questions(state: &State) -> Result<Vec<(&'static str, AggregateQuery)>, Failure> {
    let catalogue = state.catalogue();
    let areas = (0..AREAS).map(|ix| area_ix(catalogue, &area(ix))).collect::<Result<Vec<_>, _>>()?;
    let whole = vec![area_ix(catalogue, WHOLE)?];
    let months = months()?;
    let base = |indicator: &str| -> Result<AggregateQuery, Failure> {
        let (indicator, _) = catalogue.indicator(&IndicatorId::parse(indicator)?).ok_or("no such indicator")?;
        Ok(all_together(indicator, whole.clone(), Vec::new()))
    };
    let by_area = |indicator: &str| -> Result<AggregateQuery, Failure> {
        let (areas, periods) = (Areas::listed(areas.clone()), vec![months[16]]);
        Ok(AggregateQuery { areas, periods, by_area: true, ..base(indicator)? })
    };
    let by_agency = |indicator: &str| -> Result<AggregateQuery, Failure> {
        Ok(AggregateQuery { periods: months.clone(), by_agency: true, ..base(indicator)? })
    };
    let of_year = |indicator: &str| -> Result<AggregateQuery, Failure> {
        Ok(AggregateQuery { periods: vec!["CY2020".parse()?], ..base(indicator)? })
    };
    let derived =
        |derived: Derived| -> Result<AggregateQuery, Failure> { Ok(AggregateQuery { derived, ..by_area("rated")? }) };
    let since = ChangeRule { comparison: Some(Comparison::PreviousPeriod), across_breaks: false };
    let each_month = |query| AggregateQuery { periods: months.clone(), by_period: true, ..query };
    let of_bands = (0..CATEGORIES).map(|ix| {
        let breakdown = format!("band={}", category(ix)).parse::<Breakdown>()?;
        let dimensions = vec![DimensionId::parse("band")?];
        Ok(QueryBreakdown { category: None, breakdown: state.columns().breakdown(&breakdown), dimensions })
    });
    let of_bands = of_bands.collect::<Result<Vec<_>, Failure>>()?;
    let rate = || Derived { rate: true, ..Derived::default() };
    Ok(vec![
        ("by area: plain", by_area("plain")?),
        ("by area: a figure of the whole", by_area("wide")?),
        ("by area: expected agencies", by_area("expected")?),
        ("by area: totals and categories", by_area("divided")?),
        ("by area: by category", AggregateQuery { breakdowns: of_bands, ..by_area("divided")? }),
        ("by area: changes", AggregateQuery { change: since, ..by_area("rated")? }),
        ("by area: rates", derived(rate())?),
        ("by area: shares and ranks", derived(Derived { share: true, rank: true, ..Derived::default() })?),
        ("by area: benchmark", derived(Derived { benchmark: areas[..15].to_vec(), ..Derived::default() })?),
        ("by area and month: plain", each_month(by_area("plain")?)),
        ("by area and month: expected agencies", each_month(by_area("expected")?)),
        ("by area and month: rates", each_month(derived(rate())?)),
        ("by agency: plain", by_agency("plain")?),
        ("by agency: expected agencies", by_agency("expected")?),
        ("by agency: a figure of the whole", by_agency("wide")?),
        ("year: plain", of_year("ratio")?),
        ("year: a figure of a quarter", of_year("wide")?),
        ("year: expected agencies", of_year("expected")?),
        (
            "year by area: plain",
            AggregateQuery { by_area: true, areas: Areas::listed(areas.clone()), ..of_year("plain")? },
        ),
        (
            "year by area: a figure of a quarter",
            AggregateQuery { by_area: true, areas: Areas::listed(areas.clone()), ..of_year("wide")? },
        ),
    ])
}

/// The picture of the same world.
pub(crate) fn picture(state: &State) -> Result<PictureQuery, Failure> {
    let area = area_ix(state.catalogue(), WHOLE)?;
    let (period, comparison) = (months()?[16], Some(Comparison::PreviousPeriod));
    Ok(PictureQuery { area, period, indicators: None, comparison })
}

fn area_ix(catalogue: &Catalogue, code: &str) -> Result<AreaIx, Failure> {
    Ok(catalogue.area(&AreaCode::parse(code)?).ok_or("no such area")?.0)
}
