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
    /// That were somewhere else and have ended: a node that was out of sight may still have an older one.
    ended: HashMap<PeerId, (Epoch, Instant)>,
    /// That were on nodes which were lost, and when: they may be there still.
    out_of_sight: HashMap<PeerId, Instant>,
}

impl Whereabouts {
    /// The other node that has a session.
    pub(super) fn elsewhere(&self, id: PeerId) -> Option<NodeId> {
        self.elsewhere.get(&id).map(|(node, _)| *node)
    }

    /// … and by which epoch.
    pub(super) fn known(&self, id: PeerId) -> Option<(NodeId, Epoch)> {
        self.elsewhere.get(&id).copied()
    }

    /// Another node knows by this epoch that a session should be here: where it was thought to be before, it is not. It is on its
    /// way, or was lost.
    pub(super) fn should_be_here(&mut self, id: PeerId, epoch: Epoch, now: Instant) {
        if self.known(id).is_some_and(|(_, known)| known < epoch) {
            self.is_lost(id, now);
        }
    }

    /// A node has no session that it was thought to have by this epoch.
    pub(super) fn is_missing(&mut self, node: NodeId, id: PeerId, epoch: Epoch, now: Instant) {
        if self.known(id).is_some_and(|(of, known)| of == node && known <= epoch) {
            self.is_lost(id, now);
        }
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

    /// Whether a newer session of an id is known than one of this epoch.
    pub(super) fn is_outdated(&self, id: PeerId, epoch: Epoch) -> bool {
        let elsewhere = self.elsewhere.get(&id).map(|(_, known)| *known);
        let ended = self.ended.get(&id).map(|(known, _)| *known);
        elsewhere.is_some_and(|known| known > epoch) || ended >= Some(epoch) || self.epoch(id) > epoch
    }

    /// A session is here.
    pub(super) fn took(&mut self, id: PeerId, epoch: Epoch) {
        self.elsewhere.remove(&id);
        self.out_of_sight.remove(&id);
        self.here.insert(id, epoch);
    }

    /// An epoch that is newer than those that are known.
    pub(super) fn next(&self, id: PeerId, clock: Epoch) -> Epoch {
        let elsewhere = self.elsewhere.get(&id).map(|(_, epoch)| *epoch);
        let ended = self.ended.get(&id).map(|(epoch, _)| *epoch);
        let known = elsewhere.max(ended).unwrap_or_default().max(self.epoch(id));
        clock.max(known + 1)
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
        self.out_of_sight.remove(&id);
        let known = self.elsewhere.entry(id).or_insert((node, epoch));
        if epoch >= known.1 {
            *known = (node, epoch);
        }
        true
    }

    /// Another node says that a session of this epoch has ended. Whether an older one that is here ends too.
    pub(super) fn hear_outlived(&mut self, id: PeerId, epoch: Epoch, since: Instant) -> bool {
        let is_older = self.epoch(id) < epoch;
        if is_older {
            self.here.remove(&id);
            let known = self.ended.entry(id).or_insert((epoch, since));
            *known = (*known).max((epoch, since));
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

    /// A session of another node has ended: that is known even if that node is gone too.
    pub(super) fn hear_end(&mut self, node: NodeId, id: PeerId, now: Instant) {
        if let Some((_, epoch)) = self.elsewhere.get(&id).copied().filter(|(of, _)| *of == node) {
            self.elsewhere.remove(&id);
            self.ended.insert(id, (epoch, now));
        }
    }

    /// A session is nowhere.
    pub(super) fn is_lost(&mut self, id: PeerId, now: Instant) {
        self.elsewhere.remove(&id);
        self.out_of_sight.insert(id, now);
    }

    /// A node is gone.
    pub(super) fn lose(&mut self, node: NodeId, now: Instant) {
        let lost = self.elsewhere.extract_if(|_, (of, _)| *of == node).map(|(id, _)| (id, now));
        self.out_of_sight.extend(lost);
    }

    /// Since when the node of a session can't be seen.
    pub(super) fn out_of_sight(&self, id: PeerId) -> Option<Instant> {
        self.out_of_sight.get(&id).copied()
    }

    /// Another node knows that of a session.
    pub(super) fn hear_unseen(&mut self, id: PeerId, since: Instant) {
        if !self.here.contains_key(&id) && !self.elsewhere.contains_key(&id) {
            self.out_of_sight.entry(id).or_insert(since);
        }
    }

    /// All of which that is known.
    pub(super) fn unseen(&self) -> impl Iterator<Item = (PeerId, &Instant)> {
        self.out_of_sight.iter().map(|(id, since)| (*id, since))
    }

    /// Forgets what has ended so long ago that no older session can be left.
    pub(super) fn tidy(&mut self, now: Instant, window: Duration) {
        let is_recent = |since: &Instant| now.saturating_duration_since(*since) < window;
        self.ended.retain(|_, (_, since)| is_recent(since));
        self.out_of_sight.retain(|_, since| is_recent(since));
    }

    /// What is here.
    pub(super) fn here(&self) -> Vec<([u8; 16], Epoch)> {
        self.here.iter().map(|(id, epoch)| (*id.as_bytes(), *epoch)).collect()
    }

    /// What has ended, and when.
    pub(super) fn ended(&self) -> impl Iterator<Item = (PeerId, Epoch, &Instant)> {
        self.ended.iter().map(|(id, (epoch, since))| (*id, *epoch, since))
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
        assert!(there.ended().all(|(ended, epoch, since)| here.hear_outlived(ended, epoch, *since)));
        assert_eq!(here.ended().next(), Some((id, 3, &now)), "and tells others");
        here.took(id, 4);
        assert!(!here.hear_outlived(id, 3, now), "it is newer");
        there.tidy(now + Duration::from_secs(31), Duration::from_secs(30));
        assert!(there.ended().next().is_none());
    }

    #[test]
    fn what_a_node_was_thought_to_have_is_forgotten_and_what_it_got_since_is_not() {
        let ([own, node], id, now) = (nodes(), PeerId::random(), Instant::now());
        let mut whereabouts = Whereabouts::default();
        whereabouts.hear(own, node, id, 3);
        whereabouts.is_missing(node, id, 2, now);
        whereabouts.is_missing(own, id, 3, now);
        assert_eq!(whereabouts.known(id), Some((node, 3)));
        whereabouts.is_missing(node, id, 3, now);
        assert_eq!((whereabouts.known(id), whereabouts.out_of_sight(id)), (None, Some(now)));
    }

    #[test]
    fn what_a_lost_node_had_is_nowhere() {
        let ([own, node], id) = (nodes(), PeerId::random());
        let mut whereabouts = Whereabouts::default();
        whereabouts.hear(own, node, id, 0);
        assert_eq!(whereabouts.elsewhere(id), Some(node));
        whereabouts.lose(node, Instant::now());
        assert!(whereabouts.out_of_sight(id).is_some());
        assert_eq!(whereabouts.elsewhere(id), None);
        assert!(whereabouts.next(id, 10) >= 10);
    }
}
