//! What was measured, over all runs: medians, and ratios taken within a run. The same values as a
//! table to read and as JSON for other programs, whose keys stay when a label changes.

use std::io::Write;

use serde_json::{Map, Value, json};

use crate::Failure;

/// Figures that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Machine,
    Single,
    Open,
    Large,
    Bulk,
    Queries,
    UnderLoad,
    Size,
}

impl Section {
    const ALL: [Self; 8] =
        [Self::Machine, Self::Single, Self::Open, Self::Large, Self::Bulk, Self::Queries, Self::UnderLoad, Self::Size];

    /// What its figures are under in JSON.
    fn key(self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::Single => "single",
            Self::Open => "open",
            Self::Large => "large",
            Self::Bulk => "bulk",
            Self::Queries => "queries",
            Self::UnderLoad => "under_load",
            Self::Size => "size",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Machine => "The machine",
            Self::Single => "Submissions of one observation, durable",
            Self::Open => "Submissions of one observation, durable, at a fixed rate",
            Self::Large => "Submissions of 1,000 observations, durable",
            Self::Bulk => "Columns and streams of 1,000 observations a submission, durable",
            Self::Queries => "Queries",
            Self::UnderLoad => "Queries under write load",
            Self::Size => "Start and size",
        }
    }
}

/// What a figure counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    PerSecond,
    ObservationsPerSecond,
    Seconds,
    Milliseconds,
    Microseconds,
    /// Of processor time, for each observation.
    MicrosecondsPerObservation,
    BytesPerObservation,
}

impl Unit {
    /// How a figure's key in JSON ends.
    fn key(self) -> &'static str {
        match self {
            Self::PerSecond => "per_s",
            Self::ObservationsPerSecond => "obs_per_s",
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Microseconds => "us",
            Self::MicrosecondsPerObservation => "us_per_obs",
            Self::BytesPerObservation => "bytes_per_obs",
        }
    }

    fn symbol(self) -> &'static str {
        match self {
            Self::PerSecond => "/s",
            Self::ObservationsPerSecond => "obs/s",
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Microseconds | Self::MicrosecondsPerObservation => "µs",
            Self::BytesPerObservation => "bytes",
        }
    }
}

/// The rows by section, in the order in which they first came.
#[derive(Debug, Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    section: Section,
    /// In snake_case, with the unit.
    key: String,
    label: String,
    unit: Unit,
    /// In the order in which they were measured.
    values: Vec<f64>,
    /// What the figure is compared with: its name, and its value for each of `values`.
    limit: Option<(String, Vec<f64>)>,
}

impl Report {
    /// Notes a figure that stands alone. `key` is its stable name, in snake_case without the unit.
    pub(crate) fn add(&mut self, section: Section, key: &str, label: &str, value: f64, unit: Unit) {
        self.push(section, key, label, value, unit, None);
    }

    /// Notes a figure and what it is compared with, in the same unit.
    pub(crate) fn compare(
        &mut self,
        section: Section,
        key: &str,
        label: &str,
        value: f64,
        unit: Unit,
        limit: (&str, f64),
    ) {
        self.push(section, key, label, value, unit, Some(limit));
    }

    fn push(&mut self, section: Section, key: &str, label: &str, value: f64, unit: Unit, limit: Option<(&str, f64)>) {
        eprintln!("  {}: {label}: {} {}", section.title(), figure(value), unit.symbol());
        let key = format!("{key}_{}", unit.key());
        let known = self.rows.iter().position(|row| row.section == section && row.key == key);
        let at = known.unwrap_or_else(|| {
            let limit = limit.map(|(name, _)| (name.to_owned(), Vec::new()));
            self.rows.push(Row { section, key, label: label.to_owned(), unit, values: Vec::new(), limit });
            self.rows.len() - 1
        });
        let row = &mut self.rows[at];
        row.values.push(value);
        if let (Some((_, limits)), Some((_, value))) = (&mut row.limit, limit) {
            limits.push(value);
        }
    }

    /// Prints all of it, as tables in Markdown.
    pub(crate) fn print(&self) {
        for section in Section::ALL {
            println!("\n**{}**\n", section.title());
            println!("| what | median | from – to | beside | ratio |\n|---|---|---|---|---|");
            self.rows.iter().filter(|row| row.section == section).for_each(Row::print);
        }
    }

    /// Writes all of it as JSON, and how it was measured.
    pub(crate) fn write(&self, to: impl Write, measured: &Value) -> Result<(), Failure> {
        let mut figures = Map::new();
        for section in Section::ALL {
            let rows = self.rows.iter().filter(|row| row.section == section);
            let rows: Map<_, _> = rows.map(|row| (row.key.clone(), row.json())).collect();
            figures.insert(section.key().to_owned(), rows.into());
        }
        Ok(serde_json::to_writer_pretty(to, &json!({ "measured": measured, "figures": figures }))?)
    }
}

impl Row {
    fn print(&self) {
        let (label, symbol) = (&self.label, self.unit.symbol());
        let [lowest, median, highest] = spread(&self.values).map(figure);
        let (limit, ratio) = match &self.limit {
            Some((name, limits)) => {
                let [_, limit, _] = spread(limits).map(figure);
                let [_, ratio, _] = spread(&self.ratios()).map(figure);
                (format!("{name} {limit}"), format!("**{ratio}**"))
            }
            None => (String::new(), String::new()),
        };
        println!("| {label} | {median} {symbol} | {lowest} – {highest} | {limit} | {ratio} |");
    }

    fn json(&self) -> Value {
        let of = |values: &[f64]| {
            let [lowest, median, highest] = spread(values);
            json!({ "median": median, "lowest": lowest, "highest": highest, "values": values })
        };
        let mut row = of(&self.values);
        row["label"] = self.label.as_str().into();
        if let Some((name, limits)) = &self.limit {
            row["limit"] = of(limits);
            row["limit"]["label"] = name.as_str().into();
            row["ratio"] = of(&self.ratios());
        }
        row
    }

    /// Each value beside what it is compared with, measured in the same run.
    fn ratios(&self) -> Vec<f64> {
        let limits = self.limit.iter().flat_map(|(_, limits)| limits);
        self.values.iter().zip(limits).map(|(value, limit)| value / limit).collect()
    }
}

/// The lowest, the median and the highest.
fn spread(values: &[f64]) -> [f64; 3] {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    [0, sorted.len() / 2, sorted.len().saturating_sub(1)].map(|at| sorted.get(at).copied().unwrap_or(f64::NAN))
}

/// Three digits or all before the point.
fn figure(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => thousands(&format!("{value:.0}")),
        tiny if tiny < 0.01 => format!("{value:.4}"),
        small if small < 1.0 => format!("{value:.3}"),
        middle if middle < 10.0 => format!("{value:.2}"),
        _ => format!("{value:.1}"),
    }
}

fn thousands(digits: &str) -> String {
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
