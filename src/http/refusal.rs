//! Why a request gets no WebSocket, as a status and a reason that pages can read.

use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use axum::http::header::{self, HeaderValue};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::NO_STORE;
use super::bearer::Contradiction;
use super::handshake::BadHandshake;
use super::request::Repeated;
use super::subprotocol::BadSubprotocol;
use crate::admission::Overload;
use crate::auth::{Denied, NO_TOKEN};
use crate::protocol::ErrorCode;

/// Why there is no WebSocket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    BadHandshake,
    WrongVersion,
    UpgradeRequired,
    UpgradeRemoved,
    Draining,
    OriginNotAllowed,
    NoCredentials,
    Denied(Denied),
    TooManyConnections,
    ConnectingTooFast(Duration),
    ServerFull,
    ClusterUnavailable,
    BadRoom,
    RoomNotAllowed,
    RoomFull,
}

/// An hour: a client takes more than that for never.
const MAX_RETRY_AFTER: u64 = 3600;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Explanation {
    code: &'static str,
    message: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u64>,
}

impl Refusal {
    /// A word for it.
    pub(super) fn code(self) -> &'static str {
        self.explanation().code
    }

    fn status(self) -> StatusCode {
        match self {
            Self::BadHandshake | Self::BadRoom => StatusCode::BAD_REQUEST,
            Self::WrongVersion | Self::UpgradeRequired | Self::UpgradeRemoved => StatusCode::UPGRADE_REQUIRED,
            Self::Draining | Self::ServerFull | Self::RoomFull | Self::ClusterUnavailable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::OriginNotAllowed | Self::RoomNotAllowed => StatusCode::FORBIDDEN,
            Self::NoCredentials | Self::Denied(_) => StatusCode::UNAUTHORIZED,
            Self::TooManyConnections | Self::ConnectingTooFast(_) => StatusCode::TOO_MANY_REQUESTS,
        }
    }

    fn explanation(self) -> Explanation {
        let (code, message, retry_after) = match self {
            Self::BadHandshake => ("bad-handshake", "this is not a valid WebSocket handshake of the protocol", None),
            Self::WrongVersion => ("bad-version", "only WebSocket version 13 is spoken here", None),
            Self::UpgradeRequired => ("upgrade-required", "all is well: open a WebSocket here", None),
            Self::UpgradeRemoved => (
                "upgrade-removed",
                "a proxy between you and the server takes away what a WebSocket needs: \
                 it has to pass on Upgrade, Connection and Sec-WebSocket-Protocol",
                None,
            ),
            // By then another process has the port.
            Self::Draining => ("draining", "the server restarts", Some(5)),
            Self::OriginNotAllowed => ("origin-not-allowed", "pages of this origin may not connect here", None),
            Self::NoCredentials => ("unauthorized", NO_TOKEN, None),
            Self::Denied(denied) => ("unauthorized", denied.message(), None),
            Self::ConnectingTooFast(wait) => {
                // Never told to come back too early, nor never.
                let seconds = wait.as_secs().saturating_add(1).min(MAX_RETRY_AFTER);
                ("too-many-connections", "too many new connections from your address", Some(seconds))
            }
            // A connection has to end first, which can't be predicted.
            Self::TooManyConnections => ("too-many-connections", "too many connections from your address", Some(10)),
            Self::ServerFull => ("server-full", "the server is full", Some(10)),
            Self::ClusterUnavailable => {
                ("cluster-unavailable", "it is not known now where your session or room is", Some(1))
            }
            Self::BadRoom => ("bad-room", "no room has this name, or no group this size", None),
            Self::RoomNotAllowed => ("room-not-allowed", "the credentials are not for this room", None),
            Self::RoomFull => ("room-full", "the room is full", Some(10)),
        };
        Explanation { code, message, retry_after }
    }
}

impl From<BadHandshake> for Refusal {
    fn from(bad: BadHandshake) -> Self {
        match bad {
            BadHandshake::Malformed => Self::BadHandshake,
            BadHandshake::Version => Self::WrongVersion,
            BadHandshake::Removed => Self::UpgradeRemoved,
        }
    }
}

impl From<Repeated> for Refusal {
    fn from(Repeated: Repeated) -> Self {
        Self::BadHandshake
    }
}

impl From<BadSubprotocol> for Refusal {
    fn from(BadSubprotocol: BadSubprotocol) -> Self {
        Self::BadHandshake
    }
}

impl From<Contradiction> for Refusal {
    fn from(Contradiction: Contradiction) -> Self {
        Self::BadHandshake
    }
}

impl From<Overload> for Refusal {
    fn from(overload: Overload) -> Self {
        match overload {
            Overload::Address => Self::TooManyConnections,
            Overload::Rate(wait) => Self::ConnectingTooFast(wait),
            Overload::All => Self::ServerFull,
        }
    }
}

/// Why a client can't be served where it would meet others.
impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        match code {
            ErrorCode::RoomFull => Self::RoomFull,
            ErrorCode::PeerBusy => Self::ServerFull,
            _ => Self::ClusterUnavailable,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let explanation = self.explanation();
        let retry_after = explanation.retry_after;
        let mut response = (self.status(), Json(explanation)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, NO_STORE);
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.status() == StatusCode::UPGRADE_REQUIRED {
            // RFC 9110, 15.5.22, and RFC 6455, 4.4.
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
            headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            headers.insert(header::SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        }
        response
    }
}
