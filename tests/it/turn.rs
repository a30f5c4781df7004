//! The embedded STUN/TURN server, used as it is meant to be: which servers a page is told of, and that they relay.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::time::{SystemTime, UNIX_EPOCH};

use entremise::ice::credential::{Credential, TurnSecret};
use entremise::net::{Host, Interfaces};
use entremise::tasks::Drained;
use entremise::turn::TurnCount;
use serde_json::{Value, json};
use stun_types::attribute::XorMappedAddress;
use stun_types::message::BINDING;
use tokio::net::UdpSocket;
use turn_types::AddressFamily;
use turn_types::attribute::{AdditionalAddressFamily, RequestedAddressFamily};

use crate::http::exchange;
use crate::pair::Pair;
use crate::program::Program;
use crate::server::Server;
use crate::turn_client::{Heard, LOOPBACK, SECRET, TurnAccess, TurnClient};
use crate::within;

/// Two clients that relay through the same server reach each other: by channel and by Send, both ways.
pub(crate) async fn talk(alice: &mut TurnClient, bob: &mut TurnClient) {
    let (at_alice, at_bob) = (alice.allocate().await, bob.allocate().await);
    assert_eq!((alice.bind(0x4000, at_bob).await, bob.permit(at_alice).await), (0, 0));
    // Of a length that needs padding in a stream.
    alice.send_on(0x4000, b"hello").await;
    assert_eq!(bob.hear().await, Heard::Data(at_alice, b"hello".to_vec()));
    bob.send(at_alice, b"hello yourself").await;
    assert_eq!(alice.hear().await, Heard::Channel(0x4000, b"hello yourself".to_vec()));
    assert_eq!(bob.bind(0x7fff, at_alice).await, 0);
    let long = vec![7; 1201];
    bob.send_on(0x7fff, &long).await;
    assert_eq!(alice.hear().await, Heard::Channel(0x4000, long.clone()));
    alice.send(at_bob, &long).await;
    assert_eq!(bob.hear().await, Heard::Channel(0x7fff, long));
    assert_eq!((alice.refresh(0).await, bob.refresh(0).await), (0, 0));
}

#[tokio::test]
async fn stun_tells_a_client_its_address() {
    let server = Server::start_turn(&[]);
    let mut client = server.turn_access().await.client().await;
    let reply = client.ask_plain(BINDING, &[]).await;
    // Transactions count from one.
    let mapped = reply.attribute::<XorMappedAddress>().expect("an address").addr(1.into());
    assert_eq!((mapped, server.relays.count(TurnCount::Bindings)), (client.local(), 1));
}

#[tokio::test]
async fn two_clients_meet_over_udp() {
    let server = Server::start_turn(&[LOOPBACK]);
    let access = server.turn_access().await;
    talk(&mut access.client().await, &mut access.client().await).await;
    assert_eq!((server.relays.allocations(), server.relays.count(TurnCount::Allocations)), (0, 2));
    assert_eq!(server.relays.count(TurnCount::PacketsToPeers), 4);
    let counted = async {
        // A packet is counted once it has been sent, so that it may have been heard before.
        while server.relays.count(TurnCount::PacketsToClients) != 4 {
            access.client().await.fence().await;
        }
    };
    within("the four packets to be counted", counted).await;
}

#[tokio::test]
async fn two_clients_meet_over_tcp_on_the_port_of_turn() {
    let server = Server::start_turn(&[LOOPBACK]);
    let access = server.turn_access().await;
    talk(&mut access.tcp_client().await, &mut access.tcp_client().await).await;
}

#[tokio::test]
async fn one_port_is_enough_for_the_page_and_for_turn_over_tcp_and_tls() {
    let server = Server::start_turn(&[LOOPBACK]);
    let access = server.turn_access().await;
    let mut plain = access.stream_client(server.tcp().await);
    let mut tls = access.stream_client(server.tls().await);
    talk(&mut plain, &mut tls).await;
    talk(&mut tls, &mut access.client().await).await;
    server.connect().await.fence().await;
}

#[tokio::test]
async fn turn_over_tls_has_a_port_of_its_own_where_asked_for() {
    let server = Server::start_turn_changed(&[LOOPBACK], |config| config.ice.turn_tls_port = Some(0));
    let ice = server.ice().await;
    let urls = ice["iceServers"][1]["urls"].as_array().expect("URLs").clone();
    let last = urls.last().and_then(Value::as_str).expect("a URL");
    let address = last.trim_start_matches("turns:").trim_end_matches("?transport=tcp").parse().expect("an address");
    assert_ne!(address, server.address);
    let site = crate::server::Site { address, ..(*server).clone() };
    let access = server.turn_access().await;
    talk(&mut access.stream_client(site.tls().await), &mut access.client().await).await;
}

#[tokio::test]
async fn clients_meet_over_ipv6() {
    // Some machines have none.
    if std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return;
    }
    let server = Server::start_turn_changed(&[LOOPBACK], |config| config.listen = (Ipv6Addr::LOCALHOST, 0).into());
    let access = server.turn_access().await;
    let (mut alice, mut bob) = (access.client().await, access.client().await);
    let v6 = RequestedAddressFamily::new(AddressFamily::IPV6);
    let (at_alice, at_bob) = (alice.try_allocate(&[&v6]).await.relayed(), bob.try_allocate(&[&v6]).await.relayed());
    assert!(at_alice.is_ipv6() && at_bob.is_ipv6());
    assert_eq!((alice.bind(0x4000, at_bob).await, bob.permit(at_alice).await), (0, 0));
    alice.send_on(0x4000, b"hello").await;
    assert_eq!(bob.hear().await, Heard::Data(at_alice, b"hello".to_vec()));
    assert_eq!(alice.permit("127.0.0.1:1000".parse().expect("an address")).await, 443);
    assert_eq!((alice.refresh(0).await, bob.refresh(0).await), (0, 0));
}

#[tokio::test]
async fn two_clients_meet_at_the_hosts_own_address_with_nothing_allowed() {
    let lan = if_addrs::get_if_addrs().expect("interfaces");
    let lan = lan.iter().map(if_addrs::Interface::ip).find(|ip| ip.is_ipv4() && !ip.is_loopback());
    // A machine without a network has no such address.
    let Some(lan) = lan else { return };
    let server = Server::start_turn_changed(&[], |config| config.listen = (lan, 0).into());
    let access = server.turn_access().await;
    talk(&mut access.client().await, &mut access.client().await).await;
}

#[tokio::test]
async fn a_peer_is_heard_once_it_has_a_permission_and_not_before() {
    let server = Server::start_turn(&[LOOPBACK]);
    let mut client = server.turn_access().await.client().await;
    let peer = UdpSocket::bind("127.0.0.1:0").await.expect("a port is free");
    let stranger = UdpSocket::bind("127.0.0.2:0").await.expect("a port is free");
    let at_peer = peer.local_addr().expect("it is bound");
    let relayed = client.allocate().await;
    client.send(at_peer, b"early").await;
    assert_eq!(client.permit(at_peer).await, 0);
    stranger.send_to(b"never", relayed).await.expect("it is on this machine");
    client.send(at_peer, b"now").await;
    let mut buffer = [0; 100];
    let (length, from) = within("a datagram", peer.recv_from(&mut buffer)).await.expect("one");
    assert_eq!((&buffer[..length], from), (&b"now"[..], relayed), "the early one was dropped");
    peer.send_to(b"and back", relayed).await.expect("it is on this machine");
    assert_eq!(client.hear().await, Heard::Data(at_peer, b"and back".to_vec()), "the stranger was not heard");
    assert_eq!(client.refresh(0).await, 0);
}

/// The URLs of the embedded server.
fn expected(access: &TurnAccess, host: &str, page_port: u16) -> (Value, Value) {
    let (udp, tcp) = (access.udp.port(), access.tcp.port());
    let stun = json!({ "urls": [format!("stun:{host}:{udp}")] });
    let turn = json!([
        format!("turn:{host}:{udp}?transport=udp"),
        format!("turn:{host}:{tcp}?transport=tcp"),
        format!("turns:{host}:{page_port}?transport=tcp"),
    ]);
    (stun, turn)
}

fn assert_lists(ice_servers: &Value, expected: &(Value, Value)) -> Credential {
    let servers = ice_servers.as_array().expect("a list");
    assert_eq!((servers.len(), &servers[0], &servers[1]["urls"]), (2, &expected.0, &expected.1));
    assert_eq!(servers[1].as_object().expect("an object").len(), 3);
    let text = |name: &str| servers[1][name].as_str().expect("text").to_owned();
    let credential = Credential { username: text("username"), password: text("credential") };
    assert!(credential.password == TurnSecret::new(SECRET).password(&credential.username), "it verifies");
    let (expiry, _) = credential.username.split_once(':').expect("an expiry");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let left = expiry.parse::<u64>().expect("seconds") - now;
    assert!((3500..=3600).contains(&left), "{left}");
    credential
}

#[tokio::test]
async fn the_welcome_offers_the_embedded_server_with_credentials_that_work() {
    let server = Server::start_turn(&[]);
    let mut client = server.connect().await;
    let mut access = server.turn_access().await;
    let expected = expected(&access, &server.address.ip().to_string(), server.address.port());
    let welcome: Value = serde_json::from_str(&client.welcome).expect("JSON");
    let fresh: Value = serde_json::from_str(&client.ask(r#"{"type":"ice-servers"}"#).await).expect("JSON");
    for message in [welcome, fresh] {
        access.credential = assert_lists(&message["iceServers"], &expected);
        assert!(access.credential.username.ends_with(&format!(":{}", client.id)), "it is for this peer");
        let mut turn = access.client().await;
        turn.allocate().await;
        assert_eq!(turn.refresh(0).await, 0);
    }
}

#[tokio::test]
async fn ice_is_told_to_applications_with_their_own_signaling_and_never_stored() {
    let server = Server::start_turn(&[]);
    let access = server.turn_access().await;
    let answer = server.get("/ice").await;
    assert_eq!((answer.status, answer.header("cache-control")), (200, "no-store"));
    assert_eq!(answer.header("content-type"), "application/json");
    let ice: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(ice.as_object().expect("an object").len(), 1);
    let expected = expected(&access, &server.address.ip().to_string(), server.address.port());
    let credential = assert_lists(&ice["iceServers"], &expected);
    assert_ne!(credential.username, access.credential.username, "each client gets its own");
    let mut turn = TurnAccess { credential, ..access }.client().await;
    turn.allocate().await;
    assert_eq!(turn.refresh(0).await, 0);
}

#[tokio::test]
async fn the_embedded_server_is_listed_under_the_name_that_the_client_used() {
    let server = Server::start_turn(&[]);
    let access = server.turn_access().await;
    for (said, host, port) in [
        ("call.example", "call.example", 443),
        ("call.example:8443", "call.example", 8443),
        ("[::1]:444", "[::1]", 444),
    ] {
        let request = format!("GET /ice HTTP/1.1\r\nHost: {said}\r\n\r\n");
        let answer = exchange(&mut server.tls().await, &request).await;
        let ice: Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_lists(&ice["iceServers"], &expected(&access, host, port));
    }
    for said in ["a@evil.example", "evil.example/x", "\"", ""] {
        let request = format!("GET /ice HTTP/1.1\r\nHost: {said}\r\n\r\n");
        let answer = exchange(&mut server.tls().await, &request).await;
        let body = String::from_utf8_lossy(&answer.body);
        assert!(answer.status == 400 || body == r#"{"iceServers":[]}"#, "{said}: {} {body}", answer.status);
    }
}

#[tokio::test]
async fn a_public_host_is_listed_whatever_the_client_used() {
    let server = Server::start_turn(&["--public-host=relay.example:4443"]);
    let mut client = server.connect().await;
    client.fence().await;
    let ice = server.ice().await["iceServers"].clone();
    let text = ice.to_string();
    assert!(text.contains("\"turns:relay.example:4443?transport=tcp\"") && !text.contains("127."), "{text}");
}

#[tokio::test]
async fn ice_is_under_the_same_admission_checks_as_signaling() {
    let server = Server::start_turn(&["--max-connections-per-address=1"]);
    let answer = server.request("GET", "/ice", &["Origin: https://evil.example"]).await;
    assert_eq!((answer.status, &*answer.code()), (403, "origin-not-allowed"));
    let own = format!("Origin: https://{}", server.address);
    let answer = server.request("GET", "/ice", &[&own]).await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, &own["Origin: ".len()..]));
    let mut client = server.connect().await;
    client.fence().await;
    let answer = server.get("/ice").await;
    assert_eq!((answer.status, &*answer.code()), (429, "too-many-connections"));
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn without_turn_there_is_stun_alone() {
    let server = Server::start_changed(Pair::new(), &[], |config| config.ice.stun_port = Some(0));
    let ice = server.ice().await["iceServers"].clone();
    let url = ice[0]["urls"][0].as_str().expect("a URL").to_owned();
    assert_eq!(ice, json!([{ "urls": [url] }]));
    let udp: SocketAddr = url.trim_start_matches("stun:").parse().expect("an address");
    let credential = Credential { username: "1:x".into(), password: "x".into() };
    let mut client = TurnAccess { udp, tcp: udp, credential }.client().await;
    client.nonce = "x".into();
    let request = client.signed(turn_types::message::ALLOCATE, &[&crate::turn_client::udp()]);
    client.put(&request).await;
    // Nothing came before this answer, which `hand_in` would have taken for its own.
    client.fence().await;
    assert_eq!(server.relays.count(TurnCount::Unauthorized), 0);
}

#[tokio::test]
async fn a_stun_port_that_is_taken_is_said_and_the_rest_runs() {
    let taken = UdpSocket::bind("127.0.0.1:0").await.expect("a port is free");
    let port = taken.local_addr().expect("it is bound").port();
    let program = Program::start(&[&format!("--stun-port={port}")]).await;
    assert_eq!(program.get("/").await.status, 200);
    program.connect().await.fence().await;
    assert_eq!(program.ice().await, json!({ "iceServers": [] }), "what isn't there is not listed");
    let log = program.log();
    let warnings: Vec<_> = log.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warnings.len(), 1, "{log}");
    assert!(warnings[0].contains(&format!("--stun-port {port}")) && warnings[0].contains("in use"), "{log}");
}

#[tokio::test]
async fn a_drain_lets_relays_live_on_and_refuses_new_ones() {
    let mut server = Server::start_turn(&[LOOPBACK, "--drain-timeout=15"]);
    let access = server.turn_access().await;
    let (mut udp, mut tcp) = (access.client().await, access.tcp_client().await);
    let (at_udp, at_tcp) = (udp.allocate().await, tcp.allocate().await);
    assert_eq!((udp.bind(0x4000, at_tcp).await, tcp.bind(0x4000, at_udp).await), (0, 0));
    server.stop();
    let refused = async {
        loop {
            let mut late = access.client().await;
            match late.try_allocate(&[]).await.code {
                0 => assert_eq!(late.refresh(0).await, 0, "the server did not know yet"),
                code => return code,
            }
        }
    };
    assert_eq!(within("a new relay to be refused", refused).await, 508);
    udp.send_on(0x4000, b"still").await;
    assert_eq!(tcp.hear().await, Heard::Channel(0x4000, b"still".to_vec()));
    tcp.send_on(0x4000, b"here").await;
    assert_eq!(udp.hear().await, Heard::Channel(0x4000, b"here".to_vec()));
    assert_eq!((udp.refresh(600).await, tcp.refresh(0).await, udp.refresh(0).await), (0, 0, 0));
    assert_eq!(server.drained().await, Drained::Clean);
}

#[tokio::test]
async fn a_relay_cannot_delay_exit_past_the_deadline() {
    let server = Server::start_turn(&["--drain-timeout=1"]);
    let relays = server.relays.clone();
    let access = server.turn_access().await;
    let (mut udp, mut tcp) = (access.client().await, access.tcp_client().await);
    udp.allocate().await;
    tcp.allocate().await;
    assert!(matches!(server.drained().await, Drained::Left(_)));
    assert_eq!(relays.allocations(), 0, "they went with their tasks");
}

#[tokio::test]
async fn an_idle_server_with_turn_exits_at_once() {
    let server = Server::start_turn(&["--drain-timeout=60", "--handshake-timeout=60"]);
    let access = server.turn_access().await;
    let mut idle = access.tcp_client().await;
    idle.fence().await;
    access.client().await.fence().await;
    assert_eq!(server.drained().await, Drained::Clean);
}

#[tokio::test]
async fn a_relay_is_gone_when_its_connection_is() {
    let server = Server::start_turn(&[]);
    let access = server.turn_access().await;
    let mut client = access.stream_client(server.tls().await);
    client.allocate().await;
    assert_eq!(server.relays.allocations(), 1);
    drop(client);
    let gone = async {
        while server.relays.allocations() > 0 {
            access.client().await.fence().await;
        }
    };
    within("the relay to be gone", gone).await;
}

#[tokio::test]
async fn two_clients_of_a_server_behind_a_nat_meet_inside_it_by_its_external_address() {
    for flag in ["--turn-external-ip=9.9.9.9", "--turn-external-ip=9.9.9.9/127.0.0.9", "--turn-relay-address=127.0.0.8"]
    {
        let server = Server::start_turn_changed(&[flag, LOOPBACK], |config| {
            // A bridge that is lower in order than the interface that leads out.
            config.ice.interfaces = host(&["127.0.0.1", "127.0.0.2", "127.0.0.9"], &["127.0.0.9"]);
        });
        let access = server.turn_access().await;
        talk(&mut access.client().await, &mut access.client().await).await;
        talk(&mut access.tcp_client().await, &mut access.client().await).await;
    }
}

#[tokio::test]
async fn a_relay_behind_a_nat_is_on_the_address_that_leads_out() {
    let server = Server::start_turn_changed(&["--turn-external-ip=9.9.9.9", LOOPBACK], |config| {
        config.ice.interfaces = host(&["127.0.0.1", "127.0.0.2", "127.0.0.9"], &["127.0.0.9"]);
    });
    let mut client = server.turn_access().await.client().await;
    let peer = UdpSocket::bind("127.0.0.1:0").await.expect("a port is free");
    let at_peer = peer.local_addr().expect("it is bound");
    let relayed = client.allocate().await;
    assert_eq!((relayed.ip(), client.permit(at_peer).await), ([9, 9, 9, 9].into(), 0));
    client.send(at_peer, b"hello").await;
    let mut buffer = [0; 100];
    let (length, from) = within("a datagram", peer.recv_from(&mut buffer)).await.expect("one");
    assert_eq!((&buffer[..length], from), (&b"hello"[..], ([127, 0, 0, 9], relayed.port()).into()));
    peer.send_to(b"and back", from).await.expect("it is on this machine");
    assert_eq!(client.hear().await, Heard::Data(at_peer, b"and back".to_vec()));
    assert_eq!(client.refresh(0).await, 0);
}

#[tokio::test]
async fn a_client_that_asks_for_both_families_has_a_relay_of_each() {
    // Some machines have no IPv6.
    if std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return;
    }
    let server = Server::start_turn_changed(&[LOOPBACK], |config| {
        config.ice.interfaces = host(&["127.0.0.1", "::1"], &["::1"]);
    });
    let access = server.turn_access().await;
    for over_tcp in [false, true] {
        let mut client = if over_tcp { access.tcp_client().await } else { access.client().await };
        let reply = client.try_allocate(&[&AdditionalAddressFamily::new(AddressFamily::IPV6)]).await;
        let relayed = reply.all_relayed();
        assert!(relayed.len() == 2 && relayed[0].is_ipv4() && relayed[1].is_ipv6(), "{relayed:?}");
        assert_eq!(server.relays.allocations(), 2);
        for (ip, relayed) in ["127.0.0.1", "::1"].into_iter().zip(relayed) {
            let peer = UdpSocket::bind((ip, 0)).await.expect("a port is free");
            let at_peer = peer.local_addr().expect("it is bound");
            assert_eq!(client.permit(at_peer).await, 0);
            client.send(at_peer, b"hello").await;
            let mut buffer = [0; 100];
            let (length, from) = within("a datagram", peer.recv_from(&mut buffer)).await.expect("one");
            assert_eq!((&buffer[..length], from), (&b"hello"[..], relayed));
            peer.send_to(b"and back", relayed).await.expect("it is on this machine");
            assert_eq!(client.hear().await, Heard::Data(at_peer, b"and back".to_vec()));
        }
        assert_eq!((client.refresh(0).await, server.relays.allocations()), (0, 0));
    }
}

#[tokio::test]
async fn a_relay_on_a_host_with_private_addresses_alone_is_warned_of_at_the_start() {
    for (flag, count) in [("--turn-allow-peer=127.0.0.0/8", 1), ("--turn-external-ip=9.9.9.9", 0)] {
        let server = Server::start_turn_changed(&[flag], |config| {
            config.ice.interfaces = host(&["127.0.0.1", "10.0.0.5"], &["10.0.0.5"]);
        });
        let warned = server.logged("WARN").into_iter().filter(|line| line.contains("give --turn-external-ip"));
        assert_eq!(warned.count(), count, "{flag}");
    }
}

#[tokio::test]
async fn on_a_host_without_ipv4_a_browser_gets_an_ipv6_relay() {
    // Some machines have no IPv6.
    if std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return;
    }
    let server = Server::start_turn_changed(&["--turn-allow-peer=::1"], |config| {
        config.listen = (Ipv6Addr::LOCALHOST, 0).into();
        config.ice.interfaces = host(&["127.0.0.1", "::1"], &["::1"]);
    });
    let access = server.turn_access().await;
    // As browsers do: without a family.
    talk(&mut access.client().await, &mut access.tcp_client().await).await;
    let mut client = access.client().await;
    assert!(client.allocate().await.is_ipv6());
    assert_eq!(client.refresh(0).await, 0);
}

/// A host with these addresses, of which these lead out.
fn host(addresses: &[&str], outward: &[&str]) -> Interfaces {
    let parse = |texts: &[&str]| texts.iter().map(|text| text.parse().expect("an address")).collect();
    let host = Host::new(parse(addresses), parse(outward));
    Interfaces::new(move || Ok(host.clone()))
}

#[tokio::test]
async fn a_relay_is_where_others_can_reach_it_and_told_by_the_external_address() {
    let external: IpAddr = [9, 9, 9, 9].into();
    let server = Server::start_turn(&["--turn-external-ip=9.9.9.9", "--turn-relay-ports=50000-50999"]);
    let mut client = server.turn_access().await.client().await;
    let relayed = client.allocate().await;
    assert!(relayed.ip() == external && (50000..=50999).contains(&relayed.port()), "{relayed}");
    assert_eq!(client.permit(SocketAddr::new(external, 50001)).await, 0, "another relay of ours");
    assert_eq!(client.bind(0x4000, SocketAddr::new(external, 22)).await, 403);
    assert_eq!(client.refresh(0).await, 0);
}
