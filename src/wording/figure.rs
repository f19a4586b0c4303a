//! What stands beside a figure, in words.

use crate::model::marker::Marker;

/// What a marker says of a figure.
pub(crate) fn meaning(marker: Marker) -> String {
    let words = match marker {
        Marker::Confidential => "confidential",
        Marker::NotAvailable => "not available",
        Marker::NotApplicable => "not applicable",
        Marker::Low => "rounds to zero, but isn't",
        Marker::Unreliable => "of low reliability",
        Marker::Estimated => "estimated, or combined from printed percentages",
        Marker::Provisional => "provisional",
        Marker::Revised => "revised",
        Marker::Break => "a break in the series: not comparable with what came before",
    };
    words.to_owned()
}
