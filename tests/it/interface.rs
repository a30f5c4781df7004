//! STUN and TURN on the addresses of this host: which are served and listed, as they come and go. The host is a made-up
//! one, of loopback addresses, but for the tests of the built program.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use entremise::config::Config;
use entremise::ice::credential::Credential;
use entremise::net::{Host, Interfaces};
use entremise::turn::TurnCount;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::http::exchange;
use crate::program::Program;
use crate::server::{Server, Site};
use crate::turn_client::{Heard, LOOPBACK, TurnAccess};
use crate::within;

/// A host whose addresses a test changes.
#[derive(Clone)]
struct Machine(Arc<Mutex<Option<Host>>>, Arc<AtomicUsize>);

impl Machine {
    fn new(addresses: &[&str]) -> Self {
        let machine = Self(Arc::default(), Arc::default());
        machine.become_of(addresses);
        machine
    }

    fn become_of(&self, addresses: &[&str]) {
        let parsed = addresses.iter().map(|text| ip(text)).collect();
        *self.0.lock().expect("no panic while it is held") = Some(Host::new(parsed, Vec::new()));
    }

    /// The system cannot say any more what addresses there are.
    fn become_unseen(&self) {
        *self.0.lock().expect("no panic while it is held") = None;
    }

    fn look(&self) -> io::Result<Host> {
        let host = self.0.lock().expect("no panic while it is held").clone();
        self.1.fetch_add(1, Ordering::Relaxed);
        host.ok_or_else(|| io::Error::other("no descriptor is left"))
    }

    /// Waits until it has been looked at twice more.
    async fn looked_at(&self) {
        let before = self.1.load(Ordering::Relaxed);
        let looked = async {
            while self.1.load(Ordering::Relaxed) < before + 2 {
                tokio::task::yield_now().await;
            }
        };
        within("two looks", looked).await;
    }

    /// A server on this host, that looks often.
    fn serve(&self, flags: &[&str], change: impl FnOnce(&mut Config)) -> Server {
        let this = self.clone();
        let flags: Vec<&str> = flags.iter().copied().chain([LOOPBACK]).collect();
        Server::start_turn_listening(&flags, |config| {
            config.listen = ([127, 0, 0, 1], 0).into();
            config.ice.listen = vec![ip("::")];
            config.ice.look_every = Duration::from_millis(50);
            config.ice.interfaces = Interfaces::new(move || this.look());
            change(config);
        })
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

/// An address of this process's own, so that its ports are free.
fn own(last: u8) -> String {
    let [.., high, low] = std::process::id().to_be_bytes();
    format!("127.{}.{low}.{last}", high | 0x40)
}

/// One that stays, where 127.0.0.1 would be: there, a port that is free for UDP need not be free for TCP.
fn base() -> String {
    own(12)
}

/// The server with these credentials at another address.
fn at(access: &TurnAccess, address: &str) -> TurnAccess {
    let (udp, tcp) = (access.udp.port(), access.tcp.port());
    let credential = access.credential.clone();
    TurnAccess { udp: SocketAddr::new(ip(address), udp), tcp: SocketAddr::new(ip(address), tcp), credential }
}

/// Waits until STUN is answered there.
async fn answered(access: &TurnAccess, address: &str) {
    let at = at(access, address);
    let answered = async {
        // A port that is not served refuses, or is silent.
        while timeout(Duration::from_millis(500), async { at.client().await.fence().await }).await.is_err() {}
    };
    within("STUN to be answered", answered).await;
}

/// Waits until nothing is served there over TCP.
async fn refused(access: &TurnAccess, address: &str) {
    let refused = async { while TcpStream::connect(at(access, address).tcp).await.is_ok() {} };
    within("TCP to be refused", refused).await;
}

async fn ice_for(site: &Site, host: &str, client: &str) -> Value {
    let request = format!("GET /ice HTTP/1.1\r\nHost: {host}\r\nX-Forwarded-For: {client}\r\n\r\n");
    let answer = exchange(&mut site.tcp().await, &request).await;
    serde_json::from_slice::<Value>(&answer.body).expect("JSON")["iceServers"].clone()
}

#[tokio::test]
async fn stun_and_turn_are_on_all_addresses_whatever_the_pages_is() {
    let (first, second) = (own(1), own(2));
    let server = Machine::new(&[&base(), &first, &second]).serve(&[], |_| {});
    let access = server.turn_access().await;
    for address in [&base(), &first, &second] {
        answered(&access, address).await;
        at(&access, address).tcp_client().await.fence().await;
    }
    assert!(
        timeout(Duration::from_secs(5), TcpStream::connect((ip(&first), server.address.port())))
            .await
            .expect("at once")
            .is_err()
    );
}

#[tokio::test]
async fn two_clients_that_came_by_two_addresses_with_two_external_ones_meet() {
    let (first, second) = (own(3), own(4));
    let pairs = format!("--turn-external-ip=9.9.9.8/{first},9.9.9.9/{second}");
    let server = Machine::new(&[&base(), &first, &second]).serve(&[&pairs], |_| {});
    let access = server.turn_access().await;
    let (mut alice, mut bob) = (at(&access, &first).client().await, at(&access, &second).tcp_client().await);
    let (at_alice, at_bob) = (alice.allocate().await, bob.allocate().await);
    assert_eq!((at_alice.ip(), at_bob.ip()), (ip("9.9.9.8"), ip("9.9.9.9")));
    assert_eq!((alice.bind(0x4000, at_bob).await, bob.permit(at_alice).await), (0, 0));
    alice.send_on(0x4000, b"hello").await;
    assert_eq!(bob.hear().await, Heard::Data(at_alice, b"hello".to_vec()));
    bob.send(at_alice, b"yourself").await;
    assert_eq!(alice.hear().await, Heard::Channel(0x4000, b"yourself".to_vec()));
    assert_eq!((alice.refresh(0).await, bob.refresh(0).await), (0, 0));
}

#[tokio::test]
async fn what_listens_on_loopback_alone_is_not_listed_for_the_world_and_the_start_says_so() {
    let flags = ["--plain-http", "--trusted-proxy=127.0.0.1", "--turn", "--stun-port=0"];
    let server = Server::start_plain(&flags, |config| {
        (config.ice.stun_port, config.ice.listen) = (Some(0), vec![ip(&own(13))]);
    });
    assert_eq!(ice_for(&server, "calls.example", "8.8.8.8").await, json!([]));
    assert_eq!(ice_for(&server, "localhost", "127.0.0.1").await.as_array().expect("a list").len(), 2);
    let said = format!("on {}, which this machine alone can reach", own(13));
    assert!(server.relaying.contains(&said), "{}", server.relaying);
}

#[tokio::test]
async fn behind_a_proxy_on_this_machine_what_others_reach_directly_is_listed() {
    let flags = ["--plain-http", "--trusted-proxy=127.0.0.1", "--turn"];
    let server = Server::start_plain(&flags, |config| {
        config.ice.stun_port = Some(0);
        // Not really: but it is bound, and no loopback address.
        config.ice.interfaces = Interfaces::new(|| Ok(Host::new(vec![ip("0.0.0.0")], Vec::new())));
    });
    let list = ice_for(&server, "calls.example", "8.8.8.8").await.to_string();
    assert!(list.contains("turn:calls.example:") && !list.contains("turns:"), "{list}");
}

#[tokio::test]
async fn an_address_that_cannot_be_had_is_named_and_tried_again_while_the_others_serve() {
    let (free, taken) = (own(5), own(6));
    let other = UdpSocket::bind((ip(&taken), 0)).await.expect("a port is free");
    let port = other.local_addr().expect("it is bound").port();
    let machine = Machine::new(&[&base(), &free, &taken]);
    let server = machine.serve(&[], |config| config.ice.stun_port = Some(port));
    let access = server.turn_access().await;
    answered(&access, &free).await;
    let warnings = server.logged("tried again");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains(&format!("no UDP on {taken}: the port is in use")), "{warnings:?}");
    assert!(server.relaying.contains(&format!("missing: UDP {port} on {taken}")), "{}", server.relaying);
    drop(other);
    answered(&access, &taken).await;
    assert_eq!(server.logged("tried again").len(), 1, "it is said once");
    assert!(server.logged("INFO").iter().any(|line| line.contains(&format!("UDP on {taken} is served now"))));
}

#[tokio::test]
async fn an_address_that_comes_later_is_served_and_one_that_goes_is_let_go() {
    let (first, later) = (own(7), own(8));
    let machine = Machine::new(&[&base(), &first]);
    let server = machine.serve(&[], |_| {});
    let access = server.turn_access().await;
    refused(&access, &later).await;
    machine.become_of(&[&base(), &first, &later]);
    answered(&access, &later).await;
    at(&access, &later).tcp_client().await.fence().await;
    machine.become_of(&[&base(), &first]);
    refused(&access, &later).await;
    answered(&access, &first).await;
    machine.become_of(&[&base(), &first, &later]);
    answered(&access, &later).await;
}

#[tokio::test]
async fn a_relay_outlives_an_address_that_is_away_for_a_moment() {
    let (first, second, third) = (own(9), own(10), own(11));
    let machine = Machine::new(&[&base(), &first]);
    let server = machine.serve(&[], |_| {});
    let access = server.turn_access().await;
    let mut client = at(&access, &first).client().await;
    client.allocate().await;
    machine.become_of(&[&base(), &second]);
    // Served at a look at which the first was away.
    answered(&access, &second).await;
    machine.become_of(&[&base(), &first, &third]);
    answered(&access, &third).await;
    assert_eq!(client.refresh(600).await, 0);
    machine.become_of(&[&base()]);
    refused(&access, &first).await;
    assert_eq!(client.refresh(0).await, 0);
    let free = async { while UdpSocket::bind(at(&access, &first).udp).await.is_err() {} };
    within("the port to be given back with its last relay", free).await;
}

#[tokio::test]
async fn a_relay_reaches_no_service_of_an_address_that_came_later() {
    let machine = Machine::new(&[&base()]);
    let server = machine.serve(&[], |_| {});
    let mut client = at(&server.turn_access().await, &base()).client().await;
    client.allocate().await;
    let service: SocketAddr = "8.8.4.5:53".parse().expect("an address");
    assert_eq!(client.bind(0x4000, service).await, 0, "on the public internet");
    machine.become_of(&[&base(), "8.8.4.5"]);
    let refused = async { while client.bind(0x4000, service).await != 403 {} };
    within("the look", refused).await;
    let before = server.relays.count(TurnCount::Dropped);
    client.send_on(0x4000, b"attack").await;
    client.send(service, b"attack").await;
    client.fence().await;
    assert_eq!(server.relays.count(TurnCount::Dropped), before + 2, "the channel of before is none any more");
    assert_eq!(client.refresh(0).await, 0);
}

#[tokio::test]
async fn a_host_that_cannot_be_seen_has_what_it_had() {
    let machine = Machine::new(&[&base(), "8.8.4.5"]);
    let server = machine.serve(&[], |_| {});
    let access = server.turn_access().await;
    let mut client = at(&access, &base()).client().await;
    client.allocate().await;
    machine.become_unseen();
    machine.looked_at().await;
    assert_eq!(client.bind(0x4000, "8.8.4.5:53".parse().expect("an address")).await, 403, "its own all the same");
    answered(&access, &base()).await;
    at(&access, &base()).tcp_client().await.fence().await;
    assert_eq!(client.refresh(0).await, 0);
}

/// Flags for so many addresses of this process's own.
fn many(count: u8) -> String {
    let addresses: Vec<String> = (0..count).map(|last| own(50 + last)).collect();
    format!("--turn-listen={}", addresses.join(","))
}

#[tokio::test]
async fn two_hundred_addresses_cost_less_than_a_megabyte() {
    const MOST_BYTES: u64 = 1024 * 1024;
    let free = UdpSocket::bind((ip(&own(49)), 0)).await.expect("a port is free");
    let port = free.local_addr().expect("it is bound").port();
    let ((one_bytes, one_files), (bytes, files)) = (taken(port, 1).await, taken(port, 200).await);
    assert!(bytes < one_bytes + MOST_BYTES, "{one_bytes} bytes became {bytes}");
    assert!(files <= one_files + 2 * 199, "{one_files} files became {files}");
}

/// The memory and the files that a program takes which serves so many addresses.
async fn taken(port: u16, count: u8) -> (u64, usize) {
    let program = Program::start(&["--turn", &format!("--stun-port={port}"), &many(count)]).await;
    assert_eq!(program.get("/healthz").await.status, 200);
    assert!(!program.log().contains("tried again"), "{}", program.log());
    let (bytes, files) = (program.anonymous_bytes(), program.files());
    let last = SocketAddr::new(ip(&own(50 + count - 1)), port);
    let credential = Credential { username: "1:x".into(), password: "x".into() };
    TurnAccess { udp: last, tcp: last, credential }.client().await.fence().await;
    program.signal(Signal::TERM);
    program.ended().await;
    (bytes, files)
}
