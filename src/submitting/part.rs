//! The parts of a large file: as many figures as one submission may have, in the order of the file. The same file always
//! has the same parts.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;

use foldhash::quality::FixedState;

use super::request_id::{self, Digest};
use crate::figures::Figure;
use crate::intake::review::OBSERVATIONS_MAX;
use crate::model::manifest::Totals;
use crate::model::observation::{Breakdown, Measure};
use crate::model::period::Period;
use crate::rpc::proto::{Observation, observation as proto};

/// How large a part is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PartSize {
    /// The most figures.
    pub(crate) figures: usize,
    /// About the most bytes of notes and explanations.
    pub(crate) text_bytes: usize,
}

impl Default for PartSize {
    fn default() -> Self {
        // A submission has 1 MiB where it is stored, of which 10,000 figures without texts take a third.
        Self { figures: OBSERVATIONS_MAX, text_bytes: 640 << 10 }
    }
}

/// Some figures of a file that are sent together.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) figures: Vec<Figure>,
    pub(crate) digest: Digest,
}

impl Part {
    fn of(figures: Vec<Figure>) -> Self {
        let digest = request_id::digest(figures.iter().map(|figure| &figure.observation));
        Self { figures, digest }
    }

    /// Its first row, and its last.
    pub(crate) fn rows(&self) -> (u64, u64) {
        let row = |figure: Option<&Figure>| figure.map_or(0, |figure| figure.row);
        (row(self.figures.first()), row(self.figures.last()))
    }
}

/// Puts figures together to parts.
#[derive(Debug)]
pub(crate) struct Parts {
    size: PartSize,
    figures: Vec<Figure>,
    text_bytes: usize,
}

impl Parts {
    pub(crate) fn new(size: PartSize) -> Self {
        Self { size, figures: Vec::new(), text_bytes: 0 }
    }

    /// Adds a figure; the part that it doesn't fit into any more is whole.
    pub(crate) fn add(&mut self, figure: Figure) -> Option<Vec<Figure>> {
        let text_bytes = figure.observation.note.len() + figure.observation.explanation.len();
        let is_full = self.figures.len() >= self.size.figures
            || !self.figures.is_empty() && self.text_bytes + text_bytes > self.size.text_bytes;
        let whole = is_full.then(|| self.take());
        self.text_bytes += text_bytes;
        self.figures.push(figure);
        whole
    }

    /// The figures since the last part.
    pub(crate) fn take(&mut self) -> Vec<Figure> {
        self.text_bytes = 0;
        std::mem::take(&mut self.figures)
    }

    /// The same as [`Self::add`], with the part as it is sent.
    pub(crate) fn add_to_send(&mut self, figure: Figure) -> Option<Part> {
        self.add(figure).map(Part::of)
    }

    /// The last part as it is sent; none where there are no more figures.
    pub(crate) fn last_to_send(&mut self) -> Option<Part> {
        Some(self.take()).filter(|figures| !figures.is_empty()).map(Part::of)
    }
}

/// What is found out of a file's parts before any is sent: of each figure 8 bytes are kept, and of each part its digest.
pub(crate) struct Survey {
    parts: Parts,
    /// The first part, until there is a second.
    first: Option<Vec<Figure>>,
    digests: Vec<Digest>,
    /// A hash of each figure's place.
    places: Vec<u64>,
    figures: u64,
    totals: BTreeMap<String, Totals>,
}

/// What is known of the parts of a file.
#[derive(Debug)]
pub(crate) struct Surveyed {
    pub(crate) digests: Vec<Digest>,
    pub(crate) figures: u64,
    /// What the figures come to, by indicator.
    pub(crate) totals: BTreeMap<String, Totals>,
    /// The hashes that several figures have, so that they may be the same one.
    pub(crate) alike: BTreeSet<u64>,
}

impl Survey {
    pub(crate) fn new(size: PartSize) -> Self {
        Self {
            parts: Parts::new(size),
            first: None,
            digests: Vec::new(),
            places: Vec::new(),
            figures: 0,
            totals: BTreeMap::new(),
        }
    }

    pub(crate) fn add(&mut self, figure: Figure) {
        self.figures += 1;
        self.places.extend(place(&figure).map(|place| hash(&place)));
        add(&mut self.totals, &figure.observation);
        if let Some(whole) = self.parts.add(figure) {
            self.take(whole);
        }
    }

    fn take(&mut self, part: Vec<Figure>) {
        self.digests.push(request_id::digest(part.iter().map(|figure| &figure.observation)));
        self.first = Some(part).filter(|_| self.digests.len() == 1);
    }

    /// How many figures there were so far.
    pub(crate) fn figures(&self) -> u64 {
        self.figures
    }

    /// The figures, where they are one part; and what is known of the parts.
    pub(crate) fn finish(mut self) -> (Vec<Figure>, Surveyed) {
        let last = self.parts.take();
        if !last.is_empty() {
            self.take(last);
        }
        let mut places = self.places;
        places.sort_unstable();
        let alike = places.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        let Self { digests, figures, totals, first, .. } = self;
        (first.unwrap_or_default(), Surveyed { digests, figures, totals, alike })
    }
}

/// Adds a figure to those of its indicator. What isn't a number is the server's to refuse.
fn add(totals: &mut BTreeMap<String, Totals>, observation: &Observation) {
    let number = |text: &str| text.parse().ok();
    let measure = observation.measure.as_ref().and_then(|measure| {
        Some(match measure {
            proto::Measure::Number(text) => Measure::Number(number(text)?),
            proto::Measure::Ratio(it) => {
                Measure::Ratio { numerator: number(&it.numerator)?, denominator: number(&it.denominator)? }
            }
            proto::Measure::Percentage(it) => {
                Measure::Percentage { percent: number(&it.percent)?, base: number(&it.base)? }
            }
            proto::Measure::Mean(it) => Measure::Mean { mean: number(&it.mean)?, count: number(&it.count)? },
        })
    });
    match totals.get_mut(&observation.indicator) {
        Some(of) => of.add(measure),
        None => totals.entry(observation.indicator.clone()).or_default().add(measure),
    }
}

/// What a figure is of, in one notation: two with the same are the same figure. None where that couldn't be read.
pub(crate) fn place(figure: &Figure) -> Option<String> {
    use crate::figures::Field::{Area, Breakdown as Broken, Indicator, Period as When};
    if [Area, Broken, Indicator, When].iter().any(|field| figure.unread.contains(field)) {
        return None;
    }
    let Observation { indicator, area, period, breakdown, .. } = &figure.observation;
    let period = period.parse::<Period>().map_or_else(|_| period.clone(), |period| period.storage_key().to_string());
    let mut categories: Vec<String> = breakdown.iter().map(|it| format!("{}={}", it.dimension, it.category)).collect();
    categories.sort_unstable();
    let breakdown = categories.join(";");
    let of = breakdown.parse::<Breakdown>().map_or(breakdown, |it| it.to_string());
    let of = if of.is_empty() { of } else { format!(", {of}") };
    Some(format!("`{indicator}`, {area}, {period}{of}"))
}

/// The same on every run.
pub(crate) fn hash(place: &str) -> u64 {
    FixedState::with_seed(0).hash_one(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figures::read;

    fn figures(rows: &[&str]) -> Vec<Figure> {
        let file = format!("indicator,area,period,value,breakdown,note\n{}", rows.join("\n"));
        read(file.as_bytes()).unwrap()
    }

    fn sizes(rows: &[&str], size: PartSize) -> Vec<usize> {
        let mut parts = Parts::new(size);
        let mut whole: Vec<usize> = figures(rows)
            .into_iter()
            .filter_map(|figure| parts.add_to_send(figure))
            .map(|it| it.figures.len())
            .collect();
        whole.extend(parts.last_to_send().map(|it| it.figures.len()));
        whole
    }

    #[test]
    fn a_part_ends_where_one_more_figure_or_its_text_would_be_too_much() {
        let size = |figures, text_bytes| PartSize { figures, text_bytes };
        let rows = ["a,E1,2021-04,1,,xx", "a,E1,2021-05,1,,xx", "a,E1,2021-06,1,,xxxxx", "a,E1,2021-07,1,,"];
        assert_eq!(sizes(&rows, size(3, 100)), [3, 1]);
        assert_eq!(sizes(&rows, size(4, 100)), [4]);
        assert_eq!(sizes(&rows, size(4, 4)), [2, 1, 1], "one that is too long alone is the server's to refuse");
    }

    #[test]
    fn the_same_figure_has_the_same_place_in_any_notation() {
        let places = |rows: &[&str]| figures(rows).iter().map(|it| place(it).unwrap()).collect::<Vec<_>>();
        let same = places(&["a,E1,CY2021-Q2,1,sex=female;age=1,", "a,E1,FY2021-22 Q1,2,age=1;sex=female,x"]);
        assert_eq!(same[0], same[1]);
        let all = places(&[
            "a,E1,2021-04,1,,",
            "b,E1,2021-04,1,,",
            "a,E2,2021-04,1,,",
            "a,E1,2021-05,1,,",
            "a,E1,2021-04,1,s=f,",
        ]);
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    }

    #[test]
    fn figures_of_the_same_place_are_found_wherever_they_are_in_the_file() {
        let rows: Vec<String> = (0..50).map(|row| format!("a,E1,Jan {},{row},,", 2000 + row % 40)).collect();
        let mut survey = Survey::new(PartSize { figures: 7, ..PartSize::default() });
        figures(&rows.iter().map(String::as_str).collect::<Vec<_>>()).into_iter().for_each(|figure| survey.add(figure));
        let (kept, surveyed) = survey.finish();
        assert_eq!((kept.len(), surveyed.figures, surveyed.digests.len(), surveyed.alike.len()), (0, 50, 8, 10));
    }
}
