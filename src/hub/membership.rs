//! Rooms: entering and leaving, and what the other members are told of it.

use std::num::NonZeroUsize;
use std::sync::Arc;

use dashmap::Entry;
use parking_lot::MutexGuard;

use super::elsewhere::Unanswered;
use super::lobby::{Key, Lobby};
use super::mailbox::Mailbox;
use super::peer::{Peer, State};
use super::reply::Reply;
use super::room::Room;
use super::session::Session;
use crate::protocol::{Doubt, ErrorCode, Notice, RoomName};

impl Session {
    pub(super) fn join(&self, state: &mut State, name: RoomName, mut reply: Reply<'_>) -> Result<(), ErrorCode> {
        if !state.may_enter(&name) {
            return Err(reply.refuse(ErrorCode::RoomNotAllowed, |error| error.room(name)));
        }
        let is_member = state.rooms.contains(&name);
        if !is_member && self.hub.limits.rooms_per_peer.is_some_and(|limit| state.rooms.len() >= limit.get()) {
            return Err(reply.refuse(ErrorCode::TooManyRooms, |error| error.room(name)));
        }
        if !is_member
            && self.peer.realm.spans_nodes()
            && let Some(elsewhere) = &self.hub.elsewhere
        {
            let unanswered = Unanswered::entering(&self.peer, name.clone(), reply.take_reference());
            elsewhere.join(self.peer.room(&name), unanswered);
            return Ok(());
        }
        // The room's lock is held to the end: roster and announcements are one instant.
        let mut room = self.hub.rooms.entry(self.peer.room(&name)).or_default();
        if !is_member && room.is_full(self.hub.limits.peers_per_room) {
            return Err(reply.refuse(ErrorCode::RoomFull, |error| error.room(name)));
        }
        let peers =
            room.others(self.peer.id()).map(|member| &member.address).chain(room.elsewhere()).cloned().collect();
        // The name that all its members share.
        let name = room.key().name.clone();
        if is_member {
            // The roster says it all.
            self.peer.mailbox.forget(&name);
        }
        reply.say(|reference| Notice::Joined { room: name.clone(), peers, reference });
        if !is_member {
            self.announce(&room, |member| member.tell_joined(&name, &self.peer.address));
            room.insert(self.peer.id(), Arc::clone(&self.peer));
            state.rooms.insert(name);
        }
        Ok(())
    }

    /// Enters the group that waits for members in a room. The group is a room of its own, whose name no client knows.
    pub(super) fn join_next(
        &self,
        state: &mut State,
        room: RoomName,
        size: NonZeroUsize,
        doubt: Doubt,
        reply: Reply<'_>,
    ) -> Result<(), ErrorCode> {
        if !state.may_enter(&room) {
            return Err(reply.refuse(ErrorCode::RoomNotAllowed, |error| error.room(room)));
        }
        if !self.hub.may_hold(size) {
            return Err(reply.refuse(ErrorCode::RoomFull, |error| error.room(room)));
        }
        if state.ticket.is_some() {
            return Err(reply.refuse(ErrorCode::TooManyRooms, |error| error.room(room)));
        }
        // Order: the lobby stays locked until the group is told, or one that leaves could be taken for one that is there.
        let mut lobby = self.hub.lobby.lock();
        let key = Key { realm: self.peer.realm, room, size };
        if doubt == Doubt::Heeded && lobby.is_in_doubt(&key) {
            return Err(ErrorCode::PeerBusy);
        }
        let ticket = lobby.enter(key);
        let name = ticket.group.clone();
        state.ticket = Some(Box::new(ticket));
        let mut group = self.hub.rooms.entry(self.peer.room(&name)).or_default();
        self.announce(&group, |member| member.tell_joined(&name, &self.peer.address));
        group.insert(self.peer.id(), Arc::clone(&self.peer));
        state.rooms.insert(name);
        reply.ack(false);
        Ok(())
    }

    /// This peer waits for its group, has been silent, and is asked whether it is there.
    pub fn doubt(&self) {
        if let Some(mut state) = self.held()
            && let Some(ticket) = &mut state.ticket
        {
            self.hub.lobby.lock().doubt(ticket);
        }
    }

    /// It is there.
    pub(super) fn trust(&self, state: &mut State) {
        if let Some(ticket) = state.ticket.as_mut().filter(|ticket| ticket.is_in_doubt()) {
            self.hub.lobby.lock().trust(ticket);
        }
    }

    /// Gives up waiting. Where its group still waits, the lobby is given back locked, so that none enters the group before
    /// this peer has left it.
    pub(super) fn stop_waiting(&self, state: &mut State) -> Option<MutexGuard<'_, Lobby>> {
        let ticket = state.ticket.take()?;
        let mut lobby = self.hub.lobby.lock();
        lobby.leave(&ticket).then_some(lobby)
    }

    pub(super) fn leave(&self, state: &mut State, name: RoomName, reply: Reply<'_>) -> Result<(), ErrorCode> {
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
    pub(super) fn depart(&self, name: &RoomName, reply: Option<Reply<'_>>) {
        self.depart_from(name, reply, |member| member.tell_left(name, &self.peer.address));
    }

    /// The same for a group that was complete: that this peer was there is told in any case, because the others were taken
    /// out of the lobby for it.
    pub(super) fn depart_from_group(&self, group: &RoomName) {
        self.depart_from(group, None, |member| member.tell_left_a_group(group, &self.peer.address));
    }

    fn depart_from(&self, name: &RoomName, reply: Option<Reply<'_>>, tell: impl Fn(&Mailbox)) {
        let Entry::Occupied(mut entry) = self.hub.rooms.entry(self.peer.room(name)) else { return };
        let room = entry.get_mut();
        room.remove(self.peer.id());
        self.peer.mailbox.forget(name);
        if let Some(reply) = reply {
            reply.say(|reference| Notice::Left { room: name.clone(), reference });
        }
        self.announce(room, tell);
        if self.peer.realm.spans_nodes()
            && let Some(elsewhere) = &self.hub.elsewhere
        {
            elsewhere.leave(entry.key(), &self.peer.address);
        }
        let room = entry.get_mut();
        if room.is_empty() {
            entry.remove();
        }
    }

    /// Tells all others of a room.
    fn announce(&self, room: &Room<Arc<Peer>>, tell: impl Fn(&Mailbox)) {
        if self.hub.is_closing() {
            return;
        }
        for member in room.others(self.peer.id()) {
            tell(&member.mailbox);
        }
    }
}
