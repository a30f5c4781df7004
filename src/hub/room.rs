//! Who is in a room. Pure: what a member is, and how it is told, is the session's business.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use crate::protocol::PeerId;

/// The members of a room, each with what is needed to reach it.
///
/// A room exists exactly while it has members: the hub removes it in the step that takes the last one out
/// (`empty_room_is_removed`).
#[derive(Debug)]
pub(crate) struct Room<M> {
    members: HashMap<PeerId, M>,
}

impl<M> Default for Room<M> {
    fn default() -> Self {
        Self { members: HashMap::new() }
    }
}

impl<M> Room<M> {
    /// Whether one more member would be one too many.
    pub(crate) fn is_full(&self, limit: Option<NonZeroUsize>) -> bool {
        limit.is_some_and(|limit| self.members.len() >= limit.get())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.members.len()
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

    /// All members.
    pub(crate) fn all(&self) -> impl Iterator<Item = &M> {
        self.members.values()
    }

    /// All members but this one.
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
