//! The indices of a catalogue's items, given in the order of creation, that stay.

macro_rules! index_type {
    ($(#[$doc:meta])* $Name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $Name(pub u32);
    };
}

index_type!(
    /// An agency's index in the order of creation.
    AgencyIx
);
index_type!(
    /// An area's index in the order of creation.
    AreaIx
);
index_type!(
    /// An indicator's index in the order of creation.
    IndicatorIx
);
