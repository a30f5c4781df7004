//! What an authority looks for to see that a name is ours: on the page's own port in TLS's handshake (tls-alpn-01,
//! RFC 8737), or on a port of its own over HTTP (http-01, RFC 8555, 8.3).

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{HOST, LOCATION};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

use super::Name;

/// The texts that an authority is to find, by the last part of their paths.
pub(super) type Texts = Arc<ArcSwap<HashMap<String, String>>>;

/// Answers an authority on a port of its own, and sends all others to https.
pub(super) struct Answers {
    pub(super) texts: Texts,
    pub(super) names: Vec<Name>,
    /// The page's.
    pub(super) page: SocketAddr,
}

impl Answers {
    pub(super) fn routes(&self) -> Router {
        let (names, port) = (self.names.clone(), self.page.port());
        Router::new()
            .route("/.well-known/acme-challenge/{token}", get(text))
            .fallback(move |headers: HeaderMap, uri: Uri| {
                let answer = to_https(&headers, &uri, &names, port);
                async move { answer }
            })
            .with_state(Arc::clone(&self.texts))
    }
}

async fn text(State(texts): State<Texts>, Path(token): Path<String>) -> Response {
    match texts.load().get(&token) {
        Some(text) => text.clone().into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// To the page under one of our names, and under no other that a stranger may have written into a link.
fn to_https(headers: &HeaderMap, uri: &Uri, names: &[Name], port: u16) -> Response {
    let asked = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let is_asked = |name: &&Name| asked.split(':').next().is_some_and(|host| host == name.to_string());
    let Some(name) = names.iter().find(is_asked).or(names.first()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let host = match name {
        Name::Address(address) if address.is_ipv6() => format!("[{address}]"),
        other => other.to_string(),
    };
    let port = if port == 443 { String::new() } else { format!(":{port}") };
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    (StatusCode::PERMANENT_REDIRECT, [(LOCATION, format!("https://{host}{port}{path}"))]).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_sent_to_a_name_of_ours_and_to_no_other() {
        let names = ["example.org".parse().unwrap(), "2001:db8::1".parse().unwrap()];
        let sent = |host: &str, port: u16, names: &[Name]| {
            let headers = HeaderMap::from_iter([(HOST, host.parse().unwrap())]);
            let answer = to_https(&headers, &"/a?b=1".parse().unwrap(), names, port);
            answer.headers().get(LOCATION).map(|to| to.to_str().unwrap().to_owned())
        };
        assert_eq!(sent("example.org", 443, &names).as_deref(), Some("https://example.org/a?b=1"));
        assert_eq!(sent("example.org:80", 8443, &names).as_deref(), Some("https://example.org:8443/a?b=1"));
        assert_eq!(sent("evil.example", 443, &names).as_deref(), Some("https://example.org/a?b=1"));
        assert_eq!(sent("a", 443, &names[1..]).as_deref(), Some("https://[2001:db8::1]/a?b=1"));
        assert_eq!(sent("a", 443, &[]), None);
    }
}
