//! What the server has done since it started. Counting only: nothing waits for it.

use std::sync::atomic::{AtomicU64, Ordering};

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

    pub(super) fn add(&self, what: TurnCount, amount: usize) {
        // Relaxed: no reader concludes one from another.
        self.0[what as usize].fetch_add(amount as u64, Ordering::Relaxed);
    }

    /// A packet that was sent, or lost on the way out.
    pub(super) fn packet(&self, packets: TurnCount, bytes: TurnCount, length: usize, is_sent: bool) {
        if is_sent {
            self.count(packets);
            self.add(bytes, length);
        } else {
            self.count(TurnCount::Dropped);
        }
    }

    pub(crate) fn get(&self, what: TurnCount) -> u64 {
        self.0[what as usize].load(Ordering::Relaxed)
    }
}
