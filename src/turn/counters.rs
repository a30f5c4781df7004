//! What the server has done since it started. Counting only: nothing waits for it.

use std::sync::atomic::{AtomicU64, Ordering};

/// Whom a packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    Client,
    Peer,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TurnCount {
    /// Bindings that were right, answered unless there were too many from there.
    Bindings,
    /// Allocations made.
    Allocations,
    /// Requests refused for their credentials.
    Unauthorized,
    /// These and Bindings that were not even answered, because there were too many from there.
    Unanswered,
    /// Requests refused to clients that have credentials.
    Refused,
    /// Packets sent to peers.
    PacketsToPeers,
    /// Their bytes.
    BytesToPeers,
    /// Packets sent to clients.
    PacketsToClients,
    /// Their bytes.
    BytesToClients,
    /// Packets that had no way: no permission, a forbidden peer, over the rate, a full wire.
    Dropped,
}

impl TurnCount {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Bindings,
        Self::Allocations,
        Self::Unauthorized,
        Self::Unanswered,
        Self::Refused,
        Self::PacketsToPeers,
        Self::BytesToPeers,
        Self::PacketsToClients,
        Self::BytesToClients,
        Self::Dropped,
    ];
}

impl TurnCount {
    /// A word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bindings => "bindings",
            Self::Allocations => "allocations",
            Self::Unauthorized => "unauthorized",
            Self::Unanswered => "unanswered",
            Self::Refused => "refused",
            Self::PacketsToPeers => "packets-to-peers",
            Self::BytesToPeers => "bytes-to-peers",
            Self::PacketsToClients => "packets-to-clients",
            Self::BytesToClients => "bytes-to-clients",
            Self::Dropped => "dropped",
        }
    }
}

/// The counters.
#[derive(Debug, Default)]
pub(crate) struct Counters([AtomicU64; TurnCount::ALL.len()]);

impl Counters {
    pub(super) fn count(&self, what: TurnCount) {
        self.add(what, 1);
    }

    fn add(&self, what: TurnCount, amount: u64) {
        // Relaxed: no reader concludes one from another.
        self.0[what as usize].fetch_add(amount, Ordering::Relaxed);
    }

    /// Adds what was done in one go.
    pub(super) fn add_up(&self, tally: &Tally) {
        for what in TurnCount::ALL {
            let amount = tally.0[what as usize];
            if amount > 0 {
                self.add(what, amount);
            }
        }
    }

    pub(crate) fn get(&self, what: TurnCount) -> u64 {
        self.0[what as usize].load(Ordering::Relaxed)
    }
}

/// What one task has done in one go: counters that others write to cost it something, so it adds up before.
#[derive(Debug, Default)]
pub(super) struct Tally([u64; TurnCount::ALL.len()]);

impl Tally {
    pub(super) fn add(&mut self, what: TurnCount, amount: usize) {
        self.0[what as usize] += amount as u64;
    }

    /// Packets that were sent, and their bytes in all.
    pub(super) fn packets(&mut self, whom: Whom, packets: usize, bytes: usize) {
        let (of_packets, of_bytes) = match whom {
            Whom::Client => (TurnCount::PacketsToClients, TurnCount::BytesToClients),
            Whom::Peer => (TurnCount::PacketsToPeers, TurnCount::BytesToPeers),
        };
        self.add(of_packets, packets);
        self.add(of_bytes, bytes);
    }
}
