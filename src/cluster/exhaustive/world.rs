//! A few nodes, their clients and what is on its way between them: one order of what happens in a case.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;

use futures_util::FutureExt;
use tokio::sync::oneshot;

use super::super::tests::{LIMITS, Node, node_of};
use super::super::view::{arbiter, home};
use super::super::*;
use super::order::Event;
use super::{Case, Step};
use crate::dialect::v1::decode;
use crate::hub::{Ask, Fetched, HubLimits, Lifetime, ResumeToken};
use crate::protocol::{Address, ErrorCode, Notice, Realm, RoomKey, RoomName, ServerMessage};

/// How long it may take until everything is well, in ticks: where nothing goes wrong …
const SOON: usize = 10;

/// … and where something is lost, or a node.
const LATE: usize = 120;

struct Client {
    node: usize,
    /// None: it has no connection.
    session: Option<Session>,
    id: PeerId,
    token: ResumeToken,
    received: u64,
    /// Where it asked for its session.
    coming: Option<(usize, oneshot::Receiver<Fetched>)>,
    /// The number that was to be said next as it came back last.
    moved: u64,
    /// Whether it has its id again and nothing else, as its node was gone.
    is_revived: bool,
    /// What is not answered.
    asked: BTreeSet<String>,
    /// The others in the room, if it is in it.
    room: Option<BTreeSet<PeerId>>,
    /// Whether it has ever left the room.
    has_left: bool,
    /// By sender: the numbers that it has heard.
    heard: BTreeMap<PeerId, Vec<u64>>,
    /// By addressee: the last number that it had said as it was told that something may not have arrived there.
    told: BTreeMap<PeerId, u64>,
}

/// Something that one client said to another.
struct SaidOnce {
    number: u64,
    from: usize,
    to: usize,
    /// Whether it is said to the room.
    is_to_all: bool,
}

pub(super) struct World<'a> {
    case: &'a Case<'a>,
    nodes: Vec<Node>,
    killed: BTreeSet<usize>,
    kept: Vec<Arc<Mutex<Vec<Session>>>>,
    clients: Vec<Client>,
    on_their_way: BTreeMap<(usize, usize), VecDeque<Vec<u8>>>,
    /// Of each list, how many are done.
    done: Vec<usize>,
    losses: usize,
    room: String,
    said: Vec<SaidOnce>,
    number: u64,
    now: Instant,
    story: String,
}

impl Drop for World<'_> {
    fn drop(&mut self) {
        // A session keeps its hub, which keeps its node, which keeps those who keep sessions.
        self.kept.iter().for_each(|kept| kept.lock().clear());
        if std::thread::panicking() {
            eprintln!("{}", self.story);
        }
    }
}

impl<'a> World<'a> {
    pub(super) fn new(case: &'a Case<'a>) -> Self {
        let now = Instant::now();
        let limits = HubLimits { peers_per_room: NonZeroUsize::new(case.places), ..LIMITS };
        let id = |number: usize| NodeId::from_bytes([0, 0, 0, 0, 0, u8::try_from(number).unwrap()]);
        let nodes: Vec<Node> = (0..case.nodes).map(|number| node_of(id(number), "node", 1, limits, now)).collect();
        let seen = (0..case.nodes).map(id).collect();
        let home_of = |name: &String| home(&seen, &RoomKey { realm: Realm::V1, name: RoomName::new(name).unwrap() });
        let room = (0..100).map(|number| format!("room-{number}")).find(|name| home_of(name) == Some(id(case.home)));
        let kept: Vec<Arc<Mutex<Vec<Session>>>> = nodes.iter().map(|_| Arc::default()).collect();
        for (node, kept) in nodes.iter().zip(&kept) {
            let kept = Arc::clone(kept);
            node.cluster.keep_with(move |session| kept.lock().push(session));
        }
        let mut world = Self {
            case,
            nodes,
            killed: BTreeSet::new(),
            kept,
            clients: Vec::new(),
            on_their_way: BTreeMap::new(),
            done: vec![0; case.then.len()],
            losses: case.losses,
            room: room.unwrap(),
            said: Vec::new(),
            number: 0,
            now,
            story: String::new(),
        };
        world.ticks(30);
        assert!(world.nodes.iter().all(|node| node.hub.unready().is_none()));
        for node in case.clients {
            world.come(*node);
        }
        for step in case.before {
            world.act(*step);
            world.carry();
        }
        let _ = writeln!(world.story, "all that is next is in some order:");
        world
    }

    fn come(&mut self, node: usize) {
        let seen = self.nodes.iter().map(|node| node.cluster.node()).collect();
        // Who decides about its id is the same one in each order: the last node.
        let session = std::iter::repeat_with(|| self.nodes[node].hub.open(Realm::V1, Lifetime::Resumable, None))
            .find(|session| arbiter(&seen, session.id()) == seen.last().copied())
            .expect("one in a few");
        self.clients.push(Client {
            node,
            id: session.id(),
            token: session.issue_token().unwrap().0,
            session: Some(session),
            received: 0,
            coming: None,
            moved: 0,
            is_revived: false,
            asked: BTreeSet::new(),
            room: None,
            has_left: false,
            heard: BTreeMap::new(),
            told: BTreeMap::new(),
        });
    }

    /// The node at which a step is done.
    fn place(&self, step: Step) -> usize {
        match step {
            Step::Enter(client)
            | Step::Leave(client)
            | Step::Say(client, _)
            | Step::Mention(client, _)
            | Step::SayToAll(client)
            | Step::LoseConnection(client) => self.clients[client].node,
            Step::ComeBack(_, node) | Step::Kill(node) => node,
        }
    }

    /// Whether a step can be done now.
    fn can(&self, step: Step) -> bool {
        let client = |number: usize| &self.clients[number];
        let may_speak =
            |number: usize| client(number).session.as_ref().is_some_and(|session| session.answer_permit().is_some());
        !self.killed.contains(&self.place(step))
            && match step {
                Step::Enter(number)
                | Step::Leave(number)
                | Step::Say(number, _)
                | Step::Mention(number, _)
                | Step::SayToAll(number) => may_speak(number),
                Step::LoseConnection(number) => client(number).session.is_some(),
                Step::ComeBack(number, _) => client(number).session.is_none(),
                Step::Kill(_) => true,
            }
    }

    pub(super) fn possible(&self) -> Vec<Event> {
        let mut possible = Vec::new();
        for (list, steps) in self.case.then.iter().enumerate() {
            if let Some(step) = steps.get(self.done[list]).filter(|step| self.can(**step)) {
                possible.push(Event::Happens(list, self.place(*step)));
            }
        }
        for (from, to) in self.on_their_way.keys().copied() {
            possible.push(Event::Arrives(from, to));
            if self.losses > 0 {
                possible.push(Event::IsLost(from, to));
            }
        }
        possible
    }

    pub(super) fn happen(&mut self, event: Event) {
        let _ = writeln!(self.story, "{event:?}");
        match event {
            Event::Arrives(from, to) => self.arrive(from, to),
            Event::IsLost(from, to) => {
                self.losses -= 1;
                self.next(from, to);
            }
            Event::Happens(list, _) => {
                let step = self.case.then[list][self.done[list]];
                self.done[list] += 1;
                self.act(step);
            }
        }
        (0..self.clients.len()).for_each(|number| self.come_back(number));
        self.send();
    }

    fn next(&mut self, from: usize, to: usize) -> Option<Vec<u8>> {
        let parcels = self.on_their_way.get_mut(&(from, to))?;
        let parcel = parcels.pop_front();
        if parcels.is_empty() {
            self.on_their_way.remove(&(from, to));
        }
        parcel
    }

    fn arrive(&mut self, from: usize, to: usize) {
        if let Some(parcel) = self.next(from, to).filter(|_| !self.killed.contains(&to)) {
            self.nodes[to].cluster.receive(&parcel, self.now);
        }
    }

    /// Takes what nodes have to send.
    fn send(&mut self) {
        for from in (0..self.nodes.len()).filter(|from| !self.killed.contains(from)) {
            for Parcel { to, bytes } in self.nodes[from].cluster.take() {
                for other in (0..self.nodes.len()).filter(|other| *other != from && !self.killed.contains(other)) {
                    if to == Destination::All || to == Destination::Node(self.nodes[other].cluster.node()) {
                        self.on_their_way.entry((from, other)).or_default().push_back(bytes.clone());
                    }
                }
            }
        }
    }

    /// All that is on its way arrives.
    fn carry(&mut self) {
        self.send();
        while let Some((from, to)) = self.on_their_way.keys().next().copied() {
            self.arrive(from, to);
            self.send();
        }
    }

    fn ticks(&mut self, count: usize) {
        for _ in 0..count {
            self.now += TICK;
            for number in (0..self.nodes.len()).filter(|number| !self.killed.contains(number)) {
                self.nodes[number].cluster.tick(self.now);
            }
            self.carry();
        }
    }

    /// Nothing new happens, and time goes on. Clients without a connection come back.
    pub(super) fn rest(&mut self) {
        let is_whole = self.losses == self.case.losses && self.killed.is_empty();
        for _ in 0..if is_whole { SOON } else { LATE } {
            for number in 0..self.clients.len() {
                self.notice_loss(number);
                if self.clients[number].session.is_none() && self.clients[number].coming.is_none() {
                    let last = (0..self.nodes.len()).rfind(|node| !self.killed.contains(node)).unwrap();
                    self.ask_for_session(number, last);
                }
                self.come_back(number);
            }
            self.ticks(1);
        }
        (0..self.clients.len()).for_each(|number| self.read(number));
    }

    /// Its connection is closed where another node has its session, or where its node is killed.
    fn notice_loss(&mut self, number: usize) {
        let client = &mut self.clients[number];
        let is_killed = self.killed.contains(&client.node);
        client.session.take_if(|session| is_killed || session.revoked().now_or_never().is_some());
    }

    fn act(&mut self, step: Step) {
        let _ = writeln!(self.story, "  {step:?}");
        match step {
            Step::Enter(number) => self.ask_of_room(number, r#""type":"join""#),
            Step::Leave(number) => self.ask_of_room(number, r#""type":"leave""#),
            Step::Say(from, to) | Step::Mention(from, to) => {
                self.number += 1;
                self.said.push(SaidOnce { number: self.number, from, to, is_to_all: false });
                let (id, number) = (self.clients[to].id, self.number);
                let fields = format!(r#""type":"message","to":"{id}","message":{number}"#);
                self.ask(from, &fields, matches!(step, Step::Say(..)));
            }
            Step::SayToAll(from) => {
                self.read(from);
                self.number += 1;
                let Some(known) = self.clients[from].room.clone() else { return };
                let known = (0..self.clients.len()).filter(|to| known.contains(&self.clients[*to].id));
                let number = self.number;
                self.said.extend(known.map(|to| SaidOnce { number, from, to, is_to_all: true }));
                self.ask_of_room(from, &format!(r#""type":"message","message":{number}"#));
            }
            Step::LoseConnection(number) => {
                self.read(number);
                let client = &mut self.clients[number];
                let parked = client.session.take().and_then(|session| session.park());
                self.kept[client.node].lock().extend(parked);
            }
            Step::ComeBack(number, node) => self.ask_for_session(number, node),
            Step::Kill(node) => {
                self.killed.insert(node);
                self.on_their_way.retain(|(_, to), _| *to != node);
            }
        }
    }

    fn ask_of_room(&mut self, number: usize, fields: &str) {
        self.ask(number, &format!(r#"{fields},"room":"{}""#, self.room), true);
    }

    fn ask(&mut self, number: usize, fields: &str, wants_answer: bool) {
        self.notice_loss(number);
        self.number += 1;
        let reference = self.number.to_string();
        let client = &mut self.clients[number];
        // Another node has its session: this one is over.
        let Some(session) = &client.session else { return };
        let Some(permit) = session.answer_permit() else { return };
        let reference_field = if wants_answer { format!(r#","ref":"{reference}""#) } else { String::new() };
        let frame = format!("{{{fields}{reference_field}}}");
        let verdict = session.hear(Ask::Frame(decode(&frame), permit), 0, self.now, Vec::new);
        assert_eq!(verdict.refused.filter(|code| *code == ErrorCode::BadMessage), None, "{frame}");
        if wants_answer {
            client.asked.insert(format!("{reference:?}"));
        }
    }

    fn ask_for_session(&mut self, number: usize, node: usize) {
        let client = &mut self.clients[number];
        let request = ResumeRequest { token: client.token, received: client.received };
        match self.nodes[node].hub.fetch(&request, None) {
            Some(fetching) => client.coming = Some((node, fetching)),
            None => self.resume(number, node, Fetched::Here),
        }
    }

    fn come_back(&mut self, number: usize) {
        let Some((node, fetching)) = &mut self.clients[number].coming else { return };
        let fetched = match fetching.try_recv() {
            Err(oneshot::error::TryRecvError::Empty) if !self.killed.contains(node) => return,
            fetched => fetched.unwrap_or(Fetched::NotNow),
        };
        let node = *node;
        self.clients[number].coming = None;
        self.resume(number, node, fetched);
    }

    fn resume(&mut self, number: usize, node: usize, fetched: Fetched) {
        let client = &mut self.clients[number];
        let _ = writeln!(self.story, "  {number} comes back to {node}: {fetched:?}");
        let request = ResumeRequest { token: client.token, received: client.received };
        let hub = &self.nodes[node].hub;
        let session = match fetched {
            Fetched::NotNow => return,
            Fetched::Here => hub.resume(&request, None),
            Fetched::Gone => {
                let revived = hub.revive(client.id, None);
                if revived.is_some() {
                    (client.is_revived, client.received, client.room) = (true, 0, None);
                    client.asked.clear();
                }
                revived
            }
            Fetched::Unknown => panic!("its id is its own"),
        };
        let Some(session) = session else { return };
        client.token = session.issue_token().unwrap().0;
        (client.node, client.session, client.moved) = (node, Some(session), self.number + 1);
    }

    fn read(&mut self, number: usize) {
        let said = self.number;
        let client = &mut self.clients[number];
        while let Some(frame) = client.session.as_ref().and_then(Session::try_next) {
            client.received += 1;
            assert_eq!(frame.number, client.received, "each once, in order");
            let _ = writeln!(self.story, "  {number} hears {:?}", frame.message());
            client.hear(frame.message(), said);
        }
        if let Some(session) = &client.session {
            session.written();
        }
    }

    /// Nothing was lost in silence or overtaken, each who has asked is answered, and all who are in the room agree who is.
    pub(super) fn assert_well(&self) {
        let members: BTreeSet<PeerId> =
            self.clients.iter().filter(|client| client.room.is_some()).map(|client| client.id).collect();
        assert!(members.len() <= self.case.places, "{members:?}");
        for (number, client) in self.clients.iter().enumerate() {
            assert!(client.session.is_some(), "{number} is not back");
            assert!(client.asked.is_empty(), "{number} waits: {:?}", client.asked);
            if let Some(room) = &client.room {
                let others: BTreeSet<PeerId> = members.iter().copied().filter(|id| *id != client.id).collect();
                assert_eq!(*room, others, "{number} knows who is there");
            }
            for heard in client.heard.values() {
                assert!(heard.is_sorted(), "{number} heard {heard:?}");
            }
        }
        for SaidOnce { number, from, to, is_to_all } in &self.said {
            let (sender, receiver) = (&self.clients[*from], &self.clients[*to]);
            let has_arrived = receiver.heard.get(&sender.id).is_some_and(|heard| heard.contains(number));
            let is_told = sender.told.get(&receiver.id) >= Some(number);
            // Its leaving may have been on its way, and its sender may have left before it heard of that.
            let has_left = *is_to_all && (sender.has_left || receiver.has_left);
            // Said on one node, which has gone after its sender had: what it knew of that is lost with it.
            let is_forgotten = sender.moved > *number && receiver.is_revived;
            assert!(
                has_arrived || is_told || has_left || is_forgotten || sender.is_revived,
                "{number} from {from} to {to}"
            );
        }
    }
}

impl Client {
    fn hear(&mut self, message: &ServerMessage, said: u64) {
        let ServerMessage::Notice(notice) = message else {
            return self.hear_number(message);
        };
        let mut answered = |reference: &Option<crate::protocol::Reference>| {
            if let Some(reference) = reference {
                assert!(self.asked.remove(reference.as_str()), "an answer to nothing: {notice:?}");
            }
        };
        match notice {
            Notice::Ack { reference, .. } => answered(&Some(reference.clone())),
            Notice::Joined { peers, reference, .. } => {
                answered(reference);
                self.room = Some(peers.iter().map(Address::id).collect());
            }
            Notice::Left { reference, .. } => {
                answered(reference);
                (self.room, self.has_left) = (None, true);
            }
            Notice::PeerJoined { peer, .. } => {
                assert!(self.room.as_mut().expect("it is in the room").insert(peer.id()));
            }
            Notice::PeerLeft { peer, .. } => {
                assert!(self.room.as_mut().expect("it is in the room").remove(&peer.id()));
                // What was said to it before may have come too late.
                self.told.insert(peer.id(), said);
            }
            Notice::Error(error) => {
                answered(&error.reference);
                let by_id = error.to.iter().filter_map(|to| to.parse().ok());
                for peer in by_id.chain(error.peers.iter().map(Address::id)) {
                    self.told.insert(peer, said);
                }
            }
            Notice::IceServers { .. } | Notice::Exchange(_) => panic!("{notice:?}"),
        }
    }

    fn hear_number(&mut self, message: &ServerMessage) {
        let (from, payload) = match message {
            ServerMessage::Relayed { from, payload: Some(payload), .. }
            | ServerMessage::Broadcast { from, payload, .. } => (from, payload),
            other => panic!("{other:?}"),
        };
        let numbers = self.heard.entry(from.id()).or_default();
        let number = payload.parse().unwrap();
        assert!(!numbers.contains(&number), "{number} came twice");
        numbers.push(number);
    }
}
