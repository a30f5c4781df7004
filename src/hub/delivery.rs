//! What one peer says to another, or to a room: into the mailboxes of those that it is for.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::elsewhere::{Elsewhere, Said, Unanswered};
use super::letter::Letter;
use super::mailbox::Refused;
use super::peer::{Peer, State};
use super::reply::Reply;
use super::session::Session;
use crate::protocol::{Address, ErrorCode, Kind, RoomName, ServerMessage};

impl Session {
    pub(super) fn relay(
        &self,
        state: &State,
        kind: Kind,
        to: &str,
        payload: Option<&str>,
        mut reply: Reply<'_>,
    ) -> Result<(), ErrorCode> {
        let addressee = self.addressee(state, to);
        let abroad = match &addressee {
            // Order: behind what is on its way to it by the node on which it was.
            Some(peer) if self.is_on_its_way(peer) => self.hub.elsewhere.as_ref().zip(Some(peer.address.clone())),
            Some(_) => None,
            None => self.abroad(to),
        };
        if let Some((elsewhere, address)) = abroad {
            if !self.peer.mailbox.may_owe() {
                return Err(reply.refuse(ErrorCode::PeerBusy, |error| error.to(to)));
            }
            let unanswered = Unanswered::about_peer(&self.peer, to, reply);
            elsewhere.relay(&address, Said { realm: self.peer.realm, kind, payload }, unanswered);
            return Ok(());
        }
        let Some(addressee) = addressee.filter(|peer| peer.realm.understands(kind, payload.is_some())) else {
            return Err(reply.refuse(ErrorCode::PeerUnavailable, |error| error.to(to)));
        };
        if !self.peer.mailbox.may_owe() {
            return Err(reply.refuse(ErrorCode::PeerBusy, |error| error.to(to)));
        }
        let message = ServerMessage::Relayed { from: self.peer.address.clone(), kind, payload: payload.map(Arc::from) };
        // Order: the ack is ahead of the message, or a quick reply could overtake it.
        reply.keep_seat();
        match addressee.mailbox.put(&Letter::new(message, 1, &self.hub.budget), &self.peer.mailbox) {
            Ok(()) => {
                reply.ack(addressee.is_parked());
                Ok(())
            }
            Err(Refused::Closed) => {
                // On its way to another node, perhaps.
                let Some((elsewhere, address)) = self.abroad(to) else {
                    return Err(reply.refuse(ErrorCode::PeerUnavailable, |error| error.to(to)));
                };
                let unanswered = Unanswered::about_peer(&self.peer, to, reply);
                elsewhere.relay(&address, Said { realm: self.peer.realm, kind, payload }, unanswered);
                Ok(())
            }
            Err(Refused::Full) => Err(reply.refuse(ErrorCode::PeerBusy, |error| error.to(to))),
        }
    }

    /// Whether something of this peer's is on its way to one that has just come here, or that enters a room.
    fn is_on_its_way(&self, to: &Peer) -> bool {
        // One that waits for an answer may be about to enter a room.
        if !to.has_just_come.load(Ordering::Relaxed) && !to.mailbox.is_awaiting() {
            return false;
        }
        let asked = self.hub.elsewhere.as_ref().and_then(|elsewhere| elsewhere.is_on_its_way(self.peer.id(), to.id()));
        if asked.is_none() {
            to.has_just_come.store(false, Ordering::Relaxed);
        }
        asked.unwrap_or(false)
    }

    /// The peer of another node that a text means, if this one may talk to it.
    fn abroad(&self, to: &str) -> Option<(&Arc<dyn Elsewhere>, Address)> {
        if self.peer.realm.keeps_to_rooms() { None } else { self.hub.abroad(self.peer.realm, to) }
    }

    /// The peer of this node that a text means, if this one may talk to it.
    fn addressee(&self, state: &State, to: &str) -> Option<Arc<Peer>> {
        if !self.peer.realm.keeps_to_rooms() {
            return self.hub.reachable(self.peer.realm, to);
        }
        let id = self.peer.realm.key(to).filter(|id| *id != self.peer.id())?;
        state.rooms.iter().find_map(|name| self.hub.rooms.get(&self.peer.room(name))?.get(id).map(Arc::clone))
    }

    pub(super) fn broadcast(
        &self,
        state: &State,
        name: &RoomName,
        payload: &str,
        mut reply: Reply<'_>,
    ) -> Result<(), ErrorCode> {
        let room = if state.rooms.contains(name) { self.hub.rooms.get(&self.peer.room(name)) } else { None };
        let Some(room) = room else {
            return Err(reply.refuse(ErrorCode::NotInRoom, |error| error.room(name.clone())));
        };
        // Order: as in `relay`.
        let apart: Vec<&Arc<Peer>> = room.others(self.peer.id()).filter(|member| self.is_on_its_way(member)).collect();
        let is_apart = |member: &&Arc<Peer>| apart.iter().any(|other| Arc::ptr_eq(other, member));
        let others = || room.others(self.peer.id()).filter(|member| !is_apart(member));
        let is_for_others = room.has_elsewhere() || !apart.is_empty();
        let unanswered = if is_for_others && self.peer.mailbox.may_owe() {
            Some(Unanswered::about_room(&self.peer, name.clone(), reply.take_reference()))
        } else {
            reply.keep_seat();
            None
        };
        let busy: Vec<Address> = if self.peer.mailbox.may_owe() {
            let message = ServerMessage::Broadcast {
                room: name.clone(),
                from: self.peer.address.clone(),
                payload: payload.into(),
            };
            let letter = Letter::new(message, room.len() - 1, &self.hub.budget);
            // One that has closed is on its way out of the room.
            let is_full = |member: &Arc<Peer>| member.mailbox.put(&letter, &self.peer.mailbox) == Err(Refused::Full);
            others().filter(|member| is_full(member)).map(|member| member.address.clone()).collect()
        } else {
            room.others(self.peer.id()).map(|member| &member.address).chain(room.elsewhere()).cloned().collect()
        };
        if let (Some(mut unanswered), Some(elsewhere)) = (unanswered, &self.hub.elsewhere) {
            unanswered.were_busy(busy);
            let held = room.held_elsewhere().map(|(member, node)| (member.clone(), Some(node)));
            let behind = apart.iter().map(|member| (member.address.clone(), None));
            elsewhere.broadcast(room.key(), payload, held.chain(behind).collect(), unanswered);
            return Ok(());
        }
        if busy.is_empty() {
            reply.ack(false);
            return Ok(());
        }
        Err(reply.refuse(ErrorCode::PeerBusy, |error| error.room(name.clone()).peers(busy)))
    }
}
