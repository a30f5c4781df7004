//! The headers that a stranger's request is judged by. No part of the server.

use axum::http::header::{HOST, ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue};

use super::host;
use super::origin::{AllowedOrigin, Origins};
use super::subprotocol::{Offer, V1};

/// Reads a Host in the first line, an Origin in the second, and offers of subprotocols in the others; asserts that
/// nothing is let in which does not say plainly what it has to.
///
/// # Panics
///
/// Where something is.
pub fn play_headers(data: &[u8]) {
    let mut headers = HeaderMap::new();
    let mut lines = data.split(|byte| *byte == b'\n');
    let names = [HOST, ORIGIN].into_iter().chain(std::iter::repeat(SEC_WEBSOCKET_PROTOCOL));
    for (name, line) in names.zip(&mut lines) {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(name, value);
        }
    }
    try_offer(&headers);
    try_origin(&headers);
}

fn try_offer(headers: &HeaderMap) {
    let lists: Vec<&[u8]> = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().map(HeaderValue::as_bytes).collect();
    let joined = String::from_utf8_lossy(&lists.join(&b","[..])).into_owned();
    let names: Vec<&str> = joined.split(',').map(str::trim).collect();
    match Offer::read(headers) {
        Ok(Offer::Plain) => assert!(lists.is_empty()),
        Ok(offer) => {
            assert_eq!(names.iter().filter(|name| **name == V1).count(), 1);
            assert_eq!(
                offer.selected().as_ref().map(HeaderValue::as_bytes),
                Some(V1.as_bytes()),
                "no secret is echoed"
            );
            if let Some(resume) = offer.resume() {
                // The number may have leading zeros, the token only one spelling.
                let wish = format!("entremise.resume.{}.", resume.token);
                let said = names.iter().find_map(|name| name.strip_prefix(&*wish)).expect("the token was offered");
                assert_eq!(said.trim_start_matches('0'), resume.received.to_string().trim_start_matches('0'));
            }
        }
        Err(_) => assert!(!lists.is_empty()),
    }
}

fn try_origin(headers: &HeaderMap) {
    let host = host(headers);
    let Some(origin) = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok()) else { return };
    if Origins::new(Vec::new()).admit(Some(origin), host.as_ref()) {
        let host = host.expect("nothing is its own without a host");
        assert_eq!(plain(origin), plain(&format!("https://{host}")), "an origin of its own");
    }
    if let Ok(allowed) = origin.parse::<AllowedOrigin>() {
        let shown = allowed.to_string();
        assert_eq!(shown.parse(), Ok(allowed.clone()), "it is canonical");
        assert!(Origins::new(vec![allowed]).admit(Some(origin), None), "it admits itself");
        if let Some((_, authority)) = shown.split_once("://") {
            assert!(authority.parse::<Authority>().is_ok() && !authority.contains('@'));
            assert_eq!(plain(origin), plain(&shown));
        }
    }
}

/// A second reading of what makes two origins the same: upper and lower case, and the default port.
fn plain(origin: &str) -> (String, String, Option<u32>) {
    let origin = origin.to_ascii_lowercase();
    let (scheme, rest) = origin.split_once("://").expect("an origin");
    let default = match scheme {
        "https" => Some(443),
        "http" => Some(80),
        _ => None,
    };
    let colon = rest.rfind(':').filter(|colon| rest.rfind(']').is_none_or(|bracket| bracket < *colon));
    let (host, port) = rest.split_at(colon.unwrap_or(rest.len()));
    let port = port.strip_prefix(':').map(|port| port.parse().expect("a port is a number"));
    (scheme.to_owned(), host.to_owned(), port.or(default))
}
