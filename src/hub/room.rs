//! Who is in a room. Pure: what a member is, and how it is told, is the session's business.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use crate::protocol::{Address, NodeId, PeerId};

/// The members of a room, each with what is needed to reach it.
///
/// A room exists exactly while it has members here: the hub removes it in the step that takes the last one out
/// (`empty_room_is_removed`).
#[derive(Debug)]
pub(crate) struct Room<M> {
    members: HashMap<PeerId, M>,
    /// On other nodes, each with its node. None: there are none.
    #[expect(clippy::box_collection, reason = "most rooms have none: 8 bytes for them in place of 48")]
    elsewhere: Option<Box<HashMap<Address, NodeId>>>,
}

/// Members elsewhere that have come and gone.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) came: Vec<Address>,
    pub(crate) went: Vec<Address>,
}

impl<M> Default for Room<M> {
    fn default() -> Self {
        Self { members: HashMap::new(), elsewhere: None }
    }
}

impl<M> Room<M> {
    /// Whether one more member would be one too many.
    pub(crate) fn is_full(&self, limit: Option<NonZeroUsize>) -> bool {
        limit.is_some_and(|limit| self.members.len() >= limit.get())
    }

    /// Whether no member is here.
    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// How many members are here.
    pub(crate) fn len(&self) -> usize {
        self.members.len()
    }

    /// The members that are elsewhere.
    pub(crate) fn elsewhere(&self) -> impl Iterator<Item = &Address> {
        self.elsewhere.iter().flat_map(|members| members.keys())
    }

    /// … each with its node.
    pub(crate) fn held_elsewhere(&self) -> impl Iterator<Item = (&Address, NodeId)> {
        self.elsewhere.iter().flat_map(|members| members.iter().map(|(peer, node)| (peer, *node)))
    }

    /// Whether there are any.
    pub(crate) fn has_elsewhere(&self) -> bool {
        self.elsewhere.is_some()
    }

    /// How many members there are, here and elsewhere.
    pub(crate) fn size(&self) -> usize {
        self.members.len() + self.elsewhere.as_ref().map_or(0, |members| members.len())
    }

    /// A member elsewhere has come, or is on another node from now on.
    pub(crate) fn came(&mut self, peer: Address, node: NodeId) -> Change {
        if self.members.contains_key(&peer.id()) {
            return Change::default();
        }
        let is_new = self.elsewhere.get_or_insert_default().insert(peer.clone(), node).is_none();
        Change { came: if is_new { vec![peer] } else { Vec::new() }, went: Vec::new() }
    }

    /// A member elsewhere has gone.
    pub(crate) fn went(&mut self, peer: &Address) -> Change {
        self.take_elsewhere(|other, _| other == peer)
    }

    /// All members on a node have gone.
    pub(crate) fn lost(&mut self, node: NodeId) -> Change {
        self.take_elsewhere(|_, of| of == node)
    }

    /// These are the members elsewhere.
    pub(crate) fn set_elsewhere(&mut self, members: Vec<(Address, NodeId)>) -> Change {
        let mut members: HashMap<Address, NodeId> = members.into_iter().collect();
        members.retain(|peer, _| !self.members.contains_key(&peer.id()));
        let known = self.elsewhere.take().map_or_else(HashMap::new, |known| *known);
        let came = members.keys().filter(|peer| !known.contains_key(peer)).cloned().collect();
        let went = known.into_keys().filter(|peer| !members.contains_key(peer)).collect();
        self.elsewhere = (!members.is_empty()).then(|| Box::new(members));
        Change { came, went }
    }

    /// A member of this node is on another one from now on: none is told.
    pub(crate) fn gave(&mut self, peer: &Address, to: NodeId) {
        self.elsewhere.get_or_insert_default().insert(peer.clone(), to);
    }

    fn take_elsewhere(&mut self, is_gone: impl Fn(&Address, NodeId) -> bool) -> Change {
        let Some(members) = &mut self.elsewhere else { return Change::default() };
        let went = members.extract_if(|peer, node| is_gone(peer, *node)).map(|(peer, _)| peer).collect();
        self.elsewhere.take_if(|members| members.is_empty());
        Change { came: Vec::new(), went }
    }

    pub(crate) fn insert(&mut self, id: PeerId, member: M) {
        self.members.insert(id, member);
    }

    pub(crate) fn remove(&mut self, id: PeerId) {
        self.members.remove(&id);
    }

    pub(crate) fn get(&self, id: PeerId) -> Option<&M> {
        self.members.get(&id)
    }

    /// All members that are here.
    pub(crate) fn all(&self) -> impl Iterator<Item = &M> {
        self.members.values()
    }

    /// … but this one.
    pub(crate) fn others(&self, id: PeerId) -> impl Iterator<Item = &M> {
        self.members.iter().filter(move |(other, _)| **other != id).map(|(_, member)| member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_all_members_but_one() {
        let mut room = Room::default();
        let ids = [PeerId::random(), PeerId::random(), PeerId::random()];
        for (number, id) in ids.into_iter().enumerate() {
            room.insert(id, number);
        }
        let mut others: Vec<_> = room.others(ids[1]).copied().collect();
        others.sort_unstable();
        assert_eq!(others, [0, 2]);
        room.remove(ids[0]);
        assert_eq!(room.others(ids[1]).count(), 1);
    }

    #[test]
    fn a_room_is_full_at_its_limit_and_never_without_one() {
        let mut room = Room::default();
        room.insert(PeerId::random(), ());
        assert!(!room.is_full(NonZeroUsize::new(2)));
        room.insert(PeerId::random(), ());
        assert!(room.is_full(NonZeroUsize::new(2)));
        assert!(!room.is_full(None));
    }
}
