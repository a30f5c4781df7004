//! Whether the server lives, whether it takes new work, and what it counts: for monitors and load balancers.
//!
//! `/healthz` and `/readyz` are on the main listener too; `/metrics` is only on a listener of its own, which goes on
//! until the drain is over.

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{self, HeaderValue};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio_util::sync::CancellationToken;

use crate::monitor::Exposition;
use crate::net::TlsEnd;

/// `/healthz` and `/readyz`. `notice` is cancelled when it is known that the server will stop.
pub(super) fn routes<S: Clone + Send + Sync + 'static>(notice: CancellationToken) -> Router<S> {
    let ready = move || async move { readiness(&notice) };
    Router::new().route("/healthz", get(|| async { answer(StatusCode::OK, "ok\n") })).route("/readyz", get(ready))
}

/// The monitors' own listener.
pub(crate) fn monitor(notice: CancellationToken, exposition: Exposition) -> Router {
    let routes = Router::new().route("/metrics", get(metrics)).with_state(Arc::new(exposition)).merge(routes(notice));
    super::well_formed(routes, TlsEnd::Proxy)
}

async fn metrics(State(exposition): State<Arc<Exposition>>) -> Response {
    let content_type = HeaderValue::from_static(Exposition::CONTENT_TYPE);
    ([(header::CONTENT_TYPE, content_type)], exposition.text()).into_response()
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
