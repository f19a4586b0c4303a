//! Reads protobuf field by field, as the library does: what it refuses is refused, and so are groups, which no message
//! here has.

/// The bytes aren't a message, or a field isn't of its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a message, or a field of another type")]
pub(crate) struct Malformed;

/// The fields of a message, each with its number, in the order in which they stand: a field may be there several times.
/// Nothing comes after what can't be read.
#[derive(Debug, Clone)]
pub(crate) struct Fields<'a>(&'a [u8]);

/// What a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value<'a> {
    /// A number, a code or a truth.
    Number(u64),
    /// A text, a message, or numbers one after the other.
    Bytes(&'a [u8]),
    /// Four or eight bytes: no field here is such a number.
    Fixed,
}

impl<'a> Fields<'a> {
    pub(crate) fn of(message: &'a [u8]) -> Self {
        Self(message)
    }

    /// What is left to be read.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.0
    }

    fn field(&mut self) -> Result<(u32, Value<'a>), Malformed> {
        let key = u32::try_from(varint(&mut self.0)?).map_err(|_| Malformed)?;
        let value = match key & 7 {
            0 => Value::Number(varint(&mut self.0)?),
            1 => self.take(8).map(|_| Value::Fixed)?,
            2 => {
                let length = varint(&mut self.0)?;
                Value::Bytes(self.take(length)?)
            }
            5 => self.take(4).map(|_| Value::Fixed)?,
            _ => return Err(Malformed),
        };
        // Fields are numbered from 1.
        if key >> 3 == 0 { Err(Malformed) } else { Ok((key >> 3, value)) }
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], Malformed> {
        let split = usize::try_from(length).ok().and_then(|length| self.0.split_at_checked(length));
        let (taken, rest) = split.ok_or(Malformed)?;
        self.0 = rest;
        Ok(taken)
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u32, Value<'a>), Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        // Most are short texts, whose key and length are a byte each.
        if let [key @ 0x08..=0x7f, length @ ..=0x7f, rest @ ..] = self.0
            && key & 7 == 2
            && let Some((text, rest)) = rest.split_at_checked(usize::from(*length))
        {
            self.0 = rest;
            return Some(Ok((u32::from(key >> 3), Value::Bytes(text))));
        }
        (!self.0.is_empty()).then(|| self.field().inspect_err(|Malformed| self.0 = &[]))
    }
}

impl<'a> Value<'a> {
    #[inline]
    pub(crate) fn number(self) -> Result<u64, Malformed> {
        match self {
            Self::Number(number) => Ok(number),
            Self::Bytes(_) | Self::Fixed => Err(Malformed),
        }
    }

    #[inline]
    pub(crate) fn bytes(self) -> Result<&'a [u8], Malformed> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            Self::Number(_) | Self::Fixed => Err(Malformed),
        }
    }

    pub(crate) fn text(self) -> Result<&'a str, Malformed> {
        std::str::from_utf8(self.bytes()?).map_err(|_| Malformed)
    }

    /// Numbers of a repeated field: several, or one.
    pub(crate) fn each_number(self, mut add: impl FnMut(u64) -> Result<(), Malformed>) -> Result<(), Malformed> {
        match self {
            Self::Number(number) => add(number),
            Self::Bytes(packed) => Varints::of(packed).try_for_each(|number| add(number?)),
            Self::Fixed => Err(Malformed),
        }
    }
}

/// Numbers that stand one after the other. None comes after what can't be read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Varints<'a>(&'a [u8]);

impl<'a> Varints<'a> {
    pub(crate) fn of(packed: &'a [u8]) -> Self {
        Self(packed)
    }

    /// How many there are: each ends with the one byte of it that has no high bit.
    pub(crate) fn len(&self) -> usize {
        self.0.iter().filter(|byte| **byte < 0x80).count()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Iterator for Varints<'_> {
    type Item = Result<u64, Malformed>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        (!self.0.is_empty()).then(|| varint(&mut self.0).inspect_err(|Malformed| self.0 = &[]))
    }
}

/// A number that may be below zero, from the number that it is written as.
pub(crate) fn signed(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

/// A number of 64 bits, 7 in a byte, the lowest first.
#[inline]
fn varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    match bytes.split_first() {
        Some((byte, rest)) if *byte < 0x80 => {
            *bytes = rest;
            Ok(u64::from(*byte))
        }
        Some(_) | None => long_varint(bytes),
    }
}

fn long_varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    const BYTES_MAX: usize = 10;
    let mut value = 0;
    for (at, byte) in bytes.iter().take(BYTES_MAX).enumerate() {
        value |= u64::from(byte & 0x7f) << (7 * at);
        if *byte < 0x80 {
            *bytes = &bytes[at + 1..];
            // Of the last byte there is room for one bit.
            return if at + 1 == BYTES_MAX && *byte > 1 { Err(Malformed) } else { Ok(value) };
        }
    }
    Err(Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use prost::Message;

    use super::*;

    #[derive(Clone, PartialEq, Message)]
    struct Any {
        #[prost(uint64, tag = "1")]
        number: u64,
        #[prost(bytes = "vec", tag = "2")]
        bytes: Vec<u8>,
        #[prost(uint64, repeated, tag = "3")]
        numbers: Vec<u64>,
    }

    fn read(bytes: &[u8]) -> Result<Any, Malformed> {
        let mut any = Any::default();
        for field in Fields::of(bytes) {
            match field? {
                (1, value) => any.number = value.number()?,
                (2, value) => any.bytes = value.bytes()?.to_vec(),
                (3, value) => value.each_number(|number| {
                    any.numbers.push(number);
                    Ok(())
                })?,
                _ => {}
            }
        }
        Ok(any)
    }

    /// What could be fields, of few numbers and every type, and what could be none.
    fn wire() -> impl Strategy<Value = Vec<u8>> {
        let few = prop::collection::vec(any::<u8>(), 0..12);
        let field = prop_oneof![
            (0..5_u64, 0..8_u64, few.clone()).prop_map(|(field, wire_type, rest)| [
                vec![(field << 3 | wire_type).to_le_bytes()[0]],
                rest
            ]
            .concat()),
            (1..4_u64, any::<u64>()).prop_map(|(field, number)| {
                let mut bytes = vec![(field << 3).to_le_bytes()[0]];
                prost::encoding::encode_varint(number, &mut bytes);
                bytes
            }),
            (1..5_u8, few).prop_map(|(field, value)| {
                [&[field << 3 | 2, u8::try_from(value.len()).unwrap()], &value[..]].concat()
            }),
            prop::collection::vec(prop_oneof![Just(0xff_u8), Just(0x80), any::<u8>()], 0..12),
        ];
        prop::collection::vec(field, 0..6).prop_map(|fields| fields.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]
        #[test]
        fn what_is_read_is_what_the_library_reads_and_groups_are_refused(bytes in wire()) {
            match (read(&bytes), Any::decode(&*bytes)) {
                (Ok(read), decoded) => prop_assert_eq!(Ok(read), decoded),
                (Err(Malformed), Err(_)) => {}
                (Err(Malformed), Ok(_)) => prop_assert!(bytes.iter().any(|byte| byte & 7 == 3), "{:x?}", bytes),
            }
        }
    }

    #[test]
    fn numbers_are_counted_as_they_are_read() {
        let packed = [0x00, 0xff, 0x01, 0x80, 0x80, 0x01, 0x7f];
        assert_eq!(Varints::of(&packed).len(), 4);
        assert_eq!(Varints::of(&packed).collect::<Result<Vec<_>, _>>(), Ok(vec![0, 255, 16_384, 127]));
        assert_eq!(Varints::of(&packed[..2]).last(), Some(Err(Malformed)), "cut");
    }
}
