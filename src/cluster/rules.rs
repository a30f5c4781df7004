//! Which nodes there are, what is asked of them and what they answer. Pure: messages go in and out, and time is told.
//!
//! A node is heard of by its signs of life, and seen once each has answered the other's greeting. Nodes that see the same
//! ones agree on the home of each room (`home`); a home's round begins where the nodes that it sees change.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{info, warn};

use super::early::{Early, Kept, Words};
use super::entering::Held;
use super::envelope::{At, Envelope, Origin, Outcome, Room, Token, View, addresses, kind_number, number};
use super::home::Home;
use super::link::{Incoming, Outgoing, Place};
use super::moving::{PACE, tell};
use super::parcel::{self, Content, Destination, FINGERPRINT, Parcel, Unreadable};
use super::passing::{Asked, Members};
use super::questions::{Question, Questions, What};
use super::remote::{Owed, Remote, Standing};
use super::topics::Topics;
use super::undelivered::Undelivered;
use super::view::nodes_number;
use super::whereabouts::Whereabouts;
use super::{Figures, early, envelope, names, places};
use crate::hub::{Claimed, Fetched, Ledger, Meeting, Said, Unanswered};
use crate::protocol::{Address, ErrorCode, NodeId, PeerId, RoomKey};

/// Between two signs of life.
const HELLO: Duration = Duration::from_secs(1);

/// A node that was not heard of for so long is gone.
const GONE: Duration = Duration::from_secs(3);

/// A node that itself did nothing for so long was stopped: the others may have given it up, and go on without it.
const STALL: Duration = Duration::from_secs(2);

/// For how long others are listened for before it is known that there are no more.
const SETTLE: Duration = Duration::from_secs(2);

/// For how long a node has to answer a question.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a greeting may be unanswered before it is said again.
const AGAIN: Duration = Duration::from_secs(1);

/// Questions that one node has not answered. Beyond, nothing more is asked of it.
const MAX_QUESTIONS: usize = 65_536;

/// What a node is about to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Serving,
    /// It hands its sessions over, as it is about to end.
    Retiring,
    /// It says its last.
    Leaving,
}

/// A session that is on its way to another node at this moment, and the questions that are to follow it.
#[derive(Debug)]
pub(super) struct Leaving {
    pub(super) to: NodeId,
    pub(super) held: Vec<(Token, Vec<u8>)>,
}

#[derive(Debug)]
pub(super) struct Rules {
    pub(super) node: NodeId,
    name: String,
    fingerprint: [u8; FINGERPRINT],
    pub(super) peers_per_room: Option<NonZeroUsize>,
    pub(super) now: Instant,
    pub(super) is_connected: bool,
    /// Until when the connection was there.
    disconnected: Option<Instant>,
    settles: Option<Instant>,
    hello: Option<Instant>,
    /// When its own sign of life came back last, by this connection.
    echo: Option<Instant>,
    pub(super) stage: Stage,
    /// Whether all others have been heard from since it last met them. One that comes later is no reason to send clients away.
    was_ready: bool,
    pub(super) nodes: BTreeMap<NodeId, Remote>,
    /// Those that are up, and this one.
    pub(super) seen: BTreeSet<NodeId>,
    pub(super) view: View,
    /// This node as a home.
    pub(super) own: Standing,
    pub(super) home: Home,
    pub(super) held: Vec<Held>,
    links: u64,
    pub(super) tokens: Token,
    pub(super) questions: Questions,
    /// What this node says to itself, as its own home.
    local: VecDeque<Vec<u8>>,
    /// Nodes whose members the hub has to forget.
    lost: Vec<NodeId>,
    /// What other nodes have said to rooms, and of which it is not known yet whether it has reached members that have moved.
    pub(super) passing: HashMap<Asked, Members>,
    /// Senders that have to be told that another peer did not get all.
    pub(super) undelivered: Vec<Undelivered>,
    /// … and those whose node can't be reached at the moment.
    pub(super) unreached: Vec<Undelivered>,
    /// What waits for peers that enter rooms.
    pub(super) early: early::Waiting,
    /// Peers that did not enter a room in the end.
    not_let_in: Vec<PeerId>,
    /// Sessions that another node has: where they are here too, they end.
    pub(super) taken: Vec<PeerId>,
    /// What is heard here.
    pub(super) topics: Topics,
    /// Where sessions are that are not on the node of their id.
    pub(super) sessions: Whereabouts,
    /// Sessions that are on their way to another node at this moment.
    pub(super) leaving: HashMap<PeerId, Leaving>,
    /// Sessions that have come here or to another node, and when.
    pub(super) moved: HashMap<PeerId, Instant>,
    /// Sessions that were given by nodes that stop to others, and when.
    pub(super) bequeathed: HashMap<PeerId, Instant>,
    /// The rooms of those that have left, until the other node says that it has them.
    pub(super) gave: HashMap<PeerId, (NodeId, Vec<RoomKey>)>,
    /// Nodes that have gone, and when.
    pub(super) departed: HashMap<NodeId, Instant>,
    /// For how long a session outlives its node.
    pub(super) resume_window: Duration,
    /// Which node may have the id of a peer whose node is gone, and until when that is remembered.
    pub(super) claims: HashMap<PeerId, (NodeId, Instant)>,
    greetings: Vec<Parcel>,
    /// Nodes of another key or version, each of which is said once.
    strangers: BTreeSet<NodeId>,
    figures: Figures,
}

/// Of which strangers it is remembered that they were said.
const MAX_STRANGERS: usize = 64;

/// What a peer says to another, for the other one's node.
pub(super) fn relay<'a>(to: PeerId, from: &'a Address, said: Said<'a>, origin: Origin) -> Envelope<'a> {
    Envelope::Relay {
        to: *to.as_bytes(),
        from: At::from(from),
        realm: number(said.realm),
        kind: kind_number(said.kind),
        payload: said.payload,
        origin,
    }
}

impl Rules {
    pub(super) fn new(
        node: NodeId,
        name: &str,
        fingerprint: [u8; FINGERPRINT],
        peers_per_room: Option<NonZeroUsize>,
        resume_window: Duration,
        now: Instant,
    ) -> Self {
        let seen = BTreeSet::from([node]);
        let view = View { nodes: nodes_number(&seen), round: 1 };
        Self {
            node,
            name: name.to_owned(),
            fingerprint,
            peers_per_room,
            now,
            is_connected: false,
            disconnected: None,
            settles: None,
            hello: None,
            echo: None,
            stage: Stage::Serving,
            was_ready: false,
            nodes: BTreeMap::new(),
            seen,
            view,
            own: Standing { view: Some(view), reported: None },
            home: Home::default(),
            held: Vec::new(),
            links: 0,
            tokens: 0,
            questions: Questions::default(),
            local: VecDeque::new(),
            lost: Vec::new(),
            passing: HashMap::new(),
            undelivered: Vec::new(),
            unreached: Vec::new(),
            early: early::Waiting::default(),
            not_let_in: Vec::new(),
            taken: Vec::new(),
            topics: Topics::default(),
            sessions: Whereabouts::default(),
            leaving: HashMap::new(),
            moved: HashMap::new(),
            bequeathed: HashMap::new(),
            gave: HashMap::new(),
            departed: HashMap::new(),
            resume_window,
            claims: HashMap::new(),
            greetings: Vec::new(),
            strangers: BTreeSet::new(),
            figures: Figures::default(),
        }
    }

    pub(super) fn connected(&mut self, now: Instant) {
        self.pass(now);
        let was_away = self.disconnected.is_none_or(|since| now.duration_since(since) >= GONE);
        if was_away {
            self.settles = Some(now + SETTLE);
            self.was_ready = false;
        }
        self.is_connected = true;
        self.hello = None;
        self.echo = None;
    }

    pub(super) fn disconnected(&mut self, now: Instant) {
        self.pass(now);
        self.is_connected = false;
        self.disconnected = Some(now);
    }

    /// Tells the others that this node ends. What is still owed to one of them it then tells its peers itself.
    pub(super) fn leave(&mut self, now: Instant) {
        self.pass(now);
        self.stage = Stage::Leaving;
        // Those that it does not see yet may see it already.
        for remote in self.nodes.values_mut() {
            remote.settle();
            remote.out.push(0, &Envelope::Bye);
        }
    }

    /// Whether all nodes have been heard of that there are.
    pub(super) fn is_settled(&self) -> bool {
        self.is_connected && self.settles.is_some_and(|settles| settles <= self.now)
    }

    /// Whether all have told of the nodes that were there before this one, and have gone.
    pub(super) fn has_listened(&self) -> bool {
        self.is_settled() && self.settles.is_some_and(|settles| self.now >= settles + GONE + HELLO)
    }

    /// Time goes on. A node that was stopped meanwhile gives all others up: they have gone on without it.
    fn pass(&mut self, now: Instant) {
        let gap = now.saturating_duration_since(self.now);
        self.now = self.now.max(now);
        if gap >= STALL && !self.nodes.is_empty() {
            warn!(seconds = gap.as_secs_f64(), "this node stood still, and meets the others anew");
            self.echo = None;
            self.settles = Some(now + SETTLE);
            self.was_ready = false;
            let all: Vec<NodeId> = self.nodes.keys().copied().collect();
            for node in all {
                self.lose(node, "this node stood still");
            }
        }
    }

    pub(super) fn tick(&mut self, now: Instant) {
        self.pass(now);
        if self.is_connected && self.stage != Stage::Leaving && self.hello.is_none_or(|last| now >= last + HELLO) {
            self.hello = Some(now);
            let bytes = parcel::hello(self.node, self.fingerprint, &self.name);
            self.greetings.push(Parcel { to: Destination::All, bytes });
            self.nodes.values_mut().filter(|remote| remote.is_up).for_each(|remote| remote.out.beat());
        }
        let silent = |remote: &Remote| now.saturating_duration_since(remote.heard) >= GONE;
        for (node, why) in self.find(silent, "silent") {
            self.lose(node, why);
        }
        for (node, why) in self.find(|remote| remote.out.is_over(), "too much waits for it") {
            self.lose(node, why);
        }
        let late = |remote: &Remote| !remote.is_up && now >= remote.greeted_at + AGAIN;
        for (node, _) in self.find(late, "") {
            let out = self.greet();
            if let Some(remote) = self.nodes.get_mut(&node) {
                (remote.out, remote.has_ours, remote.greeted_at) = (out, false, now);
                if let Some(incoming) = remote.incoming {
                    remote.out.push(0, &Envelope::Greeted(incoming.link()));
                }
            }
        }
        let due: Vec<Token> = self.questions.iter().filter(|(_, it)| it.until <= now).map(|(token, _)| token).collect();
        for token in due {
            self.give_up(token);
        }
        self.nodes.values_mut().filter(|remote| remote.is_up).for_each(Remote::settle);
        self.was_ready |= self.disagreement().is_none();
        self.tell_of_changed_topics();
        self.moved.retain(|_, since| now.saturating_duration_since(*since) < PATIENCE + AGAIN);
        self.bequeathed.retain(|_, since| now.saturating_duration_since(*since) < PATIENCE + AGAIN);
        self.sessions.tidy(now, self.resume_window);
        self.claims.retain(|_, (_, until)| *until > now);
        self.try_again_to_tell();
        self.departed.retain(|_, since| now.saturating_duration_since(*since) < self.resume_window);
    }

    fn find(&self, which: impl Fn(&Remote) -> bool, why: &'static str) -> Vec<(NodeId, &'static str)> {
        self.nodes.iter().filter(|(_, remote)| which(remote)).map(|(node, _)| (*node, why)).collect()
    }

    /// A question is answered no more. What is dropped here is `cluster-unavailable`.
    pub(super) fn give_up(&mut self, token: Token) {
        let Some(Question { what, .. }) = self.questions.remove(token) else { return };
        what.nodes().into_iter().for_each(|node| self.answered(node));
        match what {
            What::Broadcast { nodes, mut unanswered, .. } => {
                unanswered.were_busy(nodes.into_values().flatten().collect());
            }
            What::Forward { passed, from, to, owing, .. } => self.give_up_passing(&passed, from, to, owing),
            What::Fetch { done, .. } | What::Claim { done, .. } => tell(done, Fetched::NotNow),
            What::Name { done, .. } => names::tell(done, Claimed::NotNow),
            What::Meet { done, .. } => places::tell(done, Meeting::NotNow),
            What::Names { names, waiting, .. } => names::list(&names, waiting),
            What::Join { unanswered, .. } => self.not_let_in.push(unanswered.asker().id()),
            What::Relay { .. } | What::Retire { .. } => {}
        }
    }

    pub(super) fn answered(&mut self, node: NodeId) {
        if let Some(remote) = self.nodes.get_mut(&node) {
            remote.questions = remote.questions.saturating_sub(1);
        }
    }

    /// A new link of ours, which begins with a greeting.
    fn greet(&mut self) -> Outgoing {
        self.links += 1;
        let mut out = Outgoing::new(self.node, self.links);
        out.push(0, &Envelope::Greet { name: &self.name, fingerprint: self.fingerprint });
        out
    }

    fn meet(&mut self, node: NodeId, name: &str) {
        let out = self.greet();
        self.nodes.insert(node, Remote::new(name, out, self.now));
    }

    /// A node is given up: what is not known to have arrived there is told its senders.
    fn lose(&mut self, node: NodeId, why: &'static str) {
        let Some(remote) = self.nodes.remove(&node) else { return };
        for owed in remote.unsettled.into_values() {
            self.tell_undelivered(owed);
        }
        self.passing.retain(|asked, _| asked.node != node);
        let concerned = |question: &Question| question.what.nodes().contains(&node);
        let tokens: Vec<Token> =
            self.questions.iter().filter(|(_, question)| concerned(question)).map(|(token, _)| token).collect();
        for token in tokens {
            self.lost_by(token, node);
        }
        self.sessions.lose(node, self.now);
        if remote.is_up {
            self.gave.retain(|_, (to, _)| *to != node);
            self.departed.insert(node, self.now);
            for other in self.nodes.values_mut().filter(|other| other.is_up) {
                other.out.push(0, &Envelope::Departed(vec![(*node.as_bytes(), 0)]));
            }
            self.figures.lost += 1;
            info!(node = %node, name = remote.name, why, "a node is gone");
            self.lost.push(node);
            self.look();
        }
    }

    /// A node will not answer a question.
    fn lost_by(&mut self, token: Token, node: NodeId) {
        let Some(question) = self.questions.get_mut(token) else { return };
        let (nodes, is_lost, unanswered) = match &mut question.what {
            What::Broadcast { nodes, is_lost, unanswered } => (nodes, is_lost, unanswered),
            What::Names { nodes, .. } => {
                nodes.remove(&node);
                return self.conclude_names(token);
            }
            _ => return self.give_up(token),
        };
        unanswered.were_busy(nodes.remove(&node).unwrap_or_default());
        *is_lost = true;
        self.conclude(token);
    }

    /// Which nodes are seen has changed: another round begins.
    fn look(&mut self) {
        self.seen = self.nodes.iter().filter(|(_, remote)| remote.is_up).map(|(node, _)| *node).collect();
        self.seen.insert(self.node);
        self.view = View { nodes: nodes_number(&self.seen), round: self.view.round + 1 };
        self.own.view = Some(self.view);
        self.home.begin();
        self.held.clear();
        for remote in self.nodes.values_mut().filter(|remote| remote.is_up) {
            remote.out.push(0, &Envelope::View(self.view));
        }
    }

    /// Takes in a parcel, as far as it is a link's business. Gives the envelopes that are to be heard, of this node.
    pub(super) fn accept<'a>(&mut self, bytes: &'a [u8], now: Instant) -> Option<(NodeId, &'a [u8])> {
        self.pass(now);
        self.figures.received.add(bytes.len());
        let (node, content) = match parcel::read(bytes) {
            Ok(read) => read,
            Err(why) => {
                self.figures.dropped += 1;
                if let Unreadable::Version(version) = why {
                    self.estrange(NodeId::from_bytes([version; NodeId::BYTES]), "speaks another version");
                }
                return None;
            }
        };
        if node == self.node {
            self.echo = Some(self.now);
            return None;
        }
        match content {
            Content::Hello { fingerprint, name } => {
                self.hear_hello(node, fingerprint, name);
                None
            }
            Content::Linked { link, number, envelopes } => {
                self.enter(node, link, number, envelopes).then_some((node, envelopes))
            }
        }
    }

    fn hear_hello(&mut self, node: NodeId, fingerprint: [u8; FINGERPRINT], name: &str) {
        if fingerprint != self.fingerprint {
            return self.estrange(node, "has another --cluster-key-file");
        }
        match self.nodes.get_mut(&node) {
            Some(remote) => remote.heard = self.now,
            None => self.meet(node, name),
        }
    }

    /// A node that this one can't talk to: said once.
    fn estrange(&mut self, node: NodeId, why: &'static str) {
        if self.strangers.len() < MAX_STRANGERS && self.strangers.insert(node) {
            warn!(node = %node, "a node of this --cluster-prefix {why}: it is not talked to");
        }
    }

    /// Whether the envelopes of a parcel are to be heard.
    fn enter(&mut self, node: NodeId, link: u64, number: u64, envelopes: &[u8]) -> bool {
        let incoming = self.nodes.get(&node).and_then(|remote| remote.incoming);
        match Incoming::place(incoming, link, number) {
            Place::Next => {
                if let Some(remote) = self.nodes.get_mut(&node) {
                    remote.heard = self.now;
                    remote.incoming.as_mut().into_iter().for_each(Incoming::advance);
                }
                true
            }
            Place::Newer => self.begin(node, link, envelopes),
            Place::Old => {
                self.figures.dropped += 1;
                false
            }
            Place::Gap => {
                self.figures.dropped += 1;
                self.lose(node, "something of it was lost on the way");
                false
            }
        }
    }

    /// Another node's link begins.
    fn begin(&mut self, node: NodeId, link: u64, mut envelopes: &[u8]) -> bool {
        let Some(Ok((_, Envelope::Greet { name, fingerprint }))) = Envelope::take(&mut envelopes) else {
            self.figures.dropped += 1;
            return false;
        };
        if fingerprint != self.fingerprint {
            self.estrange(node, "has another --cluster-key-file");
            return false;
        }
        if self.nodes.get(&node).is_some_and(|remote| remote.is_up) {
            self.lose(node, "it has begun anew");
        }
        if !self.nodes.contains_key(&node) {
            self.meet(node, name);
        }
        if let Some(remote) = self.nodes.get_mut(&node) {
            remote.heard = self.now;
            name.clone_into(&mut remote.name);
            remote.incoming = Some(Incoming::begun(link));
            remote.out.push(0, &Envelope::Greeted(link));
        }
        self.welcome(node);
        true
    }

    /// A node is seen from now on, if both ways work.
    fn welcome(&mut self, node: NodeId) {
        if let Some(remote) = self.nodes.get_mut(&node)
            && remote.is_linked()
            && !remote.is_up
        {
            remote.is_up = true;
            info!(node = %node, name = remote.name, "a node is here");
            self.departed.remove(&node);
            self.tell_whereabouts(node);
            self.tell_all_topics(node);
            if self.stage == Stage::Retiring {
                self.say_retiring(node);
            }
            self.look();
        }
    }

    /// Tells a node that is new which sessions are here that it would look for elsewhere, and which nodes have gone.
    fn tell_whereabouts(&mut self, node: NodeId) {
        for ids in self.sessions.here().chunks(1024) {
            self.say(node, 0, &Envelope::Took(ids.to_vec()));
        }
        let ended: Vec<_> =
            self.sessions.ended().map(|(id, epoch, since)| (*id.as_bytes(), epoch, self.ago(*since))).collect();
        for ids in ended.chunks(1024) {
            self.say(node, 0, &Envelope::Outlived(ids.to_vec()));
        }
        let unseen: Vec<_> = self.sessions.unseen().map(|(id, since)| (*id.as_bytes(), self.ago(*since))).collect();
        for ids in unseen.chunks(1024) {
            self.say(node, 0, &Envelope::Unseen(ids.to_vec()));
        }
        let departed: Vec<_> = self.departed.iter().map(|(node, since)| (*node.as_bytes(), self.ago(*since))).collect();
        for nodes in departed.chunks(1024) {
            self.say(node, 0, &Envelope::Departed(nodes.to_vec()));
        }
    }

    /// In milliseconds.
    pub(super) fn ago(&self, since: Instant) -> u64 {
        self.now.saturating_duration_since(since).as_millis().try_into().unwrap_or(u64::MAX)
    }

    /// Whether a node is seen.
    pub(super) fn is_up(&self, node: NodeId) -> bool {
        self.nodes.get(&node).is_some_and(|remote| remote.is_up)
    }

    /// Whether so much waits for a node that what can wait should.
    pub(super) fn is_crowded(&self, node: NodeId) -> bool {
        self.nodes.get(&node).is_some_and(|remote| remote.out.waiting() > PACE)
    }

    /// A number of this node's that no question has had.
    pub(super) fn number(&mut self) -> Token {
        self.tokens += 1;
        self.tokens
    }

    /// Whether what comes over a node's link still counts.
    pub(super) fn is_heard(&self, node: NodeId) -> bool {
        node == self.node || self.nodes.get(&node).is_some_and(|remote| remote.incoming.is_some())
    }

    pub(super) fn greeted(&mut self, node: NodeId, link: u64) {
        if let Some(remote) = self.nodes.get_mut(&node)
            && remote.out.link() == link
        {
            remote.has_ours = true;
            self.welcome(node);
        }
    }

    pub(super) fn saw(&mut self, node: NodeId, view: View) {
        if let Some(remote) = self.nodes.get_mut(&node) {
            remote.standing.view = Some(view);
        }
    }

    pub(super) fn parted(&mut self, node: NodeId) {
        self.lose(node, "it has ended");
    }

    /// An envelope that is not known here.
    pub(super) fn refuse_unknown(&mut self, node: NodeId, token: Token) {
        self.figures.dropped += 1;
        if token != 0 {
            self.say(node, 0, &Envelope::Answer { token, outcome: Outcome::refused(ErrorCode::ClusterUnavailable) });
        }
    }

    /// Says something to a node, which may be this one.
    pub(super) fn say(&mut self, node: NodeId, token: Token, envelope: &Envelope<'_>) {
        if node == self.node {
            let mut bytes = Vec::new();
            envelope.write(token, &mut bytes);
            self.local.push_back(bytes);
        } else if let Some(remote) = self.nodes.get_mut(&node) {
            self.figures.sent.messages += 1;
            remote.out.push(token, envelope);
        }
    }

    pub(super) fn ask(&mut self, what: What) -> Token {
        self.ask_for(PATIENCE, what)
    }

    pub(super) fn ask_for(&mut self, patience: Duration, what: What) -> Token {
        self.tokens += 1;
        self.questions.insert(self.tokens, Question::new(what, self.now + patience));
        self.tokens
    }

    /// Why a node can't be asked.
    fn unavailable(&self, node: NodeId) -> Option<ErrorCode> {
        match self.nodes.get(&node) {
            Some(remote) if remote.is_up && remote.questions < MAX_QUESTIONS && !remote.out.is_over() => None,
            None if self.is_settled() => Some(ErrorCode::PeerUnavailable),
            _ => Some(ErrorCode::ClusterUnavailable),
        }
    }

    pub(super) fn put_question(&mut self, node: NodeId, token: Token, envelope: &Envelope<'_>) {
        if let Some(remote) = self.nodes.get_mut(&node) {
            remote.questions += 1;
        }
        self.say(node, token, envelope);
    }

    /// The node on which a peer is. As long as the node of its id stays there, that one is asked, so that nothing overtakes what
    /// has gone this way before.
    fn route(&self, to: &Address) -> Option<NodeId> {
        let moved = || self.sessions.elsewhere(to.id());
        let node = to.node()?;
        let stays = self.nodes.get(&node).is_some_and(|remote| remote.is_up && !remote.is_retiring);
        if stays { Some(node) } else { moved().or(Some(node)) }
    }

    /// The same; behind a session that is on its way to that node, if it is about such a one.
    pub(super) fn put_question_behind(&mut self, ids: &[PeerId], node: NodeId, token: Token, envelope: &Envelope<'_>) {
        let leaving = ids.iter().find(|id| self.leaving.get(id).is_some_and(|leaving| leaving.to == node));
        let Some(leaving) = leaving.and_then(|id| self.leaving.get_mut(id)) else {
            return self.put_question(node, token, envelope);
        };
        let mut bytes = Vec::new();
        envelope.write(token, &mut bytes);
        leaving.held.push((token, bytes));
        if let Some(remote) = self.nodes.get_mut(&node) {
            remote.questions += 1;
        }
    }

    pub(super) fn relay(&mut self, to: &Address, said: Said<'_>, unanswered: Unanswered) {
        let from = unanswered.asker().clone();
        let words = || Words::ToPeer(said.realm, said.kind, said.payload.map(Into::into));
        let early = || Early { from: from.clone(), words: words(), owing: unanswered.owing() };
        match self.keep_behind(from.id(), to.id(), early) {
            Some(Kept::Early) => return unanswered.ack(false),
            Some(Kept::Busy) => return unanswered.refuse(ErrorCode::PeerBusy),
            None => {}
        }
        let leaving = self.leaving.get(&to.id()).map(|leaving| leaving.to);
        let behind = || self.on_its_way(unanswered.asker().id(), to.id());
        // Who has a name is known; its key says nothing of that.
        let has_claims = said.realm.has_claims();
        let route = || if has_claims { self.sessions.elsewhere(to.id()) } else { self.route(to) };
        let Some(node) = leaving.or_else(behind).or_else(route) else {
            return unanswered.refuse(ErrorCode::PeerUnavailable);
        };
        if let Some(code) = self.unavailable(node) {
            return unanswered.refuse(code);
        }
        let token = self.ask(What::Relay { node, to: to.clone(), unanswered });
        self.put_question_behind(&[to.id()], node, token, &relay(to.id(), &from, said, None));
    }

    /// The node by which what is said to a member of a room goes. As long as the node of its id is there, what is said to it goes
    /// that way (`route`). None: the member is here, or nowhere.
    fn way_to(&self, member: &Address, held: Option<NodeId>) -> Option<NodeId> {
        let there = held?;
        let stays = |node: &NodeId| self.nodes.get(node).is_some_and(|remote| !remote.is_retiring);
        let can_be_asked = |node: &NodeId| *node != self.node && self.unavailable(*node).is_none() && stays(node);
        let there = || if there == self.node { self.whereabouts(member.id()) } else { Some(there) };
        member.node().filter(can_be_asked).or_else(there)
    }

    pub(super) fn broadcast(
        &mut self,
        room: &RoomKey,
        payload: &str,
        members: Vec<(Address, Option<NodeId>)>,
        mut unanswered: Unanswered,
    ) {
        let from = unanswered.asker().clone();
        let owing = unanswered.owing();
        let words = || Words::ToRoom(room.clone(), payload.into());
        let early = || Early { from: from.clone(), words: words(), owing: owing.clone() };
        let mut nodes: BTreeMap<NodeId, Vec<Address>> = BTreeMap::new();
        let mut is_lost = false;
        for (member, held) in members {
            let behind = self.on_its_way(from.id(), member.id());
            match behind.or_else(|| self.way_to(&member, held)) {
                Some(node) if self.unavailable(node).is_none() => nodes.entry(node).or_default().push(member),
                Some(_) => {
                    is_lost = true;
                    unanswered.were_busy(vec![member]);
                }
                None => {
                    let kept = self.keep_behind(from.id(), member.id(), early);
                    match kept.or_else(|| self.keep_early(room, member.id(), early)) {
                        Some(Kept::Early) => {}
                        // It was here when the node was told from which the sender has just come.
                        None if held.is_some() => self.was_not_delivered(from.clone(), member, owing.clone()),
                        // Or it was to wait behind something that has just been told.
                        Some(Kept::Busy) | None => unanswered.were_busy(vec![member]),
                    }
                }
            }
        }
        let id = |member: &Address| *member.id().as_bytes();
        let asked: Vec<(NodeId, Vec<[u8; 16]>)> =
            nodes.iter().map(|(node, members)| (*node, members.iter().map(id).collect())).collect();
        let token = self.ask(What::Broadcast { nodes, is_lost, unanswered });
        for (node, to) in asked {
            let (room, from) = (Room::from(room), At::from(&from));
            let ids: Vec<PeerId> = to.iter().copied().map(PeerId::from_bytes).collect();
            self.put_question_behind(&ids, node, token, &Envelope::Broadcast { room, from, payload, to, origin: None });
        }
        self.conclude(token);
    }

    pub(super) fn standing(&self, node: NodeId) -> Standing {
        if node == self.node { self.own } else { self.nodes.get(&node).map_or(Standing::default(), |it| it.standing) }
    }

    /// The ledger of what is settled here of a node's messages.
    pub(super) fn ledger(&self, node: NodeId) -> Option<Arc<Ledger>> {
        self.nodes.get(&node).map(|remote| Arc::clone(&remote.ledger))
    }

    /// An answer has come. Says how long it took.
    pub(super) fn hear_answer(&mut self, node: NodeId, token: Token, outcome: &Outcome<'_>) -> Option<Duration> {
        let Some(question) = self.questions.get_mut(token) else {
            self.figures.late += 1;
            return None;
        };
        let took = question.since.elapsed();
        let (mut busy, mut code) = (Vec::new(), None);
        match outcome {
            Outcome::Done { .. } => {}
            Outcome::Busy(all) => busy = addresses(all),
            Outcome::Refused(number) => code = Some(envelope::code(*number)),
        }
        if let What::Broadcast { nodes, unanswered, .. } = &mut question.what {
            let told = nodes.remove(&node)?;
            let reached = told.into_iter().filter(|peer| code.is_none() && !busy.contains(peer));
            let unsettled = unanswered.unsettled(reached);
            unanswered.were_busy(busy);
            self.owe(node, token, Owed::Said(unsettled));
            self.answered(node);
            self.conclude(token);
            return Some(took);
        }
        if let What::Names { .. } = question.what {
            // It is of another release, and does not know how to say them.
            self.hear_names(node, token, &[], true);
            return Some(took);
        }
        self.answered(node);
        let parked = *outcome == (Outcome::Done { parked: true });
        match (self.questions.remove(token)?.what, code) {
            (What::Relay { to, unanswered, .. }, None) => {
                self.owe(node, token, Owed::Said(unanswered.unsettled([to])));
                unanswered.ack(parked);
            }
            (What::Relay { unanswered, .. }, Some(code)) => unanswered.refuse(code),
            (What::Join { unanswered, .. }, code) => {
                self.not_let_in.push(unanswered.asker().id());
                unanswered.refuse(code.unwrap_or(ErrorCode::ClusterUnavailable));
            }
            (What::Forward { passed, from, to, owing, .. }, _) => {
                self.hear_passed((node, token), &passed, (from, to, owing), (outcome, busy));
            }
            (What::Claim { done, .. }, None) => tell(done, Fetched::Gone),
            (What::Meet { done, .. }, None) => places::tell(done, Meeting::Here),
            (What::Meet { done, .. }, Some(_)) => places::tell(done, Meeting::NotNow),
            (What::Name { is_free: true, done, .. }, None) => names::tell(done, Claimed::Granted),
            (What::Name { is_free: false, done, .. }, None) => names::tell(done, Claimed::Free),
            (What::Name { is_free: false, done, .. }, Some(ErrorCode::PeerBusy)) => names::tell(done, Claimed::Taken),
            (What::Name { done, .. }, _) => names::tell(done, Claimed::NotNow),
            (What::Fetch { id, epoch, done, .. }, Some(ErrorCode::PeerUnavailable)) => {
                // It may not have arrived there yet; or it never did.
                let is_on_its_way = self.bequeathed.contains_key(&id);
                let is_worth_it = is_on_its_way || self.was_missing(node, id, epoch);
                tell(done, if is_worth_it { Fetched::NotNow } else { Fetched::Unknown });
            }
            (What::Fetch { done, .. }, Some(ErrorCode::BadMessage)) => tell(done, Fetched::Unknown),
            (What::Fetch { done, .. } | What::Claim { done, .. }, Some(_)) => tell(done, Fetched::NotNow),
            // It is known now; the others are not answered so.
            (What::Retire { .. } | What::Fetch { .. } | What::Broadcast { .. } | What::Names { .. }, _) => {}
        }
        Some(took)
    }

    pub(super) fn owe(&mut self, node: NodeId, token: Token, owed: Owed) {
        if let Some(remote) = self.nodes.get_mut(&node) {
            remote.unsettled.insert(token, owed);
        }
    }

    /// Answers what was said to a room, if all nodes have.
    fn conclude(&mut self, token: Token) {
        let is_over = |question: &Question| matches!(&question.what, What::Broadcast { nodes, .. } if nodes.is_empty());
        if !self.questions.get(token).is_some_and(is_over) {
            return;
        }
        if let Some(Question { what: What::Broadcast { is_lost, unanswered, .. }, .. }) = self.questions.remove(token) {
            if is_lost {
                unanswered.refuse(ErrorCode::ClusterUnavailable);
            } else {
                unanswered.ack(false);
            }
        }
    }

    pub(super) fn settled(&mut self, node: NodeId, tokens: &[Token]) {
        if let Some(remote) = self.nodes.get_mut(&node) {
            for token in tokens {
                remote.unsettled.remove(token);
            }
        }
    }

    /// What this node has said to itself.
    pub(super) fn take_local(&mut self) -> Option<Vec<u8>> {
        self.local.pop_front()
    }

    /// The sessions that are another node's.
    pub(super) fn take_taken(&mut self) -> Vec<PeerId> {
        std::mem::take(&mut self.taken)
    }

    /// Peers that did not enter a room in the end.
    pub(super) fn take_not_let_in(&mut self) -> Vec<PeerId> {
        std::mem::take(&mut self.not_let_in)
    }

    /// The nodes whose members the hub has to forget.
    pub(super) fn take_lost(&mut self) -> Vec<NodeId> {
        std::mem::take(&mut self.lost)
    }

    /// What is to be sent, in this order.
    pub(super) fn take(&mut self) -> Vec<Parcel> {
        if !self.is_connected {
            return Vec::new();
        }
        let mut parcels = std::mem::take(&mut self.greetings);
        for (node, remote) in &mut self.nodes {
            let waiting = remote.out.take().into_iter();
            parcels.extend(waiting.map(|bytes| Parcel { to: Destination::Node(*node), bytes }));
        }
        for parcel in &parcels {
            self.figures.sent.bytes += parcel.bytes.len() as u64;
        }
        parcels
    }

    /// Whether a connection that is there carries nothing any more: what this node says to all comes back to it as well.
    pub(super) fn is_deaf(&self) -> bool {
        let is_late = |echo: Instant| self.now.saturating_duration_since(echo) >= GONE;
        self.is_connected && self.stage != Stage::Leaving && self.echo.is_some_and(is_late)
    }

    /// Why this node can't do yet what others have to agree to.
    pub(super) fn unready(&self) -> Option<String> {
        if !self.is_connected {
            return Some("no connection to NATS".to_owned());
        }
        if self.was_ready { None } else { self.disagreement() }
    }

    /// Why not all nodes agree.
    pub(super) fn disagreement(&self) -> Option<String> {
        let other = |which: &dyn Fn(&Remote) -> bool| {
            self.nodes.values().find(|remote| which(remote)).map(|remote| remote.name.clone())
        };
        if !self.is_settled() {
            return Some("other nodes are listened for".to_owned());
        }
        if let Some(name) = other(&|remote| !remote.is_up) {
            return Some(format!("node {name} has not answered yet"));
        }
        if let Some(name) = other(&|remote| remote.standing.reported_round(self.view).is_none()) {
            return Some(format!("node {name} sees other nodes than this one"));
        }
        (!self.home.is_open()).then(|| "the other nodes have not said yet who is in which rooms".to_owned())
    }

    pub(super) fn figures(&self) -> Figures {
        let nodes = self.nodes.values().filter(|remote| remote.is_up).count();
        Figures { nodes, is_connected: self.is_connected, questions: self.questions.len(), ..self.figures }
    }

    /// The names of those that are seen.
    pub(super) fn names(&self) -> Vec<String> {
        self.nodes.values().filter(|remote| remote.is_up).map(|remote| remote.name.clone()).collect()
    }

    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        let said = self.unsettled() + self.early.len() + self.passing.len() + self.questions.peers();
        said + self.home.rooms() + self.held.len()
    }

    pub(super) fn count_received(&mut self) {
        self.figures.received.messages += 1;
    }
}
