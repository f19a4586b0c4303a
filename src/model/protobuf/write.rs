//! Writes protobuf, byte for byte as the library encodes it, without a message in between.
//!
//! A message within another is written where it stands, after a byte for its length; one that turns out longer than
//! that byte can say is moved on. So nothing is walked twice, and it is known of everything how long it is as soon as
//! it is written. As everywhere in proto3, a field that has its default is left out.

use std::fmt::{self, Display, Write as _};

use bytes::Bytes;
use prost::Message;

use crate::model::text::WriteText;

/// Fields of a message, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    /// With room for so many bytes.
    pub(crate) fn with_capacity(bytes: usize) -> Self {
        Self(Vec::with_capacity(bytes))
    }

    /// The fields of a message. Of one that has others too, which are written by their numbers, those before them
    /// and those after them are written apart.
    pub(crate) fn fields(&mut self, of: &impl Message) {
        of.encode(&mut self.0).expect("the buffer grows");
    }

    /// A message, by its fields.
    pub(crate) fn message(&mut self, field: u32, fields: impl FnOnce(&mut Self)) {
        self.key(field, LENGTH);
        let length_at = self.0.len();
        self.0.push(0);
        fields(self);
        self.set_length(length_at);
    }

    /// A message that may not be there.
    pub(crate) fn optional<T>(&mut self, field: u32, it: Option<T>, fields: impl FnOnce(&mut Self, T)) {
        if let Some(it) = it {
            self.message(field, |out| fields(out, it));
        }
    }

    /// A text.
    pub(crate) fn text(&mut self, field: u32, text: &str) {
        if !text.is_empty() {
            self.item(field, text.as_bytes());
        }
    }

    /// A text or bytes of a list, which are there though they may be empty.
    pub(crate) fn item(&mut self, field: u32, item: &[u8]) {
        self.key(field, LENGTH);
        self.varint(item.len() as u64);
        self.0.extend_from_slice(item);
    }

    /// A text that may not be there. No number, date, period or id is an empty one.
    pub(crate) fn display(&mut self, field: u32, it: Option<impl Display>) {
        self.optional(field, it, |out, it| write!(out, "{it}").expect("the buffer grows"));
    }

    /// The same of what writes its text by itself.
    pub(crate) fn written_text(&mut self, field: u32, it: Option<impl WriteText>) {
        self.optional(field, it, |out, it| it.write_text(out).expect("the buffer grows"));
    }

    /// A number, a code or a truth.
    pub(crate) fn number(&mut self, field: u32, number: impl Into<i64>) {
        let number = number.into();
        if number != 0 {
            self.key(field, VARINT);
            self.varint(number.cast_unsigned());
        }
    }

    /// Codes: none, or several as one field.
    pub(crate) fn codes(&mut self, field: u32, codes: impl Iterator<Item = i32>) {
        self.numbers(field, codes.map(i64::from));
    }

    /// Numbers: none, or several as one field.
    pub(crate) fn numbers(&mut self, field: u32, mut numbers: impl Iterator<Item = impl Into<i64>>) {
        if let Some(first) = numbers.next() {
            self.message(field, |out| {
                out.varint(first.into().cast_unsigned());
                numbers.for_each(|number| out.varint(number.into().cast_unsigned()));
            });
        }
    }

    /// The same, of which some may be below zero: those near to zero take few bytes.
    pub(crate) fn signed_numbers(&mut self, field: u32, numbers: impl Iterator<Item = i64>) {
        self.numbers(field, numbers.map(|number| (number << 1) ^ (number >> 63)));
    }

    /// What was written before.
    pub(crate) fn written(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// Forgets what was written after so many bytes.
    pub(crate) fn truncate(&mut self, bytes: usize) {
        self.0.truncate(bytes);
    }

    /// How many bytes are written.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// What is written, in as much memory as it takes.
    pub(crate) fn into_bytes(self) -> Bytes {
        self.0.into_boxed_slice().into()
    }

    /// The same, with room to grow.
    pub(crate) fn into_vec(self) -> Vec<u8> {
        self.0
    }

    #[inline]
    fn key(&mut self, field: u32, wire_type: u32) {
        self.varint(u64::from(field << 3 | wire_type));
    }

    #[inline]
    pub(crate) fn varint(&mut self, mut rest: u64) {
        while rest > u64::from(SEVEN_BITS) {
            self.0.push(rest.to_le_bytes()[0] | !SEVEN_BITS);
            rest >>= 7;
        }
        self.0.push(rest.to_le_bytes()[0]);
    }

    /// Sets the length of all that follows it.
    #[inline]
    fn set_length(&mut self, length_at: usize) {
        match u8::try_from(self.0.len() - length_at - 1) {
            Ok(length) if length <= SEVEN_BITS => self.0[length_at] = length,
            Ok(_) | Err(_) => self.set_long_length(length_at),
        }
    }

    fn set_long_length(&mut self, length_at: usize) {
        let (start, end) = (length_at + 1, self.0.len());
        let length = end - start;
        let moved = prost::length_delimiter_len(length) - 1;
        self.0.resize(end + moved, 0);
        self.0.copy_within(start..end, start + moved);
        prost::encode_length_delimiter(length, &mut &mut self.0[length_at..]).expect("there is room");
    }
}

/// Of a wire type: a number, of 7 bits a byte.
const VARINT: u32 = 0;
/// Of another: a length, and so many bytes.
const LENGTH: u32 = 2;
/// What a byte has of a number; its first bit says whether more follows.
const SEVEN_BITS: u8 = 0x7f;

impl fmt::Write for Writer {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.written(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rpc::proto::{Agency, Coverage, FigureColumns, Missing, PictureCell, Rank};

    fn written(write: impl FnOnce(&mut Writer)) -> Bytes {
        let mut out = Writer::default();
        write(&mut out);
        assert_eq!(out.len(), out.0.len());
        out.into_bytes()
    }

    #[test]
    fn a_message_is_as_long_as_it_says_however_long_it_is() {
        for length in [0, 1, 125, 126, 127, 128, 129, 16_380, 16_381, 16_382, 16_383, 16_384, 2_097_151, 2_097_152] {
            let name = "n".repeat(length);
            let agency = Agency { name: name.clone(), ..Agency::default() };
            let cell = PictureCell { agency: Some(agency), ..PictureCell::default() };
            let by_text = written(|out| out.message(1, |out| out.text(2, &name)));
            assert_eq!(by_text, cell.encode_to_vec(), "{length}");
            if length > 0 {
                assert_eq!(written(|out| out.message(1, |out| out.display(2, Some(&name)))), by_text, "{length}");
            }
        }
    }

    proptest! {
        #[test]
        fn fields_are_written_as_the_library_encodes_them(
            (expected, contained) in any::<(i64, i64)>(), (rank, of) in any::<(i32, i32)>(), sample in any::<bool>(),
            markers in prop::collection::vec(any::<i32>(), 0..20), texts in prop::collection::vec(any::<String>(), 0..4),
        ) {
            let coverage = Coverage {
                expected,
                contained,
                missing: texts.iter().map(|text| Missing { area: text.clone(), ..Missing::default() }).collect(),
                ..Coverage::default()
            };
            let by_hand = written(|out| {
                out.number(1, expected);
                texts.iter().for_each(|text| out.message(7, |out| out.text(2, text)));
                out.number(8, contained);
            });
            prop_assert_eq!(by_hand, coverage.encode_to_vec());
            let rank = Rank { rank, of, markers, sample, ..Rank::default() };
            let by_hand = written(|out| {
                out.fields(&Rank { rank: rank.rank, of: rank.of, ..Rank::default() });
                out.codes(7, rank.markers.iter().copied());
                out.number(8, rank.sample);
            });
            prop_assert_eq!(by_hand, rank.encode_to_vec());
        }

        #[test]
        fn columns_are_written_as_the_library_encodes_them(
            numbers in prop::collection::vec(any::<u32>(), 0..200), signed in prop::collection::vec(any::<i64>(), 0..200),
            texts in prop::collection::vec("[a-z]{0,200}", 0..4),
        ) {
            let columns = FigureColumns {
                areas: texts.clone(), area: numbers.clone(), digits: signed.clone(), ..FigureColumns::default()
            };
            let by_hand = written(|out| {
                texts.iter().for_each(|text| out.item(2, text.as_bytes()));
                out.numbers(6, numbers.iter().copied());
                out.signed_numbers(10, signed.iter().copied());
            });
            prop_assert_eq!(by_hand, columns.encode_to_vec());
        }
    }
}
