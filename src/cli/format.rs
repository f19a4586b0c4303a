//! Figures as people read them, and answers as JSON.

use std::collections::BTreeSet;

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage};

use super::Failure;
use crate::model::marker::Marker;
use crate::rpc::FILE_DESCRIPTOR_SET;
use crate::rpc::proto::{Change, ChangeGap, ChangeUnit, Coverage, Figure, Gap, Kind};

/// A message as protobuf's JSON, indented.
pub(super) fn json(message: &impl Message, name: &str) -> Result<String, Failure> {
    let pool = DescriptorPool::decode(FILE_DESCRIPTOR_SET)?;
    let full_name = format!("conspectus.v1.{name}");
    let descriptor =
        pool.get_message_by_name(&full_name).ok_or_else(|| Failure(format!("there is no message {full_name}")))?;
    let dynamic = DynamicMessage::decode(descriptor, message.encode_to_vec().as_slice())?;
    Ok(serde_json::to_string_pretty(&dynamic)?)
}

/// The remarks that a table's figures call for, collected while they are shown.
#[derive(Debug, Default)]
pub(super) struct Remarks {
    markers: BTreeSet<i32>,
    partial: bool,
    partial_change: bool,
    sample: bool,
    as_at: bool,
}

impl Remarks {
    /// The value of a figure, grouped by thousands, or why there is none.
    pub(super) fn value(&mut self, figure: &Figure, kind: Kind) -> String {
        match (&figure.value, figure.gap()) {
            (Some(value), _) if kind == Kind::Ratio => format!("{value}%"),
            (Some(value), _) => thousands(value),
            (None, Gap::NotReported) => "–".to_owned(),
            (None, Gap::Marked | Gap::Unspecified) => String::new(),
            (None, Gap::SideBySide) => "side by side".to_owned(),
            (None, Gap::NotCombinable) => "not combinable".to_owned(),
            (None, Gap::ZeroBase) => "of nothing".to_owned(),
            (None, Gap::LeadNotReported) => "lead missing".to_owned(),
            (None, Gap::TooLarge) => "too large".to_owned(),
        }
    }

    /// What stands beside the value: markers, how old it is, whether it is partial or made up.
    pub(super) fn flags(&mut self, figure: &Figure) -> String {
        self.markers.extend(&figure.markers);
        let mut flags: Vec<String> = figure
            .markers
            .iter()
            .filter_map(|code| Marker::from_code(*code))
            .map(|marker| format!("[{marker}]"))
            .collect();
        if let Some(as_at) = &figure.as_at {
            flags.push(format!("as at {as_at}"));
            self.as_at = true;
        } else if figure.value.is_some() && !figure.coverage.as_ref().is_none_or(|coverage| coverage.complete) {
            flags.push("partial".to_owned());
            self.partial = true;
        }
        if figure.sample {
            flags.push("*".to_owned());
            self.sample = true;
        }
        flags.join(" ")
    }

    /// The difference and the percentage of a change, with their signs and units; in brackets when
    /// one of the figures is partial.
    pub(super) fn change(&mut self, change: Option<&Change>) -> (String, String) {
        let Some(change) = change else { return Default::default() };
        let sign = |text: &str| if text.starts_with('-') || is_zero(text) { "" } else { "+" };
        let difference = change.difference.as_deref().map(|text| match change.unit() {
            ChangeUnit::PercentagePoints => format!("{}{text} pp", sign(text)),
            ChangeUnit::Number | ChangeUnit::Unspecified => format!("{}{}", sign(text), thousands(text)),
        });
        let percent = change.percent.as_deref().map(|text| format!("{}{text}%", sign(text)));
        let gap = match change.gap() {
            ChangeGap::FromZero => "from zero",
            ChangeGap::FromBelowZero => "from below zero",
            ChangeGap::Break => "break",
            ChangeGap::TooLarge => "too large",
            ChangeGap::Unspecified
            | ChangeGap::NoLaterValue
            | ChangeGap::NoEarlierValue
            | ChangeGap::NoEarlierPeriod => "",
        };
        self.partial_change |= change.partial && difference.is_some();
        let bracketed = |text: String| if change.partial { format!("({text})") } else { text };
        (difference.map(bracketed).unwrap_or_default(), percent.map_or_else(|| gap.to_owned(), bracketed))
    }

    /// What the table's signs mean, a line each.
    pub(super) fn lines(&self) -> String {
        let mut lines = Vec::new();
        if self.sample {
            lines.push("* rests on made-up sample figures".to_owned());
        }
        if self.partial {
            lines.push("partial: something expected is not in it; see how many reported".to_owned());
        }
        if self.partial_change {
            lines.push("(…): a change from or to a partial figure".to_owned());
        }
        if self.as_at {
            lines.push("as at: the stock at the period's close is missing; this is the last one before".to_owned());
        }
        lines.extend(
            self.markers
                .iter()
                .filter_map(|code| Marker::from_code(*code))
                .map(|marker| format!("[{marker}] {}", meaning(marker))),
        );
        lines.join("\n")
    }
}

fn meaning(marker: Marker) -> &'static str {
    match marker {
        Marker::Confidential => "confidential",
        Marker::NotAvailable => "not available",
        Marker::NotApplicable => "not applicable",
        Marker::Low => "rounds to zero, but isn't",
        Marker::Unreliable => "of low reliability",
        Marker::Estimated => "estimated, or worked out from a printed percentage and its base",
        Marker::Provisional => "provisional",
        Marker::Revised => "revised",
        Marker::Break => "a break in the series: not comparable with what came before",
    }
}

fn is_zero(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'0' || byte == b'.')
}

/// How many reported of how many expected, and how many are late.
pub(super) fn coverage(coverage: Option<&Coverage>) -> String {
    match coverage {
        None => String::new(),
        Some(coverage) if coverage.expected == 0 => String::new(),
        Some(coverage) => {
            let mut text = format!("{} of {}", coverage.reported, coverage.expected);
            if coverage.late > 0 {
                text.push_str(&format!(", {} late", coverage.late));
            }
            if coverage.not_available > 0 {
                text.push_str(&format!(", {} not available", coverage.not_available));
            }
            text
        }
    }
}

/// A decimal text with its thousands grouped: `153,033`, `-1,234.5`.
pub(super) fn thousands(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |digits| ("-", digits));
    let (whole, fraction) = digits.find('.').map_or((digits, ""), |point| digits.split_at(point));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}{fraction}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        for (text, expected) in [("0", "0"), ("999", "999"), ("1000", "1,000"), ("-1234567.80", "-1,234,567.80")] {
            assert_eq!(thousands(text), expected);
        }
    }
}
