//! Whether the server lives, and whether it takes new work: for monitors and load balancers, on every listener.

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{self, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio_util::sync::CancellationToken;

use crate::hub::Hub;

/// `/healthz` and `/readyz`. `notice` is cancelled when it is known that the server will stop.
pub(crate) fn routes<S: Clone + Send + Sync + 'static>(notice: CancellationToken, hub: Arc<Hub>) -> Router<S> {
    let ready = move || async move { readiness(&notice, &hub) };
    Router::new().route("/healthz", get(|| async { answer(StatusCode::OK, "ok") })).route("/readyz", get(ready))
}

fn readiness(notice: &CancellationToken, hub: &Hub) -> Response {
    if notice.is_cancelled() {
        return answer(StatusCode::SERVICE_UNAVAILABLE, "draining");
    }
    match hub.unready() {
        Some(why) => answer(StatusCode::SERVICE_UNAVAILABLE, &why),
        None => answer(StatusCode::OK, "ok"),
    }
}

fn answer(status: StatusCode, line: &str) -> Response {
    let text = format!("{line}\n");
    (status, [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], text).into_response()
}
