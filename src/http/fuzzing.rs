//! The headers that a stranger's request is judged by. No part of the server.

use std::net::IpAddr;

use axum::http::header::{ACCEPT_ENCODING, AUTHORIZATION, HOST, HeaderName, ORIGIN, SEC_WEBSOCKET_PROTOCOL};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue};

use super::bearer;
use super::caller::{Caller, Proxies};
use super::origin::{AllowedOrigin, Origins};
use super::page::Coding;
use super::subprotocol::{Subprotocol, V1};
use crate::accept::Transport;

/// Whose header each line is; all that follow are lists of subprotocols.
const LINES: [HeaderName; 5] = [
    HOST,
    ORIGIN,
    AUTHORIZATION,
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-for"),
];

/// Reads a header from each line, and asserts that no request is believed or let in that does not say plainly what has to be
/// said.
///
/// # Panics
///
/// Where one is.
pub fn play_headers(data: &[u8]) {
    let mut headers = HeaderMap::new();
    let names = LINES.into_iter().chain(std::iter::repeat(SEC_WEBSOCKET_PROTOCOL));
    for (name, line) in names.zip(data.split(|byte| *byte == b'\n')) {
        if let Ok(value) = HeaderValue::from_bytes(line) {
            headers.append(name, value);
        }
    }
    try_subprotocol(&headers);
    try_caller(&headers);
    try_origin(&headers);
    try_coding(data);
}

fn caller(peer: [u8; 4], headers: &HeaderMap) -> Caller {
    let proxies = Proxies::new(vec!["10.0.0.0/8".parse().expect("a block")]);
    proxies.caller(peer.into(), Transport::Tls, headers)
}

fn try_caller(headers: &HeaderMap) {
    let stranger = IpAddr::from([192, 0, 2, 1]);
    assert_eq!(caller([192, 0, 2, 1], headers).address, stranger, "a stranger is not believed");
    let said = headers.get_all("x-forwarded-for").iter().next().and_then(|said| said.to_str().ok()).unwrap_or_default();
    let believed = caller([10, 0, 0, 1], headers).address;
    // All to the right of the client are our proxies.
    let hops: Vec<&str> = said.split(',').map(str::trim).collect();
    let is_ours = |hop: &str| hop.trim_start_matches("[::ffff:").trim_start_matches("::ffff:").starts_with("10.");
    let first_other = hops.iter().rposition(|hop| !is_ours(hop));
    if let Some(hop) = first_other
        && let Ok(address) = hops[hop].parse::<IpAddr>()
        && hops[hop + 1..].iter().all(|hop| hop.parse::<std::net::Ipv4Addr>().is_ok())
        && address.is_ipv4()
    {
        assert_eq!(believed, address, "the right-most hop that is no proxy of ours");
    }
}

fn try_subprotocol(headers: &HeaderMap) {
    let lists: Vec<&[u8]> = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().map(HeaderValue::as_bytes).collect();
    let joined = String::from_utf8_lossy(&lists.join(&b","[..])).into_owned();
    let names: Vec<&str> = joined.split(',').map(str::trim).collect();
    match Subprotocol::read(headers) {
        Ok(Subprotocol::Plain) => assert!(lists.is_empty()),
        Ok(subprotocol) => {
            assert_eq!(names.iter().filter(|name| **name == V1).count(), 1);
            assert_eq!(
                subprotocol.selected().as_ref().map(HeaderValue::as_bytes),
                Some(V1.as_bytes()),
                "no secret is echoed"
            );
            if let Some(resume) = subprotocol.resume() {
                // The number may have leading zeros, the token only one spelling.
                let wish = format!("entremise.resume.{}.", resume.token);
                let said = names.iter().find_map(|name| name.strip_prefix(&*wish)).expect("the token was sent");
                assert_eq!(said.trim_start_matches('0'), resume.received.to_string().trim_start_matches('0'));
            }
        }
        Err(_) => assert!(!lists.is_empty()),
    }
    let requested = Subprotocol::read(headers).ok().and_then(|subprotocol| subprotocol.bearer());
    if let (Ok(Some(token)), Some(requested)) = (bearer::token(headers, requested), requested) {
        assert!(token == requested, "of two tokens none is chosen");
    }
}

fn try_origin(headers: &HeaderMap) {
    let host = caller([192, 0, 2, 1], headers).host;
    let Some(origin) = headers.get(ORIGIN).and_then(|origin| origin.to_str().ok()) else { return };
    if Origins::new(Vec::new(), None).admit(Some(origin), host.as_ref(), Transport::Tls) {
        let host = host.expect("nothing is its own without a host");
        assert_eq!(plain(origin), plain(&format!("https://{host}")), "an origin of its own");
    }
    if let Ok(allowed) = origin.parse::<AllowedOrigin>() {
        let shown = allowed.to_string();
        assert_eq!(shown.parse(), Ok(allowed.clone()), "it is canonical");
        let is_one_page = !matches!(allowed, AllowedOrigin::Subdomains { .. } | AllowedOrigin::File);
        let admits = Origins::new(vec![allowed], None).admit(Some(origin), None, Transport::Tls);
        assert!(admits || !is_one_page, "it admits itself");
        if let Some((_, authority)) = shown.split_once("://").filter(|_| is_one_page) {
            assert!(authority.parse::<Authority>().is_ok() && !authority.contains('@'));
            assert_eq!(plain(origin), plain(&shown));
        }
    }
}

fn try_coding(data: &[u8]) {
    let Ok(list) = HeaderValue::from_bytes(data) else { return };
    let names_one = data.contains(&b'*') || data.to_ascii_lowercase().windows(2).any(|word| word == b"br");
    let wished = Coding::wished(&[(ACCEPT_ENCODING, list)].into_iter().collect());
    assert!(wished == Coding::Identity || names_one, "a coding that the client did not name");
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
