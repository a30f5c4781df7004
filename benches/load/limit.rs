//! The limit: what a server of this protocol costs that is written by hand for nothing else, on one thread and epoll.
//!
//! The same TLS, no JSON, no limits, no session, no heartbeat: a frame is its addressee's id and a payload, and goes on
//! with its sender's id instead, as with the bare relay. What is for one peer leaves in as few records as it can.

use std::collections::HashSet;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Ipv4Addr;

use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Registry, Token};
use rustls::ServerConnection;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::relay::{ID_BYTES, config};

const LISTENER: Token = Token(usize::MAX);

/// A whole text frame (RFC 6455, 5.2).
const TEXT: u8 = 0x81;

/// The last frame.
const CLOSE: u8 = 0x88;

const MASK_BYTES: usize = 4;

/// Serves on a port with a certificate and a key: the three arguments.
pub(crate) fn serve(arguments: &[String]) {
    let [port, cert, key] = arguments else { panic!("limit PORT CERT KEY") };
    let config = config(cert, key);
    let mut poll = Poll::new().expect("epoll");
    let address = (Ipv4Addr::LOCALHOST, port.parse().expect("a port")).into();
    let mut listener = TcpListener::bind(address).expect("the port is free");
    poll.registry().register(&mut listener, LISTENER, Interest::READABLE).expect("epoll");
    let (mut events, mut peers, mut due) = (Events::with_capacity(1024), Peers::default(), HashSet::new());
    loop {
        poll.poll(&mut events, None).expect("epoll");
        for event in &events {
            if event.token() == LISTENER {
                while let Ok((tcp, _)) = listener.accept() {
                    let tls = ServerConnection::new(config.clone()).expect("a connection");
                    peers.add(tcp, tls, poll.registry());
                }
            } else {
                peers.serve(event, &mut due);
            }
        }
        for number in due.drain() {
            peers.flush(number);
        }
    }
}

/// Peers by their numbers, which are their ids.
#[derive(Default)]
struct Peers(Vec<Option<Peer>>);

struct Peer {
    tcp: TcpStream,
    tls: ServerConnection,
    is_open: bool,
    /// What has come of a request or a frame.
    come: Vec<u8>,
}

impl Peers {
    fn add(&mut self, mut tcp: TcpStream, tls: ServerConnection, registry: &Registry) {
        tcp.set_nodelay(true).expect("a socket");
        let token = Token(self.0.len());
        registry.register(&mut tcp, token, Interest::READABLE | Interest::WRITABLE).expect("epoll");
        self.0.push(Some(Peer { tcp, tls, is_open: false, come: Vec::new() }));
    }

    fn serve(&mut self, event: &Event, due: &mut HashSet<usize>) {
        let number = event.token().0;
        due.insert(number);
        if !event.is_readable() {
            return;
        }
        let Some(peer) = &mut self.0[number] else { return };
        let is_there = peer.read();
        let mut come = std::mem::take(&mut peer.come);
        let mut taken = 0;
        if !peer.is_open {
            taken = peer.open(&come, number);
        }
        if peer.is_open {
            while let Some((kind, payload, length)) = frame(&mut come[taken..]) {
                taken += length;
                match kind {
                    TEXT => self.relay(number, payload, due),
                    CLOSE => self.part(number),
                    _ => {}
                }
            }
        }
        come.drain(..taken);
        match &mut self.0[number] {
            Some(peer) if is_there => peer.come = come,
            gone => *gone = None,
        }
    }

    fn relay(&mut self, from: usize, frame: &[u8], due: &mut HashSet<usize>) {
        let Some((to, payload)) = frame.split_at_checked(ID_BYTES) else { return };
        let to = std::str::from_utf8(to).ok().and_then(|to| usize::from_str_radix(to, 16).ok());
        let Some((to, Some(Some(peer)))) = to.map(|to| (to, self.0.get_mut(to))) else { return };
        peer.say(from, payload);
        due.insert(to);
    }

    fn part(&mut self, number: usize) {
        let Some(peer) = &mut self.0[number] else { return };
        peer.tls.writer().write_all(&[CLOSE, 0]).expect("there is room");
        peer.tls.send_close_notify();
    }

    fn flush(&mut self, number: usize) {
        let Some(peer) = &mut self.0[number] else { return };
        while peer.tls.wants_write() {
            match peer.tls.write_tls(&mut peer.tcp) {
                Ok(_) => {}
                // The rest when the socket says that there is room.
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(_) => return self.0[number] = None,
            }
        }
    }
}

impl Peer {
    /// Takes what has come. False: it is gone.
    fn read(&mut self) -> bool {
        loop {
            match self.tls.read_tls(&mut self.tcp) {
                Ok(0) => return false,
                Ok(_) => {}
                Err(error) => return error.kind() == ErrorKind::WouldBlock,
            }
            let Ok(state) = self.tls.process_new_packets() else { return false };
            let before = self.come.len();
            self.come.resize(before + state.plaintext_bytes_to_read(), 0);
            self.tls.reader().read_exact(&mut self.come[before..]).expect("as much as there is");
        }
    }

    /// Answers the request, if it is whole.
    fn open(&mut self, request: &[u8], number: usize) -> usize {
        let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") else { return 0 };
        let head = String::from_utf8_lossy(&request[..end]);
        let key = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("sec-websocket-key").then_some(value.trim())
        });
        let accept = derive_accept_key(key.expect("a WebSocket's request").as_bytes());
        let upgrade = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n";
        let answer = format!("{upgrade}sec-websocket-accept: {accept}\r\n\r\n");
        self.tls.writer().write_all(answer.as_bytes()).expect("there is room");
        self.is_open = true;
        self.say(number, b"");
        end + 4
    }

    /// Puts a frame behind what is to be sent.
    fn say(&mut self, from: usize, payload: &[u8]) {
        let length = ID_BYTES + payload.len();
        let mut frame = vec![TEXT];
        if let Ok(short @ ..126) = u8::try_from(length) {
            frame.push(short);
        } else {
            frame.push(126);
            frame.extend(u16::try_from(length).expect("the load's messages are short").to_be_bytes());
        }
        write!(frame, "{from:08x}").expect("a Vec takes all");
        frame.extend_from_slice(payload);
        self.tls.writer().write_all(&frame).expect("there is room");
    }
}

/// The first frame's first byte, its payload, unmasked, and its length with its header.
fn frame(bytes: &mut [u8]) -> Option<(u8, &[u8], usize)> {
    let (first, short) = (*bytes.first()?, bytes.get(1)? & 0x7f);
    let (length, header) = match short {
        126 => (usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?])), 4),
        127 => panic!("the load's messages are short"),
        short => (usize::from(short), 2),
    };
    let begin = header + MASK_BYTES;
    let mask: [u8; MASK_BYTES] = bytes.get(header..begin)?.try_into().ok()?;
    let payload = bytes.get_mut(begin..begin + length)?;
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    Some((first, payload, begin + length))
}
