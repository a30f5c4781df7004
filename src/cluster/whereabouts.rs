//! Where sessions are that are not on the node of their id. Pure.
//!
//! A session is somewhere else than its id says where it was handed over, or where its node is gone and its client has the id
//! again on another one. Nodes that did not see each other may both have it for a while: the one that got it last counts.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::protocol::{NodeId, PeerId};

/// Grows with each node that a session goes to, and more where its id is revived: a higher one is newer. 0: it has not moved.
pub(super) type Epoch = u64;

#[derive(Debug, Default)]
pub(super) struct Whereabouts {
    /// On other nodes.
    elsewhere: HashMap<PeerId, (NodeId, Epoch)>,
    /// On this one, though their ids are another's, or though they were away.
    here: HashMap<PeerId, Epoch>,
    /// That were revived here and have ended: a node that was out of sight may still have an older one.
    ended: HashMap<PeerId, (Epoch, Instant)>,
}

impl Whereabouts {
    /// The other node that has a session.
    pub(super) fn elsewhere(&self, id: PeerId) -> Option<NodeId> {
        self.elsewhere.get(&id).map(|(node, _)| *node)
    }

    pub(super) fn is_here(&self, id: PeerId) -> bool {
        self.here.contains_key(&id)
    }

    /// A session of this node is about to be another's.
    pub(super) fn leaves(&mut self, id: PeerId, to: NodeId) {
        self.elsewhere.insert(id, (to, self.epoch(id) + 1));
    }

    /// … and stays.
    pub(super) fn stays(&mut self, id: PeerId) {
        self.elsewhere.remove(&id);
    }

    /// … and is. Gives its epoch there.
    pub(super) fn gave(&mut self, id: PeerId) -> Epoch {
        self.here.remove(&id).unwrap_or_default() + 1
    }

    /// A session is here.
    pub(super) fn took(&mut self, id: PeerId, epoch: Epoch) {
        self.elsewhere.remove(&id);
        self.here.insert(id, epoch);
    }

    /// An epoch that is newer than those that are known.
    pub(super) fn next(&self, id: PeerId, clock: Epoch) -> Epoch {
        let known = self.elsewhere.get(&id).map(|(_, epoch)| *epoch);
        clock.max(known.unwrap_or_default() + 1).max(self.epoch(id) + 1)
    }

    fn epoch(&self, id: PeerId) -> Epoch {
        self.here.get(&id).copied().unwrap_or_default()
    }

    /// Another node says that it has a session. Whether that is so; then one that is here ends.
    pub(super) fn hear(&mut self, own: NodeId, node: NodeId, id: PeerId, epoch: Epoch) -> bool {
        if self.here.get(&id).is_some_and(|mine| (epoch, own) < (*mine, node)) {
            return false;
        }
        self.here.remove(&id);
        let known = self.elsewhere.entry(id).or_insert((node, epoch));
        if epoch >= known.1 {
            *known = (node, epoch);
        }
        true
    }

    /// Another node says that it had a session of this epoch, which has ended. Whether an older one that is here ends too.
    pub(super) fn is_outlived(&mut self, id: PeerId, epoch: Epoch) -> bool {
        let is_older = self.epoch(id) < epoch;
        if is_older {
            self.here.remove(&id);
        }
        is_older
    }

    /// A session of this node has ended. Whether others have to be told.
    pub(super) fn end(&mut self, id: PeerId, now: Instant) -> bool {
        let Some(epoch) = self.here.remove(&id) else { return false };
        if epoch > 0 {
            self.ended.insert(id, (epoch, now));
        }
        true
    }

    /// A session of another node has ended.
    pub(super) fn hear_end(&mut self, node: NodeId, id: PeerId) {
        if self.elsewhere(id) == Some(node) {
            self.elsewhere.remove(&id);
        }
    }

    /// A node is gone.
    pub(super) fn lose(&mut self, node: NodeId) {
        self.elsewhere.retain(|_, (of, _)| *of != node);
    }

    /// Forgets what has ended so long ago that no older session can be left.
    pub(super) fn tidy(&mut self, now: Instant, window: Duration) {
        self.ended.retain(|_, (_, since)| now.saturating_duration_since(*since) < window);
    }

    /// What is here.
    pub(super) fn here(&self) -> Vec<([u8; 16], Epoch)> {
        self.here.iter().map(|(id, epoch)| (*id.as_bytes(), *epoch)).collect()
    }

    /// What was revived here and has ended.
    pub(super) fn ended(&self) -> Vec<([u8; 16], Epoch)> {
        self.ended.iter().map(|(id, (epoch, _))| (*id.as_bytes(), *epoch)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes() -> [NodeId; 2] {
        let mut nodes = [NodeId::random(), NodeId::random()];
        nodes.sort();
        nodes
    }

    #[test]
    fn of_two_that_have_a_session_the_one_that_got_it_last_keeps_it() {
        let ([first, second], id) = (nodes(), PeerId::random());
        for (mine, theirs, own, other, is_theirs) in [
            (5, 7, first, second, true),
            (7, 5, first, second, false),
            (5, 5, first, second, false),
            (5, 5, second, first, true),
        ] {
            let mut here = Whereabouts::default();
            here.took(id, mine);
            assert_eq!(here.hear(own, other, id, theirs), is_theirs, "{mine} {theirs}");
            assert_eq!((here.is_here(id), here.elsewhere(id).is_some()), (!is_theirs, is_theirs));
        }
    }

    #[test]
    fn a_node_that_was_out_of_sight_hears_of_what_has_ended_meanwhile() {
        let (id, now) = (PeerId::random(), Instant::now());
        let mut there = Whereabouts::default();
        there.took(id, 3);
        assert!(there.end(id, now) && !there.end(id, now));
        let mut here = Whereabouts::default();
        assert_eq!(there.gave(id), 1, "it has not been here");
        assert!(there.ended().iter().all(|(ended, epoch)| here.is_outlived(PeerId::from_bytes(*ended), *epoch)));
        here.took(id, 4);
        assert!(!here.is_outlived(id, 3), "it is newer");
        there.tidy(now + Duration::from_secs(31), Duration::from_secs(30));
        assert!(there.ended().is_empty());
    }

    #[test]
    fn what_a_lost_node_had_is_nowhere() {
        let ([own, node], id) = (nodes(), PeerId::random());
        let mut whereabouts = Whereabouts::default();
        whereabouts.hear(own, node, id, 0);
        assert_eq!(whereabouts.elsewhere(id), Some(node));
        whereabouts.lose(node);
        assert_eq!(whereabouts.elsewhere(id), None);
        assert!(whereabouts.next(id, 10) >= 10);
    }
}
