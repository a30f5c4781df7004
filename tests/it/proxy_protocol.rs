//! Behind a proxy that passes on bytes (haproxy, nginx's stream, sslh): whose a connection is comes before all of them, on
//! every TCP port, and from a trusted proxy alone.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use clap::Parser as _;
use entremise::cli::Cli;
use rustix::process::Signal;
use stun_types::attribute::XorMappedAddress;
use stun_types::message::BINDING;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::accept::assert_ended;
use crate::http::exchange;
use crate::program::Program;
use crate::server::{Server, Site};
use crate::turn_client::LOOPBACK;
use crate::within;

/// All of this machine's addresses are proxies of ours.
const BEHIND: [&str; 2] = ["--trusted-proxy=127.0.0.0/8", "--proxy-protocol"];
const SOON: &str = "--handshake-timeout=1.5";

const ALICE: &str = "198.51.100.1:4711";
const BOB: &str = "198.51.100.2:4711";
/// On this machine: to others, what listens on a loopback address is not listed.
const NEIGHBOUR: &str = "127.0.0.77:4001";

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

/// Version 1.
fn line(client: &str, server: SocketAddr) -> Vec<u8> {
    let client = address(client);
    let (from, to) = (client.ip(), server.ip());
    format!("PROXY TCP4 {from} {to} {} {}\r\n", client.port(), server.port()).into()
}

/// Version 2.
fn block(client: &str, server: SocketAddr) -> Vec<u8> {
    let (SocketAddr::V4(client), SocketAddr::V4(server)) = (address(client), server) else { panic!("IPv4") };
    let ports = [client.port().to_be_bytes(), server.port().to_be_bytes()].concat();
    [SIGNATURE, &[0x21, 0x11, 0, 12], &client.ip().octets(), &server.ip().octets(), &ports].concat()
}

async fn begun(site: &Site, header: &[u8]) -> TcpStream {
    let mut tcp = site.tcp().await;
    tcp.write_all(header).await.expect("the server reads");
    tcp
}

/// What a client of this address is told of `/ws`.
async fn status(server: &Server, header: &[u8], headers: &[&str]) -> u16 {
    let mut tls = server.shake_hands(begun(server, header).await).await;
    exchange(&mut tls, &server.head("GET", "/ws", headers)).await.status
}

#[tokio::test]
async fn a_client_has_the_address_that_the_proxy_says_in_either_version() {
    let server = Server::start(&[&BEHIND[..], &["--max-connections-per-address=1"]].concat());
    for write in [line, block] {
        let tls = server.shake_hands(begun(&server, &write(ALICE, server.address)).await).await;
        let mut alice = server.upgrade(tls, &[]).await.expect("a WebSocket").0;
        alice.fence().await;
        assert_eq!(status(&server, &write("198.51.100.1:9", server.address), &[]).await, 429);
        assert_eq!(status(&server, &write(BOB, server.address), &[]).await, 426);
        let forwarded = ["X-Forwarded-For: 198.51.100.2"];
        assert_eq!(status(&server, &write(ALICE, server.address), &forwarded).await, 429, "it is no proxy itself");
        drop(alice);
        let gone = async { while status(&server, &write(ALICE, server.address), &[]).await != 426 {} };
        within("its permit to be free", gone).await;
    }
}

#[tokio::test]
async fn a_header_may_come_in_any_pieces_and_with_what_follows_it() {
    let server = Server::start(&[&BEHIND[..], &["--plain-http"]].concat());
    for header in [line(ALICE, server.address), block(ALICE, server.address)] {
        let request = server.head("GET", "/healthz", &[]);
        let mut glued = begun(&server, &[&header[..], request.as_bytes()].concat()).await;
        let mut answer = [0; 12];
        within("an answer", glued.read_exact(&mut answer)).await.expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 200");
        let mut tcp = server.tcp().await;
        tcp.set_nodelay(true).expect("an open socket");
        for byte in &header {
            tcp.write_all(&[*byte]).await.expect("the server reads");
        }
        assert_eq!(exchange(&mut tcp, &request).await.status, 200);
    }
}

#[tokio::test]
async fn the_proxy_s_own_connections_are_served_as_its_own() {
    let server = Server::start(&[&BEHIND[..], &["--max-connections-per-address=1"]].concat());
    let local = [SIGNATURE, &[0x20, 0, 0, 0]].concat();
    for header in [&local[..], b"PROXY UNKNOWN\r\n", b"PROXY UNKNOWN 198.51.100.1 x\r\n"] {
        assert_eq!(status(&server, header, &[]).await, 426, "{}", header.escape_ascii());
    }
}

#[tokio::test]
async fn a_proxy_that_does_not_say_whose_a_connection_is_is_refused_on_every_port() {
    let flags = [&BEHIND[..], &["--handshake-timeout=60"]].concat();
    let server = Server::start_turn_changed(&flags, |config| config.ice.turn_tls_port = Some(0));
    let mut tls = server.shake_hands(begun(&server, &line(NEIGHBOUR, server.address)).await).await;
    let ice = exchange(&mut tls, &server.head("GET", "/ice", &[])).await;
    let ice: serde_json::Value = serde_json::from_slice(&ice.body).expect("JSON");
    let urls = ice.to_string();
    let port = |scheme: &str, end: &str| {
        let from = urls.split('"').find(|url| url.starts_with(scheme) && url.ends_with(end)).expect(scheme);
        from.trim_end_matches(end).rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
    };
    let ports = [server.address.port(), port("turn:", "?transport=tcp"), port("turns:", "?transport=tcp")];
    for port in ports {
        let site = Site { address: SocketAddr::new(server.address.ip(), port), ..(*server).clone() };
        for bytes in [&b"\x16\x03\x01\x02\0"[..], b"GET / HTTP/1.1\r\n", &[0, 1, 0, 0], b"PROXY TCP5\r\n", b"\r\n\r\nx"]
        {
            assert_ended(&mut begun(&site, bytes).await).await;
        }
    }
}

#[tokio::test]
async fn a_header_from_others_is_refused_and_never_believed() {
    let server = Server::start(&["--trusted-proxy=127.0.0.9", "--proxy-protocol", "--max-connections-per-address=1"]);
    let mut direct = server.connect().await;
    direct.fence().await;
    let mut tcp = begun(&server, &line(ALICE, server.address)).await;
    let mut answer = Vec::new();
    let _ = within("its end", tcp.read_to_end(&mut answer)).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"), "{}", answer.escape_ascii());
    assert_ended(&mut begun(&server, &block(ALICE, server.address)).await).await;
    assert_eq!(server.get("/ws").await.status, 429, "they are who they are");
    let mut proxied = server.tcp_from([127, 0, 0, 9]).await;
    proxied.write_all(&block(ALICE, server.address)).await.expect("the server reads");
    let mut tls = server.shake_hands(proxied).await;
    assert_eq!(exchange(&mut tls, &server.head("GET", "/ws", &[])).await.status, 426);
}

#[tokio::test]
async fn without_the_switch_no_header_is_read() {
    let server = Server::start(&[BEHIND[0]]);
    assert_eq!(server.get("/").await.status, 200);
    assert_ended(&mut begun(&server, &block(ALICE, server.address)).await).await;
}

#[tokio::test]
async fn the_switch_needs_to_know_whom_to_believe() {
    let alone = Cli::try_parse_from(["entremise", "--proxy-protocol"]);
    assert!(alone.expect_err("no proxy to believe").to_string().contains("--trusted-proxy"));
}

#[tokio::test]
async fn a_header_that_never_ends_meets_the_deadline() {
    let server = Server::start(&[&BEHIND[..], &[SOON]].concat());
    let beginnings = [&b""[..], b"P", b"PROXY TCP4 198.51.100.1 ", b"\r\n\r\n\0", SIGNATURE];
    let mut begun_so_far = Vec::new();
    for beginning in beginnings {
        begun_so_far.push(begun(&server, beginning).await);
    }
    for mut tcp in begun_so_far {
        assert_ended(&mut tcp).await;
    }
    // A byte now and then is no different.
    let (mut reader, mut writer) = begun(&server, b"PROXY UNKNOWN ").await.into_split();
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    let dripping = async {
        while writer.write_all(b"x").await.is_ok() {
            pace.tick().await;
        }
        // What can't be written any more has an end to be read.
        std::future::pending::<()>().await;
    };
    let mut rest = Vec::new();
    tokio::select! {
        () = dripping => {}
        _ = within("the server to have enough", reader.read_to_end(&mut rest)) => {}
    }
}

#[tokio::test]
async fn connections_without_an_answer_count_for_the_client_and_not_for_the_proxy() {
    let flags = [&BEHIND[..], &["--handshake-timeout=60", "--max-handshakes-per-address=1"]].concat();
    let server = Server::start(&flags);
    let mut both = JoinSet::new();
    for _ in 0..2 {
        let mut tcp = begun(&server, &line(ALICE, server.address)).await;
        both.spawn(async move {
            let _ = tcp.read_to_end(&mut Vec::new()).await;
        });
    }
    // Whichever comes second.
    within("one of them to be refused", both.join_next()).await;
    assert_eq!(status(&server, &line(BOB, server.address), &[]).await, 426);
}

#[tokio::test]
async fn stun_and_turn_see_the_client_that_the_proxy_names() {
    let server = Server::start_turn(&[&BEHIND[..], &[LOOPBACK]].concat());
    let mut tls = server.shake_hands(begun(&server, &line(NEIGHBOUR, server.address)).await).await;
    let ice = exchange(&mut tls, &server.head("GET", "/ice", &[])).await;
    let access = crate::turn_client::TurnAccess::read(&serde_json::from_slice(&ice.body).expect("JSON"));
    let port = Site { address: access.tcp, ..(*server).clone() };
    let (elsewhere, ours) = (address("203.0.113.1:443"), SocketAddr::from((Ipv4Addr::LOCALHOST, 443)));
    for (reached, relay) in [(elsewhere, server.address.ip()), (ours, IpAddr::from(Ipv4Addr::LOCALHOST))] {
        for write in [line, block] {
            let header = write(ALICE, reached);
            let plain = access.stream_client(begun(&port, &header).await);
            let tls = access.stream_client(server.shake_hands(begun(&server, &header).await).await);
            for mut client in [plain, tls] {
                let reply = client.ask_plain(BINDING, &[]).await;
                // Transactions count from one.
                let mapped = reply.attribute::<XorMappedAddress>().expect("an address").addr(1.into());
                assert_eq!(mapped, address(ALICE));
                assert_eq!(client.allocate().await.ip(), relay, "{reached}");
                assert_eq!(client.refresh(0).await, 0);
            }
        }
    }
}

#[tokio::test]
async fn a_proxy_and_a_switch_that_do_not_fit_each_other_are_told_once_and_with_what_to_do() {
    let (with, without) = (&["--trusted-proxy=127.0.0.0/8", "--proxy-protocol"][..], &[][..]);
    let header = block(ALICE, address("127.0.0.1:443"));
    for (flags, sent, told) in [
        (with, &b"GET / HTTP/1.1\r\n"[..], "(send-proxy-v2, proxy_protocol on) or leave out --proxy-protocol"),
        (without, &header, "give --proxy-protocol --trusted-proxy 127.0.0.1"),
        (without, b"PROXY UNKNOWN\r\n\r\n", "give --proxy-protocol --trusted-proxy 127.0.0.1"),
    ] {
        let program = Program::start(flags).await;
        for _ in 0..2 {
            let mut tcp = begun(&program, sent).await;
            let _ = within("its end", tcp.read_to_end(&mut Vec::new())).await;
        }
        program.logs(told, 1).await;
        program.signal(Signal::TERM);
        let log = program.ended().await.stderr;
        assert_eq!(log.matches(told).count(), 1, "{log}");
    }
}
