//! The WebSocket's handshake (RFC 6455, 4.2): what a request must say, and the 101 that answers it. Pure.

use axum::body::Body;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::http::{Method, Response, StatusCode, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::request::{Repeated, single};

/// RFC 6455, 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

const VERSION: &str = "13";

/// Why a request is no handshake that we understand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadHandshake {
    /// Something is missing or wrong.
    Malformed,
    /// It is of another version of WebSocket.
    Version,
    /// It has lost, on its way, what asks for the upgrade.
    Removed,
}

impl From<Repeated> for BadHandshake {
    fn from(Repeated: Repeated) -> Self {
        Self::Malformed
    }
}

/// Whether a request wants to be one, or did before a proxy took away what asks for it.
pub(super) fn is_handshake(headers: &HeaderMap) -> bool {
    asks_for_websocket(headers) || headers.contains_key(header::SEC_WEBSOCKET_KEY)
}

fn asks_for_websocket(headers: &HeaderMap) -> bool {
    lists(headers, &header::UPGRADE, "websocket")
}

/// What proves to the client that its key was read.
pub(super) fn accept_key(request: &Parts) -> Result<HeaderValue, BadHandshake> {
    let Parts { method, version, headers, .. } = request;
    let key = single(headers, &header::SEC_WEBSOCKET_KEY)?.map(HeaderValue::as_bytes);
    let Some(key) = key.filter(|_| *method == Method::GET && !has_body(headers)) else {
        return Err(BadHandshake::Malformed);
    };
    // Browsers say `keep-alive, Upgrade`; HTTP/1.0 is what proxies make of it that know no upgrade.
    let asks = asks_for_websocket(headers) && lists(headers, &header::CONNECTION, "upgrade");
    if !asks || *version < Version::HTTP_11 {
        return Err(BadHandshake::Removed);
    }
    if single(headers, &header::SEC_WEBSOCKET_VERSION)?.is_none_or(|version| version != VERSION) {
        return Err(BadHandshake::Version);
    }
    if !is_valid(key) {
        return Err(BadHandshake::Malformed);
    }
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, &[key, GUID].concat());
    Ok(HeaderValue::try_from(STANDARD.encode(digest)).expect("base64 is a header's value"))
}

/// The 101, with the subprotocol that was chosen.
pub(super) fn switching(accept: HeaderValue, protocol: Option<HeaderValue>) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    headers.extend(protocol.map(|protocol| (header::SEC_WEBSOCKET_PROTOCOL, protocol)));
    response
}

/// Whether a header that is a list has this item.
fn lists(headers: &HeaderMap, name: &HeaderName, expected: &str) -> bool {
    let items = headers.get_all(name).iter().flat_map(|line| line.as_bytes().split(|&byte| byte == b','));
    items.map(<[u8]>::trim_ascii).any(|item| item.eq_ignore_ascii_case(expected.as_bytes()))
}

/// A body would be read as frames: the proxy that passed it on has another idea of where the request ends.
fn has_body(headers: &HeaderMap) -> bool {
    let lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    headers.contains_key(header::TRANSFER_ENCODING) || lengths.into_iter().any(|length| length != "0")
}

/// RFC 6455, 4.2.1: the key is 16 bytes in base64, which is 22 characters and the padding.
fn is_valid(key: &[u8]) -> bool {
    let is_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    key.strip_suffix(b"==").is_some_and(|key| key.len() == 22 && key.iter().all(is_base64))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    /// A handshake with lines that replace its own, and lines besides.
    fn request(method: &str, changed: &[(&'static str, &'static str)], more: &[(&'static str, &'static str)]) -> Parts {
        let all = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", KEY),
        ];
        let mut request = axum::http::Request::builder().method(method);
        let headers = request.headers_mut().unwrap();
        for (name, value) in all.iter().chain(changed) {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        for (name, value) in more {
            headers.append(*name, HeaderValue::from_static(value));
        }
        request.body(()).unwrap().into_parts().0
    }

    /// RFC 6455, 1.3.
    #[test]
    fn the_key_of_the_rfc_is_accepted_as_the_rfc_says() {
        let accept = Ok(HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
        assert_eq!(accept_key(&request("GET", &[], &[])), accept);
        for more in [("upgrade", "h2c"), ("upgrade", "websocket"), ("connection", "x"), ("content-length", "0")] {
            assert_eq!(accept_key(&request("GET", &[], &[more])), accept, "{more:?}");
        }
        assert_eq!(accept_key(&request("GET", &[("upgrade", "h2c, websocket")], &[])), accept, "a list");
    }

    #[test]
    fn what_is_missing_or_wrong_is_no_handshake() {
        for wrong in [
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZ!=="),
            ("sec-websocket-key", ""),
            ("content-length", "1"),
            ("transfer-encoding", "chunked"),
        ] {
            assert_eq!(accept_key(&request("GET", &[wrong], &[])), Err(BadHandshake::Malformed), "{wrong:?}");
        }
        assert_eq!(accept_key(&request("HEAD", &[], &[])), Err(BadHandshake::Malformed));
        let other = request("GET", &[("sec-websocket-version", "8")], &[]);
        assert_eq!(accept_key(&other), Err(BadHandshake::Version));
    }

    #[test]
    fn a_key_without_its_upgrade_has_lost_it_on_the_way() {
        for wrong in [("connection", "keep-alive"), ("connection", "upgraded"), ("upgrade", "h2c")] {
            let request = request("GET", &[wrong], &[]);
            assert!(is_handshake(&request.headers));
            assert_eq!(accept_key(&request), Err(BadHandshake::Removed), "{wrong:?}");
        }
        let mut old = request("GET", &[], &[]);
        old.version = Version::HTTP_10;
        assert_eq!(accept_key(&old), Err(BadHandshake::Removed));
    }

    #[test]
    fn what_may_be_there_once_is_there_once() {
        for twice in [("sec-websocket-key", KEY), ("sec-websocket-version", "13"), ("content-length", "7")] {
            assert_eq!(accept_key(&request("GET", &[], &[twice])), Err(BadHandshake::Malformed), "{twice:?}");
        }
    }
}
