//! Every message: its sender, its addressee, and whether it arrived.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

/// Everything that is counted. All roles share it.
#[derive(Default)]
pub(crate) struct Ledger {
    flows: Mutex<HashMap<(String, String), Flow>>,
    counts: [AtomicU64; Count::ALL.len()],
}

/// The messages from one peer to another. Their numbers grow, from 1.
#[derive(Default)]
struct Flow {
    sent: u64,
    refused: u64,
    arrived: u64,
    last: u64,
}

/// Events that are counted besides messages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Count {
    Resets,
    Silences,
    LostWelcomes,
    Resumes,
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
}

impl Count {
    pub(crate) const ALL: [Self; 17] = [
        Self::Resets,
        Self::Silences,
        Self::LostWelcomes,
        Self::Resumes,
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
    ];

    /// Events that fail the soak.
    pub(crate) const BAD: [Self; 7] = [
        Self::SessionsLost,
        Self::RoomsOutOfOrder,
        Self::Again,
        Self::CallsBroken,
        Self::NotDropped,
        Self::ReloadsUnseen,
        Self::FarewellsUntold,
    ];
}

/// The sums of all flows.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    pub(crate) sent: u64,
    pub(crate) arrived: u64,
    pub(crate) refused: u64,
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
        flow.sent
    }

    /// Counts a message whose sender was told that it is not delivered.
    pub(crate) fn refuse(&self, from: &str, to: &str) {
        self.flows().entry((from.to_owned(), to.to_owned())).or_default().refused += 1;
    }

    /// Counts a message that has arrived; one that comes twice, or after a later one, is counted as such.
    pub(crate) fn arrive(&self, from: &str, to: &str, number: u64) {
        let mut flows = self.flows();
        let flow = flows.entry((from.to_owned(), to.to_owned())).or_default();
        if number > flow.last {
            flow.last = number;
            flow.arrived += 1;
        } else {
            drop(flows);
            self.count(Count::Again);
        }
    }

    pub(crate) fn sum(&self) -> Sum {
        let mut sum = Sum::default();
        for flow in self.flows().values() {
            sum.sent += flow.sent;
            sum.arrived += flow.arrived;
            sum.refused += flow.refused;
        }
        sum
    }

    fn flows(&self) -> MutexGuard<'_, HashMap<(String, String), Flow>> {
        self.flows.lock().expect("no thread panics while it holds the lock")
    }
}
