//! A series as a chart: an SVG for a page that allows no scripts, no styles of an element's own and nothing from elsewhere.
//!
//! It is drawn in the colour of the text around it, so that dark pages and forced colours need nothing else; classes are
//! there for the page's own style sheet, which must set the widest that a `chart` gets: it is made to be read from 320
//! pixels up, and its texts grow with it. No meaning is in a colour: a key below the axis has each sign that is used.
//! Positions are whole tenths of a unit, so that the same figures give the same bytes everywhere.

mod axis;
mod shape;

use self::axis::Axis;
use self::shape::{
    BREAK, PROVISIONAL, RADIUS, TEXT, Tenths, cross, dashes, line, polyline, spot, text, width, written,
};
use crate::model::decimal::Decimal;
use crate::rpc::proto::Kind;
use crate::wording::number::{POUNDS, quantity};

/// What is drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Chart<'a> {
    /// An id that no other element of the page has or begins with.
    pub(crate) id: &'a str,
    /// What it is of: its accessible name.
    pub(crate) title: &'a str,
    /// What it shows, in sentences: its accessible description.
    pub(crate) description: &'a str,
    /// The kind of the figures, which decides where the axis starts.
    pub(crate) kind: Kind,
    /// Their unit.
    pub(crate) unit: &'a str,
    /// The figures, in the order of their periods; 120 of them can still be told apart.
    pub(crate) points: &'a [Point],
}

/// A figure of a period, or that there is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Point {
    /// Its period, as short as the axis needs it.
    pub(crate) label: String,
    /// All that there is to say of it.
    pub(crate) words: String,
    /// Its value, as decimal text; none for a gap. What isn't a decimal of 15 digits is a gap too.
    pub(crate) value: Option<String>,
    /// Whether something is missing from it.
    pub(crate) is_partial: bool,
    /// Whether it is marked provisional.
    pub(crate) is_provisional: bool,
    /// Whether it rests on made-up figures.
    pub(crate) is_made_up: bool,
    /// Whether it can't be compared with the point before.
    pub(crate) is_after_break: bool,
}

// All in tenths of a unit. The drawing is 360 units wide: on a telephone a unit is about a pixel.
const WIDTH: i64 = 3_600;
const PLOT_TOP: i64 = 300;
const PLOT_HEIGHT: i64 = 1_500;
const PLOT_BOTTOM: i64 = PLOT_TOP + PLOT_HEIGHT;
/// From one line of the key to the next.
const LINE: i64 = 180;
/// Gaps are marked below the axis: on it they would look like zeros.
const GAP_MARKS: i64 = PLOT_BOTTOM + 80;
/// Under the names of the periods.
const PERIODS: i64 = PLOT_BOTTOM + 250;
/// The middle of the first line of the key.
const KEY: i64 = PERIODS + LINE;
/// Between texts and what is beside them.
const SPACE: i64 = 60;
/// Points that are closer are drawn only where they have something to say that the line hasn't.
const POINT_DISTANCE_MIN: i64 = 80;

impl Chart<'_> {
    /// The drawing: an `svg` element of class `chart`.
    pub(crate) fn svg(&self) -> String {
        let values: Vec<Option<Decimal>> =
            self.points.iter().map(|point| point.value.as_deref().and_then(|value| value.parse().ok())).collect();
        let known: Vec<Decimal> = values.iter().copied().flatten().collect();
        let axis = Axis::of(&known, self.kind);
        let left = axis.ticks().map(|tick| width(&tick.text())).max().unwrap_or(0) + SPACE;
        let drawing = Drawing { chart: self, axis, values, left };
        let key = drawing.key();
        let height = PERIODS + LINE / 2 + LINE * i64::try_from(key.len()).unwrap_or(0);
        let (id, title, description) = (text(self.id), text(self.title), text(self.description));
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"chart\" viewBox=\"0 0 {} {}\" role=\"img\" \
             aria-labelledby=\"{id}-title\" aria-describedby=\"{id}-description\" font-size=\"{}\" fill=\"currentColor\">\n\
             <title id=\"{id}-title\">{title}</title>\n<desc id=\"{id}-description\">{description}</desc>\n",
            Tenths(WIDTH),
            Tenths(height),
            Tenths(TEXT),
        );
        for part in
            [drawing.scale(), drawing.periods(), drawing.breaks(), drawing.lines(), drawing.marks(), drawing.newest()]
        {
            svg.push_str(&part);
        }
        for (at, (sign, meaning)) in (0..).zip(key) {
            let y = KEY + LINE * at;
            svg.push_str(&sign(y));
            svg.push_str(&written("key", 340, y + TEXT / 3, "start", meaning));
        }
        svg.push_str("</svg>\n");
        svg
    }
}

/// A chart whose axis is known.
struct Drawing<'a> {
    chart: &'a Chart<'a>,
    axis: Axis,
    /// Of each point, where it has one that can be drawn.
    values: Vec<Option<Decimal>>,
    /// Where the plot begins.
    left: i64,
}

/// Draws a sign of the key at a height.
type Sign = fn(i64) -> String;

impl Drawing<'_> {
    fn x(&self, at: usize) -> i64 {
        let (first, last) = (self.left + SPACE, WIDTH - SPACE);
        match i64::try_from(self.values.len()).unwrap_or(i64::MAX) - 1 {
            steps if steps > 0 => first + (last - first) * i64::try_from(at).unwrap_or(steps) / steps,
            _ => (first + last) / 2,
        }
    }

    fn place(&self, at: usize) -> Option<(i64, i64)> {
        let value = (*self.values.get(at)?)?;
        Some((self.x(at), PLOT_BOTTOM - self.axis.above_low(value, PLOT_HEIGHT)))
    }

    fn is_crowded(&self) -> bool {
        self.values.len() > 1 && self.x(1) - self.x(0) < POINT_DISTANCE_MIN
    }

    /// Whether the line goes on from the point before.
    fn continues(&self, at: usize) -> bool {
        let before = at.checked_sub(1).and_then(|before| self.place(before));
        before.is_some() && self.place(at).is_some() && !self.chart.points[at].is_after_break
    }

    /// The axis of values: its unit, and a line and a number for each tick.
    fn scale(&self) -> String {
        let millions = if self.axis.in_millions() { ", millions" } else { "" };
        let unit = if self.chart.unit == POUNDS { "£" } else { self.chart.unit };
        let start = self.axis.start().map(|tick| format!(" (the axis starts at {})", tick.text())).unwrap_or_default();
        let mut out = written("unit", 0, TEXT, "start", &format!("{unit}{millions}{start}"));
        for tick in self.axis.ticks() {
            let y = PLOT_BOTTOM - tick.above_low(self.axis, PLOT_HEIGHT);
            out.push_str(&line("grid", (self.left, y), (WIDTH, y), " stroke-opacity=\"0.25\""));
            out.push_str(&written("tick", self.left - SPACE, y + TEXT / 3, "end", &tick.text()));
        }
        out
    }

    /// The names of periods, as many as there is room for, the newest among them.
    fn periods(&self) -> String {
        let points = &self.chart.points;
        let half = |at: usize| width(&points[at].label) / 2;
        let middle = |at: usize| self.x(at).min(WIDTH - half(at)).max(half(at));
        let every = |step: usize| (0..points.len()).rev().step_by(step);
        let fits = |step: &usize| {
            every(*step)
                .zip(every(*step).skip(1))
                .all(|(at, before)| middle(before) + half(before) + 2 * SPACE <= middle(at) - half(at))
        };
        let step = (1..=points.len()).find(fits).unwrap_or(1);
        let label = |at: usize| written("period", middle(at), PERIODS, "middle", &points[at].label);
        every(step).collect::<Vec<_>>().into_iter().rev().map(label).collect()
    }

    /// A dashed line before each point that can't be compared with the one before.
    fn breaks(&self) -> String {
        let mut out = String::new();
        let mut free_from = i64::MIN;
        for at in (1..self.values.len()).filter(|at| self.chart.points[*at].is_after_break) {
            let x = (self.x(at - 1) + self.x(at)) / 2;
            out.push_str(&line("break", (x, PLOT_TOP - SPACE), (x, PLOT_BOTTOM), BREAK));
            let half = width("break") / 2;
            if x - half >= free_from {
                out.push_str(&written("break", x.min(WIDTH - half), PLOT_TOP - SPACE - 20, "middle", "break"));
                free_from = x + half + SPACE;
            }
        }
        out
    }

    /// The line: broken at gaps and breaks, dashed from and to what is provisional.
    fn lines(&self) -> String {
        let is_dashed = |at: usize| [at - 1, at].iter().any(|at| self.chart.points[*at].is_provisional);
        let mut out = String::new();
        let mut at = 1;
        while at < self.values.len() {
            let length = (at..self.values.len())
                .take_while(|next| self.continues(*next) && is_dashed(*next) == is_dashed(at))
                .count();
            let places: Vec<(i64, i64)> = (at - 1..at + length).filter_map(|at| self.place(at)).collect();
            if length > 0 {
                out.push_str(&if is_dashed(at) {
                    polyline("line provisional", &places, PROVISIONAL)
                } else {
                    polyline("line", &places, "")
                });
            }
            at += length.max(1);
        }
        out
    }

    /// A mark at each figure and each gap, with what there is to say of it.
    fn marks(&self) -> String {
        let mark = |at: usize| {
            let point = &self.chart.points[at];
            match self.place(at) {
                None => cross(self.x(at), GAP_MARKS, &point.words),
                Some(place) => {
                    let is_alone = !self.continues(at) && !self.continues(at + 1);
                    let is_seen = !self.is_crowded() || is_alone || point.is_partial || point.is_made_up;
                    let dash = if is_alone && point.is_provisional { dashes(place) } else { String::new() };
                    let spot = || spot(place, point.is_partial, point.is_made_up, &point.words);
                    dash + &if is_seen { spot() } else { String::new() }
                }
            }
        };
        (0..self.values.len()).map(mark).collect()
    }

    /// The newest value, beside its point: on the side that the line doesn't come from, clear of the line.
    fn newest(&self) -> String {
        let newest = (0..self.values.len()).rev().find_map(|at| Some((at, self.place(at)?)));
        let Some((at, (x, y))) = newest else {
            return written("none", (self.left + WIDTH) / 2, PLOT_TOP + PLOT_HEIGHT / 2, "middle", "no figures");
        };
        let value = self.chart.points[at].value.as_deref().unwrap_or_default();
        let value = quantity(value, self.chart.kind, self.chart.unit);
        let half = width(&value) / 2;
        let middle = x.min(WIDTH - half).max(half);
        let beside = || (0..=at).filter_map(|at| self.place(at)).filter(|(x, _)| *x > middle - half).map(|(_, y)| y);
        let (above, below) = (beside().min().unwrap_or(y) - 2 * RADIUS, beside().max().unwrap_or(y) + RADIUS + TEXT);
        let comes_from_above = self.continues(at) && self.place(at - 1).is_some_and(|(_, before)| before < y);
        written("newest", middle, if comes_from_above && below < PLOT_BOTTOM { below } else { above }, "middle", &value)
    }

    /// What each sign means that is used.
    fn key(&self) -> Vec<(Sign, &'static str)> {
        let drawn = |has: fn(&Point) -> bool| {
            (0..self.values.len()).any(|at| self.place(at).is_some() && has(&self.chart.points[at]))
        };
        let signs: [(bool, Sign, &str); 5] = [
            (
                drawn(|point| point.is_partial),
                |y| spot((150, y), true, false, ""),
                "partial: something expected is missing",
            ),
            (drawn(|point| point.is_provisional), |y| dashes((150, y)), "provisional"),
            (drawn(|point| point.is_made_up), |y| spot((150, y), false, true, ""), "rests on made-up sample figures"),
            ((0..self.values.len()).any(|at| self.place(at).is_none()), |y| cross(150, y, ""), "no figure"),
            (
                self.chart.points.iter().skip(1).any(|point| point.is_after_break),
                |y| line("break", (150, y - 70), (150, y + 70), BREAK),
                "break: not comparable across it",
            ),
        ];
        signs.into_iter().filter(|(is_used, ..)| *is_used).map(|(_, sign, meaning)| (sign, meaning)).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quick_xml::Reader;
    use quick_xml::escape::unescape;
    use quick_xml::events::Event;

    use super::*;
    use crate::model::text::visible;

    /// The elements of an SVG, each with its attributes and the texts directly in it. Panics unless it is well formed.
    fn elements(svg: &str) -> Vec<(String, String)> {
        let mut reader = Reader::from_str(svg);
        reader.config_mut().check_end_names = true;
        let (mut found, mut open) = (Vec::<(String, String)>::new(), Vec::new());
        loop {
            match reader.read_event().unwrap() {
                Event::Start(start) => {
                    start.attributes().for_each(|attribute| drop(attribute.unwrap()));
                    open.push(found.len());
                    found.push((start.name().as_ref().to_owned(), String::new()));
                }
                Event::Empty(empty) => {
                    empty.attributes().for_each(|attribute| drop(attribute.unwrap()));
                    found.push((empty.name().as_ref().to_owned(), String::new()));
                }
                Event::End(_) => drop(open.pop().unwrap()),
                Event::Text(text) => {
                    if let Some(at) = open.last() {
                        found[*at].1.push_str(text.as_ref());
                    }
                }
                Event::GeneralRef(entity) => {
                    let text = format!("&{};", entity.as_ref() as &str);
                    found[*open.last().unwrap()].1.push_str(&unescape(&text).unwrap());
                }
                Event::Eof => break,
                other @ (Event::CData(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_)) => {
                    panic!("{other:?}")
                }
            }
        }
        assert!(open.is_empty());
        found
    }

    fn point(label: &str, value: Option<&str>) -> Point {
        Point { label: label.to_owned(), words: label.to_owned(), value: value.map(str::to_owned), ..Point::default() }
    }

    fn chart<'a>(points: &'a [Point], kind: Kind) -> Chart<'a> {
        Chart { id: "c", title: "Things", description: "All that there is.", kind, unit: "things", points }
    }

    #[test]
    fn every_sign_is_in_the_key() {
        let points = [
            point("2015-16", Some("40")),
            Point { is_partial: true, ..point("2016-17", Some("38")) },
            Point { is_made_up: true, ..point("2017-18", Some("52")) },
            point("2018-19", None),
            Point { is_partial: true, is_made_up: true, ..point("2019-20", Some("0")) },
            Point { is_after_break: true, ..point("2020-21", Some("61")) },
            Point { is_provisional: true, ..point("2021-22", Some("47")) },
        ];
        insta::assert_snapshot!(chart(&points, Kind::Events).svg());
    }

    #[test]
    fn a_chart_of_120_months_is_thinned() {
        let label = |at: usize| format!("{} {}", ["Jan", "Apr", "Jul", "Oct"][at % 4], 2000 + at / 4);
        let value = |at: usize| (at != 70).then(|| (5_000 + (at * at) % 977).to_string());
        let points: Vec<Point> = (0..120).map(|at| point(&label(at), value(at).as_deref())).collect();
        let svg = chart(&points, Kind::Events).svg();
        insta::assert_snapshot!(svg);
        assert_eq!(elements(&svg).iter().filter(|(name, _)| name == "circle").count(), 0);
        assert_eq!(svg.matches("class=\"line\"").count(), 2);
    }

    #[test]
    fn a_chart_without_points_or_values_says_so() {
        for points in [&[][..], &[point("2021-22", None)], &[point("2021-22", Some("many"))]] {
            let found = elements(&chart(points, Kind::Ratio).svg());
            assert!(found.iter().any(|(_, text)| text == "no figures"), "{found:?}");
        }
    }

    #[test]
    fn amounts_in_millions_and_below_zero_are_on_the_axis() {
        let points = [point("2020-21", Some("-12500000")), point("2021-22", Some("104260000.50"))];
        let svg = Chart { unit: "GBP", ..chart(&points, Kind::Amount) }.svg();
        let texts: Vec<String> = elements(&svg).into_iter().map(|(_, text)| text).collect();
        for text in ["£, millions", "-50", "0", "150", "£104,260,000.50"] {
            assert!(texts.iter().any(|shown| shown == text), "{text} in {texts:?}");
        }
    }

    #[test]
    fn it_needs_nothing_that_the_page_forbids() {
        let points = [point("2020-21", Some("1")), point("2021-22", None)];
        let svg = chart(&points, Kind::Events).svg();
        for forbidden in ["<style", "style=", "<script", "href", "url(", "onload", "#"] {
            assert!(!svg.contains(forbidden), "{forbidden} in {svg}");
        }
    }

    fn any_point() -> impl Strategy<Value = Point> {
        let value = proptest::option::weighted(0.8, "-?[0-9]{1,15}(\\.[0-9]{1,6})?|\\PC{0,5}");
        (".{0,20}", ".{0,20}", value, any::<[bool; 4]>()).prop_map(|(label, words, value, flags)| {
            let [is_partial, is_provisional, is_made_up, is_after_break] = flags;
            Point { label, words, value, is_partial, is_provisional, is_made_up, is_after_break }
        })
    }

    proptest! {
        #[test]
        fn whatever_texts_say_they_are_escaped_and_all_of_it_is_on_the_drawing(
            title in ".{0,30}|[<>&\"'a-z/= ]{0,30}",
            description in ".{0,30}|[<>&\"'a-z/= ]{0,30}",
            unit in ".{0,10}|[<>&\"']{0,10}",
            points in proptest::collection::vec(any_point(), 0..20),
            kind in proptest::sample::select(vec![Kind::Events, Kind::Ratio, Kind::Mean, Kind::Amount]),
        ) {
            let chart = Chart { id: "c", title: &title, description: &description, kind, unit: &unit, points: &points };
            let svg = chart.svg();
            let found = elements(&svg);
            let known = ["svg", "title", "desc", "text", "line", "polyline", "path", "circle"];
            prop_assert!(found.iter().all(|(name, _)| known.contains(&name.as_str())), "{found:?}");
            prop_assert_eq!(&found[1], &("title".to_owned(), visible(&title).into_owned()));
            prop_assert_eq!(&found[2], &("desc".to_owned(), visible(&description).into_owned()));
            prop_assert_eq!(svg.clone(), chart.svg());
        }
    }
}
