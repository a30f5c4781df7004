//! Pending connections, which have not been answered yet: how many there may be, and what became of those before them.
//!
//! They are what a stranger can hold without having said anything. A client of TURN is one of them until it has an
//! allocation or its first deadline has passed: a Binding, which is answered to all, says nothing of who asks.

use std::io;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use crate::admission::{Admission, AdmissionLimits, Permit};
use crate::net::Cidr;

/// What is allowed. `None` is no limit.
#[derive(Clone, Debug)]
pub struct PendingLimits {
    /// Connections in all.
    pub connections: Option<NonZeroUsize>,
    /// Connections from one address (IPv6: from one /64).
    pub connections_per_address: Option<NonZeroUsize>,
    /// Addresses that speak for many, such as those of a reverse proxy: for them, there is no limit but the one for all.
    pub proxies: Vec<Cidr>,
}

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PendingCount {
    /// TLS handshakes completed.
    Handshakes,
    /// TLS handshakes that failed, or took too long.
    FailedHandshakes,
    /// Connections closed at once because there were too many.
    Refused,
}

impl PendingCount {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Handshakes, Self::FailedHandshakes, Self::Refused];

    /// A word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Handshakes => "handshakes",
            Self::FailedHandshakes => "failed-handshakes",
            Self::Refused => "refused",
        }
    }
}

/// The connections that have not been answered yet. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct PendingConnections(Arc<State>);

#[derive(Debug)]
struct State {
    admission: Admission,
    proxies: Vec<Cidr>,
    counts: [AtomicU64; PendingCount::ALL.len()],
}

impl PendingConnections {
    pub(crate) fn new(limits: PendingLimits) -> Self {
        let PendingLimits { connections, connections_per_address, proxies } = limits;
        let limits = AdmissionLimits { all: connections, per_address: connections_per_address, newcomers: None };
        let admission = Admission::new(limits, Instant::now());
        Self(Arc::new(State { admission, proxies, counts: Default::default() }))
    }

    /// How many there are now.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.0.admission.count()
    }

    /// What has been counted so far.
    #[must_use]
    pub fn count(&self, what: PendingCount) -> u64 {
        self.0.counts[what as usize].load(Ordering::Relaxed)
    }

    /// A permit for a new connection, until it is answered.
    pub(super) fn enter(&self, address: IpAddr) -> io::Result<Permit> {
        let admission = &self.0.admission;
        let entered = if self.speaks_for_many(address) {
            admission.enter_for_many(address)
        } else {
            admission.enter(address, Instant::now())
        };
        entered.map_err(|overload| {
            self.add_one(PendingCount::Refused);
            io::Error::new(io::ErrorKind::QuotaExceeded, format!("too many unanswered connections: {overload:?}"))
        })
    }

    /// Counts a TLS handshake as it ends.
    pub(super) fn handshake(&self) -> Handshake<'_> {
        Handshake { pending: self, outcome: PendingCount::FailedHandshakes }
    }

    fn speaks_for_many(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.proxies.iter().any(|block| block.contains(address))
    }

    fn add_one(&self, what: PendingCount) {
        // Relaxed: no count is concluded from another.
        self.0.counts[what as usize].fetch_add(1, Ordering::Relaxed);
    }
}

/// A connection among those that have not been answered yet, as its requests see it: they may know that its answer takes
/// long, and that the connection is bounded by something else meanwhile.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pending(Weak<Permit>);

impl Pending {
    pub(super) fn of(permit: &Arc<Permit>) -> Self {
        Self(Arc::downgrade(permit))
    }

    /// From now on the connection is not counted as one of them, answered or not.
    pub(crate) fn release(&self) {
        if let Some(permit) = self.0.upgrade() {
            permit.give_back();
        }
    }
}

/// A TLS handshake, counted when it is dropped: as failed unless it was completed, whatever ended it.
#[derive(Debug)]
pub(super) struct Handshake<'a> {
    pending: &'a PendingConnections,
    outcome: PendingCount,
}

impl Handshake<'_> {
    pub(super) fn completed(mut self) {
        self.outcome = PendingCount::Handshakes;
    }
}

impl Drop for Handshake<'_> {
    fn drop(&mut self) {
        self.pending.add_one(self.outcome);
    }
}
