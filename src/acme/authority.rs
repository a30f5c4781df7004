//! How an authority is reached: HTTPS with a deadline, a bound on what it answers, and an ear for `Retry-After`.

use std::error::Error as StdError;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use axum::http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use axum::http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::time::timeout;

/// For one answer's head, from the name's look-up on.
const ANSWER: Duration = Duration::from_secs(30);

/// The most that one answer may have: a chain of certificates has a few kilobytes.
const ANSWER_BYTES: usize = 1 << 20;

/// The connection to an authority. Cheap to clone.
#[derive(Clone)]
pub(super) struct Authority {
    http: Client<HttpsConnector<HttpConnector>, BodyWrapper<Bytes>>,
    /// For how many seconds it wants to hear nothing; 0: it has not said.
    closed_for: Arc<AtomicU64>,
}

impl Authority {
    /// Trusts these roots.
    pub(super) fn new(roots: RootCertStore) -> Self {
        let tls = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has suites for both versions of TLS")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_only().enable_http1().build();
        Self { http: Client::builder(TokioExecutor::new()).build(connector), closed_for: Arc::default() }
    }

    /// For how many seconds it wanted to hear nothing when it was last asked; said once.
    pub(super) fn take_closed_for(&self) -> Option<u64> {
        Some(self.closed_for.swap(0, Ordering::Relaxed)).filter(|seconds| *seconds > 0)
    }

    /// Where its terms of service stand, if it has any.
    pub(super) async fn terms(&self, directory: &str) -> Result<Option<String>, Error> {
        let request = Request::builder().method(Method::GET).uri(directory).header(ACCEPT, "application/json");
        let body = self.request(request.body(BodyWrapper::default())?).await?.body.into_bytes().await;
        let directory: Value = serde_json::from_slice(&body.map_err(Error::Other)?)?;
        Ok(directory["meta"]["termsOfService"].as_str().map(str::to_owned))
    }

    fn hear(&self, status: StatusCode, headers: &HeaderMap) {
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
            && let Some(seconds) = retry_after(headers, SystemTime::now())
        {
            self.closed_for.store(seconds, Ordering::Relaxed);
        }
    }
}

impl HttpClient for Authority {
    fn request(
        &self,
        mut request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let this = self.clone();
        Box::pin(async move {
            let ours = concat!("entremise/", env!("CARGO_PKG_VERSION")).parse().expect("a header's value");
            request.headers_mut().insert(USER_AGENT, ours);
            let host = request.uri().host().unwrap_or_default().to_owned();
            let asked = timeout(ANSWER, this.http.request(request)).await;
            let answer = asked.map_err(|_| other(format!("{host} has not answered within {} s", ANSWER.as_secs())))?;
            let answer: Response<Incoming> = answer.map_err(|error| other(format!("{host}: {}", chain(&error))))?;
            this.hear(answer.status(), answer.headers());
            let is_json = |headers: &HeaderMap| {
                headers.get(CONTENT_TYPE).is_some_and(|kind| kind.to_str().is_ok_and(|kind| kind.contains("json")))
            };
            // A proxy's page, most likely: what it says is no problem document.
            let is_foreign = answer.status().is_client_error() || answer.status().is_server_error();
            if is_foreign && !is_json(answer.headers()) {
                return Err(other(format!("{host} answered {}", answer.status())));
            }
            let (parts, body) = answer.into_parts();
            let read = timeout(ANSWER, Limited::new(body, ANSWER_BYTES).collect()).await;
            let body = read.map_err(|_| other(format!("{host} has not finished its answer")))?;
            let body = body.map_err(|error| other(format!("{host}: {error}")))?.to_bytes();
            Ok(Response::from_parts(parts, BodyWrapper::from(body.to_vec())).into())
        })
    }
}

fn other(text: String) -> Error {
    Error::Other(text.into())
}

/// An error with all that it comes from: the first alone says "client error".
pub(super) fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut texts = vec![error.to_string()];
    let mut source = error.source();
    while let Some(error) = source {
        let text = error.to_string();
        // Some repeat what they come from.
        if !texts.iter().any(|said| said.contains(&text)) {
            texts.push(text);
        }
        source = error.source();
    }
    texts.join(": ")
}

/// In seconds: a number, or a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<u64> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(seconds);
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).map_or(0, |wait| wait.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_a_number_or_a_date() {
        let seconds = |text: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]);
            retry_after(&headers, SystemTime::UNIX_EPOCH)
        };
        assert_eq!(seconds("120"), Some(120));
        assert_eq!(seconds("Thu, 01 Jan 1970 00:02:00 GMT"), Some(120));
        assert_eq!(seconds("soon"), None);
        assert_eq!(retry_after(&HeaderMap::new(), SystemTime::UNIX_EPOCH), None);
    }
}
