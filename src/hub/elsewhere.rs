//! Peers of other nodes: what the hub asks for there, and what comes of it.
//!
//! A message that another node has to answer leaves its client [`Unanswered`], and keeps the answer's seat: nothing else is
//! said to the client before it, and nothing more is read from it. There is no such client where the hub is alone.

use std::fmt;
use std::sync::Arc;

use tokio::sync::oneshot;

use super::debt::{Debt, Ledger, Owed};
use super::letter::Letter;
use super::mailbox::{Refused, Seat};
use super::peer::Peer;
use super::place::{Guest, Meeting};
use super::reply::Reply;
use super::room::{Change, Room};
use super::token::Seal;
use super::{Claim, Hub, ResumeRequest};
use crate::net::Line;
use crate::protocol::{
    Address, ErrorCode, ErrorNotice, Kind, NodeId, Notice, PeerId, Realm, Reference, RoomKey, RoomName, ServerMessage,
};

/// The other nodes. Nothing here waits: what comes of it is told by what is [`Unanswered`], or to the [`Hub`].
pub trait Elsewhere: fmt::Debug + Send + Sync {
    /// This node.
    fn node(&self) -> NodeId;

    /// Says something to a peer of another node.
    fn relay(&self, to: &Address, said: Said<'_>, unanswered: Unanswered);

    /// Says something to members of a room, each of which another node has, as far as this one knows; or, where there is none,
    /// that are here, and to whom something of the same sender [is on its way](Self::is_on_its_way).
    fn broadcast(&self, room: &RoomKey, payload: &str, members: Vec<(Address, Option<NodeId>)>, unanswered: Unanswered);

    /// Asks for a place in a room: [`Hub::admit`].
    fn join(&self, room: RoomKey, unanswered: Unanswered);

    /// A peer of this node has left a room. Called with the room locked.
    fn leave(&self, room: &RoomKey, peer: &Address);

    /// By which each node knows that one of them has issued a token: of a session's id, of the token's secret half, and of
    /// whose the session is.
    fn seal(&self, id: PeerId, proof: &[u8; 16], subject: Option<&str>) -> Seal;

    /// Whether a peer whose id is of this node is on another one.
    fn is_away(&self, id: PeerId) -> bool;

    /// Whether something that one peer has said to another is still on its way, by the node on which that one was. None: it has
    /// been here for so long that nothing can be.
    fn is_on_its_way(&self, from: PeerId, to: PeerId) -> Option<bool>;

    /// Brings the session of a token here, if another node has it.
    fn fetch(&self, request: &ResumeRequest, subject: Option<&str>) -> oneshot::Receiver<Fetched>;

    /// An id is of this node from now on: that of a session whose node is gone, of a name, or of a place.
    fn claimed(&self, id: PeerId);

    /// Asks whether a client of this subject may have a name here, as far as other nodes are concerned.
    fn claim(&self, claim: &Claim, subject: Option<&str>) -> oneshot::Receiver<Claimed>;

    /// Asks other nodes for the names of all their peers of a realm.
    fn names(&self, realm: Realm) -> oneshot::Receiver<Vec<String>>;

    /// Asks which node has a place.
    fn meet(&self, place: PeerId) -> oneshot::Receiver<Meeting>;

    /// Has a client served at a place of another node. Refused with `peer-unavailable`, that one
    /// does not have the place.
    fn open_line(
        &self,
        node: NodeId,
        place: PeerId,
        guest: &Guest,
    ) -> oneshot::Receiver<Result<Box<dyn Line>, ErrorCode>>;

    /// A session of this node has ended, or a place is left.
    fn ended(&self, id: PeerId);

    /// So many peers of this node hear a topic. Called with the topic's room locked.
    fn subscribed(&self, topic: &RoomKey, subscribers: usize);

    /// How many hear a topic elsewhere.
    fn subscribers(&self, topic: &RoomKey) -> usize;

    /// Says something to all that hear a topic elsewhere: so many in all, here too, whose number belongs there in it.
    fn publish(&self, topic: &RoomKey, payload: &str, count_at: usize, subscribers: usize);

    /// Why this node can't do yet what the others have to agree to, for people. None: it can.
    fn unready(&self) -> Option<String>;

    /// A peer of another node said something that this one has not acknowledged at its end.
    fn undelivered(&self, to: &Address, by: &Address);
}

/// What has become of a session that was to be brought here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fetched {
    /// It is here.
    Here,
    /// It is nowhere, or not the token's.
    Unknown,
    /// Its node is gone, and all that it had. Its id is the client's, on this node.
    Gone,
    /// That is not known now. It is worth another try.
    NotNow,
}

/// What other nodes say to a claim on a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// None has it: it is the client's, here.
    Granted,
    /// Its holder has left. It is worth another try at once.
    Free,
    /// A peer of another node has it, and is there.
    Taken,
    /// That is not known now. It is worth another try.
    NotNow,
}

/// What one peer says to another.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// Where the sender's words mean something.
    pub realm: Realm,
    /// What is said.
    pub kind: Kind,
    /// JSON text.
    pub payload: Option<&'a str>,
}

/// A client's message that other nodes have to answer. Dropped without an answer, it is `cluster-unavailable`.
#[derive(Debug)]
pub struct Unanswered {
    peer: Arc<Peer>,
    about: About,
    answer: Option<Answer>,
    /// Members of a room that have no room for it.
    busy: Vec<Address>,
}

/// What a message is about.
#[derive(Debug)]
enum About {
    /// Something said to a peer, as its client wrote it.
    Peer(Box<str>),
    /// A room, to which something is said or which is to be entered.
    Room(RoomName),
}

/// How the answer is given.
#[derive(Debug)]
struct Answer {
    reference: Option<Reference>,
    /// None: nothing is said where all goes well.
    seat: Option<Seat>,
    /// Counts as one of the errors that the client may have to be told.
    debt: Debt,
}

/// What was accepted elsewhere, and is not known to be acknowledged there.
#[derive(Debug)]
pub struct Unsettled {
    peer: Arc<Peer>,
    by: Vec<(Address, Debt)>,
}

impl Unanswered {
    pub(super) fn about_peer(peer: &Arc<Peer>, to: &str, reply: Reply<'_>) -> Self {
        let (reference, seat) = reply.wait();
        let to = &to[..to.floor_char_boundary(ErrorNotice::MAX_TO_BYTES)];
        Self::new(peer, About::Peer(to.into()), reference, seat)
    }

    pub(super) fn about_room(peer: &Arc<Peer>, room: RoomName, reference: Option<Reference>) -> Self {
        let seat = reference.is_some().then(|| peer.mailbox.await_answer());
        Self::new(peer, About::Room(room), reference, seat)
    }

    /// A wish to enter a room, which is answered in any case.
    pub(super) fn entering(peer: &Arc<Peer>, room: RoomName, reference: Option<Reference>) -> Self {
        let seat = peer.mailbox.await_answer();
        Self::new(peer, About::Room(room), reference, Some(seat))
    }

    /// What has waited for a name is said now: it is answered only if that fails.
    pub(super) fn about_name(peer: &Arc<Peer>, name: &str) -> Self {
        Self::new(peer, About::Peer(name.into()), None, None)
    }

    fn new(peer: &Arc<Peer>, about: About, reference: Option<Reference>, seat: Option<Seat>) -> Self {
        peer.mailbox.count_unanswered();
        let answer = Answer { reference, seat, debt: peer.mailbox.debt() };
        Self { peer: Arc::clone(peer), about, answer: Some(answer), busy: Vec::new() }
    }

    /// Whose message it is.
    #[must_use]
    pub fn asker(&self) -> &Address {
        &self.peer.address
    }

    /// Where it is delivered here after all: what is owed to its sender.
    #[must_use]
    pub fn owing(&self) -> Owing {
        Owing::of(self.peer.mailbox.owed())
    }

    /// These members of the room had no room for it.
    pub fn were_busy(&mut self, members: Vec<Address>) {
        self.busy.extend(members);
    }

    /// It is done: the message is in its addressee's queue, whose connection may be lost at the moment.
    pub fn ack(mut self, parked: bool) {
        if !self.busy.is_empty() {
            return self.refuse(ErrorCode::PeerBusy);
        }
        let Some(Answer { reference, seat, .. }) = self.answer.take() else { return };
        if let (Some(reference), Some(seat)) = (reference, seat) {
            self.peer.mailbox.fill(seat, Notice::Ack { reference, parked });
        }
    }

    /// It is not done, or not for those that were busy.
    pub fn refuse(mut self, code: ErrorCode) {
        self.give(code);
    }

    /// What may be told later, as long as these have not acknowledged it.
    #[must_use]
    pub fn unsettled(&self, by: impl IntoIterator<Item = Address>) -> Unsettled {
        let by = by.into_iter().map(|address| (address, self.peer.mailbox.debt())).collect();
        Unsettled { peer: Arc::clone(&self.peer), by }
    }

    fn give(&mut self, code: ErrorCode) {
        let Some(Answer { reference, seat, debt }) = self.answer.take() else { return };
        let error = ErrorNotice::new(code, reference);
        let error = match &self.about {
            About::Peer(to) => error.to(to),
            About::Room(room) => error.room(room.clone()).peers(std::mem::take(&mut self.busy)),
        };
        let notice = Notice::Error(Box::new(error));
        match seat {
            Some(seat) => self.peer.mailbox.fill(seat, notice),
            None => self.peer.mailbox.complain(notice),
        }
        drop(debt);
    }

    /// The seat and the `ref` of an answer that is more than an ack.
    pub(super) fn into_parts(mut self) -> Option<(Arc<Peer>, Seat, Option<Reference>)> {
        let Answer { reference, seat, .. } = self.answer.take()?;
        Some((Arc::clone(&self.peer), seat?, reference))
    }

    pub(super) fn peer(&self) -> &Arc<Peer> {
        &self.peer
    }
}

impl Drop for Unanswered {
    fn drop(&mut self) {
        self.give(ErrorCode::ClusterUnavailable);
        self.peer.mailbox.count_answered();
    }
}

impl Unsettled {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by.is_empty()
    }

    /// It may have arrived or not, and that will not be known any more. Gives the sender, and of whom it has to be told, where
    /// its session is on another node by now.
    pub fn undelivered(self) -> impl Iterator<Item = (Address, Address)> {
        let is_here = self.peer.mailbox.is_open();
        self.by.into_iter().filter_map(move |(by, _debt)| {
            if !is_here {
                return Some((self.peer.address.clone(), by));
            }
            if self.peer.realm.knows_undelivered() {
                self.peer.mailbox.tell_undelivered(by);
            }
            None
        })
    }
}

/// What a peer of another node says to some here, until all of them have acknowledged it.
#[derive(Clone, Debug)]
pub struct Owing {
    owed: Arc<Owed>,
    /// As long as it is put into mailboxes.
    _while_put: Arc<Debt>,
}

impl Owing {
    /// The token is the other node's.
    #[must_use]
    pub fn new(ledger: &Arc<Ledger>, token: u64) -> Self {
        Self::of(&Owed::elsewhere(ledger, token))
    }

    fn of(owed: &Arc<Owed>) -> Self {
        Self { _while_put: Arc::new(Debt::new(owed)), owed: Arc::clone(owed) }
    }
}

impl Change {
    /// Tells the members that are here.
    pub(super) fn tell(&self, room: &Room<Arc<Peer>>, name: &RoomName) {
        for member in room.all().filter(|member| !member.realm.has_topics()) {
            self.went.iter().for_each(|peer| member.mailbox.tell_left(name, peer));
            self.came.iter().for_each(|peer| member.mailbox.tell_joined(name, peer));
        }
    }
}

/// Why a message of another node's peer was not put into a queue.
fn refused(why: Refused) -> ErrorCode {
    match why {
        Refused::Full => ErrorCode::PeerBusy,
        Refused::Closed => ErrorCode::PeerUnavailable,
    }
}

impl Hub {
    /// Puts what a peer of another node says into the queue of one that is here. Says whether that one's connection is lost
    /// at the moment.
    ///
    /// # Errors
    ///
    /// With the code that its sender is told.
    pub fn deliver(&self, to: PeerId, from: Address, said: Said<'_>, owing: &Owing) -> Result<bool, ErrorCode> {
        let Said { realm, kind, payload } = said;
        let addressee = self.peers.get(&to).map(|peer| Arc::clone(&peer));
        let understands =
            |peer: &Arc<Peer>| realm.reaches(peer.realm) && peer.realm.understands(kind, payload.is_some());
        let addressee = addressee.filter(understands).ok_or(ErrorCode::PeerUnavailable)?;
        let message = ServerMessage::Relayed { from, kind, payload: payload.map(Arc::from) };
        let letter = Letter::new(message, 1, &self.budget);
        addressee.mailbox.put_owing(&letter, &owing.owed).map_err(refused)?;
        Ok(addressee.is_parked())
    }

    /// Puts what a member elsewhere says to a room into the queues of these members. `around` is called with the room locked,
    /// and has it done: that gives those whose queues are full, and those that are not here.
    pub fn deliver_to_room<T>(
        &self,
        (key, to): (&RoomKey, &[PeerId]),
        from: &Address,
        payload: &str,
        owing: &Owing,
        around: impl FnOnce(&mut dyn FnMut() -> (Vec<Address>, Vec<PeerId>)) -> T,
    ) -> T {
        let room = self.rooms.get(key);
        around(&mut || {
            let Some(room) = &room else { return (Vec::new(), to.to_vec()) };
            let message =
                ServerMessage::Broadcast { room: room.key().name.clone(), from: from.clone(), payload: payload.into() };
            let letter = Letter::new(message, to.len(), &self.budget);
            let (mut busy, mut absent) = (Vec::new(), Vec::new());
            for id in to {
                match room.get(*id) {
                    Some(member) if member.mailbox.put_owing(&letter, &owing.owed) == Err(Refused::Full) => {
                        busy.push(member.address.clone());
                    }
                    Some(_) => {}
                    None => absent.push(*id),
                }
            }
            (busy, absent)
        })
    }

    /// Whether a peer is of this node.
    #[must_use]
    pub fn is_here(&self, id: PeerId) -> bool {
        self.peers.contains_key(&id)
    }

    /// Tells a peer that what it said was not acknowledged by another. False: it is not here.
    pub fn tell_undelivered(&self, to: PeerId, by: &Address) -> bool {
        let Some(sender) = self.peers.get(&to).map(|peer| Arc::clone(&peer)) else { return false };
        if sender.realm.knows_undelivered() {
            sender.mailbox.tell_undelivered(by.clone());
        }
        true
    }

    /// Lets a peer into a room, whose members elsewhere are these. False: it is gone, or may not enter any more.
    #[must_use]
    pub fn admit(&self, unanswered: Unanswered, key: &RoomKey, mut elsewhere: Vec<(Address, NodeId)>) -> bool {
        let peer = Arc::clone(unanswered.peer());
        let Some(mut state) = peer.lives() else { return false };
        if !state.may_enter(&key.name) {
            unanswered.refuse(ErrorCode::RoomNotAllowed);
            return false;
        }
        let Some((_, seat, reference)) = unanswered.into_parts() else { return false };
        elsewhere.retain(|(other, _)| other.id() != peer.id());
        let mut room = self.rooms.entry(key.clone()).or_default();
        let name = room.key().name.clone();
        room.set_elsewhere(elsewhere).tell(&room, &name);
        let peers = room.others(peer.id()).map(|member| &member.address).chain(room.elsewhere()).cloned().collect();
        peer.mailbox.fill(seat, Notice::Joined { room: name.clone(), peers, reference });
        for member in room.others(peer.id()) {
            member.mailbox.tell_joined(&name, &peer.address);
        }
        room.insert(peer.id(), Arc::clone(&peer));
        state.rooms.insert(name);
        true
    }

    /// A peer elsewhere has entered a room.
    pub fn came(&self, key: &RoomKey, peer: Address, node: NodeId) {
        self.change(key, |room| room.came(peer, node));
    }

    /// … or has left it.
    pub fn went(&self, key: &RoomKey, peer: &Address) {
        self.change(key, |room| room.went(peer));
    }

    /// Tells whether a peer of this node is in a room, which is locked meanwhile.
    pub fn look_for<T>(&self, key: &RoomKey, peer: &Address, tell: impl FnOnce(bool) -> T) -> T {
        let room = self.rooms.get(key);
        tell(room.as_ref().is_some_and(|room| room.get(peer.id()).is_some()))
    }

    /// The members of a room elsewhere are these.
    pub fn set_elsewhere(&self, key: &RoomKey, members: Vec<(Address, NodeId)>) {
        self.change(key, |room| room.set_elsewhere(members));
    }

    /// The members that rooms have on another node are gone.
    pub fn lost(&self, node: NodeId) {
        for mut room in self.rooms.iter_mut() {
            let name = room.key().name.clone();
            room.lost(node).tell(&room, &name);
        }
    }

    fn change(&self, key: &RoomKey, change: impl FnOnce(&mut Room<Arc<Peer>>) -> Change) {
        let Some(mut room) = self.rooms.get_mut(key) else { return };
        let name = room.key().name.clone();
        change(&mut room).tell(&room, &name);
    }

    /// Has each room looked at that has members here: those, and whether it has others elsewhere. Each is locked meanwhile.
    pub fn each_room(&self, mut look: impl FnMut(&RoomKey, Vec<Address>, bool)) {
        for room in &self.rooms {
            look(room.key(), room.all().map(|member| member.address.clone()).collect(), room.has_elsewhere());
        }
    }
}
