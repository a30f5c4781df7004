//! What a peer is, apart from the socket that it speaks through: an id, a mailbox, and its rooms.
//!
//! A connection holds one session, hands it what the client asks for and writes what comes out of it. When the
//! connection is lost the session can be parked, and a newer connection takes it over, mailbox and all.

use std::collections::HashSet;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use dashmap::Entry;
use parking_lot::MutexGuard;

use super::allowance::MESSAGE_UNITS;
use super::mailbox::Refused;
use super::peer::{Hold, Peer, State};
use super::{Frame, Hub, Place, ResumeToken, Room, Unseated};
use crate::protocol::{
    ClientMessage, ErrorCode, ErrorNotice, IceServer, Kind, Notice, PeerId, Reference, Request, RoomName, ServerMessage,
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
        match self.poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(frame) => Some(frame),
            Poll::Pending => None,
        }
    }

    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Frame> {
        self.held().map_or(Poll::Pending, |mut state| state.poll_next(cx))
    }

    /// All that [`next`](Self::next) gave has been written.
    pub fn written(&self) {
        if let Some(mut state) = self.held() {
            state.written();
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

    /// Spends what a frame of this many bytes costs, if the client may still say as much; says whether it did. `None` is
    /// a frame that is no message.
    #[must_use]
    pub fn afford(&self, message: Option<&ClientMessage<'_>>, bytes: usize, now: Instant) -> bool {
        let Some(mut state) = self.held() else { return true };
        let units = match message {
            // Whoever is told much has to acknowledge much.
            Some(ClientMessage::Received(count)) if state.is_news(*count) => return true,
            Some(ClientMessage::Broadcast { room, .. }) if state.rooms.contains(room) => {
                MESSAGE_UNITS + self.hub.rooms.get(room).map_or(0, |room| room.len())
            }
            _ => MESSAGE_UNITS,
        };
        state.allowance.spend(units, bytes, now)
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
        match message {
            ClientMessage::Relay { kind, to, payload } => self.relay(kind, &to, payload, reference, place),
            ClientMessage::Broadcast { room, payload } => self.broadcast(&state, room, payload, reference, place),
            ClientMessage::Join(room) => self.join(&mut state, room, reference, place),
            ClientMessage::Leave(room) => self.leave(&mut state, room, reference, place),
            ClientMessage::IceServers => {
                self.answer(place, Notice::IceServers { ice_servers: ice_servers(), reference });
                Ok(())
            }
            ClientMessage::Received(count) if !state.acknowledge(count) => {
                Err(self.answer_error(place, ErrorNotice::new(ErrorCode::BadMessage, reference)))
            }
            ClientMessage::Received(_) | ClientMessage::Ping => {
                self.acknowledge(place, reference);
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
            self.answer_error(place, error);
        }
        code
    }

    /// Ends the session, in one step: nothing more is accepted, nobody reaches it, its rooms know, and so does everyone
    /// who said what it has not acknowledged. Gives back what its connection could still be told. An older hold ends
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
        let (senders, rest) = state.finish();
        self.report_undelivered(senders);
        rest
    }

    fn report_undelivered(&self, senders: HashSet<PeerId>) {
        if self.hub.is_closing() {
            return;
        }
        for sender in senders {
            let sender = self.hub.peers.get(&sender).map(|peer| Arc::clone(&peer));
            if let Some(sender) = sender {
                let error = ErrorNotice::new(ErrorCode::Undelivered, None).to(&self.peer.id.to_string());
                self.hub.tell(&sender, ServerMessage::Notice(Notice::Error(Box::new(error))));
            }
        }
    }

    fn relay(
        &self,
        kind: Kind,
        to: &str,
        payload: Option<&str>,
        reference: Option<Reference>,
        place: Place,
    ) -> Result<(), ErrorCode> {
        let message = ServerMessage::Relayed { from: self.peer.id, kind, payload: payload.map(Arc::from) };
        let addressee = self.hub.peer(to);
        let slot = addressee.as_ref().ok_or(Refused::Closed).and_then(|peer| peer.mailbox.reserve(message.weight()));
        let code = match slot {
            Ok(slot) => {
                // Order: the ack is queued before the message, or a quick reply could overtake it.
                let parked = addressee.as_ref().is_some_and(|peer| peer.is_parked());
                self.answer_ack(place, reference, parked);
                slot.fill(message);
                return Ok(());
            }
            Err(Refused::Closed) => ErrorCode::PeerUnavailable,
            Err(Refused::Full) => ErrorCode::PeerBusy,
        };
        Err(self.answer_error(place, ErrorNotice::new(code, reference).to(to)))
    }

    fn broadcast(
        &self,
        state: &State,
        name: RoomName,
        payload: &str,
        reference: Option<Reference>,
        place: Place,
    ) -> Result<(), ErrorCode> {
        let room = if state.rooms.contains(&name) { self.hub.rooms.get(&name) } else { None };
        let Some(room) = room else {
            return Err(self.answer_error(place, ErrorNotice::new(ErrorCode::NotInRoom, reference).room(name)));
        };
        let message = ServerMessage::Broadcast { room: name.clone(), from: self.peer.id, payload: payload.into() };
        let (mut slots, mut busy) = (Vec::with_capacity(room.len()), Vec::new());
        for (id, member) in room.others(self.peer.id) {
            match member.mailbox.reserve(message.weight()) {
                Ok(slot) => slots.push(slot),
                Err(Refused::Full) => busy.push(id),
                // It is on its way out of the room.
                Err(Refused::Closed) => {}
            }
        }
        // Order: as in `relay`.
        let answered = if busy.is_empty() {
            self.acknowledge(place, reference);
            Ok(())
        } else {
            Err(self.answer_error(place, ErrorNotice::new(ErrorCode::PeerBusy, reference).room(name).peers(busy)))
        };
        for slot in slots {
            slot.fill(message.clone());
        }
        answered
    }

    fn join(
        &self,
        state: &mut State,
        name: RoomName,
        reference: Option<Reference>,
        place: Place,
    ) -> Result<(), ErrorCode> {
        if !state.may_enter(&name) {
            return Err(self.answer_error(place, ErrorNotice::new(ErrorCode::RoomNotAllowed, reference).room(name)));
        }
        let is_member = state.rooms.contains(&name);
        if !is_member && self.hub.limits.rooms_per_peer.is_some_and(|limit| state.rooms.len() >= limit.get()) {
            return Err(self.answer_error(place, ErrorNotice::new(ErrorCode::TooManyRooms, reference).room(name)));
        }
        // The room's lock is held to the end: roster and announcements are one instant.
        let mut room = self.hub.rooms.entry(name.clone()).or_default();
        if !is_member && room.is_full(self.hub.limits.peers_per_room) {
            return Err(self.answer_error(place, ErrorNotice::new(ErrorCode::RoomFull, reference).room(name)));
        }
        let peers = room.others(self.peer.id).map(|(id, _)| id).collect();
        self.answer(place, Notice::Joined { room: name.clone(), peers, reference });
        if !is_member {
            self.announce(&room, &Notice::PeerJoined { room: name.clone(), peer: self.peer.id });
            room.insert(self.peer.id, Arc::clone(&self.peer));
            state.rooms.insert(name);
        }
        Ok(())
    }

    fn leave(
        &self,
        state: &mut State,
        name: RoomName,
        reference: Option<Reference>,
        place: Place,
    ) -> Result<(), ErrorCode> {
        if !state.rooms.remove(&name) {
            return Err(self.answer_error(place, ErrorNotice::new(ErrorCode::NotInRoom, reference).room(name)));
        }
        self.depart(&name, Some((place, Notice::Left { room: name.clone(), reference })));
        Ok(())
    }

    /// Leaves the rooms that its credentials do not allow, and is told so.
    pub(super) fn leave_forbidden_rooms(&self) {
        let Some(mut state) = self.held() else { return };
        let forbidden: Vec<RoomName> = state.rooms.iter().filter(|room| !state.may_enter(room)).cloned().collect();
        for name in forbidden {
            state.rooms.remove(&name);
            self.depart(&name, None);
            self.hub.tell(&self.peer, ServerMessage::Notice(Notice::Left { room: name, reference: None }));
        }
    }

    /// Takes this peer out of a room, answers it, tells the others, and takes the room away if it was the last.
    fn depart(&self, name: &RoomName, answer: Option<(Place, Notice)>) {
        let Entry::Occupied(mut entry) = self.hub.rooms.entry(name.clone()) else { return };
        let room = entry.get_mut();
        room.remove(self.peer.id);
        if let Some((place, notice)) = answer {
            self.answer(place, notice);
        }
        self.announce(room, &Notice::PeerLeft { room: name.clone(), peer: self.peer.id });
        if room.is_empty() {
            entry.remove();
        }
    }

    /// Tells all others of a room, or ends those who can't be told: a roster is never silently wrong.
    fn announce(&self, room: &Room<Arc<Peer>>, notice: &Notice) {
        if self.hub.is_closing() {
            return;
        }
        for (_, member) in room.others(self.peer.id) {
            self.hub.tell(member, ServerMessage::Notice(notice.clone()));
        }
    }

    fn acknowledge(&self, place: Place, reference: Option<Reference>) {
        self.answer_ack(place, reference, false);
    }

    fn answer_ack(&self, place: Place, reference: Option<Reference>, parked: bool) {
        if let Some(reference) = reference {
            self.answer(place, Notice::Ack { reference, parked });
        }
    }

    fn answer_error(&self, place: Place, error: ErrorNotice) -> ErrorCode {
        let code = error.code();
        self.answer(place, Notice::Error(Box::new(error)));
        code
    }

    fn answer(&self, place: Place, notice: Notice) {
        self.peer.mailbox.answer(place, ServerMessage::Notice(notice));
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
