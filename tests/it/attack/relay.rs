//! Attacks on STUN and TURN.

use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use entremise::ice::credential::{Credential, TurnSecret};
use entremise::turn::TurnCount;
use stun_types::message::{BINDING, MessageClass, MessageWrite as _};
use tokio::net::UdpSocket;
use turn_types::AddressFamily;
use turn_types::attribute::RequestedAddressFamily;
use turn_types::message::ALLOCATE;

use crate::server::{Server, Site};
use crate::turn_client::{Heard, LOOPBACK, SECRET, TurnAccess, TurnClient, udp};
use crate::within;

/// What the page's server gives to a peer of this name at different times.
fn credentials(name: &str) -> impl Iterator<Item = Credential> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    (now + 3600..).map(move |expiry| Credential::mint(&TurnSecret::new(SECRET), name, expiry))
}

#[tokio::test]
async fn a_peer_has_no_more_relays_for_asking_for_fresh_credentials() {
    let server = Server::start_turn(&["--turn-allocations-per-user=3"]);
    let access = server.turn_access().await;
    let (mut clients, mut codes) = (Vec::new(), Vec::new());
    for (number, credential) in (1..=5).zip(credentials("alice")) {
        // Of another address each, so that it is not the address that is bounded.
        let mut client = TurnAccess { credential, ..access.clone() }.client_from([127, 0, 1, number].into()).await;
        codes.push(client.try_allocate(&[]).await.code);
        clients.push(client);
    }
    assert_eq!(codes, [0, 0, 0, 486, 486]);
    let bob = credentials("bob").next().expect("one");
    let mut bob = TurnAccess { credential: bob, ..access }.client().await;
    bob.allocate().await;
    for client in clients[..3].iter_mut().chain([&mut bob]) {
        assert_eq!(client.refresh(0).await, 0);
    }
}

#[tokio::test]
async fn refusals_are_counted_for_an_address_whichever_socket_they_leave_by() {
    const CLIENTS: usize = 32;
    let server = Server::start_turn(&["--turn-refusals-per-second=10"]);
    let access = server.turn_access().await;
    let begin = Instant::now();
    let mut answers = 0;
    // The system spreads clients over the sockets of a port by their ports.
    for _ in 0..CLIENTS {
        let mut flood = access.client_from([127, 0, 0, 68].into()).await;
        let request = flood.plain(MessageClass::Request, ALLOCATE, &[&udp()]).finish();
        for _ in 0..20 {
            flood.put(&request).await;
        }
        answers += flood.fence_after_errors().await;
    }
    // A second's worth at the beginning, and then as many as time allows.
    let most = 10 + begin.elapsed().as_millis() / 100 + 1;
    assert!((1..=most).contains(&answers), "{answers} of at most {most}");
    assert_eq!(server.relays.count(TurnCount::Unauthorized), 20 * CLIENTS as u64);
}

#[tokio::test]
async fn a_stun_message_with_bytes_behind_it_is_not_answered() {
    let server = Server::start_turn(&[]);
    let mut client = server.turn_access().await.client_from(IpAddr::from([127, 0, 0, 1])).await;
    let binding = client.plain(MessageClass::Request, BINDING, &[]).finish();
    for more in [1, 2, 4, 8, 1000] {
        client.put(&[&binding[..], &vec![0; more]].concat()).await;
    }
    // A response, if there were one, would be taken for the answer to this.
    client.fence().await;
    assert_eq!(server.relays.count(TurnCount::Bindings), 1);
    assert_eq!(server.relays.count(TurnCount::Dropped), 5);
}

#[tokio::test]
async fn the_longest_datagram_of_a_peer_leaves_a_stream_in_step() {
    // Some machines have no IPv6.
    if std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return;
    }
    let server = Server::start_turn_changed(&[LOOPBACK], |config| config.listen = (Ipv6Addr::LOCALHOST, 0).into());
    let mut client = server.turn_access().await.tcp_client().await;
    let v6 = RequestedAddressFamily::new(AddressFamily::IPV6);
    let relayed = client.try_allocate(&[&v6]).await.relayed();
    let peer = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).await.expect("a port is free");
    let at_peer = peer.local_addr().expect("it is bound");
    assert_eq!(client.permit(at_peer).await, 0);
    // With its header and the peer's address it is more than 16 bits can say.
    for length in [65_520, 65_527] {
        peer.send_to(&vec![7; length], relayed).await.expect("it is on this machine");
    }
    peer.send_to(b"next", relayed).await.expect("it is on this machine");
    assert_eq!(client.hear().await, Heard::Data(at_peer, b"next".to_vec()));
    assert_eq!(server.relays.count(TurnCount::Dropped), 2);
    assert_eq!(client.refresh(0).await, 0);
}

#[tokio::test]
async fn bindings_of_one_source_are_limited_and_others_are_answered() {
    const CLIENTS: u64 = 16;
    let server = Server::start_turn(&["--stun-bindings-per-second=10"]);
    let access = server.turn_access().await;
    let begin = Instant::now();
    for _ in 0..CLIENTS {
        let mut flood = access.client_from([127, 0, 0, 69].into()).await;
        let binding = flood.plain(MessageClass::Request, BINDING, &[]).finish();
        for _ in 0..20 {
            flood.put(&binding).await;
        }
        // Answered after all of them.
        flood.introduce().await;
    }
    let answered = server.relays.count(TurnCount::Bindings) - server.relays.count(TurnCount::Unanswered);
    // A second's worth at the beginning, and then as many as time allows.
    let most = 10 + begin.elapsed().as_millis() / 100 + 1;
    assert!((1..=most).contains(&u128::from(answered)), "{answered} of at most {most}");
    access.client_from([127, 0, 0, 70].into()).await.fence().await;
    assert_eq!(server.relays.count(TurnCount::Bindings), 20 * CLIENTS + 1);
}

#[tokio::test]
async fn where_stun_is_not_open_strangers_get_no_answer_and_turn_over_udp_goes_on() {
    let server = Server::start_turn(&["--stun-open=false", LOOPBACK]);
    let access = server.turn_access().await;
    let ice = server.ice().await.to_string();
    assert!(!ice.contains("\"stun:") && ice.contains("\"turn:"), "{ice}");
    let mut client = access.client().await;
    let binding = client.plain(MessageClass::Request, BINDING, &[]).finish();
    client.put(&binding).await;
    client.allocate().await;
    assert_eq!(server.relays.count(TurnCount::Bindings), 0);
    client.fence().await;
    assert_eq!(client.refresh(0).await, 0);
    assert_eq!(client.ask(BINDING, &[]).await.code, 0, "signed");
}

/// A client over TCP, from this address.
async fn stream_from(server: &Server, access: &TurnAccess, address: [u8; 4]) -> TurnClient {
    let site = Site { address: access.tcp, ..(**server).clone() };
    access.stream_client(site.tcp_from(address).await)
}

#[tokio::test]
async fn answers_to_strangers_over_streams_have_the_rate_of_their_address_and_none_is_lost() {
    const ADDRESS: [u8; 4] = [127, 0, 0, 71];
    const OTHER: [u8; 4] = [127, 0, 0, 72];
    let server = Server::start_turn(&["--turn-refusals-per-second=10", "--stun-bindings-per-second=10"]);
    let access = server.turn_access().await;
    for (method, code) in [(ALLOCATE, 401), (BINDING, 0)] {
        let mut tcp = stream_from(&server, &access, ADDRESS).await;
        let mut tls = access.stream_client(server.tls_from(ADDRESS).await);
        let begin = Instant::now();
        for client in [&mut tcp, &mut tls] {
            let request = client.plain(MessageClass::Request, method, &[]).finish();
            client.put(&request.repeat(9)).await;
            assert_eq!(client.ask_plain(method, &[]).await.code, code, "the last of ten");
        }
        // A second's worth at the beginning, and as many again.
        assert!(begin.elapsed() > Duration::from_millis(900), "{method} in {:?}", begin.elapsed());
        let mut other = stream_from(&server, &access, OTHER).await;
        assert_eq!(other.ask_plain(method, &[]).await.code, code);
    }
    assert_eq!(server.relays.count(TurnCount::Unanswered), 0);
    assert_eq!(server.relays.count(TurnCount::Unauthorized), 21);
    assert_eq!(server.relays.count(TurnCount::Bindings), 21);
}

#[tokio::test]
async fn who_shares_the_address_of_a_flood_over_streams_gets_a_relay_late() {
    const ADDRESS: [u8; 4] = [127, 0, 0, 73];
    const REQUESTS: usize = 200;
    let server = Server::start_turn(&["--turn-refusals-per-second=20"]);
    let access = server.turn_access().await;
    let mut floods = Vec::new();
    for _ in 0..4 {
        let mut flood = stream_from(&server, &access, ADDRESS).await;
        let request = flood.plain(MessageClass::Request, ALLOCATE, &[&udp()]).finish();
        flood.put(&request.repeat(REQUESTS)).await;
        floods.push(flood);
    }
    let mut client = stream_from(&server, &access, ADDRESS).await;
    client.allocate().await;
    let refused = server.relays.count(TurnCount::Unauthorized);
    assert!(refused < (REQUESTS * floods.len()) as u64, "{refused}: the flood has not been worked off");
    assert_eq!(client.refresh(0).await, 0);
}

#[tokio::test]
async fn streams_without_an_allocation_are_counted_whatever_was_answered() {
    const ADDRESS: [u8; 4] = [127, 0, 0, 74];
    const OTHER: [u8; 4] = [127, 0, 0, 75];
    let server = Server::start_turn(&["--max-handshakes-per-address=3", "--handshake-timeout=60"]);
    let access = server.turn_access().await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = stream_from(&server, &access, ADDRESS).await;
        client.fence().await;
        clients.push(client);
    }
    stream_from(&server, &access, ADDRESS).await.ended().await;
    stream_from(&server, &access, OTHER).await.fence().await;
    // One that has an allocation is not one of them.
    let mut first = clients.swap_remove(0);
    first.allocate().await;
    first.fence().await;
    stream_from(&server, &access, ADDRESS).await.fence().await;
    assert_eq!(first.refresh(0).await, 0);
}

#[tokio::test]
async fn who_has_no_allocation_says_nothing_long_over_a_stream() {
    const MOST: u16 = 2048;
    let server = Server::start_turn(&["--handshake-timeout=60"]);
    let access = server.turn_access().await;
    let stun = |length: u16| [&[0, 3], &(length - 20).to_be_bytes()[..], &[0x21, 0x12, 0xa4, 0x42]].concat();
    let channel = |length: u16| [&[0x40, 0], &(length - 4).to_be_bytes()[..]].concat();
    for whole in [stun(MOST), channel(MOST)] {
        let mut client = access.tcp_client().await;
        client.fence().await;
        client.put(&[&whole[..], &vec![0; usize::from(MOST) - whole.len()]].concat()).await;
        client.fence().await;
    }
    for begun in [stun(MOST + 4), channel(MOST + 1), channel(u16::MAX)] {
        let mut client = access.tcp_client().await;
        client.fence().await;
        client.put(&begun).await;
        within("the end of its stream", client.ended()).await;
    }
    // With one it may: data for a peer is as long as a datagram.
    let mut client = access.tcp_client().await;
    client.allocate().await;
    client.put(&[&channel(u16::MAX)[..], &vec![0; 65535 - 4 + 1]].concat()).await;
    client.fence().await;
    assert_eq!(client.refresh(0).await, 0);
}
