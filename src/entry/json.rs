//! An entry as JSON: what its bytes say, by the rules of protobuf, for other programs to read.

use std::sync::LazyLock;

use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor};
use serde_json::Value;

use super::codec::{self, DecodeError};

/// The persisted protos.
static DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/conspectus.journal.v1.bin"));

static ENTRY: LazyLock<MessageDescriptor> = LazyLock::new(|| {
    let pool = DescriptorPool::decode(DESCRIPTORS).expect("the build has written them");
    pool.get_message_by_name("conspectus.journal.v1.Entry").expect("the protos have it")
});

/// The JSON of an entry's bytes, and whether [`from_json`] makes the same bytes of it. It doesn't where an earlier version
/// wrote them in another way.
///
/// # Errors
/// When they are no entry's.
pub(crate) fn to_json(bytes: &[u8]) -> Result<(String, bool), DecodeError> {
    let is_same = codec::encode(&codec::decode(bytes)?) == bytes;
    let message = DynamicMessage::decode(ENTRY.clone(), bytes).map_err(DecodeError::new)?;
    Ok((serde_json::to_string(&message).map_err(DecodeError::new)?, is_same))
}

/// The bytes of an entry's JSON, as this version writes them.
///
/// # Errors
/// When it is no entry's.
pub(crate) fn from_json(json: Value) -> Result<Vec<u8>, DecodeError> {
    let message = DynamicMessage::deserialize(ENTRY.clone(), json).map_err(DecodeError::new)?;
    codec::decode(&message.encode_to_vec()).map(|entry| codec::encode(&entry))
}
