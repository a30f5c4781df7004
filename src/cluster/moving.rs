//! Sessions that go from node to node, and the ids of those whose node is gone: the rules.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::envelope::{Allowed, At, Envelope, Member, Outcome, Room, Session, Token};
use super::letter::Letter;
use super::questions::What;
use super::remote::{Owed, Remote};
use super::rules::{Leaving, Rules, Stage};
use super::view::{arbiter, home};
use super::whereabouts::Epoch;
use crate::hub::{Fetched, Handover, Kept, Ledger, NotHandedOver, Owing, Pledge, ResumeRequest, Spent};
use crate::protocol::{Address, ErrorCode, NodeId, PeerId, Realm, RoomKey, RoomName};

/// For how long an id belongs to the node that has claimed it and said no more of it.
const CLAIMED: Duration = Duration::from_secs(5);

/// Nodes that have lost something on the way between them have met again by then.
const REUNION: Duration = Duration::from_millis(1500);

/// How much may wait for a node before what can wait does, in bytes: sessions that are handed over because this one stops, and what
/// is said on lines.
pub(super) const PACE: usize = super::link::MAX_WAITING / 4;

/// Tells a client's handshake, which may be over, what has become of its session.
pub(super) fn tell(done: oneshot::Sender<Fetched>, fetched: Fetched) {
    let _ = done.send(fetched);
}

impl Rules {
    /// Whether a peer whose id is of this node is on another one.
    pub(super) fn is_away(&self, id: PeerId) -> bool {
        self.sessions.elsewhere(id).is_some()
    }

    /// Whether a session is not here for which another node asks that knows it by this epoch.
    pub(super) fn is_away_for(&mut self, node: NodeId, id: PeerId, epoch: Epoch) -> bool {
        self.sessions.should_be_here(id, epoch, self.now);
        if self.is_away(id) {
            return true;
        }
        // Who knows of none asks because the id is of this node.
        let Some(since) = self.sessions.out_of_sight(id).filter(|_| epoch == 0) else { return false };
        // It may have been lost on its way, and then its client can have its id again there, too.
        self.say(node, 0, &Envelope::Unseen(vec![(*id.as_bytes(), self.ago(since))]));
        true
    }

    /// Asks for a session whose token is genuine, or, where its node is gone, for its id.
    pub(super) fn fetch(&mut self, request: &ResumeRequest, subject: Option<&str>, done: oneshot::Sender<Fetched>) {
        let id = request.token.id();
        let Some(origin) = id.node() else { return tell(done, Fetched::Unknown) };
        let known = self.sessions.known(id);
        if let Some(since) = self.sessions.out_of_sight(id).filter(|_| known.is_none()) {
            return self.claim_since(since, id, done);
        }
        let (node, epoch) = known.unwrap_or((origin, 0));
        if node == self.node {
            return tell(done, Fetched::Unknown);
        }
        match self.nodes.get(&node) {
            Some(remote) if remote.is_up => {
                let token = self.ask(What::Fetch { node, id, epoch, done });
                let (id, proof, received) = (*id.as_bytes(), *request.token.proof(), request.received);
                self.put_question(node, token, &Envelope::Fetch { id, proof, received, subject, epoch });
            }
            None if let Some(since) = self.departed.get(&node).copied() => self.claim_since(since, id, done),
            // It was there, as its token is genuine. Not while others see nodes that this one does not: they may have met that one.
            None if self.has_listened() && self.disagreement().is_none() => self.claim(id, done),
            _ => tell(done, Fetched::NotNow),
        }
    }

    /// The other nodes that are seen.
    pub(super) fn others(&self) -> impl Iterator<Item = NodeId> {
        self.seen.iter().copied().filter(|node| *node != self.node)
    }

    /// Whether sessions may be on their way here: that were asked for, or given by nodes that do not know yet that this one stops.
    pub(super) fn expects_sessions(&self) -> bool {
        self.questions.whats().any(|what| matches!(what, What::Fetch { .. } | What::Retire { .. }))
    }

    /// This node is about to end. All others are told, once.
    pub(super) fn retire(&mut self) {
        if self.stage == Stage::Serving {
            self.stage = Stage::Retiring;
            for node in self.others().collect::<Vec<_>>() {
                self.say_retiring(node);
            }
        }
    }

    pub(super) fn say_retiring(&mut self, node: NodeId) {
        let token = self.ask(What::Retire { node });
        self.put_question(node, token, &Envelope::Retiring);
    }

    /// Another node is about to end.
    pub(super) fn hear_retiring(&mut self, node: NodeId, token: Token) {
        if let Some(remote) = self.nodes.get_mut(&node) {
            remote.is_retiring = true;
        }
        let answer = Envelope::Answer { token, outcome: Outcome::Done { parked: false } };
        match self.leaving.values_mut().find(|leaving| leaving.to == node) {
            // Order: behind a session that is on its way there.
            Some(leaving) => {
                let mut bytes = Vec::new();
                answer.write(0, &mut bytes);
                leaving.held.push((0, bytes));
            }
            None => self.say(node, 0, &answer),
        }
    }

    /// Claims an id whose node is gone since then: one that is only out of touch is back soon.
    fn claim_since(&mut self, since: Instant, id: PeerId, done: oneshot::Sender<Fetched>) {
        if self.now.saturating_duration_since(since) < REUNION {
            return tell(done, Fetched::NotNow);
        }
        self.claim(id, done);
    }

    fn claim(&mut self, id: PeerId, done: oneshot::Sender<Fetched>) {
        let asked =
            arbiter(&self.seen, id).and_then(|node| Some((node, self.standing(node).reported_round(self.view)?)));
        let Some((node, round)) = asked else { return tell(done, Fetched::NotNow) };
        let token = self.ask(What::Claim { node, done });
        self.put_question(node, token, &Envelope::Claim { round, id: *id.as_bytes() });
    }

    /// A node wants to have an id.
    pub(super) fn hear_claim(&mut self, node: NodeId, token: Token, round: u64, id: PeerId) {
        let is_held = self.sessions.is_here(id) && node != self.node;
        let has_another = |of: &NodeId| *of != node;
        // Who has it says so, or has just done it: its client is to come back.
        let outcome = if round != self.view.round
            || is_held
            || self.sessions.elsewhere(id).as_ref().is_some_and(has_another)
            || self.claims.get(&id).is_some_and(|(of, _)| has_another(of))
        {
            Outcome::refused(ErrorCode::ClusterUnavailable)
        } else {
            self.claims.insert(id, (node, self.now + CLAIMED));
            Outcome::Done { parked: false }
        };
        self.say(node, 0, &Envelope::Answer { token, outcome });
    }

    /// A session is about to leave. What is said to it from now on follows it. Not to a node that has not asked for it, and is
    /// about to end.
    pub(super) fn begin_leaving(&mut self, id: PeerId, to: NodeId, is_asked_for: bool) -> Result<(), NotHandedOver> {
        let can_take = |remote: &Remote| remote.is_up && (is_asked_for || !remote.is_retiring);
        if !self.nodes.get(&to).is_some_and(can_take) {
            return Err(NotHandedOver::NotNow);
        }
        self.leaving.insert(id, Leaving { to, held: Vec::new() });
        self.sessions.leaves(id, to);
        Ok(())
    }

    /// … and stays. What was said to it in this moment is answered with `cluster-unavailable`.
    pub(super) fn stay(&mut self, id: PeerId) {
        self.sessions.stays(id);
        for (token, _) in self.leaving.remove(&id).into_iter().flat_map(|leaving| leaving.held) {
            self.give_up(token);
        }
    }

    /// Sends a session to another node, for its question, or without one.
    pub(super) fn hand_over(&mut self, to: NodeId, token: Token, handover: Handover<Pledge>) {
        let Handover { id, kept, rooms } = handover;
        let held = self.leaving.remove(&id).map(|leaving| leaving.held).unwrap_or_default();
        if !self.nodes.contains_key(&to) {
            return self.lose_handover(id, kept.frames.into_iter().filter_map(|(_, pledge)| pledge), held);
        }
        let epoch = self.sessions.gave(id);
        let key = |name: &RoomName| RoomKey { realm: Realm::V1, name: name.clone() };
        self.gave.insert(id, (to, rooms.iter().map(|(name, _)| key(name)).collect()));
        let Kept { proofs, grant, spent, accepted, acknowledged, frames } = kept;
        let grant = grant.as_ref().map(Allowed::from);
        let rooms = rooms.iter().map(|(name, others)| (name.as_str(), Member::each(others))).collect();
        let refused = spent.refused.map(|(count, ago)| (count, ago.as_millis().try_into().unwrap_or(u64::MAX)));
        let session = Session { epoch, proofs, grant, left: spent.left, refused, accepted, acknowledged, rooms };
        let id = *id.as_bytes();
        self.say(to, 0, &Envelope::Handing { id, session });
        for (message, pledge) in frames {
            let Some(letter) = Letter::of(&message) else { continue };
            let owes = pledge.map_or(0, |pledge| {
                self.tokens += 1;
                self.owe(to, self.tokens, Owed::Pledged(pledge));
                self.tokens
            });
            self.say(to, 0, &Envelope::HandedFrame { id, owes, letter });
        }
        self.say(to, 0, &Envelope::Handed { token, id });
        if token == 0 {
            // Order: where its sessions are is known before it is heard that this node has ended.
            for node in self.others().filter(|node| *node != to).collect::<Vec<_>>() {
                self.say(node, 0, &Envelope::Bequeathed { to: *to.as_bytes(), id, epoch });
            }
        }
        if let Some(remote) = self.nodes.get_mut(&to) {
            for (_, envelope) in &held {
                remote.out.push_written(envelope);
            }
        }
    }

    /// A session is lost with the node that it was to go to: its client has its id again.
    fn lose_handover(&mut self, id: PeerId, pledges: impl Iterator<Item = Pledge>, held: Vec<(Token, Vec<u8>)>) {
        self.sessions.gave(id);
        self.sessions.is_lost(id, self.now);
        for pledge in pledges {
            self.tell_undelivered(Owed::Pledged(pledge));
        }
        for (token, _) in held {
            self.give_up(token);
        }
    }

    /// The beginning of a session that comes from another node.
    pub(super) fn hear_handing(&mut self, node: NodeId, id: PeerId, session: Session<'_>) {
        let Session { epoch, proofs, grant, left, refused, accepted, acknowledged, rooms } = session;
        let refused = refused.map(|(count, ago)| (count, Duration::from_millis(ago)));
        let spent = Spent { left, refused };
        let grant = grant.map(Into::into);
        let rooms = rooms.into_iter().filter_map(|(room, members)| Some((RoomName::new(room)?, Member::all(&members))));
        let kept = Kept { proofs, grant, spent, accepted, acknowledged, frames: Vec::new() };
        let handover = Handover { id, kept, rooms: rooms.collect() };
        if let Some(remote) = self.nodes.get_mut(&node) {
            remote.handing.insert(id, (epoch, handover));
        }
    }

    pub(super) fn hear_frame(&mut self, node: NodeId, id: PeerId, owes: Token, letter: Letter<'_>) {
        let Some(message) = letter.message() else { return };
        if let Some((_, handover)) = self.nodes.get_mut(&node).and_then(|remote| remote.handing.get_mut(&id)) {
            handover.kept.frames.push((message, Some(owes).filter(|owes| *owes != 0)));
        }
    }

    /// The session is complete.
    pub(super) fn take_handed(&mut self, node: NodeId, id: PeerId) -> Option<(Epoch, Handover<u64>)> {
        self.nodes.get_mut(&node)?.handing.remove(&id)
    }

    /// Whether a newer session of this id is known than the one that comes.
    pub(super) fn is_outdated(&self, id: PeerId, epoch: Epoch) -> bool {
        self.sessions.is_outdated(id, epoch)
    }

    /// A session that comes is not taken in: who has said something to it that it had not acknowledged is told.
    pub(super) fn turn_away(&mut self, handover: &Handover<u64>, ledger: &Arc<Ledger>) {
        for (message, token) in &handover.kept.frames {
            if let (Some(sender), Some(token)) = (message.sender(), token) {
                self.was_not_delivered(sender.clone(), handover.id.into(), Owing::new(ledger, *token));
            }
        }
    }

    /// It is here: all nodes are told, and the homes of its rooms.
    pub(super) fn took(&mut self, id: PeerId, epoch: Epoch, rooms: &[RoomName]) {
        self.sessions.took(id, epoch);
        self.claims.remove(&id);
        self.moved.insert(id, self.now);
        for node in self.others().collect::<Vec<_>>() {
            self.say(node, 0, &Envelope::Took(vec![(*id.as_bytes(), epoch)]));
        }
        let peer = Address::from(id);
        for name in rooms {
            let room = RoomKey { realm: Realm::V1, name: name.clone() };
            let Some(home) = home(&self.seen, &room) else { continue };
            // A home that knows nothing yet will be told of what is then.
            let Some(round) = self.standing(home).round(self.view) else { continue };
            self.say(home, 0, &Envelope::Moved { round, room: Room::from(&room), peer: At::from(&peer) });
        }
    }

    /// The question of a session that is here now.
    pub(super) fn fetched(&mut self, node: NodeId, token: Token, fetched: Fetched) {
        if !matches!(self.questions.get(token).map(|it| &it.what), Some(What::Fetch { .. })) {
            return;
        }
        self.answered(node);
        if let Some(What::Fetch { done, .. }) = self.questions.remove(token).map(|it| it.what) {
            tell(done, fetched);
        }
    }

    /// Another node has these sessions.
    pub(super) fn hear_took(&mut self, node: NodeId, ids: &[([u8; 16], Epoch)]) {
        for (id, epoch) in ids.iter().map(|(id, epoch)| (PeerId::from_bytes(*id), *epoch)) {
            if !self.sessions.hear(self.node, node, id, epoch) {
                continue;
            }
            // Who has claimed it has it now, and may leave it again.
            self.claims.remove(&id);
            self.taken.push(id);
            self.moved.insert(id, self.now);
            let peer = Address::from(id);
            for room in self.gave.remove(&id).map(|(_, rooms)| rooms).unwrap_or_default() {
                let Some(home) = home(&self.seen, &room) else { continue };
                let Some(round) = self.standing(home).round(self.view) else { continue };
                let (room, peer, to) = (Room::from(&room), At::from(&peer), *node.as_bytes());
                self.say(home, 0, &Envelope::Gave { round, room, peer, to });
            }
        }
    }

    /// A node that stops has given a session to this one, which is about to say so.
    pub(super) fn hear_bequeathed(&mut self, to: NodeId, id: PeerId, epoch: Epoch) {
        if self.nodes.contains_key(&to) && self.sessions.hear(self.node, to, id, epoch) {
            self.bequeathed.insert(id, self.now);
            self.taken.push(id);
            self.moved.insert(id, self.now);
        }
    }

    /// A node has no session of an id. Whether it was thought to have one, which was lost on its way then: all others are told,
    /// and its client can have its id again.
    pub(super) fn was_missing(&mut self, node: NodeId, id: PeerId, epoch: Epoch) -> bool {
        let was_thought_there = epoch > 0;
        if was_thought_there {
            self.hear_missing(node, id, epoch);
            for other in self.others().filter(|other| *other != node).collect::<Vec<_>>() {
                self.say(other, 0, &Envelope::Missing { at: *node.as_bytes(), id: *id.as_bytes(), epoch });
            }
        }
        was_thought_there
    }

    pub(super) fn hear_missing(&mut self, node: NodeId, id: PeerId, epoch: Epoch) {
        self.sessions.is_missing(node, id, epoch, self.now);
    }

    /// A session of this node has ended.
    pub(super) fn ended(&mut self, id: PeerId) {
        if self.sessions.end(id, self.now) {
            for node in self.others().collect::<Vec<_>>() {
                self.say(node, 0, &Envelope::Ended(*id.as_bytes()));
            }
        }
    }

    pub(super) fn hear_ended(&mut self, node: NodeId, id: PeerId) {
        self.sessions.hear_end(node, id, self.now);
    }

    /// Sessions that were on another node and have ended: older ones of the same ids end too.
    pub(super) fn hear_outlived(&mut self, ids: &[([u8; 16], Epoch, u64)]) {
        for (id, epoch, ago) in ids {
            let (id, ago) = (PeerId::from_bytes(*id), Duration::from_millis(*ago));
            let Some(since) = self.now.checked_sub(ago).filter(|_| ago < self.resume_window) else { continue };
            if self.sessions.hear_outlived(id, *epoch, since) {
                self.taken.push(id);
            }
        }
    }

    /// A peer whose node is gone has its id again, here; or one has a name.
    pub(super) fn claimed(&mut self, id: PeerId, clock: Epoch) {
        let epoch = self.sessions.next(id, clock);
        self.took(id, epoch, &[]);
    }

    pub(super) fn hear_departed(&mut self, nodes: &[([u8; 6], u64)]) {
        for (node, ago) in nodes {
            let node = NodeId::from_bytes(*node);
            let since = self.now.checked_sub(Duration::from_millis(*ago));
            if let Some(since) = since.filter(|_| !self.nodes.contains_key(&node)) {
                let known: &mut Instant = self.departed.entry(node).or_insert(since);
                *known = (*known).max(since);
            }
        }
    }

    /// Sessions that were on nodes which have gone, so many milliseconds ago.
    pub(super) fn hear_unseen(&mut self, ids: &[([u8; 16], u64)]) {
        for (id, ago) in ids {
            let since = self.now.checked_sub(Duration::from_millis(*ago));
            let Some(since) = since.filter(|_| Duration::from_millis(*ago) < self.resume_window) else { continue };
            self.sessions.hear_unseen(PeerId::from_bytes(*id), since);
        }
    }

    pub(super) fn hear_moved(&mut self, node: NodeId, round: u64, room: &RoomKey, peer: &Address) {
        if round == self.view.round {
            let news = self.home.moved(node, room, peer);
            self.tell(news);
        }
    }

    pub(super) fn hear_gave(&mut self, node: NodeId, round: u64, room: &RoomKey, peer: &Address, to: NodeId) {
        if round == self.view.round && self.home.gave(node, room, peer, to) {
            self.say(to, 0, &Envelope::Given { round, room: Room::from(room), peer: At::from(peer) });
        }
    }

    /// A home asks for a member that was given to this node.
    pub(super) fn hear_given(&mut self, home: NodeId, round: u64, room: &RoomKey, peer: &Address, is_in: bool) {
        if is_in {
            self.say(home, 0, &Envelope::Moved { round, room: Room::from(room), peer: At::from(peer) });
        } else if !self.is_away(peer.id()) && !self.is_entering(room, peer) {
            self.say(home, 0, &Envelope::Leave { round, room: Room::from(room), peer: At::from(peer) });
        }
    }

    /// The node that takes in a session because this one stops. None: there is none, or it has to catch up first.
    pub(super) fn heir(&self, id: PeerId) -> Result<NodeId, Heirless> {
        if self.is_connected && !self.is_settled() {
            return Err(Heirless::NotNow);
        }
        let can_take = |node: &NodeId| self.nodes.get(node).is_some_and(|remote| !remote.is_retiring);
        let others = self.others().filter(can_take).collect();
        let node = arbiter(&others, id).filter(|_| self.is_connected).ok_or(Heirless::Alone)?;
        let waiting = self.nodes.get(&node).map_or(0, |remote| remote.out.waiting());
        if waiting > PACE { Err(Heirless::NotNow) } else { Ok(node) }
    }
}

/// Why a session is not handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heirless {
    /// There is no other node.
    Alone,
    /// Much is on its way already.
    NotNow,
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::num::NonZeroUsize;
    use std::time::{Duration, Instant};

    use super::super::tests::{Node, carry, keep, message, node, of, open, pass, say};
    use super::super::view::home;
    use super::super::{Destination, Parcel};
    use crate::hub::{Fetched, ResumeRequest};
    use crate::protocol::{Address, Notice, PeerId, Realm, RoomKey, RoomName, ServerMessage};

    #[test]
    fn an_id_whose_session_was_lost_on_its_way_is_its_client_s_again_on_any_node() {
        let (nodes, mut now) = of(["a", "b", "c"]);
        let [a, b, c] = &nodes;
        let session = open(a);
        let request = ResumeRequest { token: session.issue_token().unwrap().0, received: 0 };
        let _kept = keep(b);
        let _fetching = b.hub.fetch(&request, None).unwrap();
        b.cluster.take().iter().for_each(|parcel| a.cluster.receive(&parcel.bytes, now));
        drop((session, a.cluster.take()));
        let mut fetched = Fetched::NotNow;
        for _ in 0..100 {
            let mut fetching = c.hub.fetch(&request, None).unwrap();
            pass(&nodes, &mut now, 100);
            fetched = fetching.try_recv().unwrap_or(Fetched::NotNow);
            if fetched != Fetched::NotNow {
                break;
            }
        }
        assert_eq!(fetched, Fetched::Gone);
    }

    /// So much later, while the first and the last do not hear each other.
    fn pass_apart(nodes: &[Node; 4], now: &mut Instant, milliseconds: u64) {
        for _ in 0..milliseconds / 100 {
            *now += Duration::from_millis(100);
            for node in nodes {
                node.cluster.tick(*now);
            }
            for _ in 0..10 {
                for (index, from) in nodes.iter().enumerate() {
                    for Parcel { to, bytes } in from.cluster.take() {
                        let hears = |other: usize| other != index && other.abs_diff(index) != nodes.len() - 1;
                        let others = nodes.iter().enumerate().filter(|(other, _)| hears(*other));
                        let is_for =
                            |node: &&Node| to == Destination::All || to == Destination::Node(node.cluster.node());
                        others.map(|(_, node)| node).filter(is_for).for_each(|node| node.cluster.receive(&bytes, *now));
                    }
                }
            }
        }
    }

    #[test]
    fn an_id_of_a_node_that_only_others_have_met_is_not_claimed() {
        let ([a, b, c], mut now) = of(["a", "b", "c"]);
        let d = node("d", 1, now);
        let nodes = [a, b, c, d];
        pass_apart(&nodes, &mut now, 10_000);
        // A third of them would be the first one's to give.
        for session in [(); 20].map(|()| open(&nodes[3])) {
            let request = ResumeRequest { token: session.issue_token().unwrap().0, received: 0 };
            let mut fetching = nodes[0].hub.fetch(&request, None).unwrap();
            pass_apart(&nodes, &mut now, 300);
            assert_eq!(fetching.try_recv(), Ok(Fetched::NotNow));
        }
    }

    /// Another thread says it in the moment in which the session is packed.
    #[test]
    fn what_is_said_to_a_session_that_is_being_handed_over_comes_behind_it() {
        let (nodes, now) = of(["a", "b"]);
        let [a, b] = &nodes;
        let (alice, bob) = (open(a), open(a));
        let kept = keep(b);
        a.cluster.rules.lock().begin_leaving(bob.id(), b.cluster.node(), true).unwrap();
        let handover = a.hub.hand_over(bob.id(), None, b.cluster.node()).unwrap();
        say(&alice, &message(&bob));
        a.cluster.rules.lock().hand_over(b.cluster.node(), 0, handover);
        carry(&nodes, now);
        assert!(matches!(alice.try_next().unwrap().message(), ServerMessage::Notice(Notice::Ack { .. })));
        let kept = std::mem::take(&mut *kept.lock());
        assert!(matches!(kept[0].try_next().unwrap().message(), ServerMessage::Relayed { .. }));
    }

    #[test]
    fn a_home_that_is_told_of_members_anew_keeps_the_place_of_one_that_was_given_on() {
        let (nodes, now) = of(["a", "b", "c"]);
        let [a, b, c] = nodes.each_ref().map(|node| node.cluster.node());
        let seen = BTreeSet::from([a, b, c]);
        let names = (0..).map(|number| RoomName::new(&format!("hall-{number}")).unwrap());
        let mut rooms = names.map(|name| RoomKey { realm: Realm::V1, name });
        let hall = rooms.find(|room| home(&seen, room) == Some(a)).unwrap();
        {
            let mut rules = nodes[1].cluster.rules.lock();
            rules.gave.insert(PeerId::of(b), (c, vec![hall.clone()]));
            let homes = [(a, nodes[0].cluster.rules.lock().view.round)];
            let another = Address::from(PeerId::of(b));
            rules.report(&homes, &hall, &[another], false);
            rules.report_given(&homes);
            rules.reported(&homes);
        }
        carry(&nodes, now);
        let mut rules = nodes[0].cluster.rules.lock();
        assert!(rules.home.join(a, &hall, &Address::from(PeerId::of(a)), NonZeroUsize::new(2)).is_err());
    }

    #[test]
    fn a_home_asks_the_node_that_a_member_was_given_to_whether_it_has_it() {
        let (nodes, now) = of(["a", "b", "c"]);
        let [a, b, c] = nodes.each_ref().map(|node| node.cluster.node());
        let hall = RoomKey { realm: Realm::V1, name: RoomName::new("hall").unwrap() };
        let mover = Address::from(PeerId::of(b));
        {
            let mut rules = nodes[0].cluster.rules.lock();
            rules.home.join(b, &hall, &mover, None).unwrap();
            let round = rules.view.round;
            rules.hear_gave(b, round, &hall, &mover, c);
            assert!(rules.home.asks_for(c, &hall, &mover), "{a} waits for its answer");
        }
        carry(&nodes, now);
        assert!(!nodes[0].cluster.rules.lock().home.asks_for(c, &hall, &mover), "it has never come there");
    }

    #[test]
    fn nothing_goes_by_way_of_a_node_that_is_about_to_end() {
        let (nodes, now) = of(["a", "b", "c"]);
        let [a, b, c] = &nodes;
        let (alice, bob) = (open(c), open(a));
        let request = ResumeRequest { token: bob.issue_token().unwrap().0, received: 0 };
        let kept = keep(b);
        let _fetching = b.hub.fetch(&request, None).unwrap();
        carry(&nodes, now);
        let by_way = || {
            let before = a.cluster.figures().received.messages;
            say(&alice, &message(&bob));
            carry(&nodes, now);
            a.cluster.figures().received.messages > before
        };
        assert!(by_way(), "it is the node of its id");
        a.hub.empty();
        a.cluster.hand_over_some(&mut 0);
        carry(&nodes, now);
        assert!(!by_way());
        kept.lock().clear();
    }

    /// What it knew of the session went by a link that was lost, and the session itself, too.
    #[test]
    fn a_node_that_others_think_has_a_session_does_not_send_its_client_to_one_that_had_it_before() {
        let (nodes, _) = of(["a", "b", "c"]);
        let [a, b, c] = nodes.each_ref().map(|node| node.cluster.node());
        let id = PeerId::of(a);
        let mut rules = nodes[1].cluster.rules.lock();
        rules.sessions.hear(b, a, id, 1);
        assert!(rules.is_away_for(c, id, 1), "it is known there as well");
        assert!(!rules.is_away_for(c, id, 2) && !rules.is_away(id));
    }
}
