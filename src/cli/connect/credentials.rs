//! What a request says of its caller: its key, and what it reads for.

use std::path::PathBuf;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::{Request, Status};

use super::super::failure::Failure;
use super::super::secret::{Hidden, Ways};
use crate::access::Purpose;
use crate::rpc::{ERROR_BYTES_HEADER, PURPOSE_HEADER, purpose_header};

/// The most bytes of error details that this client accepts.
pub(super) const ERROR_BYTES_MAX: u32 = 1 << 20;

/// The variable that holds the key of a name.
pub(crate) fn key_variable(name: &str) -> String {
    format!("CONSPECTUS_KEY_{}", name.to_uppercase().replace('-', "_"))
}

/// The key of a name: in its variable, or in the file that another one names.
///
/// # Errors
/// When neither is set or both are, or the file can't be used.
pub(super) fn key_of(name: &str) -> Result<Option<Hidden>, Failure> {
    let variable = key_variable(name);
    let file_variable = format!("{variable}_FILE");
    let (key, file) = (std::env::var(&variable).ok().map(Hidden), std::env::var_os(&file_variable).map(PathBuf::from));
    if key.is_none() && file.is_none() {
        return Err(Failure::usage(format!("--as {name}: the variable {variable} isn't set")));
    }
    let ways = Ways {
        text: key.as_ref().map(|key| (variable.as_str(), key)),
        file: file.as_deref().map(|file| (file_variable.as_str(), file)),
        credential: (None, ""),
    };
    ways.secret()
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
