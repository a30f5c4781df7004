//! Every message: its sender, its addressee, and whether it arrived.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

/// Everything that is counted. All roles share it.
#[derive(Default)]
pub(crate) struct Ledger {
    flows: Mutex<HashMap<(String, String), Flow>>,
    /// The members of each room, as they say themselves.
    rooms: Mutex<HashMap<String, BTreeSet<String>>>,
    counts: [AtomicU64; Count::ALL.len()],
}

/// The messages from one peer to another. Their numbers grow, from 1.
#[derive(Default)]
struct Flow {
    sent: u64,
    refused: u64,
    arrived: u64,
    last: u64,
    /// Those that have neither arrived nor been refused, and whether their sender was told that they may not have arrived.
    open: BTreeMap<u64, bool>,
    /// Those that arrived after later ones. Their sender may be about to hear that they may not have arrived.
    late: BTreeSet<u64>,
}

/// Events that are counted besides messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Count {
    Resets,
    Silences,
    LostWelcomes,
    Resumes,
    Revivals,
    SessionsLost,
    RoomMessages,
    RoomsOutOfOrder,
    Again,
    Calls,
    CallsBroken,
    Stalled,
    NotDropped,
    Vandals,
    Reloads,
    ReloadsUnseen,
    Farewells,
    FarewellsUntold,
    Replaced,
    RostersWrong,
}

impl Count {
    pub(crate) const ALL: [Self; 20] = [
        Self::Resets,
        Self::Silences,
        Self::LostWelcomes,
        Self::Resumes,
        Self::Revivals,
        Self::SessionsLost,
        Self::RoomMessages,
        Self::RoomsOutOfOrder,
        Self::Again,
        Self::Calls,
        Self::CallsBroken,
        Self::Stalled,
        Self::NotDropped,
        Self::Vandals,
        Self::Reloads,
        Self::ReloadsUnseen,
        Self::Farewells,
        Self::FarewellsUntold,
        Self::Replaced,
        Self::RostersWrong,
    ];

    /// Events that fail the soak.
    pub(crate) const BAD: [Self; 8] = [
        Self::SessionsLost,
        Self::RoomsOutOfOrder,
        Self::Again,
        Self::CallsBroken,
        Self::NotDropped,
        Self::ReloadsUnseen,
        Self::FarewellsUntold,
        Self::RostersWrong,
    ];
}

/// The sums of all flows.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    pub(crate) sent: u64,
    pub(crate) arrived: u64,
    pub(crate) refused: u64,
    /// Not arrived, but their sender was told of it.
    pub(crate) told: u64,
    /// Arrived after later ones, though their sender was not told.
    pub(crate) late: u64,
}

impl Ledger {
    pub(crate) fn count(&self, what: Count) {
        self.counts[what as usize].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn counted(&self, what: Count) -> u64 {
        self.counts[what as usize].load(Ordering::Relaxed)
    }

    /// The number of a new message.
    pub(crate) fn send(&self, from: &str, to: &str) -> u64 {
        let mut flows = self.flows();
        let flow = flows.entry((from.to_owned(), to.to_owned())).or_default();
        flow.sent += 1;
        flow.open.insert(flow.sent, false);
        flow.sent
    }

    /// Counts a message whose sender was told that it is not delivered.
    pub(crate) fn refuse(&self, from: &str, to: &str, number: u64) {
        let mut flows = self.flows();
        let flow = flows.entry((from.to_owned(), to.to_owned())).or_default();
        flow.refused += 1;
        flow.open.remove(&number);
    }

    /// A peer was told that what it has said to another, or to all, may not have arrived.
    pub(crate) fn doubt(&self, from: &str, to: Option<&str>) {
        let mut flows = self.flows();
        let its = flows.iter_mut().filter(|((by, other), _)| by == from && to.is_none_or(|to| to == other));
        its.for_each(|(_, flow)| {
            flow.open.values_mut().for_each(|is_told| *is_told = true);
            flow.late.clear();
        });
    }

    /// … or that one message may not have.
    pub(crate) fn doubt_one(&self, from: &str, to: &str, number: u64) {
        let mut flows = self.flows();
        let flow = flows.entry((from.to_owned(), to.to_owned())).or_default();
        flow.open.entry(number).and_modify(|is_told| *is_told = true);
        flow.late.remove(&number);
    }

    /// Counts a message that has arrived; one that comes twice, or after a later one, is counted as such. Where its sender was
    /// told that it may not have arrived, its place in the order is not known either.
    pub(crate) fn arrive(&self, from: &str, to: &str, number: u64) {
        let mut flows = self.flows();
        let flow = flows.entry((from.to_owned(), to.to_owned())).or_default();
        let Some(is_doubted) = flow.open.remove(&number) else {
            drop(flows);
            return self.count(Count::Again);
        };
        flow.arrived += 1;
        if number < flow.last && !is_doubted {
            flow.late.insert(number);
        }
        flow.last = flow.last.max(number);
    }

    /// A peer says which rooms it is in.
    pub(crate) fn note_roster(&self, id: &str, roster: &HashMap<String, BTreeSet<String>>) {
        let mut rooms = self.rooms.lock().expect("no thread panics while it holds the lock");
        for room in roster.keys() {
            rooms.entry(room.clone()).or_default().insert(id.to_owned());
        }
    }

    /// … and who it thinks is there besides. All have said it.
    pub(crate) fn check_roster(&self, id: &str, roster: &HashMap<String, BTreeSet<String>>) {
        let rooms = self.rooms.lock().expect("no thread panics while it holds the lock");
        for (room, known) in roster {
            let others: BTreeSet<String> = rooms[room].iter().filter(|other| *other != id).cloned().collect();
            if others != *known {
                println!("{id} in {room}: {:?} are not there, {:?} are", known - &others, &others - known);
                self.count(Count::RostersWrong);
            }
        }
    }

    pub(crate) fn sum(&self) -> Sum {
        let mut sum = Sum::default();
        for flow in self.flows().values() {
            sum.sent += flow.sent;
            sum.arrived += flow.arrived;
            sum.refused += flow.refused;
            sum.late += flow.late.len() as u64;
            sum.told += flow.open.values().filter(|is_told| **is_told).count() as u64;
        }
        sum
    }

    fn flows(&self) -> MutexGuard<'_, HashMap<(String, String), Flow>> {
        self.flows.lock().expect("no thread panics while it holds the lock")
    }
}
