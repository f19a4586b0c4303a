//! Counts what is in a request before it is decoded.
//!
//! Decoded, an empty item of two bytes takes a hundred and more. So the items are counted on the wire, where
//! each is a key, and a length or a value; nothing is allocated, and counting ends at the first that is too many.
//! Repeated fields are counted over the whole request, wherever in it they stand: so what a message is merged
//! from doesn't matter.

use super::shape::{COUNTED_MAX, Counted, Field, Shape};

/// Why a request isn't to be decoded.
#[derive(Debug, Clone, Copy)]
pub(super) enum Uncounted<'s> {
    /// A field has more items than it may.
    TooMany(&'s Field, Counted),
    /// It isn't a message, or has a group: none of the protos has one.
    Malformed(&'static str),
}

/// Counts the items of a request's fields.
///
/// # Errors
/// At the first item too many, or what can't be read.
pub(super) fn count<'s>(request: &[u8], shape: &'s Shape) -> Result<(), Uncounted<'s>> {
    Counter::default().message(request, shape)
}

/// What is counted of a request so far.
#[derive(Debug, Default)]
pub(super) struct Counter {
    counts: [usize; COUNTED_MAX],
}

impl Counter {
    pub(super) fn message<'s>(&mut self, mut bytes: &[u8], shape: &'s Shape) -> Result<(), Uncounted<'s>> {
        const VARINT: u64 = 0;
        const EIGHT_BYTES: u64 = 1;
        const LENGTH: u64 = 2;
        const FOUR_BYTES: u64 = 5;
        while !bytes.is_empty() {
            let key = varint(&mut bytes)?;
            let field = shape.field(key >> 3);
            match key & 7 {
                VARINT => {
                    varint(&mut bytes)?;
                    self.add(field, 1)?;
                }
                LENGTH => {
                    let length = varint(&mut bytes)?;
                    let value = take(&mut bytes, length)?;
                    let Some(field) = field else { continue };
                    let items = if field.is_packed { varints(value) } else { 1 };
                    self.add(Some(field), items)?;
                    if let Some(shape) = &field.shape {
                        self.message(value, shape)?;
                    }
                }
                EIGHT_BYTES => drop(take(&mut bytes, 8)?),
                FOUR_BYTES => drop(take(&mut bytes, 4)?),
                _ => return Err(Uncounted::Malformed("invalid wire type")),
            }
        }
        Ok(())
    }

    fn add<'s>(&mut self, field: Option<&'s Field>, items: usize) -> Result<(), Uncounted<'s>> {
        let Some(field) = field else { return Ok(()) };
        let Some(counted) = field.counted else { return Ok(()) };
        let count = &mut self.counts[counted.slot];
        *count += items;
        if *count > counted.max { Err(Uncounted::TooMany(field, counted)) } else { Ok(()) }
    }
}

/// Each varint ends with the one byte that has no high bit.
fn varints(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte < 0x80).count()
}

fn varint<'s>(bytes: &mut &[u8]) -> Result<u64, Uncounted<'s>> {
    /// A number of 64 bits, 7 in a byte.
    const BYTES_MAX: usize = 10;
    let mut value = 0;
    for (at, byte) in bytes.iter().take(BYTES_MAX).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if *byte < 0x80 {
            *bytes = &bytes[at + 1..];
            return Ok(value);
        }
    }
    Err(Uncounted::Malformed("invalid varint"))
}

fn take<'b, 's>(bytes: &mut &'b [u8], length: u64) -> Result<&'b [u8], Uncounted<'s>> {
    let split = usize::try_from(length).ok().and_then(|length| bytes.split_at_checked(length));
    let (value, rest) = split.ok_or(Uncounted::Malformed("buffer underflow"))?;
    *bytes = rest;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::{Message, Name};

    use super::*;
    use crate::rpc::proto::observation::Measure;
    use crate::rpc::proto::{
        CategoryRef, FigureColumns, FigureNote, Observation, QueryAggregateRequest, StreamSubmissionsRequest,
        SubmitObservationsRequest,
    };

    fn of<M: Message + Name>(bytes: &[u8]) -> Result<(), String> {
        count(bytes, Shape::of(M::NAME).unwrap()).map_err(|why| match why {
            Uncounted::TooMany(field, counted) => format!("{}: {}", field.path, counted.max),
            Uncounted::Malformed(what) => what.to_owned(),
        })
    }

    fn too_many<M: Message + Name>(message: &M) -> String {
        of::<M>(&message.encode_to_vec()).unwrap_err()
    }

    fn categories(count: usize) -> Observation {
        Observation { breakdown: vec![CategoryRef::default(); count], ..Observation::default() }
    }

    fn observations(observations: Vec<Observation>) -> SubmitObservationsRequest {
        SubmitObservationsRequest { observations, ..SubmitObservationsRequest::default() }
    }

    fn columns(columns: FigureColumns) -> SubmitObservationsRequest {
        SubmitObservationsRequest { columns: Some(columns), ..SubmitObservationsRequest::default() }
    }

    #[test]
    fn as_many_as_are_allowed_are_counted_and_one_more_is_named() {
        let most = |count| observations(vec![Observation::default(); count]);
        assert_eq!(of::<SubmitObservationsRequest>(&most(10_000).encode_to_vec()), Ok(()));
        assert_eq!(too_many(&most(10_001)), "observations: 10000");
        let streamed = StreamSubmissionsRequest { submission: Some(most(10_001)) };
        assert_eq!(too_many(&streamed), "submission.observations: 10000");
        // Of all observations together.
        assert_eq!(too_many(&observations(vec![categories(50_001); 2])), "observations.breakdown: 100000");
        let marked = Observation { markers: vec![300; 100_001], ..Observation::default() };
        assert_eq!(too_many(&observations(vec![marked])), "observations.markers: 100000");
        let digits = |count| columns(FigureColumns { digits: vec![i64::MIN; count], ..FigureColumns::default() });
        assert_eq!(of::<SubmitObservationsRequest>(&digits(10_000).encode_to_vec()), Ok(()));
        assert_eq!(too_many(&digits(10_001)), "columns.digits: 10000");
        let areas = FigureColumns { areas: vec![String::new(); 65_537], ..FigureColumns::default() };
        assert_eq!(too_many(&columns(areas)), "columns.areas: 65536");
        let notes = FigureColumns { notes: vec![FigureNote::default(); 10_001], ..FigureColumns::default() };
        assert_eq!(too_many(&columns(notes)), "columns.notes: 10000");
        let query = QueryAggregateRequest { areas: vec![String::new(); 200_001], ..QueryAggregateRequest::default() };
        assert_eq!(too_many(&query), "areas: 200000");
    }

    #[test]
    fn a_message_that_comes_in_pieces_is_counted_as_what_it_is_merged_to() {
        let piece =
            |count| columns(FigureColumns { digits: vec![1; count], ..FigureColumns::default() }).encode_to_vec();
        let whole = [piece(6_000), piece(6_000)].concat();
        assert_eq!(SubmitObservationsRequest::decode(&*whole).unwrap().columns.unwrap().digits.len(), 12_000);
        assert_eq!(of::<SubmitObservationsRequest>(&whole).unwrap_err(), "columns.digits: 10000");
        // Numbers one by one, as an old encoder writes them.
        let unpacked = [0x50, 0x01].repeat(10_001);
        let whole = [&[0x3a][..], &[0xa2, 0x9c, 0x01], &unpacked].concat();
        assert_eq!(SubmitObservationsRequest::decode(&*whole).unwrap().columns.unwrap().digits.len(), 10_001);
        assert_eq!(of::<SubmitObservationsRequest>(&whole).unwrap_err(), "columns.digits: 10000");
    }

    #[test]
    fn what_is_no_message_is_malformed_however_it_is_cut() {
        let whole = observations(vec![categories(3); 5]).encode_to_vec();
        for end in 0..whole.len() {
            let cut = &whole[..end];
            assert_eq!(
                of::<SubmitObservationsRequest>(cut).is_ok(),
                SubmitObservationsRequest::decode(cut).is_ok(),
                "{end}"
            );
        }
        for (bytes, what) in [
            (&[0x22, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01][..], "buffer underflow"),
            (&[0xff; 20], "invalid varint"),
            (&[0x80], "invalid varint"),
            // A group that isn't known could hide what is in it.
            (&[0xa3, 0x06, 0x22, 0x00, 0xa4, 0x06], "invalid wire type"),
            (&[0x26], "invalid wire type"),
            (&[0x25, 1, 2], "buffer underflow"),
        ] {
            assert_eq!(of::<SubmitObservationsRequest>(bytes).unwrap_err(), what, "{bytes:x?}");
        }
        // Unknown fields are passed over, as they are in decoding.
        assert_eq!(
            of::<SubmitObservationsRequest>(&[0xa2, 0x06, 0x01, 0x22, 0xa1, 0x06, 1, 2, 3, 4, 5, 6, 7, 8]),
            Ok(())
        );
    }

    /// A message made of fields of few numbers, nested, of every wire type.
    fn wire() -> impl Strategy<Value = Vec<u8>> {
        let leaf = prop_oneof![
            (1..16_u8, any::<u8>()).prop_map(|(field, value)| vec![field << 3, value & 0x7f]),
            (1..16_u8, any::<[u8; 4]>()).prop_map(|(field, value)| [&[field << 3 | 5], &value[..]].concat()),
            (1..16_u8, prop::collection::vec(any::<u8>(), 0..20)).prop_map(|(field, value)| length(field, &value)),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            (1..16_u8, prop::collection::vec(inner, 0..8)).prop_map(|(field, parts)| length(field, &parts.concat()))
        })
    }

    fn length(field: u8, value: &[u8]) -> Vec<u8> {
        let mut bytes = vec![field << 3 | 2];
        prost::encoding::encode_varint(value.len() as u64, &mut bytes);
        bytes.extend_from_slice(value);
        bytes
    }

    proptest! {
        /// Whatever decodes was counted: nothing is decoded that counting passed over.
        #[test]
        fn what_decodes_is_counted_to_the_item(parts in prop::collection::vec(wire(), 0..40)) {
            let bytes = parts.concat();
            let shape = Shape::of(SubmitObservationsRequest::NAME).unwrap();
            let mut counter = Counter::default();
            let counted = counter.message(&bytes, shape);
            if let Ok(decoded) = SubmitObservationsRequest::decode(&*bytes) {
                prop_assert!(counted.is_ok(), "{counted:?}");
                let slot = |shape: &Shape, number| shape.field(number).unwrap().counted.unwrap().slot;
                let observation = shape.field(4).unwrap().shape.as_ref().unwrap();
                prop_assert_eq!(counter.counts[slot(shape, 4)], decoded.observations.len());
                let categories: usize = decoded.observations.iter().map(|it| it.breakdown.len()).sum();
                prop_assert_eq!(counter.counts[slot(observation, 4)], categories);
                let markers: usize = decoded.observations.iter().map(|it| it.markers.len()).sum();
                prop_assert_eq!(counter.counts[slot(observation, 9)], markers);
                let columns = shape.field(7).unwrap().shape.as_ref().unwrap();
                let decoded = decoded.columns.unwrap_or_default();
                prop_assert_eq!(counter.counts[slot(columns, 2)], decoded.areas.len());
                prop_assert_eq!(counter.counts[slot(columns, 10)], decoded.digits.len());
            }
        }

        #[test]
        fn bytes_of_any_kind_are_counted_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if SubmitObservationsRequest::decode(&*bytes).is_ok() && !bytes.iter().any(|byte| byte & 7 == 3) {
                prop_assert!(of::<SubmitObservationsRequest>(&bytes).is_ok());
            } else {
                drop(of::<SubmitObservationsRequest>(&bytes));
            }
        }
    }

    #[test]
    fn a_figure_has_nothing_else_to_count() {
        let number = Observation { measure: Some(Measure::Number("5".to_owned())), ..Observation::default() };
        assert_eq!(of::<SubmitObservationsRequest>(&observations(vec![number]).encode_to_vec()), Ok(()));
    }
}
