//! `/status`: a page for operators, which shows what monitors are told. It loads nothing from elsewhere.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::history::{History, Look};
#[cfg(feature = "cluster")]
use crate::cluster::Cluster;
use crate::hub::Hub;
use crate::tls::ServedPair;

/// The page alone, and nothing in it that is not ours.
const HEADERS: [(HeaderName, HeaderValue); 3] = [
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
             form-action 'none'; frame-ancestors 'none'",
        ),
    ),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// What is shown besides figures.
#[derive(Clone)]
pub(crate) struct Facts {
    pub(crate) hub: Arc<Hub>,
    /// What the operator should know of the settings.
    pub(crate) warnings: Arc<[String]>,
    /// None: a proxy ends TLS for us.
    pub(crate) pair: Option<Arc<ServedPair>>,
    /// None: there are no other nodes.
    #[cfg(feature = "cluster")]
    pub(crate) cluster: Option<Arc<Cluster>>,
}

/// The page with its data. Cheap to clone.
#[derive(Clone)]
pub(super) struct Status {
    facts: Facts,
    history: History,
    notice: CancellationToken,
    started: i64,
}

/// What the page asks for.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    version: &'static str,
    /// In seconds since 1970, as all times here.
    started: i64,
    now: i64,
    ready: Option<String>,
    warnings: Vec<String>,
    certificate: Option<Certificate>,
    nodes: Option<Vec<String>>,
    looks: Vec<Look>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Certificate {
    names: Vec<String>,
    issuer: String,
    ends: i64,
    /// In seconds.
    lifetime: i64,
    is_vouched_for: bool,
}

impl Status {
    pub(super) fn new(facts: Facts, history: History, notice: CancellationToken) -> Self {
        Self { facts, history, notice, started: now() }
    }

    pub(super) fn routes(self) -> Router {
        let file = |kind: &'static str, text: &'static str| {
            get(move || async move { (HEADERS, [(header::CONTENT_TYPE, kind)], text).into_response() })
        };
        Router::new()
            .route("/status", file("text/html; charset=utf-8", include_str!("status/page.html")))
            .route("/status/page.css", file("text/css; charset=utf-8", include_str!("status/page.css")))
            .route("/status/page.js", file("text/javascript; charset=utf-8", include_str!("status/page.js")))
            .route("/status/icon.svg", file("image/svg+xml", include_str!("../../static/favicon.svg")))
            .route("/status/data", get(data))
            .with_state(self)
    }

    fn data(&self) -> Data {
        let Facts { hub, warnings, pair, .. } = &self.facts;
        let now = now();
        let certificate = pair.as_ref().map(|pair| Certificate {
            names: pair.names(),
            issuer: pair.issuer(),
            ends: pair.not_after(),
            lifetime: pair.lifetime(),
            is_vouched_for: pair.is_vouched_for(),
        });
        let mut warnings = warnings.to_vec();
        warnings.extend(pair.as_ref().and_then(|pair| pair.trouble()));
        warnings.extend(certificate.as_ref().and_then(|certificate| concern(certificate, now)));
        let ready = if self.notice.is_cancelled() { Some("draining".into()) } else { hub.unready() };
        Data {
            version: env!("CARGO_PKG_VERSION"),
            started: self.started,
            now,
            ready,
            warnings,
            certificate,
            nodes: self.nodes(),
            looks: self.history.looks(),
        }
    }

    #[cfg(feature = "cluster")]
    fn nodes(&self) -> Option<Vec<String>> {
        self.facts.cluster.as_ref().map(|cluster| cluster.names())
    }

    #[cfg(not(feature = "cluster"))]
    fn nodes(&self) -> Option<Vec<String>> {
        None
    }
}

/// What the operator should know of the certificate.
fn concern(certificate: &Certificate, now: i64) -> Option<String> {
    let days = (certificate.ends - now) / (24 * 3600);
    match certificate {
        it if it.ends <= now => Some("the certificate has expired: browsers refuse the page".into()),
        it if !it.is_vouched_for => {
            Some("no authority vouches for the certificate: browsers ask before they open the page".into())
        }
        // What renews it has had a twelfth of its life for that, or more.
        it if (it.ends - now) * 4 < it.lifetime => Some(format!("the certificate ends in {days} days; renew it")),
        _ => None,
    }
}

async fn data(State(status): State<Status>) -> Response {
    (HEADERS, axum::Json(status.data())).into_response()
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_a_concern_when_browsers_mind_or_soon_will() {
        let of = |ends: i64, is_vouched_for: bool| {
            let lifetime = 90 * 24 * 3600;
            let certificate = Certificate { names: Vec::new(), issuer: String::new(), ends, lifetime, is_vouched_for };
            concern(&certificate, 1_000_000_000).unwrap_or_default()
        };
        assert!(of(999_999_999, true).contains("expired"));
        assert!(of(2_000_000_000, false).contains("no authority vouches"));
        assert_eq!(of(1_000_000_000 + 3 * 24 * 3600, true), "the certificate ends in 3 days; renew it");
        assert_eq!(of(2_000_000_000, true), "");
    }
}
