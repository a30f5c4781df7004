//! HTTP: the route table, and what holds for every answer.
//!
//! `/ws` is signaling, `/ice` the ICE servers for those who bring their own, everything else the page. A request in plain text is sent to https and nothing else.

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod origin;
mod page;
pub(crate) mod status;
mod subprotocol;
mod upgrade;

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{self, HeaderName};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

pub use origin::AllowedOrigin;
pub(crate) use origin::Origins;

use crate::accept::Transport;
use crate::admission::Admission;
use crate::connection::Terms;
use crate::hub::Hub;
use crate::ice::IceConfig;
use crate::tasks::Tasks;

/// What every answer carries. The page loads nothing from elsewhere, runs nothing inline, and may not be framed;
/// camera and microphone are for itself.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; \
             connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
             require-trusted-types-for 'script'",
        ),
    ),
    (HeaderName::from_static("permissions-policy"), HeaderValue::from_static("camera=(self), microphone=(self)")),
    (HeaderName::from_static("cross-origin-opener-policy"), HeaderValue::from_static("same-origin")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
];

/// What the routes share. Cheap to clone.
#[derive(Clone)]
struct Shared(Arc<Parts>);

/// What the routes stand on.
pub(crate) struct Parts {
    /// Who is here.
    pub(crate) hub: Arc<Hub>,
    /// Tells when the server drains, and is told of every connection.
    pub(crate) tasks: Tasks,
    /// The connections of the moment.
    pub(crate) admission: Admission,
    /// The sessions that wait for their client to come back.
    pub(crate) parked: Admission,
    /// Whose pages may connect.
    pub(crate) origins: Origins,
    /// What holds for every connection.
    pub(crate) terms: Arc<Terms>,
    /// What browsers are told to use.
    pub(crate) ice: Arc<IceConfig>,
}

/// The router.
pub(crate) fn router(parts: Parts) -> Router {
    let status = status::routes(parts.tasks.stop().clone());
    Router::new()
        .route("/ws", get(upgrade::answer))
        .route("/ice", get(upgrade::answer_ice))
        .merge(status)
        .fallback(page::answer)
        .layer(middleware::from_fn(only_tls))
        .layer(middleware::map_response(with_headers))
        .with_state(Shared(Arc::new(parts)))
}

async fn with_headers(mut response: Response) -> Response {
    for (name, value) in HEADERS {
        response.headers_mut().entry(name).or_insert(value);
    }
    response
}

async fn only_tls(request: Request, next: Next) -> Response {
    match request.extensions().get() {
        Some(Transport::Plain) => to_https(&request),
        _ => next.run(request).await,
    }
}

fn to_https(request: &Request) -> Response {
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    match host(request.headers()) {
        Some(host) => {
            let location = format!("https://{host}{path}");
            (StatusCode::PERMANENT_REDIRECT, [(header::LOCATION, location)], "Here is https only.\n").into_response()
        }
        None => (StatusCode::BAD_REQUEST, "Here is https only, and the request has no valid Host.\n").into_response(),
    }
}

/// The host and port by which the client reached us, if it says so in the form of one (RFC 9110, 7.2).
fn host(headers: &HeaderMap) -> Option<Authority> {
    let host = headers.get(header::HOST)?.to_str().ok()?;
    host.parse().ok().filter(|authority: &Authority| !authority.as_str().contains('@'))
}
