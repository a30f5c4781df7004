//! The other nodes of the service: which there are, and what is said between them.
//!
//! [`Cluster`] is given to the hub as what is [`Elsewhere`]. It knows of no network: what carries parcels between nodes tells it
//! what has come and what time it is, and takes what is to be sent. That is [`nats`], and in tests a simulated network.
//!
//! Order of locks: a room's shard, then the rules, then a shard of peers or a mailbox. What comes in is heard with nothing
//! locked, by one thread at a time.

#[cfg(test)]
mod defects;
mod early;
mod envelope;
#[cfg(test)]
mod exhaustive;
mod home;
mod letter;
mod line;
mod link;
mod moving;
mod names;
pub mod nats;
mod parcel;
mod passing;
mod questions;
mod remote;
mod rules;
#[cfg(test)]
mod simulation;
mod topics;
mod undelivered;
mod view;
mod whereabouts;

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock, Weak};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use parking_lot::Mutex;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use tokio::sync::{Notify, oneshot};

use early::{Early, Kept, Words};
use envelope::{Envelope, Member, Outcome, Token, Unknown, addresses};
pub use line::Start;
use line::{Host, Lines};
use moving::Heirless;
pub use parcel::{Destination, FULL, Parcel};
use passing::{Asked, Coming};
use rules::Rules;

use crate::hub::{
    Claim, Claimed, Contested, Elsewhere, Fetched, Holder, Hub, Meeting, NotHandedOver, Owing, ResumeRequest,
    ResumeToken, Said, Seal, Session, Unanswered,
};
use crate::net::Line;
use crate::protocol::{Address, ErrorCode, NodeId, PeerId, Realm, RoomKey, RoomName, Secret};

/// How often [`Cluster::tick`] is to be called.
pub const TICK: Duration = Duration::from_millis(100);

/// Between two attempts to hand over what could not be handed over at once.
const PAUSE: Duration = Duration::from_millis(20);

/// What makes a node one of a cluster.
#[derive(Clone, Debug)]
pub struct ClusterSettings {
    /// For people: in logs.
    pub name: String,
    /// The same on all nodes.
    pub key: Vec<u8>,
    /// Members that a room may have, on all nodes together.
    pub peers_per_room: Option<NonZeroUsize>,
    /// For how long a session outlives its connection, and its node.
    pub resume_window: Duration,
}

/// Keeps sessions.
struct Keeper(Box<dyn Fn(Session) + Send + Sync>);

impl fmt::Debug for Keeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keeper")
    }
}

/// A client of another node waits for a name of ours.
#[derive(Debug)]
struct Contest {
    id: PeerId,
    node: NodeId,
    token: Token,
    holder: Holder,
}

/// At a time, and of these for one name: who knows a few names can't take the places of those who want others.
const MAX_CONTESTS: usize = 1024;
const MAX_CONTESTS_FOR_ONE: usize = 8;

/// The cluster as this node sees it.
#[derive(Debug)]
pub struct Cluster {
    node: NodeId,
    rules: Mutex<Rules>,
    contests: Mutex<Vec<Contest>>,
    /// Set once, as the hub is made after this.
    hub: OnceLock<Weak<Hub>>,
    /// Keeps sessions that come from other nodes until their clients do.
    keeper: OnceLock<Keeper>,
    /// Serves clients of other nodes at places of this one.
    host: OnceLock<Host>,
    lines: Lines,
    /// Itself.
    me: Weak<Self>,
    /// What seals tokens.
    key: hmac::Key,
    /// Notified when there may be something to send.
    stirred: Notify,
    round_trips: Histogram,
    /// By how much the clock is wrong.
    #[cfg(test)]
    skew: std::sync::atomic::AtomicU64,
}

impl Cluster {
    /// A node that knows of no other yet.
    #[must_use]
    pub fn new(settings: &ClusterSettings, now: Instant) -> Arc<Self> {
        Self::of(NodeId::random(), settings, now)
    }

    fn of(node: NodeId, settings: &ClusterSettings, now: Instant) -> Arc<Self> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &settings.key);
        let tag = hmac::sign(&key, b"entremise cluster");
        let fingerprint = *tag.as_ref().first_chunk().expect("32 bytes");
        Arc::new_cyclic(|me| Self {
            node,
            rules: Mutex::new(Rules::new(
                node,
                &settings.name,
                fingerprint,
                settings.peers_per_room,
                settings.resume_window,
                now,
            )),
            contests: Mutex::default(),
            hub: OnceLock::new(),
            keeper: OnceLock::new(),
            host: OnceLock::new(),
            lines: Lines::default(),
            me: me.clone(),
            key,
            stirred: Notify::new(),
            // From 50 µs to 3 s.
            round_trips: Histogram::new(exponential_buckets(5e-5, 2.0, 17)),
            #[cfg(test)]
            skew: std::sync::atomic::AtomicU64::new(0),
        })
    }

    /// Tells it which hub the peers of this node are in, before anything has come.
    pub fn attach(&self, hub: &Arc<Hub>) {
        // A second one is not told of anything.
        let _ = self.hub.set(Arc::downgrade(hub));
    }

    /// Tells it who keeps sessions that come from other nodes, before any has come.
    pub fn keep_with(&self, keep: impl Fn(Session) + Send + Sync + 'static) {
        // A second one is not given any.
        let _ = self.keeper.set(Keeper(Box::new(keep)));
    }

    /// This node.
    #[must_use]
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// There is a connection by which the others are reached.
    pub fn connected(&self, now: Instant) {
        self.rules.lock().connected(now);
        self.settle();
    }

    /// … and there is none any more.
    pub fn disconnected(&self, now: Instant) {
        self.rules.lock().disconnected(now);
        self.settle();
    }

    /// Takes in what has come from another node.
    pub fn receive(&self, parcel: &[u8], now: Instant) {
        let accepted = self.rules.lock().accept(parcel, now);
        self.forget_lost();
        if let Some((node, envelopes)) = accepted {
            self.hear_all(node, envelopes);
        }
        self.settle();
    }

    /// Does what is due.
    pub fn tick(&self, now: Instant) {
        self.judge_contests();
        self.tend_lines();
        self.rules.lock().tick(now);
        self.settle();
    }

    /// Whether a connection that is there carries nothing any more: not even what this node says to all, and so to itself.
    #[must_use]
    pub fn is_deaf(&self) -> bool {
        self.rules.lock().is_deaf()
    }

    /// What is to be sent now, in this order.
    #[must_use]
    pub fn take(&self) -> Vec<Parcel> {
        self.settle();
        self.rules.lock().take()
    }

    /// Waits until there may be something to [`take`](Self::take). Cancel safe.
    pub async fn pending(&self) {
        self.stirred.notified().await;
    }

    /// Tells the others that this node ends: what [`take`](Self::take) gives next is the last.
    pub fn leave(&self, now: Instant) {
        self.rules.lock().give_up_unsettled();
        self.forget_lost();
        self.rules.lock().leave(now);
    }

    /// What has happened, and what is.
    #[must_use]
    pub fn figures(&self) -> Figures {
        Figures { lines: self.open_lines(), ..self.rules.lock().figures() }
    }

    /// What is kept of peers' messages and rooms.
    #[cfg(test)]
    fn kept(&self) -> usize {
        self.rules.lock().kept()
    }

    /// How long other nodes took to answer, in seconds.
    #[must_use]
    pub fn round_trips(&self) -> Histogram {
        self.round_trips.clone()
    }

    fn hub(&self) -> Option<Arc<Hub>> {
        self.hub.get()?.upgrade()
    }

    fn hear_all(&self, node: NodeId, mut envelopes: &[u8]) {
        while let Some(envelope) = Envelope::take(&mut envelopes) {
            // What came before it may have ended the link.
            if !self.rules.lock().is_heard(node) {
                return;
            }
            match envelope {
                Ok((token, envelope)) => self.hear(node, token, envelope),
                Err(Unknown { token }) => self.rules.lock().refuse_unknown(node, token),
            }
            self.forget_lost();
        }
    }

    fn hear(&self, node: NodeId, token: Token, envelope: Envelope<'_>) {
        self.rules.lock().count_received();
        match envelope {
            // Heard already, as the beginning of a link.
            Envelope::Greet { .. } => {}
            Envelope::Greeted(link) => self.rules.lock().greeted(node, link),
            Envelope::View(view) => self.rules.lock().saw(node, view),
            Envelope::Bye => self.rules.lock().parted(node),
            Envelope::Relay { .. } | Envelope::Broadcast { .. } | Envelope::Undelivered { .. } => {
                self.hear_said(node, token, envelope);
            }
            Envelope::Answer { token, outcome } if self.hear_agreed(node, token, &outcome) => {}
            Envelope::Answer { token, outcome } => {
                let took = self.rules.lock().hear_answer(node, token, &outcome);
                if let Some(took) = took {
                    self.round_trips.observe(took.as_secs_f64());
                }
            }
            Envelope::Settled(tokens) => self.rules.lock().settled(node, &tokens),
            Envelope::Fetch { .. }
            | Envelope::Handing { .. }
            | Envelope::HandedFrame { .. }
            | Envelope::Handed { .. }
            | Envelope::Took(_)
            | Envelope::Bequeathed { .. }
            | Envelope::Unseen(_)
            | Envelope::Retiring
            | Envelope::Missing { .. }
            | Envelope::Outlived(_)
            | Envelope::Ended(_)
            | Envelope::Departed(_)
            | Envelope::Claim { .. }
            | Envelope::Contest { .. } => self.hear_of_session(node, token, envelope),
            Envelope::Hear { .. } | Envelope::Publish { .. } => self.hear_topic(node, &envelope),
            Envelope::AskNames { realm } => {
                let names = self.hub().zip(envelope::realm(realm)).map(|(hub, realm)| hub.names(realm));
                self.rules.lock().tell_names(node, token, &names.unwrap_or_default());
            }
            Envelope::Names { token, names, is_last } => self.rules.lock().hear_names(node, token, &names, is_last),
            Envelope::Invite { place, guest } => self.hear_invitation(node, token, PeerId::from_bytes(place), guest),
            Envelope::OnLine { line, is_beginner, said } => self.hear_on_line(node, line, is_beginner, said),
            _ => self.hear_of_room(node, token, envelope),
        }
    }

    /// What peers of another node say to ours.
    fn hear_said(&self, node: NodeId, token: Token, envelope: Envelope<'_>) {
        let Some(hub) = self.hub() else { return };
        let Some(ledger) = self.rules.lock().ledger(node) else { return };
        let owing = Owing::new(&ledger, token);
        match envelope {
            Envelope::Relay { to, from, realm, kind, payload, origin } => {
                let said = envelope::realm(realm).zip(envelope::kind(kind));
                let (Some((realm, kind)), Some(from)) = (said, from.address()) else {
                    return self.rules.lock().refuse_unknown(node, token);
                };
                let (said, to) = (Said { realm, kind, payload }, PeerId::from_bytes(to));
                let mut rules = self.rules.lock();
                let coming = Coming::of(Asked { node, token }, origin);
                let there = rules.whereabouts(to).or_else(|| rules.way_behind(coming, from.id(), to));
                if let Some(there) = there {
                    return rules.forward(there, coming, (from, to), said, owing);
                }
                let words = || Words::ToPeer(realm, kind, payload.map(Into::into));
                let early = || Early { from: from.clone(), words: words(), owing: owing.clone() };
                rules.arrived(coming, from.id(), to);
                if let Some(kept) = rules.keep_behind(from.id(), to, early) {
                    let outcome = match kept {
                        Kept::Early => Outcome::Done { parked: false },
                        Kept::Busy => Outcome::refused(ErrorCode::PeerBusy),
                    };
                    return rules.say(node, 0, &Envelope::Answer { token, outcome });
                }
                // Order: the answer is on its way before the addressee can say anything to this.
                let done = hub.deliver(to, from, said, &owing);
                let outcome = done.map_or_else(Outcome::refused, |parked| Outcome::Done { parked });
                rules.say(node, 0, &Envelope::Answer { token, outcome });
            }
            Envelope::Broadcast { room, from, payload, to, origin } => {
                let (Some(key), Some(from)) = (room.key(), from.address()) else {
                    return self.rules.lock().refuse_unknown(node, token);
                };
                let asked = Asked { node, token };
                let coming = Coming::of(asked, origin);
                let words = || Words::ToRoom(key.clone(), payload.into());
                let early = || Early { from: from.clone(), words: words(), owing: owing.clone() };
                let forward = |rules: &mut Rules, there, id| {
                    rules.forward_to_room(there, coming, &key, (&from, id), payload, owing.clone());
                };
                let (mut members, mut full) = (Vec::with_capacity(to.len()), Vec::new());
                for id in to.into_iter().map(PeerId::from_bytes) {
                    let mut rules = self.rules.lock();
                    if let Some(there) = rules.way_behind(coming, from.id(), id) {
                        forward(&mut rules, there, id);
                        continue;
                    }
                    match rules.keep_behind(from.id(), id, early) {
                        Some(Kept::Early) => rules.arrived(coming, from.id(), id),
                        Some(Kept::Busy) => full.push(id.into()),
                        None => members.push(id),
                    }
                }
                hub.deliver_to_room((&key, &members), &from, payload, &owing, |put| {
                    let mut rules = self.rules.lock();
                    // Order: as above.
                    let (mut busy, absent) = put();
                    busy.extend(full);
                    for id in &members {
                        rules.arrived(coming, from.id(), *id);
                    }
                    for id in absent {
                        match rules.keep_early(&key, id, early) {
                            Some(Kept::Early) => {}
                            Some(Kept::Busy) => busy.push(id.into()),
                            None => match rules.whereabouts(id) {
                                Some(there) => forward(&mut rules, there, id),
                                // Order: `put` has let go of the peers. One that is here has left the room.
                                None if hub.is_here(id) => {}
                                None => rules.was_not_delivered(from.clone(), id.into(), owing.clone()),
                            },
                        }
                    }
                    rules.answer_for_members(asked, busy);
                });
            }
            Envelope::Undelivered { to, by, hops } => {
                if let (Some(to), Some(by)) = (to.address(), by.address()) {
                    self.rules.lock().hear_undelivered(to, by, hops, owing);
                }
            }
            _ => {}
        }
    }

    /// Topics.
    fn hear_topic(&self, node: NodeId, envelope: &Envelope<'_>) {
        match *envelope {
            Envelope::Hear { topic, subscribers } => {
                if let Some(topic) = topic.key() {
                    self.rules.lock().hear_of_topic(node, topic, subscribers);
                }
            }
            Envelope::Publish { topic, payload, count_at, subscribers } => {
                let [count_at, subscribers] =
                    [count_at, subscribers].map(|it| usize::try_from(it).unwrap_or(usize::MAX));
                if let (Some(hub), Some(topic)) = (self.hub(), topic.key())
                    && payload.is_char_boundary(count_at)
                {
                    hub.publish(&topic, payload, count_at, subscribers);
                }
            }
            _ => {}
        }
    }

    /// Sessions that come and go.
    fn hear_of_session(&self, node: NodeId, token: Token, envelope: Envelope<'_>) {
        match envelope {
            Envelope::Fetch { id, proof, received, subject, epoch } => {
                let request = ResumeRequest { token: ResumeToken::of(PeerId::from_bytes(id), proof), received };
                self.hear_fetch((node, token), &request, subject, epoch);
            }
            Envelope::Handing { id, session } => {
                self.rules.lock().hear_handing(node, PeerId::from_bytes(id), session);
            }
            Envelope::HandedFrame { id, owes, letter } => {
                self.rules.lock().hear_frame(node, PeerId::from_bytes(id), owes, letter);
            }
            Envelope::Handed { token, id } => self.take_in(node, token, PeerId::from_bytes(id)),
            Envelope::Took(ids) => self.rules.lock().hear_took(node, &ids),
            Envelope::Bequeathed { to, id, epoch } => {
                self.rules.lock().hear_bequeathed(NodeId::from_bytes(to), PeerId::from_bytes(id), epoch);
            }
            Envelope::Missing { at, id, epoch } => {
                self.rules.lock().hear_missing(NodeId::from_bytes(at), PeerId::from_bytes(id), epoch);
            }
            Envelope::Unseen(ids) => self.rules.lock().hear_unseen(&ids),
            Envelope::Retiring => self.rules.lock().hear_retiring(node, token),
            Envelope::Outlived(ids) => self.rules.lock().hear_outlived(&ids),
            Envelope::Ended(id) => self.rules.lock().hear_ended(node, PeerId::from_bytes(id)),
            Envelope::Departed(nodes) => self.rules.lock().hear_departed(&nodes),
            Envelope::Contest { id, secret, subject } => {
                let secret = secret.map(|secret| Secret(secret.to_owned()));
                self.hear_contest(node, token, PeerId::from_bytes(id), (secret.as_ref(), subject));
            }
            Envelope::Claim { round, id } => self.rules.lock().hear_claim(node, token, round, PeerId::from_bytes(id)),
            _ => {}
        }
    }

    /// The client of a session of ours has come to another node.
    fn hear_fetch(
        &self,
        (node, token): (NodeId, Token),
        request: &ResumeRequest,
        subject: Option<&str>,
        epoch: whereabouts::Epoch,
    ) {
        let id = request.token.id();
        let is_away = self.rules.lock().is_away_for(node, id, epoch);
        let given =
            if is_away { Err(NotHandedOver::NotNow) } else { self.give(id, Some((request, subject)), node, token) };
        if let Err(why) = given {
            let code = match why {
                NotHandedOver::Absent => ErrorCode::PeerUnavailable,
                NotHandedOver::Refused => ErrorCode::BadMessage,
                NotHandedOver::NotNow => ErrorCode::PeerBusy,
            };
            self.rules.lock().say(node, 0, &Envelope::Answer { token, outcome: Outcome::refused(code) });
        }
    }

    /// Gives a session to another node.
    fn give(
        &self,
        id: PeerId,
        request: Option<(&ResumeRequest, Option<&str>)>,
        to: NodeId,
        token: Token,
    ) -> Result<(), NotHandedOver> {
        let hub = self.hub().ok_or(NotHandedOver::Absent)?;
        hub.can_hand_over(id, request)?;
        // Order: what is said to it from now on follows it, and so may begin only here.
        self.rules.lock().begin_leaving(id, to, token != 0)?;
        let handover = hub.hand_over(id, request, to).inspect_err(|_| self.rules.lock().stay(id))?;
        self.rules.lock().hand_over(to, token, handover);
        Ok(())
    }

    /// A client of another node wants a name of ours.
    fn hear_contest(&self, node: NodeId, token: Token, id: PeerId, (secret, subject): (Option<&Secret>, Option<&str>)) {
        let Some(hub) = self.hub() else { return };
        let outcome = match hub.contest_for(id, secret, subject, Instant::now()) {
            Contested::Free => Outcome::Done { parked: false },
            Contested::Kept => Outcome::refused(ErrorCode::PeerBusy),
            Contested::Asked(holder) => {
                let mut contests = self.contests.lock();
                let for_it = contests.iter().filter(|contest| contest.id == id).count();
                if contests.len() < MAX_CONTESTS && for_it < MAX_CONTESTS_FOR_ONE {
                    return contests.push(Contest { id, node, token, holder });
                }
                Outcome::refused(ErrorCode::ClusterUnavailable)
            }
        };
        self.rules.lock().say(node, 0, &Envelope::Answer { token, outcome });
    }

    /// Answers those whose holders have had their time, or have given a sign of life.
    fn judge_contests(&self) {
        let Some(hub) = self.hub() else { return };
        let now = Instant::now();
        let verdict = |contest: &mut Contest| hub.judge(&contest.holder, now);
        let mut judged = Vec::new();
        self.contests.lock().retain_mut(|contest| match verdict(contest) {
            None => true,
            Some(is_free) => {
                judged.push((contest.node, contest.token, is_free));
                false
            }
        });
        for (node, token, is_free) in judged {
            let outcome = if is_free { Outcome::Done { parked: false } } else { Outcome::refused(ErrorCode::PeerBusy) };
            self.rules.lock().say(node, 0, &Envelope::Answer { token, outcome });
        }
    }

    /// A session has come from another node.
    fn take_in(&self, node: NodeId, token: Token, id: PeerId) {
        let (handover, ledger) = {
            let mut rules = self.rules.lock();
            (rules.take_handed(node, id), rules.ledger(node))
        };
        let (Some(hub), Some((epoch, handover)), Some(ledger)) = (self.hub(), handover, ledger) else { return };
        let rooms: Vec<RoomName> = handover.rooms.iter().map(|(name, _)| name.clone()).collect();
        let is_outdated = self.rules.lock().is_outdated(id, epoch);
        let session = if is_outdated {
            Err(Box::new(handover))
        } else {
            // Where it was thought to be lost, its id may have been had again.
            hub.evict(id);
            hub.take_in(handover, &ledger)
        };
        {
            let mut rules = self.rules.lock();
            let fetched = if session.is_ok() { Fetched::Here } else { Fetched::NotNow };
            match &session {
                Ok(_) => rules.took(id, epoch, &rooms),
                Err(handover) => rules.turn_away(handover, &ledger),
            }
            rules.fetched(node, token, fetched);
        }
        // Without a keeper it ends here.
        if let Some((session, Keeper(keep))) = session.ok().zip(self.keeper.get()) {
            keep(session);
        }
    }

    /// Gives all sessions that can be resumed to other nodes, because this one stops. Says how many have gone.
    pub async fn hand_over_all(&self) -> usize {
        let mut gone = 0;
        // Their clients, which are back by and by, say what they have got.
        while self.hand_over_some(&mut gone) || self.rules.lock().unsettled() > 0 {
            self.stir();
            tokio::time::sleep(PAUSE).await;
        }
        gone
    }

    /// Gives those sessions to other nodes that can be given now. Whether others are left, or on their way to this node.
    fn hand_over_some(&self, gone: &mut usize) -> bool {
        let Some(hub) = self.hub() else { return false };
        // Order: a session that comes after this is expected no more, or seen in the next round.
        let mut is_left = {
            let mut rules = self.rules.lock();
            rules.retire();
            rules.expects_sessions()
        };
        for id in hub.resumable() {
            let heir = self.rules.lock().heir(id);
            match heir.map(|heir| self.give(id, None, heir, 0)) {
                Ok(Ok(())) => *gone += 1,
                Ok(Err(NotHandedOver::NotNow)) | Err(Heirless::NotNow) => is_left = true,
                Ok(Err(NotHandedOver::Absent | NotHandedOver::Refused)) | Err(Heirless::Alone) => {}
            }
        }
        is_left
    }

    /// What homes and their rooms' members' nodes say to each other.
    fn hear_of_room(&self, node: NodeId, token: Token, envelope: Envelope<'_>) {
        let is_home = |round| self.rules.lock().is_home(node, round);
        match envelope {
            Envelope::Reported { round, report } => self.rules.lock().hear_reported(node, round, report),
            Envelope::Moved { round, room, peer } => {
                if let (Some(room), Some(peer)) = (room.key(), peer.address()) {
                    self.rules.lock().hear_moved(node, round, &room, &peer);
                }
            }
            Envelope::Gave { round, room, peer, to } => {
                if let (Some(room), Some(peer)) = (room.key(), peer.address()) {
                    self.rules.lock().hear_gave(node, round, &room, &peer, NodeId::from_bytes(to));
                }
            }
            Envelope::Given { round, room, peer } => {
                if let (Some(hub), Some(room), Some(peer)) = (self.hub(), room.key(), peer.address()) {
                    // Order: the room is locked until the answer is on its way, as in `report`.
                    hub.look_for(&room, &peer, |is_in| self.rules.lock().hear_given(node, round, &room, &peer, is_in));
                }
            }
            Envelope::Join { round, room, peer } => {
                if let (Some(room), Some(peer)) = (room.key(), peer.address()) {
                    self.rules.lock().hear_join(node, token, round, room, peer);
                }
            }
            Envelope::Leave { round, room, peer } => {
                if let (Some(room), Some(peer)) = (room.key(), peer.address()) {
                    self.rules.lock().hear_leave(node, round, &room, &peer);
                }
            }
            Envelope::Report { round, room, members, has_others } => {
                if let Some(room) = room.key() {
                    self.rules.lock().hear_report(node, round, room, addresses(&members), has_others);
                }
            }
            Envelope::Admitted { token, round, report, room, peer, elsewhere } => {
                let is_admitted = self.rules.lock().is_admitted(node, round, report);
                if let (true, Some(room), Some(peer)) = (is_admitted, room.key(), peer.address()) {
                    self.admit(token, &room, &peer, Member::all(&elsewhere));
                }
            }
            Envelope::Came { round, room, peer } if is_home(round) => {
                if let (Some(hub), Some(room), Some((peer, node))) = (self.hub(), room.key(), peer.held()) {
                    hub.came(&room, peer, node);
                }
            }
            Envelope::Went { round, room, peer } if is_home(round) => {
                if let (Some(hub), Some(room), Some(peer)) = (self.hub(), room.key(), peer.address()) {
                    hub.went(&room, &peer);
                }
            }
            Envelope::Members { round, room, elsewhere } if is_home(round) => {
                if let (Some(hub), Some(room)) = (self.hub(), room.key()) {
                    hub.set_elsewhere(&room, Member::all(&elsewhere));
                }
            }
            _ => {}
        }
    }

    /// The home of a room lets a peer of ours in.
    fn admit(&self, token: Token, room: &RoomKey, peer: &Address, elsewhere: Vec<(Address, NodeId)>) {
        let Some(hub) = self.hub() else { return };
        let entering = self.rules.lock().take_admitted(token);
        let is_in = match entering {
            Some(unanswered) => {
                let is_in = hub.admit(unanswered, room, elsewhere);
                self.deliver_early(&hub, peer);
                is_in
            }
            // Too late, but it may be there by another question, or have asked again.
            None => hub.look_for(room, peer, |is_in| is_in || self.rules.lock().is_entering(room, peer)),
        };
        if !is_in {
            self.rules.lock().leave_room(room, peer);
            // Where this node knew it as another one's member, it is nowhere now.
            hub.went(room, peer);
        }
    }

    /// What was said to a peer before it knew whether it is in a room.
    fn deliver_early(&self, hub: &Hub, peer: &Address) {
        let all = self.rules.lock().take_early(peer.id());
        for Early { from, words, owing } in all {
            let is_delivered = match words {
                Words::ToRoom(room, payload) => {
                    let to = [peer.id()];
                    let (busy, absent) = hub.deliver_to_room((&room, &to), &from, &payload, &owing, |put| put());
                    busy.is_empty() && absent.is_empty()
                }
                Words::ToPeer(realm, kind, payload) => {
                    let said = Said { realm, kind, payload: payload.as_deref() };
                    hub.deliver(peer.id(), from.clone(), said, &owing).is_ok()
                }
            };
            if !is_delivered {
                self.rules.lock().was_not_delivered(from, peer.clone(), owing);
            }
        }
    }

    /// Does what follows from what was heard, until nothing more does.
    fn settle(&self) {
        loop {
            self.forget_lost();
            self.report();
            let Some(bytes) = self.rules.lock().take_local() else { break };
            self.hear_all(self.node, &bytes);
        }
    }

    /// Order: before anything else is heard, which may be about the same rooms.
    fn forget_lost(&self) {
        let (lost, not_let_in, taken) = {
            let mut rules = self.rules.lock();
            (rules.take_lost(), rules.take_not_let_in(), rules.take_taken())
        };
        let Some(hub) = self.hub() else { return };
        for id in not_let_in {
            self.deliver_early(&hub, &id.into());
        }
        for id in taken {
            hub.evict(id);
            hub.forward_awaited(id);
        }
        for node in lost {
            self.lose_lines(node);
            hub.lost(node);
        }
        let undelivered = self.rules.lock().take_undelivered();
        for it in undelivered {
            if !hub.tell_undelivered(it.to.id(), &it.by) {
                self.rules.lock().tell_elsewhere(it);
            }
        }
    }

    /// Tells the homes of our members that have to be told.
    fn report(&self) {
        let homes = self.rules.lock().due_reports();
        if homes.is_empty() {
            return;
        }
        if let Some(hub) = self.hub() {
            // Order: each room is locked until its report is on its way, so that who leaves it afterwards leaves later.
            hub.each_room(|room, members, has_others| {
                if room.realm.spans_nodes() {
                    self.rules.lock().report(&homes, room, &members, has_others);
                }
            });
        }
        self.rules.lock().reported(&homes);
    }

    fn stir(&self) {
        self.stirred.notify_one();
    }
}

impl Elsewhere for Cluster {
    fn node(&self) -> NodeId {
        self.node
    }

    fn relay(&self, to: &Address, said: Said<'_>, unanswered: Unanswered) {
        self.rules.lock().relay(to, said, unanswered);
        self.stir();
    }

    fn broadcast(&self, room: &RoomKey, payload: &str, members: Vec<(Address, NodeId)>, unanswered: Unanswered) {
        self.rules.lock().broadcast(room, payload, members, unanswered);
        self.stir();
    }

    fn join(&self, room: RoomKey, unanswered: Unanswered) {
        self.rules.lock().join(room, unanswered);
        self.stir();
    }

    fn leave(&self, room: &RoomKey, peer: &Address) {
        self.rules.lock().leave_room(room, peer);
        self.stir();
    }

    fn seal(&self, id: PeerId, proof: &[u8; 16], subject: Option<&str>) -> Seal {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(b"entremise resume");
        context.update(id.as_bytes());
        context.update(proof);
        // Told apart from an empty one.
        context.update(&[u8::from(subject.is_some())]);
        context.update(subject.unwrap_or_default().as_bytes());
        *context.sign().as_ref().first_chunk().expect("32 bytes")
    }

    fn is_away(&self, id: PeerId) -> bool {
        self.rules.lock().is_away(id)
    }

    fn is_on_its_way(&self, from: PeerId, to: PeerId) -> Option<bool> {
        self.rules.lock().is_on_its_way(from, to)
    }

    fn fetch(&self, request: &ResumeRequest, subject: Option<&str>) -> oneshot::Receiver<Fetched> {
        let (done, fetched) = oneshot::channel();
        let token = &request.token;
        let seal = self.seal(token.id(), token.proof(), subject);
        if self.hub().is_some_and(|hub| hub.is_emptied()) {
            let _ = done.send(Fetched::NotNow);
            return fetched;
        }
        // Others can't have any node asked.
        if token.seal().is_some_and(|shown| verify_slices_are_equal(shown, &seal).is_ok()) {
            self.rules.lock().fetch(request, subject, done);
            self.stir();
        } else {
            // The receiver is here.
            let _ = done.send(Fetched::Unknown);
        }
        fetched
    }

    fn claimed(&self, id: PeerId) {
        // Clocks need not agree: of two nodes that have one id, the later by this keeps it.
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let clock = u64::try_from(clock.as_micros()).unwrap_or(u64::MAX);
        #[cfg(test)]
        let clock = clock.wrapping_add(self.skew.load(std::sync::atomic::Ordering::Relaxed));
        self.rules.lock().claimed(id, clock);
        self.stir();
    }

    fn claim(&self, claim: &Claim, subject: Option<&str>) -> oneshot::Receiver<Claimed> {
        let (done, claimed) = oneshot::channel();
        let secret = claim.secret.as_ref().map(|secret| &*secret.0);
        self.rules.lock().claim_name(claim.address.id(), secret, subject, done);
        self.stir();
        claimed
    }

    fn names(&self, realm: Realm) -> oneshot::Receiver<Vec<String>> {
        let (done, names) = oneshot::channel();
        self.rules.lock().ask_for_names(realm, done);
        self.stir();
        names
    }

    fn meet(&self, place: PeerId) -> oneshot::Receiver<Meeting> {
        let (done, meeting) = oneshot::channel();
        self.rules.lock().find_place(place, done);
        self.stir();
        meeting
    }

    fn open_line(
        &self,
        node: NodeId,
        place: PeerId,
        guest: &[u8],
    ) -> oneshot::Receiver<Result<Box<dyn Line>, ErrorCode>> {
        let (done, opened) = oneshot::channel();
        self.ask_for_line(node, place, guest, done);
        self.stir();
        opened
    }

    fn subscribed(&self, topic: &RoomKey, subscribers: usize) {
        self.rules.lock().subscribed(topic, subscribers);
        self.stir();
    }

    fn subscribers(&self, topic: &RoomKey) -> usize {
        self.rules.lock().subscribers(topic)
    }

    fn publish(&self, topic: &RoomKey, payload: &str, count_at: usize, subscribers: usize) {
        self.rules.lock().publish(topic, payload, count_at, subscribers);
        self.stir();
    }

    fn ended(&self, id: PeerId) {
        self.rules.lock().ended(id);
    }

    fn unready(&self) -> Option<String> {
        self.rules.lock().unready().map(|why| format!("cluster: {why}"))
    }

    fn undelivered(&self, to: &Address, by: &Address) {
        self.rules.lock().undelivered(to, by);
        self.stir();
    }
}

/// Counts since the start, for monitors, and what is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Figures {
    /// Whether there is a connection by which the others are reached.
    pub is_connected: bool,
    /// Other nodes that are seen now.
    pub nodes: usize,
    /// Questions that are not answered now.
    pub questions: usize,
    /// Clients that are served on another node than theirs, of either.
    pub lines: usize,
    /// Messages to other nodes.
    pub sent: Traffic,
    /// … and from them.
    pub received: Traffic,
    /// Messages that were not taken in: of another link, or unknown here.
    pub dropped: u64,
    /// Answers that came too late.
    pub late: u64,
    /// Nodes that were lost.
    pub lost: u64,
}

/// Messages and their bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Traffic {
    /// How many.
    pub messages: u64,
    /// Their bytes, together.
    pub bytes: u64,
}

impl Traffic {
    fn add(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::v1::decode;
    use crate::hub::{AllowanceLimits, Ask, HubLimits, Lifetime, MailboxLimits, TopicLimits};
    use crate::protocol::{ErrorCode, Notice, Realm, ServerMessage};

    pub(super) const LIMITS: HubLimits = HubLimits {
        allowance: AllowanceLimits::NONE,
        mailbox: MailboxLimits { messages: 16, bytes: 1 << 20 },
        queued_bytes: 1 << 24,
        rooms_per_peer: None,
        peers_per_room: None,
        topics: TopicLimits::NONE,
    };

    pub(super) struct Node {
        pub(super) cluster: Arc<Cluster>,
        pub(super) hub: Arc<Hub>,
    }

    pub(super) fn node(name: &str, key: u8, now: Instant) -> Node {
        node_of(NodeId::random(), name, key, LIMITS, now)
    }

    pub(super) fn node_of(id: NodeId, name: &str, key: u8, limits: HubLimits, now: Instant) -> Node {
        let (resume_window, peers_per_room) = (Duration::from_secs(30), limits.peers_per_room);
        let settings = ClusterSettings { name: name.to_owned(), key: vec![key; 32], peers_per_room, resume_window };
        let cluster = Cluster::of(id, &settings, now);
        let hub = Hub::among(limits, Some(Arc::clone(&cluster) as Arc<dyn Elsewhere>));
        cluster.attach(&hub);
        cluster.connected(now);
        Node { cluster, hub }
    }

    /// Carries all parcels, until there is none.
    pub(super) fn carry(nodes: &[Node], now: Instant) {
        loop {
            let mut is_quiet = true;
            for from in nodes {
                for Parcel { to, bytes } in from.cluster.take() {
                    is_quiet = false;
                    for other in nodes.iter().filter(|other| other.cluster.node() != from.cluster.node()) {
                        if to == Destination::All || to == Destination::Node(other.cluster.node()) {
                            other.cluster.receive(&bytes, now);
                        }
                    }
                }
            }
            if is_quiet {
                return;
            }
        }
    }

    /// So much later, with all that nodes do meanwhile.
    pub(super) fn pass(nodes: &[Node], now: &mut Instant, milliseconds: u64) {
        for _ in 0..milliseconds / 100 {
            *now += TICK;
            for node in nodes {
                node.cluster.tick(*now);
            }
            carry(nodes, *now);
        }
    }

    pub(super) fn two() -> ([Node; 2], Instant) {
        let mut now = Instant::now();
        let nodes = [node("a", 1, now), node("b", 1, now)];
        pass(&nodes, &mut now, 3000);
        assert!(nodes.iter().all(|node| node.hub.unready().is_none() && node.cluster.figures().nodes == 1));
        (nodes, now)
    }

    pub(super) fn say(session: &Session, frame: &str) {
        let ask = Ask::Frame(decode(frame), session.answer_permit().unwrap());
        assert_eq!(session.hear(ask, 0, Instant::now(), Vec::new).refused, None);
    }

    pub(super) fn open(node: &Node) -> Session {
        node.hub.open(Realm::V1, Lifetime::Resumable, None)
    }

    pub(super) fn message(to: &Session) -> String {
        format!(r#"{{"type":"message","to":"{}","message":1,"ref":1}}"#, to.id())
    }

    pub(super) fn error(session: &Session) -> ErrorCode {
        match session.try_next().unwrap().message() {
            ServerMessage::Notice(Notice::Error(error)) => error.code,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn while_another_node_has_not_answered_nothing_else_is_said_or_read_and_for_3_s_at_most() {
        let (nodes, mut now) = two();
        let [alice, anna] = [open(&nodes[0]), open(&nodes[0])];
        let bob = open(&nodes[1]);
        say(&alice, &message(&bob));
        say(&anna, &message(&alice));
        assert!(alice.answer_permit().is_none() && alice.try_next().is_none());
        // Nothing is carried.
        now += Duration::from_millis(1500);
        nodes[0].cluster.tick(now);
        assert!(alice.try_next().is_none());
        now += Duration::from_millis(1600);
        nodes[0].cluster.tick(now);
        assert_eq!(error(&alice), ErrorCode::ClusterUnavailable);
        assert!(matches!(alice.try_next().unwrap().message(), ServerMessage::Relayed { .. }));
        assert!(alice.answer_permit().is_some());
    }

    #[test]
    fn a_peer_of_a_node_that_is_gone_or_never_was_is_unavailable_at_once() {
        let ([a, b], mut now) = two();
        let (alice, bob) = (open(&a), open(&b));
        let never = format!(r#"{{"type":"bye","to":"{}","ref":1}}"#, PeerId::of(NodeId::random()));
        say(&alice, &never);
        assert_eq!(error(&alice), ErrorCode::PeerUnavailable);
        let gone = message(&bob);
        drop((bob, b));
        let nodes = [a];
        pass(&nodes, &mut now, 3500);
        say(&alice, &gone);
        assert_eq!(error(&alice), ErrorCode::PeerUnavailable);
    }

    #[test]
    fn a_token_that_no_node_has_sealed_has_no_node_asked() {
        let (nodes, now) = two();
        let bob = open(&nodes[1]);
        let token = bob.issue_token().unwrap().0;
        let sent = || nodes[0].cluster.figures().sent.messages;
        let before = sent();
        let unsealed = ResumeToken::of(token.id(), *token.proof());
        let mut fetching = nodes[0].hub.fetch(&ResumeRequest { token: unsealed, received: 0 }, None).unwrap();
        assert_eq!((fetching.try_recv(), sent()), (Ok(Fetched::Unknown), before));
        // Nor one that is another's: the seal says whose it is.
        let mut fetching = nodes[0].cluster.fetch(&ResumeRequest { token, received: 0 }, Some("alice"));
        assert_eq!((fetching.try_recv(), sent()), (Ok(Fetched::Unknown), before));
        let mut fetching = nodes[0].hub.fetch(&ResumeRequest { token, received: 0 }, None).unwrap();
        carry(&nodes, now);
        assert_eq!(fetching.try_recv(), Ok(Fetched::Here));
    }

    #[test]
    fn a_node_whose_own_words_come_back_no_more_is_deaf_and_one_that_never_heard_them_is_not() {
        let ([a, _b], mut now) = two();
        let mut tick = |seconds| {
            for _ in 0..seconds * 10 {
                now += TICK;
                a.cluster.tick(now);
            }
            now
        };
        tick(10);
        assert!(!a.cluster.is_deaf(), "its NATS may not let it hear them");
        let own = a.cluster.take().into_iter().find(|parcel| parcel.to == Destination::All).unwrap();
        a.cluster.receive(&own.bytes, tick(0));
        tick(2);
        assert!(!a.cluster.is_deaf());
        tick(1);
        assert!(a.cluster.is_deaf());
        a.cluster.connected(tick(0));
        assert!(!a.cluster.is_deaf(), "of another connection it is not known");
    }

    #[test]
    fn a_node_that_is_about_to_end_is_given_no_session_of_another_that_is() {
        let mut now = Instant::now();
        let nodes = ["a", "b", "c"].map(|name| node(name, 1, now));
        let kept = nodes.each_ref().map(|_| Arc::<Mutex<Vec<Session>>>::default());
        for (node, kept) in nodes.iter().zip(&kept) {
            let kept = Arc::clone(kept);
            node.cluster.keep_with(move |session| kept.lock().push(session));
        }
        pass(&nodes, &mut now, 3000);
        let [a, b, c] = &nodes;
        let sessions = std::iter::repeat_with(|| open(a)).take(20).collect::<Vec<_>>();
        assert!(sessions.iter().all(|session| session.issue_token().is_some()));
        for node in [a, c] {
            node.hub.empty();
        }
        assert!(c.cluster.hand_over_some(&mut 0), "others may have given it some, as long as they do not know");
        carry(&nodes, now);
        assert!(!c.cluster.hand_over_some(&mut 0));
        assert!(a.cluster.hand_over_some(&mut 0));
        carry(&nodes, now);
        assert_eq!([a, b, c].map(|node| node.hub.peers()), [0, sessions.len(), 0]);
        for kept in &kept {
            kept.lock().clear();
        }
    }

    /// Its sender waits for no answer. What comes back is with the session by then, and not sent after what came before it.
    #[test]
    fn a_burst_to_a_session_that_comes_to_its_sender_s_node_is_passed_on_once() {
        const BURST: usize = 12;
        for is_to_all in [false, true] {
            let (nodes, now) = two();
            let [a, b] = &nodes;
            let kept = Arc::<Mutex<Vec<Session>>>::default();
            let keep = Arc::clone(&kept);
            a.cluster.keep_with(move |session| keep.lock().push(session));
            let (alice, bob) = (open(a), open(b));
            let request = ResumeRequest { token: bob.issue_token().unwrap().0, received: 0 };
            let mut burst = format!(r#"{{"type":"message","to":"{}","message":1}}"#, bob.id());
            if is_to_all {
                for session in [&alice, &bob] {
                    say(session, r#"{"type":"join","room":"hall"}"#);
                    carry(&nodes, now);
                }
                r#"{"type":"message","room":"hall","message":1}"#.clone_into(&mut burst);
            }
            while alice.try_next().is_some() {}
            let sent = || nodes.iter().map(|node| node.cluster.figures().sent.messages).sum::<u64>();
            let before = sent();
            let _fetching = a.hub.fetch(&request, None).unwrap();
            (0..BURST).for_each(|_| say(&alice, &burst));
            carry(&nodes, now);
            // The message, twice, an answer to each, and what is said of the session.
            let sent = sent() - before;
            assert!(sent < 4 * BURST as u64 + 10, "{sent}");
            let bob = a.hub.resume(&request, None).unwrap();
            let is_said = |message: &ServerMessage| !matches!(message, ServerMessage::Notice(_));
            let heard = std::iter::from_fn(|| bob.try_next()).filter(|frame| is_said(frame.message())).count();
            assert_eq!(heard, BURST);
            assert!(alice.try_next().is_none(), "it is told no error");
            kept.lock().clear();
        }
    }

    #[test]
    fn nodes_of_another_key_do_not_meet() {
        let mut now = Instant::now();
        let nodes = [node("a", 1, now), node("b", 2, now)];
        pass(&nodes, &mut now, 3000);
        assert!(nodes.iter().all(|node| node.cluster.figures().nodes == 0 && node.hub.unready().is_none()));
    }

    fn name(secret: &str) -> Claim {
        let address = Address::named(Realm::PeerJs, "alice").unwrap();
        Claim { realm: Realm::PeerJs, address, secret: Some(Secret(secret.to_owned())) }
    }

    /// What other nodes say to a claim that is repeated as long as it is worth it at once.
    fn claimed(nodes: &[Node], at: &Node, claim: &Claim, now: Instant) -> Option<Claimed> {
        loop {
            let mut claiming = Elsewhere::claim(&*at.cluster, claim, None);
            carry(nodes, now);
            match claiming.try_recv().ok() {
                Some(Claimed::Free) => {}
                claimed => return claimed,
            }
        }
    }

    #[test]
    fn a_name_is_one_peers_of_all_nodes_and_its_secret_brings_it_to_another() {
        let (nodes, now) = two();
        let [a, b] = &nodes;
        assert_eq!(claimed(&nodes, a, &name("secret"), now), Some(Claimed::Granted));
        let holder = a.hub.claim(name("secret"), None).unwrap();
        carry(&nodes, now);
        // It is asked for a sign of life.
        assert_eq!(claimed(&nodes, b, &name("other"), now), None);
        let _ = holder.hear(Ask::Control, 0, Instant::now(), Vec::new);
        let mut claiming = Elsewhere::claim(&*b.cluster, &name("other"), None);
        carry(&nodes, now);
        assert_eq!(claiming.try_recv(), Ok(Claimed::Taken), "it has just given one");
        assert_eq!(claimed(&nodes, b, &name("secret"), now), Some(Claimed::Granted));
        assert_eq!(a.hub.peers(), 0);
        let newer = b.hub.claim(name("secret"), None).unwrap();
        carry(&nodes, now);
        drop(newer);
        carry(&nodes, now);
        assert_eq!(claimed(&nodes, a, &name("other"), now), Some(Claimed::Granted), "it was left");
    }

    #[test]
    fn names_of_all_nodes_are_listed_in_one_question_and_without_those_of_a_node_that_is_gone() {
        let (nodes, mut now) = two();
        let [a, b] = &nodes;
        let claim = |number: usize| {
            let address = Address::named(Realm::PeerJs, &format!("peer-{number}")).unwrap();
            b.hub.claim(Claim { address, ..name("secret") }, None).unwrap()
        };
        let sent = || a.cluster.figures().sent.messages;
        for peers in [0, 1, 600] {
            let _peers: Vec<_> = (0..peers).map(claim).collect();
            carry(&nodes, now);
            let before = sent();
            let mut asked = [(); 3].map(|()| Elsewhere::names(&*a.cluster, Realm::PeerJs));
            carry(&nodes, now);
            assert_eq!(sent() - before, 1, "for all who ask at once");
            for names in &mut asked {
                let mut names = names.try_recv().unwrap();
                names.sort_unstable();
                names.dedup();
                assert_eq!(names.len(), peers);
            }
        }
        let mut asked = Elsewhere::names(&*a.cluster, Realm::PeerJs);
        let [a, _] = nodes;
        pass(&[a], &mut now, 3500);
        assert_eq!(asked.try_recv().unwrap(), [""; 0]);
    }

    #[test]
    fn so_many_clients_of_another_node_wait_for_a_name_and_for_all_and_no_more() {
        let (nodes, now) = two();
        let [a, b] = &nodes;
        let claim = |number: usize, secret: &str| {
            let address = Address::named(Realm::PeerJs, &format!("peer-{number}")).unwrap();
            Claim { address, ..name(secret) }
        };
        let holders = MAX_CONTESTS / MAX_CONTESTS_FOR_ONE + 1;
        let _holders: Vec<_> = (0..holders).map(|number| a.hub.claim(claim(number, "secret"), None).unwrap()).collect();
        carry(&nodes, now);
        let mut asked = Vec::new();
        let mut refused = |number: usize, times: usize| {
            let claims: Vec<_> =
                (0..times).map(|_| Elsewhere::claim(&*b.cluster, &claim(number, "other"), None)).collect();
            carry(&nodes, now);
            asked.extend(claims);
            asked.iter_mut().filter_map(|claiming| claiming.try_recv().ok()).collect::<Vec<_>>()
        };
        assert_eq!(refused(0, MAX_CONTESTS_FOR_ONE + 3), [Claimed::NotNow; 3], "the others wait for a sign of life");
        for number in 1..holders - 1 {
            assert_eq!(refused(number, MAX_CONTESTS_FOR_ONE), []);
        }
        assert_eq!(refused(holders - 1, 1), [Claimed::NotNow]);
        assert_eq!(a.cluster.contests.lock().len(), MAX_CONTESTS);
    }

    #[test]
    fn a_name_that_two_nodes_want_at_once_is_one_s() {
        let (nodes, now) = two();
        let mut claims = nodes.each_ref().map(|node| Elsewhere::claim(&*node.cluster, &name("secret"), None));
        carry(&nodes, now);
        let mut claims = claims.each_mut().map(|claiming| claiming.try_recv().unwrap());
        claims.sort_by_key(|claimed| *claimed == Claimed::NotNow);
        assert_eq!(claims, [Claimed::Granted, Claimed::NotNow]);
    }

    #[test]
    fn what_waits_for_a_name_goes_to_the_node_on_which_it_is_claimed_and_what_is_said_then_comes_after_it() {
        let (nodes, now) = two();
        let [a, b] = &nodes;
        let caller = Claim { address: Address::named(Realm::PeerJs, "caller").unwrap(), ..name("x") };
        let caller = a.hub.claim(caller, None).unwrap();
        let offer = |payload: &str| {
            let message = crate::protocol::ClientMessage::Relay {
                kind: crate::protocol::Kind::Offer,
                to: "alice".into(),
                payload: Some(payload),
            };
            let request = crate::protocol::Request { reference: None, message };
            let ask = Ask::Frame(Ok(request), caller.answer_permit().unwrap());
            assert_eq!(caller.hear(ask, 0, Instant::now(), Vec::new).refused, None);
        };
        offer("1");
        offer("2");
        let alice = b.hub.claim(name("secret"), None).unwrap();
        carry(&nodes, now);
        assert_eq!(a.hub.awaited(), 0);
        offer("3");
        carry(&nodes, now);
        let heard = std::iter::from_fn(|| alice.try_next()).map(|frame| match frame.message() {
            ServerMessage::Relayed { from, payload: Some(payload), .. } => {
                assert_eq!(from.to_string(), "caller");
                payload.to_string()
            }
            other => panic!("{other:?}"),
        });
        assert_eq!(heard.collect::<Vec<_>>(), ["1", "2", "3"]);
        // It leaves without having acknowledged anything, and comes no more.
        drop(alice);
        carry(&nodes, now);
        assert_eq!(error(&caller), ErrorCode::Undelivered);
        offer("4");
        assert_eq!(a.hub.awaited(), 1, "until it is claimed again");
    }

    /// Nodes that did not see each other have both let a client have it.
    #[test]
    fn of_two_that_have_a_name_the_one_that_came_later_keeps_it() {
        let mut now = Instant::now();
        let nodes = [node("a", 1, now), node("b", 1, now)];
        let _older = nodes[0].hub.claim(name("older"), None).unwrap();
        std::thread::sleep(Duration::from_millis(2));
        let newer = nodes[1].hub.claim(name("newer"), None).unwrap();
        pass(&nodes, &mut now, 3000);
        assert_eq!(nodes.each_ref().map(|node| node.hub.peers()), [0, 1]);
        assert!(newer.answer_permit().is_some());
    }

    #[test]
    fn topics_are_heard_on_all_nodes_and_their_subscribers_counted() {
        let (nodes, mut now) = two();
        let topic = RoomKey { realm: Realm::YWebrtc, name: RoomName::topic("draft").unwrap() };
        let subscribe = || {
            let mut topics = crate::protocol::TopicNames::default();
            topics.push("draft");
            topics
        };
        let hear = |node: &Node| {
            let session = node.hub.open(Realm::YWebrtc, Lifetime::Connection, None);
            let request = crate::protocol::Request {
                reference: None,
                message: crate::protocol::ClientMessage::Subscribe(subscribe()),
            };
            let ask = Ask::Frame(Ok(request), session.answer_permit().unwrap());
            assert_eq!(session.hear(ask, 0, Instant::now(), Vec::new).refused, None);
            session
        };
        let [alice, bob, carol] = [&nodes[0], &nodes[1], &nodes[1]].map(hear);
        pass(&nodes, &mut now, 200);
        assert_eq!(nodes.each_ref().map(|node| node.cluster.subscribers(&topic)), [2, 1]);
        let publication = crate::protocol::Publication {
            topic: topic.name.clone(),
            payload: "{}".into(),
            count_at: 1,
            announces: None,
        };
        let request =
            crate::protocol::Request { reference: None, message: crate::protocol::ClientMessage::Publish(publication) };
        let ask = Ask::Frame(Ok(request), alice.answer_permit().unwrap());
        assert_eq!(alice.hear(ask, 0, Instant::now(), Vec::new).refused, None);
        carry(&nodes, now);
        for session in [&alice, &bob, &carol] {
            match session.try_next().unwrap().message() {
                ServerMessage::Published(published) => {
                    assert_eq!((&*published.payload, published.subscribers), ("{}", 3));
                }
                other => panic!("{other:?}"),
            }
        }
        drop((bob, carol));
        pass(&nodes, &mut now, 200);
        assert_eq!(nodes[0].cluster.subscribers(&topic), 0);
    }
}
