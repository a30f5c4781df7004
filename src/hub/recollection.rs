//! The topics of clients that do not subscribe again after a reconnect, each under the name by which its client makes
//! itself known on them. A client that comes back and says its name gets them again.
//!
//! A name is no secret: all that hear a topic know the names that were announced there. So a name gives back the topic on
//! which it is announced anew, if it was announced there before, and its owner's own topic of that room. A client of Trystero
//! subscribes to its own topic of a room and then to the room's, and each member of the room can tell what both are. Its
//! topics in other rooms, which have the same name, are none of theirs: where it can't be told which topic is whose, none but
//! the room's is given back.

use std::sync::Arc;

use dashmap::{DashMap, Entry};
use parking_lot::Mutex;

use super::budget::{Budget, Reservation};
use crate::protocol::{RoomName, footprint};

/// The topics that are kept of one client: 64 rooms of Trystero's.
const MAX_TOPICS: usize = 128;

/// The clients of one subject that may have one name at a time, the latest of them. One whose network changes often leaves some
/// behind.
const MAX_RECORDS: usize = 4;

/// The memory of what is kept for a client that is gone, in bytes: the topics of 30 rooms of Trystero's.
const KEPT_BYTES: usize = 8 * 1024;

/// All names that are known, with the topics of those that have them.
#[derive(Debug, Default)]
pub(super) struct Recollection {
    // Invariant: a name is here exactly while a client that is here or was lately has it
    // (`names_and_topics_are_forgotten_with_their_last_client`).
    names: DashMap<Box<str>, Vec<Arc<Record>>>,
}

/// The topics of one client.
#[derive(Debug)]
struct Record {
    /// Whose credentials it has, where they are asked for.
    subject: Option<Arc<str>>,
    /// In the order in which its client subscribed.
    topics: Mutex<Vec<KnownTopic>>,
}

#[derive(Debug)]
struct KnownTopic {
    topic: RoomName,
    /// Whether its client has said its name there.
    is_announced: bool,
}

/// What is remembered of a client that is here. The session has it, behind its lock.
#[derive(Debug)]
pub(super) struct Trail {
    record: Arc<Record>,
    /// Set by the first announcement.
    entry: Option<RecordEntry>,
    /// Whether the client announced itself without a subscription, as one does that takes itself for subscribed.
    recalls: bool,
}

/// A record under a name, until it is dropped.
#[derive(Debug)]
struct RecordEntry {
    recollection: Arc<Recollection>,
    name: Box<str>,
    record: Arc<Record>,
}

/// The topics of a client that is gone, until this is dropped.
#[derive(Debug)]
pub struct KeptTopics {
    _entry: RecordEntry,
    _reservation: Reservation,
}

impl Recollection {
    /// How many names are known.
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    fn enter(self: &Arc<Self>, name: &str, record: &Arc<Record>) -> RecordEntry {
        let mut records = self.names.entry(name.into()).or_default();
        let is_of_same = |other: &Arc<Record>| other.subject == record.subject;
        if records.iter().filter(|other| is_of_same(other)).count() >= MAX_RECORDS
            && let Some(oldest) = records.iter().position(is_of_same)
        {
            records.remove(oldest);
        }
        records.push(Arc::clone(record));
        drop(records);
        RecordEntry { recollection: Arc::clone(self), name: name.into(), record: Arc::clone(record) }
    }

    /// What a client that says this name on this topic gets back, of what others of the same name and subject had.
    fn recall(&self, name: &str, topic: &RoomName, own: &Arc<Record>) -> Vec<RoomName> {
        let Some(records) = self.names.get(name) else { return Vec::new() };
        let others = records.iter().filter(|record| !Arc::ptr_eq(record, own) && record.subject == own.subject);
        others.flat_map(|record| record.given_back_on(topic)).collect()
    }
}

impl Record {
    fn given_back_on(&self, topic: &RoomName) -> Vec<RoomName> {
        let topics = self.topics.lock();
        let Some(at) = topics.iter().position(|known| known.is_announced && known.topic == *topic) else {
            return Vec::new();
        };
        let own = own_topic(&topics, at);
        own.into_iter().chain([&topics[at]]).map(|known| known.topic.clone()).collect()
    }

    /// Gives up what is beyond the memory that may be kept, and says how much the rest takes. `None`: nothing could be
    /// given back.
    fn shrink(&self) -> Option<usize> {
        let mut topics = self.topics.lock();
        let mut bytes = 0;
        topics.retain(|known| {
            let each = 2 * size_of::<KnownTopic>() + footprint::shared(known.topic.as_str().len());
            let is_kept = bytes + each <= KEPT_BYTES;
            bytes += if is_kept { each } else { 0 };
            is_kept
        });
        topics.iter().any(|known| known.is_announced).then_some(bytes)
    }
}

/// The topic on which a client itself is reached in the room whose topic is at this index. Rooms that are entered at once may
/// have their subscriptions mixed, but each kind in order.
fn own_topic(topics: &[KnownTopic], at: usize) -> Option<&KnownTopic> {
    let own: Vec<&KnownTopic> = topics.iter().filter(|known| !known.is_announced).collect();
    let rooms_before = topics[..at].iter().filter(|known| known.is_announced).count();
    if 2 * own.len() == topics.len() {
        return Some(own[rooms_before]);
    }
    // Some room has not heard of it yet: then only a pair that stands alone is sure.
    match &topics[..at] {
        [] | [.., KnownTopic { is_announced: true, .. }] => None,
        [only] | [.., KnownTopic { is_announced: true, .. }, only] => Some(only),
        _ => None,
    }
}

impl Trail {
    pub(super) fn new(subject: Option<Arc<str>>) -> Self {
        let record = Arc::new(Record { subject, topics: Mutex::default() });
        Self { record, entry: None, recalls: false }
    }

    pub(super) fn subscribed(&self, topic: &RoomName) {
        let mut topics = self.record.topics.lock();
        if topics.len() < MAX_TOPICS {
            topics.push(KnownTopic { topic: topic.clone(), is_announced: false });
        }
    }

    pub(super) fn unsubscribed(&self, topic: &RoomName) {
        self.record.topics.lock().retain(|known| known.topic != *topic);
    }

    /// The client says its name on a topic; gives back the topics that it is to be subscribed to again.
    pub(super) fn announce(&mut self, recollection: &Arc<Recollection>, name: &str, topic: &RoomName) -> Vec<RoomName> {
        let entry = self.entry.get_or_insert_with(|| {
            self.recalls = self.record.topics.lock().is_empty();
            recollection.enter(name, &self.record)
        });
        // A client has one name.
        if *entry.name != *name || !self.recalls || self.knows(topic) {
            return Vec::new();
        }
        recollection.recall(name, topic, &self.record)
    }

    fn knows(&self, topic: &RoomName) -> bool {
        self.record.topics.lock().iter().any(|known| known.topic == *topic)
    }

    /// The client has said its name on this topic.
    pub(super) fn announced(&self, topic: &RoomName) {
        let mut topics = self.record.topics.lock();
        if let Some(known) = topics.iter_mut().find(|known| known.topic == *topic) {
            known.is_announced = true;
        }
    }

    /// The client is gone. What is kept counts as what waits for peers.
    pub(super) fn keep(self, budget: &Arc<Budget>) -> Option<KeptTopics> {
        let entry = self.entry?;
        let bytes = self.record.shrink()?;
        if budget.is_exceeded() {
            return None;
        }
        Some(KeptTopics { _entry: entry, _reservation: Reservation::new(budget, bytes) })
    }
}

impl Drop for RecordEntry {
    fn drop(&mut self) {
        let Entry::Occupied(mut entry) = self.recollection.names.entry(std::mem::take(&mut self.name)) else { return };
        entry.get_mut().retain(|record| !Arc::ptr_eq(record, &self.record));
        if entry.get().is_empty() {
            entry.remove();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    const SEATS: usize = 3;
    const NAMES: [&str; 2] = ["alice", "bob"];

    fn topic(number: usize) -> RoomName {
        RoomName::topic(&number.to_string()).unwrap()
    }

    /// What a client does, or the server with what it keeps.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Subscribe(usize, usize),
        Unsubscribe(usize, usize),
        Announce(usize, usize),
        Leave(usize),
        Lose(usize),
        Forget,
    }

    fn step() -> impl Strategy<Value = Step> {
        let seat_and_topic = || (0..SEATS, 0..4_usize);
        prop_oneof![
            4 => seat_and_topic().prop_map(|(by, topic)| Step::Subscribe(by, topic)),
            1 => seat_and_topic().prop_map(|(by, topic)| Step::Unsubscribe(by, topic)),
            5 => seat_and_topic().prop_map(|(by, topic)| Step::Announce(by, topic)),
            1 => (0..SEATS).prop_map(Step::Leave),
            2 => (0..SEATS).prop_map(Step::Lose),
            1 => Just(Step::Forget),
        ]
    }

    /// What should be known of a client.
    #[derive(Clone, Debug, Default)]
    struct Known {
        name: usize,
        subject: usize,
        /// Each topic in the order of its subscription, and whether the name was said there.
        topics: Vec<(usize, bool)>,
        is_named: bool,
        recalls: bool,
    }

    impl Known {
        fn given_back_on(&self, topic: usize) -> BTreeSet<usize> {
            let own: Vec<usize> = self.topics.iter().filter(|(_, is_announced)| !is_announced).map(|it| it.0).collect();
            let rooms: Vec<usize> =
                self.topics.iter().filter(|(_, is_announced)| *is_announced).map(|it| it.0).collect();
            let Some(rank) = rooms.iter().position(|room| *room == topic && self.is_named) else {
                return BTreeSet::new();
            };
            let at = self.topics.iter().position(|(number, _)| *number == topic).unwrap();
            let is_own = |at: usize| self.topics.get(at).is_some_and(|(_, is_announced)| !is_announced);
            let is_alone = at >= 1 && is_own(at - 1) && (at == 1 || !is_own(at - 2));
            let own = match (own.len() == rooms.len(), is_alone) {
                (true, _) => Some(own[rank]),
                (false, true) => Some(self.topics[at - 1].0),
                (false, false) => None,
            };
            own.into_iter().chain([topic]).collect()
        }
    }

    struct World {
        recollection: Arc<Recollection>,
        budget: Arc<Budget>,
        seats: Vec<(Trail, Known)>,
        kept: Vec<(KeptTopics, Known)>,
        opened: usize,
    }

    impl World {
        fn open(&mut self) -> (Trail, Known) {
            self.opened += 1;
            let known = Known { name: self.opened % 2, subject: self.opened / 2 % 2, ..Known::default() };
            (Trail::new((known.subject == 1).then(|| "subject".into())), known)
        }

        fn announce(&mut self, by: usize, number: usize) {
            let others = (0..SEATS).filter(|seat| *seat != by).map(|seat| &self.seats[seat].1);
            let others: Vec<Known> = others.chain(self.kept.iter().map(|(_, known)| known)).cloned().collect();
            let (trail, known) = &mut self.seats[by];
            let given = trail.announce(&self.recollection, NAMES[known.name], &topic(number));
            known.recalls |= !known.is_named && known.topics.is_empty();
            known.is_named = true;
            let is_due = known.recalls && !known.topics.iter().any(|(own, _)| *own == number);
            let own = others.iter().filter(|other| other.name == known.name && other.subject == known.subject);
            let expected: BTreeSet<usize> =
                own.filter(|_| is_due).flat_map(|other| other.given_back_on(number)).collect();
            let given: Vec<usize> = given.iter().map(|topic| topic.as_str().parse().unwrap()).collect();
            assert_eq!(given.iter().copied().collect::<BTreeSet<_>>(), expected);
            for back in given {
                if !known.topics.iter().any(|(own, _)| *own == back) {
                    known.topics.push((back, false));
                    trail.subscribed(&topic(back));
                }
            }
            trail.announced(&topic(number));
            if let Some((_, is_announced)) = known.topics.iter_mut().find(|(own, _)| *own == number) {
                *is_announced = true;
            }
        }

        fn lose(&mut self, by: usize) {
            let newer = self.open();
            let (trail, known) = std::mem::replace(&mut self.seats[by], newer);
            let kept = trail.keep(&self.budget);
            assert_eq!(kept.is_some(), known.is_named && known.topics.iter().any(|(_, is_announced)| *is_announced));
            self.kept.extend(kept.map(|kept| (kept, known)));
            // So that no name has more than are remembered: three that are here, and one.
            self.kept.truncate(1);
        }

        fn take(&mut self, step: Step) {
            match step {
                Step::Subscribe(by, number) => {
                    let (trail, known) = &mut self.seats[by];
                    if !known.topics.iter().any(|(own, _)| *own == number) {
                        known.topics.push((number, false));
                        trail.subscribed(&topic(number));
                    }
                }
                Step::Unsubscribe(by, number) => {
                    let (trail, known) = &mut self.seats[by];
                    known.topics.retain(|(own, _)| *own != number);
                    trail.unsubscribed(&topic(number));
                }
                Step::Announce(by, number) => self.announce(by, number),
                Step::Leave(by) => self.seats[by] = self.open(),
                Step::Lose(by) => self.lose(by),
                Step::Forget => drop(self.kept.pop()),
            }
            let known = self.seats.iter().map(|(_, known)| known).chain(self.kept.iter().map(|(_, known)| known));
            let names: BTreeSet<usize> = known.filter(|known| known.is_named).map(|known| known.name).collect();
            assert_eq!(self.recollection.len(), names.len());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn names_and_topics_are_forgotten_with_their_last_client(
            steps in proptest::collection::vec(step(), 0..80),
        ) {
            let (recollection, budget) = (Arc::default(), Arc::new(Budget::new(1 << 20)));
            let mut world = World { recollection, budget, seats: Vec::new(), kept: Vec::new(), opened: 0 };
            for _ in 0..SEATS {
                let seat = world.open();
                world.seats.push(seat);
            }
            for step in steps {
                world.take(step);
            }
            let World { recollection, budget, seats, kept, .. } = world;
            drop((seats, kept));
            prop_assert_eq!((recollection.len(), budget.used()), (0, 0));
        }
    }

    /// A client that is lost, with so many topics of so many bytes.
    fn lost(recollection: &Arc<Recollection>, budget: &Arc<Budget>, topics: usize, bytes: usize) -> Option<KeptTopics> {
        let mut trail = Trail::new(None);
        let name = |number: usize| RoomName::topic(&format!("{number:0bytes$}")).unwrap();
        for number in 0..topics {
            trail.subscribed(&name(number));
        }
        drop(trail.announce(recollection, "alice", &name(0)));
        trail.announced(&name(0));
        trail.keep(budget)
    }

    #[test]
    fn a_member_of_one_room_is_given_nothing_of_another() {
        let recollection = Arc::default();
        let mut owner = Trail::new(None);
        for number in 0..4 {
            owner.subscribed(&topic(number));
        }
        // Its own topics are 0 and 2, those of its rooms 1 and 3; the second room has not heard of it yet.
        drop(owner.announce(&recollection, "alice", &topic(1)));
        owner.announced(&topic(1));
        let given = Trail::new(None).announce(&recollection, "alice", &topic(1));
        assert_eq!(given, [topic(0), topic(1)]);
        for other in [0, 2, 3] {
            assert!(Trail::new(None).announce(&recollection, "alice", &topic(other)).is_empty(), "{other}");
        }
        owner.announced(&topic(3));
        assert_eq!(Trail::new(None).announce(&recollection, "alice", &topic(3)), [topic(2), topic(3)]);
    }

    #[test]
    fn rooms_that_were_entered_at_once_are_not_mixed_up() {
        let recollection = Arc::default();
        let mut owner = Trail::new(None);
        // Its own topics are 0 and 1, those of its rooms 2 and 3.
        for number in 0..4 {
            owner.subscribed(&topic(number));
        }
        drop(owner.announce(&recollection, "alice", &topic(2)));
        owner.announced(&topic(2));
        assert_eq!(Trail::new(None).announce(&recollection, "alice", &topic(2)), [topic(2)], "which is not sure yet");
        owner.announced(&topic(3));
        assert_eq!(Trail::new(None).announce(&recollection, "alice", &topic(2)), [topic(0), topic(2)]);
        assert_eq!(Trail::new(None).announce(&recollection, "alice", &topic(3)), [topic(1), topic(3)]);
    }

    #[test]
    fn those_of_another_subject_push_no_record_out() {
        let (recollection, budget) = (Arc::default(), Arc::new(Budget::new(1 << 20)));
        let mut owner = Trail::new(Some("alice".into()));
        owner.subscribed(&topic(0));
        drop(owner.announce(&recollection, "alice", &topic(0)));
        owner.announced(&topic(0));
        let others: Vec<_> = (0..100).map(|_| lost(&recollection, &budget, 1, 40)).collect();
        let again = Trail::new(Some("alice".into())).announce(&recollection, "alice", &topic(0));
        assert_eq!((again.len(), others.len()), (1, 100));
    }

    #[test]
    fn what_is_kept_has_a_bound_and_counts_as_what_waits() {
        let (recollection, budget) = (Arc::default(), Arc::new(Budget::new(1 << 20)));
        for (topics, bytes) in [(1, 40), (60, 40), (1000, 40), (1000, 1024)] {
            let kept = lost(&recollection, &budget, topics, bytes);
            assert!(kept.is_some() && (64..=KEPT_BYTES).contains(&budget.used()), "{topics} of {bytes}");
        }
        assert_eq!(budget.used(), 0);
    }

    #[test]
    fn nothing_is_kept_where_the_budget_is_used_up() {
        let (recollection, budget) = (Arc::default(), Arc::new(Budget::new(100)));
        let first = lost(&recollection, &budget, 1, 40);
        let second = lost(&recollection, &budget, 1, 40);
        assert!(first.is_some() && second.is_none());
    }

    #[test]
    fn of_a_name_that_many_have_the_latest_are_known() {
        let (recollection, budget) = (Arc::default(), Arc::new(Budget::new(1 << 20)));
        let kept: Vec<_> = (0..100).map(|_| lost(&recollection, &budget, 1, 40)).collect();
        assert_eq!(recollection.names.get("alice").map(|records| records.len()), Some(MAX_RECORDS));
        drop(kept);
        assert_eq!(recollection.len(), 0);
    }
}
