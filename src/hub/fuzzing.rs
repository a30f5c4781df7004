//! A hub and a few connections without sockets, whose clients say anything. No part of the server.

use std::collections::HashSet;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Instant;

use serde_json::json;
use serde_json::value::RawValue;

use super::{
    AllowanceLimits, Ask, Hub, HubLimits, Lifetime, MailboxLimits, ResumeRequest, ResumeToken, Session, TopicLimits,
};
use crate::auth::Grant;
use crate::dialect::v1::{self, decode};
use crate::protocol::{ErrorCode, PeerId, Realm, RoomName, Unreadable};

const SEATS: usize = 3;

/// So small that each of them is met.
const LIMITS: HubLimits = HubLimits {
    allowance: AllowanceLimits::NONE,
    mailbox: MailboxLimits { messages: 8, bytes: 2000 },
    queued_bytes: 4000,
    rooms_per_peer: NonZeroUsize::new(2),
    peers_per_room: NonZeroUsize::new(2),
    topics: TopicLimits::NONE,
};

const KINDS: [&str; 8] = ["offer", "answer", "candidate", "message", "bye", "join", "leave", "received"];

/// Plays what the bytes say, and asserts what must hold whatever they say. Each step is a byte that says what it is, one
/// for the connection, one for a length, and as many bytes.
///
/// # Panics
///
/// Where something does not hold.
pub fn play_sessions(mut data: &[u8]) {
    let mut world = World::new();
    while let [step, by, length, rest @ ..] = data {
        let (bytes, after) = rest.split_at(rest.len().min((*length).into()));
        data = after;
        world.take(*step, usize::from(*by) % SEATS, bytes);
    }
    world.end();
}

struct World {
    hub: Arc<Hub>,
    seats: [Option<Seat>; SEATS],
    parked: Vec<Session>,
    /// Of all sessions that there have been.
    ids: Vec<PeerId>,
    /// All that were ever issued.
    tokens: Vec<ResumeToken>,
}

/// None, or for one of two people, with all rooms or one.
fn grant(byte: u8) -> Option<Grant> {
    let subject = ["alice", "bob"][usize::from(byte >> 1 & 1)].into();
    let room = RoomName::new(&(byte >> 3 & 3).to_string());
    let rooms = room.filter(|_| byte & 4 != 0).map(|room| Arc::new(HashSet::from([room])));
    (byte & 1 != 0).then_some(Grant { subject, rooms, expires: u64::MAX })
}

/// A connection.
struct Seat {
    session: Session,
    /// The frames that its client has got, over all connections.
    received: u64,
}

impl World {
    fn new() -> Self {
        let mut world = Self {
            hub: Hub::new(LIMITS),
            seats: Default::default(),
            parked: Vec::new(),
            ids: Vec::new(),
            tokens: Vec::new(),
        };
        for by in 0..SEATS {
            world.open(by, Lifetime::Resumable, None);
        }
        world
    }

    fn take(&mut self, step: u8, by: usize, bytes: &[u8]) {
        match step % 9 {
            0 => self.say(by, bytes),
            1 => self.say_well(by, bytes),
            2 => self.write(by, bytes.len(), true),
            3 => self.write(by, bytes.len(), false),
            4 => self.refuse(by, bytes),
            5 => self.park(by),
            6 => self.resume(by, bytes),
            7 => {
                let lifetime = if bytes.len() < 2 { Lifetime::Resumable } else { Lifetime::Connection };
                self.open(by, lifetime, bytes.first().and_then(|byte| grant(*byte)));
            }
            _ => self.seats[by] = None,
        }
    }

    fn seat(&mut self, by: usize, session: Session, received: u64) {
        if let Some((token, _)) = session.issue_token() {
            self.tokens.push(token);
        }
        self.seats[by] = Some(Seat { session, received });
    }

    fn open(&mut self, by: usize, lifetime: Lifetime, grant: Option<Grant>) {
        let session = self.hub.open(Realm::V1, lifetime, grant);
        self.ids.push(session.id());
        self.seat(by, session, 0);
    }

    /// A frame of any text.
    fn say(&self, by: usize, frame: &[u8]) {
        let (Some(Seat { session, .. }), Ok(frame)) = (&self.seats[by], std::str::from_utf8(frame)) else { return };
        let Some(permit) = session.answer_permit() else { return };
        let decoded = decode(frame);
        let (is_message, is_newest) = (decoded.is_ok(), session.held().is_some());
        let verdict = session.hear(Ask::Frame(decoded, permit), 0, Instant::now(), Vec::new);
        assert_ne!(verdict.refused, Some(ErrorCode::RateLimited), "there is no limit");
        // What comes over an older connection is not read: its client says it again.
        assert!(is_message || !is_newest || verdict.refused == Some(ErrorCode::BadMessage));
    }

    /// A message of the protocol: its kind, whom or which room it is for, and the rest is what is said.
    fn say_well(&self, by: usize, bytes: &[u8]) {
        let [kind, to, words @ ..] = bytes else { return };
        let words = String::from_utf8_lossy(words);
        let payload = serde_json::from_str(&words).unwrap_or_else(|_| json!(words));
        let kind = KINDS[usize::from(kind % 8)];
        let mut message = json!({"type": kind, kind: payload, "ref": to});
        match kind {
            "join" | "leave" => message["room"] = json!((to % 4).to_string()),
            "received" => message["count"] = json!(to),
            "message" if *to >= 128 => message["room"] = json!((to % 4).to_string()),
            _ => message["to"] = json!(self.ids[usize::from(*to) % self.ids.len()]),
        }
        self.say(by, message.to_string().as_bytes());
    }

    /// The connection takes what waits, and writes it to the end or not.
    fn write(&mut self, by: usize, frames: usize, is_written: bool) {
        let Some(seat) = &mut self.seats[by] else { return };
        for _ in 0..=frames {
            let Some(frame) = seat.session.try_next() else { break };
            seat.received += 1;
            assert_eq!(frame.number, seat.received, "each once, in order");
            let mut text = Vec::new();
            v1::write(frame.message(), &mut text);
            serde_json::from_slice::<&RawValue>(&text).unwrap_or_else(|error| panic!("{error}: {text:?}"));
        }
        if is_written {
            seat.session.written();
        }
    }

    fn refuse(&self, by: usize, frame: &[u8]) {
        let (Some(Seat { session, .. }), Ok(frame)) = (&self.seats[by], std::str::from_utf8(frame)) else { return };
        if let (Some(permit), Ok(request)) = (session.answer_permit(), decode(frame)) {
            let refusal = Unreadable { reference: request.reference };
            let _ = session.hear(Ask::Frame(Err(refusal), permit), 0, Instant::now(), Vec::new);
        }
        let _ = session.hear(Ask::Control, 0, Instant::now(), Vec::new);
    }

    fn park(&mut self, by: usize) {
        let Some(Seat { session, .. }) = self.seats[by].take() else { return };
        self.parked.extend(session.park());
    }

    /// With a token of any text, or with one that was issued at some time.
    fn resume(&mut self, by: usize, bytes: &[u8]) {
        let [which, received, allowed, text @ ..] = bytes else { return };
        let grant = grant(*allowed);
        let token = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
        let token = token.unwrap_or_else(|| self.tokens[usize::from(*which) % self.tokens.len()]);
        let offer = ResumeRequest { token, received: (*received).into() };
        let can_resume = self.hub.can_resume(&offer, grant.as_ref());
        let resumed = self.hub.resume(&offer, grant.as_ref());
        assert_eq!(resumed.is_some(), can_resume);
        if let Some(session) = resumed {
            assert!(self.ids.contains(&session.id()), "a token is no way into nowhere");
            self.seat(by, session, offer.received);
        }
    }

    /// All leave, and nothing stays.
    fn end(self) {
        let Self { hub, seats, parked, .. } = self;
        for mut seat in seats.into_iter().flatten() {
            for frame in seat.session.end() {
                seat.received += 1;
                assert_eq!(frame.number, seat.received, "the last ones too");
            }
        }
        drop(parked);
        assert_eq!((hub.peers(), hub.rooms(), hub.queued_bytes(), hub.handles.len()), (0, 0, 0, 0), "what is left");
    }
}
