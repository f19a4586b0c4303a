//! Figures as columns, whose dictionaries grow along a stream: the fastest way to send them.

use std::collections::HashMap;

use crate::figures::Figure;
use crate::model::decimal::Decimal;
use crate::model::marker::Marker;
use crate::rpc::proto::observation::Measure;
use crate::rpc::proto::{FigureColumns, FigureExplanation, FigureNote, Observation, ValueForm};

/// From how many items of a dictionary on a stream takes no further part: the server allows 65,536, and a part of
/// 10,000 figures can have as many new ones.
const ITEMS_ENOUGH: usize = 50_000;

/// The dictionaries that a stream has.
#[derive(Debug, Default)]
pub(super) struct Packer {
    indicators: Dictionary,
    areas: Dictionary,
    periods: Dictionary,
    breakdowns: Dictionary,
}

impl Packer {
    /// Whether no further part should be packed.
    pub(super) fn is_full(&self) -> bool {
        [&self.indicators, &self.areas, &self.periods, &self.breakdowns]
            .into_iter()
            .any(|dictionary| dictionary.0.len() >= ITEMS_ENOUGH)
    }

    /// Figures as columns. None where one can't be written so: it is then the server's to refuse, as it stands.
    pub(super) fn pack(&mut self, figures: &[Figure]) -> Option<FigureColumns> {
        let values: Vec<Value> = figures.iter().map(|figure| Value::of(&figure.observation)).collect::<Option<_>>()?;
        let mut columns = FigureColumns::default();
        for ((at, figure), value) in (0..).zip(figures).zip(values) {
            let Observation { indicator, area, period, breakdown, note, explanation, .. } = &figure.observation;
            let categories: Vec<String> =
                breakdown.iter().map(|it| format!("{}={}", it.dimension, it.category)).collect();
            columns.indicator.push(self.indicators.index(indicator, &mut columns.indicators));
            columns.area.push(self.areas.index(area, &mut columns.areas));
            columns.period.push(self.periods.index(period, &mut columns.periods));
            columns.breakdown.push(self.breakdowns.index(&categories.join(";"), &mut columns.breakdowns));
            columns.form.push(value.form.into());
            columns.digits.push(value.first.mantissa());
            columns.decimals.push(value.first.scale().into());
            columns.base_digits.push(value.second.mantissa());
            columns.base_decimals.push(value.second.scale().into());
            columns.markers.push(value.markers);
            if !note.is_empty() {
                columns.notes.push(FigureNote { figure: at, note: note.clone() });
            }
            if !explanation.is_empty() {
                let explanation = explanation.clone();
                columns.explanations.push(FigureExplanation { figure: at, check: String::new(), explanation });
            }
        }
        shorten(&mut columns.breakdown);
        shorten(&mut columns.form);
        shorten(&mut columns.decimals);
        shorten(&mut columns.base_digits);
        shorten(&mut columns.base_decimals);
        shorten(&mut columns.markers);
        Some(columns)
    }
}

/// A column that says the same of every figure says it once.
fn shorten<T: PartialEq>(column: &mut Vec<T>) {
    if column.iter().all(|item| *item == column[0]) {
        column.truncate(1);
    }
}

/// Texts, each with its index.
#[derive(Debug, Default)]
struct Dictionary(HashMap<String, u32>);

impl Dictionary {
    /// The index of a text, which is added where it is new.
    fn index(&mut self, text: &str, added: &mut Vec<String>) -> u32 {
        if let Some(index) = self.0.get(text) {
            return *index;
        }
        let index = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        self.0.insert(text.to_owned(), index);
        added.push(text.to_owned());
        index
    }
}

/// A figure's value as columns have it.
struct Value {
    form: ValueForm,
    first: Decimal,
    second: Decimal,
    markers: u32,
}

impl Value {
    fn of(observation: &Observation) -> Option<Self> {
        let number = |text: &str| text.parse::<Decimal>().ok();
        let (form, first, second) = match &observation.measure {
            None if observation.withdraw => (ValueForm::Withdrawn, Decimal::ZERO, Decimal::ZERO),
            None => (ValueForm::None, Decimal::ZERO, Decimal::ZERO),
            // A value beside a withdrawal is the server's to refuse.
            Some(_) if observation.withdraw => return None,
            Some(Measure::Number(text)) => (ValueForm::Number, number(text)?, Decimal::ZERO),
            Some(Measure::Ratio(it)) => (ValueForm::Ratio, number(&it.numerator)?, number(&it.denominator)?),
            Some(Measure::Percentage(it)) => (ValueForm::Percentage, number(&it.percent)?, number(&it.base)?),
            Some(Measure::Mean(it)) => (ValueForm::Mean, number(&it.mean)?, number(&it.count)?),
        };
        let bit = |code: &i32| {
            let marker = Marker::ALL.iter().find(|marker| marker.code() == *code)?;
            Some(1_u32 << (marker.code() - 1))
        };
        let bits: Vec<u32> = observation.markers.iter().map(bit).collect::<Option<_>>()?;
        // Twice the same is the server's to refuse.
        let markers = bits.iter().fold(0, |all, bit| all | bit);
        let is_each_once = usize::try_from(markers.count_ones()).ok()? == bits.len();
        (is_each_once && observation.check_explanations.is_empty()).then_some(Self { form, first, second, markers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::read;

    #[test]
    fn every_form_of_a_figure_is_packed_and_a_dictionary_goes_on_from_the_part_before() {
        let head = "indicator,area,period,value,base,numerator,denominator,count,breakdown,markers,note,explanation\n";
        let part = |rows: &str| read(format!("{head}{rows}").as_bytes()).unwrap();
        let mut packer = Packer::default();
        let first = packer
            .pack(&part(
                "a,E1,2021-04,1.50,,,,,,p,,\na,E2,2021-04,x,,,,,s=f,,n,\nb,E1,2021-04,,,3,4,,,,,\nc,E1,2021-04,87.9,12,,,,,,,\nd,E1,2021-04,-2.5,,,,7,,e p,,why\n",
            ))
            .unwrap();
        insta::assert_snapshot!(format!("{first:?}"));
        let second = packer.pack(&part("b,E3,2021-04,0,,,,,,,,\n")).unwrap();
        assert_eq!((second.indicators.len(), second.areas, second.area), (0, vec!["E3".to_owned()], vec![2]));
        assert_eq!((second.indicator, second.breakdown, second.form), (vec![1], vec![0], vec![1]));
    }

    #[test]
    fn what_columns_have_no_form_for_is_not_packed() {
        let mut figures = read(b"indicator,area,period,value\na,E1,2021-04,1\n".as_slice()).unwrap();
        figures[0].observation.markers = vec![7, 7];
        assert!(Packer::default().pack(&figures).is_none());
        figures[0].observation.markers = vec![99];
        assert!(Packer::default().pack(&figures).is_none());
        figures[0].observation.markers = vec![];
        figures[0].observation.measure = Some(Measure::Number("many".to_owned()));
        assert!(Packer::default().pack(&figures).is_none());
    }
}
