//! Sessions that go from one node to another: because their client has come back there, or because this node stops.
//!
//! What a session has goes as it is: frames that are not acknowledged, in order, the rooms, what its credentials allow. To
//! the members of its rooms it neither leaves nor comes. What it owes to the senders of those frames stays here as a
//! [`Pledge`], until the other node says that it is settled.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use tokio::sync::oneshot;

use super::allowance::{Allowance, Spent};
use super::debt::{Debt, Ledger, Owed};
use super::letter::{Letter, Waiting};
use super::mailbox::Mailbox;
use super::peer::{Identity, Peer};
use super::token::Tokens;
use super::{Fetched, Hub, Lifetime, ResumeRequest, Session};
use crate::auth::Grant;
use crate::protocol::{Address, NodeId, PeerId, Realm, RoomKey, RoomName, ServerMessage};

/// What a session has that outlives a connection.
#[derive(Debug)]
pub struct Kept<F> {
    /// The secret halves of its tokens: the one that is confirmed, and its successor.
    pub proofs: [Option<[u8; 16]>; 2],
    /// What its credentials allow.
    pub grant: Option<Grant>,
    /// What its client has said of what it may.
    pub spent: Spent,
    /// Frames of its client that were processed.
    pub accepted: u64,
    /// Frames to its client that are acknowledged.
    pub acknowledged: u64,
    /// Those after them.
    pub frames: Vec<F>,
}

/// A session on its way.
#[derive(Debug)]
pub struct Handover<D> {
    /// Whose.
    pub id: PeerId,
    /// What it has. Each frame may be owed for.
    pub kept: Kept<(ServerMessage, Option<D>)>,
    /// Its rooms, and who is in them besides.
    pub rooms: Vec<(RoomName, Vec<(Address, NodeId)>)>,
}

/// What is owed to the sender of a frame that has gone to another node.
#[derive(Debug)]
pub struct Pledge {
    sender: Address,
    by: Address,
    debt: Debt,
}

impl Pledge {
    /// The sender, and the peer that it may have to be told of.
    #[must_use]
    pub fn parties(&self) -> (&Address, &Address) {
        (&self.sender, &self.by)
    }

    /// Whether another node tells the sender, if this one is lost before it is settled.
    #[must_use]
    pub fn is_others(&self) -> bool {
        self.debt.is_others()
    }
}

/// Why a session is not handed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotHandedOver {
    /// There is none.
    Absent,
    /// The token is not its own.
    Refused,
    /// It waits for an answer of another node.
    NotNow,
}

impl Hub {
    /// Gives a session away to another node: by this token of its client, which is of this subject, or because this node stops.
    ///
    /// # Errors
    ///
    /// Where it stays.
    pub fn hand_over(
        &self,
        id: PeerId,
        request: Option<(&ResumeRequest, Option<&str>)>,
        to: NodeId,
    ) -> Result<Handover<Pledge>, NotHandedOver> {
        let own = self.node().ok_or(NotHandedOver::Absent)?;
        let peer = self.peers.get(&id).map(|peer| Arc::clone(&peer)).ok_or(NotHandedOver::Absent)?;
        let mut state = peer.begin_hand_over(request)?;
        // Order: what its rooms say from now on goes to the other node; what they have said is in its queue, which goes with it.
        let rooms = std::mem::take(&mut state.rooms);
        let rooms = rooms.into_iter().map(|name| self.give_member(&peer, name, own, to)).collect();
        let kept = peer.hand_over(&mut state);
        self.peers.remove(&id);
        self.handles.remove(&Tokens::of(id).handle);
        drop(state);
        let Kept { proofs, grant, spent, accepted, acknowledged, frames } = kept;
        let frames = frames.into_iter().map(|waiting| handed(waiting, &peer.address)).collect();
        Ok(Handover { id, kept: Kept { proofs, grant, spent, accepted, acknowledged, frames }, rooms })
    }

    /// Whether it would be given away. Changes nothing.
    ///
    /// # Errors
    ///
    /// Where it would stay.
    pub fn can_hand_over(
        &self,
        id: PeerId,
        request: Option<(&ResumeRequest, Option<&str>)>,
    ) -> Result<(), NotHandedOver> {
        let peer = self.peers.get(&id).map(|peer| Arc::clone(&peer)).ok_or(NotHandedOver::Absent)?;
        peer.can_be_handed_over(request)
    }

    /// The others of a room, from whose sight the peer does not go.
    fn give_member(&self, peer: &Peer, name: RoomName, own: NodeId, to: NodeId) -> (RoomName, Vec<(Address, NodeId)>) {
        let key = peer.room(&name);
        let Some(mut room) = self.rooms.get_mut(&key) else { return (name, Vec::new()) };
        room.remove(peer.id());
        let here = room.all().map(|member| (member.address.clone(), own));
        let others = here.chain(room.held_elsewhere().map(|(member, node)| (member.clone(), node))).collect();
        room.gave(&peer.address, to);
        let is_empty = room.is_empty();
        drop(room);
        if is_empty {
            self.rooms.remove_if(&key, |_, room| room.is_empty());
        }
        (name, others)
    }

    /// Takes in a session from another node: it waits here for its client. `ledger` is that node's.
    ///
    /// # Errors
    ///
    /// Gives it back if there is one of this id here.
    pub fn take_in(
        self: &Arc<Self>,
        handover: Handover<u64>,
        ledger: &Arc<Ledger>,
    ) -> Result<Session, Box<Handover<u64>>> {
        let id = handover.id;
        let dashmap::Entry::Vacant(entry) = self.peers.entry(id) else { return Err(Box::new(handover)) };
        let Handover { kept, rooms, .. } = handover;
        let mailbox = Mailbox::new(self.limits.mailbox, Arc::clone(&self.budget));
        let allowance = Allowance::new(self.limits.allowance, Instant::now()).with(kept.spent, Instant::now());
        let identity = Identity { address: id.into(), realm: Realm::V1, secret: None, tokens: None };
        let (peer, epoch) = Peer::new(identity, mailbox, Lifetime::Resumable, None, allowance);
        let Kept { proofs, grant, spent, accepted, acknowledged, frames } = kept;
        let frames = frames.into_iter().map(|(message, token)| {
            let debt = token.map(|token| Debt::new(&Owed::elsewhere(ledger, token)));
            Waiting::new(Letter::new(message, 1, &self.budget), debt)
        });
        peer.take_in(Kept { proofs, grant, spent, accepted, acknowledged, frames: frames.collect() });
        drop(entry.insert(Arc::clone(&peer)));
        self.handles.insert(Tokens::of(id).handle, Arc::clone(&peer));
        let session = Session::new(Arc::clone(self), Arc::clone(&peer), epoch);
        if let Some(mut state) = session.held() {
            for (name, others) in rooms {
                self.take_member(&peer, &name, others);
                state.rooms.insert(name);
            }
        }
        Ok(session)
    }

    fn take_member(&self, peer: &Arc<Peer>, name: &RoomName, others: Vec<(Address, NodeId)>) {
        let key = RoomKey { realm: peer.realm, name: name.clone() };
        let mut room = self.rooms.entry(key).or_default();
        if room.is_empty() {
            // None is here to be told.
            drop(room.set_elsewhere(others));
        } else {
            // The two nodes may have heard of others one after the other. What is too much, the room's home corrects.
            let known: HashSet<PeerId> = others.iter().map(|(other, _)| other.id()).collect();
            for (other, node) in others {
                room.came(other, node).tell(&room, name);
            }
            let here = room.all().map(|member| &member.address).chain(room.elsewhere());
            for other in here.filter(|other| !known.contains(&other.id()) && other.id() != peer.id()) {
                peer.mailbox.tell_joined(name, other);
            }
        }
        let was_known = !room.went(&peer.address).went.is_empty();
        for member in room.all().filter(|_| !was_known) {
            member.mailbox.tell_joined(name, &peer.address);
        }
        room.insert(peer.id(), Arc::clone(peer));
    }

    /// The sessions that another node can take in.
    #[must_use]
    pub fn resumable(&self) -> Vec<PeerId> {
        self.handles.iter().map(|peer| peer.id()).collect()
    }

    /// From now on sessions go to other nodes because this one stops: their clients are told to come back.
    pub fn empty(&self) {
        self.is_emptied.store(true, Ordering::SeqCst);
    }

    /// Whether they do.
    #[must_use]
    pub fn is_emptied(&self) -> bool {
        self.is_emptied.load(Ordering::SeqCst)
    }

    /// A new session of a peer whose node is gone, and with it all that it had but its id. None: it is here.
    #[must_use]
    pub fn revive(self: &Arc<Self>, id: PeerId, grant: Option<Grant>) -> Option<Session> {
        let (peer, epoch) = self.peer(Realm::V1, id.into(), Lifetime::Resumable, grant, None);
        match self.peers.entry(id) {
            dashmap::Entry::Occupied(_) => None,
            dashmap::Entry::Vacant(entry) => {
                drop(entry.insert(Arc::clone(&peer)));
                if let Some(elsewhere) = &self.elsewhere {
                    elsewhere.claimed(id);
                }
                Some(Session::new(Arc::clone(self), peer, epoch))
            }
        }
    }

    /// Ends the session of an id that another node has, or closes the place: this one was thought to be gone.
    pub fn evict(self: &Arc<Self>, id: PeerId) {
        self.close_place(id);
        let peer = self.peers.get(&id).map(|peer| Arc::clone(&peer));
        if let Some((peer, epoch)) = peer.and_then(|peer| peer.seize().map(|epoch| (peer, epoch))) {
            // Dropped, it ends.
            drop(Session::new(Arc::clone(self), peer, epoch));
        }
    }

    /// Brings the session of a token here, if another node has it. None: there is no other node, or it is here.
    #[must_use]
    pub fn fetch(&self, request: &ResumeRequest, grant: Option<&Grant>) -> Option<oneshot::Receiver<Fetched>> {
        let elsewhere = self.elsewhere.as_ref().filter(|_| !self.can_resume(request, grant))?;
        Some(elsewhere.fetch(request, grant.map(|grant| &*grant.subject)))
    }
}

fn handed(mut waiting: Waiting, by: &Address) -> (ServerMessage, Option<Pledge>) {
    let debt = waiting.take_debt();
    let message = waiting.letter.message.clone();
    let pledge = message.sender().cloned().zip(debt);
    let pledge = pledge.map(|(sender, debt)| Pledge { sender, by: by.clone(), debt });
    (message, pledge)
}
