//! The topics of clients that do not subscribe again after a reconnect, each under the name by which its client makes
//! itself known on them. A client that comes back and says its name gets them again.
//!
//! A name is no secret: all that hear a topic know the names that were announced there. So a name gives back the topic on
//! which it is announced anew, and those on which it never was, which are its owner's own: in a Trystero room these are all
//! topics, and each member can tell what they are.

use std::sync::Arc;

use dashmap::{DashMap, Entry};
use parking_lot::Mutex;

use super::budget::{Budget, Reservation};
use crate::protocol::{RoomName, footprint};

/// The topics that are kept of one client: 64 rooms of Trystero's.
const MAX_TOPICS: usize = 128;

/// The clients that may have one name at a time, the latest of them. One that flees from network to network leaves some
/// behind.
const MAX_RECORDS: usize = 8;

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
    /// Whether the client began with an announcement, as one does that takes itself for subscribed.
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
        if records.len() >= MAX_RECORDS {
            records.remove(0);
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
        if !topics.iter().any(|known| known.is_announced && known.topic == *topic) {
            return Vec::new();
        }
        let is_given = |known: &&KnownTopic| !known.is_announced || known.topic == *topic;
        topics.iter().filter(is_given).map(|known| known.topic.clone()).collect()
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
    pub(super) fn announce(
        &mut self,
        recollection: &Arc<Recollection>,
        name: &str,
        topic: &RoomName,
        is_first: bool,
    ) -> Vec<RoomName> {
        self.recalls |= is_first;
        let entry = self.entry.get_or_insert_with(|| recollection.enter(name, &self.record));
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
