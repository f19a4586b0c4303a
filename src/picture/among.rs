//! What a figure is among those of the other areas asked for: its share of their total, and its rank.
//! Both take one pass over the rows of a period, once these are there.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::combine::Gap;
use super::derived::{Position, Rank, Ranking, Share};
use super::figure::Figure;
use super::rows::AggregateRow;
use crate::catalogue::AgencyIx;
use crate::catalogue::items::{IndicatorVersion, Polarity};
use crate::model::decimal::Rounded;

const QUARTERS: usize = 4;

/// Adds the shares and the ranks of areas, by code, in one period: of each agency's figures, or of those of
/// all together. `total` gives the total of all areas.
pub(super) fn add(
    rows: &mut [AggregateRow],
    version: &IndicatorVersion,
    total: Option<&impl Fn(Option<AgencyIx>) -> Rc<Figure>>,
    is_ranked: bool,
) {
    let mut by_agency: BTreeMap<Option<AgencyIx>, Vec<&mut AggregateRow>> = BTreeMap::new();
    for row in rows {
        by_agency.entry(row.agency).or_default().push(row);
    }
    for (agency, mut rows) in by_agency {
        if let Some(total) = total {
            add_shares(&mut rows, &total(agency), version);
        }
        if is_ranked {
            add_ranks(&mut rows, version);
        }
    }
}

fn add_shares(rows: &mut [&mut AggregateRow], total: &Rc<Figure>, version: &IndicatorVersion) {
    let has_negative = rows.iter().any(|row| row.figure.value.is_ok_and(|value| value.exact.is_negative()));
    for row in rows {
        row.share = Some(Box::new(Share::of(&row.figure, total, has_negative, version)));
    }
}

/// What a row is ranked by, its rate where there are rates; or why it isn't ranked.
fn ranked_by(row: &AggregateRow) -> Result<Rounded, Gap> {
    let (value, partial) =
        row.rate.as_ref().map_or((row.figure.value, !row.figure.complete), |rate| (rate.value, rate.partial));
    let value = value?;
    if partial { Err(Gap::Partial) } else { Ok(value.rounded) }
}

fn add_ranks(rows: &mut [&mut AggregateRow], version: &IndicatorVersion) {
    let values: Vec<Result<Rounded, Gap>> = rows.iter().map(|row| ranked_by(row)).collect();
    let mut ranking = Ranking::default();
    for (row, value) in rows.iter().zip(&values) {
        match value {
            Ok(_) => add_ranked(&mut ranking, row),
            Err(Gap::Partial) => ranking.partial_areas.extend(row.area),
            Err(_) => {}
        }
    }
    // All are rounded to the same decimals, so that equal digits are equal values as they are answered.
    let mut sorted: Vec<i128> = values.iter().flatten().map(|value| value.mantissa()).collect();
    sorted.sort_unstable();
    let better = |value: Rounded| match version.polarity {
        Polarity::LowerIsBetter => sorted.partition_point(|other| *other < value.mantissa()),
        Polarity::HigherIsBetter | Polarity::Neutral => {
            sorted.len() - sorted.partition_point(|other| *other <= value.mantissa())
        }
    };
    let ranking = Rc::new(ranking);
    for (row, value) in rows.iter_mut().zip(&values) {
        let position = value.map(|value| {
            let better = better(value);
            Position { rank: better + 1, quartile: QUARTERS * better / ranking.of + 1 }
        });
        row.rank = Some(Box::new(Rank { position, ranking: Rc::clone(&ranking) }));
    }
}

fn add_ranked(ranking: &mut Ranking, row: &AggregateRow) {
    let population = row.rate.as_ref().and_then(|rate| rate.population.as_ref()).map(|(_, figure)| figure.as_ref());
    ranking.of += 1;
    for figure in [Some(&*row.figure), population].into_iter().flatten() {
        ranking.markers = ranking.markers.union(figure.markers);
        ranking.sample |= figure.sample;
    }
}
