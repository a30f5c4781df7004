//! The codec against a second, slower reading, and a session in any order of events. No part of the server.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::engine::{Answer, Config, Content, End, Engine, Output, PostFailure, Transport};
use super::event::Call;
use super::message::{Body, Head, MAIN, Name, Packet};
use super::namespace::{Namespaces, Offered, Verdict};
use super::packet::{Message, Outgoing, Payload, Received};
use super::request::{Form, Method, Purpose, Refusal, judge};
use super::sid::Sid;

/// By its first byte: what follows is a packet, a post, a query, or events of a session.
///
/// # Panics
///
/// Where a rule is broken.
pub fn play_socketio(data: &[u8]) {
    let Some((&which, rest)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(rest);
    match which {
        b'm' => read_packet(&text),
        b'p' => read_payload(&text),
        b'q' => read_query(&text),
        b'n' => read_in_order(&text),
        _ => play_session(rest),
    }
}

/// What a packet says, in one form for both readings.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    kind: char,
    attachments: usize,
    namespace: String,
    ack: Option<u64>,
    /// Parsed, where it can be.
    data: Option<Value>,
}

fn read_packet(text: &str) {
    let slow = read_slowly(text);
    let Ok(packet) = Packet::decode(text) else {
        assert_eq!(slow, None, "refused: {text}");
        return;
    };
    // What is relayed unread need not be what a stricter parser reads, such as half a surrogate pair.
    if let Some(slow) = slow {
        assert_eq!(said(&packet), slow, "{text}");
    }
    if let Body::Event(event) = &packet.body {
        let _ = Call::read(event);
    }
    write_again(&packet);
}

fn said(packet: &Packet<'_>) -> Said {
    let json = |text: &str| serde_json::from_str(text).ok();
    let (kind, data) = match &packet.body {
        Body::Connect(auth) => ('0', auth.and_then(|auth| json(auth.get()))),
        Body::Disconnect => ('1', None),
        Body::Event(event) => ('2', json(&array(&event.name, event.arguments))),
        Body::Ack(array) => ('3', json(array.get())),
    };
    let namespace = packet.namespace.to_owned();
    Said { kind, attachments: packet.attachments, namespace, ack: packet.ack, data }
}

fn array(name: &Name<'_>, arguments: &str) -> String {
    let name = match name {
        Name::Text(text) => Value::from(&**text).to_string(),
        Name::Number(number) => (*number).to_owned(),
    };
    format!("[{name}{arguments}]")
}

/// Letter by letter, and JSON as a tree.
fn read_slowly(text: &str) -> Option<Said> {
    let letters: Vec<char> = text.chars().collect();
    let mut at = 1;
    let digits = |at: &mut usize| {
        let start = *at;
        while letters.get(*at).is_some_and(char::is_ascii_digit) {
            *at += 1;
        }
        letters[start..*at].iter().collect::<String>()
    };
    let (kind, has_attachments) = match letters.first()? {
        '5' => ('2', true),
        '6' => ('3', true),
        kind @ '0'..='3' => (*kind, false),
        _ => return None,
    };
    let mut attachments = 0;
    if has_attachments {
        attachments = digits(&mut at).parse().ok().filter(|number| *number > 0)?;
        if letters.get(at) != Some(&'-') {
            return None;
        }
        at += 1;
    }
    let mut namespace = MAIN.to_owned();
    if letters.get(at) == Some(&'/') {
        let rest: Vec<char> = letters[at..].iter().copied().take_while(|letter| *letter != ',').collect();
        at = (at + rest.len() + 1).min(letters.len());
        namespace = rest.into_iter().collect();
    }
    let ack = digits(&mut at);
    let ack = if ack.is_empty() { None } else { Some(ack.parse().ok()?) };
    let rest: String = letters[at..].iter().collect();
    let data = if rest.trim_matches([' ', '\t', '\n', '\r']).is_empty() {
        None
    } else {
        Some(serde_json::from_str::<Value>(&rest).ok()?)
    };
    let is_valid = match (kind, &data) {
        ('0', data) => data.as_ref().is_none_or(Value::is_object),
        ('1', data) => data.is_none(),
        ('2', Some(Value::Array(array))) => match array.first() {
            Some(Value::String(name)) => {
                !["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]
                    .contains(&&**name)
            }
            head => head.is_some_and(Value::is_number),
        },
        ('3', data) => data.as_ref().is_some_and(Value::is_array),
        _ => false,
    };
    let is_safe = !namespace.contains(char::is_control);
    (is_valid && is_safe).then_some(Said { kind, attachments, namespace, ack, data })
}

/// What was read, written and read again, is the same.
fn write_again(packet: &Packet<'_>) {
    let head = Head { namespace: packet.namespace, ack: packet.ack, attachments: packet.attachments };
    let outgoing = match &packet.body {
        Body::Event(event) => head.event(&array(&event.name, event.arguments)),
        Body::Ack(array) => head.acknowledgement(array.get()),
        Body::Connect(_) | Body::Disconnect => return,
    };
    let Outgoing::Text(text) = outgoing else { panic!("text is sent as text") };
    let again = text.strip_prefix('4').expect("a message");
    assert_eq!(said(&Packet::decode(again).expect("it was read before")), said(packet));
}

fn read_payload(body: &str) {
    let (mut payload, mut packets) = (Payload::new(body.to_owned()), Vec::new());
    while let Some(Received::Text(packet)) = payload.next_packet() {
        packets.push(packet.to_owned());
    }
    assert_eq!(packets.join("\u{1e}"), body);
    assert!(packets.iter().all(|packet| !packet.contains('\u{1e}')));
    let mut engine = engine(Transport::WebSocket, Instant::now());
    for packet in &packets {
        if let Some(Message::Text(text)) = engine.receive(Received::Text(packet), Instant::now()) {
            assert_eq!(packet.strip_prefix('4'), Some(text));
        }
    }
}

fn read_query(query: &str) {
    for method in [Method::Get, Method::Post, Method::Other] {
        for form in [Form::Plain, Form::Upgrade] {
            for known in [None, Some(Transport::Polling), Some(Transport::WebSocket)] {
                let judged = judge(method, form, query, |_| known);
                let (is_first, is_upgrade) = match judged {
                    Ok(Purpose::Open(transport)) => (true, transport == Transport::WebSocket),
                    Ok(Purpose::Poll(_) | Purpose::Post(_)) => (false, false),
                    Ok(Purpose::Probe(_)) => (false, true),
                    Err(_) => continue,
                };
                assert!(query.contains("EIO=4"), "{query}");
                assert!(is_first || known.is_some(), "{query}");
                assert_eq!(is_upgrade, form == Form::Upgrade, "{query}");
            }
        }
    }
}

/// Lines are a client's messages; what is let in is let in, and nothing grows.
fn read_in_order(text: &str) {
    let offered = Offered { namespaces: vec!["/custom".into()], max_attachments: 10, max_binary_bytes: 50 };
    let mut client = Namespaces::new(Arc::new(offered));
    for line in text.lines() {
        let message = match line.strip_prefix('b') {
            Some(bytes) => Message::Binary(bytes.as_bytes().into()),
            None => Message::Text(line),
        };
        match client.judge(message) {
            Verdict::Connect { namespace, .. } => {
                assert!(!client.has_joined(namespace) && [MAIN, "/custom"].contains(&namespace));
                client.join(namespace);
            }
            Verdict::Left(namespace) => assert!(!client.has_joined(namespace)),
            Verdict::Said(packet) => assert!(client.has_joined(packet.namespace) && packet.attachments == 0),
            Verdict::SaidBinary(whole) => {
                let packet = Packet::decode(&whole.text).expect("it was read before");
                assert_eq!(packet.attachments, whole.attachments.len());
                assert!(whole.text.len() + whole.attachments.concat().len() <= 50);
            }
            Verdict::Answer(_) | Verdict::Wait => {}
            Verdict::Close => return,
        }
    }
}

const PACKETS: [&str; 12] = ["4a", "4a", "4b", "3", "3", "1", "2", "5", "0", "x", "", "bAQ=="];
const PROBES: [&str; 8] = ["2probe", "2probe", "2probe", "5", "5", "5", "4a", "2"];
const MAX_PENDING_BYTES: usize = 40;
const MAX_PENDING_PACKETS: usize = 8;

fn engine(transport: Transport, now: Instant) -> Engine {
    let bounds =
        Config { max_pending_bytes: MAX_PENDING_BYTES, max_pending_packets: MAX_PENDING_PACKETS, ..Config::default() };
    Engine::new(Arc::new(bounds), Sid::from([0; 15]), transport, now)
}

/// Any events in any order.
///
/// # Panics
///
/// Where a rule is broken.
pub(super) fn play_session(steps: &[u8]) {
    let Some((&first, steps)) = steps.split_first() else { return };
    let mut world = World::new(if first % 4 == 0 { Transport::WebSocket } else { Transport::Polling });
    for step in steps.chunks(2) {
        let detail = step.get(1).copied().unwrap_or_default();
        world.step(step[0], detail);
        // Who sends may send more before anything is carried out.
        if !(step[0] % 16 == 10 && detail % 2 == 0) {
            world.carry_out();
        }
        world.check();
    }
}

/// What has to be answered or closed once.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Poll,
    Post,
    Probe,
    Socket,
}

/// A session and what its owner knows of it.
struct World {
    engine: Engine,
    now: Instant,
    transport: Transport,
    open: BTreeSet<Part>,
    /// Each message is its number.
    sent: usize,
    delivered: usize,
    end: Option<End>,
}

impl World {
    fn new(transport: Transport) -> Self {
        let now = Instant::now();
        let mut world = Self {
            engine: engine(transport, now),
            now,
            transport,
            open: BTreeSet::from([match transport {
                Transport::Polling => Part::Poll,
                Transport::WebSocket => Part::Socket,
            }]),
            sent: 0,
            delivered: 0,
            end: None,
        };
        world.carry_out();
        assert!(!world.open.contains(&Part::Poll), "the first request has its answer");
        world
    }

    fn step(&mut self, step: u8, detail: u8) {
        let index = usize::from(detail);
        match step % 16 {
            0 | 1 => self.poll(),
            2 if self.open.contains(&Part::Poll) && index % 4 == 0 => {
                self.open.remove(&Part::Poll);
                self.engine.poll_aborted(self.now);
            }
            3 => self.post(if index % 32 == 0 { Content::Binary } else { Content::Text }),
            4 | 5 => self.receive(PACKETS[index % PACKETS.len()]),
            6 => self.engine.post_done(self.now),
            7 if index % 4 == 0 => self.fail_post(index / 4),
            8 => self.probe(),
            9 if self.open.contains(&Part::Probe) => {
                self.engine.probe_received(Received::Text(PROBES[index % PROBES.len()]), self.now);
            }
            10 | 11 => self.send(index),
            12 => {
                self.now += Duration::from_millis(u64::from(detail) * 100);
                // A timer may be late: all inputs do what is due.
                if detail.is_multiple_of(2) {
                    self.engine.tick(self.now);
                }
            }
            13 if self.open.contains(&Part::Probe) && index % 4 == 0 => {
                self.open.remove(&Part::Probe);
                self.engine.probe_lost(self.now);
            }
            14 if index % 4 == 0 => {
                let ends = [End::Server(None), End::Server(Some(1012)), End::Lost, End::TooLarge];
                self.engine.close(ends[index / 4 % ends.len()], self.now);
            }
            15 => self.engine.connected(),
            _ => {}
        }
    }

    fn poll(&mut self) {
        match self.engine.poll(self.now) {
            Ok(()) => {
                assert!(!self.open.contains(&Part::Poll) && self.transport == Transport::Polling && self.end.is_none());
                self.open.insert(Part::Poll);
            }
            Err(answer) => self.is_refused(&answer, self.open.contains(&Part::Poll)),
        }
    }

    fn post(&mut self, content: Content) {
        match self.engine.post(content, self.now) {
            Ok(()) => {
                assert!(!self.open.contains(&Part::Post) && self.transport == Transport::Polling && self.end.is_none());
                assert_eq!(content, Content::Text);
                self.open.insert(Part::Post);
            }
            Err(answer) => self.is_refused(&answer, self.open.contains(&Part::Post) || content == Content::Binary),
        }
    }

    fn is_refused(&self, answer: &Answer, is_misplaced: bool) {
        match answer {
            Answer::Misplaced => assert!(is_misplaced && self.transport == Transport::Polling),
            Answer::Refused(Refusal::BadRequest) => assert_eq!(self.transport, Transport::WebSocket),
            Answer::Refused(Refusal::UnknownSid) => {}
            other => panic!("{other:?}"),
        }
    }

    fn receive(&mut self, packet: &str) {
        if !self.open.contains(&Part::Post) && !self.open.contains(&Part::Socket) {
            return;
        }
        match self.engine.receive(Received::Text(packet), self.now) {
            Some(Message::Text(text)) => assert_eq!(packet.strip_prefix('4'), Some(text)),
            Some(Message::Binary(bytes)) => assert!(packet.starts_with('b') && *bytes == [1]),
            None => {}
        }
    }

    fn fail_post(&mut self, how: usize) {
        let failures = [PostFailure::TooLarge, PostFailure::NotText, PostFailure::Aborted];
        let failure = failures[how % failures.len()];
        if failure == PostFailure::Aborted {
            self.open.remove(&Part::Post);
        }
        self.engine.post_failed(failure, self.now);
    }

    fn probe(&mut self) {
        if self.engine.probe(self.now).is_ok() {
            assert!(!self.open.contains(&Part::Probe) && self.transport == Transport::Polling);
            self.open.insert(Part::Probe);
        }
    }

    fn send(&mut self, blanks: usize) {
        let has_room = self.engine.has_room();
        let text = format!("{}{}", self.sent, " ".repeat(blanks % 16));
        assert_eq!(self.engine.send(Outgoing::message(&text)).is_ok(), has_room);
        self.sent += usize::from(has_room);
    }

    fn carry_out(&mut self) {
        while let Some(output) = self.engine.next_output() {
            assert_eq!(self.end, None, "{output:?} after the end");
            match output {
                Output::Poll(Answer::Packets(body)) => {
                    assert!(self.open.remove(&Part::Poll), "no poll");
                    assert!(!body.is_empty(), "clients take it for an error");
                    body.split('\u{1e}').for_each(|packet| self.deliver(packet));
                }
                Output::Post(Answer::Accepted | Answer::TooLarge) => {
                    assert!(self.open.remove(&Part::Post), "no post");
                }
                Output::Frame(Outgoing::Text(packet)) => {
                    assert!(self.open.contains(&Part::Socket), "no socket");
                    self.deliver(&packet);
                }
                Output::Probed => assert!(self.open.contains(&Part::Probe)),
                Output::CloseProbe => assert!(self.open.remove(&Part::Probe), "no probe"),
                Output::Upgraded => {
                    assert!(self.open.remove(&Part::Probe), "no probe");
                    self.transport = Transport::WebSocket;
                    self.open.insert(Part::Socket);
                }
                Output::Close(_) => assert!(self.open.remove(&Part::Socket), "no socket"),
                Output::Over(end) => self.end = Some(end),
                Output::Poll(_) | Output::Post(_) | Output::Frame(Outgoing::Binary(_)) => panic!("{output:?}"),
            }
        }
        assert!(self.end.is_none() || self.open.is_empty(), "{:?} is left", self.open);
        if self.end.is_none() && (self.open.contains(&Part::Poll) || self.open.contains(&Part::Socket)) {
            assert_eq!(self.delivered, self.sent, "nothing waits that can leave");
        }
    }

    fn deliver(&mut self, packet: &str) {
        let mut letters = packet.chars();
        match letters.next() {
            Some('4') => {
                assert_eq!(letters.as_str().trim_end().parse(), Ok(self.delivered), "in order, once");
                self.delivered += 1;
            }
            Some('0') => assert!(packet.starts_with("0{")),
            _ => assert!(["1", "2", "6"].contains(&packet), "{packet}"),
        }
    }

    fn check(&self) {
        let (packets, bytes) = self.engine.pending();
        assert!(packets <= MAX_PENDING_PACKETS && bytes <= MAX_PENDING_BYTES + 32, "{packets} of {bytes}");
        if self.end.is_none() {
            assert_eq!(self.engine.transport(), self.transport);
        } else {
            assert_eq!((self.engine.due(), packets), (None, 0));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn whatever_happens_the_rules_hold(steps in vec(any::<u8>(), 0..120)) {
            play_session(&steps);
        }

        #[test]
        fn a_session_that_is_kept_ends_in_bounded_time(steps in vec(any::<u8>(), 1..60)) {
            let mut world = World::new(Transport::Polling);
            for step in steps.chunks(2) {
                world.step(step[0], step.get(1).copied().unwrap_or_default());
                world.carry_out();
            }
            // A client that has gone without a word.
            let start = world.now;
            while let Some(due) = world.engine.due() {
                prop_assert!(due > world.now || due <= start, "a timer that is due again at once");
                world.now = due;
                world.engine.tick(due);
                world.carry_out();
            }
            prop_assert!(world.now - start <= Duration::from_secs(25 + 20 + 30 + 20), "{:?}", world.now - start);
            prop_assert!(world.end.is_some());
        }

        #[test]
        fn packets_are_read_as_a_slower_reader_reads_them(
            text in r#"[0-7x](1?[0-9]-)?(/[a-z]{0,3},?)?[0-9]{0,3}(\[(1|"a"|null|"connect")?(,1|,\{\}|,"x")*\]|\{("a":1)?\}|null| )?"#
        ) {
            read_packet(&text);
        }
    }
}
