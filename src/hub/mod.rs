//! Who is here, and in which rooms: the registry that every connection shares.
//!
//! A connection opens or resumes a [`Session`] and says everything through it. The hub knows the protocol's messages
//! and nothing of sockets; what it does takes no `.await`, so every change and the frames that report it are one step.
//!
//! Order of locks: a peer's state, the lobby or the exchange, a room's shard, a shard of awaited names, a shard of peers or
//! of handles, a mailbox, each before the next. No code takes them the other way round, and none takes two of a kind. What
//! is recollected of a client is locked after a peer's state, and before nothing.

mod absence;
mod allowance;
mod announcement;
mod awaited;
mod budget;
mod contest;
mod debt;
mod delivery;
mod elsewhere;
mod exchange;
mod exchanging;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod handover;
mod hearing;
#[cfg(test)]
mod interleaving;
mod letter;
mod lobby;
mod mailbox;
mod membership;
mod peer;
mod place;
mod probe;
mod recollection;
mod reply;
mod room;
mod session;
mod token;
mod topic;
mod window;

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use dashmap::{DashMap, Entry};
use foldhash::quality::RandomState;
use parking_lot::Mutex;

pub(crate) use allowance::{Allowance, MESSAGE_UNITS};
pub use allowance::{AllowanceLimits, Spent};
pub use contest::{Contested, Holder};
pub use debt::Ledger;
pub use elsewhere::{Claimed, Elsewhere, Fetched, Owing, Said, Unanswered, Unsettled};
pub use handover::{Handover, Kept, NotHandedOver, Pledge};
pub use hearing::{Ask, Verdict};
pub use letter::largest_weight;
pub use mailbox::{AnswerPermit, MailboxLimits};
pub use peer::Revoked;
pub use place::{Guest, Meeting, Met, Place};
pub use recollection::KeptTopics;
pub use session::Session;
pub use token::{ResumeToken, Seal};
pub use topic::TopicLimits;

use crate::auth::Grant;
use crate::protocol::{Address, NodeId, PeerId, Realm, RoomKey, Secret, ServerMessage, footprint};
use budget::Budget;
use exchange::{Exchange, ExchangeLimits};
use letter::{Letter, Waiting};
use lobby::Lobby;
use mailbox::Mailbox;
use peer::{Epoch, Identity, Peer, Reclaim};
use place::Places;
use recollection::Recollection;
use room::Room;
use token::{Handle, Tokens};

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
    /// Topics.
    pub topics: TopicLimits,
}

impl HubLimits {
    /// The memory of all that one peer may have waiting for absent names, in bytes, where its messages have so many at most.
    #[must_use]
    pub fn awaited_bytes(&self, max_message_bytes: usize) -> usize {
        let messages = largest_weight(max_message_bytes).max(self.mailbox.bytes / awaited::PART);
        messages.saturating_add(awaited::MAX_NAMES * awaited::NAME_BYTES)
    }

    /// The memory of the names, in bytes, that one peer may still have to be told of: of peers that got not all that it said to
    /// them.
    #[must_use]
    pub fn named_bytes(&self) -> usize {
        self.mailbox.debts().saturating_mul(footprint::shared(Address::MAX_NAME_BYTES))
    }

    /// What is allowed in the exchange. A member is told no more of others than a peer is told of all that it shares a room
    /// with; the others of its sessions are as many as may be in one room.
    fn exchange(&self) -> ExchangeLimits {
        let members = self.rooms_per_peer.zip(self.peers_per_room);
        ExchangeLimits {
            members: members.map(|(rooms, peers)| rooms.get().saturating_mul(peers.get())),
            sessions: self.peers_per_room,
            list_bytes: self.mailbox.bytes / 4,
        }
    }

    /// The memory of all that the server may have to tell one peer unasked, in bytes. None: there is no limit.
    #[must_use]
    pub fn announcement_bytes(&self) -> Option<usize> {
        let (rooms, members) = (self.rooms_per_peer?.get(), self.peers_per_room?.get());
        // Each member may have left and come back; each message of the peer's own may be undelivered; each room may be
        // forbidden. In the exchange, which knows nothing undelivered, each session may have ended: those that it has, those
        // whose start is in its queue, and those whose start is an answer there.
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
    /// A while longer, where its connection is lost: for the others, or for its client, which may claim its name again.
    Lingering,
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

/// A wish for a name.
#[derive(Clone, Debug)]
pub struct Claim {
    /// Where the name means something.
    pub realm: Realm,
    /// The name.
    pub address: Address,
    /// By which the client proves later that the name is its own. None: it can't.
    pub secret: Option<Secret>,
}

/// Another peer has the name.
#[derive(Debug, PartialEq, Eq)]
pub struct Taken;

/// What a connection does next.
#[derive(Debug)]
pub enum Next {
    /// It writes this.
    Write(Frame),
    /// It asks its client for a sign of life: another client wants the name.
    Probe,
}

/// A message on its way out.
#[derive(Debug)]
pub struct Frame {
    /// Its position in the session's sequence, from 1.
    pub number: u64,
    letter: Arc<Letter>,
    since: Option<Instant>,
}

impl Frame {
    /// What to say.
    #[must_use]
    pub fn message(&self) -> &ServerMessage {
        &self.letter.message
    }

    /// How long what a peer says has been in the queue, and in the window if it comes again.
    #[must_use]
    pub fn waited(&self, now: Instant) -> Option<Duration> {
        self.since.map(|since| now.saturating_duration_since(since))
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
    // The hash is quick, and none that a stranger can know: names become ids, and can be chosen.
    peers: DashMap<PeerId, Arc<Peer>, RandomState>,
    rooms: DashMap<RoomKey, Room<Arc<Peer>>>,
    /// The groups that wait for members.
    lobby: Mutex<Lobby>,
    /// Who produces and who consumes.
    exchange: Mutex<Exchange<Arc<Peer>>>,
    /// The sessions that can be resumed.
    handles: DashMap<Handle, Arc<Peer>>,
    /// The topics of clients that won't subscribe again.
    recollection: Arc<Recollection>,
    /// What waits for names that no peer has.
    awaited: DashMap<PeerId, awaited::Queue>,
    /// The places that are here, and nowhere else.
    places: Places,
    /// The other nodes. None: the hub is alone.
    elsewhere: Option<Arc<dyn Elsewhere>>,
    /// Set once, when the process stops.
    is_closing: AtomicBool,
    /// Set once, when sessions go to other nodes because the process stops.
    is_emptied: AtomicBool,
}

impl Hub {
    /// An empty hub, alone.
    #[must_use]
    pub fn new(limits: HubLimits) -> Arc<Self> {
        Self::among(limits, None)
    }

    /// An empty hub, of which other nodes have the other peers.
    #[must_use]
    pub fn among(limits: HubLimits, elsewhere: Option<Arc<dyn Elsewhere>>) -> Arc<Self> {
        Arc::new(Self {
            limits,
            budget: Arc::new(Budget::new(limits.queued_bytes)),
            peers: DashMap::default(),
            rooms: DashMap::new(),
            lobby: Mutex::default(),
            exchange: Mutex::new(Exchange::new(limits.exchange())),
            handles: DashMap::new(),
            recollection: Arc::default(),
            awaited: DashMap::new(),
            places: Places::default(),
            elsewhere,
            is_closing: AtomicBool::new(false),
            is_emptied: AtomicBool::new(false),
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

    /// A new peer of this realm, with what its credentials allow where there are any: from now on it can be addressed.
    #[must_use]
    pub fn open(self: &Arc<Self>, realm: Realm, lifetime: Lifetime, grant: Option<Grant>) -> Session {
        let id = self.node().map_or_else(PeerId::random, PeerId::of);
        let (peer, epoch) = self.peer(realm, id.into(), lifetime, grant, None);
        self.peers.insert(peer.id(), Arc::clone(&peer));
        Session::new(Arc::clone(self), peer, epoch)
    }

    /// A new peer under a name, or the one that has it already, where that was claimed with the same secret by the same
    /// subject: then its older connection is over. What waits for the name is in the mailbox before anything else.
    ///
    /// # Errors
    ///
    /// [`Taken`]: another peer has the name. [`contest`](Self::contest) asks whether it is still there.
    pub fn claim(self: &Arc<Self>, claim: Claim, grant: Option<Grant>) -> Result<Session, Taken> {
        let Claim { realm, address, secret } = claim;
        // What has a secret can be taken up again by it.
        let lifetime = if secret.is_some() { Lifetime::Lingering } else { Lifetime::Connection };
        let id = address.id();
        loop {
            // Order: locked before the name has its peer, until that peer has what waits for it (`absence`).
            let awaited = realm.awaits().then(|| self.awaited.entry(id));
            // Order: no state is locked while a shard is.
            let holder = match self.peers.entry(id) {
                Entry::Occupied(entry) => Arc::clone(entry.get()),
                Entry::Vacant(entry) => {
                    let (peer, epoch) = self.peer(realm, address, lifetime, grant, secret);
                    drop(entry.insert(Arc::clone(&peer)));
                    if let Some(elsewhere) = self.elsewhere.as_ref().filter(|_| realm.has_claims()) {
                        elsewhere.claimed(id);
                    }
                    if let Some(awaited) = awaited {
                        Self::deliver_awaited(awaited, &peer);
                    }
                    return Ok(Session::new(Arc::clone(self), peer, epoch));
                }
            };
            drop(awaited);
            match holder.reclaim(secret.as_ref(), grant.as_ref()) {
                Reclaim::Done(epoch) => {
                    let session = Session::new(Arc::clone(self), holder, epoch);
                    session.lose_unwritten();
                    return Ok(session);
                }
                Reclaim::Refused => return Err(Taken),
                // It is in the registry no more.
                Reclaim::Ended => {}
            }
        }
    }

    fn peer(
        &self,
        realm: Realm,
        address: Address,
        lifetime: Lifetime,
        grant: Option<Grant>,
        secret: Option<Secret>,
    ) -> (Arc<Peer>, Epoch) {
        let mailbox = Mailbox::new(self.limits.mailbox, Arc::clone(&self.budget));
        let allowance = Allowance::new(self.limits.allowance, Instant::now());
        // Other nodes find a session by its id.
        let tokens = if self.elsewhere.is_some() { Tokens::of(address.id()) } else { Tokens::new() };
        let tokens = (lifetime == Lifetime::Resumable).then_some(tokens);
        Peer::new(Identity { address, realm, secret, tokens }, mailbox, lifetime, grant, allowance)
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

    /// This node, where there are others.
    #[must_use]
    pub fn node(&self) -> Option<NodeId> {
        self.elsewhere.as_ref().map(|elsewhere| elsewhere.node())
    }

    /// Why not all can be done that needs other nodes, for people. None: it can.
    #[must_use]
    pub fn unready(&self) -> Option<String> {
        self.elsewhere.as_ref()?.unready()
    }

    /// The peer of another node that a client of this realm means by a text, and how it is reached.
    fn abroad(&self, from: Realm, to: &str) -> Option<(&Arc<dyn Elsewhere>, Address)> {
        let elsewhere = self.elsewhere.as_ref()?;
        let address = from.address(to)?;
        let is_abroad = address.node().is_some_and(|node| node != elsewhere.node() || elsewhere.is_away(address.id()));
        is_abroad.then_some((elsewhere, address))
    }

    /// How many peers are here, those whose connection is lost at the moment included.
    #[must_use]
    pub fn peers(&self) -> usize {
        self.peers.len()
    }

    /// For how many names something waits that no peer has.
    #[must_use]
    pub fn awaited(&self) -> usize {
        self.awaited.len()
    }

    /// The names of all peers of this realm here, in no order.
    #[must_use]
    pub fn names(&self, realm: Realm) -> Vec<String> {
        self.peers.iter().filter(|peer| peer.realm == realm).map(|peer| peer.address.to_string()).collect()
    }

    /// … and on all nodes that answer in time.
    pub async fn all_names(&self, realm: Realm) -> Vec<String> {
        let elsewhere = self.elsewhere.as_ref().map(|elsewhere| elsewhere.names(realm));
        let mut names = self.names(realm);
        if let Some(elsewhere) = elsewhere {
            names.extend(elsewhere.await.unwrap_or_default());
        }
        names
    }

    /// How many rooms there are.
    #[must_use]
    pub fn rooms(&self) -> usize {
        self.rooms.len()
    }

    /// How many clients, here or gone for a short time, have topics that are kept for them.
    #[must_use]
    pub fn recollected(&self) -> usize {
        self.recollection.len()
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

    /// Whether a room has as many members as it may have.
    #[must_use]
    pub fn is_full(&self, room: &RoomKey) -> bool {
        self.limits.peers_per_room.is_some_and(|limit| self.members(room) >= limit.get())
    }

    /// Whether a room may have so many members.
    #[must_use]
    pub fn may_hold(&self, members: NonZeroUsize) -> bool {
        self.limits.peers_per_room.is_none_or(|limit| members <= limit)
    }

    /// Whether the exchange has as many members as it may have.
    #[must_use]
    pub fn is_exchange_full(&self) -> bool {
        self.exchange.lock().is_full()
    }

    /// How many peers are in this room.
    fn members(&self, room: &RoomKey) -> usize {
        self.rooms.get(room).map_or(0, |room| room.size())
    }

    /// The peer that a client of this realm means by a text, if the client may talk to it.
    fn reachable(&self, from: Realm, to: &str) -> Option<Arc<Peer>> {
        let peer = self.peers.get(&from.key(to)?)?;
        from.reaches(peer.realm).then(|| Arc::clone(&peer))
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::dialect::v1::decode;
    use crate::protocol::{ErrorCode, Kind, Notice};

    const LIMITS: HubLimits = HubLimits {
        allowance: AllowanceLimits::NONE,
        mailbox: MailboxLimits { messages: 8, bytes: 10_000 },
        queued_bytes: 100_000,
        rooms_per_peer: None,
        peers_per_room: None,
        topics: TopicLimits::NONE,
    };

    fn claim(realm: Realm, name: &str, secret: &str) -> Claim {
        let address = Address::named(realm, name).unwrap();
        Claim { realm, address, secret: Some(Secret(secret.to_owned())) }
    }

    fn say(session: &Session, frame: &str) -> Option<ErrorCode> {
        let ask = Ask::Frame(decode(frame), session.answer_permit().unwrap());
        session.hear(ask, frame.len(), Instant::now(), Vec::new).refused
    }

    fn revoked(session: &Session) -> Option<Revoked> {
        match pin!(session.revoked()).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(revoked) => Some(revoked),
            Poll::Pending => None,
        }
    }

    #[test]
    fn a_name_is_one_peers_until_it_leaves() {
        let hub = Hub::new(LIMITS);
        let holder = hub.claim(claim(Realm::PeerJs, "alice", "secret"), None).unwrap();
        assert_eq!(hub.claim(claim(Realm::PeerJs, "alice", "other"), None).err(), Some(Taken));
        assert_eq!(hub.claim(Claim { secret: None, ..claim(Realm::PeerJs, "alice", "") }, None).err(), Some(Taken));
        drop(holder);
        assert!(hub.claim(claim(Realm::PeerJs, "alice", "other"), None).is_ok());
    }

    #[test]
    fn the_secret_of_a_name_takes_its_session_over_with_what_waits_for_it() {
        let hub = Hub::new(LIMITS);
        let older = hub.claim(claim(Realm::SocketIo, "alice", "secret"), None).unwrap();
        let caller = hub.open(Realm::V1, Lifetime::Connection, None);
        assert_eq!(say(&caller, r#"{"type":"offer","to":"alice","offer":1}"#), None);
        let newer = hub.claim(claim(Realm::SocketIo, "alice", "secret"), None).unwrap();
        assert_eq!((revoked(&older), revoked(&newer)), (Some(Revoked::TakenOver), None));
        assert!(older.try_next().is_none());
        let from = caller.address().clone();
        let heard = newer.try_next().map(|frame| frame.message().clone());
        assert!(matches!(heard, Some(ServerMessage::Relayed { from: heard, kind: Kind::Offer, .. }) if heard == from));
        drop(older);
        assert_eq!(hub.peers(), 2, "an older epoch ends nothing");
    }

    #[test]
    fn a_name_of_another_subject_is_not_taken_over() {
        let hub = Hub::new(LIMITS);
        let grant = |subject: &str| Some(Grant { subject: subject.into(), rooms: None, expires: u64::MAX });
        let _holder = hub.claim(claim(Realm::PeerJs, "alice", "secret"), grant("alice")).unwrap();
        assert_eq!(hub.claim(claim(Realm::PeerJs, "alice", "secret"), grant("mallory")).err(), Some(Taken));
        assert!(hub.claim(claim(Realm::PeerJs, "alice", "secret"), grant("alice")).is_ok());
    }

    #[test]
    fn a_realm_does_not_reach_the_peers_and_rooms_of_another() {
        let hub = Hub::new(LIMITS);
        let v1 = hub.open(Realm::V1, Lifetime::Connection, None);
        let other = hub.open(Realm::Matchbox, Lifetime::Connection, None);
        let frame = format!(r#"{{"type":"offer","to":"{}","offer":1}}"#, other.address());
        assert_eq!(say(&v1, &frame), Some(ErrorCode::PeerUnavailable));
        assert_eq!(say(&v1, r#"{"type":"join","room":"lobby"}"#), None);
        assert_eq!(say(&other, r#"{"type":"join","room":"lobby"}"#), None);
        assert_eq!(hub.rooms(), 2);
        let roster = std::iter::from_fn(|| v1.try_next())
            .any(|frame| matches!(frame.message(), ServerMessage::Notice(Notice::PeerJoined { .. })));
        assert!(!roster);
    }
}
