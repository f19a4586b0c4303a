//! The elements that a chart is drawn with. Lengths and places are in tenths of a unit of the drawing.

use std::fmt;

use quick_xml::escape::escape;

use crate::model::text::visible;

/// How high texts are.
pub(super) const TEXT: i64 = 120;
/// As wide as a digit is in a wide font.
const CHARACTER: i64 = 78;
/// How far a mark reaches from its place.
pub(super) const RADIUS: i64 = 35;

/// The attributes of what is provisional.
pub(super) const PROVISIONAL: &str = " stroke-dasharray=\"5 3\"";
/// The attributes of a break.
pub(super) const BREAK: &str = " stroke-dasharray=\"2 3\"";

/// A length or a place, in tenths of a unit of the drawing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tenths(pub(super) i64);

impl fmt::Display for Tenths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        match (self.0.unsigned_abs() / 10, self.0.unsigned_abs() % 10) {
            (whole, 0) => write!(f, "{sign}{whole}"),
            (whole, tenth) => write!(f, "{sign}{whole}.{tenth}"),
        }
    }
}

/// A text as it may stand in an element or an attribute: with what can't be seen of it by its numbers.
pub(super) fn text(raw: &str) -> String {
    escape(visible(raw)).into_owned()
}

/// How wide a text is, at most.
pub(super) fn width(text: &str) -> i64 {
    CHARACTER * i64::try_from(text.chars().count()).unwrap_or(0)
}

/// A text at a place.
pub(super) fn written(class: &str, x: i64, y: i64, anchor: &str, words: &str) -> String {
    let (x, y) = (Tenths(x), Tenths(y));
    format!("<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{}</text>\n", text(words))
}

/// A line from one place to another.
pub(super) fn line(class: &str, from: (i64, i64), to: (i64, i64), attributes: &str) -> String {
    let [x1, y1, x2, y2] = [from.0, from.1, to.0, to.1].map(Tenths);
    format!(
        "<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\" stroke=\"currentColor\"{attributes}/>\n"
    )
}

/// A line through some places.
pub(super) fn polyline(class: &str, places: &[(i64, i64)], attributes: &str) -> String {
    let places: Vec<String> = places.iter().map(|(x, y)| format!("{},{}", Tenths(*x), Tenths(*y))).collect();
    format!(
        "<polyline class=\"{class}\" points=\"{}\" fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\"{attributes}/>\n",
        places.join(" ")
    )
}

/// A short dashed line through a place: what is provisional, and has no line to another figure.
pub(super) fn dashes((x, y): (i64, i64)) -> String {
    line("line provisional", (x - 130, y), (x + 130, y), &format!(" stroke-width=\"2\"{PROVISIONAL}"))
}

/// A figure's mark: a dot, or a diamond for one that is made up; hollow if it is partial.
pub(super) fn spot((x, y): (i64, i64), is_partial: bool, is_made_up: bool, words: &str) -> String {
    let class = [("point", true), ("partial", is_partial), ("made-up", is_made_up)];
    let class: Vec<&str> = class.into_iter().filter(|(_, is_so)| *is_so).map(|(class, _)| class).collect();
    // A hollow mark hides the line behind it by the colour of the page.
    let fill = if is_partial { " fill=\"Canvas\"" } else { "" };
    let outline = format!("class=\"{}\"{fill} stroke=\"currentColor\" stroke-width=\"1.5\"", class.join(" "));
    if is_made_up {
        let (far, x, y) = (RADIUS + 10, x, y);
        let [left, top, right, bottom] = [x - far, y - far, x + far, y + far].map(Tenths);
        let (x, y) = (Tenths(x), Tenths(y));
        format!("<path {outline} d=\"M{left} {y} L{x} {top} L{right} {y} L{x} {bottom} Z\">{}</path>\n", tooltip(words))
    } else {
        let (x, y, r) = (Tenths(x), Tenths(y), Tenths(RADIUS));
        format!("<circle {outline} cx=\"{x}\" cy=\"{y}\" r=\"{r}\">{}</circle>\n", tooltip(words))
    }
}

/// The mark of a gap.
pub(super) fn cross(x: i64, y: i64, words: &str) -> String {
    let [left, top, right, bottom] = [x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS].map(Tenths);
    format!(
        "<path class=\"gap\" d=\"M{left} {top} L{right} {bottom} M{left} {bottom} L{right} {top}\" fill=\"none\" \
         stroke=\"currentColor\" stroke-width=\"1.5\">{}</path>\n",
        tooltip(words)
    )
}

/// What a browser shows of a mark that is pointed at.
fn tooltip(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!("<title>{}</title>", text(words)) }
}
