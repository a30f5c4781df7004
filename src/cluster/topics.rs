//! Topics: which nodes have how many that hear them, and what is said there. The rules.
//!
//! Nothing has to be agreed on: no subscriber is told who comes and goes. Each node tells each other one how many hear a topic
//! there: at once where it is the first or the last, else with the next tick.

use std::collections::{HashMap, HashSet};

use super::envelope::{Envelope, Room};
use super::rules::Rules;
use crate::protocol::{NodeId, RoomKey};

/// How many hear the topics of this node.
#[derive(Debug, Default)]
pub(super) struct Topics {
    here: HashMap<RoomKey, usize>,
    /// Of which the other nodes have another number.
    changed: HashSet<RoomKey>,
}

impl Topics {
    /// So many hear a topic now. Whether others have to know it at once.
    fn set(&mut self, topic: &RoomKey, subscribers: usize) -> bool {
        let before =
            if subscribers == 0 { self.here.remove(topic) } else { self.here.insert(topic.clone(), subscribers) };
        let is_urgent = before.is_none() || subscribers == 0;
        if is_urgent {
            self.changed.remove(topic);
        } else {
            self.changed.insert(topic.clone());
        }
        is_urgent
    }

    fn take_changed(&mut self) -> Vec<(RoomKey, usize)> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().filter_map(|topic| self.here.get(&topic).map(|count| (topic.clone(), *count))).collect()
    }

    fn all(&self) -> Vec<(RoomKey, usize)> {
        self.here.iter().map(|(topic, count)| (topic.clone(), *count)).collect()
    }
}

impl Rules {
    /// So many peers of this node hear a topic.
    pub(super) fn subscribed(&mut self, topic: &RoomKey, subscribers: usize) {
        if self.topics.set(topic, subscribers) {
            self.tell_of_topics(&[(topic.clone(), subscribers)]);
        }
    }

    /// Tells the others what they don't know yet.
    pub(super) fn tell_of_changed_topics(&mut self) {
        let changed = self.topics.take_changed();
        self.tell_of_topics(&changed);
    }

    fn tell_of_topics(&mut self, topics: &[(RoomKey, usize)]) {
        let others: Vec<NodeId> = self.seen.iter().copied().filter(|node| *node != self.node).collect();
        for node in others {
            self.say_topics(node, topics);
        }
    }

    /// Tells a node that is new of all topics.
    pub(super) fn tell_all_topics(&mut self, node: NodeId) {
        let all = self.topics.all();
        self.say_topics(node, &all);
    }

    fn say_topics(&mut self, node: NodeId, topics: &[(RoomKey, usize)]) {
        for (topic, subscribers) in topics {
            let subscribers = u64::try_from(*subscribers).unwrap_or(u64::MAX);
            self.say(node, 0, &Envelope::Hear { topic: Room::from(topic), subscribers });
        }
    }

    pub(super) fn hear_of_topic(&mut self, node: NodeId, topic: RoomKey, subscribers: u64) {
        if let Some(remote) = self.nodes.get_mut(&node) {
            let subscribers = usize::try_from(subscribers).unwrap_or(usize::MAX);
            if subscribers == 0 {
                remote.topics.remove(&topic);
            } else {
                remote.topics.insert(topic, subscribers);
            }
        }
    }

    /// How many hear a topic on other nodes.
    pub(super) fn subscribers(&self, topic: &RoomKey) -> usize {
        self.nodes
            .values()
            .filter_map(|remote| remote.topics.get(topic))
            .fold(0, |all, count| all.saturating_add(*count))
    }

    /// Says something to all that hear a topic on other nodes.
    pub(super) fn publish(&mut self, topic: &RoomKey, payload: &str, count_at: usize, subscribers: usize) {
        let hear = |remote: &super::remote::Remote| remote.is_up && remote.topics.contains_key(topic);
        let nodes: Vec<NodeId> = self.nodes.iter().filter(|(_, remote)| hear(remote)).map(|(node, _)| *node).collect();
        let [count_at, subscribers] = [count_at, subscribers].map(|it| u64::try_from(it).unwrap_or(u64::MAX));
        for node in nodes {
            self.say(node, 0, &Envelope::Publish { topic: Room::from(topic), payload, count_at, subscribers });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{Realm, RoomName};

    #[test]
    fn the_first_and_the_last_are_told_at_once_and_others_together() {
        let topic = RoomKey { realm: Realm::YWebrtc, name: RoomName::topic("draft").unwrap() };
        let mut topics = Topics::default();
        assert!(topics.set(&topic, 1));
        assert!(!topics.set(&topic, 2) && !topics.set(&topic, 3));
        assert_eq!(topics.take_changed(), [(topic.clone(), 3)]);
        assert_eq!(topics.take_changed(), []);
        topics.set(&topic, 2);
        assert!(topics.set(&topic, 0));
        assert_eq!((topics.take_changed(), topics.all()), (vec![], vec![]));
    }
}
