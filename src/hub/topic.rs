//! Topics: who hears them, and what is said to all who do. No subscriber is told who comes and goes, and no publisher who
//! could not take a message: the clients that have topics know no errors.

use std::num::NonZeroUsize;
use std::sync::Arc;

use dashmap::Entry;

use super::letter::Letter;
use super::mailbox::Refused;
use super::peer::{Peer, State};
use super::recollection::KeptTopics;
use super::reply::Reply;
use super::session::Session;
use crate::protocol::{ErrorCode, Publication, Published, RoomName, ServerMessage, TopicNames, footprint};

/// What topics allow. `None` is no limit.
#[derive(Clone, Copy, Debug)]
pub struct TopicLimits {
    /// Topics that one peer may hear.
    pub per_peer: Option<NonZeroUsize>,
    /// Peers that may hear one topic.
    pub subscribers: Option<NonZeroUsize>,
}

/// What a topic takes besides its name: the subscriber's entry, the room's and its subscriber's in it, each in a table that
/// may just have grown, and what is kept for a client that won't subscribe again.
const TOPIC_BYTES: usize = 1024;

impl TopicLimits {
    /// As many as there are.
    pub const NONE: Self = Self { per_peer: None, subscribers: None };

    /// The memory of all topics of one peer, in bytes. None: there is no limit.
    #[must_use]
    pub fn bytes(self) -> Option<usize> {
        let each = TOPIC_BYTES + footprint::shared(RoomName::MAX_TOPIC_BYTES);
        self.per_peer.map(|limit| limit.get().saturating_mul(each))
    }
}

impl Session {
    /// Subscribes to as many of these topics as it may.
    pub(super) fn subscribe(&self, state: &mut State, topics: &TopicNames, reply: Reply<'_>) -> Result<(), ErrorCode> {
        let mut refused = topics.has_others().then_some(ErrorCode::BadMessage);
        for name in topics.iter() {
            refused = self.subscribe_to(state, name).err().or(refused);
        }
        conclude(refused, reply)
    }

    pub(super) fn unsubscribe(
        &self,
        state: &mut State,
        topics: &TopicNames,
        reply: Reply<'_>,
    ) -> Result<(), ErrorCode> {
        for name in topics.iter() {
            if let Some(name) = state.rooms.take(name) {
                state.unsubscribed(&name);
                self.unsubscribe_from(&name);
            }
        }
        conclude(topics.has_others().then_some(ErrorCode::BadMessage), reply)
    }

    fn subscribe_to(&self, state: &mut State, name: &str) -> Result<(), ErrorCode> {
        let limits = self.hub.limits.topics;
        if state.rooms.contains(name) {
            return Ok(());
        }
        if limits.per_peer.is_some_and(|limit| state.rooms.len() >= limit.get()) {
            return Err(ErrorCode::TooManyRooms);
        }
        let name = RoomName::topic(name).ok_or(ErrorCode::BadMessage)?;
        if !state.may_enter(&name) {
            return Err(ErrorCode::RoomNotAllowed);
        }
        let mut room = self.hub.rooms.entry(self.peer.room(&name)).or_default();
        if room.is_full(limits.subscribers) {
            return Err(ErrorCode::RoomFull);
        }
        // The name that all its subscribers share.
        let name = room.key().name.clone();
        room.insert(self.peer.id(), Arc::clone(&self.peer));
        drop(room);
        if self.peer.realm.keeps_topics() {
            state.subscribed(&name);
        }
        state.rooms.insert(name);
        Ok(())
    }

    /// Takes this peer out of a topic, and the topic away if it was the last.
    pub(super) fn unsubscribe_from(&self, name: &RoomName) {
        let Entry::Occupied(mut entry) = self.hub.rooms.entry(self.peer.room(name)) else { return };
        entry.get_mut().remove(self.peer.id());
        if entry.get().is_empty() {
            entry.remove();
        }
    }

    pub(super) fn publish(
        &self,
        state: &mut State,
        publication: Publication<'_>,
        reply: Reply<'_>,
    ) -> Result<(), ErrorCode> {
        let Publication { topic, payload, count_at, announces } = publication;
        if !state.may_enter(&topic) {
            return conclude(Some(ErrorCode::RoomNotAllowed), reply);
        }
        if let Some(name) = announces.filter(|_| self.peer.realm.keeps_topics()) {
            self.announce_on(state, &name, &topic);
        }
        let Some(room) = self.hub.rooms.get(&self.peer.room(&topic)) else { return conclude(None, reply) };
        let subscribers = room.len();
        let published =
            Published { topic: room.key().name.clone(), payload: payload.as_ref().into(), count_at, subscribers };
        let letter = Letter::new(ServerMessage::Published(published), subscribers, &self.hub.budget);
        // One that has closed is on its way out of the topic. All others are tried, the full ones too.
        let is_full = |member: &&Arc<Peer>| member.mailbox.put_unowed(&letter) == Err(Refused::Full);
        let full = room.all().filter(is_full).count();
        drop(room);
        conclude((full > 0).then_some(ErrorCode::PeerBusy), reply)
    }

    /// A client makes itself known. Where that is the first that it says, it may have lost its connection.
    fn announce_on(&self, state: &mut State, name: &str, topic: &RoomName) {
        for kept in state.announce(&self.hub.recollection, name, topic) {
            // Over a limit it stays without, like any other.
            let _ = self.subscribe_to(state, kept.as_str());
        }
        state.announced(topic);
    }

    /// Keeps the topics of a client that won't subscribe again, as long as what is given back lives. `None`: there is
    /// nothing to keep, or no room for it.
    #[must_use]
    pub fn keep_topics(&self) -> Option<KeptTopics> {
        self.held()?.keep_topics(&self.hub.budget)
    }
}

/// An error is counted, and told to clients that know errors.
fn conclude(refused: Option<ErrorCode>, reply: Reply<'_>) -> Result<(), ErrorCode> {
    match refused {
        Some(code) => Err(reply.refuse(code, |error| error)),
        None => {
            reply.ack(false);
            Ok(())
        }
    }
}
