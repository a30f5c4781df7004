//! What a peer is, apart from the socket that it speaks through: an id, a mailbox, and its rooms.
//!
//! A connection holds one session, hands it what the client asks for and writes what comes out of it. When the
//! connection is lost the session can be parked, and a newer connection takes it over, mailbox and all.

use std::collections::HashSet;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use dashmap::Entry;
use parking_lot::MutexGuard;

use super::allowance::MESSAGE_UNITS;
use super::letter::Letter;
use super::mailbox::{Mailbox, Refused};
use super::peer::{Hold, Peer, State};
use super::reply::Reply;
use super::{Frame, Hub, Place, ResumeToken, Room, Unseated};
use crate::protocol::{
    ClientMessage, ErrorCode, ErrorNotice, IceServer, Kind, Notice, PeerId, Request, RoomName, ServerMessage,
};

/// A hold on a session. Dropping it ends the session: nobody can address it any more, and it leaves its rooms.
///
/// There may be older holds, of connections that do not know yet that they are over: they do nothing.
#[derive(Debug)]
pub struct Session {
    hub: Arc<Hub>,
    peer: Arc<Peer>,
    hold: Hold,
}

/// What has come from a client.
#[derive(Clone, Copy, Debug)]
pub enum Heard<'a> {
    /// A message.
    Message(&'a ClientMessage<'a>),
    /// A frame that is no message: a ping, a pong, or what can't be read.
    Frame,
    /// Bytes of a message that is not whole.
    Part,
}

impl Session {
    pub(super) fn new(hub: Arc<Hub>, peer: Arc<Peer>, hold: Hold) -> Self {
        Self { hub, peer, hold }
    }

    /// The peer's address.
    #[must_use]
    pub fn id(&self) -> PeerId {
        self.peer.id
    }

    /// A token for the next `welcome`, and how many of the client's frames have been processed. `None` where the
    /// session can't be resumed.
    #[must_use]
    pub fn issue_token(&self) -> Option<(ResumeToken, u64)> {
        let mut state = self.held()?;
        let tokens = state.tokens()?;
        let (handle, token) = (tokens.handle, tokens.issue());
        self.hub.handles.entry(handle).or_insert_with(|| Arc::clone(&self.peer));
        Some((token, state.accepted))
    }

    /// A sign of life: the `welcome` has arrived, and its token's predecessor is spent.
    pub fn confirm(&self) {
        if let Some(mut state) = self.held() {
            confirm(&mut state);
        }
    }

    /// The next message for this peer, as soon as there is one. Cancel safe.
    pub async fn next(&self) -> Frame {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The next message for this peer, if there is one.
    #[must_use]
    pub fn try_next(&self) -> Option<Frame> {
        self.held()?.try_next(&self.peer.mailbox)
    }

    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Frame> {
        self.held().map_or(Poll::Pending, |mut state| state.poll_next(&self.peer.mailbox, cx))
    }

    /// All that [`next`](Self::next) gave has been written.
    pub fn written(&self) {
        if let Some(mut state) = self.held() {
            state.written(&self.peer.mailbox);
        }
    }

    /// A place for the answer to the client's next frame, or `None` while this peer's own queue has no room.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        self.peer.mailbox.place()
    }

    /// Whether so much is unacknowledged that nothing more can be sent.
    #[must_use]
    pub fn is_window_full(&self) -> bool {
        self.peer.mailbox.is_window_full()
    }

    /// Waits until this hold is over, or the hub closes. Borrows nothing.
    pub fn unseated(&self) -> impl Future<Output = Unseated> + use<> {
        Arc::clone(&self.peer).unseated(Arc::clone(&self.hub), self.hold)
    }

    /// Hands the session over to the hold that is given back, which waits for a newer connection. `None`: nobody could
    /// take it up again.
    #[must_use]
    pub fn park(&self) -> Option<Self> {
        let hold = self.peer.park(self.hold)?;
        Some(Self { hub: Arc::clone(&self.hub), peer: Arc::clone(&self.peer), hold })
    }

    fn held(&self) -> Option<MutexGuard<'_, State>> {
        self.peer.held(self.hold)
    }

    /// Spends what so many bytes from the client cost, if it may still say as much; says whether it did.
    #[must_use]
    pub fn afford(&self, heard: Heard<'_>, bytes: usize, now: Instant) -> bool {
        let Some(mut state) = self.held() else { return true };
        let units = match heard {
            Heard::Message(message) => self.units(&state, message),
            Heard::Frame => MESSAGE_UNITS,
            Heard::Part => 0,
        };
        state.allowance.spend(units, bytes, now)
    }

    /// What a message costs besides its bytes: what reaches a room costs by its members.
    fn units(&self, state: &State, message: &ClientMessage<'_>) -> usize {
        match message {
            // A client that is told much has to acknowledge much.
            ClientMessage::Received(count) if state.is_news(*count) => 0,
            ClientMessage::Broadcast { room, .. } | ClientMessage::Leave(room) if state.rooms.contains(room) => {
                MESSAGE_UNITS + self.hub.members(room)
            }
            // The roster alone has a line for each of them.
            ClientMessage::Join(room) => MESSAGE_UNITS + self.hub.members(room),
            _ => MESSAGE_UNITS,
        }
    }

    /// Counts a refused frame; says whether the client has to go for it.
    #[must_use]
    pub fn is_lost(&self, now: Instant) -> bool {
        self.held().is_some_and(|mut state| state.allowance.is_lost(now))
    }

    /// Does what the client asks for, and puts the one answer, if any is due, into its place. `ice_servers` says what
    /// is handed out to this client at this moment.
    ///
    /// # Errors
    ///
    /// The code of the error that was put there.
    pub fn obey(
        &self,
        request: Request<'_>,
        place: Place,
        ice_servers: impl FnOnce() -> Vec<IceServer>,
    ) -> Result<(), ErrorCode> {
        // Read no further: the client says it again over its newer connection.
        let Some(mut state) = self.held() else { return Ok(()) };
        process(&mut state);
        let Request { reference, message } = request;
        let reply = Reply::new(&self.peer.mailbox, place, reference);
        match message {
            ClientMessage::Relay { kind, to, payload } => self.relay(kind, &to, payload, reply),
            ClientMessage::Broadcast { room, payload } => self.broadcast(&state, &room, payload, reply),
            ClientMessage::Join(room) => self.join(&mut state, room, reply),
            ClientMessage::Leave(room) => self.leave(&mut state, room, reply),
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

    /// Puts an error into its place. Gives back its code.
    #[must_use]
    pub fn refuse(&self, place: Place, error: ErrorNotice) -> ErrorCode {
        let code = error.code();
        if let Some(mut state) = self.held() {
            process(&mut state);
            self.peer.mailbox.answer(place, Notice::Error(Box::new(error)));
        }
        code
    }

    /// Ends the session, in one step: nothing more is accepted, no peer reaches it, its rooms know, and so does every peer
    /// that said what it has not acknowledged. Gives back what its connection could still be told. An older hold ends
    /// nothing.
    pub fn end(&mut self) -> Vec<Frame> {
        let Some(mut state) = self.held() else { return Vec::new() };
        self.peer.mailbox.close();
        self.hub.peers.remove(&self.peer.id);
        if let Some(tokens) = state.tokens() {
            self.hub.handles.remove(&tokens.handle);
        }
        for room in std::mem::take(&mut state.rooms) {
            self.depart(&room, None);
        }
        let (senders, rest) = state.finish(&self.peer.mailbox);
        self.report_undelivered(senders);
        // Order: what is owed to them is given up once they are told.
        state.settle(&self.peer.mailbox);
        rest
    }

    fn report_undelivered(&self, senders: HashSet<PeerId>) {
        if self.hub.is_closing() {
            return;
        }
        for sender in senders {
            let sender = self.hub.peers.get(&sender).map(|peer| Arc::clone(&peer));
            if let Some(sender) = sender {
                sender.mailbox.tell_undelivered(self.peer.id);
            }
        }
    }

    fn relay(&self, kind: Kind, to: &str, payload: Option<&str>, mut reply: Reply<'_>) -> Result<(), ErrorCode> {
        let Some(addressee) = self.hub.peer(to) else {
            return Err(reply.refuse(ErrorCode::PeerUnavailable, |error| error.to(to)));
        };
        if !self.peer.mailbox.may_owe() {
            return Err(reply.refuse(ErrorCode::PeerBusy, |error| error.to(to)));
        }
        let message = ServerMessage::Relayed { from: self.peer.id, kind, payload: payload.map(Arc::from) };
        // Order: the ack is ahead of the message, or a quick reply could overtake it.
        reply.keep_seat();
        match addressee.mailbox.put(&Letter::new(message, 1, &self.hub.budget), &self.peer.mailbox) {
            Ok(()) => {
                reply.ack(addressee.is_parked());
                Ok(())
            }
            Err(Refused::Closed) => Err(reply.refuse(ErrorCode::PeerUnavailable, |error| error.to(to))),
            Err(Refused::Full) => Err(reply.refuse(ErrorCode::PeerBusy, |error| error.to(to))),
        }
    }

    fn broadcast(&self, state: &State, name: &RoomName, payload: &str, mut reply: Reply<'_>) -> Result<(), ErrorCode> {
        let room = if state.rooms.contains(name) { self.hub.rooms.get(name) } else { None };
        let Some(room) = room else {
            return Err(reply.refuse(ErrorCode::NotInRoom, |error| error.room(name.clone())));
        };
        let others = || room.others(self.peer.id);
        // Order: as in `relay`.
        reply.keep_seat();
        let busy: Vec<PeerId> = if self.peer.mailbox.may_owe() {
            let message = ServerMessage::Broadcast { room: name.clone(), from: self.peer.id, payload: payload.into() };
            let letter = Letter::new(message, room.len() - 1, &self.hub.budget);
            // One that has closed is on its way out of the room.
            let is_full = |member: &Arc<Peer>| member.mailbox.put(&letter, &self.peer.mailbox) == Err(Refused::Full);
            others().filter(|(_, member)| is_full(member)).map(|(id, _)| id).collect()
        } else {
            others().map(|(id, _)| id).collect()
        };
        if busy.is_empty() {
            reply.ack(false);
            return Ok(());
        }
        Err(reply.refuse(ErrorCode::PeerBusy, |error| error.room(name.clone()).peers(busy)))
    }

    fn join(&self, state: &mut State, name: RoomName, reply: Reply<'_>) -> Result<(), ErrorCode> {
        if !state.may_enter(&name) {
            return Err(reply.refuse(ErrorCode::RoomNotAllowed, |error| error.room(name)));
        }
        let is_member = state.rooms.contains(&name);
        if !is_member && self.hub.limits.rooms_per_peer.is_some_and(|limit| state.rooms.len() >= limit.get()) {
            return Err(reply.refuse(ErrorCode::TooManyRooms, |error| error.room(name)));
        }
        // The room's lock is held to the end: roster and announcements are one instant.
        let mut room = self.hub.rooms.entry(name.clone()).or_default();
        if !is_member && room.is_full(self.hub.limits.peers_per_room) {
            return Err(reply.refuse(ErrorCode::RoomFull, |error| error.room(name)));
        }
        let peers = room.others(self.peer.id).map(|(id, _)| id).collect();
        // The name that all its members share.
        let name = room.key().clone();
        if is_member {
            // The roster says it all.
            self.peer.mailbox.forget(&name);
        }
        reply.say(|reference| Notice::Joined { room: name.clone(), peers, reference });
        if !is_member {
            self.announce(&room, |member| member.tell_joined(&name, self.peer.id));
            room.insert(self.peer.id, Arc::clone(&self.peer));
            state.rooms.insert(name);
        }
        Ok(())
    }

    fn leave(&self, state: &mut State, name: RoomName, reply: Reply<'_>) -> Result<(), ErrorCode> {
        if !state.rooms.remove(&name) {
            return Err(reply.refuse(ErrorCode::NotInRoom, |error| error.room(name)));
        }
        self.depart(&name, Some(reply));
        Ok(())
    }

    /// Leaves the rooms that its credentials do not allow, and is told so.
    pub(super) fn leave_forbidden_rooms(&self) {
        let Some(mut state) = self.held() else { return };
        let forbidden: Vec<RoomName> = state.rooms.iter().filter(|room| !state.may_enter(room)).cloned().collect();
        for name in forbidden {
            state.rooms.remove(&name);
            self.depart(&name, None);
            self.peer.mailbox.tell_expelled(&name);
        }
    }

    /// Takes this peer out of a room, answers it, tells the others, and takes the room away if it was the last.
    fn depart(&self, name: &RoomName, reply: Option<Reply<'_>>) {
        let Entry::Occupied(mut entry) = self.hub.rooms.entry(name.clone()) else { return };
        let room = entry.get_mut();
        room.remove(self.peer.id);
        self.peer.mailbox.forget(name);
        if let Some(reply) = reply {
            reply.say(|reference| Notice::Left { room: name.clone(), reference });
        }
        self.announce(room, |member| member.tell_left(name, self.peer.id));
        if room.is_empty() {
            entry.remove();
        }
    }

    /// Tells all others of a room.
    fn announce(&self, room: &Room<Arc<Peer>>, tell: impl Fn(&Mailbox)) {
        if self.hub.is_closing() {
            return;
        }
        for (_, member) in room.others(self.peer.id) {
            tell(&member.mailbox);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.end());
    }
}

/// One more of the client's frames is processed, whatever comes of it. It is also a sign of life.
fn process(state: &mut State) {
    state.accepted += 1;
    confirm(state);
}

fn confirm(state: &mut State) {
    if let Some(tokens) = state.tokens() {
        tokens.confirm();
    }
}
