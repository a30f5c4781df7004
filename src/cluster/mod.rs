//! The other nodes of the service: which there are, and what is said between them.
//!
//! [`Cluster`] is given to the hub as what is [`Elsewhere`](crate::hub::Elsewhere). It knows of no network: what carries
//! parcels between nodes tells it what has come and what time it is, and takes what is to be sent. That is [`nats`], and in
//! tests a simulated network.
//!
//! Order of locks: a room's shard, the places or the lines, then the rules, then a shard of peers or a mailbox. What comes in
//! is heard with nothing locked, by one thread at a time.

mod contests;
#[cfg(test)]
mod defects;
mod early;
mod elsewhere;
mod entering;
mod envelope;
#[cfg(test)]
mod exhaustive;
mod hearing;
mod home;
mod letter;
mod line;
mod link;
mod moving;
mod names;
pub mod nats;
mod parcel;
mod passing;
mod places;
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
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use parking_lot::Mutex;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use tokio::sync::Notify;

use contests::Contest;
use envelope::Token;
pub use line::Start;
use line::{Host, Lines};
use moving::Heirless;
pub use parcel::{Destination, FULL, Parcel};
use rules::Rules;

use crate::hub::{Hub, NotHandedOver, ResumeRequest, Session};
use crate::protocol::{NodeId, PeerId};

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

    /// The names of the other nodes that are seen.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        self.rules.lock().names()
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
        let mut rules = self.rules.lock();
        // Order: one that leaves its room meanwhile is in both parts.
        rules.report_given(&homes);
        rules.reported(&homes);
    }

    fn stir(&self) {
        self.stirred.notify_one();
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
    use crate::hub::{
        AllowanceLimits, Ask, Elsewhere, Fetched, HubLimits, Lifetime, MailboxLimits, ResumeToken, TopicLimits,
    };
    use crate::protocol::{ErrorCode, Notice, Realm, RoomKey, RoomName, ServerMessage};

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
        of(["a", "b"])
    }

    /// Nodes of these names, which have met.
    pub(super) fn of<const N: usize>(names: [&str; N]) -> ([Node; N], Instant) {
        let mut now = Instant::now();
        let nodes = names.map(|name| node(name, 1, now));
        pass(&nodes, &mut now, 3000);
        assert!(nodes.iter().all(|node| node.hub.unready().is_none() && node.cluster.figures().nodes == N - 1));
        (nodes, now)
    }

    /// Has a node keep sessions that come to it, until the list is emptied.
    pub(super) fn keep(node: &Node) -> Arc<Mutex<Vec<Session>>> {
        let kept = Arc::<Mutex<Vec<Session>>>::default();
        let keep = Arc::clone(&kept);
        node.cluster.keep_with(move |session| keep.lock().push(session));
        kept
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
    fn a_node_that_stood_still_meets_the_others_anew_before_it_says_what_is_elsewhere() {
        let (nodes, mut now) = two();
        let (alice, bob) = (open(&nodes[0]), open(&nodes[1]));
        // Less than what makes one silent, and more than others wait for it.
        now += Duration::from_millis(2500);
        nodes[0].cluster.tick(now);
        say(&alice, &message(&bob));
        assert_eq!(error(&alice), ErrorCode::ClusterUnavailable);
        pass(&nodes, &mut now, 10_000);
        say(&alice, &message(&bob));
        carry(&nodes, now);
        assert!(matches!(alice.try_next().unwrap().message(), ServerMessage::Notice(Notice::Ack { .. })));
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
    fn a_node_that_ends_takes_leave_of_those_that_it_does_not_see_yet() {
        let mut now = Instant::now();
        let [a, b] = [node("a", 1, now), node("b", 1, now)];
        let seen = |node: &Node| node.cluster.figures().nodes;
        // One of them sees the other first.
        let (first, late) = 'met: loop {
            now += TICK;
            for (from, to) in [(&a, &b), (&b, &a)] {
                from.cluster.tick(now);
                for parcel in from.cluster.take() {
                    to.cluster.receive(&parcel.bytes, now);
                    if seen(to) > seen(from) {
                        break 'met (to, from);
                    }
                }
            }
        };
        late.cluster.leave(now);
        late.cluster.take().iter().for_each(|parcel| first.cluster.receive(&parcel.bytes, now));
        assert_eq!(seen(first), 0);
    }

    #[test]
    fn a_node_that_is_about_to_end_is_given_no_session_of_another_that_is() {
        let (nodes, now) = of(["a", "b", "c"]);
        let kept = nodes.each_ref().map(keep);
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
            let kept = keep(a);
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

    /// The node from which a session has come said that one of the node to which it has come is in a room: it has left meanwhile,
    /// or has gone on to a third one.
    #[test]
    fn what_is_said_to_a_room_is_refused_for_none_that_has_left_and_follows_who_has_gone_on() {
        for has_gone_on in [false, true] {
            let (nodes, now) = of(["a", "b", "c"]);
            let [a, b, c] = &nodes;
            let kept = [a, c].map(keep);
            let seen = nodes.iter().map(|node| node.cluster.node()).collect();
            let key = |name: &str| RoomKey { realm: Realm::V1, name: RoomName::new(name).unwrap() };
            let is_b_s = |name: &String| view::home(&seen, &key(name)) == Some(b.cluster.node());
            let room = (0..100).map(|number| format!("room-{number}")).find(is_b_s).unwrap();
            let (carol, alice) = (open(a), open(b));
            for session in [&carol, &alice] {
                say(session, &format!(r#"{{"type":"join","room":"{room}"}}"#));
                carry(&nodes, now);
            }
            let give = |from: &Node, to: &Node| {
                let parcels = from.cluster.take();
                let its = |parcel: &&Parcel| parcel.to == Destination::Node(to.cluster.node());
                parcels.iter().filter(its).for_each(|parcel| to.cluster.receive(&parcel.bytes, now));
                // What is for the third one comes later.
                parcels.into_iter().filter(|parcel| !its(&parcel)).collect::<Vec<_>>()
            };
            let [carol_s, alice_s] =
                [&carol, &alice].map(|it| ResumeRequest { token: it.issue_token().unwrap().0, received: 0 });
            let mut later = Vec::new();
            let _fetching = has_gone_on.then(|| c.hub.fetch(&carol_s, None));
            if has_gone_on {
                later.extend(give(c, a));
                later.extend(give(a, c));
                later.extend(give(c, a));
            } else {
                drop(carol);
            }
            let _fetching = a.hub.fetch(&alice_s, None).unwrap();
            let to_b = give(a, b);
            give(b, a);
            let alice = a.hub.resume(&alice_s, None).unwrap();
            while alice.try_next().is_some() {}
            say(&alice, &format!(r#"{{"type":"message","room":"{room}","message":1,"ref":1}}"#));
            for parcel in later.into_iter().chain(to_b) {
                nodes.iter().filter(|node| parcel.to == Destination::Node(node.cluster.node())).for_each(|node| {
                    node.cluster.receive(&parcel.bytes, now);
                });
            }
            carry(&nodes, now);
            assert!(matches!(alice.try_next().unwrap().message(), ServerMessage::Notice(Notice::Ack { .. })));
            if has_gone_on {
                let carol = c.hub.resume(&carol_s, None).unwrap();
                let is_said = |message: &ServerMessage| matches!(message, ServerMessage::Broadcast { .. });
                assert!(std::iter::from_fn(|| carol.try_next()).any(|frame| is_said(frame.message())));
            }
            for kept in kept {
                kept.lock().clear();
            }
        }
    }

    #[test]
    fn nodes_of_another_key_do_not_meet() {
        let mut now = Instant::now();
        let nodes = [node("a", 1, now), node("b", 2, now)];
        pass(&nodes, &mut now, 3000);
        assert!(nodes.iter().all(|node| node.cluster.figures().nodes == 0 && node.hub.unready().is_none()));
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
