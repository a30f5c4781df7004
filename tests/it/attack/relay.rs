//! Attacks on STUN and TURN.

use std::net::{IpAddr, Ipv6Addr};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use entremise::ice::credential::{Credential, TurnSecret};
use entremise::turn::TurnCount;
use stun_types::message::{BINDING, MessageClass, MessageWrite as _};
use tokio::net::UdpSocket;
use turn_types::AddressFamily;
use turn_types::attribute::RequestedAddressFamily;
use turn_types::message::ALLOCATE;

use crate::server::Server;
use crate::turn_client::{Heard, LOOPBACK, Offered, SECRET, udp};

/// What the page's server gives to a peer of this name at different times.
fn credentials(name: &str) -> impl Iterator<Item = Credential> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    (now + 3600..).map(move |expiry| Credential::mint(&TurnSecret::new(SECRET), name, expiry))
}

#[tokio::test]
async fn a_peer_has_no_more_relays_for_asking_for_fresh_credentials() {
    let server = Server::start_turn(&["--turn-allocations-per-user=3"]);
    let offered = server.offered().await;
    let (mut clients, mut codes) = (Vec::new(), Vec::new());
    for (number, credential) in (1..=5).zip(credentials("alice")) {
        // Of another address each, so that it is not the address that is bounded.
        let mut client = Offered { credential, ..offered.clone() }.client_from([127, 0, 1, number].into()).await;
        codes.push(client.try_allocate(&[]).await.code);
        clients.push(client);
    }
    assert_eq!(codes, [0, 0, 0, 486, 486]);
    let bob = credentials("bob").next().expect("one");
    let mut bob = Offered { credential: bob, ..offered }.client().await;
    bob.allocate().await;
    for client in clients[..3].iter_mut().chain([&mut bob]) {
        assert_eq!(client.refresh(0).await, 0);
    }
}

#[tokio::test]
async fn refusals_are_counted_for_an_address_whichever_socket_they_leave_by() {
    const CLIENTS: usize = 32;
    let server = Server::start_turn(&["--turn-refusals-per-second=10"]);
    let offered = server.offered().await;
    let begin = Instant::now();
    let mut answers = 0;
    // The system spreads clients over the sockets of a port by their ports.
    for _ in 0..CLIENTS {
        let mut flood = offered.client_from([127, 0, 0, 68].into()).await;
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
    let mut client = server.offered().await.client_from(IpAddr::from([127, 0, 0, 1])).await;
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
    let mut client = server.offered().await.tcp_client().await;
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
    let offered = server.offered().await;
    let begin = Instant::now();
    for _ in 0..CLIENTS {
        let mut flood = offered.client_from([127, 0, 0, 69].into()).await;
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
    offered.client_from([127, 0, 0, 70].into()).await.fence().await;
    assert_eq!(server.relays.count(TurnCount::Bindings), 20 * CLIENTS + 1);
}

#[tokio::test]
async fn where_stun_is_not_open_strangers_get_no_answer_and_turn_over_udp_goes_on() {
    let server = Server::start_turn(&["--stun-open=false", LOOPBACK]);
    let offered = server.offered().await;
    let ice = server.ice().await.to_string();
    assert!(!ice.contains("\"stun:") && ice.contains("\"turn:"), "{ice}");
    let mut client = offered.client().await;
    let binding = client.plain(MessageClass::Request, BINDING, &[]).finish();
    client.put(&binding).await;
    client.allocate().await;
    assert_eq!(server.relays.count(TurnCount::Bindings), 0);
    client.fence().await;
    assert_eq!(client.refresh(0).await, 0);
    assert_eq!(client.ask(BINDING, &[]).await.code, 0, "signed");
}
