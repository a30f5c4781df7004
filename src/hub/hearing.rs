//! What a client says to its session: one call, under one lock. What it costs is spent, what it asks for is done, and the
//! answer is in the client's queue.

use std::time::{Duration, Instant};

use super::allowance::MESSAGE_UNITS;
use super::mailbox::AnswerPermit;
use super::peer::State;
use super::reply::Reply;
use super::session::Session;
use crate::protocol::{ClientMessage, ErrorCode, ErrorNotice, IceServer, Notice, Request, Unreadable};

/// What has come from a client.
#[derive(Debug)]
pub enum Ask<'a> {
    /// A frame of the protocol, as it was decoded, and the permit for its answer.
    Frame(Result<Request<'a>, Unreadable>, AnswerPermit),
    /// A ping or a pong.
    Control,
    /// Bytes of a message that is not whole. No sign of life.
    Part,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Verdict {
    /// The code of the error that answers a frame. None: it was done.
    pub refused: Option<ErrorCode>,
    /// Whether the client has been refused too often, and has to go.
    pub is_over: bool,
    /// How long nothing more is to be read from the client, because it has said more than its rate allows.
    pub pause: Duration,
}

impl Verdict {
    const DONE: Self = Self { refused: None, is_over: false, pause: Duration::ZERO };
}

impl Session {
    /// Takes in what has come, so many bytes of it. `ice_servers` says what is handed out to this client at this moment.
    pub fn hear(
        &self,
        ask: Ask<'_>,
        bytes: usize,
        now: Instant,
        ice_servers: impl FnOnce() -> Vec<IceServer>,
    ) -> Verdict {
        // Read no further: the client says it again over its newer connection.
        let Some(mut state) = self.held() else { return Verdict::DONE };
        if !matches!(ask, Ask::Part) {
            self.trust(&mut state);
        }
        let mut pause = Duration::ZERO;
        let (refused, is_abuse) = match ask {
            Ask::Frame(decoded, permit) => {
                self.peer.hear(&mut state);
                let units = decoded.as_ref().map_or(MESSAGE_UNITS, |request| self.units(&state, &request.message));
                let is_affordable;
                (is_affordable, pause) = self.charge(&mut state, units, bytes, now);
                let done = self.hear_frame(&mut state, decoded, permit, is_affordable, now, ice_servers);
                (done.err(), done.is_err_and(ErrorCode::is_abuse))
            }
            Ask::Control => {
                self.peer.hear(&mut state);
                state.confirm();
                let is_affordable;
                (is_affordable, pause) = self.charge(&mut state, MESSAGE_UNITS, bytes, now);
                (None, !is_affordable)
            }
            Ask::Part => (None, !state.allowance.spend(0, bytes, now)),
        };
        Verdict { refused, is_over: is_abuse && state.allowance.is_lost(now), pause }
    }

    fn hear_frame(
        &self,
        state: &mut State,
        decoded: Result<Request<'_>, Unreadable>,
        permit: AnswerPermit,
        is_affordable: bool,
        now: Instant,
        ice_servers: impl FnOnce() -> Vec<IceServer>,
    ) -> Result<(), ErrorCode> {
        state.process();
        let error = match decoded {
            Ok(Request { reference, message }) if is_affordable => {
                let reply = Reply::new(&self.peer.mailbox, permit, reference);
                return self.obey(state, message, reply, now, ice_servers);
            }
            Ok(request) => ErrorNotice::about(ErrorCode::RateLimited, request),
            Err(Unreadable { reference }) => ErrorNotice::new(ErrorCode::BadMessage, reference),
        };
        let code = error.code;
        self.peer.mailbox.answer(permit, Notice::Error(Box::new(error)));
        Err(code)
    }

    /// Whether the client may say something of this price, and how long nothing more is to be read from it.
    fn charge(&self, state: &mut State, units: usize, bytes: usize, now: Instant) -> (bool, Duration) {
        if self.peer.realm.has_topics() {
            // Its clients know no errors: what is refused would be lost without a word.
            return (true, state.allowance.owe(units, bytes, now));
        }
        (state.allowance.spend(units, bytes, now), Duration::ZERO)
    }

    /// What a message costs besides its bytes: what reaches a room costs by its members.
    fn units(&self, state: &State, message: &ClientMessage<'_>) -> usize {
        match message {
            // Acknowledgements are as many as the frames that others cause.
            ClientMessage::Received(count) if state.is_news(*count) => 0,
            ClientMessage::Broadcast { room, .. } | ClientMessage::Leave(room) if state.rooms.contains(room) => {
                MESSAGE_UNITS + self.hub.members(&self.peer.room(room))
            }
            ClientMessage::Exchange(request) => MESSAGE_UNITS + self.exchange_units(request),
            ClientMessage::JoinNext { size, .. } => MESSAGE_UNITS.saturating_add(size.get()),
            // The roster alone has a line for each of them.
            ClientMessage::Join(room) => MESSAGE_UNITS + self.hub.members(&self.peer.room(room)),
            // What is delivered is counted, not what is published.
            ClientMessage::Publish(publication) => {
                MESSAGE_UNITS + self.hub.subscribers(&self.peer.room(&publication.topic))
            }
            ClientMessage::Subscribe(topics) | ClientMessage::Unsubscribe(topics) => MESSAGE_UNITS + topics.len(),
            _ => MESSAGE_UNITS,
        }
    }

    fn obey(
        &self,
        state: &mut State,
        message: ClientMessage<'_>,
        reply: Reply<'_>,
        now: Instant,
        ice_servers: impl FnOnce() -> Vec<IceServer>,
    ) -> Result<(), ErrorCode> {
        match message {
            ClientMessage::Relay { kind, to, payload } if self.peer.realm.awaits() => {
                self.relay_to_name(state, (kind, &to, payload), reply, now)
            }
            ClientMessage::Relay { kind, to, payload } => self.relay(state, kind, &to, payload, reply),
            ClientMessage::Broadcast { room, payload } => self.broadcast(state, &room, payload, reply),
            ClientMessage::Join(room) => self.join(state, room, reply),
            ClientMessage::JoinNext { room, size, doubt } => self.join_next(state, room, size, doubt, reply),
            ClientMessage::Leave(room) => self.leave(state, room, reply),
            ClientMessage::Exchange(request) => self.exchange(request, reply),
            ClientMessage::Subscribe(topics) => self.subscribe(state, &topics, reply),
            ClientMessage::Unsubscribe(topics) => self.unsubscribe(state, &topics, reply),
            ClientMessage::Publish(publication) => self.publish(state, publication, reply),
            ClientMessage::IceServers => {
                reply.say(|reference| Notice::IceServers { ice_servers: ice_servers(), reference });
                Ok(())
            }
            ClientMessage::Received(count) if !state.acknowledge(&self.peer.mailbox, count) => {
                Err(reply.refuse(ErrorCode::BadMessage, |error| error))
            }
            ClientMessage::Received(_) | ClientMessage::Ping => {
                reply.ack(false);
                Ok(())
            }
        }
    }
}
