//! Topics: who hears them, and what is said to all who do. No subscriber is told who comes and goes, and no publisher who
//! could not take a message: the clients that have topics know no errors.

use std::num::NonZeroUsize;
use std::sync::Arc;

use dashmap::Entry;

use super::Hub;
use super::letter::Letter;
use super::mailbox::Refused;
use super::peer::{Peer, State};
use super::recollection::KeptTopics;
use super::reply::Reply;
use super::session::Session;
use crate::protocol::{ErrorCode, Publication, Published, RoomKey, RoomName, ServerMessage, TopicNames, footprint};

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
        if let Some(elsewhere) = &self.hub.elsewhere {
            elsewhere.subscribed(room.key(), room.len());
        }
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
        if let Some(elsewhere) = &self.hub.elsewhere {
            elsewhere.subscribed(entry.key(), entry.get().len());
        }
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
        let key = self.peer.room(&topic);
        let subscribers = self.hub.subscribers(&key);
        if let Some(elsewhere) = &self.hub.elsewhere {
            elsewhere.publish(&key, &payload, count_at, subscribers);
        }
        let full = self.hub.publish(&key, &payload, count_at, subscribers);
        conclude((full > 0).then_some(ErrorCode::PeerBusy), reply)
    }

    /// A client makes itself known. Where it has not subscribed, it may have lost its connection.
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

impl Hub {
    /// How many hear a topic, here and elsewhere.
    pub(super) fn subscribers(&self, topic: &RoomKey) -> usize {
        self.members(topic) + self.elsewhere.as_ref().map_or(0, |elsewhere| elsewhere.subscribers(topic))
    }

    /// Tells all that hear a topic here what is said there, and how many hear it in all. Says how many could not take it.
    pub fn publish(&self, topic: &RoomKey, payload: &str, count_at: usize, subscribers: usize) -> usize {
        let Some(room) = self.rooms.get(topic) else { return 0 };
        let published = Published { topic: room.key().name.clone(), payload: payload.into(), count_at, subscribers };
        let letter = Letter::new(ServerMessage::Published(published), room.len(), &self.budget);
        // One that has closed is on its way out of the topic. All others are tried, the full ones too.
        let is_full = |member: &&Arc<Peer>| member.mailbox.put_unowed(&letter) == Err(Refused::Full);
        room.all().filter(is_full).count()
    }
}

/// An error is counted, and told to clients that know errors.
fn conclude(refused: Option<ErrorCode>, reply: Reply<'_>) -> Result<(), ErrorCode> {
    if let Some(code) = refused {
        return Err(reply.refuse(code, |error| error));
    }
    reply.ack(false);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Instant;

    use proptest::prelude::*;

    use super::*;
    use crate::hub::{AllowanceLimits, Ask, Hub, HubLimits, Lifetime, MailboxLimits};
    use crate::protocol::{ClientMessage, Realm, Request};

    const SEATS: usize = 4;
    const TOPICS: usize = 3;
    const MOST: usize = 2;

    /// What a client does.
    #[derive(Clone, Debug)]
    enum Step {
        Subscribe(usize, Vec<usize>),
        Unsubscribe(usize, Vec<usize>),
        Publish(usize, usize),
        Leave(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        let topics = || proptest::collection::vec(0..TOPICS, 0..4);
        prop_oneof![
            4 => (0..SEATS, topics()).prop_map(|(by, topics)| Step::Subscribe(by, topics)),
            2 => (0..SEATS, topics()).prop_map(|(by, topics)| Step::Unsubscribe(by, topics)),
            4 => (0..SEATS, 0..TOPICS).prop_map(|(by, topic)| Step::Publish(by, topic)),
            1 => (0..SEATS).prop_map(Step::Leave),
        ]
    }

    fn limits(messages: usize) -> HubLimits {
        HubLimits {
            allowance: AllowanceLimits::NONE,
            mailbox: MailboxLimits { messages, bytes: 1 << 20 },
            queued_bytes: 1 << 20,
            rooms_per_peer: None,
            peers_per_room: None,
            topics: TopicLimits { per_peer: NonZeroUsize::new(MOST), subscribers: NonZeroUsize::new(MOST) },
        }
    }

    fn names(topics: &[usize]) -> TopicNames {
        let mut names = TopicNames::default();
        for topic in topics {
            names.push(&topic.to_string());
        }
        names
    }

    fn publish(topic: usize) -> ClientMessage<'static> {
        let topic = RoomName::topic(&topic.to_string()).unwrap();
        ClientMessage::Publish(Publication { topic, payload: "{}".into(), count_at: 1, announces: None })
    }

    fn say(session: &Session, message: ClientMessage<'_>) -> Option<ErrorCode> {
        let ask = Ask::Frame(Ok(Request { reference: None, message }), session.answer_permit().unwrap());
        session.hear(ask, 0, Instant::now(), Vec::new).refused
    }

    /// What a client has been told: of each publication its topic and how many it reached.
    fn told(session: &Session) -> Vec<(String, usize)> {
        let frames = std::iter::from_fn(|| session.try_next());
        let said = frames.filter_map(|frame| match frame.message() {
            ServerMessage::Published(published) => Some((published.topic.to_string(), published.subscribers)),
            _ => None,
        });
        let told = said.collect();
        session.written();
        told
    }

    /// The hub, and what should be so.
    struct World {
        hub: Arc<Hub>,
        seats: [Session; SEATS],
        subscribed: [BTreeSet<usize>; SEATS],
    }

    impl World {
        fn subscribers(&self, topic: usize) -> usize {
            self.subscribed.iter().filter(|topics| topics.contains(&topic)).count()
        }

        /// The code of the last topic that is refused.
        fn subscribe(&mut self, by: usize, topics: &[usize]) -> Option<ErrorCode> {
            let mut refused = None;
            for &topic in topics {
                if self.subscribed[by].contains(&topic) {
                    continue;
                }
                if self.subscribed[by].len() >= MOST {
                    refused = Some(ErrorCode::TooManyRooms);
                } else if self.subscribers(topic) >= MOST {
                    refused = Some(ErrorCode::RoomFull);
                } else {
                    self.subscribed[by].insert(topic);
                }
            }
            refused
        }

        fn take(&mut self, step: Step) {
            match step {
                Step::Subscribe(by, topics) => {
                    let expected = self.subscribe(by, &topics);
                    assert_eq!(say(&self.seats[by], ClientMessage::Subscribe(names(&topics))), expected);
                }
                Step::Unsubscribe(by, topics) => {
                    self.subscribed[by].retain(|topic| !topics.contains(topic));
                    assert_eq!(say(&self.seats[by], ClientMessage::Unsubscribe(names(&topics))), None);
                }
                Step::Publish(by, topic) => {
                    assert_eq!(say(&self.seats[by], publish(topic)), None);
                    let count = self.subscribers(topic);
                    for (session, topics) in self.seats.iter().zip(&self.subscribed) {
                        let expected: Vec<_> =
                            topics.get(&topic).map(|topic| (topic.to_string(), count)).into_iter().collect();
                        assert_eq!(told(session), expected);
                    }
                }
                Step::Leave(by) => {
                    self.seats[by] = self.hub.open(Realm::YWebrtc, Lifetime::Connection, None);
                    self.subscribed[by].clear();
                }
            }
            let topics = (0..TOPICS).filter(|topic| self.subscribers(*topic) > 0).count();
            assert_eq!((self.hub.rooms(), self.hub.peers()), (topics, SEATS));
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_published_reaches_exactly_the_subscribers(steps in proptest::collection::vec(step(), 0..60)) {
            let hub = Hub::new(limits(8));
            let seats = [(); SEATS].map(|()| hub.open(Realm::YWebrtc, Lifetime::Connection, None));
            let mut world = World { hub, seats, subscribed: Default::default() };
            for step in steps {
                world.take(step);
            }
            let World { hub, seats, .. } = world;
            drop(seats);
            prop_assert_eq!((hub.rooms(), hub.peers(), hub.queued_bytes()), (0, 0, 0));
        }
    }

    #[test]
    fn a_full_queue_loses_a_message_for_its_owner_alone() {
        let hub = Hub::new(limits(2));
        let [slow, quick] = [(); 2].map(|()| hub.open(Realm::YWebrtc, Lifetime::Connection, None));
        let outsider = hub.open(Realm::YWebrtc, Lifetime::Connection, None);
        for session in [&slow, &quick] {
            assert_eq!(say(session, ClientMessage::Subscribe(names(&[0]))), None);
        }
        for expected in [None, None, Some(ErrorCode::PeerBusy), Some(ErrorCode::PeerBusy)] {
            assert_eq!(say(&outsider, publish(0)), expected);
            assert_eq!(told(&quick), [("0".to_owned(), 2)]);
            drop(told(&outsider));
        }
        assert_eq!(told(&slow).len(), 2);
    }

    #[test]
    fn a_publisher_is_told_of_no_subscriber_that_ends() {
        let hub = Hub::new(limits(2));
        let [reader, publisher] = [(); 2].map(|()| hub.open(Realm::YWebrtc, Lifetime::Connection, None));
        assert_eq!(say(&reader, ClientMessage::Subscribe(names(&[0]))), None);
        assert_eq!(say(&publisher, publish(0)), None);
        drop(reader);
        assert!(publisher.try_next().is_none());
        assert_eq!(say(&publisher, publish(0)), None, "there is no subscriber");
    }
}
