//! What was measured, over all runs: medians, and ratios taken within a run. The same values as a
//! table to read and as JSON for other programs, whose keys stay when a label changes.

use serde_json::{Map, Value, json};

/// Figures that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Section {
    Machine,
    Single,
    Open,
    Large,
    Bulk,
    Engine,
    Queries,
    NotPlain,
    UnderLoad,
    Size,
    Identities,
    Peers,
}

impl Section {
    const ALL: [Self; 12] = [
        Self::Machine,
        Self::Single,
        Self::Open,
        Self::Large,
        Self::Bulk,
        Self::Engine,
        Self::Queries,
        Self::NotPlain,
        Self::UnderLoad,
        Self::Size,
        Self::Identities,
        Self::Peers,
    ];

    /// What its figures are under in JSON.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Machine => "machine",
            Self::Single => "single",
            Self::Open => "open",
            Self::Large => "large",
            Self::Bulk => "bulk",
            Self::Engine => "engine",
            Self::Queries => "queries",
            Self::NotPlain => "not_plain",
            Self::UnderLoad => "under_load",
            Self::Size => "size",
            Self::Identities => "identities",
            Self::Peers => "peers",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Machine => "The machine",
            Self::Single => "Submissions of one observation, durable",
            Self::Open => "Submissions of one observation, durable, at a fixed rate",
            Self::Large => "Submissions of 1,000 observations, durable",
            Self::Bulk => "Columns and streams of 1,000 observations a submission, durable",
            Self::Engine => "The engine, without a network",
            Self::Queries => "Queries",
            Self::NotPlain => "Queries that aren't plain",
            Self::UnderLoad => "Queries under write load",
            Self::Size => "Start and size",
            Self::Identities => "With identities, the audit log and the log",
            Self::Peers => "Beside what one would use instead",
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
    BytesPerSubmission,
    /// Context switches.
    Switches,
    /// Syncs of the disk.
    Syncs,
}

impl Unit {
    /// How a figure's key in JSON ends.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::PerSecond => "per_s",
            Self::ObservationsPerSecond => "obs_per_s",
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Microseconds => "us",
            Self::MicrosecondsPerObservation => "us_per_obs",
            Self::BytesPerObservation => "bytes_per_obs",
            Self::BytesPerSubmission => "bytes_per_submission",
            Self::Switches => "switches",
            Self::Syncs => "syncs",
        }
    }

    fn symbol(self) -> &'static str {
        match self {
            Self::PerSecond => "/s",
            Self::ObservationsPerSecond => "obs/s",
            Self::Seconds => "s",
            Self::Milliseconds => "ms",
            Self::Microseconds | Self::MicrosecondsPerObservation => "µs",
            Self::BytesPerObservation | Self::BytesPerSubmission => "bytes",
            Self::Switches => "context switches",
            Self::Syncs => "syncs",
        }
    }

    /// Whether less is better.
    fn is_cost(self) -> bool {
        match self {
            Self::PerSecond | Self::ObservationsPerSecond => false,
            Self::Seconds
            | Self::Milliseconds
            | Self::Microseconds
            | Self::MicrosecondsPerObservation
            | Self::BytesPerObservation
            | Self::BytesPerSubmission
            | Self::Switches
            | Self::Syncs => true,
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
    beside: Option<(String, Vec<f64>)>,
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
        beside: (&str, f64),
    ) {
        self.push(section, key, label, value, unit, Some(beside));
    }

    fn push(&mut self, section: Section, key: &str, label: &str, value: f64, unit: Unit, beside: Option<(&str, f64)>) {
        let limit = beside.map(|(name, value)| format!(", {name} {}", figure(value))).unwrap_or_default();
        eprintln!("  {}: {label}: {} {}{limit}", section.key(), figure(value), unit.symbol());
        let key = format!("{key}_{}", unit.key());
        let known = self.rows.iter().position(|row| row.section == section && row.key == key);
        let at = known.unwrap_or_else(|| {
            let beside = beside.map(|(name, _)| (name.to_owned(), Vec::new()));
            self.rows.push(Row { section, key, label: label.to_owned(), unit, values: Vec::new(), beside });
            self.rows.len() - 1
        });
        let row = &mut self.rows[at];
        row.values.push(value);
        if let (Some((_, values)), Some((_, value))) = (&mut row.beside, beside) {
            values.push(value);
        }
    }

    fn row(&self, section: Section, key: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.section == section && row.key == key)
    }

    /// What a figure was when it was last measured, by its key with the unit.
    pub(crate) fn last(&self, section: Section, key: &str) -> Option<f64> {
        self.row(section, key)?.values.last().copied()
    }

    /// The symbol of a figure's unit.
    pub(crate) fn symbol(&self, section: Section, key: &str) -> Option<&'static str> {
        self.row(section, key).map(|row| row.unit.symbol())
    }

    pub(crate) fn median(&self, section: Section, key: &str) -> Option<f64> {
        Some(spread(&self.row(section, key)?.values)[1])
    }

    /// The median of the ratios to what a figure is compared with.
    pub(crate) fn ratio(&self, section: Section, key: &str) -> Option<f64> {
        let row = self.row(section, key)?;
        row.beside.as_ref().map(|_| spread(&row.ratios())[1])
    }

    /// How many times better a figure is than what it is compared with.
    pub(crate) fn times_better(&self, section: Section, key: &str) -> Option<f64> {
        let is_cost = self.row(section, key)?.unit.is_cost();
        self.ratio(section, key).map(|ratio| if is_cost { 1.0 / ratio } else { ratio })
    }

    /// Prints all of it, as tables in Markdown.
    pub(crate) fn print(&self) {
        for section in Section::ALL {
            let mut rows = self.rows.iter().filter(|row| row.section == section).peekable();
            if rows.peek().is_some() {
                println!("\n**{}**\n", section.title());
                println!("| what | median | from – to | beside | ratio |\n|---|---|---|---|---|");
                rows.for_each(Row::print);
            }
        }
    }

    /// All of it by section.
    pub(crate) fn json(&self) -> Value {
        let mut figures = Map::new();
        for section in Section::ALL {
            let rows = self.rows.iter().zip(0..).filter(|(row, _)| row.section == section);
            let rows: Map<_, _> = rows.map(|(row, at)| (row.key.clone(), row.json(at))).collect();
            if !rows.is_empty() {
                figures.insert(section.key().to_owned(), rows.into());
            }
        }
        figures.into()
    }
}

impl Row {
    fn print(&self) {
        let (label, symbol) = (&self.label, self.unit.symbol());
        let [lowest, median, highest] = spread(&self.values).map(figure);
        let (beside, ratio) = match &self.beside {
            Some((name, values)) => {
                let [_, beside, _] = spread(values).map(figure);
                let [_, ratio, _] = spread(&self.ratios()).map(figure);
                (format!("{name} {beside}"), format!("**{ratio}**"))
            }
            None => (String::new(), String::new()),
        };
        println!("| {label} | {median} {symbol} | {lowest} – {highest} | {beside} | {ratio} |");
    }

    /// `at` is its place among all rows: JSON's objects have none.
    fn json(&self, at: u32) -> Value {
        let of = |values: &[f64]| {
            let [lowest, median, highest] = spread(values);
            json!({ "median": median, "lowest": lowest, "highest": highest, "values": values })
        };
        let mut row = of(&self.values);
        row["at"] = at.into();
        row["label"] = self.label.as_str().into();
        row["unit"] = self.unit.symbol().into();
        if let Some((name, values)) = &self.beside {
            row["beside"] = of(values);
            row["beside"]["label"] = name.as_str().into();
            row["ratio"] = of(&self.ratios());
            row["less_is_better"] = self.unit.is_cost().into();
        }
        row
    }

    /// Each value beside what it is compared with, measured in the same run.
    fn ratios(&self) -> Vec<f64> {
        let beside = self.beside.iter().flat_map(|(_, values)| values);
        self.values.iter().zip(beside).map(|(value, beside)| value / beside).collect()
    }
}

/// The lowest, the median and the highest.
pub(crate) fn spread(values: &[f64]) -> [f64; 3] {
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
