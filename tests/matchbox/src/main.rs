//! matchbox's own client, unchanged, against the built server: two peers of a room over a data channel, then groups of two.
//!
//! `entremise-matchbox PROGRAM`: the server is started here, without TLS, because a native client trusts public authorities
//! alone. It is ended by its process id.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use matchbox_socket::{PeerId, PeerState, RtcIceServerConfig, WebRtcSocket};

/// Generous: only a failing run waits this long.
const DEADLINE: Duration = Duration::from_secs(60);

const PAUSE: Duration = Duration::from_millis(20);

/// The server, until this is dropped.
struct Server {
    process: Child,
    url: String,
}

impl Server {
    fn start(program: &str) -> Self {
        let flags = ["--plain-http", "--listen=127.0.0.1:0", "--stun-port=0", "--dialect=matchbox"];
        let mut process = Command::new(program).args(flags).stdout(Stdio::piped()).spawn().expect("the program starts");
        let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        let url = lines.by_ref().find_map(|line| {
            let line = line.expect("text");
            let (_, url) = line.split_once("open http://")?;
            Some(format!("ws://{}matchbox", url.trim()))
        });
        // What it prints besides is read, so that it never waits for us.
        thread::spawn(move || lines.for_each(drop));
        Self { process, url: url.expect("it says where it is") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A client with its message loop in a thread.
struct Player {
    socket: WebRtcSocket,
    name: &'static str,
}

impl Player {
    fn new(name: &'static str, url: &str) -> Self {
        let no_server = RtcIceServerConfig { urls: Vec::new(), username: None, credential: None };
        let (socket, messages) =
            WebRtcSocket::builder(url).ice_server(no_server).add_reliable_channel().reconnect_attempts(Some(1)).build();
        thread::spawn(move || futures::executor::block_on(messages));
        Self { socket, name }
    }

    /// Waits for its id: from then on the server knows it.
    fn welcomed(mut self) -> Self {
        let name = self.name;
        wait(name, "an id", || self.socket.id());
        self
    }

    /// Waits until a peer has this state.
    fn hears_of(&mut self, state: PeerState) -> PeerId {
        let (socket, what) = (&mut self.socket, format!("{state:?}"));
        wait(self.name, &what, || {
            socket.update_peers().into_iter().find(|(_, now)| *now == state).map(|(peer, _)| peer)
        })
    }

    fn hears(&mut self, packet: &[u8]) {
        let channel = self.socket.channel_mut(0);
        let (_, heard) = wait(self.name, "a packet", || channel.receive().pop());
        assert_eq!(&*heard, packet, "{}", self.name);
    }

    fn is_alone(&mut self) -> bool {
        self.socket.update_peers().is_empty() && self.socket.connected_peers().count() == 0
    }
}

fn wait<T>(name: &str, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < DEADLINE, "{name} waited in vain for {what}");
        thread::sleep(PAUSE);
    }
}

/// Connects two players, one packet each way.
fn meet(first: &mut Player, second: &mut Player) {
    let of_second = first.hears_of(PeerState::Connected);
    let of_first = second.hears_of(PeerState::Connected);
    assert_eq!(first.socket.id(), Some(of_first));
    assert_eq!(second.socket.id(), Some(of_second));
    first.socket.channel_mut(0).send(b"ping".as_slice().into(), of_second);
    second.hears(b"ping");
    second.socket.channel_mut(0).send(b"pong".as_slice().into(), of_first);
    first.hears(b"pong");
}

fn main() {
    let program = std::env::args().nth(1).expect("the server's program");
    let server = Server::start(&program);
    two_peers_of_a_room_talk_over_a_data_channel(&server.url);
    three_that_ask_for_two_are_a_pair_and_one_that_waits(&server.url);
    println!("matchbox: both ways, in a room and in groups of two");
}

fn two_peers_of_a_room_talk_over_a_data_channel(url: &str) {
    let url = format!("{url}/hall");
    let mut alice = Player::new("alice", &url).welcomed();
    let mut bob = Player::new("bob", &url).welcomed();
    meet(&mut alice, &mut bob);
    drop(bob);
    alice.hears_of(PeerState::Disconnected);
}

fn three_that_ask_for_two_are_a_pair_and_one_that_waits(url: &str) {
    let url = format!("{url}/game?next=2");
    let mut first = Player::new("first", &url).welcomed();
    let mut second = Player::new("second", &url).welcomed();
    let mut third = Player::new("third", &url).welcomed();
    meet(&mut first, &mut second);
    assert!(third.is_alone(), "the group was complete before it came");
    let mut fourth = Player::new("fourth", &url).welcomed();
    meet(&mut third, &mut fourth);
    assert_eq!((first.socket.connected_peers().count(), second.socket.connected_peers().count()), (1, 1));
}
