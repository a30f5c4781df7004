//! Who is here, and in which rooms: the registry that every connection shares.
//!
//! A connection opens a [`Session`] and says everything through it. The hub knows the protocol's messages and nothing
//! of sockets; what it does takes no `.await`, so every change and the frames that report it are one step.
//!
//! Order of locks: a room's shard, then a peer's shard. No code takes them the other way round.

mod mailbox;
mod room;
mod session;

use std::num::NonZeroUsize;
use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::Notify;
use tracing::debug;

pub use mailbox::{Frame, Mailbox, MailboxLimits, Outbox, Place, Refused, Slot};
pub use session::Session;

use crate::protocol::{PeerId, RoomName};
use mailbox::Gauge;
use room::Room;

/// What the hub allows. `None` is no limit.
#[derive(Clone, Copy, Debug)]
pub struct HubLimits {
    /// Each mailbox.
    pub mailbox: MailboxLimits,
    /// All mailboxes together, in bytes.
    pub queued_bytes: usize,
    /// Rooms that one peer may be in.
    pub rooms_per_peer: Option<NonZeroUsize>,
    /// Members that one room may have.
    pub peers_per_room: Option<NonZeroUsize>,
}

/// The registry of peers and rooms.
#[derive(Debug)]
pub struct Hub {
    limits: HubLimits,
    budget: Arc<Gauge>,
    peers: DashMap<PeerId, Arc<Peer>>,
    rooms: DashMap<RoomName, Room<Arc<Peer>>>,
}

/// What others see of a session: its address, its mailbox, and a way to end it.
#[derive(Debug)]
struct Peer {
    id: PeerId,
    mailbox: Mailbox,
    /// Told once, to the connection that holds the session.
    evicted: Notify,
}

impl Hub {
    /// An empty hub.
    #[must_use]
    pub fn new(limits: HubLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            budget: Arc::new(Gauge::new(limits.queued_bytes)),
            peers: DashMap::new(),
            rooms: DashMap::new(),
        })
    }

    /// A new peer: from now on it can be addressed.
    #[must_use]
    pub fn open(self: &Arc<Self>) -> Session {
        let (mailbox, outbox) = mailbox::mailbox(self.limits.mailbox, Arc::clone(&self.budget));
        let peer = Arc::new(Peer { id: PeerId::random(), mailbox, evicted: Notify::new() });
        self.peers.insert(peer.id, Arc::clone(&peer));
        Session::new(Arc::clone(self), peer, outbox)
    }

    /// How many peers are here.
    #[must_use]
    pub fn peers(&self) -> usize {
        self.peers.len()
    }

    /// How many rooms there are.
    #[must_use]
    pub fn rooms(&self) -> usize {
        self.rooms.len()
    }

    /// The bytes that wait in all mailboxes.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.budget.used()
    }

    /// The peer that a client's text addresses.
    fn peer(&self, to: &str) -> Option<Arc<Peer>> {
        let id = to.parse().ok()?;
        self.peers.get(&id).map(|peer| Arc::clone(&peer))
    }

    /// Ends a session that others can no longer tell the truth: nobody reaches it from now on, and the connection
    /// that holds it closes with 4001, which is also when it leaves its rooms.
    fn evict(&self, peer: &Peer) {
        debug!(peer = %peer.id, "evicted: no room for an announcement");
        peer.mailbox.close();
        self.peers.remove(&peer.id);
        peer.evicted.notify_one();
    }
}
