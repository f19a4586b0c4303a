//! What a request says of its caller: its key, and what it reads for.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};

use super::super::failure::Failure;
use crate::access::Purpose;
use crate::rpc::{ERROR_BYTES_HEADER, PURPOSE_HEADER, purpose_header};

/// The most bytes of error details that this client accepts.
pub(super) const ERROR_BYTES_MAX: u32 = 1 << 20;

/// A text that may have a secret in it, and is never shown.
#[derive(Clone)]
pub(super) struct Hidden(pub(super) String);

impl FromStr for Hidden {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Hidden(..)")
    }
}

/// The headers of every request.
#[derive(Debug, Clone)]
pub(crate) struct Headers {
    authorization: Option<MetadataValue<Ascii>>,
    purpose: Option<MetadataValue<Ascii>>,
}

impl Headers {
    /// Those of a caller with a key, who reads for a purpose.
    ///
    /// # Errors
    /// When one of them can't be sent.
    pub(super) fn new(key: Option<&str>, purpose: Option<&Purpose>) -> Result<Self, Failure> {
        let bearer = |key: &str| {
            let mut value = format!("Bearer {}", key.trim())
                .parse::<MetadataValue<Ascii>>()
                .map_err(|_| Failure::usage("the key has characters that keys never have"))?;
            value.set_sensitive(true);
            Ok::<_, Failure>(value)
        };
        let header = |purpose: &Purpose| {
            let value = MetadataValue::try_from(purpose_header(purpose).as_bytes());
            value.map_err(|_| Failure::usage("--purpose: it has characters that can't be sent"))
        };
        Ok(Self { authorization: key.map(bearer).transpose()?, purpose: purpose.map(header).transpose()? })
    }
}

impl Interceptor for Headers {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let metadata = request.metadata_mut();
        // Asks for as much as a server sends.
        metadata.insert(ERROR_BYTES_HEADER, ERROR_BYTES_MAX.into());
        if let Some(authorization) = &self.authorization {
            metadata.insert("authorization", authorization.clone());
        }
        if let Some(purpose) = &self.purpose {
            metadata.insert(PURPOSE_HEADER, purpose.clone());
        }
        Ok(request)
    }
}
