//! The WebSocket's handshake (RFC 6455, 4.2): what a request must say, and the 101 that answers it. Pure.

use axum::body::Body;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{Method, Response, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

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
}

/// Whether a request wants to be one.
pub(super) fn is_handshake(headers: &HeaderMap) -> bool {
    is(headers, &header::UPGRADE, "websocket")
}

/// What proves to the client that its key was read.
pub(super) fn accept_key(method: &Method, headers: &HeaderMap) -> Result<HeaderValue, BadHandshake> {
    let key = headers.get(header::SEC_WEBSOCKET_KEY).map(HeaderValue::as_bytes);
    let (true, true, true, Some(key)) = (method == Method::GET, is_handshake(headers), says_upgrade(headers), key)
    else {
        return Err(BadHandshake::Malformed);
    };
    if !is(headers, &header::SEC_WEBSOCKET_VERSION, VERSION) {
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
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    headers.extend(protocol.map(|protocol| (header::SEC_WEBSOCKET_PROTOCOL, protocol)));
    response
}

fn is(headers: &HeaderMap, name: &header::HeaderName, expected: &str) -> bool {
    headers.get(name).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(expected.as_bytes()))
}

/// Browsers say `keep-alive, Upgrade`.
fn says_upgrade(headers: &HeaderMap) -> bool {
    let options =
        headers.get_all(header::CONNECTION).iter().flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    options.map(<[u8]>::trim_ascii).any(|option| option.eq_ignore_ascii_case(b"upgrade"))
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

    fn headers(changed: &[(&'static str, &'static str)]) -> HeaderMap {
        let all = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", KEY),
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in all.iter().chain(changed) {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        headers
    }

    /// RFC 6455, 1.3.
    #[test]
    fn the_key_of_the_rfc_is_accepted_as_the_rfc_says() {
        let accept = accept_key(&Method::GET, &headers(&[]));
        assert_eq!(accept, Ok(HeaderValue::from_static("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")));
    }

    #[test]
    fn what_is_missing_or_wrong_is_no_handshake() {
        for wrong in [
            ("connection", "keep-alive"),
            ("connection", "upgraded"),
            ("upgrade", "h2c"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZ!=="),
            ("sec-websocket-key", ""),
        ] {
            assert_eq!(accept_key(&Method::GET, &headers(&[wrong])), Err(BadHandshake::Malformed), "{wrong:?}");
        }
        assert_eq!(accept_key(&Method::HEAD, &headers(&[])), Err(BadHandshake::Malformed));
        let other = headers(&[("sec-websocket-version", "8")]);
        assert_eq!(accept_key(&Method::GET, &other), Err(BadHandshake::Version));
    }
}
