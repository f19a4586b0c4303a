//! What was measured, over all runs: medians, and ratios taken within a run.

/// The rows by section, in the order in which they first came.
#[derive(Debug)]
pub(crate) struct Report {
    sections: Vec<Section>,
}

#[derive(Debug)]
struct Section {
    title: &'static str,
    rows: Vec<(String, Vec<Sample>)>,
}

#[derive(Debug, Clone)]
struct Sample {
    value: f64,
    unit: &'static str,
    beside: Option<(String, f64)>,
}

impl Report {
    /// Nothing yet, of these sections in this order.
    pub(crate) fn of(titles: impl IntoIterator<Item = &'static str>) -> Self {
        Self { sections: titles.into_iter().map(|title| Section { title, rows: Vec::new() }).collect() }
    }

    /// Notes a figure that stands alone.
    pub(crate) fn add(&mut self, section: &'static str, name: impl Into<String>, value: f64, unit: &'static str) {
        self.push(section, name.into(), Sample { value, unit, beside: None });
    }

    /// Notes a figure and what it is put beside, in the same unit.
    pub(crate) fn beside(
        &mut self,
        section: &'static str,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        (what, limit): (&str, f64),
    ) {
        self.push(section, name.into(), Sample { value, unit, beside: Some((what.to_owned(), limit)) });
    }

    fn push(&mut self, section: &'static str, name: String, sample: Sample) {
        eprintln!("  {section}: {name}: {} {}", figure(sample.value), sample.unit);
        let Some(section) = self.sections.iter_mut().find(|known| known.title == section) else { return };
        let rows = &mut section.rows;
        match rows.iter_mut().find(|(known, _)| *known == name) {
            Some((_, samples)) => samples.push(sample),
            None => rows.push((name, vec![sample])),
        }
    }

    /// Prints all of it, as tables in Markdown.
    pub(crate) fn print(&self) {
        for section in &self.sections {
            println!("\n**{}**\n", section.title);
            println!("| what | median | from – to | beside | ratio |\n|---|---|---|---|---|");
            section.rows.iter().for_each(|(name, samples)| print_row(name, samples));
        }
    }
}

fn print_row(name: &str, samples: &[Sample]) {
    let values = sorted(samples.iter().map(|sample| sample.value));
    let (Some(low), Some(high), Some(first)) = (values.first(), values.last(), samples.first()) else { return };
    let beside = || samples.iter().filter_map(|sample| Some((sample.value, sample.beside.as_ref()?.1)));
    let limit = median(&sorted(beside().map(|(_, limit)| limit)));
    let ratio = median(&sorted(beside().map(|(value, limit)| value / limit)));
    let (limit, ratio) = match &first.beside {
        Some((what, _)) => (format!("{what} {}", figure(limit)), format!("**{}**", figure(ratio))),
        None => (String::new(), String::new()),
    };
    let value = figure(median(&values));
    println!("| {name} | {value} {} | {} – {} | {limit} | {ratio} |", first.unit, figure(*low), figure(*high));
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> f64 {
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
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
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
