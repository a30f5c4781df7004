//! What the server has to tell a peer unasked, and what of it cancels out while it waits. Pure.
//!
//! Announcements wait in room of their own, which what peers say can't take. Each keeps its position among what peers say:
//! it comes after as many messages of the queue as were there before it.

use std::collections::hash_map::{Entry, HashMap};
use std::collections::{BTreeMap, btree_map};
use std::num::NonZeroU64;
use std::sync::Arc;

use super::debt::Debt;
use super::exchange::{News, Standing};
use crate::protocol::{
    Address, ErrorCode, ErrorNotice, ExchangeNotice, Notice, PeerId, RoomName, ServerMessage, SessionId,
};

/// The memory of one announcement that is about no member of a room, in bytes, at most: three times its entry, because
/// a node of a B-tree may be half full.
pub(super) const PLACED_BYTES: usize = 3 * size_of::<(Number, Placed)>();

/// … and of one that is: its entry in a hash table besides, which may just have grown.
pub(super) const ANNOUNCEMENT_BYTES: usize = PLACED_BYTES + 3 * size_of::<((RoomName, PeerId), Pair)>();

/// Something that the server says unasked.
#[derive(Debug)]
pub(super) enum Announcement {
    /// This peer entered the room.
    Joined(RoomName, Address),
    /// This peer left it.
    Left(RoomName, Address),
    /// The peer itself is no longer in the room: its new credentials do not allow it.
    Expelled(RoomName),
    /// This session ended before it had acknowledged all that the peer said to it.
    Undelivered(Address, Debt),
    /// This peer's status is a new one.
    Status(Arc<Standing>),
    /// This session of the exchange has ended.
    SessionEnded(SessionId),
}

/// In the order in which they were made, from 1.
type Number = NonZeroU64;

#[derive(Debug)]
struct Placed {
    /// How many messages of the queue come before it, of all that ever were in the queue.
    after: u64,
    announcement: Announcement,
}

/// What waits about one member of one room, in the order in which it will be said.
// Invariant: a peer that is told both knows the member before and after, a peer that is told neither knows nothing new:
// `what_waits_is_the_shortest_way_from_what_was_told_to_what_is`.
#[derive(Debug, Default)]
struct Pair {
    left: Option<Number>,
    joined: Option<Number>,
}

/// What waits to be told to one peer.
#[derive(Debug, Default)]
pub(super) struct Announcements {
    waiting: BTreeMap<u64, Placed>,
    /// How many there ever were.
    made: u64,
    about: HashMap<(RoomName, PeerId), Pair>,
    // Invariant: one at most waits about each peer, and none about a peer that the listener has not heard of and that is gone:
    // `one_status_waits_for_each_peer_and_says_what_is_when_it_is_taken`.
    statuses: HashMap<PeerId, (Number, News)>,
}

impl Announcements {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// A peer has entered a room.
    pub(super) fn joined(&mut self, room: &RoomName, peer: &Address, after: u64) {
        let number = self.put(Announcement::Joined(room.clone(), peer.clone()), after);
        self.about.entry((room.clone(), peer.id())).or_default().joined = Some(number);
    }

    /// A peer has left a room. Where its arrival still waits, the two cancel each other.
    pub(super) fn left(&mut self, room: &RoomName, peer: &Address, after: u64) {
        let arrival = self.about.get_mut(&(room.clone(), peer.id())).and_then(|pair| pair.joined.take());
        if let Some(arrival) = arrival {
            self.waiting.remove(&arrival.get());
            self.tidy(room, peer.id());
            return;
        }
        self.left_a_group(room, peer, after);
    }

    /// A peer has left a group that was complete with it, so that its arrival has changed something whether it was told or
    /// not. A group has so many members in all, so this is bounded.
    pub(super) fn left_a_group(&mut self, group: &RoomName, peer: &Address, after: u64) {
        let number = self.put(Announcement::Left(group.clone(), peer.clone()), after);
        self.about.entry((group.clone(), peer.id())).or_default().left = Some(number);
    }

    /// The peer itself has been put out of a room.
    pub(super) fn expelled(&mut self, room: &RoomName, after: u64) {
        self.put(Announcement::Expelled(room.clone()), after);
    }

    /// A session ended that had not acknowledged all.
    pub(super) fn undelivered(&mut self, by: Address, debt: Debt, after: u64) {
        self.put(Announcement::Undelivered(by, debt), after);
    }

    /// A peer has another status. What waits about it says so already; that it came cancels with that it went.
    pub(super) fn status(&mut self, standing: &Arc<Standing>, news: News, after: u64) {
        match self.statuses.get(&standing.peer) {
            Some((number, News::Came)) if news == News::Went => {
                self.waiting.remove(&number.get());
                self.say_status(standing.peer);
            }
            Some(_) => {}
            None => {
                let number = self.put(Announcement::Status(Arc::clone(standing)), after);
                self.statuses.insert(standing.peer, (number, news));
            }
        }
    }

    /// The peer itself listens no more.
    pub(super) fn forget_statuses(&mut self) {
        for (number, _) in std::mem::take(&mut self.statuses).into_values() {
            self.waiting.remove(&number.get());
        }
    }

    fn say_status(&mut self, peer: PeerId) {
        self.statuses.remove(&peer);
        if self.statuses.is_empty() {
            self.statuses = HashMap::new();
        }
    }

    /// A session of the exchange has ended.
    pub(super) fn session_ended(&mut self, session: SessionId, after: u64) {
        self.put(Announcement::SessionEnded(session), after);
    }

    /// The peer itself leaves a room: what waits to be said of it is news no more.
    pub(super) fn forget(&mut self, room: &RoomName) {
        let Self { waiting, about, .. } = self;
        about.retain(|(other, _), pair| {
            let is_other = other != room;
            if !is_other {
                for number in [pair.left, pair.joined].into_iter().flatten() {
                    waiting.remove(&number.get());
                }
            }
            is_other
        });
    }

    /// The next one, if its position has come: all messages are taken that it comes after. `front` is the number of the
    /// queue's first message; none where the queue is empty.
    pub(super) fn take(&mut self, front: Option<u64>) -> Option<Announcement> {
        let first = self.waiting.first_entry()?;
        if front.is_some_and(|front| first.get().after > front) {
            return None;
        }
        let announcement = btree_map::OccupiedEntry::remove(first).announcement;
        match &announcement {
            Announcement::Joined(room, peer) => self.say(room, peer.id(), |pair| pair.joined = None),
            Announcement::Left(room, peer) => self.say(room, peer.id(), |pair| pair.left = None),
            Announcement::Status(standing) => self.say_status(standing.peer),
            Announcement::Expelled(_) | Announcement::Undelivered(..) | Announcement::SessionEnded(_) => {}
        }
        Some(announcement)
    }

    fn say(&mut self, room: &RoomName, peer: PeerId, said: impl FnOnce(&mut Pair)) {
        if let Some(pair) = self.about.get_mut(&(room.clone(), peer)) {
            said(pair);
        }
        self.tidy(room, peer);
    }

    fn put(&mut self, announcement: Announcement, after: u64) -> Number {
        let number = NonZeroU64::MIN.saturating_add(self.made);
        self.made += 1;
        self.waiting.insert(number.get(), Placed { after, announcement });
        number
    }

    /// Holds nothing about a member of whom nothing waits, and no memory where nothing waits at all.
    fn tidy(&mut self, room: &RoomName, peer: PeerId) {
        if let Entry::Occupied(entry) = self.about.entry((room.clone(), peer))
            && entry.get().left.is_none()
            && entry.get().joined.is_none()
        {
            entry.remove();
        }
        if self.about.is_empty() {
            self.about = HashMap::new();
        }
    }
}

impl Announcement {
    /// How it is said, and what is owed until it is acknowledged.
    pub(super) fn into_message(self) -> (ServerMessage, Option<Debt>) {
        let (notice, debt) = match self {
            Self::Joined(room, peer) => (Notice::PeerJoined { room, peer }, None),
            Self::Left(room, peer) => (Notice::PeerLeft { room, peer }, None),
            Self::Expelled(room) => (Notice::Left { room, reference: None }, None),
            Self::Status(standing) => (Notice::Exchange(Box::new(standing.notice())), None),
            Self::SessionEnded(session) => (Notice::Exchange(Box::new(ExchangeNotice::Ended(session))), None),
            Self::Undelivered(by, debt) => {
                let error = ErrorNotice::new(ErrorCode::Undelivered, None).to(&by.to_string());
                (Notice::Error(Box::new(error)), Some(debt))
            }
        };
        (ServerMessage::Notice(notice), debt)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// What happens to a member of a room, and to the queue of the peer that is told.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Enter(usize),
        Leave(usize),
        Say,
        Take,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..3_usize).prop_map(Step::Enter),
            3 => (0..3_usize).prop_map(Step::Leave),
            1 => Just(Step::Say),
            2 => Just(Step::Take),
        ]
    }

    fn room(name: &str) -> RoomName {
        RoomName::new(name).unwrap()
    }

    /// The peer's queue beside its announcements, and what is true and what it was told.
    #[derive(Default)]
    struct World {
        announcements: Announcements,
        queued: u64,
        taken: u64,
        members: BTreeSet<PeerId>,
        told: BTreeSet<PeerId>,
    }

    impl World {
        fn take(&mut self) -> bool {
            let front = (self.taken < self.queued).then_some(self.taken);
            match self.announcements.take(front) {
                Some(Announcement::Joined(_, peer)) => assert!(self.told.insert(peer.id()), "told once"),
                Some(Announcement::Left(_, peer)) => assert!(self.told.remove(&peer.id()), "told once"),
                Some(other) => panic!("{other:?}"),
                None if front.is_some() => self.taken += 1,
                None => return false,
            }
            true
        }

        fn step(&mut self, step: Step, peers: &[PeerId; 3]) {
            let hall = room("hall");
            match step {
                Step::Enter(which) if self.members.insert(peers[which]) => {
                    self.announcements.joined(&hall, &peers[which].into(), self.queued);
                }
                Step::Leave(which) if self.members.remove(&peers[which]) => {
                    self.announcements.left(&hall, &peers[which].into(), self.queued);
                }
                Step::Say => self.queued += 1,
                Step::Take => drop(self.take()),
                Step::Enter(_) | Step::Leave(_) => {}
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_waits_is_the_shortest_way_from_what_was_told_to_what_is(
            steps in proptest::collection::vec(step(), 0..60),
        ) {
            let peers = [(); 3].map(|()| PeerId::random());
            let mut world = World::default();
            for step in steps {
                world.step(step, &peers);
                let waits = |peer: &PeerId| match (world.told.contains(peer), world.members.contains(peer)) {
                    (false, false) => [0, 0],
                    (true, false) | (false, true) => [1, 1],
                    // Nothing, or that it left and came back.
                    (true, true) => [0, 2],
                };
                let [least, most] = peers.iter().map(waits).fold([0, 0], |[a, b], [c, d]| [a + c, b + d]);
                prop_assert!((least..=most).contains(&world.announcements.len()));
            }
            while world.take() {}
            prop_assert_eq!(&world.told, &world.members);
            prop_assert_eq!((world.announcements.len(), world.announcements.about.capacity()), (0, 0));
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Turn {
        Become(usize, bool),
        Take,
        /// The listener listens no more, and then again.
        Forget,
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn one_status_waits_for_each_peer_and_says_what_is_when_it_is_taken(
            turns in proptest::collection::vec(
                prop_oneof![
                    4 => (0..3_usize, any::<bool>()).prop_map(|(which, is_here)| Turn::Become(which, is_here)),
                    2 => Just(Turn::Take),
                    1 => Just(Turn::Forget),
                ],
                0..60,
            ),
        ) {
            let standings = [(); 3].map(|()| Arc::new(Standing::new(PeerId::random())));
            let (mut announcements, mut here, mut told) = (Announcements::default(), [false; 3], [false; 3]);
            let take = |announcements: &mut Announcements, here: [bool; 3], told: &mut [bool; 3]| {
                let Some(Announcement::Status(standing)) = announcements.take(None) else { return false };
                let which = standings.iter().position(|other| Arc::ptr_eq(other, &standing)).unwrap();
                told[which] = here[which];
                true
            };
            for turn in turns {
                match turn {
                    Turn::Become(which, is_here) => {
                        let news = match (here[which], is_here) {
                            (false, true) => News::Came,
                            (true, false) => News::Went,
                            (true, true) => News::Changed,
                            (false, false) => continue,
                        };
                        here[which] = is_here;
                        announcements.status(&standings[which], news, 0);
                    }
                    Turn::Take => drop(take(&mut announcements, here, &mut told)),
                    Turn::Forget => {
                        announcements.forget_statuses();
                        prop_assert_eq!(announcements.len(), 0);
                        // It asks for the list.
                        told = here;
                    }
                }
                let due = (0..3).filter(|which| here[*which] != told[*which]).count();
                let known = (0..3).filter(|which| here[*which] || told[*which]).count();
                prop_assert!((due..=known).contains(&announcements.len()));
            }
            while take(&mut announcements, here, &mut told) {}
            prop_assert_eq!(here, told);
            prop_assert_eq!(announcements.statuses.capacity(), 0);
        }
    }

    #[test]
    fn who_completes_a_group_and_leaves_it_is_told_of_both_times() {
        let (mut announcements, peer) = (Announcements::default(), Address::random());
        announcements.joined(&room("group"), &peer, 0);
        announcements.left_a_group(&room("group"), &peer, 0);
        assert!(matches!(announcements.take(None), Some(Announcement::Joined(..))));
        assert!(matches!(announcements.take(None), Some(Announcement::Left(..))));
        assert_eq!((announcements.len(), announcements.about.len()), (0, 0));
    }

    #[test]
    fn an_announcement_comes_after_as_many_messages_as_were_there_before_it() {
        let mut announcements = Announcements::default();
        announcements.joined(&room("hall"), &Address::random(), 3);
        announcements.expelled(&room("hall"), 5);
        assert!(announcements.take(Some(2)).is_none());
        assert!(matches!(announcements.take(Some(3)), Some(Announcement::Joined(..))));
        assert!(announcements.take(Some(3)).is_none());
        assert!(matches!(announcements.take(None), Some(Announcement::Expelled(_))), "nothing is ahead of it");
    }

    #[test]
    fn what_waits_about_a_room_that_is_left_is_forgotten_and_nothing_else() {
        let (mut announcements, peer) = (Announcements::default(), Address::random());
        announcements.left(&room("hall"), &peer, 0);
        announcements.joined(&room("hall"), &peer, 0);
        announcements.joined(&room("yard"), &peer, 0);
        announcements.expelled(&room("hall"), 0);
        announcements.forget(&room("hall"));
        assert_eq!((announcements.len(), announcements.about.len()), (2, 1));
    }
}
