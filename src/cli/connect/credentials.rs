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
    /// The trace that this process is a part of, by the W3C's Trace Context.
    trace: Vec<(&'static str, MetadataValue<Ascii>)>,
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
        let (authorization, purpose) = (key.map(bearer).transpose()?, purpose.map(header).transpose()?);
        Ok(Self { authorization, purpose, trace: trace_of(|name| std::env::var(name).ok()) })
    }
}

/// The headers of the trace that a parent process has in these variables, as far as it is one:
/// `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`.
fn trace_of(variable: impl Fn(&str) -> Option<String>) -> Vec<(&'static str, MetadataValue<Ascii>)> {
    const LENGTHS: [usize; 4] = [2, 32, 16, 2];
    let is_hex = |part: &str, length| part.len() == length && part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_one = |text: &str| {
        text.split('-').map(str::len).eq(LENGTHS)
            && text.split('-').zip(LENGTHS).all(|(part, length)| is_hex(part, length))
    };
    let Some(parent) = variable("TRACEPARENT").filter(|parent| is_one(parent)) else { return Vec::new() };
    let headers = [("traceparent", Some(parent)), ("tracestate", variable("TRACESTATE"))];
    headers.into_iter().filter_map(|(name, value)| Some((name, value?.parse().ok()?))).collect()
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
        for (name, value) in &self.trace {
            metadata.insert(*name, value.clone());
        }
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_passed_on_and_what_is_none_is_not() {
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let headers = |parent: &'static str| {
            trace_of(move |name| Some(if name == "TRACEPARENT" { parent } else { "vendor=1" }.to_owned()))
        };
        let names: Vec<_> =
            headers(parent).into_iter().map(|(name, value)| (name, value.to_str().unwrap().to_owned())).collect();
        assert_eq!(names, [("traceparent", parent.to_owned()), ("tracestate", "vendor=1".to_owned())]);
        for parent in ["", "00-4bf9-00f0-01", "00-4bf92f3577b34da6a3ce929d0e0e473x-00f067aa0ba902b7-01"] {
            assert!(headers(parent).is_empty(), "{parent}");
        }
    }
}
