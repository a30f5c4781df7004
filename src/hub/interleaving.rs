//! Sessions under whatever order of events a network makes: clients that keep to the protocol, lines that lose what is
//! in flight both ways, a server that notices late. No sockets, no tasks, no time.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    AllowanceLimits, Ask, Hub, HubLimits, Lifetime, MailboxLimits, ResumeRequest, ResumeToken, Revoked, Session,
    TopicLimits,
};
use crate::dialect::v1::{self, decode};
use crate::protocol::{Address, ErrorCode, Notice, PeerId, Realm, ServerMessage, Unreadable};

const CLIENTS: usize = 3;

/// More than any mailbox holds.
const MOST_MESSAGES: usize = 10;

/// Settling takes a few rounds; each that ends in a full window takes a new connection.
const ROUNDS: usize = 400;

/// What happens next. Numbers choose a client, a line or a parked session, modulo how many there are.
#[derive(Clone, Copy, Debug)]
enum Step {
    Relay {
        by: usize,
        to: usize,
    },
    Broadcast(usize),
    /// A member fills all queues of its room and leaves, in one burst.
    Flood(usize),
    Join(usize),
    Leave(usize),
    Acknowledge(usize),
    /// The client takes a frame from its line.
    Hear(usize),
    /// The client opens a new socket, and ignores the old one, which may still work.
    Open {
        by: usize,
        token: Choice,
    },
    /// The client closes with 1000.
    Close(usize),
    /// The 101 is complete: the session is resumed or opened.
    Admit(usize),
    /// The server takes a client's frame from a line.
    Read(usize),
    /// … and refuses it.
    Refuse(usize),
    /// The server gives a line its session's next frame.
    Write(usize),
    /// All that is in flight is lost, and nothing gets through any more. Only the client knows.
    Cut(usize),
    /// The server finds out that a line is cut, or that another one has its session.
    Notice(usize),
    Expire(usize),
}

#[derive(Clone, Copy, Debug)]
enum Choice {
    Newest,
    Predecessor,
}

fn step() -> impl Strategy<Value = Step> {
    use Step::{
        Acknowledge, Admit, Broadcast, Close, Cut, Expire, Flood, Hear, Join, Leave, Notice, Read, Refuse, Write,
    };
    let any = 0..12_usize;
    prop_oneof![
        8 => (any.clone(), any.clone()).prop_map(|(by, to)| Step::Relay { by, to }),
        3 => any.clone().prop_map(Broadcast),
        1 => any.clone().prop_map(Flood),
        4 => any.clone().prop_map(Join),
        2 => any.clone().prop_map(Leave),
        4 => any.clone().prop_map(Acknowledge),
        14 => any.clone().prop_map(Hear),
        4 => any.clone().prop_map(|by| Step::Open { by, token: Choice::Newest }),
        1 => any.clone().prop_map(|by| Step::Open { by, token: Choice::Predecessor }),
        1 => any.clone().prop_map(Close),
        8 => any.clone().prop_map(Admit),
        14 => any.clone().prop_map(Read),
        1 => any.clone().prop_map(Refuse),
        14 => any.clone().prop_map(Write),
        3 => any.clone().prop_map(Cut),
        4 => any.clone().prop_map(Notice),
        1 => any.prop_map(Expire),
    ]
}

fn limits() -> impl Strategy<Value = HubLimits> {
    let bytes = prop_oneof![Just(700), Just(100_000)];
    (2..MOST_MESSAGES, bytes, prop_oneof![1 => Just(1500), 3 => Just(1_000_000)]).prop_map(
        |(messages, bytes, queued_bytes)| HubLimits {
            allowance: AllowanceLimits::NONE,
            mailbox: MailboxLimits { messages, bytes },
            queued_bytes,
            rooms_per_peer: None,
            peers_per_room: None,
            topics: TopicLimits::NONE,
        },
    )
}

/// From a client to the server.
enum Up {
    Pong,
    Text(String),
}

/// From the server to a client.
enum Down {
    Welcome { id: PeerId, token: ResumeToken, accepted: Option<u64> },
    Frame(u64, ServerMessage),
}

enum End {
    Waiting(Option<ResumeRequest>),
    Open { session: Session, record: usize, token: ResumeToken },
}

/// A connection, as long as the server knows of it.
struct Line {
    client: usize,
    end: End,
    is_cut: bool,
    up: VecDeque<Up>,
    down: VecDeque<Down>,
}

/// What a client knows.
#[derive(Default)]
struct Client {
    /// The socket that it listens to.
    line: Option<usize>,
    is_welcomed: bool,
    session: Option<Known>,
}

/// What a client knows of its session.
struct Known {
    record: usize,
    tokens: Vec<ResumeToken>,
    received: u64,
    acknowledged: u64,
    sent: u64,
    /// Sent, and not known to have been processed.
    kept: VecDeque<(u64, String)>,
    /// Whom it believes to be in the room, while it is there itself.
    roster: Option<HashSet<PeerId>>,
}

/// What the test knows of a session.
struct Record {
    id: PeerId,
    tokens: Vec<ResumeToken>,
    /// Those with a confirmed successor.
    spent: Vec<ResumeToken>,
    processed: u64,
    acknowledged: u64,
    is_member: bool,
    is_over: bool,
    /// The last number that came from each sender: each has to be higher.
    heard: HashMap<PeerId, u64>,
}

impl Record {
    /// The `welcome` with this token has arrived.
    fn confirm(&mut self, token: &ResumeToken) {
        let is_other = |other: &mut ResumeToken| other.to_string() != token.to_string();
        self.spent.extend(self.tokens.extract_if(.., is_other));
    }
}

/// A message that the server has processed, and to which sessions it was addressed.
struct Said {
    by: usize,
    to: Vec<usize>,
}

struct World {
    hub: Arc<Hub>,
    clients: [Client; CLIENTS],
    lines: BTreeMap<usize, Line>,
    next_line: usize,
    parked: Vec<(Session, usize)>,
    records: Vec<Record>,
    /// Numbers messages: their payload and their `ref`.
    next_message: u64,
    unsaid: HashMap<u64, usize>,
    said: BTreeMap<u64, Said>,
    /// The number of the frame that carries a message to a session.
    numbered: HashMap<(u64, usize), u64>,
    delivered: HashSet<(u64, usize)>,
    refused: HashSet<(u64, usize)>,
    /// Sender and addressee.
    undelivered: HashSet<(usize, usize)>,
}

fn revoked(session: &Session) -> Option<Revoked> {
    match pin!(session.revoked()).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(revoked) => Some(revoked),
        Poll::Pending => None,
    }
}

fn is_held(session: &Session) -> bool {
    revoked(session) != Some(Revoked::TakenOver)
}

impl World {
    fn new(limits: HubLimits) -> Self {
        Self {
            hub: Hub::new(limits),
            clients: Default::default(),
            lines: BTreeMap::new(),
            next_line: 0,
            parked: Vec::new(),
            records: Vec::new(),
            next_message: 0,
            unsaid: HashMap::new(),
            said: BTreeMap::new(),
            numbered: HashMap::new(),
            delivered: HashSet::new(),
            refused: HashSet::new(),
            undelivered: HashSet::new(),
        }
    }

    fn take(&mut self, step: Step) {
        match step {
            Step::Relay { by, to } => self.relay(by % CLIENTS, to % CLIENTS),
            Step::Broadcast(by) => self.broadcast(by % CLIENTS),
            Step::Flood(by) => self.flood(by % CLIENTS),
            Step::Join(by) => self.say(by % CLIENTS, &json!({"type": "join", "room": "hall"})),
            Step::Leave(by) => self.say(by % CLIENTS, &json!({"type": "leave", "room": "hall"})),
            Step::Acknowledge(by) => self.acknowledge(by % CLIENTS),
            Step::Hear(by) => self.hear(by % CLIENTS),
            Step::Open { by, token } => self.open(by % CLIENTS, token),
            Step::Close(by) => self.close(by % CLIENTS),
            Step::Expire(which) => self.expire(which),
            Step::Admit(which) => self.on_line(which, Self::admit),
            Step::Read(which) => self.on_line(which, |world, line| world.read(line, false)),
            Step::Refuse(which) => self.on_line(which, |world, line| world.read(line, true)),
            Step::Write(which) => self.on_line(which, Self::write),
            Step::Cut(which) => self.on_line(which, Self::cut),
            Step::Notice(which) => self.on_line(which, Self::notice),
        }
        self.assert_few_tokens();
    }

    fn on_line(&mut self, which: usize, act: impl FnOnce(&mut Self, usize)) {
        let line = self.lines.keys().nth(which % self.lines.len().max(1)).copied();
        if let Some(line) = line {
            act(self, line);
        }
    }

    // What clients do.

    fn number(&mut self, by: usize) -> u64 {
        self.next_message += 1;
        if let Some(known) = &self.clients[by].session {
            self.unsaid.insert(self.next_message, known.record);
        }
        self.next_message
    }

    fn broadcast(&mut self, by: usize) {
        let number = self.number(by);
        self.say(by, &json!({"type": "message", "room": "hall", "message": number, "ref": number}));
    }

    fn flood(&mut self, by: usize) {
        self.say(by, &json!({"type": "join", "room": "hall"}));
        (0..MOST_MESSAGES).for_each(|_| self.broadcast(by));
        self.say(by, &json!({"type": "leave", "room": "hall"}));
        if let Some(line) = self.clients[by].line {
            // As far as its own answers have permits.
            (0..MOST_MESSAGES + 2).for_each(|_| self.read(line, false));
        }
    }

    fn relay(&mut self, by: usize, to: usize) {
        let Some(to) = self.clients[to].session.as_ref().map(|known| self.records[known.record].id) else { return };
        let number = self.number(by);
        self.say(by, &json!({"type": "message", "to": to, "message": number, "ref": number}));
    }

    fn say(&mut self, by: usize, frame: &Value) {
        let client = &mut self.clients[by];
        let Some(known) = &mut client.session else { return };
        known.sent += 1;
        known.kept.push_back((known.sent, frame.to_string()));
        if let Some(line) = client.line.filter(|_| client.is_welcomed) {
            self.send(line, Up::Text(frame.to_string()));
        }
    }

    fn send(&mut self, line: usize, frame: Up) {
        if let Some(line) = self.lines.get_mut(&line).filter(|line| !line.is_cut) {
            line.up.push_back(frame);
        }
    }

    fn acknowledge(&mut self, by: usize) {
        let Some(known) = &mut self.clients[by].session else { return };
        let received = known.received;
        known.acknowledged = received;
        self.say(by, &json!({"type": "received", "count": received}));
    }

    fn open(&mut self, by: usize, choice: Choice) {
        let client = &mut self.clients[by];
        let offer = client.session.as_ref().map(|known| {
            let back = match choice {
                Choice::Newest => 1,
                Choice::Predecessor => 2,
            };
            let token = known.tokens[known.tokens.len().saturating_sub(back)];
            ResumeRequest { token, received: known.received }
        });
        let line = self.next_line;
        self.next_line += 1;
        client.line = Some(line);
        client.is_welcomed = false;
        let (up, down) = (VecDeque::new(), VecDeque::new());
        self.lines.insert(line, Line { client: by, end: End::Waiting(offer), is_cut: false, up, down });
    }

    fn close(&mut self, by: usize) {
        let Some(line) = self.clients[by].line.take() else { return };
        self.clients[by].session = None;
        if let Some(Line { end: End::Open { session, record, .. }, .. }) = self.lines.remove(&line) {
            self.end(session, record);
        }
    }

    fn hear(&mut self, by: usize) {
        let Some(line) = self.clients[by].line else { return };
        let down = self.lines.get_mut(&line).and_then(|line| line.down.pop_front());
        match down {
            Some(Down::Welcome { id, token, accepted }) => self.welcome(by, line, id, token, accepted),
            Some(Down::Frame(number, message)) => {
                let known = self.clients[by].session.as_mut().expect("welcomed");
                known.received += 1;
                assert_eq!(known.received, number, "each frame once, in order");
                self.understand(by, message);
            }
            None => {}
        }
    }

    fn welcome(&mut self, by: usize, line: usize, id: PeerId, token: ResumeToken, accepted: Option<u64>) {
        let record = self.records.iter().position(|record| record.id == id).expect("it was admitted");
        let client = &mut self.clients[by];
        client.is_welcomed = true;
        self.send(line, Up::Pong);
        let client = &mut self.clients[by];
        let Some(accepted) = accepted else {
            client.session = Some(Known {
                record,
                tokens: vec![token],
                received: 0,
                acknowledged: 0,
                sent: 0,
                kept: VecDeque::new(),
                roster: None,
            });
            return;
        };
        let known = client.session.as_mut().expect("it resumes a session that it knows");
        assert_eq!(known.record, record);
        known.tokens.push(token);
        assert!(accepted <= known.sent);
        known.kept.retain(|(number, _)| *number > accepted);
        let resent: Vec<_> = known.kept.iter().map(|(_, text)| text.clone()).collect();
        for text in resent {
            self.send(line, Up::Text(text));
        }
    }

    fn understand(&mut self, by: usize, message: ServerMessage) {
        let known = self.clients[by].session.as_mut().expect("welcomed");
        let me = known.record;
        match message {
            ServerMessage::Relayed { from, payload: Some(payload), .. }
            | ServerMessage::Broadcast { from, payload, .. } => {
                let number = payload.parse().expect("a number");
                let before = self.records[me].heard.insert(from.id(), number);
                assert!(before.is_none_or(|before| before < number), "once and in order: {before:?}, {number}");
                self.delivered.insert((number, me));
            }
            ServerMessage::Notice(Notice::Joined { peers, .. }) => {
                known.roster = Some(peers.iter().map(Address::id).collect());
            }
            ServerMessage::Notice(Notice::Left { .. }) => known.roster = None,
            ServerMessage::Notice(Notice::PeerJoined { peer, .. }) => {
                assert!(known.roster.as_mut().expect("a member").insert(peer.id()), "told once");
            }
            ServerMessage::Notice(Notice::PeerLeft { peer, .. }) => {
                assert!(known.roster.as_mut().expect("a member").remove(&peer.id()), "told once");
            }
            ServerMessage::Notice(Notice::Error(_)) => {
                let mut text = Vec::new();
                v1::write(&message, &mut text);
                self.regret(me, &text);
            }
            ServerMessage::Notice(_)
            | ServerMessage::Relayed { .. }
            | ServerMessage::InSession { .. }
            | ServerMessage::Published(_) => {}
        }
    }

    fn regret(&mut self, me: usize, error: &[u8]) {
        let error: Value = serde_json::from_slice(error).expect("JSON");
        let record_of = |id: &Value| self.records.iter().position(|record| id == &json!(record.id)).expect("an id");
        match (error["code"].as_str().expect("a code"), error["ref"].as_u64()) {
            ("undelivered", None) => {
                let to = record_of(&error["to"]);
                assert!(self.records[to].is_over);
                assert!(self.undelivered.insert((me, to)), "once for each session");
            }
            ("peer-busy", Some(number)) if error["room"].is_string() => {
                let busy: Vec<_> = error["peers"].as_array().expect("a list").iter().map(record_of).collect();
                self.refused.extend(busy.into_iter().map(|to| (number, to)));
            }
            (_, Some(number)) => self.refused.extend(self.said[&number].to.iter().map(|to| (number, *to))),
            (_, None) => {}
        }
    }

    // What the server does.

    fn admit(&mut self, line: usize) {
        let Line { end: End::Waiting(offer), .. } = self.lines[&line] else { return };
        let resumed = offer.as_ref().and_then(|offer| self.hub.resume(offer, None));
        self.assert_resumes(line, offer.as_ref(), resumed.is_some());
        let is_resumed = resumed.is_some();
        let session = resumed.unwrap_or_else(|| self.hub.open(Realm::V1, Lifetime::Resumable, None));
        let (token, accepted) = session.issue_token().expect("it can be resumed");
        let id = session.id();
        let record = self.records.iter().position(|record| record.id == id).unwrap_or_else(|| {
            self.records.push(Record {
                id,
                tokens: Vec::new(),
                spent: Vec::new(),
                processed: 0,
                acknowledged: 0,
                is_member: false,
                is_over: false,
                heard: HashMap::new(),
            });
            self.records.len() - 1
        });
        let known = &mut self.records[record];
        known.tokens.push(token);
        assert_eq!(known.processed, accepted, "exactly what was processed");
        if let Some(offer) = offer.filter(|_| is_resumed) {
            known.acknowledged = known.acknowledged.max(offer.received);
        }
        let line = self.lines.get_mut(&line).expect("it is there");
        line.end = End::Open { session, record, token };
        if !line.is_cut {
            line.down.push_back(Down::Welcome { id, token, accepted: Some(accepted).filter(|_| is_resumed) });
        }
    }

    /// The newest token that a client knows takes its session back, as long as there is one.
    fn assert_resumes(&self, line: usize, offer: Option<&ResumeRequest>, is_resumed: bool) {
        let client = &self.clients[self.lines[&line].client];
        let (Some(known), Some(offer)) = (&client.session, offer) else { return };
        let newest = known.tokens.last().expect("a token").to_string();
        let is_there = self.hub.peers.contains_key(&self.records[known.record].id);
        if client.line == Some(line) && is_there && offer.token.to_string() == newest {
            assert!(is_resumed, "an unspent token of a living session");
        }
    }

    fn read(&mut self, line: usize, refuse: bool) {
        let Line { end: End::Open { session, record, token }, up, .. } =
            self.lines.get_mut(&line).expect("it is there")
        else {
            return;
        };
        let record = *record;
        let text = match up.front() {
            Some(Up::Text(text)) => text.clone(),
            Some(Up::Pong) => {
                let _ = session.hear(Ask::Control, 0, Instant::now(), Vec::new);
                up.pop_front();
                if is_held(session) {
                    self.records[record].confirm(token);
                }
                return;
            }
            None => return,
        };
        let Some(permit) = session.answer_permit() else { return };
        up.pop_front();
        let processed = is_held(session);
        let request = decode(&text).expect("clients keep to the protocol");
        let frame: Value = serde_json::from_str(&text).expect("JSON");
        if processed {
            self.records[record].confirm(token);
            // Before it is done: whom it reaches.
            Self::note(&self.hub, &mut self.records, record, &frame, refuse, (&mut self.unsaid, &mut self.said));
        }
        let decoded = if refuse { Err(Unreadable { reference: request.reference }) } else { Ok(request) };
        let verdict = session.hear(Ask::Frame(decoded, permit), 0, Instant::now(), Vec::new);
        if processed && verdict.refused.is_none() {
            match frame["type"].as_str() {
                Some("join") => self.records[record].is_member = true,
                Some("leave") => self.records[record].is_member = false,
                _ => {}
            }
        }
    }

    fn note(
        hub: &Hub,
        records: &mut [Record],
        by: usize,
        frame: &Value,
        refuse: bool,
        (unsaid, said): (&mut HashMap<u64, usize>, &mut BTreeMap<u64, Said>),
    ) {
        records[by].processed += 1;
        match (frame["type"].as_str(), frame["ref"].as_u64()) {
            (Some("received"), _) if !refuse => {
                let count = frame["count"].as_u64().expect("a count");
                records[by].acknowledged = records[by].acknowledged.max(count);
            }
            (Some("message"), Some(number)) => {
                let is_here = |record: &Record| hub.peers.contains_key(&record.id);
                let all = || 0..records.len();
                let to = if frame["room"].is_string() {
                    let is_reached = |to: &usize| *to != by && records[*to].is_member && is_here(&records[*to]);
                    all().filter(is_reached).collect()
                } else {
                    all().filter(|to| frame["to"] == json!(records[*to].id)).collect()
                };
                assert!(unsaid.remove(&number).is_some(), "processed once");
                said.insert(number, Said { by, to });
            }
            _ => {}
        }
    }

    fn write(&mut self, line: usize) {
        let Line { end: End::Open { session, record, .. }, down, is_cut, .. } =
            self.lines.get_mut(&line).expect("it is there")
        else {
            return;
        };
        let Some(frame) = session.try_next() else { return };
        if let ServerMessage::Relayed { payload: Some(payload), .. } | ServerMessage::Broadcast { payload, .. } =
            frame.message()
        {
            let before = self.numbered.insert((payload.parse().expect("a number"), *record), frame.number);
            assert!(before.is_none_or(|before| before == frame.number), "a frame keeps its number");
        }
        if !*is_cut {
            down.push_back(Down::Frame(frame.number, frame.message().clone()));
        }
        session.written();
    }

    fn cut(&mut self, line: usize) {
        let cut = self.lines.get_mut(&line).expect("it is there");
        cut.is_cut = true;
        cut.up.clear();
        cut.down.clear();
        let client = &mut self.clients[cut.client];
        client.line = client.line.filter(|current| *current != line);
    }

    fn notice(&mut self, line: usize) {
        let is_over = match &self.lines[&line] {
            Line { end: End::Open { session, .. }, is_cut, .. } => *is_cut || revoked(session).is_some(),
            Line { end: End::Waiting(_), is_cut, .. } => *is_cut,
        };
        if is_over {
            self.hang_up(line);
        }
    }

    /// The connection is over; its session is parked, if it can be.
    fn hang_up(&mut self, line: usize) {
        let Line { client, end, .. } = self.lines.remove(&line).expect("it is there");
        let client = &mut self.clients[client];
        client.line = client.line.filter(|current| *current != line);
        let End::Open { session, record, .. } = end else { return };
        match session.park() {
            Some(parked) => self.parked.push((parked, record)),
            // Its client closes it, or it is parked for too long: nothing that others do ends a session.
            None => assert!(!is_held(&session), "a session that is held can be parked"),
        }
    }

    fn expire(&mut self, which: usize) {
        if !self.parked.is_empty() {
            let (session, record) = self.parked.swap_remove(which % self.parked.len());
            self.end(session, record);
        }
    }

    fn end(&mut self, mut session: Session, record: usize) {
        if is_held(&session) {
            self.records[record].is_over = true;
            self.records[record].is_member = false;
        }
        drop(session.end());
    }

    fn assert_few_tokens(&self) {
        for known in self.clients.iter().filter_map(|client| client.session.as_ref()) {
            let Record { tokens, spent, .. } = &self.records[known.record];
            let is_valid = |token: &&ResumeToken| {
                self.hub.can_resume(&ResumeRequest { token: **token, received: known.received }, None)
            };
            let valid: HashSet<_> = tokens.iter().filter(is_valid).map(ToString::to_string).collect();
            assert!(valid.len() <= 2, "two at most");
            assert_eq!(spent.iter().filter(is_valid).count(), 0, "a spent token");
        }
    }

    // The end.

    /// All lose their connection, and those who know a session come back to it.
    fn reconnect(&mut self) {
        while let Some((&line, _)) = self.lines.first_key_value() {
            self.hang_up(line);
        }
        for by in 0..CLIENTS {
            if self.clients[by].session.is_some() {
                self.open(by, Choice::Newest);
                self.on_line(self.lines.len() - 1, Self::admit);
            }
        }
        while !self.parked.is_empty() {
            self.expire(0);
        }
    }

    /// Everything arrives that can.
    fn settle(&mut self) {
        for _ in 0..ROUNDS {
            let lines: Vec<_> = self.lines.keys().copied().collect();
            let mut is_stuck = false;
            for line in lines {
                self.write(line);
                let by = self.lines[&line].client;
                self.hear(by);
                if self.clients[by].session.as_ref().is_some_and(|known| known.received > known.acknowledged) {
                    self.acknowledge(by);
                }
                self.read(line, false);
                is_stuck |= self.is_stuck(line);
                self.notice(line);
            }
            if is_stuck {
                self.reconnect();
            }
            if self.is_quiet() {
                return;
            }
        }
        panic!("it never settles");
    }

    /// A client that has said more than its full queue and its full window have answers for, before it acknowledged:
    /// the server closes with 4001.
    fn is_stuck(&self, line: usize) -> bool {
        let Line { end: End::Open { session, .. }, up, down, .. } = &self.lines[&line] else { return false };
        session.is_window_full() && session.answer_permit().is_none() && down.is_empty() && !up.is_empty()
    }

    fn is_quiet(&mut self) -> bool {
        let lines: Vec<_> = self.lines.keys().copied().collect();
        for line in lines {
            self.write(line);
        }
        self.lines.values().all(|line| {
            let is_settled = |end: &End| matches!(end, End::Open { session, .. } if revoked(session).is_none());
            line.up.is_empty() && line.down.is_empty() && is_settled(&line.end)
        })
    }

    /// Each message has arrived, or its sender knows that it may not have.
    fn assert_fates(&self) {
        let living = |record: &usize| {
            let is_known = |known: &Known| known.record == *record;
            let has = |client: &Client| client.line.is_some() && client.session.as_ref().is_some_and(is_known);
            !self.records[*record].is_over && self.clients.iter().any(has)
        };
        assert!(!self.unsaid.values().any(living), "all that was said is processed");
        let mut owed = HashSet::new();
        for (number, Said { by, to }) in &self.said {
            for to in to {
                let message = (*number, *to);
                let (is_delivered, is_refused) = (self.delivered.contains(&message), self.refused.contains(&message));
                assert!(!(is_delivered && is_refused), "{message:?} was refused and came");
                let is_acknowledged =
                    self.numbered.get(&message).is_some_and(|number| *number <= self.records[*to].acknowledged);
                if !is_refused && self.records[*to].is_over && !is_acknowledged && by != to {
                    owed.insert((*by, *to));
                }
                if living(by) {
                    let is_told = is_refused || self.undelivered.contains(&(*by, *to));
                    assert!(is_delivered || is_told, "{message:?} of {by} is lost without a word");
                }
            }
        }
        let mut wrong = owed.symmetric_difference(&self.undelivered).filter(|(by, _)| living(by));
        assert_eq!(
            wrong.next(),
            None,
            "sender and addressee: the senders that are owed the error are told, and no other"
        );
        for known in self.clients.iter().filter_map(|client| client.session.as_ref()) {
            if living(&known.record) {
                let others = |(number, other): &(usize, &Record)| *number != known.record && other.is_member;
                let members: HashSet<_> = self.records.iter().enumerate().filter(others).map(|(_, r)| r.id).collect();
                let is_member = self.records[known.record].is_member;
                assert_eq!(known.roster, is_member.then_some(members), "the roster");
            }
        }
    }

    fn assert_nothing_left(self) {
        let hub = Arc::clone(&self.hub);
        drop(self);
        assert_eq!((hub.peers(), hub.rooms(), hub.queued_bytes(), hub.handles.len()), (0, 0, 0, 0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn each_message_arrives_once_and_in_order_or_its_sender_is_told(limits in limits(), steps in vec(step(), 0..200)) {
        let mut world = World::new(limits);
        for by in 0..CLIENTS {
            world.open(by, Choice::Newest);
            world.on_line(by, World::admit);
            world.hear(by);
        }
        for step in steps {
            world.take(step);
        }
        world.reconnect();
        world.settle();
        world.assert_fates();
        world.assert_nothing_left();
    }
}

const THREADS: usize = 6;

/// Many threads at once: what one of them does to its session meets what the others do to it.
#[test]
fn threads_that_do_everything_at_once_neither_lock_up_nor_leave_anything() {
    const LIVES: usize = 200;
    let hub = Hub::new(HubLimits {
        allowance: AllowanceLimits::NONE,
        mailbox: MailboxLimits { messages: 8, bytes: 20_000 },
        queued_bytes: 60_000,
        rooms_per_peer: None,
        peers_per_room: None,
        topics: TopicLimits::NONE,
    });
    let (done, ended) = std::sync::mpsc::channel();
    let ids = Arc::new(parking_lot::Mutex::new(vec![PeerId::random(); THREADS]));
    let offers = Arc::new(parking_lot::Mutex::new(vec![None; THREADS]));
    for thread in 0..THREADS {
        let (hub, ids, offers, done) = (Arc::clone(&hub), Arc::clone(&ids), Arc::clone(&offers), done.clone());
        std::thread::spawn(move || {
            let mut stress = Stress { hub, ids, offers, thread, random: thread as u64 + 1 };
            for _ in 0..LIVES {
                stress.live();
            }
            done.send(()).expect("the test waits");
        });
    }
    for _ in 0..THREADS {
        ended.recv_timeout(std::time::Duration::from_mins(1)).expect("every thread comes to its end");
    }
    // No session is left: threads let go of what they hold before they say that they are done.
    assert_eq!((hub.peers(), hub.rooms(), hub.queued_bytes(), hub.handles.len()), (0, 0, 0, 0));
}

/// One thread of it.
struct Stress {
    hub: Arc<Hub>,
    ids: Arc<parking_lot::Mutex<Vec<PeerId>>>,
    /// The newest offer of each thread: any other may take its session over.
    offers: Arc<parking_lot::Mutex<Vec<Option<ResumeRequest>>>>,
    thread: usize,
    random: u64,
}

impl Stress {
    fn random(&mut self, below: usize) -> usize {
        // xorshift64: any order will do, as long as it is not the same in all threads.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random % below as u64).expect("below a usize")
    }

    /// The life of one connection.
    fn live(&mut self) {
        let which = self.random(THREADS);
        let offer = self.offers.lock()[which];
        let resumed = offer.and_then(|offer| self.hub.resume(&offer, None));
        let session = resumed.unwrap_or_else(|| self.hub.open(Realm::V1, Lifetime::Resumable, None));
        let Some((token, _)) = session.issue_token() else { return };
        self.ids.lock()[self.thread] = session.id();
        let mut received = offer.map_or(0, |offer| offer.received);
        for _ in 0..self.random(40) {
            let to = self.random(THREADS);
            let to = self.ids.lock()[to];
            let frame = match self.random(6) {
                0 => json!({"type": "join", "room": "hall"}),
                1 => json!({"type": "leave", "room": "hall"}),
                2 => json!({"type": "message", "room": "hall", "message": 1, "ref": 1}),
                3 => json!({"type": "received", "count": received}),
                _ => json!({"type": "message", "to": to, "message": "x".repeat(100), "ref": 1}),
            };
            if let Some(permit) = session.answer_permit() {
                let text = frame.to_string();
                let verdict = session.hear(Ask::Frame(decode(&text), permit), 0, Instant::now(), Vec::new);
                assert_ne!(verdict.refused, Some(ErrorCode::RateLimited), "there is no limit");
            }
            if let Some(frame) = session.try_next() {
                received = frame.number;
            }
        }
        self.offers.lock()[which] = Some(ResumeRequest { token, received });
        match self.random(4) {
            0 => drop(session),
            1 => drop(
                session.park().map(|parked| self.hub.resume(&ResumeRequest { token, received }, None).or(Some(parked))),
            ),
            _ => drop(session.park()),
        }
    }
}
