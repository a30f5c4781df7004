//! What is said to a peer before it knows that it is in a room: by others, whose nodes have heard of it already. It waits for
//! that, and what the same sender says to the peer next waits behind it. Pure.

use std::collections::HashMap;

use super::questions::What;
use super::rules::Rules;
use crate::hub::Owing;
use crate::protocol::{Address, Kind, PeerId, Realm, RoomKey};

/// For one peer, which enters one room at a time.
const MAX_MESSAGES: usize = 64;

/// For all of them, in bytes: they wait for 3 s at most.
const MAX_BYTES: usize = 16 << 20;

#[derive(Debug)]
pub(super) struct Early {
    pub(super) from: Address,
    pub(super) words: Words,
    pub(super) owing: Owing,
}

#[derive(Debug)]
pub(super) enum Words {
    ToRoom(RoomKey, Box<str>),
    ToPeer(Realm, Kind, Option<Box<str>>),
}

impl Words {
    fn bytes(&self) -> usize {
        match self {
            Self::ToRoom(_, payload) => payload.len(),
            Self::ToPeer(_, _, payload) => payload.as_ref().map_or(0, |payload| payload.len()),
        }
    }
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    Early,
    Busy,
}

#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// By addressee; none has an empty list.
    messages: HashMap<PeerId, Vec<Early>>,
    /// Of all payloads.
    bytes: usize,
}

impl Waiting {
    fn keep(&mut self, to: PeerId, early: Early) -> Kept {
        let bytes = early.words.bytes();
        let waiting = self.messages.get(&to).map_or(0, Vec::len);
        if waiting >= MAX_MESSAGES || self.bytes + bytes > MAX_BYTES {
            return Kept::Busy;
        }
        self.bytes += bytes;
        self.messages.entry(to).or_default().push(early);
        Kept::Early
    }

    fn has(&self, from: PeerId, to: PeerId) -> bool {
        self.messages.get(&to).is_some_and(|all| all.iter().any(|early| early.from.id() == from))
    }

    fn take(&mut self, to: PeerId) -> Vec<Early> {
        let all = self.messages.remove(&to).unwrap_or_default();
        self.bytes -= all.iter().map(|early| early.words.bytes()).sum::<usize>();
        all
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }
}

impl Rules {
    /// Keeps what is said to a room for a peer that waits to be let in. None: it does not enter.
    pub(super) fn keep_early(&mut self, room: &RoomKey, to: PeerId, early: impl FnOnce() -> Early) -> Option<Kept> {
        self.is_entering(room, &to.into()).then(|| self.early.keep(to, early()))
    }

    /// Keeps what is said to a peer behind what of the same sender is kept for it. None: nothing is.
    pub(super) fn keep_behind(&mut self, from: PeerId, to: PeerId, early: impl FnOnce() -> Early) -> Option<Kept> {
        self.early.has(from, to).then(|| self.early.keep(to, early()))
    }

    /// Whether something that one peer has said is kept for another one.
    pub(super) fn is_kept(&self, from: PeerId, to: PeerId) -> bool {
        self.early.has(from, to)
    }

    /// The peer knows that it is in the room, or that it is not: what was kept is to be delivered.
    pub(super) fn take_early(&mut self, to: PeerId) -> Vec<Early> {
        self.early.take(to)
    }

    /// Whether a peer waits to be let into a room.
    pub(super) fn is_entering(&self, room: &RoomKey, peer: &Address) -> bool {
        self.questions.of(peer.id()).any(|(_, what)| matches!(what, What::Join { room: other, .. } if other == room))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::hub::Ledger;
    use crate::protocol::NodeId;

    fn early(bytes: usize) -> Early {
        let words = Words::ToPeer(Realm::V1, Kind::Message, Some("x".repeat(bytes).into()));
        let owing = Owing::new(&Arc::<Ledger>::default(), 1);
        Early { from: PeerId::of(NodeId::random()).into(), words, owing }
    }

    #[test]
    fn what_waits_for_one_peer_and_for_all_is_bounded_and_given_back() {
        let (mut waiting, to) = (Waiting::default(), PeerId::random());
        for _ in 0..MAX_MESSAGES {
            assert_eq!(waiting.keep(to, early(1000)), Kept::Early);
        }
        assert_eq!(waiting.keep(to, early(1)), Kept::Busy, "of one peer");
        let keep = |waiting: &mut Waiting| waiting.keep(PeerId::random(), early(100_000));
        let others = std::iter::repeat_with(|| keep(&mut waiting)).take_while(|kept| *kept == Kept::Early).count();
        assert_eq!(others, MAX_BYTES / 100_000, "of all");
        assert_eq!(waiting.take(to).len(), MAX_MESSAGES);
        for to in waiting.messages.keys().copied().collect::<Vec<_>>() {
            waiting.take(to);
        }
        assert_eq!((waiting.bytes, waiting.len()), (0, 0));
    }

    #[test]
    fn only_who_has_something_there_waits_behind_it() {
        let (mut waiting, to) = (Waiting::default(), PeerId::random());
        let first = early(1);
        let from = first.from.id();
        waiting.keep(to, first);
        assert!(waiting.has(from, to) && !waiting.has(to, from) && !waiting.has(PeerId::random(), to));
    }
}
