//! Why nothing is done of what was asked for on the control socket, and by which status whoever asked knows what to do.

use std::fmt::Display;

use axum::extract::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use crate::audit::Unwritten;
use crate::backup;

/// Why nothing is done.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Refused {
    /// In words.
    pub(crate) message: String,
}

/// A refusal, and its status.
pub(super) struct Refusal(pub(super) StatusCode, pub(super) Refused);

impl Refusal {
    pub(super) fn new(status: StatusCode, message: impl Display) -> Self {
        Self(status, Refused { message: message.to_string() })
    }

    /// That something can't be done with what was sent.
    pub(super) fn refused(error: impl Display) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, error)
    }

    /// That something on this machine failed.
    pub(super) fn failed(error: impl Display) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, error)
    }

    pub(super) fn busy() -> Self {
        Self::new(
            StatusCode::CONFLICT,
            "a backup is being taken already, or everything is being verified; try again later",
        )
    }
}

impl From<backup::Error> for Refusal {
    fn from(error: backup::Error) -> Self {
        if error.is_refusal() { Self::refused(error) } else { Self::failed(error) }
    }
}

impl From<Unwritten> for Refusal {
    fn from(error: Unwritten) -> Self {
        match error {
            Unwritten::Busy | Unwritten::NoRoom | Unwritten::Unavailable => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, error)
            }
            Unwritten::TooLong | Unwritten::NotKept | Unwritten::Failed => Self::failed(error),
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}
