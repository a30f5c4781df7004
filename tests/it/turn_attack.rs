//! Attacks on the embedded STUN/TURN server, each with its exact answer, and what they may cost it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use entremise::ice::credential::{Credential, TurnSecret};
use entremise::turn::TurnCount;
use stun_types::attribute::Nonce;
use stun_types::message::{BINDING, Message, MessageClass, MessageWrite as _};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use turn_types::AddressFamily;
use turn_types::attribute::{Lifetime, RequestedAddressFamily};
use turn_types::message::{ALLOCATE, REFRESH};

use crate::program::{Program, on_free_port};
use crate::server::Server;
use crate::turn_client::{Heard, LOOPBACK, SECRET, TurnAccess, udp};
use crate::{DEADLINE, within};

/// What a test may let a process grow by: allocators keep some of what they had.
const FLAT_BYTES: u64 = 4 * 1024 * 1024;

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

#[tokio::test]
async fn credentials_that_are_expired_foreign_or_forged_are_unauthorized() {
    let server = Server::start_turn(&[]);
    let access = server.turn_access().await;
    let secret = TurnSecret::new(SECRET);
    let good = access.credential.clone();
    let expired = Credential::mint(&secret, "alice", now() - 1);
    let foreign = Credential::mint(&TurnSecret::new(b"foreign"), "alice", now() + 3600);
    let prolonged = Credential { username: good.username.replacen('1', "2", 1), ..good.clone() };
    let unlimited = Credential { username: "alice".into(), password: secret.password("alice") };
    let empty = Credential { password: String::new(), ..good.clone() };
    for credential in [expired, foreign, prolonged, unlimited, empty] {
        for over_tcp in [false, true] {
            let access = TurnAccess { credential: credential.clone(), ..access.clone() };
            let mut client = if over_tcp { access.tcp_client().await } else { access.client().await };
            assert_eq!(client.try_allocate(&[]).await.code, 401, "{}", credential.username);
        }
    }
    assert_eq!(server.relays.count(TurnCount::Allocations), 0);
    let mut client = access.client().await;
    client.introduce().await;
    let mut changed = client.signed(ALLOCATE, &[&udp()]);
    let last = changed.len() - 1;
    changed[last] ^= 1;
    assert_eq!(client.hand_in(&changed).await.code, 401, "a bit of the integrity");
}

#[tokio::test]
async fn nonces_that_are_forged_or_anothers_are_stale_and_a_fresh_one_comes_with_the_answer() {
    let server = Server::start_turn(&[]);
    let access = server.turn_access().await;
    let (mut client, mut other) = (access.client().await, access.client().await);
    client.introduce().await;
    other.introduce().await;
    let good = client.nonce.clone();
    let later = format!("{:016x}{}", now() + 60, &good[16..]);
    for nonce in [other.nonce.clone(), later, good.to_uppercase(), format!("{good}0"), "0".into(), String::new()] {
        client.nonce.clone_from(&nonce);
        let reply = client.ask(ALLOCATE, &[&udp()]).await;
        assert_eq!(reply.code, 438, "{nonce}");
        client.nonce = reply.attribute::<Nonce>().expect("a nonce").nonce().to_owned();
    }
    assert_eq!(client.ask(ALLOCATE, &[&udp()]).await.code, 0);
    let mut elsewhere = access.client_from([127, 0, 0, 9].into()).await;
    elsewhere.nonce = good;
    assert_eq!(elsewhere.ask(ALLOCATE, &[&udp()]).await.code, 438, "from another address");
    assert_eq!(client.refresh(0).await, 0);
}

#[tokio::test]
async fn another_user_on_the_same_five_tuple_is_refused() {
    let server = Server::start_turn(&[LOOPBACK]);
    let access = server.turn_access().await;
    for over_tcp in [false, true] {
        let mut client = if over_tcp { access.tcp_client().await } else { access.client().await };
        client.allocate().await;
        let owner = std::mem::replace(&mut client.credential, credential_of("mallory"));
        assert_eq!(client.ask(ALLOCATE, &[&udp()]).await.code, 441);
        let peer = address("127.0.0.1:1000");
        assert_eq!(
            (client.permit(peer).await, client.bind(0x4000, peer).await, client.refresh(0).await),
            (441, 441, 441)
        );
        client.credential = owner;
        assert_eq!(client.refresh(0).await, 0, "the owner still has it");
    }
}

fn credential_of(name: &str) -> Credential {
    Credential::mint(&TurnSecret::new(SECRET), name, now() + 3600)
}

#[tokio::test]
async fn a_forbidden_peer_is_refused_in_every_disguise() {
    let server = Server::start_turn(&[]);
    let access = server.turn_access().await;
    let mut v4 = access.client().await;
    v4.allocate().await;
    for ip in [
        "127.0.0.1",
        "127.9.9.9",
        "10.0.0.1",
        "169.254.169.254",
        "192.168.1.1",
        "172.16.0.1",
        "100.64.0.1",
        "192.0.2.77",
        "224.0.0.1",
        "255.255.255.255",
        "0.0.0.0",
    ] {
        let peer = address(&format!("{ip}:50000"));
        assert_eq!((v4.permit(peer).await, v4.bind(0x4000, peer).await), (403, 403), "{ip}");
    }
    assert_eq!(v4.refresh(0).await, 0);
    if std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return;
    }
    let server = Server::start_turn_changed(&[], |config| config.listen = (Ipv6Addr::LOCALHOST, 0).into());
    let mut v6 = server.turn_access().await.client().await;
    assert_eq!(v6.try_allocate(&[&RequestedAddressFamily::new(AddressFamily::IPV6)]).await.code, 0);
    for ip in [
        "::1",
        "::",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::1",
        "2002:7f00:1::1",
        "2002:a00:1::",
        "2001:0:808:808::80ff:fffe",
        "2001:0:7f00:1::f7f7:f7f7",
        "fe80::1",
        "fc00::1",
        "ff02::1",
        "2001:db8::1",
    ] {
        let peer = address(&format!("[{ip}]:50000"));
        assert_eq!((v6.permit(peer).await, v6.bind(0x4000, peer).await), (403, 403), "{ip}");
    }
    assert_eq!(v6.refresh(0).await, 0);
}

#[tokio::test]
async fn a_permission_for_this_host_reaches_no_service_of_it() {
    let lan = if_addrs::get_if_addrs().expect("interfaces");
    let lan = lan.iter().map(if_addrs::Interface::ip).find(|ip| ip.is_ipv4() && !ip.is_loopback());
    // A machine without a network has no such address.
    let Some(lan) = lan else { return };
    // The system gives ports to others from 32768 on, so that these are no relays.
    let flags = ["--turn-relay-ports=20000-20100"];
    let server = Server::start_turn_changed(&flags, |config| config.listen = (lan, 0).into());
    let service = UdpSocket::bind((lan, 0)).await.expect("a port is free");
    let at_service = service.local_addr().expect("it is bound");
    let access = server.turn_access().await;
    let mut client = access.client().await;
    client.allocate().await;
    assert_eq!(client.permit(at_service).await, 0, "two relays of ours must be able to meet");
    assert_eq!(client.bind(0x4000, at_service).await, 403);
    client.send(at_service, b"attack").await;
    client.fence().await;
    let knock = UdpSocket::bind((lan, 0)).await.expect("a port is free");
    knock.send_to(b"fence", at_service).await.expect("it is on this machine");
    let mut buffer = [0; 100];
    let length = within("the fence", service.recv(&mut buffer)).await.expect("a datagram");
    assert_eq!(&buffer[..length], b"fence");
    assert_eq!(client.refresh(0).await, 0);
}

#[tokio::test]
async fn no_lifetime_is_longer_than_an_hour() {
    let server = Server::start_turn(&[]);
    let mut client = server.turn_access().await.client().await;
    assert_eq!(client.try_allocate(&[&Lifetime::new(u32::MAX)]).await.seconds(), 3600);
    for (asked, given) in [(u32::MAX, 3600), (1, 600), (1800, 1800), (0, 0)] {
        assert_eq!(client.ask(REFRESH, &[&Lifetime::new(asked)]).await.seconds(), given, "{asked}");
    }
    assert_eq!(server.relays.allocations(), 0);
}

/// Numbers without a pattern, the same in every run.
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        // Marsaglia's xorshift.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next().to_le_bytes()[3]).collect()
    }
}

#[tokio::test]
async fn noise_is_neither_answered_nor_logged_nor_remembered() {
    let (program, access) = program(&[LOOPBACK]).await;
    let before = program.log();
    let mut noise = Noise(88_172_645_463_325_252);
    let mut client = access.client().await;
    client.allocate().await;
    let whole = [
        client.signed(ALLOCATE, &[&udp()]),
        client.signed(REFRESH, &[&Lifetime::new(600)]),
        vec![0x40, 0, 0, 8, 1, 2, 3, 4, 5, 6, 7, 8],
    ];
    for round in 0..10_000 {
        let message = &whole[round % whole.len()];
        let bytes = match round % 4 {
            // Cut off.
            0 => message[..noise.next().to_le_bytes()[0] as usize % message.len()].to_vec(),
            // Of any bytes.
            1 => {
                let length = usize::from(noise.next().to_le_bytes()[0]);
                noise.bytes(length)
            }
            // With the beginning of a message.
            2 => {
                let length = usize::from(noise.next().to_le_bytes()[0]);
                [&message[..8], &noise.bytes(length)].concat()
            }
            // With a byte changed.
            _ => {
                let mut bytes = message.clone();
                let at = usize::try_from(noise.next() % bytes.len() as u64).expect("a length");
                bytes[at] ^= noise.next().to_le_bytes()[0] | 1;
                bytes
            }
        };
        client.put(&bytes).await;
        // So that nothing is lost for want of room in the socket.
        if round % 32 == 0 {
            client.fence().await;
        }
    }
    client.fence().await;
    assert_eq!(client.refresh(0).await, 0, "the relay has survived it");
    assert_eq!(program.log(), before);
}

#[tokio::test]
async fn a_stream_may_cut_messages_anywhere() {
    let server = Server::start_turn(&[LOOPBACK]);
    let access = server.turn_access().await;
    let peer = UdpSocket::bind("127.0.0.1:0").await.expect("a port is free");
    let at_peer = peer.local_addr().expect("it is bound");
    let mut client = access.tcp_client().await;
    client.allocate().await;
    assert_eq!(client.bind(0x4000, at_peer).await, 0);
    let binding = client.plain(MessageClass::Request, BINDING, &[]).finish();
    let three = [&[0x40, 0, 0, 5][..], b"hello\0\0\0", &binding, &[0x40, 0, 0, 4], b"done"].concat();
    let mut buffer = [0; 100];
    for cut in 0..=three.len() {
        client.put(&three[..cut]).await;
        client.put(&three[cut..]).await;
        for expected in [&b"hello"[..], b"done"] {
            let length = within("a datagram", peer.recv(&mut buffer)).await.expect("one");
            assert_eq!(&buffer[..length], expected, "{cut}");
        }
        client.fence().await;
    }
    for byte in &three {
        client.put(&[*byte]).await;
    }
    for expected in [&b"hello"[..], b"done"] {
        let length = within("a datagram", peer.recv(&mut buffer)).await.expect("one");
        assert_eq!(&buffer[..length], expected, "byte by byte");
    }
    assert_eq!(client.refresh(0).await, 0);
}

#[tokio::test]
async fn a_stream_that_ends_anywhere_leaves_nothing() {
    let server = Server::start_turn(&[]);
    let access = server.turn_access().await;
    let mut client = access.tcp_client().await;
    client.introduce().await;
    let request = client.signed(ALLOCATE, &[&udp()]);
    for cut in 1..request.len() {
        access.tcp_client().await.put(&request[..cut]).await;
    }
    client.fence().await;
    assert_eq!(client.hand_in(&request).await.code, 0);
    assert_eq!((client.refresh(0).await, server.relays.count(TurnCount::Allocations)), (0, 1));
}

#[tokio::test]
async fn a_stream_that_is_no_longer_stun_is_ended() {
    let server = Server::start_turn(&["--handshake-timeout=60"]);
    let access = server.turn_access().await;
    for broken in [&[0x80][..], &[0xff; 100], &[0, 1, 0, 3]] {
        let mut client = access.tcp_client().await;
        client.fence().await;
        client.put(broken).await;
        client.ended().await;
    }
}

#[tokio::test]
async fn the_longest_message_that_a_stream_can_bring_does_no_harm() {
    let server = Server::start_turn(&[]);
    let access = server.turn_access().await;
    let mut client = access.tcp_client().await;
    // Without an allocation it may say nothing of this length.
    client.allocate().await;
    let mut request = client.signed(ALLOCATE, &[]);
    let integrity = request.split_off(request.len() - 24);
    let room = 65532 - (request.len() - 20) - 24 - 4;
    request.extend([0xff, 0xf0]);
    request.extend(u16::try_from(room).expect("it fits").to_be_bytes());
    request.resize(request.len() + room, 0);
    request.extend(integrity);
    request[2..4].copy_from_slice(&65532_u16.to_be_bytes());
    assert_eq!(request.len(), 65552);
    client.put(&request).await;
    client.fence().await;
    assert_eq!(client.refresh(0).await, 0);
}

#[tokio::test]
async fn a_connection_to_the_port_of_turn_that_says_nothing_is_ended() {
    let server = Server::start_turn(&["--handshake-timeout=1.5"]);
    let access = server.turn_access().await;
    access.tcp_client().await.ended().await;
    let mut talker = access.tcp_client().await;
    talker.fence().await;
    talker.ended().await;
    let mut http = access.tcp_client().await;
    http.put(b"GET / HTTP/1.1\r\n\r\n").await;
    http.ended().await;
}

#[tokio::test]
async fn a_client_that_stops_reading_is_dropped_and_its_relay_freed() {
    let server = Server::start_turn(&[LOOPBACK, "--turn-bytes-per-second=0", "--write-timeout=1"]);
    let access = server.turn_access().await;
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_recv_buffer_size(4096).expect("before the connection, any size is taken");
    let tcp = within("a TCP connection", socket.connect(access.tcp)).await.expect("the server listens");
    let mut client = access.stream_client(tcp);
    let relayed = client.allocate().await;
    let peer = UdpSocket::bind("127.0.0.1:0").await.expect("a port is free");
    assert_eq!(client.permit(peer.local_addr().expect("it is bound")).await, 0);
    let freed = async {
        while server.relays.allocations() > 0 {
            for _ in 0..50 {
                // Refused once the relay is gone.
                let _ = peer.send_to(&[7; 1200], relayed).await;
            }
            // So that the two threads of the server have their turn.
            access.client().await.fence().await;
        }
    };
    within("its relay to be freed", freed).await;
    drop(client);
}

#[tokio::test]
async fn quotas_are_for_a_user_an_address_and_all() {
    for (flag, same_user, same_address) in [
        ("--turn-allocations-per-user=2", true, false),
        ("--turn-allocations-per-address=2", false, true),
        ("--turn-allocations=2", false, false),
    ] {
        let server = Server::start_turn(&[flag]);
        let access = server.turn_access().await;
        let mut clients = Vec::new();
        let mut codes = Vec::new();
        for number in 1..=3_u8 {
            let credential = if same_user { access.credential.clone() } else { credential_of(&number.to_string()) };
            let ip = IpAddr::from([127, 0, 0, if same_address { 1 } else { number }]);
            let mut client = TurnAccess { credential, ..access.clone() }.client_from(ip).await;
            codes.push(client.try_allocate(&[]).await.code);
            clients.push(client);
        }
        assert_eq!(codes, [0, 0, 486], "{flag}");
        assert_eq!(server.relays.allocations(), 2);
        assert_eq!(clients[0].refresh(0).await, 0);
        assert_eq!(clients[2].try_allocate(&[]).await.code, 0, "{flag}: a permit is free again");
        for client in &mut clients[1..] {
            assert_eq!(client.refresh(0).await, 0);
        }
    }
}

#[tokio::test]
async fn refusals_to_one_source_are_limited_and_others_are_answered() {
    let server = Server::start_turn(&["--turn-refusals-per-second=10"]);
    let access = server.turn_access().await;
    let mut flood = access.client_from([127, 0, 0, 66].into()).await;
    let request = flood.plain(MessageClass::Request, ALLOCATE, &[&udp()]).finish();
    let begin = Instant::now();
    let mut answers: u128 = 0;
    for _ in 0..20 {
        for _ in 0..25 {
            flood.put(&request).await;
        }
        answers += flood.fence_after_errors().await;
    }
    // A second's worth at the beginning, and then as many as time allows.
    let most = 10 + begin.elapsed().as_millis() / 100 + 1;
    assert!((1..=most).contains(&answers), "{answers} of at most {most}");
    let (all, unanswered) = (TurnCount::Unauthorized, TurnCount::Unanswered);
    assert_eq!((server.relays.count(all), u128::from(server.relays.count(unanswered))), (500, 500 - answers));
    let mut honest = access.client_from([127, 0, 0, 67].into()).await;
    honest.allocate().await;
    assert_eq!(honest.refresh(0).await, 0);
}

/// The built program with TURN, and where it is.
async fn program(flags: &[&str]) -> (Program, TurnAccess) {
    started(async |turn| Program::start(&[turn, flags].concat()).await).await
}

/// The same, started with these flags and whatever else it needs.
async fn started(start: impl AsyncFn(&[&str]) -> Program) -> (Program, TurnAccess) {
    let (program, _) = on_free_port(async |port| start(&["--turn", port]).await).await;
    let access = program.turn_access().await;
    (program, access)
}

#[tokio::test]
async fn the_tcp_port_survives_descriptor_exhaustion() {
    const FILES: u32 = 64;
    let flags = ["--handshake-timeout=60", "--turn-allow-peer=127.0.0.0/8"];
    let start = async |turn: &[&str]| Program::start_with_files(FILES, &[turn, &flags].concat()).await;
    let (program, access) = started(start).await;
    let mut before = access.tcp_client().await;
    before.allocate().await;
    let mut crowd = Vec::new();
    for _ in 0..FILES + 20 {
        crowd.push(within("a TCP connection", TcpStream::connect(access.tcp)).await.expect("the server listens"));
    }
    let taken = async {
        while program.files() < FILES as usize {
            before.fence().await;
        }
    };
    within("the last descriptor to be taken", taken).await;
    before.fence().await;
    drop(crowd);
    let mut after = access.tcp_client().await;
    let relayed = after.allocate().await;
    assert_eq!(before.permit(relayed).await, 0);
    assert!(!program.log().contains("ERROR"), "{}", program.log());
}

#[tokio::test]
async fn two_hundred_thousand_strangers_requests_leave_nothing_in_memory() {
    let (program, access) = program(&[]).await;
    let mut client = access.client().await;
    client.nonce = "forged".into();
    let plain = client.plain(MessageClass::Request, ALLOCATE, &[&udp()]).finish();
    let forged = client.signed(ALLOCATE, &[&udp()]);
    let mut before = 0;
    for round in 0..200_000 {
        if round == 20_000 {
            client.fence().await;
            before = program.resident_bytes();
        }
        client.put(if round % 2 == 0 { &plain } else { &forged }).await;
        // So that nothing is lost for want of room in the socket.
        if round % 200 == 0 {
            client.fence().await;
        }
    }
    client.fence().await;
    let after = program.resident_bytes();
    assert!(after < before + FLAT_BYTES, "{before} bytes became {after}");
    client.allocate().await;
}

#[tokio::test]
async fn twenty_thousand_spoofed_sources_leave_nothing_in_memory_and_are_each_answered() {
    let (program, access) = program(&[]).await;
    let mut client = access.client().await;
    let request = client.plain(MessageClass::Request, ALLOCATE, &[&udp()]).finish();
    let mut before = 0;
    let mut buffer = [0; 2000];
    let begin = Instant::now();
    for number in 0..20_000_u32 {
        if number == 2000 {
            before = program.resident_bytes();
        }
        // 127.1.0.0 to 127.1.78.31.
        let source = UdpSocket::bind((Ipv4Addr::from_bits(0x7f01_0001 + number), 0)).await.expect("a port is free");
        source.send_to(&request, access.udp).await.expect("the server is there");
        let length = within("an answer", source.recv(&mut buffer)).await.expect("a datagram");
        assert!(Message::from_bytes(&buffer[..length]).expect("STUN").has_class(MessageClass::Error));
    }
    assert!(begin.elapsed() < 3 * DEADLINE, "{:?}", begin.elapsed());
    let after = program.resident_bytes();
    assert!(after < before + FLAT_BYTES, "{before} bytes became {after}");
    client.allocate().await;
}

#[tokio::test]
async fn what_a_relay_may_carry_in_a_second_is_limited_both_ways() {
    let server = Server::start_turn(&[LOOPBACK, "--turn-bytes-per-second=10000"]);
    let mut client = server.turn_access().await.client().await;
    let peer = UdpSocket::bind("127.0.0.1:0").await.expect("a port is free");
    let relayed = client.allocate().await;
    let begin = Instant::now();
    assert_eq!(client.bind(0x4000, peer.local_addr().expect("it is bound")).await, 0);
    for _ in 0..50 {
        client.send_on(0x4000, &[7; 1000]).await;
    }
    client.fence().await;
    // A second's worth at the beginning, and then as much as time allows.
    let most = |begin: Instant| 10 + begin.elapsed().as_secs() * 10 + 10;
    let to_peers = server.relays.count(TurnCount::PacketsToPeers);
    assert!((1..=most(begin)).contains(&to_peers), "{to_peers}");
    for _ in 0..50 {
        peer.send_to(&[8; 1000], relayed).await.expect("it is on this machine");
    }
    // A packet is counted once it has been sent: by the second one, the first.
    for _ in 0..2 {
        assert!(matches!(client.hear().await, Heard::Channel(0x4000, _)));
    }
    let to_clients = server.relays.count(TurnCount::PacketsToClients);
    assert!(to_clients <= most(begin), "{to_clients}");
    assert_eq!(client.refresh(0).await, 0);
}
