//! How a line of the log is written: as text, or as an object of JSON.

use std::fmt;
use std::str::FromStr;
use std::time::SystemTime;

use serde_json::{Value, json};
use tracing::Level;

use crate::model::text::{visible, visible_json};
use crate::model::timestamp::Timestamp;

/// The longest line that is written whole.
pub(super) const LINE_BYTES_MAX: usize = 8 << 10;

/// How lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: an object a line.
    Json,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        [Self::Text, Self::Json]
            .into_iter()
            .find(|format| format.to_string() == text)
            .ok_or("allowed: text, json".into())
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

impl Format {
    /// A line of the log itself, at this moment.
    pub(super) fn own_line(self, level: Level, what: &str) -> String {
        let now = Timestamp::of_system(SystemTime::now());
        match self {
            Self::Text => format!("{now} {level:>5} {what}\n"),
            Self::Json => {
                let line = json!({ "timestamp": now.to_string(), "level": level.as_str(), "message": what });
                format!("{line}\n")
            }
        }
    }

    /// The line of an event: one line, of bounded length, in which everything can be seen. On a terminal the library shows
    /// what can't, and the colours are ours.
    pub(super) fn line(self, event: &str, is_terminal: bool) -> String {
        let event = event.trim_end_matches('\n');
        match self {
            Self::Text => {
                let whole = start_of(event, LINE_BYTES_MAX);
                let mut line = if is_terminal { whole.to_owned() } else { visible(whole).into_owned() };
                line.push_str(if whole.len() < event.len() { "…\n" } else { "\n" });
                line
            }
            Self::Json if event.len() <= LINE_BYTES_MAX => visible_json(event).into_owned() + "\n",
            // Cut, it would be no object: as much of it as fits becomes the text of one. Each of its quotes is escaped.
            Self::Json => {
                let mut line = of_json(event);
                line.retain(|field, _| ["timestamp", "level"].contains(&field.as_str()));
                line.insert("message".to_owned(), format!("{}…", start_of(event, LINE_BYTES_MAX / 2)).into());
                visible_json(&Value::from(line).to_string()).into_owned() + "\n"
            }
        }
    }

    /// What a line says, without its time.
    pub(super) fn what(self, line: &str) -> String {
        match self {
            Self::Text => line.split_once(' ').map_or("", |(_, what)| what).trim().to_owned(),
            Self::Json => {
                let message = of_json(line).remove("message");
                message.as_ref().and_then(Value::as_str).unwrap_or_default().to_owned()
            }
        }
    }
}

fn of_json(line: &str) -> serde_json::Map<String, Value> {
    serde_json::from_str(line).unwrap_or_default()
}

/// The start of a text, of so many bytes at the most.
fn start_of(text: &str, bytes_max: usize) -> &str {
    let end = (0..=text.len().min(bytes_max)).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_json_is_an_object_whatever_is_in_it_and_however_long_it_is() {
        for (message, expect) in [
            ("a \u{1b}[2J b \u{202e} c\nd".to_owned(), "a \u{1b}[2J b \u{202e} c\nd".to_owned()),
            ("é\"".repeat(LINE_BYTES_MAX), "é\\\"é".to_owned()),
        ] {
            let event = json!({ "timestamp": "now", "level": "WARN", "message": message, "field": 1 }).to_string();
            let line = Format::Json.line(&event, false);
            assert!(line.ends_with("}\n") && line.matches('\n').count() == 1 && line.len() <= 2 * LINE_BYTES_MAX);
            assert!(!line.contains('\u{202e}'), "{line}");
            let found = of_json(&line);
            assert_eq!((&found["timestamp"], &found["level"]), (&json!("now"), &json!("WARN")));
            assert!(found["message"].as_str().unwrap().contains(&expect), "{line}");
        }
        let own = Format::Json.own_line(Level::WARN, "7 lines \"are\" lost");
        assert_eq!(Format::Json.what(&own), "7 lines \"are\" lost");
    }
}
