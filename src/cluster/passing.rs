//! What is said to sessions that have moved, or are about to: by which way it goes, so that nothing overtakes what went before.
//!
//! What one peer says to another goes to the node of the addressee's id, as long as that one is there, and it passes it on.
//! While something is on its way, what follows goes the same way: a question is answered once it has arrived where the
//! addressee is.

use super::envelope::{At, Envelope, Origin, Outcome, Room, Token};
use super::questions::What;
use super::remote::Owed;
use super::rules::{Rules, relay};
use crate::hub::{Owing, Said};
use crate::protocol::{Address, ErrorCode, NodeId, PeerId, RoomKey};

/// The question of another node that is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    pub(super) node: NodeId,
    pub(super) token: Token,
}

/// What another node asks to be passed on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Coming {
    asked: Asked,
    /// The question of the node on which it was said.
    origin: Asked,
}

impl Coming {
    pub(super) fn of(asked: Asked, origin: Origin) -> Self {
        let node = |bytes| NodeId::from_bytes(bytes);
        Self { asked, origin: origin.map_or(asked, |(bytes, token)| Asked { node: node(bytes), token }) }
    }

    fn origin(self) -> ([u8; NodeId::BYTES], Token) {
        (*self.origin.node.as_bytes(), self.origin.token)
    }
}

/// What was passed on.
#[derive(Debug)]
pub(super) enum Passed {
    /// From one peer to another. The outcome is the question's.
    Relay(Asked),
    /// From a room. The question may be about other members, too.
    Broadcast(Asked),
}

/// A question about members of a room, of which some have moved.
#[derive(Debug, Default)]
pub(super) struct Members {
    /// How many have not been answered for.
    left: usize,
    busy: Vec<Address>,
}

impl Rules {
    /// Where a peer is that was of this node, or would be.
    pub(super) fn whereabouts(&self, id: PeerId) -> Option<NodeId> {
        self.sessions.elsewhere(id).filter(|node| self.is_up(*node))
    }

    /// The node by which something is on its way to a session that has just moved. What is said next goes the same way.
    pub(super) fn on_its_way(&self, from: PeerId, to: PeerId) -> Option<NodeId> {
        self.way(from, to, |_| true)
    }

    fn way(&self, from: PeerId, to: PeerId, is_earlier: impl Fn(Asked) -> bool) -> Option<NodeId> {
        if !self.moved.contains_key(&to) && !self.is_origin_retiring(to) {
            return None;
        }
        let own = |token| Asked { node: self.node, token };
        let all = self.questions.on_their_way(from, to);
        let earlier = all.filter(|(token, what, _)| is_earlier(what.origin(own(*token))));
        earlier.max_by_key(|(token, ..)| *token).map(|(.., node)| node)
    }

    /// What has come from another node is with its addressee, which is here. It may have come by this node before.
    pub(super) fn arrived(&mut self, coming: Coming, from: PeerId, to: PeerId) {
        let node = self.node;
        self.questions.arrived(from, to, |token, what| what.origin(Asked { node, token }) == coming.origin);
    }

    /// From when on nothing goes by way of the node of its id that does not already.
    fn is_origin_retiring(&self, id: PeerId) -> bool {
        id.node().and_then(|node| self.nodes.get(&node)).is_some_and(|remote| remote.is_retiring)
    }

    /// Where to pass on what has come from another node: behind what was said before it, and not behind itself, where it comes
    /// back to a node that it has left.
    fn way_on(&self, there: NodeId, coming: Coming, from: PeerId, to: PeerId) -> NodeId {
        self.way_behind(coming, from, to).unwrap_or(there)
    }

    /// The node by which something goes once more although its addressee is here again: behind what was said before it, which
    /// is still on its way. What has gone round once has come behind all that.
    pub(super) fn detour(&self, coming: Coming, from: PeerId, to: PeerId) -> Option<NodeId> {
        let is_it = |what: &What| matches!(what, What::Forward { origin, .. } if *origin == coming.origin);
        let has_gone_round = self.questions.on_their_way(from, to).any(|(_, what, _)| is_it(what));
        if has_gone_round { None } else { self.way_behind(coming, from, to) }
    }

    /// The node by which something is on its way that was said before.
    fn way_behind(&self, coming: Coming, from: PeerId, to: PeerId) -> Option<NodeId> {
        let Asked { node, token } = coming.origin;
        self.way(from, to, |other| other.node != node || other.token < token)
    }

    /// Whether anything of one peer's is on its way to another one, or kept for it until it is in a room. None: that one has not just come.
    pub(super) fn is_on_its_way(&self, from: PeerId, to: PeerId) -> Option<bool> {
        if self.is_kept(from, to) {
            return Some(true);
        }
        self.moved.get(&to).map(|_| self.on_its_way(from, to).is_some())
    }

    /// Passes on what a peer of a third node says to one that was ours.
    pub(super) fn forward(
        &mut self,
        there: NodeId,
        coming: Coming,
        (from, to): (Address, PeerId),
        said: Said<'_>,
        owing: Owing,
    ) {
        let node = self.way_on(there, coming, from.id(), to);
        let (passed, origin) = (Passed::Relay(coming.asked), coming.origin);
        let token = self.ask(What::Forward { node, passed, origin, from: from.clone(), to: to.into(), owing });
        self.put_question_behind(&[to], node, token, &relay(to, &from, said, Some(coming.origin())));
    }

    /// Passes on what a peer of a third node says to a room, to a member that was ours. Its sender is told if that fails.
    pub(super) fn forward_to_room(
        &mut self,
        there: NodeId,
        coming: Coming,
        room: &RoomKey,
        (from, to): (&Address, PeerId),
        payload: &str,
        owing: Owing,
    ) {
        let node = self.way_on(there, coming, from.id(), to);
        self.passing.entry(coming.asked).or_default().left += 1;
        let (passed, origin) = (Passed::Broadcast(coming.asked), coming.origin);
        let token = self.ask(What::Forward { node, passed, origin, from: from.clone(), to: to.into(), owing });
        let (room, from, ids, origin) = (Room::from(room), At::from(from), vec![*to.as_bytes()], Some(coming.origin()));
        self.put_question_behind(&[to], node, token, &Envelope::Broadcast { room, from, payload, to: ids, origin });
    }

    /// Answers what was said to members of a room, once it has arrived at those to whom it was passed on.
    pub(super) fn answer_for_members(&mut self, asked: Asked, busy: Vec<Address>) {
        match self.passing.get_mut(&asked) {
            Some(members) => members.busy.extend(busy),
            None => self.say_busy(asked, &busy),
        }
    }

    /// What was passed on is answered, or never will be.
    pub(super) fn was_passed(&mut self, passed: &Passed, outcome: &Outcome<'_>, busy: Vec<Address>) {
        match *passed {
            Passed::Relay(Asked { node, token }) => {
                self.say(node, 0, &Envelope::Answer { token, outcome: outcome.clone() });
            }
            Passed::Broadcast(asked) => {
                let Some(members) = self.passing.get_mut(&asked) else { return };
                members.left -= 1;
                members.busy.extend(busy);
                if members.left == 0
                    && let Some(members) = self.passing.remove(&asked)
                {
                    self.say_busy(asked, &members.busy);
                }
            }
        }
    }

    fn say_busy(&mut self, Asked { node, token }: Asked, busy: &[Address]) {
        let outcome = Outcome::Busy(busy.iter().map(At::from).collect());
        self.say(node, 0, &Envelope::Answer { token, outcome });
    }

    /// What was passed on will not be answered any more.
    pub(super) fn give_up_passing(&mut self, passed: &Passed, from: Address, to: Address, owing: Owing) {
        if matches!(passed, Passed::Broadcast(_)) {
            self.was_not_delivered(from, to, owing);
        }
        self.was_passed(passed, &Outcome::refused(ErrorCode::ClusterUnavailable), Vec::new());
    }

    /// The node to which something was passed on has answered.
    pub(super) fn hear_passed(
        &mut self,
        (node, token): (NodeId, Token),
        passed: &Passed,
        (from, to, owing): (Address, Address, Owing),
        (outcome, busy): (&Outcome<'_>, Vec<Address>),
    ) {
        let is_refused = matches!(outcome, Outcome::Refused(_));
        if !is_refused && busy.is_empty() {
            self.owe(node, token, Owed::Forwarded { from, to, owing });
        } else if is_refused && matches!(passed, Passed::Broadcast(_)) {
            self.was_not_delivered(from, to, owing);
        }
        self.was_passed(passed, outcome, busy);
    }
}
