//! What a peer says to a name, be a peer there that has it or not yet: at once, in [`PATIENCE`](super::awaited::PATIENCE),
//! or never, and then the sender is told.
//!
//! What waits for a name and the peer that has it are looked at under one lock, the name's entry in `Hub::awaited`, here and
//! in [`Hub::claim`]: else a message could overtake what waits, or wait for a name that is there.

use std::sync::Arc;
use std::time::Instant;

use dashmap::Entry;

use super::Hub;
use super::awaited::{Full, Queue};
use super::letter::Letter;
use super::mailbox::Refused;
use super::peer::{Peer, State};
use super::reply::Reply;
use super::session::Session;
use crate::protocol::{Address, ErrorCode, Kind, PeerId, ServerMessage};

impl Session {
    /// Says something to a name, or has it wait there.
    pub(super) fn relay_to_name(
        &self,
        state: &mut State,
        (kind, to, payload): (Kind, &str, Option<&str>),
        reply: Reply<'_>,
        now: Instant,
    ) -> Result<(), ErrorCode> {
        let Some(name) = Address::named(self.peer.realm, to) else {
            // No client can have it.
            return Err(reply.refuse(ErrorCode::PeerUnavailable, |error| error.to(to)));
        };
        if !self.peer.mailbox.may_owe() {
            return Err(reply.refuse(ErrorCode::PeerBusy, |error| error.to(to)));
        }
        let message = ServerMessage::Relayed { from: self.peer.address.clone(), kind, payload: payload.map(Arc::from) };
        let letter = Letter::new(message, 1, &self.hub.budget);
        if !state.awaiting().may_await(&name) {
            // Order: here, because no code holds two entries.
            self.forget_claimed(state);
        }
        let entry = self.hub.awaited.entry(name.id());
        match self.hub.put(&name, &letter, &self.peer) {
            Ok(()) => reply.ack(false),
            Err(Refused::Closed) if self.leave_for(state, entry, name, letter, now).is_ok() => reply.ack(false),
            Err(_) => return Err(reply.refuse(ErrorCode::PeerBusy, |error| error.to(to))),
        }
        Ok(())
    }

    /// Has a message wait for a name.
    fn leave_for(
        &self,
        state: &mut State,
        entry: Entry<'_, PeerId, Queue>,
        name: Address,
        letter: Arc<Letter>,
        now: Instant,
    ) -> Result<(), Full> {
        let awaiting = state.awaiting();
        if !awaiting.may_await(&name) {
            return Err(Full);
        }
        let (limits, budget) = (self.hub.limits.mailbox, &self.hub.budget);
        let by = (self.peer.id(), awaiting.account());
        let debt = self.peer.mailbox.debt();
        let until = match entry {
            Entry::Occupied(mut entry) => entry.get_mut().put(by, (letter, debt), limits, budget, now)?,
            Entry::Vacant(entry) => {
                let mut queue = Queue::default();
                let until = queue.put(by, (letter, debt), limits, budget, now)?;
                entry.insert(queue);
                until
            }
        };
        awaiting.note(name, until);
        Ok(())
    }

    fn forget_claimed(&self, state: &mut State) {
        let id = self.peer.id();
        let waits = |name| self.hub.awaited.get(&name).is_some_and(|queue| queue.has_sender(id));
        state.awaiting().keep(waits);
    }

    /// When [`pulse`](Self::pulse) will next have something to do.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.held()?.awaits()?.due()
    }

    /// Gives up what has waited for too long, and tells the peer so, once for each name. Says for how many.
    pub fn pulse(&self, now: Instant) -> usize {
        let Some(mut state) = self.held() else { return 0 };
        let due = state.awaiting().take_due(now);
        let given_up = due.into_iter().filter(|name| self.hub.forget(name, |queue| queue.give_up(self.peer.id(), now)));
        given_up.map(|name| self.peer.mailbox.tell_undelivered(name)).count()
    }

    /// The session ends: what it said to absent names goes with it.
    pub(super) fn take_along(&self, state: &mut State) {
        for name in state.take_awaited() {
            self.hub.forget(&name, |queue| {
                queue.forget(self.peer.id());
                true
            });
        }
    }
}

impl Hub {
    /// Puts a message into the mailbox of the peer that has a name. [`Refused::Closed`] where no peer has it.
    fn put(&self, name: &Address, letter: &Arc<Letter>, sender: &Peer) -> Result<(), Refused> {
        let holder = self.peers.get(&name.id()).map(|peer| Arc::clone(&peer));
        holder.map_or(Err(Refused::Closed), |holder| holder.mailbox.put(letter, &sender.mailbox))
    }

    /// Gives a new peer all that waits for its name. `entry` has been locked since before the peer had it.
    pub(super) fn deliver_awaited(entry: Entry<'_, PeerId, Queue>, peer: &Peer) {
        if let Entry::Occupied(entry) = entry {
            peer.mailbox.receive(entry.remove().into_waiting());
        }
    }

    /// Has something forgotten that waits for a name, and holds nothing of a name for which nothing waits.
    fn forget(&self, name: &Address, forget: impl FnOnce(&mut Queue) -> bool) -> bool {
        let Entry::Occupied(mut entry) = self.awaited.entry(name.id()) else { return false };
        let was_there = forget(entry.get_mut());
        if entry.get().is_empty() {
            entry.remove();
        }
        was_there
    }
}
