//! What scripts of other origins may ask and read (the Fetch standard's CORS protocol).
//!
//! `/ws` is open to all: its answers explain why there is no WebSocket, and hold nothing. `/ice` hands out credentials,
//! to the pages that may connect.

use axum::http::StatusCode;
use axum::http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, HeaderValue, VARY,
};
use axum::response::{IntoResponse as _, Response};

const ANY: HeaderValue = HeaderValue::from_static("*");

/// A browser asks again after this many seconds, so that a changed list of origins is soon known.
const MAX_AGE: HeaderValue = HeaderValue::from_static("600");

/// Any page may read this.
pub(super) fn open_to_all(mut response: Response) -> Response {
    response.headers_mut().insert(ACCESS_CONTROL_ALLOW_ORIGIN, ANY);
    response
}

/// Pages of this origin may read this, if there is one.
pub(super) fn open_to(mut response: Response, origin: Option<&HeaderValue>) -> Response {
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    }
    response
}

/// Pages of this origin may read this, if there is one, and ask for it with their cookies, of which there are none here.
pub(super) fn shared_with(response: Response, origin: Option<&HeaderValue>) -> Response {
    let mut response = open_to(response, origin);
    if origin.is_some() {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    }
    response
}

/// Pages may poll and post, with the headers that they ask for.
pub(super) fn polling_preflight(requested: Option<&HeaderValue>) -> Response {
    let headers =
        [(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST")), (ACCESS_CONTROL_MAX_AGE, MAX_AGE)];
    let mut response = (StatusCode::NO_CONTENT, headers).into_response();
    if let Some(requested) = requested {
        response.headers_mut().insert(ACCESS_CONTROL_ALLOW_HEADERS, requested.clone());
    }
    response
}

/// Pages may send what they need: a GET with credentials.
pub(super) fn preflight() -> Response {
    let headers = [
        (ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD")),
        (ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization")),
        (ACCESS_CONTROL_MAX_AGE, MAX_AGE),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}
