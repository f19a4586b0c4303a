//! What was measured, over all runs: medians, and ratios taken within a run.

use std::collections::BTreeMap;

/// The rows, in the order in which they first came.
#[derive(Debug, Default)]
pub(crate) struct Report {
    order: Vec<(&'static str, String)>,
    samples: BTreeMap<String, Vec<Sample>>,
}

#[derive(Debug, Clone)]
struct Sample {
    value: f64,
    unit: &'static str,
    beside: Option<(String, f64)>,
}

impl Report {
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
        if !self.samples.contains_key(&name) {
            self.order.push((section, name.clone()));
        }
        self.samples.entry(name).or_default().push(sample);
    }

    /// Prints all of it, as tables in Markdown.
    pub(crate) fn print(&self) {
        let mut shown = "";
        for (section, name) in &self.order {
            if *section != shown {
                println!("\n**{section}**\n");
                println!("| what | median | from – to | beside | ratio |\n|---|---|---|---|---|");
                shown = section;
            }
            let samples = &self.samples[name];
            let values = sorted(samples.iter().map(|sample| sample.value));
            let (Some(low), Some(high), Some(first)) = (values.first(), values.last(), samples.first()) else {
                continue;
            };
            let limits = sorted(samples.iter().filter_map(|sample| Some(sample.beside.as_ref()?.1)));
            let ratios = sorted(samples.iter().filter_map(|sample| Some(sample.value / sample.beside.as_ref()?.1)));
            let beside = first.beside.as_ref().map(|(what, _)| format!("{what} {}", figure(median(&limits))));
            let ratio = if ratios.is_empty() { String::new() } else { format!("**{:.2}**", median(&ratios)) };
            println!(
                "| {name} | {} {} | {} – {} | {} | {ratio} |",
                figure(median(&values)),
                first.unit,
                figure(*low),
                figure(*high),
                beside.unwrap_or_default(),
            );
        }
    }
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
