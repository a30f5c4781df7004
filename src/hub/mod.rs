//! Who is here, and in which rooms: the registry that every connection shares.
//!
//! A connection opens or resumes a [`Session`] and says everything through it. The hub knows the protocol's messages
//! and nothing of sockets; what it does takes no `.await`, so every change and the frames that report it are one step.
//!
//! Order of locks: a peer's state, a room's shard, a shard of peers or of handles, a mailbox, each before the next. No
//! code takes them the other way round, and none takes two of a kind.

mod allowance;
mod announcement;
mod budget;
mod delivery;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod hearing;
#[cfg(test)]
mod interleaving;
mod letter;
mod mailbox;
mod membership;
mod peer;
mod reply;
mod room;
mod session;
mod token;
mod window;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dashmap::DashMap;

pub use allowance::AllowanceLimits;
pub use hearing::{Ask, Verdict};
pub use letter::largest_weight;
pub use mailbox::{AnswerPermit, MailboxLimits};
pub use peer::Revoked;
pub use session::Session;
pub use token::ResumeToken;

use crate::auth::Grant;
use crate::protocol::{PeerId, RoomName, ServerMessage};
use allowance::Allowance;
use budget::Budget;
use letter::{Letter, Waiting};
use mailbox::Mailbox;
use peer::Peer;
use room::Room;
use token::Handle;

/// What the hub allows. `None` is no limit.
#[derive(Clone, Copy, Debug)]
pub struct HubLimits {
    /// What a client may say.
    pub allowance: AllowanceLimits,
    /// Each mailbox.
    pub mailbox: MailboxLimits,
    /// All mailboxes together, in bytes.
    pub queued_bytes: usize,
    /// Rooms that one peer may be in.
    pub rooms_per_peer: Option<NonZeroUsize>,
    /// Members that one room may have.
    pub peers_per_room: Option<NonZeroUsize>,
}

impl HubLimits {
    /// The memory of all that the server may have to tell one peer unasked, in bytes. None: there is no limit.
    #[must_use]
    pub fn announcement_bytes(&self) -> Option<usize> {
        let (rooms, members) = (self.rooms_per_peer?.get(), self.peers_per_room?.get());
        // Each member may have left and come back; each message of the peer's own may be undelivered; each room may be
        // forbidden.
        let about_members = rooms.saturating_mul(members).saturating_mul(2);
        let undelivered = self.mailbox.debts().saturating_add(members);
        let about_itself = undelivered.saturating_add(rooms).saturating_mul(announcement::PLACED_BYTES);
        Some(about_members.saturating_mul(announcement::ANNOUNCEMENT_BYTES).saturating_add(about_itself))
    }
}

/// How long a session lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// As long as its connection.
    Connection,
    /// Until it ends or its resume window does.
    Resumable,
}

/// A wish to go on with an earlier session.
#[derive(Clone, Copy, Debug)]
pub struct ResumeRequest {
    /// Which, and the right to it.
    pub token: ResumeToken,
    /// How many frames of it the client has got.
    pub received: u64,
}

/// A message on its way out.
#[derive(Debug)]
pub struct Frame {
    /// Its position in the session's sequence, from 1.
    pub number: u64,
    letter: Arc<Letter>,
    since: Instant,
}

impl Frame {
    /// What to say.
    #[must_use]
    pub fn message(&self) -> &ServerMessage {
        &self.letter.message
    }

    /// How long it has been in the queue, and in the window if it comes again.
    #[must_use]
    pub fn waited(&self) -> Duration {
        self.since.elapsed()
    }
}

impl From<(u64, &Waiting)> for Frame {
    fn from((number, waiting): (u64, &Waiting)) -> Self {
        Self { number, letter: Arc::clone(&waiting.letter), since: waiting.since() }
    }
}

/// The registry of peers and rooms.
#[derive(Debug)]
pub struct Hub {
    limits: HubLimits,
    budget: Arc<Budget>,
    peers: DashMap<PeerId, Arc<Peer>>,
    rooms: DashMap<RoomName, Room<Arc<Peer>>>,
    /// The sessions that can be resumed.
    handles: DashMap<Handle, Arc<Peer>>,
    /// Set once, when the process stops.
    is_closing: AtomicBool,
}

impl Hub {
    /// An empty hub.
    #[must_use]
    pub fn new(limits: HubLimits) -> Arc<Self> {
        Arc::new(Self {
            limits,
            budget: Arc::new(Budget::new(limits.queued_bytes)),
            peers: DashMap::new(),
            rooms: DashMap::new(),
            handles: DashMap::new(),
            is_closing: AtomicBool::new(false),
        })
    }

    /// The process stops: each session's holder ends it, and no peer is told that others leave.
    pub fn close(&self) {
        // Order: it is set before the holders are notified. A holder that comes later looks before it waits.
        self.is_closing.store(true, Ordering::SeqCst);
        // Not with a shard's lock: who is told may be here at once to leave.
        let peers: Vec<Arc<Peer>> = self.peers.iter().map(|peer| Arc::clone(&peer)).collect();
        for peer in peers {
            peer.notify();
        }
    }

    fn is_closing(&self) -> bool {
        self.is_closing.load(Ordering::SeqCst)
    }

    /// A new peer, with what its credentials allow where there are any: from now on it can be addressed.
    #[must_use]
    pub fn open(self: &Arc<Self>, lifetime: Lifetime, grant: Option<Grant>) -> Session {
        let mailbox = Mailbox::new(self.limits.mailbox, Arc::clone(&self.budget));
        let allowance = Allowance::new(self.limits.allowance, Instant::now());
        let (peer, epoch) = Peer::new(PeerId::random(), mailbox, lifetime, grant, allowance);
        self.peers.insert(peer.id, Arc::clone(&peer));
        Session::new(Arc::clone(self), peer, epoch)
    }

    /// Takes an earlier session up again, from the connection that may still hold it; it leaves the rooms that the new
    /// credentials do not allow. `None`: there is nothing to take up, or no right to it, or another subject asks.
    #[must_use]
    pub fn resume(self: &Arc<Self>, request: &ResumeRequest, grant: Option<&Grant>) -> Option<Session> {
        let peer = self.handles.get(&request.token.handle).map(|peer| Arc::clone(&peer))?;
        let epoch = peer.take_over(request, grant)?;
        let session = Session::new(Arc::clone(self), peer, epoch);
        session.leave_forbidden_rooms();
        Some(session)
    }

    /// Whether [`resume`](Self::resume) would succeed now. Changes nothing.
    #[must_use]
    pub fn can_resume(&self, request: &ResumeRequest, grant: Option<&Grant>) -> bool {
        let peer = self.handles.get(&request.token.handle).map(|peer| Arc::clone(&peer));
        peer.is_some_and(|peer| peer.can_take_over(request, grant))
    }

    /// How many peers are here, those whose connection is lost at the moment included.
    #[must_use]
    pub fn peers(&self) -> usize {
        self.peers.len()
    }

    /// How many rooms there are.
    #[must_use]
    pub fn rooms(&self) -> usize {
        self.rooms.len()
    }

    /// How many mailboxes are how full.
    #[must_use]
    pub fn mailboxes(&self) -> [(&'static str, usize); 3] {
        let mut counts = [("under-half", 0), ("over-half", 0), ("full", 0)];
        for peer in &self.peers {
            let class = match peer.mailbox.usage() {
                usage if usage < 0.5 => 0,
                usage if usage < 1.0 => 1,
                _ => 2,
            };
            counts[class].1 += 1;
        }
        counts
    }

    /// The bytes that wait in all mailboxes.
    #[must_use]
    pub fn queued_bytes(&self) -> usize {
        self.budget.used()
    }

    /// How many peers are in this room.
    fn members(&self, room: &RoomName) -> usize {
        self.rooms.get(room).map_or(0, |room| room.len())
    }

    /// The peer that a client's text addresses.
    fn peer(&self, to: &str) -> Option<Arc<Peer>> {
        let id = to.parse().ok()?;
        self.peers.get(&id).map(|peer| Arc::clone(&peer))
    }
}
