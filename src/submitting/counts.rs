//! What the figures of a submission did, all together.

use std::fmt::{self, Display, Formatter};
use std::ops::AddAssign;

use crate::rpc::proto::{Observation, Receipt, SubmitObservationsResponse};
use crate::wording::number::thousands;

/// How many figures did what.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Counts {
    new: u64,
    revised: u64,
    unchanged: u64,
    withdrawn: u64,
}

impl Counts {
    pub(crate) fn of(receipt: &Receipt) -> Self {
        let Receipt { new_count, revised_count, unchanged_count, withdrawn_count, .. } = receipt;
        let [new, revised, unchanged, withdrawn] = [new_count, revised_count, unchanged_count, withdrawn_count]
            .map(|count| u64::try_from(*count).unwrap_or(0));
        Self { new, revised, unchanged, withdrawn }
    }

    /// How many changed what stood.
    pub(crate) fn changed(self) -> u64 {
        self.new + self.revised + self.withdrawn
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, Self { new, revised, unchanged, withdrawn }: Self) {
        self.new += new;
        self.revised += revised;
        self.unchanged += unchanged;
        self.withdrawn += withdrawn;
    }
}

impl Display for Counts {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let [new, revised, unchanged, withdrawn] =
            [self.new, self.revised, self.unchanged, self.withdrawn].map(|count| thousands(&count.to_string()));
        write!(f, "{new} new, {revised} revised, {unchanged} unchanged")?;
        if self.withdrawn == 0 { Ok(()) } else { write!(f, ", {withdrawn} withdrawn") }
    }
}

/// That every figure stands already, or is withdrawn already, and since when: `these 3 figures stand since revision 5`.
pub(crate) fn standing(checked: &SubmitObservationsResponse, submitted: &[Observation]) -> String {
    let outcomes = checked.receipt.iter().flat_map(|receipt| &receipt.outcomes);
    let since: Vec<i64> = outcomes.map(|outcome| outcome.previous_revision).collect();
    let first = since.iter().min().copied().unwrap_or_default();
    let last = since.iter().max().copied().unwrap_or_default();
    let withdrawn = submitted.iter().filter(|observation| observation.withdraw).count();
    let stand = match (since.len(), withdrawn) {
        (1, 0) => "this figure stands".to_owned(),
        (1, _) => "this figure is withdrawn".to_owned(),
        (count, 0) => format!("these {count} figures stand"),
        (count, withdrawn) if count == withdrawn => format!("these {count} figures are withdrawn"),
        (count, _) => format!("these {count} figures stand or are withdrawn"),
    };
    let since = if first == last { format!("revision {first}") } else { format!("revisions {first} to {last}") };
    format!("{stand} since {since}")
}
