//! Whether the server lives, and whether it takes new work: for monitors and load balancers, on every listener.

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{self, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio_util::sync::CancellationToken;

/// `/healthz` and `/readyz`. `notice` is cancelled when it is known that the server will stop.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(notice: CancellationToken) -> Router<S> {
    let ready = move || async move { readiness(&notice) };
    Router::new().route("/healthz", get(|| async { answer(StatusCode::OK, "ok\n") })).route("/readyz", get(ready))
}

fn readiness(notice: &CancellationToken) -> Response {
    if notice.is_cancelled() {
        answer(StatusCode::SERVICE_UNAVAILABLE, "draining\n")
    } else {
        answer(StatusCode::OK, "ok\n")
    }
}

fn answer(status: StatusCode, text: &'static str) -> Response {
    (status, [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], text).into_response()
}
