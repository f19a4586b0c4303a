//! Markers: what a figure says about itself, by the Government Statistical Service's shorthand
//! (Analysis Function, "Using symbols and shorthand in statistical tables").

use std::fmt;

use super::code_list::code_list;

code_list! {
    /// One marker.
    pub enum Marker {
        /// `[c]`: known, and confidential.
        Confidential = 1, "c";
        /// `[x]`: not available.
        NotAvailable = 2, "x";
        /// `[z]`: not applicable.
        NotApplicable = 3, "z";
        /// `[low]`: rounds to zero, but isn't zero.
        Low = 4, "low";
        /// `[u]`: of low reliability.
        Unreliable = 5, "u";
        /// `[e]`: estimated.
        Estimated = 6, "e";
        /// `[p]`: provisional.
        Provisional = 7, "p";
        /// `[r]`: revised.
        Revised = 8, "r";
        /// `[b]`: a break in the series.
        Break = 9, "b";
    }
}

impl Marker {
    /// Whether the marker says why there is no value, and so never stands beside one.
    pub const fn is_absence(self) -> bool {
        match self {
            Self::Confidential | Self::NotAvailable | Self::NotApplicable | Self::Low => true,
            Self::Unreliable | Self::Estimated | Self::Provisional | Self::Revised | Self::Break => false,
        }
    }

    /// What it says of a figure, in words.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Confidential => "confidential",
            Self::NotAvailable => "not available",
            Self::NotApplicable => "not applicable",
            Self::Low => "rounds to zero, but isn't",
            Self::Unreliable => "of low reliability",
            Self::Estimated => "estimated, or combined from printed percentages",
            Self::Provisional => "provisional",
            Self::Revised => "revised",
            Self::Break => "a break in the series: not comparable with what came before",
        }
    }

    const fn bit(self) -> u16 {
        1 << (self.code() - 1)
    }
}

/// A set of markers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Markers(u16);

impl Markers {
    /// No marker.
    pub const NONE: Self = Self(0);

    /// The set of a bit pattern: bit `n - 1` for the marker of code `n`. None when a bit is no
    /// marker's.
    pub const fn from_bits(bits: u16) -> Option<Self> {
        if bits < 1 << Marker::ALL.len() { Some(Self(bits)) } else { None }
    }

    /// The set as bits: bit `n - 1` for the marker of code `n`.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whether the marker is in the set.
    pub const fn contains(self, marker: Marker) -> bool {
        self.0 & marker.bit() != 0
    }

    /// The set with the marker in it.
    #[must_use]
    pub const fn with(self, marker: Marker) -> Self {
        Self(self.0 | marker.bit())
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The markers in the set, by code.
    pub fn iter(self) -> impl Iterator<Item = Marker> {
        Marker::ALL.iter().copied().filter(move |marker| self.contains(*marker))
    }

    /// The markers that say why there is no value.
    pub fn absences(self) -> impl Iterator<Item = Marker> {
        self.iter().filter(|marker| marker.is_absence())
    }
}

impl FromIterator<Marker> for Markers {
    fn from_iter<I: IntoIterator<Item = Marker>>(markers: I) -> Self {
        markers.into_iter().fold(Self::NONE, Self::with)
    }
}

/// As tables print them: `[e] [p]`; nothing for the empty set.
impl fmt::Display for Markers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, marker) in self.iter().enumerate() {
            write!(f, "{}[{marker}]", if index == 0 { "" } else { " " })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Markers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_are_a_set() {
        let set: Markers = [Marker::Provisional, Marker::Estimated, Marker::Provisional].into_iter().collect();
        assert_eq!(set.to_string(), "[e] [p]");
        assert_eq!(Markers::from_bits(set.bits()), Some(set));
        assert_eq!(Markers::from_bits(1 << 9), None);
        assert_eq!(set.absences().count(), 0);
    }
}
