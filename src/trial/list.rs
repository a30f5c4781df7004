//! The list of ICE servers that the running server gives to browsers, asked for as a browser on another machine would.

use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::http::uri::Authority;
use serde::Deserialize;

use super::wire;
use crate::config::Config;
use crate::net::{Family, Host, TlsEnd};

/// The longest answer that is read: a list has a kilobyte or two.
const MAX_BYTES: u64 = 1024 * 1024;

/// The list, and which address of the server it is from.
pub(super) struct List {
    pub(super) at: SocketAddr,
    pub(super) servers: Vec<IceServer>,
}

/// An entry of the list, as a browser reads it.
#[derive(Deserialize)]
pub(super) struct IceServer {
    pub(super) urls: Vec<String>,
    pub(super) username: Option<String>,
    pub(super) credential: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    ice_servers: Vec<IceServer>,
}

/// Asks for it. What is wrong is said in words.
pub(super) fn ask(config: &Config, host: &Authority, token: Option<&str>, machine: &Host) -> Result<List, String> {
    let at = SocketAddr::new(address(config.listen.ip(), machine), config.listen.port());
    let answer = exchange(config, at, host, token).map_err(|error| match error.kind() {
        io::ErrorKind::ConnectionRefused => {
            format!("no server answers at {at}: is it running, and are these its flags (--listen)?")
        }
        _ => format!("the server at {at} gives none: {error}"),
    })?;
    let text = String::from_utf8_lossy(&answer);
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| format!("{at} does not answer by HTTP"))?;
    let status = head.split(' ').nth(1).unwrap_or_default();
    if status != "200" {
        return Err(explain(at, status, body));
    }
    let answer: Answer =
        serde_json::from_str(body).map_err(|error| format!("the list of {at} is unreadable: {error}"))?;
    Ok(List { at, servers: answer.ice_servers })
}

/// Where the server is asked: not by loopback if there is another way, because what listens there alone is offered to
/// this machine alone.
fn address(listen: IpAddr, machine: &Host) -> IpAddr {
    if !listen.is_unspecified() {
        return listen;
    }
    let is_served = |family: &Family| listen.is_ipv6() || *family == Family::V4;
    let outward = Family::ALL.into_iter().filter(is_served).find_map(|family| machine.outward(family));
    outward.unwrap_or(if listen.is_ipv6() { Ipv6Addr::LOCALHOST.into() } else { Ipv4Addr::LOCALHOST.into() })
}

fn exchange(config: &Config, at: SocketAddr, host: &Authority, token: Option<&str>) -> io::Result<Vec<u8>> {
    let mut tcp = wire::tcp(at)?;
    let is_proxy = |ip: IpAddr| config.http.trusted_proxies.iter().any(|block| block.contains(ip));
    let source = tcp.local_addr()?.ip().to_canonical();
    if config.proxy_protocol && is_proxy(source) {
        tcp.write_all(proxied(at).as_bytes())?;
    }
    let mut request = format!("GET {}ice HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n", config.http.base_path);
    if is_proxy(source) && !config.proxy_protocol {
        // An address for documentation stands for a browser elsewhere.
        request.push_str("X-Forwarded-For: 192.0.2.1\r\n");
    }
    if let Some(token) = token {
        write!(request, "Authorization: Bearer {token}\r\n").map_err(io::Error::other)?;
    }
    request.push_str("\r\n");
    match config.http.tls_end {
        TlsEnd::Here => converse(&mut wire::tls(tcp, host.host().trim_matches(['[', ']']))?, &request),
        TlsEnd::Proxy => converse(&mut tcp, &request),
    }
}

/// The PROXY protocol's line for a browser elsewhere, for which an address for documentation stands.
fn proxied(at: SocketAddr) -> String {
    let (family, browser) = if at.is_ipv4() { ("TCP4", "192.0.2.1") } else { ("TCP6", "2001:db8::1") };
    format!("PROXY {family} {browser} {} 40000 {}\r\n", at.ip(), at.port())
}

fn converse(stream: &mut (impl Read + Write), request: &str) -> io::Result<Vec<u8>> {
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let mut answer = Vec::new();
    match stream.take(MAX_BYTES).read_to_end(&mut answer) {
        // An end without TLS's farewell is an end too, once there is an answer.
        Err(error) if answer.is_empty() => Err(error),
        _ => Ok(answer),
    }
}

fn explain(at: SocketAddr, status: &str, body: &str) -> String {
    match status {
        "401" => format!(
            "the server at {at} asks for a token: give --auth-jwt-secret-file, by which one is made; a public key cannot \
             make any"
        ),
        "429" | "503" => format!("the server at {at} has no room for one more (status {status}); try again"),
        _ => format!("the server at {at} answers {status}: {}", body.trim()),
    }
}
