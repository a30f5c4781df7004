//! What a peer is, apart from the socket that it speaks through: an id, a mailbox, and its rooms.
//!
//! A connection holds one session, hands it what the client asks for and writes what comes out of it.

use std::collections::HashSet;
use std::sync::Arc;

use dashmap::Entry;

use super::{Frame, Hub, Outbox, Peer, Place, Refused, Room};
use crate::protocol::{
    ClientMessage, ErrorCode, ErrorNotice, IceServer, Kind, Notice, PeerId, Reference, Request, RoomName, ServerMessage,
};

/// A peer that is here. Dropping it ends it: nobody can address it any more, and it leaves its rooms.
#[derive(Debug)]
pub struct Session {
    hub: Arc<Hub>,
    peer: Arc<Peer>,
    outbox: Outbox,
    /// Invariant: the session is a member of exactly these (`a_session_that_ends_leaves_its_rooms`).
    rooms: HashSet<RoomName>,
}

impl Session {
    pub(super) fn new(hub: Arc<Hub>, peer: Arc<Peer>, outbox: Outbox) -> Self {
        Self { hub, peer, outbox, rooms: HashSet::new() }
    }

    /// The peer's address.
    #[must_use]
    pub fn id(&self) -> PeerId {
        self.peer.id
    }

    /// The next message for this peer, as soon as there is one; `None` once the session has ended. Cancel safe.
    pub async fn next(&mut self) -> Option<Frame> {
        self.outbox.next().await
    }

    /// The next message for this peer, if there is one.
    pub fn try_next(&mut self) -> Option<Frame> {
        self.outbox.try_next()
    }

    /// A place for the answer to the client's next frame, or `None` while this peer's own queue has no room.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        self.peer.mailbox.place()
    }

    /// Waits until somebody else had to end this session. Holds no borrow of it.
    pub fn evicted(&self) -> impl Future<Output = ()> + use<> {
        let peer = Arc::clone(&self.peer);
        async move { peer.evicted.notified().await }
    }

    /// What a message costs of the rate, in sixteenths of a message.
    #[must_use]
    pub fn cost(&self, message: &ClientMessage<'_>) -> usize {
        let copies = match message {
            ClientMessage::Broadcast { room, .. } if self.rooms.contains(room) => {
                self.hub.rooms.get(room).map_or(0, |room| room.len())
            }
            _ => 0,
        };
        16 + copies
    }

    /// Does what the client asks for, and puts the one answer, if any is due, into its place. `ice_servers` says what
    /// is handed out to this client at this moment.
    ///
    /// # Errors
    ///
    /// The code of the error that was put there.
    pub fn obey(
        &mut self,
        request: Request<'_>,
        place: Place,
        ice_servers: impl FnOnce() -> Vec<IceServer>,
    ) -> Result<(), ErrorCode> {
        let Request { reference, message } = request;
        match message {
            ClientMessage::Relay { kind, to, payload } => self.relay(kind, &to, payload, reference, place),
            ClientMessage::Broadcast { room, payload } => self.broadcast(room, payload, reference, place),
            ClientMessage::Join(room) => self.join(room, reference, place),
            ClientMessage::Leave(room) => self.leave(room, reference, place),
            ClientMessage::IceServers => {
                self.answer(place, Notice::IceServers { ice_servers: ice_servers(), reference });
                Ok(())
            }
            ClientMessage::Ping => {
                self.acknowledge(place, reference);
                Ok(())
            }
        }
    }

    /// Puts an error into its place. Gives back its code.
    #[must_use]
    pub fn refuse(&self, place: Place, error: ErrorNotice) -> ErrorCode {
        let code = error.code();
        self.answer(place, Notice::Error(Box::new(error)));
        code
    }

    /// Ends the session. What it was told before can still be taken; nothing more comes.
    pub fn end(&mut self) {
        self.peer.mailbox.close();
        self.hub.peers.remove(&self.peer.id);
        for room in std::mem::take(&mut self.rooms) {
            self.depart(&room, None);
        }
        self.outbox.close();
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
                self.acknowledge(place, reference);
                slot.fill(message);
                return Ok(());
            }
            Err(Refused::Closed) => ErrorCode::PeerUnavailable,
            Err(Refused::Full) => ErrorCode::PeerBusy,
        };
        Err(self.refuse(place, ErrorNotice::new(code, reference).to(to)))
    }

    fn broadcast(
        &self,
        name: RoomName,
        payload: &str,
        reference: Option<Reference>,
        place: Place,
    ) -> Result<(), ErrorCode> {
        let room = if self.rooms.contains(&name) { self.hub.rooms.get(&name) } else { None };
        let Some(room) = room else {
            return Err(self.refuse(place, ErrorNotice::new(ErrorCode::NotInRoom, reference).room(name)));
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
            Err(self.refuse(place, ErrorNotice::new(ErrorCode::PeerBusy, reference).room(name).peers(busy)))
        };
        for slot in slots {
            slot.fill(message.clone());
        }
        answered
    }

    fn join(&mut self, name: RoomName, reference: Option<Reference>, place: Place) -> Result<(), ErrorCode> {
        let is_member = self.rooms.contains(&name);
        if !is_member && self.hub.limits.rooms_per_peer.is_some_and(|limit| self.rooms.len() >= limit.get()) {
            return Err(self.refuse(place, ErrorNotice::new(ErrorCode::TooManyRooms, reference).room(name)));
        }
        // The room's lock is held to the end: roster and announcements are one instant.
        let mut room = self.hub.rooms.entry(name.clone()).or_default();
        if !is_member && room.is_full(self.hub.limits.peers_per_room) {
            return Err(self.refuse(place, ErrorNotice::new(ErrorCode::RoomFull, reference).room(name)));
        }
        let peers = room.others(self.peer.id).map(|(id, _)| id).collect();
        self.answer(place, Notice::Joined { room: name.clone(), peers, reference });
        if !is_member {
            self.announce(&room, &Notice::PeerJoined { room: name.clone(), peer: self.peer.id });
            room.insert(self.peer.id, Arc::clone(&self.peer));
            self.rooms.insert(name);
        }
        Ok(())
    }

    fn leave(&mut self, name: RoomName, reference: Option<Reference>, place: Place) -> Result<(), ErrorCode> {
        if !self.rooms.remove(&name) {
            return Err(self.refuse(place, ErrorNotice::new(ErrorCode::NotInRoom, reference).room(name)));
        }
        self.depart(&name, Some((place, Notice::Left { room: name.clone(), reference })));
        Ok(())
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
        let message = ServerMessage::Notice(notice.clone());
        for (_, member) in room.others(self.peer.id) {
            match member.mailbox.reserve(message.weight()) {
                Ok(slot) => slot.fill(message.clone()),
                Err(Refused::Full) => self.hub.evict(member),
                Err(Refused::Closed) => {}
            }
        }
    }

    fn acknowledge(&self, place: Place, reference: Option<Reference>) {
        if let Some(reference) = reference {
            self.answer(place, Notice::Ack { reference });
        }
    }

    fn answer(&self, place: Place, notice: Notice) {
        self.peer.mailbox.answer(place, ServerMessage::Notice(notice));
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.end();
    }
}
